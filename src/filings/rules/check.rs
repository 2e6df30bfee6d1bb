//! Every rule over one website, every problem at once.

use chrono::NaiveDate;
use serde_json::Value;

use super::{
    Finding, Problem, Severity, certificate, codes, domain, email, home_url, identity_number, phone,
    pre_approval, service_content, website_name,
};
use crate::catalogue::data::{BannedName, Entry, Named};
use crate::filings::diff::changed_fields;
use crate::filings::kinds::FilingKind;
use crate::kernel::pii::Clear;
use crate::websites::content::WebsiteContent;
use crate::websites::fields::FIELDS;
use crate::websites::subject::Subject;

/// Everything that the rules may know. Reading the database is the caller's part.
pub struct CheckInput<'a> {
    /// What kind of filing it is.
    pub kind: &'a FilingKind,
    /// The content to check.
    pub content: &'a WebsiteContent,
    /// The filed content that the filing started from.
    pub base: &'a WebsiteContent,
    /// The website's subject.
    pub subject: &'a Subject,
    /// Today in Asia/Shanghai.
    pub today: NaiveDate,
    /// The province demands that unchanged fields obey today's rules too.
    pub recheck_all: bool,
    /// Words that a name may not have.
    pub banned_names: &'a [BannedName],
    /// `service_content`, `language`, `person_certificate_type`, `pre_approval_type`, `subject_nature`.
    pub dictionaries: &'a Named,
    /// The person's mobile is filed for another subject.
    pub mobile_used_by_other_subject: bool,
    /// The person's e-mail address is filed for another person.
    pub email_used_by_other: bool,
}

/// Every finding, in the order of the form's fields within each family. A rule that reads no changed field gives
/// warnings only, unless `recheck_all`: old data must not block a change of phone number.
pub fn check(input: &CheckInput<'_>) -> Vec<Finding> {
    let changed =
        changed_fields(input.base, input.content).iter().map(|field| field.relative_pointer()).collect();
    let mut checker = Checker { input, changed, findings: Vec::new() };
    checker.editable();
    checker.mandatory();
    checker.website();
    checker.domains();
    checker.content();
    checker.person();
    checker.contacts();
    checker.person_and_subject();
    let mut findings = checker.findings;
    findings.extend((input.kind.guards)(input));
    findings
}

const NAME: &str = "/name";
const HOME_URL: &str = "/home_url";
const DOMAINS: &str = "/domains";
const SERVICE_CONTENT: &str = "/service_content";
const LANGUAGES: &str = "/languages";
const PRE_APPROVALS: &str = "/pre_approvals";
const SAME_PERSON: &str = "/same_as_subject_responsible_person";
const PERSON_NAME: &str = "/responsible_person/name";
const CERTIFICATE_TYPE: &str = "/responsible_person/certificate_type";
const CERTIFICATE_NUMBER: &str = "/responsible_person/certificate_number";
const VALID_FROM: &str = "/responsible_person/certificate_valid_from";
const VALID_TO: &str = "/responsible_person/certificate_valid_to";
const LONG_TERM: &str = "/responsible_person/certificate_long_term";
const MOBILE: &str = "/responsible_person/mobile";
const EMERGENCY_PHONE: &str = "/responsible_person/emergency_phone";
const OFFICE_PHONE: &str = "/responsible_person/office_phone";
const EMAIL: &str = "/responsible_person/email";
/// Who the person is: what decides whether two are the same.
const IDENTITY: [&str; 4] = [PERSON_NAME, CERTIFICATE_TYPE, CERTIFICATE_NUMBER, SAME_PERSON];

struct Checker<'a> {
    input: &'a CheckInput<'a>,
    changed: Vec<&'static str>,
    findings: Vec<Finding>,
}

