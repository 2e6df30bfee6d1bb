//! Steps of an endpoint: rotate the secret, send a test, recover what was missed.

use actix_web::{post, web};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::jobs::{self, Recovery};
use super::super::model::{self, Changes};
use super::super::{document, outbox, sign};
use super::body::WebhookEndpointSecret;
use super::deliveries::WebhookDelivery;
use super::{locked, visible};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::etag::etag;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::WebhookEndpointId;
use crate::kernel::jobs::{NewJob, enqueue};
use crate::kernel::json::{Json, Path};
use crate::kernel::reply::Reply;

/// How long both secrets sign.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "overlap_hours": 24 }))]
pub struct WebhookSecretRotation {
    /// Hours in which the previous secret goes on signing beside the new one; 24 when absent, 0: it ends at once.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 168, nullable = false)]
    overlap_hours: Option<u8>,
}

/// Since when to recover.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "since": null }))]
pub struct WebhookRecovery {
    /// Events published at or after this time, at most 30 days ago. Null or absent: since the endpoint began to fail; if it
    /// does not fail, of the last day.
    #[serde(default)]
    since: Option<DateTime<Utc>>,
}

/// What a recovery will send.
#[derive(Serialize, ToSchema)]
pub struct WebhookRecoveryStarted {
    /// Events published at or after this time.
    since: DateTime<Utc>,
    /// Up to this time; later ones go their usual way.
    until: DateTime<Utc>,
}

/// Rotate the secret of a webhook endpoint
///
/// The partner whose it is, or the admin. The reply shows the new secret, once. During the overlap each call carries both
/// signatures, so receivers may change over at any moment. A second rotation within the overlap ends the older secret.
#[utoipa::path(operation_id = "rotateWebhookSecret", tag = "webhooks",
    params(("id" = WebhookEndpointId, Path, description = "The endpoint.", example = "0193a000-0000-7000-8000-000000029001")),
    responses((status = 200, description = "The endpoint and its new secret.", body = WebhookEndpointSecret)))]
#[post("/v1/webhook-endpoints/{id}/rotate-secret")]
pub async fn rotate_webhook_secret(
    app: web::Data<App>,
    caller: Allowed<op::RotateWebhookSecret>,
    id: Path<WebhookEndpointId>,
    body: Json<WebhookSecretRotation>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (id, caller) = (id.0, caller.caller);
    let overlap = Duration::hours(body.0.overlap_hours.unwrap_or(24).into());
    app.db
        .transaction(move |conn| {
            let before = locked(conn, &caller, id)?;
            let goes_on = overlap > Duration::zero();
            let changes = Changes {
                secret: Some(sign::new_secret()),
                previous_secret: Some(goes_on.then_some(before.secret)),
                previous_secret_ends_at: Some(goes_on.then_some(now + overlap)),
                ..Changes::default()
            };
            let row = model::update(conn, now, id, changes)?;
            let deed = Deed::new("webhook_endpoint.secret_rotated", "webhook_endpoint", id.0)
                .details(json!({ "previous_secret_ends_at": row.previous_secret_ends_at }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            let tag = etag(row.version, caller.view(), caller.locale);
            Ok(Reply::ok(&WebhookEndpointSecret::from(row))?.etag(tag))
        })
        .await
}

/// Send a test event to a webhook endpoint
///
/// The partner whose it is, or the admin; not while it is disabled. Sends an event of type `webhook.test`, whatever the
/// filter says, in the same form as all others and about a filing that does not exist. See the outcome in the delivery.
#[utoipa::path(operation_id = "testWebhookEndpoint", tag = "webhooks",
    params(("id" = WebhookEndpointId, Path, description = "The endpoint.", example = "0193a000-0000-7000-8000-000000029001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses(
        (status = 202, description = "The delivery, on its way.", body = WebhookDelivery),
        (status = 409, description = "`endpoint_disabled`"),
    ))]
#[post("/v1/webhook-endpoints/{id}/test")]
pub async fn test_webhook_endpoint(
    app: web::Data<App>,
    caller: Allowed<op::TestWebhookEndpoint>,
    id: Path<WebhookEndpointId>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (id, caller) = (id.0, caller.caller);
    let (key, owner) = (caller.user_id.to_string(), caller.clone());
    idem.run(
        &app.db,
        now,
        &key,
        move |conn| visible(conn, &owner, id).map(drop),
        move |conn| {
            if locked(conn, &caller, id)?.disabled_at.is_some() {
                return Err(ApiError::new(&codes::ENDPOINT_DISABLED));
            }
            let event = Uuid::now_v7();
            let body = document::test_event(event, now).to_string();
            let row = model::add_delivery(conn, now, id, event, document::TEST_EVENT, &body)?
                .ok_or_else(|| ApiError::internal("a new event has a delivery already"))?;
            let deed = Deed::new("webhook_endpoint.tested", "webhook_endpoint", id.0);
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            Reply::accepted(&WebhookDelivery::from(row))
        },
    )
    .await
}

/// Send again what a webhook endpoint has missed
///
/// The partner whose it is, or the admin; not while it is disabled. Sends events that have no delivery and those whose tries
/// are used up, oldest first, by a job. What is still being tried is left alone. Repeats are harmless.
#[utoipa::path(operation_id = "recoverWebhookDeliveries", tag = "webhooks",
    params(("id" = WebhookEndpointId, Path, description = "The endpoint.", example = "0193a000-0000-7000-8000-000000029001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses(
        (status = 202, description = "The job is on its way.", body = WebhookRecoveryStarted),
        (status = 409, description = "`endpoint_disabled`"),
    ))]
#[post("/v1/webhook-endpoints/{id}/recover")]
pub async fn recover_webhook_deliveries(
    app: web::Data<App>,
    caller: Allowed<op::RecoverWebhookDeliveries>,
    id: Path<WebhookEndpointId>,
    idem: Idempotency,
    body: Json<WebhookRecovery>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (id, caller, asked) = (id.0, caller.caller, body.0.since);
    if asked.is_some_and(|since| since > now || since < now - jobs::kept()) {
        return Err(ApiError::invalid_field(
            "/since",
            "out_of_range",
            "须在最近 30 天内",
            "must lie within the last 30 days",
        ));
    }
    let (key, owner) = (caller.user_id.to_string(), caller.clone());
    idem.run(
        &app.db,
        now,
        &key,
        move |conn| visible(conn, &owner, id).map(drop),
        move |conn| {
            let endpoint = locked(conn, &caller, id)?;
            if endpoint.disabled_at.is_some() {
                return Err(ApiError::new(&codes::ENDPOINT_DISABLED));
            }
            let usual = endpoint.failing_since.unwrap_or(now - Duration::days(1));
            let since = asked.unwrap_or(usual).max(now - jobs::kept());
            // The last one that was published may carry a time just ahead of the clock.
            let until = outbox::last_published(conn, endpoint.partner_id)?.map_or(now, |last| last.max(now));
            let recovery = Recovery { endpoint_id: id, since, until };
            let job_key = format!("{}:{id}:{}", jobs::RECOVER, now.timestamp_millis());
            enqueue(conn, now, NewJob::new(jobs::RECOVER, json!(recovery)).once(job_key))?;
            let deed = Deed::new("webhook_endpoint.recovered", "webhook_endpoint", id.0)
                .details(json!({ "since": since }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            Reply::accepted(&WebhookRecoveryStarted { since, until })
        },
    )
    .await
}
