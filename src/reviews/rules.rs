//! Who may take, keep, give back and decide a task, and what a decision must hold. Pure.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::{ReviewState, Stage};
use crate::catalogue::data::{ChecklistItem, Entry, RejectionReason};
use crate::filings::rejections::{NewItem, TargetKind};
use crate::kernel::i18n::Bilingual;
use crate::kernel::ids::UserId;
use crate::websites::fields;

/// How long a claim holds. Domain section 3: 30 minutes.
pub fn lease() -> Duration {
    Duration::minutes(30)
}

/// Least characters of the reason when its code is `OTHER`. Domain section 7.
const MIN_OTHER_REASON: usize = 10;

/// What a task's fate depends on.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// Where the task stands.
    pub state: ReviewState,
    /// Only a senior reviewer may take it.
    pub is_escalated: bool,
    /// Who holds it.
    pub claimed_by: Option<UserId>,
    /// When the lease ends, or ended.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// Only this person may take it.
    pub assigned_to: Option<UserId>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Reviewer {
    /// The user.
    pub id: UserId,
    /// Takes escalations, releases others' claims, assigns.
    pub is_senior: bool,
}

/// Why a step on a task is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Decided, or cancelled.
    Closed,
    /// Somebody else holds it.
    ClaimedByAnother,
    /// Nobody holds it.
    NotClaimed,
    /// A senior reviewer gave it to somebody else.
    AssignedToAnother,
    /// It repeats an earlier reason: a senior reviewer decides.
    Escalated,
}

impl Seat {
    /// Open or claimed.
    pub fn is_live(&self) -> bool {
        matches!(self.state, ReviewState::Open | ReviewState::Claimed)
    }

    /// Whether this person holds it, lapsed or not: nobody else has taken it since.
    pub fn is_held_by(&self, who: UserId) -> bool {
        self.state == ReviewState::Claimed && self.claimed_by == Some(who)
    }

    /// Whether the lease is over.
    pub fn is_lapsed(&self, now: DateTime<Utc>) -> bool {
        self.lease_expires_at.is_none_or(|end| end <= now)
    }

    /// May this person take it? One's own claim may be taken again, which renews it.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn may_claim(&self, who: Reviewer, now: DateTime<Utc>) -> Result<(), Refusal> {
        if !self.is_live() {
            return Err(Refusal::Closed);
        }
        if self.state == ReviewState::Claimed && self.claimed_by != Some(who.id) && !self.is_lapsed(now) {
            return Err(Refusal::ClaimedByAnother);
        }
        if self.assigned_to.is_some_and(|assignee| assignee != who.id) {
            return Err(Refusal::AssignedToAnother);
        }
        if self.is_escalated && !who.is_senior {
            return Err(Refusal::Escalated);
        }
        Ok(())
    }

    /// May this person decide, renew or keep a draft? The lease may be over, as long as nobody else took the task.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn may_decide(&self, who: Reviewer) -> Result<(), Refusal> {
        match self.state {
            ReviewState::Open => Err(Refusal::NotClaimed),
            ReviewState::Claimed if self.claimed_by != Some(who.id) => Err(Refusal::ClaimedByAnother),
            // A reviewer may have lost the senior role since.
            ReviewState::Claimed if self.is_escalated && !who.is_senior => Err(Refusal::Escalated),
            ReviewState::Claimed => Ok(()),
            _ => Err(Refusal::Closed),
        }
    }

    /// May this person put it back into the queue? Senior reviewers release others' claims too.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn may_release(&self, who: Reviewer) -> Result<(), Refusal> {
        match self.state {
            ReviewState::Open => Err(Refusal::NotClaimed),
            ReviewState::Claimed if self.claimed_by != Some(who.id) && !who.is_senior => {
                Err(Refusal::ClaimedByAnother)
            }
            ReviewState::Claimed => Ok(()),
            _ => Err(Refusal::Closed),
        }
    }
}

/// A fault of one field of a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// JSON pointer into the request.
    pub pointer: String,
    /// Stable code.
    pub code: &'static str,
    /// What is wrong.
    pub detail: Bilingual,
}

fn fault(
    pointer: impl Into<String>,
    code: &'static str,
    zh: impl Into<String>,
    en: impl Into<String>,
) -> Fault {
    Fault { pointer: pointer.into(), code, detail: Bilingual::new(zh, en) }
}

/// Codes that are not in the stage's checklist.
pub fn unknown_codes(ticked: &[String], list: &[ChecklistItem]) -> Vec<Fault> {
    let is_known = |code: &String| list.iter().any(|item| &item.code == code);
    let unknown = ticked.iter().enumerate().filter(|(_, code)| !is_known(code));
    unknown
        .map(|(index, _)| {
            fault(
                format!("/checklist/{index}"),
                "not_in_list",
                "不在本阶段的审核清单内",
                "is not in this stage's checklist",
            )
        })
        .collect()
}

