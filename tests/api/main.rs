//! All integration tests: one binary, so that they link once.

mod support;

mod catalogue;
mod accounts;
mod attachments;
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
mod reviews;
mod photo_verifications;
mod storage_contract;
mod websites;
mod users;
