//! Puts the shipped rows into the database. Runs after the migrations at every start, and changes nothing that stands
//! there already: a newer shipped row has a newer `effective_from`, and an admin's row is never touched.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::data;
use super::model::{Catalogue, Terms, TermsKind};
use crate::schema::{bureaus, catalogue_rows, terms};

/// From when shipped rows count that name no date of their own: older than any filing of this system.
pub(super) const SHIPPED_FROM: NaiveDate = NaiveDate::from_ymd_opt(2020, 1, 1).expect("a date");

/// Where shipped rows come from that name no source of their own.
const SHIPPED_SOURCE: &str = "shipped with the program (docs: domain.md)";

/// Codes of the mainland's provinces with their names in English; the Chinese ones stand in the table of divisions.
const PROVINCES: [(&str, &str); 31] = [
    ("110000", "Beijing"),
    ("120000", "Tianjin"),
    ("130000", "Hebei"),
    ("140000", "Shanxi"),
    ("150000", "Inner Mongolia"),
    ("210000", "Liaoning"),
    ("220000", "Jilin"),
    ("230000", "Heilongjiang"),
    ("310000", "Shanghai"),
    ("320000", "Jiangsu"),
    ("330000", "Zhejiang"),
    ("340000", "Anhui"),
    ("350000", "Fujian"),
    ("360000", "Jiangxi"),
    ("370000", "Shandong"),
    ("410000", "Henan"),
    ("420000", "Hubei"),
    ("430000", "Hunan"),
    ("440000", "Guangdong"),
    ("450000", "Guangxi"),
    ("460000", "Hainan"),
    ("500000", "Chongqing"),
    ("510000", "Sichuan"),
    ("520000", "Guizhou"),
    ("530000", "Yunnan"),
    ("540000", "Tibet"),
    ("610000", "Shaanxi"),
    ("620000", "Gansu"),
    ("630000", "Qinghai"),
    ("640000", "Ningxia"),
    ("650000", "Xinjiang"),
];

struct Shipped {
    catalogue: Catalogue,
    key: String,
    effective_from: NaiveDate,
    source: String,
    data: Value,
}

/// Inserts every shipped row, text and bureau that is not there yet.
///
/// # Errors
/// When the database fails.
pub fn seed(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<()> {
    conn.transaction(|conn| {
        seed_rows(conn, now)?;
        seed_terms(conn, now)?;
        seed_bureaus(conn)
    })
}

fn shipped() -> QueryResult<Vec<Shipped>> {
    let mut all = Vec::new();
    let mut add = |catalogue, key: String, from: Option<NaiveDate>, source: &str, data: Result<Value, _>| {
        let data =
            data.map_err(|fault: serde_json::Error| diesel::result::Error::SerializationError(fault.into()))?;
        let effective_from = from.unwrap_or(SHIPPED_FROM);
        all.push(Shipped { catalogue, key, effective_from, source: source.to_owned(), data });
        QueryResult::Ok(())
    };
    for row in data::rejection_reasons() {
        add(Catalogue::RejectionReasons, row.code.clone(), None, SHIPPED_SOURCE, value(row))?;
    }
    for (name, entries) in data::dictionaries().all() {
        for row in entries {
            add(Catalogue::Dictionaries, format!("{name}/{}", row.code), None, SHIPPED_SOURCE, value(row))?;
        }
    }
    for row in data::carriers() {
        add(Catalogue::Carriers, row.code.clone(), None, "Kuaidi100 carrier codes", value(row))?;
    }
    for row in data::province_rules() {
        let from = Some(row.effective_from);
        add(Catalogue::ProvinceRules, row.province_code.clone(), from, &row.source, value(row))?;
    }
    let guide = data::photo_guide();
    for row in &guide.items {
        add(Catalogue::PhotoGuide, row.code.clone(), Some(guide.effective_from), &guide.source, value(row))?;
    }
    for row in data::backdrop_profiles() {
        add(Catalogue::BackdropProfiles, row.code.clone(), None, &row.source, value(&row.profile))?;
    }
    for row in data::review_checklists() {
        let key = format!("{}/{}", row.stage, row.code);
        add(Catalogue::ReviewChecklists, key, None, SHIPPED_SOURCE, value(row))?;
    }
    for row in data::banned_names() {
        let key = format!("{}/{}/{}", row.match_kind, row.applies_to, row.text);
        add(Catalogue::BannedNames, key, None, "public filing guides of cloud providers", value(row))?;
    }
    for row in data::calendar_years() {
        add(Catalogue::Calendar, row.year.to_string(), None, &row.source, value(row))?;
    }
    Ok(all)
}

fn value(row: &impl Serialize) -> Result<Value, serde_json::Error> {
    serde_json::to_value(row)
}

fn seed_rows(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<()> {
    let rows: Vec<_> = shipped()?
        .into_iter()
        .enumerate()
        .map(|(position, row)| {
            (
                catalogue_rows::catalogue.eq(row.catalogue),
                catalogue_rows::key.eq(row.key),
                catalogue_rows::effective_from.eq(row.effective_from),
                catalogue_rows::position.eq(position as i32),
                catalogue_rows::data.eq(row.data),
                catalogue_rows::source.eq(row.source),
                catalogue_rows::changed_at.eq(now),
            )
        })
        .collect();
    diesel::insert_into(catalogue_rows::table).values(rows).on_conflict_do_nothing().execute(conn)?;
    Ok(())
}

fn seed_terms(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<()> {
    for document in data::legal_documents() {
        let kind: TermsKind = document
            .kind
            .parse()
            .map_err(|fault: String| diesel::result::Error::SerializationError(fault.into()))?;
        let whole = |title: &str, body: &str| format!("{title}\n\n{body}");
        let texts =
            (whole(&document.title.zh, &document.body.zh), whole(&document.title.en, &document.body.en));
        let row =
            Terms::new(kind, document.version.clone(), texts, document.effective_at.with_timezone(&Utc), now);
        diesel::insert_into(terms::table).values(row).on_conflict_do_nothing().execute(conn)?;
    }
    Ok(())
}

fn seed_bureaus(conn: &mut PgConnection) -> QueryResult<()> {
    let regions = super::regions::Regions::get();
    let rows: Vec<_> = PROVINCES
        .iter()
        .map(|(code, name_en)| {
            let name_zh = regions.name(code).unwrap_or(code);
            (
                bureaus::code.eq(*code),
                bureaus::name_zh.eq(format!("{name_zh}通信管理局")),
                bureaus::name_en.eq(format!("{name_en} Communications Administration")),
            )
        })
        .collect();
    diesel::insert_into(bureaus::table).values(rows).on_conflict_do_nothing().execute(conn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_shipped_row_has_a_key_of_its_own() {
        let rows = shipped().expect("rows that serialise");
        let keys: HashSet<_> = rows.iter().map(|row| (row.catalogue, &row.key, row.effective_from)).collect();
        assert_eq!(keys.len(), rows.len());
        for catalogue in Catalogue::ALL {
            assert!(rows.iter().any(|row| row.catalogue == *catalogue), "{catalogue} is empty");
        }
        // The statement binds seven values a row and PostgreSQL takes 65535 at most.
        assert!(rows.len() * 7 < 60_000);
    }

    #[test]
    fn every_province_of_the_mainland_has_its_bureau() {
        let known: Vec<_> = super::super::regions::Regions::get()
            .provinces()
            .map(|region| region.code)
            .filter(|code| !matches!(&code[..2], "71" | "81" | "82"))
            .collect();
        assert_eq!(known, PROVINCES.map(|(code, _)| code));
    }
}
