//! How a shipment is shown. Nothing personal in clear.

use chrono::{DateTime, Utc};
use diesel::{PgConnection, QueryResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{self, Shipment};
use super::next_actions::next_actions;
use super::rules::Hand;
use super::{ChargedTo, ShipmentState, TrackerStatus};
use crate::catalogue::{self, data, regions::Regions};
use crate::kernel::clock::shanghai_date;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{FilingId, ShipmentId};
use crate::kernel::pii::{Address, PersonName, Phone, Sensitive};
use crate::websites::next_action::NextAction;

/// A backdrop on its way to the applicant. Recipient, phone and street are masked.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BackdropShipment)]
pub struct ShipmentBody {
    /// The shipment.
    pub id: ShipmentId,
    /// The filing that it is for.
    pub filing_id: FilingId,
    /// 备案订单号 of the filing.
    #[schema(example = "BA-2026-000123")]
    pub order_no: String,
    /// Where it stands.
    pub state: ShipmentState,
    /// The state in words.
    #[schema(example = "已邮寄")]
    pub state_label: String,
    /// Who takes it, masked.
    #[schema(value_type = String, example = "张*")]
    pub recipient_name: Sensitive<PersonName>,
    /// Phone of the recipient, masked.
    #[schema(value_type = String, example = "138****8000")]
    pub phone: Sensitive<Phone>,
    /// Province, GB/T 2260.
    #[schema(example = "110000")]
    pub province_code: String,
    /// City, GB/T 2260.
    #[schema(example = "110100")]
    pub city_code: String,
    /// District, GB/T 2260; null where the city has none.
    #[schema(example = "110105")]
    pub district_code: Option<String>,
    /// Names of province, city and district.
    #[schema(example = "北京市 朝阳区")]
    pub region: String,
    /// Street, house and room, masked.
    #[schema(value_type = String, example = "建国路8***")]
    pub street_address: Sensitive<Address>,
    /// Postcode, six digits.
    pub postcode: Option<String>,
    /// Who pays for the courier.
    pub charged_to: ChargedTo,
    /// Who pays, in words.
    pub charged_to_label: String,
    /// Code of the courier company, see `/v1/carriers`; null until it is shipped.
    #[schema(example = "shunfeng")]
    pub carrier_code: Option<String>,
    /// Name of the courier company.
    #[schema(example = "顺丰速运")]
    pub carrier_name: Option<String>,
    /// Hotline of the courier company.
    #[schema(example = "95338")]
    pub carrier_phone: Option<String>,
    /// Number of the parcel.
    #[schema(example = "SF1234567890123")]
    pub tracking_number: Option<String>,
    /// What the courier said last; null until it is shipped.
    pub tracker_status: Option<TrackerStatus>,
    /// The same in words.
    pub tracker_status_label: Option<String>,
    /// What the courier reported, oldest first.
    pub tracking_events: Vec<TrackingEventBody>,
    /// What the caller can do next, the primary step first.
    pub next_actions: Vec<NextAction>,
    /// When it was ordered.
    pub requested_at: DateTime<Utc>,
    /// When it was put in the parcel.
    pub packed_at: Option<DateTime<Utc>>,
    /// When the courier took it.
    pub shipped_at: Option<DateTime<Utc>>,
    /// When it arrived.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was cancelled, came back or was reported lost.
    pub closed_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
    /// When anything last changed.
    pub updated_at: DateTime<Utc>,
}

/// Something that the courier reported, or that logistics noted.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TrackingEvent)]
pub struct TrackingEventBody {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What it means.
    pub status: TrackerStatus,
    /// The status in words.
    pub status_label: String,
    /// Where.
    #[schema(example = "北京朝阳集散中心")]
    pub place: Option<String>,
    /// The courier's own words.
    #[schema(example = "快件已到达【北京朝阳集散中心】")]
    pub text: String,
    /// The carrier's own code, or ours for what staff noted (`fault:recipient`, `fault:provider`).
    #[schema(example = "0")]
    pub raw_code: Option<String>,
}

/// Rows (with their order numbers) as they are shown to somebody on this side.
pub fn bodies(
    conn: &mut PgConnection,
    rows: Vec<(Shipment, String)>,
    hand: Hand,
    locale: Locale,
) -> QueryResult<Vec<ShipmentBody>> {
    let ids: Vec<ShipmentId> = rows.iter().map(|(row, _)| row.id).collect();
    let events = if ids.is_empty() { Vec::new() } else { model::events(conn, &ids)? };
    // Names as of the latest change shown: an admin may have added a company since the program was shipped.
    let shown_on = rows.iter().map(|(row, _)| shanghai_date(row.updated_at)).max();
    let carriers = match shown_on {
        Some(on) if rows.iter().any(|(row, _)| row.carrier_code.is_some()) => catalogue::carriers(conn, on)?,
        _ => Vec::new(),
    };
    let language = locale.as_str();
    let show = |(row, order_no): (Shipment, String)| {
        let own = events.iter().filter(|event| event.shipment_id == row.id);
        let tracking_events = own
            .map(|event| TrackingEventBody {
                at: event.at,
                status: event.status,
                status_label: data::status_label("tracking", event.status.as_str(), language).to_owned(),
                place: event.place.clone(),
                text: event.text.clone(),
                raw_code: event.raw_code.clone(),
            })
            .collect();
        let carrier = carriers.iter().find(|known| row.carrier_code.as_ref() == Some(&known.code));
        let next_actions = next_actions(&row, hand, locale);
        ShipmentBody {
            id: row.id,
            filing_id: row.filing_id,
            order_no,
            state: row.state,
            state_label: data::status_label("backdrop_shipment", row.state.as_str(), language).to_owned(),
            recipient_name: row.recipient_name,
            phone: row.phone,
            region: Regions::get().path(&row.province_code, &row.city_code, row.district_code.as_deref()),
            province_code: row.province_code,
            city_code: row.city_code,
            district_code: row.district_code,
            street_address: row.street_address,
            postcode: row.postcode,
            charged_to: row.charged_to,
            charged_to_label: data::label("charged_to", row.charged_to.as_str(), language).to_owned(),
            carrier_name: carrier.map(|known| locale.pick(&known.zh, &known.en).to_owned()),
            carrier_phone: carrier.map(|known| known.phone.clone()),
            carrier_code: row.carrier_code,
            tracking_number: row.tracking_number,
            tracker_status: row.tracker_status,
            tracker_status_label: row
                .tracker_status
                .map(|status| data::status_label("tracking", status.as_str(), language).to_owned()),
            tracking_events,
            next_actions,
            requested_at: row.requested_at,
            packed_at: row.packed_at,
            shipped_at: row.shipped_at,
            delivered_at: row.delivered_at,
            closed_at: row.closed_at,
            version: row.version,
            updated_at: row.updated_at,
        }
    };
    Ok(rows.into_iter().map(show).collect())
}

/// The latest shipment of a filing, for the filing's reply to its owner.
///
/// # Errors
/// When the database fails.
pub fn current(
    conn: &mut PgConnection,
    filing: FilingId,
    locale: Locale,
) -> QueryResult<Option<ShipmentBody>> {
    let latest = model::latest(conn, filing)?;
    Ok(bodies(conn, latest.into_iter().collect(), Hand::Owner, locale)?.pop())
}
