//! Deciding: the draft, the approval, the rejection.

use actix_web::{post, put, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{ensure_no, lock, record, refuse, shown, step};
use crate::app::App;
use crate::audit::Actor;
use crate::auth::{Allowed, Caller, op};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::filings::rejections::{NewItem, RejectionSource, TargetKind};
use crate::filings::{self, Action, Ctx, Filing, Input, Side};
use crate::kernel::clock::shanghai_date;
use crate::kernel::etag::{self, IfMatch};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::ReviewId;
use crate::kernel::json::{Json, Path};
use crate::kernel::reply::Reply;
use crate::reviews::body::{self, DraftItem, Review, ReviewDraft};
use crate::reviews::model::{self, Task};
use crate::reviews::next_actions::reviewer;
use crate::reviews::rules::{self, Against};
use crate::reviews::{ReviewState, Stage};
use crate::{catalogue, photo_verifications};

/// An unfinished decision, whole: what is absent is empty.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "checklist": ["changes_consistent", "site_name"],
    "items": [{ "target_kind": "field", "pointer": "/website/name", "code": "SITE_NAME_INVALID" }],
    "note": "证件待核对"
}))]
pub struct SaveReviewDraft {
    /// Codes ticked so far.
    #[serde(default)]
    #[schema(max_items = 50)]
    checklist: Vec<String>,
    /// Items of a rejection, complete or not.
    #[serde(default)]
    #[schema(max_items = 50)]
    items: Vec<DraftItem>,
    /// Closing words.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

/// An approval.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "checklist": [
    "changes_consistent", "site_name", "service_content", "domains", "site_reachable",
    "person_identity", "person_contact", "pre_approvals", "materials"
] }))]
pub struct ApproveReview {
    /// Every code of the stage's checklist: what the reviewer has made sure of.
    #[schema(max_items = 50)]
    checklist: Vec<String>,
}

/// A rejection.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "items": [{
        "target_kind": "field", "pointer": "/website/name", "code": "SITE_NAME_INVALID",
        "reason": "网站名称含有禁用词语", "suggestion": "请改为与主体名称相关的名称"
    }],
    "note": "请修改后重新提交"
}))]
pub struct RejectReview {
    /// What is wrong, item by item.
    #[schema(min_items = 1, max_items = 50)]
    items: Vec<RejectItem>,
    /// Closing words to the applicant.
    #[schema(min_length = 1, max_length = 1000)]
    note: Option<String>,
}

/// One reason, on one field, material or the photo.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectItem {
    /// What it points at. The photo belongs to the photo review.
    target_kind: TargetKind,
    /// JSON pointer of a field of `/website` or `/subject`; for fields only.
    #[schema(max_length = 200, example = "/website/name")]
    pointer: Option<String>,
    /// Code of the dictionary `material`; for materials only.
    #[schema(max_length = 50)]
    material_code: Option<String>,
    /// Code of a rejection reason that fits the target.
    #[schema(min_length = 1, max_length = 50, example = "SITE_NAME_INVALID")]
    code: String,
    /// What is wrong here; at least 10 characters when the code is `OTHER`.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
    /// What to do; the catalogue's words when absent.
    #[schema(min_length = 1, max_length = 1000)]
    suggestion: Option<String>,
}

impl From<RejectItem> for NewItem {
    fn from(item: RejectItem) -> Self {
        let RejectItem { target_kind, pointer, material_code, code, reason, suggestion } = item;
        Self { target_kind, pointer, material_code, code, reason, suggestion }
    }
}

/// Save the draft of a decision
///
/// The holder keeps ticks, items and closing words, complete or not. The draft survives the lease and a release: whoever
/// takes the task next finds it. It replaces the draft before, and is gone when the task is decided.
#[utoipa::path(operation_id = "saveReviewDraft", tag = "reviews",
    params(
        ("id" = ReviewId, Path, description = "The task.", example = "0193a000-0000-7000-8000-000000017002"),
        ("If-Match" = Option<String>, Header, nullable = false, description = "The ETag that you saw; optional."),
    ),
    responses(
        (status = 200, description = "The task with its draft.", body = Review),
        (status = 403, description = "`escalated`"),
        (status = 409, description = "`claimed_by_another`, `not_claimed`, `invalid_transition`"),
    ))]
