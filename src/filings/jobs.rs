//! What moves by itself when time passes: steps expire after 45 days, with reminders before.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};

use super::workflow::Action;
use super::{Ctx, Input, act, events, model};
use crate::app::App;
use crate::audit::Actor;
use crate::error::ApiResult;
use crate::kernel::ids::FilingId;
use crate::kernel::jobs::Registry;
use crate::schema::{filing_events, filings};

/// Filings taken in one round; the next round comes a minute later.
const BATCH: i64 = 200;
/// Days after which a step that waits for the applicant is called to mind.
const STEP_REMINDERS: [i64; 3] = [7, 15, 30];
const REMINDER: &str = "step.reminder";

/// Registers the jobs of filings.
pub fn register(registry: &mut Registry, app: &App) {
    let every = |registry: &mut Registry,
                 kind,
                 work: fn(&App) -> Vec<FilingId>,
                 each: fn(&mut PgConnection, FilingId, DateTime<Utc>) -> ApiResult<()>| {
        let app = app.clone();
        registry.every(kind, Duration::minutes(1), move |_: Value| {
            let app = app.clone();
            async move {
                let (list, now) = (app.clone(), app.clock.now());
                let ids = tokio::task::spawn_blocking(move || work(&list)).await?;
                for id in ids {
                    // Each filing in a transaction of its own: one that fails does not hold up the others.
                    if let Err(error) = app.db.transaction(move |conn| each(conn, id, now)).await {
                        tracing::error!(filing = %id, %error, "a timer could not move a filing");
                    }
                }
                Ok(())
            }
        });
    };
    every(registry, "filings.expire_steps", expired, expire);
    every(registry, "filings.remind", to_remind, remind);
}

fn ids(app: &App, query: impl FnOnce(&mut PgConnection) -> QueryResult<Vec<FilingId>>) -> Vec<FilingId> {
    let found = app.db.connection().and_then(|mut conn| Ok(query(&mut conn)?));
    found.unwrap_or_else(|error| {
        tracing::error!(%error, "a timer could not read the filings");
        Vec::new()
    })
}

fn expired(app: &App) -> Vec<FilingId> {
    let now = app.clock.now();
    ids(app, |conn| {
        filings::table
            .filter(filings::step_expires_at.le(now))
            .order(filings::step_expires_at)
            .limit(BATCH)
            .select(filings::id)
            .load(conn)
    })
}

fn expire(conn: &mut PgConnection, id: FilingId, now: DateTime<Utc>) -> ApiResult<()> {
    let filing = act::lock(conn, id)?;
    // Read again under the lock: the applicant may have come first.
    if filing.step_expires_at.is_none_or(|at| at > now) {
        return Ok(());
    }
    match act::act(conn, &Ctx::system(now), filing, Action::Expire, Input::default()) {
        Ok(_) => Ok(()),
        // A backdrop on its way or a photo being checked: the step waits for it.
        Err(error) if error.code().status == 409 => Ok(()),
        Err(error) => Err(error),
    }
}

fn to_remind(app: &App) -> Vec<FilingId> {
    let now = app.clock.now();
    ids(app, |conn| {
        filings::table
            .filter(filings::step_expires_at.is_not_null())
            .filter(filings::status_changed_at.le(now - Duration::days(STEP_REMINDERS[0])))
            .order(filings::status_changed_at.desc())
            .limit(BATCH * 10)
            .select(filings::id)
            .load(conn)
    })
}

/// Writes the reminder that is due, once: the events since the status was entered tell how many there were.
fn remind(conn: &mut PgConnection, id: FilingId, now: DateTime<Utc>) -> ApiResult<()> {
    let filing = model::lock(conn, id)?;
    if filing.step_expires_at.is_none() {
        return Ok(());
    }
    let waited = now - filing.status_changed_at;
    let due = STEP_REMINDERS.iter().filter(|days| waited >= Duration::days(**days)).count();
    let sent: i64 = filing_events::table
        .filter(filing_events::filing_id.eq(id))
        .filter(filing_events::type_.eq(REMINDER))
        .filter(filing_events::at.ge(filing.status_changed_at))
        .count()
        .get_result(conn)?;
    // After a long silence of the worker one reminder is enough.
    if (sent as usize) < due {
        let missed = due - sent as usize;
        for number in 0..missed {
            let is_last = number + 1 == missed;
            let data = json!({ "number": sent as usize + number + 1, "is_silent": !is_last });
            if is_last {
                events::record(conn, now, &Actor::system(), &filing, REMINDER, data)?;
            } else {
                events::record_silently(conn, now, &Actor::system(), &filing, REMINDER, data)?;
            }
        }
    }
    Ok(())
}
