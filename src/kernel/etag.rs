//! ETags of the form `"<version>.<view>"`: the version rises with every transaction that alters anything shown,
//! the view hashes role and language.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header};
use sha2::{Digest, Sha256};

use crate::error::{ApiError, FieldError, Place, members};
use crate::error_codes as codes;
use crate::kernel::i18n::{Bilingual, Locale};

/// The strong ETag of a resource at a version, as a caller of this kind sees it in this language.
pub fn etag(version: i32, view: &str, locale: Locale) -> String {
    let hash = Sha256::digest(format!("{view}/{locale}"));
    format!("\"{version}.{}\"", hex::encode(&hash[..4]))
}

/// A stable number for the ETag of what has no version column: it changes with the content.
///
/// # Errors
/// When the body cannot be serialised.
pub fn content_version(body: &impl serde::Serialize) -> Result<i32, ApiError> {
    let hash = Sha256::digest(serde_json::to_vec(body).map_err(ApiError::internal)?);
    Ok(i32::from_be_bytes([hash[0] & 0x7f, hash[1], hash[2], hash[3]]))
}

/// `If-Match` of a request: the version that the client saw.
#[derive(Clone, Copy, Debug)]
pub struct IfMatch(Expected);

#[derive(Clone, Copy, Debug)]
enum Expected {
    Absent,
    Any,
    Version(i32),
}

impl IfMatch {
    /// The version to insist on, if the client named one.
    pub fn optional(self) -> Option<i32> {
        match self.0 {
            Expected::Version(version) => Some(version),
            Expected::Absent | Expected::Any => None,
        }
    }

    /// As [`IfMatch::optional`], but 428 when the header is absent.
    ///
    /// # Errors
    /// `precondition_required` without the header.
    pub fn required(self) -> Result<Option<i32>, ApiError> {
        match self.0 {
            Expected::Absent => Err(ApiError::new(&codes::PRECONDITION_REQUIRED)),
            _ => Ok(self.optional()),
        }
    }
}

/// 412 when the client saw another version than the current one.
///
/// # Errors
/// `precondition_failed` with `current_version`.
pub fn ensure_version(expected: Option<i32>, current: i32) -> Result<(), ApiError> {
    match expected {
        Some(expected) if expected != current => {
            Err(ApiError::new(&codes::PRECONDITION_FAILED).with(&members::CURRENT_VERSION, current))
        }
        _ => Ok(()),
    }
}

impl FromRequest for IfMatch {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(value) = req.headers().get(header::IF_MATCH) else {
            return ready(Ok(Self(Expected::Absent)));
        };
        let read = || {
            let text = value.to_str().ok()?.trim();
            if text == "*" {
                return Some(Expected::Any);
            }
            // Only the version part is compared; a bare number is taken too. The document has the same pattern.
            let tag = text.strip_prefix("W/").unwrap_or(text);
            let inner = tag.strip_prefix('"').map_or(Some(tag), |rest| rest.strip_suffix('"'))?;
            let (version, view) = inner.split_once('.').unwrap_or((inner, ""));
            let is_ours = (1..=10).contains(&version.len())
                && version.bytes().all(|byte| byte.is_ascii_digit())
                && view.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            // A number beyond all versions is none that was seen: 412.
            is_ours.then(|| Expected::Version(version.parse().unwrap_or(-1)))
        };
        ready(read().map(Self).ok_or_else(|| {
            ApiError::new(&codes::INVALID_HEADER).errors(vec![FieldError::new(
                Place::Header("If-Match".to_owned()),
                "invalid_format",
                Bilingual::new("须为您所收到的 ETag", "must be the ETag that you received"),
            )])
        }))
    }
}

/// Whether `If-None-Match` names this ETag: the client has the current state.
pub fn is_not_modified(req: &HttpRequest, etag: &str) -> bool {
    req.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.split(',').any(|item| {
            matches!(item.trim().trim_start_matches("W/"), "*")
                || item.trim().trim_start_matches("W/") == etag
        })
    })
}
