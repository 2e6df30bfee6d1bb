//! Filed data: subjects, their websites and what each filed version says.
//!
//! Owners see their own, staff see all of it masked. It changes in two ways only: an approved filing
//! ([`apply_filing`], called by the filing's own transaction) and an import.

mod api;
pub mod content;
pub mod fields;
pub mod filed;
pub mod model;
pub mod next_action;
pub mod patch;
pub mod subject;
mod view;

pub use api::routes;
pub use filed::{
    ContactUse, WebsiteAccess, WebsiteRow, apply_filing, contact_use, filed, filed_content_id, filed_version,
    live_filings, lock_subject, subject,
};
pub use view::{Scope, WebsiteSummary, shown_content, summaries};
