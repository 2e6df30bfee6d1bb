//! The inbox.

use actix_web::{get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{self, InboxRow};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::error::{ApiError, ApiResult};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{FilingId, NotificationId};
use crate::kernel::json::{Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;

/// A line of the inbox. Its texts are in the language that the user had chosen when the event happened.
#[derive(Serialize, ToSchema)]
pub struct Notification {
    /// Id.
    id: NotificationId,
    /// Type of the event, for example `initial_review.rejected`; may grow.
    #[schema(example = "initial_review.rejected")]
    event_type: String,
    /// Heading.
    title: String,
    /// Text.
    body: String,
    /// The filing that it is about.
    filing_id: Option<FilingId>,
    /// Order number of the filing.
    #[schema(example = "BA-2026-000123")]
    order_no: Option<String>,
    /// When the user was told.
    created_at: DateTime<Utc>,
    /// When it was marked as read.
    read_at: Option<DateTime<Utc>>,
}

/// A page of the inbox.
#[derive(Serialize, ToSchema)]
pub struct NotificationPage {
    /// Newest first.
    items: Vec<Notification>,
    /// Cursor of the next page; null on the last.
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
    /// Unread lines of the whole inbox, whatever the filter.
    unread_count: i64,
}

/// What marking all as read did.
#[derive(Serialize, ToSchema)]
pub struct NotificationsRead {
    /// How many lines were unread before.
    marked_count: i64,
    /// How many are unread now.
    unread_count: i64,
}

/// Filters of the inbox.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// Only unread (`true`) or only read (`false`) lines.
    is_unread: Option<bool>,
    /// Only lines about this filing.
    filing_id: Option<FilingId>,
    /// Most lines in a page; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before, with the same filters.
    cursor: Option<String>,
}

impl Notification {
    fn of((row, order_no): (InboxRow, Option<String>)) -> Self {
        let InboxRow { id, event_type, title, body, filing_id, created_at, read_at } = row;
        Self { id, event_type, title, body, filing_id, order_no, created_at, read_at }
    }
}

/// List the inbox
///
/// The caller's own messages about events of their account's filings, newest first, with the number of unread ones.
#[utoipa::path(operation_id = "listNotifications", tag = "notifications", params(InboxQuery),
    responses((status = 200, description = "A page of the inbox.", body = NotificationPage)))]
#[get("/v1/notifications")]
pub async fn list_notifications(
    app: web::Data<App>,
    caller: Allowed<op::ListNotifications>,
    query: Query<InboxQuery>,
) -> ApiResult<Reply> {
    let InboxQuery { is_unread, filing_id, limit, cursor } = query.0;
    let binding =
        format!("notifications?user={}&is_unread={is_unread:?}&filing_id={filing_id:?}", caller.user_id);
    let after = page::decode(cursor.as_deref(), &binding)?;
    let user = caller.user_id;
    let (rows, unread_count) = app
        .db
        .run(move |conn| {
            let rows = model::inbox(conn, user, is_unread, filing_id, after, limit)?;
            Ok((rows, model::unread_count(conn, user)?))
        })
        .await?;
    let page = Page::cut(rows, limit, &binding, |(row, _)| Position { at: row.created_at, id: row.id.0 });
    let Page { items, next_cursor, has_more } = page.map(Notification::of);
    Reply::ok(&NotificationPage { items, next_cursor, has_more, unread_count })
}

/// Mark a message as read
///
/// One line of the caller's own inbox, in any status of its filing. Again changes nothing: the first time stays.
#[utoipa::path(operation_id = "readNotification", tag = "notifications",
    params(
        ("id" = NotificationId, Path, description = "The message.", example = "0193a000-0000-7000-8000-000000021001"),
        ("Idempotency-Key" = Option<String>, Header, description = "A key of your choice: the same key again does the work once.", nullable = false),
    ),
    responses((status = 200, description = "The message.", body = Notification)))]
#[post("/v1/notifications/{id}/read")]
pub async fn read_notification(
    app: web::Data<App>,
    caller: Allowed<op::ReadNotification>,
    id: Path<NotificationId>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    let (now, id, user) = (app.clock.now(), id.0, caller.user_id);
    let actor = Actor::from(&*caller);
    let own = move |conn: &mut diesel::PgConnection| {
        model::inbox_row(conn, user, id)?.ok_or_else(ApiError::not_found)
    };
    let authorise = move |conn: &mut diesel::PgConnection| own(conn).map(|_| ());
    idem.run(&app.db, now, &user.to_string(), authorise, move |conn| {
        if model::mark_read(conn, now, user, Some(id))? > 0 {
            audit::record(conn, now, &actor, Deed::new("notification.read", "notification", id.0))?;
        }
        Reply::ok(&Notification::of(own(conn)?))
    })
    .await
}

/// Mark every message as read
///
/// All unread lines of the caller's own inbox. Those already read keep their time.
#[utoipa::path(operation_id = "readAllNotifications", tag = "notifications",
    params(("Idempotency-Key" = Option<String>, Header, description = "A key of your choice: the same key again does the work once.", nullable = false)),
    responses((status = 200, description = "How many were marked.", body = NotificationsRead)))]
#[post("/v1/notifications/read-all")]
pub async fn read_all_notifications(
    app: web::Data<App>,
    caller: Allowed<op::ReadAllNotifications>,
    idem: Idempotency,
) -> ApiResult<Reply> {
    let (now, user) = (app.clock.now(), caller.user_id);
    let actor = Actor::from(&*caller);
    idem.run(
        &app.db,
        now,
        &user.to_string(),
        |_| Ok(()),
        move |conn| {
            let marked = model::mark_read(conn, now, user, None)?;
            if marked > 0 {
                let deed = Deed::new("notification.read_all", "user", user.0);
                audit::record(conn, now, &actor, deed.details(serde_json::json!({ "count": marked })))?;
            }
            let marked_count = i64::try_from(marked).unwrap_or(i64::MAX);
            Reply::ok(&NotificationsRead { marked_count, unread_count: model::unread_count(conn, user)? })
        },
    )
    .await
}
