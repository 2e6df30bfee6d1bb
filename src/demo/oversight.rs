//! What the overseers' examples look at: two dead jobs, an inbox.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::{filings, ids, people};
use crate::kernel::jobs::JobState;
use crate::schema::{jobs, notifications};

pub(super) fn load(conn: &mut PgConnection, now: DateTime<Utc>) -> anyhow::Result<()> {
    for number in 1..=2 {
        diesel::insert_into(jobs::table)
            .values((
                jobs::id.eq(ids::job(number)),
                jobs::kind.eq("notifications.fan_out"),
                // An event that does not exist: the job has nothing to do and says so.
                jobs::payload.eq(json!({ "event_id": ids::job(number) })),
                jobs::state.eq(JobState::Dead),
                jobs::run_at.eq(now),
                jobs::attempts.eq(10),
                jobs::max_attempts.eq(10),
                jobs::last_error.eq("the mail server did not answer"),
                jobs::created_at.eq(now),
                jobs::finished_at.eq(now),
            ))
            .execute(conn)?;
    }
    diesel::insert_into(notifications::table)
        .values((
            notifications::id.eq(ids::notification(1)),
            notifications::user_id.eq(people::applicant(1)),
            notifications::filing_id.eq(filings::id(1)),
            notifications::event_type.eq("filing.created"),
            notifications::channel.eq("inbox"),
            notifications::state.eq("sent"),
            notifications::locale.eq("zh-CN"),
            notifications::title.eq("备案订单已创建"),
            notifications::body.eq("您的备案订单 BA-2026-000001 已创建，请修改信息并上传备案资料。"),
            notifications::created_at.eq(now),
            notifications::sent_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}
