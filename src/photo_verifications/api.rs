//! Handlers: declare, list, read, download.

use actix_web::{get, post, web};
use chrono::{DateTime, Utc};
use diesel::{OptionalExtension, PgConnection, QueryResult};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::PhotoState;
use super::body::{NewPhotoVerification, PhotoVerificationBody, PhotoVerificationPage};
use super::model::{self, PhotoRow};
use crate::app::App;
use crate::attachments::{self, FileDownload};
use crate::audit::{self, Actor, Deed};
use crate::auth::permissions::op;
use crate::auth::{Allowed, Caller};
use crate::error::{ApiError, ApiResult, violated_constraint};
use crate::error_codes as codes;
use crate::external::{storage::DOWNLOAD_URL_MAX, uploads};
use crate::filings::{self, Action, Ctx, Filing, Side};
use crate::kernel::etag::etag;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{FilingId, PhotoVerificationId};
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;

/// Declare a photo and get its upload address
///
/// The owner, in `photo_required` and `photo_rejected`. Send the file to `upload`, then call `submitPhotoVerification`. An
/// earlier attempt that still waits for its file is cancelled; while one is checked or reviewed there is no other. The
/// photo belongs to the responsible person of the last revision.
///
/// Swagger UI cannot send the file. The example declares [photo.jpg](/docs/files/photo.jpg) (its size, its SHA-256): save it,
/// execute the example, set `UPLOAD_URL='…'` to `upload.url` of the reply, run this where the file is, then execute
/// `submitPhotoVerification` with the reply's `id`:
///
/// ```sh
/// curl -fsS -X PUT -H 'content-type: image/jpeg' \
///   -H 'x-amz-checksum-sha256: 1qIbcQuCojB4Wql1Tr/zWubMS374U20eGeEGup6kvvo=' \
///   --data-binary @photo.jpg "$UPLOAD_URL"
/// ```
#[utoipa::path(operation_id = "createPhotoVerification", tag = "photo verifications",
    params(
        ("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015004"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat harmless for 24 hours.", nullable = false),
    ),
    request_body = NewPhotoVerification,
    responses(
        (status = 201, description = "Declared; `upload` says where to send the file.", body = PhotoVerificationBody),
        (status = 409, description = "`invalid_transition`, `live_attempt_exists`"),
    ))]
#[post("/v1/filings/{id}/photo-verifications")]
pub async fn create_photo_verification(
    app: web::Data<App>,
    caller: Allowed<op::CreatePhotoVerification>,
    id: Path<FilingId>,
    idem: Idempotency,
    body: Json<NewPhotoVerification>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, filing_id, body) = (caller.caller.clone(), id.0, body.0);
    let (asker, who) = (caller.clone(), caller.user_id.to_string());
    let reply = idem
        .run(
            &app.db,
            now,
            &who,
            move |conn| filings::owned(conn, &asker, filing_id).map(drop),
            move |conn| {
                let filing = lock_for_upload(conn, &caller, now, filing_id)?;
                if let Some(earlier) = model::awaiting(conn, filing_id)? {
                    model::end(conn, now, earlier, PhotoState::Cancelled)?;
                }
                let row = declare(conn, &caller, now, &filing, body)?;
                let filing = filings::touch(conn, now, filing_id)?;
                filings::model::add_participant(conn, filing_id, caller.user_id)?;
                record(conn, now, &caller, "photo.declared", &row)?;
                let shown = PhotoVerificationBody::for_owner(&row, caller.locale, filing.status);
                Ok(Reply::created(format!("/v1/photo-verifications/{}", row.id), &shown)?
                    .etag(tag(&row, &filing, &caller)))
            },
        )
        .await?;
    with_upload(&app, reply).await
}

fn declare(
    conn: &mut PgConnection,
    caller: &Caller,
    now: DateTime<Utc>,
    filing: &Filing,
    body: NewPhotoVerification,
) -> ApiResult<PhotoRow> {
    let id = PhotoVerificationId::new();
    let row = PhotoRow {
        id,
        filing_id: filing.id,
        account_id: filing.account_id,
        attempt_no: model::next_attempt_no(conn, filing.id)?,
        state: PhotoState::AwaitingUpload,
        file_name: body.file_name,
        content_type: body.content_type.as_str().to_owned(),
        size_bytes: body.size_bytes,
        sha256: body.sha256,
        upload_key: uploads::key(now, id.0),
        upload_expires_at: now + uploads::lifetime(),
        object_key: None,
        person_hash: filings::model::last_revision(conn, filing.id)?.person_hash,
        findings: json!([]),
        created_by: caller.user_id,
        created_at: now,
        submitted_at: None,
        checked_at: None,
        decided_at: None,
        version: 1,
        original_key: None,
        original_deleted_at: None,
        preview_key: None,
    };
    model::insert(conn, &row).map_err(|error| match violated_constraint(&error) {
        Some("photo_verifications_live_key") => ApiError::new(&codes::LIVE_ATTEMPT_EXISTS),
        _ => error.into(),
    })?;
    Ok(row)
}

