//! The log of deliveries: what was sent, what came back, and sending once more.

use actix_web::{get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::DeliveryState;
use super::super::model::{self, AttemptRow, DeliveryRow};
use super::{locked, visible};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{WebhookAttemptId, WebhookDeliveryId, WebhookEndpointId};
use crate::kernel::json::{CommaList, Path, PathPair, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;

/// One event on its way to one endpoint.
#[derive(Serialize, ToSchema)]
pub struct WebhookDelivery {
    id: WebhookDeliveryId,
    /// The endpoint.
    endpoint_id: WebhookEndpointId,
    /// `webhook-id` of each try.
    event_id: Uuid,
    /// Type of the event.
    #[schema(example = "bureau.approved")]
    event_type: String,
    state: DeliveryState,
    /// Tries since it was last started.
    tries: i32,
    /// When the next try is due; null when there is none.
    next_try_at: Option<DateTime<Utc>>,
    /// HTTP status of the last answer.
    last_status: Option<i32>,
    /// Why there was no answer, or `endpoint_disabled`, `partner_paused`.
    last_error: Option<String>,
    /// When a 2xx answer came; null while none has.
    delivered_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<DeliveryRow> for WebhookDelivery {
    fn from(row: DeliveryRow) -> Self {
        Self {
            id: row.id,
            endpoint_id: row.endpoint_id,
            event_id: row.event_id,
            event_type: row.event_type,
            state: row.state,
            tries: row.tries,
            next_try_at: row.next_try_at,
            last_status: row.last_status,
            last_error: row.last_error,
            delivered_at: row.delivered_at,
            created_at: row.created_at,
        }
    }
}

/// A delivery with the request and every answer.
#[derive(Serialize, ToSchema)]
pub struct WebhookDeliveryLog {
    delivery: WebhookDelivery,
    /// The body of each request, as it was signed.
    request_body: String,
    /// The tries, newest first; at most a hundred.
    attempts: Vec<WebhookAttempt>,
}

/// One try of a delivery.
#[derive(Serialize, ToSchema)]
pub struct WebhookAttempt {
    id: WebhookAttemptId,
    /// When; its seconds are `webhook-timestamp`.
    at: DateTime<Utc>,
    /// Where it went.
    url: String,
    /// How long it took, in milliseconds.
    duration_ms: i32,
    /// Status of the answer; null when there was none.
    response_status: Option<i32>,
    /// At most 64 KiB.
    response_body: Option<String>,
    /// Why there was no answer.
    error: Option<String>,
}

impl From<AttemptRow> for WebhookAttempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            url: row.url,
            duration_ms: row.duration_ms,
            response_status: row.response_status,
            response_body: row.response_body,
            error: row.error,
        }
    }
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
pub struct WebhookDeliveryPage {
    items: Vec<WebhookDelivery>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// Filters of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WebhookDeliveryQuery {
    /// States, comma separated.
    #[param(value_type = Option<String>, example = "failed,dead")]
    state: Option<CommaList<DeliveryState>>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List deliveries of a webhook endpoint
///
/// The partner whose it is, or the admin. Newest first; kept for 30 days.
#[utoipa::path(operation_id = "listWebhookDeliveries", tag = "webhooks",
    params(("id" = WebhookEndpointId, Path, description = "The endpoint.", example = "0193a000-0000-7000-8000-000000029001"),
        WebhookDeliveryQuery),
    responses((status = 200, description = "A page of deliveries.", body = WebhookDeliveryPage)))]
