//! Background work on photos: the check, its time limit, uploads that never came, originals whose time is over.

use anyhow::Context as _;
use chrono::{DateTime, Duration, Utc};
use diesel::OptionalExtension;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::conclude::{Checked, conclude};
use super::model::{self, CLEAN_JOB, PhotoRow};
use super::precheck::{self, Finding};
use super::{PhotoState, originals, reuse, settings};
use crate::app::App;
use crate::external::uploads;
use crate::kernel::clock::shanghai_date;
use crate::kernel::ids::PhotoVerificationId;
use crate::kernel::jobs::Registry;
use crate::sandbox::{self, PhotoWord};
use crate::{catalogue, filings};

/// Kind of the job that checks one photo.
pub(super) const CHECK_JOB: &str = "photo.check";
/// Rows that one run of a periodic job takes on; the next run goes on.
const AT_ONCE: i64 = 200;
/// A picture takes up to 200 MiB while it is looked at: one at a time in a process.
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
    let this = app.clone();
    registry
        .every("photo.delete_originals", Duration::hours(1), move |_| originals::delete_due(this.clone()));
}

#[derive(Deserialize)]
struct Payload {
    photo_verification_id: PhotoVerificationId,
}

/// Checks a submitted photo and sends it to review or back. What fails is tried again until the patience ends.
async fn check(app: App, payload: Value) -> anyhow::Result<()> {
    let id = serde_json::from_value::<Payload>(payload).context("payload")?.photo_verification_id;
    let row = app.db.run(move |conn| Ok(model::find(conn, id).optional()?)).await?;
    let Some(row) = row.filter(|row| row.state == PhotoState::Checking) else { return Ok(()) };
    let result = match look(&app, &row).await {
        Ok(result) => result,
        Err(error) if has_waited_enough(&row, app.clock.now()) => {
            tracing::error!(photo_verification_id = %id, error = format!("{error:#}"), "a photo goes to review unchecked");
            Finding::unavailable().into()
        }
        Err(error) => return Err(error),
    };
    let result = match sandbox::photo_word(&app, row.filing_id).await? {
        Some(word) => steered(result, word),
        None => result,
    };
    let now = app.clock.now();
    app.db.transaction(move |conn| conclude(conn, now, id, &result)).await?;
    app.waker.wake();
    Ok(())
}

/// What a word in the filing makes of the findings, in the sandbox. A file that is no picture stays one.
fn steered(mut result: Checked, word: PhotoWord) -> Checked {
    match word {
        PhotoWord::Pass => result.findings.retain(|finding| finding.code == precheck::UNREADABLE),
        PhotoWord::Fail => {
            // The check may have found the same, as a warning if the admin wants it so: a finding stands once.
            result.findings.retain(|finding| finding.code != precheck::NO_FACE);
            result.findings.push(Finding {
                code: precheck::NO_FACE.to_owned(),
                severity: precheck::Severity::Block,
                measured: None,
                limit: None,
                region: None,
            });
        }
    }
    result
}

fn has_waited_enough(row: &PhotoRow, now: DateTime<Utc>) -> bool {
    row.submitted_at.is_none_or(|at| now - at >= patience())
}

/// Examines the photo, keeps its fingerprint and the drawing of what was seen, and judges.
async fn look(app: &App, row: &PhotoRow) -> anyhow::Result<Checked> {
    let key = row.original_key.clone().context("a photo in the check has an original")?;
    let bytes = app.storage.get_bytes(&key, usize::try_from(row.size_bytes)?).await?;
    let today = shanghai_date(app.clock.now());
    let filing_id = row.filing_id;
    let (profile, reviewed_on, switches) = app
        .db
        .run(move |conn| {
            let province = filings::model::find(conn, filing_id)?.province_code;
            Ok((
                catalogue::backdrop_profile(conn, &province, today)?,
                filings::last_event_at(conn, filing_id, "initial_review.passed")?.map(shanghai_date),
                settings::switches(conn)?,
            ))
        })
        .await?;
    let content_type = row.content_type.clone();
    let permit = DECODING.acquire().await?;
    // A thread of its own: a decoder that panics ends that thread only.
    let seen = tokio::task::spawn_blocking(move || {
        let seen = precheck::examine(&bytes, &content_type, &profile)?;
        let preview = precheck::preview(&bytes, &content_type, &seen);
        Ok((seen, preview))
    })
    .await
    .context("the check broke off")?;
    drop(permit);
    let (seen, preview) = match seen {
        Ok(seen) => seen,
        Err(unreadable) => return Ok(Finding::into(unreadable)),
    };
    let preview_key = match preview {
        Some(picture) => {
            app.storage.put_bytes(&row.final_preview_key(), picture, "image/jpeg").await?;
            Some(row.final_preview_key())
        }
        None => None,
    };
    let (row, print) = (row.clone(), seen.fingerprint);
    let (is_used_exactly, near) = app
        .db
        .transaction(move |conn| {
            Ok((reuse::is_used_exactly(conn, &row)?, reuse::remember(conn, &row, &print)?))
        })
        .await?;
    let context = precheck::Context {
        today,
        reviewed_on,
        switches: &switches,
        is_used_exactly,
        used_fingerprints: near.as_slice(),
    };
    Ok(Checked { findings: precheck::judge(&seen, &context), preview_key })
}

/// Sends photos to review whose check could not run: the store is away, or the file breaks every worker that looks.
async fn release_stuck(app: App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let stuck = app.db.run(move |conn| Ok(model::stuck(conn, now - patience(), AT_ONCE)?)).await?;
    for id in stuck {
        tracing::error!(photo_verification_id = %id, "a photo goes to review unchecked: the check did not end in time");
        app.db.transaction(move |conn| conclude(conn, now, id, &Finding::unavailable().into())).await?;
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
    if row.original_key.is_none() {
        app.storage.delete(&row.final_original_key()).await?;
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
