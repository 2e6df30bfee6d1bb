//! A lane's numbers. Every file over it has the next one, without gaps, and at most one is on its way.
//!
//! A number is reserved and committed before the file leaves, and stays with its submission until the bureau has the file or
//! the submission ends without it. When it is not known whether a file arrived, the lane is out of step: the bureau's own
//! record is asked before anything else goes. Locks are taken in the order filing, submission, lane, bureau.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::model::{self, Submission, WAITING};
use super::{SubmissionState, apply, send};
use crate::audit::{self, Actor, Deed};
use crate::error::ApiResult;
use crate::filings;
use crate::kernel::ids::{FilingId, SubmissionId};
use crate::kernel::jobs;
use crate::schema::{bureau_lanes as lanes, bureau_submissions as submissions, bureaus};

crate::text_enum! {
    /// What is known of a numbered file.
    pub enum DataState {
        /// Sent or about to be.
        Reserved = "reserved",
        /// The bureau has it.
        Arrived = "arrived",
        /// The bureau has lost it and wants it again.
        Missing = "missing",
    }
}

/// A lane.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = crate::schema::bureau_lanes)]
pub struct Lane {
    pub last_sequence_no: i64,
    pub is_in_step: bool,
    pub stopped_at: Option<DateTime<Utc>>,
}

/// Whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Yours, under this number, which is committed with this transaction.
    Yours(i64),
    /// Somebody else's; whoever holds the number wakes the next.
    Others,
    /// The bureau's record must be asked first.
    Ask,
    /// The bureau misses this file, which goes first.
    Resend(SubmissionId),
    /// A person must mend something first.
    Stopped,
}

/// Locks a lane, which is made when first used.
pub fn lock(conn: &mut PgConnection, code: &str) -> QueryResult<Lane> {
    diesel::insert_into(lanes::table).values(lanes::code.eq(code)).on_conflict_do_nothing().execute(conn)?;
    lanes::table.find(code).select(Lane::as_select()).for_no_key_update().first(conn)
}

/// Whether a lane stands still until a person resumes a bureau.
pub fn is_stopped(conn: &mut PgConnection, code: &str) -> QueryResult<bool> {
    let stopped: Option<Option<DateTime<Utc>>> =
        lanes::table.find(code).select(lanes::stopped_at).first(conn).optional()?;
    Ok(stopped.flatten().is_some())
}

/// Decides for a queued submission, which is locked.
pub fn take_turn(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    code: &str,
    submission: &Submission,
) -> ApiResult<Turn> {
    let lane = lock(conn, code)?;
    if lane.stopped_at.is_some() {
        return Ok(Turn::Stopped);
    }
    if !lane.is_in_step {
        return Ok(Turn::Ask);
    }
    if let Some(missing) = first_missing(conn, code)? {
        return Ok(Turn::Resend(missing));
    }
    if let Some(holder) = holder(conn, code)? {
        let own = submission.data_sequence.filter(|_| holder == submission.id);
        return Ok(own.map_or(Turn::Others, Turn::Yours));
    }
    // Strictly in order: who was queued first goes first, whichever job happens to run.
    if let Some(first) = first_queued(conn, None)?.filter(|first| *first != submission.id) {
        let version = model::find(conn, first)?.version;
        apply::enqueue_dispatch(conn, now, first, version)?;
        return Ok(Turn::Others);
    }
    let number = lane.last_sequence_no + 1;
    diesel::update(submissions::table.find(submission.id))
        .set((
            submissions::lane.eq(code),
            submissions::data_sequence.eq(number),
            submissions::data_state.eq(DataState::Reserved),
        ))
        .execute(conn)?;
    Ok(Turn::Yours(number))
}

/// The submission whose number is reserved.
pub fn holder(conn: &mut PgConnection, code: &str) -> QueryResult<Option<SubmissionId>> {
    submissions::table
        .filter(submissions::lane.eq(code))
        .filter(submissions::data_state.eq(DataState::Reserved))
        .select(submissions::id)
        .first(conn)
        .optional()
}

