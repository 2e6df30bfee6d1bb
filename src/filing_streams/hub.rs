//! Where the streams of a process sit: how many, whose, of which filing, and how each is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use super::frames::End;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::filings::body::EventRow;
use crate::kernel::ids::{FilingId, UserId};

/// Streams of one caller in a process.
const PER_CALLER: usize = 20;
/// Streams of a process.
const PER_PROCESS: usize = 500;
/// News that wait for a client that reads slowly; what does not fit is read again later.
const WAITING: usize = 4;
/// Seconds after which a refused client may try again.
const TRY_AGAIN: u64 = 30;

/// What is told of a filing: its timeline, with two things of the filing.
#[derive(Debug)]
pub struct News {
    /// 备案订单号.
    pub order_no: String,
    /// The owner's own key.
    pub external_reference: Option<String>,
    /// The events that owners see, in their order.
    pub events: Vec<EventRow>,
}

/// The streams of a process.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<Hub>>);

#[derive(Default)]
struct Hub {
    next: u64,
    seats: HashMap<u64, Seat>,
    /// Streams that are open, told to end or not: what the limits count.
    open: HashMap<UserId, usize>,
    is_watched: bool,
    is_closed: bool,
}

struct Seat {
    caller: Caller,
    expires_at: DateTime<Utc>,
    filing: FilingId,
    /// Events that the stream knows of.
    known: i64,
    news: mpsc::Sender<Arc<News>>,
    end: Arc<OnceLock<End>>,
}

/// A stream's own end of its seat. Dropping it gives the seat back.
pub struct Place {
    streams: Streams,
    number: u64,
    user: UserId,
    /// The news; closed when the stream ends.
    pub news: mpsc::Receiver<Arc<News>>,
    end: Arc<OnceLock<End>>,
}

impl Place {
    /// Why the news have ended.
    pub fn end(&self) -> End {
        self.end.get().copied().unwrap_or(End::Shutdown)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut hub = self.streams.hub();
        hub.seats.remove(&self.number);
        if let Some(count) = hub.open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                hub.open.remove(&self.user);
            }
        }
        metrics::gauge!("beian_streams_open").set(hub.open.values().sum::<usize>() as f64);
    }
}

/// That the watching task lives.
pub struct Watching(Option<Streams>);

impl Watching {
    /// The task ends because there is nothing to look at; [`Streams::watched`] has noted it.
    pub fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(streams) = &self.0 {
            streams.hub().is_watched = false;
        }
    }
}

/// What the watching task looks at.
#[derive(Debug)]
pub struct Watched {
    /// Number of the seat.
    pub seat: u64,
    /// Whose it is.
    pub caller: Caller,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
    /// The filing.
    pub filing: FilingId,
    /// Events that the stream knows of.
    pub known: i64,
}

impl Streams {
    fn hub(&self) -> MutexGuard<'_, Hub> {
        // Nothing panics while it is held, and counters would still be right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat. `known` is how many events the stream has; 0 makes it look at once.
    ///
    /// # Errors
    /// 429 when the caller has too many streams, 503 when the process has, or when it stops.
    pub fn take(
        &self,
        caller: &Caller,
        expires_at: DateTime<Utc>,
        filing: FilingId,
        known: i64,
    ) -> ApiResult<Place> {
        self.take_within(caller, expires_at, (filing, known), (PER_CALLER, PER_PROCESS))
    }

    fn take_within(
        &self,
        caller: &Caller,
        expires_at: DateTime<Utc>,
        (filing, known): (FilingId, i64),
        (per_caller, per_process): (usize, usize),
    ) -> ApiResult<Place> {
        let mut hub = self.hub();
        if hub.is_closed || hub.open.values().sum::<usize>() >= per_process {
            return Err(ApiError::new(&codes::UNAVAILABLE).retry_after(TRY_AGAIN));
        }
        if hub.open.get(&caller.user_id).is_some_and(|count| *count >= per_caller) {
            return Err(ApiError::new(&codes::TOO_MANY_REQUESTS)
                .detail(
                    format!("同时最多可打开 {per_caller} 个事件流。"),
                    format!("At most {per_caller} streams may be open at a time."),
                )
                .retry_after(TRY_AGAIN));
        }
        *hub.open.entry(caller.user_id).or_default() += 1;
        let number = hub.next;
        hub.next += 1;
        let (send, news) = mpsc::channel(WAITING);
        let end = Arc::new(OnceLock::new());
        let seat = Seat { caller: caller.clone(), expires_at, filing, known, news: send, end: end.clone() };
        hub.seats.insert(number, seat);
        metrics::gauge!("beian_streams_open").set(hub.open.values().sum::<usize>() as f64);
        Ok(Place { streams: self.clone(), number, user: caller.user_id, news, end })
    }

