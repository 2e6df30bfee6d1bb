//! What partners and the admin see and do.

pub mod body;
pub mod deliveries;
pub mod endpoints;
pub mod events;
pub mod steps;

use diesel::PgConnection;

use super::model::{self, EndpointRow};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::kernel::ids::WebhookEndpointId;

/// A partner sees its own endpoints only; the admin, who has no partner, sees all.
fn visible(conn: &mut PgConnection, caller: &Caller, id: WebhookEndpointId) -> ApiResult<EndpointRow> {
    own(model::find(conn, id)?, caller)
}

/// As [`visible`], locked until the transaction ends.
fn locked(conn: &mut PgConnection, caller: &Caller, id: WebhookEndpointId) -> ApiResult<EndpointRow> {
    own(model::lock(conn, id)?, caller)
}

fn own(row: Option<EndpointRow>, caller: &Caller) -> ApiResult<EndpointRow> {
    row.filter(|row| caller.partner_id.is_none_or(|partner| partner == row.partner_id))
        .ok_or_else(ApiError::not_found)
}
