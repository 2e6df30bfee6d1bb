//! Who calls and what they may: log-in, sessions, tokens, passwords, throttling of guesses, permissions.
//!
//! People log in with a password; partners' programs get a token for their client secret (`client_credentials`).
//! A handler names its operation in its signature (`Allowed<op::SubmitFiling>`); the table in `permissions` says who may.
//! A session is a family of rotated refresh tokens. Others may revoke sessions, hash passwords, ask for a reset mail and,
//! for the mails themselves, compute the one-time codes.

mod api;
mod caller;
mod client_credentials;
pub mod jobs;
mod model;
mod oauth;
mod one_time;
mod origin;
mod password_api;
mod passwords;
pub mod permissions;
mod resets;
mod sessions;
mod throttle;
mod tokens;
mod verify;

pub use caller::{Allowed, Caller, SessionCache, is_still_allowed, on_behalf};
pub use oauth::DOCS_CLIENT;
pub use one_time::{contact_code, password_reset_token, read_unsubscribe_token, unsubscribe_token};
pub use passwords::{check_rule as check_password_rule, hash as hash_password, hash_blocking, unusable_hash};
pub use permissions::{Role, op};
pub use resets::{end_all as end_password_resets, start as start_password_reset};
pub use sessions::{
    revoke_account as revoke_sessions_of_account, revoke_all as revoke_sessions,
    revoke_secret as revoke_sessions_of_secret,
};
pub use throttle::allow as allow_attempt;
pub use tokens::TokenKeys;

/// Kind of the job that sends an e-mail about an account. Payload: `template`, `user_id` and, for `password_reset`,
/// `password_reset_id`; the mail computes its token with [`password_reset_token`].
pub const ACCOUNT_EMAIL_JOB: &str = "notifications.account_email";

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::login)
        .service(api::refresh_session)
        .service(api::logout)
        .service(password_api::request_password_reset)
        .service(password_api::confirm_password_reset)
        .service(password_api::change_password)
        .service(oauth::issue_token);
}
