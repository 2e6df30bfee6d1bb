//! tmp
use tracing_actix_web::TracingLogger;
/// tmp
pub fn request_logger() -> TracingLogger<tracing_actix_web::DefaultRootSpanBuilder> { TracingLogger::default() }
