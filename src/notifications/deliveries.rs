//! The staff's view of what went out: states and receipts, never texts or full contacts.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Channel, NotificationState, ReceiptState};
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::error::ApiResult;
use crate::kernel::ids::{FilingId, NotificationId, UserId};
use crate::kernel::json::{CommaList, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::schema::notifications as table;

/// A message that went out, or should have.
#[derive(Serialize, ToSchema, Queryable, Selectable)]
#[diesel(table_name = table)]
pub struct MessageDelivery {
    id: NotificationId,
    user_id: UserId,
    filing_id: Option<FilingId>,
    /// What it tells of.
    #[schema(example = "bureau.approved")]
    event_type: String,
    channel: Channel,
    state: NotificationState,
    /// Why the last try failed, or why it was not sent.
    last_error: Option<String>,
    /// Who took it: `smtp`, `jdcloud`, `http`, `outbox`.
    provider: Option<String>,
    /// Whom it went to, masked.
    #[schema(example = "138****8000")]
    recipient_masked: Option<String>,
    /// What the network said; null when no receipt is expected.
    receipt: Option<ReceiptState>,
    /// The network's code.
    receipt_code: Option<String>,
    /// When the provider told what became of it; null while it has not.
    receipt_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// When it was handed to the provider; null while it was not.
    sent_at: Option<DateTime<Utc>>,
}

/// A page of messages.
#[derive(Serialize, ToSchema)]
pub struct MessageDeliveryPage {
    items: Vec<MessageDelivery>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// Filters of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryQuery {
    /// `email` or `sms`.
    channel: Option<Channel>,
    /// One or more states: `failed,dead`.
    #[param(value_type = Option<String>)]
    state: Option<CommaList<NotificationState>>,
    /// One or more: `undelivered,unknown`.
    #[param(value_type = Option<String>)]
    receipt: Option<CommaList<ReceiptState>>,
    /// To this user.
    user_id: Option<UserId>,
    /// About this filing.
    filing_id: Option<FilingId>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List messages by e-mail and SMS
///
/// Support and admin, newest first: what was sent, what failed and why, and the receipts of SMS. Recipients are masked; texts are not
/// shown.
#[utoipa::path(operation_id = "listMessageDeliveries", tag = "oversight", params(DeliveryQuery),
    responses((status = 200, description = "A page of messages.", body = MessageDeliveryPage)))]
#[get("/v1/admin/message-deliveries")]
pub async fn list_message_deliveries(
    app: web::Data<App>,
    _caller: Allowed<op::ListMessageDeliveries>,
    query: Query<DeliveryQuery>,
) -> ApiResult<Reply> {
    let DeliveryQuery { channel, state, receipt, user_id, filing_id, limit, cursor } = query.0;
    let (states, receipts) = (state.map(|list| list.0), receipt.map(|list| list.0));
    let binding = format!("deliveries {:?}", (channel, &states, &receipts, user_id, filing_id));
    let after = page::decode(cursor.as_deref(), &binding)?;
    let rows: Vec<MessageDelivery> = app
        .db
        .run(move |conn| {
            let mut query = table::table
                .filter(table::channel.eq_any([Channel::Email, Channel::Sms]))
                .select(MessageDelivery::as_select())
                .order((table::created_at.desc(), table::id.desc()))
                .limit(limit.rows_to_read())
                .into_boxed();
            if let Some(channel) = channel {
                query = query.filter(table::channel.eq(channel));
            }
            if let Some(states) = states {
                query = query.filter(table::state.eq_any(states));
            }
            if let Some(receipts) = receipts {
                query = query.filter(table::receipt.eq_any(receipts).assume_not_null());
            }
            if let Some(user) = user_id {
                query = query.filter(table::user_id.eq(user));
            }
            if let Some(filing) = filing_id {
                query = query.filter(table::filing_id.eq(filing));
            }
            if let Some(Position { at, id }) = after {
                let next = table::created_at.eq(at).and(table::id.lt(NotificationId(id)));
                query = query.filter(table::created_at.le(at)).filter(table::created_at.lt(at).or(next));
            }
            Ok(query.load(conn)?)
        })
        .await?;
    let page = Page::cut(rows, limit, &binding, |row| Position { at: row.created_at, id: row.id.0 });
    let body =
        MessageDeliveryPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}
