//! What people are told: inbox, e-mail and SMS, sent by jobs from the outbox.

pub mod texts;

/// The `webhooks` object of the OpenAPI document: one entry for each event type that partners can receive.
pub fn webhooks_document() -> serde_json::Value {
    serde_json::json!({})
}

/// Has an event told to the people it concerns.
pub fn announce(
    conn: &mut diesel::PgConnection,
    now: chrono::DateTime<chrono::Utc>,
    event_id: crate::kernel::ids::EventId,
) -> diesel::QueryResult<()> {
    crate::kernel::jobs::enqueue(
        conn,
        now,
        crate::kernel::jobs::NewJob::new("notifications.fan_out", serde_json::json!({ "event_id": event_id })),
    )
}
