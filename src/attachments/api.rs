//! Handlers: declare, list, read, download.

use std::time::Duration;

use actix_web::{get, post, web};
use diesel::PgConnection;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::AttachmentState;
use super::model::{self, AttachmentRow};
use super::view::{Attachment, AttachmentPage, FileDownload, NewAttachment};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::permissions::op;
use crate::auth::{Allowed, Caller};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::external::{storage::DOWNLOAD_URL_MAX, uploads};
use crate::filings::{self, Action, Ctx, Filing, Side};
use crate::kernel::etag::etag;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{AttachmentId, FilingId};
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;

/// How long a download address is good for; domain: at most five minutes.
pub(super) const DOWNLOAD_LIFETIME: Duration = DOWNLOAD_URL_MAX;

/// Declare a material and get its upload address
///
/// The owner, while the filing can be edited. Send the file to `upload` with exactly its method and headers, then call
/// `completeAttachment`; nothing counts before. The address is good for 15 minutes and for this length, type and checksum
/// only; a repeat with the same Idempotency-Key signs it afresh. A purpose takes 20 files, a filing 50.
///
/// Swagger UI cannot send the file. The example declares [identity-card-front.jpg](/docs/files/identity-card-front.jpg) (its size, its SHA-256): save it,
/// execute the example, set `UPLOAD_URL='…'` to `upload.url` of the reply, run this where the file is, then execute
/// `completeAttachment` with the reply's `id`:
///
/// ```sh
/// curl -fsS -X PUT -H 'content-type: image/jpeg' \
///   -H 'x-amz-checksum-sha256: p0NEPZDOmDVDUe0CYjiJ9dB8WPjAueHJW78a4IRS6b8=' \
///   --data-binary @identity-card-front.jpg "$UPLOAD_URL"
/// ```
#[utoipa::path(operation_id = "createAttachment", tag = "attachments",
    params(
        ("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat harmless for 24 hours.", nullable = false),
    ),
    request_body = NewAttachment,
    responses(
        (status = 201, description = "Declared; `upload` says where to send the file.", body = Attachment),
        (status = 409, description = "`invalid_transition`, `too_many_attachments`"),
    ))]
#[post("/v1/filings/{id}/attachments")]
pub async fn create_attachment(
    app: web::Data<App>,
    caller: Allowed<op::CreateAttachment>,
    id: Path<FilingId>,
    idem: Idempotency,
    body: Json<NewAttachment>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, filing_id, body) = (caller.caller.clone(), id.0, body.0);
    body.check()?;
    let asker = caller.clone();
    let who = caller.user_id.to_string();
    let reply = idem
        .run(
            &app.db,
            now,
            &who,
            move |conn| filings::owned(conn, &asker, filing_id).map(drop),
            move |conn| {
                let filing = lock_for_edit(conn, &caller, now, filing_id)?;
                let (same, all) = model::live_counts(conn, filing_id, &body.purpose, now)?;
                if same >= model::MAX_PER_PURPOSE || all >= model::MAX_PER_FILING {
                    return Err(ApiError::new(&codes::TOO_MANY_ATTACHMENTS));
                }
                let id = AttachmentId::new();
                let row = AttachmentRow {
                    id,
                    filing_id,
                    account_id: filing.account_id,
                    purpose: body.purpose,
                    state: AttachmentState::Pending,
                    refused_code: None,
                    file_name: body.file_name,
                    content_type: body.content_type.as_str().to_owned(),
                    size_bytes: body.size_bytes,
                    sha256: body.sha256,
                    upload_key: uploads::key(now, id.0),
                    upload_expires_at: now + uploads::lifetime(),
                    object_key: None,
                    created_by: caller.user_id,
                    created_at: now,
                    completed_at: None,
                    version: 1,
                };
                model::insert(conn, &row)?;
                filings::touch(conn, now, filing_id)?;
                filings::model::add_participant(conn, filing_id, caller.user_id)?;
                record(conn, now, &caller, "attachment.created", &row)?;
                Ok(Reply::created(format!("/v1/attachments/{id}"), &Attachment::of(&row, caller.locale))?
                    .etag(etag(row.version, caller.view(), caller.locale)))
            },
        )
        .await?;
    with_upload(&app, reply).await
}

/// Adds the upload address, which is never stored with the reply of an idempotency key.
async fn with_upload(app: &App, reply: Reply) -> ApiResult<Reply> {
    let id = reply.json().and_then(|body| body["id"].as_str().and_then(|id| id.parse::<AttachmentId>().ok()));
    let Some(id) = id else { return Err(ApiError::internal("a created attachment without an id")) };
    // On a replay it may have been completed or deleted meanwhile.
    let row = app.db.run(move |conn| Ok(diesel::OptionalExtension::optional(model::find(conn, id))?)).await?;
    let Some(row) = row.filter(AttachmentRow::is_waiting) else { return Ok(reply) };
    let upload = uploads::presign(&app.storage, &row.declared(), app.clock.now()).await?;
    reply.edit(|body| body["upload"] = json!(upload))
}

/// Filter of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AttachmentFilter {
    /// Only this purpose.
    #[param(nullable = false)]
    purpose: Option<String>,
    /// Rows of a page, 1 to 100; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100, nullable = false)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// List the materials of a filing
///
/// The owner; reviewers who hold or have held a task of the filing; bureau operators once it was queued for the bureau.
/// Deleted and expired ones are left out, refused ones show why.
#[utoipa::path(operation_id = "listAttachments", tag = "attachments",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001"), AttachmentFilter),
    responses((status = 200, description = "One page, oldest first.", body = AttachmentPage)))]
