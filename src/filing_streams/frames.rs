//! The bytes of a stream. Pure.

use std::time::Duration;

use actix_web::web::Bytes;
use serde_json::{Value, json};

use crate::filings::body::FilingEvent;
use crate::kernel::ids::{EventId, FilingId};

/// When a client may connect again after a break.
const RETRY: Duration = Duration::from_secs(3);

/// Why a stream ends. Clients read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The access token has expired.
    TokenExpired,
    /// Logged out, disabled, paused, or a right was taken back.
    NotAllowed,
    /// The server stops.
    Shutdown,
    /// The database is away.
    Unavailable,
}

impl End {
    /// The word that is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenExpired => "token_expired",
            Self::NotAllowed => "unauthenticated",
            Self::Shutdown => "shutdown",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A message. Ids, types and compact JSON have no line ends, so each of its fields is one line.
fn message(id: Option<EventId>, event: &str, data: &Value, retry: Option<Duration>) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let retry = retry.map(|retry| format!("retry: {}\n", retry.as_millis())).unwrap_or_default();
    format!("{id}event: {event}\n{retry}data: {data}\n\n").into()
}

/// The first thing in a stream: from where on it tells.
pub fn opened(filing: FilingId, version: i32, after: Option<EventId>) -> Bytes {
    message(after, "stream.opened", &json!({ "filing_id": filing, "version": version }), Some(RETRY))
}

/// An event of the filing.
pub fn event(event: &FilingEvent) -> Bytes {
    message(Some(event.id), &event.r#type, &json!(event), None)
}

/// The last thing in a stream that the server ends. It has no id, so that a client goes on where it was.
pub fn ended(end: End) -> Bytes {
    message(None, "stream.end", &json!({ "reason": end.as_str() }), None)
}

/// Keeps proxies from closing a silent connection, and finds out that the client has gone.
pub fn heartbeat() -> Bytes {
    Bytes::from_static(b": heartbeat\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_form_of_the_standard() {
        let (filing, id) = (FilingId(uuid::Uuid::nil()), EventId(uuid::Uuid::nil()));
        let nil = "00000000-0000-0000-0000-000000000000";
        assert_eq!(
            opened(filing, 3, Some(id)),
            format!(
                "id: {nil}\nevent: stream.opened\nretry: 3000\ndata: {{\"filing_id\":\"{nil}\",\"version\":3}}\n\n"
            )
        );
        assert_eq!(ended(End::TokenExpired), "event: stream.end\ndata: {\"reason\":\"token_expired\"}\n\n");
        assert_eq!(heartbeat(), ": heartbeat\n\n");
    }
}
