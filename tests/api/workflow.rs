//! The state machine of a filing, whole: each status × action × side, with each guard flipped once.
//!
//! The snapshot shows what the program does; `domain_rows` says, independently, what the design asks for.

use std::collections::BTreeSet;
use std::fmt::Write;

use beian::catalogue::data;
use beian::filings::workflow::{Action, Decision, Facts, Refusal, Side, Status, allowed, decide};

/// Facts that stand in nobody's way: what a decision depends on is flipped from here.
pub fn permissive() -> Facts {
    Facts { base_is_current: true, submission_is_queued: true, ..Facts::default() }
}

type Flip = fn(&mut Facts);

/// Each fact with the words for its value once flipped away from `permissive`.
pub const FLIPS: &[(&str, Flip)] = &[
    ("has_valid_photo", |facts| facts.has_valid_photo ^= true),
    ("asks_for_sms", |facts| facts.asks_for_sms ^= true),
    ("not base_is_current", |facts| facts.base_is_current ^= true),
    ("has_other_live_filing", |facts| facts.has_other_live_filing ^= true),
    ("not submission_is_queued", |facts| facts.submission_is_queued ^= true),
    ("submission_is_unconfirmed", |facts| facts.submission_is_unconfirmed ^= true),
    ("is_changed_since_revision", |facts| facts.is_changed_since_revision ^= true),
    ("photo_is_checking", |facts| facts.photo_is_checking ^= true),
    ("has_live_photo", |facts| facts.has_live_photo ^= true),
    ("has_open_shipment", |facts| facts.has_open_shipment ^= true),
];

pub fn flipped(flip: Flip) -> Facts {
    let mut facts = permissive();
    flip(&mut facts);
    facts
}

/// Every combination of facts.
fn all_facts() -> impl Iterator<Item = Facts> {
    (0..1_u32 << FLIPS.len()).map(|bits| {
        let mut facts = permissive();
        FLIPS
            .iter()
            .enumerate()
            .filter(|(i, _)| (bits >> i) & 1 == 1)
            .for_each(|(_, (_, flip))| flip(&mut facts));
        facts
    })
}

pub fn side_name(side: Side) -> String {
    format!("{side:?}").to_lowercase()
}

fn outcome(status: Status, result: &Result<Decision, Refusal>) -> String {
    match result {
        Err(refusal) => format!("refused: {refusal:?}"),
        Ok(decision) => {
            let to = if decision.to == status { "(stays)" } else { decision.to.as_str() };
            let event = decision.event.map_or_else(String::new, |event| format!("  event {event}"));
            let effects = &decision.effects;
            let effects = if effects.is_empty() { String::new() } else { format!("  effects {effects:?}") };
            format!("-> {to}{event}{effects}")
        }
    }
}

