//! The audit trail, for auditors.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::App;
use crate::auth::{Allowed, Role, op};
use crate::error::ApiResult;
use crate::kernel::ids::{AccountId, ApiClientId, AuditEventId, FilingId, UserId};
use crate::kernel::json::Query;
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::schema::audit_events;

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = audit_events)]
struct AuditRow {
    id: AuditEventId,
    at: DateTime<Utc>,
    actor_user_id: Option<UserId>,
    actor_role: String,
    action: String,
    object_type: String,
    object_id: Option<Uuid>,
    account_id: Option<AccountId>,
    filing_id: Option<FilingId>,
    request_id: Option<String>,
    address: Option<String>,
    details: Value,
}

/// One deed.
#[derive(Serialize, ToSchema)]
pub struct AuditEvent {
    id: AuditEventId,
    created_at: DateTime<Utc>,
    /// Who; null for the system. For a partner's client the id of its service user, which is the client's.
    actor_user_id: Option<UserId>,
    /// The partner's client that did it; null when it was a person or the system.
    actor_api_client_id: Option<ApiClientId>,
    /// `applicant`, `partner`, a staff role, or `system`.
    actor_role: String,
    /// What was done, such as `filing.submitted`.
    #[schema(example = "user.disabled")]
    action: String,
    /// Kind of the thing it was done to.
    #[schema(example = "user")]
    object_type: String,
    /// The thing it was done to.
    object_id: Option<Uuid>,
    account_id: Option<AccountId>,
    filing_id: Option<FilingId>,
    /// `X-Request-Id` of the request.
    request_id: Option<String>,
    /// Network address of the client.
    address: Option<String>,
    /// Ids and codes that say more.
    details: Vec<AuditDetail>,
}

/// One detail of a deed.
#[derive(Serialize, ToSchema)]
pub struct AuditDetail {
    #[schema(example = "reason")]
    name: String,
    /// Text, or JSON for anything else.
    value: String,
}

impl From<AuditRow> for AuditEvent {
    fn from(row: AuditRow) -> Self {
        let details = match row.details {
            Value::Object(members) => members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    AuditDetail { name, value }
                })
                .collect(),
            _ => Vec::new(),
        };
        Self {
            id: row.id,
            created_at: row.at,
            actor_user_id: row.actor_user_id,
            actor_api_client_id: row
                .actor_user_id
                .filter(|_| row.actor_role == Role::Partner.as_str())
                .map(|user| ApiClientId(user.0)),
            actor_role: row.actor_role,
            action: row.action,
            object_type: row.object_type,
            object_id: row.object_id,
            account_id: row.account_id,
            filing_id: row.filing_id,
            request_id: row.request_id,
            address: row.address,
            details,
        }
    }
}

/// A page of the audit trail.
#[derive(Serialize, ToSchema)]
pub struct AuditEventPage {
    items: Vec<AuditEvent>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// Filters of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditEventQuery {
    /// Deeds on this filing.
    filing_id: Option<FilingId>,
    /// Deeds of this user, or of this partner's client.
    actor_user_id: Option<UserId>,
    /// For example `user.disabled`.
    action: Option<String>,
    /// For example `user`.
    object_type: Option<String>,
    /// Deeds on this object.
    object_id: Option<Uuid>,
    /// At or after this time.
    created_after: Option<DateTime<Utc>>,
    /// Before this time.
    created_before: Option<DateTime<Utc>>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Read the audit trail
///
/// Auditor. Newest first. Rows are never changed and hold no personal data.
#[utoipa::path(operation_id = "listAuditEvents", tag = "oversight", params(AuditEventQuery),
    responses((status = 200, description = "A page of deeds.", body = AuditEventPage)))]
#[get("/v1/audit-events")]
pub async fn list_audit_events(
    app: web::Data<App>,
    _caller: Allowed<op::ListAuditEvents>,
    query: Query<AuditEventQuery>,
) -> ApiResult<Reply> {
    let Query(filter) = query;
    let binding = format!(
        "audit {:?}",
        (
            filter.filing_id,
            filter.actor_user_id,
            &filter.action,
            &filter.object_type,
            filter.object_id,
            filter.created_after,
            filter.created_before,
        )
    );
    let after = page::decode(filter.cursor.as_deref(), &binding)?;
    let limit = filter.limit;
    let rows: Vec<AuditRow> = app
        .db
        .run(move |conn| {
            let mut query = audit_events::table.select(AuditRow::as_select()).into_boxed();
            if let Some(id) = filter.filing_id {
                query = query.filter(audit_events::filing_id.eq(id));
            }
            if let Some(id) = filter.actor_user_id {
                query = query.filter(audit_events::actor_user_id.eq(id));
            }
            if let Some(action) = filter.action {
                query = query.filter(audit_events::action.eq(action));
            }
            if let Some(object_type) = filter.object_type {
                query = query.filter(audit_events::object_type.eq(object_type));
            }
            if let Some(id) = filter.object_id {
                query = query.filter(audit_events::object_id.eq(id));
            }
            if let Some(at) = filter.created_after {
                query = query.filter(audit_events::at.ge(at));
            }
            if let Some(at) = filter.created_before {
                query = query.filter(audit_events::at.lt(at));
            }
            if let Some(Position { at, id }) = after {
                let next = audit_events::at.eq(at).and(audit_events::id.lt(AuditEventId(id)));
                query = query.filter(audit_events::at.le(at)).filter(audit_events::at.lt(at).or(next));
            }
            let order = (audit_events::at.desc(), audit_events::id.desc());
            Ok(query.order(order).limit(limit.rows_to_read()).load(conn)?)
        })
        .await?;
    let page =
        Page::cut(rows, limit, &binding, |row| Position { at: row.at, id: row.id.0 }).map(AuditEvent::from);
    let body = AuditEventPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}
