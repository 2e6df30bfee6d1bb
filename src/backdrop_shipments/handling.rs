//! What logistics does: the queue, the label, pack, ship, follow, close.

use actix_web::{get, post, web};
use chrono::{DateTime, Duration, SubsecRound, Utc};
use diesel::PgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::api::{self, BackdropShipmentPage};
use super::body::ShipmentBody;
use super::model::{self, Changes, Filter, NewTrackingEvent, Shipment};
use super::rules::{Hand, Step};
use super::steps::{self, Asked};
use super::{ReturnFault, ShipmentState, TrackerStatus, tracking};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::catalogue::{self, data, regions::Regions};
use crate::error::{ApiError, ApiResult, members};
use crate::error_codes as codes;
use crate::filings;
use crate::kernel::clock::shanghai_date;
use crate::kernel::etag::IfMatch;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{ShipmentId, UserId};
use crate::kernel::json::{self, CommaList, Json, Path, Query};
use crate::kernel::page::Limit;
use crate::kernel::reply::Reply;
use crate::kernel::search;

/// How far a carrier's clock may be ahead of ours.
fn clock_difference() -> Duration {
    Duration::minutes(5)
}

/// Which shipments.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BackdropShipmentQuery {
    /// States, separated by commas.
    #[param(value_type = Option<String>, example = "requested,packed")]
    state: Option<CommaList<ShipmentState>>,
    /// Provinces of the address, separated by commas.
    #[param(value_type = Option<String>)]
    province_code: Option<CommaList<String>>,
    /// Ordered after this time.
    requested_after: Option<DateTime<Utc>>,
    /// Ordered before this time.
    requested_before: Option<DateTime<Utc>>,
    /// Beginning of the order number, or a whole tracking number.
    #[param(max_length = 50)]
    q: Option<String>,
    /// Rows of a page.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What is printed on the parcel: the only place where the address stands in clear.
#[derive(Serialize, ToSchema)]
pub struct ShippingLabel {
    /// The shipment.
    shipment_id: ShipmentId,
    /// 备案订单号, as the parcel's reference.
    #[schema(example = "BA-2026-000123")]
    order_no: String,
    /// Who takes it.
    #[schema(example = "张三")]
    recipient_name: String,
    /// Phone of the recipient.
    #[schema(example = "13800138000")]
    phone: String,
    /// Names of province, city and district.
    #[schema(example = "北京市 朝阳区")]
    region: String,
    /// Street, house and room.
    #[schema(example = "建国路 88 号 1 号楼 101 室")]
    street_address: String,
    /// Postcode.
    postcode: Option<String>,
}

/// Which courier took the parcel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "carrier_code": "shunfeng", "tracking_number": "SF1234567890123" }))]
pub struct Handover {
    /// Code of the courier company, see `/v1/carriers`.
    #[schema(max_length = 50)]
    pub(super) carrier_code: String,
    /// Number of the parcel.
    #[schema(pattern = "^[0-9A-Za-z-]{6,40}$", max_length = 40)]
    pub(super) tracking_number: String,
}

/// Something that the courier reported.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "at": "2026-03-01T08:30:00Z", "status": "in_transit", "place": "北京朝阳集散中心", "text": "快件已到达【北京朝阳集散中心】", "raw_code": "0"
}))]
pub struct NewTracking {
    /// When it happened.
    at: DateTime<Utc>,
    /// What it means; null: taken from `raw_code`.
    status: Option<TrackerStatus>,
    /// Where.
    #[schema(max_length = 100)]
    place: Option<String>,
    /// The courier's own words.
    #[schema(min_length = 1, max_length = 500)]
    text: String,
    /// The carrier's own code (Kuaidi100's list).
    #[schema(max_length = 20)]
    raw_code: Option<String>,
}

/// Why a parcel came back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "收件人电话无法接通", "fault": "recipient" }))]
pub struct ParcelReturn {
    /// In words; the applicant sees it.
    #[schema(min_length = 1, max_length = 300)]
    reason: String,
    /// Who is to blame: after the provider's fault the next backdrop is free. Taken as the recipient's when absent.
    fault: Option<ReturnFault>,
}

