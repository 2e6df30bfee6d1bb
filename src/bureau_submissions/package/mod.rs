//! The package that goes to the bureau: a zip with the data as XML and JSON, the materials, the photo and a manifest with the
//! SHA-256 of each entry. The same submission gives the same bytes.
//!
//! ```text
//! manifest.json   data.json   data.xml   materials/01-<code>.<ext> …   photo.<ext>
//! ```

mod content;
mod xml;

use std::io::{Cursor, Write};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;

use super::model::{self, Submission};
use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::external::bureau::{Package, PackageFile};
use crate::external::storage::{Storage, StorageError};
use crate::filings::{self, Filing, diff};
use crate::kernel::ids::SubmissionId;
use crate::kernel::pii::Clear;
use crate::photo_verifications::PhotoState;
use crate::schema::{
    attachments, filing_revision_attachments, filing_revisions, photo_verifications, subjects, websites,
};
use crate::websites::content::WebsiteContent;
use crate::websites::subject::Subject;

/// Largest package that the ministry's interface takes, in bytes.
const MAX_BYTES: usize = 50 * 1024 * 1024;
/// Largest file that the API takes; larger ones cannot be in the store.
const MAX_FILE_BYTES: usize = 10 * 1024 * 1024;

/// A file of the package, still in the store.
struct StoredFile {
    name: String,
    key: String,
    content_type: String,
}

/// Everything that the package is made of, read in one go.
struct Source {
    submission: Submission,
    order_no: String,
    icp_number: String,
    website_name: String,
    remark: String,
    revision_no: i32,
    document: Clear,
    files: Vec<StoredFile>,
}

/// Makes the package of a submission. Reads the store outside any transaction.
///
/// # Errors
/// 404, 409 `package_too_large`, 503 when database or store are away.
pub async fn build(app: &App, id: SubmissionId) -> ApiResult<Package> {
    let source = app.db.run(move |conn| read(conn, id)).await?;
    let mut files = Vec::new();
    let mut total = 0;
    for file in &source.files {
        let bytes = fetch(&app.storage, &file.key).await?;
        total += bytes.len();
        if total > MAX_BYTES {
            return Err(ApiError::new(&codes::PACKAGE_TOO_LARGE));
        }
        files.push((file.name.clone(), bytes));
    }
    // Compressing and hashing megabytes would hold up every other request of this thread.
    tokio::task::spawn_blocking(move || pack(source, files)).await.map_err(ApiError::internal)?
}

async fn fetch(storage: &Storage, key: &str) -> ApiResult<Vec<u8>> {
    storage.get_bytes(key, MAX_FILE_BYTES).await.map_err(storage_error)
}

/// The store's refusal as the API tells it.
pub fn storage_error(error: StorageError) -> ApiError {
    match error {
        StorageError::Unavailable(reason) => {
            tracing::error!(reason, "the store is not available");
            ApiError::new(&codes::UNAVAILABLE)
        }
        other => ApiError::internal(other),
    }
}

fn read(conn: &mut PgConnection, id: SubmissionId) -> ApiResult<Source> {
    let submission = model::find(conn, id)?;
    let filing = filings::model::find(conn, submission.filing_id)?;
    let (revision_no, content_id, submitted_at, person_hash): (
        i32,
        crate::kernel::ids::ContentId,
        DateTime<Utc>,
        Vec<u8>,
    ) = filing_revisions::table
        .find(submission.revision_id)
        .select((
            filing_revisions::revision_no,
            filing_revisions::content_id,
            filing_revisions::submitted_at,
            filing_revisions::person_hash,
        ))
        .first(conn)?;
    let content = crate::websites::model::load(conn, content_id.0)?;
    let base = crate::websites::model::load(conn, filing.base_content_id.0)?;
    let subject: Subject =
        subjects::table.find(filing.subject_id).select(Subject::as_select()).first(conn)?;
    let (icp_number, service_kind, access): (String, String, Value) = websites::table
        .find(filing.website_id)
        .select((websites::icp_number, websites::service_kind, websites::access))
        .first(conn)?;
    let files = files(conn, &submission, &filing, &person_hash)?;
    let changed: Vec<&str> =
        diff::changed_fields(&base, &content).iter().map(|field| field.pointer).collect();
    let listed: Vec<Value> =
        files.iter().map(|file| json!({ "name": file.name, "content_type": file.content_type })).collect();
    let document = Clear::from_value(json!({
        "format": "beian-change/1",
        "order_no": filing.order_no,
        "kind": filing.kind,
        "bureau_code": submission.bureau_code,
        "submission_id": submission.id,
        "revision_no": revision_no,
        "submitted_at": submitted_at,
        "website": {
            "icp_number": icp_number,
            "service_kind": service_kind,
            "access": access,
            "content": content::website(&content),
        },
        "changed_fields": changed,
        "subject": content::subject(&subject),
        "files": listed,
    }));
    let WebsiteContent { name, remark, .. } = content;
    Ok(Source {
        order_no: filing.order_no,
        icp_number,
        website_name: name.unwrap_or_default(),
        remark: remark.unwrap_or_default(),
        submission,
        revision_no,
        document,
        files,
    })
}