fn first_missing(conn: &mut PgConnection, code: &str) -> QueryResult<Option<SubmissionId>> {
    submissions::table
        .filter(submissions::lane.eq(code))
        .filter(submissions::data_state.eq(DataState::Missing))
        .order(submissions::data_sequence)
        .select(submissions::id)
        .first(conn)
        .optional()
}

/// The submission that waits longest at a bureau that is open, except one that has just left the queue.
fn first_queued(conn: &mut PgConnection, except: Option<SubmissionId>) -> QueryResult<Option<SubmissionId>> {
    let except = except.unwrap_or(SubmissionId(uuid::Uuid::nil()));
    submissions::table
        .inner_join(bureaus::table)
        .filter(submissions::id.ne(except))
        .filter(submissions::state.eq(SubmissionState::Queued))
        .filter(bureaus::paused_at.is_null())
        .order((submissions::queued_at, submissions::id))
        .select(submissions::id)
        .first(conn)
        .optional()
}

/// The submission that got a number of the lane.
pub fn owner(conn: &mut PgConnection, code: &str, number: i64) -> QueryResult<Option<SubmissionId>> {
    submissions::table
        .filter(submissions::lane.eq(code))
        .filter(submissions::data_sequence.eq(number))
        .select(submissions::id)
        .first(conn)
        .optional()
}

/// It is not known whether the last file arrived.
pub fn doubt(conn: &mut PgConnection, code: &str) -> QueryResult<()> {
    lock(conn, code)?;
    diesel::update(lanes::table.find(code)).set(lanes::is_in_step.eq(false)).execute(conn).map(drop)
}

/// A locked submission is at the bureau. Whether its reserved file is, too, is certain only when the gateway says so: an
/// operator may have carried the package by hand.
pub fn settle(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    submission: &Submission,
    is_certain: bool,
) -> ApiResult<()> {
    let (Some(code), Some(number)) = (&submission.lane, submission.data_sequence) else { return Ok(()) };
    if submission.data_state != Some(DataState::Reserved) {
        return Ok(());
    }
    if !is_certain {
        doubt(conn, code)?;
    } else {
        arrived(conn, code, submission.id, number)?;
    }
    wake_next(conn, now, submission.id)
}

/// The bureau has the file of a submission.
pub fn arrived(conn: &mut PgConnection, code: &str, id: SubmissionId, number: i64) -> QueryResult<()> {
    let lane = lock(conn, code)?;
    diesel::update(submissions::table.find(id))
        .set(submissions::data_state.eq(DataState::Arrived))
        .execute(conn)?;
    note_last(conn, code, lane.last_sequence_no.max(number))
}

fn note_last(conn: &mut PgConnection, code: &str, number: i64) -> QueryResult<()> {
    diesel::update(lanes::table.find(code)).set(lanes::last_sequence_no.eq(number)).execute(conn).map(drop)
}

/// A locked submission ends, or waits for an operator, and the bureau does not have its file: the number is free again.
pub fn release(conn: &mut PgConnection, now: DateTime<Utc>, submission: &Submission) -> ApiResult<()> {
    if submission.data_state != Some(DataState::Reserved) {
        return Ok(());
    }
    diesel::update(submissions::table.find(submission.id))
        .set((
            submissions::lane.eq(None::<String>),
            submissions::data_sequence.eq(None::<i64>),
            submissions::data_state.eq(None::<DataState>),
        ))
        .execute(conn)?;
    wake_next(conn, now, submission.id)
}

/// Has the next one sent: nobody else would.
fn wake_next(conn: &mut PgConnection, now: DateTime<Utc>, done: SubmissionId) -> ApiResult<()> {
    if let Some(next) = first_queued(conn, Some(done))? {
        // A job of its own may just be ending that has seen the lane held.
        apply::enqueue_later(conn, now, now, next)?;
    }
    Ok(())
}

