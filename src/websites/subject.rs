//! The subject (主体): the person or organisation that runs websites. A website change never alters it.

use std::ops::Deref;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::content::{ResponsiblePerson, is_same_person};
use crate::kernel::pii::{Address, CertificateNumber, Email, Phone, Sensitive};
use crate::schema::subjects;

/// Nature of a subject that is a natural person (dictionary `subject_nature`).
pub const INDIVIDUAL: &str = "individual";

/// A filed subject, as row and as reply. Personal data is masked in replies.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema, Queryable, Selectable, Insertable)]
#[diesel(table_name = subjects, check_for_backend(Pg))]
pub struct Subject {
    /// Id of the subject.
    pub id: Uuid,
    /// Account that owns it.
    pub account_id: Uuid,
    /// ICP number of the subject.
    #[schema(example = "京ICP备12345678号")]
    pub icp_number: String,
    /// Name of the person or organisation.
    #[schema(example = "北京云上花店有限公司")]
    pub name: String,
    /// Code of the dictionary `subject_nature`.
    #[schema(example = "enterprise")]
    pub nature: String,
    /// Certificate of the subject.
    #[diesel(embed)]
    pub certificate: SubjectCertificate,
    /// Investor or supervising body (投资者或上级主管单位).
    #[schema(required)]
    pub investor: Option<String>,
    /// Legal representative; every member is null for an individual.
    #[diesel(embed)]
    pub legal_representative: LegalRepresentative,
    /// The natural person answerable for the subject.
    #[diesel(embed)]
    #[schema(value_type = ResponsiblePerson)]
    pub responsible_person: SubjectResponsiblePerson,
    /// Province, GB/T 2260.
    #[schema(example = "110000")]
    pub province_code: String,
    /// City, GB/T 2260.
    #[schema(example = "110100")]
    pub city_code: String,
    /// District, GB/T 2260; null where the city has none.
    #[schema(required, example = "110105")]
    pub district_code: Option<String>,
    /// Postal address (通信地址); masked in replies.
    #[schema(value_type = String, example = "北京市朝阳区***")]
    pub correspondence_address: Sensitive<Address>,
    /// Remark.
    #[schema(required)]
    pub remark: Option<String>,
    /// Rises with every change.
    pub version: i32,
    /// When it came into this system.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// Certificate of a subject. The number is masked in replies.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema, Queryable, Selectable, Insertable)]
#[diesel(table_name = subjects, check_for_backend(Pg))]
pub struct SubjectCertificate {
    /// Code of the dictionary `organisation_certificate_type`, for an individual `person_certificate_type`.
    #[diesel(column_name = certificate_type)]
    #[serde(rename = "type")]
    #[schema(example = "business_licence")]
    pub kind: String,
    /// Number; masked in replies.
    #[diesel(column_name = certificate_number)]
    #[schema(value_type = String, example = "914***********26XG")]
    pub number: Sensitive<CertificateNumber>,
    /// Address on the certificate; masked in replies.
    #[diesel(column_name = certificate_address)]
    #[schema(value_type = String, example = "北京市朝阳区***")]
    pub address: Sensitive<Address>,
    /// First day of validity.
    #[diesel(column_name = certificate_valid_from)]
    #[schema(required)]
    pub valid_from: Option<NaiveDate>,
    /// Last day of validity; null when valid for ever.
    #[diesel(column_name = certificate_valid_to)]
    #[schema(required)]
    pub valid_to: Option<NaiveDate>,
    /// True when valid for ever (长期).
    #[diesel(column_name = certificate_long_term)]
    pub long_term: bool,
}

/// Legal representative (法定代表人) of an organisation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema, Queryable, Selectable, Insertable)]
#[diesel(table_name = subjects, check_for_backend(Pg))]
pub struct LegalRepresentative {
    /// Name.
    #[diesel(column_name = legal_representative_name)]
    #[schema(required, example = "李四")]
    pub name: Option<String>,
    /// Code of the dictionary `person_certificate_type`.
    #[diesel(column_name = legal_representative_certificate_type)]
    #[schema(required, example = "resident_identity_card")]
    pub certificate_type: Option<String>,
    /// Number; masked in replies.
    #[diesel(column_name = legal_representative_certificate_number)]
    #[schema(required, value_type = Option<String>, example = "440***********0012")]
    pub certificate_number: Option<Sensitive<CertificateNumber>>,
}

impl Subject {
    /// True when the subject is a natural person.
    pub fn is_individual(&self) -> bool {
        self.nature == INDIVIDUAL
    }

