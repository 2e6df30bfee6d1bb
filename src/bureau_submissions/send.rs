//! An attempt to hand a submission over: mark it, send with no transaction open, record how it ended. A crash in between is
//! found by the next try: what was being sent then may have arrived, so the bureau's own record is asked first. Gateways
//! whose files carry numbers go by `lane_send`.

use chrono::{DateTime, Duration, Utc};
use diesel::PgConnection;

use super::apply::{self, Acceptance, Outcome};
use super::model::Submission;
use super::model::{self, Changes};
use super::{BureauEventKind, SubmissionState, lane, lane_send, package, rules};
use crate::app::App;
use crate::error::ApiResult;
use crate::external::bureau::{Known, Pause, Receipt, Sent};
use crate::filings::{self, Ctx};
use crate::kernel::ids::SubmissionId;
use serde_json::json;

/// An attempt takes less; one that is older was cut off.
pub fn longest_attempt() -> Duration {
    Duration::minutes(2)
}

/// What the submission's state asks for.
enum Next {
    /// Nothing to do here: decided elsewhere, paused, or carried by hand.
    Nothing,
    /// Another attempt is under way.
    Wait,
    /// Ask the bureau's record.
    Ask { order_no: String },
    /// Send; the attempt's number.
    Send { attempt_no: i32 },
}

/// Hands a submission over if it is its turn. Safe to repeat at any time.
///
/// # Errors
/// When it should be tried again later: the job's back-off does that.
pub async fn attempt(app: &App, id: SubmissionId) -> anyhow::Result<()> {
    if !app.bureau.is_automatic() {
        return Ok(());
    }
    if let Some(code) = app.bureau.lane() {
        return lane_send::attempt(app, code, id).await;
    }
    let now = app.clock.now();
    let mut next = app.db.transaction(move |conn| begin(conn, now, id)).await?;
    if let Next::Ask { order_no } = &next {
        match app.bureau.query(order_no).await {
            Known::Has(receipt) => return accepted(app, id, receipt).await,
            Known::NoAnswer(reason) => anyhow::bail!("the bureau's record does not answer: {reason}"),
            Known::Absent => {
                let now = app.clock.now();
                next = app
                    .db
                    .transaction(move |conn| {
                        requeue_absent(conn, now, id)?;
                        begin(conn, now, id)
                    })
                    .await?;
            }
        }
    }
    match next {
        Next::Nothing => Ok(()),
        Next::Wait | Next::Ask { .. } => anyhow::bail!("another attempt is under way"),
        Next::Send { attempt_no } => send(app, id, attempt_no).await,
    }
}

fn begin(conn: &mut PgConnection, now: DateTime<Utc>, id: SubmissionId) -> ApiResult<Next> {
    let (filing, submission) = model::lock(conn, id)?;
    let is_paused = model::bureau(conn, &submission.bureau_code)?.paused_at.is_some();
    match submission.state {
        // A paused bureau gets nothing and is asked nothing; resuming it enqueues this again.
        SubmissionState::Queued | SubmissionState::Unconfirmed if is_paused => Ok(Next::Nothing),
        SubmissionState::Queued => Ok(Next::Send { attempt_no: start(conn, now, &submission)? }),
        SubmissionState::Sending if submission.sent_at.is_some_and(|at| now - at < longest_attempt()) => {
            Ok(Next::Wait)
        }
        SubmissionState::Sending => {
            unconfirm(conn, now, &submission, "the attempt was cut off")?;
            Ok(Next::Ask { order_no: filing.order_no })
        }
        SubmissionState::Unconfirmed => Ok(Next::Ask { order_no: filing.order_no }),
        _ => Ok(Next::Nothing),
    }
}

/// Marks a locked submission as being sent. The number of the attempt.
pub fn start(conn: &mut PgConnection, now: DateTime<Utc>, submission: &Submission) -> ApiResult<i32> {
    let attempt_no = submission.attempt_no + 1;
    let changes = Changes {
        state: Some(SubmissionState::Sending),
        attempt_no: Some(attempt_no),
        sent_at: Some(now),
        ..Changes::default()
    };
    model::update(conn, now, submission.id, changes)?;
    filings::touch(conn, now, submission.filing_id)?;
    Ok(attempt_no)
}

/// Whether a locked submission's file arrived is not known.
pub fn unconfirm(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    submission: &Submission,
    reason: &str,
) -> ApiResult<()> {
    let changes = Changes {
        state: Some(SubmissionState::Unconfirmed),
        last_error: Some(Some(reason.to_owned())),
        ..Changes::default()
    };
    model::update(conn, now, submission.id, changes)?;
    filings::touch(conn, now, submission.filing_id)?;
    Ok(())
}

