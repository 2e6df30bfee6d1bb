//! The one table of editable fields: form description, diff and rejection labels read it.

use crate::kernel::pii::Clear;

/// One editable field of a website.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// JSON pointer into the filing, such as `/website/name`.
    pub pointer: &'static str,
    /// Code of the form's section, one of [`SECTIONS`].
    pub section: &'static str,
    /// Label in Chinese, as on the provider's form.
    pub label_zh: &'static str,
    /// Label in English.
    pub label_en: &'static str,
    /// What to enter, in Chinese.
    pub hint_zh: &'static str,
    /// What to enter, in English.
    pub hint_en: &'static str,
    /// True when `submit` needs it.
    pub mandatory: bool,
    /// Characters of a text, items of a list; None for dates and yes/no.
    pub max_length: Option<usize>,
    /// Dictionary whose codes are allowed.
    pub dictionary: Option<&'static str>,
    /// True for personal data: masked in replies.
    pub is_sensitive: bool,
}

/// A section of the form: code, label in Chinese and in English, in the order of the form.
pub const SECTIONS: &[(&str, &str, &str)] = &[
    ("website", "网站基本信息", "Website"),
    ("content", "网站内容", "Content"),
    ("responsible_person", "网站负责人", "Responsible person"),
];

const EMPTY: Field = Field {
    pointer: "",
    section: "website",
    label_zh: "",
    label_en: "",
    hint_zh: "",
    hint_en: "",
    mandatory: true,
    max_length: None,
    dictionary: None,
    is_sensitive: false,
};
const CONTENT: Field = Field { section: "content", ..EMPTY };
const PERSON: Field = Field { section: "responsible_person", ..EMPTY };
const PRIVATE: Field = Field { is_sensitive: true, ..PERSON };

/// Every editable field, in the order of the form.
#[rustfmt::skip] // one field, two or three lines
pub const FIELDS: &[Field] = &[
    Field { pointer: "/website/name", label_zh: "网站名称", label_en: "Website name", max_length: Some(60),
        hint_zh: "至少 3 个汉字，与网站内容相关，不能是域名", hint_en: "At least three Chinese characters, about the content, not a domain", ..EMPTY },
    Field { pointer: "/website/home_url", label_zh: "首页网址", label_en: "Home page", max_length: Some(255),
        hint_zh: "以 http:// 或 https:// 开头，主机名属于本网站的域名", hint_en: "Begins with http:// or https://; its host belongs to one of the domains", ..EMPTY },
    Field { pointer: "/website/domains", label_zh: "网站域名", label_en: "Domains", max_length: Some(50),
        hint_zh: "变更时只能删除域名，且至少保留一个", hint_en: "A change may only remove domains; one must remain", ..EMPTY },
    Field { pointer: "/website/service_content", label_zh: "网站服务内容", label_en: "Service content", max_length: Some(5), dictionary: Some("service_content"),
        hint_zh: "选择 1 至 5 项；个人网站仅限博客/个人空间或其他", hint_en: "One to five; an individual only blog/personal space or other", ..CONTENT },
    Field { pointer: "/website/languages", label_zh: "网站语言", label_en: "Languages", max_length: Some(20), dictionary: Some("language"),
        hint_zh: "至少选择一种", hint_en: "At least one", ..CONTENT },
    Field { pointer: "/website/pre_approvals", label_zh: "前置审批或专项内容", label_en: "Pre-approvals", max_length: Some(10), dictionary: Some("pre_approval_type"),
        hint_zh: "如不涉及，请填写空列表", hint_en: "An empty list when none is needed", ..CONTENT },
    Field { pointer: "/website/same_as_subject_responsible_person", label_zh: "与主体负责人相同", label_en: "Same as the subject's person",
        hint_zh: "选择“是”时，姓名、证件和联系方式须与主体负责人一致", hint_en: "If so, name, certificate and contacts must be the same", ..PERSON },
    Field { pointer: "/website/responsible_person/name", label_zh: "负责人姓名", label_en: "Name", max_length: Some(50),
        hint_zh: "与证件一致", hint_en: "As on the certificate", ..PERSON },
    Field { pointer: "/website/responsible_person/certificate_type", label_zh: "负责人证件类型", label_en: "Certificate type", max_length: Some(50), dictionary: Some("person_certificate_type"),
        hint_zh: "中国公民请选择居民身份证", hint_en: "Chinese citizens: resident identity card", ..PERSON },
    Field { pointer: "/website/responsible_person/certificate_number", label_zh: "负责人证件号码", label_en: "Certificate number", max_length: Some(30),
        hint_zh: "与证件一致，末位 X 请大写", hint_en: "As on the certificate, a last X in upper case", ..PRIVATE },
    Field { pointer: "/website/responsible_person/certificate_valid_from", label_zh: "证件有效期起始日", label_en: "Certificate valid from",
        hint_zh: "证件上的起始日期", hint_en: "First date on the certificate", ..PERSON },
    Field { pointer: "/website/responsible_person/certificate_valid_to", label_zh: "证件有效期截止日", label_en: "Certificate valid to", mandatory: false,
        hint_zh: "剩余有效期不少于 3 个月；长期有效请留空并选择“长期”", hint_en: "At least three months from now; empty when valid for ever", ..PERSON },
    Field { pointer: "/website/responsible_person/certificate_long_term", label_zh: "证件长期有效", label_en: "Valid for ever", mandatory: false,
        hint_zh: "证件有效期为“长期”时选择“是”", hint_en: "Yes when the certificate says 长期", ..PERSON },
    Field { pointer: "/website/responsible_person/mobile", label_zh: "手机号码", label_en: "Mobile", max_length: Some(20),
        hint_zh: "本人使用的 11 位大陆手机号码，请保持畅通", hint_en: "The person's own mainland mobile, 11 digits, reachable", ..PRIVATE },
    Field { pointer: "/website/responsible_person/emergency_phone", label_zh: "应急联系电话", label_en: "Emergency phone", max_length: Some(20),
        hint_zh: "不能与手机号码相同", hint_en: "Must differ from the mobile", ..PRIVATE },
    Field { pointer: "/website/responsible_person/office_phone", label_zh: "办公电话", label_en: "Office phone", max_length: Some(20), mandatory: false,
        hint_zh: "选填，例如 010-12345678", hint_en: "May stay empty; such as 010-12345678", ..PRIVATE },
    Field { pointer: "/website/responsible_person/email", label_zh: "电子邮箱", label_en: "E-mail", max_length: Some(100),
        hint_zh: "用于接收审核通知", hint_en: "Notices about the filing go there", ..PRIVATE },
    Field { pointer: "/website/remark", label_zh: "备注", label_en: "Remark", max_length: Some(500), mandatory: false,
        hint_zh: "给审核人员和管局的说明，选填", hint_en: "For the reviewer and the bureau; may stay empty", ..EMPTY },
];

