//! What the applicant does: order, look, correct the address, call off.

use actix_web::{get, patch, post, web};
use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{self, ShipmentBody};
use super::model::{self, Changes, Filter, NewShipment, Shipment};
use super::rules::{self, Destination, Hand, Step};
use super::steps::{self, Asked};
use super::{ShipmentState, handling, tracking};
use crate::app::App;
use crate::audit::Actor;
use crate::auth::{Allowed, Caller, op};
use crate::error::{ApiError, ApiResult, violated_constraint};
use crate::error_codes as codes;
use crate::filings::{self, Action, Ctx, Filing, Side};
use crate::kernel::etag::{self, IfMatch};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{FilingId, ShipmentId};
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::pii::{Address, PersonName, Phone, Sensitive};
use crate::kernel::reply::Reply;

/// A backdrop to be sent to an address in mainland China.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "recipient_name": "张三", "phone": "13800138000", "province_code": "110000", "city_code": "110100",
    "district_code": "110105", "street_address": "建国路 88 号 1 号楼 101 室", "postcode": "100022"
}))]
pub struct BackdropOrder {
    /// Who takes it.
    #[schema(value_type = String, min_length = 1, max_length = 50)]
    recipient_name: Sensitive<PersonName>,
    /// Mobile number, or landline with area code such as `010-12345678`.
    #[schema(value_type = String, max_length = 20)]
    phone: Sensitive<Phone>,
    /// Province in mainland China, GB/T 2260.
    #[schema(max_length = 6)]
    province_code: String,
    /// City of that province.
    #[schema(max_length = 6)]
    city_code: String,
    /// District of that city; null exactly where the city has none (东莞, 中山, 儋州, 嘉峪关).
    #[schema(max_length = 6)]
    district_code: Option<String>,
    /// Street, house and room.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    street_address: Sensitive<Address>,
    /// Postcode, six digits.
    #[schema(pattern = "^[0-9]{6}$", max_length = 6)]
    postcode: Option<String>,
}

/// Corrections of a shipment. The applicant corrects the address while it is requested; logistics corrects carrier and number
/// while it is shipped. What is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "street_address": "建国路 88 号 2 号楼 202 室", "postcode": null }))]
pub struct BackdropShipmentPatch {
    /// Who takes it.
    #[schema(value_type = String, required = false, min_length = 1, max_length = 50)]
    recipient_name: Option<Sensitive<PersonName>>,
    /// Mobile number, or landline with area code.
    #[schema(value_type = String, required = false, max_length = 20)]
    phone: Option<Sensitive<Phone>>,
    /// Province in mainland China, GB/T 2260.
    #[schema(nullable = false, max_length = 6)]
    province_code: Option<String>,
    /// City of that province.
    #[schema(nullable = false, max_length = 6)]
    city_code: Option<String>,
    /// District of that city; null where the city has none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 6)]
    district_code: Option<Option<String>>,
    /// Street, house and room.
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    street_address: Option<Sensitive<Address>>,
    /// Postcode, six digits; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{6}$", max_length = 6)]
    postcode: Option<Option<String>>,
    /// Code of the courier company, see `/v1/carriers`.
    #[schema(nullable = false, max_length = 50)]
    carrier_code: Option<String>,
    /// Number of the parcel.
    #[schema(nullable = false, pattern = "^[0-9A-Za-z-]{6,40}$", max_length = 40)]
    tracking_number: Option<String>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A page of shipments.
#[derive(Serialize, ToSchema)]
pub struct BackdropShipmentPage {
    /// The shipments.
    pub items: Vec<ShipmentBody>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FilingShipmentsQuery {
    /// Rows of a page.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Order a backdrop
///
/// The owner, in initial_review, photo_required and photo_rejected. One can be open per filing. The account's first one is free;
/// a replacement is charged to the applicant, unless the last one was lost or came back by the provider's fault. Event
/// `backdrop.requested`.
#[utoipa::path(operation_id = "createBackdropShipment", tag = "backdrop shipments",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015005"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses(
        (status = 201, description = "Ordered.", body = ShipmentBody),
        (status = 409, description = "`invalid_transition`, `open_shipment_exists`"),
    ))]
