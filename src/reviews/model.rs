//! Rows of review tasks.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use serde_json::{Value, json};

use super::rules::{self, Reviewer, Seat};
use super::{ReviewState, Stage};
use crate::kernel::ids::{FilingId, PhotoVerificationId, ReviewId, RevisionId, UserId};
use crate::schema::{
    filing_revisions, filings, review_task_holders, review_tasks, subjects, website_contents,
};

/// A review task.
#[derive(Debug, Clone, Queryable, Selectable, Identifiable)]
#[diesel(table_name = review_tasks)]
pub struct Task {
    /// Primary key.
    pub id: ReviewId,
    /// The filing.
    pub filing_id: FilingId,
    /// What is reviewed.
    pub stage: Stage,
    /// Where it stands.
    pub state: ReviewState,
    /// The revision that is reviewed, or that the photo belongs to.
    pub revision_id: RevisionId,
    /// The photo, for photo reviews.
    pub photo_verification_id: Option<PhotoVerificationId>,
    /// From 1, per filing and stage.
    pub round: i32,
    /// Province of the subject.
    pub province_code: String,
    /// Only a senior reviewer may take it.
    pub is_escalated: bool,
    /// When it must be decided.
    pub due_at: DateTime<Utc>,
    /// The due time lies beyond the loaded calendar.
    pub due_is_provisional: bool,
    /// Who holds it, or held it when it was decided.
    pub claimed_by: Option<UserId>,
    /// When the lease ends, or ended.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// Only this person may take it.
    pub assigned_to: Option<UserId>,
    /// Codes ticked so far, a JSON list.
    pub checklist: Value,
    /// The unfinished decision.
    pub draft: Option<Value>,
    /// Who decided.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
}

impl Task {
    /// What the rules look at.
    pub fn seat(&self) -> Seat {
        Seat {
            state: self.state,
            is_escalated: self.is_escalated,
            claimed_by: self.claimed_by,
            lease_expires_at: self.lease_expires_at,
            assigned_to: self.assigned_to,
        }
    }

    /// Codes ticked so far.
    pub fn ticked(&self) -> Vec<&str> {
        self.checklist.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// Reads a task.
///
/// # Errors
/// `NotFound` when there is none.
pub fn find(conn: &mut PgConnection, id: ReviewId) -> QueryResult<Task> {
    review_tasks::table.find(id).select(Task::as_select()).first(conn)
}

/// Locks a task. Its filing has been locked before.
///
/// # Errors
/// `NotFound` when there is none.
pub fn lock(conn: &mut PgConnection, id: ReviewId) -> QueryResult<Task> {
    review_tasks::table.find(id).select(Task::as_select()).for_update().first(conn)
}

/// Locks the first task that this reviewer may take, and its filing: escalated ones first for seniors, then by due time.
/// Tasks that somebody else works on at this moment are skipped, so that two reviewers never wait for each other.
///
/// # Errors
/// When the database fails.
pub fn lock_next(
    conn: &mut PgConnection,
    who: Reviewer,
    stage: Option<Stage>,
    province: Option<&str>,
    now: DateTime<Utc>,
) -> QueryResult<Option<Task>> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = sql_types::Uuid)]
        id: ReviewId,
    }
    // The filing is locked with the task, as everywhere, and separation of duties is looked up here too: a task that the
    // claim would refuse must not hide the ones behind it.
    let found: Option<Found> = diesel::sql_query(
        "SELECT t.id FROM review_tasks t JOIN filings f ON f.id = t.filing_id
         WHERE (t.state = 'open' OR (t.state = 'claimed' AND t.claimed_by <> $1 AND t.lease_expires_at <= $2))
           AND (t.assigned_to IS NULL OR t.assigned_to = $1)
           AND (NOT t.is_escalated OR $3)
           AND ($4 IS NULL OR t.stage = $4)
           AND ($5 IS NULL OR t.province_code = $5)
           AND NOT EXISTS (SELECT 1 FROM filing_participants p WHERE p.filing_id = f.id AND p.user_id = $1)
           AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = $1 AND u.account_id = f.account_id)
         ORDER BY t.is_escalated DESC, t.due_at, t.id
         LIMIT 1
         FOR NO KEY UPDATE OF f, t SKIP LOCKED",
    )
    .bind::<sql_types::Uuid, _>(who.id)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Bool, _>(who.is_senior)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(stage)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(province)
    .get_result(conn)
    .optional()?;
    found.map(|found| find(conn, found.id)).transpose()
}