fn matrix() -> String {
    let mut text = String::new();
    for status in Status::ALL.iter().copied() {
        let marks: Vec<&str> = [
            (status.is_editable(), "editable"),
            (status.is_live(), "live"),
            (status.expires(), "expires after 45 days"),
        ]
        .iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, mark)| *mark)
        .collect();
        let deadline = status.deadline().map_or_else(|| "none".to_owned(), |rule| format!("{rule:?}"));
        writeln!(text, "== {status}: {}; deadline {deadline}", marks.join(", ")).unwrap();
        let mut nowhere = Vec::new();
        for action in Action::ALL.iter().copied() {
            let by_side: Vec<(String, String)> = Side::ALL
                .iter()
                .map(|side| {
                    (side_name(*side), outcome(status, &decide(status, action, *side, &permissive())))
                })
                .collect();
            if by_side.iter().all(|(_, outcome)| outcome == "refused: Status") {
                nowhere.push(action.as_str());
                continue;
            }
            for (name, usual) in &by_side {
                writeln!(text, "{:<24}{name:<10}{usual}", action.as_str()).unwrap();
            }
            for (word, flip) in FLIPS {
                let changed: Vec<String> = Side::ALL
                    .iter()
                    .zip(&by_side)
                    .filter_map(|(side, (name, usual))| {
                        let other = outcome(status, &decide(status, action, *side, &flipped(*flip)));
                        (other != *usual)
                            .then(|| format!("{:<24}{name:<10}  when {word}: {other}", action.as_str()))
                    })
                    .collect();
                changed.iter().for_each(|line| writeln!(text, "{line}").unwrap());
            }
        }
        writeln!(text, "refused for every side: {}\n", nowhere.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_matrix_is_the_reviewed_one() {
    insta::assert_snapshot!("matrix", matrix());
}

/// A row of the table of transitions: from, action, sides, what the facts must be beside permissive, to.
type Row = (&'static [Status], Action, &'static [Side], Option<Flip>, Option<Status>);

/// The design's table of transitions, with its row numbers; `None` as the target: the status stays.
fn domain_rows() -> &'static [Row] {
    use Action as A;
    use Status as S;
    const OWNER: &[Side] = &[Side::Owner];
    const REVIEWER: &[Side] = &[Side::Reviewer];
    const BUREAU: &[Side] = &[Side::Operator, Side::System];
    const SYSTEM: &[Side] = &[Side::System];
    const EDITABLE: &[Status] = &[S::Draft, S::InitialRejected, S::BureauRejected, S::SmsFailed];
    const WITH_PHOTO: Flip = |facts| facts.has_valid_photo = true;
    const WITH_SMS: Flip = |facts| facts.asks_for_sms = true;
    &[
        // 2, 3
        (EDITABLE, A::Edit, OWNER, None, None),
        (EDITABLE, A::Submit, OWNER, None, Some(S::InitialReview)),
        // 4
        (
            &[S::InitialReview, S::PhotoRequired, S::PhotoRejected, S::PhotoReview, S::BureauQueued],
            A::Withdraw,
            OWNER,
            None,
            Some(S::Draft),
        ),
        // 5, 6, 6b
        (&[S::InitialReview], A::RejectInitialReview, REVIEWER, None, Some(S::InitialRejected)),
        (&[S::InitialReview], A::ApproveInitialReview, REVIEWER, None, Some(S::PhotoRequired)),
        (&[S::InitialReview], A::ApproveInitialReview, REVIEWER, Some(WITH_PHOTO), Some(S::BureauQueued)),
        // The backdrop and the upload of a photo: the status stays.
        (&[S::InitialReview, S::PhotoRequired, S::PhotoRejected], A::RequestBackdrop, OWNER, None, None),
        (&[S::PhotoRequired, S::PhotoRejected], A::UploadPhoto, OWNER, None, None),
        // 7, 8, 8b, 9
        (&[S::PhotoRequired, S::PhotoRejected], A::SendPhotoToReview, SYSTEM, None, Some(S::PhotoReview)),
        (&[S::PhotoReview], A::RejectPhoto, REVIEWER, None, Some(S::PhotoRejected)),
        (&[S::PhotoReview], A::RejectDataAtPhoto, REVIEWER, None, Some(S::InitialRejected)),
        (&[S::PhotoReview], A::ApprovePhoto, REVIEWER, None, Some(S::BureauQueued)),
        // 10, 10b
        (&[S::BureauQueued], A::AcceptAtBureau, BUREAU, None, Some(S::BureauReview)),
        (&[S::BureauQueued], A::AcceptAtBureau, BUREAU, Some(WITH_SMS), Some(S::SmsVerification)),
        (&[S::BureauQueued, S::SmsVerification], A::RefuseAtBureau, BUREAU, None, Some(S::BureauRejected)),
        // 11, 12: reported by the gateway or the operator, or the timer.
        (&[S::SmsVerification], A::ConfirmSms, BUREAU, None, Some(S::BureauReview)),
        (&[S::SmsVerification], A::FailSms, BUREAU, None, Some(S::SmsFailed)),
        // 13, 14, 15
        (&[S::SmsFailed], A::Resend, OWNER, None, Some(S::BureauQueued)),
        (&[S::BureauReview], A::ApproveAtBureau, BUREAU, None, Some(S::Approved)),
        (&[S::BureauReview], A::RejectAtBureau, BUREAU, None, Some(S::BureauRejected)),
        // 16
        (
            &[
                S::Draft,
                S::InitialRejected,
                S::PhotoRequired,
                S::PhotoReview,
                S::PhotoRejected,
                S::SmsFailed,
                S::BureauRejected,
            ],
            A::Abandon,
            OWNER,
            None,
            Some(S::Abandoned),
        ),
        // 17, 18
        (
            &[
                S::Draft,
                S::InitialRejected,
                S::PhotoRequired,
                S::PhotoRejected,
                S::SmsFailed,
                S::BureauRejected,
            ],
            A::Expire,
            SYSTEM,
            None,
            Some(S::Expired),
        ),
        (&[S::Expired], A::Reopen, OWNER, None, Some(S::Draft)),
    ]
}