#[post("/v1/filings/{id}/backdrop-shipments")]
pub async fn create_backdrop_shipment(
    app: web::Data<App>,
    caller: Allowed<op::CreateBackdropShipment>,
    id: Path<FilingId>,
    idem: Idempotency,
    body: Json<BackdropOrder>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, id, order) = (caller.caller, id.0, body.0);
    steps::ensure_faultless(rules::faults(Destination {
        recipient_name: order.recipient_name.expose(),
        phone: order.phone.expose(),
        province_code: &order.province_code,
        city_code: &order.city_code,
        district_code: order.district_code.as_deref(),
        street_address: order.street_address.expose(),
    }))?;
    let asker = caller.clone();
    let scope = caller.user_id.to_string();
    let reply = idem
        .run(
            &app.db,
            now,
            &scope,
            move |conn| filings::owned(conn, &asker, id).map(drop),
            move |conn| {
                let filing = filings::lock(conn, id)?;
                if !caller.owns(filing.account_id, filing.partner_id) {
                    return Err(ApiError::not_found());
                }
                let ctx = Ctx::new(now, Actor::from(&caller), Side::Owner);
                filings::ensure_allowed(conn, &ctx, &filing, Action::RequestBackdrop)?;
                let shipment = store(conn, now, &caller, &filing, order)?;
                let asked = Asked {
                    caller,
                    id: shipment.id,
                    step: Step::Edit,
                    event: Some("backdrop.requested"),
                    deed: "backdrop.requested",
                };
                steps::record(conn, now, &asked, &filing)?;
                let tag = etag::etag(shipment.version, asked.caller.view(), asked.caller.locale);
                let location = format!("/v1/backdrop-shipments/{}", shipment.id);
                let shown = steps::show(conn, &asked.caller, shipment, filing.order_no)?;
                Ok(Reply::created(location, &shown)?.etag(tag))
            },
        )
        .await?;
    app.waker.wake();
    Ok(reply)
}

fn store(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    filing: &Filing,
    order: BackdropOrder,
) -> ApiResult<Shipment> {
    // The subject is locked and an account has one, so two orders of an account cannot both be its first.
    let charged_to = rules::charged_to(model::earlier(conn, filing.account_id)?);
    let new = NewShipment {
        id: ShipmentId::new(),
        filing_id: filing.id,
        account_id: filing.account_id,
        state: ShipmentState::Requested,
        recipient_name: order.recipient_name,
        phone: order.phone,
        province_code: order.province_code,
        city_code: order.city_code,
        district_code: order.district_code,
        street_address: order.street_address,
        postcode: order.postcode,
        charged_to,
        created_by: caller.user_id,
        requested_at: now,
        updated_at: now,
    };
    model::insert(conn, new).map_err(|error| {
        if violated_constraint(&error) == Some("backdrop_shipments_open_key") {
            return ApiError::new(&codes::OPEN_SHIPMENT_EXISTS);
        }
        error.into()
    })
}

/// Backdrops of a filing
///
/// The owner; oldest first.
#[utoipa::path(operation_id = "listFilingBackdropShipments", tag = "backdrop shipments",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015005"), FilingShipmentsQuery),
    responses((status = 200, description = "A page of shipments.", body = BackdropShipmentPage)))]
#[get("/v1/filings/{id}/backdrop-shipments")]
pub async fn list_filing_backdrop_shipments(
    app: web::Data<App>,
    caller: Allowed<op::ListFilingBackdropShipments>,
    id: Path<FilingId>,
    query: Query<FilingShipmentsQuery>,
) -> ApiResult<Reply> {
    let (caller, id, query) = (caller.caller, id.0, query.0);
    let asker = caller.clone();
    app.db.run(move |conn| filings::owned(conn, &asker, id).map(drop)).await?;
    let filter = Filter { filing_id: Some(id), ..Filter::default() };
    page_of(&app, &caller, filter, query.limit, query.cursor).await
}

