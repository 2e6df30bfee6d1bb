//! What the admin watches: background jobs (retry or discard those that gave up) and the outbox of SMS messages.

mod jobs;
mod sms;

/// Adds this feature's routes.
pub fn routes(cfg: &mut utoipa_actix_web::service_config::ServiceConfig<'_>) {
    cfg.service(jobs::list_jobs)
        .service(jobs::retry_job)
        .service(jobs::discard_job)
        .service(sms::list_sms_messages);
}
