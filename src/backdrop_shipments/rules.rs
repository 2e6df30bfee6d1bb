//! When which step is possible, who pays, and what an address must look like. Pure.

use chrono::{DateTime, Duration, Utc};

use super::{ChargedTo, ShipmentState};
use crate::catalogue::regions::Regions;

/// How long after the delivery a parcel may still be reported as lost: signed for by somebody else, say.
pub fn loss_period() -> Duration {
    Duration::days(30)
}

crate::text_enum! {
    /// A step of a shipment. The words are those of the dictionary `action`.
    pub enum Step {
        /// Correct the address.
        Edit = "edit",
        /// Call it off.
        Cancel = "cancel",
        /// Print the label.
        Label = "label",
        /// Put it in the parcel.
        Pack = "pack",
        /// Hand it to the courier.
        Ship = "ship",
        /// Correct carrier and number.
        CorrectTracking = "correct_tracking",
        /// Note what the courier reports.
        AddTrackingEvent = "add_tracking_event",
        /// It arrived.
        MarkDelivered = "mark_delivered",
        /// It came back.
        MarkReturned = "mark_returned",
        /// It is gone.
        ReportLost = "report_lost",
    }
}

/// On which side the actor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// The applicant, or the partner's client.
    Owner,
    /// Logistics.
    Logistics,
}

/// Whether a step is possible. `delivered_at` is the shipment's own.
pub fn is_allowed(
    step: Step,
    state: ShipmentState,
    hand: Hand,
    delivered_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    use ShipmentState as S;
    let here = match step {
        Step::Edit => state == S::Requested,
        Step::Cancel => state == S::Requested || state == S::Packed && hand == Hand::Logistics,
        Step::Label => matches!(state, S::Requested | S::Packed | S::Shipped),
        Step::Pack => state == S::Requested,
        Step::Ship => state == S::Packed,
        Step::CorrectTracking | Step::MarkDelivered | Step::MarkReturned => state == S::Shipped,
        Step::AddTrackingEvent => matches!(state, S::Shipped | S::Delivered | S::Returned | S::Lost),
        Step::ReportLost => {
            state == S::Shipped
                || state == S::Delivered && delivered_at.is_some_and(|at| now - at <= loss_period())
        }
    };
    let theirs = match step {
        Step::Edit => hand == Hand::Owner,
        Step::Cancel => true,
        _ => hand == Hand::Logistics,
    };
    here && theirs
}

/// The steps that are possible now.
pub fn allowed(
    state: ShipmentState,
    hand: Hand,
    delivered_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Vec<Step> {
    Step::ALL.iter().copied().filter(|step| is_allowed(*step, state, hand, delivered_at, now)).collect()
}

/// The account's last shipment that was not called off: its state, and whether it came back by the provider's fault.
pub type Earlier = Option<(ShipmentState, bool)>;

/// Who pays for the next one: the first is free, so is one after a loss or after the provider's own fault.
pub fn charged_to(earlier: Earlier) -> ChargedTo {
    match earlier {
        None | Some((ShipmentState::Lost, _)) | Some((ShipmentState::Returned, true)) => ChargedTo::Provider,
        Some(_) => ChargedTo::Applicant,
    }
}

/// Where a parcel goes, in clear.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    /// Who takes it.
    pub recipient_name: &'a str,
    /// Mobile or landline.
    pub phone: &'a str,
    /// GB/T 2260.
    pub province_code: &'a str,
    /// GB/T 2260.
    pub city_code: &'a str,
    /// GB/T 2260; none exactly where the city has no districts.
    pub district_code: Option<&'a str>,
    /// Street, house, room.
    pub street_address: &'a str,
}

/// A fault of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer.
    pub pointer: String,
    /// Stable code.
    pub code: &'static str,
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Fault {
    fn new(pointer: &str, code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), code, zh: zh.into(), en: en.into() }
    }
}

/// Everything that is wrong with a destination. The texts never repeat what was typed.
pub fn faults(to: Destination<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (pointer, value) in [("/recipient_name", to.recipient_name), ("/street_address", to.street_address)] {
        if value.trim().is_empty() {
            faults.push(Fault::new(pointer, "required", "必填", "is required"));
        }
    }
    if !is_mobile(to.phone) && !is_landline(to.phone) {
        faults.push(Fault::new(
            "/phone",
            "invalid_format",
            "须为 11 位手机号，或带区号的固定电话（如 010-12345678）",
            "must be a mobile number of 11 digits, or a landline with its area code, such as 010-12345678",
        ));
    }
    if let Err(fault) = Regions::get().validate(to.province_code, to.city_code, to.district_code) {
        let pointer = format!("/{}", fault.field());
        faults.push(Fault::new(&pointer, fault.code(), fault.message("zh-CN"), fault.message("en")));
    }
    faults
}

fn is_mobile(text: &str) -> bool {
    let digits = text.as_bytes();
    digits.len() == 11
        && digits[0] == b'1'
        && (b'3'..=b'9').contains(&digits[1])
        && digits.iter().all(u8::is_ascii_digit)
}

