//! All integration tests: one binary, so that they link once.

mod support;

mod embedded;
mod kernel;
mod notifications;
mod storage_contract;
