//! `GET /v1/events`: the same objects as webhooks carry, for catching up.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{Allowed, op};
use crate::error::{ApiError, ApiResult};
use crate::filings::body::{EventRow, FilingEvent};
use crate::kernel::ids::{EventId, FilingId, PartnerId};
use crate::kernel::json::{CommaList, Query, invalid_parameter};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::schema::{filing_events, filings, partner_events};

/// A page of events.
#[derive(Serialize, ToSchema)]
pub struct EventPage {
    /// The events, oldest first.
    items: Vec<FilingEvent>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Events after this one: the `id` of the last that you have seen.
    after: Option<EventId>,
    /// Events published at or after this time.
    since: Option<DateTime<Utc>>,
    /// Types, comma separated.
    #[param(value_type = Option<String>, example = "bureau.approved,bureau.rejected")]
    r#type: Option<CommaList<String>>,
    /// Of this filing.
    filing_id: Option<FilingId>,
    /// Of this partner's filings; for the admin.
    partner_id: Option<PartnerId>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

type Row = (EventRow, String, Option<String>, DateTime<Utc>);

/// List events of a partner's filings
///
/// A partner: its own. Admin: those of all partners. Oldest first, in the order of publishing, so that nothing slips in
/// before what you have seen: remember the `id` of the last event and ask with `after`. The same objects as webhooks carry.
#[utoipa::path(operation_id = "listEvents", tag = "webhooks", params(EventQuery),
    responses((status = 200, description = "A page of events.", body = EventPage)))]
#[get("/v1/events")]
pub async fn list_events(
    app: web::Data<App>,
    caller: Allowed<op::ListEvents>,
    query: Query<EventQuery>,
) -> ApiResult<Reply> {
    let Query(query) = query;
    let caller = caller.caller;
    if caller.partner_id.is_some() && query.partner_id.is_some() && caller.partner_id != query.partner_id {
        return Reply::ok(&EventPage { items: Vec::new(), next_cursor: None, has_more: false });
    }
    let partner = caller.partner_id.or(query.partner_id);
    let types = query.r#type.as_ref().map(|CommaList(types)| types.clone());
    let binding =
        format!("events {partner:?} {:?} {:?} {types:?} {:?}", query.after, query.since, query.filing_id);
    let from = page::decode(query.cursor.as_deref(), &binding)?;
    let (limit, locale) = (query.limit, caller.locale);
    let rows: Vec<Row> = app.db.run(move |conn| select(conn, partner, types, &query, from)).await?;
    let page = Page::cut(rows, limit, &binding, |(row, .., at)| Position { at: *at, id: row.id.0 })
        .map(|(row, order_no, reference, _)| row.body(&order_no, reference, locale));
    let body = EventPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}

fn select(
    conn: &mut PgConnection,
    partner: Option<PartnerId>,
    types: Option<Vec<String>>,
    query: &EventQuery,
    from: Option<Position>,
) -> ApiResult<Vec<Row>> {
    let mut list = partner_events::table
        .inner_join(filing_events::table.inner_join(filings::table))
        .select((
            EventRow::as_select(),
            filings::order_no,
            filings::external_reference,
            partner_events::published_at,
        ))
        .into_boxed();
    if let Some(partner) = partner {
        list = list.filter(partner_events::partner_id.eq(partner));
    }
    if let Some(types) = types {
        list = list.filter(filing_events::type_.eq_any(types));
    }
    if let Some(filing) = query.filing_id {
        list = list.filter(filing_events::filing_id.eq(filing));
    }
    if let Some(since) = query.since {
        list = list.filter(partner_events::published_at.ge(since));
    }
    let after = match (from, query.after) {
        (Some(from), _) => Some(from),
        (None, Some(after)) => Some(position(conn, partner, after)?),
        (None, None) => None,
    };
    if let Some(Position { at, id }) = after {
        let next = partner_events::published_at.eq(at).and(partner_events::event_id.gt(EventId(id)));
        list = list
            .filter(partner_events::published_at.ge(at))
            .filter(partner_events::published_at.gt(at).or(next));
    }
    let order = (partner_events::published_at, partner_events::event_id);
    Ok(list.order(order).limit(query.limit.rows_to_read()).load(conn)?)
}

/// Where an event stands in the list; one that the caller cannot see stands nowhere.
fn position(conn: &mut PgConnection, partner: Option<PartnerId>, event: EventId) -> ApiResult<Position> {
    let found: Option<(PartnerId, DateTime<Utc>)> = partner_events::table
        .find(event)
        .select((partner_events::partner_id, partner_events::published_at))
        .first(conn)
        .optional()?;
    let found = found.filter(|(owner, _)| partner.is_none_or(|partner| partner == *owner));
    let (_, at) = found.ok_or_else(|| -> ApiError {
        invalid_parameter("after", "not_found", "is not the id of an event of yours")
    })?;
    Ok(Position { at, id: event.0 })
}