/// `010-12345678`, `01012345678`, `0755-1234567-801`: area code, seven or eight digits, an extension of up to six.
fn is_landline(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    if parts.iter().any(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit())) {
        return false;
    }
    let Some(first) = parts.first().filter(|first| first.starts_with('0')) else { return false };
    let (has_number, extension) = if first.len() <= 4 {
        (first.len() >= 3 && parts.get(1).is_some_and(|number| matches!(number.len(), 7 | 8)), parts.get(2..))
    } else {
        (matches!(first.len(), 10..=12), parts.get(1..))
    };
    has_number
        && match extension.unwrap_or_default() {
            [] => true,
            [extension] => extension.len() <= 6,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32) -> DateTime<Utc> {
        DateTime::from_timestamp(i64::from(day) * 86_400, 0).expect("a time")
    }

    #[test]
    fn phones_are_mobile_or_landline_with_area_code() {
        for good in [
            "13800138000",
            "010-12345678",
            "01012345678",
            "0755-1234567",
            "0755-12345678-801",
            "075512345678-1",
        ] {
            assert!(is_mobile(good) || is_landline(good), "{good}");
        }
        for bad in [
            "",
            "1380013800",
            "12800138000",
            "12345678",
            "010-123",
            "010--12345678",
            "0755-12345678-1234567",
            "138-0013-8000",
            "+8613800138000",
        ] {
            assert!(!is_mobile(bad) && !is_landline(bad), "{bad}");
        }
    }

    #[test]
    fn the_first_is_free_and_so_is_one_after_our_own_fault() {
        assert_eq!(charged_to(None), ChargedTo::Provider);
        assert_eq!(charged_to(Some((ShipmentState::Delivered, false))), ChargedTo::Applicant);
        assert_eq!(charged_to(Some((ShipmentState::Lost, false))), ChargedTo::Provider);
        assert_eq!(charged_to(Some((ShipmentState::Returned, true))), ChargedTo::Provider);
        assert_eq!(charged_to(Some((ShipmentState::Returned, false))), ChargedTo::Applicant);
    }

    #[test]
    fn each_side_has_its_steps() {
        let now = at(100);
        let of = |state, hand| allowed(state, hand, Some(at(80)), now);
        assert_eq!(of(ShipmentState::Requested, Hand::Owner), [Step::Edit, Step::Cancel]);
        assert_eq!(of(ShipmentState::Packed, Hand::Owner), []);
        assert_eq!(of(ShipmentState::Packed, Hand::Logistics), [Step::Cancel, Step::Label, Step::Ship]);
        assert_eq!(of(ShipmentState::Cancelled, Hand::Logistics), []);
        assert_eq!(of(ShipmentState::Delivered, Hand::Logistics), [Step::AddTrackingEvent, Step::ReportLost]);
        assert!(!is_allowed(Step::ReportLost, ShipmentState::Delivered, Hand::Logistics, Some(at(69)), now));
    }

    /// docs/states.md lists each step with its side and the states from which it is possible.
    #[test]
    fn the_page_of_the_states_says_the_same() {
        let page = include_str!("../../docs/states.md");
        let section =
            page.split("\n## ").find(|part| part.starts_with("Backdrop shipments")).expect("a section");
        let now = at(100);
        for step in Step::ALL {
            for (hand, name) in [(Hand::Owner, "owner"), (Hand::Logistics, "logistics")] {
                let possible: Vec<&str> = ShipmentState::ALL
                    .iter()
                    .filter(|state| is_allowed(*step, **state, hand, Some(at(80)), now))
                    .map(|state| state.as_str())
                    .collect();
                let row = section.lines().find(|line| line.starts_with(&format!("| `{step}` | {name} |")));
                let from = row.map_or("", |row| row.split('|').nth(3).unwrap_or_default());
                let told: Vec<&str> = from.split('`').skip(1).step_by(2).collect();
                assert_eq!(told, possible, "{step} by {name}");
            }
        }
    }

    #[test]
    fn an_address_is_in_the_mainland_and_its_levels_belong_together() {
        let good = Destination {
            recipient_name: "张三",
            phone: "13800138000",
            province_code: "110000",
            city_code: "110100",
            district_code: Some("110105"),
            street_address: "建国路 1 号",
        };
        assert_eq!(faults(good), []);
        let pointers =
            |to| faults(to).into_iter().map(|fault| (fault.pointer, fault.code)).collect::<Vec<_>>();
        assert_eq!(
            pointers(Destination { province_code: "810000", phone: "1", ..good }),
            [("/phone".to_owned(), "invalid_format"), ("/province_code".to_owned(), "region_not_mainland")]
        );
        let dongguan =
            Destination { province_code: "440000", city_code: "441900", district_code: None, ..good };
        assert_eq!(pointers(dongguan), []);
        assert_eq!(
            pointers(Destination { district_code: Some("440305"), ..dongguan }),
            [("/district_code".to_owned(), "district_not_allowed")]
        );
    }
}
