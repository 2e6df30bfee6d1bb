//! Rows of notifications and what sending them needs.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde_json::Value;

use super::{Channel, NotificationState, ReceiptState};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{AccountId, EventId, FilingId, NotificationId, UserId};
use crate::kernel::jobs::JobState;
use crate::kernel::page::{Limit, Position};
use crate::kernel::pii::{self, Sensitive};
use crate::schema::{accounts, filings, jobs, notification_preferences, notifications, users};
use crate::users::{ContactChannel, undeliverable};

/// A user who may be told.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct Recipient {
    pub id: UserId,
    pub display_name: String,
    pub locale: Locale,
    pub email: Option<Sensitive<pii::Email>>,
    pub email_verified_at: Option<DateTime<Utc>>,
    pub mobile: Option<Sensitive<pii::Phone>>,
    pub mobile_verified_at: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl Recipient {
    /// The address, if it was verified.
    pub fn verified_email(&self) -> Option<&Sensitive<pii::Email>> {
        self.email.as_ref().filter(|_| self.email_verified_at.is_some())
    }

    /// The number, if it was verified.
    pub fn verified_mobile(&self) -> Option<&Sensitive<pii::Phone>> {
        self.mobile.as_ref().filter(|_| self.mobile_verified_at.is_some())
    }
}

/// A user who may be told, and what speaks against it.
pub(super) struct Told {
    pub person: Recipient,
    /// Channels that they switched off for this type of event.
    pub off: Vec<Channel>,
    /// Contacts that messages do not reach.
    pub lost: Vec<ContactChannel>,
}

/// The account's users who can log in.
pub(super) fn recipients(
    conn: &mut PgConnection,
    account: AccountId,
    event_type: &str,
) -> QueryResult<Vec<Told>> {
    let people: Vec<Recipient> = users::table
        .inner_join(accounts::table)
        .filter(users::account_id.eq(account))
        .filter(users::disabled_at.is_null())
        .filter(accounts::disabled_at.is_null())
        .order(users::id)
        .select(Recipient::as_select())
        .load(conn)?;
    let ids: Vec<UserId> = people.iter().map(|person| person.id).collect();
    let off: Vec<(UserId, Channel)> = notification_preferences::table
        .filter(notification_preferences::user_id.eq_any(&ids))
        .filter(notification_preferences::event_type.eq(event_type))
        .filter(notification_preferences::is_enabled.eq(false))
        .select((notification_preferences::user_id, notification_preferences::channel))
        .load(conn)?;
    let lost = undeliverable::channels_of(conn, &ids)?;
    Ok(people
        .into_iter()
        .map(|person| Told {
            off: off.iter().filter(|(user, _)| *user == person.id).map(|(_, channel)| *channel).collect(),
            lost: lost.iter().filter(|(user, _)| *user == person.id).map(|(_, channel)| *channel).collect(),
            person,
        })
        .collect())
}

/// Whether a user has switched a type of event off for a channel.
pub(super) fn is_switched_off(
    conn: &mut PgConnection,
    user: UserId,
    event_type: &str,
    channel: Channel,
) -> QueryResult<bool> {
    let said: Option<bool> = notification_preferences::table
        .find((user, event_type, channel))
        .select(notification_preferences::is_enabled)
        .first(conn)
        .optional()?;
    Ok(said == Some(false))
}

/// One user, whatever their state.
pub(super) fn user(conn: &mut PgConnection, id: UserId) -> QueryResult<Option<Recipient>> {
    users::table.find(id).select(Recipient::as_select()).first(conn).optional()
}

/// A notification to be inserted.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = notifications)]
pub(super) struct NewNotification {
    pub id: NotificationId,
    pub user_id: UserId,
    pub filing_id: FilingId,
    pub event_id: EventId,
    pub event_type: String,
    pub channel: Channel,
    pub state: NotificationState,
    pub locale: Locale,
    pub title: String,
    pub body: String,
    /// The reason, when suppressed.
    pub last_error: Option<&'static str>,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    /// What an SMS template of a provider is filled with.
    pub variables: Option<Value>,
}

