//! Official working-day calendars, year by year.

use actix_web::{get, put, web};
use chrono::{Datelike, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{new_row, store_row};
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::data::{CalendarDay as Day, CalendarYear as Year};
use crate::catalogue::jobs::recompute_deadlines;
use crate::catalogue::model::{self, Catalogue, Row};
use crate::error::{ApiError, ApiResult, FieldError, Place};
use crate::error_codes as codes;
use crate::kernel::etag::{content_version, etag};
use crate::kernel::i18n::{Bilingual, Locale};
use crate::kernel::jobs;
use crate::kernel::json::{Json, Path};
use crate::kernel::reply::Reply;

/// The official calendar of a year.
#[derive(Debug, Serialize, ToSchema)]
pub struct CalendarYear {
    /// The year.
    #[schema(example = 2026)]
    pub year: i32,
    /// Days off, those on weekends included.
    pub days_off: Vec<CalendarDay>,
    /// Weekend days that are worked (调休).
    pub working_weekend_days: Vec<CalendarDay>,
    /// Date of the notice.
    pub effective_from: NaiveDate,
    /// The notice that published it.
    pub source: String,
    /// Its address.
    pub source_url: String,
}

/// A named day.
#[derive(Debug, Serialize, ToSchema)]
pub struct CalendarDay {
    /// The date.
    pub on: NaiveDate,
    /// The holiday's name in the language of the request.
    pub name: String,
    /// The holiday's name in Chinese.
    pub name_zh: String,
    /// The holiday's name in English.
    pub name_en: String,
}

/// The calendar of a year as published.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "days_off": [{ "on": "2027-01-01", "name_zh": "元旦", "name_en": "New Year's Day" }],
    "working_weekend_days": [], "effective_from": "2026-11-15", "source": "国务院办公厅关于2027年部分节假日安排的通知",
    "source_url": "https://www.gov.cn/zhengce/"
}))]
pub struct CalendarYearInput {
    /// Days off, those on weekends included.
    #[schema(min_items = 1, max_items = 60)]
    pub days_off: Vec<CalendarDayInput>,
    /// Weekend days that are worked (调休).
    #[schema(max_items = 30)]
    pub working_weekend_days: Vec<CalendarDayInput>,
    /// Date of the notice; a correction has a later one. The calendar counts at once.
    pub effective_from: NaiveDate,
    /// The notice that published it.
    #[schema(min_length = 1, max_length = 500)]
    pub source: String,
    /// Its address.
    #[schema(max_length = 500, pattern = "^https?://")]
    pub source_url: String,
}

/// A named day.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarDayInput {
    /// The date, in the calendar's year.
    pub on: NaiveDate,
    /// The holiday's name in Chinese.
    #[schema(min_length = 1, max_length = 50)]
    pub name_zh: String,
    /// The holiday's name in English.
    #[schema(min_length = 1, max_length = 100)]
    pub name_en: String,
}

/// A year in a path: 2000 to 2100.
#[derive(Debug, Clone, Copy)]
pub struct CalendarYearNo(i32);

impl std::str::FromStr for CalendarYearNo {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().ok().filter(|year| (2000..=2100).contains(year)).map(Self).ok_or("not a year")
    }
}

fn view(row: Row<Year>, locale: Locale) -> CalendarYear {
    let days = |list: Vec<Day>| {
        let day = |day: Day| CalendarDay {
            on: day.on,
            name: locale.pick(&day.zh, &day.en).to_owned(),
            name_zh: day.zh,
            name_en: day.en,
        };
        list.into_iter().map(day).collect()
    };
    CalendarYear {
        year: row.data.year,
        days_off: days(row.data.days_off),
        working_weekend_days: days(row.data.working_weekend_days),
        effective_from: row.effective_from,
        source: row.source,
        source_url: row.data.source_url,
    }
}

/// Read the calendar of a year
///
/// Everybody who is signed in. A year that is not loaded is an error and never a guess; deadlines that reach it are
/// provisional.
#[utoipa::path(operation_id = "getCalendarYear", tag = "catalogue",
    params(("year" = i32, Path, description = "The year, 2000 to 2100.", minimum = 2000, maximum = 2100, example = 2026)),
    responses(
        (status = 200, description = "The calendar.", body = CalendarYear),
        (status = 404, description = "`calendar_not_loaded`: nobody has loaded this year yet."),
    ))]
#[get("/v1/calendars/{year}")]
pub async fn get_calendar_year(
    app: web::Data<App>,
    caller: Allowed<op::GetCalendarYear>,
    year: Path<CalendarYearNo>,
) -> ApiResult<Reply> {
    let year = year.0.0;
    let row = app.db.run(move |conn| Ok(model::calendar_year(conn, year)?)).await?.ok_or_else(|| {
        ApiError::new(&codes::CALENDAR_NOT_LOADED).detail(
            format!("{year} 年的工作日历尚未加载，请由管理员通过 PUT /v1/calendars/{year} 加载。"),
            format!(
                "The calendar of {year} is not loaded; the admin loads it with PUT /v1/calendars/{year}."
            ),
        )
    })?;
    let body = view(row, caller.locale);
    Ok(Reply::ok(&body)?.etag(etag(content_version(&body)?, caller.view(), caller.locale)))
}

