//! The statements of the job queue.

use chrono::{DateTime, Duration, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, QueryResult, RunQueryDsl, sql_types,
};
use serde_json::Value;
use uuid::Uuid;

use super::JobState;
use crate::kernel::ids::JobId;
use crate::schema::jobs;

/// How long a claim holds without a heartbeat.
pub(super) fn lease() -> Duration {
    Duration::seconds(60)
}

/// A job to be enqueued.
#[derive(Clone, Debug)]
pub struct NewJob {
    kind: &'static str,
    payload: Value,
    dedup_key: Option<String>,
    run_at: Option<DateTime<Utc>>,
    max_attempts: i32,
}

impl NewJob {
    /// A job of a registered kind, to run at once, tried up to ten times (about three hours with back-off). The payload
    /// carries ids, never personal data.
    pub fn new(kind: &'static str, payload: Value) -> Self {
        Self { kind, payload, dedup_key: None, run_at: None, max_attempts: 10 }
    }

    /// While a job with this key waits or runs, another is not enqueued.
    pub fn once(mut self, key: impl Into<String>) -> Self {
        self.dedup_key = Some(key.into());
        self
    }

    /// Not before this time.
    pub fn at(mut self, at: DateTime<Utc>) -> Self {
        self.run_at = Some(at);
        self
    }

    /// How often to try before the job is dead.
    pub fn attempts(mut self, attempts: i32) -> Self {
        self.max_attempts = attempts;
        self
    }
}

/// Enqueues a job in the caller's transaction.
///
/// # Errors
/// When the database fails. A taken dedup key is not an error: the job waits already.
pub fn enqueue(conn: &mut PgConnection, now: DateTime<Utc>, job: NewJob) -> QueryResult<()> {
    diesel::insert_into(jobs::table)
        .values((
            jobs::id.eq(JobId::new()),
            jobs::kind.eq(job.kind),
            jobs::payload.eq(job.payload),
            jobs::dedup_key.eq(job.dedup_key),
            jobs::state.eq(JobState::Pending),
            jobs::run_at.eq(job.run_at.unwrap_or(now)),
            jobs::max_attempts.eq(job.max_attempts),
            jobs::created_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(conn)?;
    Ok(())
}

/// Whether a job of this kind with this payload waits or runs.
///
/// # Errors
/// When the database fails.
pub fn is_waiting(conn: &mut PgConnection, kind: &str, payload: &Value) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(
        jobs::table
            .filter(jobs::kind.eq(kind))
            .filter(jobs::payload.eq(payload))
            .filter(jobs::state.eq_any([JobState::Pending, JobState::Running])),
    ))
    .get_result(conn)
}

/// Whether a job of this kind with this payload waits, not running yet, and is due by this time.
///
/// # Errors
/// When the database fails.
pub fn is_pending(
    conn: &mut PgConnection,
    kind: &str,
    payload: &Value,
    due_by: DateTime<Utc>,
) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(
        jobs::table
            .filter(jobs::kind.eq(kind))
            .filter(jobs::payload.eq(payload))
            .filter(jobs::state.eq(JobState::Pending))
            .filter(jobs::run_at.le(due_by)),
    ))
    .get_result(conn)
}

/// A job as a worker sees it.
#[derive(diesel::QueryableByName, Clone, Debug)]
pub(super) struct Claimed {
    #[diesel(sql_type = sql_types::Uuid)]
    pub id: JobId,
    #[diesel(sql_type = sql_types::Text)]
    pub kind: String,
    #[diesel(sql_type = sql_types::Jsonb)]
    pub payload: Value,
    #[diesel(sql_type = sql_types::Int4)]
    pub attempts: i32,
    #[diesel(sql_type = sql_types::Int4)]
    pub max_attempts: i32,
}

