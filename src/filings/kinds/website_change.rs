//! Changing a filed website (变更网站信息): everything in its content, but domains may only be removed.

use super::{ApprovalEffect, FilingKind};
use crate::filings::requirements;
use crate::filings::rules::{CheckInput, Finding, Problem, codes, finding};
use crate::websites::patch::ascii_form;

/// The kind.
pub static KIND: FilingKind = FilingKind {
    code: "website_change",
    editable_sections: &["website", "content", "responsible_person"],
    guards: domains_are_only_removed,
    requirements: requirements::required_materials,
    on_approval: ApprovalEffect::NewWebsiteVersion,
};

/// A domain that is not filed needs a filing of another kind. That one must remain is a mandatory field's rule.
fn domains_are_only_removed(input: &CheckInput<'_>) -> Vec<Finding> {
    let is_filed = |name: &str| {
        input.base.domains.iter().any(|filed| {
            filed.name == name || ascii_form(&filed.name) == ascii_form(name) && ascii_form(name).is_some()
        })
    };
    let added = input.content.domains.iter().enumerate().filter(|(_, domain)| !is_filed(&domain.name));
    added
        .map(|(index, domain)| {
            let problem = Problem::error(
                &codes::DOMAIN_ADDED,
                format!("网站变更不能新增域名 {}", domain.name),
                format!("a website change cannot add {}", domain.name),
                "请删除该域名；新增域名请办理新增网站",
                "remove it; a new domain needs the filing of a new website",
            );
            finding(format!("/website/domains/{index}/name"), problem)
        })
        .collect()
}