/// Load the calendar of a year
///
/// The admin, as soon as the State Council has published it. A job then recomputes every provisional deadline.
#[utoipa::path(operation_id = "putCalendarYear", tag = "catalogue",
    params(("year" = i32, Path, description = "The year, 2000 to 2100.", minimum = 2000, maximum = 2100, example = 2027)),
    request_body = CalendarYearInput,
    responses((status = 200, description = "The calendar as stored.", body = CalendarYear)))]
#[put("/v1/calendars/{year}")]
pub async fn put_calendar_year(
    app: web::Data<App>,
    caller: Allowed<op::PutCalendarYear>,
    year: Path<CalendarYearNo>,
    body: Json<CalendarYearInput>,
) -> ApiResult<Reply> {
    let (now, caller, body, year) = (app.clock.now(), caller.caller.clone(), body.0, year.0.0);
    let faults = faults(year, &body);
    if !faults.is_empty() {
        return Err(ApiError::invalid(faults));
    }
    let days = |list: Vec<CalendarDayInput>| {
        list.into_iter().map(|day| Day { on: day.on, zh: day.name_zh, en: day.name_en }).collect()
    };
    let data = Year {
        year,
        source: body.source.clone(),
        source_url: body.source_url,
        days_off: days(body.days_off),
        working_weekend_days: days(body.working_weekend_days),
    };
    let row = new_row(year.to_string(), body.effective_from, body.source, data);
    let reply = app
        .db
        .transaction(move |conn| {
            let loaded = model::calendar_year(conn, year)?.map(|row| row.effective_from);
            if let Some(loaded) = loaded.filter(|loaded| *loaded > row.effective_from) {
                return Err(ApiError::invalid_field(
                    "/effective_from",
                    "out_of_range",
                    format!("已加载 {loaded} 的日历，更正须使用不早于它的日期"),
                    format!("the calendar of {loaded} is loaded: a correction must not be dated before it"),
                ));
            }
            store_row(conn, now, &caller, Catalogue::Calendar, row.clone())?;
            jobs::enqueue(conn, now, recompute_deadlines(year))?;
            Reply::ok(&view(row, caller.locale))
        })
        .await;
    app.catalogue.forget();
    reply
}

/// Every day that cannot be in the calendar of the year.
fn faults(year: i32, body: &CalendarYearInput) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let mut fault = |list: &str, i: usize, code: &str, zh: &str, en: &str| {
        faults.push(FieldError::new(Place::Pointer(format!("/{list}/{i}/on")), code, Bilingual::new(zh, en)));
    };
    let is_weekend = |on: NaiveDate| matches!(on.weekday(), Weekday::Sat | Weekday::Sun);
    for (name, list) in [("days_off", &body.days_off), ("working_weekend_days", &body.working_weekend_days)] {
        for (i, day) in list.iter().enumerate() {
            if day.on.year() != year {
                fault(name, i, "out_of_range", "不在该年份内", "is not in this year");
            }
            if list[..i].iter().any(|other| other.on == day.on) {
                fault(name, i, "duplicate_items", "日期重复", "stands twice");
            }
        }
    }
    for (i, day) in body.working_weekend_days.iter().enumerate() {
        if !is_weekend(day.on) {
            fault(
                "working_weekend_days",
                i,
                "not_a_weekend",
                "须为周六或周日",
                "must be a Saturday or Sunday",
            );
        }
        if body.days_off.iter().any(|off| off.on == day.on) {
            fault(
                "working_weekend_days",
                i,
                "also_a_day_off",
                "同时列为休息日",
                "is listed as a day off too",
            );
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_names_each_day_once_and_works_on_weekends_only() {
        let days = |list: &[&str]| {
            let day = |text: &&str| CalendarDayInput {
                on: text.parse().expect("a date"),
                name_zh: "元旦".into(),
                name_en: "New Year's Day".into(),
            };
            list.iter().map(day).collect::<Vec<_>>()
        };
        let body = |off: &[&str], on: &[&str]| CalendarYearInput {
            days_off: days(off),
            working_weekend_days: days(on),
            effective_from: "2026-11-01".parse().expect("a date"),
            source: "notice".into(),
            source_url: "https://example.com".into(),
        };
        assert_eq!(faults(2027, &body(&["2027-01-01"], &["2027-01-03"])).len(), 0);
        assert_eq!(faults(2027, &body(&["2026-12-31", "2027-01-01", "2027-01-01"], &[])).len(), 2);
        // A Friday, and it is a day off as well.
        assert_eq!(faults(2027, &body(&["2027-01-01"], &["2027-01-01"])).len(), 2);
    }
}
