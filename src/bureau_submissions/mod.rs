//! Hand-over to the provincial bureau (通信管理局) and its decision.
//!
//! `queued → sending → accepted → approved | rejected`; `unconfirmed` when an attempt ended without a reply, `failed`,
//! `given_up`, `cancelled`. What the bureau says is keyed by (submission, external reference): an exact repeat is a no-op,
//! a contradiction a conflict, and what comes after the submission has left its step is recorded and alarmed, never applied.
//! `apply` writes what the bureau said, `send` hands over (`lane_send` where files carry numbers, which `lane` keeps),
//! `downloads` takes what the bureau sends, `package` makes the zip, `bureaus` pauses and resumes, `results` shows what could
//! not be applied.
//! `filings::act` calls [`queue`] and [`cancel_queued`], and looks for [`LIVE`] ones; a filing's reply shows [`current`].

mod answers;
mod api;
mod apply;
mod body;
mod bureaus;
mod downloads;
pub mod jobs;
mod lane;
mod lane_send;
mod many;
mod model;
mod next_actions;
mod package;
mod results;
mod rules;
mod send;
mod steps;

pub use body::{BureauBody, current};
pub use model::next_sequence_no;
pub use model::{LIVE, NewSubmission, cancel_queued, live, live_state, queue, unresolved, waiting_of};
pub use next_actions::next_actions;
pub use rules::Facts;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::list_bureau_submissions)
        .service(api::get_bureau_submission)
        .service(api::create_bureau_package)
        .service(api::dispatch_bureau_submission)
        .service(answers::accept_bureau_submission)
        .service(answers::confirm_bureau_sms)
        .service(answers::decide_bureau_submission)
        .service(many::decide_bureau_submissions)
        .service(api::restart_bureau_step)
        .service(api::give_up_bureau_submission)
        .service(results::get_bureau_filed_status)
        .service(results::list_bureau_results)
        .service(results::resolve_bureau_result)
        .service(bureaus::list_bureaus)
        .service(bureaus::get_bureau)
        .service(bureaus::pause_bureau)
        .service(bureaus::resume_bureau);
}

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

crate::text_enum! {
    /// State of the verification of one phone.
    pub enum SmsState {
        /// The person has not typed the code yet.
        Pending = "pending",
        /// The code was right.
        Confirmed = "confirmed",
        /// Too late, or wrong too often.
        Failed = "failed",
    }
}

crate::text_enum! {
    /// Whose phone is verified.
    pub enum SmsRole {
        /// The website's responsible person.
        WebsiteResponsiblePerson = "website_responsible_person",
        /// The subject's responsible person, where the province asks for it.
        SubjectResponsiblePerson = "subject_responsible_person",
    }
}

crate::text_enum! {
    /// What the bureau said.
    pub enum BureauEventKind {
        /// It has the package.
        Accepted = "accepted",
        /// It does not take the package.
        Refused = "refused",
        /// Something about the SMS verification.
        Sms = "sms",
        /// It approved or refused.
        Decided = "decided",
    }
}

crate::text_enum! {
    /// What became of what the bureau said.
    pub enum BureauEventOutcome {
        /// It took effect.
        Applied = "applied",
        /// The submission had left the step: recorded and alarmed only.
        Late = "late",
    }
}
