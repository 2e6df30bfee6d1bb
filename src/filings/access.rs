//! Who may see a filing, and who may not decide it. Domain section 1.

use diesel::prelude::*;

use super::model::{self, Filing, Revision};
use crate::auth::{Caller, Role};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::ids::{AccountId, FilingId, UserId};
use crate::reviews::ReviewState;
use crate::schema::{bureau_submissions, review_task_holders, review_tasks, users};

/// Reads a filing that the caller may see; for anybody else it does not exist.
///
/// # Errors
/// 404.
pub fn visible(conn: &mut PgConnection, caller: &Caller, id: FilingId) -> ApiResult<Filing> {
    let filing = model::find(conn, id)?;
    ensure_visible(conn, caller, &filing)?;
    Ok(filing)
}

/// For a filing that was read already.
///
/// # Errors
/// 404 when the caller may not see it.
pub fn ensure_visible(conn: &mut PgConnection, caller: &Caller, filing: &Filing) -> ApiResult<()> {
    if may_see(conn, caller, filing)? { Ok(()) } else { Err(ApiError::not_found()) }
}

/// Reads a filing that is the caller's own (or their partner's).
///
/// # Errors
/// 404.
pub fn owned(conn: &mut PgConnection, caller: &Caller, id: FilingId) -> ApiResult<Filing> {
    let filing = model::find(conn, id)?;
    if caller.owns(filing.account_id, filing.partner_id) { Ok(filing) } else { Err(ApiError::not_found()) }
}

/// The submission that a caller sees instead of the draft: staff see what was submitted last and never what the owner is
/// still writing. None for the owner, and before the first submission.
///
/// # Errors
/// When the database fails.
pub fn shown_revision(
    conn: &mut PgConnection,
    caller: &Caller,
    filing: &Filing,
) -> QueryResult<Option<Revision>> {
    if caller.owns(filing.account_id, filing.partner_id) || filing.revision_no == 0 {
        return Ok(None);
    }
    model::last_revision(conn, filing.id).map(Some)
}

fn may_see(conn: &mut PgConnection, caller: &Caller, filing: &Filing) -> QueryResult<bool> {
    if caller.is_owner_side() {
        return Ok(caller.owns(filing.account_id, filing.partner_id));
    }
    // Staff read masked. A draft that was never submitted is nobody's business but the owner's, support's and the admin's.
    if caller.has(Role::Support) || caller.has(Role::Admin) {
        return Ok(true);
    }
    if caller.has(Role::Reviewer) && filing.revision_no > 0 {
        return Ok(true);
    }
    if caller.has(Role::BureauOperator) {
        return diesel::select(diesel::dsl::exists(
            bureau_submissions::table.filter(bureau_submissions::filing_id.eq(filing.id)),
        ))
        .get_result(conn);
    }
    Ok(false)
}

/// Whether the caller may open the files of a filing: the owner; a reviewer who holds or has held a task of it; a bureau
/// operator once it was queued for the bureau.
///
/// # Errors
/// When the database fails.
pub fn may_open_files(conn: &mut PgConnection, caller: &Caller, filing: &Filing) -> QueryResult<bool> {
    if caller.is_owner_side() {
        return Ok(caller.owns(filing.account_id, filing.partner_id));
    }
    if caller.has(Role::Reviewer) {
        let holds = diesel::select(diesel::dsl::exists(
            review_task_holders::table
                .filter(review_task_holders::filing_id.eq(filing.id))
                .filter(review_task_holders::user_id.eq(caller.user_id)),
        ))
        .get_result(conn)?;
        if holds {
            return Ok(true);
        }
    }
    Ok(caller.has(Role::BureauOperator) && may_see(conn, caller, filing)?)
}

/// Separation of duties: nobody reviews or decides a filing of their own account, or one that they created, edited or
/// submitted.
///
/// # Errors
/// 403 `separation_of_duties`.
pub fn ensure_separate(conn: &mut PgConnection, caller: &Caller, filing: &Filing) -> ApiResult<()> {
    let own_account: Option<AccountId> =
        users::table.find(caller.user_id).select(users::account_id).first(conn)?;
    if own_account == Some(filing.account_id) || model::is_participant(conn, filing.id, caller.user_id)? {
        return Err(ApiError::new(&codes::SEPARATION_OF_DUTIES));
    }
    Ok(())
}

/// Whether a reviewer holds the open task of a filing.
///
/// # Errors
/// When the database fails.
pub fn holds_task(conn: &mut PgConnection, user: UserId, filing: FilingId) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(
        review_tasks::table
            .filter(review_tasks::filing_id.eq(filing))
            .filter(review_tasks::state.eq(ReviewState::Claimed))
            .filter(review_tasks::claimed_by.eq(user)),
    ))
    .get_result(conn)
}
