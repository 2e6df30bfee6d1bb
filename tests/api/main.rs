//! All integration tests: one binary, so that they link once.

mod support;

mod catalogue;
mod accounts;
mod auth;
mod authorization;
mod document;
mod embedded;
mod imports;
mod filings;
mod kernel;
mod me;
mod oversight;
mod notifications;
mod storage_contract;
mod websites;
mod users;
