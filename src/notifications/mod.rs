//! What people are told: inbox, e-mail and SMS, sent by jobs from the outbox.

pub mod texts;

/// The `webhooks` object of the OpenAPI document: one entry for each event type that partners can receive.
pub fn webhooks_document() -> serde_json::Value {
    serde_json::json!({})
}