    /// True when the person is the legal representative or, for an individual, the subject itself: then no
    /// authorisation letter is needed.
    pub fn is_represented_by(&self, person: &ResponsiblePerson) -> bool {
        let identity =
            (person.name.as_deref(), person.certificate_type.as_deref(), person.certificate_number.as_ref());
        let own = if self.is_individual() {
            (Some(self.name.as_str()), Some(self.certificate.kind.as_str()), Some(&self.certificate.number))
        } else {
            let legal = &self.legal_representative;
            (legal.name.as_deref(), legal.certificate_type.as_deref(), legal.certificate_number.as_ref())
        };
        is_same_person(identity, own)
    }
}

/// The person of a subject: a [`ResponsiblePerson`] whose columns stand in another table and are mostly mandatory.
/// Filling them with null is a fault that the database reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SubjectResponsiblePerson(pub ResponsiblePerson);

impl Deref for SubjectResponsiblePerson {
    type Target = ResponsiblePerson;
    fn deref(&self) -> &ResponsiblePerson {
        &self.0
    }
}

/// The columns themselves; diesel wants their nullability to the letter.
#[derive(Queryable, Selectable)]
#[diesel(table_name = subjects, check_for_backend(Pg))]
pub struct PersonColumns {
    person_name: String,
    person_certificate_type: String,
    person_certificate_number: Sensitive<CertificateNumber>,
    person_certificate_valid_from: Option<NaiveDate>,
    person_certificate_valid_to: Option<NaiveDate>,
    person_certificate_long_term: bool,
    person_mobile: Sensitive<Phone>,
    person_emergency_phone: Sensitive<Phone>,
    person_office_phone: Option<Sensitive<Phone>>,
    person_email: Sensitive<Email>,
}

impl<ST> Queryable<ST, Pg> for SubjectResponsiblePerson
where
    PersonColumns: Queryable<ST, Pg>,
{
    type Row = <PersonColumns as Queryable<ST, Pg>>::Row;

    fn build(row: Self::Row) -> diesel::deserialize::Result<Self> {
        let row = PersonColumns::build(row)?;
        Ok(Self(ResponsiblePerson {
            name: Some(row.person_name),
            certificate_type: Some(row.person_certificate_type),
            certificate_number: Some(row.person_certificate_number),
            certificate_valid_from: row.person_certificate_valid_from,
            certificate_valid_to: row.person_certificate_valid_to,
            certificate_long_term: Some(row.person_certificate_long_term),
            mobile: Some(row.person_mobile),
            emergency_phone: Some(row.person_emergency_phone),
            office_phone: row.person_office_phone,
            email: Some(row.person_email),
        }))
    }
}

impl Selectable<Pg> for SubjectResponsiblePerson {
    type SelectExpression = <PersonColumns as Selectable<Pg>>::SelectExpression;

    fn construct_selection() -> Self::SelectExpression {
        <PersonColumns as Selectable<Pg>>::construct_selection()
    }
}

/// The columns for the insert; absent ones take the database's default, or are refused by it.
#[derive(Insertable)]
#[diesel(table_name = subjects)]
pub struct NewPersonColumns {
    person_name: Option<String>,
    person_certificate_type: Option<String>,
    person_certificate_number: Option<Sensitive<CertificateNumber>>,
    person_certificate_valid_from: Option<NaiveDate>,
    person_certificate_valid_to: Option<NaiveDate>,
    person_certificate_long_term: Option<bool>,
    person_mobile: Option<Sensitive<Phone>>,
    person_emergency_phone: Option<Sensitive<Phone>>,
    person_office_phone: Option<Sensitive<Phone>>,
    person_email: Option<Sensitive<Email>>,
}

impl Insertable<subjects::table> for SubjectResponsiblePerson {
    type Values = <NewPersonColumns as Insertable<subjects::table>>::Values;

    fn values(self) -> Self::Values {
        // Named one by one, so that a new field of the person asks here for its column.
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
        } = self.0;
        NewPersonColumns {
            person_name: name,
            person_certificate_type: certificate_type,
            person_certificate_number: certificate_number,
            person_certificate_valid_from: certificate_valid_from,
            person_certificate_valid_to: certificate_valid_to,
            person_certificate_long_term: certificate_long_term,
            person_mobile: mobile,
            person_emergency_phone: emergency_phone,
            person_office_phone: office_phone,
            person_email: email,
        }
        .values()
    }
}

impl Insertable<subjects::table> for &SubjectResponsiblePerson {
    type Values = <NewPersonColumns as Insertable<subjects::table>>::Values;

    fn values(self) -> Self::Values {
        self.clone().values()
    }
}
