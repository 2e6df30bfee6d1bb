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
use crate::filings::rules::codes::Source;
use crate::filings::rules::{Finding, Severity};
use crate::kernel::i18n::Bilingual;
use crate::kernel::ids::FilingId;
use crate::schema::{filings, website_contents};

/// Whether words count here at all.
pub fn is_on(app: &App) -> bool {
    app.config.mode == Mode::Embedded
}

/// What a check tells about words in the remark that mean nothing: a word that is misspelt would be ignored without a sound.
pub fn findings(remark: Option<&str>) -> Vec<Finding> {
    words::unknown(remark.unwrap_or_default())
        .into_iter()
        .map(|word| Finding {
            pointer: "/website/remark".to_owned(),
            code: "sandbox_word_unknown",
            severity: Severity::Warning,
            message: Bilingual::new(
                format!("“{word}”不是沙箱的控制词，不起作用"),
                format!("{word:?} is no word of the sandbox and does nothing"),
            ),
            suggestion: Bilingual::new(
                "请对照 /docs/partners 中的控制词表；控制词之间用空格或逗号分隔",
                "compare it with the words in /docs/partners; blanks or commas stand between words",
            ),
            source: Source::new("沙箱", "Sandbox"),
        })
        .collect()
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
