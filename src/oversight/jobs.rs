//! Background jobs.

use actix_web::{get, post, web};
use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, QueryResult,
    Queryable, RunQueryDsl, Selectable, SelectableHelper,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::error::{ApiError, ApiResult, members, violated_constraint};
use crate::error_codes as codes;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::JobId;
use crate::kernel::jobs::{self as queue, JobState};
use crate::kernel::json::{CommaList, Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::schema::jobs;

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = jobs)]
struct JobRow {
    id: JobId,
    kind: String,
    payload: Value,
    state: JobState,
    run_at: DateTime<Utc>,
    attempts: i32,
    max_attempts: i32,
    last_error: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

/// A background job.
#[derive(Serialize, ToSchema)]
pub struct Job {
    id: JobId,
    /// What it does.
    #[schema(example = "notifications.deliver")]
    kind: String,
    /// What it works on, as JSON: ids, never personal data.
    #[schema(example = "{}")]
    payload: String,
    state: JobState,
    /// Not before this time.
    run_at: DateTime<Utc>,
    /// Tries so far.
    attempts: i32,
    /// Tries before it is dead.
    max_attempts: i32,
    /// Why the last try failed, or why it was discarded.
    last_error: Option<String>,
    created_at: DateTime<Utc>,
    /// When it ended; null while it is not done.
    finished_at: Option<DateTime<Utc>>,
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            payload: row.payload.to_string(),
            state: row.state,
            run_at: row.run_at,
            attempts: row.attempts,
            max_attempts: row.max_attempts,
            last_error: row.last_error,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

/// A page of jobs.
#[derive(Serialize, ToSchema)]
pub struct JobPage {
    items: Vec<Job>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// Why a job is given up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "The recipient's address no longer exists." }))]
pub struct JobDiscard {
    /// Goes into the audit trail; no personal data.
    #[schema(min_length = 10, max_length = 500)]
    reason: String,
}

/// Filters of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JobQuery {
    /// One or more states: `dead`, `pending,running`.
    #[param(value_type = Option<String>)]
    state: Option<CommaList<JobState>>,
    /// One kind.
    kind: Option<String>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List background jobs
///
/// Admin. Newest first. `state=dead` shows what gave up and waits for a decision.
#[utoipa::path(operation_id = "listJobs", tag = "oversight", params(JobQuery),
    responses((status = 200, description = "A page of jobs.", body = JobPage)))]
#[get("/v1/admin/jobs")]
pub async fn list_jobs(
    app: web::Data<App>,
    _caller: Allowed<op::ListJobs>,
    query: Query<JobQuery>,
) -> ApiResult<Reply> {
    let JobQuery { state, kind, limit, cursor } = query.0;
    let states = state.map(|list| list.0);
    let binding = format!("jobs {:?}", (&states, &kind));
    let after = page::decode(cursor.as_deref(), &binding)?;
    let rows: Vec<JobRow> = app
        .db
        .run(move |conn| {
            let mut query = jobs::table.select(JobRow::as_select()).into_boxed();
            if let Some(states) = states {
                query = query.filter(jobs::state.eq_any(states));
            }
            if let Some(kind) = kind {
                query = query.filter(jobs::kind.eq(kind));
            }
            if let Some(Position { at, id }) = after {
                query = query
                    .filter(jobs::created_at.le(at).and(jobs::created_at.lt(at).or(jobs::id.lt(JobId(id)))));
            }
            let order = (jobs::created_at.desc(), jobs::id.desc());
            Ok(query.order(order).limit(limit.rows_to_read()).load(conn)?)
        })
        .await?;
    let page =
        Page::cut(rows, limit, &binding, |row| Position { at: row.created_at, id: row.id.0 }).map(Job::from);
    let body = JobPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

fn find(conn: &mut PgConnection, id: JobId) -> QueryResult<Option<JobRow>> {
    jobs::table.find(id).select(JobRow::as_select()).first(conn).optional()
}

/// The reply after a change, or why there was none.
fn outcome(conn: &mut PgConnection, id: JobId, is_done: bool) -> ApiResult<Reply> {
    let row = find(conn, id)?.ok_or_else(ApiError::not_found)?;
    if !is_done {
        return Err(ApiError::new(&codes::INVALID_TRANSITION)
            .detail("仅 dead 状态的任务可以重试或放弃。", "Only a dead job can be retried or discarded.")
            .with(&members::CURRENT_STATUS, row.state)
            .with(&members::ALLOWED_ACTIONS, Vec::<String>::new()));
    }
    Reply::ok(&Job::from(row))
}

/// Run a dead job again
///
/// Admin. The job waits again with all its tries.
#[utoipa::path(operation_id = "retryJob", tag = "oversight",
    params(("id" = JobId, Path, description = "The job.", example = "0193a000-0000-7000-8000-000000022001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses(
        (status = 200, description = "The job waits again.", body = Job),
        (status = 409, description = "`invalid_transition`, `duplicate`: a job with the same purpose waits already."),
    ))]
#[post("/v1/admin/jobs/{id}/retry")]
pub async fn retry_job(
    app: web::Data<App>,
    caller: Allowed<op::RetryJob>,
    id: Path<JobId>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (id, caller) = (id.0, caller.caller);
    let key = caller.user_id.to_string();
    idem.run(
        &app.db,
        now,
        &key,
        |_| Ok(()),
        move |conn| {
            let is_done = queue::retry(conn, id, now).map_err(|error| match violated_constraint(&error) {
                Some("jobs_dedup_key_key") => ApiError::new(&codes::DUPLICATE)
                    .detail("已有相同用途的任务在等待。", "A job with the same purpose waits already."),
                _ => error.into(),
            })?;
            if is_done {
                audit::record(conn, now, &Actor::from(&caller), Deed::new("job.retried", "job", id.0))?;
            }
            outcome(conn, id, is_done)
        },
    )
    .await
}

/// Give a dead job up
///
/// Admin, with a reason. The job is closed without having done its work.
#[utoipa::path(operation_id = "discardJob", tag = "oversight",
    params(("id" = JobId, Path, description = "The job.", example = "0193a000-0000-7000-8000-000000022002"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses(
        (status = 200, description = "The closed job.", body = Job),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[post("/v1/admin/jobs/{id}/discard")]
pub async fn discard_job(
    app: web::Data<App>,
    caller: Allowed<op::DiscardJob>,
    id: Path<JobId>,
    idem: Idempotency,
    body: Json<JobDiscard>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (id, caller, reason) = (id.0, caller.caller, body.0.reason);
    if reason.trim().chars().count() < 10 {
        return Err(ApiError::invalid_field(
            "/reason",
            "too_short",
            "至少 10 个字符",
            "needs at least 10 characters",
        ));
    }
    let key = caller.user_id.to_string();
    idem.run(
        &app.db,
        now,
        &key,
        |_| Ok(()),
        move |conn| {
            let is_done = queue::discard(conn, id, now)?;
            if is_done {
                let deed =
                    Deed::new("job.discarded", "job", id.0).details(json!({ "reason": reason.trim() }));
                audit::record(conn, now, &Actor::from(&caller), deed)?;
            }
            outcome(conn, id, is_done)
        },
    )
    .await
}
