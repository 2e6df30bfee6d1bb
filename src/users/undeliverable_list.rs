//! The staff's list of contacts that messages cannot reach.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::contacts::ContactChannel;
use super::undeliverable::{ClearedBecause, UndeliverableSource};
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::error::ApiResult;
use crate::kernel::ids::{AccountId, UserId};
use crate::kernel::json::Query;
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::pii::{Email, Phone, Sensitive};
use crate::kernel::reply::Reply;
use crate::schema::{undeliverable_contacts as table, users};

#[derive(Queryable, Selectable)]
#[diesel(table_name = table)]
struct Row {
    id: Uuid,
    user_id: UserId,
    channel: ContactChannel,
    source: UndeliverableSource,
    code: Option<String>,
    found_at: DateTime<Utc>,
    cleared_at: Option<DateTime<Utc>>,
    cleared_because: Option<ClearedBecause>,
}

/// A contact that messages cannot reach, as staff see it.
#[derive(Serialize, ToSchema)]
pub struct UndeliverableEntry {
    id: Uuid,
    user_id: UserId,
    /// Null for staff.
    account_id: Option<AccountId>,
    channel: ContactChannel,
    /// The user's contact of today, masked; null when there is none.
    #[schema(example = "138****8000")]
    contact: Option<String>,
    source: UndeliverableSource,
    /// The other side's code.
    #[schema(example = "SMTP 550 5.1.1")]
    code: Option<String>,
    /// When it was found.
    found_at: DateTime<Utc>,
    /// When it counted as good again; null while it does not.
    cleared_at: Option<DateTime<Utc>>,
    /// Why it counts no more; null while it counts.
    cleared_because: Option<ClearedBecause>,
}

/// A page of contacts that messages cannot reach.
#[derive(Serialize, ToSchema)]
pub struct UndeliverableEntryPage {
    items: Vec<UndeliverableEntry>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    has_more: bool,
}

/// Filters of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UndeliverableQuery {
    /// `email` or `mobile`.
    channel: Option<ContactChannel>,
    /// Of users of this account.
    account_id: Option<AccountId>,
    /// Only open (`true`, also when absent) or only cleared (`false`) ones.
    is_open: Option<bool>,
    /// How many; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

type Found = (Row, Option<AccountId>, Option<Sensitive<Email>>, Option<Sensitive<Phone>>);

fn entry((row, account_id, email, mobile): Found) -> UndeliverableEntry {
    let Row { id, user_id, channel, source, code, found_at, cleared_at, cleared_because } = row;
    let contact = match channel {
        ContactChannel::Email => email.map(|own| own.mask()),
        ContactChannel::Mobile => mobile.map(|own| own.mask()),
    };
    UndeliverableEntry {
        id,
        user_id,
        account_id,
        channel,
        contact,
        source,
        code,
        found_at,
        cleared_at,
        cleared_because,
    }
}

/// List contacts that messages cannot reach
///
/// Support and admin, newest first, contacts masked. The user sees the same as a task; it ends when the contact is verified anew
/// or replaced.
#[utoipa::path(operation_id = "listUndeliverableContacts", tag = "oversight", params(UndeliverableQuery),
    responses((status = 200, description = "A page of contacts.", body = UndeliverableEntryPage)))]
#[get("/v1/admin/undeliverable-contacts")]
pub async fn list_undeliverable_contacts(
    app: web::Data<App>,
    _caller: Allowed<op::ListUndeliverableContacts>,
    query: Query<UndeliverableQuery>,
) -> ApiResult<Reply> {
    let UndeliverableQuery { channel, account_id, is_open, limit, cursor } = query.0;
    let is_open = is_open.unwrap_or(true);
    let binding = format!("undeliverable {:?}", (channel, account_id, is_open));
    let after = page::decode(cursor.as_deref(), &binding)?;
    let rows: Vec<Found> = app
        .db
        .run(move |conn| {
            let mut query = table::table
                .inner_join(users::table)
                .select((Row::as_select(), users::account_id, users::email, users::mobile))
                .order((table::found_at.desc(), table::id.desc()))
                .limit(limit.rows_to_read())
                .into_boxed();
            query = match is_open {
                true => query.filter(table::cleared_at.is_null()),
                false => query.filter(table::cleared_at.is_not_null()),
            };
            if let Some(channel) = channel {
                query = query.filter(table::channel.eq(channel));
            }
            if let Some(account) = account_id {
                query = query.filter(users::account_id.eq(account));
            }
            if let Some(Position { at, id }) = after {
                query = query.filter(table::found_at.le(at).and(table::found_at.lt(at).or(table::id.lt(id))));
            }
            Ok(query.load(conn)?)
        })
        .await?;
    let page =
        Page::cut(rows, limit, &binding, |(row, ..)| Position { at: row.found_at, id: row.id }).map(entry);
    let body =
        UndeliverableEntryPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(body.next_cursor.as_deref()))
}
