//! Does a changed document break clients of a released one? The rules in words: `docs/compatibility.md`.
//!
//! A client sends requests and reads replies, so the same change can break on one side and be harmless on the other: a new
//! mandatory field breaks who sends, a vanished one who reads. Webhooks are what a partner reads.

mod operations;
mod schemas;
mod shape;

use std::fmt;

use serde_json::Value;

/// One change that can break a client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Break {
    /// Where: the operation or the webhook, and the place within.
    pub place: String,
    /// What a client cannot do or rely on any more.
    pub fault: String,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)
    }
}

/// Everything in `current` that can break a client made for `released`, in the order of the released document.
pub fn breaks(released: &Value, current: &Value) -> Vec<Break> {
    let mut comparison = operations::Comparison::new(released, current);
    comparison.run();
    comparison.into_breaks()
}
