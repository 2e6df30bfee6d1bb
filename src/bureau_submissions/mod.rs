//! Hand-over to the provincial bureau (通信管理局) and its decision.
//!
//! `queued → sending → accepted → approved | rejected`; `unconfirmed` when an attempt ended without a reply, `failed`,
//! `given_up`, `cancelled`. What the bureau says is keyed by (submission, external reference): an exact repeat is a no-op,
//! a contradiction a conflict.

mod model;

pub use model::{NewSubmission, cancel_queued, live_state, queue};

crate::text_enum! {
    /// State of a submission.
    pub enum SubmissionState {
        /// Waits for its turn.
        Queued = "queued",
        /// An attempt is under way.
        Sending = "sending",
        /// The bureau has it.
        Accepted = "accepted",
        /// The bureau approved.
        Approved = "approved",
        /// The bureau refused.
        Rejected = "rejected",
        /// An attempt ended without a reply.
        Unconfirmed = "unconfirmed",
        /// The attempts failed; an operator is called.
        Failed = "failed",
        /// An operator gave up.
        GivenUp = "given_up",
        /// Withdrawn before it was sent.
        Cancelled = "cancelled",
    }
}

/// Placeholder until the branch `bureau` is merged.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct BureauBody {
    /// Paused.
    pub is_paused: bool,
}

/// Placeholder.
pub fn current(
    _conn: &mut diesel::PgConnection,
    _filing: crate::kernel::ids::FilingId,
    _locale: crate::kernel::i18n::Locale,
) -> diesel::QueryResult<Option<BureauBody>> {
    Ok(None)
}

/// Placeholder.
pub fn live_id(
    _conn: &mut diesel::PgConnection,
    _filing: crate::kernel::ids::FilingId,
) -> diesel::QueryResult<Option<crate::kernel::ids::SubmissionId>> {
    Ok(None)
}
