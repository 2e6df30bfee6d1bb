//! The outside world.
//!
//! [`http`] is the client that calls to other systems share. [`email`] and [`sms`] are traits with real clients and a
//! stand-in for embedded mode that a person can read.
//! [`bureau`] is a trait with a gateway without a machine, a simulated bureau and the ministry's interface.
//! [`carrier`] is a trait with a client for Kuaidi100.
//! [`scanner`] is a trait with a client for ClamAV and one that finds nothing. [`uploads`] looks at files that clients bring.
//! [`web`] calls receivers of webhooks, at public addresses only.
//! [`storage`] is one concrete S3 client without a trait: tests use a real S3 protocol too.

pub mod bureau;
pub mod carrier;
mod delivery;
pub mod email;
pub mod http;
pub mod scanner;
pub mod sms;
pub mod storage;
pub mod uploads;
pub mod web;

pub use delivery::DeliveryError;
