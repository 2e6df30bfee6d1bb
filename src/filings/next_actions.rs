//! What the caller can do next with a filing: enough to draw every button. Pure.

use super::workflow::{self, Action, Facts, Refusal, Side, Status};
use crate::bureau_submissions::{self, SubmissionState};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{FilingId, PhotoVerificationId, ReviewId, ShipmentId, SubmissionId};
use crate::websites::next_action::NextAction;

/// Where the caller stands towards the filing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The owner or the partner's client.
    Owner,
    /// A reviewer; `is_holder` when they hold the open task.
    Reviewer { is_holder: bool },
    /// A bureau operator.
    Operator,
    /// Anybody else: reads only.
    Reader,
}

/// What the steps depend on, beside the workflow's own facts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Situation {
    /// The content differs from the filed data.
    pub has_changes: bool,
    /// The attempt that waits for its upload.
    pub photo_to_submit: Option<PhotoVerificationId>,
    /// The shipment that is still only requested.
    pub shipment_requested: Option<ShipmentId>,
    /// The open review task, and whether somebody else holds it.
    pub open_task: Option<(ReviewId, bool)>,
    /// The live submission, and where it stands.
    pub submission: Option<(SubmissionId, SubmissionState)>,
    /// Hand-overs go by themselves.
    pub hand_over_is_automatic: bool,
}

struct List {
    locale: Locale,
    items: Vec<NextAction>,
}

impl List {
    fn add(
        &mut self,
        action: &str,
        operation_id: &str,
        method: &str,
        href: String,
        is_primary: bool,
        blocked: &[&str],
    ) {
        let mut item = NextAction::new(self.locale, action, operation_id, method, href);
        item.is_primary = is_primary;
        self.items.push(blocked.iter().fold(item, |item, code| item.blocked(self.locale, code, None)));
    }
}

/// The steps, the primary one first.
pub fn next_actions(
    id: FilingId,
    status: Status,
    view: View,
    facts: &Facts,
    situation: &Situation,
    locale: Locale,
) -> Vec<NextAction> {
    let mut list = List { locale, items: Vec::new() };
    match view {
        View::Owner => owner(&mut list, id, status, facts, situation),
        View::Reviewer { is_holder } => reviewer(&mut list, is_holder, situation),
        View::Operator => operator(&mut list, status, situation),
        View::Reader => {}
    }
    list.items
}

fn owner(list: &mut List, id: FilingId, status: Status, facts: &Facts, situation: &Situation) {
    let path = |rest: &str| format!("/v1/filings/{id}{rest}");
    let can = |action| match workflow::decide(status, action, Side::Owner, facts) {
        Ok(_) => Some(Vec::new()),
        Err(Refusal::BaseOutdated) => Some(vec!["base_version_outdated"]),
        Err(Refusal::LiveFilingExists) => Some(vec!["live_filing_exists"]),
        Err(Refusal::PhotoUnderWay) => Some(vec!["photo_checking"]),
        Err(Refusal::ShipmentOpen) => Some(vec!["shipment_open"]),
        Err(_) => None,
    };
    if let Some(mut blocked) = can(Action::Submit) {
        if !situation.has_changes {
            blocked.push("no_changes");
        }
        let name = if status == Status::Draft { "submit" } else { "edit_and_resubmit" };
        list.add(name, "submitFiling", "POST", path("/submit"), situation.has_changes, &blocked);
    }
    if can(Action::Edit).is_some() {
        list.add("edit", "updateFiling", "PATCH", path(""), !situation.has_changes, &[]);
        list.add("upload_attachment", "createAttachment", "POST", path("/attachments"), false, &[]);
        list.add("check", "checkFiling", "POST", path("/check"), false, &[]);
    }
    if let Some(blocked) = can(Action::Resend) {
        list.add("resend", "resendFiling", "POST", path("/resend"), true, &blocked);
    }
    if let Some(photo) = situation.photo_to_submit {
        let href = format!("/v1/photo-verifications/{photo}/submit");
        list.add("submit_photo", "submitPhotoVerification", "POST", href, true, &[]);
    }
    if let Some(blocked) = can(Action::UploadPhoto) {
        let is_primary = situation.photo_to_submit.is_none();
        list.add(
            "upload_photo",
            "createPhotoVerification",
            "POST",
            path("/photo-verifications"),
            is_primary,
            &blocked,
        );
    }
    if let Some(blocked) = can(Action::RequestBackdrop) {
        list.add(
            "request_backdrop",
            "createBackdropShipment",
            "POST",
            path("/backdrop-shipments"),
            false,
            &blocked,
        );
    }
    if let Some(shipment) = situation.shipment_requested {
        let href = format!("/v1/backdrop-shipments/{shipment}");
        list.add("update_backdrop_address", "updateBackdropShipment", "PATCH", href.clone(), false, &[]);
        list.add("cancel_shipment", "cancelBackdropShipment", "POST", format!("{href}/cancel"), false, &[]);
    }
    if let Some(blocked) = can(Action::Reopen) {
        list.add("reopen", "reopenFiling", "POST", path("/reopen"), true, &blocked);
    }
    if can(Action::Withdraw).is_some() {
        list.add("withdraw", "withdrawFiling", "POST", path("/withdraw"), false, &[]);
    }
    if can(Action::Abandon).is_some() {
        list.add("abandon", "abandonFiling", "POST", path("/abandon"), false, &[]);
    }
}