/// What the bureau's record meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Compared {
    /// In step again.
    InStep,
    /// A file is on its way at this moment: ask again later.
    UnderWay,
    /// The record contradicts ours: a person must look. Nothing was changed.
    Contradiction(String),
}

/// What is done when the file of a submission that waits is at the bureau.
pub type HasArrived<'a> = &'a dyn Fn(&mut PgConnection, &Submission) -> ApiResult<()>;

/// Compares the bureau's record with ours and brings the lane in step. `is_of` tells whether the bureau's last file names
/// an order.
pub fn compare(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    code: &str,
    last: i64,
    is_of: &dyn Fn(&str) -> bool,
    has_arrived: HasArrived<'_>,
) -> ApiResult<Compared> {
    let locked = match holder(conn, code)? {
        Some(id) => Some(model::lock(conn, id)?),
        None => None,
    };
    let lane = lock(conn, code)?;
    let held = locked.filter(|(_, submission)| submission.data_state == Some(DataState::Reserved));
    if let Some((filing, submission)) = &held {
        let number = submission.data_sequence.unwrap_or_default();
        let is_young = submission.sent_at.is_some_and(|at| now - at < send::longest_attempt());
        // A file without a reply may still be on its way, so its absence counts only after a while. The attempts of what is
        // queued have ended for certain.
        let may_be_on_its_way = last < number && is_young && submission.state != SubmissionState::Queued;
        if submission.state == SubmissionState::Sending || may_be_on_its_way {
            return Ok(Compared::UnderWay);
        }
        if last > number {
            let text = format!(
                "the bureau has a file {last}, but {number} was the highest that was sent from here: somebody else sends \
                 under this account"
            );
            return Ok(Compared::Contradiction(text));
        }
        if last == number && !is_of(&filing.order_no) {
            let text = format!("the bureau has another file under the number {number}");
            return Ok(Compared::Contradiction(text));
        }
        if last == number && !WAITING.contains(&submission.state) {
            arrived(conn, code, submission.id, number)?;
        } else if last == number {
            has_arrived(conn, submission)?;
        } else if WAITING.contains(&submission.state) {
            requeue(conn, now, filing.id, submission)?;
        } else {
            release(conn, now, submission)?;
        }
    } else if last > lane.last_sequence_no && lane.last_sequence_no > 0 {
        tracing::error!(lane = code, last, "bureau: a file arrived that was not sent from here");
        metrics::counter!("beian_bureau_alarms_total", "reason" => "foreign_upload").increment(1);
    }
    // A file that it missed and now has.
    diesel::update(
        submissions::table
            .filter(submissions::lane.eq(code))
            .filter(submissions::data_state.eq(DataState::Missing))
            .filter(submissions::data_sequence.le(last)),
    )
    .set(submissions::data_state.eq(DataState::Arrived))
    .execute(conn)?;
    let known = lock(conn, code)?.last_sequence_no;
    note_last(conn, code, known.max(last))?;
    diesel::update(lanes::table.find(code)).set(lanes::is_in_step.eq(true)).execute(conn)?;
    Ok(Compared::InStep)
}

/// The bureau's record does not have it: it goes again, under the same number.
fn requeue(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    filing: FilingId,
    submission: &Submission,
) -> ApiResult<()> {
    if submission.state == SubmissionState::Unconfirmed {
        let changes = model::Changes { state: Some(SubmissionState::Queued), ..model::Changes::default() };
        model::update(conn, now, submission.id, changes)?;
        filings::touch(conn, now, filing)?;
    }
    Ok(())
}

/// Marks files that the bureau misses, so that they go first. The number that was never sent from here, if there is one.
pub fn mark_missing(conn: &mut PgConnection, code: &str, numbers: &[i64]) -> QueryResult<Option<i64>> {
    for number in numbers {
        let rows = diesel::update(
            submissions::table
                .filter(submissions::lane.eq(code))
                .filter(submissions::data_sequence.eq(number))
                .filter(submissions::data_state.ne(DataState::Reserved)),
        )
        .set(submissions::data_state.eq(DataState::Missing))
        .execute(conn)?;
        if rows == 0 {
            return Ok(Some(*number));
        }
    }
    Ok(None)
}

