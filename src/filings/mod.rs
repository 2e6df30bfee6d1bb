//! Filings: requests to change what is filed.

pub mod workflow;
