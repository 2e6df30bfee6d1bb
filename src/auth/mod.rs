//! Who calls and what they may: log-in, sessions, access tokens, permissions.
//!
//! A handler names its operation in its signature (`Allowed<op::SubmitFiling>`); the table in `permissions` says who may.

mod caller;
mod one_time;
pub mod permissions;
mod tokens;

pub use caller::{Allowed, Caller, SessionCache};
pub use one_time::{contact_code, password_reset_token};
pub use permissions::{Role, op};
pub use tokens::TokenKeys;

/// Adds this feature's routes.
pub fn routes(_cfg: &mut utoipa_actix_web::service_config::ServiceConfig<'_>) {}
