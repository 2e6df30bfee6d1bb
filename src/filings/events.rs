//! The timeline: what happened to a filing, told by role and never by name.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;

use super::model::Filing;
use crate::audit::Actor;
use crate::kernel::ids::{EventId, FilingId};
use crate::schema::filing_events;

/// Writes an event of the filing as it stands now and has it announced. `data` carries ids and codes only.
///
/// # Errors
/// When the database fails.
pub fn record(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    actor: &Actor,
    filing: &Filing,
    event_type: &str,
    data: Value,
) -> QueryResult<EventId> {
    let id = record_silently(conn, now, actor, filing, event_type, data)?;
    if is_for_applicant(event_type) {
        crate::notifications::announce(conn, now, id)?;
        if filing.partner_id.is_some() {
            crate::webhooks::announce(conn, now, id)?;
        }
    }
    Ok(id)
}

/// As [`record`], but nobody is told: for events that only fill a gap.
///
/// # Errors
/// When the database fails.
pub fn record_silently(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    actor: &Actor,
    filing: &Filing,
    event_type: &str,
    data: Value,
) -> QueryResult<EventId> {
    let id = EventId::new();
    diesel::insert_into(filing_events::table)
        .values((
            filing_events::id.eq(id),
            filing_events::filing_id.eq(filing.id),
            filing_events::account_id.eq(filing.account_id),
            filing_events::type_.eq(event_type),
            filing_events::visibility.eq(if is_for_applicant(event_type) { "applicant" } else { "staff" }),
            filing_events::at.eq(now),
            filing_events::actor_role.eq(actor.role),
            filing_events::actor_user_id.eq(actor.user_id),
            filing_events::status.eq(filing.status),
            filing_events::filing_version.eq(filing.version),
            filing_events::data.eq(data),
        ))
        .execute(conn)?;
    Ok(id)
}

/// When a filing last had an event of this type.
///
/// # Errors
/// When the database fails.
pub fn last_at(
    conn: &mut PgConnection,
    filing: FilingId,
    event_type: &str,
) -> QueryResult<Option<DateTime<Utc>>> {
    filing_events::table
        .filter(filing_events::filing_id.eq(filing))
        .filter(filing_events::type_.eq(event_type))
        .select(diesel::dsl::max(filing_events::at))
        .first(conn)
}

fn is_for_applicant(event_type: &str) -> bool {
    crate::catalogue::data::event_type(event_type).is_none_or(|known| known.visibility == "applicant")
}
