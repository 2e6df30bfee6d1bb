//! The outside world.
//!
//! [`http`] is the client that calls to other systems share. [`email`] and [`sms`] are traits with real clients and a stand-in for embedded mode that a person can read.
//! [`bureau`] is a trait with a gateway without a machine and a simulated bureau.
//! [`scanner`] is a trait with a client for ClamAV and one that finds nothing. [`uploads`] looks at files that clients bring.
//! [`web`] calls receivers of webhooks, at public addresses only.
//! [`storage`] is one concrete S3 client without a trait: tests use a real S3 protocol too.

pub mod bureau;
mod delivery;
pub mod email;
pub mod http;
pub mod scanner;
pub mod sms;
pub mod storage;
pub mod uploads;
pub mod web;

pub use delivery::DeliveryError;