/// What keeps a checklist from being complete: unknown codes, and points not ticked.
pub fn check_checklist(ticked: &[String], list: &[ChecklistItem]) -> Vec<Fault> {
    let mut faults = unknown_codes(ticked, list);
    let missing: Vec<_> = list.iter().filter(|item| !ticked.contains(&item.code)).collect();
    if !missing.is_empty() {
        let zh: Vec<_> = missing.iter().map(|item| item.label.zh.as_str()).collect();
        let codes: Vec<_> = missing.iter().map(|item| item.code.as_str()).collect();
        faults.push(fault(
            "/checklist",
            "checklist_incomplete",
            format!("尚未确认：{}", zh.join("；")),
            format!("not ticked yet: {}", codes.join(", ")),
        ));
    }
    faults
}

/// What items of a rejection are held against.
pub struct Against<'a> {
    /// What is reviewed; photo items belong to the photo review only.
    pub stage: Stage,
    /// The reasons in force.
    pub reasons: &'a [RejectionReason],
    /// The dictionary `material`.
    pub materials: &'a [Entry],
    /// `{"website": …, "subject": …}` as reviewed: a pointer must lead to something in it.
    pub document: &'a Value,
}

/// Every fault of the items of a rejection, each with its pointer into the request.
pub fn check_items(items: &[NewItem], against: &Against<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let at = |name: &str| format!("/items/{index}/{name}");
        check_target(item, against, &at, &mut faults);
        match against.reasons.iter().find(|reason| reason.code == item.code) {
            None => faults.push(fault(
                at("code"),
                "not_in_list",
                "没有此驳回原因",
                "is not a known rejection reason",
            )),
            Some(reason) if !reason.target_kinds.iter().any(|kind| kind == item.target_kind.as_str()) => {
                let kinds = reason.target_kinds.join(", ");
                faults.push(fault(
                    at("code"),
                    "reason_does_not_fit",
                    format!("此驳回原因仅用于：{kinds}"),
                    format!("this reason is for {kinds} only"),
                ));
            }
            Some(_) => {}
        }
        let length = item.reason.trim().chars().count();
        let least = if item.code == "OTHER" { MIN_OTHER_REASON } else { 1 };
        if length < least {
            faults.push(fault(
                at("reason"),
                "too_short",
                format!("须至少填写 {least} 个字符的具体原因"),
                format!("must have at least {least} characters"),
            ));
        }
        let key = |item: &NewItem| {
            (item.target_kind, item.pointer.clone(), item.material_code.clone(), item.code.clone())
        };
        if items[..index].iter().any(|earlier| key(earlier) == key(item)) {
            faults.push(fault(
                format!("/items/{index}"),
                "duplicate_items",
                "同一位置的同一原因重复",
                "the same reason on the same target appears twice",
            ));
        }
    }
    faults
}

fn check_target(item: &NewItem, against: &Against<'_>, at: &dyn Fn(&str) -> String, faults: &mut Vec<Fault>) {
    if item.target_kind != TargetKind::Field && item.pointer.is_some() {
        faults.push(fault(
            at("pointer"),
            "not_allowed",
            "仅用于字段类条目",
            "belongs to items on a field only",
        ));
    }
    if item.target_kind != TargetKind::Material && item.material_code.is_some() {
        faults.push(fault(
            at("material_code"),
            "not_allowed",
            "仅用于材料类条目",
            "belongs to items on a material only",
        ));
    }
    match item.target_kind {
        TargetKind::Field => match item.pointer.as_deref() {
            None => faults.push(fault(at("pointer"), "required", "必填", "is required")),
            Some(pointer) if !is_known_pointer(pointer, against.document) => {
                faults.push(fault(
                    at("pointer"),
                    "not_in_list",
                    "没有此字段",
                    "is not a field of the filing",
                ));
            }
            Some(_) => {}
        },
        TargetKind::Material => match item.material_code.as_deref() {
            None => faults.push(fault(at("material_code"), "required", "必填", "is required")),
            Some(code) if !against.materials.iter().any(|material| material.code == code) => {
                faults.push(fault(
                    at("material_code"),
                    "not_in_list",
                    "没有此材料",
                    "is not a known material",
                ));
            }
            Some(_) => {}
        },
        TargetKind::Photo if against.stage != Stage::PhotoReview => {
            faults.push(fault(
                at("target_kind"),
                "not_allowed",
                "仅在照片审核阶段可针对照片",
                "items on the photo belong to the photo review",
            ));
        }
        TargetKind::Photo => {}
    }
}

/// What the program itself writes; nobody can put it right.
const NOT_CONTENT: [&str; 5] =
    ["/subject/id", "/subject/account_id", "/subject/version", "/subject/created_at", "/subject/updated_at"];

fn is_known_pointer(pointer: &str, document: &Value) -> bool {
    let is_ours = fields::label(pointer).is_some()
        || fields::holds("/subject", pointer) && !NOT_CONTENT.contains(&pointer);
    is_ours && document.pointer(pointer).is_some()
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
