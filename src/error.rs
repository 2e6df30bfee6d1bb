//! `ApiError` → problem+json (RFC 9457): the one place that decides statuses and what the outside may know of a fault.

pub mod members;

use std::fmt;

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error_codes::{self as codes, ErrorCode};
use crate::kernel::i18n::{Bilingual, Locale};
use members::Member;

/// What handlers return.
pub type ApiResult<T> = Result<T, ApiError>;

/// A refusal or fault on its way to the client.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    code: &'static ErrorCode,
    detail: Option<Bilingual>,
    errors: Vec<FieldError>,
    extra: Map<String, Value>,
    retry_after_seconds: Option<u64>,
    allow: Option<String>,
}

/// Where in the request a single fault lies.
#[derive(Clone, Debug)]
pub enum Place {
    /// JSON pointer into the body.
    Pointer(String),
    /// Name of a path or query parameter.
    Parameter(String),
    /// Name of a header.
    Header(String),
}

/// One fault of one field.
#[derive(Clone, Debug)]
pub struct FieldError {
    place: Place,
    code: String,
    detail: Bilingual,
}

impl FieldError {
    /// A fault with its own text.
    pub fn new(place: Place, code: impl Into<String>, detail: Bilingual) -> Self {
        Self { place, code: code.into(), detail }
    }

    /// A fault of a body field, with the code's standard text.
    pub fn pointer(pointer: impl Into<String>, code: &str) -> Self {
        let (zh, en) = codes::field_text(code);
        Self::new(Place::Pointer(pointer.into()), code, Bilingual::new(zh, en))
    }

    /// Number of the item of a list that the fault lies in, if it lies in this list at the root of the body.
    pub fn item_of(&self, list: &str) -> Option<usize> {
        let Place::Pointer(pointer) = &self.place else { return None };
        let below = pointer.strip_prefix('/')?.strip_prefix(list)?.strip_prefix('/')?;
        below.split('/').next()?.parse().ok()
    }

    /// A fault of a path or query parameter.
    pub fn parameter(name: impl Into<String>, code: &str, detail: Bilingual) -> Self {
        Self::new(Place::Parameter(name.into()), code, detail)
    }
}

impl ApiError {
    /// A problem of this code.
    pub fn new(code: &'static ErrorCode) -> Self {
        Self(Box::new(Inner {
            code,
            detail: None,
            errors: Vec::new(),
            extra: Map::new(),
            retry_after_seconds: None,
            allow: None,
        }))
    }

