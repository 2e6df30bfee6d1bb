//! What is filed: websites, their versions and their subject, as rows and as queries for other features.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::content::{JsonList, WebsiteContent};
use super::subject::Subject;
use crate::filings::Status;
use crate::kernel::ids::{AccountId, ContentId, FilingId, SubjectId, WebsiteId};
use crate::schema::{filings, subjects, website_contents, website_versions, websites};

/// How a website is reached (接入信息). Filed by the provider; a website change cannot alter it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebsiteAccess {
    /// Codes of the dictionary `access_method`.
    #[schema(min_items = 1, max_items = 5, example = json!(["cloud_server"]))]
    pub methods: Vec<String>,
    /// Provinces where the servers stand, by GB/T 2260 code.
    #[schema(min_items = 1, max_items = 40, example = json!(["110000"]))]
    pub server_locations: Vec<String>,
    /// Addresses or CIDR blocks.
    #[schema(max_items = 100, example = json!(["203.0.113.10"]))]
    pub ip_ranges: Vec<String>,
}

/// A filed website; its content stands in a row of its own.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = websites, check_for_backend(diesel::pg::Pg))]
pub struct WebsiteRow {
    /// Its id.
    pub id: WebsiteId,
    /// Account that owns it.
    pub account_id: AccountId,
    /// Who runs it.
    pub subject_id: SubjectId,
    /// ICP number, such as `京ICP备12345678号-1`.
    pub icp_number: String,
    /// Code of the dictionary `service_kind`; may grow.
    pub service_kind: String,
    /// How it is reached.
    pub access: JsonList<WebsiteAccess>,
    /// Number of the filed version in force, from 1.
    pub filed_version: i32,
    /// Content of that version.
    pub content_id: ContentId,
    /// When it came into this system.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// A filed version of a website.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = website_versions, check_for_backend(diesel::pg::Pg))]
pub struct VersionRow {
    /// The website.
    pub website_id: WebsiteId,
    /// From 1, without gaps.
    pub version_no: i32,
    /// Its content, frozen.
    pub content_id: ContentId,
    /// The filing that brought it; none for an import.
    pub filing_id: Option<FilingId>,
    /// Since when it is filed.
    pub effective_at: DateTime<Utc>,
}

/// A website with the content that is in force.
///
/// # Errors
/// `NotFound` when there is none.
pub fn filed(conn: &mut PgConnection, id: WebsiteId) -> QueryResult<(WebsiteRow, WebsiteContent)> {
    websites::table
        .inner_join(website_contents::table)
        .filter(websites::id.eq(id))
        .select((WebsiteRow::as_select(), WebsiteContent::as_select()))
        .first(conn)
}

/// Number of the filed version in force.
///
/// # Errors
/// `NotFound` when there is no such website.
pub fn filed_version(conn: &mut PgConnection, id: WebsiteId) -> QueryResult<i32> {
    websites::table.find(id).select(websites::filed_version).first(conn)
}

/// Number and content of the filed version in force.
///
/// # Errors
/// `NotFound` when there is no such website.
pub fn filed_content_id(conn: &mut PgConnection, id: WebsiteId) -> QueryResult<(i32, ContentId)> {
    websites::table.find(id).select((websites::filed_version, websites::content_id)).first(conn)
}

/// Makes a content the website's new filed version, if the expected one is still in force; false when it is not. The
/// content row is frozen from here on.
///
/// # Errors
/// When the database fails.
pub fn apply_filing(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    website: WebsiteId,
    content: ContentId,
    filing: FilingId,
    expected_version: i32,
) -> QueryResult<bool> {
    add_version(conn, now, website, content, Some(filing), expected_version)
}

/// As [`apply_filing`]; `filing` is none for an import.
pub(crate) fn add_version(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    website: WebsiteId,
    content: ContentId,
    filing: Option<FilingId>,
    expected_version: i32,
) -> QueryResult<bool> {
    let version_no = expected_version + 1;
    let rows =
        diesel::update(websites::table.find(website).filter(websites::filed_version.eq(expected_version)))
            .set((
                websites::filed_version.eq(version_no),
                websites::content_id.eq(content),
                websites::updated_at.eq(now),
            ))
            .execute(conn)?;
    if rows != 1 {
        return Ok(false);
    }
    let version = VersionRow {
        website_id: website,
        version_no,
        content_id: content,
        filing_id: filing,
        effective_at: now,
    };
    diesel::insert_into(website_versions::table).values(version).execute(conn)?;
    Ok(true)
}

/// A subject.
///
/// # Errors
/// `NotFound` when there is none.
pub fn subject(conn: &mut PgConnection, id: SubjectId) -> QueryResult<Subject> {
    subjects::table.filter(subjects::id.eq(id)).select(Subject::as_select()).first(conn)
}

/// A subject, locked until the transaction ends. The first lock of every change: subject, filing, children.
///
/// # Errors
/// `NotFound` when there is none.
pub fn lock_subject(conn: &mut PgConnection, id: SubjectId) -> QueryResult<Subject> {
    subjects::table.filter(subjects::id.eq(id)).select(Subject::as_select()).for_update().first(conn)
}

/// The live filing of each of these subjects; those without one are absent. The database allows one a subject.
///
/// # Errors
/// When the database fails.
pub fn live_filings(
    conn: &mut PgConnection,
    of: &[SubjectId],
) -> QueryResult<HashMap<SubjectId, (FilingId, WebsiteId)>> {
    let ended: Vec<Status> = Status::ALL.iter().copied().filter(|status| !status.is_live()).collect();
    let rows: Vec<(SubjectId, FilingId, WebsiteId)> = filings::table
        .filter(filings::subject_id.eq_any(of))
        .filter(filings::status.ne_all(ended))
        .select((filings::subject_id, filings::id, filings::website_id))
        .load(conn)?;
    Ok(rows.into_iter().map(|(subject, filing, website)| (subject, (filing, website))).collect())
}

/// Whether a mobile or an e-mail address is filed elsewhere: what two rules of `check` ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContactUse {
    /// The mobile is filed for a website or the person of another subject.
    pub mobile_used_by_other_subject: bool,
    /// The e-mail address is filed for another person.
    pub email_used_by_other: bool,
}

