//! Files that clients bring: declared to the API, sent straight to the store, looked at before they count.
//!
//! The address that a client may write to (`uploads/…`) is never the one that counts: what was verified is stored under a
//! final key that nobody can write to from outside.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Duration, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use uuid::Uuid;

use super::scanner::{Scanner, Verdict};
use super::storage::{Storage, StorageError};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;

/// Files looked at at the same time: each may take 10 MiB of memory twice.
static IN_HAND: Semaphore = Semaphore::const_new(8);

/// How long an upload address is good for.
pub fn lifetime() -> Duration {
    Duration::minutes(15)
}

/// How long after that a file which arrived in time can still be completed.
pub fn grace() -> Duration {
    Duration::minutes(45)
}

/// When an upload that was not completed is given up: later than any completion can still be at work.
pub fn given_up_after() -> Duration {
    grace() + Duration::minutes(10)
}

/// The key of a new upload. It carries no personal data: a year and the id of what is uploaded.
pub fn key(now: DateTime<Utc>, id: Uuid) -> String {
    format!("uploads/{}/{id}", now.year())
}

crate::text_enum! {
    /// Kinds of files that are taken.
    pub enum FileType {
        /// JPEG
        Jpeg = "image/jpeg",
        /// PNG
        Png = "image/png",
        /// PDF
        Pdf = "application/pdf",
    }
}

impl FileType {
    /// The kind by the first bytes; none for anything else.
    pub fn of_content(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"%PDF-") {
            return Some(Self::Pdf);
        }
        match image::guess_format(bytes) {
            Ok(image::ImageFormat::Jpeg) => Some(Self::Jpeg),
            Ok(image::ImageFormat::Png) => Some(Self::Png),
            _ => None,
        }
    }
}

/// What a client said about a file before sending it.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Where it is sent to.
    pub key: String,
    /// Media type.
    pub content_type: String,
    /// Length in bytes.
    pub size_bytes: i64,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// Until when it may be sent.
    pub expires_at: DateTime<Utc>,
}

/// How to upload the file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Upload {
    /// HTTP method, always `PUT`.
    #[schema(example = "PUT")]
    pub method: String,
    /// Address at the object store.
    pub url: String,
    /// Headers to send exactly as they stand: they are part of the signature. Browsers set `content-length` themselves.
    pub headers: BTreeMap<String, String>,
    /// Until when the address is good.
    pub expires_at: DateTime<Utc>,
}

crate::text_enum! {
    /// Why a file is not what was declared.
    pub enum Fault {
        /// Another length.
        Size = "size_mismatch",
        /// Another SHA-256.
        Checksum = "checksum_mismatch",
        /// The first bytes belong to another kind of file.
        Type = "type_mismatch",
        /// The scanner found something.
        Malware = "malware",
    }
}

/// An upload as it was found.
pub struct Inspected {
    /// The content; empty when the length alone refuses it.
    pub bytes: Vec<u8>,
    /// The first fault, if any.
    pub fault: Option<Fault>,
}

/// The address for the upload, signed afresh; none when its time is over.
///
/// # Errors
/// When it cannot be signed.
pub async fn presign(
    storage: &Storage,
    declared: &Declared,
    now: DateTime<Utc>,
) -> ApiResult<Option<Upload>> {
    let Ok(left) = (declared.expires_at - now).to_std() else { return Ok(None) };
    if left.as_secs() == 0 {
        return Ok(None);
    }
    let size = u64::try_from(declared.size_bytes).map_err(ApiError::internal)?;
    let signed = storage
        .presign_put(&declared.key, &declared.content_type, size, &declared.sha256, left)
        .await
        .map_err(away)?;
    Ok(Some(Upload {
        method: signed.method,
        url: signed.url,
        headers: signed.headers,
        expires_at: signed.expires_at,
    }))
}

