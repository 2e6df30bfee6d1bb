//! The faults of an import that can be seen without the database: forms of numbers, codes, areas, repetitions. Pure.
//!
//! Filed data were accepted once, so rules about time and taste (an expired certificate, a word that is banned today) do
//! not stop an import; what cannot be right, or what the tables cannot hold, does.

use std::collections::HashMap;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::body::{ImportRequest, ImportRow, ImportSubject, ImportWebsite};
use crate::catalogue::data::{Entry, Named};
use crate::catalogue::regions::Regions;
use crate::error::{FieldError, Place};
use crate::filings::kinds::website_change;
use crate::filings::rules::{self, CheckInput, Finding, Problem, Severity, certificate, icp_number};
use crate::kernel::clock::shanghai_date;
use crate::kernel::i18n::Bilingual;
use crate::websites::content::{ResponsiblePerson, WebsiteContent};
use crate::websites::patch::unicode_form;
use crate::websites::subject::{
    INDIVIDUAL, LegalRepresentative, Subject, SubjectCertificate, SubjectResponsiblePerson,
};

/// Rules of the form that filed data have to keep too: they are about what a value is, not about when it is good enough.
const RULES: &[&str] = &[
    "code_unknown",
    "code_repeated",
    "home_url_invalid",
    "home_url_other_domain",
    "domain_invalid",
    "domain_has_scheme",
    "domain_not_lower_case",
    "domain_suffix_unknown",
    "domain_not_registrable",
    "domain_repeated",
    "identity_number_format",
    "identity_number_province",
    "identity_number_birth_date",
    "identity_number_checksum",
    "certificate_number_format",
    "certificate_end_ambiguous",
    "certificate_period_reversed",
    "mobile_format",
    "phone_format",
    "email_format",
];

/// What a filed website cannot do without.
const OF_EVERY_WEBSITE: &[&str] = &[
    "/website/name",
    "/website/responsible_person/name",
    "/website/responsible_person/certificate_type",
    "/website/responsible_person/certificate_number",
    "/website/responsible_person/mobile",
];
/// … and a site on the web, other than an app.
const OF_A_SITE: &[&str] = &["/website/home_url", "/website/domains"];
/// What the table of subjects demands of a person.
const OF_A_SUBJECT: &[&str] = &[
    "/website/responsible_person/name",
    "/website/responsible_person/certificate_type",
    "/website/responsible_person/certificate_number",
    "/website/responsible_person/mobile",
    "/website/responsible_person/emergency_phone",
    "/website/responsible_person/email",
];

/// A fault at a pointer into the request.
pub(super) fn fault(pointer: String, code: &str, zh: impl Into<String>, en: impl Into<String>) -> FieldError {
    FieldError::new(Place::Pointer(pointer), code, Bilingual::new(zh, en))
}

fn of_problem(pointer: String, problem: &Problem) -> FieldError {
    FieldError::new(Place::Pointer(pointer), problem.code.code, problem.message.clone())
}

