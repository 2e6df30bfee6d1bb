//! What is possible when, and what the bureau's codes mean for the applicant. Pure.

use super::SubmissionState;
use crate::catalogue::data::{self, BureauResults};
use crate::filings::rejections::{NewItem, TargetKind};
use crate::websites::fields::FIELDS;

/// The bureau's code for "approved".
pub const APPROVED: &str = "1001";
/// Wrong tries after which a phone has failed.
pub const WRONG_TRIES: i32 = 6;
/// Attempts after which an operator is called.
pub const TRIES: i32 = 5;
/// Result code of a submission whose SMS verification failed; ours, not the bureau's.
pub const SMS_FAILED: &str = "sms_failed";

crate::text_enum! {
    /// A step of a submission. The words are those of the dictionary `action`.
    pub enum Step {
        /// Make the zip.
        DownloadPackage = "download_package",
        /// Send it.
        Dispatch = "dispatch",
        /// The bureau has it.
        Accept = "accept",
        /// Report a phone.
        RecordSms = "record_sms",
        /// The bureau decided.
        Decide = "decide",
        /// A new attempt.
        Restart = "restart_step",
        /// No more attempts.
        GiveUp = "give_up",
    }
}

/// What a step depends on beside the state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Packages go by themselves.
    pub is_automatic: bool,
    /// The filing's phones are being verified.
    pub is_verifying_sms: bool,
}

/// Whether an operator can take a step. A decision may overtake its acceptance.
pub fn is_allowed(step: Step, state: SubmissionState, facts: Facts) -> bool {
    use SubmissionState as S;
    let is_waiting = matches!(state, S::Queued | S::Sending | S::Unconfirmed | S::Failed);
    match step {
        Step::DownloadPackage | Step::Decide => is_waiting || state == S::Accepted,
        Step::Dispatch => state == S::Queued,
        Step::Accept => is_waiting,
        Step::RecordSms => state == S::Accepted && facts.is_verifying_sms,
        // An automatic attempt under way ends by itself; one by hand ends when the operator says so.
        Step::Restart => {
            matches!(state, S::Failed | S::Unconfirmed) || state == S::Sending && !facts.is_automatic
        }
        Step::GiveUp => {
            matches!(state, S::Queued | S::Failed)
                || state == S::Sending && !facts.is_automatic
                || state == S::Accepted && facts.is_verifying_sms
        }
    }
}

/// The steps that an operator can take now.
pub fn allowed(state: SubmissionState, facts: Facts) -> Vec<Step> {
    Step::ALL.iter().copied().filter(|step| is_allowed(*step, state, facts)).collect()
}

/// The items that a result code stands for. A code that we do not know becomes one item on the whole website.
/// `materials` are the codes of what the revision contained: a fault of "an attachment" may mean any of them.
pub fn items(
    results: &BureauResults,
    code: Option<&str>,
    text: Option<&str>,
    materials: &[String],
) -> Vec<NewItem> {
    let row = code.and_then(|code| code.parse().ok()).and_then(|code| results.find(code));
    let title = row.map_or("通信管理局未通过审核", |row| row.title.zh.as_str());
    let shown_code = code.map(|code| format!("（代码 {code}）")).unwrap_or_default();
    let reason = match text.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => format!("{title}{shown_code}：{text}"),
        None => format!("{title}{shown_code}"),
    };
    let reason_code = row.map_or(results.fallback_reason_code.as_str(), |row| row.reason_code.as_str());
    let item = |target_kind, pointer: Option<&str>, material: Option<&str>| NewItem {
        target_kind,
        pointer: pointer.map(str::to_owned),
        material_code: material.map(str::to_owned),
        code: reason_code.to_owned(),
        reason: reason.clone(),
        suggestion: None,
    };
    let is_about_a_material = row.is_some_and(|row| row.target_kind == "material");
    if is_about_a_material && !materials.is_empty() {
        return materials.iter().map(|code| item(TargetKind::Material, None, Some(code))).collect();
    }
    let pointer = row.and_then(|row| row.pointer.as_deref()).unwrap_or(&results.fallback_pointer);
    vec![item(TargetKind::Field, Some(pointer), None)]
}

/// One item of a refusal as an operator enters it.
pub struct EnteredItem<'a> {
    /// What it points at.
    pub target_kind: TargetKind,
    /// For fields.
    pub pointer: Option<&'a str>,
    /// For materials.
    pub material_code: Option<&'a str>,
    /// Reason.
    pub code: &'a str,
    /// In words.
    pub reason: &'a str,
}

