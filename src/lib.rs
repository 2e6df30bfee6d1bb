//! Beian: the open back end for China's ICP filing (备案). A table of contents, in reading order.

// The way in: addresses, document, assembly, errors.
pub mod routes;
pub mod openapi;
pub mod app;
pub mod error;
pub mod error_codes;
pub mod config;
pub mod telemetry;
pub mod schema;

// What features stand on.
pub mod kernel;
pub mod external;
pub mod embedded;
pub mod supervisor;

// People.
pub mod auth;
pub mod users;
pub mod accounts;
pub mod audit;
pub mod oversight;

// The work.
pub mod catalogue;
pub mod websites;
pub mod overview;
pub mod imports;
pub mod filings;
pub mod attachments;
pub mod reviews;
pub mod photo_verifications;
pub mod backdrop_shipments;
pub mod bureau_submissions;
pub mod notifications;
pub mod health;

// For trying out.
pub mod demo;
