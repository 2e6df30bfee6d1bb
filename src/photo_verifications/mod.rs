//! 当面核验拍照: attempts at the photo of the responsible person before the backdrop.
//!
//! `awaiting_upload → checking → precheck_failed | in_review → passed | rejected`, or `cancelled`, `void`. At most one live
//! attempt per filing. While checking, the filing does not move; the check is a job.

mod model;

pub use model::decide;
pub use model::{cancel_live, live_state, valid_for, void_of_others, void_passed};

crate::text_enum! {
    /// State of an attempt.
    pub enum PhotoState {
        /// Declared; the file is not there yet.
        AwaitingUpload = "awaiting_upload",
        /// The program looks at it.
        Checking = "checking",
        /// A blocking finding: take another photo at once.
        PrecheckFailed = "precheck_failed",
        /// A reviewer looks at it.
        InReview = "in_review",
        /// Good.
        Passed = "passed",
        /// Refused by a reviewer.
        Rejected = "rejected",
        /// The filing went another way, or a new attempt took its place.
        Cancelled = "cancelled",
        /// Shows another person than the revision names, or the bureau refused it.
        Void = "void",
    }
}

/// Placeholder until the branch `files` is merged.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct PhotoVerificationBody {
    /// Id.
    pub id: crate::kernel::ids::PhotoVerificationId,
    /// State.
    pub state: PhotoState,
}

/// Placeholder.
pub fn current(
    _conn: &mut diesel::PgConnection,
    _filing: crate::kernel::ids::FilingId,
    _locale: crate::kernel::i18n::Locale,
) -> diesel::QueryResult<Option<PhotoVerificationBody>> {
    Ok(None)
}
