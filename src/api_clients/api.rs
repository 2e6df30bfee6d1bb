//! Clients: create, list, read, change, pause, resume.

use actix_web::{get, patch, post, web};
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::model::{self, Changes, ClientRow, NewClient};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::permissions::partner_scopes;
use crate::auth::{Allowed, Caller, DOCS_CLIENT, op};
use crate::config::IpRange;
use crate::error::{ApiError, ApiResult, FieldError, Place, violated_constraint};
use crate::kernel::etag::{IfMatch, ensure_version, etag};
use crate::kernel::i18n::Bilingual;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{ApiClientId, PartnerId, UserId};
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;

/// A partner's program.
// Generated clients have a class ApiClient of their own.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiClientBody)]
pub struct ApiClient {
    /// Also the `actor_user_id` of what it does.
    id: ApiClientId,
    /// The partner that it acts for.
    partner_id: PartnerId,
    /// What a token request names.
    #[schema(example = "demo-partner")]
    client_id: String,
    name: String,
    /// Granted; a token has these or fewer.
    #[schema(example = json!(["filings:read", "filings:write"]))]
    scopes: Vec<String>,
    /// Addresses and blocks that it may call from; empty: any.
    #[schema(example = json!(["203.0.113.0/24"]))]
    allowed_addresses: Vec<String>,
    /// A paused client gets no token, and its tokens stop working within ten seconds.
    is_paused: bool,
    /// When it was paused; null while it may act.
    paused_at: Option<DateTime<Utc>>,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<ClientRow> for ApiClient {
    fn from(row: ClientRow) -> Self {
        Self {
            id: row.id,
            partner_id: row.partner_id,
            scopes: row.scopes(),
            allowed_addresses: row.allowed_addresses(),
            client_id: row.client_id,
            name: row.name,
            is_paused: row.paused_at.is_some(),
            paused_at: row.paused_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A page of clients.
#[derive(Serialize, ToSchema)]
pub struct ApiClientPage {
    items: Vec<ApiClient>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// A client to be created. It needs a secret before it can ask for a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "partner_id": "0193a000-0000-7000-8000-000000012001", "client_id": "shop-integration", "name": "店铺对接程序",
    "scopes": ["accounts:read", "catalogue:read", "filings:read", "filings:write", "websites:read"],
    "allowed_addresses": ["203.0.113.0/24"] }))]
pub struct ApiClientCreation {
    /// The partner that it acts for.
    partner_id: PartnerId,
    /// What a token request names; unique, and never changed.
    #[schema(min_length = 3, max_length = 60, pattern = "^[a-z0-9][a-z0-9._-]*$")]
    client_id: String,
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    name: String,
    /// What it may do: scopes that are open to partners.
    #[schema(min_items = 1, max_items = 50)]
    scopes: Vec<String>,
    /// Addresses and blocks (CIDR) that it may call from; empty: any.
    #[serde(default)]
    #[schema(max_items = 50)]
    allowed_addresses: Vec<String>,
}

/// What changes on a client. Absent members stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "店铺对接程序（新）" }))]
pub struct ApiClientPatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, pattern = r"\S", nullable = false)]
    name: Option<String>,
    /// Replaces the granted scopes. Tokens lose what is taken away within ten seconds.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 50, nullable = false)]
    scopes: Option<Vec<String>>,
    /// Replaces the list of addresses and blocks; empty: any.
    #[serde(default)]
    #[schema(max_items = 50, nullable = false)]
    allowed_addresses: Option<Vec<String>>,
}

/// Filters of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApiClientQuery {
    /// Clients of this partner.
    partner_id: Option<PartnerId>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

fn shown(row: ClientRow, caller: &Caller) -> ApiResult<Reply> {
    let tag = etag(row.version, caller.view(), caller.locale);
    Ok(Reply::ok(&ApiClient::from(row))?.etag(tag))
}

/// What the schema cannot say: scopes that partners can have, readable addresses. Each once.
fn check(scopes: Option<&[String]>, addresses: Option<&[String]>) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let offered = partner_scopes();
    for (i, scope) in scopes.unwrap_or_default().iter().enumerate() {
        if !offered.contains(scope.as_str()) {
            let list = offered.iter().copied().collect::<Vec<_>>().join(" ");
            faults.push(FieldError::new(
                Place::Pointer(format!("/scopes/{i}")),
                "not_in_list",
                Bilingual::new(
                    format!("不是可授予合作伙伴的权限：{list}"),
                    format!("is not one of the scopes open to partners: {list}"),
                ),
            ));
        }
    }
    for (i, address) in addresses.unwrap_or_default().iter().enumerate() {
        if address.parse::<IpRange>().is_err() {
            faults.push(FieldError::new(
                Place::Pointer(format!("/allowed_addresses/{i}")),
                "invalid_format",
                Bilingual::new(
                    "须为 IP 地址或网段，例如 203.0.113.0/24",
                    "must be an address or a block such as 203.0.113.0/24",
                ),
            ));
        }
    }
    faults
}

