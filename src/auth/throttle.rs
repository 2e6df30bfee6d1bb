//! Limits on guessing, counted in PostgreSQL so that all processes share them.
//!
//! Hard for one address on one account (429), soft for an account from everywhere (a delay of at most two seconds), so that
//! nobody can lock a victim out. Keys are hashes: what people type as a login may be their password.

use std::{net::IpAddr, time::Duration as StdDuration};

use chrono::{DateTime, Duration, Utc};
use diesel::{ExpressionMethods, PgConnection, QueryDsl, QueryResult, RunQueryDsl, sql_types};

use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::pii;
use crate::schema::throttle_counters;

/// Failures of one address on one account before it has to wait.
const MAX_FAILURES: i32 = 10;
/// Failures on an account before its log-ins are slowed down.
const FREE_FAILURES: i32 = 5;
/// How long failures count, from the first one.
fn window() -> Duration {
    Duration::minutes(15)
}

/// The two counters of an attempt.
#[derive(Clone, Debug)]
pub struct Keys {
    pair: String,
    account: String,
}

impl Keys {
    /// For a login as it was typed, in lower case, and the client's address.
    pub fn new(login: &str, address: Option<IpAddr>) -> Self {
        Self { pair: key("pair", &[login, &network(address)]), account: key("account", &[login]) }
    }
}

fn key(name: &str, parts: &[&str]) -> String {
    format!("{name}:{}", hex::encode(&pii::keyed_hash("throttle", parts)[..16]))
}

/// One customer of an IPv6 provider commonly has a whole /64.
fn network(address: Option<IpAddr>) -> String {
    match address {
        None => "unknown".to_owned(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => {
            address.segments()[..4].iter().map(|part| format!("{part:x}:")).collect()
        }
    }
}

/// What earlier failures mean for an attempt now: how long to wait before comparing passwords.
///
/// # Errors
/// 429 with `Retry-After` when this address has failed too often on this account.
pub fn admit(conn: &mut PgConnection, now: DateTime<Utc>, keys: &Keys) -> ApiResult<StdDuration> {
    let rows = throttle_counters::table
        .filter(throttle_counters::key.eq_any([&keys.pair, &keys.account]))
        .filter(throttle_counters::window_started_at.gt(now - window()))
        .select((throttle_counters::key, throttle_counters::window_started_at, throttle_counters::count))
        .load::<(String, DateTime<Utc>, i32)>(conn)?;
    let mut delay = StdDuration::ZERO;
    for (key, started_at, count) in rows {
        if key == keys.account {
            delay = soft_delay(count);
        } else if count >= MAX_FAILURES {
            return Err(too_many(started_at + window() - now));
        }
    }
    Ok(delay)
}

/// 200 ms for each failure beyond the free ones, at most two seconds.
fn soft_delay(failures: i32) -> StdDuration {
    let steps = u64::try_from(failures.saturating_sub(FREE_FAILURES)).unwrap_or(0).min(10);
    StdDuration::from_millis(200 * steps)
}

fn too_many(wait: Duration) -> ApiError {
    let seconds = u64::try_from(wait.num_seconds()).unwrap_or(0) + 1;
    ApiError::new(&codes::TOO_MANY_REQUESTS).retry_after(seconds)
}

/// Counts a failed attempt. Each counter is a statement of its own: in one transaction two attackers could deadlock.
///
/// # Errors
/// When the database fails.
pub fn record_failure(conn: &mut PgConnection, now: DateTime<Utc>, keys: &Keys) -> QueryResult<()> {
    metrics::counter!("beian_login_failures_total").increment(1);
    count(conn, now, &keys.pair, window())?;
    count(conn, now, &keys.account, window())?;
    Ok(())
}

/// Forgets the failures of this address on this account, after it proved itself. The account's own counter stays: others
/// may still be guessing.
///
/// # Errors
/// When the database fails.
pub fn forgive(conn: &mut PgConnection, keys: &Keys) -> QueryResult<()> {
    diesel::delete(throttle_counters::table.find(&keys.pair)).execute(conn)?;
    Ok(())
}

/// Counts an event that is allowed `max` times in `per`, such as mails to one user. False when this one is too many.
///
/// # Errors
/// When the database fails.
pub fn allow(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    name: &str,
    parts: &[&str],
    max: i32,
    per: Duration,
) -> QueryResult<bool> {
    Ok(count(conn, now, &key(name, parts), per)? <= max)
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = sql_types::Int4)]
    count: i32,
}

fn count(conn: &mut PgConnection, now: DateTime<Utc>, key: &str, per: Duration) -> QueryResult<i32> {
    let row: Count = diesel::sql_query(
        "INSERT INTO throttle_counters AS t (key, window_started_at, count) VALUES ($1, $2, 1)
         ON CONFLICT (key) DO UPDATE SET
           count = CASE WHEN t.window_started_at > $3 THEN LEAST(t.count + 1, 1000000) ELSE 1 END,
           window_started_at = CASE WHEN t.window_started_at > $3 THEN t.window_started_at ELSE $2 END
         RETURNING count",
    )
    .bind::<sql_types::Text, _>(key)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Timestamptz, _>(now - per)
    .get_result(conn)?;
    Ok(row.count)
}

/// Removes counters that no longer count.
pub(super) fn purge(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<usize> {
    let old = throttle_counters::window_started_at.lt(now - Duration::days(1));
    diesel::delete(throttle_counters::table.filter(old)).execute(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_and_ends_at_two_seconds() {
        assert_eq!(soft_delay(0), StdDuration::ZERO);
        assert_eq!(soft_delay(5), StdDuration::ZERO);
        assert_eq!(soft_delay(6), StdDuration::from_millis(200));
        assert_eq!(soft_delay(1_000_000), StdDuration::from_secs(2));
    }

    #[test]
    fn an_ipv6_customer_is_one_address() {
        let address = |text: &str| Some(text.parse().expect("an address"));
        assert_eq!(network(address("2001:db8:1:2::1")), network(address("2001:db8:1:2:ffff::9")));
        assert_ne!(network(address("2001:db8:1:2::1")), network(address("2001:db8:1:3::1")));
        assert_ne!(network(address("203.0.113.1")), network(address("203.0.113.2")));
    }
}
