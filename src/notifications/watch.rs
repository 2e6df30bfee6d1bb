//! What operators see of the channels: metrics each minute, and the alarms of the staff.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;

use super::{Channel, NotificationState, breaker};
use crate::app::App;
use crate::kernel::jobs::Registry;
use crate::schema::notifications;

/// Periodic job: sets the gauges of the channels.
pub const WATCH: &str = "notifications.watch";

/// A channel that is paused.
pub struct PausedChannel {
    pub channel: Channel,
    /// One message is tried then.
    pub until: DateTime<Utc>,
    /// What failed last; no personal data.
    pub last_error: Option<String>,
    /// When it failed last.
    pub since: DateTime<Utc>,
    /// Messages that wait for it.
    pub waiting: i64,
}

/// Messages over a channel that are not sent yet.
fn waiting(conn: &mut PgConnection, channel: Channel) -> QueryResult<i64> {
    notifications::table
        .filter(notifications::channel.eq(channel))
        .filter(notifications::state.eq_any([NotificationState::Queued, NotificationState::Failed]))
        .count()
        .get_result(conn)
}

/// The channels that are paused now.
///
/// # Errors
/// When the database fails.
pub fn paused_channels(conn: &mut PgConnection) -> QueryResult<Vec<PausedChannel>> {
    let paused = breaker::paused(conn)?;
    let with_waiting = paused.into_iter().map(|row| {
        let waiting = waiting(conn, row.channel)?;
        let (channel, until) = (row.channel, row.until);
        Ok(PausedChannel { channel, until, last_error: row.last_error, since: row.changed_at, waiting })
    });
    with_waiting.collect()
}

/// Registers the periodic job.
pub(super) fn register(registry: &mut Registry, app: &App) {
    let own = app.clone();
    registry.every(WATCH, Duration::minutes(1), move |_| {
        let app = own.clone();
        async move {
            let (counts, paused) = app
                .db
                .run(|conn| {
                    let channels = [Channel::Email, Channel::Sms];
                    let counts = channels.map(|channel| Ok((channel, waiting(conn, channel)?)));
                    let counts: QueryResult<Vec<(Channel, i64)>> = counts.into_iter().collect();
                    Ok((counts?, breaker::paused(conn)?))
                })
                .await?;
            for (channel, count) in counts {
                let is_paused = paused.iter().any(|row| row.channel == channel);
                metrics::gauge!("beian_channel_paused", "channel" => channel.as_str())
                    .set(f64::from(u8::from(is_paused)));
                metrics::gauge!("beian_messages_waiting", "channel" => channel.as_str()).set(count as f64);
            }
            Ok(())
        }
    });
}
