//! Which messages a user wants by e-mail and SMS. The inbox shows everything; the bureau's decision always arrives.

use std::collections::HashMap;

use actix_web::{get, put, web};
use diesel::{ExpressionMethods, PgConnection, QueryDsl, QueryResult, RunQueryDsl};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model;
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, Caller, op};
use crate::catalogue::data::{self, is_mandatory};
use crate::error::{ApiError, ApiResult, FieldError, Place};
use crate::error_codes as codes;
use crate::kernel::etag::etag;
use crate::kernel::i18n::Bilingual;
use crate::kernel::ids::UserId;
use crate::kernel::json::Json;
use crate::kernel::reply::Reply;
use crate::schema::notification_preferences as table;

crate::text_enum! {
    /// A channel that can be switched off.
    pub enum PreferenceChannel {
        /// E-mail.
        Email = "email",
        /// SMS.
        Sms = "sms",
    }
}

fn stored(conn: &mut PgConnection, user: UserId) -> QueryResult<HashMap<(String, PreferenceChannel), bool>> {
    let rows = table::table
        .filter(table::user_id.eq(user))
        .select((table::event_type, table::channel, table::is_enabled))
        .load::<(String, PreferenceChannel, bool)>(conn)?;
    Ok(rows
        .into_iter()
        .map(|(event_type, channel, is_enabled)| ((event_type, channel), is_enabled))
        .collect())
}

/// Every (type, channel) that an applicant's message can have, in the order of the catalogue.
fn offered() -> impl Iterator<Item = (&'static data::EventType, PreferenceChannel)> {
    let types = data::event_types().iter().filter(|row| row.visibility == "applicant");
    types.flat_map(|row| {
        let channels = row.channels.iter().filter_map(|channel| channel.parse().ok());
        channels.map(move |channel| (row, channel))
    })
}

/// One switch.
#[derive(Serialize, ToSchema)]
pub struct NotificationPreference {
    /// Such as `initial_review.rejected`.
    #[schema(example = "initial_review.rejected")]
    event_type: String,
    /// What it is, in the language of the request.
    label: String,
    channel: PreferenceChannel,
    /// Whether this channel tells of it.
    is_enabled: bool,
    /// Cannot be switched off.
    is_mandatory: bool,
}

/// All switches of a user.
#[derive(Serialize, ToSchema)]
pub struct NotificationPreferences {
    items: Vec<NotificationPreference>,
}

/// One switch to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotificationPreferenceSetting {
    /// Type of the event.
    #[schema(max_length = 100)]
    event_type: String,
    channel: PreferenceChannel,
    /// Whether this channel shall tell of it.
    is_enabled: bool,
}

/// The switches that differ from "on". What is not named is on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "items": [{ "event_type": "backdrop.delivered", "channel": "sms", "is_enabled": false }] }))]
pub struct NotificationPreferencesUpdate {
    #[schema(max_items = 200)]
    items: Vec<NotificationPreferenceSetting>,
}

fn shown(conn: &mut PgConnection, caller: &Caller) -> ApiResult<Reply> {
    let user = model::find(conn, caller.user_id)?.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
    let stored = stored(conn, caller.user_id)?;
    let items = offered()
        .map(|(row, channel)| {
            let is_fixed = is_mandatory(&row.event_type);
            let said = stored.get(&(row.event_type.clone(), channel)).copied().unwrap_or(true);
            NotificationPreference {
                event_type: row.event_type.clone(),
                label: caller.locale.pick(&row.label.zh, &row.label.en).to_owned(),
                channel,
                is_enabled: is_fixed || said,
                is_mandatory: is_fixed,
            }
        })
        .collect();
    let tag = etag(user.version, caller.view(), caller.locale);
    Ok(Reply::ok(&NotificationPreferences { items })?.etag(tag))
}

/// Read which messages I get
///
/// Any signed-in user. A switch for each type of event and channel.
#[utoipa::path(operation_id = "getNotificationPreferences", tag = "me",
    responses((status = 200, description = "All switches.", body = NotificationPreferences)))]
#[get("/v1/me/notification-preferences")]
pub async fn get_notification_preferences(
    app: web::Data<App>,
    caller: Allowed<op::GetNotificationPreferences>,
) -> ApiResult<Reply> {
    let caller = caller.caller;
    app.db.run(move |conn| shown(conn, &caller)).await
}

/// Set which messages I get
///
/// Any signed-in user. Replaces all switches: what is not named is on. The bureau's decision cannot be switched off.
#[utoipa::path(operation_id = "updateNotificationPreferences", tag = "me",
    responses((status = 200, description = "All switches.", body = NotificationPreferences)))]
#[put("/v1/me/notification-preferences")]
pub async fn update_notification_preferences(
    app: web::Data<App>,
    caller: Allowed<op::UpdateNotificationPreferences>,
    body: Json<NotificationPreferencesUpdate>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, items) = (caller.caller, body.0.items);
    let known: std::collections::HashSet<(&str, PreferenceChannel)> =
        offered().map(|(row, channel)| (row.event_type.as_str(), channel)).collect();
    let mut faults = Vec::new();
    let mut settings = HashMap::new();
    for (index, item) in items.into_iter().enumerate() {
        let fault = |name: &str, code: &str, zh: &str, en: &str| {
            let pointer = Place::Pointer(format!("/items/{index}{name}"));
            FieldError::new(pointer, code, Bilingual::new(zh, en))
        };
        if data::event_type(&item.event_type).is_none() {
            faults.push(fault("/event_type", "not_in_list", "未知的事件类型", "is not a known event type"));
        } else if !known.contains(&(item.event_type.as_str(), item.channel)) {
            faults.push(fault(
                "/channel",
                "not_in_list",
                "此事件不通过该渠道发送",
                "is not a channel of this event type",
            ));
        } else if !item.is_enabled && is_mandatory(&item.event_type) {
            faults.push(fault(
                "/is_enabled",
                "mandatory",
                "管局结果通知不能关闭",
                "cannot be switched off: the bureau's decision",
            ));
        } else if settings.insert((item.event_type, item.channel), item.is_enabled).is_some() {
            faults.push(fault("", "duplicate_items", "条目重复", "is named twice"));
        }
    }
    if !faults.is_empty() {
        return Err(ApiError::invalid(faults));
    }
    app.db
        .transaction(move |conn| {
            let user = caller.user_id;
            model::lock(conn, user)?.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
            diesel::delete(table::table.filter(table::user_id.eq(user))).execute(conn)?;
            let rows: Vec<_> = settings
                .into_iter()
                .map(|((event_type, channel), is_enabled)| {
                    (
                        table::user_id.eq(user),
                        table::event_type.eq(event_type),
                        table::channel.eq(channel),
                        table::is_enabled.eq(is_enabled),
                    )
                })
                .collect();
            diesel::insert_into(table::table).values(rows).execute(conn)?;
            model::update(conn, now, user, model::Changes::default())?;
            audit::record(
                conn,
                now,
                &Actor::from(&caller),
                Deed::new("user.preferences_updated", "user", user.0),
            )?;
            shown(conn, &caller)
        })
        .await
}
