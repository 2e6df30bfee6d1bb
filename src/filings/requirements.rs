//! Which documents a change needs. Pure: the caller adds the uploads.

use crate::catalogue::data::{Named, ProvinceRule};
use crate::filings::diff::changed_fields;
use crate::kernel::i18n::Bilingual;
use crate::websites::content::{PreApproval, WebsiteContent};
use crate::websites::subject::Subject;

/// Portrait side of a resident identity card.
pub const IDENTITY_CARD_FRONT: &str = "identity_card_front";
/// Emblem side of a resident identity card.
pub const IDENTITY_CARD_BACK: &str = "identity_card_back";
/// Any other certificate of a person.
pub const PERSON_CERTIFICATE: &str = "responsible_person_certificate";
/// Letter by which the subject authorises the person.
pub const AUTHORISATION_LETTER: &str = "authorisation_letter";
/// Document of a pre-approval.
pub const PRE_APPROVAL_DOCUMENT: &str = "pre_approval_document";

/// What decides which documents are needed.
pub struct RequirementInput<'a> {
    /// The filed content that the filing started from.
    pub base: &'a WebsiteContent,
    /// The content as edited.
    pub content: &'a WebsiteContent,
    /// The website's subject.
    pub subject: &'a Subject,
    /// The province's rule row that counts today; None: nothing extra.
    pub province: Option<&'a ProvinceRule>,
    /// Material codes that items of the last rejection name.
    pub rejected_materials: &'a [&'a str],
    /// The dictionary `material` says what each document may look like.
    pub dictionaries: &'a Named,
}

/// One document that must be there before `submit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Code of the dictionary `material`; the `purpose` of an upload.
    pub code: String,
    /// Its label.
    pub label: Bilingual,
    /// What it proves: pointer into the filing, such as `/website/responsible_person`.
    pub target: String,
    /// True: `submit` needs it.
    pub required: bool,
    /// Why it is asked for.
    pub why: Bilingual,
    /// Media types.
    pub accepted_types: Vec<String>,
    /// Largest file in bytes.
    pub max_bytes: u64,
    /// Least number of files.
    pub min_count: u32,
    /// Greatest number of files.
    pub max_count: u32,
}

/// The documents that the change needs, each code once.
pub fn required_materials(input: &RequirementInput<'_>) -> Vec<Requirement> {
    let mut list = List { input, found: Vec::new() };
    let changed: Vec<&str> =
        changed_fields(input.base, input.content).iter().map(|field| field.relative_pointer()).collect();
    list.person(&changed);
    list.pre_approvals();
    list.province(&changed);
    for code in input.rejected_materials {
        list.add(code, 1, "审核人员要求补充或重新上传该材料", "a reviewer asked for this document");
    }
    list.found
}

struct List<'a> {
    input: &'a RequirementInput<'a>,
    found: Vec<Requirement>,
}

