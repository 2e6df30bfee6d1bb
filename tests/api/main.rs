//! All integration tests: one binary, so that they link once.

mod support;

mod catalogue;
mod accounts;
mod auth;
mod embedded;
mod imports;
mod kernel;
mod me;
mod oversight;
mod notifications;
mod storage_contract;
mod websites;
mod users;
