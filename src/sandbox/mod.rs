//! The sandbox for partners' programs: in embedded mode, words in the remark of a filing steer simulated reviewers, logistics and
//! the check of the photo, so that a program can walk every branch without people. (The simulated bureau has words of its own:
//! `external::bureau::simulator`.) Outside embedded mode nothing of this exists: no job is registered and no word is looked for.
//!
//! The simulated people are the demo's `demo-senior-reviewer` and `demo-logistics`. They act by the same functions as people, with
//! the same guards, and stand in timeline and audit trail.

mod jobs;
mod words;

use diesel::OptionalExtension;
use diesel::prelude::*;

pub use jobs::register;
pub use words::PhotoWord;

use crate::app::App;
use crate::config::Mode;
use crate::error::ApiResult;
use crate::kernel::ids::FilingId;
use crate::schema::{filings, website_contents};

/// Whether words count here at all.
fn is_on(app: &App) -> bool {
    app.config.mode == Mode::Embedded
}

/// What the remark of a filing says about its photo.
///
/// # Errors
/// When the database fails.
pub async fn photo_word(app: &App, filing: FilingId) -> ApiResult<Option<PhotoWord>> {
    if !is_on(app) {
        return Ok(None);
    }
    app.db
        .run(move |conn| {
            let remark: Option<Option<String>> = filings::table
                .inner_join(website_contents::table.on(website_contents::id.eq(filings::content_id)))
                .filter(filings::id.eq(filing))
                .select(website_contents::remark)
                .first(conn)
                .optional()?;
            Ok(words::photo(&remark.flatten().unwrap_or_default()))
        })
        .await
}