/// The subject as a row of a given account.
pub(super) fn subject(input: &ImportSubject, id: Uuid, account_id: Uuid, now: DateTime<Utc>) -> Subject {
    let legal = input.legal_representative.as_ref();
    Subject {
        id,
        account_id,
        icp_number: input.icp_number.clone(),
        name: input.name.clone(),
        nature: input.nature.clone(),
        certificate: SubjectCertificate {
            kind: input.certificate.kind.clone(),
            number: input.certificate.number.clone(),
            address: input.certificate.address.clone(),
            valid_from: input.certificate.valid_from,
            valid_to: input.certificate.valid_to,
            long_term: input.certificate.long_term,
        },
        investor: input.investor.clone(),
        legal_representative: LegalRepresentative {
            name: legal.map(|legal| legal.name.clone()),
            certificate_type: legal.map(|legal| legal.certificate_type.clone()),
            certificate_number: legal.map(|legal| legal.certificate_number.clone()),
        },
        // Unanswered means no: the column knows no third value.
        responsible_person: SubjectResponsiblePerson(ResponsiblePerson {
            certificate_long_term: Some(input.responsible_person.certificate_long_term.unwrap_or(false)),
            ..input.responsible_person.clone()
        }),
        province_code: input.province_code.clone(),
        city_code: input.city_code.clone(),
        district_code: input.district_code.clone(),
        correspondence_address: input.correspondence_address.clone(),
        remark: input.remark.clone(),
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

/// Gives domains the form in which people read them, where the request leaves it out.
pub(super) fn complete(content: &mut WebsiteContent) {
    for domain in content.domains.iter_mut() {
        if domain.unicode_name.is_none() {
            domain.unicode_name = unicode_form(&domain.name);
        }
    }
}

/// Every fault of every row.
pub(super) fn check(request: &ImportRequest, dictionaries: &Named, now: DateTime<Utc>) -> Vec<FieldError> {
    let mut checker = Checker { dictionaries, now, faults: Vec::new() };
    for (index, row) in request.rows.iter().enumerate() {
        checker.row(&format!("/rows/{index}"), row);
    }
    repetitions(request, &mut checker.faults);
    checker.faults
}

struct Checker<'a> {
    dictionaries: &'a Named,
    now: DateTime<Utc>,
    faults: Vec<FieldError>,
}

impl Checker<'_> {
    fn row(&mut self, at: &str, row: &ImportRow) {
        if row.account_id.is_some() == row.account.is_some() {
            self.faults.push(fault(
                format!("{at}/account_id"),
                "account_ambiguous",
                "account_id 与 account 须且只能填写一个",
                "give either account_id or account",
            ));
        }
        let owner = subject(&row.subject, Uuid::nil(), Uuid::nil(), self.now);
        self.subject(&format!("{at}/subject"), &row.subject, &owner);
        for (index, website) in row.websites.iter().enumerate() {
            self.website(&format!("{at}/websites/{index}"), website, &owner);
        }
    }

    fn subject(&mut self, at: &str, input: &ImportSubject, owner: &Subject) {
        if let Some(problem) = icp_number::check_subject(&input.icp_number) {
            self.faults.push(of_problem(format!("{at}/icp_number"), &problem));
        }
        self.code(format!("{at}/nature"), "subject_nature", &input.nature);
        let types = match input.nature == INDIVIDUAL {
            true => "person_certificate_type",
            false => "organisation_certificate_type",
        };
        let certificate = &input.certificate;
        let number = certificate.number.expose();
        self.certificate(&format!("{at}/certificate"), ("type", "number"), types, &certificate.kind, number);
        for (name, text) in [
            ("certificate/address", certificate.address.expose()),
            ("correspondence_address", input.correspondence_address.expose()),
            ("name", input.name.as_str()),
        ] {
            if text.trim().is_empty() {
                self.faults.push(FieldError::pointer(format!("{at}/{name}"), "required"));
            }
        }
        if let Some(legal) = &input.legal_representative {
            self.certificate(
                &format!("{at}/legal_representative"),
                ("certificate_type", "certificate_number"),
                "person_certificate_type",
                &legal.certificate_type,
                legal.certificate_number.expose(),
            );
        }
        let area =
            Regions::get().validate(&input.province_code, &input.city_code, input.district_code.as_deref());
        if let Err(area) = area {
            self.faults.push(fault(
                format!("{at}/{}", area.field()),
                area.code(),
                area.message("zh-CN"),
                area.message("en"),
            ));
        }
        // The subject's person obeys the rules of a website's person: both are the same form.
        let alone = WebsiteContent {
            responsible_person: owner.responsible_person.0.clone(),
            ..WebsiteContent::default()
        };
        let findings = self.findings(&alone, owner, OF_A_SUBJECT);
        let of_person =
            findings.into_iter().filter(|finding| finding.pointer.starts_with("/website/responsible_person"));
        self.report(at, of_person.collect());
    }

    fn website(&mut self, at: &str, input: &ImportWebsite, owner: &Subject) {
        match icp_number::check_website(&input.icp_number) {
            Some(problem) => self.faults.push(of_problem(format!("{at}/icp_number"), &problem)),
            None if icp_number::subject_of(&input.icp_number) != Some(owner.icp_number.as_str()) => {
                self.faults.push(fault(
                    format!("{at}/icp_number"),
                    "icp_number_of_other_subject",
                    format!("须以主体备案号 {} 开头", owner.icp_number),
                    format!("must begin with the subject's number {}", owner.icp_number),
                ));
            }
            None => {}
        }
        self.code(format!("{at}/service_kind"), "service_kind", &input.service_kind);
        for (i, access) in input.access.iter().enumerate() {
            for (j, method) in access.methods.iter().enumerate() {
                self.code(format!("{at}/access/{i}/methods/{j}"), "access_method", method);
            }
            for (j, place) in access.server_locations.iter().enumerate() {
                if Regions::get().find(place).is_none() {
                    self.faults.push(fault(
                        format!("{at}/access/{i}/server_locations/{j}"),
                        "region_unknown",
                        format!("“{place}”不是行政区划代码"),
                        format!("{place:?} is not a code of GB/T 2260"),
                    ));
                }
            }
            for (j, range) in access.ip_ranges.iter().enumerate() {
                if !is_ip_range(range) {
                    self.faults.push(fault(
                        format!("{at}/access/{i}/ip_ranges/{j}"),
                        "ip_range_invalid",
                        "须为 IP 地址或 CIDR 网段",
                        "must be an IP address or a CIDR block",
                    ));
                }
            }
        }
        let mut required = OF_EVERY_WEBSITE.to_vec();
        if input.service_kind == "website" {
            required.extend(OF_A_SITE);
        }
        let findings = self.findings(&input.content, owner, &required);
        self.report(&format!("{at}/content"), findings);
    }

    /// What the form's rules say about a content, as far as filed data have to keep them.
    fn findings(&self, content: &WebsiteContent, owner: &Subject, required: &[&str]) -> Vec<Finding> {
        let findings = rules::check(&CheckInput {
            kind: &website_change::KIND,
            content,
            base: content,
            subject: owner,
            today: shanghai_date(self.now),
            // Otherwise nothing would be an error: compared with itself, nothing has changed.
            recheck_all: true,
            banned_names: &[],
            dictionaries: self.dictionaries,
            mobile_used_by_other_subject: false,
            email_used_by_other: false,
        });
        let counts = |finding: &Finding| {
            finding.severity == Severity::Error
                && (RULES.contains(&finding.code)
                    || finding.code == "missing" && required.contains(&finding.pointer.as_str()))
        };
        findings.into_iter().filter(counts).collect()
    }

    /// Findings point into a filing's `/website`; the request has what they mean at `at`.
    fn report(&mut self, at: &str, findings: Vec<Finding>) {
        self.faults.extend(findings.into_iter().map(|finding| {
            let inside = finding.pointer.strip_prefix("/website").unwrap_or(&finding.pointer);
            FieldError::new(Place::Pointer(format!("{at}{inside}")), finding.code, finding.message)
        }));
    }

    fn list(&self, dictionary: &str) -> &[Entry] {
        self.dictionaries.list(dictionary).unwrap_or_default()
    }

    fn code(&mut self, pointer: String, dictionary: &str, code: &str) {
        if let Some(problem) = rules::service_content::check_code(code, self.list(dictionary)) {
            self.faults.push(of_problem(pointer, &problem));
        }
    }

    fn certificate(
        &mut self,
        at: &str,
        (type_field, number_field): (&str, &str),
        dictionary: &str,
        kind: &str,
        number: &str,
    ) {
        self.code(format!("{at}/{type_field}"), dictionary, kind);
        let Some(entry) = self.list(dictionary).iter().find(|entry| entry.code == kind).cloned() else {
            return;
        };
        for problem in certificate::check_number(number.trim(), &entry, shanghai_date(self.now)) {
            self.faults.push(of_problem(format!("{at}/{number_field}"), &problem));
        }
    }
}

