//! Background work on photos: the check, its time limit, uploads that never came.

use anyhow::Context as _;
use chrono::{DateTime, Duration, Utc};
use diesel::OptionalExtension;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::PhotoState;
use super::conclude::conclude;
use super::model::{self, CLEAN_JOB, PhotoRow};
use super::precheck::{self, BackdropProfile, Context, Finding, Switches};
use crate::app::App;
use crate::external::uploads;
use crate::filings;
use crate::kernel::ids::PhotoVerificationId;
use crate::kernel::jobs::Registry;
use crate::kernel::working_days;

/// Kind of the job that checks one photo.
pub(super) const CHECK_JOB: &str = "photo.check";
/// Rows that one run of a periodic job takes on; the next run goes on.
const AT_ONCE: i64 = 200;
/// Decoding may take 256 MiB: one picture at a time in a process.
static DECODING: Semaphore = Semaphore::const_new(1);

/// How long the check may be unable to run before a human looks without it.
fn patience() -> Duration {
    Duration::seconds(60)
}

/// Registers this feature's jobs.
pub fn register(registry: &mut Registry, app: &App) {
    let this = app.clone();
    registry.on(CHECK_JOB, move |payload| check(this.clone(), payload));
    let this = app.clone();
    registry.on(CLEAN_JOB, move |payload| clean_objects(this.clone(), payload));
    let this = app.clone();
    registry.every("photo.release_stuck", Duration::seconds(15), move |_| release_stuck(this.clone()));
    let this = app.clone();
    registry.every("photo.expire_uploads", Duration::minutes(10), move |_| expire_uploads(this.clone()));
}

#[derive(Deserialize)]
struct Payload {
    photo_verification_id: PhotoVerificationId,
}

/// Checks a submitted photo and sends it to review or back. What fails is tried again until the patience ends.
async fn check(app: App, payload: Value) -> anyhow::Result<()> {
    let id = serde_json::from_value::<Payload>(payload).context("payload")?.photo_verification_id;
    let found = app
        .db
        .run(move |conn| {
            let Some(row) = model::find(conn, id).optional()? else { return Ok(None) };
            let used_elsewhere = model::is_used_elsewhere(conn, &row)?;
            Ok(Some((row, used_elsewhere)))
        })
        .await?;
    let Some((row, is_used_exactly)) = found else { return Ok(()) };
    if row.state != PhotoState::Checking {
        return Ok(());
    }
    let findings = match look(&app, &row, is_used_exactly).await {
        Ok(findings) => findings,
        Err(error) if has_waited_enough(&row, app.clock.now()) => {
            tracing::error!(photo_verification_id = %id, error = format!("{error:#}"), "a photo goes to review unchecked");
            vec![Finding::unavailable()]
        }
        Err(error) => return Err(error),
    };
    let now = app.clock.now();
    app.db.transaction(move |conn| conclude(conn, now, id, &findings)).await?;
    Ok(())
}

fn has_waited_enough(row: &PhotoRow, now: DateTime<Utc>) -> bool {
    row.submitted_at.is_none_or(|at| now - at >= patience())
}

/// Reads the photo and checks it on a thread of its own: a decoder that panics ends that thread only.
async fn look(app: &App, row: &PhotoRow, is_used_exactly: bool) -> anyhow::Result<Vec<Finding>> {
    let key = row.object_key.clone().context("a photo in the check has an object")?;
    let bytes = app.storage.get_bytes(&key, usize::try_from(row.size_bytes)?).await?;
    let content_type = row.content_type.clone();
    let _permit = DECODING.acquire().await?;
    let today = working_days::local_date(app.clock.now());
    tokio::task::spawn_blocking(move || {
        let switches = Switches::default();
        let context = Context {
            today,
            reviewed_on: None,
            switches: &switches,
            is_used_exactly,
            used_fingerprints: &[],
        };
        precheck::check(&bytes, &content_type, BackdropProfile::shipped(), &context)
    })
    .await
    .context("the check broke off")
}

/// Sends photos to review whose check could not run: the store is away, or the file breaks every worker that looks.
async fn release_stuck(app: App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let stuck = app.db.run(move |conn| Ok(model::stuck(conn, now - patience(), AT_ONCE)?)).await?;
    for id in stuck {
        tracing::error!(photo_verification_id = %id, "a photo goes to review unchecked: the check did not end in time");
        app.db.transaction(move |conn| conclude(conn, now, id, &[Finding::unavailable()])).await?;
    }
    Ok(())
}

/// Removes the upload of an attempt that no longer waits for it, and the content when it was never submitted.
async fn clean_objects(app: App, payload: Value) -> anyhow::Result<()> {
    let id = serde_json::from_value::<Payload>(payload).context("payload")?.photo_verification_id;
    let row = app.db.run(move |conn| Ok(model::find(conn, id).optional()?)).await?;
    let Some(row) = row else { return Ok(()) };
    if row.state == PhotoState::AwaitingUpload {
        return Ok(());
    }
    app.storage.delete(&row.upload_key).await?;
    if row.object_key.is_none() {
        app.storage.delete(&row.final_key()).await?;
    }
    Ok(())
}

/// Gives up declared photos that never came.
async fn expire_uploads(app: App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let before = now - uploads::given_up_after();
    let overdue = app.db.run(move |conn| Ok(model::never_uploaded(conn, before, AT_ONCE)?)).await?;
    for (id, filing_id) in overdue {
        app.db
            .transaction(move |conn| {
                filings::lock(conn, filing_id)?;
                if model::lock(conn, id)?.state == PhotoState::AwaitingUpload {
                    model::end(conn, now, id, PhotoState::Cancelled)?;
                    filings::touch(conn, now, filing_id)?;
                }
                Ok(())
            })
            .await?;
    }
    Ok(())
}