/// Inserts a notification. False when the user was already told about this event over this channel.
pub(super) fn insert(conn: &mut PgConnection, row: &NewNotification) -> QueryResult<bool> {
    Ok(diesel::insert_into(notifications::table).values(row).on_conflict_do_nothing().execute(conn)? == 1)
}

/// A notification that is to be sent.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = notifications)]
pub(super) struct Outgoing {
    pub id: NotificationId,
    pub filing_id: Option<FilingId>,
    pub event_type: String,
    pub channel: Channel,
    pub state: NotificationState,
    pub locale: Locale,
    pub title: String,
    pub body: String,
    pub variables: Option<Value>,
}

/// A notification with its recipient as they are now: an address changed meanwhile counts.
pub(super) fn outgoing(
    conn: &mut PgConnection,
    id: NotificationId,
) -> QueryResult<Option<(Outgoing, Recipient)>> {
    notifications::table
        .inner_join(users::table)
        .filter(notifications::id.eq(id))
        .select((Outgoing::as_select(), Recipient::as_select()))
        .first(conn)
        .optional()
}

/// A message that is being sent has not failed before this many minutes: it counts until then.
const IN_FLIGHT_MINUTES: i64 = 2;

/// Takes one of the `limit` messages over a channel that a user may get in an hour. If there is none, says when there will be
/// one. Tries that failed do not count.
pub(super) fn reserve(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: NotificationId,
    user: UserId,
    channel: Channel,
    limit: u32,
) -> QueryResult<Option<DateTime<Utc>>> {
    // One at a time for each user: two workers must not both take the last one.
    users::table.find(user).select(users::id).for_no_key_update().first::<UserId>(conn)?;
    let hour = Duration::hours(1);
    let is_sent = notifications::state.eq(NotificationState::Sent);
    let is_in_flight = notifications::attempted_at.gt(now - Duration::minutes(IN_FLIGHT_MINUTES));
    let oldest_that_counts: Option<Option<DateTime<Utc>>> = notifications::table
        .filter(notifications::user_id.eq(user))
        .filter(notifications::channel.eq(channel))
        .filter(notifications::id.ne(id))
        .filter(notifications::attempted_at.gt(now - hour))
        .filter(is_sent.or(is_in_flight.assume_not_null()))
        .order(notifications::attempted_at.desc())
        .offset(i64::from(limit) - 1)
        .select(notifications::attempted_at)
        .first(conn)
        .optional()?;
    if let Some(at) = oldest_that_counts.flatten() {
        return Ok(Some(at + hour));
    }
    diesel::update(notifications::table.find(id)).set(notifications::attempted_at.eq(now)).execute(conn)?;
    Ok(None)
}

/// Which try of its job is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    /// From 1; from 1 again after an admin's retry.
    pub no: i32,
    /// The last one.
    pub max: i32,
}

/// The try that runs now. The queue tells a handler its payload only, so the row is found by its dedup key; no two
/// jobs with one key run at once.
pub(super) fn attempt(conn: &mut PgConnection, dedup_key: &str) -> QueryResult<Attempt> {
    let row = jobs::table
        .filter(jobs::dedup_key.eq(dedup_key))
        .filter(jobs::state.eq(JobState::Running))
        .select((jobs::attempts, jobs::max_attempts))
        .first(conn)
        .optional()?;
    Ok(row.map_or(Attempt { no: 1, max: i32::MAX }, |(no, max)| Attempt { no, max }))
}

/// Records that a message is handed over, and how its receipt comes.
pub(super) fn mark_sent(
    conn: &mut PgConnection,
    id: NotificationId,
    now: DateTime<Utc>,
    sent: &Sent,
) -> QueryResult<()> {
    diesel::update(notifications::table.find(id).filter(notifications::state.ne(NotificationState::Sent)))
        .set((
            notifications::state.eq(NotificationState::Sent),
            notifications::last_error.eq(None::<String>),
            notifications::sent_at.eq(now),
            notifications::provider.eq(sent.provider),
            notifications::provider_reference.eq(&sent.reference),
            notifications::recipient_masked.eq(&sent.recipient_masked),
            notifications::recipient_hash.eq(&sent.recipient_hash),
            notifications::receipt.eq(sent.receipt),
        ))
        .execute(conn)?;
    Ok(())
}

