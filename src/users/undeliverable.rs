//! Contacts that messages cannot reach: a task for the user (inbox, `next_actions` of `me`, of the home page and of their live
//! filings) and a line in the list of the staff, until the contact is verified anew or replaced.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::contacts::ContactChannel;
use super::model::{self, UserRow};
use crate::audit::{self, Actor, Deed};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::UserId;
use crate::schema::undeliverable_contacts as table;
use crate::websites::next_action::NextAction;

crate::text_enum! {
    /// How it was found out.
    pub enum UndeliverableSource {
        /// The mail server or the SMS gateway refused it at once.
        Refused = "refused",
        /// A delivery receipt said so later.
        Receipt = "receipt",
    }
}

crate::text_enum! {
    /// Why a contact counts as good again.
    pub enum ClearedBecause {
        /// Its code came back.
        Verified = "verified",
        /// The admin put another one in its place.
        Replaced = "replaced",
        /// A later message arrived.
        Delivered = "delivered",
    }
}

/// A contact of the caller that messages cannot reach.
#[derive(Serialize, ToSchema)]
pub struct UndeliverableContact {
    pub channel: ContactChannel,
    /// Masked.
    #[schema(example = "z***@example.com")]
    pub contact: String,
    pub source: UndeliverableSource,
    /// The other side's code.
    #[schema(example = "SMTP 550 5.1.1")]
    pub code: Option<String>,
    /// When a message first failed.
    pub found_at: DateTime<Utc>,
}

/// That a message to a user's contact cannot arrive.
pub struct Finding<'a> {
    pub user: UserId,
    pub channel: ContactChannel,
    /// Keyed hash of where the message went; another contact by now is not at fault.
    pub contact_hash: &'a [u8],
    pub source: UndeliverableSource,
    /// The other side's code; no personal data.
    pub code: Option<&'a str>,
}

/// The contact of a user on a channel: its keyed hash, and masked.
fn contact_of(user: &UserRow, channel: ContactChannel) -> Option<(Vec<u8>, String)> {
    match channel {
        ContactChannel::Email => user.email.as_ref().map(|own| (own.lookup_hash().ok(), own.mask())),
        ContactChannel::Mobile => user.mobile.as_ref().map(|own| (own.lookup_hash().ok(), own.mask())),
    }
    .and_then(|(hash, mask)| Some((hash?, mask)))
}

/// Whom a new finding concerns, for the message in the inbox.
pub struct Concerned {
    pub locale: Locale,
    /// Masked.
    pub contact: String,
}

/// Records that a contact cannot be reached. None when that is known already, or the user has another contact by now.
///
/// # Errors
/// When the database fails.
pub fn report(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    finding: &Finding,
) -> QueryResult<Option<Concerned>> {
    let Some(user) = model::lock(conn, finding.user)? else { return Ok(None) };
    let Some((hash, contact)) = contact_of(&user, finding.channel) else { return Ok(None) };
    if hash != finding.contact_hash {
        return Ok(None);
    }
    let rows = diesel::insert_into(table::table)
        .values((
            table::id.eq(Uuid::now_v7()),
            table::user_id.eq(finding.user),
            table::channel.eq(finding.channel),
            table::source.eq(finding.source),
            table::code.eq(finding.code),
            table::found_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(conn)?;
    if rows == 0 {
        return Ok(None);
    }
    // What `me` shows has changed.
    model::update(conn, now, finding.user, model::Changes::default())?;
    let details = json!({ "channel": finding.channel, "source": finding.source, "code": finding.code });
    let deed = Deed::new("user.contact_undeliverable", "user", finding.user.0).details(details);
    audit::record(conn, now, &Actor::system(), deed)?;
    Ok(Some(Concerned { locale: user.locale, contact }))
}

/// The contact counts as good again. Whoever calls raises the user's version. False when it was.
///
/// # Errors
/// When the database fails.
pub fn clear(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    channel: ContactChannel,
    because: ClearedBecause,
) -> QueryResult<bool> {
    let open = table::table
        .filter(table::user_id.eq(user))
        .filter(table::channel.eq(channel))
        .filter(table::cleared_at.is_null());
    let rows = diesel::update(open)
        .set((table::cleared_at.eq(now), table::cleared_because.eq(because)))
        .execute(conn)?;
    Ok(rows > 0)
}

/// A message arrived at this contact after all.
///
/// # Errors
/// When the database fails.
pub fn arrived(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    channel: ContactChannel,
    contact_hash: &[u8],
) -> QueryResult<()> {
    let Some(row) = model::lock(conn, user)? else { return Ok(()) };
    let is_same = contact_of(&row, channel).is_some_and(|(hash, _)| hash == contact_hash);
    if is_same && clear(conn, now, user, channel, ClearedBecause::Delivered)? {
        model::update(conn, now, user, model::Changes::default())?;
    }
    Ok(())
}

/// The contacts of a user that cannot be reached, for statements that ask beside something else.
#[diesel::dsl::auto_type]
pub fn open_of(user: UserId) -> _ {
    table::table.filter(table::user_id.eq(user)).filter(table::cleared_at.is_null())
}

/// Which contacts of these users cannot be reached.
///
/// # Errors
/// When the database fails.
pub fn channels_of(conn: &mut PgConnection, users: &[UserId]) -> QueryResult<Vec<(UserId, ContactChannel)>> {
    table::table
        .filter(table::user_id.eq_any(users))
        .filter(table::cleared_at.is_null())
        .order(table::channel)
        .select((table::user_id, table::channel))
        .load(conn)
}

/// The same for one user, as `me` shows it.
///
/// # Errors
/// When the database fails.
pub fn of_user(conn: &mut PgConnection, user: &UserRow) -> QueryResult<Vec<UndeliverableContact>> {
    type Row = (ContactChannel, UndeliverableSource, Option<String>, DateTime<Utc>);
    let rows: Vec<Row> = table::table
        .filter(table::user_id.eq(user.id))
        .filter(table::cleared_at.is_null())
        .order(table::channel)
        .select((table::channel, table::source, table::code, table::found_at))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .filter_map(|(channel, source, code, found_at)| {
            let (_, contact) = contact_of(user, channel)?;
            Some(UndeliverableContact { channel, contact, source, code, found_at })
        })
        .collect())
}

/// What the user has to do about a contact.
pub fn next_action(locale: Locale, channel: ContactChannel) -> NextAction {
    let action = match channel {
        ContactChannel::Email => "update_email",
        ContactChannel::Mobile => "update_mobile",
    };
    NextAction::new(locale, action, "updateMe", "PATCH", "/v1/me").primary()
}
