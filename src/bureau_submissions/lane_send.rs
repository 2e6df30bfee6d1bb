//! An attempt over a lane: ask the bureau's record where anything is uncertain, send what the bureau misses, send one file,
//! record how it ended. No transaction is open while the network is used, and every step can be cut off: the next attempt
//! finds the number reserved and asks.

use chrono::{DateTime, Duration, Utc};
use diesel::PgConnection;

use super::apply::{self, Acceptance, Outcome};
use super::lane::{self, Compared, Turn};
use super::model::{self, Changes};
use super::{BureauEventKind, SubmissionState, package, send};
use crate::app::App;
use crate::error::ApiResult;
use crate::external::bureau::{LastUpload, Pause, Sent, Silence};
use crate::filings::{self, Ctx};
use crate::kernel::ids::SubmissionId;

/// Files that one attempt may send for the bureau's sake before its own; the next attempt goes on.
const MAX_STEPS: usize = 50;
/// What applicants see while a lane stands still.
const SHOWN: &str = "管局接口暂时无法使用，正在处理；恢复后按顺序提交";

/// What comes next.
enum Next {
    /// Nothing to do here.
    Nothing,
    /// Another attempt is under way.
    UnderWay,
    /// Ask the bureau's record.
    Ask,
    /// Send this submission's file; the attempt's number and the file's.
    Send { attempt_no: i32, number: i64 },
    /// Send a file that the bureau misses.
    Resend(SubmissionId),
}

/// Hands a submission over if it is its turn. Safe to repeat at any time.
///
/// # Errors
/// When it should be tried again later: the job's back-off does that.
pub async fn attempt(app: &App, code: &str, id: SubmissionId) -> anyhow::Result<()> {
    for _ in 0..MAX_STEPS {
        let (now, lane) = (app.clock.now(), code.to_owned());
        match app.db.transaction(move |conn| begin(conn, now, &lane, id)).await? {
            Next::Nothing => return Ok(()),
            Next::UnderWay => anyhow::bail!("another attempt is under way"),
            Next::Ask => match app.bureau.last_upload().await {
                Ok(last) => compare(app, code, last).await?,
                Err(silence) => return unanswered(app, code, id, silence).await,
            },
            Next::Resend(missing) => {
                let sent = submit(app, missing).await;
                if !resent(app, code, id, missing, sent).await? {
                    return Ok(());
                }
            }
            Next::Send { attempt_no, number } => {
                let sent = submit(app, id).await;
                if !ended(app, code, id, attempt_no, number, sent).await? {
                    return Ok(());
                }
            }
        }
    }
    anyhow::bail!("the bureau misses many files; the next attempt goes on")
}

async fn submit(app: &App, id: SubmissionId) -> Sent {
    match package::build(app, id).await {
        Ok(package) => app.bureau.submit(&package).await,
        Err(error) => Sent::NotSent(format!("the package cannot be made: {error}")),
    }
}

fn begin(conn: &mut PgConnection, now: DateTime<Utc>, code: &str, id: SubmissionId) -> ApiResult<Next> {
    let (_, submission) = model::lock(conn, id)?;
    if lane::is_stopped(conn, code)? {
        return Ok(Next::Nothing);
    }
    let is_cut_off = submission.sent_at.is_some_and(|at| now - at >= send::longest_attempt());
    match submission.state {
        // The others need not wait for a bureau that is closed: what is queued is certainly not there.
        SubmissionState::Queued if model::bureau(conn, &submission.bureau_code)?.paused_at.is_some() => {
            lane::release(conn, now, &submission)?;
            Ok(Next::Nothing)
        }
        SubmissionState::Queued => match lane::take_turn(conn, now, code, &submission)? {
            Turn::Others | Turn::Stopped => Ok(Next::Nothing),
            Turn::Ask => Ok(Next::Ask),
            Turn::Resend(missing) => Ok(Next::Resend(missing)),
            Turn::Yours(number) => {
                Ok(Next::Send { attempt_no: send::start(conn, now, &submission)?, number })
            }
        },
        SubmissionState::Sending if !is_cut_off => Ok(Next::UnderWay),
        SubmissionState::Sending => {
            lane::doubt(conn, code)?;
            send::unconfirm(conn, now, &submission, "the attempt was cut off")?;
            Ok(Next::Ask)
        }
        // Sent by another gateway before, or under a number of this lane: the record knows only the latter.
        SubmissionState::Unconfirmed if submission.data_sequence.is_some() => Ok(Next::Ask),
        _ => Ok(Next::Nothing),
    }
}

