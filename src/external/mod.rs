//! The outside world.
//!
//! [`storage`] is one concrete S3 client without a trait: tests use a real S3 protocol too.

pub mod scanner;
pub mod storage;
pub mod uploads;
