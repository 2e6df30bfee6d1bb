//! The queue: list, summary, one task.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shown;
use crate::app::App;
use crate::auth::{Allowed, Caller, op};
use crate::catalogue::{Shown, data};
use crate::error::{ApiError, ApiResult};
use crate::kernel::ids::{FilingId, ReviewId, UserId};
use crate::kernel::json::{CommaList, Path, Query, invalid_parameter};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::kernel::search;
use crate::reviews::body::{self, ReviewCheck, ReviewDraft, StaffMember};
use crate::reviews::model::{self, Task};
use crate::reviews::{ReviewState, Stage};
use crate::schema::review_tasks;

crate::text_enum! {
    /// Order of the review queue.
    pub enum ReviewSort {
        /// The one due first on top.
        DueAt = "due_at",
        /// The one due last on top.
        DueAtDescending = "-due_at",
    }
}

/// Filter of the queue.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReviewFilter {
    /// Stages, comma separated.
    #[param(value_type = Option<String>, example = "initial_review")]
    stage: Option<CommaList<Stage>>,
    /// States, comma separated; `open,claimed` when absent.
    #[param(value_type = Option<String>, example = "open,claimed")]
    state: Option<CommaList<ReviewState>>,
    /// Of this province, GB/T 2260.
    province_code: Option<String>,
    /// Whether only senior reviewers may take it.
    is_escalated: Option<bool>,
    /// Whether the due time has passed.
    overdue: Option<bool>,
    /// `me`, `none`, or the id of a reviewer.
    #[param(pattern = "^(me|none|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")]
    claimed_by: Option<String>,
    /// Due before this time.
    due_before: Option<DateTime<Utc>>,
    /// Prefix of order number or website name.
    #[param(max_length = 100)]
    q: Option<String>,
    /// Order; `due_at`, the one due first on top, when absent.
    #[param(inline)]
    sort: Option<ReviewSort>,
    /// Rows of a page.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of the queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewPage {
    /// The tasks.
    pub items: Vec<ReviewSummary>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// A task in the queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewSummary {
    /// Id.
    pub id: ReviewId,
    /// The filing.
    pub filing_id: FilingId,
    /// 备案订单号.
    #[schema(example = "BA-2026-000123")]
    pub order_no: String,
    /// What is reviewed.
    pub stage: Stage,
    /// Label of the stage.
    #[schema(example = "初审")]
    pub stage_label: String,
    /// Where the task stands.
    pub state: ReviewState,
    /// Label of the state.
    pub state_label: String,
    /// Name of the subject.
    #[schema(example = "北京云上花店有限公司")]
    pub subject_name: String,
    /// Name of the website as submitted.
    #[schema(example = "云上花店之家")]
    pub website_name: Option<String>,
    /// Province of the subject, GB/T 2260.
    #[schema(example = "110000")]
    pub province_code: String,
    /// How often this stage of the filing was reviewed, from 1.
    pub round: i32,
    /// When it must be decided.
    pub due_at: DateTime<Utc>,
    /// The due time lies beyond the loaded working-day calendar and may move.
    pub due_is_provisional: bool,
    /// It waits, and the due time has passed.
    pub overdue: bool,
    /// Working days that are left until the due time, today not counted: 0 on the last day and after it. Null when it was
    /// decided.
    pub working_days_left: Option<u32>,
    /// Who holds it, or held it when it was decided.
    pub claimed_by: Option<StaffMember>,
    /// When the holder's lease ends.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// The only person who may take it.
    pub assigned_to: Option<StaffMember>,
    /// What must be made sure of.
    pub checklist: Vec<ReviewCheck>,
    /// The unfinished decision.
    pub draft: Option<ReviewDraft>,
    /// Only senior reviewers take it.
    pub is_escalated: bool,
    /// Rises with every change.
    pub version: i32,
}

/// States of tasks that wait.
pub(super) const LIVE: [ReviewState; 2] = [ReviewState::Open, ReviewState::Claimed];

/// List the review queue
///
/// Reviewers see every task, the one due first on top; open and claimed ones unless a filter says otherwise.
#[utoipa::path(operation_id = "listReviews", tag = "reviews", params(ReviewFilter),
    responses((status = 200, description = "A page of tasks.", body = ReviewPage)))]
#[get("/v1/reviews")]
pub async fn list_reviews(
    app: web::Data<App>,
    caller: Allowed<op::ListReviews>,
    filter: Query<ReviewFilter>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller.clone();
    let filter = filter.0;
    let is_descending = filter.sort == Some(ReviewSort::DueAtDescending);
    let holder =
        match filter.claimed_by.as_deref() {
            None => None,
            Some("none") => Some(None),
            Some("me") => Some(Some(caller.user_id)),
            Some(id) => Some(Some(id.parse().map_err(|_| {
                invalid_parameter("claimed_by", "invalid_format", "must be me, none or an id")
            })?)),
        };
    let mut bound = filter.clone();
    bound.cursor = None;
    let binding = format!("reviews {} {bound:?}", caller.user_id);
    let from = page::decode(filter.cursor.as_deref(), &binding)?;
    let parts = app.clone();
    app.db
        .run(move |conn| {
            let rows = select(conn, &filter, holder, from, is_descending, now)?;
            let page = Page::cut(rows, filter.limit, &binding, |(task, ..)| Position {
                at: task.due_at,
                id: task.id.0,
            });
            let ids = page.items.iter().flat_map(|(task, ..)| [task.claimed_by, task.assigned_to]);
            let staff = body::staff(conn, ids.collect::<Vec<_>>())?;
            let catalogue = parts.catalogue.shown(conn, now)?;
            let shown = page.map(|row| summary(row, &caller, &staff, &catalogue, now));
            let next = shown.next_cursor.clone();
            let body =
                ReviewPage { items: shown.items, next_cursor: shown.next_cursor, has_more: shown.has_more };
            Ok(Reply::ok(&body)?.next_page(next.as_deref()))
        })
        .await
}

