//! Background work of the catalogue: deadlines after a year was loaded, and the alarm before the calendar ends.

use chrono::{Datelike, Duration, NaiveDate};
use serde_json::json;

use super::{model, recompute};
use crate::app::App;
use crate::kernel::clock::shanghai_date;
use crate::kernel::jobs::{NewJob, Registry};
use crate::kernel::working_days::Calendar;

/// Recomputes provisional deadlines.
pub const RECOMPUTE_DEADLINES: &str = "catalogue.recompute_deadlines";
/// Says in time which calendar year has to be loaded.
pub const CALENDAR_ALARM: &str = "catalogue.calendar_alarm";

/// Days before the end of the loaded calendar from which the alarm rings. The State Council publishes a year's holidays
/// in November of the year before.
const ALARM_DAYS: i64 = 60;

/// Registers the jobs of this feature.
pub fn register(registry: &mut Registry, app: &App) {
    let at = app.clone();
    registry.on(RECOMPUTE_DEADLINES, move |_| {
        let app = at.clone();
        async move {
            let now = app.clock.now();
            let changed = app
                .db
                .transaction(move |conn| {
                    let calendar = model::calendar(conn)?;
                    Ok(recompute::recompute(conn, now, &calendar)?)
                })
                .await?;
            tracing::info!(changed, "recomputed provisional deadlines");
            Ok(())
        }
    });
    let at = app.clone();
    registry.every(CALENDAR_ALARM, Duration::days(1), move |_| {
        let app = at.clone();
        async move {
            let calendar = app.db.run(|conn| Ok(model::calendar(conn)?)).await?;
            let left = CalendarLeft::of(&calendar, shanghai_date(app.clock.now()));
            metrics::gauge!("beian_calendar_days_left").set(left.days as f64);
            if left.is_alarming() {
                tracing::error!(
                    days_left = left.days,
                    year = left.year_to_load,
                    "the working-day calendar ends soon: load the year with PUT /v1/calendars/{}",
                    left.year_to_load
                );
            }
            Ok(())
        }
    });
}

/// The job that [`register`] runs after a calendar year was loaded; one waits at a time.
pub(super) fn recompute_deadlines(year: i32) -> NewJob {
    NewJob::new(RECOMPUTE_DEADLINES, json!({ "year": year })).once(RECOMPUTE_DEADLINES)
}

/// How far the loaded calendar reaches without a gap.
#[derive(Debug, PartialEq, Eq)]
pub struct CalendarLeft {
    /// Days from today to the end of the last loaded year; 0 when the current year is not loaded.
    pub days: i64,
    /// The first year that is not loaded.
    pub year_to_load: i32,
}

impl CalendarLeft {
    /// Whether operators have to load the next year now.
    pub fn is_alarming(&self) -> bool {
        self.days <= ALARM_DAYS
    }

    /// At a date of Asia/Shanghai.
    pub fn of(calendar: &Calendar, today: NaiveDate) -> Self {
        let mut year = today.year();
        while calendar.is_loaded(year) {
            year += 1;
        }
        let end = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or(today);
        Self { days: (end - today).num_days().max(0), year_to_load: year }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_names_the_first_year_without_holidays() {
        let calendar = Calendar::new([2025, 2026, 2028].map(|year| (year, Vec::new(), Vec::new())));
        let left = |text: &str| CalendarLeft::of(&calendar, text.parse().expect("a date"));
        assert_eq!(left("2026-11-02"), CalendarLeft { days: 60, year_to_load: 2027 });
        assert_eq!(left("2025-12-31"), CalendarLeft { days: 366, year_to_load: 2027 });
        assert_eq!(left("2027-03-01"), CalendarLeft { days: 0, year_to_load: 2027 });
    }
}
