//! People who can log in: applicants, who belong to an account, and staff, who have roles. Nobody is both.
//!
//! `api` is the admin's side, `me` everybody's own. A new e-mail address or mobile of one's own counts only after its code
//! came back (`contacts`). The admin and the command line create users.

mod api;
mod command_line;
mod contacts;
pub mod jobs;
mod me;
mod model;
mod preferences;
pub mod undeliverable;
mod undeliverable_list;
mod unsubscribe;

pub use command_line::create_from_command_line;
pub use contacts::{CONTACT_CODE_JOB, ContactChannel};
pub use model::{StaffRole, create_staff};

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(me::get_me)
        .service(me::update_me)
        .service(contacts::confirm_contact)
        .service(preferences::get_notification_preferences)
        .service(preferences::update_notification_preferences)
        .service(unsubscribe::get_unsubscribe_page)
        .service(unsubscribe::unsubscribe)
        .service(undeliverable_list::list_undeliverable_contacts)
        .service(api::create_user)
        .service(api::list_users)
        .service(api::get_user)
        .service(api::update_user)
        .service(api::disable_user)
        .service(api::enable_user);
}
