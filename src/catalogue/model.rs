//! Reading and writing catalogue rows. Readers name the local date (Asia/Shanghai) on which a row must be in force.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::data::{
    BannedName, CalendarYear, Carrier, ChecklistItem, Entry, Named, PhotoGuideItem, ProvinceRule,
    RejectionReason,
};
use crate::kernel::ids::{TermsId, UserId};
use crate::kernel::search;
use crate::kernel::working_days::Calendar;
use crate::photo_verifications::precheck::BackdropProfile;
use crate::schema::{catalogue_rows, terms};

/// Key of the backdrop that counts where a province has no row of its own.
pub const DEFAULT_BACKDROP: &str = "default";

crate::text_enum! {
    /// A list of rows that share a shape.
    pub enum Catalogue {
        /// Reasons for rejections; key: code.
        RejectionReasons = "rejection_reasons",
        /// Dictionaries; key: `<dictionary>/<code>`.
        Dictionaries = "dictionaries",
        /// Courier companies; key: code.
        Carriers = "carriers",
        /// Demands of provinces; key: province code.
        ProvinceRules = "province_rules",
        /// Sentences of the photo guide; key: code.
        PhotoGuide = "photo_guide",
        /// Points that reviewers tick off; key: `<stage>/<code>`.
        ReviewChecklists = "review_checklists",
        /// Words that a website's name may not have; key: `<match>/<applies_to>/<text>`.
        BannedNames = "banned_names",
        /// How the provider's backdrop looks; key: `default` or a province code.
        BackdropProfiles = "backdrop_profiles",
        /// Official calendars; key: year. The newest row of a year counts from the moment that it is loaded.
        Calendar = "calendar",
    }
}

/// A row with what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<T> {
    /// Key within its catalogue.
    pub key: String,
    /// First local date on which it counts.
    pub effective_from: NaiveDate,
    /// Place in the list.
    pub position: i32,
    /// Where the rule was published.
    pub source: String,
    /// The content.
    pub data: T,
}

type Columns = (String, NaiveDate, i32, String, Value);

impl<T: DeserializeOwned> Row<T> {
    fn read((key, effective_from, position, source, data): Columns) -> QueryResult<Self> {
        let data = serde_json::from_value(data)
            .map_err(|fault| diesel::result::Error::DeserializationError(fault.into()))?;
        Ok(Self { key, effective_from, position, source, data })
    }
}

const COLUMNS: (
    catalogue_rows::key,
    catalogue_rows::effective_from,
    catalogue_rows::position,
    catalogue_rows::source,
    catalogue_rows::data,
) = (
    catalogue_rows::key,
    catalogue_rows::effective_from,
    catalogue_rows::position,
    catalogue_rows::source,
    catalogue_rows::data,
);

/// The rows of a catalogue in force on a date, in the order of the list.
pub(super) fn rows<T: DeserializeOwned>(
    conn: &mut PgConnection,
    catalogue: Catalogue,
    prefix: &str,
    on: NaiveDate,
) -> QueryResult<Vec<Row<T>>> {
    let rows: Vec<Columns> = catalogue_rows::table
        .filter(catalogue_rows::catalogue.eq(catalogue))
        .filter(catalogue_rows::key.like(search::beginning(prefix)))
        .filter(catalogue_rows::effective_from.le(on))
        .distinct_on(catalogue_rows::key)
        .order_by((catalogue_rows::key, catalogue_rows::effective_from.desc()))
        .select(COLUMNS)
        .load(conn)?;
    let mut rows = rows.into_iter().map(Row::read).collect::<QueryResult<Vec<Row<T>>>>()?;
    rows.sort_by(|a, b| (a.position, &a.key).cmp(&(b.position, &b.key)));
    Ok(rows)
}

/// The row of a key in force on a date.
pub(super) fn row<T: DeserializeOwned>(
    conn: &mut PgConnection,
    catalogue: Catalogue,
    key: &str,
    on: NaiveDate,
) -> QueryResult<Option<Row<T>>> {
    catalogue_rows::table
        .filter(catalogue_rows::catalogue.eq(catalogue))
        .filter(catalogue_rows::key.eq(key))
        .filter(catalogue_rows::effective_from.le(on))
        .order_by(catalogue_rows::effective_from.desc())
        .select(COLUMNS)
        .first::<Columns>(conn)
        .optional()?
        .map(Row::read)
        .transpose()
}

/// What stands before an admin's change: the row's place in its list, and the content that the change replaces, if any.
pub(super) fn before_put(
    conn: &mut PgConnection,
    catalogue: Catalogue,
    key: &str,
    effective_from: NaiveDate,
) -> QueryResult<(i32, Option<Value>)> {
    let old = row::<Value>(conn, catalogue, key, effective_from)?;
    if let Some(old) = old {
        return Ok((old.position, Some(old.data)));
    }
    let last: Option<i32> = catalogue_rows::table
        .filter(catalogue_rows::catalogue.eq(catalogue))
        .select(diesel::dsl::max(catalogue_rows::position))
        .first(conn)?;
    Ok((last.unwrap_or(0) + 1, None))
}

