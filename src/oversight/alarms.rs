//! What waits for somebody of the operation: one list, made from the state of now, and metrics for the same.

use actix_web::{get, web};
use chrono::{DateTime, Duration, Utc};
use diesel::{ExpressionMethods, PgConnection, QueryDsl, QueryResult, RunQueryDsl};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue;
use crate::catalogue::data;
use crate::catalogue::jobs::CalendarLeft;
use crate::error::ApiResult;
use crate::filings::{self, Status};
use crate::kernel::clock::shanghai_date;
use crate::kernel::i18n::Locale;
use crate::kernel::jobs::{JobState, Registry};
use crate::kernel::reply::Reply;
use crate::schema::{jobs, undeliverable_contacts};
use crate::{bureau_submissions, notifications};

/// Periodic job: sets the gauges of what is overdue.
pub const WATCH: &str = "oversight.watch";

/// Something that waits for the operation.
#[derive(Serialize, ToSchema)]
pub struct Alarm {
    /// `calendar_ends`, `channel_paused`, `overdue`, `hand_over_unresolved`, `undeliverable_contacts`, `dead_jobs`; may grow.
    #[schema(example = "calendar_ends")]
    code: String,
    /// Short, in the language of the request.
    title: String,
    /// What it is about and what to do.
    detail: String,
    /// How many things wait: filings, messages, jobs; days, for the calendar.
    count: i64,
    /// Since when, where that is known.
    since: Option<DateTime<Utc>>,
    /// Where to look.
    #[schema(example = "/v1/filings?overdue=true&status=initial_review")]
    href: String,
}

/// Everything that waits for the operation.
#[derive(Serialize, ToSchema)]
pub struct AlarmList {
    /// The most urgent first; empty when nothing waits.
    items: Vec<Alarm>,
}

/// A text in one of two languages.
struct Words(&'static str, String, &'static str, String);

impl Alarm {
    fn new(
        locale: Locale,
        code: &str,
        Words(zh, zh_detail, en, en_detail): Words,
        count: i64,
        href: String,
    ) -> Self {
        let (title, detail) = match locale {
            Locale::ZhCn => (zh, zh_detail),
            Locale::En => (en, en_detail),
        };
        Self { code: code.to_owned(), title: title.to_owned(), detail, count, since: None, href }
    }

    fn since(mut self, at: DateTime<Utc>) -> Self {
        self.since = Some(at);
        self
    }
}

fn channels(conn: &mut PgConnection, locale: Locale) -> QueryResult<Vec<Alarm>> {
    let paused = notifications::paused_channels(conn)?;
    let alarm = |row: notifications::PausedChannel| {
        let (channel, error) = (row.channel, row.last_error.unwrap_or_default());
        let words = Words(
            "通知渠道已暂停",
            format!("{channel}：{error}。修复后自动恢复，等待的消息不会丢失。"),
            "A channel is paused",
            format!("{channel}: {error}. It resumes by itself; the messages that wait are not lost."),
        );
        let href = format!("/v1/admin/message-deliveries?channel={channel}&state=queued,failed");
        Alarm::new(locale, "channel_paused", words, row.waiting, href).since(row.since)
    };
    Ok(paused.into_iter().map(alarm).collect())
}

fn calendar(conn: &mut PgConnection, now: DateTime<Utc>, locale: Locale) -> QueryResult<Option<Alarm>> {
    let left = CalendarLeft::of(&catalogue::calendar(conn)?, shanghai_date(now));
    if !left.is_alarming() {
        return Ok(None);
    }
    let CalendarLeft { days, year_to_load: year } = left;
    let words = Words(
        "工作日历即将用完",
        format!("已加载的日历还剩 {days} 天，请加载 {year} 年。此前的期限按周一至周五计算，加载后自动重算。"),
        "The working-day calendar ends soon",
        format!(
            "{days} days are left. Load the year {year}; until then deadlines in it count Monday to Friday and are recomputed."
        ),
    );
    Ok(Some(Alarm::new(locale, "calendar_ends", words, days, format!("/v1/calendars/{year}"))))
}

fn overdue(conn: &mut PgConnection, now: DateTime<Utc>, locale: Locale) -> QueryResult<Vec<Alarm>> {
    let found = filings::overdue(conn, now)?;
    let alarm = |(status, count, oldest): (Status, i64, DateTime<Utc>)| {
        let label = |language| data::status_label("filing", status.as_str(), language);
        let words = Words(
            "已超过期限",
            format!("{}：{count} 个订单已超过期限。", label("zh-CN")),
            "Past the deadline",
            format!("{}: {count} filings are past their deadline.", label("en")),
        );
        let href = format!("/v1/filings?overdue=true&status={status}");
        Alarm::new(locale, "overdue", words, count, href).since(oldest)
    };
    Ok(found.into_iter().map(alarm).collect())
}