fn is_ip_range(text: &str) -> bool {
    match text.split_once('/') {
        None => text.parse::<IpAddr>().is_ok(),
        Some((address, bits)) => {
            let max = match address.parse::<IpAddr>() {
                Ok(IpAddr::V4(_)) => 32,
                Ok(IpAddr::V6(_)) => 128,
                Err(_) => return false,
            };
            bits.parse::<u8>().is_ok_and(|bits| bits <= max)
        }
    }
}

/// What stands twice in the request: the second one is the fault.
fn repetitions(request: &ImportRequest, faults: &mut Vec<FieldError>) {
    let mut seen: HashMap<(&str, String), String> = HashMap::new();
    let mut once = |what: &'static str, value: String, pointer: String| {
        if let Some(first) = seen.get(&(what, value.clone())) {
            faults.push(fault(
                pointer,
                "repeated_in_request",
                format!("与 {first} 重复"),
                format!("is the same as {first}"),
            ));
        } else {
            seen.insert((what, value), pointer);
        }
    };
    for (i, row) in request.rows.iter().enumerate() {
        once("icp number", row.subject.icp_number.clone(), format!("/rows/{i}/subject/icp_number"));
        for (j, website) in row.websites.iter().enumerate() {
            let at = format!("/rows/{i}/websites/{j}");
            once("icp number", website.icp_number.clone(), format!("{at}/icp_number"));
            let mut own: Vec<&str> = Vec::new();
            for (k, domain) in website.content.domains.iter().enumerate() {
                // Twice in one website is a finding of the form's rules already.
                if own.contains(&domain.name.as_str()) {
                    continue;
                }
                own.push(&domain.name);
                once("domain", domain.name.clone(), format!("{at}/content/domains/{k}/name"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::catalogue::data::dictionaries;

    fn faults(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut value = super::super::body::example();
        change(&mut value);
        let request: ImportRequest = serde_json::from_value(value).expect("a request");
        let now = "2026-11-23T02:00:00Z".parse().expect("a time");
        check(&request, dictionaries(), now).iter().map(|fault| format!("{fault:?}")).collect()
    }

    fn one(change: impl FnOnce(&mut Value), pointer: &str, code: &str) {
        let found = faults(change);
        assert!(
            found.len() == 1
                && found[0].contains(&format!("Pointer({pointer:?})"))
                && found[0].contains(&format!("{code:?}")),
            "wanted {code} at {pointer}, found {found:#?}"
        );
    }

    #[test]
    fn the_example_of_the_document_has_no_fault() {
        assert_eq!(faults(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_named_by_row_and_field() {
        let subject =
            |name: &'static str, value: Value| move |all: &mut Value| all["rows"][0]["subject"][name] = value;
        let website = |name: &'static str, value: Value| {
            move |all: &mut Value| all["rows"][0]["websites"][0][name] = value
        };
        let content = |name: &'static str, value: Value| {
            move |all: &mut Value| all["rows"][0]["websites"][0]["content"][name] = value
        };
        one(subject("nature", json!("guild")), "/rows/0/subject/nature", "code_unknown");
        one(
            |all| all["rows"][0]["subject"]["certificate"]["number"] = json!("9144030071526726XH"),
            "/rows/0/subject/certificate/number",
            "social_credit_code_checksum",
        );
        one(
            |all| {
                all["rows"][0]["subject"]["responsible_person"]["certificate_number"] =
                    json!("440301199001010013")
            },
            "/rows/0/subject/responsible_person/certificate_number",
            "identity_number_checksum",
        );
        one(
            |all| all["rows"][0]["subject"]["responsible_person"]["email"] = json!(null),
            "/rows/0/subject/responsible_person/email",
            "missing",
        );
        one(subject("district_code", json!(null)), "/rows/0/subject/district_code", "district_required");
        one(
            website("icp_number", json!("京ICP备87654321号-1")),
            "/rows/0/websites/0/icp_number",
            "icp_number_of_other_subject",
        );
        one(
            website("icp_number", json!("沪ICP备876号-1")),
            "/rows/0/websites/0/icp_number",
            "icp_number_format",
        );
        one(website("service_kind", json!("pamphlet")), "/rows/0/websites/0/service_kind", "code_unknown");
        one(
            |all| {
                all["rows"][0]["websites"][0]["access"][0]["ip_ranges"] = json!(["10.0.0.0/8", "10.0.0.0/33"])
            },
            "/rows/0/websites/0/access/0/ip_ranges/1",
            "ip_range_invalid",
        );
        one(content("name", json!(" ")), "/rows/0/websites/0/content/name", "missing");
        one(
            content("service_content", json!(["witchcraft"])),
            "/rows/0/websites/0/content/service_content/0",
            "code_unknown",
        );
        one(
            |all| {
                all["rows"][0]["websites"][0]["content"]["responsible_person"]["mobile"] =
                    json!("12345678901")
            },
            "/rows/0/websites/0/content/responsible_person/mobile",
            "mobile_format",
        );
        one(|all| all["rows"][0]["account"] = json!(null), "/rows/0/account_id", "account_ambiguous");
    }

    #[test]
    fn old_data_that_would_not_pass_a_change_today_are_taken() {
        let found = faults(|all| {
            let content = &mut all["rows"][0]["websites"][0]["content"];
            content["responsible_person"]["certificate_valid_to"] = json!("2020-01-01");
            content["responsible_person"]["emergency_phone"] = json!(null);
            content["domains"][0]["expires_on"] = json!("2020-01-01");
            content["pre_approvals"] = json!(null);
        });
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn what_stands_twice_is_named_at_the_second_place() {
        let found = faults(|all| {
            let row = all["rows"][0].clone();
            all["rows"].as_array_mut().expect("rows").push(row);
        });
        let pointers: Vec<_> = found.iter().filter(|fault| fault.contains("repeated_in_request")).collect();
        assert_eq!(pointers.len(), 3, "{found:#?}");
        assert!(pointers.iter().all(|fault| fault.contains("/rows/1/")));
    }
}
