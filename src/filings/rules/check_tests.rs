use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::catalogue::data::{banned_names, dictionaries};
use crate::filings::kinds;
use crate::filings::rules::passes;
use crate::filings::sample::{self, day};
use crate::kernel::pii::Sensitive;
use crate::websites::patch::WebsiteContentPatch;
use crate::websites::subject::SubjectResponsiblePerson;

struct Case {
    content: WebsiteContent,
    base: WebsiteContent,
    subject: Subject,
    today: NaiveDate,
    recheck_all: bool,
    used: (bool, bool),
}

impl Case {
    fn new() -> Self {
        Case {
            content: sample::content(),
            base: sample::content(),
            subject: sample::subject(),
            today: sample::today(),
            recheck_all: false,
            used: (false, false),
        }
    }

    /// A draft that differs from the filed content by a patch.
    fn patched(patch: Value) -> Self {
        let mut case = Self::new();
        let patch: WebsiteContentPatch = serde_json::from_value(patch).unwrap();
        case.content = case.base.apply(&patch).unwrap();
        case
    }

    fn findings(&self) -> Vec<Finding> {
        check(&CheckInput {
            kind: kinds::find("website_change").unwrap(),
            content: &self.content,
            base: &self.base,
            subject: &self.subject,
            today: self.today,
            recheck_all: self.recheck_all,
            banned_names: banned_names(),
            dictionaries: dictionaries(),
            mobile_used_by_other_subject: self.used.0,
            email_used_by_other: self.used.1,
        })
    }

    fn short(&self) -> Vec<(String, &'static str, &'static str)> {
        self.findings()
            .into_iter()
            .map(|found| (found.pointer, found.code, found.severity.as_str()))
            .collect()
    }

