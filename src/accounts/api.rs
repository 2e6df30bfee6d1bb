//! Accounts: all for the admin, their own for a partner.

use actix_web::{get, patch, post, web};
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::model::{self, AccountRow, Changes};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{self, Allowed, Caller, op};
use crate::error::{ApiError, ApiResult, violated_constraint};
use crate::kernel::etag::{IfMatch, ensure_version, etag};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{AccountId, PartnerId};
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;

/// A customer's account.
#[derive(Serialize, ToSchema)]
pub struct Account {
    id: AccountId,
    name: String,
    /// The partner who acts for it.
    partner_id: Option<PartnerId>,
    /// The partner's own key.
    external_reference: Option<String>,
    /// Users of a disabled account cannot log in.
    is_disabled: bool,
    disabled_at: Option<DateTime<Utc>>,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            partner_id: row.partner_id,
            external_reference: row.external_reference,
            is_disabled: row.disabled_at.is_some(),
            disabled_at: row.disabled_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A page of accounts.
#[derive(Serialize, ToSchema)]
pub struct AccountPage {
    items: Vec<Account>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// An account to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "示例科技有限公司" }))]
pub struct AccountCreation {
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: String,
    /// The partner who acts for it. A partner's client may leave it out: it is the partner itself.
    #[serde(default)]
    partner_id: Option<PartnerId>,
    /// The partner's own key, unique per partner.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    external_reference: Option<String>,
}

/// What changes on an account. Absent members stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "示例科技（北京）有限公司" }))]
pub struct AccountPatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, pattern = r"\S", nullable = false)]
    name: Option<String>,
    /// Null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    external_reference: Option<Option<String>>,
    /// Disabling ends the sessions of the account's users.
    #[serde(default)]
    #[schema(nullable = false)]
    is_disabled: Option<bool>,
}

/// Tells null (remove) from absent (leave).
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Filters of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountQuery {
    /// Accounts of this partner.
    partner_id: Option<PartnerId>,
    /// The partner's own key.
    external_reference: Option<String>,
    /// Only disabled, or only enabled accounts.
    is_disabled: Option<bool>,
    /// Beginning of the name.
    q: Option<String>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A partner sees its own accounts only; the admin, who has no partner, sees all.
fn visible(row: AccountRow, caller: &Caller) -> ApiResult<AccountRow> {
    match caller.partner_id {
        Some(_) if !caller.owns(row.id, row.partner_id) => Err(ApiError::not_found()),
        _ => Ok(row),
    }
}

fn shown(row: AccountRow, caller: &Caller) -> ApiResult<Reply> {
    let tag = etag(row.version, caller.view(), caller.locale);
    Ok(Reply::ok(&Account::from(row))?.etag(tag))
}

fn reference_taken(error: diesel::result::Error) -> ApiError {
    match violated_constraint(&error) {
        Some("accounts_partner_reference_key") => ApiError::taken(
            "/external_reference",
            "该合作伙伴已有此 external_reference。",
            "The partner has an account with this external_reference.",
        ),
        _ => error.into(),
    }
}

fn reference_without_partner() -> ApiError {
    ApiError::invalid_field(
        "/external_reference",
        "needs_partner",
        "仅合作伙伴的账号可有 external_reference",
        "is only for accounts of a partner",
    )
}

/// Create an account
///
/// Admin, or a partner for itself. Users are added with `POST /v1/users`.
#[utoipa::path(operation_id = "createAccount", tag = "people",
    params(("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses(
        (status = 201, description = "Created.", body = Account),
        (status = 409, description = "`duplicate`: the partner has this external_reference."),
    ))]
#[post("/v1/accounts")]
pub async fn create_account(
    app: web::Data<App>,
    caller: Allowed<op::CreateAccount>,
    idem: Idempotency,
    body: Json<AccountCreation>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, body) = (caller.caller, body.0);
    let key = caller.user_id.to_string();
    idem.run(&app.db, now, &key, |_| Ok(()), move |conn| create(conn, now, &caller, &body)).await
}

fn create(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    body: &AccountCreation,
) -> ApiResult<Reply> {
    let partner = caller.partner_id.or(body.partner_id);
    let is_foreign = body.partner_id.is_some() && body.partner_id != partner;
    if is_foreign || partner.map(|id| model::partner_exists(conn, id)).transpose()? == Some(false) {
        return Err(ApiError::invalid_field(
            "/partner_id",
            "not_found",
            "该合作伙伴不存在",
            "is not a known partner",
        ));
    }
    if partner.is_none() && body.external_reference.is_some() {
        return Err(reference_without_partner());
    }
    let row = model::insert(conn, now, body.name.trim(), partner, body.external_reference.as_deref())
        .map_err(reference_taken)?;
    audit::record(
        conn,
        now,
        &Actor::from(caller),
        Deed::new("account.created", "account", row.id.0).account(row.id),
    )?;
    let tag = etag(row.version, caller.view(), caller.locale);
    Ok(Reply::created(format!("/v1/accounts/{}", row.id), &Account::from(row))?.etag(tag))
}

