//! All integration tests: one binary, so that they link once.

mod shortcuts;
mod support;

mod backdrop;
mod bureau;
mod embedded;
mod kernel;
mod notifications;
mod storage_contract;