fn unresolved(conn: &mut PgConnection, now: DateTime<Utc>, locale: Locale) -> QueryResult<Option<Alarm>> {
    let count = bureau_submissions::unresolved(conn, now)?.len() as i64;
    let words = Words(
        "有未成功的提交",
        format!("{count} 个提交失败、未确认或已超期，请管局专员处理。"),
        "Hand-overs without success",
        format!("{count} hand-overs failed, are unconfirmed or overdue; a bureau operator must look."),
    );
    let href = "/v1/bureau-submissions?state=failed,unconfirmed".to_owned();
    Ok((count > 0).then(|| Alarm::new(locale, "hand_over_unresolved", words, count, href)))
}

fn contacts(conn: &mut PgConnection, locale: Locale) -> QueryResult<Option<Alarm>> {
    use undeliverable_contacts as table;
    let count: i64 = table::table.filter(table::cleared_at.is_null()).count().get_result(conn)?;
    let words = Words(
        "联系方式无法送达",
        format!("{count} 个邮箱或手机号码无法接收通知；用户已收到站内提示，必要时请电话联系。"),
        "Contacts that messages do not reach",
        format!("{count} addresses or numbers. The users see it as a task; call them if it is urgent."),
    );
    let href = "/v1/admin/undeliverable-contacts".to_owned();
    Ok((count > 0).then(|| Alarm::new(locale, "undeliverable_contacts", words, count, href)))
}

fn dead_jobs(conn: &mut PgConnection, locale: Locale) -> QueryResult<Option<Alarm>> {
    let count: i64 = jobs::table.filter(jobs::state.eq(JobState::Dead)).count().get_result(conn)?;
    let words = Words(
        "有失败的后台任务",
        format!("{count} 个任务已放弃，请管理员重试或放弃。"),
        "Background jobs gave up",
        format!("{count} jobs wait for an admin: retry or discard them."),
    );
    let href = "/v1/admin/jobs?state=dead".to_owned();
    Ok((count > 0).then(|| Alarm::new(locale, "dead_jobs", words, count, href)))
}

fn all(conn: &mut PgConnection, now: DateTime<Utc>, locale: Locale) -> QueryResult<Vec<Alarm>> {
    let mut items = channels(conn, locale)?;
    items.extend(unresolved(conn, now, locale)?);
    items.extend(overdue(conn, now, locale)?);
    items.extend(calendar(conn, now, locale)?);
    items.extend(contacts(conn, locale)?);
    items.extend(dead_jobs(conn, locale)?);
    Ok(items)
}

/// List what waits for the operation
///
/// Senior reviewers, bureau operators, support and admin: paused channels, hand-overs without success, filings past their deadline, the end of the working-day
/// calendar (from 60 days before), contacts that messages do not reach, jobs that gave up. Computed now; nothing is stored. Not
/// everybody may open every address in `href`.
#[utoipa::path(operation_id = "listAlarms", tag = "oversight",
    responses((status = 200, description = "Everything that waits.", body = AlarmList)))]
#[get("/v1/admin/alarms")]
pub async fn list_alarms(app: web::Data<App>, caller: Allowed<op::ListAlarms>) -> ApiResult<Reply> {
    let (now, locale) = (app.clock.now(), caller.locale);
    let items = app.db.run(move |conn| Ok(all(conn, now, locale)?)).await?;
    Reply::ok(&AlarmList { items })
}

/// Registers the periodic job.
pub fn register(registry: &mut Registry, app: &App) {
    let own = app.clone();
    registry.every(WATCH, Duration::minutes(5), move |_| {
        let app = own.clone();
        async move {
            let now = app.clock.now();
            let found = app.db.run(move |conn| Ok(filings::overdue(conn, now)?)).await?;
            // Those in which somebody else than the applicant must act.
            for status in Status::ALL.iter().filter(|status| status.is_live() && !status.expires()) {
                let count =
                    found.iter().find(|(known, ..)| known == status).map_or(0, |(_, count, _)| *count);
                metrics::gauge!("beian_filings_overdue", "status" => status.as_str()).set(count as f64);
            }
            Ok(())
        }
    });
}
