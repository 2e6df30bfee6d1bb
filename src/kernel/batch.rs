//! Requests of many rows: each row in a transaction of its own, so that a bad one does not stop the others, and an idempotency
//! key that covers all of them.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::{Connection, ExpressionMethods, PgConnection, QueryDsl, RunQueryDsl};

use super::idempotency::{Entry, Idempotency, find, lock, once, store};
use crate::error::{ApiError, ApiResult, FieldError, Problem};
use crate::kernel::{db::Db, i18n::Locale, reply::Reply};
use crate::schema::idempotency_keys;

/// For a request of many rows, each in a transaction of its own. A repeat with another body is refused, a repeat of a
/// finished request is answered from the store; one that was cut off runs again, and its finished rows are not done twice.
///
/// # Errors
/// 422 `idempotency_key_reused`.
pub async fn begin(idem: Idempotency, db: &Db, now: DateTime<Utc>, caller: &str) -> ApiResult<Begun> {
    let (entry, key) = idem.entry(caller);
    let Some(key) = key else { return Ok(Begun::New(Batch(None))) };
    let entry = Entry { key, ..entry };
    let own = entry.clone();
    let known = db
        .run(move |conn| {
            conn.transaction(|conn| {
                lock(conn, &own)?;
                let known = find(conn, now, &own)?;
                if known.is_none() {
                    // Holds the body's hash from the first row on.
                    store(conn, now, &own, UNFINISHED, &serde_json::json!({}), "")?;
                }
                Ok(known)
            })
        })
        .await?;
    Ok(match known {
        Some((status, headers, body)) if status != UNFINISHED => {
            Begun::Done(Reply::replay(status, &headers, body))
        }
        _ => Begun::New(Batch(Some(entry))),
    })
}

/// Status under which a batch is stored that has not finished.
const UNFINISHED: u16 = 102;

/// What a request of many rows is to do.
pub enum Begun {
    /// It was finished before: this was the answer.
    Done(Reply),
    /// Its rows.
    New(Batch),
}

/// A request of many rows that runs.
pub struct Batch(Option<Entry>);

impl Batch {
    /// Runs the work of a row in a transaction, at most once per key and row.
    ///
    /// # Errors
    /// 409 `idempotency_in_flight`, or what `work` returns.
    pub async fn row<W>(&self, db: &Db, now: DateTime<Utc>, number: usize, work: W) -> ApiResult<Reply>
    where
        W: FnOnce(&mut PgConnection) -> ApiResult<Reply> + Send + 'static,
    {
        // A key of the client has no control characters, so no key of its own can look like this one.
        let entry = self
            .0
            .as_ref()
            .map(|entry| Entry { key: format!("{}\u{1}{number}", entry.key), ..entry.clone() });
        db.run(move |conn| conn.transaction(|conn| once(conn, now, entry.as_ref(), work))).await
    }

    /// Stores the answer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish(self, db: &Db, reply: Reply) -> ApiResult<Reply> {
        let Some(entry) = self.0 else { return Ok(reply) };
        db.run(move |conn| {
            let (status, headers, body) = reply.parts();
            diesel::update(idempotency_keys::table.find((&entry.scope, &entry.key)))
                .set((
                    idempotency_keys::status.eq(i32::from(status)),
                    idempotency_keys::headers.eq(headers),
                    idempotency_keys::body.eq(body),
                ))
                .execute(conn)?;
            Ok(reply)
        })
        .await
    }
}

/// 422 when a row names what an earlier one named.
///
/// # Errors
/// `duplicate_items` at each.
pub fn ensure_distinct(ids: impl Iterator<Item = uuid::Uuid>, member: &str) -> ApiResult<()> {
    let mut known = HashSet::new();
    let faults: Vec<FieldError> = ids
        .enumerate()
        .filter(|(_, id)| !known.insert(*id))
        .map(|(at, _)| FieldError::pointer(format!("/rows/{at}/{member}"), "duplicate_items"))
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(faults)) }
}

/// What is shown of a row: the new version, or the problem with pointers below `place`.
///
/// # Errors
/// When database or store are away: no row can be mended then, the whole request is to be sent again.
pub fn outcome(
    outcome: ApiResult<Reply>,
    place: &str,
    locale: Locale,
    request_id: &str,
) -> ApiResult<(Option<i32>, Option<Problem>)> {
    match outcome {
        Ok(reply) => {
            let version = reply.json().and_then(|body| body["version"].as_i64());
            Ok((version.and_then(|version| i32::try_from(version).ok()), None))
        }
        Err(error) if error.code().status >= 500 => Err(error),
        Err(error) => Ok((None, Some(error.under(place).problem(locale, request_id)))),
    }
}
