//! Live streams: what happens to a filing, told as it happens, as server-sent events.
//!
//! Every stream sits at the [`Streams`] of its process. One task looks each second, with one statement for all of them, whether
//! their filings have new events and, every few seconds, whether their callers are still let in. So an idle stream holds no
//! connection of the pool, and events of other processes arrive too. `frames` says what goes over the wire; pure.

mod api;
mod frames;
mod hub;
mod watch;

pub use hub::Streams;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(api::stream_filing_events);
}