    /// True once: for the stream that has to start the watching task.
    pub fn needs_watching(&self) -> bool {
        !std::mem::replace(&mut self.hub().is_watched, true)
    }

    /// Held by the watching task while it lives.
    pub fn watching(&self) -> Watching {
        Watching(Some(self.clone()))
    }

    /// Every seat; none when there is none, and then the watching task has to end.
    pub fn watched(&self) -> Option<Vec<Watched>> {
        let mut hub = self.hub();
        if hub.seats.is_empty() {
            hub.is_watched = false;
            return None;
        }
        let watched = |(number, seat): (&u64, &Seat)| Watched {
            seat: *number,
            caller: seat.caller.clone(),
            expires_at: seat.expires_at,
            filing: seat.filing,
            known: seat.known,
        };
        Some(hub.seats.iter().map(watched).collect())
    }

    /// Tells the streams of a filing that have not got all of its events.
    pub fn tell(&self, filing: FilingId, news: &Arc<News>) {
        let count = news.events.len() as i64;
        for seat in self.hub().seats.values_mut().filter(|seat| seat.filing == filing && seat.known < count) {
            // A client that reads slowly has not taken the last news yet: it gets these with the next look.
            if seat.news.try_send(news.clone()).is_ok() {
                seat.known = count;
            }
        }
    }

    /// Ends a stream.
    pub fn end(&self, seat: u64, end: End) {
        if let Some(seat) = self.hub().seats.remove(&seat) {
            let _ = seat.end.set(end);
        }
    }

    /// Ends all streams, and lets nobody in any more: the server stops.
    pub fn close(&self) {
        let mut hub = self.hub();
        hub.is_closed = true;
        for (_, seat) in hub.seats.drain() {
            let _ = seat.end.set(End::Shutdown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;
    use crate::kernel::i18n::Locale;
    use crate::kernel::ids::SessionId;

    fn caller() -> Caller {
        Caller {
            user_id: UserId::new(),
            session_id: SessionId::new(),
            account_id: None,
            partner_id: None,
            scopes: None,
            roles: vec![Role::Partner],
            locale: Locale::ZhCn,
            address: None,
            request_id: "r".to_owned(),
        }
    }

    #[test]
    fn a_caller_and_a_process_have_so_many_streams_and_no_more() {
        let streams = Streams::default();
        let (now, filing) = (DateTime::<Utc>::MAX_UTC, FilingId::new());
        let take = |caller: &Caller| streams.take_within(caller, now, (filing, 0), (2, 3));
        let status = |caller: &Caller| take(caller).err().map(|error| error.code().status);
        let (one, other) = (caller(), caller());
        let first = take(&one).ok();
        let second = take(&one).ok();
        assert_eq!(status(&one), Some(429));
        let third = take(&other).ok();
        assert_eq!(status(&other), Some(503));
        // One that was told to end counts until it is gone.
        streams.end(0, End::TokenExpired);
        assert_eq!(status(&other), Some(503));
        assert_eq!(first.as_ref().map(Place::end), Some(End::TokenExpired));
        drop(first);
        assert_eq!(status(&one), None);
        streams.close();
        assert_eq!(status(&one), Some(503));
        assert_eq!(second.as_ref().map(Place::end), Some(End::Shutdown));
        drop((second, third));
        assert!(streams.hub().open.is_empty());
    }

    #[test]
    fn news_that_do_not_fit_are_told_later() {
        let streams = Streams::default();
        let filing = FilingId::new();
        let place = streams.take(&caller(), DateTime::<Utc>::MAX_UTC, filing, -1).ok();
        let news = Arc::new(News { order_no: String::new(), external_reference: None, events: Vec::new() });
        let known = || streams.watched().map(|seats| seats[0].known);
        streams.tell(FilingId::new(), &news);
        assert_eq!(known(), Some(-1), "news of another filing");
        for _ in 0..WAITING {
            if let Some(seat) = streams.hub().seats.get_mut(&0) {
                seat.known = -1;
            }
            streams.tell(filing, &news);
            assert_eq!(known(), Some(0));
        }
        if let Some(seat) = streams.hub().seats.get_mut(&0) {
            seat.known = -1;
        }
        streams.tell(filing, &news);
        assert_eq!(known(), Some(-1), "there was no room");
        assert!(streams.needs_watching() && !streams.needs_watching());
        drop(place);
        assert!(streams.watched().is_none() && streams.needs_watching());
    }
}
