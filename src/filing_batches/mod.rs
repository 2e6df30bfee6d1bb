//! Batches of filings: one request orders many drafts. `processing → completed`; a job makes the filings one after the other,
//! each row in a transaction of its own: `pending → created | failed`. A faulty row stops no other.
//!
//! A batch belongs to the account of the user who made it, or to the partner of the client. The rows wait sealed, since they
//! hold personal data; what was sent is gone as soon as a row is done.

mod api;
pub mod body;
mod jobs;
mod model;

pub use jobs::{make_all, register};
pub use model::{NewBatch, NewRow, insert};

crate::text_enum! {
    /// State of a batch.
    pub enum FilingBatchState {
        /// Rows are still to be done.
        Processing = "processing",
        /// Every row is done.
        Completed = "completed",
    }
}

crate::text_enum! {
    /// State of a row of a batch.
    pub enum FilingBatchRowState {
        /// Waits for its turn.
        Pending = "pending",
        /// The filing was made.
        Created = "created",
        /// No filing was made.
        Failed = "failed",
    }
}

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::create_filing_batch).service(api::list_filing_batches).service(api::get_filing_batch);
}
