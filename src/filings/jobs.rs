//! What moves by itself when time passes: steps expire after 45 days; reminders of steps and of the SMS verification.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use serde_json::{Value, json};

use super::workflow::{Action, Status};
use super::{Ctx, Input, act, events, model};
use crate::app::App;
use crate::audit::Actor;
use crate::error::ApiResult;
use crate::kernel::ids::FilingId;
use crate::kernel::jobs::Registry;
use crate::schema::{backdrop_shipments, filing_events, filings, photo_verifications};

/// Filings that are read at once; a run goes on as long as it moves some.
const BATCH: i64 = 200;
/// Days after which a step that waits for the applicant is called to mind.
const STEP_REMINDERS: [i64; 3] = [7, 15, 30];
/// Hours after which the SMS verification is called to mind.
const SMS_REMINDERS: [i64; 3] = [2, 12, 20];

/// Reads the filings that a timer concerns.
type Find = fn(&mut PgConnection, DateTime<Utc>) -> QueryResult<Vec<FilingId>>;
/// Moves one of them. False when there was nothing to do after all.
type Move = fn(&mut PgConnection, FilingId, DateTime<Utc>) -> ApiResult<bool>;

/// Registers the jobs of filings.
pub fn register(registry: &mut Registry, app: &App) {
    let timers: [(&'static str, Find, Move); 2] =
        [("filings.expire_steps", expired, expire), ("filings.remind", to_remind, remind)];
    for (kind, find, each) in timers {
        let app = app.clone();
        registry.every(kind, Duration::minutes(1), move |_: Value| run(app.clone(), find, each));
    }
}

/// Batch after batch, so that a crowd that is due on one day does not wait for the next run; until a batch moves nothing.
async fn run(app: App, find: Find, each: Move) -> anyhow::Result<()> {
    loop {
        let now = app.clock.now();
        let ids = app.db.run(move |conn| Ok(find(conn, now)?)).await?;
        let (read, mut moved) = (ids.len(), 0);
        for id in ids {
            // Each filing in a transaction of its own: one that fails does not hold up the others.
            match app.db.transaction(move |conn| each(conn, id, now)).await {
                Ok(has_moved) => moved += usize::from(has_moved),
                Err(error) => tracing::error!(filing = %id, %error, "a timer could not move a filing"),
            }
        }
        if moved > 0 {
            app.waker.wake();
        }
        if (read as i64) < BATCH || moved == 0 {
            return Ok(());
        }
    }
}

/// Steps whose time is over. Those that wait for a backdrop or for the check of a photo are left out already here, though
/// the workflow would refuse them: they must not fill the batch.
fn expired(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<Vec<FilingId>> {
    let open_shipment = backdrop_shipments::table
        .filter(backdrop_shipments::filing_id.eq(filings::id))
        .filter(backdrop_shipments::state.eq_any(["requested", "packed", "shipped"]));
    let photo_in_check = photo_verifications::table
        .filter(photo_verifications::filing_id.eq(filings::id))
        .filter(photo_verifications::state.eq("checking"));
    filings::table
        .filter(filings::step_expires_at.le(now))
        .filter(diesel::dsl::not(diesel::dsl::exists(open_shipment)))
        .filter(diesel::dsl::not(diesel::dsl::exists(photo_in_check)))
        .order(filings::step_expires_at)
        .limit(BATCH)
        .select(filings::id)
        .load(conn)
}

fn expire(conn: &mut PgConnection, id: FilingId, now: DateTime<Utc>) -> ApiResult<bool> {
    let filing = act::lock(conn, id)?;
    // Read again under the lock: the applicant may have come first.
    if filing.step_expires_at.is_none_or(|at| at > now) {
        return Ok(false);
    }
    match act::act(conn, &Ctx::system(now), filing, Action::Expire, Input::default()) {
        Ok(_) => Ok(true),
        // A backdrop on its way or a photo being checked: the step waits for it.
        Err(error) if error.code().status == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

/// Filings with fewer reminders since they entered their status than are due by now.
fn to_remind(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<Vec<FilingId>> {
    let days = STEP_REMINDERS.map(|days| now - Duration::days(days));
    let hours = SMS_REMINDERS.map(|hours| now - Duration::hours(hours));
    let sent = |event: &str| {
        format!(
            "(SELECT count(*) FROM filing_events e WHERE e.filing_id = f.id AND e.type = '{event}' AND e.at >= f.status_changed_at)"
        )
    };
    let due = |first: usize| {
        let passed = |no| format!("(f.status_changed_at <= ${no})::int");
        (first..first + 3).map(passed).collect::<Vec<_>>().join(" + ")
    };
    let query = diesel::sql_query(format!(
        "SELECT f.id FROM filings f
         WHERE (f.step_expires_at IS NOT NULL AND f.status_changed_at <= $1 AND {} < {})
            OR (f.status = 'sms_verification' AND f.status_changed_at <= $4 AND {} < {})
         ORDER BY f.status_changed_at LIMIT {BATCH}",
        sent("step.reminder"),
        due(1),
        sent("sms.reminder"),
        due(4),
    ));
    let mut query = query.into_boxed::<diesel::pg::Pg>();
    for at in days.into_iter().chain(hours) {
        query = query.bind::<sql_types::Timestamptz, _>(at);
    }
    let rows: Vec<Id> = query.load(conn)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = sql_types::Uuid)]
    id: FilingId,
}

/// Writes the reminder that is due, once: the events since the status was entered tell how many there were.
fn remind(conn: &mut PgConnection, id: FilingId, now: DateTime<Utc>) -> ApiResult<bool> {
    let filing = model::lock(conn, id)?;
    let waited = now - filing.status_changed_at;
    let (event, due) = if filing.status == Status::SmsVerification {
        ("sms.reminder", SMS_REMINDERS.iter().filter(|hours| waited >= Duration::hours(**hours)).count())
    } else if filing.step_expires_at.is_some() {
        ("step.reminder", STEP_REMINDERS.iter().filter(|days| waited >= Duration::days(**days)).count())
    } else {
        return Ok(false);
    };
    let sent: i64 = filing_events::table
        .filter(filing_events::filing_id.eq(id))
        .filter(filing_events::type_.eq(event))
        .filter(filing_events::at.ge(filing.status_changed_at))
        .count()
        .get_result(conn)?;
    // After a long silence of the worker one reminder is enough.
    let is_due = (sent as usize) < due;
    if is_due {
        let missed = due - sent as usize;
        for number in 0..missed {
            let is_last = number + 1 == missed;
            let data = json!({ "number": sent as usize + number + 1, "is_silent": !is_last });
            if is_last {
                events::record(conn, now, &Actor::system(), &filing, event, data)?;
            } else {
                events::record_silently(conn, now, &Actor::system(), &filing, event, data)?;
            }
        }
    }
    Ok(is_due)
}
