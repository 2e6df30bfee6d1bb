//! 备案资料: materials, uploaded straight to the store. `pending → scanning → ready | refused`, `deleted`, `expired`.

mod model;

pub use model::freeze;

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
