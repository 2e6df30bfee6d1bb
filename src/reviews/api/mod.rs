//! Handlers of reviews.

mod claims;
mod decisions;
mod queue;
mod sandbox;
mod summary;

pub use sandbox::claim_and_decide;

use crate::routes::Router;
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::body;
use super::model::{self, Task};
use super::rules::{Fault, Refusal};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult, FieldError, Place, members};
use crate::error_codes as codes;
use crate::filings::{self, Filing};
use crate::kernel::etag::{self, IfMatch};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{ReviewId, UserId};
use crate::kernel::reply::Reply;
use crate::schema::{review_tasks, users};

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl Router) {
    // Fixed addresses before `/v1/reviews/{id}`.
    cfg.service(queue::list_reviews)
        .service(summary::get_review_summary)
        .service(claims::claim_next_review)
        .service(queue::get_review)
        .service(claims::claim_review)
        .service(claims::renew_review)
        .service(claims::release_review)
        .service(claims::assign_review)
        .service(decisions::save_review_draft)
        .service(decisions::approve_review)
        .service(decisions::reject_review);
}

/// The reply that shows a task, with its ETag.
fn shown(conn: &mut PgConnection, caller: &Caller, task: Task, now: DateTime<Utc>) -> ApiResult<Reply> {
    let (review, tag) = body::show(conn, caller, task, now)?;
    Ok(Reply::ok(&review)?.etag(tag))
}

/// Locks a task with its filing, in the order in which everybody locks: the filing's id is read unlocked, the filing
/// locked, the task read again under its own lock.
fn lock(conn: &mut PgConnection, id: ReviewId) -> ApiResult<(Filing, Task)> {
    let filing = review_tasks::table.find(id).select(review_tasks::filing_id).first(conn)?;
    let filing = filings::lock(conn, filing)?;
    Ok((filing, model::lock(conn, id)?))
}

/// Runs a step on a locked task, at most once per key, and shows what became of it.
async fn step<W>(
    app: &App,
    caller: &Caller,
    id: ReviewId,
    (if_match, idempotency): (IfMatch, Idempotency),
    work: W,
) -> ApiResult<Reply>
where
    W: FnOnce(&mut PgConnection, &Caller, Filing, Task, DateTime<Utc>) -> ApiResult<Task> + Send + 'static,
{
    let now = app.clock.now();
    let key = caller.user_id.to_string();
    let caller = caller.clone();
    idempotency
        .run(
            &app.db,
            now,
            &key,
            move |conn| Ok(model::find(conn, id).map(drop)?),
            move |conn| {
                let (filing, task) = lock(conn, id)?;
                etag::ensure_version(if_match.optional(), task.version)?;
                let task = work(conn, &caller, filing, task, now)?;
                shown(conn, &caller, task, now)
            },
        )
        .await
}

/// The problem of a refused step, with what helps the loser: who was faster, until when, and what became of it.
fn refuse(conn: &mut PgConnection, refusal: Refusal, task: &Task) -> ApiError {
    let name = |conn: &mut PgConnection, id: Option<UserId>| -> Option<String> {
        users::table.find(id?).select(users::display_name).first(conn).ok()
    };
    match refusal {
        Refusal::Closed => {
            let decided_by = name(conn, task.decided_by);
            ApiError::new(&codes::INVALID_TRANSITION)
                .detail("该任务已处理或已取消。", "This task is decided or cancelled.")
                .with(&members::CURRENT_STATUS, task.state)
                .with(&members::ALLOWED_ACTIONS, [""; 0])
                .with(&members::DECIDED_BY, decided_by)
                .with(&members::DECIDED_AT, task.decided_at)
        }
        Refusal::ClaimedByAnother => {
            let holder = name(conn, task.claimed_by);
            ApiError::new(&codes::CLAIMED_BY_ANOTHER)
                .with(&members::CURRENT_STATUS, task.state)
                .with(&members::CLAIMED_BY, holder)
                .with(&members::LEASE_EXPIRES_AT, task.lease_expires_at)
        }
        Refusal::AssignedToAnother => {
            let assignee = name(conn, task.assigned_to);
            ApiError::new(&codes::ASSIGNED_TO_ANOTHER)
                .with(&members::CURRENT_STATUS, task.state)
                .with(&members::ASSIGNED_TO, assignee)
        }
        Refusal::NotClaimed => ApiError::new(&codes::NOT_CLAIMED).with(&members::CURRENT_STATUS, task.state),
        Refusal::Escalated => ApiError::new(&codes::ESCALATED),
    }
}

/// 422 with every fault, when there is one.
fn ensure_no(faults: Vec<Fault>) -> ApiResult<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let errors = faults
        .into_iter()
        .map(|fault| FieldError::new(Place::Pointer(fault.pointer), fault.code, fault.detail));
    Err(ApiError::invalid(errors.collect()))
}

/// Writes the audit row of a step on a task.
fn record(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    filing: &Filing,
    task: &Task,
    action: &'static str,
    details: serde_json::Value,
) -> QueryResult<()> {
    let deed =
        Deed::new(action, "review", task.id.0).account(filing.account_id).filing(filing.id).details(details);
    audit::record(conn, now, &Actor::from(caller), deed)
}