/// Brings the lane in step with what the bureau says.
async fn compare(app: &App, code: &str, last: LastUpload) -> anyhow::Result<()> {
    let (now, lane) = (app.clock.now(), code.to_owned());
    let reference = app.bureau.reference(last.data_sequence);
    let compared = app
        .db
        .transaction(move |conn| {
            let is_of = |order_no: &str| last.is_of(order_no);
            lane::compare(conn, now, &lane, last.data_sequence, &is_of, &|conn, submission| {
                accept(conn, now, submission.id, &reference)
            })
        })
        .await?;
    app.waker.wake();
    match compared {
        Compared::InStep => Ok(()),
        Compared::UnderWay => anyhow::bail!("another attempt is under way"),
        Compared::Contradiction(reason) => stop(app, code, &reason).await,
    }
}

fn accept(conn: &mut PgConnection, now: DateTime<Utc>, id: SubmissionId, reference: &str) -> ApiResult<()> {
    let ctx = Ctx::system(now);
    let acceptance = Acceptance { external_reference: reference.to_owned(), accepted_at: None };
    if apply::accept(conn, &ctx, id, &acceptance)? == Outcome::Late {
        apply::record_late(conn, &ctx, id, BureauEventKind::Accepted, reference, &acceptance.payload())?;
    }
    Ok(())
}

/// The bureau did not answer what arrived last.
async fn unanswered(app: &App, code: &str, id: SubmissionId, silence: Silence) -> anyhow::Result<()> {
    match silence {
        Silence::NoAnswer(reason) => anyhow::bail!("the bureau's record does not answer: {reason}"),
        Silence::Later(pause) => later(app, id, None, pause).await,
        Silence::Stop(reason) => stop(app, code, &reason).await,
    }
}

/// Records how sending a submission's own file ended. Whether there is more to do at once.
async fn ended(
    app: &App,
    code: &str,
    id: SubmissionId,
    attempt_no: i32,
    number: i64,
    sent: Sent,
) -> anyhow::Result<bool> {
    match sent {
        Sent::Gap(missing) => {
            back_to_queue(app, id, attempt_no, "the bureau misses files with lower numbers").await?;
            missing_files(app, code, number, missing).await
        }
        Sent::Later(pause) => later(app, id, Some(attempt_no), pause).await.map(|()| false),
        Sent::Stop(reason) => {
            back_to_queue(app, id, attempt_no, &reason).await?;
            stop(app, code, &reason).await.map(|()| false)
        }
        Sent::NoReply(reason) => {
            let lane = code.to_owned();
            app.db.transaction(move |conn| Ok(lane::doubt(conn, &lane)?)).await?;
            send::record(app, id, attempt_no, Sent::NoReply(reason)).await.map(|()| false)
        }
        // It may refuse a file because it has it: the record is asked before the next try.
        Sent::NotSent(reason) => {
            let lane = code.to_owned();
            app.db.transaction(move |conn| Ok(lane::doubt(conn, &lane)?)).await?;
            send::record(app, id, attempt_no, Sent::NotSent(reason)).await.map(|()| false)
        }
        other => send::record(app, id, attempt_no, other).await.map(|()| false),
    }
}

