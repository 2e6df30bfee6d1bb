//! Webhooks: partners are told what happens to their filings, by the Standard Webhooks specification.
//!
//! Whoever records an event of a partner's filing calls [`announce`] in the same transaction. A job publishes the event
//! (`outbox`), with one delivery for each endpoint that wants it: `pending → delivered`, or `failed` between tries, `dead`
//! after the last one. `deliver` makes the tries. Partners and the admin see endpoints, deliveries and events.

mod api;
mod deliver;
mod document;
pub mod jobs;
mod model;
mod outbox;
mod rules;
mod sign;
mod triggers;

pub use document::webhooks_document;
pub use jobs::register;
pub use model::{NewEndpoint, add_dead_delivery, insert as insert_endpoint};
pub use outbox::{announce, publish};
pub use triggers::{TRIGGERS, Trigger};

crate::text_enum! {
    /// State of a delivery.
    pub enum DeliveryState {
        /// Waits for its first try.
        Pending = "pending",
        /// The receiver answered with 2xx.
        Delivered = "delivered",
        /// The last try failed, another will come.
        Failed = "failed",
        /// No further try by itself; it can be sent again.
        Dead = "dead",
    }
}

crate::text_enum! {
    /// Why an endpoint gets nothing.
    pub enum DisabledReason {
        /// Switched off by the partner or the admin.
        Owner = "owner",
        /// Nothing arrived for days.
        Failing = "failing",
        /// It answered 410 Gone.
        Gone = "gone",
    }
}

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::endpoints::create_webhook_endpoint)
        .service(api::endpoints::list_webhook_endpoints)
        .service(api::endpoints::get_webhook_endpoint)
        .service(api::endpoints::update_webhook_endpoint)
        .service(api::endpoints::delete_webhook_endpoint)
        .service(api::steps::rotate_webhook_secret)
        .service(api::steps::test_webhook_endpoint)
        .service(api::steps::recover_webhook_deliveries)
        .service(api::deliveries::list_webhook_deliveries)
        .service(api::deliveries::get_webhook_delivery)
        .service(api::deliveries::redeliver_webhook)
        .service(api::events::list_events);
}
