//! The home page of an owner: websites, live filings and what to do next. Reads only; the data belong to other features.

mod api;

pub use api::routes;
