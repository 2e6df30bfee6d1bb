//! When to try again, when to give an endpoint up. Pure.

use chrono::{DateTime, Duration, Utc};

/// Waits after each failed try, in seconds: nine tries over a bit more than a day (25 h 35 min), as the specification
/// suggests. Each is up to a fifth longer, so that failures do not come back in step.
const WAITS: [i64; 8] = [5, 60, 300, 1_800, 7_200, 18_000, 28_800, 36_000];
/// Nothing delivered for this long, and a delivery has used up its tries: the endpoint is disabled.
const GIVE_UP_AFTER_DAYS: i64 = 3;
/// How long a receiver that did not answer at all is left in peace: doubled each time, at most about ten minutes.
const PEACE_SECONDS: i64 = 10;

/// How many tries a round has.
pub const TRIES: i32 = WAITS.len() as i32 + 1;

/// When to try again after `tries` tries; none after the last. `jitter` is from 0 to 1.
pub fn next_try(now: DateTime<Utc>, tries: i32, jitter: f64) -> Option<DateTime<Utc>> {
    let wait = WAITS.get(usize::try_from(tries).ok()?.checked_sub(1)?)?;
    let extra = (*wait as f64 * 200.0 * jitter.clamp(0.0, 1.0)) as i64;
    Some(now + Duration::seconds(*wait) + Duration::milliseconds(extra))
}

/// Until when an endpoint that has not answered `unanswered` times running is not called.
pub fn not_before(now: DateTime<Utc>, unanswered: i32) -> DateTime<Utc> {
    now + Duration::seconds(PEACE_SECONDS << (unanswered - 1).clamp(0, 6))
}

/// Whether an endpoint whose delivery has used up its tries is disabled.
pub fn is_given_up(now: DateTime<Utc>, failing_since: Option<DateTime<Utc>>) -> bool {
    failing_since.is_some_and(|since| now - since >= Duration::days(GIVE_UP_AFTER_DAYS))
}

/// Whether an endpoint with this filter wants an event; an empty filter wants all.
pub fn wants(filter: &[String], event_type: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted == event_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_spread_over_a_day_and_end() {
        let start = DateTime::UNIX_EPOCH;
        let (mut at, mut tries) = (start, 1);
        while let Some(next) = next_try(at, tries, 0.0) {
            assert!(next > at);
            (at, tries) = (next, tries + 1);
        }
        assert_eq!(tries, TRIES);
        assert_eq!((at - start).num_hours(), 25);
        assert_eq!(next_try(start, 1, 1.0), Some(start + Duration::seconds(6)));
        assert_eq!((next_try(start, 0, 0.0), next_try(start, TRIES, 0.0)), (None, None));
    }

    #[test]
    fn an_endpoint_is_given_up_after_days_only() {
        let now = DateTime::UNIX_EPOCH + Duration::days(10);
        assert!(!is_given_up(now, None));
        assert!(!is_given_up(now, Some(now - Duration::hours(71))));
        assert!(is_given_up(now, Some(now - Duration::days(3))));
    }

    #[test]
    fn silence_is_met_with_patience_that_has_an_end() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(not_before(now, 1), now + Duration::seconds(10));
        assert_eq!(not_before(now, 3), now + Duration::seconds(40));
        assert_eq!(not_before(now, 99), now + Duration::seconds(640));
    }

    #[test]
    fn an_empty_filter_wants_everything() {
        assert!(wants(&[], "bureau.approved"));
        assert!(wants(&["bureau.approved".to_owned()], "bureau.approved"));
        assert!(!wants(&["bureau.approved".to_owned()], "filing.created"));
    }
}
