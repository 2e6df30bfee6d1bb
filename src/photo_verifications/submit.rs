//! Handler: submit an uploaded photo to the check.

use actix_web::{post, web};
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde_json::json;

use super::api::{lock_for_upload, record, show, tag};
use super::body::PhotoVerificationBody;
use super::conclude::conclude;
use super::jobs::CHECK_JOB;
use super::model::{self, PhotoRow};
use super::{PhotoState, precheck};
use crate::app::App;
use crate::audit::Actor;
use crate::auth::permissions::op;
use crate::auth::{Allowed, Caller};
use crate::error::{ApiError, ApiResult, members};
use crate::error_codes as codes;
use crate::external::scanner;
use crate::external::uploads::{self, Fault};
use crate::filings::{self, Action, Ctx, Filing, Side};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::PhotoVerificationId;
use crate::kernel::jobs::{self, NewJob};
use crate::kernel::json::Path;
use crate::kernel::reply::Reply;

/// Submit the uploaded photo
///
/// The owner, in `photo_required` and `photo_rejected`. The file is read again (length, checksum, malware where a scanner
/// is configured) and goes into the check, whose result follows within seconds: `in_review` with `photo.received`, and the
/// filing is in `photo_review`; or `precheck_failed` with `photo.precheck_failed`, and another photo can be taken at once.
/// A file that is no picture at all is in `precheck_failed` already in this reply. Submitting again changes nothing.
///
/// As `demo-partner`: `id` is that of the reply of `createPhotoVerification`.
#[utoipa::path(operation_id = "submitPhotoVerification", tag = "photo verifications",
    params(
        ("id" = PhotoVerificationId, Path, description = "The attempt.", example = "0193a000-0000-7000-8000-000000018001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat harmless for 24 hours.", nullable = false),
    ),
    responses(
        (status = 202, description = "The attempt, `checking`.", body = PhotoVerificationBody),
        (status = 409, description = "`upload_missing`, `upload_expired`, `upload_refused`, `invalid_transition`, `live_attempt_exists`"),
    ))]
#[post("/v1/photo-verifications/{id}/submit")]
pub async fn submit_photo_verification(
    app: web::Data<App>,
    caller: Allowed<op::SubmitPhotoVerification>,
    id: Path<PhotoVerificationId>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, id) = (caller.caller.clone(), id.0);
    let asker = caller.clone();
    let before = app.db.run(move |conn| before(conn, &asker, now, id)).await?;
    let is_new = before.state == PhotoState::AwaitingUpload;
    // The network first, the transaction last: a lock is never held while a store answers.
    let is_picture = if is_new { bring_in(&app, &before).await? } else { true };
    let (asker, who) = (caller.clone(), caller.user_id.to_string());
    let reply = idem
        .run(
            &app.db,
            now,
            &who,
            move |conn| owned(conn, &asker, id).map(drop),
            move |conn| {
                if is_new {
                    start_check(conn, &caller, now, &before, is_picture)?;
                }
                let (row, filing) = owned(conn, &caller, id)?;
                Ok(Reply::accepted(&show(&row, &filing, &caller))?.etag(tag(&row, &filing, &caller)))
            },
        )
        .await;
    if reply.is_err() && is_new {
        // Cancelled while the file was stored: its clean-up may have run before.
        app.db.run(move |conn| Ok(model::clean_later(conn, now, id)?)).await?;
    }
    reply
}

/// The attempt before anything is done, with everything checked that can spare the network.
fn before(
    conn: &mut PgConnection,
    caller: &Caller,
    now: DateTime<Utc>,
    id: PhotoVerificationId,
) -> ApiResult<PhotoRow> {
    let (row, filing) = owned(conn, caller, id)?;
    match row.state {
        PhotoState::AwaitingUpload => {
            let ctx = Ctx::new(now, Actor::from(caller), Side::Owner);
            filings::ensure_allowed(conn, &ctx, &filing, Action::UploadPhoto)?;
            Ok(row)
        }
        PhotoState::Cancelled | PhotoState::Void => Err(over(row.state)),
        _ => Ok(row),
    }
}

fn over(state: PhotoState) -> ApiError {
    ApiError::new(&codes::INVALID_TRANSITION)
        .detail(
            "该次拍照核验已取消或失效，请重新上传照片。",
            "This attempt is cancelled or void; declare another photo.",
        )
        .with(&members::CURRENT_STATUS, state)
}

fn owned(conn: &mut PgConnection, caller: &Caller, id: PhotoVerificationId) -> ApiResult<(PhotoRow, Filing)> {
    let row = model::find(conn, id)?;
    let filing = filings::owned(conn, caller, row.filing_id)?;
    Ok((row, filing))
}

/// Looks at the upload and stores it under its final keys: as it came, and without what reviewers must not see. Another
/// length or checksum is a broken transfer, which the client can repeat to the same address. False when it is not the
/// declared kind of picture.
async fn bring_in(app: &App, row: &PhotoRow) -> ApiResult<bool> {
    let scanner = scanner::of(&app.config);
    let found = uploads::inspect(&app.storage, scanner.as_ref(), &row.declared(), app.clock.now()).await?;
    let content_type = row.content_type.clone();
    let (original, stripped) = match found.fault {
        Some(Fault::Type) => (found.bytes, None),
        Some(fault) => return Err(ApiError::new(&codes::UPLOAD_REFUSED).with(&members::REASON, fault)),
        None => {
            let bytes = found.bytes.clone();
            // A thread of its own: it costs time, and a file that breaks the reader breaks only that.
            let stripped =
                tokio::task::spawn_blocking(move || precheck::strip_metadata(&found.bytes, &content_type));
            (bytes, stripped.await.unwrap_or_default())
        }
    };
    uploads::keep(&app.storage, &row.final_original_key(), original, &row.content_type).await?;
    let Some(stripped) = stripped else { return Ok(false) };
    uploads::keep(&app.storage, &row.final_key(), stripped, &row.content_type).await?;
    Ok(true)
}

/// Hands the attempt to the check, unless somebody else did meanwhile.
fn start_check(
    conn: &mut PgConnection,
    caller: &Caller,
    now: DateTime<Utc>,
    before: &PhotoRow,
    is_picture: bool,
) -> ApiResult<()> {
    filings::lock(conn, before.filing_id)?;
    let row = model::lock(conn, before.id)?;
    match row.state {
        PhotoState::AwaitingUpload => {}
        PhotoState::Cancelled | PhotoState::Void => return Err(over(row.state)),
        _ => return Ok(()),
    }
    lock_for_upload(conn, caller, now, before.filing_id)?;
    let row = model::set_checking(conn, now, &row, is_picture)?;
    filings::touch(conn, now, row.filing_id)?;
    filings::model::add_participant(conn, row.filing_id, caller.user_id)?;
    record(conn, now, caller, "photo.submitted", &row)?;
    model::clean_later(conn, now, row.id)?;
    if is_picture {
        let job = NewJob::new(CHECK_JOB, json!({ "photo_verification_id": row.id }));
        jobs::enqueue(conn, now, job.once(format!("{CHECK_JOB}/{}", row.id)))?;
        return Ok(());
    }
    conclude(conn, now, row.id, &precheck::unreadable().into())
}
