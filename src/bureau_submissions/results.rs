//! What the operator sees of the bureau's interface: results that could not be applied, and the public record.

use actix_web::{get, post, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::model;
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::error::{ApiError, ApiResult, members};
use crate::error_codes as codes;
use crate::external::bureau::Silence;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{BureauResultId, SubmissionId};
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::schema::{bureau_unmatched_results as unmatched, filings, website_contents, websites};

/// A result of the bureau that could not be applied.
#[derive(Clone, Debug, Serialize, ToSchema, Queryable, Selectable)]
#[diesel(table_name = crate::schema::bureau_unmatched_results)]
#[schema(as = BureauUnmatchedResult)]
pub struct UnmatchedResult {
    /// The result.
    pub id: BureauResultId,
    /// Name of the bureau's file in which it stood.
    #[schema(example = "RESULT20260311001")]
    pub file_name: String,
    /// The bureau's own number of it.
    pub external_reference: String,
    /// The submission that it seems to be about.
    pub submission_id: Option<SubmissionId>,
    /// 备案订单号, as the bureau wrote it.
    #[schema(example = "BA-2026-000123")]
    pub order_no: String,
    /// ICP number, as the bureau wrote it.
    pub icp_number: String,
    /// The bureau's result code.
    #[schema(example = "1001")]
    pub result_code: String,
    /// The bureau's words.
    pub result_text: Option<String>,
    /// Why it could not be applied: `unknown_order`, `unknown_code`, or the code of the error that a decision by hand would get.
    #[schema(example = "unknown_order")]
    pub reason: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// When an operator closed it.
    pub resolved_at: Option<DateTime<Utc>>,
    /// What the operator found out.
    pub resolution: Option<String>,
}

/// A page of results.
#[derive(Serialize, ToSchema)]
pub struct BureauUnmatchedResultPage {
    /// The results, oldest first.
    pub items: Vec<UnmatchedResult>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// Which results.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BureauResultQuery {
    /// Closed ones instead of those that wait.
    #[serde(default)]
    is_resolved: bool,
    /// Rows of a page.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What an operator found out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "resolution": "已与管局核对，非本系统订单" }))]
pub struct ResultResolution {
    /// In words.
    #[schema(min_length = 1, max_length = 500)]
    resolution: String,
}

/// What the bureau's public record says.
#[derive(Serialize, ToSchema)]
pub struct BureauFiledStatus {
    /// The website's first domain, which was asked.
    #[schema(example = "example.com")]
    domain: String,
    /// Whether it is filed.
    is_filed: bool,
    /// Name of the website.
    website_name: Option<String>,
    /// ICP number of the subject.
    subject_icp_number: Option<String>,
    /// ICP number of the website.
    website_icp_number: Option<String>,
    /// When it was asked.
    asked_at: DateTime<Utc>,
}

/// List results that could not be applied
///
/// The bureau operator: what came over the ministry's interface and fits no filing, contradicts what is recorded, or has an
/// unknown code. Nothing was changed by it. Decide the submission by hand if need be, then close it.
#[utoipa::path(operation_id = "listBureauResults", tag = "bureau", params(BureauResultQuery),
    responses((status = 200, description = "A page of results.", body = BureauUnmatchedResultPage)))]
#[get("/v1/bureau-results")]
pub async fn list_bureau_results(
    app: web::Data<App>,
    _caller: Allowed<op::ListBureauResults>,
    query: Query<BureauResultQuery>,
) -> ApiResult<Reply> {
    let BureauResultQuery { is_resolved, limit, cursor } = query.0;
    let binding = format!("bureau-results {is_resolved}");
    let after = page::decode(cursor.as_deref(), &binding)?;
    let rows = app
        .db
        .run(move |conn| {
            let mut query = unmatched::table
                .select(UnmatchedResult::as_select())
                .order((unmatched::received_at, unmatched::id))
                .limit(limit.rows_to_read())
                .into_boxed();
            query = match is_resolved {
                true => query.filter(unmatched::resolved_at.is_not_null()),
                false => query.filter(unmatched::resolved_at.is_null()),
            };
            if let Some(Position { at, id }) = after {
                let later = unmatched::received_at.eq(at).and(unmatched::id.gt(BureauResultId(id)));
                query = query
                    .filter(unmatched::received_at.ge(at))
                    .filter(unmatched::received_at.gt(at).or(later));
            }
            Ok(query.load::<UnmatchedResult>(conn)?)
        })
        .await?;
    let position = |row: &UnmatchedResult| Position { at: row.received_at, id: row.id.0 };
    let page = Page::cut(rows, limit, &binding, position);
    let body = BureauUnmatchedResultPage {
        items: page.items,
        next_cursor: page.next_cursor,
        has_more: page.has_more,
    };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

/// Close a result that could not be applied
///
/// The bureau operator, once, with what was found out.
#[utoipa::path(operation_id = "resolveBureauResult", tag = "bureau",
    params(("id" = BureauResultId, Path, description = "The result.", example = "0193a000-0000-7000-8000-000000031001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses(
        (status = 200, description = "The closed result.", body = UnmatchedResult),
        (status = 409, description = "`invalid_transition`: it was closed before."),
    ))]
