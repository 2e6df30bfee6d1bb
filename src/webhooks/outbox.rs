//! From an event to deliveries. The event's transaction enqueues a job; the job publishes the event and makes one delivery for
//! each endpoint that wants it, in one transaction.

use chrono::{DateTime, Duration, Utc};
use diesel::dsl::{exists, max, select};
use diesel::prelude::*;
use serde_json::json;

use super::model::{self, EndpointRow};
use super::{jobs, rules};
use crate::filings::body::{EventRow, FilingEvent};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{EventId, PartnerId};
use crate::kernel::jobs::NewJob;
use crate::schema::{filing_events, filings, partner_events, partners, webhook_endpoints};

/// Any number that nobody else locks: "events" in ASCII.
const PUBLISHING: i64 = 0x6576_656e_7473;

/// Has the partner told about an event of a filing, in the transaction that records it.
///
/// # Errors
/// When the database fails.
pub fn announce(conn: &mut PgConnection, now: DateTime<Utc>, event_id: EventId) -> QueryResult<()> {
    let key = format!("{}:{event_id}", jobs::FAN_OUT);
    let job = NewJob::new(jobs::FAN_OUT, json!({ "event_id": event_id })).once(key);
    crate::kernel::jobs::enqueue(conn, now, job)
}

/// An event with what the partner gets of it.
pub struct Published {
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Its type.
    pub event_type: String,
    /// The object.
    pub event: FilingEvent,
}

impl Published {
    /// The bytes of the body.
    pub fn body(&self) -> QueryResult<String> {
        serde_json::to_string(&self.event)
            .map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))
    }
}

/// The event as partners see it; none when its filing is no partner's.
pub fn load(conn: &mut PgConnection, event_id: EventId) -> QueryResult<Option<Published>> {
    let found: Option<(EventRow, String, Option<String>, Option<PartnerId>)> = filing_events::table
        .inner_join(filings::table)
        .filter(filing_events::id.eq(event_id))
        .filter(filing_events::visibility.eq("applicant"))
        .select((EventRow::as_select(), filings::order_no, filings::external_reference, filings::partner_id))
        .first(conn)
        .optional()?;
    let Some((row, order_no, external_reference, Some(partner_id))) = found else { return Ok(None) };
    let event_type = row.type_.clone();
    // A receiver has no language; labels are in the API's first one.
    let event = row.body(&order_no, external_reference, Locale::ZhCn);
    Ok(Some(Published { partner_id, event_type, event }))
}

/// When the last event of a partner was published.
///
/// # Errors
/// When the database fails.
pub fn last_published(conn: &mut PgConnection, partner: PartnerId) -> QueryResult<Option<DateTime<Utc>>> {
    partner_events::table
        .filter(partner_events::partner_id.eq(partner))
        .select(max(partner_events::published_at))
        .first(conn)
}

/// Publishes an event and makes its deliveries. Again is harmless. Runs in the caller's transaction, which must be short:
/// events are published one after the other.
///
/// # Errors
/// When the database fails.
pub fn publish(conn: &mut PgConnection, now: DateTime<Utc>, event_id: EventId) -> QueryResult<()> {
    let Some(published) = load(conn, event_id)? else { return Ok(()) };
    // Held until the commit: who reads the list sees every event before the one that comes next.
    diesel::sql_query(format!("SELECT pg_advisory_xact_lock({PUBLISHING})")).execute(conn)?;
    let is_published = select(exists(partner_events::table.filter(partner_events::event_id.eq(event_id))))
        .get_result::<bool>(conn)?;
    if !is_published {
        let last: Option<DateTime<Utc>> =
            partner_events::table.select(max(partner_events::published_at)).first(conn)?;
        // Never at or before the last one, whatever the clocks of two workers say.
        let at = last.map_or(now, |last| now.max(last + Duration::microseconds(1)));
        diesel::insert_into(partner_events::table)
            .values((
                partner_events::event_id.eq(event_id),
                partner_events::partner_id.eq(published.partner_id),
                partner_events::published_at.eq(at),
            ))
            .execute(conn)?;
    }
    let endpoints: Vec<EndpointRow> = webhook_endpoints::table
        .inner_join(partners::table)
        .filter(webhook_endpoints::partner_id.eq(published.partner_id))
        .filter(webhook_endpoints::disabled_at.is_null())
        .filter(partners::paused_at.is_null())
        .select(EndpointRow::as_select())
        .load(conn)?;
    let body = published.body()?;
    for endpoint in endpoints {
        if rules::wants(&endpoint.event_types(), &published.event_type) {
            model::add_delivery(conn, now, endpoint.id, event_id.0, &published.event_type, &body)?;
        }
    }
    Ok(())
}
