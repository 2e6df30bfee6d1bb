//! Sessions: each is a family of refresh tokens of which one is current. A token is used once and replaced; using it again
//! means that somebody has a copy, and ends the family.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, QueryResult,
    RunQueryDsl,
    dsl::{exists, not},
};
use uuid::Uuid;

use super::{caller::load_identity, one_time::token_hash};
use crate::kernel::ids::{AccountId, ApiClientSecretId, SessionId, UserId};
use crate::schema::{refresh_tokens, sessions, users};

/// Lifetime of a refresh token.
pub fn refresh_lifetime() -> Duration {
    Duration::days(30)
}

/// For how long a token just replaced is honoured once more: its reply may have been lost on the way.
fn grace() -> Duration {
    Duration::seconds(30)
}

crate::text_enum! {
    /// What logged in.
    pub enum Client {
        /// A program with refresh tokens.
        App = "app",
        /// The *Authorize* dialog of Swagger UI: one longer access token, no refresh token.
        Docs = "docs",
        /// A partner's program with a client secret: one access token, no refresh token.
        Api = "api",
    }
}

/// Opens a session.
pub fn open(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    client: Client,
) -> QueryResult<SessionId> {
    let id = SessionId::new();
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(id),
            sessions::user_id.eq(user),
            sessions::client.eq(client),
            sessions::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(id)
}

/// Opens a session of a partner's program, got with this secret.
pub fn open_for_secret(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    secret: ApiClientSecretId,
) -> QueryResult<SessionId> {
    let id = open(conn, now, user, Client::Api)?;
    diesel::update(sessions::table.find(id)).set(sessions::api_client_secret_id.eq(secret)).execute(conn)?;
    Ok(id)
}

/// Gives a session a new refresh token. Only its hash is stored.
pub fn issue(conn: &mut PgConnection, now: DateTime<Utc>, session: SessionId) -> QueryResult<(Uuid, String)> {
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let id = Uuid::now_v7();
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::id.eq(id),
            refresh_tokens::session_id.eq(session),
            refresh_tokens::token_hash.eq(token_hash(&token)),
            refresh_tokens::issued_at.eq(now),
            refresh_tokens::expires_at.eq(now + refresh_lifetime()),
        ))
        .execute(conn)?;
    Ok((id, token))
}

/// What a presented refresh token led to. All of it must be committed, the refusal of a reused token too.
#[derive(Debug)]
pub enum Rotation {
    /// A new token of the same session.
    Fresh {
        /// The user.
        user_id: UserId,
        /// The session.
        session_id: SessionId,
        /// The new refresh token.
        token: String,
    },
    /// Unknown, expired, or of a session that has ended.
    Refused,
    /// Used before: the session was ended.
    Reused {
        /// The user.
        user_id: UserId,
        /// The session that was ended.
        session_id: SessionId,
    },
}

/// Replaces a refresh token by its successor.
pub fn rotate(conn: &mut PgConnection, now: DateTime<Utc>, presented: &str) -> QueryResult<Rotation> {
    let found = refresh_tokens::table
        .filter(refresh_tokens::token_hash.eq(token_hash(presented)))
        .select((refresh_tokens::id, refresh_tokens::session_id))
        .first::<(Uuid, SessionId)>(conn)
        .optional()?;
    let Some((token_id, session_id)) = found else { return Ok(Rotation::Refused) };
    // The lock on the session puts two refreshes of one family in order.
    let user_id: UserId =
        sessions::table.find(session_id).select(sessions::user_id).for_update().first(conn)?;
    if load_identity(conn, session_id)?.is_none() {
        return Ok(Rotation::Refused);
    }
    let (expires_at, used_at, successor_id) = refresh_tokens::table
        .find(token_id)
        .select((refresh_tokens::expires_at, refresh_tokens::used_at, refresh_tokens::successor_id))
        .first::<(DateTime<Utc>, Option<DateTime<Utc>>, Option<Uuid>)>(conn)?;
    if expires_at <= now {
        return Ok(Rotation::Refused);
    }
    let replaced = match (used_at, successor_id) {
        (None, _) => token_id,
        // Its successor never reached the client, or it would be used instead. The successor is replaced too, so that
        // the family keeps one current token, and a third use of this one finds a used successor.
        (Some(used_at), Some(successor_id)) if now - used_at <= grace() && is_unused(conn, successor_id)? => {
            successor_id
        }
        _ => {
            end(conn, now, session_id)?;
            return Ok(Rotation::Reused { user_id, session_id });
        }
    };
    let (new_id, token) = issue(conn, now, session_id)?;
    diesel::update(refresh_tokens::table.find(replaced))
        .set((refresh_tokens::used_at.eq(now), refresh_tokens::successor_id.eq(new_id)))
        .execute(conn)?;
    Ok(Rotation::Fresh { user_id, session_id, token })
}

