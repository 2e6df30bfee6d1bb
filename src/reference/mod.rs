//! What people read in a browser: the pages of the error codes, and the guides of `docs/`, which are in the binary. Programs
//! get the error codes as JSON. Plain HTML without a script.

mod api;
mod guides;
mod html;

pub use guides::{GUIDES, Guide, pages};

/// Adds this feature's operations.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::list_problems).service(api::get_problem);
}