impl Checker<'_> {
    /// Notes problems at a pointer below the website. `reads` are the fields that the rule looked at.
    fn report(&mut self, pointer: &str, reads: &[&str], problems: impl IntoIterator<Item = Problem>) {
        let is_fresh = self.input.recheck_all || reads.iter().any(|field| self.changed.contains(field));
        self.findings.extend(problems.into_iter().map(|problem| {
            let severity = if is_fresh { problem.severity } else { Severity::Warning };
            finding(format!("/website{pointer}"), Problem { severity, ..problem })
        }));
    }

    fn dictionary(&self, name: &str) -> &[Entry] {
        self.input.dictionaries.list(name).unwrap_or_default()
    }

    fn editable(&mut self) {
        let sections = self.input.kind.editable_sections;
        let changed = self.changed.clone();
        for field in FIELDS.iter().filter(|field| changed.contains(&field.relative_pointer())) {
            if !sections.contains(&field.section) {
                let problem = Problem::error(
                    &codes::FIELD_NOT_EDITABLE,
                    format!("本次备案类型不能修改“{}”", field.label_zh),
                    format!("this kind of filing cannot change “{}”", field.label_en),
                    "请恢复原值，或发起相应类型的备案变更",
                    "restore the filed value, or start a filing of the kind that may change it",
                );
                self.report(field.relative_pointer(), &[field.relative_pointer()], [problem]);
            }
        }
    }

    fn mandatory(&mut self) {
        let Ok(clear) = Clear::of(self.input.content) else { return };
        for field in FIELDS.iter().filter(|field| field.mandatory) {
            let pointer = field.relative_pointer();
            let is_missing = match clear.expose().pointer(pointer) {
                None | Some(Value::Null) => true,
                Some(Value::String(text)) => text.trim().is_empty(),
                // An empty list of pre-approvals is an answer: none.
                Some(Value::Array(items)) => items.is_empty() && pointer != PRE_APPROVALS,
                Some(_) => false,
            };
            if is_missing {
                let problem = Problem::error(
                    &codes::MISSING,
                    format!("请填写“{}”", field.label_zh),
                    format!("“{}” is missing", field.label_en),
                    field.hint_zh,
                    field.hint_en,
                );
                self.report(pointer, &[pointer], [problem]);
            }
        }
    }

    fn website(&mut self) {
        let content = self.input.content;
        if let Some(name) = filled(&content.name) {
            let nature = self
                .dictionary("subject_nature")
                .iter()
                .find(|entry| entry.code == self.input.subject.nature);
            let owner = website_name::NameOwner {
                is_individual: self.input.subject.is_individual(),
                is_state_body: nature.is_some_and(|entry| entry.flag("is_state_body")),
            };
            self.report(NAME, &[NAME], website_name::check(name, owner, self.input.banned_names));
        }
        if let Some(url) = filled(&content.home_url) {
            self.report(HOME_URL, &[HOME_URL], home_url::check(url));
            self.report(HOME_URL, &[HOME_URL, DOMAINS], home_url::check_host(url, &content.domains));
        }
    }

    fn domains(&mut self) {
        let domains = &self.input.content.domains;
        for (index, entry) in domains.iter().enumerate() {
            let pointer = format!("{DOMAINS}/{index}/name");
            self.report(&pointer, &[DOMAINS], domain::check(&entry.name));
            if domains[..index].iter().any(|other| other.name == entry.name) {
                let problem = Problem::error(
                    &codes::DOMAIN_REPEATED,
                    format!("域名 {} 重复", entry.name),
                    format!("{} stands there twice", entry.name),
                    "请删除重复的域名",
                    "remove one of them",
                );
                self.report(&pointer, &[DOMAINS], [problem]);
            }
            if let Some(end) = entry.expires_on.filter(|end| *end < self.input.today) {
                // A warning: the date is what was filed, the registration may have been renewed since.
                let problem = Problem::warning(
                    &codes::DOMAIN_EXPIRED,
                    format!("按备案记录，域名 {} 已于 {end} 过期", entry.name),
                    format!("by the filed record, {} expired on {end}", entry.name),
                    "请在域名注册商处续费，或删除该域名",
                    "renew it at the registrar, or remove the domain",
                );
                self.report(&pointer, &[DOMAINS], [problem]);
            }
        }
    }

    fn content(&mut self) {
        let (input, content) = (self.input, self.input.content);
        let is_individual = input.subject.is_individual();
        let found = service_content::check(
            &content.service_content,
            self.dictionary("service_content"),
            is_individual,
        );
        for (index, problem) in found {
            self.report(&at(SERVICE_CONTENT, index), &[SERVICE_CONTENT], [problem]);
        }
        for (index, problem) in service_content::check_codes(&content.languages, self.dictionary("language"))
        {
            self.report(&at(LANGUAGES, index), &[LANGUAGES], [problem]);
        }
        if let Some(approvals) = &content.pre_approvals {
            for (pointer, problem) in
                pre_approval::check(approvals, self.dictionary("pre_approval_type"), input.today)
            {
                self.report(&format!("{PRE_APPROVALS}{pointer}"), &[PRE_APPROVALS], [problem]);
            }
        }
    }

    fn person(&mut self) {
        let (input, person) = (self.input, &self.input.content.responsible_person);
        let number = person.certificate_number.as_ref().map(|number| number.expose().trim());
        if let Some(kind) = filled(&person.certificate_type) {
            let types = self.dictionary("person_certificate_type");
            let unknown = service_content::check_code(kind, types);
            let entry = types.iter().find(|entry| entry.code == kind).cloned();
            self.report(CERTIFICATE_TYPE, &[CERTIFICATE_TYPE], unknown);
            if let (Some(entry), Some(number)) = (entry, number.filter(|number| !number.is_empty())) {
                let reads = [CERTIFICATE_TYPE, CERTIFICATE_NUMBER];
                self.report(
                    CERTIFICATE_NUMBER,
                    &reads,
                    certificate::check_number(number, &entry, input.today),
                );
                if entry.text("number_format") == Some("resident_identity") {
                    self.report(CERTIFICATE_NUMBER, &reads, identity_number::check_age(number, input.today));
                }
            }
        }
        let period = certificate::Period {
            valid_from: person.certificate_valid_from,
            valid_to: person.certificate_valid_to,
            long_term: person.certificate_long_term.unwrap_or(false),
        };
        // A new person brings a new certificate: its dates are checked even where they were left as they are.
        let reads = [VALID_FROM, VALID_TO, LONG_TERM, CERTIFICATE_NUMBER];
        for (part, problem) in
            certificate::check_period(period, input.today, certificate::MIN_REMAINING_MONTHS)
        {
            let pointer = match part {
                certificate::PeriodPart::ValidFrom => VALID_FROM,
                certificate::PeriodPart::ValidTo => VALID_TO,
            };
            self.report(pointer, &reads, [problem]);
        }
        let own = &input.subject.certificate;
        if let Some(end) = own.valid_to.filter(|end| *end < input.today && !own.long_term) {
            self.findings.push(finding(
                "/subject/certificate/valid_to".into(),
                Problem::warning(
                    &codes::CERTIFICATE_EXPIRED,
                    format!("主体证件已于 {end} 过期"),
                    format!("the subject's certificate expired on {end}"),
                    "网站变更不能修改主体信息，请尽快办理主体信息变更",
                    "a website change cannot alter the subject; have the subject's data changed soon",
                ),
            ));
        }
    }

    fn contacts(&mut self) {
        let (input, person) = (self.input, &self.input.content.responsible_person);
        if let Some(mobile) = &person.mobile {
            let text = mobile.expose();
            self.report(MOBILE, &[MOBILE], phone::check_mobile(text).filter(|_| !text.trim().is_empty()));
            if input.mobile_used_by_other_subject {
                let problem = Problem::error(
                    &codes::MOBILE_USED_BY_OTHER_SUBJECT,
                    "该手机号码已用于其他主体的备案，一个手机号码只能用于一个主体".to_owned(),
                    "this mobile is filed for another subject; a mobile serves one subject only".to_owned(),
                    "请更换为未在其他主体备案中使用的手机号码",
                    "use a mobile that is filed nowhere else",
                );
                self.report(MOBILE, &[MOBILE], [problem]);
            }
        }
        if let Some(emergency) = &person.emergency_phone {
            let text = emergency.expose();
            let problem = phone::check_phone(text).filter(|_| !text.trim().is_empty());
            self.report(EMERGENCY_PHONE, &[EMERGENCY_PHONE], problem);
            if person
                .mobile
                .as_ref()
                .is_some_and(|mobile| mobile.is_same_as(emergency) && !text.trim().is_empty())
            {
                let problem = Problem::error(
                    &codes::EMERGENCY_PHONE_SAME,
                    "应急联系电话与手机号码相同".to_owned(),
                    "the emergency phone is the mobile".to_owned(),
                    "请填写另一个可以联系到的电话号码",
                    "enter another number at which somebody can be reached",
                );
                self.report(EMERGENCY_PHONE, &[EMERGENCY_PHONE, MOBILE], [problem]);
            }
        }
        if let Some(office) = person.office_phone.as_ref().map(|phone| phone.expose()) {
            self.report(
                OFFICE_PHONE,
                &[OFFICE_PHONE],
                phone::check_phone(office).filter(|_| !office.trim().is_empty()),
            );
        }
        if let Some(address) = person.email.as_ref().map(|email| email.expose()) {
            self.report(EMAIL, &[EMAIL], email::check(address).filter(|_| !address.trim().is_empty()));
            if input.email_used_by_other {
                let problem = Problem::error(
                    &codes::EMAIL_USED_BY_OTHER,
                    "该邮箱已被其他负责人使用".to_owned(),
                    "this address is filed for another person".to_owned(),
                    "请填写负责人本人使用的邮箱",
                    "enter the person's own address",
                );
                self.report(EMAIL, &[EMAIL], [problem]);
            }
        }
    }

    /// The website's person against the subject's: the same person has the same contacts, others have others.
    fn person_and_subject(&mut self) {
        let (person, own) = (&self.input.content.responsible_person, &self.input.subject.responsible_person);
        let is_declared = self.input.content.same_as_subject_responsible_person == Some(true);
        let is_same = person.is_same_person_as(own);
        let is_complete = person.is_same_person_as(person);
        if is_declared && !is_same && is_complete {
            let problem = Problem::error(
                &codes::PERSON_DIFFERS_FROM_SUBJECT,
                "选择了“与主体负责人相同”，但姓名、证件类型或证件号码与主体负责人不一致".to_owned(),
                "“same as the subject's person” is chosen, but name, certificate type or number differ"
                    .to_owned(),
                "请填写主体负责人的信息，或取消“与主体负责人相同”",
                "enter the subject's person, or say that it is another one",
            );
            self.report(SAME_PERSON, &IDENTITY, [problem]);
        }
        if !is_declared && is_same && self.input.content.same_as_subject_responsible_person.is_some() {
            let problem = Problem::error(
                &codes::PERSON_IS_SUBJECT_PERSON,
                "网站负责人就是主体负责人，但未选择“与主体负责人相同”".to_owned(),
                "the person is the subject's, but “same as the subject's person” is not chosen".to_owned(),
                "请选择“与主体负责人相同”",
                "choose “same as the subject's person”",
            );
            self.report(SAME_PERSON, &IDENTITY, [problem]);
        }
        let mut compare = |pointer: &'static str,
                           equal: Option<bool>,
                           zh: &str,
                           en: &str,
                           may_share: bool| {
            let problem = match equal {
                Some(false) if is_same => Problem::error(
                    &codes::CONTACT_DIFFERS_FOR_SAME_PERSON,
                    format!("网站负责人与主体负责人为同一人，{zh}应相同"),
                    format!("website and subject have the same person, so the {en} must be the same"),
                    "请填写与主体负责人一致的联系方式；如需更换，请先办理主体信息变更",
                    "enter the subject's person's contact; to change it, have the subject's data changed first",
                ),
                Some(true) if !is_same && is_complete && !may_share => Problem::error(
                    &codes::CONTACT_OF_OTHER_PERSON,
                    format!("网站负责人与主体负责人不是同一人，{zh}不能相同"),
                    format!("website and subject have different persons, so the {en} must differ"),
                    "请填写网站负责人本人的联系方式",
                    "enter the contact of the website's own person",
                ),
                _ => return,
            };
            let reads = [pointer, PERSON_NAME, CERTIFICATE_TYPE, CERTIFICATE_NUMBER];
            self.report(pointer, &reads, [problem]);
        };
        let both = |one: &Option<_>, other: &Option<_>| match (one, other) {
            (Some(one), Some(other)) => Some(crate::kernel::pii::Sensitive::is_same_as(one, other)),
            _ => None,
        };
        compare(MOBILE, both(&person.mobile, &own.mobile), "手机号码", "mobile", false);
        // Two persons often name each other, or one office, for emergencies.
        let emergency = both(&person.emergency_phone, &own.emergency_phone);
        compare(EMERGENCY_PHONE, emergency, "应急联系电话", "emergency phone", true);
        let email = match (&person.email, &own.email) {
            (Some(one), Some(other)) => Some(one.is_same_as(other)),
            _ => None,
        };
        compare(EMAIL, email, "电子邮箱", "e-mail address", false);
    }
}

/// A problem at its place.
pub(crate) fn finding(pointer: String, problem: Problem) -> Finding {
    Finding {
        pointer,
        code: problem.code.code,
        severity: problem.severity,
        message: problem.message,
        suggestion: problem.suggestion,
        source: problem.code.source,
    }
}

fn at(list: &str, index: Option<usize>) -> String {
    index.map_or_else(|| list.to_owned(), |index| format!("{list}/{index}"))
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
