//! What simulated logistics and a simulated courier do, by the same rules as people: the next step of a shipment.

use chrono::{DateTime, SubsecRound, Utc};
use diesel::PgConnection;

use super::handling::{self, Handover};
use super::rules::Step;
use super::steps::{self, Asked};
use super::{ShipmentState, model, tracking};
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::external::carrier::{Report, ReportedEvent};
use crate::kernel::ids::ShipmentId;

/// Every number that the simulated courier knows begins so.
pub const NUMBER_PREFIX: &str = "SIM-";

/// How the journey ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParcelEnd {
    /// It arrives.
    Delivered,
    /// It comes back, by the recipient's fault.
    Returned,
    /// It is lost.
    Lost,
}

impl ParcelEnd {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Delivered, "DELIVERED"), (Self::Returned, "RETURNED"), (Self::Lost, "LOST")];

    /// The end that a number of the simulated courier names: `SIM-LOST-000123`.
    pub fn of_number(number: &str) -> Option<Self> {
        let name = number.strip_prefix(NUMBER_PREFIX)?.split('-').next()?;
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(end, _)| *end)
    }

    /// What the courier reports on the way, one at a time: its code of the state, the place, its words. In both languages, since
    /// what a courier writes is stored and not translated.
    fn stations(self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self {
            Self::Delivered => &[
                ("1", "北京市", "已揽收（模拟快递） / picked up"),
                ("0", "北京市", "快件已发往目的地（模拟快递） / on its way"),
                ("5", "目的地", "快递员正在派送（模拟快递） / out for delivery"),
                ("3", "目的地", "已签收（模拟快递） / delivered"),
            ],
            Self::Returned => &[
                ("1", "北京市", "已揽收（模拟快递） / picked up"),
                ("0", "北京市", "快件已发往目的地（模拟快递） / on its way"),
                ("2", "目的地", "收件人电话无法接通，派送失败（模拟快递） / the recipient did not answer"),
                ("6", "目的地", "快件退回中（模拟快递） / on its way back"),
            ],
            Self::Lost => &[
                ("1", "北京市", "已揽收（模拟快递） / picked up"),
                ("0", "北京市", "快件已发往目的地（模拟快递） / on its way"),
                ("2", "中转站", "快件状态异常，正在查找（模拟快递） / missing, being searched for"),
            ],
        }
    }

    fn number(self, order_no: &str) -> String {
        let name = Self::ALL.iter().find(|(end, _)| *end == self).map_or("", |(_, name)| name);
        let digits = order_no.rsplit('-').next().unwrap_or_default();
        format!("{NUMBER_PREFIX}{name}-{digits}")
    }
}

/// Takes the next step of a shipment: pack, ship with a number of the simulated courier, each report of the courier, and the end
/// that the number names. In the caller's transaction. `end` is what the filing asks for; a shipment with another number is left
/// alone.
///
/// # Errors
/// As the operations of logistics.
pub fn move_on(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    id: ShipmentId,
    end: Option<ParcelEnd>,
) -> ApiResult<()> {
    let shipment = model::find(conn, id)?;
    let by_number = shipment.tracking_number.as_deref().and_then(ParcelEnd::of_number);
    if let (ShipmentState::Shipped, Some(end)) = (shipment.state, by_number) {
        let told = model::events(conn, &[id])?;
        let next = end.stations().iter().find(|(.., text)| told.iter().all(|event| event.text != *text));
        if let (Some((state, place, text)), Some(parcel)) = (next, tracking::parcel(&shipment)) {
            let event = ReportedEvent {
                at: now.trunc_subsecs(6),
                place: Some((*place).to_owned()),
                text: (*text).to_owned(),
            };
            let report = Report { state: (*state).to_owned(), events: vec![event] };
            return tracking::apply(conn, now, id, &parcel, &report);
        }
    }
    let (step, name) = match (shipment.state, end, by_number) {
        (ShipmentState::Requested, Some(_), _) => (Step::Pack, "backdrop.packed"),
        (ShipmentState::Packed, Some(_), _) => (Step::Ship, "backdrop.shipped"),
        (ShipmentState::Shipped, _, Some(ParcelEnd::Returned)) => (Step::MarkReturned, "backdrop.returned"),
        (ShipmentState::Shipped, _, Some(ParcelEnd::Lost)) => (Step::ReportLost, "backdrop.lost"),
        _ => return Ok(()),
    };
    let event = (step != Step::Pack).then_some(name);
    let asked = Asked { caller: caller.clone(), id, step, event, deed: name };
    let who = (id, caller.user_id);
    steps::take_locked(conn, now, &asked, None, |conn, filing, shipment| {
        match (step, end) {
            (Step::Pack, _) => handling::pack(conn, now, filing, id),
            (Step::Ship, Some(end)) => {
                let tracking_number = end.number(&filing.order_no);
                let handover = Handover { carrier_code: "shunfeng".to_owned(), tracking_number };
                handling::ship(conn, now, filing, shipment, handover)
            }
            (Step::MarkReturned, _) => handling::take_back(
                conn,
                now,
                who,
                "收件人电话无法接通（模拟快递） / the recipient cannot be reached (simulated courier)",
                false,
            ),
            (Step::ReportLost, _) => handling::lose(
                conn,
                now,
                who,
                "快递公司确认丢件（模拟快递） / the courier has lost it (simulated courier)",
            ),
            // That it was delivered is what the courier reports last.
            _ => return Ok(None),
        }
        .map(Some)
    })
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_names_the_end() {
        for (end, _) in ParcelEnd::ALL {
            let number = end.number("BA-2026-000123");
            assert!(number.ends_with("-000123") && number.len() >= 6, "{number}");
            assert_eq!(ParcelEnd::of_number(&number), Some(end));
        }
        for other in ["SF1234567890123", "SIM-", "SIM-SOMETHING-1", "XSIM-LOST-1"] {
            assert_eq!(ParcelEnd::of_number(other), None, "{other}");
        }
    }
}
