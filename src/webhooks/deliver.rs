//! One try of a delivery: sign, send, record. Nothing is held while the receiver is waited for. A try may happen twice (a
//! worker can die between the answer and our record): receivers compare `webhook-id`.

use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::model::{self, AttemptRow, Changes, DeliveryRow, EndpointRow};
use super::{DeliveryState, DisabledReason, jobs, rules, sign};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::external::web::{Answer, WebError};
use crate::kernel::ids::{WebhookAttemptId, WebhookDeliveryId};
use crate::kernel::jobs::NewJob;
use crate::schema::{partners, webhook_attempts, webhook_deliveries, webhook_endpoints};

/// The delivery, if it still stands where this try found it.
macro_rules! same_try {
    ($delivery:expr) => {
        webhook_deliveries::table
            .find($delivery.id)
            .filter(webhook_deliveries::round.eq($delivery.round))
            .filter(webhook_deliveries::tries.eq($delivery.tries))
    };
}

/// Which try of which delivery. A job whose delivery has moved on has nothing to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Try {
    delivery_id: WebhookDeliveryId,
    round: i32,
    tries: i32,
}

/// Enqueues the next try of a delivery.
pub fn enqueue(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    delivery: &DeliveryRow,
    at: DateTime<Utc>,
) -> QueryResult<()> {
    let DeliveryRow { id, round, tries, .. } = delivery;
    let payload = serde_json::json!({ "delivery_id": id, "round": round, "tries": tries });
    // The time is part of the key: a try that is put off is enqueued by the job of the same try.
    let key = format!("{}:{id}:{round}:{tries}:{}", jobs::DELIVER, at.timestamp_millis());
    crate::kernel::jobs::enqueue(conn, now, NewJob::new(jobs::DELIVER, payload).once(key).at(at))
}

/// Makes one try.
pub async fn run(app: App, this: Try) -> anyhow::Result<()> {
    let now = app.clock.now();
    let id = this.delivery_id;
    let found = app
        .db
        .run(move |conn| {
            let row: Option<(DeliveryRow, EndpointRow, Option<DateTime<Utc>>)> = webhook_deliveries::table
                .inner_join(webhook_endpoints::table.inner_join(partners::table))
                .filter(webhook_deliveries::id.eq(id))
                .select((DeliveryRow::as_select(), EndpointRow::as_select(), partners::paused_at))
                .first(conn)
                .optional()?;
            Ok(row)
        })
        .await?;
    let Some((delivery, endpoint, paused_at)) = found else { return Ok(()) };
    let is_waiting = matches!(delivery.state, DeliveryState::Pending | DeliveryState::Failed);
    if !is_waiting || delivery.round != this.round || delivery.tries != this.tries {
        return Ok(());
    }
    if endpoint.disabled_at.is_some() || paused_at.is_some() {
        let reason = if paused_at.is_some() { "partner_paused" } else { "endpoint_disabled" };
        return Ok(app.db.transaction(move |conn| Ok(stop(conn, &delivery, reason)?)).await?);
    }
    if let Some(at) = endpoint.not_before.filter(|at| *at > now) {
        return Ok(app.db.run(move |conn| Ok(enqueue(conn, now, &delivery, at)?)).await?);
    }
    let headers = headers(&delivery, &endpoint, now).context("the endpoint's secret cannot be used")?;
    let started = Instant::now();
    let outcome = app.web.post(&endpoint.url, &headers, &delivery.body).await;
    let took = i32::try_from(started.elapsed().as_millis()).unwrap_or(i32::MAX);
    let at = now;
    let now = app.clock.now();
    app.db.transaction(move |conn| Ok(record(conn, now, &delivery, &endpoint, at, took, outcome)?)).await?;
    app.waker.wake();
    Ok(())
}

/// The three headers of the specification; during a rotation both secrets sign.
fn headers(
    delivery: &DeliveryRow,
    endpoint: &EndpointRow,
    now: DateTime<Utc>,
) -> Option<Vec<(&'static str, String)>> {
    let (id, timestamp) = (delivery.event_id.to_string(), now.timestamp());
    let mut signatures = sign::signature(&endpoint.secret, &id, timestamp, &delivery.body)?;
    let previous = endpoint.previous_secret.as_ref();
    if let Some(previous) = previous.filter(|_| endpoint.previous_secret_ends_at.is_some_and(|end| end > now))
    {
        signatures.push(' ');
        signatures.push_str(&sign::signature(previous, &id, timestamp, &delivery.body)?);
    }
    Some(vec![
        ("webhook-id", id),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures),
    ])
}

/// No further tries: the endpoint is out of use. Recovering sends it later.
fn stop(conn: &mut PgConnection, delivery: &DeliveryRow, reason: &str) -> QueryResult<()> {
    diesel::update(same_try!(delivery))
        .set((
            webhook_deliveries::state.eq(DeliveryState::Dead),
            webhook_deliveries::next_try_at.eq(None::<DateTime<Utc>>),
            webhook_deliveries::last_error.eq(reason),
        ))
        .execute(conn)
        .map(drop)
}

