//! Beian: the open back end for China's ICP filing (备案). A table of contents, in reading order.

// The way in: addresses, document, assembly, errors.
pub mod app;
pub mod config;
pub mod error;
pub mod error_codes;
pub mod openapi;
pub mod routes;
pub mod schema;
pub mod telemetry;

// What features stand on.
pub mod embedded;
pub mod external;
pub mod kernel;
pub mod supervisor;

// People.
pub mod accounts;
pub mod api_clients;
pub mod audit;
pub mod auth;
pub mod oversight;
pub mod users;

// The work.
pub mod attachments;
pub mod backdrop_shipments;
pub mod bureau_submissions;
pub mod catalogue;
pub mod filing_batches;
pub mod filing_streams;
pub mod filings;
pub mod health;
pub mod imports;
pub mod notifications;
pub mod overview;
pub mod photo_verifications;
pub mod reference;
pub mod reviews;
pub mod webhooks;
pub mod websites;

// For trying out.
pub mod demo;
pub mod sandbox;