#[put("/v1/reviews/{id}/draft")]
pub async fn save_review_draft(
    app: web::Data<App>,
    caller: Allowed<op::SaveReviewDraft>,
    id: Path<ReviewId>,
    if_match: IfMatch,
    body: Json<SaveReviewDraft>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller.clone();
    let SaveReviewDraft { checklist, items, note } = body.0;
    app.db
        .transaction(move |conn| {
            let (filing, task) = lock(conn, id.0)?;
            etag::ensure_version(if_match.optional(), task.version)?;
            task.seat().may_decide(reviewer(&caller)).map_err(|refusal| refuse(conn, refusal, &task))?;
            let list = catalogue::checklist(conn, task.stage.as_str(), shanghai_date(now))?;
            ensure_no(rules::unknown_codes(&checklist, &list))?;
            let draft = serde_json::to_value(ReviewDraft { items, note }).map_err(ApiError::internal)?;
            let task = model::save_draft(conn, &task, &checklist, draft)?;
            record(conn, now, &caller, &filing, &task, "review.draft_saved", json!({}))?;
            shown(conn, &caller, task, now)
        })
        .await
}

/// Approve
///
/// The holder, with the whole checklist. After the initial review the filing goes on to `photo_required`, or straight to
/// `bureau_queued` when a valid photo of the person exists; after the photo review to `bureau_queued`. The first of two
/// decisions counts. Events: `initial_review.passed`, `photo.passed`.
#[utoipa::path(operation_id = "approveReview", tag = "reviews",
    params(
        ("id" = ReviewId, Path, description = "The task.", example = "0193a000-0000-7000-8000-000000017002"),
        ("If-Match" = Option<String>, Header, nullable = false, description = "The ETag that you saw; optional."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own."),
    ),
    responses(
        (status = 200, description = "The approved task.", body = Review),
        (status = 403, description = "`separation_of_duties`, `escalated`"),
        (status = 409, description = "`claimed_by_another`, `not_claimed`, `invalid_transition`"),
    ))]
#[post("/v1/reviews/{id}/approve")]
pub async fn approve_review(
    app: web::Data<App>,
    caller: Allowed<op::ApproveReview>,
    id: Path<ReviewId>,
    if_match: IfMatch,
    idempotency: Idempotency,
    body: Json<ApproveReview>,
) -> ApiResult<Reply> {
    let ticked = body.0.checklist;
    step(&app, &caller, id.0, (if_match, idempotency), move |conn, caller, filing, task, now| {
        approve(conn, caller, filing, &task, &ticked, now)
    })
    .await
}

/// Reject with reasons
///
/// The holder, with one to fifty items on fields, materials or the photo. The initial review leads to `initial_rejected`. In
/// the photo review, items on the photo alone lead to `photo_rejected`; one item on the data leads to `initial_rejected` and
/// cancels the photo. The same reason on the same target in two rounds running escalates the next review. Events:
/// `initial_review.rejected`, `photo.rejected`.
#[utoipa::path(operation_id = "rejectReview", tag = "reviews",
    params(
        ("id" = ReviewId, Path, description = "The task.", example = "0193a000-0000-7000-8000-000000017002"),
        ("If-Match" = Option<String>, Header, nullable = false, description = "The ETag that you saw; optional."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own."),
    ),
    responses(
        (status = 200, description = "The rejected task.", body = Review),
        (status = 403, description = "`separation_of_duties`, `escalated`"),
        (status = 409, description = "`claimed_by_another`, `not_claimed`, `invalid_transition`"),
    ))]
#[post("/v1/reviews/{id}/reject")]
pub async fn reject_review(
    app: web::Data<App>,
    caller: Allowed<op::RejectReview>,
    id: Path<ReviewId>,
    if_match: IfMatch,
    idempotency: Idempotency,
    body: Json<RejectReview>,
) -> ApiResult<Reply> {
    let RejectReview { items, note } = body.0;
    let items: Vec<NewItem> = items.into_iter().map(NewItem::from).collect();
    step(&app, &caller, id.0, (if_match, idempotency), move |conn, caller, filing, task, now| {
        reject(conn, caller, filing, &task, (&items, note.as_deref()), now)
    })
    .await
}

