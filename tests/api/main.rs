//! All integration tests: one binary, so that they link once.

mod shortcuts;
mod support;

mod accounts;
mod attachments;
mod auth;
mod authorization;
mod bad_input;
mod crash;
mod diagram;
mod catalogue;
mod backdrop;
mod bureau;
mod document;
mod embedded;
mod examples;
mod filings;
mod imports;
mod kernel;
mod me;
mod migrations;
mod oversight;
mod notifications;
mod schema_drift;
mod storage_contract;
mod users;
mod workflow;
mod notifications;
mod oversight;
mod reviews;
mod photo_verifications;
mod reviews;
mod storage_contract;
mod users;
mod websites;
