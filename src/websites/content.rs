//! What a website says about itself: one struct for the row, the request and the reply.
//!
//! A new field costs a column, its lines here and a row in [`super::fields::FIELDS`]; tests find what was forgotten.

use std::ops::{Deref, DerefMut};

use chrono::NaiveDate;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Jsonb;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::pii::{self, CertificateNumber, Email, Phone, Sensitive};
use crate::schema::website_contents;

/// Content of a website, as filed, as edited in a draft, or as frozen in a revision. Drafts may be incomplete:
/// every value may be null, and `check` reports what is missing.
#[derive(
    Debug,
    Clone,
    Default,
    PartialEq,
    Serialize,
    Deserialize,
    ToSchema,
    Queryable,
    Selectable,
    Insertable,
    AsChangeset,
)]
#[diesel(table_name = website_contents, treat_none_as_null = true)]
#[serde(default, deny_unknown_fields)]
pub struct WebsiteContent {
    /// Name of the website: at least three Chinese characters.
    #[schema(required, max_length = 60, example = "云上花店")]
    pub name: Option<String>,
    /// Address of the home page; its host is one of the domains, or below one.
    #[schema(required, max_length = 255, example = "https://www.yunshanghuadian.com")]
    pub home_url: Option<String>,
    /// Domains of the website. A change may only remove some, never the last one.
    #[schema(required, value_type = Vec<WebsiteDomain>, max_items = 50)]
    pub domains: JsonList<WebsiteDomain>,
    /// What the website offers: one to five codes of the dictionary `service_content`.
    #[schema(required, value_type = Vec<String>, max_items = 5, example = json!(["online_shopping"]))]
    pub service_content: JsonList<String>,
    /// Languages of the website: codes of the dictionary `language`.
    #[schema(required, value_type = Vec<String>, max_items = 20, example = json!(["zh-Hans"]))]
    pub languages: JsonList<String>,
    /// Approvals that some contents need before filing: null as long as nobody answered, empty when there are none.
    #[schema(required, value_type = Option<Vec<PreApproval>>, max_items = 10)]
    pub pre_approvals: Option<JsonList<PreApproval>>,
    /// The natural person answerable for the website.
    #[diesel(embed)]
    #[schema(required)]
    pub responsible_person: ResponsiblePerson,
    /// True when the subject's responsible person also answers for the website.
    #[schema(required, example = false)]
    pub same_as_subject_responsible_person: Option<bool>,
    /// Remark for the reviewer and the bureau.
    #[schema(required, max_length = 500, example = "")]
    pub remark: Option<String>,
}

/// A natural person answerable for a website or a subject. Personal data is masked in replies.
#[derive(
    Debug,
    Clone,
    Default,
    PartialEq,
    Serialize,
    Deserialize,
    ToSchema,
    Queryable,
    Selectable,
    Insertable,
    AsChangeset,
)]
#[diesel(table_name = website_contents, treat_none_as_null = true)]
#[serde(default, deny_unknown_fields)]
pub struct ResponsiblePerson {
    /// Name as on the certificate.
    #[diesel(column_name = person_name)]
    #[schema(required, max_length = 50, example = "张三")]
    pub name: Option<String>,
    /// Code of the dictionary `person_certificate_type`.
    #[diesel(column_name = person_certificate_type)]
    #[schema(required, max_length = 50, example = "resident_identity_card")]
    pub certificate_type: Option<String>,
    /// Number of the certificate; masked in replies.
    #[diesel(column_name = person_certificate_number)]
    #[schema(required, value_type = Option<String>, max_length = 30, example = "110***********002X")]
    pub certificate_number: Option<Sensitive<CertificateNumber>>,
    /// First day of the certificate's validity.
    #[diesel(column_name = person_certificate_valid_from)]
    #[schema(required, example = "2016-05-01")]
    pub certificate_valid_from: Option<NaiveDate>,
    /// Last day of the certificate's validity; null when it is valid for ever.
    #[diesel(column_name = person_certificate_valid_to)]
    #[schema(required, example = "2036-05-01")]
    pub certificate_valid_to: Option<NaiveDate>,
    /// True when the certificate is valid for ever (长期).
    #[diesel(column_name = person_certificate_long_term)]
    #[schema(required, example = false)]
    pub certificate_long_term: Option<bool>,
    /// Mobile number in mainland China, 11 digits; masked in replies.
    #[diesel(column_name = person_mobile)]
    #[schema(required, value_type = Option<String>, max_length = 20, example = "138****8000")]
    pub mobile: Option<Sensitive<Phone>>,
    /// Another phone for emergencies; masked in replies.
    #[diesel(column_name = person_emergency_phone)]
    #[schema(required, value_type = Option<String>, max_length = 20, example = "139****9000")]
    pub emergency_phone: Option<Sensitive<Phone>>,
    /// Office phone, may stay empty; masked in replies.
    #[diesel(column_name = person_office_phone)]
    #[schema(required, value_type = Option<String>, max_length = 20, example = "010*****5678")]
    pub office_phone: Option<Sensitive<Phone>>,
    /// E-mail address; masked in replies.
    #[diesel(column_name = person_email)]
    #[schema(required, value_type = Option<String>, max_length = 100, example = "z***@example.com")]
    pub email: Option<Sensitive<Email>>,
}

