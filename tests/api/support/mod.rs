//! What tests stand on: a real PostgreSQL and a real S3 for the whole run, a database and a bucket for each test, a server
//! on a free port, a clock and a worker that are stepped.

mod app;
mod client;
mod cluster;
mod documented;
pub mod files;
pub mod http_server;
pub mod kuaidi;
mod listener;
pub mod make;
pub mod miit;
pub mod office;
pub mod restartable_server;
pub mod smtp;

pub use app::TestApp;
pub use client::{Client, Response};
pub use cluster::{START, cluster, secrets};
