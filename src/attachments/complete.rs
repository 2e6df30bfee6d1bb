//! Handlers: complete an upload, delete a material.

use actix_web::{delete, post, web};

use super::api::{lock_for_edit, record};
use super::model;
use super::view::{Attachment, has_room_for_one};
use super::{AttachmentRow, AttachmentState};
use crate::app::App;
use crate::audit::Actor;
use crate::auth::permissions::op;
use crate::auth::{Allowed, Caller};
use crate::error::{ApiError, ApiResult, members};
use crate::error_codes as codes;
use crate::external::scanner;
use crate::external::uploads::{self, Fault};
use crate::filings::{self, Action, Ctx, Side};
use crate::kernel::etag::{IfMatch, ensure_version, etag};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::AttachmentId;
use crate::kernel::json::Path;
use crate::kernel::reply::Reply;

/// Tell that the file was uploaded
///
/// The owner, while the filing can be edited. The file is read again: length, checksum, first bytes, and malware where a
/// scanner is configured. The reply says `ready`, and then it counts, or `refused` with the reason. A material with room
/// for one file replaces the one before. Completing it again changes nothing.
///
/// As `demo-partner`: `id` is that of the reply of `createAttachment`.
#[utoipa::path(operation_id = "completeAttachment", tag = "attachments",
    params(
        ("id" = AttachmentId, Path, description = "The attachment.", example = "0193a000-0000-7000-8000-000000016002"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat harmless for 24 hours.", nullable = false),
    ),
    responses(
        (status = 200, description = "The attachment, `ready` or `refused`.", body = Attachment),
        (status = 409, description = "`upload_missing`, `upload_expired`, `invalid_transition`"),
    ))]
#[post("/v1/attachments/{id}/complete")]
pub async fn complete_attachment(
    app: web::Data<App>,
    caller: Allowed<op::CompleteAttachment>,
    id: Path<AttachmentId>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, id) = (caller.caller.clone(), id.0);
    let asker = caller.clone();
    let before = app.db.run(move |conn| before(conn, &asker, now, id)).await?;
    // The network first, the transaction last: a lock is never held while a store answers.
    let fault = if before.is_waiting() { Some(bring_in(&app, &before).await?) } else { None };
    let (asker, who) = (caller.clone(), caller.user_id.to_string());
    let is_kept = matches!(fault, Some(None));
    let fault = fault.flatten();
    let reply = idem
        .run(
            &app.db,
            now,
            &who,
            move |conn| owned(conn, &asker, id).map(drop),
            move |conn| {
                let row =
                    if before.is_waiting() { conclude(conn, &caller, now, &before, fault)? } else { before };
                Ok(Reply::ok(&Attachment::of(&row, caller.locale))?.etag(etag(
                    row.version,
                    caller.view(),
                    caller.locale,
                )))
            },
        )
        .await;
    if reply.is_err() && is_kept {
        // Deleted or expired while the file was stored: its clean-up may have run before.
        app.db.run(move |conn| Ok(model::clean_later(conn, now, id)?)).await?;
    }
    reply
}

/// The attachment before anything is done, with everything checked that can spare the network.
fn before(
    conn: &mut diesel::PgConnection,
    caller: &Caller,
    now: chrono::DateTime<chrono::Utc>,
    id: AttachmentId,
) -> ApiResult<AttachmentRow> {
    let row = owned(conn, caller, id)?;
    match row.state {
        AttachmentState::Expired => Err(ApiError::new(&codes::UPLOAD_EXPIRED)),
        AttachmentState::Deleted => {
            Err(ApiError::new(&codes::INVALID_TRANSITION).with(&members::CURRENT_STATUS, row.state))
        }
        AttachmentState::Ready | AttachmentState::Refused => Ok(row),
        AttachmentState::Pending | AttachmentState::Scanning => {
            let filing = filings::owned(conn, caller, row.filing_id)?;
            let ctx = Ctx::new(now, Actor::from(caller), Side::Owner);
            filings::ensure_allowed(conn, &ctx, &filing, Action::Edit)?;
            Ok(row)
        }
    }
}

