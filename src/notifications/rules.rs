//! Whether a message over a channel goes out. Pure.

use super::Channel;
use crate::catalogue::data::is_mandatory;

/// What to do with a message, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is in the inbox at once.
    Show,
    /// A job sends it.
    Queue,
    /// It is kept unsent, with this code as the reason.
    Suppress(&'static str),
}

/// The user switched this event off for this channel.
pub(super) const SWITCHED_OFF: &str = "switched_off";
/// The user has no verified address or number.
pub(super) const NOT_VERIFIED: &str = "contact_not_verified";
/// Nobody carries messages of this channel.
pub(super) const NO_PROVIDER: &str = "no_provider";
/// The provider of SMS has no template for this kind of message.
pub(super) const NO_TEMPLATE: &str = "no_template";
/// Messages do not reach the user's address or number.
pub(super) const UNDELIVERABLE: &str = "contact_undeliverable";
/// The user was disabled before it went out.
pub(super) const DISABLED: &str = "user_disabled";

/// What a channel can do for one user.
#[derive(Debug, Clone, Copy)]
pub(super) struct Means {
    /// The user has a verified address or number.
    pub is_verified: bool,
    /// Somebody carries messages of the channel.
    pub has_provider: bool,
    /// The provider has a template for this kind of message.
    pub has_template: bool,
    /// Nothing says that messages cannot reach it.
    pub is_reachable: bool,
}

/// The decision for one user and channel. `is_switched_on` is the user's wish (on unless they said otherwise).
pub(super) fn verdict(channel: Channel, event_type: &str, is_switched_on: bool, means: Means) -> Verdict {
    if channel == Channel::Inbox {
        Verdict::Show
    } else if !is_switched_on && !is_mandatory(event_type) {
        Verdict::Suppress(SWITCHED_OFF)
    } else if !means.is_verified {
        Verdict::Suppress(NOT_VERIFIED)
    } else if !means.has_provider {
        Verdict::Suppress(NO_PROVIDER)
    } else if !means.has_template {
        Verdict::Suppress(NO_TEMPLATE)
    } else if !means.is_reachable && !is_mandatory(event_type) {
        // The bureau's results are tried all the same: the contact may work again.
        Verdict::Suppress(UNDELIVERABLE)
    } else {
        Verdict::Queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Means =
        Means { is_verified: true, has_provider: true, has_template: true, is_reachable: true };

    #[test]
    fn the_inbox_always_gets_it() {
        let nothing =
            Means { is_verified: false, has_provider: false, has_template: false, is_reachable: false };
        assert_eq!(verdict(Channel::Inbox, "filing.submitted", false, nothing), Verdict::Show);
    }

    #[test]
    fn a_wish_counts_except_against_the_bureaus_decision() {
        assert_eq!(verdict(Channel::Sms, "filing.submitted", false, ALL), Verdict::Suppress(SWITCHED_OFF));
        assert_eq!(verdict(Channel::Sms, "bureau.approved", false, ALL), Verdict::Queue);
        assert_eq!(verdict(Channel::Email, "bureau.rejected", false, ALL), Verdict::Queue);
    }

    #[test]
    fn what_cannot_be_sent_is_kept_with_its_reason() {
        for (means, reason) in [
            (Means { is_verified: false, ..ALL }, NOT_VERIFIED),
            (Means { has_provider: false, ..ALL }, NO_PROVIDER),
            (Means { has_template: false, ..ALL }, NO_TEMPLATE),
        ] {
            assert_eq!(verdict(Channel::Sms, "bureau.approved", true, means), Verdict::Suppress(reason));
        }
    }

    #[test]
    fn a_contact_that_nothing_reaches_gets_the_bureaus_results_only() {
        let lost = Means { is_reachable: false, ..ALL };
        assert_eq!(verdict(Channel::Email, "filing.submitted", true, lost), Verdict::Suppress(UNDELIVERABLE));
        assert_eq!(verdict(Channel::Email, "bureau.rejected", true, lost), Verdict::Queue);
    }

    #[test]
    fn mandatory_events_exist() {
        for event in ["bureau.approved", "bureau.rejected"] {
            assert!(is_mandatory(event) && crate::catalogue::data::event_type(event).is_some(), "{event}");
        }
        assert!(!is_mandatory("filing.submitted"));
    }
}