/// Adds the upload address, which is never stored with the reply of an idempotency key.
async fn with_upload(app: &App, reply: Reply) -> ApiResult<Reply> {
    let id = reply
        .json()
        .and_then(|body| body["id"].as_str().and_then(|id| id.parse::<PhotoVerificationId>().ok()));
    let Some(id) = id else { return Err(ApiError::internal("a declared photo without an id")) };
    // On a replay it may have been submitted or cancelled meanwhile.
    let row = app.db.run(move |conn| Ok(model::find(conn, id).optional()?)).await?;
    let Some(row) = row.filter(|row| row.state == PhotoState::AwaitingUpload) else { return Ok(reply) };
    let upload = uploads::presign(&app.storage, &row.declared(), app.clock.now()).await?;
    reply.edit(|body| body["upload"] = json!(upload))
}

/// Paging of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PhotoPaging {
    /// Rows of a page, 1 to 100; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100, nullable = false)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// List the photo attempts of a filing
///
/// The owner and reviewers. Cancelled and void attempts are part of it.
#[utoipa::path(operation_id = "listPhotoVerifications", tag = "photo verifications",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015004"), PhotoPaging),
    responses((status = 200, description = "One page, the newest first.", body = PhotoVerificationPage)))]
#[get("/v1/filings/{id}/photo-verifications")]
pub async fn list_photo_verifications(
    app: web::Data<App>,
    caller: Allowed<op::ListPhotoVerifications>,
    id: Path<FilingId>,
    paging: Query<PhotoPaging>,
) -> ApiResult<Reply> {
    let (caller, filing_id, paging) = (caller.caller.clone(), id.0, paging.0);
    let binding = format!("photo-verifications/{filing_id}");
    let after = page::decode(paging.cursor.as_deref(), &binding)?;
    let asker = caller.clone();
    let (filing, rows) = app
        .db
        .run(move |conn| {
            let filing = filings::visible(conn, &asker, filing_id)?;
            Ok((filing, model::page(conn, filing_id, after, paging.limit)?))
        })
        .await?;
    let page = Page::cut(rows, paging.limit, &binding, |row| Position { at: row.created_at, id: row.id.0 });
    let page = page.map(|row| show(&row, &filing, &caller));
    Reply::ok(&PhotoVerificationPage {
        items: page.items,
        next_cursor: page.next_cursor,
        has_more: page.has_more,
    })
}

/// Read a photo attempt
///
/// The owner and reviewers. `findings` says what the check found, with its numbers and limits. In the state `rejected` the
/// reviewer's reasons are not here: they stand in `rejection` of the filing (`getFiling`), until it is submitted again.
#[utoipa::path(operation_id = "getPhotoVerification", tag = "photo verifications",
    params(("id" = PhotoVerificationId, Path, description = "The attempt.", example = "0193a000-0000-7000-8000-000000018001")),
    responses((status = 200, description = "The attempt.", body = PhotoVerificationBody)))]
#[get("/v1/photo-verifications/{id}")]
pub async fn get_photo_verification(
    app: web::Data<App>,
    caller: Allowed<op::GetPhotoVerification>,
    id: Path<PhotoVerificationId>,
) -> ApiResult<Reply> {
    let (caller, id) = (caller.caller.clone(), id.0);
    let asker = caller.clone();
    let (row, filing) = app
        .db
        .run(move |conn| {
            let row = model::find(conn, id)?;
            let filing = filings::visible(conn, &asker, row.filing_id)?;
            Ok((row, filing))
        })
        .await?;
    Ok(Reply::ok(&show(&row, &filing, &caller))?.etag(tag(&row, &filing, &caller)))
}

/// Get an address to download a photo
///
/// The owner; reviewers who hold or have held a task of the filing. The address is good for five minutes. Every such read
/// by staff is written to the audit trail. The picture is the one that was handed in, without the place where it was taken,
/// serial numbers and names in its metadata.
#[utoipa::path(operation_id = "createPhotoDownload", tag = "photo verifications",
    params(("id" = PhotoVerificationId, Path, description = "The attempt.", example = "0193a000-0000-7000-8000-000000018001")),
    responses(
        (status = 200, description = "The address.", body = FileDownload),
        (status = 409, description = "`upload_missing`: it was never submitted, or cannot be opened."),
    ))]
