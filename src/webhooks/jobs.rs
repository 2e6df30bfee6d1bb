//! The jobs of this feature. Payloads carry ids only.

use anyhow::Context;
use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DeliveryState, deliver, model, outbox, rules};
use crate::app::App;
use crate::external::email::Mail;
use crate::kernel::ids::{EventId, WebhookEndpointId};
use crate::kernel::jobs::Registry;
use crate::kernel::pii;
use crate::notifications::texts::{self, AccountVars};
use crate::schema::{partner_events, partners, webhook_deliveries};

/// `{"event_id"}`: publishes an event. Enqueued by [`super::announce`].
pub const FAN_OUT: &str = "webhooks.fan_out";
/// One try of a delivery, see [`deliver::Try`].
pub const DELIVER: &str = "webhooks.deliver";
/// What [`Recovery`] says.
pub const RECOVER: &str = "webhooks.recover";
/// `{"endpoint_id"}`: tells the partner that the endpoint was disabled.
pub const DISABLED_EMAIL: &str = "webhooks.disabled_email";

/// How long deliveries are kept; what is older cannot be recovered.
pub fn kept() -> Duration {
    Duration::days(30)
}

/// Events that one transaction of a recovery takes on, and deliveries that one run of the purge removes.
const AT_ONCE: i64 = 200;

#[derive(Deserialize)]
struct FanOut {
    event_id: EventId,
}

/// Which events to send again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Recovery {
    /// To this endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// Published at or after this time.
    pub since: DateTime<Utc>,
    /// Up to this time: what comes later goes its usual way.
    pub until: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Disabled {
    endpoint_id: WebhookEndpointId,
}

/// Registers the handlers.
pub fn register(registry: &mut Registry, app: &App) {
    let own = app.clone();
    registry.on(FAN_OUT, move |payload| {
        let app = own.clone();
        async move {
            let id = serde_json::from_value::<FanOut>(payload).context("payload")?.event_id;
            let now = app.clock.now();
            app.db.transaction(move |conn| Ok(outbox::publish(conn, now, id)?)).await?;
            app.waker.wake();
            Ok(())
        }
    });
    let own = app.clone();
    registry.on(DELIVER, move |payload| {
        let app = own.clone();
        async move { deliver::run(app, serde_json::from_value(payload).context("payload")?).await }
    });
    let own = app.clone();
    registry.on(RECOVER, move |payload| {
        let app = own.clone();
        async move { recover(app, serde_json::from_value(payload).context("payload")?).await }
    });
    let own = app.clone();
    registry.on(DISABLED_EMAIL, move |payload| {
        let app = own.clone();
        async move { tell(app, serde_json::from_value::<Disabled>(payload).context("payload")?.endpoint_id).await }
    });
    let own = app.clone();
    registry.every("webhooks.purge", Duration::hours(1), move |_| purge(own.clone()));
}

/// Sends what the endpoint has not got: events without a delivery and deliveries that are dead. Those that are still tried
/// are left alone. Again is harmless.
async fn recover(app: App, what: Recovery) -> anyhow::Result<()> {
    let mut after = (what.since, Uuid::nil());
    loop {
        let now = app.clock.now();
        let Recovery { endpoint_id, until, .. } = what;
        let last = app
            .db
            .transaction(move |conn| {
                // Locked, as everybody does before deliveries: so nobody waits in a circle.
                let Some(endpoint) = model::lock(conn, endpoint_id)? else { return Ok(None) };
                if endpoint.disabled_at.is_some() {
                    return Ok(None);
                }
                let events: Vec<(EventId, DateTime<Utc>)> = partner_events::table
                    .filter(partner_events::partner_id.eq(endpoint.partner_id))
                    .filter(partner_events::published_at.le(until))
                    .filter(partner_events::published_at.ge(after.0))
                    .filter(partner_events::published_at.gt(after.0).or(partner_events::event_id.gt(after.1)))
                    .order((partner_events::published_at, partner_events::event_id))
                    .limit(AT_ONCE)
                    .select((partner_events::event_id, partner_events::published_at))
                    .load(conn)?;
                let filter = endpoint.event_types();
                for (event, _) in &events {
                    let Some(published) = outbox::load(conn, *event)? else { continue };
                    if rules::wants(&filter, &published.event_type) {
                        send(conn, now, endpoint_id, event.0, &published)?;
                    }
                }
                Ok(events.last().map(|(event, at)| (*at, event.0)))
            })
            .await?;
        app.waker.wake();
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

fn send(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    endpoint: WebhookEndpointId,
    event: Uuid,
    published: &outbox::Published,
) -> QueryResult<()> {
    if model::add_delivery(conn, now, endpoint, event, &published.event_type, &published.body()?)?.is_some() {
        return Ok(());
    }
    let dead = webhook_deliveries::table
        .filter(webhook_deliveries::endpoint_id.eq(endpoint))
        .filter(webhook_deliveries::event_id.eq(event))
        .filter(webhook_deliveries::state.eq(DeliveryState::Dead))
        .select(webhook_deliveries::id)
        .for_update()
        .first(conn)
        .optional()?;
    dead.map_or(Ok(()), |id| model::start_again(conn, now, id).map(drop))
}

/// The mail to the contact of an endpoint that was disabled by itself.
async fn tell(app: App, id: WebhookEndpointId) -> anyhow::Result<()> {
    let found = app
        .db
        .run(move |conn| {
            let Some(endpoint) = model::find(conn, id)? else { return Ok(None) };
            let name: String =
                partners::table.find(endpoint.partner_id).select(partners::name).first(conn)?;
            Ok(Some((endpoint, name)))
        })
        .await?;
    let Some((endpoint, recipient_display_name)) = found else { return Ok(()) };
    // Enabled again meanwhile, or nobody to tell: the list of endpoints shows it too.
    let (Some(to), Some(disabled_at)) = (endpoint.contact_email, endpoint.disabled_at) else { return Ok(()) };
    // The contact is an address and no user, so nothing says which language is read there.
    let zh = AccountVars {
        recipient_display_name,
        provider_name: app.config.provider.name_zh.clone(),
        link: endpoint.url,
        valid_minutes: 0,
    };
    let en = AccountVars { provider_name: app.config.provider.name_en.clone(), ..zh.clone() };
    let text = texts::render_account_in_both("account.webhook_disabled", &zh, &en)?;
    // The same for each try of one notice.
    let key = pii::keyed_hash("webhook_disabled_mail", &[&id.to_string(), &disabled_at.to_rfc3339()]);
    let mail = Mail {
        id: Uuid::from_slice(&key[..16])?,
        at: app.clock.now(),
        to,
        subject: text.subject,
        text: text.email_text,
        html: text.email_html,
        unsubscribe: None,
    };
    Ok(app.mailer.send(&mail).await?)
}

/// Removes deliveries that have been kept long enough, with their tries.
async fn purge(app: App) -> anyhow::Result<()> {
    loop {
        let before = app.clock.now() - kept();
        let removed = app
            .db
            .run(move |conn| {
                let old = webhook_deliveries::table
                    .filter(webhook_deliveries::created_at.lt(before))
                    .limit(AT_ONCE)
                    .select(webhook_deliveries::id);
                let ids: Vec<crate::kernel::ids::WebhookDeliveryId> = old.load(conn)?;
                let these = webhook_deliveries::table.filter(webhook_deliveries::id.eq_any(ids));
                Ok(diesel::delete(these).execute(conn)? as i64)
            })
            .await?;
        if removed < AT_ONCE {
            return Ok(());
        }
    }
}
