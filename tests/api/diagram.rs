//! docs/filing-workflow.md is made from the state machine, so that the picture cannot differ from the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use beian::catalogue::data::{label, status_label};
use beian::filings::workflow::{Action, DeadlineRule, Decision, Refusal, Side, Status, decide};

use crate::workflow::{FLIPS, flipped, permissive, side_name};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/filing-workflow.md");

/// An action in a status: what happens, under which fact, by whom.
struct Step {
    from: Status,
    action: Action,
    sides: Vec<Side>,
    /// The fact that leads here instead of the usual way.
    when: Option<&'static str>,
    decision: Decision,
    refusals: Vec<(&'static str, Refusal)>,
}

fn steps() -> Vec<Step> {
    let mut steps = Vec::new();
    for (from, action) in
        Status::ALL.iter().flat_map(|status| Action::ALL.iter().map(move |action| (*status, *action)))
    {
        let usual = |side: &Side| decide(from, action, *side, &permissive());
        let sides: Vec<Side> = Side::ALL.iter().copied().filter(|side| usual(side).is_ok()).collect();
        let Some(side) = sides.first().copied() else { continue };
        let Ok(decision) = usual(&side) else { continue };
        let (mut refusals, mut others) = (Vec::new(), Vec::new());
        for (word, flip) in FLIPS {
            match decide(from, action, side, &flipped(*flip)) {
                Err(refusal) => refusals.push((*word, refusal)),
                Ok(other) if other != decision => others.push((*word, other)),
                Ok(_) => {}
            }
        }
        steps.push(Step { from, action, sides: sides.clone(), when: None, decision, refusals });
        steps.extend(others.into_iter().map(|(word, decision)| Step {
            from,
            action,
            sides: sides.clone(),
            when: Some(word),
            decision,
            refusals: Vec::new(),
        }));
    }
    steps
}

fn status_zh(status: Status) -> &'static str {
    status_label("filing", status.as_str(), "zh-CN")
}

fn who(sides: &[Side]) -> String {
    sides.iter().map(|side| side_name(*side)).collect::<Vec<_>>().join(", ")
}

/// The action with its Chinese name where buttons have one.
fn action_text(action: Action) -> String {
    let name = label("action", action.as_str(), "zh-CN");
    if name == action.as_str() { format!("`{name}`") } else { format!("`{action}` {name}") }
}

