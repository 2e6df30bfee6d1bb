//! Partners' programs (API clients): granted scopes, addresses they may call from, secrets. By the admin.
//!
//! A client is live or paused; a secret is live, expired or revoked. Each client has a service user with the same id, which
//! stands wherever a person would (created_by, participants, audit). `auth` asks [`authenticate`] when a client wants a
//! token, and [`grant`] when it uses one.

mod api;
mod model;
mod secrets;

pub use model::{Grant, NewClient, Verified, authenticate, create, grant, insert_secret, touch};

/// Most secrets of a client that may be live at once.
pub const MAX_LIVE_SECRETS: i64 = 5;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::create_api_client)
        .service(api::list_api_clients)
        .service(api::get_api_client)
        .service(api::update_api_client)
        .service(api::pause_api_client)
        .service(api::resume_api_client)
        .service(secrets::create_api_client_secret)
        .service(secrets::list_api_client_secrets)
        .service(secrets::revoke_api_client_secret);
}
