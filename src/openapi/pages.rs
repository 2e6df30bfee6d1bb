//! The document and Swagger UI over HTTP. The program carries both packed by gzip, and nearly every client takes them as they are.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding, Header};
use actix_web::{HttpRequest, HttpResponse, web};
use flate2::read::GzDecoder;
use utoipa_swagger_ui::{Config, oauth};

use super::PACKED;
use crate::error::{ApiError, ApiResult};

/// Adds the addresses. They are not operations, so they are not in the document.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.app_data(web::Data::new(SwaggerUi(Arc::new(settings()))))
        .route("/openapi.json", web::get().to(document))
        .route("/swagger-ui/{file:.*}", web::get().to(swagger_ui));
}

struct SwaggerUi(Arc<Config<'static>>);

fn settings() -> Config<'static> {
    let program = oauth::Config::new().client_id("swagger-ui").client_secret("");
    Config::with_oauth_config(["/openapi.json"], program)
        .try_it_out_enabled(true)
        .persist_authorization(true)
        .display_request_duration(true)
        .display_operation_id(true)
        .request_snippets_enabled(true)
        .filter(true)
}

async fn document(req: HttpRequest) -> ApiResult<HttpResponse> {
    reply(&req, "application/json", Cow::Borrowed(PACKED), true)
}

async fn swagger_ui(
    req: HttpRequest,
    file: web::Path<String>,
    settings: web::Data<SwaggerUi>,
) -> ApiResult<HttpResponse> {
    let found = utoipa_swagger_ui::serve(&file, settings.0.clone()).map_err(ApiError::internal)?;
    let found = found.ok_or_else(ApiError::not_found)?;
    reply(&req, &found.content_type, Cow::Owned(found.bytes.into_owned()), found.gzpipped)
}

/// Sends what is packed as it is to who takes it so, and unpacks it for others.
fn reply(
    req: &HttpRequest,
    content_type: &str,
    bytes: Cow<'static, [u8]>,
    is_packed: bool,
) -> ApiResult<HttpResponse> {
    let mut reply = HttpResponse::Ok();
    reply.content_type(content_type).insert_header((header::VARY, "Accept-Encoding"));
    let is_taken = || {
        let accepted = AcceptEncoding::parse(req).ok();
        let chosen = accepted.and_then(|accepted| accepted.negotiate([Encoding::gzip()].iter()));
        chosen == Some(Encoding::gzip())
    };
    if !is_packed {
        return Ok(reply.body(bytes.into_owned()));
    }
    if is_taken() {
        reply.insert_header(ContentEncoding::Gzip);
        return Ok(reply.body(bytes.into_owned()));
    }
    unpacked(&bytes).map(|plain| reply.body(plain)).map_err(ApiError::internal)
}

/// What gzip packed.
///
/// # Errors
/// When it is damaged.
pub(super) fn unpacked(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}
