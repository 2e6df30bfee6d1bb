//! What an operator can do next with a submission. Pure.

use super::SubmissionState;
use super::rules::{self, Facts, Step};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::SubmissionId;
use crate::websites::next_action::NextAction;

/// The steps, the primary one first. Whether the bureau is paused does not count: a pause does not change the submission's
/// version, and handing over answers `bureau_paused`.
pub fn next_actions(
    id: SubmissionId,
    state: SubmissionState,
    facts: Facts,
    locale: Locale,
) -> Vec<NextAction> {
    let primary = match state {
        SubmissionState::Queued if !facts.is_automatic => Some(Step::Dispatch),
        SubmissionState::Sending if !facts.is_automatic => Some(Step::Accept),
        SubmissionState::Failed => Some(Step::Restart),
        SubmissionState::Accepted if facts.is_verifying_sms => Some(Step::RecordSms),
        SubmissionState::Accepted => Some(Step::Decide),
        _ => None,
    };
    let mut steps = rules::allowed(state, facts);
    steps.sort_by_key(|step| Some(*step) != primary);
    let action = |step: Step| {
        let (operation, rest) = match step {
            Step::DownloadPackage => ("createBureauPackage", "package"),
            Step::Dispatch => ("dispatchBureauSubmission", "dispatch"),
            Step::Accept => ("acceptBureauSubmission", "accept"),
            Step::RecordSms => ("confirmBureauSms", "confirm-sms"),
            Step::Decide => ("decideBureauSubmission", "decide"),
            Step::Restart => ("restartBureauStep", "restart-step"),
            Step::GiveUp => ("giveUpBureauSubmission", "give-up"),
        };
        let href = format!("/v1/bureau-submissions/{id}/{rest}");
        let action = NextAction::new(locale, step.as_str(), operation, "POST", href);
        if Some(step) == primary { action.primary() } else { action }
    };
    steps.into_iter().map(action).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(state: SubmissionState, facts: Facts) -> Vec<NextAction> {
        next_actions(SubmissionId::new(), state, facts, Locale::En)
    }

    #[test]
    fn by_hand_a_submission_is_sent_then_accepted_then_decided() {
        let first = |state| list(state, Facts::default()).remove(0);
        assert_eq!(first(SubmissionState::Queued).operation_id, "dispatchBureauSubmission");
        assert_eq!(first(SubmissionState::Sending).operation_id, "acceptBureauSubmission");
        assert_eq!(first(SubmissionState::Accepted).operation_id, "decideBureauSubmission");
        assert_eq!(first(SubmissionState::Failed).operation_id, "restartBureauStep");
        assert!(list(SubmissionState::Approved, Facts::default()).is_empty());
    }

    #[test]
    fn an_automatic_attempt_under_way_is_not_interfered_with() {
        let automatic = Facts { is_automatic: true, ..Facts::default() };
        let list = list(SubmissionState::Sending, automatic);
        assert!(list.iter().all(|action| !action.is_primary && action.action != "give_up"));
    }
}
