//! Filings: requests to change what is filed.

pub mod diff;
pub mod kinds;
pub mod requirements;
pub mod rules;

#[cfg(test)]
pub(crate) mod sample;