fn is_unused(conn: &mut PgConnection, token: Uuid) -> QueryResult<bool> {
    refresh_tokens::table.find(token).select(refresh_tokens::used_at.is_null()).first(conn)
}

fn end(conn: &mut PgConnection, now: DateTime<Utc>, session: SessionId) -> QueryResult<bool> {
    let live = sessions::table.find(session).filter(sessions::revoked_at.is_null());
    Ok(diesel::update(live).set(sessions::revoked_at.eq(now)).execute(conn)? == 1)
}

/// Ends the session of a refresh token, whichever of its family it is. None when there is nothing to end.
pub fn end_by_token(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    presented: &str,
) -> QueryResult<Option<(UserId, SessionId)>> {
    let found = refresh_tokens::table
        .inner_join(sessions::table)
        .filter(refresh_tokens::token_hash.eq(token_hash(presented)))
        .select((sessions::user_id, sessions::id))
        .first::<(UserId, SessionId)>(conn)
        .optional()?;
    match found {
        Some((user, session)) if end(conn, now, session)? => Ok(Some((user, session))),
        _ => Ok(None),
    }
}

/// Ends all sessions of a user, or all but one. Take effect in other processes within five seconds.
///
/// # Errors
/// When the database fails.
pub fn revoke_all(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    except: Option<SessionId>,
) -> QueryResult<usize> {
    let spared = except.unwrap_or(SessionId(Uuid::nil()));
    let live = sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::id.ne(spared))
        .filter(sessions::revoked_at.is_null());
    diesel::update(live).set(sessions::revoked_at.eq(now)).execute(conn)
}

/// Ends all sessions of an account's users.
///
/// # Errors
/// When the database fails.
pub fn revoke_account(conn: &mut PgConnection, now: DateTime<Utc>, account: AccountId) -> QueryResult<usize> {
    let members = users::table.filter(users::account_id.eq(account)).select(users::id);
    let live =
        sessions::table.filter(sessions::user_id.eq_any(members)).filter(sessions::revoked_at.is_null());
    diesel::update(live).set(sessions::revoked_at.eq(now)).execute(conn)
}

/// Ends all sessions that a client secret opened.
///
/// # Errors
/// When the database fails.
pub fn revoke_secret(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    secret: ApiClientSecretId,
) -> QueryResult<usize> {
    let live = sessions::table
        .filter(sessions::api_client_secret_id.eq(secret))
        .filter(sessions::revoked_at.is_null());
    diesel::update(live).set(sessions::revoked_at.eq(now)).execute(conn)
}

/// Removes expired tokens with the sessions that they leave without any, and old sessions without refresh tokens. Used tokens stay
/// until they expire, so that their reuse is still noticed. One transaction.
pub(super) fn purge(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<usize> {
    let expired: Vec<SessionId> =
        diesel::delete(refresh_tokens::table.filter(refresh_tokens::expires_at.lt(now)))
            .returning(refresh_tokens::session_id)
            .get_results(conn)?;
    let has_token = exists(refresh_tokens::table.filter(refresh_tokens::session_id.eq(sessions::id)));
    let ended = sessions::id.eq_any(&expired).and(not(has_token));
    // A day is longer than any access token lives.
    let short = sessions::client
        .eq_any([Client::Docs, Client::Api])
        .and(sessions::created_at.lt(now - Duration::days(1)));
    Ok(expired.len() + diesel::delete(sessions::table.filter(ended.or(short))).execute(conn)?)
}
