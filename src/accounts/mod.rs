//! Customers' accounts, and the partners who act for them. An account owns subjects, websites and filings; to whom it does
//! not belong, it does not exist.

mod api;
mod model;
mod partners;

pub use model::{insert, is_open, partner_exists};

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::create_account)
        .service(api::list_accounts)
        .service(api::get_account)
        .service(api::update_account)
        .service(partners::create_partner)
        .service(partners::list_partners)
        .service(partners::get_partner)
        .service(partners::update_partner);
}
