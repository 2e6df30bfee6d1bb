//! 幕布: the blue cloth's journey by courier.
//!
//! `requested → packed → shipped → delivered`; `cancelled`, `returned`, `lost`. Ordered in initial_review, photo_required and
//! photo_rejected; one open per filing; survives a withdraw; the end of a filing cancels what is not shipped. Recipient, phone
//! and street are personal data: masked everywhere but on the label that logistics prints.
//! `tracking` takes what a carrier service reports, with the same effect as logistics' own entries.
//! `filings` asks for [`OPEN`] ones, calls [`cancel_unshipped`] and shows [`current`].

mod api;
mod body;
mod handling;
mod labels;
mod many;
mod model;
mod next_actions;
mod rules;
mod sandbox;
mod steps;
mod tracking;

pub use body::{ShipmentBody, current};
pub use model::{OPEN, cancel_unshipped};
pub use sandbox::{ParcelEnd, move_on};
pub use tracking::register;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::create_backdrop_shipment)
        .service(api::list_filing_backdrop_shipments)
        // Before the addresses with an id.
        .service(labels::export_shipping_labels)
        .service(many::ship_backdrop_shipments)
        .service(api::get_backdrop_shipment)
        .service(api::update_backdrop_shipment)
        .service(api::cancel_backdrop_shipment)
        .service(handling::list_backdrop_shipments)
        .service(handling::get_shipping_label)
        .service(handling::pack_backdrop_shipment)
        .service(handling::ship_backdrop_shipment)
        .service(handling::add_tracking_event)
        .service(handling::mark_shipment_delivered)
        .service(handling::mark_shipment_returned)
        .service(handling::report_shipment_lost)
        .service(tracking::receive_carrier_push);
}

crate::text_enum! {
    /// State of a shipment.
    pub enum ShipmentState {
        /// Ordered.
        Requested = "requested",
        /// In the parcel.
        Packed = "packed",
        /// With the courier.
        Shipped = "shipped",
        /// Arrived.
        Delivered = "delivered",
        /// Called off.
        Cancelled = "cancelled",
        /// Came back.
        Returned = "returned",
        /// Lost on the way.
        Lost = "lost",
    }
}

crate::text_enum! {
    /// What the courier says about the parcel.
    pub enum TrackerStatus {
        /// Handed over, nothing reported yet.
        Pending = "pending",
        /// The courier has it.
        PickedUp = "picked_up",
        /// On its way.
        InTransit = "in_transit",
        /// On the last van.
        OutForDelivery = "out_for_delivery",
        /// Signed for.
        Delivered = "delivered",
        /// Something went wrong.
        Exception = "exception",
        /// On its way back.
        Returning = "returning",
        /// Came back.
        Returned = "returned",
    }
}

crate::text_enum! {
    /// Who pays for the courier.
    pub enum ChargedTo {
        /// The applicant: a replacement that nobody else is to blame for.
        Applicant = "applicant",
        /// The provider: the first one of an account, and a replacement after a loss or the provider's own fault.
        Provider = "provider",
    }
}

crate::text_enum! {
    /// Who is to blame that a parcel came back.
    pub enum ReturnFault {
        /// Not accepted, not found at the address, moved.
        Recipient = "recipient",
        /// Damaged, wrongly labelled, or the courier's mistake.
        Provider = "provider",
    }
}
