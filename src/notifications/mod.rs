//! What people are told: inbox, e-mail and SMS. A notification is one event for one user over one channel:
//! `queued → sent`, or `failed` between tries, `dead` after the last one, `suppressed` when it must not or cannot go.
//!
//! Whoever records a timeline event calls [`announce`] in the same transaction; jobs do the rest. The texts are in
//! [`texts`] and its template files. `auth` and `users` enqueue mails about accounts by the kinds in [`jobs`].

mod account;
mod api;
mod breaker;
mod deliveries;
mod facts;
mod fan_out;
pub mod jobs;
mod model;
mod receipts;
mod rules;
mod send;
pub mod texts;
mod undeliverable;
mod watch;

use chrono::{DateTime, Utc};
use diesel::{PgConnection, QueryResult};
use serde_json::json;

use crate::kernel::ids::EventId;
use crate::kernel::jobs::NewJob;

pub use jobs::register;
pub use watch::{PausedChannel, paused_channels};

crate::text_enum! {
    /// How a user is told.
    pub enum Channel {
        /// The list in the application.
        Inbox = "inbox",
        /// E-mail.
        Email = "email",
        /// SMS.
        Sms = "sms",
    }
}

crate::text_enum! {
    /// State of a notification.
    pub enum NotificationState {
        /// Waits for its first try.
        Queued = "queued",
        /// Handed over; for the inbox: there.
        Sent = "sent",
        /// The last try failed, another will come.
        Failed = "failed",
        /// No further try by itself; its job can be retried.
        Dead = "dead",
        /// Not to be sent: switched off, contact not verified, or no provider.
        Suppressed = "suppressed",
    }
}

crate::text_enum! {
    /// What a provider said about a message that it took.
    pub enum ReceiptState {
        /// Nothing yet.
        Pending = "pending",
        /// It is on the phone.
        Delivered = "delivered",
        /// It never will be.
        Undelivered = "undelivered",
        /// Three days went by without an answer.
        Unknown = "unknown",
    }
}

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    // `read-all` before `{id}`: the first that fits is taken.
    cfg.service(api::list_notifications)
        .service(api::read_all_notifications)
        .service(api::read_notification)
        .service(receipts::api::record_sms_receipts)
        .service(deliveries::list_message_deliveries);
}

/// Has everybody told about a timeline event, in the transaction that records the event.
///
/// # Errors
/// When the database fails.
pub fn announce(conn: &mut PgConnection, now: DateTime<Utc>, event_id: EventId) -> QueryResult<()> {
    let key = format!("{}:{event_id}", jobs::FAN_OUT);
    let job = NewJob::new(jobs::FAN_OUT, json!({ "event_id": event_id })).once(key);
    crate::kernel::jobs::enqueue(conn, now, job)
}
