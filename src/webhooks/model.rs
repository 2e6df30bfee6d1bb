//! Rows and queries of endpoints, deliveries and attempts.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::{DeliveryState, DisabledReason, deliver};
use crate::kernel::ids::{
    EventId, PartnerId, UserId, WebhookAttemptId, WebhookDeliveryId, WebhookEndpointId,
};
use crate::kernel::page::{Limit, Position};
use crate::kernel::pii::{Email, Sensitive, WebhookSecret};
use crate::schema::{webhook_attempts, webhook_deliveries, webhook_endpoints};

/// An endpoint.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = webhook_endpoints)]
pub struct EndpointRow {
    pub id: WebhookEndpointId,
    pub partner_id: PartnerId,
    pub url: String,
    pub description: Option<String>,
    event_types: Vec<Option<String>>,
    pub secret: Sensitive<WebhookSecret>,
    pub previous_secret: Option<Sensitive<WebhookSecret>>,
    pub previous_secret_ends_at: Option<DateTime<Utc>>,
    pub contact_email: Option<Sensitive<Email>>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub disabled_reason: Option<DisabledReason>,
    pub failing_since: Option<DateTime<Utc>>,
    pub unanswered: i32,
    pub not_before: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl EndpointRow {
    /// The events that it wants; empty: all.
    pub fn event_types(&self) -> Vec<String> {
        self.event_types.iter().flatten().cloned().collect()
    }
}

/// An endpoint to be created.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    /// Its id.
    pub id: WebhookEndpointId,
    /// Whose events it gets.
    pub partner_id: PartnerId,
    /// Where they go.
    pub url: String,
    /// The partner's own words.
    pub description: Option<String>,
    /// Which events; empty: all.
    pub event_types: Vec<String>,
    /// Who is told when it is disabled by itself.
    pub contact_email: Option<Sensitive<Email>>,
    /// Who creates it.
    pub created_by: UserId,
}

/// Creates an endpoint with a new secret.
///
/// # Errors
/// When the database fails; a second one with this address is a violation of `webhook_endpoints_partner_id_url_key`.
pub fn insert(conn: &mut PgConnection, now: DateTime<Utc>, new: NewEndpoint) -> QueryResult<EndpointRow> {
    diesel::insert_into(webhook_endpoints::table)
        .values((
            webhook_endpoints::id.eq(new.id),
            webhook_endpoints::partner_id.eq(new.partner_id),
            webhook_endpoints::url.eq(new.url),
            webhook_endpoints::description.eq(new.description),
            webhook_endpoints::event_types.eq(new.event_types),
            webhook_endpoints::secret.eq(super::sign::new_secret()),
            webhook_endpoints::contact_email.eq(new.contact_email),
            webhook_endpoints::created_by.eq(new.created_by),
            webhook_endpoints::created_at.eq(now),
            webhook_endpoints::updated_at.eq(now),
        ))
        .returning(EndpointRow::as_returning())
        .get_result(conn)
}

/// How many endpoints a partner has.
pub fn count(conn: &mut PgConnection, partner: PartnerId) -> QueryResult<i64> {
    webhook_endpoints::table.filter(webhook_endpoints::partner_id.eq(partner)).count().get_result(conn)
}

/// An endpoint.
pub fn find(conn: &mut PgConnection, id: WebhookEndpointId) -> QueryResult<Option<EndpointRow>> {
    webhook_endpoints::table.find(id).select(EndpointRow::as_select()).first(conn).optional()
}

/// An endpoint, locked until the transaction ends.
pub fn lock(conn: &mut PgConnection, id: WebhookEndpointId) -> QueryResult<Option<EndpointRow>> {
    webhook_endpoints::table.find(id).select(EndpointRow::as_select()).for_update().first(conn).optional()
}

