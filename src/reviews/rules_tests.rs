use serde_json::json;

use super::*;
use crate::catalogue::data;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::minutes(minute)
}

fn reviewer() -> Reviewer {
    Reviewer { id: UserId::new(), is_senior: false }
}

fn open() -> Seat {
    Seat {
        state: ReviewState::Open,
        is_escalated: false,
        claimed_by: None,
        lease_expires_at: None,
        assigned_to: None,
    }
}

fn claimed(by: Reviewer) -> Seat {
    Seat { state: ReviewState::Claimed, claimed_by: Some(by.id), lease_expires_at: Some(at(30)), ..open() }
}

#[test]
fn a_claim_keeps_others_away_until_it_lapses_and_its_holder_may_decide_even_then() {
    let (one, other) = (reviewer(), reviewer());
    let seat = claimed(one);
    assert_eq!(seat.may_claim(other, at(29)), Err(Refusal::ClaimedByAnother));
    assert_eq!(seat.may_claim(other, at(30)), Ok(()));
    assert_eq!(seat.may_claim(one, at(5)), Ok(()));
    assert_eq!(seat.may_decide(one), Ok(()));
    assert_eq!(seat.may_decide(other), Err(Refusal::ClaimedByAnother));
    assert_eq!(open().may_decide(one), Err(Refusal::NotClaimed));
}

#[test]
fn escalated_and_assigned_tasks_are_for_their_people_only() {
    let (one, other) = (reviewer(), reviewer());
    let senior = Reviewer { is_senior: true, ..reviewer() };
    let escalated = Seat { is_escalated: true, ..open() };
    assert_eq!(escalated.may_claim(one, at(0)), Err(Refusal::Escalated));
    assert_eq!(escalated.may_claim(senior, at(0)), Ok(()));
    let assigned = Seat { assigned_to: Some(one.id), ..open() };
    assert_eq!(assigned.may_claim(one, at(0)), Ok(()));
    assert_eq!(assigned.may_claim(other, at(0)), Err(Refusal::AssignedToAnother));
    assert_eq!(assigned.may_claim(senior, at(0)), Err(Refusal::AssignedToAnother));
}

#[test]
fn a_senior_releases_what_others_hold() {
    let (one, other) = (reviewer(), reviewer());
    let senior = Reviewer { is_senior: true, ..reviewer() };
    assert_eq!(claimed(one).may_release(one), Ok(()));
    assert_eq!(claimed(one).may_release(senior), Ok(()));
    assert_eq!(claimed(one).may_release(other), Err(Refusal::ClaimedByAnother));
    assert_eq!(open().may_release(senior), Err(Refusal::NotClaimed));
}

#[test]
fn a_closed_task_takes_no_step() {
    let one = reviewer();
    for state in [ReviewState::Approved, ReviewState::Rejected, ReviewState::Cancelled] {
        let seat = Seat { state, ..claimed(one) };
        assert_eq!(seat.may_claim(one, at(0)), Err(Refusal::Closed));
        assert_eq!(seat.may_decide(one), Err(Refusal::Closed));
        assert_eq!(seat.may_release(one), Err(Refusal::Closed));
    }
}

fn item(
    kind: TargetKind,
    pointer: Option<&str>,
    material: Option<&str>,
    code: &str,
    reason: &str,
) -> NewItem {
    NewItem {
        target_kind: kind,
        pointer: pointer.map(str::to_owned),
        material_code: material.map(str::to_owned),
        code: code.to_owned(),
        reason: reason.to_owned(),
        suggestion: None,
    }
}

fn faults(stage: Stage, items: &[NewItem]) -> Vec<String> {
    let document = json!({
        "website": { "name": "云上花店", "domains": [{ "name": "a.cn" }], "responsible_person": { "mobile": null } },
        "subject": { "id": "x", "certificate": { "number": "9***" } },
    });
    let against = Against {
        stage,
        reasons: data::rejection_reasons(),
        materials: data::dictionaries().list("material").unwrap(),
        document: &document,
    };
    check_items(items, &against)
        .into_iter()
        .map(|fault| format!("{} {}", fault.pointer, fault.code))
        .collect()
}

#[test]
fn good_items_pass() {
    let items = [
        item(TargetKind::Field, Some("/website/name"), None, "SITE_NAME_INVALID", "含禁用词"),
        item(TargetKind::Field, Some("/website/domains/0/name"), None, "DOMAIN_EXPIRING", "即将到期"),
        item(
            TargetKind::Field,
            Some("/subject/certificate/number"),
            None,
            "OTHER",
            "证件号码与执照上不一致，请核对",
        ),
        item(TargetKind::Material, None, Some("identity_card_front"), "CERT_UNCLEAR", "看不清"),
    ];
    assert_eq!(faults(Stage::InitialReview, &items), [""; 0]);
    let photo = [item(TargetKind::Photo, None, None, "PHOTO_BLURRED", "模糊")];
    assert_eq!(faults(Stage::PhotoReview, &photo), [""; 0]);
}

#[test]
fn every_fault_is_told_with_its_place() {
    let items = [
        item(TargetKind::Field, Some("/website/nonsense"), None, "NONSENSE", "x"),
        item(TargetKind::Field, Some("/website/domains/7/name"), None, "CERT_UNCLEAR", " "),
        item(TargetKind::Field, None, Some("identity_card_front"), "OTHER", "太短"),
        item(TargetKind::Material, Some("/website/name"), Some("nonsense"), "FORM_MISSING", "缺"),
        item(TargetKind::Photo, None, None, "PHOTO_BLURRED", "模糊"),
        item(TargetKind::Photo, None, None, "PHOTO_BLURRED", "模糊"),
        item(TargetKind::Field, Some("/subject/id"), None, "OTHER", "这个字段谁也改不了的"),
    ];
    assert_eq!(
        faults(Stage::InitialReview, &items),
        [
            "/items/0/pointer not_in_list",
            "/items/0/code not_in_list",
            "/items/1/pointer not_in_list",
            "/items/1/code reason_does_not_fit",
            "/items/1/reason too_short",
            "/items/2/material_code not_allowed",
            "/items/2/pointer required",
            "/items/2/reason too_short",
            "/items/3/pointer not_allowed",
            "/items/3/material_code not_in_list",
            "/items/4/target_kind not_allowed",
            "/items/5/target_kind not_allowed",
            "/items/5 duplicate_items",
            "/items/6/pointer not_in_list",
        ]
    );
}

#[test]
fn a_checklist_is_ticked_whole_and_only_with_its_own_codes() {
    let list: Vec<_> = data::checklist("photo_review").cloned().collect();
    let all: Vec<String> = list.iter().map(|item| item.code.clone()).collect();
    assert_eq!(check_checklist(&all, &list), []);
    let faults = check_checklist(&["same_person".to_owned(), "materials".to_owned()], &list);
    assert_eq!(faults.len(), 2);
    assert_eq!((faults[0].pointer.as_str(), faults[0].code), ("/checklist/1", "not_in_list"));
    assert_eq!((faults[1].pointer.as_str(), faults[1].code), ("/checklist", "checklist_incomplete"));
    assert!(faults[1].detail.en.contains("whole_backdrop") && !faults[1].detail.en.contains("same_person"));
}
