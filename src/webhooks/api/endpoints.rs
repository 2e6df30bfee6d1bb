//! Endpoints: create, list, read, change, delete.

use actix_web::{delete, get, patch, post, web};
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::super::DisabledReason;
use super::super::model::{self, Changes, EndpointRow, NewEndpoint};
use super::body::{
    WebhookEndpoint, WebhookEndpointCreation, WebhookEndpointPage, WebhookEndpointPatch,
    WebhookEndpointSecret,
};
use super::{locked, visible};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, Caller, op};
use crate::catalogue::data::event_type;
use crate::error::{ApiError, ApiResult, FieldError, Place, violated_constraint};
use crate::error_codes as codes;
use crate::external::web::UrlFault;
use crate::kernel::etag::{IfMatch, ensure_version, etag};
use crate::kernel::i18n::Bilingual;
use crate::kernel::ids::{PartnerId, WebhookEndpointId};
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::pii::{Email, Sensitive};
use crate::kernel::reply::Reply;

/// Most endpoints of one partner.
const MAX_ENDPOINTS: i64 = 20;

/// Filters of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WebhookEndpointQuery {
    /// Endpoints of this partner.
    partner_id: Option<PartnerId>,
    /// Only disabled, or only enabled ones.
    is_disabled: Option<bool>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The reply that shows an endpoint, with its ETag.
pub(super) fn shown(row: EndpointRow, caller: &Caller) -> ApiResult<Reply> {
    let tag = etag(row.version, caller.view(), caller.locale);
    Ok(Reply::ok(&WebhookEndpoint::from(row))?.etag(tag))
}

fn fault(pointer: impl Into<String>, code: &str, zh: &str, en: &str) -> FieldError {
    FieldError::new(Place::Pointer(pointer.into()), code, Bilingual::new(zh, en))
}

/// What the schema cannot say. The name of the address is looked up, so no transaction is open here.
async fn check(
    app: &App,
    url: Option<&str>,
    event_types: Option<&[String]>,
    contact: Option<&Sensitive<Email>>,
) -> ApiResult<()> {
    let mut faults = Vec::new();
    if let Some(url) = url {
        faults.extend(match app.web.check(url).await {
            Ok(()) => None,
            Err(UrlFault::Unreadable) => Some(fault(
                "/url",
                "invalid_format",
                "须为 https 地址，不含用户名、密码和 #",
                "must be an https address without user name, password and fragment",
            )),
            Err(UrlFault::NotHttps) => {
                Some(fault("/url", "not_https", "须以 https:// 开头", "must begin with https://"))
            }
            Err(UrlFault::NotPublic) => Some(fault(
                "/url",
                "not_public",
                "须为公网地址，不能是内网、本机或保留地址",
                "must lead to a public address, not to a private, loopback or reserved one",
            )),
        });
    }
    for (i, name) in event_types.unwrap_or_default().iter().enumerate() {
        if event_type(name).is_none_or(|known| known.visibility != "applicant") {
            faults.push(fault(
                format!("/event_types/{i}"),
                "not_in_list",
                "没有这种事件",
                "is not a type of event; see `webhooks` in the document",
            ));
        }
    }
    if contact.is_some_and(|contact| contact.expose().parse::<lettre::Address>().is_err()) {
        faults.push(FieldError::pointer("/contact_email", "invalid_format"));
    }
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(faults)) }
}

fn taken(error: diesel::result::Error) -> ApiError {
    match violated_constraint(&error) {
        Some("webhook_endpoints_partner_id_url_key") => ApiError::new(&codes::DUPLICATE).errors(vec![fault(
            "/url",
            "duplicate",
            "该地址已登记",
            "there is an endpoint with this address",
        )]),
        _ => error.into(),
    }
}

