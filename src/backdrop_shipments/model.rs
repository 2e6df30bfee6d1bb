//! Rows of backdrop shipments and of what the courier reported.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::rules::Earlier;
use super::{ChargedTo, ShipmentState, TrackerStatus};
use crate::error::ApiResult;
use crate::filings::{self, Filing};
use crate::kernel::ids::{AccountId, FilingId, ShipmentId, UserId};
use crate::kernel::page::{Limit, Position};
use crate::kernel::pii::{Address, PersonName, Phone, Sensitive};
use crate::kernel::search;
use crate::schema::{backdrop_shipments as shipments, filings as filings_table, tracking_events};

/// `raw_code` of the event that staff write when a parcel came back by the provider's fault: the next one is free.
const RETURNED_BY_PROVIDER: &str = "fault:provider";
/// The same when the recipient is to blame.
const RETURNED_BY_RECIPIENT: &str = "fault:recipient";

/// A shipment.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = crate::schema::backdrop_shipments)]
pub struct Shipment {
    pub id: ShipmentId,
    pub filing_id: FilingId,
    pub state: ShipmentState,
    pub recipient_name: Sensitive<PersonName>,
    pub phone: Sensitive<Phone>,
    pub province_code: String,
    pub city_code: String,
    pub district_code: Option<String>,
    pub street_address: Sensitive<Address>,
    pub postcode: Option<String>,
    pub charged_to: ChargedTo,
    pub carrier_code: Option<String>,
    pub tracking_number: Option<String>,
    pub tracker_status: Option<TrackerStatus>,
    pub requested_at: DateTime<Utc>,
    pub packed_at: Option<DateTime<Utc>>,
    pub shipped_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    /// Cancelled, returned or lost.
    pub closed_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub updated_at: DateTime<Utc>,
}

/// A shipment to be stored.
#[derive(Insertable)]
#[diesel(table_name = crate::schema::backdrop_shipments)]
pub struct NewShipment {
    pub id: ShipmentId,
    pub filing_id: FilingId,
    pub account_id: AccountId,
    pub state: ShipmentState,
    pub recipient_name: Sensitive<PersonName>,
    pub phone: Sensitive<Phone>,
    pub province_code: String,
    pub city_code: String,
    pub district_code: Option<String>,
    pub street_address: Sensitive<Address>,
    pub postcode: Option<String>,
    pub charged_to: ChargedTo,
    pub created_by: UserId,
    pub requested_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a step changes; what is absent stays.
#[derive(AsChangeset, Default)]
#[diesel(table_name = crate::schema::backdrop_shipments)]
pub struct Changes {
    pub state: Option<ShipmentState>,
    pub recipient_name: Option<Sensitive<PersonName>>,
    pub phone: Option<Sensitive<Phone>>,
    pub province_code: Option<String>,
    pub city_code: Option<String>,
    pub district_code: Option<Option<String>>,
    pub street_address: Option<Sensitive<Address>>,
    pub postcode: Option<Option<String>>,
    pub carrier_code: Option<String>,
    pub tracking_number: Option<String>,
    pub tracker_status: Option<TrackerStatus>,
    pub packed_at: Option<DateTime<Utc>>,
    pub shipped_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub closed_at: Option<DateTime<Utc>>,
}

/// Something that the courier reported.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = crate::schema::tracking_events)]
pub struct TrackingEvent {
    pub shipment_id: ShipmentId,
    pub at: DateTime<Utc>,
    pub status: TrackerStatus,
    pub place: Option<String>,
    pub text: String,
    pub raw_code: Option<String>,
}

/// An event to be stored.
pub struct NewTrackingEvent<'a> {
    pub at: DateTime<Utc>,
    pub status: TrackerStatus,
    pub place: Option<&'a str>,
    pub text: &'a str,
    pub raw_code: Option<&'a str>,
    pub recorded_by: Option<UserId>,
}

