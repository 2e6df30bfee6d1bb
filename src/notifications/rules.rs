//! Whether a message over a channel goes out. Pure.

use super::Channel;

/// Events that nobody can switch off: the bureau's decision has legal weight.
const MANDATORY: [&str; 2] = ["bureau.approved", "bureau.rejected"];

/// Whether users cannot switch this event off.
pub fn is_mandatory(event_type: &str) -> bool {
    MANDATORY.contains(&event_type)
}

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
/// The user was disabled before it went out.
pub(super) const DISABLED: &str = "user_disabled";

/// The decision for one user and channel. `is_switched_on` is the user's wish (on unless they said otherwise).
pub(super) fn verdict(
    channel: Channel,
    event_type: &str,
    is_switched_on: bool,
    is_verified: bool,
    has_provider: bool,
) -> Verdict {
    if channel == Channel::Inbox {
        Verdict::Show
    } else if !is_switched_on && !is_mandatory(event_type) {
        Verdict::Suppress(SWITCHED_OFF)
    } else if !is_verified {
        Verdict::Suppress(NOT_VERIFIED)
    } else if !has_provider {
        Verdict::Suppress(NO_PROVIDER)
    } else {
        Verdict::Queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inbox_always_gets_it() {
        assert_eq!(verdict(Channel::Inbox, "filing.submitted", false, false, false), Verdict::Show);
    }

    #[test]
    fn a_wish_counts_except_against_the_bureaus_decision() {
        assert_eq!(
            verdict(Channel::Sms, "filing.submitted", false, true, true),
            Verdict::Suppress(SWITCHED_OFF)
        );
        assert_eq!(verdict(Channel::Sms, "bureau.approved", false, true, true), Verdict::Queue);
        assert_eq!(verdict(Channel::Email, "bureau.rejected", false, true, true), Verdict::Queue);
    }

    #[test]
    fn an_unverified_contact_or_a_missing_provider_suppresses() {
        assert_eq!(
            verdict(Channel::Email, "bureau.approved", true, false, true),
            Verdict::Suppress(NOT_VERIFIED)
        );
        assert_eq!(
            verdict(Channel::Sms, "bureau.approved", true, true, false),
            Verdict::Suppress(NO_PROVIDER)
        );
    }

    #[test]
    fn mandatory_events_exist() {
        for event in MANDATORY {
            assert!(crate::catalogue::data::event_type(event).is_some(), "{event}");
        }
    }
}
