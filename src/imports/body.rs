//! What an import sends and gets.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::ids::{AccountId, SubjectId, WebsiteId};
use crate::kernel::pii::{Address, CertificateNumber, Sensitive};
use crate::websites::WebsiteAccess;
use crate::websites::content::{ResponsiblePerson, WebsiteContent};

/// Filed data to take over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = example)]
pub struct ImportRequest {
    /// One row per subject.
    #[schema(min_items = 1, max_items = 500)]
    pub rows: Vec<ImportRow>,
}

/// A subject with its websites.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRow {
    /// The account that owns them; or say it in `account`. One of the two is needed.
    #[serde(default)]
    pub account_id: Option<AccountId>,
    /// A new account for them, or the partner's own one with this `external_reference`. An account has one subject.
    #[serde(default)]
    pub account: Option<ImportAccount>,
    /// The subject as filed.
    pub subject: ImportSubject,
    /// Its websites as filed.
    #[schema(max_items = 50)]
    pub websites: Vec<ImportWebsite>,
}

/// An account to be made, or found again by the partner's own key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportAccount {
    /// Name of the customer. An account that is found again keeps the name that it has: `PATCH /v1/accounts/{id}` changes it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// The partner's own key, unique for the partner; only partners have one. When the partner has an account with it, that
    /// account is meant and none is made, so the same import can be sent again.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub external_reference: Option<String>,
}

/// A subject as filed. Personal data in clear.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportSubject {
    /// ICP number of the subject, `京ICP备12345678号`.
    #[schema(min_length = 1, max_length = 40)]
    pub icp_number: String,
    /// Name of the person or organisation.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Code of the dictionary `subject_nature`.
    #[schema(min_length = 1, max_length = 50)]
    pub nature: String,
    /// Certificate of the subject.
    pub certificate: ImportCertificate,
    /// Investor or supervising body.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub investor: Option<String>,
    /// Legal representative of an organisation.
    #[serde(default)]
    pub legal_representative: Option<ImportLegalRepresentative>,
    /// The natural person answerable for the subject.
    pub responsible_person: ResponsiblePerson,
    /// Province, GB/T 2260.
    #[schema(min_length = 6, max_length = 6)]
    pub province_code: String,
    /// City, GB/T 2260.
    #[schema(min_length = 6, max_length = 6)]
    pub city_code: String,
    /// District, GB/T 2260; null where the city has none.
    #[serde(default)]
    #[schema(min_length = 6, max_length = 6)]
    pub district_code: Option<String>,
    /// Postal address.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub correspondence_address: Sensitive<Address>,
    /// Remark.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub remark: Option<String>,
}

/// Certificate of a subject.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportCertificate {
    /// Code of the dictionary `organisation_certificate_type`, for an individual `person_certificate_type`.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 50)]
    pub kind: String,
    /// Number.
    #[schema(value_type = String, min_length = 1, max_length = 30)]
    pub number: Sensitive<CertificateNumber>,
    /// Address on the certificate.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub address: Sensitive<Address>,
    /// First day of validity.
    #[serde(default)]
    pub valid_from: Option<NaiveDate>,
    /// Last day of validity; null when valid for ever.
    #[serde(default)]
    pub valid_to: Option<NaiveDate>,
    /// True when valid for ever (长期).
    #[serde(default)]
    pub long_term: bool,
}

/// Legal representative of an organisation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportLegalRepresentative {
    /// Name.
    #[schema(min_length = 1, max_length = 50)]
    pub name: String,
    /// Code of the dictionary `person_certificate_type`.
    #[schema(min_length = 1, max_length = 50)]
    pub certificate_type: String,
    /// Number.
    #[schema(value_type = String, min_length = 1, max_length = 30)]
    pub certificate_number: Sensitive<CertificateNumber>,
}