/// What a queue asks for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub filing_id: Option<FilingId>,
    pub states: Option<Vec<ShipmentState>>,
    pub province_codes: Option<Vec<String>>,
    pub requested_after: Option<DateTime<Utc>>,
    pub requested_before: Option<DateTime<Utc>>,
    /// Beginning of the order number, or a whole tracking number.
    pub q: Option<String>,
}

/// Reads a shipment.
pub fn find(conn: &mut PgConnection, id: ShipmentId) -> QueryResult<Shipment> {
    shipments::table.find(id).select(Shipment::as_select()).first(conn)
}

/// Locks subject, filing and shipment in this order. What was read before must be read again.
///
/// # Errors
/// 404.
pub fn lock(conn: &mut PgConnection, id: ShipmentId) -> ApiResult<(Filing, Shipment)> {
    let filing_id: FilingId = shipments::table.find(id).select(shipments::filing_id).first(conn)?;
    let filing = filings::lock(conn, filing_id)?;
    let shipment = shipments::table.find(id).select(Shipment::as_select()).for_no_key_update().first(conn)?;
    Ok((filing, shipment))
}

/// Stores a shipment. The database refuses a second open one of a filing (`backdrop_shipments_open_key`).
pub fn insert(conn: &mut PgConnection, new: NewShipment) -> QueryResult<Shipment> {
    diesel::insert_into(shipments::table).values(new).returning(Shipment::as_returning()).get_result(conn)
}

/// Changes a locked shipment and bumps its version.
pub fn update(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: ShipmentId,
    changes: Changes,
) -> QueryResult<Shipment> {
    diesel::update(shipments::table.find(id))
        .set((changes, shipments::version.eq(shipments::version + 1), shipments::updated_at.eq(now)))
        .returning(Shipment::as_returning())
        .get_result(conn)
}

/// A page of shipments with the order numbers of their filings, the one that waited longest first.
pub fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<(Shipment, String)>> {
    let mut query = shipments::table
        .inner_join(filings_table::table)
        .select((Shipment::as_select(), filings_table::order_no))
        .order((shipments::requested_at, shipments::id))
        .limit(limit.rows_to_read())
        .into_boxed();
    if let Some(id) = filter.filing_id {
        query = query.filter(shipments::filing_id.eq(id));
    }
    if let Some(states) = &filter.states {
        query = query.filter(shipments::state.eq_any(states.clone()));
    }
    if let Some(codes) = &filter.province_codes {
        query = query.filter(shipments::province_code.eq_any(codes.clone()));
    }
    if let Some(at) = filter.requested_after {
        query = query.filter(shipments::requested_at.gt(at));
    }
    if let Some(at) = filter.requested_before {
        query = query.filter(shipments::requested_at.lt(at));
    }
    if let Some(q) = &filter.q {
        // Each from its own index: no index serves an "or" over two tables.
        let (ordered, of_filing, sent) =
            diesel::alias!(filings_table as ordered, shipments as of_filing, shipments as sent);
        let is_its = ordered.field(filings_table::id).eq(of_filing.field(shipments::filing_id));
        let by_order = of_filing
            .inner_join(ordered.on(is_its))
            .filter(ordered.field(filings_table::order_no).like(search::beginning(q)))
            .select(of_filing.field(shipments::id));
        let by_parcel = sent
            .filter(sent.field(shipments::tracking_number).eq(q.clone()))
            .select(sent.field(shipments::id));
        query = query.filter(shipments::id.eq_any(by_order.union_all(by_parcel)));
    }
    if let Some(Position { at, id }) = after {
        let later = shipments::requested_at.eq(at).and(shipments::id.gt(ShipmentId(id)));
        query = query.filter(shipments::requested_at.ge(at)).filter(shipments::requested_at.gt(at).or(later));
    }
    query.load(conn)
}

/// The latest shipment of a filing with the filing's order number.
pub fn latest(conn: &mut PgConnection, filing: FilingId) -> QueryResult<Option<(Shipment, String)>> {
    shipments::table
        .inner_join(filings_table::table)
        .filter(shipments::filing_id.eq(filing))
        .order((shipments::requested_at.desc(), shipments::id.desc()))
        .select((Shipment::as_select(), filings_table::order_no))
        .first(conn)
        .optional()
}