/// Gives a locked task to a reviewer for half an hour and remembers that they held it.
///
/// # Errors
/// When the database fails.
pub fn give(conn: &mut PgConnection, now: DateTime<Utc>, task: &Task, to: UserId) -> QueryResult<Task> {
    diesel::insert_into(review_task_holders::table)
        .values((
            review_task_holders::task_id.eq(task.id),
            review_task_holders::user_id.eq(to),
            review_task_holders::filing_id.eq(task.filing_id),
        ))
        .on_conflict_do_nothing()
        .execute(conn)?;
    diesel::update(review_tasks::table.find(task.id))
        .set((
            review_tasks::state.eq(ReviewState::Claimed),
            review_tasks::claimed_by.eq(to),
            review_tasks::claimed_at.eq(now),
            review_tasks::lease_expires_at.eq(now + rules::lease()),
            review_tasks::version.eq(review_tasks::version + 1),
        ))
        .returning(Task::as_returning())
        .get_result(conn)
}

/// Lets the holder's lease begin anew.
///
/// # Errors
/// When the database fails.
pub fn renew(conn: &mut PgConnection, now: DateTime<Utc>, task: &Task) -> QueryResult<Task> {
    diesel::update(review_tasks::table.find(task.id))
        .set((
            review_tasks::lease_expires_at.eq(now + rules::lease()),
            review_tasks::version.eq(review_tasks::version + 1),
        ))
        .returning(Task::as_returning())
        .get_result(conn)
}

/// Puts a locked live task back into the queue, for this person only when one is named. The draft stays.
///
/// # Errors
/// When the database fails.
pub fn put_back(conn: &mut PgConnection, task: &Task, assigned_to: Option<UserId>) -> QueryResult<Task> {
    diesel::update(review_tasks::table.find(task.id))
        .set((
            review_tasks::state.eq(ReviewState::Open),
            review_tasks::claimed_by.eq(None::<UserId>),
            review_tasks::claimed_at.eq(None::<DateTime<Utc>>),
            review_tasks::lease_expires_at.eq(None::<DateTime<Utc>>),
            review_tasks::assigned_to.eq(assigned_to),
            review_tasks::version.eq(review_tasks::version + 1),
        ))
        .returning(Task::as_returning())
        .get_result(conn)
}

/// Keeps an assignment beside the claim of the same person.
///
/// # Errors
/// When the database fails.
pub fn set_assignee(conn: &mut PgConnection, task: &Task, to: UserId) -> QueryResult<Task> {
    diesel::update(review_tasks::table.find(task.id))
        .set((review_tasks::assigned_to.eq(to), review_tasks::version.eq(review_tasks::version + 1)))
        .returning(Task::as_returning())
        .get_result(conn)
}

/// Keeps the unfinished decision.
///
/// # Errors
/// When the database fails.
pub fn save_draft(
    conn: &mut PgConnection,
    task: &Task,
    checklist: &[String],
    draft: Value,
) -> QueryResult<Task> {
    diesel::update(review_tasks::table.find(task.id))
        .set((
            review_tasks::checklist.eq(json!(checklist)),
            review_tasks::draft.eq(draft),
            review_tasks::version.eq(review_tasks::version + 1),
        ))
        .returning(Task::as_returning())
        .get_result(conn)
}

