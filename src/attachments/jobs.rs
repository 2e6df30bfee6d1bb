//! Background work on files: expired uploads, objects that nothing refers to any more.

use anyhow::Context;
use chrono::Duration;
use diesel::OptionalExtension;
use serde::Deserialize;
use serde_json::Value;

use super::AttachmentState;
use super::model::{self, CLEAN_JOB};
use crate::app::App;
use crate::external::uploads;
use crate::filings;
use crate::kernel::ids::AttachmentId;
use crate::kernel::jobs::Registry;

/// Rows that one run of a periodic job takes on; the next run goes on.
const AT_ONCE: i64 = 200;

/// Registers this feature's jobs.
pub fn register(registry: &mut Registry, app: &App) {
    let this = app.clone();
    registry.on(CLEAN_JOB, move |payload| clean_objects(this.clone(), payload));
    let this = app.clone();
    registry
        .every("attachments.expire_uploads", Duration::minutes(10), move |_| expire_uploads(this.clone()));
}

#[derive(Deserialize)]
struct Payload {
    attachment_id: AttachmentId,
}

/// Removes what an attachment no longer needs: the upload once it was looked at, the content when the attachment is out
/// and no revision contains it.
async fn clean_objects(app: App, payload: Value) -> anyhow::Result<()> {
    let id = serde_json::from_value::<Payload>(payload).context("payload")?.attachment_id;
    let row = app
        .db
        .run(move |conn| {
            let Some(row) = model::lock(conn, id).optional()? else { return Ok(None) };
            let is_frozen = model::is_frozen(conn, id)?;
            Ok(Some((row, is_frozen)))
        })
        .await?;
    let Some((row, is_frozen)) = row else { return Ok(()) };
    if row.is_waiting() {
        return Ok(());
    }
    app.storage.delete(&row.upload_key).await?;
    if row.state == AttachmentState::Ready || is_frozen {
        return Ok(());
    }
    // Nobody can make it ready or frozen again: both need a row that waits or counts.
    app.storage.delete(&row.final_key()).await?;
    app.db.run(move |conn| Ok(model::forget_object(conn, id)?)).await?;
    Ok(())
}

/// Gives up declared files that never came, and sweeps uploads that no row knows or that were sent after the end.
async fn expire_uploads(app: App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let before = now - uploads::given_up_after();
    let overdue = app.db.run(move |conn| Ok(model::overdue(conn, before, AT_ONCE)?)).await?;
    for (id, filing_id) in overdue {
        app.db
            .transaction(move |conn| {
                filings::lock(conn, filing_id)?;
                // The filing's version stays: a file that never came was not shown in it.
                if model::lock(conn, id)?.is_waiting() {
                    model::retire(conn, now, &[id], AttachmentState::Expired)?;
                }
                Ok(())
            })
            .await?;
    }
    let orphans = app.storage.list("uploads/", now - Duration::days(2), AT_ONCE as usize).await?;
    for orphan in orphans {
        app.storage.delete(&orphan.key).await?;
    }
    Ok(())
}