#[get("/v1/webhook-endpoints/{id}/deliveries")]
pub async fn list_webhook_deliveries(
    app: web::Data<App>,
    caller: Allowed<op::ListWebhookDeliveries>,
    id: Path<WebhookEndpointId>,
    query: Query<WebhookDeliveryQuery>,
) -> ApiResult<Reply> {
    let (id, caller) = (id.0, caller.caller);
    let WebhookDeliveryQuery { state, limit, cursor } = query.0;
    let states = state.map(|CommaList(states)| states);
    let binding = format!("webhook_deliveries {id} {states:?}");
    let after = page::decode(cursor.as_deref(), &binding)?;
    let rows = app
        .db
        .run(move |conn| {
            visible(conn, &caller, id)?;
            Ok(model::deliveries(conn, id, states.as_deref(), after, limit)?)
        })
        .await?;
    let page = Page::cut(rows, limit, &binding, |row| Position { at: row.created_at, id: row.id.0 })
        .map(WebhookDelivery::from);
    let body =
        WebhookDeliveryPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

/// Read a delivery with its requests and answers
///
/// The partner whose it is, or the admin. Answers are cut at 64 KiB; signatures are not kept.
#[utoipa::path(operation_id = "getWebhookDelivery", tag = "webhooks",
    params(("id" = WebhookEndpointId, Path, description = "The endpoint.", example = "0193a000-0000-7000-8000-000000029001"),
        ("delivery_id" = WebhookDeliveryId, Path, description = "The delivery.", example = "0193a000-0000-7000-8000-000000030001")),
    responses((status = 200, description = "The delivery.", body = WebhookDeliveryLog)))]
#[get("/v1/webhook-endpoints/{id}/deliveries/{delivery_id}")]
pub async fn get_webhook_delivery(
    app: web::Data<App>,
    caller: Allowed<op::GetWebhookDelivery>,
    path: PathPair<WebhookEndpointId, WebhookDeliveryId>,
) -> ApiResult<Reply> {
    let (PathPair(id, delivery_id), caller) = (path, caller.caller);
    app.db
        .run(move |conn| {
            visible(conn, &caller, id)?;
            let row = model::find_delivery(conn, id, delivery_id)?.ok_or_else(ApiError::not_found)?;
            let attempts = model::attempts(conn, delivery_id)?;
            Reply::ok(&WebhookDeliveryLog {
                request_body: row.body.clone(),
                delivery: row.into(),
                attempts: attempts.into_iter().map(WebhookAttempt::from).collect(),
            })
        })
        .await
}

/// Send an event to a webhook endpoint again
///
/// The partner whose it is, or the admin; not while the endpoint is disabled. In any state; begins a new round of tries with
/// the same `webhook-id` and body.
#[utoipa::path(operation_id = "redeliverWebhook", tag = "webhooks",
    params(("id" = WebhookEndpointId, Path, description = "The endpoint.", example = "0193a000-0000-7000-8000-000000029001"),
        ("delivery_id" = WebhookDeliveryId, Path, description = "The delivery.", example = "0193a000-0000-7000-8000-000000030001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses(
        (status = 202, description = "The delivery, on its way.", body = WebhookDelivery),
        (status = 409, description = "`endpoint_disabled`"),
    ))]
#[post("/v1/webhook-endpoints/{id}/deliveries/{delivery_id}/redeliver")]
pub async fn redeliver_webhook(
    app: web::Data<App>,
    caller: Allowed<op::RedeliverWebhook>,
    path: PathPair<WebhookEndpointId, WebhookDeliveryId>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (PathPair(id, delivery_id), caller) = (path, caller.caller);
    let (key, owner) = (caller.user_id.to_string(), caller.clone());
    idem.run(
        &app.db,
        now,
        &key,
        move |conn| visible(conn, &owner, id).map(drop),
        move |conn| {
            let endpoint = locked(conn, &caller, id)?;
            model::find_delivery(conn, id, delivery_id)?.ok_or_else(ApiError::not_found)?;
            if endpoint.disabled_at.is_some() {
                return Err(ApiError::new(&codes::ENDPOINT_DISABLED));
            }
            let row = model::start_again(conn, now, delivery_id)?;
            let deed = Deed::new("webhook_delivery.redelivered", "webhook_delivery", delivery_id.0)
                .details(json!({ "endpoint_id": id, "event_id": row.event_id }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            Reply::accepted(&WebhookDelivery::from(row))
        },
    )
    .await
}
