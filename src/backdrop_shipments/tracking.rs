//! What the courier company reports by a machine: asked for in a job, or told by the company itself. It takes the same way as
//! what logistics enters by hand, with the system as the actor.

use actix_web::{HttpResponse, http::header, post, web};
use chrono::{DateTime, Duration, SubsecRound, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::model::{self, Changes, NewTrackingEvent, Shipment};
use super::rules::{self, Hand, Step};
use super::{ShipmentState, TrackerStatus};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::catalogue::data;
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::external::carrier::{Parcel, Report, ReportedEvent, TrackingError};
use crate::filings::{self, Filing};
use crate::kernel::ids::ShipmentId;
use crate::kernel::jobs::{self, NewJob, Registry};
use crate::schema::backdrop_shipments as shipments;

/// Where the company tells by itself.
const CALLBACK: &str = "/v1/carrier-callbacks/kuaidi100";
/// Largest call of the company, in bytes.
const MAX_PUSH: usize = 256 * 1024;
/// A parcel is asked about when nothing was heard of it for so long.
fn patience() -> Duration {
    Duration::hours(6)
}
/// Parcels of one round: the company wants to be asked slowly.
const MAX_QUERIES: i64 = 50;

/// Registers this feature's jobs.
pub fn register(registry: &mut Registry, app: &App) {
    let own = app.clone();
    registry.on("backdrop.subscribe", move |payload| subscribe(own.clone(), payload));
    let own = app.clone();
    registry.every("backdrop.track", Duration::hours(1), move |_| ask(own.clone()));
}

/// Has the company tell about a shipped parcel, in the transaction that shipped it or corrected its number.
///
/// # Errors
/// When the database fails.
pub fn enqueue(conn: &mut PgConnection, now: DateTime<Utc>, shipment: &Shipment) -> QueryResult<()> {
    let job = NewJob::new("backdrop.subscribe", json!({ "shipment_id": shipment.id }));
    jobs::enqueue(conn, now, job.once(format!("backdrop.subscribe/{}/{}", shipment.id, shipment.version)))
}

/// What the courier company needs to know; none before it is shipped.
pub(super) fn parcel(shipment: &Shipment) -> Option<Parcel> {
    let phone: Vec<char> = shipment.phone.expose().chars().filter(char::is_ascii_digit).collect();
    Some(Parcel {
        carrier_code: shipment.carrier_code.clone()?,
        tracking_number: shipment.tracking_number.clone()?,
        phone_end: phone[phone.len().saturating_sub(4)..].iter().collect(),
    })
}

async fn subscribe(app: App, payload: Value) -> anyhow::Result<()> {
    let Some(carrier) = &app.carrier else { return Ok(()) };
    let id: ShipmentId = payload["shipment_id"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| anyhow::anyhow!("the job names no shipment"))?;
    let shipment = app.db.run(move |conn| Ok(model::find(conn, id)?)).await?;
    let Some(parcel) = parcel(&shipment).filter(|_| shipment.state == ShipmentState::Shipped) else {
        return Ok(());
    };
    match carrier.subscribe(&parcel, &format!("{}{CALLBACK}", app.public_url)).await {
        Ok(()) => Ok(()),
        Err(TrackingError::Refused(reason)) => {
            alarm(&reason);
            anyhow::bail!("the carrier service refuses the subscription: {reason}")
        }
        Err(error) => Err(error.into()),
    }
}

fn alarm(reason: &str) {
    tracing::error!(reason, "carrier: the service refuses");
    metrics::counter!("beian_carrier_alarms_total").increment(1);
}

/// Asks about parcels of which nothing was heard for a while.
async fn ask(app: App) -> anyhow::Result<()> {
    let Some(carrier) = &app.carrier else { return Ok(()) };
    let now = app.clock.now();
    let silent = app.db.run(move |conn| silent_since(conn, now - patience())).await?;
    for shipment in silent {
        let Some(parcel) = parcel(&shipment) else { continue };
        let report = match carrier.query(&parcel).await {
            Ok(report) => report,
            // Asked again after the same time, so that one parcel does not hold up the others.
            Err(TrackingError::Unknown) => Report { state: String::new(), events: Vec::new() },
            Err(TrackingError::Refused(reason)) => {
                alarm(&reason);
                anyhow::bail!("the carrier service refuses: {reason}");
            }
            Err(error) => return Err(error.into()),
        };
        let now = app.clock.now();
        app.db.transaction(move |conn| apply(conn, now, shipment.id, &parcel, &report)).await?;
    }
    app.waker.wake();
    Ok(())
}

fn silent_since(conn: &mut PgConnection, before: DateTime<Utc>) -> ApiResult<Vec<Shipment>> {
    let is_silent = shipments::tracked_at.is_null().or(shipments::tracked_at.assume_not_null().lt(before));
    Ok(shipments::table
        .filter(shipments::state.eq(ShipmentState::Shipped))
        .filter(shipments::shipped_at.assume_not_null().lt(before))
        .filter(is_silent)
        .order((shipments::tracked_at.asc().nulls_first(), shipments::id))
        .limit(MAX_QUERIES)
        .select(Shipment::as_select())
        .load(conn)?)
}

/// Records a report. What is known already changes nothing; a delivery or a return moves the shipment as a person would.
///
/// # Errors
/// When the database fails.
pub fn apply(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: ShipmentId,
    parcel: &Parcel,
    report: &Report,
) -> ApiResult<()> {
    let (filing, shipment) = model::lock(conn, id)?;
    let is_same = shipment.carrier_code.as_ref() == Some(&parcel.carrier_code)
        && shipment.tracking_number.as_deref() == Some(parcel.tracking_number.as_str());
    if !is_same || !rules::is_allowed(Step::AddTrackingEvent, shipment.state, Hand::Logistics, None, now) {
        return Ok(());
    }
    diesel::update(shipments::table.find(id)).set(shipments::tracked_at.eq(now)).execute(conn)?;
    let state = data::tracking_of(&report.state).and_then(|name| name.parse::<TrackerStatus>().ok());
    let latest = report.events.iter().max_by_key(|event| event.at);
    // Reports overtake each other: an older one does not turn the tracker back. The end of the journey counts whenever it comes.
    let newest_known = model::events(conn, &[id])?.last().map(|event| event.at);
    let is_current = latest.is_none_or(|latest| newest_known.is_none_or(|newest| latest.at >= newest));
    let is_end = |state: &TrackerStatus| matches!(state, TrackerStatus::Delivered | TrackerStatus::Returned);
    let state = state.filter(|state| is_current || is_end(state));
    let mut is_new = false;
    for event in &report.events {
        let is_latest = latest.is_some_and(|latest| latest == event);
        is_new |=
            add(conn, now, id, event, state.filter(|_| is_latest), is_latest.then_some(&*report.state))?;
    }
    let is_moving = shipment.state == ShipmentState::Shipped;
    let ends = match state {
        Some(TrackerStatus::Delivered) if is_moving => Some(("backdrop.delivered", ShipmentState::Delivered)),
        Some(TrackerStatus::Returned) if is_moving => Some(("backdrop.returned", ShipmentState::Returned)),
        _ => None,
    };
    let tracker_status = state.filter(|_| is_moving);
    if ends.is_none() && !is_new && (tracker_status.is_none() || tracker_status == shipment.tracker_status) {
        return Ok(());
    }
    let mut changes = Changes { tracker_status, ..Changes::default() };
    if let Some((_, state)) = ends {
        changes.state = Some(state);
        if state == ShipmentState::Delivered {
            changes.delivered_at = Some(now);
        } else {
            changes.closed_at = Some(now);
            // Nobody has said whose fault it is: as when logistics does not say.
            let event =
                ReportedEvent {
                    at: now.trunc_subsecs(6), place: None, text: "快递公司报告退回".to_owned()
                };
            add(conn, now, id, &event, Some(TrackerStatus::Returned), Some(model::return_code(false)))?;
        }
    }
    model::update(conn, now, id, changes)?;
    record(conn, now, &filing, id, ends.map(|(event, _)| event))
}

/// Adds an event unless it is known. The company repeats everything in each report, whatever it calls the state by then.
fn add(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: ShipmentId,
    event: &ReportedEvent,
    status: Option<TrackerStatus>,
    raw_code: Option<&str>,
) -> QueryResult<bool> {
    if model::has_event(conn, id, event.at, &event.text)? {
        return Ok(false);
    }
    let new = NewTrackingEvent {
        at: event.at,
        status: status.unwrap_or(TrackerStatus::InTransit),
        place: event.place.as_deref(),
        text: &event.text,
        raw_code,
        recorded_by: None,
    };
    model::add_event(conn, now, id, &new)
}

fn record(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    filing: &Filing,
    id: ShipmentId,
    event: Option<&'static str>,
) -> ApiResult<()> {
    let actor = Actor::system();
    let filing = filings::touch(conn, now, filing.id)?;
    if let Some(event) = event {
        filings::record_event(conn, now, &actor, &filing, event, json!({ "shipment_id": id }))?;
    }
    let deed = Deed::new(event.unwrap_or("backdrop.tracked"), "backdrop_shipment", id.0)
        .account(filing.account_id)
        .filing(filing.id);
    Ok(audit::record(conn, now, &actor, deed)?)
}

/// The form that Kuaidi100 sends.
#[derive(ToSchema)]
#[schema(example = json!({ "sign": "1EB6D1B8C6E4E4B0B6C0E1F1D2A3B4C5", "param": "{\"status\":\"polling\"}" }))]
#[allow(
    dead_code,
    reason = "the handler reads the form by hand: a wrong one is refused like a wrong signature"
)]
pub struct CarrierPush {
    /// Upper-case MD5 of `param` and the salt.
    #[schema(max_length = 64)]
    sign: String,
    /// What happened to a parcel, as JSON.
    param: String,
}