/// A website as filed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportWebsite {
    /// ICP number of the website: the subject's and `-1`.
    #[schema(min_length = 1, max_length = 50)]
    pub icp_number: String,
    /// Code of the dictionary `service_kind`.
    #[schema(min_length = 1, max_length = 50)]
    pub service_kind: String,
    /// How it is reached.
    #[schema(max_items = 20)]
    pub access: Vec<WebsiteAccess>,
    /// What is filed; personal data in clear.
    pub content: WebsiteContent,
}

/// What an import did.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ImportResult {
    /// Accounts made.
    pub accounts_created: u32,
    /// Subjects that are new here.
    pub subjects_created: u32,
    /// Subjects whose data changed.
    pub subjects_updated: u32,
    /// Subjects that were filed like this already.
    pub subjects_unchanged: u32,
    /// Websites that are new here.
    pub websites_created: u32,
    /// Websites that got a new filed version.
    pub websites_updated: u32,
    /// Websites that were filed like this already.
    pub websites_unchanged: u32,
    /// Ids, in the order of the request.
    pub rows: Vec<ImportedRow>,
}

/// What became of a row.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedRow {
    /// The account that owns it.
    pub account_id: AccountId,
    /// The subject.
    pub subject_id: SubjectId,
    /// Its websites, in the order of the request.
    pub websites: Vec<ImportedWebsite>,
}

/// What became of a website.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedWebsite {
    /// Its ICP number.
    #[schema(example = "京ICP备12345678号-1")]
    pub icp_number: String,
    /// Its id.
    pub website_id: WebsiteId,
    /// Number of the filed version in force now.
    #[schema(example = 1)]
    pub filed_version: i32,
    /// What happened.
    pub outcome: ImportOutcome,
}

crate::text_enum! {
    /// What an import did to a website.
    pub enum ImportOutcome {
        /// It is new here.
        Created = "created",
        /// It got a new filed version.
        Updated = "updated",
        /// It was filed like this already.
        Unchanged = "unchanged",
    }
}

/// A request that works as it stands, once.
pub(super) fn example() -> serde_json::Value {
    let person = |name: &str, number: &str, mobile: &str, emergency: &str, email: &str| {
        serde_json::json!({
            "name": name, "certificate_type": "resident_identity_card", "certificate_number": number,
            "certificate_valid_from": "2016-05-01", "certificate_valid_to": "2036-05-01",
            "certificate_long_term": false, "mobile": mobile, "emergency_phone": emergency,
            "office_phone": null, "email": email
        })
    };
    serde_json::json!({ "rows": [{
        "account": { "name": "上海示例书店有限公司" },
        "subject": {
            "icp_number": "沪ICP备87654321号", "name": "上海示例书店有限公司", "nature": "enterprise",
            "certificate": { "type": "business_licence", "number": "9144030071526726XG",
                "address": "上海市黄浦区示例路1号", "valid_from": "2015-01-01", "valid_to": null, "long_term": true },
            "investor": null,
            "legal_representative": { "name": "王五", "certificate_type": "resident_identity_card",
                "certificate_number": "440301199001010012" },
            "responsible_person": person("王五", "440301199001010012", "13600136001", "13500135001", "wangwu@example.com"),
            "province_code": "310000", "city_code": "310100", "district_code": "310101",
            "correspondence_address": "上海市黄浦区示例路1号", "remark": null
        },
        "websites": [{
            "icp_number": "沪ICP备87654321号-1", "service_kind": "website",
            "access": [{ "methods": ["cloud_server"], "server_locations": ["310000"], "ip_ranges": ["203.0.113.10"] }],
            "content": {
                "name": "示例书店在线", "home_url": "https://www.shilishudian.com",
                "domains": [{ "name": "shilishudian.com", "unicode_name": null, "expires_on": "2028-08-31" }],
                "service_content": ["online_shopping"], "languages": ["zh-Hans"], "pre_approvals": [],
                "responsible_person": person("赵六", "11010519491231002X", "13600136002", "13500135002", "zhaoliu@example.com"),
                "same_as_subject_responsible_person": false, "remark": null
            }
        }]
    }] })
}
