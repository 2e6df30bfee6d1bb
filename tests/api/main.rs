//! All integration tests: one binary, so that they link once.

mod embedded;
mod storage_contract;