impl List<'_> {
    fn add(&mut self, code: &str, min_count: u32, why_zh: &str, why_en: &str) {
        if let Some(known) = self.found.iter_mut().find(|known| known.code == code) {
            known.min_count = known.min_count.max(min_count);
            known.why.zh.push_str(&format!("；{why_zh}"));
            known.why.en.push_str(&format!("; {why_en}"));
            return;
        }
        // A code outside the dictionary cannot be uploaded, so it must not be asked for.
        let Some(entry) = self.input.dictionaries.find("material", code) else { return };
        let target = match entry.text("target") {
            None | Some("website") => "/website".to_owned(),
            Some(field) => format!("/website/{field}"),
        };
        let count = |name: &str| entry.number(name).and_then(|count| u32::try_from(count).ok()).unwrap_or(1);
        let min_count = count("min_count").max(min_count);
        self.found.push(Requirement {
            code: code.to_owned(),
            label: Bilingual::new(&entry.zh, &entry.en),
            target,
            required: true,
            why: Bilingual::new(why_zh, why_en),
            accepted_types: entry.list("accepted_types").into_iter().map(str::to_owned).collect(),
            max_bytes: entry.number("max_bytes").unwrap_or(MAX_BYTES),
            min_count,
            max_count: count("max_count").max(min_count),
        });
    }

    fn person(&mut self, changed: &[&str]) {
        let is_changed = |names: &[&str]| {
            names.iter().any(|name| changed.contains(&format!("/responsible_person/{name}").as_str()))
        };
        let is_other_person = is_changed(&["name", "certificate_type", "certificate_number"]);
        // New dates mean a new card. Contacts alone ask for nothing.
        let is_other_card =
            is_changed(&["certificate_valid_from", "certificate_valid_to", "certificate_long_term"]);
        if is_other_person || is_other_card {
            let (zh, en) = ("网站负责人或其证件有变更", "the responsible person or the certificate changes");
            match self.input.content.responsible_person.certificate_type.as_deref() {
                None | Some("" | "resident_identity_card") => {
                    self.add(IDENTITY_CARD_FRONT, 1, zh, en);
                    self.add(IDENTITY_CARD_BACK, 1, zh, en);
                }
                Some(_) => self.add(PERSON_CERTIFICATE, 1, zh, en),
            }
        }
        if is_other_person && !self.input.subject.is_represented_by(&self.input.content.responsible_person) {
            let (zh, en) = if self.input.subject.is_individual() {
                ("网站负责人不是主体本人", "the responsible person is not the subject")
            } else {
                ("网站负责人不是法定代表人", "the responsible person is not the legal representative")
            };
            self.add(AUTHORISATION_LETTER, 1, zh, en);
        }
    }

    fn pre_approvals(&mut self) {
        let list = |content: &WebsiteContent| -> Vec<PreApproval> {
            content.pre_approvals.as_ref().map(|list| list.0.clone()).unwrap_or_default()
        };
        let filed = list(self.input.base);
        let fresh = list(self.input.content).iter().filter(|approval| !filed.contains(approval)).count();
        if fresh > 0 {
            let count = u32::try_from(fresh).unwrap_or(u32::MAX);
            let en = "a pre-approval is added or altered; one document for each";
            self.add(PRE_APPROVAL_DOCUMENT, count, "新增或修改了前置审批，每项需提供批文", en);
        }
    }

    fn province(&mut self, changed: &[&str]) {
        let Some(province) = self.input.province else { return };
        let is_individual = self.input.subject.is_individual();
        for proof in &province.proofs {
            let applies = match proof.applies_to.as_str() {
                "individual" => is_individual,
                "organisation" => !is_individual,
                _ => true,
            };
            let is_triggered = proof.triggers.iter().any(|trigger| {
                changed.iter().any(|pointer| crate::websites::fields::holds(&format!("/{trigger}"), pointer))
            });
            if applies && is_triggered {
                self.add(&proof.material_code, 1, &proof.why.zh, &proof.why.en);
            }
        }
    }
}

