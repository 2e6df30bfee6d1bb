//! What waits, in numbers.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::dsl::{count, min};
use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use super::queue::LIVE;
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::data;
use crate::error::ApiResult;
use crate::kernel::reply::Reply;
use crate::reviews::{ReviewState, Stage};
use crate::schema::review_tasks;

/// What waits.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewQueueSummary {
    /// Tasks per stage and state; `open` and `claimed` only.
    pub counts: Vec<ReviewCount>,
    /// Tasks past their due time.
    pub overdue: i64,
    /// Tasks that only senior reviewers may take.
    pub escalated: i64,
    /// Tasks that the caller holds.
    pub mine: i64,
    /// The earliest due time of all that wait; null when nothing waits.
    pub oldest_due_at: Option<DateTime<Utc>>,
}

/// How many tasks stand at a stage in a state.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewCount {
    /// What is reviewed.
    pub stage: Stage,
    /// Label of the stage.
    pub stage_label: String,
    /// Where the tasks stand.
    pub state: ReviewState,
    /// Label of the state.
    pub state_label: String,
    /// How many.
    pub count: i64,
    /// How many of them are past their due time.
    pub overdue: i64,
    /// The earliest due time of them.
    pub oldest_due_at: Option<DateTime<Utc>>,
}

/// Stage, state; how many there are, how many are overdue, escalated, held by the caller; the earliest due time.
type Waiting = (Stage, ReviewState, i64, i64, i64, i64, Option<DateTime<Utc>>);

/// Count what waits for review
///
/// For the reviewers' first page: how many tasks wait per stage and state, how many are late, how many the caller holds.
#[utoipa::path(operation_id = "getReviewSummary", tag = "reviews",
    responses((status = 200, description = "The numbers.", body = ReviewQueueSummary)))]
#[get("/v1/reviews/summary")]
pub async fn get_review_summary(
    app: web::Data<App>,
    caller: Allowed<op::GetReviewSummary>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller.clone();
    app.db
        .run(move |conn| {
            // Counted where they lie: thousands may wait.
            let rows: Vec<Waiting> = review_tasks::table
                .filter(review_tasks::state.eq_any(LIVE))
                .group_by((review_tasks::stage, review_tasks::state))
                .select((
                    review_tasks::stage,
                    review_tasks::state,
                    count(review_tasks::id),
                    count(review_tasks::id).aggregate_filter(review_tasks::due_at.lt(now)),
                    count(review_tasks::id).aggregate_filter(review_tasks::is_escalated),
                    count(review_tasks::id)
                        .aggregate_filter(review_tasks::claimed_by.eq(caller.user_id).assume_not_null()),
                    min(review_tasks::due_at),
                ))
                .load(conn)?;
            let label = |machine, code| data::status_label(machine, code, caller.locale.as_str()).to_owned();
            let mut counts = Vec::new();
            for stage in Stage::ALL {
                for state in LIVE {
                    let row = rows.iter().find(|row| (row.0, row.1) == (*stage, state));
                    counts.push(ReviewCount {
                        stage: *stage,
                        stage_label: label("review_stage", stage.as_str()),
                        state,
                        state_label: label("review", state.as_str()),
                        count: row.map_or(0, |row| row.2),
                        overdue: row.map_or(0, |row| row.3),
                        oldest_due_at: row.and_then(|row| row.6),
                    });
                }
            }
            Reply::ok(&ReviewQueueSummary {
                counts,
                overdue: rows.iter().map(|row| row.3).sum(),
                escalated: rows.iter().map(|row| row.4).sum(),
                mine: rows.iter().map(|row| row.5).sum(),
                oldest_due_at: rows.iter().filter_map(|row| row.6).min(),
            })
        })
        .await
}
