//! Ordering batches of filings and looking at them.

use actix_web::{get, post, web};
use diesel::PgConnection;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::body::{FilingBatch, FilingBatchCreation, FilingBatchItem, FilingBatchPage, kept_problem};
use super::model::{self, BatchRow, NewBatch, NewRow};
use super::{FilingBatchState, jobs};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, Caller, op};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::etag::etag;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::FilingBatchId;
use crate::kernel::json::{JsonRows, Path, Query, RowInput};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::pii::Sensitive;
use crate::kernel::reply::Reply;

/// Batches of one owner that may be worked on at a time.
const MAX_OPEN: i64 = 50;
/// Longest own key that is kept of a row that cannot be read otherwise; the limit of the schema.
const MAX_REFERENCE: usize = 100;
/// Seconds until it is worth looking at a batch again.
const LOOK_AGAIN: u64 = 1;

/// Order many filings at once
///
/// Owners, for up to 100 websites. The reply comes at once; a job makes a draft of each row, edits and checks it, as
/// `createFiling`, `updateFiling` and `checkFiling` do. Each row is a transaction of its own: a faulty one, an unknown or
/// somebody else's website, or a second row of one subject fails alone, with its problem in the row. Read the batch until its
/// `state` is `completed`. Only too many rows or an unknown member beside `filings` refuse the request. The body may have 1 MiB.
/// Event `filing.created` for each filing.
///
/// As `demo-partner`: `website_id` of a row is `0193a000-0000-7000-8000-000000014032`.
#[utoipa::path(operation_id = "createFilingBatch", tag = "filings",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own.")),
    request_body = FilingBatchCreation,
    responses(
        (status = 202, description = "The batch. `Location` says where to read it.", body = FilingBatch),
        (status = 429, description = "`too_many_requests`: also when 50 batches of yours are not completed."),
    ))]
#[post("/v1/filing-batches")]
pub async fn create_filing_batch(
    app: web::Data<App>,
    caller: Allowed<op::CreateFilingBatch>,
    idem: Idempotency,
    body: JsonRows<FilingBatchCreation>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller;
    let rows: Vec<NewRow> =
        body.0.into_iter().map(|row| kept(row, &caller.request_id)).collect::<ApiResult<_>>()?;
    let key = caller.user_id.to_string();
    idem.run(
        &app.db,
        now,
        &key,
        |_| Ok(()),
        move |conn| {
            if model::open_count(conn, &caller)? >= MAX_OPEN {
                return Err(ApiError::new(&codes::TOO_MANY_REQUESTS).retry_after(10));
            }
            let batch = model::insert(conn, now, NewBatch { caller: &caller, rows })?;
            if batch.state == FilingBatchState::Processing {
                jobs::order(conn, now, batch.id)?;
            }
            let deed = Deed::new("filing_batch.created", "filing_batch", batch.id.0)
                .details(json!({ "row_count": batch.row_count }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            let location = format!("/v1/filing-batches/{}", batch.id);
            let body = body_of(conn, batch, &caller)?;
            Ok(with_headers(Reply::accepted_at(location, &body)?, &body, &caller))
        },
    )
    .await
}

/// A row as it is stored: sealed for the job, or with its problem.
fn kept(row: RowInput<FilingBatchItem>, request_id: &str) -> ApiResult<NewRow> {
    let sent = row.raw.expose();
    let reference = sent["external_reference"].as_str();
    Ok(NewRow {
        website_id: sent["website_id"].as_str().and_then(|id| id.parse().ok()),
        external_reference: reference
            .filter(|reference| reference.chars().count() <= MAX_REFERENCE)
            .map(str::to_owned),
        work: match row.parsed {
            Ok(_) => Ok(Sensitive::new(serde_json::to_string(sent).map_err(ApiError::internal)?)),
            Err(problem) => Err(kept_problem(&problem, request_id)),
        },
    })
}

fn body_of(conn: &mut PgConnection, batch: BatchRow, caller: &Caller) -> ApiResult<FilingBatch> {
    let rows = model::rows_of(conn, batch.id)?;
    Ok(FilingBatch::of(batch, rows, caller.locale))
}

fn with_headers(reply: Reply, body: &FilingBatch, caller: &Caller) -> Reply {
    let reply = reply.etag(etag(body.version(), caller.view(), caller.locale));
    if body.is_processing() { reply.look_again_after(LOOK_AGAIN) } else { reply }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FilingBatchFilter {
    /// Only those in this state.
    state: Option<FilingBatchState>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List batches of filings
///
/// Owners: their account's own. A partner: those of its clients and of its accounts. Newest first.
#[utoipa::path(operation_id = "listFilingBatches", tag = "filings", params(FilingBatchFilter),
    responses((status = 200, description = "A page of batches.", body = FilingBatchPage)))]
#[get("/v1/filing-batches")]
pub async fn list_filing_batches(
    app: web::Data<App>,
    caller: Allowed<op::ListFilingBatches>,
    filter: Query<FilingBatchFilter>,
) -> ApiResult<Reply> {
    let Query(FilingBatchFilter { state, limit, cursor }) = filter;
    let caller = caller.caller;
    let binding = format!("filing batches {state:?}");
    let after = page::decode(cursor.as_deref(), &binding)?;
    let rows = app.db.run(move |conn| Ok(model::list(conn, &caller, state, after, limit)?)).await?;
    let page =
        Page::cut(rows, limit, &binding, |row| Position { at: row.created_at, id: row.id.0 }).map(Into::into);
    let body = FilingBatchPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

/// Read a batch of filings
///
/// The owner, with what became of each row: the filing with its check, or the problem. While the batch is `processing` the
/// reply says in `Retry-After` when to look again. Batches are removed 30 days after their completion; their filings stay.
#[utoipa::path(operation_id = "getFilingBatch", tag = "filings",
    params(("id" = FilingBatchId, Path, description = "The batch.", example = "0193a000-0000-7000-8000-000000032001")),
    responses((status = 200, description = "The batch.", body = FilingBatch), (status = 304, description = "Not modified.")))]
#[get("/v1/filing-batches/{id}")]
pub async fn get_filing_batch(
    app: web::Data<App>,
    caller: Allowed<op::GetFilingBatch>,
    id: Path<FilingBatchId>,
) -> ApiResult<Reply> {
    let (id, caller) = (id.0, caller.caller);
    app.db
        .run(move |conn| {
            let batch = model::find(conn, id)?
                .filter(|batch| batch.is_of(&caller))
                .ok_or_else(ApiError::not_found)?;
            let body = body_of(conn, batch, &caller)?;
            Ok(with_headers(Reply::ok(&body)?, &body, &caller))
        })
        .await
}