/// A page of what the filter finds.
pub(super) async fn page_of(
    app: &App,
    caller: &Caller,
    filter: Filter,
    limit: Limit,
    cursor: Option<String>,
) -> ApiResult<Reply> {
    let binding = format!("backdrop-shipments {filter:?}");
    let after = page::decode(cursor.as_deref(), &binding)?;
    let (hand, locale) = (steps::hand(caller), caller.locale);
    let page = app
        .db
        .run(move |conn| {
            let rows = model::list(conn, &filter, after, limit)?;
            let page =
                Page::cut(rows, limit, &binding, |(row, _)| Position { at: row.requested_at, id: row.id.0 });
            let items = body::bodies(conn, page.items, hand, locale)?;
            Ok(BackdropShipmentPage { items, next_cursor: page.next_cursor, has_more: page.has_more })
        })
        .await?;
    Ok(Reply::ok(&page)?.next_page(page.next_cursor.as_deref()))
}

/// Read a shipment
///
/// The owner and logistics. Recipient, phone and street are masked for both: logistics reads them on the label.
#[utoipa::path(operation_id = "getBackdropShipment", tag = "backdrop shipments",
    params(("id" = ShipmentId, Path, description = "The shipment.", example = "0193a000-0000-7000-8000-000000019001")),
    responses((status = 200, description = "The shipment.", body = ShipmentBody)))]
#[get("/v1/backdrop-shipments/{id}")]
pub async fn get_backdrop_shipment(
    app: web::Data<App>,
    caller: Allowed<op::GetBackdropShipment>,
    id: Path<ShipmentId>,
) -> ApiResult<Reply> {
    let (caller, id) = (caller.caller, id.0);
    app.db
        .run(move |conn| {
            let (shipment, filing) = steps::visible(conn, &caller, id)?;
            steps::reply(conn, &caller, shipment, filing.order_no)
        })
        .await
}

/// Correct a shipment
///
/// The owner corrects the address while it is requested; logistics corrects carrier and number while it is shipped.
#[utoipa::path(operation_id = "updateBackdropShipment", tag = "backdrop shipments",
    params(("id" = ShipmentId, Path, description = "The shipment.", example = "0193a000-0000-7000-8000-000000019001"),
        ("If-Match" = String, Header, description = "The ETag that you saw, or `*`.", example = "*")),
    responses(
        (status = 200, description = "The corrected shipment.", body = ShipmentBody),
        (status = 409, description = "`invalid_transition`"),
        (status = 428, description = "`precondition_required`"),
    ))]
#[patch("/v1/backdrop-shipments/{id}")]
pub async fn update_backdrop_shipment(
    app: web::Data<App>,
    caller: Allowed<op::UpdateBackdropShipment>,
    id: Path<ShipmentId>,
    if_match: IfMatch,
    body: Json<BackdropShipmentPatch>,
) -> ApiResult<Reply> {
    let expected = if_match.required()?;
    let now = app.clock.now();
    let (caller, id, patch) = (caller.caller, id.0, body.0);
    let hand = steps::hand(&caller);
    ensure_own_fields(hand, &patch)?;
    app.db
        .transaction(move |conn| {
            let (filing, shipment) = model::lock(conn, id)?;
            steps::ensure_visible(&caller, &filing)?;
            etag::ensure_version(expected, shipment.version)?;
            let step = if hand == Hand::Owner { Step::Edit } else { Step::CorrectTracking };
            steps::ensure_step(step, &shipment, hand, now)?;
            if hand == Hand::Owner {
                ensure_destination(&shipment, &patch)?;
            } else {
                let carrier = patch.carrier_code.as_deref().or(shipment.carrier_code.as_deref());
                handling::ensure_carrier(conn, now, carrier.unwrap_or_default())?;
            }
            let changes = Changes {
                recipient_name: patch.recipient_name,
                phone: patch.phone,
                province_code: patch.province_code,
                city_code: patch.city_code,
                district_code: patch.district_code,
                street_address: patch.street_address,
                postcode: patch.postcode,
                carrier_code: patch.carrier_code,
                tracking_number: patch.tracking_number,
                ..Changes::default()
            };
            let changed = model::update(conn, now, id, changes)?;
            if step == Step::CorrectTracking {
                tracking::enqueue(conn, now, &changed)?;
            }
            steps::record(
                conn,
                now,
                &Asked { caller: caller.clone(), id, step, event: None, deed: "backdrop.updated" },
                &filing,
            )?;
            steps::reply(conn, &caller, changed, filing.order_no)
        })
        .await
}