/// Task, order number, name of the subject, name of the website.
type Row = (Task, String, String, Option<String>);

fn summary(
    (task, order_no, subject_name, website_name): Row,
    caller: &Caller,
    staff: &std::collections::HashMap<UserId, StaffMember>,
    catalogue: &Shown,
    now: DateTime<Utc>,
) -> ReviewSummary {
    let who = |id: Option<UserId>| id.and_then(|id| staff.get(&id).cloned());
    let label = |machine, code| data::status_label(machine, code, caller.locale.as_str()).to_owned();
    let list = catalogue.checklist(task.stage.as_str());
    ReviewSummary {
        stage_label: label("review_stage", task.stage.as_str()),
        state_label: label("review", task.state.as_str()),
        overdue: task.seat().is_live() && task.due_at < now,
        working_days_left: task
            .seat()
            .is_live()
            .then(|| catalogue.calendar.working_days_left(now, task.due_at).count),
        claimed_by: who(task.claimed_by),
        assigned_to: who(task.assigned_to),
        checklist: body::checks(list, &task.ticked(), caller.locale),
        draft: task.draft.and_then(|draft| serde_json::from_value(draft).ok()),
        id: task.id,
        filing_id: task.filing_id,
        order_no,
        stage: task.stage,
        state: task.state,
        subject_name,
        website_name,
        province_code: task.province_code,
        round: task.round,
        due_at: task.due_at,
        due_is_provisional: task.due_is_provisional,
        lease_expires_at: task.lease_expires_at,
        is_escalated: task.is_escalated,
        version: task.version,
    }
}

fn select(
    conn: &mut PgConnection,
    filter: &ReviewFilter,
    holder: Option<Option<UserId>>,
    from: Option<Position>,
    is_descending: bool,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Row>> {
    let mut query = review_tasks::table
        .select((
            Task::as_select(),
            review_tasks::order_no,
            review_tasks::subject_name,
            review_tasks::website_name,
        ))
        .into_boxed();
    query = match &filter.state {
        // One state by equality: only then does review_tasks_state_idx give the order too.
        Some(CommaList(states)) if states.len() == 1 => query.filter(review_tasks::state.eq(states[0])),
        Some(CommaList(states)) => query.filter(review_tasks::state.eq_any(states.clone())),
        None => query.filter(review_tasks::state.eq_any(LIVE)),
    };
    if let Some(CommaList(stages)) = &filter.stage {
        query = query.filter(review_tasks::stage.eq_any(stages.clone()));
    }
    if let Some(province) = &filter.province_code {
        query = query.filter(review_tasks::province_code.eq(province.clone()));
    }
    if let Some(is_escalated) = filter.is_escalated {
        query = query.filter(review_tasks::is_escalated.eq(is_escalated));
    }
    query = match filter.overdue {
        Some(true) => query.filter(review_tasks::state.eq_any(LIVE)).filter(review_tasks::due_at.lt(now)),
        Some(false) => query.filter(review_tasks::state.ne_all(LIVE).or(review_tasks::due_at.ge(now))),
        None => query,
    };
    query = match holder {
        Some(Some(id)) => query.filter(review_tasks::claimed_by.eq(id)),
        Some(None) => query.filter(review_tasks::claimed_by.is_null()),
        None => query,
    };
    if let Some(before) = filter.due_before {
        query = query.filter(review_tasks::due_at.lt(before));
    }
    if let Some(q) = filter.q.as_deref().and_then(search::typed) {
        let prefix = search::beginning(q);
        query = query.filter(
            review_tasks::order_no
                .like(prefix.clone())
                .or(review_tasks::website_name.like(prefix).assume_not_null()),
        );
    }
    query = match (from, is_descending) {
        (Some(from), false) => query.filter(
            review_tasks::due_at
                .ge(from.at)
                .and(review_tasks::due_at.gt(from.at).or(review_tasks::id.gt(ReviewId(from.id)))),
        ),
        (Some(from), true) => query.filter(
            review_tasks::due_at
                .le(from.at)
                .and(review_tasks::due_at.lt(from.at).or(review_tasks::id.lt(ReviewId(from.id)))),
        ),
        (None, _) => query,
    };
    query = if is_descending {
        query.order((review_tasks::due_at.desc(), review_tasks::id.desc()))
    } else {
        query.order((review_tasks::due_at.asc(), review_tasks::id.asc()))
    };
    query.limit(filter.limit.rows_to_read()).load(conn)
}

/// Read a review task
///
/// Everything that the decision needs, personal data masked: the submission, what it changes of the filed data and of the
/// round before, materials, earlier rejections with the applicant's replies, the photo with its findings, and what the
/// caller can do next. Files are open to those who hold or have held the task.
#[utoipa::path(operation_id = "getReview", tag = "reviews",
    params(("id" = ReviewId, Path, description = "The task.", example = "0193a000-0000-7000-8000-000000017001")),
    responses(
        (status = 200, description = "The task.", body = body::Review),
        (status = 304, description = "Not modified."),
    ))]
#[get("/v1/reviews/{id}")]
pub async fn get_review(
    app: web::Data<App>,
    caller: Allowed<op::GetReview>,
    id: Path<ReviewId>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller.clone();
    app.db
        .run(move |conn| {
            let task = model::find(conn, id.0).optional()?.ok_or_else(ApiError::not_found)?;
            shown(conn, &caller, task, now)
        })
        .await
}