/// A domain of a website. Requests need the name only: the rest is computed or kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebsiteDomain {
    /// The registered domain in its ASCII form, lower case, without scheme or path.
    #[schema(required, max_length = 253, example = "yunshanghuadian.com")]
    pub name: String,
    /// The same in Unicode; ignored in requests.
    #[serde(default)]
    #[schema(required, max_length = 253, example = "yunshanghuadian.com")]
    pub unicode_name: Option<String>,
    /// Day on which the registration ends, as filed; ignored in requests.
    #[serde(default)]
    #[schema(required, example = "2027-08-31")]
    pub expires_on: Option<NaiveDate>,
}

/// An approval by another authority that some contents need before filing (前置审批).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreApproval {
    /// Code of the dictionary `pre_approval_type`.
    #[serde(rename = "type")]
    #[schema(required, max_length = 50, example = "publishing")]
    pub kind: Option<String>,
    /// Number of the approval document.
    #[schema(required, max_length = 100, example = "新出网证（京）字001号")]
    pub approval_no: Option<String>,
    /// Last day of the approval's validity; null when the document names none.
    #[schema(required, example = "2028-12-31")]
    pub valid_to: Option<NaiveDate>,
}

impl ResponsiblePerson {
    /// True when name, certificate type and number are the same, however typed; false while one is missing.
    pub fn is_same_person_as(&self, other: &ResponsiblePerson) -> bool {
        is_same_person(
            (self.name.as_deref(), self.certificate_type.as_deref(), self.certificate_number.as_ref()),
            (other.name.as_deref(), other.certificate_type.as_deref(), other.certificate_number.as_ref()),
        )
    }

    /// Keyed hash of name, certificate type and number: a photo belongs to a person, not to a filing. None while
    /// one of the three is missing. 32 bytes.
    pub fn person_hash(&self) -> Option<Vec<u8>> {
        let number = self.certificate_number.as_ref()?.expose().trim().to_uppercase();
        let parts = [self.name.as_deref()?.trim(), self.certificate_type.as_deref()?, &number];
        Some(pii::keyed_hash("person", &parts))
    }
}

/// Name, certificate type and number of a person; any may be missing.
pub type Identity<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a Sensitive<CertificateNumber>>);

/// True when both identities are complete and name the same person.
pub fn is_same_person(one: Identity<'_>, other: Identity<'_>) -> bool {
    match (one, other) {
        (
            (Some(name), Some(kind), Some(number)),
            (Some(other_name), Some(other_kind), Some(other_number)),
        ) => name.trim() == other_name.trim() && kind == other_kind && number.is_same_as(other_number),
        _ => false,
    }
}

/// A list kept in one jsonb column. Behaves like the vector inside; holds no personal data, since the column is
/// not sealed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[serde(transparent)]
#[diesel(sql_type = Jsonb)]
pub struct JsonList<T>(pub Vec<T>);

impl<T> Default for JsonList<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for JsonList<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T> Deref for JsonList<T> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T> DerefMut for JsonList<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T: Serialize + std::fmt::Debug> ToSql<Jsonb, Pg> for JsonList<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let value = serde_json::to_value(&self.0)?;
        <serde_json::Value as ToSql<Jsonb, Pg>>::to_sql(&value, &mut out.reborrow())
    }
}

impl<T: DeserializeOwned> FromSql<Jsonb, Pg> for JsonList<T> {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        let value = <serde_json::Value as FromSql<Jsonb, Pg>>::from_sql(bytes)?;
        Ok(Self(serde_json::from_value(value)?))
    }
}