impl Field {
    /// The pointer relative to the website, such as `/name`.
    pub fn relative_pointer(&self) -> &'static str {
        self.pointer.strip_prefix("/website").unwrap_or(self.pointer)
    }

    /// True when the field's clear values differ between two contents.
    pub(crate) fn differs(&self, one: &Clear, other: &Clear) -> bool {
        one.expose().pointer(self.relative_pointer()) != other.expose().pointer(self.relative_pointer())
    }
}

/// The field at a pointer into the filing (`/website/name`), or the one that holds it
/// (`/website/domains/0/name` belongs to `/website/domains`).
pub fn by_pointer(pointer: &str) -> Option<&'static Field> {
    by_relative_pointer(pointer.strip_prefix("/website")?)
        .or_else(|| FIELDS.iter().find(|field| holds(field.pointer, pointer)))
}

/// The field at exactly this pointer below the website (`/name`).
pub fn by_relative_pointer(pointer: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.relative_pointer() == pointer)
}

/// True when `inner` is `outer` or lies below it.
pub fn holds(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Label (Chinese, English) of a pointer that a rejection may name: a field, something inside one, a whole
/// section such as `/website/responsible_person`, or `/website`. None for anything else.
pub fn label(pointer: &str) -> Option<(&'static str, &'static str)> {
    match pointer {
        "/website" => Some(("网站信息", "Website")),
        "/website/responsible_person" => Some(("网站负责人", "Responsible person")),
        _ => by_pointer(pointer).map(|field| (field.label_zh, field.label_en)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};
    use utoipa::PartialSchema;

    use super::*;
    use crate::websites::content::{ResponsiblePerson, WebsiteContent};

    fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(key, inner)| leaves(inner, &format!("{path}/{key}"), found))
            }
            _ => drop(found.insert(path.to_owned())),
        }
    }

    #[test]
    fn the_table_names_exactly_the_fields_of_the_struct() {
        let mut in_struct = BTreeSet::new();
        leaves(&serde_json::to_value(WebsiteContent::default()).unwrap(), "/website", &mut in_struct);
        let in_table: BTreeSet<String> = FIELDS.iter().map(|field| field.pointer.to_owned()).collect();
        assert_eq!(in_table, in_struct);
        assert_eq!(in_table.len(), FIELDS.len(), "a field appears twice");
    }

    #[test]
    fn the_limits_of_the_table_are_those_of_the_document() {
        let website = serde_json::to_value(WebsiteContent::schema()).unwrap();
        let person = serde_json::to_value(ResponsiblePerson::schema()).unwrap();
        for field in FIELDS {
            let schema = match field.relative_pointer().strip_prefix("/responsible_person/") {
                Some(name) => &person["properties"][name],
                None => &website["properties"][&field.relative_pointer()[1..]],
            };
            assert!(schema["description"].is_string(), "{} has no doc comment", field.pointer);
            let limit = schema.get("maxLength").or(schema.get("maxItems")).cloned().unwrap_or(Value::Null);
            assert_eq!(limit, json!(field.max_length), "{}", field.pointer);
            let is_masked = schema["description"].as_str().unwrap().contains("masked in replies");
            assert_eq!(is_masked, field.is_sensitive, "{}", field.pointer);
        }
    }

    #[test]
    fn every_field_has_labels_hints_and_a_known_section() {
        for field in FIELDS {
            let texts = [field.label_zh, field.label_en, field.hint_zh, field.hint_en];
            assert!(texts.iter().all(|text| !text.is_empty()), "{}", field.pointer);
            assert!(SECTIONS.iter().any(|(code, ..)| *code == field.section), "{}", field.pointer);
        }
    }

    #[test]
    fn labels_are_found_for_fields_their_parts_and_groups() {
        assert_eq!(label("/website/name"), Some(("网站名称", "Website name")));
        assert_eq!(label("/website/domains/0/name"), Some(("网站域名", "Domains")));
        assert_eq!(label("/website/responsible_person").unwrap().1, "Responsible person");
        assert_eq!(label("/website/nonsense"), None);
        assert_eq!(label("/name"), None);
    }
}
