//! All integration tests: one binary, so that they link once.

mod support;

mod accounts;
mod attachments;
mod auth;
mod authorization;
mod backdrop;
mod bureau;
mod catalogue;
mod document;
mod embedded;
mod examples;
mod filings;
mod imports;
mod kernel;
mod me;
mod notifications;
mod photo_reviews;
mod oversight;
mod photo_verifications;
mod reviews;
mod shortcuts;
mod storage_contract;
mod users;
mod websites;
