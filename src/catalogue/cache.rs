//! What every list shows from the catalogue, remembered for seconds. Only for showing: decisions read the database.

use std::sync::{Arc, RwLock};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{PgConnection, QueryResult};

use super::data::ChecklistItem;
use super::model;
use crate::kernel::clock::shanghai_date;
use crate::kernel::working_days::Calendar;

/// How long rows are shown that another process may have changed: 5 seconds.
const REMEMBERED_SECONDS: i64 = 5;

/// The rows that lists show.
#[derive(Debug)]
pub struct Shown {
    read_at: DateTime<Utc>,
    /// The date of the checklists, Asia/Shanghai.
    on: NaiveDate,
    /// The working-day calendar of every loaded year.
    pub calendar: Calendar,
    checklists: Vec<(&'static str, Vec<ChecklistItem>)>,
}

impl Shown {
    /// What a reviewer ticks off at a stage (`initial_review`, `photo_review`), in order.
    pub fn checklist(&self, stage: &str) -> &[ChecklistItem] {
        self.checklists.iter().find(|(known, _)| *known == stage).map_or(&[], |(_, list)| list)
    }
}

/// The rows read last.
#[derive(Debug, Default)]
pub struct CatalogueCache(RwLock<Option<Arc<Shown>>>);

impl CatalogueCache {
    /// The rows in force at `now`, at most five seconds old. Changes made by this process show at once.
    ///
    /// # Errors
    /// When the database fails.
    pub fn shown(&self, conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<Arc<Shown>> {
        let today = shanghai_date(now);
        let is_fresh = |shown: &&Arc<Shown>| {
            // An earlier time than that of the reading: the clock was set back.
            shown.on == today && (0..REMEMBERED_SECONDS).contains(&(now - shown.read_at).num_seconds())
        };
        let known = self.0.read().ok().and_then(|shown| shown.as_ref().filter(is_fresh).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let mut checklists = Vec::new();
        for stage in ["initial_review", "photo_review"] {
            checklists.push((stage, model::checklist(conn, stage, today)?));
        }
        let calendar = model::calendar(conn)?;
        let shown = Arc::new(Shown { read_at: now, on: today, calendar, checklists });
        if let Ok(mut place) = self.0.write() {
            *place = Some(shown.clone());
        }
        Ok(shown)
    }

    /// Forgets what was read: the admin changed it.
    pub fn forget(&self) {
        if let Ok(mut place) = self.0.write() {
            *place = None;
        }
    }
}