/// The revision's materials, and the photo that passed for its person. Its age does not matter here: `act` has looked at it
/// when the filing was queued, and a resend does not look again.
fn files(
    conn: &mut PgConnection,
    submission: &Submission,
    filing: &Filing,
    person_hash: &[u8],
) -> QueryResult<Vec<StoredFile>> {
    let materials: Vec<(String, String, Option<String>)> = filing_revision_attachments::table
        .inner_join(attachments::table)
        .filter(filing_revision_attachments::revision_id.eq(submission.revision_id))
        .order((attachments::purpose, attachments::created_at, attachments::id))
        .select((attachments::purpose, attachments::content_type, attachments::object_key))
        .load(conn)?;
    let mut files: Vec<StoredFile> = materials
        .into_iter()
        .filter_map(|(purpose, content_type, key)| Some((purpose, content_type, key?)))
        .enumerate()
        .map(|(at, (purpose, content_type, key))| StoredFile {
            name: format!("materials/{:02}-{purpose}.{}", at + 1, extension(&content_type)),
            key,
            content_type,
        })
        .collect();
    let photo: Option<(String, Option<String>)> = photo_verifications::table
        .filter(photo_verifications::filing_id.eq(filing.id))
        .filter(photo_verifications::state.eq(PhotoState::Passed))
        .filter(photo_verifications::person_hash.eq(person_hash))
        .order(photo_verifications::attempt_no.desc())
        .select((photo_verifications::content_type, photo_verifications::object_key))
        .first(conn)
        .optional()?;
    if let Some((content_type, Some(key))) = photo {
        files.push(StoredFile { name: format!("photo.{}", extension(&content_type)), key, content_type });
    }
    Ok(files)
}

fn extension(content_type: &str) -> &'static str {
    match content_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "application/pdf" => "pdf",
        _ => "bin",
    }
}

fn pack(source: Source, files: Vec<(String, Vec<u8>)>) -> ApiResult<Package> {
    let document = source.document.expose();
    let mut entries = vec![
        ("data.json".to_owned(), serde_json::to_vec_pretty(document).map_err(ApiError::internal)?),
        ("data.xml".to_owned(), xml::write("filing", document).map_err(ApiError::internal)?),
    ];
    let kept: Vec<PackageFile> = source
        .files
        .iter()
        .zip(&files)
        .map(|(file, (name, bytes))| PackageFile {
            name: name.clone(),
            content_type: file.content_type.clone(),
            bytes: bytes.clone(),
        })
        .collect();
    entries.extend(files);
    let listed: Vec<Value> = entries
        .iter()
        .map(|(name, bytes)| json!({ "name": name, "size_bytes": bytes.len(), "sha256": sha256(bytes) }))
        .collect();
    let manifest = json!({
        "format": "beian-package/1",
        "order_no": source.order_no,
        "bureau_code": source.submission.bureau_code,
        "submission_id": source.submission.id,
        "revision_no": source.revision_no,
        "entries": listed,
    });
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(ApiError::internal)?;
    entries.insert(0, ("manifest.json".to_owned(), manifest));
    let zip = zip(&entries).map_err(ApiError::internal)?;
    if zip.len() > MAX_BYTES {
        return Err(ApiError::new(&codes::PACKAGE_TOO_LARGE));
    }
    Ok(Package {
        submission_id: source.submission.id.0,
        order_no: source.order_no,
        icp_number: source.icp_number,
        bureau_code: source.submission.bureau_code,
        attempt_no: source.submission.attempt_no,
        website_name: source.website_name,
        remark: source.remark,
        sha256: sha256(&zip),
        zip,
        document: source.document,
        files: kept,
        data_sequence: source.submission.data_sequence,
    })
}

fn zip(entries: &[(String, Vec<u8>)]) -> anyhow::Result<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // A fixed time, so that the same content gives the same bytes and the same SHA-256.
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    for (name, bytes) in entries {
        writer.start_file(name.as_str(), options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
