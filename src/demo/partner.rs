//! The demo partner's program. Its secret is published, so it is made in embedded mode only, never by `demo load` on a
//! database of somebody's own.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::ids;
use crate::api_clients::{self, NewClient};
use crate::auth::permissions::partner_scopes;
use crate::kernel::ids::{
    ApiClientId, ApiClientSecretId, EventId, PartnerId, UserId, WebhookEndpointId, prepare,
};
use crate::schema::{filing_events, filings, users};
use crate::webhooks::{self, NewEndpoint};

/// What a token request names.
pub const CLIENT_ID: &str = "demo-partner";
/// The secret of [`CLIENT_ID`].
pub const CLIENT_SECRET: &str = "demo-partner-secret-2026";

pub(super) fn load(conn: &mut PgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
    let client = ApiClientId(ids::api_client(1));
    let new = NewClient {
        id: client,
        partner_id: PartnerId(ids::partner(1)),
        client_id: CLIENT_ID.to_owned(),
        name: "示例合作伙伴的程序".to_owned(),
        scopes: partner_scopes().into_iter().map(str::to_owned).collect(),
        allowed_addresses: Vec::new(),
    };
    api_clients::create(conn, now, new)?;
    // The second is random and told nobody: it is there to be revoked.
    for (number, secret) in [(1, CLIENT_SECRET.to_owned()), (2, uuid::Uuid::new_v4().to_string())] {
        let id = ApiClientSecretId(ids::api_client_secret(number));
        api_clients::insert_secret(conn, now, id, client, &secret, None)?;
    }
    Ok(())
}

/// Publishes what happened to the partner's filings, and makes two endpoints: one with a delivery that has used up its tries,
/// one to be deleted. Nothing answers at their addresses.
pub(super) fn load_webhooks(conn: &mut PgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
    let events: Vec<(EventId, String)> = filing_events::table
        .inner_join(filings::table)
        .filter(filings::partner_id.eq(ids::partner(1)))
        .order((filing_events::at, filing_events::id))
        .select((filing_events::id, filing_events::type_))
        .load(conn)?;
    for (event, _) in &events {
        webhooks::publish(conn, now, *event)?;
    }
    let client = UserId(ids::api_client(1));
    let is_there: bool = diesel::select(diesel::dsl::exists(users::table.find(client))).get_result(conn)?;
    if !is_there {
        return Ok(());
    }
    for (number, url) in
        [(1, "https://partner.example.com/beian/events"), (2, "https://partner.example.com/beian/old")]
    {
        let new = NewEndpoint {
            id: WebhookEndpointId(ids::webhook_endpoint(number)),
            partner_id: PartnerId(ids::partner(1)),
            url: url.to_owned(),
            description: Some("示例".to_owned()),
            event_types: vec!["bureau.approved".to_owned(), "bureau.rejected".to_owned()],
            contact_email: None,
            created_by: client,
        };
        webhooks::insert_endpoint(conn, now, new)?;
    }
    if let Some((event, _)) = events.iter().rev().find(|(_, kind)| kind == "bureau.rejected") {
        prepare("WebhookDeliveryId", ids::webhook_delivery(1));
        let endpoint = WebhookEndpointId(ids::webhook_endpoint(1));
        webhooks::add_dead_delivery(conn, now, endpoint, *event)?;
    }
    Ok(())
}
