//! A circuit breaker for each channel: after some failures in a row it is paused, then one message is tried, and when that
//! goes out all may go again. The state is one row that every worker reads, so that ten workers do not each have to find
//! out that a server is down. Messages wait meanwhile; their tries are not used up.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;

use super::Channel;
use crate::app::App;
use crate::config::MessageLimits;
use crate::external::DeliveryError;
use crate::kernel::jobs::Postponed;
use crate::schema::channel_breakers as table;

/// Longest pause.
const MAX_PAUSE_MINUTES: i64 = 30;
/// How long a worker may try one message; longer than any sending takes.
const PROBE_SECONDS: i64 = 60;

/// The state of a channel. Absent means: it has never failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = table)]
pub(super) struct Breaker {
    failures: i32,
    trips: i32,
    pub(super) paused_until: Option<DateTime<Utc>>,
    probe_until: Option<DateTime<Utc>>,
}

/// Whether a message may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// Closed: all go.
    Pass,
    /// Half open: this one may go, if no other worker was faster.
    Probe,
    /// Open: not before this time.
    Wait(DateTime<Utc>),
}

impl Breaker {
    fn gate(&self, now: DateTime<Utc>) -> Gate {
        match (self.paused_until, self.probe_until) {
            (None, _) => Gate::Pass,
            (Some(until), _) if now < until => Gate::Wait(until),
            (Some(_), Some(probe)) if now < probe => Gate::Wait(probe),
            (Some(_), _) => Gate::Probe,
        }
    }

    /// After a failure of the channel. One that began before the pause says nothing new.
    fn after_failure(self, is_probe: bool, now: DateTime<Utc>, limits: &MessageLimits) -> Self {
        if self.paused_until.is_some() && !is_probe {
            return self;
        }
        let failures = self.failures.saturating_add(1);
        if !is_probe && i64::from(failures) < i64::from(limits.breaker_failures) {
            return Self { failures, ..self };
        }
        let trips = self.trips.saturating_add(1);
        let first = i64::try_from(limits.breaker_pause.as_secs()).unwrap_or(60);
        let seconds = first.saturating_mul(1 << (trips - 1).clamp(0, 12)).min(MAX_PAUSE_MINUTES * 60);
        Self { failures, trips, paused_until: Some(now + Duration::seconds(seconds)), probe_until: None }
    }
}

/// That a message may go over a channel now. [`Permit::report`] takes the outcome.
#[must_use]
#[derive(Debug)]
pub(super) struct Permit {
    channel: Channel,
    is_probe: bool,
    had_failed: bool,
}

fn read(conn: &mut PgConnection, channel: Channel) -> QueryResult<Option<Breaker>> {
    table::table.find(channel).select(Breaker::as_select()).first(conn).optional()
}

/// Asks whether a message may go.
///
/// # Errors
/// [`Postponed`] while the channel is paused.
pub(super) async fn permit(app: &App, channel: Channel) -> anyhow::Result<Permit> {
    let now = app.clock.now();
    let gate = app.db.run(move |conn| {
        let Some(state) = read(conn, channel)? else { return Ok((Gate::Pass, false)) };
        let gate = state.gate(now);
        if gate != Gate::Probe {
            return Ok((gate, state != Breaker::default()));
        }
        let until = now + Duration::seconds(PROBE_SECONDS);
        let free = table::table
            .find(channel)
            .filter(table::paused_until.le(now))
            .filter(table::probe_until.is_null().or(table::probe_until.le(now)));
        let is_ours = diesel::update(free).set(table::probe_until.eq(until)).execute(conn)? == 1;
        Ok((if is_ours { gate } else { Gate::Wait(until) }, true))
    });
    match gate.await? {
        (Gate::Wait(until), _) => {
            deferred(channel, "paused");
            Err(Postponed { until, reason: format!("{channel} is paused") }.into())
        }
        (gate, had_failed) => Ok(Permit { channel, is_probe: gate == Gate::Probe, had_failed }),
    }
}

/// Counts a message that has to wait.
pub(super) fn deferred(channel: Channel, reason: &'static str) {
    metrics::counter!("beian_notifications_deferred_total", "channel" => channel.as_str(), "reason" => reason)
        .increment(1);
}

