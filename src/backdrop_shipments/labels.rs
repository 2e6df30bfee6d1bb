//! The labels of many parcels as a table, for the courier's own program.

use std::borrow::Cow;

use actix_web::{HttpResponse, get, http::header, web};
use chrono::{DateTime, SecondsFormat, Utc};
use diesel::PgConnection;
use serde::Deserialize;
use utoipa::IntoParams;

use super::ShipmentState;
use super::model::{self, Filter, Shipment};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::catalogue::regions::Regions;
use crate::error::{ApiError, ApiResult};
use crate::filings;
use crate::kernel::json::{CommaList, Query, invalid_parameter};
use crate::kernel::page::Limit;

/// Which labels.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LabelQuery {
    /// `requested`, `packed`, or both with a comma between. Both when absent.
    #[param(value_type = Option<String>, example = "packed")]
    state: Option<CommaList<ShipmentState>>,
    /// Ordered after this time: to go on after the last row of an earlier table.
    requested_after: Option<DateTime<Utc>>,
    /// Rows at most, the order that waited longest first.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
}

const HEAD: [&str; 10] = [
    "shipment_id",
    "order_no",
    "state",
    "requested_at",
    "recipient_name",
    "phone",
    "region",
    "street_address",
    "postcode",
    "charged_to",
];

/// Shipping labels as CSV
///
/// Logistics, of what is requested or packed: recipient, phone and street in clear, UTF-8 with a byte order mark and CRLF, a row for
/// each parcel below a row of names. A text that a spreadsheet would run as a formula begins with an apostrophe. Every parcel in it
/// is audited.
#[utoipa::path(operation_id = "exportShippingLabels", tag = "backdrop shipments", params(LabelQuery),
    responses((status = 200, description = "The labels.", body = String, content_type = "text/csv")))]
#[get("/v1/backdrop-shipments/labels.csv")]
pub async fn export_shipping_labels(
    app: web::Data<App>,
    caller: Allowed<op::ExportShippingLabels>,
    query: Query<LabelQuery>,
) -> ApiResult<HttpResponse> {
    let now = app.clock.now();
    let caller = caller.caller;
    let LabelQuery { state, requested_after, limit } = query.0;
    let states = state.map_or_else(|| vec![ShipmentState::Requested, ShipmentState::Packed], |list| list.0);
    if states.iter().any(|state| !matches!(state, ShipmentState::Requested | ShipmentState::Packed)) {
        return Err(invalid_parameter("state", "not_in_list", "must be requested or packed"));
    }
    let filter = Filter { states: Some(states), requested_after, ..Filter::default() };
    let table = app
        .db
        .transaction(move |conn| {
            let mut rows = model::list(conn, &filter, None, limit)?;
            rows.truncate(limit.rows());
            let actor = Actor::from(&caller);
            for (shipment, _) in &rows {
                record(conn, now, &actor, shipment)?;
            }
            table(&rows)
        })
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"labels.csv\""))
        .body(table))
}

fn record(conn: &mut PgConnection, now: DateTime<Utc>, actor: &Actor, shipment: &Shipment) -> ApiResult<()> {
    let filing = filings::model::find(conn, shipment.filing_id)?;
    let deed = Deed::new("backdrop.label_read", "backdrop_shipment", shipment.id.0)
        .account(filing.account_id)
        .filing(filing.id);
    Ok(audit::record(conn, now, actor, deed)?)
}

fn table(rows: &[(Shipment, String)]) -> ApiResult<Vec<u8>> {
    // Without the mark, spreadsheets on Windows read Chinese as something else.
    let mut table = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    table.write_record(HEAD).map_err(ApiError::internal)?;
    for (shipment, order_no) in rows {
        let (city, district) = (&shipment.city_code, shipment.district_code.as_deref());
        let id = shipment.id.to_string();
        let requested_at = shipment.requested_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let region = Regions::get().path(&shipment.province_code, city, district);
        let cells = [
            id.as_str(),
            order_no,
            shipment.state.as_str(),
            &requested_at,
            shipment.recipient_name.expose(),
            shipment.phone.expose(),
            &region,
            shipment.street_address.expose(),
            shipment.postcode.as_deref().unwrap_or_default(),
            shipment.charged_to.as_str(),
        ]
        .map(as_text);
        table.write_record(cells.iter().map(|cell| cell.as_bytes())).map_err(ApiError::internal)?;
    }
    table.into_inner().map_err(ApiError::internal)
}

/// A cell that a spreadsheet would take for a formula gets an apostrophe in front, as OWASP advises; one with a full-width sign
/// too, which some programs fold.
fn as_text(cell: &str) -> Cow<'_, str> {
    let signs = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let is_formula = cell.trim_start().starts_with(signs) || cell.starts_with(['\t', '\r', '\n']);
    if is_formula { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

#[cfg(test)]
mod tests {
    use super::as_text;

    #[test]
    fn formulas_are_texts() {
        for cell in ["=HYPERLINK(\"http://x\")", " +1", "-2", "@x", "\t=1", "\r", "＝1", "＠x"] {
            assert_eq!(as_text(cell), format!("'{cell}"), "{cell:?}");
        }
        for cell in ["张三", "010-12345678", "建国路 88 号 -1 层", ""] {
            assert_eq!(as_text(cell), cell);
        }
    }
}