fn diagram(text: &mut String, steps: &[Step]) {
    text.push_str("```mermaid\nstateDiagram-v2\n");
    for status in Status::ALL {
        writeln!(text, "    state \"{} {status}\" as {status}", status_zh(*status)).unwrap();
    }
    text.push_str("    [*] --> draft : create\n");
    // One arrow for each pair of statuses, in the order of the statuses.
    let mut arrows: BTreeMap<(Status, Status), Vec<String>> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.decision.to != step.from) {
        let names = arrows.entry((step.from, step.decision.to)).or_default();
        let name = match step.when {
            Some(word) => format!("{} ({word})", step.action),
            None => step.action.to_string(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for ((from, to), names) in &arrows {
        writeln!(text, "    {from} --> {to} : {}", names.join(", ")).unwrap();
    }
    for status in Status::ALL.iter().filter(|status| !arrows.keys().any(|(from, _)| from == *status)) {
        writeln!(text, "    {status} --> [*]").unwrap();
    }
    text.push_str("```\n");
}

fn statuses(text: &mut String) {
    text.push_str("| status | name | editable | deadline | expires |\n|---|---|---|---|---|\n");
    for status in Status::ALL.iter().copied() {
        let mark = |is_so| if is_so { "yes" } else { "" };
        let deadline = match status.deadline() {
            Some(DeadlineRule::WorkingDays(1)) => "1 working day".to_owned(),
            Some(DeadlineRule::WorkingDays(days)) => format!("{days} working days"),
            Some(DeadlineRule::Hours(hours)) => format!("{hours} hours"),
            None => String::new(),
        };
        let expires = if status.expires() { "after 45 days" } else { "" };
        writeln!(
            text,
            "| `{status}` | {} | {} | {deadline} | {expires} |",
            status_zh(status),
            mark(status.is_editable())
        )
        .unwrap();
    }
}

/// A fact of the state machine in words: what must hold for a step that it can refuse, or when a step leads elsewhere.
fn in_words(fact: &str) -> &'static str {
    match fact {
        "has_valid_photo" => "a photo that has passed still counts",
        "asks_for_sms" => "the bureau asks for SMS codes",
        "not base_is_current" => "the filed data are those that the filing started from",
        "has_other_live_filing" => "the subject has no other filing under way",
        "not submission_is_queued" => "the submission still waits to be sent to the bureau",
        "submission_is_unconfirmed" => "it is known whether the bureau has the package",
        "is_changed_since_revision" => "the content is as it was submitted last",
        "photo_is_checking" => "no photo is being checked",
        "has_live_photo" => "no photo is being checked or reviewed",
        "has_open_shipment" => "no backdrop is under way",
        other => panic!("say in words what {other} means"),
    }
}

fn table(text: &mut String, steps: &[Step]) {
    text.push_str("| from | action | side | to | event | only if |\n|---|---|---|---|---|---|\n");
    for Step { from, action, sides, when, decision, refusals } in steps {
        let to = if decision.to == *from { "(stays)".to_owned() } else { format!("`{}`", decision.to) };
        let to = when.map_or_else(|| to.clone(), |word| format!("{to}, if {}", in_words(word)));
        // Ordering a backdrop leaves the filing as it is, so its operation sends the event.
        let of_operation = (*action == Action::RequestBackdrop).then_some("backdrop.requested");
        let event = decision.event.or(of_operation).map_or_else(String::new, |event| format!("`{event}`"));
        let conditions: Vec<&str> = refusals.iter().map(|(word, _)| in_words(word)).collect();
        writeln!(
            text,
            "| `{from}` | {} | {} | {to} | {event} | {} |",
            action_text(*action),
            who(sides),
            conditions.join("; ")
        )
        .unwrap();
    }
}

/// What stands above the table of the steps.
const STEPS: &str = r#""Only if" says what must hold, or the step is refused with 409. What else a step asks for (a complete check, accepted
terms, the review's checklist) is asked by its operation in the API. "Event" is what the step itself brings. Other events
come with things that happen around a filing, such as a parcel on its way or a reminder: [webhooks](webhooks.md)
lists them all.

"#;

/// What stands below it.
const BUTTONS: &str = r#"
## Steps and buttons

`allowed_actions` of a 409 has names of the table above: the steps that the caller's side can take now. `next_actions` of a
filing has buttons: what to offer, each with the `operation_id` to call. Go by `operation_id`; names may be added.

| button | `operation_id` | step |
|---|---|---|
| `submit` in `draft`, else `edit_and_resubmit` | `submitFiling` | `submit` |
| `edit` | `updateFiling` | `edit` |
| `upload_attachment` | `createAttachment` | `edit` |
| `check` | `checkFiling` | none: it can be called at any time, the button comes with `edit` |
| `upload_photo` | `createPhotoVerification` | `upload_photo` |
| `submit_photo` | `submitPhotoVerification` | `upload_photo`; `send_photo_to_review` follows when the check ends well |
| `request_backdrop` | `createBackdropShipment` | `request_backdrop` |
| `update_backdrop_address` | `updateBackdropShipment` | none: `edit` of the [shipment](states.md#backdrop-shipments) |
| `cancel_shipment` | `cancelBackdropShipment` | none: `cancel` of the shipment |
| `resend` | `resendFiling` | `resend` |
| `reopen` | `reopenFiling` | `reopen` |
| `withdraw` | `withdrawFiling` | `withdraw` |
| `abandon` | `abandonFiling` | `abandon` |
| `approve`, of a reviewer | `approveReview` | `approve_initial_review` or `approve_photo` |
| `reject`, of a reviewer | `rejectReview` | `reject_initial_review`, `reject_photo` or `reject_data_at_photo` |

A reviewer's other buttons (`claim`, `save_draft`, `renew`, `release`) belong to the review, those of an operator to the
submission to the bureau: [states](states.md).

`is_enabled` says whether the state and the conditions under "only if" let a step happen, for `submit` and
`edit_and_resubmit` also whether anything was changed (`no_changes`); `blocked_by` names what does not. The content is not
checked for it: missing materials and faulty fields are told by `checkFiling`, and refuse the submission.
"#;

fn page() -> String {
    let steps = steps();
    let mut text = String::from(
        "# The workflow of a filing\n\n\
         <!-- Made from src/filings/workflow.rs by tests/api/diagram.rs. Do not edit: after a change of the workflow run\n     \
         UPDATE_DOCS=1 cargo test --test api -- diagram -->\n\n\
         A filing (备案订单) moves by these steps and no others. `owner` is the applicant, `reviewer` the holder of the\n\
         task, `operator` the bureau operator, `system` a timer, a job or the bureau's gateway. Actions that leave the\n\
         status as it is are in the table only.\n\n",
    );
    diagram(&mut text, &steps);
    text.push_str("\n## Statuses\n\n");
    statuses(&mut text);
    text.push_str("\n## Steps\n\n");
    text.push_str(STEPS);
    table(&mut text, &steps);
    text.push_str(BUTTONS);
    text
}

#[test]
fn the_committed_diagram_is_the_state_machine() {
    let made = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(Path::new(FILE).parent().unwrap()).unwrap();
        std::fs::write(FILE, &made).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(FILE).unwrap_or_default();
    let first = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    assert!(
        made == committed,
        "docs/filing-workflow.md is not what the state machine says; run: UPDATE_DOCS=1 cargo test --test api -- diagram\n\
         first difference: {first:?}"
    );
}

#[test]
fn every_status_has_a_chinese_name() {
    for status in Status::ALL {
        assert_ne!(status_zh(*status), status.as_str());
    }
}

/// The arrows of the picture in the document's description. A line that begins with a status speaks of it and the lines
/// below it, up to the `▼` that leads to the next one; `►` leads from the status before it to the one behind it.
fn drawn(text: &str) -> BTreeSet<(Status, Status)> {
    let picture = text.split("```").nth(1).unwrap();
    let mut arrows = BTreeSet::new();
    let (mut above, mut falls): (Option<Status>, bool) = (None, false);
    for line in picture.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let first = line.split(' ').next().and_then(|word| word.parse::<Status>().ok());
        if let Some(status) = first {
            if falls {
                arrows.insert((above.unwrap(), status));
            }
            (above, falls) = (Some(status), false);
        }
        falls |= words.contains(&"▼");
        let mut from = above;
        let mut is_arrow = false;
        for word in words {
            if let Ok(status) = word.parse::<Status>() {
                if is_arrow {
                    arrows.insert((from.unwrap(), status));
                }
                from = Some(status);
            }
            is_arrow = word.ends_with('►');
        }
    }
    arrows
}

#[test]
fn the_picture_in_the_document_is_the_state_machine() {
    let document = beian::openapi::document();
    let text = document["info"]["description"].as_str().unwrap().to_owned();
    // These three lead away from many statuses: the picture says them in words.
    let in_words = [Action::Withdraw, Action::Abandon, Action::Expire];
    let wanted: BTreeSet<(Status, Status)> = steps()
        .iter()
        .filter(|step| step.decision.to != step.from && !in_words.contains(&step.action))
        .map(|step| (step.from, step.decision.to))
        .collect();
    assert_eq!(drawn(&text), wanted);
    assert!(Status::ALL.iter().all(|status| text.contains(status.as_str())));
}
