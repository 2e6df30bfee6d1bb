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