/// Create a webhook endpoint
///
/// A partner for itself, or the admin. The reply is `{ secret, endpoint }`: `endpoint.id` names the endpoint from now on, and the
/// secret, which verifies signatures, is shown this once. So there is no Idempotency-Key here, and a second endpoint with the
/// same address is refused. How to verify: `/docs/webhooks`.
#[utoipa::path(operation_id = "createWebhookEndpoint", tag = "webhooks", responses(
    (status = 201, description = "The endpoint and its secret.", body = WebhookEndpointSecret),
    (status = 409, description = "`duplicate`: the address is there. `limit_reached`: a partner has 20 endpoints at most."),
))]
#[post("/v1/webhook-endpoints")]
pub async fn create_webhook_endpoint(
    app: web::Data<App>,
    caller: Allowed<op::CreateWebhookEndpoint>,
    body: Json<WebhookEndpointCreation>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, body) = (caller.caller, body.0);
    check(&app, Some(&body.url), Some(&body.event_types), body.contact_email.as_ref()).await?;
    app.db.transaction(move |conn| create(conn, now, &caller, body)).await
}

fn create(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    body: WebhookEndpointCreation,
) -> ApiResult<Reply> {
    let partner = caller.partner_id.or(body.partner_id);
    let known = match partner {
        Some(id) => crate::accounts::partner_exists(conn, id)?,
        None => false,
    };
    let is_foreign = body.partner_id.is_some() && body.partner_id != partner;
    let Some(partner_id) = partner.filter(|_| known && !is_foreign) else {
        let code = if partner.is_none() { "required" } else { "not_found" };
        return Err(ApiError::invalid(vec![fault(
            "/partner_id",
            code,
            "须为已有的合作伙伴",
            "must name a known partner",
        )]));
    };
    if model::count(conn, partner_id)? >= MAX_ENDPOINTS {
        return Err(ApiError::new(&codes::LIMIT_REACHED));
    }
    let new = NewEndpoint {
        id: WebhookEndpointId::new(),
        partner_id,
        url: body.url,
        description: body.description,
        event_types: body.event_types,
        contact_email: body.contact_email,
        created_by: caller.user_id,
    };
    let row = model::insert(conn, now, new).map_err(taken)?;
    let deed = Deed::new("webhook_endpoint.created", "webhook_endpoint", row.id.0)
        .details(json!({ "partner_id": partner_id, "event_types": row.event_types() }));
    audit::record(conn, now, &Actor::from(caller), deed)?;
    let tag = etag(row.version, caller.view(), caller.locale);
    let location = format!("/v1/webhook-endpoints/{}", row.id);
    Ok(Reply::created(location, &WebhookEndpointSecret::from(row))?.etag(tag))
}

/// List webhook endpoints
///
/// A partner: its own. Admin: all; those that were disabled by themselves with `is_disabled=true`. Newest first.
#[utoipa::path(operation_id = "listWebhookEndpoints", tag = "webhooks", params(WebhookEndpointQuery),
    responses((status = 200, description = "A page of endpoints.", body = WebhookEndpointPage)))]
#[get("/v1/webhook-endpoints")]
pub async fn list_webhook_endpoints(
    app: web::Data<App>,
    caller: Allowed<op::ListWebhookEndpoints>,
    query: Query<WebhookEndpointQuery>,
) -> ApiResult<Reply> {
    let WebhookEndpointQuery { partner_id, is_disabled, limit, cursor } = query.0;
    if caller.partner_id.is_some() && partner_id.is_some() && caller.partner_id != partner_id {
        return Reply::ok(&WebhookEndpointPage { items: Vec::new(), next_cursor: None, has_more: false });
    }
    let partner = caller.partner_id.or(partner_id);
    let binding = format!("webhook_endpoints {partner:?} {is_disabled:?}");
    let after = page::decode(cursor.as_deref(), &binding)?;
    let rows = app.db.run(move |conn| Ok(model::list(conn, partner, is_disabled, after, limit)?)).await?;
    let page = Page::cut(rows, limit, &binding, |row| Position { at: row.created_at, id: row.id.0 })
        .map(WebhookEndpoint::from);
    let body =
        WebhookEndpointPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

/// Read a webhook endpoint
///
/// The partner whose it is, or the admin. Never the secret.
#[utoipa::path(operation_id = "getWebhookEndpoint", tag = "webhooks",
    params(("id" = WebhookEndpointId, Path, description = "The endpoint.", example = "0193a000-0000-7000-8000-000000029001")),
    responses((status = 200, description = "The endpoint.", body = WebhookEndpoint)))]
