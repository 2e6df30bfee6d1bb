//! A valid website and its subject, for the tests of rules, diff and requirements.

use chrono::{DateTime, NaiveDate};
use serde_json::json;
use uuid::Uuid;

use crate::kernel::pii::Sensitive;
use crate::websites::content::{ResponsiblePerson, WebsiteContent};
use crate::websites::subject::{LegalRepresentative, Subject, SubjectCertificate, SubjectResponsiblePerson};

pub(crate) fn today() -> NaiveDate {
    day("2026-11-23")
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// A website without findings.
pub(crate) fn content() -> WebsiteContent {
    serde_json::from_value(json!({
        "name": "云上花店",
        "home_url": "https://www.yunshanghuadian.com/",
        "domains": [
            {"name": "yunshanghuadian.com", "unicode_name": "yunshanghuadian.com", "expires_on": "2027-08-31"},
            {"name": "xn--fsqu00a.com", "unicode_name": "例子.com", "expires_on": null}
        ],
        "service_content": ["online_shopping"],
        "languages": ["zh-Hans"],
        "pre_approvals": [],
        "responsible_person": {
            "name": "张三",
            "certificate_type": "resident_identity_card",
            "certificate_number": "11010519491231002X",
            "certificate_valid_from": "2016-05-01",
            "certificate_valid_to": "2036-05-01",
            "certificate_long_term": false,
            "mobile": "13800138000",
            "emergency_phone": "13900139000",
            "office_phone": "010-12345678",
            "email": "zhangsan@example.com"
        },
        "same_as_subject_responsible_person": false
    }))
    .expect("a website")
}

/// An enterprise whose legal representative is also its responsible person, and not the website's.
pub(crate) fn subject() -> Subject {
    let person: ResponsiblePerson = serde_json::from_value(json!({
        "name": "李四",
        "certificate_type": "resident_identity_card",
        "certificate_number": "440301199001010012",
        "certificate_valid_from": "2016-05-01",
        "certificate_valid_to": "2036-05-01",
        "certificate_long_term": false,
        "mobile": "13700137000",
        "emergency_phone": "13600136000",
        "office_phone": null,
        "email": "lisi@example.com"
    }))
    .expect("a person");
    Subject {
        id: Uuid::nil(),
        account_id: Uuid::nil(),
        icp_number: "京ICP备12345678号".into(),
        name: "北京云上花店有限公司".into(),
        nature: "enterprise".into(),
        certificate: SubjectCertificate {
            kind: "business_licence".into(),
            number: Sensitive::new("9144030071526726XG"),
            address: Sensitive::new("北京市朝阳区建国路1号"),
            valid_from: None,
            valid_to: None,
            long_term: true,
        },
        investor: None,
        legal_representative: LegalRepresentative {
            name: person.name.clone(),
            certificate_type: person.certificate_type.clone(),
            certificate_number: person.certificate_number.clone(),
        },
        responsible_person: SubjectResponsiblePerson(person),
        province_code: "110000".into(),
        city_code: "110100".into(),
        district_code: Some("110105".into()),
        correspondence_address: Sensitive::new("北京市朝阳区建国路1号"),
        remark: None,
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

/// The natural person 张三 of [`content`] as subject.
pub(crate) fn individual() -> Subject {
    let person = content().responsible_person;
    let mut subject = subject();
    subject.nature = "individual".into();
    subject.name = "张三".into();
    subject.certificate.kind = "resident_identity_card".into();
    subject.certificate.number = person.certificate_number.clone().expect("a number");
    subject.legal_representative = LegalRepresentative::default();
    subject.responsible_person = SubjectResponsiblePerson(person);
    subject
}
