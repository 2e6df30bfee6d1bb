//! The audit trail: who did what to which object, from where. Rows are written in the transaction of the deed and never
//! changed. Everybody may call [`record`]; auditors read.

mod api;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, PgConnection, QueryResult, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use crate::auth::Caller;
use crate::kernel::ids::{AccountId, AuditEventId, FilingId, UserId};
use crate::schema::audit_events;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::list_audit_events);
}

/// Who does something: a person, or the system itself.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user, or the client's service user; none for the system.
    pub user_id: Option<UserId>,
    /// `applicant`, `partner`, a staff role, or `system`. Timelines show this and never a name.
    pub role: &'static str,
    /// Request that it came with.
    pub request_id: Option<String>,
    /// Address that it came from.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// Timers, jobs and gateways.
    pub fn system() -> Self {
        Self { user_id: None, role: "system", request_id: None, address: None }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self {
            user_id: Some(caller.user_id),
            role: caller.view(),
            request_id: Some(caller.request_id.clone()),
            address: caller.address,
        }
    }
}

/// What was done. Details carry ids and codes, never personal data.
#[derive(Clone, Debug)]
pub struct Deed {
    action: &'static str,
    object_type: &'static str,
    object_id: Option<Uuid>,
    account_id: Option<AccountId>,
    filing_id: Option<FilingId>,
    details: Value,
}

impl Deed {
    /// `action` on an object: `Deed::new("user.disabled", "user", id.0)`.
    pub fn new(action: &'static str, object_type: &'static str, object_id: impl Into<Option<Uuid>>) -> Self {
        Self {
            action,
            object_type,
            object_id: object_id.into(),
            account_id: None,
            filing_id: None,
            details: Value::Object(serde_json::Map::new()),
        }
    }

    /// The account that it concerns.
    pub fn account(mut self, id: AccountId) -> Self {
        self.account_id = Some(id);
        self
    }

    /// The filing that it concerns.
    pub fn filing(mut self, id: FilingId) -> Self {
        self.filing_id = Some(id);
        self
    }

    /// Ids and codes that say more.
    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

/// Writes the row.
///
/// # Errors
/// When the database fails; the deed is then rolled back with it.
pub fn record(conn: &mut PgConnection, now: DateTime<Utc>, actor: &Actor, deed: Deed) -> QueryResult<()> {
    diesel::insert_into(audit_events::table)
        .values((
            audit_events::id.eq(AuditEventId::new()),
            audit_events::at.eq(now),
            audit_events::actor_user_id.eq(actor.user_id),
            audit_events::actor_role.eq(actor.role),
            audit_events::action.eq(deed.action),
            audit_events::object_type.eq(deed.object_type),
            audit_events::object_id.eq(deed.object_id),
            audit_events::account_id.eq(deed.account_id),
            audit_events::filing_id.eq(deed.filing_id),
            audit_events::request_id.eq(&actor.request_id),
            audit_events::address.eq(actor.address.map(|address| address.to_string())),
            audit_events::details.eq(deed.details),
        ))
        .execute(conn)?;
    Ok(())
}
