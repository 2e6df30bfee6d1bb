//! What operators and load balancers ask: is it alive, is it ready, which version is it.

mod api;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::get_liveness).service(api::get_readiness).service(api::get_version);
}