/// Closes a locked task with its decision. The draft has served.
///
/// # Errors
/// When the database fails.
pub fn close(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    task: &Task,
    state: ReviewState,
    by: UserId,
    ticked: Option<&[String]>,
) -> QueryResult<Task> {
    // The version in the WHERE proves that nobody decided since it was locked and read.
    diesel::update(review_tasks::table.find(task.id).filter(review_tasks::version.eq(task.version)))
        .set((
            review_tasks::state.eq(state),
            review_tasks::decided_by.eq(by),
            review_tasks::decided_at.eq(now),
            review_tasks::draft.eq(None::<Value>),
            ticked.map(|codes| review_tasks::checklist.eq(json!(codes))),
            review_tasks::version.eq(task.version + 1),
        ))
        .returning(Task::as_returning())
        .get_result(conn)
}

/// A task to be opened.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// The filing.
    pub filing_id: FilingId,
    /// What is reviewed.
    pub stage: Stage,
    /// The revision that is reviewed, or that the photo belongs to.
    pub revision_id: RevisionId,
    /// The photo, for photo reviews.
    pub photo_verification_id: Option<PhotoVerificationId>,
    /// Province of the subject, for the queue's filter.
    pub province_code: String,
    /// Due after one working day.
    pub due_at: DateTime<Utc>,
    /// The due time lies beyond the loaded calendar.
    pub due_is_provisional: bool,
    /// A senior reviewer should look.
    pub is_escalated: bool,
}

/// Opens a task. The database refuses a second open one for the same filing and stage.
///
/// # Errors
/// When the database fails.
pub fn open_task(conn: &mut PgConnection, now: DateTime<Utc>, task: NewTask) -> QueryResult<ReviewId> {
    let id = ReviewId::new();
    let rounds = review_tasks::table
        .filter(review_tasks::filing_id.eq(task.filing_id))
        .filter(review_tasks::stage.eq(task.stage))
        .select(diesel::dsl::count_star());
    let (order_no, subject_name, website_name, rounds): (String, String, Option<String>, Option<i64>) =
        filing_revisions::table
            .inner_join(filings::table.on(filings::id.eq(filing_revisions::filing_id)))
            .inner_join(subjects::table.on(subjects::id.eq(filings::subject_id)))
            .inner_join(website_contents::table.on(website_contents::id.eq(filing_revisions::content_id)))
            .filter(filing_revisions::id.eq(task.revision_id))
            .select((filings::order_no, subjects::name, website_contents::name, rounds.single_value()))
            .first(conn)?;
    diesel::insert_into(review_tasks::table)
        .values((
            review_tasks::id.eq(id),
            review_tasks::filing_id.eq(task.filing_id),
            review_tasks::stage.eq(task.stage),
            review_tasks::state.eq(ReviewState::Open),
            review_tasks::revision_id.eq(task.revision_id),
            review_tasks::photo_verification_id.eq(task.photo_verification_id),
            review_tasks::round.eq(rounds.unwrap_or_default() as i32 + 1),
            review_tasks::province_code.eq(task.province_code),
            review_tasks::is_escalated.eq(task.is_escalated),
            review_tasks::due_at.eq(task.due_at),
            review_tasks::due_is_provisional.eq(task.due_is_provisional),
            review_tasks::checklist.eq(json!([])),
            review_tasks::created_at.eq(now),
            review_tasks::order_no.eq(order_no),
            review_tasks::subject_name.eq(subject_name),
            review_tasks::website_name.eq(website_name),
        ))
        .execute(conn)?;
    Ok(id)
}

/// Cancels the open task of a filing, claimed or not.
///
/// # Errors
/// When the database fails.
pub fn cancel_open(conn: &mut PgConnection, filing: FilingId) -> QueryResult<()> {
    diesel::update(
        review_tasks::table
            .filter(review_tasks::filing_id.eq(filing))
            .filter(review_tasks::state.eq_any([ReviewState::Open, ReviewState::Claimed])),
    )
    .set((
        review_tasks::state.eq(ReviewState::Cancelled),
        review_tasks::version.eq(review_tasks::version + 1),
    ))
    .execute(conn)
    .map(drop)
}