    #[track_caller]
    fn expect(&self, expected: &[(&str, &str, &str)]) {
        let found = self.short();
        let found: Vec<_> =
            found.iter().map(|(pointer, code, severity)| (pointer.as_str(), *code, *severity)).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_valid_website_has_no_findings() {
    Case::new().expect(&[]);
    Case::patched(json!({"name": "云上花园", "responsible_person": {"mobile": "13912345678"}})).expect(&[]);
}

#[test]
fn every_problem_is_told_at_once_and_mandatory_nulls_with_it() {
    let mut case = Case::patched(json!({
        "name": "花店", "home_url": "https://example.com", "languages": ["xx"], "service_content": null,
        "pre_approvals": null,
        "responsible_person": {"mobile": "123", "emergency_phone": "123", "email": "x", "office_phone": "x",
            "certificate_number": "110105194912310021", "certificate_valid_to": "2026-12-01"}
    }));
    case.used = (true, true);
    let error = "error";
    case.expect(&[
        ("/website/service_content", "missing", error),
        ("/website/pre_approvals", "missing", error),
        ("/website/name", "website_name_too_few_chinese", error),
        ("/website/home_url", "home_url_other_domain", error),
        ("/website/languages/0", "code_unknown", error),
        ("/website/responsible_person/certificate_number", "identity_number_checksum", error),
        ("/website/responsible_person/certificate_valid_to", "certificate_expires_soon", error),
        ("/website/responsible_person/mobile", "mobile_format", error),
        ("/website/responsible_person/mobile", "mobile_used_by_other_subject", error),
        ("/website/responsible_person/emergency_phone", "phone_format", error),
        ("/website/responsible_person/emergency_phone", "emergency_phone_same", error),
        ("/website/responsible_person/office_phone", "phone_format", error),
        ("/website/responsible_person/email", "email_format", error),
        ("/website/responsible_person/email", "email_used_by_other", error),
    ]);
    assert!(!passes(&case.findings()));
}

#[test]
fn an_empty_website_misses_every_mandatory_field() {
    let mut case = Case::new();
    case.content = WebsiteContent::default();
    let missing: BTreeSet<String> = case
        .short()
        .into_iter()
        .filter(|(_, code, _)| *code == "missing")
        .map(|(pointer, ..)| pointer)
        .collect();
    let mandatory: BTreeSet<String> =
        FIELDS.iter().filter(|field| field.mandatory).map(|field| field.pointer.to_owned()).collect();
    assert_eq!(missing, mandatory);
}

#[test]
fn old_data_gives_warnings_only_unless_the_province_rechecks_all() {
    let mut case = Case::new();
    case.base.name = Some("Flowers".into());
    case.base.responsible_person.certificate_valid_to = Some(day("2020-01-01"));
    case.base.same_as_subject_responsible_person = None;
    case.content = case.base.clone();
    case.content.responsible_person.mobile = Some(Sensitive::new("13912345678"));
    case.expect(&[
        ("/website/same_as_subject_responsible_person", "missing", "warning"),
        ("/website/name", "website_name_too_few_chinese", "warning"),
        ("/website/responsible_person/certificate_valid_to", "certificate_expired", "warning"),
    ]);
    assert!(passes(&case.findings()));
    case.recheck_all = true;
    assert!(case.findings().iter().all(|found| found.severity == Severity::Error));
}

#[test]
fn a_rule_that_reads_a_changed_field_is_an_error_wherever_it_points() {
    // Only the domains change; the home page, unchanged, no longer fits them.
    Case::patched(json!({"domains": [{"name": "xn--fsqu00a.com"}]})).expect(&[(
        "/website/home_url",
        "home_url_other_domain",
        "error",
    )]);
    // Only the emergency phone's counterpart changes.
    Case::patched(json!({"responsible_person": {"mobile": "13900139000"}})).expect(&[(
        "/website/responsible_person/emergency_phone",
        "emergency_phone_same",
        "error",
    )]);
    // A new number with the old dates.
    let mut case = Case::new();
    case.base.responsible_person.certificate_valid_to = Some(day("2026-12-01"));
    case.content = case.base.clone();
    case.content.responsible_person.certificate_number = Some(Sensitive::new("110101199003070019"));
    let found = case.short();
    let date = found.iter().find(|(_, code, _)| *code == "certificate_expires_soon").unwrap();
    assert_eq!(date.2, "error");
}

#[test]
fn domains_may_only_be_removed_and_never_the_last() {
    Case::patched(json!({"domains": [{"name": "yunshanghuadian.com"}]})).expect(&[]);
    Case::patched(json!({"domains": [{"name": "yunshanghuadian.com"}, {"name": "example.cn"}]})).expect(&[(
        "/website/domains/1/name",
        "domain_added",
        "error",
    )]);
    Case::patched(json!({"domains": []})).expect(&[("/website/domains", "missing", "error")]);
    Case::patched(json!({"domains": [{"name": "yunshanghuadian.com"}, {"name": "yunshanghuadian.com"}]}))
        .expect(&[("/website/domains/1/name", "domain_repeated", "error")]);
}

#[test]
fn the_same_person_has_the_same_contacts_and_others_have_others() {
    let mut case = Case::new();
    let own = case.subject.responsible_person.0.clone();
    case.content.responsible_person = own.clone();
    case.content.same_as_subject_responsible_person = Some(true);
    case.expect(&[]);

    case.content.same_as_subject_responsible_person = Some(false);
    case.expect(&[("/website/same_as_subject_responsible_person", "person_is_subject_person", "error")]);

    case.content.same_as_subject_responsible_person = Some(true);
    case.content.responsible_person.mobile = Some(Sensitive::new("13912345678"));
    case.expect(&[("/website/responsible_person/mobile", "contact_differs_for_same_person", "error")]);

    let mut case = Case::new();
    case.content.same_as_subject_responsible_person = Some(true);
    case.expect(&[("/website/same_as_subject_responsible_person", "person_differs_from_subject", "error")]);

    let mut case = Case::new();
    case.content.responsible_person.mobile = own.mobile.clone();
    case.content.responsible_person.emergency_phone = own.emergency_phone.clone();
    case.content.responsible_person.email = own.email.clone();
    case.expect(&[
        ("/website/responsible_person/mobile", "contact_of_other_person", "error"),
        ("/website/responsible_person/email", "contact_of_other_person", "error"),
    ]);
}

#[test]
fn an_individual_may_only_offer_what_is_open_to_individuals() {
    let mut case = Case::new();
    case.subject = sample::individual();
    case.content.same_as_subject_responsible_person = Some(true);
    case.content.service_content = vec!["online_shopping".into(), "other".into()].into();
    case.expect(&[("/website/service_content/0", "service_content_not_for_individual", "error")]);
}

#[test]
fn what_is_only_worth_a_word_is_a_warning() {
    let mut case = Case::patched(json!({"responsible_person": {"mobile": "17012345678"}}));
    case.today = day("2027-09-01");
    case.subject.certificate.long_term = false;
    case.subject.certificate.valid_to = Some(day("2027-01-01"));
    case.expect(&[
        ("/website/domains/0/name", "domain_expired", "warning"),
        ("/subject/certificate/valid_to", "certificate_expired", "warning"),
        ("/website/responsible_person/mobile", "mobile_virtual_operator", "warning"),
    ]);
}

#[test]
fn messages_are_in_both_languages_and_repeat_no_personal_data() {
    let mut case = Case::patched(json!({"responsible_person": {
        "mobile": "1234567890987", "emergency_phone": "1234567890987", "email": "secret-secret",
        "certificate_number": "123456789098765432"
    }}));
    case.subject.responsible_person = SubjectResponsiblePerson(case.content.responsible_person.clone());
    for found in case.findings() {
        for text in [&found.message, &found.suggestion] {
            assert!(text.zh.chars().any(|c| ('一'..='龥').contains(&c)) && !text.en.is_empty(), "{found:?}");
            assert!(!text.en.contains("456789") && !text.zh.contains("456789"), "{found:?}");
            assert!(!text.en.contains("secret") && !text.zh.contains("secret"), "{found:?}");
        }
        assert!(!found.source.zh.is_empty() && !found.source.en.is_empty());
        assert!(codes::find(found.code).is_some());
    }
}

#[test]
fn codes_are_unique_and_titled() {
    let names: BTreeSet<_> = codes::ALL.iter().map(|code| code.code).collect();
    assert_eq!(names.len(), codes::ALL.len());
    for code in codes::ALL {
        assert!(
            code.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        );
        assert!(!code.title_zh.is_empty() && !code.title_en.is_empty());
    }
}
