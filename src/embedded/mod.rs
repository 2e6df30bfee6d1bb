//! What `cargo run` starts when nothing is configured: a PostgreSQL of this machine as a child
//! process, and a small S3 server as a thread. Loopback and unix socket only.
//!
//! * [`data_dir`]: the folder that one process at a time may hold, with the keys made for it;
//! * [`postgres`]: the database; durable like any other, fit for real data on one machine;
//! * [`s3`]: the object store; for development only.

pub mod data_dir;
pub mod postgres;
pub mod s3;
