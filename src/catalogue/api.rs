//! Addresses of the catalogue: everybody who is signed in reads, the admin writes row by row.

mod backdrop_profiles;
mod calendars;
mod carriers;
mod dictionaries;
mod photo_guide;
mod province_rules;
mod regions;
mod rejection_reasons;
mod terms;

pub use photo_guide::PictureBytes;

use crate::routes::Router;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::PgConnection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::IntoParams;

use super::data::Text;
use super::model::{self, Catalogue, Row};
use crate::audit::{self, Actor, Deed};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::kernel::clock::shanghai_date;

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl Router) {
    cfg.service(terms::get_current_terms)
        .service(terms::create_terms)
        .service(photo_guide::get_photo_guide)
        .service(photo_guide::get_photo_guide_example)
        .service(photo_guide::put_photo_guide_item)
        .service(backdrop_profiles::list_backdrop_profiles)
        .service(backdrop_profiles::put_backdrop_profile)
        .service(rejection_reasons::list_rejection_reasons)
        .service(rejection_reasons::put_rejection_reason)
        .service(carriers::list_carriers)
        .service(carriers::put_carrier)
        .service(regions::list_regions)
        .service(dictionaries::list_dictionaries)
        .service(dictionaries::put_dictionary_entry)
        .service(province_rules::list_province_rules)
        .service(province_rules::put_province_rule)
        .service(calendars::get_calendar_year)
        .service(calendars::put_calendar_year);
}

/// Which rows to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InForce {
    /// The date on which the rows are in force, in Asia/Shanghai; today when absent. A later date shows what is planned.
    #[serde(default)]
    #[param(example = "2026-11-23", nullable = false)]
    on: Option<NaiveDate>,
}

impl InForce {
    fn date(&self, now: DateTime<Utc>) -> NaiveDate {
        self.on.unwrap_or_else(|| shanghai_date(now))
    }
}

fn text(zh: &str, en: &str) -> Text {
    Text { zh: zh.to_owned(), en: en.to_owned() }
}

/// Stores an admin's row and leaves its trace. What was in force on past days stays as it was: a row may begin today at
/// the earliest.
fn put_row<T: Serialize>(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    catalogue: Catalogue,
    row: Row<T>,
) -> ApiResult<()> {
    let today = shanghai_date(now);
    if row.effective_from < today {
        return Err(ApiError::invalid_field(
            "/effective_from",
            "in_the_past",
            format!("不能早于今天（{today}）：过去的规则不能更改"),
            format!("must not be before today ({today}): what was in force stays as it was"),
        ));
    }
    store_row(conn, now, caller, catalogue, row)
}

fn store_row<T: Serialize>(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    catalogue: Catalogue,
    mut row: Row<T>,
) -> ApiResult<()> {
    let (position, previous) = model::before_put(conn, catalogue, &row.key, row.effective_from)?;
    row.position = position;
    model::put(conn, now, caller.user_id, catalogue, &row)?;
    let deed = Deed::new("catalogue.row_changed", "catalogue_row", None).details(json!({
        "catalogue": catalogue,
        "key": row.key,
        "effective_from": row.effective_from,
        "source": row.source,
        "previous": previous,
    }));
    Ok(audit::record(conn, now, &Actor::from(caller), deed)?)
}

/// A row of a key; its place in the list is found when it is stored.
fn new_row<T>(key: String, effective_from: NaiveDate, source: String, data: T) -> Row<T> {
    Row { key, effective_from, position: 0, source, data }
}

/// A code in a path: up to 60 ASCII letters, digits, `_` and `-`.
#[derive(Debug, Clone)]
pub struct RowCode(String);

impl std::str::FromStr for RowCode {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_code = (1..=60).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if is_code { Ok(Self(text.to_owned())) } else { Err("not a code") }
    }
}
