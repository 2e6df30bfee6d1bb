//! The span around a request and the line at its end.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage};
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;

use crate::kernel::request_id;

/// When the request came in, kept beside it.
struct Started(Instant);

/// Builds the span: id, method and path. Never the query: search texts and presigned parts stand there.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        request.extensions_mut().insert(Started(Instant::now()));
        tracing::info_span!(
            "request",
            request_id = request_id::of(request.request()),
            method = %request.method(),
            path = request.path(),
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let (status, elapsed) = match outcome {
            Ok(response) => {
                let extensions = response.request().extensions();
                (response.status(), extensions.get::<Started>().map(|started| started.0.elapsed()))
            }
            Err(error) => (error.as_response_error().status_code(), None),
        };
        let elapsed_ms = elapsed.map(|elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        let _entered = span.enter();
        let is_failure = status.is_server_error();
        let status = status.as_u16();
        if is_failure {
            tracing::error!(status, elapsed_ms, "request failed");
        } else {
            tracing::info!(status, elapsed_ms, "request finished");
        }
    }
}