    /// The body was understood and is not valid: every fault of every field.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let mut error = Self::new(&codes::VALIDATION_FAILED);
        error.0.errors = errors;
        error
    }

    /// A 409 `duplicate` for one field of the body: what it says is somebody else's already.
    pub fn taken(pointer: &str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        let text = Bilingual::new(zh, en);
        Self::new(&codes::DUPLICATE).detail(text.zh.clone(), text.en.clone()).errors(vec![FieldError::new(
            Place::Pointer(pointer.to_owned()),
            "duplicate",
            text,
        )])
    }

    /// One field of the body is not valid, with an exact text.
    pub fn invalid_field(
        pointer: impl Into<String>,
        code: &str,
        zh: impl Into<String>,
        en: impl Into<String>,
    ) -> Self {
        Self::invalid(vec![FieldError::new(Place::Pointer(pointer.into()), code, Bilingual::new(zh, en))])
    }

    /// An unexpected fault. The reason goes to the log, never to the client.
    pub fn internal(reason: impl fmt::Display) -> Self {
        tracing::error!(error = %reason, "internal fault");
        Self::new(&codes::INTERNAL)
    }

    /// Absent, or somebody else's: the two look the same.
    pub fn not_found() -> Self {
        Self::new(&codes::NOT_FOUND)
    }

    /// A text more exact than the code's.
    pub fn detail(mut self, zh: impl Into<String>, en: impl Into<String>) -> Self {
        self.0.detail = Some(Bilingual::new(zh, en));
        self
    }

    /// Faults of single fields.
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// A further member of the problem, such as `current_status`: one that the document lists for this code.
    pub fn with(mut self, member: &'static Member, value: impl Serialize) -> Self {
        let code = self.0.code.code;
        debug_assert!(member.codes.contains(&code), "{} is not listed for {code}", member.name);
        self.0.extra.insert(member.name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// When to try again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// The methods that an address takes, for 405.
    pub fn allow(mut self, methods: impl Into<String>) -> Self {
        self.0.allow = Some(methods.into());
        self
    }

    /// Which code this is.
    pub fn code(&self) -> &'static ErrorCode {
        self.0.code
    }

    /// The same problem of one row of many: pointers begin with `prefix`.
    pub fn under(mut self, prefix: &str) -> Self {
        for error in &mut self.0.errors {
            if let Place::Pointer(pointer) = &mut error.place {
                pointer.insert_str(0, prefix);
            }
        }
        self
    }

    /// The problem as it is shown.
    pub fn problem(&self, locale: Locale, request_id: &str) -> Problem {
        let inner = &self.0;
        let code = inner.code;
        Problem {
            r#type: format!("/problems/{}", code.code),
            title: code.title(locale).to_owned(),
            status: code.status,
            detail: inner
                .detail
                .as_ref()
                .map_or(code.detail(locale), |detail| detail.pick(locale))
                .to_owned(),
            code: code.code.to_owned(),
            request_id: request_id.to_owned(),
            errors: inner
                .errors
                .iter()
                .map(|error| {
                    let mut entry = ProblemField {
                        pointer: None,
                        parameter: None,
                        header: None,
                        code: error.code.clone(),
                        detail: error.detail.pick(locale).to_owned(),
                    };
                    match &error.place {
                        Place::Pointer(pointer) => entry.pointer = Some(pointer.clone()),
                        Place::Parameter(name) => entry.parameter = Some(name.clone()),
                        Place::Header(name) => entry.header = Some(name.clone()),
                    }
                    entry
                })
                .collect(),
            extra: inner.extra.clone(),
        }
    }

    /// The finished reply.
    pub fn render(&self, locale: Locale, request_id: &str) -> HttpResponse {
        let inner = &self.0;
        let code = inner.code;
        let problem = self.problem(locale, request_id);
        let mut reply = HttpResponseBuilder::new(self.status_code());
        reply.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        reply.insert_header((header::CONTENT_LANGUAGE, locale.as_str()));
        let challenge = match code.code {
            "invalid_client" => Some("Basic realm=\"beian\""),
            // RFC 6750, 3.1.
            "insufficient_scope" => Some("Bearer realm=\"beian\", error=\"insufficient_scope\""),
            _ if code.status == 401 => Some("Bearer realm=\"beian\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            reply.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(seconds) = inner.retry_after_seconds.or((code.status == 503).then_some(2)) {
            reply.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        if let Some(methods) = &inner.allow {
            reply.insert_header((header::ALLOW, methods.as_str()));
        }
        reply.body(serde_json::to_string(&problem).unwrap_or_default())
    }
}

/// A problem (RFC 9457). `code` is stable; texts follow `Accept-Language`.
#[derive(Serialize, ToSchema)]
pub struct Problem {
    /// Address of a page that explains the code.
    #[schema(example = "/problems/not_found")]
    pub r#type: String,
    /// Short name of the problem.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened here and what to do.
    pub detail: String,
    /// Stable code, snake_case; may grow.
    #[schema(example = "not_found")]
    pub code: String,
    /// Quote this to support.
    pub request_id: String,
    /// Every faulty field; empty when the problem is not about fields.
    pub errors: Vec<ProblemField>,
    /// What helps with some codes; `members` lists it, and the document takes it from there.
    #[serde(flatten)]
    #[schema(ignore)]
    pub extra: Map<String, Value>,
}

/// One faulty field, parameter or header.
#[derive(Serialize, ToSchema)]
pub struct ProblemField {
    /// JSON pointer into the body.
    pub pointer: Option<String>,
    /// Name of a path or query parameter.
    pub parameter: Option<String>,
    /// Name of a header.
    pub header: Option<String>,
    /// Stable code; may grow.
    pub code: String,
    /// What is wrong and what to do.
    pub detail: String,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code.code)?;
        for error in &self.0.errors {
            write!(f, " {:?}={}", error.place, error.code)?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Language and request id are not known here: the envelope middleware renders again with both.
    fn error_response(&self) -> HttpResponse {
        self.render(Locale::ZhCn, "")
    }
}

impl From<diesel::result::Error> for ApiError {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        match &error {
            Error::NotFound => Self::not_found(),
            Error::DatabaseError(Kind::UniqueViolation, info) => {
                tracing::warn!(
                    constraint = info.constraint_name(),
                    "unique violation reached the general handler"
                );
                Self::new(&codes::DUPLICATE)
            }
            Error::DatabaseError(Kind::SerializationFailure, _) => Self::new(&codes::CONFLICT),
            Error::DatabaseError(Kind::ClosedConnection, _) | Error::BrokenTransactionManager => {
                tracing::error!(%error, "database connection lost");
                Self::new(&codes::UNAVAILABLE)
            }
            Error::DatabaseError(_, info) if is_outage(info.message()) => {
                tracing::error!(%error, "database unavailable");
                Self::new(&codes::UNAVAILABLE)
            }
            _ => Self::internal(error),
        }
    }
}

/// libpq reports a lost server as an unknown error with these words.
fn is_outage(message: &str) -> bool {
    [
        "server closed the connection",
        "no connection to the server",
        "terminating connection",
        "shutting down",
        "No space left",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// The name of the unique index that a statement ran into, if that is why it failed.
pub fn violated_constraint(error: &diesel::result::Error) -> Option<&str> {
    match error {
        diesel::result::Error::DatabaseError(diesel::result::DatabaseErrorKind::UniqueViolation, info) => {
            info.constraint_name()
        }
        _ => None,
    }
}
