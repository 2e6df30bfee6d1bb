//! All integration tests: one binary, so that they link once.

mod support;

mod accounts;
mod attachments;
mod auth;
mod authorization;
mod backdrop;
mod bad_input;
mod bureau;
mod bureau_miit;
mod carrier;
mod catalogue;
mod crash;
mod diagram;
mod document;
mod embedded;
mod examples;
mod filings;
mod imports;
mod kernel;
mod me;
mod migrations;
mod notifications;
mod oversight;
mod photo_reviews;
mod photo_verifications;
mod reviews;
mod schema_drift;
mod shortcuts;
mod storage_contract;
mod users;
mod walk_through;
mod websites;
mod workflow;
