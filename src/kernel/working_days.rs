//! Working days of mainland China: Monday to Friday, less official holidays, plus make-up work days (调休).
//! Pure: the calendar's rows and every time come from outside.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, TimeZone, Utc, Weekday};

/// Asia/Shanghai as seconds east of UTC. The zone has had no summer time since 1991, so a fixed offset is exact.
const SHANGHAI_OFFSET_SECONDS: i32 = 8 * 3600;

/// A moment until which something must be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// 24:00 Asia/Shanghai of the last working date, as UTC.
    pub at: DateTime<Utc>,
    /// True when a date of a year without loaded holidays was counted as a plain Monday-to-Friday date.
    pub is_provisional: bool,
}

/// A number of working days, and whether it may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkingDays {
    /// Working dates counted.
    pub count: u32,
    /// True when a date of a year without loaded holidays was looked at.
    pub is_provisional: bool,
}

/// The holidays of a year were asked for, and are not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the holidays of {year} are not loaded")]
pub struct YearNotLoaded {
    /// The year to load.
    pub year: i32,
}

/// The loaded official calendar.
#[derive(Debug, Clone, Default)]
pub struct Calendar {
    years: BTreeSet<i32>,
    days_off: BTreeSet<NaiveDate>,
    working_weekend_days: BTreeSet<NaiveDate>,
}

impl Calendar {
    /// Builds the calendar from one row per year: (year, days off, make-up work days). Days off that fall on a
    /// weekend may stand in the list; they change nothing. A year with empty lists counts as loaded.
    pub fn new(years: impl IntoIterator<Item = (i32, Vec<NaiveDate>, Vec<NaiveDate>)>) -> Self {
        let mut calendar = Self::default();
        for (year, days_off, working_weekend_days) in years {
            calendar.years.insert(year);
            calendar.days_off.extend(days_off);
            calendar.working_weekend_days.extend(working_weekend_days);
        }
        calendar
    }

    /// The years with loaded holidays, ascending.
    pub fn years(&self) -> impl Iterator<Item = i32> + '_ {
        self.years.iter().copied()
    }

    /// Whether the holidays of `year` are loaded.
    pub fn is_loaded(&self, year: i32) -> bool {
        self.years.contains(&year)
    }

    /// Whether `date` is a working day. Refuses a year that is not loaded: a direct question deserves no guess.
    pub fn is_working_day(&self, date: NaiveDate) -> Result<bool, YearNotLoaded> {
        if self.is_loaded(date.year()) {
            Ok(self.counts(date))
        } else {
            Err(YearNotLoaded { year: date.year() })
        }
    }

    /// 24:00 Asia/Shanghai of the `n`-th working date after the local date of `at`; with `n` = 0 the end of that
    /// local date itself. Never fails: beyond the loaded years Monday to Friday count, and the answer says so.
    /// Walks day by day, so `n` should stay small (rules use 1 to 20).
    pub fn add_working_days(&self, at: DateTime<Utc>, n: u32) -> Deadline {
        let mut date = local_date(at);
        let mut is_provisional = false;
        let mut left = n;
        while left > 0 {
            // The end of representable dates is the only stop besides the n-th day; both end the walk.
            let Some(next) = date.succ_opt() else { break };
            date = next;
            is_provisional |= !self.is_loaded(date.year());
            if self.counts(date) {
                left -= 1;
            }
        }
        Deadline { at: end_of_local_date(date), is_provisional }
    }

    /// Working dates after `from`, up to and including `to`; 0 when `to` is not after `from`. With the local dates
    /// of an event and of its deadline this is the `n` that led to the deadline.
    pub fn working_days_between(&self, from: NaiveDate, to: NaiveDate) -> WorkingDays {
        let mut found = WorkingDays { count: 0, is_provisional: false };
        for date in from.iter_days().skip(1).take_while(|date| *date <= to) {
            found.is_provisional |= !self.is_loaded(date.year());
            found.count += u32::from(self.counts(date));
        }
        found
    }

    /// Working days that are left at `now` until a deadline at 24:00 of a local date, today not counted.
    pub fn working_days_left(&self, now: DateTime<Utc>, deadline: DateTime<Utc>) -> WorkingDays {
        // 24:00 is the first moment of the next date; one second earlier names the date that is meant.
        let last = local_date(deadline - chrono::Duration::seconds(1));
        self.working_days_between(local_date(now), last)
    }

    fn counts(&self, date: NaiveDate) -> bool {
        let is_weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
        if is_weekend { self.working_weekend_days.contains(&date) } else { !self.days_off.contains(&date) }
    }
}