/// Records how sending a file that the bureau misses ended. Whether to go on.
async fn resent(
    app: &App,
    code: &str,
    id: SubmissionId,
    missing: SubmissionId,
    sent: Sent,
) -> anyhow::Result<bool> {
    let lane = code.to_owned();
    match sent {
        Sent::Accepted(_) => {
            app.db
                .transaction(move |conn| {
                    let (_, submission) = model::lock(conn, missing)?;
                    if let Some(number) = submission.data_sequence {
                        lane::arrived(conn, &lane, missing, number)?;
                    }
                    Ok(())
                })
                .await?;
            Ok(true)
        }
        Sent::Gap(numbers) => {
            let own = app.db.run(move |conn| Ok(model::find(conn, missing)?.data_sequence)).await?;
            missing_files(app, code, own.unwrap_or_default(), numbers).await
        }
        Sent::Later(pause) => later(app, id, None, pause).await.map(|()| false),
        Sent::Stop(reason) => stop(app, code, &reason).await.map(|()| false),
        Sent::NoReply(reason) => {
            app.db.transaction(move |conn| Ok(lane::doubt(conn, &lane)?)).await?;
            anyhow::bail!("no reply to a file that the bureau misses; its record is asked next: {reason}")
        }
        Sent::NotSent(reason) => refused_again(missing, &reason),
        Sent::Refused { code, .. } => refused_again(missing, &code),
    }
}

fn refused_again(missing: SubmissionId, reason: &str) -> anyhow::Result<bool> {
    apply::alarm("gap", missing, "a file that the bureau misses cannot be sent again");
    anyhow::bail!("a file that the bureau misses cannot be sent again: {reason}")
}

/// The bureau misses files: those that were sent from here go again, under their own numbers. Others are beyond us.
async fn missing_files(app: &App, code: &str, sent: i64, mut missing: Vec<i64>) -> anyhow::Result<bool> {
    missing.retain(|number| *number < sent);
    if missing.is_empty() {
        let reason = format!("the bureau refuses the number {sent} and names no lower one that it misses");
        return stop(app, code, &reason).await.map(|()| false);
    }
    tracing::error!(lane = code, ?missing, "bureau: it misses files that it had confirmed");
    metrics::counter!("beian_bureau_alarms_total", "reason" => "gap").increment(1);
    let lane = code.to_owned();
    match app.db.transaction(move |conn| Ok(lane::mark_missing(conn, &lane, &missing)?)).await? {
        None => Ok(true),
        Some(unknown) => {
            let reason = format!("the bureau misses file {unknown}, which was never sent from here");
            stop(app, code, &reason).await.map(|()| false)
        }
    }
}

/// The file certainly did not arrive; it keeps its number.
async fn back_to_queue(app: &App, id: SubmissionId, attempt_no: i32, reason: &str) -> anyhow::Result<()> {
    let (now, reason) = (app.clock.now(), reason.to_owned());
    Ok(app
        .db
        .transaction(move |conn| {
            let (filing, submission) = model::lock(conn, id)?;
            if submission.state == SubmissionState::Sending && submission.attempt_no == attempt_no {
                let changes = Changes {
                    state: Some(SubmissionState::Queued),
                    last_error: Some(Some(reason)),
                    ..Changes::default()
                };
                model::update(conn, now, id, changes)?;
                filings::touch(conn, now, filing.id)?;
            }
            Ok(())
        })
        .await?)
}

/// Tried again after a while by a job of its own: maintenance must not use up the tries of this one.
async fn later(app: &App, id: SubmissionId, attempt_no: Option<i32>, pause: Pause) -> anyhow::Result<()> {
    tracing::warn!(submission = %id, reason = pause.reason, "bureau: tried again later");
    if let Some(attempt_no) = attempt_no {
        back_to_queue(app, id, attempt_no, &pause.reason).await?;
    }
    let now = app.clock.now();
    let at = now + Duration::seconds(pause.seconds);
    Ok(app.db.transaction(move |conn| apply::enqueue_later(conn, now, at, id)).await?)
}

/// Nothing more goes over this lane until a person has looked.
///
/// # Errors
/// When the database fails.
pub async fn stop(app: &App, code: &str, reason: &str) -> anyhow::Result<()> {
    let (now, lane, reason) = (app.clock.now(), code.to_owned(), reason.to_owned());
    Ok(app.db.transaction(move |conn| lane::stop(conn, now, &lane, &reason, SHOWN)).await?)
}
