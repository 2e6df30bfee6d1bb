//! Taking, keeping, giving back and assigning tasks.

use actix_web::{post, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{record, refuse, shown, step};
use crate::app::App;
use crate::auth::{Allowed, Caller, Role, op};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::filings::{self, Filing};
use crate::kernel::etag::IfMatch;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{ReviewId, UserId};
use crate::kernel::json::{Json, Path};
use crate::kernel::reply::Reply;
use crate::reviews::Stage;
use crate::reviews::body::Review;
use crate::reviews::model::{self, Task};
use crate::reviews::next_actions::{is_separate, reviewer};
use crate::schema::users;

/// Which task to take.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "stage": "initial_review" }))]
pub struct ClaimNextReview {
    /// Only of this stage.
    stage: Option<Stage>,
    /// Only of this province, GB/T 2260.
    #[schema(min_length = 6, max_length = 6)]
    province_code: Option<String>,
}

/// Who shall take the task.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "user_id": "0193a000-0000-7000-8000-000000011004" }))]
pub struct AssignReview {
    /// A reviewer; for escalated tasks a senior one.
    user_id: UserId,
}

/// Gives the locked task to the caller, with everything that a claim leaves behind.
pub(super) fn take(
    conn: &mut PgConnection,
    caller: &Caller,
    filing: &Filing,
    task: Task,
    now: DateTime<Utc>,
) -> ApiResult<Task> {
    let before = task.claimed_by;
    let task = model::give(conn, now, &task, caller.user_id)?;
    // The filing shows reviewers whether they hold its task.
    filings::touch(conn, now, filing.id)?;
    let details = json!({ "stage": task.stage, "taken_from": before.filter(|id| *id != caller.user_id) });
    record(conn, now, caller, filing, &task, "review.claimed", details)?;
    Ok(task)
}

/// Claim the next task
///
/// A reviewer takes the first task that they may take: due first, for senior reviewers escalated ones before all; never one
/// of a filing that they worked on, or that is assigned to somebody else. Two reviewers who ask at once get different tasks.
#[utoipa::path(operation_id = "claimNextReview", tag = "reviews",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own.")),
    responses(
        (status = 200, description = "The task, claimed for 30 minutes.", body = Review),
        (status = 409, description = "`nothing_to_claim`"),
    ))]
#[post("/v1/reviews/claim-next")]
pub async fn claim_next_review(
    app: web::Data<App>,
    caller: Allowed<op::ClaimNextReview>,
    idempotency: Idempotency,
    body: Json<ClaimNextReview>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller.clone();
    let key = caller.user_id.to_string();
    let ClaimNextReview { stage, province_code } = body.0;
    idempotency
        .run(
            &app.db,
            now,
            &key,
            |_| Ok(()),
            move |conn| {
                let task = model::lock_next(conn, reviewer(&caller), stage, province_code.as_deref(), now)?
                    .ok_or_else(|| ApiError::new(&codes::NOTHING_TO_CLAIM))?;
                let filing = filings::model::find(conn, task.filing_id)?;
                filings::ensure_separate(conn, &caller, &filing)?;
                let task = take(conn, &caller, &filing, task, now)?;
                shown(conn, &caller, task, now)
            },
        )
        .await
}

/// Claim a task
///
/// A reviewer takes an open task, or one whose lease has lapsed, for 30 minutes; claiming one's own again renews it.
/// Escalated tasks are for senior reviewers, assigned ones for their person. Nobody takes a filing that they worked on.
#[utoipa::path(operation_id = "claimReview", tag = "reviews",
    params(
        ("id" = ReviewId, Path, description = "The task.", example = "0193a000-0000-7000-8000-000000017001"),
        ("If-Match" = Option<String>, Header, nullable = false, description = "The ETag that you saw; optional."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own."),
    ),
    responses(
        (status = 200, description = "The claimed task.", body = Review),
        (status = 403, description = "`separation_of_duties`, `escalated`"),
        (status = 409, description = "`claimed_by_another`, `assigned_to_another`, `invalid_transition`"),
    ))]
#[post("/v1/reviews/{id}/claim")]
pub async fn claim_review(
    app: web::Data<App>,
    caller: Allowed<op::ClaimReview>,
    id: Path<ReviewId>,
    if_match: IfMatch,
    idempotency: Idempotency,
) -> ApiResult<Reply> {
    step(&app, &caller, id.0, (if_match, idempotency), |conn, caller, filing, task, now| {
        let who = reviewer(caller);
        filings::ensure_separate(conn, caller, &filing)?;
        task.seat().may_claim(who, now).map_err(|refusal| refuse(conn, refusal, &task))?;
        take(conn, caller, &filing, task, now)
    })
    .await
}

/// Renew a claim
///
/// The holder's 30 minutes begin anew; also after the lease lapsed, as long as nobody else took the task.
#[utoipa::path(operation_id = "renewReview", tag = "reviews",
    params(
        ("id" = ReviewId, Path, description = "The task.", example = "0193a000-0000-7000-8000-000000017002"),
        ("If-Match" = Option<String>, Header, nullable = false, description = "The ETag that you saw; optional."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own."),
    ),
    responses(
        (status = 200, description = "The task with its new lease.", body = Review),
        (status = 403, description = "`escalated`"),
        (status = 409, description = "`claimed_by_another`, `not_claimed`, `invalid_transition`"),
    ))]