/// What an update changes; `None` leaves a column alone.
#[derive(Debug, Default, AsChangeset)]
#[diesel(table_name = webhook_endpoints)]
pub struct Changes {
    pub url: Option<String>,
    pub description: Option<Option<String>>,
    pub event_types: Option<Vec<String>>,
    pub secret: Option<Sensitive<WebhookSecret>>,
    pub previous_secret: Option<Option<Sensitive<WebhookSecret>>>,
    pub previous_secret_ends_at: Option<Option<DateTime<Utc>>>,
    pub contact_email: Option<Option<Sensitive<Email>>>,
    pub disabled_at: Option<Option<DateTime<Utc>>>,
    pub disabled_reason: Option<Option<DisabledReason>>,
    pub failing_since: Option<Option<DateTime<Utc>>>,
    pub unanswered: Option<i32>,
    pub not_before: Option<Option<DateTime<Utc>>>,
}

/// Applies changes and raises the version.
pub fn update(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: WebhookEndpointId,
    changes: Changes,
) -> QueryResult<EndpointRow> {
    diesel::update(webhook_endpoints::table.find(id))
        .set((
            changes,
            webhook_endpoints::version.eq(webhook_endpoints::version + 1),
            webhook_endpoints::updated_at.eq(now),
        ))
        .returning(EndpointRow::as_returning())
        .get_result(conn)
}

/// Removes an endpoint with its deliveries.
pub fn delete(conn: &mut PgConnection, id: WebhookEndpointId) -> QueryResult<usize> {
    diesel::delete(webhook_endpoints::table.find(id)).execute(conn)
}