fn once(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list.dedup();
    list
}

/// Create a partner's client
///
/// Admin. A program that acts for the accounts of one partner. Give it a secret with `POST /v1/api-clients/{id}/secrets`;
/// with `client_id` and secret it gets tokens at `/oauth/token` (`grant_type=client_credentials`).
#[utoipa::path(operation_id = "createApiClient", tag = "people",
    params(("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses(
        (status = 201, description = "Created.", body = ApiClient),
        (status = 409, description = "`duplicate`: the client_id is taken."),
    ))]
#[post("/v1/api-clients")]
pub async fn create_api_client(
    app: web::Data<App>,
    caller: Allowed<op::CreateApiClient>,
    idem: Idempotency,
    body: Json<ApiClientCreation>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, body) = (caller.caller, body.0);
    let faults = check(Some(&body.scopes), Some(&body.allowed_addresses));
    if !faults.is_empty() {
        return Err(ApiError::invalid(faults));
    }
    let key = caller.user_id.to_string();
    idem.run(&app.db, now, &key, |_| Ok(()), move |conn| create(conn, now, &caller, body)).await
}

fn create(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    body: ApiClientCreation,
) -> ApiResult<Reply> {
    let taken = || ApiError::taken("/client_id", "该 client_id 已被使用。", "The client_id is taken.");
    if body.client_id == DOCS_CLIENT {
        return Err(taken());
    }
    if !crate::accounts::partner_exists(conn, body.partner_id)? {
        return Err(ApiError::invalid_field(
            "/partner_id",
            "not_found",
            "该合作伙伴不存在",
            "is not a known partner",
        ));
    }
    let new = NewClient {
        id: ApiClientId::new(),
        partner_id: body.partner_id,
        client_id: body.client_id,
        name: body.name.trim().to_owned(),
        scopes: once(body.scopes),
        allowed_addresses: once(body.allowed_addresses),
    };
    let row = model::create(conn, now, new).map_err(|error| match violated_constraint(&error) {
        Some("api_clients_client_id_key") => taken(),
        _ => error.into(),
    })?;
    let deed = Deed::new("api_client.created", "api_client", row.id.0).details(json!({
        "partner_id": row.partner_id, "client_id": row.client_id, "scopes": row.scopes(),
        "allowed_addresses": row.allowed_addresses() }));
    audit::record(conn, now, &Actor::from(caller), deed)?;
    let tag = etag(row.version, caller.view(), caller.locale);
    Ok(Reply::created(format!("/v1/api-clients/{}", row.id), &ApiClient::from(row))?.etag(tag))
}

/// List partners' clients
///
/// Admin. Newest first.
#[utoipa::path(operation_id = "listApiClients", tag = "people", params(ApiClientQuery),
    responses((status = 200, description = "A page of clients.", body = ApiClientPage)))]
#[get("/v1/api-clients")]
pub async fn list_api_clients(
    app: web::Data<App>,
    _caller: Allowed<op::ListApiClients>,
    query: Query<ApiClientQuery>,
) -> ApiResult<Reply> {
    let ApiClientQuery { partner_id, limit, cursor } = query.0;
    let binding = format!("api_clients {partner_id:?}");
    let after = page::decode(cursor.as_deref(), &binding)?;
    let rows = app.db.run(move |conn| Ok(model::list(conn, partner_id, after, limit)?)).await?;
    let page = Page::cut(rows, limit, &binding, |row| Position { at: row.created_at, id: row.id.0 })
        .map(ApiClient::from);
    let body = ApiClientPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

/// Read a partner's client
///
/// Admin.
#[utoipa::path(operation_id = "getApiClient", tag = "people",
    params(("id" = ApiClientId, Path, description = "The client.", example = "0193a000-0000-7000-8000-000000027001")),
    responses((status = 200, description = "The client.", body = ApiClient)))]
