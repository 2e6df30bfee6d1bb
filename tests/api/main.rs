//! All integration tests: one binary, so that they link once.

mod shortcuts;
mod support;

mod catalogue;
mod accounts;
mod attachments;
mod auth;
mod authorization;
mod backdrop;
mod bureau;
mod document;
mod embedded;
mod imports;
mod filings;
mod kernel;
mod me;
mod notifications;
mod oversight;
mod reviews;
mod photo_verifications;
mod storage_contract;
mod websites;
mod users;