/// Looks a person's contacts up among everything that is filed now (drafts do not count).
///
/// # Errors
/// When the database fails or keys are missing.
pub fn contact_use(
    conn: &mut PgConnection,
    subject: SubjectId,
    content: &WebsiteContent,
) -> QueryResult<ContactUse> {
    let person = &content.responsible_person;
    let failed =
        |fault: crate::kernel::pii::PiiError| diesel::result::Error::SerializationError(fault.into());
    let mut found = ContactUse::default();
    if let Some(mobile) = &person.mobile {
        let hash = mobile.lookup_hash().map_err(failed)?;
        let of_subjects =
            subjects::table.filter(subjects::person_mobile_hash.eq(&hash)).filter(subjects::id.ne(subject));
        let of_websites = websites::table
            .inner_join(website_contents::table)
            .filter(website_contents::person_mobile_hash.eq(&hash))
            .filter(websites::subject_id.ne(subject));
        found.mobile_used_by_other_subject = diesel::select(diesel::dsl::exists(of_subjects))
            .get_result(conn)?
            || diesel::select(diesel::dsl::exists(of_websites)).get_result(conn)?;
    }
    if let Some(email) = &person.email {
        let hash = email.lookup_hash().map_err(failed)?;
        let people: Vec<WebsiteContent> = websites::table
            .inner_join(website_contents::table)
            .filter(website_contents::person_email_hash.eq(&hash))
            .select(WebsiteContent::as_select())
            .limit(50)
            .load(conn)?;
        let owners: Vec<Subject> = subjects::table
            .filter(subjects::person_email_hash.eq(&hash))
            .select(Subject::as_select())
            .limit(50)
            .load(conn)?;
        found.email_used_by_other =
            people.iter().any(|other| !other.responsible_person.is_same_person_as(person))
                || owners.iter().any(|other| !other.responsible_person.is_same_person_as(person));
    }
    Ok(found)
}
