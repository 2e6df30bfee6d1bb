//! What the caller can do next with a shipment. Pure.

use super::model::Shipment;
use super::rules::{self, Hand, Step};
use crate::kernel::i18n::Locale;
use crate::websites::next_action::NextAction;

/// The steps, the primary one first. A loss can be reported for a while after the delivery only; so that a shipment does not
/// change by time alone, the step stays offered and answers `invalid_transition` later.
pub fn next_actions(shipment: &Shipment, hand: Hand, locale: Locale) -> Vec<NextAction> {
    let now = shipment.delivered_at.unwrap_or(shipment.updated_at);
    let href = format!("/v1/backdrop-shipments/{}", shipment.id);
    let step = |step: Step| {
        let (action, operation, method, rest) = match step {
            Step::Edit => ("update_backdrop_address", "updateBackdropShipment", "PATCH", ""),
            Step::Cancel => ("cancel_shipment", "cancelBackdropShipment", "POST", "/cancel"),
            Step::Label => ("label", "getShippingLabel", "GET", "/label"),
            Step::Pack => ("pack", "packBackdropShipment", "POST", "/pack"),
            Step::Ship => ("ship", "shipBackdropShipment", "POST", "/ship"),
            Step::CorrectTracking => ("correct_tracking", "updateBackdropShipment", "PATCH", ""),
            Step::AddTrackingEvent => ("add_tracking_event", "addTrackingEvent", "POST", "/tracking-events"),
            Step::MarkDelivered => ("mark_delivered", "markShipmentDelivered", "POST", "/mark-delivered"),
            Step::MarkReturned => ("mark_returned", "markShipmentReturned", "POST", "/mark-returned"),
            Step::ReportLost => ("report_lost", "reportShipmentLost", "POST", "/report-lost"),
        };
        let action = NextAction::new(locale, action, operation, method, format!("{href}{rest}"));
        match step {
            Step::Pack | Step::Ship | Step::MarkDelivered => action.primary(),
            _ => action,
        }
    };
    let mut list: Vec<NextAction> =
        rules::allowed(shipment.state, hand, shipment.delivered_at, now).into_iter().map(step).collect();
    list.sort_by_key(|action| !action.is_primary);
    list
}
