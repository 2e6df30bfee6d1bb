//! `Idempotency-Key`: a second click does the work once. The key is locked, looked up, worked and stored inside the work's
//! own transaction; only 2xx are stored, so a failure frees the key.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};
use chrono::{DateTime, Duration, Utc};
use diesel::{
    Connection, ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, RunQueryDsl, sql_types,
};
use sha2::{Digest, Sha256};

use crate::error::{ApiError, ApiResult, FieldError, Place};
use crate::error_codes as codes;
use crate::kernel::{db::Db, i18n::Bilingual, json::BodyHash, reply::Reply};
use crate::schema::idempotency_keys;

/// How long a stored reply is replayed.
pub fn lifetime() -> Duration {
    Duration::hours(24)
}

/// The request's idempotency key, if it sent one. Optional on every POST.
pub struct Idempotency {
    req: HttpRequest,
    key: Option<String>,
}

impl FromRequest for Idempotency {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = match req.headers().get("Idempotency-Key").map(|value| value.to_str()) {
            None => None,
            Some(Ok(key)) if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => {
                Some(key.to_owned())
            }
            Some(_) => {
                return ready(Err(ApiError::new(&codes::INVALID_HEADER).errors(vec![FieldError::new(
                    Place::Header("Idempotency-Key".to_owned()),
                    "invalid_format",
                    Bilingual::new(
                        "须为 1 到 255 个可见 ASCII 字符",
                        "must be 1 to 255 visible ASCII characters",
                    ),
                )])));
            }
        };
        ready(Ok(Self { req: req.clone(), key }))
    }
}

#[derive(diesel::QueryableByName)]
struct Lock {
    #[diesel(sql_type = sql_types::Bool)]
    taken: bool,
}

impl Idempotency {
    /// Runs `work` in one transaction, at most once per key. `caller` names who asks; `authorise` runs before a replay too,
    /// so that a right lost meanwhile is not bypassed.
    ///
    /// # Errors
    /// 409 `idempotency_in_flight`, 422 `idempotency_key_reused`, or what `authorise` and `work` return.
    pub async fn run<A, W>(
        self,
        db: &Db,
        now: DateTime<Utc>,
        caller: &str,
        authorise: A,
        work: W,
    ) -> ApiResult<Reply>
    where
        A: FnOnce(&mut PgConnection) -> ApiResult<()> + Send + 'static,
        W: FnOnce(&mut PgConnection) -> ApiResult<Reply> + Send + 'static,
    {
        let (entry, key) = self.entry(caller);
        let entry = key.map(|key| Entry { key, ..entry });
        db.run(move |conn| {
            conn.transaction(|conn| {
                authorise(conn)?;
                once(conn, now, entry.as_ref(), work)
            })
        })
        .await
    }

    pub(super) fn entry(&self, caller: &str) -> (Entry, Option<String>) {
        let scope = format!("{caller} {} {}", self.req.method(), self.req.path());
        let body_hash = self
            .req
            .extensions()
            .get::<BodyHash>()
            .map_or_else(|| Sha256::digest(b"").to_vec(), |h| h.0.clone());
        (Entry { scope, key: String::new(), body_hash }, self.key.clone())
    }
}

/// A key with its scope and the body that it came with.
#[derive(Clone)]
pub(super) struct Entry {
    pub scope: String,
    pub key: String,
    pub body_hash: Vec<u8>,
}

/// Locks the key, looks it up, works, stores.
pub(super) fn once<W>(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    entry: Option<&Entry>,
    work: W,
) -> ApiResult<Reply>
where
    W: FnOnce(&mut PgConnection) -> ApiResult<Reply>,
{
    let Some(entry) = entry else { return work(conn) };
    lock(conn, entry)?;
    if let Some((status, headers, body)) = find(conn, now, entry)? {
        return Ok(Reply::replay(status, &headers, body));
    }
    let reply = work(conn)?;
    let (status, headers, body) = reply.parts();
    store(conn, now, entry, status, &headers, &body)?;
    Ok(reply)
}

pub(super) fn lock(conn: &mut PgConnection, entry: &Entry) -> ApiResult<()> {
    let lock: Lock =
        diesel::sql_query("SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0)) AS taken")
            .bind::<sql_types::Text, _>(&entry.scope)
            .bind::<sql_types::Text, _>(&entry.key)
            .get_result(conn)?;
    if lock.taken { Ok(()) } else { Err(ApiError::new(&codes::IDEMPOTENCY_IN_FLIGHT).retry_after(1)) }
}

pub(super) type Stored = (u16, serde_json::Value, String);

/// What is stored under a locked key, unless it is too old.
pub(super) fn find(conn: &mut PgConnection, now: DateTime<Utc>, entry: &Entry) -> ApiResult<Option<Stored>> {
    let (scope, key) = (&entry.scope, &entry.key);
    let stored = idempotency_keys::table
        .find((scope, key))
        .select((
            idempotency_keys::body_hash,
            idempotency_keys::status,
            idempotency_keys::headers,
            idempotency_keys::body,
            idempotency_keys::created_at,
        ))
        .first::<(Vec<u8>, i32, serde_json::Value, String, DateTime<Utc>)>(conn)
        .optional()?;
    match stored {
        Some((hash, status, headers, body, created_at)) if created_at > now - lifetime() => {
            if hash != entry.body_hash {
                return Err(ApiError::new(&codes::IDEMPOTENCY_MISMATCH));
            }
            Ok(Some((status as u16, headers, body)))
        }
        Some(_) => {
            diesel::delete(idempotency_keys::table.find((scope, key))).execute(conn)?;
            Ok(None)
        }
        None => Ok(None),
    }
}

pub(super) fn store(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    entry: &Entry,
    status: u16,
    headers: &serde_json::Value,
    body: &str,
) -> diesel::QueryResult<usize> {
    diesel::insert_into(idempotency_keys::table)
        .values((
            idempotency_keys::scope.eq(&entry.scope),
            idempotency_keys::key.eq(&entry.key),
            idempotency_keys::body_hash.eq(&entry.body_hash),
            idempotency_keys::status.eq(i32::from(status)),
            idempotency_keys::headers.eq(headers),
            idempotency_keys::body.eq(body),
            idempotency_keys::created_at.eq(now),
        ))
        .execute(conn)
}

/// Removes keys whose replies are no longer replayed; called by a periodic job.
///
/// # Errors
/// When the database fails.
pub fn purge(conn: &mut PgConnection, now: DateTime<Utc>) -> diesel::QueryResult<usize> {
    diesel::delete(idempotency_keys::table.filter(idempotency_keys::created_at.lt(now - lifetime())))
        .execute(conn)
}