/// List accounts
///
/// Admin: all. A partner: its own. Newest first.
#[utoipa::path(operation_id = "listAccounts", tag = "people", params(AccountQuery),
    responses((status = 200, description = "A page of accounts.", body = AccountPage)))]
#[get("/v1/accounts")]
pub async fn list_accounts(
    app: web::Data<App>,
    caller: Allowed<op::ListAccounts>,
    query: Query<AccountQuery>,
) -> ApiResult<Reply> {
    let Query(query) = query;
    if caller.partner_id.is_some() && query.partner_id.is_some() && caller.partner_id != query.partner_id {
        return Reply::ok(&AccountPage { items: Vec::new(), next_cursor: None, has_more: false });
    }
    let filter = model::Filter {
        partner_id: caller.partner_id.or(query.partner_id),
        external_reference: query.external_reference,
        is_disabled: query.is_disabled,
        name_prefix: query.q.map(|q| q.trim().to_owned()),
    };
    let binding = format!("accounts {filter:?}");
    let after = page::decode(query.cursor.as_deref(), &binding)?;
    let limit = query.limit;
    let rows = app.db.run(move |conn| Ok(model::list(conn, &filter, after, limit)?)).await?;
    let page = Page::cut(rows, limit, &binding, |row| Position { at: row.created_at, id: row.id.0 })
        .map(Account::from);
    let body = AccountPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

/// Read an account
///
/// Admin, or the partner who acts for it.
#[utoipa::path(operation_id = "getAccount", tag = "people",
    params(("id" = AccountId, Path, description = "The account.", example = "0193a000-0000-7000-8000-000000010001")),
    responses((status = 200, description = "The account.", body = Account)))]
#[get("/v1/accounts/{id}")]
pub async fn get_account(
    app: web::Data<App>,
    caller: Allowed<op::GetAccount>,
    id: Path<AccountId>,
) -> ApiResult<Reply> {
    let id = id.0;
    let row = app.db.run(move |conn| Ok(model::find(conn, id)?)).await?.ok_or_else(ApiError::not_found)?;
    shown(visible(row, &caller)?, &caller)
}

/// Change an account
///
/// Admin, or the partner who acts for it. Disabling ends the sessions of its users; its filings stay as they are.
#[utoipa::path(operation_id = "updateAccount", tag = "people",
    params(("id" = AccountId, Path, description = "The account.", example = "0193a000-0000-7000-8000-000000010001"),
        ("If-Match" = String, Header, description = "The ETag that you saw, or `*`.", example = "*")),
    responses(
        (status = 200, description = "The changed account.", body = Account),
        (status = 409, description = "`duplicate`: the partner has this external_reference."),
        (status = 428, description = "`precondition_required`"),
    ))]
#[patch("/v1/accounts/{id}")]
pub async fn update_account(
    app: web::Data<App>,
    caller: Allowed<op::UpdateAccount>,
    id: Path<AccountId>,
    if_match: IfMatch,
    body: Json<AccountPatch>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let expected = if_match.required()?;
    let (id, caller, body) = (id.0, caller.caller, body.0);
    let reply = app
        .db
        .transaction(move |conn| {
            let before = visible(model::lock(conn, id)?.ok_or_else(ApiError::not_found)?, &caller)?;
            ensure_version(expected, before.version)?;
            if before.partner_id.is_none() && matches!(body.external_reference, Some(Some(_))) {
                return Err(reference_without_partner());
            }
            let disabled_at = match body.is_disabled {
                Some(true) if before.disabled_at.is_none() => Some(Some(now)),
                Some(false) if before.disabled_at.is_some() => Some(None),
                _ => None,
            };
            if disabled_at == Some(Some(now)) {
                auth::revoke_sessions_of_account(conn, now, id)?;
            }
            let details = json!({ "is_disabled": disabled_at.map(|at| at.is_some()) });
            let changes = Changes {
                name: body.name.map(|name| name.trim().to_owned()),
                external_reference: body.external_reference,
                disabled_at,
            };
            let row = model::update(conn, now, id, changes).map_err(reference_taken)?;
            let deed = Deed::new("account.updated", "account", id.0).account(id).details(details);
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            shown(row, &caller)
        })
        .await?;
    app.sessions.forget_account(id);
    Ok(reply)
}
