//! Review tasks: `open → claimed → approved | rejected`, or `cancelled`. A claim is a lease of 30 minutes, renewable; after
//! it lapsed the holder may still decide unless another took it. `filings::act` opens and cancels tasks; reviewers decide
//! through `filings::act`. `rules` says who may take and decide, and what a rejection must hold; pure.

mod api;
mod body;
mod model;
mod next_actions;
mod rules;

pub use api::{claim_and_decide, routes};
pub use model::{NewTask, cancel_open, open_task};

crate::text_enum! {
    /// What is reviewed.
    pub enum Stage {
        /// 初审: the data and materials.
        InitialReview = "initial_review",
        /// The photo before the backdrop.
        PhotoReview = "photo_review",
    }
}

crate::text_enum! {
    /// State of a review task.
    pub enum ReviewState {
        /// Waits for a reviewer.
        Open = "open",
        /// Held under a lease.
        Claimed = "claimed",
        /// Passed.
        Approved = "approved",
        /// Refused with items.
        Rejected = "rejected",
        /// The filing went another way.
        Cancelled = "cancelled",
    }
}