/// Largest file when the dictionary names none: 10 MiB.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::catalogue::data::dictionaries;
    use crate::filings::sample;
    use crate::websites::patch::WebsiteContentPatch;

    fn codes_of(
        patch: Value,
        subject: &Subject,
        province: Option<&ProvinceRule>,
        rejected: &[&str],
    ) -> Vec<String> {
        required(patch, subject, province, rejected).into_iter().map(|requirement| requirement.code).collect()
    }

    fn required(
        patch: Value,
        subject: &Subject,
        province: Option<&ProvinceRule>,
        rejected: &[&str],
    ) -> Vec<Requirement> {
        let base = sample::content();
        let patch: WebsiteContentPatch = serde_json::from_value(patch).unwrap();
        let content = base.apply(&patch).unwrap();
        required_materials(&RequirementInput {
            base: &base,
            content: &content,
            subject,
            province,
            rejected_materials: rejected,
            dictionaries: dictionaries(),
        })
    }

    #[test]
    fn contacts_names_and_removed_domains_need_no_document() {
        let patch = json!({"name": "云上花园", "domains": [{"name": "yunshanghuadian.com"}], "pre_approvals": [],
            "responsible_person": {"mobile": "13912345678", "email": "new@example.com"}});
        assert_eq!(codes_of(patch, &sample::subject(), None, &[]), [""; 0]);
    }

    #[test]
    fn another_person_brings_the_card_and_unless_they_represent_the_subject_a_letter() {
        let someone =
            json!({"responsible_person": {"name": "王五", "certificate_number": "110101199003070019"}});
        let card_and_letter = ["identity_card_front", "identity_card_back", "authorisation_letter"];
        assert_eq!(codes_of(someone, &sample::subject(), None, &[]), card_and_letter);
        let legal =
            json!({"responsible_person": {"name": "李四", "certificate_number": "440301199001010012"}});
        assert_eq!(codes_of(legal, &sample::subject(), None, &[]), card_and_letter[..2]);
        let mut subject = sample::individual();
        subject.name = "李四".into();
        subject.certificate.number = crate::kernel::pii::Sensitive::new("440301199001010012");
        let own = json!({"responsible_person": {"name": "李四", "certificate_number": "440301199001010012"}});
        assert_eq!(codes_of(own.clone(), &subject, None, &[]), card_and_letter[..2]);
        assert_eq!(codes_of(own, &sample::individual(), None, &[]), card_and_letter);
    }

    #[test]
    fn a_new_card_of_the_same_person_is_shown_without_a_letter() {
        let renewed = json!({"responsible_person": {"certificate_valid_to": "2046-05-01"}});
        let codes = codes_of(renewed, &sample::subject(), None, &[]);
        assert_eq!(codes, ["identity_card_front", "identity_card_back"]);
        let passport = json!({"responsible_person": {"certificate_type": "passport", "certificate_number": "E12345678"}});
        let codes = codes_of(passport, &sample::subject(), None, &[]);
        assert_eq!(codes, ["responsible_person_certificate", "authorisation_letter"]);
    }

    #[test]
    fn each_new_pre_approval_brings_its_document() {
        let patch = json!({"pre_approvals": [{"type": "publishing", "approval_no": "1"}, {"type": "news", "approval_no": "2"}]});
        let found = required(patch, &sample::subject(), None, &[]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].code.as_str(), found[0].min_count), ("pre_approval_document", 2));
        assert_eq!(found[0].target, "/website/pre_approvals");
        assert_eq!(found[0].max_bytes, 10 * 1024 * 1024);
        assert!(found[0].accepted_types.contains(&"application/pdf".to_owned()));
    }

    #[test]
    fn provinces_and_rejections_may_ask_for_more() {
        let rule: ProvinceRule = serde_json::from_value(json!({
            "province_code": "320000", "effective_from": "2018-01-01", "sms_verification": false,
            "sms_subject_phone": false, "recheck_all": false, "source": "test",
            "proofs": [
                {"material_code": "name_proof", "triggers": ["name"], "applies_to": "organisation", "why": {"zh": "证明", "en": "proof"}},
                {"material_code": "residence_permit", "triggers": ["responsible_person"], "applies_to": "individual", "why": {"zh": "证明", "en": "proof"}}
            ]
        }))
        .unwrap();
        let patch = json!({"name": "云上花园", "responsible_person": {"mobile": "13912345678"}});
        assert_eq!(codes_of(patch.clone(), &sample::subject(), Some(&rule), &[]), ["name_proof"]);
        assert_eq!(codes_of(patch.clone(), &sample::individual(), Some(&rule), &[]), ["residence_permit"]);
        assert_eq!(codes_of(json!({"remark": "x"}), &sample::subject(), Some(&rule), &[]), [""; 0]);
        let rejected = ["name_proof", "identity_card_front", "name_proof", "nonsense"];
        let found = required(patch, &sample::subject(), Some(&rule), &rejected);
        let codes: Vec<_> = found.iter().map(|requirement| requirement.code.as_str()).collect();
        assert_eq!(codes, ["name_proof", "identity_card_front"]);
        assert!(found[0].why.en.starts_with("proof; a reviewer"));
    }
}
