//! Rows of backdrop shipments.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::ShipmentState;
use crate::kernel::ids::FilingId;
use crate::schema::backdrop_shipments as shipments;

/// Whether a backdrop is requested, packed or shipped.
///
/// # Errors
/// When the database fails.
pub fn has_open(conn: &mut PgConnection, filing: FilingId) -> QueryResult<bool> {
    let open = [ShipmentState::Requested, ShipmentState::Packed, ShipmentState::Shipped];
    diesel::select(diesel::dsl::exists(
        shipments::table.filter(shipments::filing_id.eq(filing)).filter(shipments::state.eq_any(open)),
    ))
    .get_result(conn)
}

/// Cancels a shipment that is requested or packed: the filing has ended.
///
/// # Errors
/// When the database fails.
pub fn cancel_unshipped(conn: &mut PgConnection, now: DateTime<Utc>, filing: FilingId) -> QueryResult<()> {
    let unshipped = [ShipmentState::Requested, ShipmentState::Packed];
    diesel::update(shipments::table.filter(shipments::filing_id.eq(filing)).filter(shipments::state.eq_any(unshipped)))
        .set((
            shipments::state.eq(ShipmentState::Cancelled),
            shipments::closed_at.eq(now),
            shipments::updated_at.eq(now),
            shipments::version.eq(shipments::version + 1),
        ))
        .execute(conn)
        .map(drop)
}