/// What the carrier service tells
///
/// Kuaidi100 alone: a form with `param` (JSON) and `sign`, the upper-case MD5 of `param` and the salt that was agreed at the
/// subscription. A number that nobody waits for changes nothing. 404 while no key is set.
#[utoipa::path(operation_id = "receiveCarrierPush", tag = "backdrop shipments",
    request_body(content = CarrierPush, content_type = "application/x-www-form-urlencoded", description = "`sign` and `param`."),
    responses(
        (status = 200, description = "Received.", body = String, content_type = "application/json"),
        (status = 403, description = "`forbidden`: the signature is wrong."),
        (status = 404, description = "`not_found`: no tracking service is configured."),
        (status = 413, description = "`body_too_large`"),
    ))]
#[post("/v1/carrier-callbacks/kuaidi100")]
pub async fn receive_carrier_push(app: web::Data<App>, payload: web::Payload) -> ApiResult<HttpResponse> {
    let Some(carrier) = &app.carrier else { return Err(ApiError::not_found()) };
    let body = match payload.to_bytes_limited(MAX_PUSH).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(ApiError::new(&codes::FORBIDDEN)),
        Err(_) => return Err(ApiError::new(&codes::BODY_TOO_LARGE)),
    };
    let field = |name: &str| {
        let mut pairs = form_urlencoded::parse(&body);
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let Some((parcel, report)) = carrier.read_push(&field("sign"), &field("param")) else {
        return Err(ApiError::new(&codes::FORBIDDEN));
    };
    let now = app.clock.now();
    let number = parcel.tracking_number.clone();
    let known = app
        .db
        .run(move |conn| {
            Ok(shipments::table
                .filter(shipments::tracking_number.eq(number))
                .select(shipments::id)
                .load::<ShipmentId>(conn)?)
        })
        .await?;
    for id in known {
        let (parcel, report) = (parcel.clone(), report.clone());
        app.db.transaction(move |conn| apply(conn, now, id, &parcel, &report)).await?;
    }
    app.waker.wake();
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body("{\"result\":true,\"returnCode\":\"200\",\"message\":\"成功\"}"))
}