/// Each side changes its own fields only; all misplaced ones are told at once.
fn ensure_own_fields(hand: Hand, patch: &BackdropShipmentPatch) -> ApiResult<()> {
    let theirs: Vec<&str> = match hand {
        Hand::Owner => [
            ("carrier_code", patch.carrier_code.is_some()),
            ("tracking_number", patch.tracking_number.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_there)| is_there.then_some(name))
        .collect(),
        Hand::Logistics => [
            ("recipient_name", patch.recipient_name.is_some()),
            ("phone", patch.phone.is_some()),
            ("province_code", patch.province_code.is_some()),
            ("city_code", patch.city_code.is_some()),
            ("district_code", patch.district_code.is_some()),
            ("street_address", patch.street_address.is_some()),
            ("postcode", patch.postcode.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_there)| is_there.then_some(name))
        .collect(),
    };
    let (zh, en) = match hand {
        Hand::Owner => ("由物流人员填写", "is filled in by logistics"),
        Hand::Logistics => ("只能由申请人修改", "can be changed by the applicant only"),
    };
    steps::ensure_faultless(
        theirs
            .into_iter()
            .map(|name| rules::Fault {
                pointer: format!("/{name}"),
                code: "not_editable",
                zh: zh.to_owned(),
                en: en.to_owned(),
            })
            .collect(),
    )
}

/// The address as it would become: a corrected city may leave the old district behind.
fn ensure_destination(shipment: &Shipment, patch: &BackdropShipmentPatch) -> ApiResult<()> {
    let district = match &patch.district_code {
        Some(district) => district.as_deref(),
        None => shipment.district_code.as_deref(),
    };
    steps::ensure_faultless(rules::faults(Destination {
        recipient_name: patch.recipient_name.as_ref().unwrap_or(&shipment.recipient_name).expose(),
        phone: patch.phone.as_ref().unwrap_or(&shipment.phone).expose(),
        province_code: patch.province_code.as_deref().unwrap_or(&shipment.province_code),
        city_code: patch.city_code.as_deref().unwrap_or(&shipment.city_code),
        district_code: district,
        street_address: patch.street_address.as_ref().unwrap_or(&shipment.street_address).expose(),
    }))
}

/// Call off a backdrop
///
/// The owner while it is requested, logistics also while it is packed. Another can be ordered then.
#[utoipa::path(operation_id = "cancelBackdropShipment", tag = "backdrop shipments",
    params(("id" = ShipmentId, Path, description = "The shipment.", example = "0193a000-0000-7000-8000-000000019001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The cancelled shipment.", body = ShipmentBody),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[post("/v1/backdrop-shipments/{id}/cancel")]
pub async fn cancel_backdrop_shipment(
    app: web::Data<App>,
    caller: Allowed<op::CancelBackdropShipment>,
    id: Path<ShipmentId>,
    idem: Idempotency,
    if_match: IfMatch,
) -> ApiResult<Reply> {
    let id = id.0;
    let asked =
        Asked { caller: caller.caller, id, step: Step::Cancel, event: None, deed: "backdrop.cancelled" };
    steps::take(&app, idem, if_match, asked, move |conn, now, _, _| {
        let changes =
            Changes { state: Some(ShipmentState::Cancelled), closed_at: Some(now), ..Changes::default() };
        Ok(Some(model::update(conn, now, id, changes)?))
    })
    .await
}
