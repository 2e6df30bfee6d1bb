//! Rows of bureau submissions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::SubmissionState;
use crate::kernel::ids::{FilingId, RevisionId, SubmissionId};
use crate::kernel::jobs::{self, NewJob};
use crate::schema::bureau_submissions as submissions;

const LIVE: [SubmissionState; 5] = [
    SubmissionState::Queued,
    SubmissionState::Sending,
    SubmissionState::Accepted,
    SubmissionState::Unconfirmed,
    SubmissionState::Failed,
];

/// A submission to be queued.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    /// The filing.
    pub filing_id: FilingId,
    /// The revision that is handed over.
    pub revision_id: RevisionId,
    /// Province code of the bureau.
    pub bureau_code: String,
    /// To be handed over within one working day.
    pub due_at: DateTime<Utc>,
    /// The due time lies beyond the loaded calendar.
    pub due_is_provisional: bool,
}

/// Queues a revision for the bureau and enqueues the job that sends it.
///
/// # Errors
/// When the database fails.
pub fn queue(conn: &mut PgConnection, now: DateTime<Utc>, new: NewSubmission) -> QueryResult<SubmissionId> {
    let id = SubmissionId::new();
    diesel::insert_into(submissions::table)
        .values((
            submissions::id.eq(id),
            submissions::filing_id.eq(new.filing_id),
            submissions::revision_id.eq(new.revision_id),
            submissions::bureau_code.eq(new.bureau_code),
            submissions::state.eq(SubmissionState::Queued),
            submissions::queued_at.eq(now),
            submissions::due_at.eq(new.due_at),
            submissions::due_is_provisional.eq(new.due_is_provisional),
            submissions::updated_at.eq(now),
        ))
        .execute(conn)?;
    jobs::enqueue(
        conn,
        now,
        NewJob::new("bureau.dispatch", json!({ "submission_id": id })).once(format!("bureau.dispatch/{id}")),
    )?;
    Ok(id)
}

/// State of the live submission of a filing.
///
/// # Errors
/// When the database fails.
pub fn live_state(conn: &mut PgConnection, filing: FilingId) -> QueryResult<Option<SubmissionState>> {
    submissions::table
        .filter(submissions::filing_id.eq(filing))
        .filter(submissions::state.eq_any(LIVE))
        .select(submissions::state)
        .first(conn)
        .optional()
}

/// Cancels a submission that has not been sent.
///
/// # Errors
/// When the database fails.
pub fn cancel_queued(conn: &mut PgConnection, now: DateTime<Utc>, filing: FilingId) -> QueryResult<()> {
    diesel::update(
        submissions::table
            .filter(submissions::filing_id.eq(filing))
            .filter(submissions::state.eq(SubmissionState::Queued)),
    )
    .set((
        submissions::state.eq(SubmissionState::Cancelled),
        submissions::updated_at.eq(now),
        submissions::version.eq(submissions::version + 1),
    ))
    .execute(conn)
    .map(drop)
}
