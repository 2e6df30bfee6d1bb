//! The one address of the streams.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, get, web};
use futures_util::stream;

use super::frames;
use super::hub::{News, Place};
use super::watch;
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::error::{ApiError, ApiResult, FieldError, Place as FaultPlace};
use crate::error_codes as codes;
use crate::filings;
use crate::kernel::i18n::{Bilingual, Locale};
use crate::kernel::ids::{EventId, FilingId};
use crate::kernel::json::Path;

/// A silent stream says something after so long.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Follow a filing, as server-sent events
///
/// Owners, for a page that is open; programs that watch many filings better take webhooks. The stream begins with
/// `stream.opened` and its position. Then each event of the timeline comes as it happens, within about a second: `id` is the
/// event's, `event` its type, `data` the object of `listFilingEvents`. After a break send the last `id` in `Last-Event-ID`: what
/// was missed comes first. A comment comes every 15 seconds. The server ends a stream with `stream.end` and a `reason`:
/// `token_expired`, `unauthenticated` (logged out, disabled, a right taken back), `shutdown`, `unavailable`. A caller may have 20
/// streams in a process. Browsers' `EventSource` cannot send a token: use `fetch`.
#[utoipa::path(operation_id = "streamFilingEvents", tag = "filings",
    params(
        ("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001"),
        ("Last-Event-ID" = Option<String>, Header, nullable = false, description = "The `id` that you saw last."),
    ),
    responses(
        (status = 200, description = "Events, until somebody ends it.", body = String, content_type = "text/event-stream",
            example = "id: 0193a000-0000-7000-8000-00000000e001\nevent: filing.submitted\ndata: {\"id\":\"0193a000-0000-7000-8000-00000000e001\",\"type\":\"filing.submitted\"}\n\n"),
        (status = 400, description = "`invalid_header`: `Last-Event-ID` is no event of this filing."),
        (status = 503, description = "`unavailable`: also when the process has 500 streams, or stops."),
    ))]
#[get("/v1/filings/{id}/stream")]
pub async fn stream_filing_events(
    req: HttpRequest,
    app: web::Data<App>,
    caller: Allowed<op::StreamFilingEvents>,
    id: Path<FilingId>,
) -> ApiResult<HttpResponse> {
    let expires_at = caller.token_expires_at;
    let (id, caller) = (id.0, caller.caller);
    let last = last_event_id(&req)?;
    let owner = caller.clone();
    let (version, news) = app
        .db
        .run(move |conn| {
            let filing = filings::owned(conn, &owner, id)?;
            Ok((filing.version, watch::news(conn, id)?))
        })
        .await?;
    let count = news.events.len();
    let position = match last {
        None => count,
        Some(last) => 1 + news.events.iter().position(|event| event.id == last).ok_or_else(unknown_event)?,
    };
    // The seat is taken after the look, and what happened in between is found by the next one: it knows how many were seen.
    let place = app.streams.take(&caller, expires_at, id, count as i64)?;
    watch::ensure(&app);
    let after = position.checked_sub(1).map(|last| news.events[last].id);
    let sent = news.events[..position].iter().map(|event| event.id).collect();
    let mut telling = Telling { place, locale: caller.locale, sent, ready: VecDeque::new(), is_ended: false };
    telling.ready.push_back(frames::opened(id, version, after));
    telling.take_in(&news);
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // Compressing would hold events back until a block is full; so would a proxy that buffers.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream::unfold(telling, |mut telling| async move {
            telling.next().await.map(|bytes| (Ok::<Bytes, Infallible>(bytes), telling))
        })))
}

/// What the client saw last, if it says so.
fn last_event_id(req: &HttpRequest) -> ApiResult<Option<EventId>> {
    let Some(value) = req.headers().get("Last-Event-ID") else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    id.map(Some).ok_or_else(unknown_event)
}

fn unknown_event() -> ApiError {
    ApiError::new(&codes::INVALID_HEADER).errors(vec![FieldError::new(
        FaultPlace::Header("Last-Event-ID".to_owned()),
        "not_found",
        Bilingual::new("不是该订单的事件编号", "is not the id of an event of this filing"),
    )])
}

/// A stream's own state.
struct Telling {
    place: Place,
    locale: Locale,
    /// Events are told once, whatever their order of commit was.
    sent: HashSet<EventId>,
    ready: VecDeque<Bytes>,
    is_ended: bool,
}

impl Telling {
    fn take_in(&mut self, news: &News) {
        for event in &news.events {
            if self.sent.insert(event.id) {
                let reference = news.external_reference.clone();
                let event = event.clone().body(&news.order_no, reference, self.locale);
                self.ready.push_back(frames::event(&event));
            }
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            if self.is_ended {
                return None;
            }
            match tokio::time::timeout(HEARTBEAT, self.place.news.recv()).await {
                Ok(Some(news)) => self.take_in(&news),
                Ok(None) => {
                    self.is_ended = true;
                    return Some(frames::ended(self.place.end()));
                }
                Err(_) => return Some(frames::heartbeat()),
            }
        }
    }
}
