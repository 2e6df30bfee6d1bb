//! The one task that looks for news of all streams of a process, and at their callers.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use diesel::dsl::count_star;
use diesel::prelude::*;

use super::frames::End;
use super::hub::{News, Watched};
use crate::app::App;
use crate::auth::{self, op};
use crate::error::ApiResult;
use crate::filings::body::EventRow;
use crate::kernel::ids::{FilingId, SessionId};
use crate::schema::{filing_events, filings};

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);
/// Every so many looks it also asks whether the callers are still let in: a log-out takes effect within five seconds.
const CALLERS_EVERY: u32 = 4;

/// What a look brought.
struct Seen {
    news: Vec<(FilingId, Arc<News>)>,
    refused: HashSet<u64>,
}

/// Starts the task unless it runs. It ends with the last stream.
pub fn ensure(app: &App) {
    if app.streams.needs_watching() {
        let app = app.clone();
        tokio::spawn(async move { watch(&app).await });
    }
}

async fn watch(app: &App) {
    // If this task dies with its thread, the next stream starts it again.
    let watching = app.streams.watching();
    let mut round: u32 = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(seats) = app.streams.watched() else { return watching.done() };
        let now = app.clock.now();
        let (expired, live): (Vec<Watched>, Vec<Watched>) =
            seats.into_iter().partition(|seat| seat.expires_at <= now);
        expired.iter().for_each(|seat| app.streams.end(seat.seat, End::TokenExpired));
        round = round.wrapping_add(1);
        let asks_callers = round.is_multiple_of(CALLERS_EVERY);
        let numbers: Vec<u64> = live.iter().map(|seat| seat.seat).collect();
        match app.db.run(move |conn| look(conn, &live, asks_callers)).await {
            Ok(seen) => {
                seen.refused.into_iter().for_each(|seat| app.streams.end(seat, End::NotAllowed));
                seen.news.iter().for_each(|(filing, news)| app.streams.tell(*filing, news));
            }
            Err(error) => {
                // Who may not be let in any more cannot be told: nobody is.
                tracing::error!(%error, "streams: cannot look for news; all of them end");
                numbers.into_iter().for_each(|seat| app.streams.end(seat, End::Unavailable));
            }
        }
    }
}

fn look(conn: &mut PgConnection, seats: &[Watched], asks_callers: bool) -> ApiResult<Seen> {
    let refused = if asks_callers { refused(conn, seats)? } else { HashSet::new() };
    let ids: HashSet<FilingId> = seats.iter().map(|seat| seat.filing).collect();
    let counts: HashMap<FilingId, i64> = filing_events::table
        .filter(filing_events::filing_id.eq_any(ids))
        .filter(filing_events::visibility.eq("applicant"))
        .group_by(filing_events::filing_id)
        .select((filing_events::filing_id, count_star()))
        .load::<(FilingId, i64)>(conn)?
        .into_iter()
        .collect();
    let changed: HashSet<FilingId> = seats
        .iter()
        .filter(|seat| !refused.contains(&seat.seat))
        .filter(|seat| counts.get(&seat.filing).is_some_and(|count| *count > seat.known))
        .map(|seat| seat.filing)
        .collect();
    let mut all = Vec::new();
    for filing in changed {
        all.push((filing, Arc::new(news(conn, filing)?)));
    }
    Ok(Seen { news: all, refused })
}

/// Session, address and scopes of a reader: what decides together whether they may go on.
type Asked<'a> = (SessionId, Option<IpAddr>, &'a Option<Vec<String>>);

/// Seats whose callers are not let in any more. Streams of one token and address are asked about once.
fn refused(conn: &mut PgConnection, seats: &[Watched]) -> ApiResult<HashSet<u64>> {
    let mut asked: HashMap<Asked<'_>, bool> = HashMap::new();
    let mut refused = HashSet::new();
    for seat in seats {
        let key = (seat.caller.session_id, seat.caller.address, &seat.caller.scopes);
        let is_allowed = match asked.get(&key) {
            Some(known) => *known,
            None => auth::is_still_allowed::<op::StreamFilingEvents>(conn, &seat.caller)?,
        };
        asked.insert(key, is_allowed);
        if !is_allowed {
            refused.insert(seat.seat);
        }
    }
    Ok(refused)
}

/// Everything that an owner sees of a filing's timeline.
///
/// # Errors
/// When the database fails.
pub fn news(conn: &mut PgConnection, filing: FilingId) -> ApiResult<News> {
    let (order_no, external_reference) = filings::table
        .find(filing)
        .select((filings::order_no, filings::external_reference))
        .first::<(String, Option<String>)>(conn)?;
    let events: Vec<EventRow> = filing_events::table
        .filter(filing_events::filing_id.eq(filing))
        .filter(filing_events::visibility.eq("applicant"))
        // The version rises from commit to commit; the time is taken before the filing is locked, so it need not.
        .order((filing_events::filing_version, filing_events::id))
        .select(EventRow::as_select())
        .load(conn)?;
    Ok(News { order_no, external_reference, events })
}