#[test]
fn the_program_allows_what_the_design_lists_and_nothing_else() {
    let mut listed = BTreeSet::new();
    for (from, action, sides, flip, to) in domain_rows().iter().copied() {
        for (status, side) in from.iter().flat_map(|status| sides.iter().map(move |side| (*status, *side))) {
            let facts = flip.map_or_else(permissive, flipped);
            let decision = decide(status, action, side, &facts);
            let reached = decision.as_ref().map(|decision| decision.to);
            assert_eq!(reached, Ok(to.unwrap_or(status)), "{action} in {status} by {side:?}");
            listed.insert((status, action, side_name(side)));
        }
    }
    for status in Status::ALL {
        for action in Action::ALL {
            for side in Side::ALL {
                let is_allowed = decide(*status, *action, *side, &permissive()).is_ok();
                let is_listed = listed.contains(&(*status, *action, side_name(*side)));
                assert_eq!(is_allowed, is_listed, "{action} in {status} by {side:?}");
            }
        }
    }
}

#[test]
fn no_combination_of_facts_opens_what_status_and_side_forbid() {
    for facts in all_facts() {
        for status in Status::ALL {
            for side in Side::ALL {
                for action in Action::ALL {
                    let usual = decide(*status, *action, *side, &permissive());
                    if let Err(refusal @ (Refusal::Status | Refusal::Side)) = usual {
                        assert_eq!(
                            decide(*status, *action, *side, &facts),
                            Err(refusal),
                            "{action} in {status}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn guards_refuse_with_their_own_reason() {
    use Action as A;
    use Status as S;
    let cases: &[(Status, Action, Side, &str, Refusal)] = &[
        (S::Draft, A::Submit, Side::Owner, "not base_is_current", Refusal::BaseOutdated),
        (S::BureauQueued, A::Withdraw, Side::Owner, "not submission_is_queued", Refusal::AlreadySent),
        (S::InitialReview, A::RequestBackdrop, Side::Owner, "has_open_shipment", Refusal::ShipmentOpen),
        (S::PhotoRequired, A::UploadPhoto, Side::Owner, "has_live_photo", Refusal::PhotoUnderWay),
        (
            S::BureauQueued,
            A::RefuseAtBureau,
            Side::Operator,
            "submission_is_unconfirmed",
            Refusal::Unconfirmed,
        ),
        (
            S::SmsVerification,
            A::RefuseAtBureau,
            Side::System,
            "submission_is_unconfirmed",
            Refusal::Unconfirmed,
        ),
        (S::SmsFailed, A::Resend, Side::Owner, "is_changed_since_revision", Refusal::Changed),
        (S::BureauReview, A::ApproveAtBureau, Side::System, "not base_is_current", Refusal::BaseOutdated),
        (S::Draft, A::Expire, Side::System, "has_open_shipment", Refusal::ShipmentOpen),
        (S::PhotoRequired, A::Expire, Side::System, "photo_is_checking", Refusal::PhotoUnderWay),
        (S::Expired, A::Reopen, Side::Owner, "has_other_live_filing", Refusal::LiveFilingExists),
    ];
    for (status, action, side, word, refusal) in cases {
        let flip = FLIPS.iter().find(|(known, _)| known == word).unwrap().1;
        assert_eq!(
            decide(*status, *action, *side, &flipped(flip)),
            Err(*refusal),
            "{action} in {status}: {word}"
        );
    }
}

#[test]
fn every_fact_matters_somewhere() {
    for (word, flip) in FLIPS {
        let matters = Status::ALL.iter().any(|status| {
            Action::ALL.iter().any(|action| {
                Side::ALL.iter().any(|side| {
                    decide(*status, *action, *side, &permissive())
                        != decide(*status, *action, *side, &flipped(*flip))
                })
            })
        });
        assert!(matters, "{word} changes nothing");
    }
}

/// The statuses that can follow, over all sides and the facts flipped once.
fn next(status: Status) -> BTreeSet<Status> {
    let facts: Vec<Facts> =
        std::iter::once(permissive()).chain(FLIPS.iter().map(|(_, flip)| flipped(*flip))).collect();
    let mut reached = BTreeSet::new();
    for (action, side) in
        Action::ALL.iter().flat_map(|action| Side::ALL.iter().map(move |side| (*action, *side)))
    {
        reached.extend(
            facts
                .iter()
                .filter_map(|facts| decide(status, action, side, facts).ok())
                .map(|decision| decision.to),
        );
    }
    reached
}

fn reachable_from(start: Status) -> BTreeSet<Status> {
    let (mut seen, mut open) = (BTreeSet::from([start]), vec![start]);
    while let Some(status) = open.pop() {
        open.extend(next(status).into_iter().filter(|other| seen.insert(*other)));
    }
    seen
}

#[test]
fn every_status_is_reachable_from_the_draft() {
    let all: BTreeSet<Status> = Status::ALL.iter().copied().collect();
    assert_eq!(reachable_from(Status::Draft), all);
}

#[test]
fn only_approved_and_abandoned_are_ends_and_every_other_status_leads_to_both() {
    for status in Status::ALL {
        let reached = reachable_from(*status);
        if matches!(status, Status::Approved | Status::Abandoned) {
            assert_eq!(reached, BTreeSet::from([*status]), "{status} is an end");
            continue;
        }
        assert!(reached.contains(&Status::Approved), "{status} never leads to an approval");
        assert!(reached.contains(&Status::Abandoned), "{status} can never be given up");
    }
}

#[test]
fn allowed_agrees_with_decide() {
    for facts in all_facts() {
        for status in Status::ALL {
            for side in Side::ALL {
                let list = allowed(*status, *side, &facts);
                for action in Action::ALL {
                    let is_allowed = decide(*status, *action, *side, &facts).is_ok();
                    assert_eq!(
                        list.contains(action),
                        is_allowed,
                        "{action} in {status} by {side:?} with {facts:?}"
                    );
                }
                assert_eq!(
                    list.len(),
                    list.iter().collect::<BTreeSet<_>>().len(),
                    "an action stands there twice"
                );
            }
        }
    }
}

#[test]
fn each_move_tells_an_event_of_the_catalogue_and_staying_tells_nothing() {
    for facts in std::iter::once(permissive()).chain(FLIPS.iter().map(|(_, flip)| flipped(*flip))) {
        for (status, action) in
            Status::ALL.iter().flat_map(|status| Action::ALL.iter().map(move |action| (*status, *action)))
        {
            for side in Side::ALL {
                let Ok(decision) = decide(status, action, *side, &facts) else { continue };
                match decision.event {
                    Some(event) => {
                        assert!(data::event_type(event).is_some(), "{event} is not in the catalogue");
                        assert_ne!(
                            decision.to, status,
                            "{action} in {status} tells an event and moves nothing"
                        );
                    }
                    None => {
                        assert_eq!(decision.to, status, "{action} in {status} moves silently");
                        assert!(decision.effects.is_empty(), "{action} in {status} stays and has effects");
                    }
                }
            }
        }
    }
}

#[test]
fn the_side_that_must_act_is_pressed_by_exactly_one_clock() {
    for status in Status::ALL.iter().filter(|status| status.is_live()) {
        assert_ne!(
            status.expires(),
            status.deadline().is_some(),
            "{status} needs either a deadline or an expiry"
        );
    }
    for status in Status::ALL.iter().filter(|status| !status.is_live()) {
        assert!(!status.expires() && status.deadline().is_none() && !status.is_editable(), "{status}");
    }
}
