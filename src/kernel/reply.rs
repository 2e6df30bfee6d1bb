//! Replies that can be kept and sent again: status, the headers that belong to the result, and the JSON body.

use actix_web::{HttpRequest, HttpResponse, Responder, body::BoxBody, http::StatusCode, http::header};
use serde::Serialize;
use serde_json::Value;

use crate::error::{ApiError, ApiResult};
use crate::kernel::etag;

/// The reply of an operation.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    location: Option<String>,
    etag: Option<String>,
    body: Option<String>,
    next_cursor: Option<String>,
    retry_after_seconds: Option<u64>,
    replayed: bool,
}

impl Reply {
    fn with_body(status: u16, body: &impl Serialize) -> ApiResult<Self> {
        // Most bodies have some kilobytes: without room for them they would be copied each time they double.
        let mut text = Vec::with_capacity(4096);
        serde_json::to_writer(&mut text, body).map_err(ApiError::internal)?;
        let body = String::from_utf8(text).map_err(ApiError::internal)?;
        Ok(Self { status, body: Some(body), ..Self::no_content() })
    }

    /// 200 with a body.
    ///
    /// # Errors
    /// When the body cannot be serialised.
    pub fn ok(body: &impl Serialize) -> ApiResult<Self> {
        Self::with_body(200, body)
    }

    /// 201 with `Location` and a body.
    ///
    /// # Errors
    /// When the body cannot be serialised.
    pub fn created(location: impl Into<String>, body: &impl Serialize) -> ApiResult<Self> {
        let mut reply = Self::with_body(201, body)?;
        reply.location = Some(location.into());
        Ok(reply)
    }

    /// 202 with a body: accepted, the work goes on as a job.
    ///
    /// # Errors
    /// When the body cannot be serialised.
    pub fn accepted(body: &impl Serialize) -> ApiResult<Self> {
        Self::with_body(202, body)
    }

    /// 202 with `Location` and a body: what was stored is there to be looked at while a job works on it.
    ///
    /// # Errors
    /// When the body cannot be serialised.
    pub fn accepted_at(location: impl Into<String>, body: &impl Serialize) -> ApiResult<Self> {
        Ok(Self { location: Some(location.into()), ..Self::with_body(202, body)? })
    }

    /// Adds `Retry-After`: when it is worth looking again.
    pub fn look_again_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// 204.
    pub fn no_content() -> Self {
        Self {
            status: 204,
            location: None,
            etag: None,
            body: None,
            next_cursor: None,
            retry_after_seconds: None,
            replayed: false,
        }
    }

    /// Adds the ETag.
    pub fn etag(mut self, etag: String) -> Self {
        self.etag = Some(etag);
        self
    }

    /// Adds `Link: rel="next"`: this request once more with another cursor.
    pub fn next_page(mut self, cursor: Option<&str>) -> Self {
        self.next_cursor = cursor.map(str::to_owned);
        self
    }

    /// Alters the JSON body: for what must be made afresh on every sending, such as presigned addresses.
    ///
    /// # Errors
    /// When the body is not JSON.
    pub fn edit(mut self, f: impl FnOnce(&mut Value)) -> ApiResult<Self> {
        if let Some(body) = &self.body {
            let mut value = serde_json::from_str(body).map_err(ApiError::internal)?;
            f(&mut value);
            self.body = Some(value.to_string());
        }
        Ok(self)
    }

    /// The JSON body, parsed.
    pub fn json(&self) -> Option<Value> {
        self.body.as_deref().and_then(|body| serde_json::from_str(body).ok())
    }

    pub(super) fn parts(&self) -> (u16, Value, String) {
        let headers = serde_json::json!({
            "location": self.location, "etag": self.etag, "retry_after": self.retry_after_seconds,
        });
        (self.status, headers, self.body.clone().unwrap_or_default())
    }

    pub(super) fn replay(status: u16, headers: &Value, body: String) -> Self {
        let text = |name: &str| headers[name].as_str().map(str::to_owned);
        Self {
            status,
            location: text("location"),
            etag: text("etag"),
            body: (!body.is_empty()).then_some(body),
            next_cursor: None,
            retry_after_seconds: headers["retry_after"].as_u64(),
            replayed: true,
        }
    }
}

impl Responder for Reply {
    type Body = BoxBody;

    fn respond_to(self, req: &HttpRequest) -> HttpResponse {
        // A conditional read: the client has this state already.
        if self.status == 200
            && req.method().is_safe()
            && let Some(tag) = &self.etag
            && etag::is_not_modified(req, tag)
        {
            return HttpResponse::NotModified().insert_header((header::ETAG, tag.as_str())).finish();
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut reply = HttpResponse::build(status);
        if let Some(location) = &self.location {
            reply.insert_header((header::LOCATION, location.as_str()));
        }
        if let Some(etag) = &self.etag {
            reply.insert_header((header::ETAG, etag.as_str()));
        }
        if let Some(cursor) = &self.next_cursor {
            let mut query = form_urlencoded::Serializer::new(String::new());
            let pairs = form_urlencoded::parse(req.query_string().as_bytes());
            query.extend_pairs(pairs.filter(|(name, _)| name != "cursor")).append_pair("cursor", cursor);
            reply.insert_header((header::LINK, format!("<{}?{}>; rel=\"next\"", req.path(), query.finish())));
        }
        if let Some(seconds) = self.retry_after_seconds {
            reply.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if self.replayed {
            reply.insert_header(("Idempotency-Replayed", "true"));
        }
        match self.body {
            Some(body) => reply.content_type("application/json").body(body),
            None => reply.finish(),
        }
    }
}