/// The account's last shipment that was not called off before it left.
pub fn earlier(conn: &mut PgConnection, account: AccountId) -> QueryResult<Earlier> {
    let last: Option<(ShipmentId, ShipmentState)> = shipments::table
        .filter(shipments::account_id.eq(account))
        .filter(shipments::state.ne(ShipmentState::Cancelled))
        .order((shipments::requested_at.desc(), shipments::id.desc()))
        .select((shipments::id, shipments::state))
        .first(conn)
        .optional()?;
    let Some((id, state)) = last else { return Ok(None) };
    let by_provider = diesel::select(diesel::dsl::exists(
        tracking_events::table
            .filter(tracking_events::shipment_id.eq(id))
            .filter(tracking_events::raw_code.eq(RETURNED_BY_PROVIDER)),
    ))
    .get_result(conn)?;
    Ok(Some((state, by_provider)))
}

/// The code under which a return is noted.
pub fn return_code(by_provider: bool) -> &'static str {
    if by_provider { RETURNED_BY_PROVIDER } else { RETURNED_BY_RECIPIENT }
}

/// Events of several shipments, oldest first.
pub fn events(conn: &mut PgConnection, ids: &[ShipmentId]) -> QueryResult<Vec<TrackingEvent>> {
    tracking_events::table
        .filter(tracking_events::shipment_id.eq_any(ids))
        .order((tracking_events::at, tracking_events::id))
        .select(TrackingEvent::as_select())
        .load(conn)
}

/// Whether an event of this time and text is there, whatever its status.
pub fn has_event(
    conn: &mut PgConnection,
    shipment: ShipmentId,
    at: DateTime<Utc>,
    text: &str,
) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(
        tracking_events::table
            .filter(tracking_events::shipment_id.eq(shipment))
            .filter(tracking_events::at.eq(at))
            .filter(tracking_events::text.eq(text)),
    ))
    .get_result(conn)
}

/// Stores an event of a locked shipment; false when the same is there already (couriers repeat themselves).
pub fn add_event(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    shipment: ShipmentId,
    new: &NewTrackingEvent<'_>,
) -> QueryResult<bool> {
    let is_known = diesel::select(diesel::dsl::exists(
        tracking_events::table
            .filter(tracking_events::shipment_id.eq(shipment))
            .filter(tracking_events::at.eq(new.at))
            .filter(tracking_events::status.eq(new.status))
            .filter(tracking_events::text.eq(new.text)),
    ))
    .get_result::<bool>(conn)?;
    if is_known {
        return Ok(false);
    }
    diesel::insert_into(tracking_events::table)
        .values((
            tracking_events::id.eq(uuid::Uuid::now_v7()),
            tracking_events::shipment_id.eq(shipment),
            tracking_events::at.eq(new.at),
            tracking_events::status.eq(new.status),
            tracking_events::place.eq(new.place),
            tracking_events::text.eq(new.text),
            tracking_events::raw_code.eq(new.raw_code),
            tracking_events::recorded_by.eq(new.recorded_by),
            tracking_events::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(true)
}

/// Under way: a filing has at most one of these.
pub const OPEN: [ShipmentState; 3] =
    [ShipmentState::Requested, ShipmentState::Packed, ShipmentState::Shipped];

/// Cancels a shipment that is requested or packed: the filing has ended.
///
/// # Errors
/// When the database fails.
pub fn cancel_unshipped(conn: &mut PgConnection, now: DateTime<Utc>, filing: FilingId) -> QueryResult<()> {
    let unshipped = [ShipmentState::Requested, ShipmentState::Packed];
    diesel::update(
        shipments::table.filter(shipments::filing_id.eq(filing)).filter(shipments::state.eq_any(unshipped)),
    )
    .set((
        shipments::state.eq(ShipmentState::Cancelled),
        shipments::closed_at.eq(now),
        shipments::updated_at.eq(now),
        shipments::version.eq(shipments::version + 1),
    ))
    .execute(conn)
    .map(drop)
}
