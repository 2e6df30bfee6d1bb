//! 备案订单: one request to change filed data, from the draft to the bureau's decision.
//!
//! `workflow` is the whole state machine, pure. `act` alone changes a status; other features' handlers and jobs enter
//! through [`lock`] and [`act`]. `access` says who may see what. `rules`, `diff`, `requirements` and `kinds` are pure.

mod access;
mod act;
mod api;
mod around;
pub mod body;
pub mod check;
pub mod diff;
mod events;
pub mod jobs;
pub mod kinds;
pub mod model;
mod next_actions;
pub mod notes;
pub mod prompts;
pub mod rejections;
pub mod requirements;
pub mod rules;
mod submission;
pub mod workflow;

#[cfg(test)]
pub(crate) mod sample;

pub use access::{ensure_separate, may_open_files, owned, visible};
pub use act::{Ctx, Input, act, deadline, ensure_allowed, facts, lock, touch};
pub use api::{CheckResult, NewFiling, routes, start_edited, start_website_change};
pub use events::{last_at as last_event_at, record as record_event};
pub use model::{Filing, overdue};
pub use submission::Acceptance;
pub use workflow::{Action, Side, Status};
