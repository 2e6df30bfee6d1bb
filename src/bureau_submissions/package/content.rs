//! The data of a package, in clear. Every struct is taken apart by name and without `..`: a new field on the form does not
//! compile until somebody has decided whether the bureau gets it.
//!
//! The ministry's element names for a change are not public, so the members carry our own names; a gateway that knows the
//! real ones maps them by its template.

use serde_json::{Value, json};

use crate::kernel::pii::{Kind, Sensitive};
use crate::websites::content::{PreApproval, ResponsiblePerson, WebsiteContent, WebsiteDomain};
use crate::websites::subject::{LegalRepresentative, Subject, SubjectCertificate, SubjectResponsiblePerson};

fn clear<K: Kind>(value: &Option<Sensitive<K>>) -> Option<&str> {
    value.as_ref().map(Sensitive::expose)
}

/// What the website says about itself.
pub fn website(content: &WebsiteContent) -> Value {
    let WebsiteContent {
        name,
        home_url,
        domains,
        service_content,
        languages,
        pre_approvals,
        responsible_person,
        same_as_subject_responsible_person,
        remark,
    } = content;
    let domains: Vec<Value> = domains.iter().map(domain).collect();
    let pre_approvals = pre_approvals.as_ref().map(|list| list.iter().map(pre_approval).collect::<Vec<_>>());
    json!({
        "name": name,
        "home_url": home_url,
        "domains": domains,
        "service_content": service_content.0,
        "languages": languages.0,
        "pre_approvals": pre_approvals,
        "responsible_person": person(responsible_person),
        "same_as_subject_responsible_person": same_as_subject_responsible_person,
        "remark": remark,
    })
}

fn domain(domain: &WebsiteDomain) -> Value {
    let WebsiteDomain { name, unicode_name, expires_on } = domain;
    json!({ "name": name, "unicode_name": unicode_name, "expires_on": expires_on })
}

fn pre_approval(approval: &PreApproval) -> Value {
    let PreApproval { kind, approval_no, valid_to } = approval;
    json!({ "type": kind, "approval_no": approval_no, "valid_to": valid_to })
}

fn person(person: &ResponsiblePerson) -> Value {
    let ResponsiblePerson {
        name,
        certificate_type,
        certificate_number,
        certificate_valid_from,
        certificate_valid_to,
        certificate_long_term,
        mobile,
        emergency_phone,
        office_phone,
        email,
    } = person;
    json!({
        "name": name,
        "certificate_type": certificate_type,
        "certificate_number": clear(certificate_number),
        "certificate_valid_from": certificate_valid_from,
        "certificate_valid_to": certificate_valid_to,
        "certificate_long_term": certificate_long_term,
        "mobile": clear(mobile),
        "emergency_phone": clear(emergency_phone),
        "office_phone": clear(office_phone),
        "email": clear(email),
    })
}

/// Who runs the website.
pub fn subject(subject: &Subject) -> Value {
    let Subject {
        // Our own bookkeeping.
        id: _,
        account_id: _,
        version: _,
        created_at: _,
        updated_at: _,
        icp_number,
        name,
        nature,
        certificate,
        investor,
        legal_representative,
        responsible_person,
        province_code,
        city_code,
        district_code,
        correspondence_address,
        remark,
    } = subject;
    let SubjectCertificate { kind, number, address, valid_from, valid_to, long_term } = certificate;
    let LegalRepresentative { name: legal_name, certificate_type, certificate_number } = legal_representative;
    let SubjectResponsiblePerson(responsible_person) = responsible_person;
    json!({
        "icp_number": icp_number,
        "name": name,
        "nature": nature,
        "certificate": {
            "type": kind,
            "number": number.expose(),
            "address": address.expose(),
            "valid_from": valid_from,
            "valid_to": valid_to,
            "long_term": long_term,
        },
        "investor": investor,
        "legal_representative": {
            "name": legal_name,
            "certificate_type": certificate_type,
            "certificate_number": clear(certificate_number),
        },
        "responsible_person": person(responsible_person),
        "province_code": province_code,
        "city_code": city_code,
        "district_code": district_code,
        "correspondence_address": correspondence_address.expose(),
        "remark": remark,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filings::sample;

    #[test]
    fn the_bureau_gets_clear_text() {
        let value = website(&sample::content());
        let text = value.to_string();
        assert!(!text.contains('*'), "{text}");
        assert!(value["responsible_person"]["certificate_number"].is_string());
    }
}
