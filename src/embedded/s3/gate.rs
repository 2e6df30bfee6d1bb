//! What stands before the signature check: methods, headers that the signature must cover, and CORS.

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use s3s::service::S3Service;
use s3s::{Body, HttpRequest, HttpResponse};

/// Whose pages may talk to the store from a browser.
pub struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// An empty list stands for every page of this machine.
    pub fn new(origins: Vec<String>) -> Self {
        Cors { origins }
    }

    fn allows(&self, origin: &str) -> bool {
        if !self.origins.is_empty() {
            return self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin));
        }
        let host = origin.strip_prefix("http://").unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        matches!(name, "localhost" | "127.0.0.1" | "[::1]")
    }

    fn decorate(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin.filter(|origin| origin.to_str().is_ok_and(|text| self.allows(text))) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("ETag, x-amz-checksum-sha256, Content-Disposition"),
            );
        }
    }

    fn preflight(&self, request: &HttpRequest) -> HttpResponse {
        let origin = request.headers().get(header::ORIGIN);
        if !origin.and_then(|origin| origin.to_str().ok()).is_some_and(|origin| self.allows(origin)) {
            return refusal(
                StatusCode::FORBIDDEN,
                "AccessForbidden",
                "CORSResponse: this origin is not allowed",
            );
        }
        let mut response = HttpResponse::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, PUT"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        if let Some(asked) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        response
    }
}

/// Answers one request.
pub async fn answer(service: &S3Service, cors: &Cors, request: HttpRequest) -> HttpResponse {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match check(&request) {
        _ if request.method() == Method::OPTIONS => cors.preflight(&request),
        Some(refused) => refused,
        None => match service.call(request).await {
            Ok(response) => response,
            Err(error) => {
                let error: Box<dyn std::error::Error + Send + Sync> = error.into();
                tracing::error!(%error, "the embedded store failed");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "see the log")
            }
        },
    };
    cors.decorate(origin.as_ref(), response.headers_mut());
    response
}

/// The refusal of everything that can be refused without knowing the keys.
fn check(request: &HttpRequest) -> Option<HttpResponse> {
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::PUT | Method::DELETE) {
        return Some(refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "not a method of this store",
        ));
    }
    let Some(signed) = signed_headers(request.uri(), request.headers()) else {
        return Some(refusal(StatusCode::FORBIDDEN, "AccessDenied", "a signature of version 4 is needed"));
    };
    // A header that the signature does not cover is the sender's, not the signer's: it could turn an
    // upload into a copy of another object, or change what is stored beside it.
    let is_uncovered = |name: &&HeaderName| {
        name.as_str().starts_with("x-amz-") && !signed.iter().any(|known| known == name.as_str())
    };
    let name = request.headers().keys().find(is_uncovered)?;
    let text = format!("the signature does not cover the header {name}");
    Some(refusal(StatusCode::FORBIDDEN, "AccessDenied", &text))
}

/// Names of the headers that the signature says to cover; `None` without a signature. Whether the
/// signature is right, `s3s` finds out later.
fn signed_headers(uri: &Uri, headers: &HeaderMap) -> Option<Vec<String>> {
    let in_query = uri.query().and_then(|query| {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
        pairs.into_iter().find(|(name, _)| name == "X-Amz-SignedHeaders").map(|(_, value)| value)
    });
    let list = match in_query {
        Some(list) => list,
        None => {
            let value =
                headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("AWS4-HMAC-SHA256")?;
            let part =
                value.split(',').map(str::trim).find_map(|part| part.strip_prefix("SignedHeaders="))?;
            part.to_owned()
        }
    };
    Some(list.split(';').map(str::to_ascii_lowercase).collect())
}

fn refusal(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    tracing::debug!(%status, code, message, "the embedded store refused a request");
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = HttpResponse::new(Body::from(xml));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_list_only_pages_of_this_machine_are_allowed() {
        let cors = Cors::new(Vec::new());
        for origin in
            ["http://localhost:5173", "http://127.0.0.1:8080", "http://[::1]:3000", "http://localhost"]
        {
            assert!(cors.allows(origin), "{origin}");
        }
        for origin in ["http://localhost.evil.example", "https://127.0.0.1.evil.example:80", "null", ""] {
            assert!(!cors.allows(origin), "{origin}");
        }
    }

    #[test]
    fn a_list_is_exact() {
        let cors = Cors::new(vec!["https://app.example.com".into()]);
        assert!(cors.allows("https://app.example.com"));
        assert!(!cors.allows("http://localhost:5173"));
        assert!(!cors.allows("https://app.example.com.evil.example"));
    }

    #[test]
    fn signed_headers_are_found_in_both_places() {
        let uri: Uri = "http://h/b/k?X-Amz-SignedHeaders=content-type%3Bhost".parse().unwrap();
        assert_eq!(signed_headers(&uri, &HeaderMap::new()).unwrap(), ["content-type", "host"]);
        let mut headers = HeaderMap::new();
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_static(
                "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=c",
            ),
        );
        assert_eq!(signed_headers(&"http://h/".parse().unwrap(), &headers).unwrap(), ["host", "x-amz-date"]);
        assert!(signed_headers(&"http://h/".parse().unwrap(), &HeaderMap::new()).is_none());
    }
}
