//! Many parcels handed to the courier in one request.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::handling::{self, Handover};
use super::rules::Step;
use super::steps::{self, Asked};
use crate::app::App;
use crate::auth::{Allowed, Caller, op};
use crate::error::{ApiResult, Problem};
use crate::error_codes as codes;
use crate::kernel::batch::{self, Batch, Begun};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::ShipmentId;
use crate::kernel::json::Json;
use crate::kernel::reply::Reply;

/// Parcels that the courier took.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "rows": [
    { "shipment_id": "0193a000-0000-7000-8000-000000019017", "carrier_code": "shunfeng", "tracking_number": "SF1234567890124" }
] }))]
pub struct BackdropHandovers {
    /// One for each parcel.
    #[schema(min_items = 1, max_items = 100)]
    rows: Vec<HandoverRow>,
}

/// A parcel that the courier took.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackdropHandoverRow)]
pub struct HandoverRow {
    /// The shipment.
    shipment_id: ShipmentId,
    /// Code of the courier company, see `/v1/carriers`.
    #[schema(max_length = 50)]
    carrier_code: String,
    /// Number of the parcel.
    #[schema(pattern = "^[0-9A-Za-z-]{6,40}$", max_length = 40)]
    tracking_number: String,
}

/// What became of each row.
#[derive(Serialize, ToSchema)]
pub struct BackdropHandoverResults {
    /// In the order of the request.
    items: Vec<HandoverResult>,
    /// How many were shipped.
    done: usize,
    /// How many were refused.
    refused: usize,
}

/// What became of a row.
#[derive(Serialize, ToSchema)]
#[schema(as = BackdropHandoverResult)]
pub struct HandoverResult {
    /// The shipment.
    shipment_id: ShipmentId,
    /// Whether it was shipped.
    is_done: bool,
    /// Version of the shipped shipment; null when it was refused.
    version: Option<i32>,
    /// Why it was refused; null when it was shipped. Its pointers begin with `/rows/` and the number of the row, from 0.
    problem: Option<Problem>,
}

/// Hand many backdrops to the courier
///
/// Logistics, packed → shipped for up to 100 parcels. Each row is a transaction of its own: a row that is refused does not stop
/// the others, and its problem stands in the answer, which is 200 all the same. With an idempotency key, a request that was cut
/// off can be sent again: rows that were done are not done twice. Event `backdrop.shipped` for each.
#[utoipa::path(operation_id = "shipBackdropShipments", tag = "backdrop shipments",
    params(("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses((status = 200, description = "What became of each row.", body = BackdropHandoverResults)))]
#[post("/v1/backdrop-shipments/handovers")]
pub async fn ship_backdrop_shipments(
    app: web::Data<App>,
    caller: Allowed<op::ShipBackdropShipments>,
    idem: Idempotency,
    body: Json<BackdropHandovers>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller;
    let rows = body.0.rows;
    batch::ensure_distinct(rows.iter().map(|row| row.shipment_id.0), "shipment_id")?;
    let batch = match batch::begin(idem, &app.db, now, &caller.user_id.to_string()).await? {
        Begun::Done(reply) => return Ok(reply),
        Begun::New(batch) => batch,
    };
    let mut items = Vec::with_capacity(rows.len());
    for (number, row) in rows.into_iter().enumerate() {
        items.push(ship_row(&app, &caller, &batch, number, row).await?);
    }
    app.waker.wake();
    let done = items.iter().filter(|item| item.is_done).count();
    let results = BackdropHandoverResults { done, refused: items.len() - done, items };
    batch.finish(&app.db, Reply::ok(&results)?).await
}

async fn ship_row(
    app: &App,
    caller: &Caller,
    batch: &Batch,
    number: usize,
    row: HandoverRow,
) -> ApiResult<HandoverResult> {
    let now = app.clock.now();
    let id = row.shipment_id;
    let handover = Handover { carrier_code: row.carrier_code, tracking_number: row.tracking_number };
    let asked = Asked {
        caller: caller.clone(),
        id,
        step: Step::Ship,
        event: Some("backdrop.shipped"),
        deed: "backdrop.shipped",
    };
    let outcome = batch
        .row(&app.db, now, number, move |conn| {
            steps::take_locked(conn, now, &asked, None, |conn, filing, shipment| {
                handling::ship(conn, now, filing, shipment, handover).map(Some)
            })
        })
        .await;
    if outcome.as_ref().is_err_and(|error| error.code() == &codes::INVALID_TRANSITION) {
        handling::cancel_if_ended(app, id).await?;
    }
    let (version, problem) =
        batch::outcome(outcome, &format!("/rows/{number}"), caller.locale, &caller.request_id)?;
    Ok(HandoverResult { shipment_id: id, is_done: problem.is_none(), version, problem })
}
