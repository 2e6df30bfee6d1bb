//! Beian: the open back end for China's ICP filing (备案). A table of contents, in reading order.

pub mod routes;
pub mod openapi;
pub mod app;
pub mod config;
pub mod error;
pub mod error_codes;
pub mod schema;
pub mod telemetry;

pub mod kernel;
pub mod external;

pub mod audit;
pub mod auth;
pub mod health;
pub mod catalogue;
pub mod websites;
pub mod filings;
pub mod notifications;