#[get("/v1/webhook-endpoints/{id}")]
pub async fn get_webhook_endpoint(
    app: web::Data<App>,
    caller: Allowed<op::GetWebhookEndpoint>,
    id: Path<WebhookEndpointId>,
) -> ApiResult<Reply> {
    let (id, caller) = (id.0, caller.caller);
    app.db.run(move |conn| shown(visible(conn, &caller, id)?, &caller)).await
}

/// Change, disable or enable a webhook endpoint
///
/// The partner whose it is, or the admin. While it is disabled nothing is sent; `recover` sends later what was missed.
#[utoipa::path(operation_id = "updateWebhookEndpoint", tag = "webhooks",
    params(("id" = WebhookEndpointId, Path, description = "The endpoint.", example = "0193a000-0000-7000-8000-000000029001"),
        ("If-Match" = String, Header, description = "The ETag that you saw, or `*`.", example = "*")),
    responses(
        (status = 200, description = "The changed endpoint.", body = WebhookEndpoint),
        (status = 409, description = "`duplicate`: the address is there."),
        (status = 428, description = "`precondition_required`"),
    ))]
#[patch("/v1/webhook-endpoints/{id}")]
pub async fn update_webhook_endpoint(
    app: web::Data<App>,
    caller: Allowed<op::UpdateWebhookEndpoint>,
    id: Path<WebhookEndpointId>,
    if_match: IfMatch,
    body: Json<WebhookEndpointPatch>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let expected = if_match.required()?;
    let (id, caller, body) = (id.0, caller.caller, body.0);
    {
        // Whose it is comes before what is wrong with the body.
        let caller = caller.clone();
        app.db.run(move |conn| visible(conn, &caller, id).map(drop)).await?;
    }
    let contact = body.contact_email.as_ref().and_then(Option::as_ref);
    check(&app, body.url.as_deref(), body.event_types.as_deref(), contact).await?;
    app.db
        .transaction(move |conn| {
            let before = locked(conn, &caller, id)?;
            ensure_version(expected, before.version)?;
            let mut changes = Changes {
                url: body.url,
                description: body.description,
                event_types: body.event_types,
                contact_email: body.contact_email,
                ..Changes::default()
            };
            if changes.url.as_ref().is_some_and(|url| *url != before.url) {
                // Another receiver: what is known of the silence of the old one does not hold.
                changes.unanswered = Some(0);
                changes.not_before = Some(None);
            }
            match (body.is_disabled, before.disabled_at.is_some()) {
                (Some(true), false) => {
                    changes.disabled_at = Some(Some(now));
                    changes.disabled_reason = Some(Some(DisabledReason::Owner));
                }
                (Some(false), true) => {
                    changes.disabled_at = Some(None);
                    changes.disabled_reason = Some(None);
                    changes.failing_since = Some(None);
                    changes.unanswered = Some(0);
                    changes.not_before = Some(None);
                }
                _ => {}
            }
            let details = json!({ "event_types": changes.event_types, "has_new_url": changes.url.is_some(),
                "is_disabled": body.is_disabled });
            let row = model::update(conn, now, id, changes).map_err(taken)?;
            let deed = Deed::new("webhook_endpoint.updated", "webhook_endpoint", id.0).details(details);
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            shown(row, &caller)
        })
        .await
}

/// Delete a webhook endpoint
///
/// The partner whose it is, or the admin. Its deliveries go with it; events stay in `GET /v1/events`.
#[utoipa::path(operation_id = "deleteWebhookEndpoint", tag = "webhooks",
    params(("id" = WebhookEndpointId, Path, description = "The endpoint.", example = "0193a000-0000-7000-8000-000000029002")),
    responses((status = 204, description = "Deleted.")))]
#[delete("/v1/webhook-endpoints/{id}")]
pub async fn delete_webhook_endpoint(
    app: web::Data<App>,
    caller: Allowed<op::DeleteWebhookEndpoint>,
    id: Path<WebhookEndpointId>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (id, caller) = (id.0, caller.caller);
    app.db
        .transaction(move |conn| {
            let row = locked(conn, &caller, id)?;
            model::delete(conn, id)?;
            let deed = Deed::new("webhook_endpoint.deleted", "webhook_endpoint", id.0)
                .details(json!({ "partner_id": row.partner_id }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            Ok(Reply::no_content())
        })
        .await
}
