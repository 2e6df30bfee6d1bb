//! Imports of filed data: what a bureau has filed elsewhere comes into this system, by the admin or a partner.
//!
//! All or nothing: `check` names every fault of every row (pure), `store` those that only the database knows, and nothing
//! is written while one is left. A website whose subject has a live filing is refused: the filing's base must not move.

mod api;
mod body;
mod check;
mod store;

pub use api::routes;
