//! 备案资料: materials, uploaded straight to the store. `pending → scanning → ready | refused`, `deleted`, `expired`.
//!
//! Only `ready` ones count. A revision freezes those of its moment: they can be deleted from the filing later, but their
//! objects stay. `filings` asks [`ready`] for the requirements and [`for_revision`] for packages and reviews.

mod api;
mod complete;
mod jobs;
mod model;
mod view;

pub use api::ensure_may_open;
pub use jobs::register;
pub use model::{AttachmentRow, for_revision, freeze, ready};
pub use view::{Attachment, FileDownload};

use crate::routes::Router;

/// The addresses of this feature.
pub fn routes(cfg: &mut impl Router) {
    cfg.service(api::create_attachment)
        .service(api::list_attachments)
        .service(api::get_attachment)
        .service(complete::complete_attachment)
        .service(complete::delete_attachment)
        .service(api::create_attachment_download);
}

crate::text_enum! {
    /// State of an attachment.
    pub enum AttachmentState {
        /// Declared; the file is not there yet.
        Pending = "pending",
        /// Being checked.
        Scanning = "scanning",
        /// Counts.
        Ready = "ready",
        /// Its content is not what was declared.
        Refused = "refused",
        /// Removed by the applicant.
        Deleted = "deleted",
        /// Never completed.
        Expired = "expired",
    }
}
