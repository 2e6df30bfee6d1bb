//! Beian: the open back end for China's ICP filing (备案). A table of contents, in reading order.

pub mod config;
pub mod telemetry;

pub mod embedded;
pub mod external;
pub mod supervisor;
