//! Pre-approvals (前置审批): each names its kind and number, and is in force.

use chrono::NaiveDate;

use super::{Problem, codes, service_content};
use crate::catalogue::data::Entry;
use crate::websites::content::PreApproval;

/// Every fault of the list, with the pointer below the list, such as `/0/approval_no`.
pub fn check(approvals: &[PreApproval], types: &[Entry], today: NaiveDate) -> Vec<(String, Problem)> {
    let mut problems = Vec::new();
    for (index, approval) in approvals.iter().enumerate() {
        match filled(&approval.kind) {
            None => problems.push((format!("/{index}/type"), incomplete("审批类型", "type"))),
            Some(kind) => {
                let unknown = service_content::check_code(kind, types);
                problems.extend(unknown.map(|problem| (format!("/{index}/type"), problem)));
            }
        }
        if filled(&approval.approval_no).is_none() {
            problems.push((format!("/{index}/approval_no"), incomplete("审批文号", "number")));
        }
        if let Some(end) = approval.valid_to.filter(|end| *end < today) {
            let problem = Problem::error(
                &codes::PRE_APPROVAL_EXPIRED,
                format!("前置审批已于 {end} 过期"),
                format!("the pre-approval expired on {end}"),
                "请向审批机关续期，再填写新的有效期并上传新的批文",
                "have it renewed, then enter the new date and upload the new document",
            );
            problems.push((format!("/{index}/valid_to"), problem));
        }
        let is_same = |other: &PreApproval| {
            (&other.kind, &other.approval_no) == (&approval.kind, &approval.approval_no)
        };
        if filled(&approval.approval_no).is_some() && approvals[..index].iter().any(is_same) {
            let problem = Problem::error(
                &codes::PRE_APPROVAL_REPEATED,
                "同一前置审批填写了两次".to_owned(),
                "the same pre-approval stands there twice".to_owned(),
                "请删除重复的一条",
                "remove one of them",
            );
            problems.push((format!("/{index}"), problem));
        }
    }
    problems
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn incomplete(zh: &str, en: &str) -> Problem {
    Problem::error(
        &codes::PRE_APPROVAL_INCOMPLETE,
        format!("未填写{zh}"),
        format!("the {en} is missing"),
        "请按批文填写；不涉及前置审批时请删除该条",
        "fill it in as on the document, or remove the entry when no approval is needed",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::data::dictionaries;
    use crate::filings::sample::{day, today};

    #[test]
    fn each_approval_is_complete_known_in_force_and_named_once() {
        let good =
            PreApproval { kind: Some("publishing".into()), approval_no: Some("1号".into()), valid_to: None };
        let types = dictionaries().list("pre_approval_type").unwrap();
        assert!(check(std::slice::from_ref(&good), types, today()).is_empty());
        let bad = [
            PreApproval::default(),
            PreApproval { kind: Some("nonsense".into()), valid_to: Some(day("2026-11-22")), ..good.clone() },
            good.clone(),
            PreApproval { valid_to: Some(today()), ..good },
        ];
        let found: Vec<_> = check(&bad, types, today())
            .into_iter()
            .map(|(pointer, problem)| (pointer, problem.code.code))
            .collect();
        let expected = [
            ("/0/type", "pre_approval_incomplete"),
            ("/0/approval_no", "pre_approval_incomplete"),
            ("/1/type", "code_unknown"),
            ("/1/valid_to", "pre_approval_expired"),
            ("/3", "pre_approval_repeated"),
        ];
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }
}
