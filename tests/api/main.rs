//! All integration tests: one binary, so that they link once.

mod shortcuts;
mod support;

mod accounts;
mod auth;
mod authorization;
mod backdrop;
mod bureau;
mod document;
mod embedded;
mod filings;
mod kernel;
mod me;
mod notifications;
mod oversight;
mod storage_contract;
mod users;