/// A page of endpoints, newest first.
pub fn list(
    conn: &mut PgConnection,
    partner: Option<PartnerId>,
    is_disabled: Option<bool>,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<EndpointRow>> {
    let mut query = webhook_endpoints::table.select(EndpointRow::as_select()).into_boxed();
    if let Some(partner) = partner {
        query = query.filter(webhook_endpoints::partner_id.eq(partner));
    }
    match is_disabled {
        Some(true) => query = query.filter(webhook_endpoints::disabled_at.is_not_null()),
        Some(false) => query = query.filter(webhook_endpoints::disabled_at.is_null()),
        None => {}
    }
    if let Some(Position { at, id }) = after {
        let next = webhook_endpoints::created_at.eq(at).and(webhook_endpoints::id.lt(WebhookEndpointId(id)));
        query = query
            .filter(webhook_endpoints::created_at.le(at))
            .filter(webhook_endpoints::created_at.lt(at).or(next));
    }
    query
        .order((webhook_endpoints::created_at.desc(), webhook_endpoints::id.desc()))
        .limit(limit.rows_to_read())
        .load(conn)
}

/// A delivery.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = webhook_deliveries)]
pub struct DeliveryRow {
    pub id: WebhookDeliveryId,
    pub endpoint_id: WebhookEndpointId,
    pub event_id: Uuid,
    pub event_type: String,
    pub body: String,
    pub state: DeliveryState,
    pub round: i32,
    pub tries: i32,
    pub next_try_at: Option<DateTime<Utc>>,
    pub last_status: Option<i32>,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub delivered_at: Option<DateTime<Utc>>,
}

/// One try.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_attempts)]
pub struct AttemptRow {
    pub id: WebhookAttemptId,
    pub delivery_id: WebhookDeliveryId,
    pub at: DateTime<Utc>,
    pub url: String,
    pub duration_ms: i32,
    pub response_status: Option<i32>,
    pub response_body: Option<String>,
    pub error: Option<String>,
}

/// Makes the delivery of an event to an endpoint and enqueues its first try. None when there is one already.
///
/// # Errors
/// When the database fails.
pub fn add_delivery(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    endpoint: WebhookEndpointId,
    event: Uuid,
    event_type: &str,
    body: &str,
) -> QueryResult<Option<DeliveryRow>> {
    let row: Option<DeliveryRow> = diesel::insert_into(webhook_deliveries::table)
        .values((
            webhook_deliveries::id.eq(WebhookDeliveryId::new()),
            webhook_deliveries::endpoint_id.eq(endpoint),
            webhook_deliveries::event_id.eq(event),
            webhook_deliveries::event_type.eq(event_type),
            webhook_deliveries::body.eq(body),
            webhook_deliveries::state.eq(DeliveryState::Pending),
            webhook_deliveries::next_try_at.eq(now),
            webhook_deliveries::created_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .returning(DeliveryRow::as_returning())
        .get_result(conn)
        .optional()?;
    if let Some(row) = &row {
        deliver::enqueue(conn, now, row, now)?;
    }
    Ok(row)
}

/// Makes a delivery that has used up its tries: for the demo.
///
/// # Errors
/// When the database fails.
pub fn add_dead_delivery(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    endpoint: WebhookEndpointId,
    event: EventId,
) -> QueryResult<()> {
    let published = super::outbox::load(conn, event)?.ok_or(diesel::result::Error::NotFound)?;
    diesel::insert_into(webhook_deliveries::table)
        .values((
            webhook_deliveries::id.eq(WebhookDeliveryId::new()),
            webhook_deliveries::endpoint_id.eq(endpoint),
            webhook_deliveries::event_id.eq(event.0),
            webhook_deliveries::event_type.eq(&published.event_type),
            webhook_deliveries::body.eq(published.body()?),
            webhook_deliveries::state.eq(DeliveryState::Dead),
            webhook_deliveries::tries.eq(super::rules::TRIES),
            webhook_deliveries::last_error.eq("the host name cannot be resolved"),
            webhook_deliveries::created_at.eq(now),
        ))
        .execute(conn)
        .map(drop)
}

/// Begins a new round of tries.
pub fn start_again(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: WebhookDeliveryId,
) -> QueryResult<DeliveryRow> {
    let row: DeliveryRow = diesel::update(webhook_deliveries::table.find(id))
        .set((
            webhook_deliveries::state.eq(DeliveryState::Pending),
            webhook_deliveries::round.eq(webhook_deliveries::round + 1),
            webhook_deliveries::tries.eq(0),
            webhook_deliveries::next_try_at.eq(Some(now)),
        ))
        .returning(DeliveryRow::as_returning())
        .get_result(conn)?;
    deliver::enqueue(conn, now, &row, now)?;
    Ok(row)
}

/// A delivery of an endpoint.
pub fn find_delivery(
    conn: &mut PgConnection,
    endpoint: WebhookEndpointId,
    id: WebhookDeliveryId,
) -> QueryResult<Option<DeliveryRow>> {
    webhook_deliveries::table
        .find(id)
        .filter(webhook_deliveries::endpoint_id.eq(endpoint))
        .select(DeliveryRow::as_select())
        .first(conn)
        .optional()
}

/// The tries of a delivery, newest first; at most a hundred.
pub fn attempts(conn: &mut PgConnection, delivery: WebhookDeliveryId) -> QueryResult<Vec<AttemptRow>> {
    webhook_attempts::table
        .filter(webhook_attempts::delivery_id.eq(delivery))
        .order((webhook_attempts::at.desc(), webhook_attempts::id.desc()))
        .limit(100)
        .select(AttemptRow::as_select())
        .load(conn)
}

/// A page of an endpoint's deliveries, newest first.
pub fn deliveries(
    conn: &mut PgConnection,
    endpoint: WebhookEndpointId,
    states: Option<&[DeliveryState]>,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<DeliveryRow>> {
    let mut query = webhook_deliveries::table
        .filter(webhook_deliveries::endpoint_id.eq(endpoint))
        .select(DeliveryRow::as_select())
        .into_boxed();
    if let Some(states) = states {
        query = query.filter(webhook_deliveries::state.eq_any(states.to_vec()));
    }
    if let Some(Position { at, id }) = after {
        let next =
            webhook_deliveries::created_at.eq(at).and(webhook_deliveries::id.lt(WebhookDeliveryId(id)));
        query = query
            .filter(webhook_deliveries::created_at.le(at))
            .filter(webhook_deliveries::created_at.lt(at).or(next));
    }
    query
        .order((webhook_deliveries::created_at.desc(), webhook_deliveries::id.desc()))
        .limit(limit.rows_to_read())
        .load(conn)
}