#[post("/v1/reviews/{id}/renew")]
pub async fn renew_review(
    app: web::Data<App>,
    caller: Allowed<op::RenewReview>,
    id: Path<ReviewId>,
    if_match: IfMatch,
    idempotency: Idempotency,
) -> ApiResult<Reply> {
    step(&app, &caller, id.0, (if_match, idempotency), |conn, caller, filing, task, now| {
        task.seat().may_decide(reviewer(caller)).map_err(|refusal| refuse(conn, refusal, &task))?;
        let task = model::renew(conn, now, &task)?;
        record(conn, now, caller, &filing, &task, "review.renewed", json!({}))?;
        Ok(task)
    })
    .await
}

/// Put a task back into the queue
///
/// The holder, or a senior reviewer for anybody: then an assignment ends too. The draft of the decision stays for whoever
/// takes the task next.
#[utoipa::path(operation_id = "releaseReview", tag = "reviews",
    params(
        ("id" = ReviewId, Path, description = "The task.", example = "0193a000-0000-7000-8000-000000017002"),
        ("If-Match" = Option<String>, Header, nullable = false, description = "The ETag that you saw; optional."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own."),
    ),
    responses(
        (status = 200, description = "The open task.", body = Review),
        (status = 409, description = "`claimed_by_another`, `not_claimed`, `invalid_transition`"),
    ))]
#[post("/v1/reviews/{id}/release")]
pub async fn release_review(
    app: web::Data<App>,
    caller: Allowed<op::ReleaseReview>,
    id: Path<ReviewId>,
    if_match: IfMatch,
    idempotency: Idempotency,
) -> ApiResult<Reply> {
    step(&app, &caller, id.0, (if_match, idempotency), |conn, caller, filing, task, now| {
        let who = reviewer(caller);
        task.seat().may_release(who).map_err(|refusal| refuse(conn, refusal, &task))?;
        let details = json!({ "held_by": task.claimed_by });
        let assigned_to = task.assigned_to.filter(|_| !who.is_senior);
        let task = model::put_back(conn, &task, assigned_to)?;
        filings::touch(conn, now, filing.id)?;
        record(conn, now, caller, &filing, &task, "review.released", details)?;
        Ok(task)
    })
    .await
}

/// Assign a task to a reviewer
///
/// A senior reviewer names the only person who may take the task. Somebody else's claim on it ends; the draft stays.
#[utoipa::path(operation_id = "assignReview", tag = "reviews",
    params(
        ("id" = ReviewId, Path, description = "The task.", example = "0193a000-0000-7000-8000-000000017001"),
        ("If-Match" = Option<String>, Header, nullable = false, description = "The ETag that you saw; optional."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own."),
    ),
    responses(
        (status = 200, description = "The assigned task.", body = Review),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[post("/v1/reviews/{id}/assign")]
pub async fn assign_review(
    app: web::Data<App>,
    caller: Allowed<op::AssignReview>,
    id: Path<ReviewId>,
    if_match: IfMatch,
    idempotency: Idempotency,
    body: Json<AssignReview>,
) -> ApiResult<Reply> {
    let assignee = body.0.user_id;
    step(&app, &caller, id.0, (if_match, idempotency), move |conn, caller, filing, task, now| {
        if !task.seat().is_live() {
            return Err(refuse(conn, crate::reviews::rules::Refusal::Closed, &task));
        }
        ensure_fit(conn, caller, assignee, &filing, &task)?;
        let details = json!({ "assigned_to": assignee, "held_by": task.claimed_by });
        let task = if task.seat().is_held_by(assignee) {
            model::set_assignee(conn, &task, assignee)?
        } else {
            filings::touch(conn, now, filing.id)?;
            model::put_back(conn, &task, Some(assignee))?
        };
        record(conn, now, caller, &filing, &task, "review.assigned", details)?;
        Ok(task)
    })
    .await
}

/// 422 unless the assignee could take the task.
fn ensure_fit(
    conn: &mut PgConnection,
    caller: &Caller,
    assignee: UserId,
    filing: &Filing,
    task: &Task,
) -> ApiResult<()> {
    let wrong = |code: &str, zh: &str, en: &str| Err(ApiError::invalid_field("/user_id", code, zh, en));
    let roles: Option<Vec<Option<String>>> = users::table
        .find(assignee)
        .filter(users::disabled_at.is_null())
        .filter(users::account_id.is_null())
        .select(users::roles)
        .first(conn)
        .optional()?;
    let roles: Vec<Role> =
        roles.into_iter().flatten().flatten().filter_map(|role| role.parse().ok()).collect();
    let is_senior = roles.contains(&Role::SeniorReviewer);
    if !is_senior && !roles.contains(&Role::Reviewer) {
        return wrong("not_a_reviewer", "不是可用的审核员", "is not an active reviewer");
    }
    if task.is_escalated && !is_senior {
        return wrong(
            "escalated",
            "已升级的任务须指派给高级审核员",
            "an escalated task needs a senior reviewer",
        );
    }
    if !is_separate(conn, caller, assignee, filing)? {
        return wrong(
            "separation_of_duties",
            "该审核员与此订单有关",
            "this reviewer is involved in the filing",
        );
    }
    Ok(())
}
