//! What follows when messages cannot reach a contact: `users` keeps the fact, the user finds a message in the inbox.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::{Channel, NotificationState, texts};
use crate::kernel::ids::{NotificationId, UserId};
use crate::schema::notifications;
use crate::users::ContactChannel;
use crate::users::undeliverable::{self, Finding, UndeliverableSource};

/// `event_type` of the message in the inbox. It is about the user, not about a filing: no event of the timeline.
const EVENT: &str = "contact.undeliverable";

/// The contact that a channel uses; none for the inbox.
pub(super) fn contact_channel(channel: Channel) -> Option<ContactChannel> {
    match channel {
        Channel::Inbox => None,
        Channel::Email => Some(ContactChannel::Email),
        Channel::Sms => Some(ContactChannel::Mobile),
    }
}

/// Records that a message could not reach its user, and says so in the inbox; once, until the contact is verified anew.
pub(super) fn record(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    channel: Channel,
    contact_hash: &[u8],
    source: UndeliverableSource,
    code: Option<&str>,
) -> QueryResult<()> {
    let Some(contact) = contact_channel(channel) else { return Ok(()) };
    let finding = Finding { user, channel: contact, contact_hash, source, code };
    let Some(concerned) = undeliverable::report(conn, now, &finding)? else { return Ok(()) };
    metrics::counter!("beian_undeliverable_contacts_total", "channel" => channel.as_str()).increment(1);
    let text = texts::render_undeliverable(concerned.locale.as_str(), channel, &concerned.contact);
    let (title, body) = text.map_err(|error| diesel::result::Error::SerializationError(error.into()))?;
    diesel::insert_into(notifications::table)
        .values((
            notifications::id.eq(NotificationId::new()),
            notifications::user_id.eq(user),
            notifications::event_type.eq(EVENT),
            notifications::channel.eq(Channel::Inbox),
            notifications::state.eq(NotificationState::Sent),
            notifications::locale.eq(concerned.locale),
            notifications::title.eq(title),
            notifications::body.eq(body),
            notifications::created_at.eq(now),
            notifications::sent_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}
