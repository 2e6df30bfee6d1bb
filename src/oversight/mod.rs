//! What the admin watches: alarms, background jobs (retry or discard those that gave up) and the outbox of SMS messages.

mod alarms;
mod jobs;
mod sms;

pub use alarms::register;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl crate::routes::Router) {
    cfg.service(alarms::list_alarms)
        .service(jobs::list_jobs)
        .service(jobs::retry_job)
        .service(jobs::discard_job)
        .service(sms::list_sms_messages);
}