/// Writes a row by an admin; one of the same key and date is replaced.
pub(super) fn put<T: Serialize>(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    by: UserId,
    catalogue: Catalogue,
    row: &Row<T>,
) -> QueryResult<()> {
    let data = serde_json::to_value(&row.data)
        .map_err(|fault| diesel::result::Error::SerializationError(fault.into()))?;
    diesel::insert_into(catalogue_rows::table)
        .values((
            catalogue_rows::catalogue.eq(catalogue),
            catalogue_rows::key.eq(&row.key),
            catalogue_rows::effective_from.eq(row.effective_from),
            catalogue_rows::position.eq(row.position),
            catalogue_rows::data.eq(&data),
            catalogue_rows::source.eq(&row.source),
            catalogue_rows::changed_by.eq(by),
            catalogue_rows::changed_at.eq(now),
        ))
        .on_conflict((catalogue_rows::catalogue, catalogue_rows::key, catalogue_rows::effective_from))
        .do_update()
        .set((
            catalogue_rows::data.eq(&data),
            catalogue_rows::source.eq(&row.source),
            catalogue_rows::changed_by.eq(by),
            catalogue_rows::changed_at.eq(now),
        ))
        .execute(conn)
        .map(drop)
}

fn data<T>(rows: Vec<Row<T>>) -> Vec<T> {
    rows.into_iter().map(|row| row.data).collect()
}

/// The rejection reason with a code, if there is one.
pub fn rejection_reason(
    conn: &mut PgConnection,
    code: &str,
    on: NaiveDate,
) -> QueryResult<Option<RejectionReason>> {
    Ok(row(conn, Catalogue::RejectionReasons, code, on)?.map(|row| row.data))
}

/// Every rejection reason, in the order in which a reviewer's form shows them.
pub fn rejection_reasons(conn: &mut PgConnection, on: NaiveDate) -> QueryResult<Vec<RejectionReason>> {
    rows(conn, Catalogue::RejectionReasons, "", on).map(data)
}

/// The data of the provinces' rules in force on a date, newest first, for statements that read one beside something else: they
/// choose the province. To be understood by [`read_province_rule`].
#[diesel::dsl::auto_type]
pub fn province_rule_data(on: NaiveDate) -> _ {
    let catalogue: Catalogue = Catalogue::ProvinceRules;
    catalogue_rows::table
        .filter(catalogue_rows::catalogue.eq(catalogue))
        .filter(catalogue_rows::effective_from.le(on))
        .order_by(catalogue_rows::effective_from.desc())
        .select(catalogue_rows::data)
}

/// Understands the data of a province's rule; a province without one asks for nothing beyond the default.
///
/// # Errors
/// When the data are not those of a rule.
pub fn read_province_rule(province: &str, data: Option<Value>) -> QueryResult<ProvinceRule> {
    match data {
        Some(data) => serde_json::from_value(data)
            .map_err(|fault| diesel::result::Error::DeserializationError(fault.into())),
        None => Ok(ProvinceRule {
            province_code: province.to_owned(),
            effective_from: super::seed::SHIPPED_FROM,
            sms_verification: false,
            sms_subject_phone: false,
            recheck_all: false,
            proofs: Vec::new(),
            source: "default".to_owned(),
        }),
    }
}

/// What a province asks for.
pub fn province_rule(conn: &mut PgConnection, province: &str, on: NaiveDate) -> QueryResult<ProvinceRule> {
    let data = province_rule_data(on).filter(catalogue_rows::key.eq(province)).first(conn).optional()?;
    read_province_rule(province, data)
}

/// The rows of provinces that ask for something.
pub fn province_rules(conn: &mut PgConnection, on: NaiveDate) -> QueryResult<Vec<ProvinceRule>> {
    rows(conn, Catalogue::ProvinceRules, "", on).map(data)
}

/// What a reviewer ticks off at a stage (`initial_review`, `photo_review`), in order.
pub fn checklist(conn: &mut PgConnection, stage: &str, on: NaiveDate) -> QueryResult<Vec<ChecklistItem>> {
    rows(conn, Catalogue::ReviewChecklists, &format!("{stage}/"), on).map(data)
}

/// The entries of a dictionary; empty when there is no such dictionary.
pub fn dictionary(conn: &mut PgConnection, name: &str, on: NaiveDate) -> QueryResult<Vec<Entry>> {
    rows(conn, Catalogue::Dictionaries, &format!("{name}/"), on).map(data)
}