#[post("/v1/bureau-results/{id}/resolve")]
pub async fn resolve_bureau_result(
    app: web::Data<App>,
    caller: Allowed<op::ResolveBureauResult>,
    id: Path<BureauResultId>,
    idem: Idempotency,
    body: Json<ResultResolution>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, id) = (caller.caller, id.0);
    let resolution = body.0.resolution.trim().to_owned();
    if resolution.is_empty() {
        return Err(ApiError::invalid_field("/resolution", "required", "必填", "is required"));
    }
    let scope = caller.user_id.to_string();
    let is_there = move |conn: &mut PgConnection| {
        unmatched::table
            .find(id)
            .select(unmatched::id)
            .first::<BureauResultId>(conn)
            .map(drop)
            .map_err(Into::into)
    };
    idem.run(&app.db, now, &scope, is_there, move |conn| {
        let closed: Option<UnmatchedResult> =
            diesel::update(unmatched::table.find(id).filter(unmatched::resolved_at.is_null()))
                .set((
                    unmatched::resolved_at.eq(now),
                    unmatched::resolved_by.eq(caller.user_id),
                    unmatched::resolution.eq(&resolution),
                ))
                .returning(UnmatchedResult::as_returning())
                .get_result(conn)
                .optional()?;
        let Some(closed) = closed else {
            return Err(ApiError::new(&codes::INVALID_TRANSITION).with(&members::CURRENT_STATUS, "resolved"));
        };
        let deed = Deed::new("bureau_result.resolved", "bureau_result", id.0)
            .details(json!({ "external_reference": closed.external_reference }));
        audit::record(conn, now, &Actor::from(&caller), deed)?;
        Reply::ok(&closed)
    })
    .await
}

/// Ask the bureau's public record
///
/// The bureau operator: whether the website's first domain is filed, as the ministry's own record says at this moment. Changes
/// nothing. Not with the manual gateway.
#[utoipa::path(operation_id = "getBureauFiledStatus", tag = "bureau",
    params(("id" = SubmissionId, Path, description = "The submission.", example = "0193a000-0000-7000-8000-000000020024")),
    responses(
        (status = 200, description = "What the record says.", body = BureauFiledStatus),
        (status = 409, description = "`invalid_transition`: this gateway has no record to ask."),
        (status = 503, description = "`unavailable`: the bureau does not answer."),
    ))]
#[get("/v1/bureau-submissions/{id}/filed-status")]
pub async fn get_bureau_filed_status(
    app: web::Data<App>,
    _caller: Allowed<op::GetBureauFiledStatus>,
    id: Path<SubmissionId>,
) -> ApiResult<Reply> {
    let id = id.0;
    let domain = app.db.run(move |conn| domain(conn, id)).await?;
    let status = app.bureau.filed_status(&domain).await.map_err(|silence| {
        let reason = match silence {
            Silence::NoAnswer(reason) | Silence::Stop(reason) => reason,
            Silence::Later(pause) => pause.reason,
        };
        tracing::warn!(reason, "bureau: the public record does not answer");
        ApiError::new(&codes::UNAVAILABLE)
            .detail("管局系统暂时没有应答，请稍后重试。", "The bureau does not answer just now; retry later.")
            .retry_after(60)
    })?;
    let Some(status) = status else {
        return Err(ApiError::new(&codes::INVALID_TRANSITION)
            .detail("当前通道不支持查询管局备案状态。", "This gateway has no record to ask."));
    };
    Reply::ok(&BureauFiledStatus {
        domain,
        is_filed: status.is_filed,
        website_name: status.website_name,
        subject_icp_number: status.subject_icp_number,
        website_icp_number: status.website_icp_number,
        asked_at: app.clock.now(),
    })
}

fn domain(conn: &mut PgConnection, id: SubmissionId) -> ApiResult<String> {
    let submission = model::find(conn, id)?;
    let content: crate::kernel::ids::ContentId = filings::table
        .inner_join(websites::table.inner_join(website_contents::table))
        .filter(filings::id.eq(submission.filing_id))
        .select(website_contents::id)
        .first(conn)?;
    let domains = crate::websites::model::load(conn, content.0)?.domains.0;
    let first = domains.into_iter().next().map(|domain| domain.name);
    first.ok_or_else(|| ApiError::internal("a filed website without a domain"))
}
