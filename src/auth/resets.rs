//! Password resets: a row with the hash of its token, and a mail that carries the token. Used once, for a limited time.

use chrono::{DateTime, Duration, Utc};
use diesel::{ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, QueryResult, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use super::{
    ACCOUNT_EMAIL_JOB,
    one_time::{password_reset_token, token_hash},
};
use crate::kernel::ids::UserId;
use crate::kernel::jobs::{self, NewJob};
use crate::schema::{password_resets, users};

/// How long the link of a forgotten password is good.
pub fn lifetime() -> Duration {
    Duration::minutes(60)
}

/// Starts a reset and enqueues its mail. The user must have an e-mail address, or the mail goes nowhere.
///
/// # Errors
/// When the database fails.
pub fn start(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    lifetime: Duration,
) -> QueryResult<()> {
    let id = Uuid::now_v7();
    diesel::insert_into(password_resets::table)
        .values((
            password_resets::id.eq(id),
            password_resets::user_id.eq(user),
            password_resets::token_hash.eq(token_hash(&password_reset_token(id))),
            password_resets::created_at.eq(now),
            password_resets::expires_at.eq(now + lifetime),
        ))
        .execute(conn)?;
    let payload = json!({ "template": "password_reset", "user_id": user, "password_reset_id": id });
    jobs::enqueue(conn, now, NewJob::new(ACCOUNT_EMAIL_JOB, payload))
}

/// The open reset of a token: its id and user.
pub fn find(conn: &mut PgConnection, now: DateTime<Utc>, token: &str) -> QueryResult<Option<(Uuid, UserId)>> {
    password_resets::table
        .filter(password_resets::token_hash.eq(token_hash(token)))
        .filter(password_resets::used_at.is_null())
        .filter(password_resets::expires_at.gt(now))
        .select((password_resets::id, password_resets::user_id))
        .first(conn)
        .optional()
}

/// Takes a reset for use. False when another request was faster.
pub fn take(conn: &mut PgConnection, now: DateTime<Utc>, id: Uuid) -> QueryResult<bool> {
    let open = password_resets::table.find(id).filter(password_resets::used_at.is_null());
    Ok(diesel::update(open).set(password_resets::used_at.eq(now)).execute(conn)? == 1)
}

/// Ends a user's open resets: after a change of password or address the mails sent before must not work any more.
///
/// # Errors
/// When the database fails.
pub fn end_all(conn: &mut PgConnection, now: DateTime<Utc>, user: UserId) -> QueryResult<()> {
    let open = password_resets::table
        .filter(password_resets::user_id.eq(user))
        .filter(password_resets::used_at.is_null());
    diesel::update(open).set(password_resets::used_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Stores a new password; the version rises with it.
pub fn set_password(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    hash: &str,
) -> QueryResult<()> {
    diesel::update(users::table.find(user))
        .set((
            users::password_hash.eq(hash),
            users::version.eq(users::version + 1),
            users::updated_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes that the user reads their address: the reset's mail went there.
pub fn confirm_email(conn: &mut PgConnection, now: DateTime<Utc>, user: UserId) -> QueryResult<()> {
    let unverified =
        users::table.find(user).filter(users::email.is_not_null()).filter(users::email_verified_at.is_null());
    diesel::update(unverified).set(users::email_verified_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Removes resets that have been over for a day.
pub(super) fn purge(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<usize> {
    let old = password_resets::expires_at.lt(now - Duration::days(1));
    diesel::delete(password_resets::table.filter(old)).execute(conn)
}