/// Takes the job that has waited longest, for one lease.
pub(super) fn claim(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    token: Uuid,
) -> QueryResult<Option<Claimed>> {
    diesel::sql_query(
        "UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_until = $2, lease_token = $3
         WHERE id = (SELECT id FROM jobs WHERE state = 'pending' AND run_at <= $1
                     ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING id, kind, payload, attempts, max_attempts",
    )
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Timestamptz, _>(now + lease())
    .bind::<sql_types::Uuid, _>(token)
    .get_result(conn)
    .optional()
}

/// Takes jobs back from workers that died: their lease has lapsed.
pub(super) fn take_back(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<usize> {
    diesel::sql_query(
        "UPDATE jobs SET state = CASE WHEN attempts >= max_attempts THEN 'dead' ELSE 'pending' END,
                lease_token = NULL, lease_until = NULL, last_error = 'the worker stopped before it finished'
         WHERE state = 'running' AND lease_until < $1",
    )
    .bind::<sql_types::Timestamptz, _>(now)
    .execute(conn)
}

/// Heartbeat: holds the claim for another lease. False when the claim is no longer ours.
pub(super) fn renew(
    conn: &mut PgConnection,
    id: JobId,
    token: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let rows = diesel::update(
        jobs::table.find(id).filter(jobs::lease_token.eq(token)).filter(jobs::state.eq(JobState::Running)),
    )
    .set(jobs::lease_until.eq(now + lease()))
    .execute(conn)?;
    Ok(rows == 1)
}

/// What becomes of a job after a try.
pub(super) enum Outcome {
    Done,
    /// A periodic job waits for its next turn.
    Again(DateTime<Utc>),
    /// It could not run yet: the try does not count.
    Postponed {
        until: DateTime<Utc>,
        reason: String,
    },
    Failed {
        error: String,
        retry_at: Option<DateTime<Utc>>,
    },
}

/// Records the outcome, if the claim is still ours. False when another worker has taken the job over.
pub(super) fn finish(
    conn: &mut PgConnection,
    id: JobId,
    token: Uuid,
    now: DateTime<Utc>,
    outcome: Outcome,
) -> QueryResult<bool> {
    let ours =
        jobs::table.find(id).filter(jobs::lease_token.eq(token)).filter(jobs::state.eq(JobState::Running));
    let none = (jobs::lease_token.eq(None::<Uuid>), jobs::lease_until.eq(None::<DateTime<Utc>>));
    let rows = match outcome {
        Outcome::Done => diesel::update(ours)
            .set((
                jobs::state.eq(JobState::Done),
                jobs::finished_at.eq(now),
                none,
                jobs::last_error.eq(None::<String>),
            ))
            .execute(conn)?,
        Outcome::Again(at) => diesel::update(ours)
            .set((
                jobs::state.eq(JobState::Pending),
                jobs::run_at.eq(at),
                jobs::attempts.eq(0),
                none,
                jobs::last_error.eq(None::<String>),
            ))
            .execute(conn)?,
        Outcome::Postponed { until, reason } => diesel::update(ours)
            .set((
                jobs::state.eq(JobState::Pending),
                jobs::run_at.eq(until),
                jobs::attempts.eq(jobs::attempts - 1),
                none,
                jobs::last_error.eq(reason),
            ))
            .execute(conn)?,
        Outcome::Failed { error, retry_at: Some(at) } => diesel::update(ours)
            .set((jobs::state.eq(JobState::Pending), jobs::run_at.eq(at), none, jobs::last_error.eq(error)))
            .execute(conn)?,
        Outcome::Failed { error, retry_at: None } => diesel::update(ours)
            .set((
                jobs::state.eq(JobState::Dead),
                jobs::finished_at.eq(now),
                none,
                jobs::last_error.eq(error),
            ))
            .execute(conn)?,
    };
    Ok(rows == 1)
}

/// How the queue stands.
#[derive(diesel::QueryableByName, Clone, Debug)]
pub(super) struct Backlog {
    /// Jobs that could run now and wait for a worker.
    #[diesel(sql_type = sql_types::BigInt)]
    pub due: i64,
    /// Since when the one waits that has waited longest.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub oldest: Option<DateTime<Utc>>,
    /// Jobs that gave up.
    #[diesel(sql_type = sql_types::BigInt)]
    pub dead: i64,
}

/// Looks at the queue without touching it.
pub(super) fn backlog(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<Backlog> {
    diesel::sql_query(
        "SELECT count(*) AS due, min(run_at) AS oldest, (SELECT count(*) FROM jobs WHERE state = 'dead') AS dead
         FROM jobs WHERE state = 'pending' AND run_at <= $1",
    )
    .bind::<sql_types::Timestamptz, _>(now)
    .get_result(conn)
}

/// Makes a dead job pending again. False when it is not dead.
///
/// # Errors
/// When the database fails, or another job with the same dedup key waits (unique violation).
pub fn retry(conn: &mut PgConnection, id: JobId, now: DateTime<Utc>) -> QueryResult<bool> {
    let rows = diesel::update(jobs::table.find(id).filter(jobs::state.eq(JobState::Dead)))
        .set((
            jobs::state.eq(JobState::Pending),
            jobs::attempts.eq(0),
            jobs::run_at.eq(now),
            jobs::finished_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)?;
    Ok(rows == 1)
}

/// Closes a dead job for good. False when it is not dead.
///
/// # Errors
/// When the database fails.
pub fn discard(conn: &mut PgConnection, id: JobId, now: DateTime<Utc>) -> QueryResult<bool> {
    let rows = diesel::update(jobs::table.find(id).filter(jobs::state.eq(JobState::Dead)))
        .set((jobs::state.eq(JobState::Done), jobs::finished_at.eq(now)))
        .execute(conn)?;
    Ok(rows == 1)
}
