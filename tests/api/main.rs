//! All integration tests: one binary, so that they link once.

mod support;

mod accounts;
mod auth;
mod authorization;
mod document;
mod embedded;
mod filings;
mod kernel;
mod me;
mod oversight;
mod notifications;
mod photo_reviews;
mod reviews;
mod storage_contract;
mod users;