/// The date in Asia/Shanghai at a moment.
pub fn local_date(at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&shanghai()).date_naive()
}

/// 24:00 Asia/Shanghai of a date, as UTC (16:00 UTC of the same date).
pub fn end_of_local_date(date: NaiveDate) -> DateTime<Utc> {
    let next = date.succ_opt().unwrap_or(date);
    let midnight = next.and_time(chrono::NaiveTime::MIN);
    shanghai()
        .from_local_datetime(&midnight)
        .single()
        .map_or(DateTime::<Utc>::MAX_UTC, |at| at.with_timezone(&Utc))
}

/// The fixed offset of Asia/Shanghai.
pub fn shanghai() -> FixedOffset {
    FixedOffset::east_opt(SHANGHAI_OFFSET_SECONDS).expect("eight hours is a valid offset")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holidays of 2025 and 2026 as the State Council's notices give them; kept here so that the test does not lean
    /// on the file that it helps to trust.
    fn calendar() -> Calendar {
        let days = |texts: &str| texts.split_whitespace().map(date).collect::<Vec<_>>();
        let off_2025 = days(
            "2025-01-01 2025-01-28 2025-01-29 2025-01-30 2025-01-31 2025-02-03 2025-02-04 \
             2025-04-04 2025-05-01 2025-05-02 2025-05-05 2025-06-02 2025-10-01 2025-10-02 \
             2025-10-03 2025-10-06 2025-10-07 2025-10-08",
        );
        let on_2025 = days("2025-01-26 2025-02-08 2025-04-27 2025-09-28 2025-10-11");
        let off_2026 = days(
            "2026-01-01 2026-01-02 2026-02-16 2026-02-17 2026-02-18 2026-02-19 2026-02-20 \
             2026-02-23 2026-04-06 2026-05-01 2026-05-04 2026-05-05 2026-06-19 2026-09-25 \
             2026-10-01 2026-10-02 2026-10-05 2026-10-06 2026-10-07",
        );
        let on_2026 = days("2026-01-04 2026-02-14 2026-02-28 2026-05-09 2026-09-20 2026-10-10");
        Calendar::new([(2025, off_2025, on_2025), (2026, off_2026, on_2026)])
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).expect("a time").with_timezone(&Utc)
    }

    /// The deadline's last local date, which people read more easily than its UTC moment.
    fn due_on(event: &str, n: u32) -> (NaiveDate, bool) {
        let due = calendar().add_working_days(at(event), n);
        assert_eq!(due.at.format("%H:%M:%S").to_string(), "16:00:00");
        (due.at.date_naive(), due.is_provisional)
    }

    #[test]
    fn deadlines_skip_holidays_and_use_make_up_days() {
        let vectors = [
            // a plain week
            ("2026-03-02T09:00:00+08:00", 1, "2026-03-03"),
            ("2026-03-06T09:00:00+08:00", 1, "2026-03-09"),
            ("2026-03-07T09:00:00+08:00", 1, "2026-03-09"),
            // National Day: the last working day before it, and the make-up Saturday after it
            ("2026-09-30T23:59:59+08:00", 1, "2026-10-08"),
            ("2026-09-30T10:00:00+08:00", 3, "2026-10-10"),
            ("2026-09-30T10:00:00+08:00", 4, "2026-10-12"),
            ("2026-10-03T10:00:00+08:00", 1, "2026-10-08"),
            ("2025-09-27T10:00:00+08:00", 1, "2025-09-28"),
            ("2025-09-30T10:00:00+08:00", 1, "2025-10-09"),
            ("2025-09-30T10:00:00+08:00", 3, "2025-10-11"),
            // Spring Festival: make-up Saturdays on both sides
            ("2026-02-13T10:00:00+08:00", 1, "2026-02-14"),
            ("2026-02-14T10:00:00+08:00", 1, "2026-02-24"),
            ("2026-02-14T10:00:00+08:00", 5, "2026-02-28"),
            ("2025-01-24T10:00:00+08:00", 1, "2025-01-26"),
            ("2025-01-27T10:00:00+08:00", 4, "2025-02-08"),
            // New Year: the Sunday after it is worked in 2026
            ("2025-12-31T10:00:00+08:00", 1, "2026-01-04"),
            ("2025-12-31T10:00:00+08:00", 2, "2026-01-05"),
            // twenty working days across National Day, as the bureau counts
            ("2026-09-21T10:00:00+08:00", 20, "2026-10-26"),
        ];
        for (event, n, expected) in vectors {
            assert_eq!(due_on(event, n), (date(expected), false), "{n} working days after {event}");
        }
    }

    #[test]
    fn the_local_date_counts_and_not_the_utc_date() {
        // 16:30 UTC is already Friday 00:30 in Shanghai.
        assert_eq!(due_on("2026-03-05T16:30:00Z", 1).0, date("2026-03-09"));
        assert_eq!(due_on("2026-03-05T15:30:00Z", 1).0, date("2026-03-06"));
        assert_eq!(due_on("2026-03-05T15:30:00Z", 0).0, date("2026-03-05"));
    }

    #[test]
    fn beyond_the_loaded_years_a_deadline_is_provisional() {
        assert_eq!(due_on("2026-12-30T10:00:00+08:00", 1), (date("2026-12-31"), false));
        // 2027-01-01 is a Friday; nobody has told us yet that it is a holiday.
        assert_eq!(due_on("2026-12-31T10:00:00+08:00", 1), (date("2027-01-01"), true));
        // The year was reached while counting, although the count would end there anyway.
        assert_eq!(due_on("2026-12-03T10:00:00+08:00", 20), (date("2026-12-31"), false));
        assert_eq!(due_on("2026-12-04T10:00:00+08:00", 20), (date("2027-01-01"), true));
        assert_eq!(due_on("2024-12-30T10:00:00+08:00", 2), (date("2025-01-02"), true));
    }

    #[test]
    fn a_direct_question_beyond_the_calendar_is_refused() {
        let calendar = calendar();
        assert_eq!(calendar.is_working_day(date("2026-10-01")), Ok(false));
        assert_eq!(calendar.is_working_day(date("2026-10-10")), Ok(true));
        assert_eq!(calendar.is_working_day(date("2026-10-11")), Ok(false));
        assert_eq!(calendar.is_working_day(date("2027-10-01")), Err(YearNotLoaded { year: 2027 }));
        assert_eq!(calendar.years().collect::<Vec<_>>(), [2025, 2026]);
    }

    #[test]
    fn days_left_are_the_inverse_of_adding() {
        let calendar = calendar();
        for n in 0..40 {
            for event in
                ["2026-01-30T10:00:00+08:00", "2026-09-19T01:00:00+08:00", "2025-12-20T23:00:00+08:00"]
            {
                let due = calendar.add_working_days(at(event), n);
                let left = calendar.working_days_left(at(event), due.at);
                assert_eq!(left, WorkingDays { count: n, is_provisional: false }, "{n} after {event}");
            }
        }
        let none = calendar.working_days_between(date("2026-03-03"), date("2026-03-02"));
        assert_eq!(none, WorkingDays { count: 0, is_provisional: false });
        assert!(calendar.working_days_between(date("2026-12-31"), date("2027-01-04")).is_provisional);
    }
}
