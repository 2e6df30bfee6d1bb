//! What waits, in numbers.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use super::queue::LIVE;
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::data;
use crate::error::ApiResult;
use crate::kernel::ids::UserId;
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

/// Stage, state, due time, whether it is escalated, holder.
type Waiting = (Stage, ReviewState, DateTime<Utc>, bool, Option<UserId>);

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
            let rows: Vec<Waiting> = review_tasks::table
                .filter(review_tasks::state.eq_any(LIVE))
                .select((
                    review_tasks::stage,
                    review_tasks::state,
                    review_tasks::due_at,
                    review_tasks::is_escalated,
                    review_tasks::claimed_by,
                ))
                .load(conn)?;
            let label = |machine, code| data::status_label(machine, code, caller.locale.as_str()).to_owned();
            let mut counts = Vec::new();
            for stage in Stage::ALL {
                for state in LIVE {
                    let due: Vec<_> = rows
                        .iter()
                        .filter(|row| (row.0, row.1) == (*stage, state))
                        .map(|row| row.2)
                        .collect();
                    counts.push(ReviewCount {
                        stage: *stage,
                        stage_label: label("review_stage", stage.as_str()),
                        state,
                        state_label: label("review", state.as_str()),
                        count: due.len() as i64,
                        overdue: due.iter().filter(|at| **at < now).count() as i64,
                        oldest_due_at: due.into_iter().min(),
                    });
                }
            }
            Reply::ok(&ReviewQueueSummary {
                counts,
                overdue: rows.iter().filter(|row| row.2 < now).count() as i64,
                escalated: rows.iter().filter(|row| row.3).count() as i64,
                mine: rows.iter().filter(|row| row.4 == Some(caller.user_id)).count() as i64,
                oldest_due_at: rows.iter().map(|row| row.2).min(),
            })
        })
        .await
}