#[get("/v1/filings/{id}/attachments")]
pub async fn list_attachments(
    app: web::Data<App>,
    caller: Allowed<op::ListAttachments>,
    id: Path<FilingId>,
    filter: Query<AttachmentFilter>,
) -> ApiResult<Reply> {
    let (caller, filing_id, filter) = (caller.caller.clone(), id.0, filter.0);
    let locale = caller.locale;
    let binding =
        format!("attachments/{filing_id}?purpose={}", filter.purpose.as_deref().unwrap_or_default());
    let after = page::decode(filter.cursor.as_deref(), &binding)?;
    let rows = app
        .db
        .run(move |conn| {
            let filing = filings::visible(conn, &caller, filing_id)?;
            ensure_may_open(conn, &caller, &filing)?;
            Ok(model::page(conn, filing_id, filter.purpose.as_deref(), after, filter.limit)?)
        })
        .await?;
    let page = Page::cut(rows, filter.limit, &binding, |row| Position { at: row.created_at, id: row.id.0 });
    let page = page.map(|row| Attachment::of(&row, locale));
    Reply::ok(&AttachmentPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more })
}

/// Read a material
///
/// Who may list them. One that was deleted can be read as long as a submitted revision contains it.
#[utoipa::path(operation_id = "getAttachment", tag = "attachments",
    params(("id" = AttachmentId, Path, description = "The attachment.", example = "0193a000-0000-7000-8000-000000016001")),
    responses((status = 200, description = "The attachment.", body = Attachment)))]
#[get("/v1/attachments/{id}")]
pub async fn get_attachment(
    app: web::Data<App>,
    caller: Allowed<op::GetAttachment>,
    id: Path<AttachmentId>,
) -> ApiResult<Reply> {
    let (caller, id) = (caller.caller.clone(), id.0);
    let (view, locale) = (caller.view(), caller.locale);
    let (row, _) = app.db.run(move |conn| readable(conn, &caller, id)).await?;
    Ok(Reply::ok(&Attachment::of(&row, locale))?.etag(etag(row.version, view, locale)))
}

/// Get an address to download a material
///
/// Who may list them. The address is good for five minutes and saves the file under its name. Every such read by staff
/// is written to the audit trail.
#[utoipa::path(operation_id = "createAttachmentDownload", tag = "attachments",
    params(("id" = AttachmentId, Path, description = "The attachment.", example = "0193a000-0000-7000-8000-000000016001")),
    responses(
        (status = 200, description = "The address.", body = FileDownload),
        (status = 409, description = "`upload_missing`: it was never completed, or was refused."),
    ))]
#[post("/v1/attachments/{id}/download-url")]
pub async fn create_attachment_download(
    app: web::Data<App>,
    caller: Allowed<op::CreateAttachmentDownload>,
    id: Path<AttachmentId>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, id) = (caller.caller.clone(), id.0);
    let (row, key) = app
        .db
        .transaction(move |conn| {
            let (row, _) = readable(conn, &caller, id)?;
            let key = row.object_key.clone().ok_or_else(|| ApiError::new(&codes::UPLOAD_MISSING))?;
            if !caller.is_owner_side() {
                record(conn, now, &caller, "attachment.opened", &row)?;
            }
            Ok((row, key))
        })
        .await?;
    let url = app
        .storage
        .presign_get(&key, &row.file_name, &row.content_type, DOWNLOAD_LIFETIME)
        .await
        .map_err(uploads::away)?;
    Reply::ok(&FileDownload { url, expires_at: now + DOWNLOAD_LIFETIME })
}

/// An attachment whose filing the caller sees and whose files they may open.
fn readable(
    conn: &mut PgConnection,
    caller: &Caller,
    id: AttachmentId,
) -> ApiResult<(AttachmentRow, Filing)> {
    let row = model::find(conn, id)?;
    let filing = filings::visible(conn, caller, row.filing_id)?;
    ensure_may_open(conn, caller, &filing)?;
    Ok((row, filing))
}

/// Refuses staff who see a filing but have no task that needs its files.
///
/// # Errors
/// 403 `forbidden`.
pub fn ensure_may_open(conn: &mut PgConnection, caller: &Caller, filing: &Filing) -> ApiResult<()> {
    if filings::may_open_files(conn, caller, filing)? {
        return Ok(());
    }
    Err(ApiError::new(&codes::FORBIDDEN).detail(
        "请先领取该订单的审核任务，再查看文件。",
        "Claim a review task of this filing before you open its files.",
    ))
}

/// Locks a filing of the caller's that can be edited.
pub(super) fn lock_for_edit(
    conn: &mut PgConnection,
    caller: &Caller,
    now: chrono::DateTime<chrono::Utc>,
    id: FilingId,
) -> ApiResult<Filing> {
    let filing = filings::lock(conn, id)?;
    filings::ensure_allowed(conn, &Ctx::new(now, Actor::from(caller), Side::Owner), &filing, Action::Edit)?;
    Ok(filing)
}

/// Writes the audit row of a deed on an attachment.
pub(super) fn record(
    conn: &mut PgConnection,
    now: chrono::DateTime<chrono::Utc>,
    caller: &Caller,
    action: &'static str,
    row: &AttachmentRow,
) -> diesel::QueryResult<()> {
    let deed = Deed::new(action, "attachment", row.id.0)
        .account(row.account_id)
        .filing(row.filing_id)
        .details(json!({ "purpose": row.purpose, "state": row.state }));
    audit::record(conn, now, &Actor::from(caller), deed)
}
