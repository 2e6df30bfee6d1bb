//! What a reviewer can do next with a task.

use chrono::{DateTime, Utc};
use diesel::PgConnection;

use super::model::Task;
use super::rules::{Refusal, Reviewer};
use crate::auth::{Caller, Role};
use crate::error::ApiResult;
use crate::error_codes as codes;
use crate::filings::{self, Filing};
use crate::kernel::ids::UserId;
use crate::photo_verifications;
use crate::websites::next_action::{BlockedBy, NextAction};

/// The caller as the rules see them.
pub fn reviewer(caller: &Caller) -> Reviewer {
    Reviewer { id: caller.user_id, is_senior: caller.has(Role::SeniorReviewer) }
}

/// Whether a user may review a filing at all: not of their own account, not one that they worked on.
///
/// # Errors
/// When the database fails.
pub fn is_separate(
    conn: &mut PgConnection,
    caller: &Caller,
    user: UserId,
    filing: &Filing,
) -> ApiResult<bool> {
    let asked = Caller { user_id: user, ..caller.clone() };
    match filings::ensure_separate(conn, &asked, filing) {
        Ok(()) => Ok(true),
        Err(error) if error.code() == &codes::SEPARATION_OF_DUTIES => Ok(false),
        Err(error) => Err(error),
    }
}

/// The steps, the primary one first. Closed tasks offer none.
///
/// # Errors
/// When the database fails.
pub fn next_actions(
    conn: &mut PgConnection,
    caller: &Caller,
    task: &Task,
    filing: &Filing,
    now: DateTime<Utc>,
) -> ApiResult<Vec<NextAction>> {
    let seat = task.seat();
    if !seat.is_live() {
        return Ok(Vec::new());
    }
    let who = reviewer(caller);
    let locale = caller.locale;
    let step = |action: &str, operation: &str, method: &str, rest: &str| {
        NextAction::new(locale, action, operation, method, format!("/v1/reviews/{}/{rest}", task.id))
    };
    let mut list = Vec::new();
    if seat.is_held_by(who.id) {
        list.push(step("approve", "approveReview", "POST", "approve").primary());
        list.push(step("reject", "rejectReview", "POST", "reject"));
        list.push(step("save_draft", "saveReviewDraft", "PUT", "draft"));
        list.push(step("renew", "renewReview", "POST", "renew"));
        list.push(step("release", "releaseReview", "POST", "release"));
    } else {
        let claim = step("claim", "claimReview", "POST", "claim").primary();
        let is_separate = is_separate(conn, caller, who.id, filing)?;
        // The label is that of the problem which the claim itself would answer with.
        let blocked = |mut claim: NextAction, code: &codes::ErrorCode| {
            claim.is_enabled = false;
            let label = code.title(locale).to_owned();
            claim.blocked_by.push(BlockedBy { code: code.code.to_owned(), label, filing_id: None });
            claim
        };
        list.push(match seat.may_claim(who, now) {
            _ if !is_separate => claim.blocked(locale, "own_filing", None),
            Err(Refusal::ClaimedByAnother) => claim.blocked(locale, "claimed_by_another", None),
            Err(Refusal::AssignedToAnother) => blocked(claim, &codes::ASSIGNED_TO_ANOTHER),
            Err(Refusal::Escalated) => blocked(claim, &codes::ESCALATED),
            _ => claim,
        });
        if seat.may_release(who).is_ok() {
            list.push(step("release", "releaseReview", "POST", "release"));
        }
    }
    if let Some(photo) = task.photo_verification_id
        && filings::may_open_files(conn, caller, filing)?
        && photo_verifications::find(conn, photo)?.preview_key.is_some()
    {
        let href = format!("/v1/photo-verifications/{photo}/preview-url");
        list.push(NextAction::new(locale, "open_photo_preview", "createPhotoPreview", "POST", href));
    }
    if who.is_senior {
        list.push(step("assign", "assignReview", "POST", "assign"));
    }
    Ok(list)
}