fn reviewer(list: &mut List, is_holder: bool, situation: &Situation) {
    let Some((task, is_held_by_another)) = situation.open_task else { return };
    let path = |rest: &str| format!("/v1/reviews/{task}{rest}");
    if is_holder {
        list.add("approve", "approveReview", "POST", path("/approve"), true, &[]);
        list.add("reject", "rejectReview", "POST", path("/reject"), false, &[]);
        list.add("save_draft", "saveReviewDraft", "PUT", path("/draft"), false, &[]);
        list.add("renew", "renewReview", "POST", path("/renew"), false, &[]);
        list.add("release", "releaseReview", "POST", path("/release"), false, &[]);
    } else {
        let blocked: &[&str] = if is_held_by_another { &["claimed_by_another"] } else { &[] };
        list.add("claim", "claimReview", "POST", path("/claim"), true, blocked);
    }
}

/// The operator's steps are the submission's own: one list, wherever it is shown.
fn operator(list: &mut List, status: Status, situation: &Situation) {
    let Some((submission, state)) = situation.submission else { return };
    let is_verifying_sms = status == Status::SmsVerification;
    let facts =
        bureau_submissions::Facts { is_automatic: situation.hand_over_is_automatic, is_verifying_sms };
    list.items.extend(bureau_submissions::next_actions(submission, state, facts, list.locale));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(status: Status, view: View, situation: Situation) -> Vec<String> {
        let facts = Facts { base_is_current: true, submission_is_queued: true, ..Default::default() };
        next_actions(FilingId::new(), status, view, &facts, &situation, Locale::En)
            .into_iter()
            .map(|action| action.action)
            .collect()
    }

    #[test]
    fn every_status_that_waits_for_the_owner_offers_a_step() {
        for status in Status::ALL {
            let names = names(*status, View::Owner, Situation::default());
            let waits_for_owner = status.expires() || *status == Status::Expired;
            assert!(!waits_for_owner || !names.is_empty(), "{status}");
        }
    }

    #[test]
    fn a_draft_without_changes_can_be_edited_and_not_submitted() {
        let facts = Facts { base_is_current: true, ..Default::default() };
        let list = next_actions(
            FilingId::new(),
            Status::Draft,
            View::Owner,
            &facts,
            &Situation::default(),
            Locale::ZhCn,
        );
        let submit = list.iter().find(|action| action.action == "submit").unwrap();
        assert!(!submit.is_enabled);
        assert_eq!(submit.blocked_by[0].label, "尚未修改任何信息");
        assert!(list.iter().any(|action| action.action == "edit" && action.is_primary));
    }

    #[test]
    fn the_photo_page_names_both_branches() {
        let names = names(Status::PhotoRequired, View::Owner, Situation::default());
        assert!(names.contains(&"upload_photo".to_owned()) && names.contains(&"request_backdrop".to_owned()));
    }

    #[test]
    fn an_operator_has_the_steps_of_the_submission() {
        let names = |state, hand_over_is_automatic| {
            let submission = Some((SubmissionId::new(), state));
            let situation = Situation { submission, hand_over_is_automatic, ..Situation::default() };
            names(Status::BureauQueued, View::Operator, situation)
        };
        let has = |list: Vec<String>, name: &str| list.iter().any(|known| known == name);
        assert!(has(names(SubmissionState::Queued, false), "dispatch"));
        assert!(!has(names(SubmissionState::Sending, false), "dispatch"));
        assert!(has(names(SubmissionState::Failed, false), "restart_step"));
        assert!(!has(names(SubmissionState::Sending, true), "give_up"));
        assert!(!has(names(SubmissionState::Unconfirmed, true), "dispatch"));
    }

    #[test]
    fn readers_have_nothing_to_do() {
        assert!(names(Status::Draft, View::Reader, Situation::default()).is_empty());
    }
}