#[post("/v1/photo-verifications/{id}/download-url")]
pub async fn create_photo_download(
    app: web::Data<App>,
    caller: Allowed<op::CreatePhotoDownload>,
    id: Path<PhotoVerificationId>,
) -> ApiResult<Reply> {
    let (row, key) = open(&app, &caller, id.0, "photo.opened", |row| row.object_key.clone()).await?;
    download(&app, &key, &row.file_name, &row.content_type).await
}

/// Get an address to see what the check saw
///
/// The owner; reviewers who hold or have held a task of the filing. A JPEG of at most 1280 pixels: face, thirds of the
/// picture, what was taken for the backdrop, and where the clothes' colour was looked at. The address is good for five
/// minutes. Every such read by staff is written to the audit trail. `has_preview` of the attempt says whether there is one.
#[utoipa::path(operation_id = "createPhotoPreview", tag = "photo verifications",
    params(("id" = PhotoVerificationId, Path, description = "The attempt.", example = "0193a000-0000-7000-8000-000000018001")),
    responses(
        (status = 200, description = "The address.", body = FileDownload),
        (status = 409, description = "`upload_missing`: it was not checked yet, or cannot be opened."),
    ))]
#[post("/v1/photo-verifications/{id}/preview-url")]
pub async fn create_photo_preview(
    app: web::Data<App>,
    caller: Allowed<op::CreatePhotoPreview>,
    id: Path<PhotoVerificationId>,
) -> ApiResult<Reply> {
    let (row, key) = open(&app, &caller, id.0, "photo.preview_opened", |row| row.preview_key.clone()).await?;
    let name = format!("preview-{}.jpg", row.attempt_no);
    download(&app, &key, &name, "image/jpeg").await
}

/// An attempt whose files this caller may open, and the key of one of them. Staff leave a trace.
async fn open(
    app: &App,
    caller: &Caller,
    id: PhotoVerificationId,
    deed: &'static str,
    key: impl FnOnce(&PhotoRow) -> Option<String> + Send + 'static,
) -> ApiResult<(PhotoRow, String)> {
    let (now, caller) = (app.clock.now(), caller.clone());
    app.db
        .transaction(move |conn| {
            let row = model::find(conn, id)?;
            let filing = filings::visible(conn, &caller, row.filing_id)?;
            attachments::ensure_may_open(conn, &caller, &filing)?;
            let key = key(&row).ok_or_else(|| ApiError::new(&codes::UPLOAD_MISSING))?;
            if !caller.is_owner_side() {
                record(conn, now, &caller, deed, &row)?;
            }
            Ok((row, key))
        })
        .await
}

async fn download(app: &App, key: &str, file_name: &str, content_type: &str) -> ApiResult<Reply> {
    let url = app.storage.presign_get(key, file_name, content_type, DOWNLOAD_URL_MAX).await;
    let url = url.map_err(uploads::away)?;
    Reply::ok(&FileDownload { url, expires_at: app.clock.now() + DOWNLOAD_URL_MAX })
}

/// The attempt as this caller sees it.
pub(super) fn show(row: &PhotoRow, filing: &Filing, caller: &Caller) -> PhotoVerificationBody {
    if caller.owns(filing.account_id, filing.partner_id) {
        PhotoVerificationBody::for_owner(row, caller.locale, filing.status)
    } else {
        PhotoVerificationBody::of(row, caller.locale)
    }
}

/// The next actions depend on the filing too, so its version is part of the tag: the sum rises with either.
pub(super) fn tag(row: &PhotoRow, filing: &Filing, caller: &Caller) -> String {
    etag(row.version + filing.version, caller.view(), caller.locale)
}

/// Locks a filing of the caller's that waits for a photo.
pub(super) fn lock_for_upload(
    conn: &mut PgConnection,
    caller: &Caller,
    now: DateTime<Utc>,
    id: FilingId,
) -> ApiResult<Filing> {
    let filing = filings::lock(conn, id)?;
    filings::ensure_allowed(
        conn,
        &Ctx::new(now, Actor::from(caller), Side::Owner),
        &filing,
        Action::UploadPhoto,
    )?;
    Ok(filing)
}

/// Writes the audit row of a deed on an attempt.
pub(super) fn record(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    action: &'static str,
    row: &PhotoRow,
) -> QueryResult<()> {
    let deed = Deed::new(action, "photo_verification", row.id.0)
        .account(row.account_id)
        .filing(row.filing_id)
        .details(json!({ "attempt_no": row.attempt_no, "state": row.state }));
    audit::record(conn, now, &Actor::from(caller), deed)
}