#[get("/v1/api-clients/{id}")]
pub async fn get_api_client(
    app: web::Data<App>,
    caller: Allowed<op::GetApiClient>,
    id: Path<ApiClientId>,
) -> ApiResult<Reply> {
    let id = id.0;
    let row = app.db.run(move |conn| Ok(model::find(conn, id)?)).await?.ok_or_else(ApiError::not_found)?;
    shown(row, &caller)
}

/// Change a partner's client
///
/// Admin. Name, scopes, addresses. Tokens follow within ten seconds.
#[utoipa::path(operation_id = "updateApiClient", tag = "people",
    params(("id" = ApiClientId, Path, description = "The client.", example = "0193a000-0000-7000-8000-000000027001"),
        ("If-Match" = String, Header, description = "The ETag that you saw, or `*`.", example = "*")),
    responses(
        (status = 200, description = "The changed client.", body = ApiClient),
        (status = 428, description = "`precondition_required`"),
    ))]
#[patch("/v1/api-clients/{id}")]
pub async fn update_api_client(
    app: web::Data<App>,
    caller: Allowed<op::UpdateApiClient>,
    id: Path<ApiClientId>,
    if_match: IfMatch,
    body: Json<ApiClientPatch>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let expected = if_match.required()?;
    let (id, caller, body) = (id.0, caller.caller, body.0);
    let faults = check(body.scopes.as_deref(), body.allowed_addresses.as_deref());
    if !faults.is_empty() {
        return Err(ApiError::invalid(faults));
    }
    let reply = app
        .db
        .transaction(move |conn| {
            let before = model::lock(conn, id)?.ok_or_else(ApiError::not_found)?;
            ensure_version(expected, before.version)?;
            let changes = Changes {
                name: body.name.map(|name| name.trim().to_owned()),
                scopes: body.scopes.map(once),
                allowed_addresses: body.allowed_addresses.map(once),
                paused_at: None,
            };
            let details = json!({
                "scopes": changes.scopes, "scopes_before": before.scopes(),
                "allowed_addresses": changes.allowed_addresses,
                "allowed_addresses_before": before.allowed_addresses() });
            let row = model::update(conn, now, id, changes)?;
            let deed = Deed::new("api_client.updated", "api_client", id.0).details(details);
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            shown(row, &caller)
        })
        .await?;
    app.sessions.forget_user(UserId(id.0));
    Ok(reply)
}

/// Pause a partner's client
///
/// Admin. It gets no token, and its tokens stop working within ten seconds. A paused client stays as it is.
#[utoipa::path(operation_id = "pauseApiClient", tag = "people",
    params(("id" = ApiClientId, Path, description = "The client.", example = "0193a000-0000-7000-8000-000000027001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses((status = 200, description = "The paused client.", body = ApiClient)))]
#[post("/v1/api-clients/{id}/pause")]
pub async fn pause_api_client(
    app: web::Data<App>,
    caller: Allowed<op::PauseApiClient>,
    id: Path<ApiClientId>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    set_paused(&app, caller.caller, id.0, idem, true).await
}

/// Let a paused client go on
///
/// Admin. Tokens that have not expired work again.
#[utoipa::path(operation_id = "resumeApiClient", tag = "people",
    params(("id" = ApiClientId, Path, description = "The client.", example = "0193a000-0000-7000-8000-000000027001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses((status = 200, description = "The client.", body = ApiClient)))]
#[post("/v1/api-clients/{id}/resume")]
pub async fn resume_api_client(
    app: web::Data<App>,
    caller: Allowed<op::ResumeApiClient>,
    id: Path<ApiClientId>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    set_paused(&app, caller.caller, id.0, idem, false).await
}

async fn set_paused(
    app: &App,
    caller: Caller,
    id: ApiClientId,
    idem: Idempotency,
    pause: bool,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let key = caller.user_id.to_string();
    let work = move |conn: &mut PgConnection| {
        let before = model::lock(conn, id)?.ok_or_else(ApiError::not_found)?;
        if before.paused_at.is_some() == pause {
            return shown(before, &caller);
        }
        let changes = Changes { paused_at: Some(pause.then_some(now)), ..Changes::default() };
        let row = model::update(conn, now, id, changes)?;
        let action = if pause { "api_client.paused" } else { "api_client.resumed" };
        audit::record(conn, now, &Actor::from(&caller), Deed::new(action, "api_client", id.0))?;
        shown(row, &caller)
    };
    let reply = idem.run(&app.db, now, &key, |_| Ok(()), work).await?;
    app.sessions.forget_user(UserId(id.0));
    Ok(reply)
}