/// The bureau's record does not have it: it may be sent again.
fn requeue_absent(conn: &mut PgConnection, now: DateTime<Utc>, id: SubmissionId) -> ApiResult<()> {
    let (filing, submission) = model::lock(conn, id)?;
    if submission.state == SubmissionState::Unconfirmed {
        model::update(conn, now, id, Changes { state: Some(SubmissionState::Queued), ..Changes::default() })?;
        filings::touch(conn, now, filing.id)?;
    }
    Ok(())
}

async fn send(app: &App, id: SubmissionId, attempt_no: i32) -> anyhow::Result<()> {
    let sent = match package::build(app, id).await {
        Ok(package) => app.bureau.submit(&package).await,
        Err(error) => Sent::NotSent(format!("the package cannot be made: {error}")),
    };
    record(app, id, attempt_no, sent).await
}

/// Records how an attempt ended.
///
/// # Errors
/// When it should be tried again later.
pub async fn record(app: &App, id: SubmissionId, attempt_no: i32, sent: Sent) -> anyhow::Result<()> {
    let now = app.clock.now();
    match sent {
        Sent::Accepted(receipt) => accepted(app, id, receipt).await,
        Sent::Refused { external_reference, code, text } => {
            app.db
                .transaction(move |conn| {
                    let ctx = Ctx::system(now);
                    if apply::refuse(conn, &ctx, id, &external_reference, &code, &text)? == Outcome::Late {
                        let payload = json!({ "code": code, "text": text });
                        let kind = BureauEventKind::Refused;
                        apply::record_late(conn, &ctx, id, kind, &external_reference, &payload)?;
                    }
                    Ok(())
                })
                .await?;
            app.waker.wake();
            Ok(())
        }
        Sent::NotSent(reason) => {
            let text = reason.clone();
            let state = app.db.transaction(move |conn| not_sent(conn, now, id, attempt_no, text)).await?;
            if state == Some(SubmissionState::Queued) {
                anyhow::bail!("not sent: {reason}");
            }
            Ok(())
        }
        // Of gateways with a lane only; `lane_send` has seen them before.
        Sent::Later(Pause { reason, .. }) | Sent::Stop(reason) => {
            anyhow::bail!("the gateway stops without a lane: {reason}")
        }
        Sent::Gap(_) => anyhow::bail!("the gateway misses files without a lane"),
        Sent::NoReply(reason) => {
            let text = reason.clone();
            app.db.transaction(move |conn| no_reply(conn, now, id, attempt_no, text)).await?;
            anyhow::bail!("no reply; the bureau's record is asked next: {reason}")
        }
    }
}

async fn accepted(app: &App, id: SubmissionId, receipt: Receipt) -> anyhow::Result<()> {
    let now = app.clock.now();
    let delay = app.bureau.simulator().map(|bureau| bureau.delay());
    app.db
        .transaction(move |conn| {
            let ctx = Ctx::system(now);
            let acceptance = Acceptance { external_reference: receipt.external_reference, accepted_at: None };
            if apply::accept(conn, &ctx, id, &acceptance)? == Outcome::Late {
                let reference = &acceptance.external_reference;
                apply::record_late(
                    conn,
                    &ctx,
                    id,
                    BureauEventKind::Accepted,
                    reference,
                    &acceptance.payload(),
                )?;
            }
            apply::enqueue_simulation(conn, now, id, delay)
        })
        .await?;
    app.waker.wake();
    Ok(())
}

/// Back into the queue, or `failed` with an alarm when it has been tried often enough. The state after it; none when an
/// operator has moved it on meanwhile.
fn not_sent(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: SubmissionId,
    attempt_no: i32,
    reason: String,
) -> ApiResult<Option<SubmissionState>> {
    let (filing, submission) = model::lock(conn, id)?;
    if submission.state != SubmissionState::Sending || submission.attempt_no != attempt_no {
        return Ok(None);
    }
    let failed_attempts = submission.failed_attempts + 1;
    let state = if failed_attempts >= rules::TRIES {
        apply::alarm("failed", id, "the attempts to hand over have failed");
        // The others must not wait for the operator who looks at this one.
        lane::release(conn, now, &submission)?;
        SubmissionState::Failed
    } else {
        SubmissionState::Queued
    };
    let changes = Changes {
        state: Some(state),
        last_error: Some(Some(reason)),
        failed_attempts: Some(failed_attempts),
        ..Changes::default()
    };
    model::update(conn, now, id, changes)?;
    filings::touch(conn, now, filing.id)?;
    Ok(Some(state))
}

fn no_reply(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: SubmissionId,
    attempt_no: i32,
    reason: String,
) -> ApiResult<()> {
    let (_, submission) = model::lock(conn, id)?;
    if submission.state != SubmissionState::Sending || submission.attempt_no != attempt_no {
        return Ok(());
    }
    apply::alarm("unconfirmed", id, "an attempt ended without a reply");
    unconfirm(conn, now, &submission, &reason)
}
