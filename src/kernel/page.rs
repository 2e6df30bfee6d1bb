//! Keyset pages: opaque cursors bound to filter and sort. Never OFFSET.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::ApiError;
use crate::error_codes as codes;

/// `limit` of a list: 1 to 100, 20 when absent.
#[derive(Clone, Copy, Debug)]
pub struct Limit(i64);

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(limit @ 1..=100) => Ok(Self(limit)),
            _ => Err(serde::de::Error::custom("must be a number from 1 to 100")),
        }
    }
}

impl Limit {
    /// How many rows to ask for: one more than shown tells whether there is another page.
    pub fn rows_to_read(self) -> i64 {
        self.0 + 1
    }

    /// How many rows to show.
    pub fn rows(self) -> usize {
        usize::try_from(self.0).unwrap_or_default()
    }
}

/// A place in a list sorted by a time and an id.
///
/// Statements compare it as `time <= at AND (time < at OR id < id)`: only the first part is a bound for an index. With
/// `time < at OR (time = at AND id < id)` PostgreSQL would read all rows before the page, and later pages would be slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Sort time of the last row shown.
    pub at: DateTime<Utc>,
    /// Id of the last row shown.
    pub id: Uuid,
}

/// One page, ready to become a `…Page` body.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// Cuts the extra row that [`Limit::rows_to_read`] asked for and makes the cursor. `binding` names list, filter and
    /// sort: a cursor is refused by any other.
    pub fn cut(mut rows: Vec<T>, limit: Limit, binding: &str, position: impl Fn(&T) -> Position) -> Self {
        let has_more = rows.len() as i64 > limit.0;
        rows.truncate(limit.0 as usize);
        let next_cursor = match rows.last() {
            Some(last) if has_more => Some(encode(position(last), binding)),
            _ => None,
        };
        Self { items: rows, next_cursor, has_more }
    }

    /// The same page with each row turned into something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            next_cursor: self.next_cursor,
            has_more: self.has_more,
        }
    }
}

fn tag(binding: &str) -> [u8; 6] {
    let hash = Sha256::digest(binding.as_bytes());
    [hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]]
}

fn encode(position: Position, binding: &str) -> String {
    let mut bytes = Vec::with_capacity(30);
    bytes.extend(tag(binding));
    bytes.extend(position.at.timestamp_micros().to_be_bytes());
    bytes.extend(position.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor that [`Page::cut`] made for the same binding.
///
/// # Errors
/// 400 `invalid_cursor` for anything else.
pub fn decode(cursor: Option<&str>, binding: &str) -> Result<Option<Position>, ApiError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (head, rest) = bytes.split_at_checked(6)?;
        let (time, id) = rest.split_at_checked(8)?;
        if head != tag(binding) {
            return None;
        }
        let at = DateTime::from_timestamp_micros(i64::from_be_bytes(time.try_into().ok()?))?;
        Some(Position { at, id: Uuid::from_slice(id).ok()? })
    };
    read().map(Some).ok_or_else(|| ApiError::new(&codes::INVALID_CURSOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_filter() {
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let position = Position { at, id: Uuid::now_v7() };
        let cursor = encode(position, "filings?status=draft");
        assert_eq!(decode(Some(&cursor), "filings?status=draft").unwrap(), Some(position));
        assert!(decode(Some(&cursor), "filings?status=expired").is_err());
        assert!(decode(Some("nonsense"), "x").is_err());
        assert!(decode(Some(""), "x").is_err());
        assert_eq!(decode(None, "x").unwrap(), None);
    }
}
