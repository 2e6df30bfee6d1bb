//! The outbox of SMS messages: what would have been sent, where no carrier is configured.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::App;
use crate::auth::{Allowed, op};
use crate::error::ApiResult;
use crate::kernel::ids::NotificationId;
use crate::kernel::json::Query;
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::pii::{Phone, Sensitive};
use crate::kernel::reply::Reply;
use crate::schema::sms_messages;

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = sms_messages)]
struct SmsRow {
    id: Uuid,
    notification_id: Option<NotificationId>,
    recipient: Sensitive<Phone>,
    text: String,
    created_at: DateTime<Utc>,
}

/// An SMS of the outbox.
#[derive(Serialize, ToSchema)]
pub struct SmsMessage {
    id: Uuid,
    /// The notification that it carries; null for codes.
    notification_id: Option<NotificationId>,
    /// Masked.
    #[schema(value_type = String, example = "138****8000")]
    recipient: Sensitive<Phone>,
    /// What it says.
    text: String,
    created_at: DateTime<Utc>,
}

impl From<SmsRow> for SmsMessage {
    fn from(row: SmsRow) -> Self {
        Self {
            id: row.id,
            notification_id: row.notification_id,
            recipient: row.recipient,
            text: row.text,
            created_at: row.created_at,
        }
    }
}

/// A page of SMS messages.
#[derive(Serialize, ToSchema)]
pub struct SmsMessagePage {
    items: Vec<SmsMessage>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// The page to show.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SmsMessageQuery {
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List SMS messages of the outbox
///
/// Admin. Newest first; recipients masked. Filled where no SMS carrier is configured, such as in embedded mode.
#[utoipa::path(operation_id = "listSmsMessages", tag = "oversight", params(SmsMessageQuery),
    responses((status = 200, description = "A page of messages.", body = SmsMessagePage)))]
#[get("/v1/admin/sms-messages")]
pub async fn list_sms_messages(
    app: web::Data<App>,
    _caller: Allowed<op::ListSmsMessages>,
    query: Query<SmsMessageQuery>,
) -> ApiResult<Reply> {
    let SmsMessageQuery { limit, cursor } = query.0;
    let after = page::decode(cursor.as_deref(), "sms")?;
    let rows: Vec<SmsRow> = app
        .db
        .run(move |conn| {
            let mut query = sms_messages::table.select(SmsRow::as_select()).into_boxed();
            if let Some(Position { at, id }) = after {
                let next = sms_messages::created_at.eq(at).and(sms_messages::id.lt(id));
                query = query
                    .filter(sms_messages::created_at.le(at))
                    .filter(sms_messages::created_at.lt(at).or(next));
            }
            let order = (sms_messages::created_at.desc(), sms_messages::id.desc());
            Ok(query.order(order).limit(limit.rows_to_read()).load(conn)?)
        })
        .await?;
    let page = Page::cut(rows, limit, "sms", |row| Position { at: row.created_at, id: row.id })
        .map(SmsMessage::from);
    let body = SmsMessagePage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}
