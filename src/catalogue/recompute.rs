//! Deadlines that were counted beyond the loaded calendar, counted again once a year is loaded.
//!
//! The one place where a feature writes other features' columns: a deadline is a function of a start and the calendar,
//! and the starts stand in three tables. Each row is written only if its deadline is still the one that was read.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text, Timestamptz, Uuid};

use crate::filings::workflow::{DeadlineRule, Status};
use crate::kernel::working_days::Calendar;

/// A provisional deadline and where its counting began.
#[derive(QueryableByName)]
struct Provisional {
    #[diesel(sql_type = Uuid)]
    id: uuid::Uuid,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    due_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    start: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    status: String,
}

/// A kind of deadline: how to find the provisional ones, and how to write one back (id, old, new, is_provisional, now).
struct Deadlines {
    find: &'static str,
    save: &'static str,
    working_days: fn(&str) -> Option<u32>,
}

const FILINGS: Deadlines = Deadlines {
    find: "SELECT id, due_at, status_changed_at AS start, status FROM filings
           WHERE due_is_provisional AND due_at IS NOT NULL ORDER BY id FOR UPDATE",
    // The filing shows its deadline, so its version rises with it.
    save: "UPDATE filings SET due_at = $3, due_is_provisional = $4, version = version + 1, updated_at = $5
           WHERE id = $1 AND due_at = $2",
    working_days: |status| match status.parse::<Status>().ok()?.deadline()? {
        DeadlineRule::WorkingDays(days) => Some(days),
        DeadlineRule::Hours(_) => None,
    },
};

const REVIEW_TASKS: Deadlines = Deadlines {
    find: "SELECT id, due_at, created_at AS start, state AS status FROM review_tasks
           WHERE due_is_provisional AND state IN ('open', 'claimed') ORDER BY id FOR UPDATE",
    save: "UPDATE review_tasks SET due_at = $3, due_is_provisional = $4, version = version + 1
           WHERE id = $1 AND due_at = $2 AND $5 IS NOT NULL",
    working_days: |_| Some(1),
};

const HAND_OVERS: Deadlines = Deadlines {
    find: "SELECT id, due_at, queued_at AS start, state AS status FROM bureau_submissions
           WHERE due_is_provisional ORDER BY id FOR UPDATE",
    save: "UPDATE bureau_submissions SET due_at = $3, due_is_provisional = $4, version = version + 1, updated_at = $5
           WHERE id = $1 AND due_at = $2",
    working_days: |_| Some(1),
};

const DECISIONS: Deadlines = Deadlines {
    // Where the ministry verifies phones first, the bureau's time begins with the last confirmation.
    find: "SELECT b.id, b.bureau_due_at AS due_at, b.state AS status,
                  COALESCE((SELECT max(s.confirmed_at) FROM sms_verifications s WHERE s.submission_id = b.id), b.accepted_at)
                  AS start
           FROM bureau_submissions b
           WHERE b.bureau_due_is_provisional AND b.bureau_due_at IS NOT NULL AND b.accepted_at IS NOT NULL
           ORDER BY b.id FOR UPDATE OF b",
    save: "UPDATE bureau_submissions SET bureau_due_at = $3, bureau_due_is_provisional = $4, version = version + 1,
                  updated_at = $5
           WHERE id = $1 AND bureau_due_at = $2",
    working_days: |_| Some(20),
};

/// Recomputes every provisional deadline; returns how many changed. Run it in a transaction of its own: it locks filings
/// before their children, as every change of state does.
///
/// # Errors
/// When the database fails.
pub fn recompute(conn: &mut PgConnection, now: DateTime<Utc>, calendar: &Calendar) -> QueryResult<usize> {
    let mut changed = 0;
    for kind in [FILINGS, REVIEW_TASKS, HAND_OVERS, DECISIONS] {
        let rows: Vec<Provisional> = diesel::sql_query(kind.find).load(conn)?;
        for row in rows {
            let (Some(old), Some(days)) = (row.due_at, (kind.working_days)(&row.status)) else { continue };
            let due = calendar.add_working_days(row.start, days);
            if due.at == old && due.is_provisional {
                continue;
            }
            changed += diesel::sql_query(kind.save)
                .bind::<Uuid, _>(row.id)
                .bind::<Timestamptz, _>(old)
                .bind::<Timestamptz, _>(due.at)
                .bind::<Bool, _>(due.is_provisional)
                .bind::<Timestamptz, _>(now)
                .execute(conn)?;
        }
    }
    Ok(changed)
}
