//! `X-Request-Id`: taken from the client when it is sane, made otherwise; in every reply, problem and log line.

use actix_web::{HttpMessage, HttpRequest, dev::ServiceRequest};
use uuid::Uuid;

#[derive(Clone)]
struct RequestId(String);

/// Name of the header.
pub const HEADER: &str = "X-Request-Id";

/// Decides the id of a request, once, before anything else happens to it.
pub fn assign(req: &ServiceRequest) -> String {
    let given = req.headers().get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_sane(id));
    let id = given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    req.extensions_mut().insert(RequestId(id.clone()));
    id
}

/// What may stand in a log line without harm: up to 128 letters, digits and `-_.`.
fn is_sane(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The id that [`assign`] decided.
pub fn of(req: &HttpRequest) -> String {
    req.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default()
}