/// What is known of a message that was handed over.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Who took it.
    pub provider: &'static str,
    /// The provider's own number.
    pub reference: Option<String>,
    /// Whom it went to.
    pub recipient_masked: String,
    /// The same, to compare.
    pub recipient_hash: Vec<u8>,
    /// `pending` when a receipt will come.
    pub receipt: Option<ReceiptState>,
    /// We have to ask for it.
    pub is_asked: bool,
}

/// Records what became of a try that did not go out; it does not count for the limit. What was sent stays sent.
pub(super) fn mark(
    conn: &mut PgConnection,
    id: NotificationId,
    state: NotificationState,
    last_error: Option<&str>,
) -> QueryResult<()> {
    diesel::update(notifications::table.find(id).filter(notifications::state.ne(NotificationState::Sent)))
        .set((
            notifications::state.eq(state),
            notifications::last_error.eq(last_error),
            notifications::attempted_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)?;
    Ok(())
}

/// A line of the inbox.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = notifications)]
pub(super) struct InboxRow {
    pub id: NotificationId,
    pub event_type: String,
    pub title: String,
    pub body: String,
    pub filing_id: Option<FilingId>,
    pub created_at: DateTime<Utc>,
    pub read_at: Option<DateTime<Utc>>,
}

/// A page of a user's inbox with order numbers, newest first.
pub(super) fn inbox(
    conn: &mut PgConnection,
    user: UserId,
    is_unread: Option<bool>,
    filing: Option<FilingId>,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<(InboxRow, Option<String>)>> {
    let mut query = notifications::table
        .left_join(filings::table)
        .filter(notifications::user_id.eq(user))
        .filter(notifications::channel.eq(Channel::Inbox))
        .select((InboxRow::as_select(), filings::order_no.nullable()))
        .order((notifications::created_at.desc(), notifications::id.desc()))
        .limit(limit.rows_to_read())
        .into_boxed();
    match is_unread {
        Some(true) => query = query.filter(notifications::read_at.is_null()),
        Some(false) => query = query.filter(notifications::read_at.is_not_null()),
        None => {}
    }
    if let Some(filing) = filing {
        query = query.filter(notifications::filing_id.eq(filing));
    }
    if let Some(Position { at, id }) = after {
        query = query.filter(
            notifications::created_at
                .le(at)
                .and(notifications::created_at.lt(at).or(notifications::id.lt(NotificationId(id)))),
        );
    }
    query.load(conn)
}

/// One line of a user's inbox; none when it is not there or not theirs.
pub(super) fn inbox_row(
    conn: &mut PgConnection,
    user: UserId,
    id: NotificationId,
) -> QueryResult<Option<(InboxRow, Option<String>)>> {
    notifications::table
        .left_join(filings::table)
        .filter(notifications::id.eq(id))
        .filter(notifications::user_id.eq(user))
        .filter(notifications::channel.eq(Channel::Inbox))
        .select((InboxRow::as_select(), filings::order_no.nullable()))
        .first(conn)
        .optional()
}

/// How many lines of a user's inbox are unread.
pub(super) fn unread_count(conn: &mut PgConnection, user: UserId) -> QueryResult<i64> {
    notifications::table
        .filter(notifications::user_id.eq(user))
        .filter(notifications::channel.eq(Channel::Inbox))
        .filter(notifications::read_at.is_null())
        .count()
        .get_result(conn)
}

/// Marks one line, or all, of a user's inbox as read; those already read keep their time. Returns how many changed.
pub(super) fn mark_read(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    only: Option<NotificationId>,
) -> QueryResult<usize> {
    let unread = notifications::table
        .filter(notifications::user_id.eq(user))
        .filter(notifications::channel.eq(Channel::Inbox))
        .filter(notifications::read_at.is_null());
    let read = notifications::read_at.eq(now);
    match only {
        Some(id) => diesel::update(unread.filter(notifications::id.eq(id))).set(read).execute(conn),
        None => diesel::update(unread).set(read).execute(conn),
    }
}