/// What happened to the parcel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "快递公司确认丢件" }))]
pub struct ParcelLoss {
    /// In words; the applicant sees it.
    #[schema(min_length = 1, max_length = 300)]
    reason: String,
}

/// The queue of backdrops
///
/// Logistics; the order that waited longest first. Addresses are masked: see the label.
#[utoipa::path(operation_id = "listBackdropShipments", tag = "backdrop shipments", params(BackdropShipmentQuery),
    responses((status = 200, description = "A page of shipments.", body = BackdropShipmentPage)))]
#[get("/v1/backdrop-shipments")]
pub async fn list_backdrop_shipments(
    app: web::Data<App>,
    caller: Allowed<op::ListBackdropShipments>,
    query: Query<BackdropShipmentQuery>,
) -> ApiResult<Reply> {
    let query = query.0;
    json::at_most(50, "q", query.q.as_deref())?;
    let filter = Filter {
        filing_id: None,
        states: query.state.map(|list| list.0),
        province_codes: query.province_code.map(|list| list.0),
        requested_after: query.requested_after,
        requested_before: query.requested_before,
        q: query.q.as_deref().and_then(search::typed).map(str::to_owned),
    };
    api::page_of(&app, &caller, filter, query.limit, query.cursor).await
}

/// Shipping label
///
/// Logistics, from requested to shipped. Recipient, phone and street in clear; every read is audited.
#[utoipa::path(operation_id = "getShippingLabel", tag = "backdrop shipments",
    params(("id" = ShipmentId, Path, description = "The shipment.", example = "0193a000-0000-7000-8000-000000019001")),
    responses(
        (status = 200, description = "The label.", body = ShippingLabel),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[get("/v1/backdrop-shipments/{id}/label")]
pub async fn get_shipping_label(
    app: web::Data<App>,
    caller: Allowed<op::GetShippingLabel>,
    id: Path<ShipmentId>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, id) = (caller.caller, id.0);
    app.db
        .transaction(move |conn| {
            let (shipment, filing) = steps::visible(conn, &caller, id)?;
            steps::ensure_step(Step::Label, &shipment, Hand::Logistics, now)?;
            let deed = Deed::new("backdrop.label_read", "backdrop_shipment", id.0)
                .account(filing.account_id)
                .filing(filing.id);
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            Reply::ok(&ShippingLabel {
                shipment_id: id,
                order_no: filing.order_no,
                recipient_name: shipment.recipient_name.expose().to_owned(),
                phone: shipment.phone.expose().to_owned(),
                region: Regions::get().path(
                    &shipment.province_code,
                    &shipment.city_code,
                    shipment.district_code.as_deref(),
                ),
                street_address: shipment.street_address.expose().to_owned(),
                postcode: shipment.postcode,
            })
        })
        .await
}