/// Reads an upload and compares it with what was declared: length, SHA-256, first bytes, malware.
///
/// # Errors
/// 409 `upload_missing` or `upload_expired` when nothing came; 503 when store or scanner are away.
pub async fn inspect(
    storage: &Storage,
    scanner: &dyn Scanner,
    declared: &Declared,
    now: DateTime<Utc>,
) -> ApiResult<Inspected> {
    if now > declared.expires_at + grace() {
        return Err(ApiError::new(&codes::UPLOAD_EXPIRED));
    }
    let _permit = IN_HAND.acquire().await.map_err(ApiError::internal)?;
    let missing = |error| match error {
        StorageError::NotFound if now > declared.expires_at => ApiError::new(&codes::UPLOAD_EXPIRED),
        StorageError::NotFound => ApiError::new(&codes::UPLOAD_MISSING),
        error => away(error),
    };
    let size = usize::try_from(declared.size_bytes).map_err(ApiError::internal)?;
    let found = storage.head(&declared.key).await.map_err(missing)?;
    let refused = |fault| Inspected { bytes: Vec::new(), fault: Some(fault) };
    if found.size_bytes != size as u64 {
        return Ok(refused(Fault::Size));
    }
    let bytes = match storage.get_bytes(&declared.key, size).await {
        Ok(bytes) if bytes.len() == size => bytes,
        // Replaced between the two questions.
        Ok(_) | Err(StorageError::Refused(_)) => return Ok(refused(Fault::Size)),
        Err(error) => return Err(missing(error)),
    };
    let (bytes, digest) = tokio::task::spawn_blocking(move || {
        let digest = hex::encode(Sha256::digest(&bytes));
        (bytes, digest)
    })
    .await
    .map_err(ApiError::internal)?;
    let fault = if digest != declared.sha256 {
        Some(Fault::Checksum)
    } else {
        match scanner.scan(&bytes).await {
            Ok(Verdict::Clean) => {
                let is_as_declared =
                    FileType::of_content(&bytes).is_some_and(|kind| kind.as_str() == declared.content_type);
                (!is_as_declared).then_some(Fault::Type)
            }
            Ok(Verdict::Infected(name)) => {
                tracing::warn!(key = declared.key, malware = name, "an upload is infected");
                Some(Fault::Malware)
            }
            Err(error) => {
                tracing::error!(%error, "an upload could not be scanned");
                return Err(ApiError::new(&codes::UNAVAILABLE));
            }
        }
    };
    Ok(Inspected { bytes, fault })
}

/// Stores verified content under its final key. The bytes that were looked at are sent, not the upload copied: between look
/// and copy a holder of the upload address could replace it in a store that does not enforce the signed checksum.
///
/// # Errors
/// 503 when the store is away.
pub async fn keep(storage: &Storage, key: &str, bytes: Vec<u8>, content_type: &str) -> ApiResult<()> {
    storage.put_bytes(key, bytes, content_type).await.map_err(away)
}

/// A fault of the store, for API callers.
pub fn away(error: StorageError) -> ApiError {
    tracing::error!(%error, "the object store failed");
    match error {
        StorageError::Unavailable(_) => ApiError::new(&codes::UNAVAILABLE),
        StorageError::NotFound | StorageError::Refused(_) => ApiError::new(&codes::INTERNAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_say_what_a_file_is() {
        assert_eq!(FileType::of_content(b"%PDF-1.7\n"), Some(FileType::Pdf));
        assert_eq!(FileType::of_content(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 16]), Some(FileType::Jpeg));
        assert_eq!(FileType::of_content(b"\x89PNG\r\n\x1a\n"), Some(FileType::Png));
        assert_eq!(FileType::of_content(b"GIF89a"), None);
        assert_eq!(FileType::of_content(b"<html>"), None);
        assert_eq!(FileType::of_content(b""), None);
    }

    #[test]
    fn keys_carry_the_year_and_an_id_only() {
        let at = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let id = Uuid::nil();
        assert_eq!(key(at, id), format!("uploads/2026/{id}"));
    }
}
