//! 幕布: the blue cloth's journey by courier.
//!
//! `requested → packed → shipped → delivered`; `cancelled`, `returned`, `lost`. Ordered in initial_review, photo_required and
//! photo_rejected; one open per filing; survives a withdraw; the end of a filing cancels what is not shipped.

mod model;

pub use model::{cancel_unshipped, has_open};

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