/// Stops a lane and pauses every bureau that is open, until a person resumes one. The reason for operators goes to the lane,
/// applicants see `shown`. Takes a transaction of its own: it locks many filings.
pub fn stop(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    code: &str,
    reason: &str,
    shown: &str,
) -> ApiResult<()> {
    tracing::error!(lane = code, reason, "bureau: the lane is stopped");
    metrics::counter!("beian_bureau_alarms_total", "reason" => "stopped").increment(1);
    let filings: Vec<FilingId> = submissions::table
        .inner_join(bureaus::table)
        .filter(submissions::state.eq_any(model::LIVE))
        .filter(bureaus::paused_at.is_null())
        .order(submissions::filing_id)
        .select(submissions::filing_id)
        .load(conn)?;
    for id in filings {
        filings::touch(conn, now, id)?;
    }
    lock(conn, code)?;
    diesel::update(lanes::table.find(code))
        .set((lanes::stopped_at.eq(now), lanes::stop_reason.eq(reason), lanes::is_in_step.eq(false)))
        .execute(conn)?;
    let paused: Vec<String> = diesel::update(bureaus::table.filter(bureaus::paused_at.is_null()))
        .set((
            bureaus::paused_at.eq(now),
            bureaus::pause_reason.eq(shown),
            bureaus::version.eq(bureaus::version + 1),
        ))
        .returning(bureaus::code)
        .get_results(conn)?;
    let deed = Deed::new("bureau.paused", "bureau", None)
        .details(json!({ "lane": code, "reason": reason, "bureau_codes": paused }));
    Ok(audit::record(conn, now, &Actor::system(), deed)?)
}

/// Why a lane stands still, for operators.
pub fn stop_reason(conn: &mut PgConnection) -> QueryResult<Option<String>> {
    let reason: Option<Option<String>> = lanes::table
        .filter(lanes::stopped_at.is_not_null())
        .select(lanes::stop_reason)
        .first(conn)
        .optional()?;
    Ok(reason.flatten())
}

/// Bureaus that [`stop`] paused: no person did.
pub fn paused_by_stop(conn: &mut PgConnection) -> QueryResult<Vec<String>> {
    bureaus::table
        .filter(bureaus::paused_at.is_not_null())
        .filter(bureaus::paused_by.is_null())
        .order(bureaus::code)
        .select(bureaus::code)
        .load(conn)
}

/// Lets stopped lanes go on. They are out of step, so the bureau's record is asked first.
pub fn resume_all(conn: &mut PgConnection) -> QueryResult<()> {
    diesel::update(lanes::table.filter(lanes::stopped_at.is_not_null()))
        .set((
            lanes::stopped_at.eq(None::<DateTime<Utc>>),
            lanes::stop_reason.eq(None::<String>),
            lanes::is_in_step.eq(false),
        ))
        .execute(conn)
        .map(drop)
}

/// Makes sure that somebody moves the lane: the job of the one whose turn it is may have died.
///
/// # Errors
/// When the database fails.
pub fn sweep(conn: &mut PgConnection, now: DateTime<Utc>, code: &str) -> ApiResult<()> {
    if lock(conn, code)?.stopped_at.is_some() {
        return Ok(());
    }
    let holder = holder(conn, code)?.map(|id| model::find(conn, id)).transpose()?;
    let next = match holder.filter(|holder| WAITING.contains(&holder.state)) {
        Some(holder) => Some(holder),
        None => first_queued(conn, None)?.map(|id| model::find(conn, id)).transpose()?,
    };
    let Some(next) = next else { return Ok(()) };
    if !jobs::is_waiting(conn, "bureau.dispatch", &json!({ "submission_id": next.id }))? {
        apply::enqueue_dispatch(conn, now, next.id, next.version)?;
    }
    Ok(())
}
