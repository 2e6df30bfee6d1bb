//! What a simulated reviewer does, by the same rules as a person: claim and decide.

use chrono::{DateTime, Utc};
use diesel::PgConnection;

use super::{claims, decisions, lock, refuse};
use crate::auth::Caller;
use crate::catalogue;
use crate::error::ApiResult;
use crate::filings;
use crate::filings::rejections::NewItem;
use crate::kernel::clock::shanghai_date;
use crate::kernel::ids::ReviewId;
use crate::reviews::next_actions::reviewer;

/// Claims a task and approves it with the whole checklist or, with items, rejects it. In the caller's transaction.
///
/// # Errors
/// As the operations `claimReview`, `approveReview` and `rejectReview`.
pub fn claim_and_decide(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    id: ReviewId,
    items: &[NewItem],
) -> ApiResult<()> {
    let (filing, task) = lock(conn, id)?;
    filings::ensure_separate(conn, caller, &filing)?;
    task.seat().may_claim(reviewer(caller), now).map_err(|refusal| refuse(conn, refusal, &task))?;
    let task = claims::take(conn, caller, &filing, task, now)?;
    // The claim has raised the filing's version.
    let filing = filings::lock(conn, task.filing_id)?;
    if items.is_empty() {
        let list = catalogue::checklist(conn, task.stage.as_str(), shanghai_date(now))?;
        let ticked: Vec<String> = list.into_iter().map(|item| item.code).collect();
        decisions::approve(conn, caller, filing, &task, &ticked, now)?;
    } else {
        decisions::reject(conn, caller, filing, &task, (items, None), now)?;
    }
    Ok(())
}