/// Every dictionary with its entries in force.
pub fn dictionaries(conn: &mut PgConnection, on: NaiveDate) -> QueryResult<Named> {
    let mut lists: Vec<(String, Vec<Entry>)> = Vec::new();
    for row in rows::<Entry>(conn, Catalogue::Dictionaries, "", on)? {
        let name = row.key.split('/').next().unwrap_or_default();
        // An entry that an admin added stands behind the last dictionary.
        match lists.iter_mut().find(|(known, _)| known == name) {
            Some((_, entries)) => entries.push(row.data),
            None => lists.push((name.to_owned(), vec![row.data])),
        }
    }
    Ok(Named::new(lists))
}

/// An entry of a dictionary.
pub fn dictionary_entry(
    conn: &mut PgConnection,
    name: &str,
    code: &str,
    on: NaiveDate,
) -> QueryResult<Option<Entry>> {
    Ok(row(conn, Catalogue::Dictionaries, &format!("{name}/{code}"), on)?.map(|row| row.data))
}

/// Courier companies.
pub fn carriers(conn: &mut PgConnection, on: NaiveDate) -> QueryResult<Vec<Carrier>> {
    rows(conn, Catalogue::Carriers, "", on).map(data)
}

/// The courier company with a code.
pub fn carrier(conn: &mut PgConnection, code: &str, on: NaiveDate) -> QueryResult<Option<Carrier>> {
    Ok(row(conn, Catalogue::Carriers, code, on)?.map(|row| row.data))
}

/// Words and prefixes that a website's name may not have.
pub fn banned_names(conn: &mut PgConnection, on: NaiveDate) -> QueryResult<Vec<BannedName>> {
    rows(conn, Catalogue::BannedNames, "", on).map(data)
}

/// The sentences of the photo guide, in order.
pub fn photo_guide_items(conn: &mut PgConnection, on: NaiveDate) -> QueryResult<Vec<PhotoGuideItem>> {
    rows(conn, Catalogue::PhotoGuide, "", on).map(data)
}

/// How the backdrop looks that a province's applicants get: the province's row, or the general one.
///
/// # Errors
/// `NotFound` when there is no general row, which a seeded database never shows.
pub fn backdrop_profile(
    conn: &mut PgConnection,
    province: &str,
    on: NaiveDate,
) -> QueryResult<BackdropProfile> {
    for key in [province, DEFAULT_BACKDROP] {
        if let Some(row) = row(conn, Catalogue::BackdropProfiles, key, on)? {
            return Ok(row.data);
        }
    }
    Err(diesel::result::Error::NotFound)
}

/// The official calendar of a year as loaded last.
pub(super) fn calendar_year(conn: &mut PgConnection, year: i32) -> QueryResult<Option<Row<CalendarYear>>> {
    row(conn, Catalogue::Calendar, &year.to_string(), NaiveDate::MAX)
}

/// The working-day calendar of every loaded year.
pub fn calendar(conn: &mut PgConnection) -> QueryResult<Calendar> {
    let days = |list: Vec<super::data::CalendarDay>| list.into_iter().map(|day| day.on).collect();
    let years = rows::<CalendarYear>(conn, Catalogue::Calendar, "", NaiveDate::MAX)?;
    Ok(Calendar::new(
        years
            .into_iter()
            .map(|row| (row.data.year, days(row.data.days_off), days(row.data.working_weekend_days))),
    ))
}

crate::text_enum! {
    /// A legal text that is accepted with its version.
    pub enum TermsKind {
        /// 服务条款
        ServiceTerms = "service_terms",
        /// 个人信息处理单独同意
        PersonalInformationConsent = "personal_information_consent",
    }
}

/// A version of a legal text. Never changed once it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = terms, check_for_backend(diesel::pg::Pg))]
pub struct Terms {
    /// Its id.
    pub id: TermsId,
    /// Which text.
    pub kind: TermsKind,
    /// What people accept, for example `2026-01`.
    pub version: String,
    /// Chinese text: the heading, an empty line, the body.
    pub text_zh: String,
    /// English text.
    pub text_en: String,
    /// Lower-case hex of SHA-256 over the Chinese text, one line feed and the English text in UTF-8.
    pub sha256: String,
    /// From when it counts.
    pub effective_at: DateTime<Utc>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

impl Terms {
    /// A new version with its hash.
    pub fn new(
        kind: TermsKind,
        version: String,
        (text_zh, text_en): (String, String),
        effective_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Self {
        use sha2::{Digest, Sha256};
        let sha256 = hex::encode(Sha256::digest(format!("{text_zh}\n{text_en}")));
        Self { id: TermsId::new(), kind, version, text_zh, text_en, sha256, effective_at, created_at: now }
    }
}

/// The version of a legal text that counts now.
///
/// # Errors
/// `NotFound` when none counts yet, which a seeded database never shows.
pub fn current_terms(conn: &mut PgConnection, kind: TermsKind, now: DateTime<Utc>) -> QueryResult<Terms> {
    terms::table
        .filter(terms::kind.eq(kind))
        .filter(terms::effective_at.le(now))
        .order_by((terms::effective_at.desc(), terms::created_at.desc(), terms::id.desc()))
        .select(Terms::as_select())
        .first(conn)
}