/// Faults of an entered item: (member, code, Chinese, English).
pub fn item_faults(item: &EnteredItem<'_>) -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    let mut faults = Vec::new();
    match item.target_kind {
        TargetKind::Field => match item.pointer {
            None => faults.push(("pointer", "required", "指向字段时必填", "is required for a field")),
            Some(pointer) if !is_field(pointer) => {
                faults.push((
                    "pointer",
                    "not_in_list",
                    "不是可修改的字段",
                    "is not a field that can be changed",
                ));
            }
            Some(_) => {}
        },
        TargetKind::Material if item.material_code.is_none() => {
            faults.push(("material_code", "required", "指向资料时必填", "is required for a material"));
        }
        TargetKind::Material => {
            let code = item.material_code.unwrap_or_default();
            if data::dictionaries().find("material", code).is_none() {
                faults.push(("material_code", "not_in_list", "没有此资料", "is not a known material"));
            }
        }
        TargetKind::Photo => {}
    }
    match data::rejection_reason(item.code) {
        None => faults.push(("code", "not_in_list", "没有此驳回原因", "is not a known reason")),
        Some(known) if known.code == "OTHER" && item.reason.trim().chars().count() < 10 => {
            faults.push((
                "reason",
                "too_short",
                "其他原因至少 10 个字",
                "needs at least 10 characters for OTHER",
            ));
        }
        Some(_) => {}
    }
    faults
}

/// A field of the form, a list's entry below it, or a group of fields such as the person.
fn is_field(pointer: &str) -> bool {
    pointer == "/website"
        || FIELDS.iter().any(|field| {
            field.pointer == pointer
                || pointer.strip_prefix(field.pointer).is_some_and(|rest| rest.starts_with('/'))
                || field
                    .pointer
                    .strip_prefix(pointer)
                    .is_some_and(|rest| rest.starts_with('/') && pointer.len() > 1)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_becomes_an_item_on_its_field() {
        let items = items(data::bureau_results(), Some("1020"), Some("与内容不符"), &[]);
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].pointer.as_deref(), Some("/website/name"));
        assert_eq!(items[0].code, "SITE_NAME_INVALID");
        assert!(items[0].reason.contains("1020") && items[0].reason.contains("与内容不符"));
    }

    #[test]
    fn an_unknown_code_is_never_lost() {
        let items = items(data::bureau_results(), Some("5999"), None, &[]);
        assert_eq!((items[0].pointer.as_deref(), items[0].code.as_str()), (Some("/website"), "OTHER"));
    }

    #[test]
    fn a_fault_of_an_attachment_points_at_every_material() {
        let materials = ["identity_card_front".to_owned(), "authorisation_letter".to_owned()];
        let items = items(data::bureau_results(), Some("1055"), None, &materials);
        assert_eq!(items.len(), 2);
        assert!(items.iter().all(|item| item.target_kind == TargetKind::Material && item.pointer.is_none()));
        let none = super::items(data::bureau_results(), Some("1055"), None, &[]);
        assert_eq!(none[0].target_kind, TargetKind::Field);
    }

    #[test]
    fn an_entered_item_names_what_exists() {
        let good = EnteredItem {
            target_kind: TargetKind::Field,
            pointer: Some("/website/name"),
            material_code: None,
            code: "SITE_NAME_INVALID",
            reason: "",
        };
        assert!(item_faults(&good).is_empty());
        let members =
            |item: EnteredItem<'_>| item_faults(&item).into_iter().map(|fault| fault.0).collect::<Vec<_>>();
        assert_eq!(
            members(EnteredItem { pointer: Some("/website/nothing"), code: "X", ..good }),
            ["pointer", "code"]
        );
        assert!(members(EnteredItem { pointer: Some("/website/domains/0"), ..good }).is_empty());
        assert!(members(EnteredItem { pointer: Some("/website/responsible_person"), ..good }).is_empty());
        assert_eq!(members(EnteredItem { code: "OTHER", reason: "短", ..good }), ["reason"]);
        assert_eq!(members(EnteredItem { target_kind: TargetKind::Material, ..good }), ["material_code"]);
    }

    #[test]
    fn nothing_is_restarted_or_given_up_while_an_automatic_attempt_is_under_way() {
        let automatic = Facts { is_automatic: true, is_verifying_sms: false };
        assert!(!is_allowed(Step::GiveUp, SubmissionState::Sending, automatic));
        assert!(!is_allowed(Step::Restart, SubmissionState::Sending, automatic));
        assert!(!is_allowed(Step::GiveUp, SubmissionState::Unconfirmed, automatic));
        assert!(is_allowed(Step::GiveUp, SubmissionState::Sending, Facts::default()));
        assert!(allowed(SubmissionState::Approved, automatic).is_empty());
    }

    /// docs/states.md lists each step with the states from which it is possible under some facts.
    #[test]
    fn the_page_of_the_states_says_the_same() {
        use std::collections::BTreeSet;
        let page = include_str!("../../docs/states.md");
        let section = page
            .split("\n## ")
            .find(|part| part.starts_with("Submissions to the bureau"))
            .expect("a section");
        let facts = [(false, false), (false, true), (true, false), (true, true)]
            .map(|(is_automatic, is_verifying_sms)| Facts { is_automatic, is_verifying_sms });
        for step in Step::ALL {
            let possible: BTreeSet<&str> = SubmissionState::ALL
                .iter()
                .filter(|state| facts.iter().any(|facts| is_allowed(*step, **state, *facts)))
                .map(|state| state.as_str())
                .collect();
            let row = section.lines().find(|line| line.starts_with(&format!("| `{step}` | operator |")));
            let from = row.map_or("", |row| row.split('|').nth(3).unwrap_or_default());
            let told: BTreeSet<&str> = from.split('`').skip(1).step_by(2).collect();
            assert_eq!(told, possible, "{step}");
        }
    }
}
