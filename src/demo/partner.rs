//! The demo partner's program. Its secret is published, so it is made in embedded mode only, never by `demo load` on a
//! database of somebody's own.

use chrono::{DateTime, Utc};
use diesel::PgConnection;

use super::ids;
use crate::api_clients::{self, NewClient};
use crate::auth::permissions::partner_scopes;
use crate::kernel::ids::{ApiClientId, ApiClientSecretId, PartnerId};

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
