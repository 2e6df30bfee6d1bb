//! All integration tests: one binary, so that they link once.

mod support;

mod catalogue;
mod embedded;
mod imports;
mod kernel;
mod notifications;
mod storage_contract;
mod websites;
