//! The kernel: what every feature stands on. It knows no feature.

pub mod batch;
pub mod clock;
pub mod db;
pub mod envelope;
pub mod etag;
pub mod fixed_query;
pub mod i18n;
pub mod idempotency;
pub mod ids;
pub mod jobs;
pub mod json;
pub mod page;
pub mod parameter_limits;
pub mod peer;
pub mod pii;
pub mod rate_limit;
pub mod reply;
pub mod request_id;
pub mod search;
pub mod text_enum;
pub mod working_days;
