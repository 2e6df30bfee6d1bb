//! Partners: companies that act for their customers' accounts. By the admin.

use actix_web::{get, patch, post, web};
use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, Queryable, RunQueryDsl,
    Selectable, SelectableHelper,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, Caller, op};
use crate::error::{ApiError, ApiResult};
use crate::kernel::etag::{IfMatch, ensure_version, etag};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::PartnerId;
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::schema::partners;

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = partners)]
struct PartnerRow {
    id: PartnerId,
    name: String,
    paused_at: Option<DateTime<Utc>>,
    version: i32,
    created_at: DateTime<Utc>,
}

/// A partner.
#[derive(Serialize, ToSchema)]
pub struct Partner {
    id: PartnerId,
    name: String,
    /// The clients of a paused partner are refused.
    is_paused: bool,
    /// When it was paused; null while its programs may act.
    paused_at: Option<DateTime<Utc>>,
    version: i32,
    created_at: DateTime<Utc>,
}

impl From<PartnerRow> for Partner {
    fn from(row: PartnerRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            is_paused: row.paused_at.is_some(),
            paused_at: row.paused_at,
            version: row.version,
            created_at: row.created_at,
        }
    }
}

/// A page of partners.
#[derive(Serialize, ToSchema)]
pub struct PartnerPage {
    items: Vec<Partner>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// A partner to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "示例代理有限公司" }))]
pub struct PartnerCreation {
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: String,
}

/// What changes on a partner. Absent members stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "is_paused": false }))]
pub struct PartnerPatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, pattern = r"\S", nullable = false)]
    name: Option<String>,
    /// Whether its programs shall be refused.
    #[serde(default)]
    #[schema(nullable = false)]
    is_paused: Option<bool>,
}

/// The page to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PartnerQuery {
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

fn shown(row: PartnerRow, caller: &Caller) -> ApiResult<Reply> {
    let tag = etag(row.version, caller.view(), caller.locale);
    Ok(Reply::ok(&Partner::from(row))?.etag(tag))
}

/// Create a partner
///
/// Admin. Accounts are given to it with `POST /v1/accounts`.
#[utoipa::path(operation_id = "createPartner", tag = "people",
    params(("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses((status = 201, description = "Created.", body = Partner)))]
#[post("/v1/partners")]
pub async fn create_partner(
    app: web::Data<App>,
    caller: Allowed<op::CreatePartner>,
    idem: Idempotency,
    body: Json<PartnerCreation>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, body) = (caller.caller, body.0);
    let key = caller.user_id.to_string();
    idem.run(
        &app.db,
        now,
        &key,
        |_| Ok(()),
        move |conn| {
            let row = diesel::insert_into(partners::table)
                .values((
                    partners::id.eq(PartnerId::new()),
                    partners::name.eq(body.name.trim()),
                    partners::created_at.eq(now),
                ))
                .returning(PartnerRow::as_returning())
                .get_result(conn)?;
            audit::record(
                conn,
                now,
                &Actor::from(&caller),
                Deed::new("partner.created", "partner", row.id.0),
            )?;
            let tag = etag(row.version, caller.view(), caller.locale);
            Ok(Reply::created(format!("/v1/partners/{}", row.id), &Partner::from(row))?.etag(tag))
        },
    )
    .await
}

/// List partners
///
/// Admin. Newest first.
#[utoipa::path(operation_id = "listPartners", tag = "people", params(PartnerQuery),
    responses((status = 200, description = "A page of partners.", body = PartnerPage)))]
#[get("/v1/partners")]
pub async fn list_partners(
    app: web::Data<App>,
    _caller: Allowed<op::ListPartners>,
    query: Query<PartnerQuery>,
) -> ApiResult<Reply> {
    let PartnerQuery { limit, cursor } = query.0;
    let after = page::decode(cursor.as_deref(), "partners")?;
    let rows = app
        .db
        .run(move |conn| {
            let mut query = partners::table.select(PartnerRow::as_select()).into_boxed();
            if let Some(Position { at, id }) = after {
                let next = partners::created_at.eq(at).and(partners::id.lt(PartnerId(id)));
                query =
                    query.filter(partners::created_at.le(at)).filter(partners::created_at.lt(at).or(next));
            }
            let order = (partners::created_at.desc(), partners::id.desc());
            Ok(query.order(order).limit(limit.rows_to_read()).load(conn)?)
        })
        .await?;
    let page = Page::cut(rows, limit, "partners", |row| Position { at: row.created_at, id: row.id.0 })
        .map(Partner::from);
    let body = PartnerPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

/// Read a partner
///
/// Admin.
#[utoipa::path(operation_id = "getPartner", tag = "people",
    params(("id" = PartnerId, Path, description = "The partner.", example = "0193a000-0000-7000-8000-000000012001")),
    responses((status = 200, description = "The partner.", body = Partner)))]
#[get("/v1/partners/{id}")]
pub async fn get_partner(
    app: web::Data<App>,
    caller: Allowed<op::GetPartner>,
    id: Path<PartnerId>,
) -> ApiResult<Reply> {
    let id = id.0;
    let row = app
        .db
        .run(move |conn| {
            Ok(partners::table.find(id).select(PartnerRow::as_select()).first(conn).optional()?)
        })
        .await?
        .ok_or_else(ApiError::not_found)?;
    shown(row, &caller)
}

/// Change or pause a partner
///
/// Admin. The clients of a paused partner get no token, and their tokens stop working within ten seconds; its accounts' own
/// users are not concerned.
#[utoipa::path(operation_id = "updatePartner", tag = "people",
    params(("id" = PartnerId, Path, description = "The partner.", example = "0193a000-0000-7000-8000-000000012001"),
        ("If-Match" = String, Header, description = "The ETag that you saw, or `*`.", example = "*")),
    responses(
        (status = 200, description = "The changed partner.", body = Partner),
        (status = 428, description = "`precondition_required`"),
    ))]
#[patch("/v1/partners/{id}")]
pub async fn update_partner(
    app: web::Data<App>,
    caller: Allowed<op::UpdatePartner>,
    id: Path<PartnerId>,
    if_match: IfMatch,
    body: Json<PartnerPatch>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let expected = if_match.required()?;
    let (id, caller, body) = (id.0, caller.caller, body.0);
    let reply = app
        .db
        .transaction(move |conn| {
            let before = partners::table
                .find(id)
                .select(PartnerRow::as_select())
                .for_update()
                .first(conn)
                .optional()?;
            let before = before.ok_or_else(ApiError::not_found)?;
            ensure_version(expected, before.version)?;
            let paused_at = match body.is_paused {
                Some(true) => Some(before.paused_at.or(Some(now))),
                Some(false) => Some(None),
                None => None,
            };
            let row = diesel::update(partners::table.find(id))
                .set((
                    body.name.map(|name| partners::name.eq(name.trim().to_owned())),
                    paused_at.map(|at| partners::paused_at.eq(at)),
                    partners::version.eq(partners::version + 1),
                ))
                .returning(PartnerRow::as_returning())
                .get_result(conn)?;
            let deed =
                Deed::new("partner.updated", "partner", id.0).details(json!({ "is_paused": body.is_paused }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            shown(row, &caller)
        })
        .await?;
    app.sessions.forget_partner(id);
    Ok(reply)
}