impl Permit {
    /// Records how it went; no error: it went out. A refusal of one message shows that the channel works. Returns when to try again if the channel
    /// does not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report(
        self,
        app: &App,
        error: Option<&DeliveryError>,
    ) -> anyhow::Result<Option<DateTime<Utc>>> {
        match error {
            Some(DeliveryError::NoProvider | DeliveryError::NoTemplate) => {
                self.give_back(app).await.map(|()| None)
            }
            Some(DeliveryError::Channel(words)) => self.failed(app, words.clone()).await.map(Some),
            _ => self.worked(app).await.map(|()| None),
        }
    }

    /// The message did not go after all; somebody else may try.
    pub async fn give_back(self, app: &App) -> anyhow::Result<()> {
        if self.is_probe {
            let row = table::table.find(self.channel);
            let none = table::probe_until.eq(None::<DateTime<Utc>>);
            app.db.run(move |conn| Ok(diesel::update(row).set(none).execute(conn)?)).await?;
        }
        Ok(())
    }

    async fn worked(self, app: &App) -> anyhow::Result<()> {
        if !self.had_failed {
            return Ok(());
        }
        let (channel, now) = (self.channel, app.clock.now());
        let closed = app.db.transaction(move |conn| {
            let before = table::table.find(channel).select(Breaker::as_select()).for_update().first(conn);
            let before: Option<Breaker> = before.optional()?;
            write(conn, channel, now, &Breaker::default(), None)?;
            Ok(before.is_some_and(|state| state.paused_until.is_some()))
        });
        if closed.await? {
            tracing::info!(%channel, "the channel works again");
        }
        Ok(())
    }

    async fn failed(self, app: &App, words: String) -> anyhow::Result<DateTime<Utc>> {
        let (channel, is_probe, now) = (self.channel, self.is_probe, app.clock.now());
        let limits = app.config.messages;
        let counted = app.db.transaction(move |conn| {
            // The first failure ever makes the row; then it is locked, so that no failure is lost.
            diesel::insert_into(table::table)
                .values((table::channel.eq(channel), table::changed_at.eq(now)))
                .on_conflict_do_nothing()
                .execute(conn)?;
            let before: Breaker =
                table::table.find(channel).select(Breaker::as_select()).for_update().first(conn)?;
            let after = before.clone().after_failure(is_probe, now, &limits);
            write(conn, channel, now, &after, Some(&words))?;
            Ok((before, after))
        });
        let (before, after) = counted.await?;
        if after.trips > before.trips {
            metrics::counter!("beian_channel_pauses_total", "channel" => channel.as_str()).increment(1);
            tracing::error!(%channel, failures = after.failures, "the channel is paused: it fails again and again");
        }
        Ok(after.paused_until.unwrap_or(now + Duration::seconds(5 * i64::from(after.failures))))
    }
}

fn write(
    conn: &mut PgConnection,
    channel: Channel,
    now: DateTime<Utc>,
    state: &Breaker,
    last_error: Option<&str>,
) -> QueryResult<()> {
    diesel::update(table::table.find(channel))
        .set((
            table::failures.eq(state.failures),
            table::trips.eq(state.trips),
            table::paused_until.eq(state.paused_until),
            table::probe_until.eq(state.probe_until),
            table::last_error.eq(last_error),
            table::changed_at.eq(now),
        ))
        .execute(conn)
        .map(drop)
}

/// Sends something that has no notification of its own, such as a code: under the same breaker.
///
/// # Errors
/// [`Postponed`] while the channel is paused or fails, else the message's own fault.
pub(super) async fn guarded<T>(
    app: &App,
    channel: Channel,
    sending: impl Future<Output = Result<T, DeliveryError>>,
) -> anyhow::Result<Result<T, DeliveryError>> {
    let permit = permit(app, channel).await?;
    let outcome = sending.await;
    match (permit.report(app, outcome.as_ref().err()).await?, outcome) {
        (Some(until), Err(error)) => Err(Postponed { until, reason: error.to_string() }.into()),
        (_, outcome) => Ok(outcome),
    }
}

/// A channel that is paused.
#[derive(Debug, Queryable)]
pub(super) struct Paused {
    pub channel: Channel,
    pub until: DateTime<Utc>,
    pub last_error: Option<String>,
    /// When it failed last.
    pub changed_at: DateTime<Utc>,
}

/// Channels that are paused now.
pub(super) fn paused(conn: &mut PgConnection) -> QueryResult<Vec<Paused>> {
    table::table
        .filter(table::paused_until.is_not_null())
        .order(table::channel)
        .select((table::channel, table::paused_until.assume_not_null(), table::last_error, table::changed_at))
        .load(conn)
}

#[cfg(test)]
mod tests {
    use std::time::Duration as StdDuration;

    use super::*;

    const LIMITS: MessageLimits = MessageLimits {
        sms_per_hour: 1,
        emails_per_hour: 1,
        breaker_failures: 3,
        breaker_pause: StdDuration::from_secs(60),
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_416_800 + seconds, 0).expect("a time")
    }

    #[test]
    fn failures_in_a_row_pause_and_each_pause_is_longer() {
        let mut state = Breaker::default();
        for second in 0..2 {
            state = state.after_failure(false, at(second), &LIMITS);
            assert_eq!(state.gate(at(second)), Gate::Pass);
        }
        state = state.after_failure(false, at(2), &LIMITS);
        assert_eq!(state.gate(at(2)), Gate::Wait(at(62)));
        assert_eq!(
            state.clone().after_failure(false, at(3), &LIMITS),
            state,
            "one that was under way says nothing new"
        );
        assert_eq!(state.gate(at(62)), Gate::Probe);
        let probing = Breaker { probe_until: Some(at(122)), ..state.clone() };
        assert_eq!(probing.gate(at(63)), Gate::Wait(at(122)), "one tries, the others wait");
        assert_eq!(
            probing.gate(at(122)),
            Gate::Probe,
            "a worker that died does not keep the others for ever"
        );
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let now = state.paused_until.expect("paused");
            state = state.after_failure(true, now, &LIMITS);
            pauses.push((state.paused_until.expect("paused") - now).num_seconds());
        }
        assert_eq!(pauses, [120, 240, 480, 960, 1800, 1800, 1800, 1800]);
    }
}
