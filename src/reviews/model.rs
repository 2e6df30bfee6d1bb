//! Rows of review tasks.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::{ReviewState, Stage};
use crate::kernel::ids::{FilingId, PhotoVerificationId, ReviewId, RevisionId};
use crate::schema::review_tasks;

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
    let rounds: i64 = review_tasks::table
        .filter(review_tasks::filing_id.eq(task.filing_id))
        .filter(review_tasks::stage.eq(task.stage))
        .count()
        .get_result(conn)?;
    diesel::insert_into(review_tasks::table)
        .values((
            review_tasks::id.eq(id),
            review_tasks::filing_id.eq(task.filing_id),
            review_tasks::stage.eq(task.stage),
            review_tasks::state.eq(ReviewState::Open),
            review_tasks::revision_id.eq(task.revision_id),
            review_tasks::photo_verification_id.eq(task.photo_verification_id),
            review_tasks::round.eq(rounds as i32 + 1),
            review_tasks::province_code.eq(task.province_code),
            review_tasks::is_escalated.eq(task.is_escalated),
            review_tasks::due_at.eq(task.due_at),
            review_tasks::due_is_provisional.eq(task.due_is_provisional),
            review_tasks::checklist.eq(json!([])),
            review_tasks::created_at.eq(now),
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
    .set((review_tasks::state.eq(ReviewState::Cancelled), review_tasks::version.eq(review_tasks::version + 1)))
    .execute(conn)
    .map(drop)
}