/// Approves a locked task that the caller holds.
pub(super) fn approve(
    conn: &mut PgConnection,
    caller: &Caller,
    filing: Filing,
    task: &Task,
    ticked: &[String],
    now: DateTime<Utc>,
) -> ApiResult<Task> {
    ensure_may_decide(conn, caller, &filing, task)?;
    let list = catalogue::checklist(conn, task.stage.as_str(), shanghai_date(now))?;
    ensure_no(rules::check_checklist(ticked, &list))?;
    let action = match task.stage {
        Stage::InitialReview => Action::ApproveInitialReview,
        Stage::PhotoReview => Action::ApprovePhoto,
    };
    let input = Input { data: json!({ "review_id": task.id }), ..Input::default() };
    decide(conn, caller, filing, task, action, input, now)?;
    Ok(model::close(conn, now, task, ReviewState::Approved, caller.user_id, Some(ticked))?)
}

/// Rejects a locked task that the caller holds, with items and closing words.
pub(super) fn reject(
    conn: &mut PgConnection,
    caller: &Caller,
    filing: Filing,
    task: &Task,
    (items, note): (&[NewItem], Option<&str>),
    now: DateTime<Utc>,
) -> ApiResult<Task> {
    ensure_may_decide(conn, caller, &filing, task)?;
    ensure_items(conn, &filing, task, items, now)?;
    let is_about_data = items.iter().any(|item| item.target_kind != TargetKind::Photo);
    let (action, source) = match task.stage {
        Stage::InitialReview => (Action::RejectInitialReview, RejectionSource::InitialReview),
        Stage::PhotoReview if is_about_data => (Action::RejectDataAtPhoto, RejectionSource::PhotoReview),
        Stage::PhotoReview => (Action::RejectPhoto, RejectionSource::PhotoReview),
    };
    let input = Input {
        rejection: Some((source, note, items)),
        data: json!({ "review_id": task.id }),
        ..Input::default()
    };
    decide(conn, caller, filing, task, action, input, now)?;
    Ok(model::close(conn, now, task, ReviewState::Rejected, caller.user_id, None)?)
}

/// The guards of a decision: it is the holder, and nobody who worked on the filing.
fn ensure_may_decide(
    conn: &mut PgConnection,
    caller: &Caller,
    filing: &Filing,
    task: &Task,
) -> ApiResult<()> {
    task.seat().may_decide(reviewer(caller)).map_err(|refusal| refuse(conn, refusal, task))?;
    filings::ensure_separate(conn, caller, filing)
}

/// Checks the items against the catalogue in force and against what was submitted.
fn ensure_items(
    conn: &mut PgConnection,
    filing: &Filing,
    task: &Task,
    items: &[NewItem],
    now: DateTime<Utc>,
) -> ApiResult<()> {
    let today = shanghai_date(now);
    let (website, subject) = body::reviewed(conn, task, filing)?;
    let against = Against {
        stage: task.stage,
        reasons: &catalogue::rejection_reasons(conn, today)?,
        materials: &catalogue::dictionary(conn, "material", today)?,
        document: &json!({ "website": website, "subject": subject }),
    };
    ensure_no(rules::check_items(items, &against))
}

/// Moves the filing, the photo's own state and the trail; the task's row is the caller's to close.
fn decide(
    conn: &mut PgConnection,
    caller: &Caller,
    filing: Filing,
    task: &Task,
    action: Action,
    input: Input<'_>,
    now: DateTime<Utc>,
) -> ApiResult<()> {
    // Before the filing moves: its effects look at the photo. Wrong data cancel the attempt, which `act` does itself.
    let passed = match action {
        Action::ApprovePhoto => Some(true),
        Action::RejectPhoto => Some(false),
        _ => None,
    };
    if let (Some(passed), Some(photo)) = (passed, task.photo_verification_id) {
        let written = photo_verifications::decide(conn, now, photo, passed).optional()?;
        written.ok_or_else(|| ApiError::new(&codes::CONFLICT))?;
    }
    let ctx = Ctx::new(now, Actor::from(caller), Side::Reviewer);
    let filing = filings::act(conn, &ctx, filing, action, input)?;
    let details = json!({ "stage": task.stage, "round": task.round, "action": action });
    let name = match action {
        Action::ApproveInitialReview | Action::ApprovePhoto => "review.approved",
        _ => "review.rejected",
    };
    record(conn, now, caller, &filing, task, name, details)?;
    Ok(())
}