fn record(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    delivery: &DeliveryRow,
    endpoint: &EndpointRow,
    at: DateTime<Utc>,
    duration_ms: i32,
    outcome: Result<Answer, WebError>,
) -> QueryResult<()> {
    // The endpoint first, always: two tries that end at once wait for each other. It may be gone meanwhile.
    let Some(current) = model::lock(conn, endpoint.id)? else { return Ok(()) };
    let (status, body, error) = match outcome {
        Ok(answer) => (Some(i32::from(answer.status)), Some(answer.body), None),
        Err(error) => (None, None, Some(error.to_string())),
    };
    let is_delivered = status.is_some_and(|status| (200..300).contains(&status));
    diesel::insert_into(webhook_attempts::table)
        .values(AttemptRow {
            id: WebhookAttemptId::new(),
            delivery_id: delivery.id,
            at,
            url: endpoint.url.clone(),
            duration_ms,
            response_status: status,
            response_body: body,
            error: error.clone(),
        })
        .execute(conn)?;
    let tries = delivery.tries + 1;
    let next =
        if is_delivered || status == Some(410) { None } else { rules::next_try(now, tries, rand::random()) };
    let state = match (is_delivered, next) {
        (true, _) => DeliveryState::Delivered,
        (false, Some(_)) => DeliveryState::Failed,
        (false, None) => DeliveryState::Dead,
    };
    let label = if is_delivered { "delivered" } else { "failed" };
    metrics::counter!("beian_webhook_attempts_total", "outcome" => label).increment(1);
    let updated: Option<DeliveryRow> = diesel::update(same_try!(delivery))
        .set((
            webhook_deliveries::state.eq(state),
            webhook_deliveries::tries.eq(tries),
            webhook_deliveries::next_try_at.eq(next),
            webhook_deliveries::last_status.eq(status),
            webhook_deliveries::last_error.eq(error),
            webhook_deliveries::delivered_at.eq(is_delivered.then_some(now).or(delivery.delivered_at)),
        ))
        .returning(DeliveryRow::as_returning())
        .get_result(conn)
        .optional()?;
    // None: it was sent again meanwhile, and the new round goes its own way.
    if let (Some(updated), Some(next)) = (&updated, next) {
        enqueue(conn, now, updated, next)?;
    }
    let is_dead = updated.is_some_and(|updated| updated.state == DeliveryState::Dead);
    learn(conn, now, &current, status, is_delivered, is_dead)
}

/// What a try says about the endpoint.
fn learn(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    endpoint: &EndpointRow,
    status: Option<i32>,
    is_delivered: bool,
    is_dead: bool,
) -> QueryResult<()> {
    let mut changes = Changes::default();
    if status.is_some() {
        changes.unanswered = Some(0);
        changes.not_before = Some(None);
    } else {
        changes.unanswered = Some(endpoint.unanswered.saturating_add(1));
        changes.not_before = Some(Some(rules::not_before(now, endpoint.unanswered.saturating_add(1))));
    }
    let failing_since = if is_delivered { None } else { endpoint.failing_since.or(Some(now)) };
    let reason = match status {
        Some(410) => Some(DisabledReason::Gone),
        _ if is_dead && rules::is_given_up(now, failing_since) => Some(DisabledReason::Failing),
        _ => None,
    };
    let is_news = failing_since != endpoint.failing_since
        || status.is_none()
        || endpoint.not_before.is_some()
        || reason.is_some();
    if !is_news {
        return Ok(());
    }
    changes.failing_since = Some(failing_since);
    if let Some(reason) = reason.filter(|_| endpoint.disabled_at.is_none()) {
        changes.disabled_at = Some(Some(now));
        changes.disabled_reason = Some(Some(reason));
        metrics::counter!("beian_webhook_endpoints_disabled_total", "reason" => reason.as_str()).increment(1);
        tracing::warn!(endpoint = %endpoint.id, %reason, "a webhook endpoint was disabled");
        let deed = Deed::new("webhook_endpoint.disabled", "webhook_endpoint", endpoint.id.0)
            .details(serde_json::json!({ "reason": reason, "failing_since": failing_since }));
        audit::record(conn, now, &Actor::system(), deed)?;
        let payload = serde_json::json!({ "endpoint_id": endpoint.id });
        let key = format!("{}:{}:{}", jobs::DISABLED_EMAIL, endpoint.id, now.timestamp_millis());
        crate::kernel::jobs::enqueue(conn, now, NewJob::new(jobs::DISABLED_EMAIL, payload).once(key))?;
    }
    model::update(conn, now, endpoint.id, changes).map(drop)
}
