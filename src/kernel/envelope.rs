//! What surrounds every request: its id, its rate limit, its time limit, the problem+json of whatever went wrong, and the
//! headers that every reply carries.

use std::pin::Pin;
use std::time::Instant;

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::error_codes::{self as codes, ErrorCode};
use crate::kernel::{i18n::Locale, peer, rate_limit::RateLimit, request_id};

/// Decides whether the caller of a request may do its operation.
pub type Decision = fn(HttpRequest) -> Pin<Box<dyn Future<Output = ApiResult<()>>>>;

/// What is left in a request while it is not decided yet whether the caller may do the operation: who decides.
pub struct Undecided(pub Decision);

/// The middleware.
///
/// # Errors
/// Never an error that still has to be rendered: every one is a finished problem.
pub async fn wrap(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = request_id::assign(&req);
    let locale = Locale::of(req.headers());
    let method = req.method().clone();
    let is_api = !req.path().starts_with("/swagger-ui") && req.path() != "/openapi.json";
    let app = req.app_data::<web::Data<App>>().cloned();
    let origin = req.headers().get(header::ORIGIN).cloned();
    let readable_for = origin.clone().filter(|origin| {
        app.as_ref().is_some_and(|app| app.config.http.cors_origins.iter().any(|known| known == origin))
    });
    let finished = |error: ApiError| {
        let mut reply = error.render(locale, &id);
        // These do not come through the CORS middleware, and a page must be able to read why and when to try again.
        if let Some(origin) = readable_for.clone() {
            reply.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let exposed = HeaderValue::from_static("retry-after, x-request-id");
            reply.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        reply.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
        decorate(reply.headers_mut(), &id, true);
        count(&method, reply.status(), started);
        Err(InternalError::from_response("refused", reply).into())
    };
    let Some(app) = app else { return finished(ApiError::internal("no application data")) };
    // Who watches the server must never be told that it is busy with others: that would look like a server that is down.
    let is_probe = matches!(req.path(), "/livez" | "/readyz");
    if !is_probe
        && let Some(limit) = req.app_data::<web::Data<RateLimit>>()
        && let Some(address) = peer::address(req.request(), &app.config.http.trusted_proxies)
        && let Err(seconds) = limit.check(address)
    {
        return finished(ApiError::new(&codes::TOO_MANY_REQUESTS).retry_after(seconds));
    }
    // Without a line in the log, which would cost more than the refusal; they are counted as all others.
    if is_work(&method, req.path())
        && let Err(busy) = app.db.admit()
    {
        return finished(busy);
    }
    let outcome = match tokio::time::timeout(app.config.http.request_timeout, next.call(req)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            tracing::error!(request_id = id, "the request took longer than its limit");
            return finished(ApiError::new(&codes::UNAVAILABLE).retry_after(5));
        }
    };
    let mut res = match outcome {
        Ok(res) => res.map_into_boxed_body(),
        Err(error) => return finished(as_problem(&error)),
    };
    let status = res.status();
    if status.is_client_error() || status.is_server_error() {
        // Replies that are not ours (a CORS refusal, an unreadable header) have no problem yet.
        let problem = match res.response().error() {
            Some(error) => as_problem(error),
            None => ApiError::new(general(status)),
        };
        let undecided = res.request().extensions_mut().remove::<Undecided>();
        let problem = match undecided {
            Some(Undecided(decide)) => decide(res.request().clone()).await.err().unwrap_or(problem),
            None => problem,
        };
        // The readiness probe's 503 is a body of its own.
        if res.response().error().is_some() || !res.headers().contains_key(header::CONTENT_TYPE) {
            let mut reply = problem.render(locale, &id);
            for (name, value) in res.headers() {
                if name.as_str().starts_with("access-control-") || name == header::VARY {
                    reply.headers_mut().append(name.clone(), value.clone());
                }
            }
            res = res.into_response(reply);
        }
    } else if !method.is_safe() {
        // Work may have been enqueued by what was just committed.
        app.waker.wake();
    }
    decorate(res.headers_mut(), &id, is_api);
    if origin.is_some() {
        no_dialog(res.headers_mut());
    }
    count(&method, res.status(), started);
    Ok(res)
}

/// Whether a request is for the API, which hardly does anything without the database; pages, the document and a browser's question
/// whether it may ask need none.
fn is_work(method: &Method, path: &str) -> bool {
    *method != Method::OPTIONS && (path.starts_with("/v1/") || path.starts_with("/oauth/"))
}

fn as_problem(error: &Error) -> ApiError {
    match error.as_error::<ApiError>() {
        Some(problem) => problem.clone(),
        None => {
            let status = error.as_response_error().status_code();
            if status.is_server_error() { ApiError::internal(error) } else { ApiError::new(general(status)) }
        }
    }
}

/// The code for a refusal that comes from the framework.
fn general(status: StatusCode) -> &'static ErrorCode {
    match status.as_u16() {
        401 => &codes::UNAUTHENTICATED,
        403 => &codes::FORBIDDEN,
        404 => &codes::ROUTE_NOT_FOUND,
        405 => &codes::METHOD_NOT_ALLOWED,
        406 => &codes::NOT_ACCEPTABLE,
        413 => &codes::BODY_TOO_LARGE,
        415 => &codes::UNSUPPORTED_MEDIA_TYPE,
        429 => &codes::TOO_MANY_REQUESTS,
        503 => &codes::UNAVAILABLE,
        500.. => &codes::INTERNAL,
        _ => &codes::INVALID_PARAMETER,
    }
}

fn decorate(headers: &mut header::HeaderMap, id: &str, is_api: bool) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if is_api {
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        headers.append(header::VARY, HeaderValue::from_static("Authorization, Accept-Language"));
    }
}

/// Browsers answer a `Basic` challenge with a log-in dialog of their own and keep the page waiting for it. They send `Origin`
/// with every POST, programs do not: pages get a challenge that no browser knows.
fn no_dialog(headers: &mut header::HeaderMap) {
    let is_basic = |value: &HeaderValue| value.as_bytes().starts_with(b"Basic");
    if headers.get(header::WWW_AUTHENTICATE).is_some_and(is_basic) {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"beian\""));
    }
}

fn count(method: &Method, status: StatusCode, started: Instant) {
    let labels = [("method", method.as_str().to_owned()), ("status", status.as_u16().to_string())];
    metrics::counter!("beian_http_requests_total", &labels).increment(1);
    metrics::histogram!("beian_http_request_seconds", "method" => method.as_str().to_owned())
        .record(started.elapsed().as_secs_f64());
}

/// A reply that is not to be turned into a problem although its status is an error.
pub fn plain(status: StatusCode, body: serde_json::Value) -> HttpResponse {
    HttpResponse::build(status).json(body)
}
