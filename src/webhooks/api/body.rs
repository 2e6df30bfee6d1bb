//! Endpoints as they are sent and shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::super::DisabledReason;
use super::super::model::EndpointRow;
use crate::kernel::ids::{PartnerId, WebhookEndpointId};
use crate::kernel::pii::{Email, Sensitive};

/// An address that a partner's events go to.
#[derive(Serialize, ToSchema)]
pub struct WebhookEndpoint {
    id: WebhookEndpointId,
    partner_id: PartnerId,
    /// Where events are sent.
    #[schema(example = "https://partner.example.com/beian/events")]
    url: String,
    /// The partner's own words.
    description: Option<String>,
    /// Which events; empty: all.
    #[schema(example = json!(["bureau.approved", "bureau.rejected"]))]
    event_types: Vec<String>,
    /// Who is told when it is disabled by itself. Masked.
    #[schema(value_type = Option<String>, example = "o***@example.com")]
    contact_email: Option<Sensitive<Email>>,
    /// After a rotation: until then the previous secret signs too.
    previous_secret_ends_at: Option<DateTime<Utc>>,
    /// A disabled endpoint gets nothing.
    is_disabled: bool,
    disabled_at: Option<DateTime<Utc>>,
    /// Why it is disabled; null while it is not.
    disabled_reason: Option<DisabledReason>,
    /// The first failure since the last success.
    failing_since: Option<DateTime<Utc>>,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<EndpointRow> for WebhookEndpoint {
    fn from(row: EndpointRow) -> Self {
        Self {
            id: row.id,
            partner_id: row.partner_id,
            event_types: row.event_types(),
            url: row.url,
            description: row.description,
            contact_email: row.contact_email,
            previous_secret_ends_at: row.previous_secret_ends_at,
            is_disabled: row.disabled_at.is_some(),
            disabled_at: row.disabled_at,
            disabled_reason: row.disabled_reason,
            failing_since: row.failing_since,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// An endpoint with its secret. Keep `secret`: it is not shown again.
#[derive(Serialize, ToSchema)]
pub struct WebhookEndpointSecret {
    /// Verifies the signatures; begins with `whsec_`.
    #[schema(example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: String,
    endpoint: WebhookEndpoint,
}

impl From<EndpointRow> for WebhookEndpointSecret {
    fn from(row: EndpointRow) -> Self {
        // The one place where the secret goes out: to its owner, when it was just made.
        Self { secret: row.secret.expose().to_owned(), endpoint: row.into() }
    }
}

/// A page of endpoints.
#[derive(Serialize, ToSchema)]
pub struct WebhookEndpointPage {
    pub items: Vec<WebhookEndpoint>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// An endpoint to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "partner_id": "0193a000-0000-7000-8000-000000012001", "url": "https://hooks.example.com/beian",
    "description": "订单状态同步", "event_types": ["bureau.approved", "bureau.rejected"],
    "contact_email": "ops@example.com" }))]
pub struct WebhookEndpointCreation {
    /// Whose events. A partner's client may leave it out: it is the partner itself.
    #[serde(default)]
    pub partner_id: Option<PartnerId>,
    /// `https`, at a public address.
    #[schema(min_length = 1, max_length = 2000)]
    pub url: String,
    /// Your own words.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub description: Option<String>,
    /// Which events; empty: all, those that come later too.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub event_types: Vec<String>,
    /// Who is told when the endpoint is disabled by itself.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254, pattern = r"^[^@\s]+@[^@\s]+$")]
    pub contact_email: Option<Sensitive<Email>>,
}

/// What changes on an endpoint. Absent members stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "event_types": ["bureau.approved"] }))]
pub struct WebhookEndpointPatch {
    /// `https`, at a public address.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000, nullable = false)]
    pub url: Option<String>,
    /// Null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub description: Option<Option<String>>,
    /// Replaces the list; empty: all.
    #[serde(default)]
    #[schema(max_items = 100, nullable = false)]
    pub event_types: Option<Vec<String>>,
    /// Null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 254, pattern = r"^[^@\s]+@[^@\s]+$")]
    pub contact_email: Option<Option<Sensitive<Email>>>,
    /// False also forgives earlier failures. What was missed meanwhile comes with `recover`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub is_disabled: Option<bool>,
}

/// Tells null (remove) from absent (leave).
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