/// Pack a backdrop
///
/// Logistics, requested → packed. From now on the applicant can neither correct the address nor cancel.
#[utoipa::path(operation_id = "packBackdropShipment", tag = "backdrop shipments",
    params(("id" = ShipmentId, Path, description = "The shipment.", example = "0193a000-0000-7000-8000-000000019001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The packed shipment.", body = ShipmentBody),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[post("/v1/backdrop-shipments/{id}/pack")]
pub async fn pack_backdrop_shipment(
    app: web::Data<App>,
    caller: Allowed<op::PackBackdropShipment>,
    id: Path<ShipmentId>,
    idem: Idempotency,
    if_match: IfMatch,
) -> ApiResult<Reply> {
    let id = id.0;
    let asked = Asked { caller: caller.caller, id, step: Step::Pack, event: None, deed: "backdrop.packed" };
    steps::take(&app, idem, if_match, asked, move |conn, now, filing, _| {
        pack(conn, now, filing, id).map(Some)
    })
    .await
}

/// Hand a backdrop to the courier
///
/// Logistics, packed → shipped; carrier and number are mandatory and can be corrected later. When the filing has ended
/// meanwhile, the shipment is cancelled and the answer is 409. Event `backdrop.shipped`.
#[utoipa::path(operation_id = "shipBackdropShipment", tag = "backdrop shipments",
    params(("id" = ShipmentId, Path, description = "The shipment.", example = "0193a000-0000-7000-8000-000000019002"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The shipped shipment.", body = ShipmentBody),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[post("/v1/backdrop-shipments/{id}/ship")]
pub async fn ship_backdrop_shipment(
    app: web::Data<App>,
    caller: Allowed<op::ShipBackdropShipment>,
    id: Path<ShipmentId>,
    idem: Idempotency,
    if_match: IfMatch,
    body: Json<Handover>,
) -> ApiResult<Reply> {
    let (id, handover) = (id.0, body.0);
    let asked = Asked {
        caller: caller.caller,
        id,
        step: Step::Ship,
        event: Some("backdrop.shipped"),
        deed: "backdrop.shipped",
    };
    let outcome = steps::take(&app, idem, if_match, asked, move |conn, now, filing, shipment| {
        ship(conn, now, filing, shipment, handover).map(Some)
    })
    .await;
    if outcome.as_ref().is_err_and(|error| error.code() == &codes::INVALID_TRANSITION) {
        cancel_if_ended(&app, id).await?;
    }
    outcome
}

/// A locked shipment is put into its parcel.
pub(super) fn pack(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    filing: &filings::Filing,
    id: ShipmentId,
) -> ApiResult<Shipment> {
    ensure_live(filing)?;
    let changes = Changes { state: Some(ShipmentState::Packed), packed_at: Some(now), ..Changes::default() };
    Ok(model::update(conn, now, id, changes)?)
}

/// A locked shipment arrives.
pub(super) fn deliver(conn: &mut PgConnection, now: DateTime<Utc>, id: ShipmentId) -> ApiResult<Shipment> {
    let changes = Changes {
        state: Some(ShipmentState::Delivered),
        delivered_at: Some(now),
        tracker_status: Some(TrackerStatus::Delivered),
        ..Changes::default()
    };
    Ok(model::update(conn, now, id, changes)?)
}

/// A locked shipment comes back, as this person found out.
pub(super) fn take_back(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    (id, user): (ShipmentId, UserId),
    reason: &str,
    by_provider: bool,
) -> ApiResult<Shipment> {
    let code = model::return_code(by_provider);
    note(conn, now, id, user, TrackerStatus::Returned, reason, Some(code))?;
    let changes = Changes {
        state: Some(ShipmentState::Returned),
        closed_at: Some(now),
        tracker_status: Some(TrackerStatus::Returned),
        ..Changes::default()
    };
    Ok(model::update(conn, now, id, changes)?)
}

/// A locked shipment is lost, as this person found out.
pub(super) fn lose(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    (id, user): (ShipmentId, UserId),
    reason: &str,
) -> ApiResult<Shipment> {
    note(conn, now, id, user, TrackerStatus::Exception, reason, None)?;
    let changes = Changes {
        state: Some(ShipmentState::Lost),
        closed_at: Some(now),
        tracker_status: Some(TrackerStatus::Exception),
        ..Changes::default()
    };
    Ok(model::update(conn, now, id, changes)?)
}

/// The courier takes a packed shipment, which is locked.
pub(super) fn ship(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    filing: &filings::Filing,
    shipment: &Shipment,
    handover: Handover,
) -> ApiResult<Shipment> {
    ensure_live(filing)?;
    ensure_carrier(conn, now, &handover.carrier_code)?;
    let changes = Changes {
        state: Some(ShipmentState::Shipped),
        shipped_at: Some(now),
        carrier_code: Some(handover.carrier_code),
        tracking_number: Some(handover.tracking_number.to_ascii_uppercase()),
        tracker_status: Some(TrackerStatus::Pending),
        ..Changes::default()
    };
    let shipped = model::update(conn, now, shipment.id, changes)?;
    tracking::enqueue(conn, now, &shipped)?;
    Ok(shipped)
}

fn ensure_live(filing: &filings::Filing) -> ApiResult<()> {
    if filing.status.is_live() {
        return Ok(());
    }
    Err(ApiError::new(&codes::INVALID_TRANSITION)
        .detail("备案订单已结束，幕布邮寄已取消。", "The filing has ended; the shipment is cancelled.")
        .with(&members::CURRENT_STATUS, ShipmentState::Cancelled)
        .with(&members::ALLOWED_ACTIONS, Vec::<Step>::new()))
}

/// The refusal above was rolled back with everything else, so the cancellation needs a transaction of its own.
pub(super) async fn cancel_if_ended(app: &App, id: ShipmentId) -> ApiResult<()> {
    let now = app.clock.now();
    app.db
        .transaction(move |conn| {
            let (filing, shipment) = model::lock(conn, id)?;
            let is_unshipped = matches!(shipment.state, ShipmentState::Requested | ShipmentState::Packed);
            if !filing.status.is_live() && is_unshipped {
                model::cancel_unshipped(conn, now, filing.id)?;
                filings::touch(conn, now, filing.id)?;
            }
            Ok(())
        })
        .await
}

/// 422 for a courier company that the catalogue does not know.
pub(super) fn ensure_carrier(conn: &mut PgConnection, now: DateTime<Utc>, code: &str) -> ApiResult<()> {
    if catalogue::carrier(conn, code, shanghai_date(now))?.is_some() {
        return Ok(());
    }
    Err(ApiError::invalid_field(
        "/carrier_code",
        "not_in_list",
        "没有此快递公司，请查看 /v1/carriers",
        "is not a known carrier, see /v1/carriers",
    ))
}

/// Note what the courier reported
///
/// Logistics, once it is shipped. The same event twice is stored once. The latest event is the tracker's status; the
/// shipment itself moves by `mark-delivered` and `mark-returned` only.
#[utoipa::path(operation_id = "addTrackingEvent", tag = "backdrop shipments",
    params(("id" = ShipmentId, Path, description = "The shipment.", example = "0193a000-0000-7000-8000-000000019003"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The shipment with its events.", body = ShipmentBody),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[post("/v1/backdrop-shipments/{id}/tracking-events")]
pub async fn add_tracking_event(
    app: web::Data<App>,
    caller: Allowed<op::AddTrackingEvent>,
    id: Path<ShipmentId>,
    idem: Idempotency,
    if_match: IfMatch,
    body: Json<NewTracking>,
) -> ApiResult<Reply> {
    let (id, new) = (id.0, body.0);
    let status = status_of(&new)?;
    // The database keeps microseconds; finer ones would make a repeat look new.
    let at = new.at.trunc_subsecs(6);
    if at > app.clock.now() + clock_difference() {
        return Err(ApiError::invalid_field("/at", "out_of_range", "不能晚于当前时间", "is in the future"));
    }
    let user = caller.user_id;
    let asked = Asked {
        caller: caller.caller,
        id,
        step: Step::AddTrackingEvent,
        event: None,
        deed: "backdrop.tracked",
    };
    steps::take(&app, idem, if_match, asked, move |conn, now, _, shipment| {
        let event = NewTrackingEvent {
            at,
            status,
            place: new.place.as_deref(),
            text: new.text.trim(),
            raw_code: new.raw_code.as_deref(),
            recorded_by: Some(user),
        };
        if !model::add_event(conn, now, id, &event)? {
            return Ok(None);
        }
        // Events arrive out of order: the youngest by its own time counts. After the end of the journey nothing moves it.
        let latest = model::events(conn, &[id])?.pop().map(|last| last.status);
        let tracker_status = latest.filter(|_| shipment.state == ShipmentState::Shipped);
        Ok(Some(model::update(conn, now, id, Changes { tracker_status, ..Changes::default() })?))
    })
    .await
}

fn status_of(new: &NewTracking) -> ApiResult<TrackerStatus> {
    let by_code = || new.raw_code.as_deref().and_then(data::tracking_of).and_then(|name| name.parse().ok());
    new.status.or_else(by_code).ok_or_else(|| {
        ApiError::invalid_field(
            "/status",
            "required",
            "raw_code 无法识别时必填",
            "is required unless raw_code is a known one",
        )
    })
}

/// Mark as delivered
///
/// Logistics, shipped → delivered. Event `backdrop.delivered`.
#[utoipa::path(operation_id = "markShipmentDelivered", tag = "backdrop shipments",
    params(("id" = ShipmentId, Path, description = "The shipment.", example = "0193a000-0000-7000-8000-000000019003"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The delivered shipment.", body = ShipmentBody),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[post("/v1/backdrop-shipments/{id}/mark-delivered")]
pub async fn mark_shipment_delivered(
    app: web::Data<App>,
    caller: Allowed<op::MarkShipmentDelivered>,
    id: Path<ShipmentId>,
    idem: Idempotency,
    if_match: IfMatch,
) -> ApiResult<Reply> {
    let id = id.0;
    let asked = Asked {
        caller: caller.caller,
        id,
        step: Step::MarkDelivered,
        event: Some("backdrop.delivered"),
        deed: "backdrop.delivered",
    };
    steps::take(&app, idem, if_match, asked, move |conn, now, _, _| deliver(conn, now, id).map(Some)).await
}

/// Mark as returned
///
/// Logistics, shipped → returned. The reason stands among the tracking events. Another can be ordered then; it is free after
/// the provider's fault. Event `backdrop.returned`.
#[utoipa::path(operation_id = "markShipmentReturned", tag = "backdrop shipments",
    params(("id" = ShipmentId, Path, description = "The shipment.", example = "0193a000-0000-7000-8000-000000019003"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The returned shipment.", body = ShipmentBody),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[post("/v1/backdrop-shipments/{id}/mark-returned")]
pub async fn mark_shipment_returned(
    app: web::Data<App>,
    caller: Allowed<op::MarkShipmentReturned>,
    id: Path<ShipmentId>,
    idem: Idempotency,
    if_match: IfMatch,
    body: Json<ParcelReturn>,
) -> ApiResult<Reply> {
    let (id, body, user) = (id.0, body.0, caller.user_id);
    let asked = Asked {
        caller: caller.caller,
        id,
        step: Step::MarkReturned,
        event: Some("backdrop.returned"),
        deed: "backdrop.returned",
    };
    steps::take(&app, idem, if_match, asked, move |conn, now, _, _| {
        let by_provider = body.fault == Some(ReturnFault::Provider);
        take_back(conn, now, (id, user), &body.reason, by_provider).map(Some)
    })
    .await
}

/// Report as lost
///
/// Logistics, from shipped, or within 30 days from delivered. The next one is free. Event `backdrop.lost`.
#[utoipa::path(operation_id = "reportShipmentLost", tag = "backdrop shipments",
    params(("id" = ShipmentId, Path, description = "The shipment.", example = "0193a000-0000-7000-8000-000000019003"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The lost shipment.", body = ShipmentBody),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[post("/v1/backdrop-shipments/{id}/report-lost")]
pub async fn report_shipment_lost(
    app: web::Data<App>,
    caller: Allowed<op::ReportShipmentLost>,
    id: Path<ShipmentId>,
    idem: Idempotency,
    if_match: IfMatch,
    body: Json<ParcelLoss>,
) -> ApiResult<Reply> {
    let (id, body, user) = (id.0, body.0, caller.user_id);
    let asked = Asked {
        caller: caller.caller,
        id,
        step: Step::ReportLost,
        event: Some("backdrop.lost"),
        deed: "backdrop.lost",
    };
    steps::take(&app, idem, if_match, asked, move |conn, now, _, _| {
        lose(conn, now, (id, user), &body.reason).map(Some)
    })
    .await
}

/// What staff found out stands beside what the courier reported.
fn note(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: ShipmentId,
    user: UserId,
    status: TrackerStatus,
    text: &str,
    raw_code: Option<&str>,
) -> ApiResult<()> {
    let text = text.trim();
    model::add_event(
        conn,
        now,
        id,
        &NewTrackingEvent { at: now, status, place: None, text, raw_code, recorded_by: Some(user) },
    )?;
    Ok(())
}
