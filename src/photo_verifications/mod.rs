//! 当面核验拍照: attempts at the photo of the responsible person before the backdrop.
//!
//! `awaiting_upload → checking → precheck_failed | in_review → passed | rejected`, or `cancelled`, `void`. At most one live
//! attempt per filing. While checking, the filing does not move; the check is a job ([`precheck`] is its pure part) and ends
//! in `conclude`. `reuse` knows earlier pictures, `settings` what each finding does, `originals` deletes what came,
//! `trial` looks at a photo before it is sent. Reviews call [`decide`] beside `filings::act`; filings show [`current`].

mod api;
mod body;
mod conclude;
mod jobs;
mod model;
mod originals;
pub mod precheck;
mod reuse;
mod settings;
mod submit;
mod trial;

pub use body::{PhotoFinding, PhotoVerificationBody};
pub use jobs::register;
pub use model::{LIVE, PhotoRow, cancel_live, current, decide, find, validity, void_of_others, void_passed};
pub use trial::TrialLimit;

use crate::routes::Router;

/// The addresses of this feature.
pub fn routes(cfg: &mut impl Router) {
    cfg.service(api::create_photo_verification)
        .service(api::list_photo_verifications)
        .service(api::get_photo_verification)
        .service(submit::submit_photo_verification)
        .service(api::create_photo_download)
        .service(api::create_photo_preview)
        .service(trial::check_photo);
}

/// The addresses for the admin.
pub fn admin_routes(cfg: &mut impl Router) {
    cfg.service(settings::list_photo_precheck_settings).service(settings::put_photo_precheck_setting);
}

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