fn owned(conn: &mut diesel::PgConnection, caller: &Caller, id: AttachmentId) -> ApiResult<AttachmentRow> {
    let row = model::find(conn, id)?;
    filings::owned(conn, caller, row.filing_id)?;
    Ok(row)
}

/// Looks at the upload and, when it is good, stores it under its final key.
async fn bring_in(app: &App, row: &AttachmentRow) -> ApiResult<Option<Fault>> {
    let scanner = scanner::of(&app.config);
    let found = uploads::inspect(&app.storage, scanner.as_ref(), &row.declared(), app.clock.now()).await?;
    if found.fault.is_none() {
        uploads::keep(&app.storage, &row.final_key(), found.bytes, &row.content_type).await?;
    }
    Ok(found.fault)
}

/// Records what was found, unless somebody else did meanwhile.
fn conclude(
    conn: &mut diesel::PgConnection,
    caller: &Caller,
    now: chrono::DateTime<chrono::Utc>,
    before: &AttachmentRow,
    fault: Option<Fault>,
) -> ApiResult<AttachmentRow> {
    lock_for_edit(conn, caller, now, before.filing_id)?;
    let row = model::lock(conn, before.id)?;
    match row.state {
        AttachmentState::Pending | AttachmentState::Scanning => {}
        AttachmentState::Ready | AttachmentState::Refused => return Ok(row),
        AttachmentState::Expired => return Err(ApiError::new(&codes::UPLOAD_EXPIRED)),
        AttachmentState::Deleted => return Err(ApiError::not_found()),
    }
    let row = match fault {
        Some(fault) => model::set_refused(conn, now, row.id, fault.as_str())?,
        None => {
            let row = model::set_ready(conn, now, &row)?;
            if has_room_for_one(&row.purpose) {
                let replaced = model::others_ready(conn, &row)?;
                model::retire(conn, now, &replaced, AttachmentState::Deleted)?;
            }
            row
        }
    };
    model::clean_later(conn, now, row.id)?;
    filings::touch(conn, now, row.filing_id)?;
    filings::model::add_participant(conn, row.filing_id, caller.user_id)?;
    record(conn, now, caller, "attachment.completed", &row)?;
    Ok(row)
}

/// Delete a material
///
/// The owner, while the filing can be edited. Revisions that were submitted with it keep it; otherwise the file is
/// removed for good.
#[utoipa::path(operation_id = "deleteAttachment", tag = "attachments",
    params(
        ("id" = AttachmentId, Path, description = "The attachment.", example = "0193a000-0000-7000-8000-000000016002"),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw, if nobody may have changed it since.", nullable = false),
    ),
    responses(
        (status = 204, description = "Deleted."),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[delete("/v1/attachments/{id}")]
pub async fn delete_attachment(
    app: web::Data<App>,
    caller: Allowed<op::DeleteAttachment>,
    id: Path<AttachmentId>,
    if_match: IfMatch,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, id) = (caller.caller.clone(), id.0);
    app.db
        .transaction(move |conn| {
            let filing_id = owned(conn, &caller, id)?.filing_id;
            lock_for_edit(conn, &caller, now, filing_id)?;
            let row = model::lock(conn, id)?;
            ensure_version(if_match.optional(), row.version)?;
            if row.state == AttachmentState::Deleted {
                return Ok(());
            }
            model::retire(conn, now, &[id], AttachmentState::Deleted)?;
            filings::touch(conn, now, filing_id)?;
            filings::model::add_participant(conn, filing_id, caller.user_id)?;
            Ok(record(conn, now, &caller, "attachment.deleted", &row)?)
        })
        .await?;
    Ok(Reply::no_content())
}
