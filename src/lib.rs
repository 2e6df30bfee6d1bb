//! Beian: the open back end for China's ICP filing (备案). A table of contents, in reading order.

pub mod filings;
pub mod kernel;
pub mod schema;
pub mod websites;
