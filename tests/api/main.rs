//! All integration tests: one binary, so that they link once.

mod support;

mod accounts;
mod auth;
mod authorization;
mod bad_input;
mod crash;
mod diagram;
mod document;
mod embedded;
mod filings;
mod kernel;
mod me;
mod migrations;
mod oversight;
mod notifications;
mod schema_drift;
mod storage_contract;
mod users;
mod workflow;
