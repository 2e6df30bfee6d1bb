//! Dictionaries: the codes that forms offer, with labels and what rules need to know about them.

use actix_web::{HttpRequest, get, put, web};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{RowCode, new_row, put_row};
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::data::{self, Entry};
use crate::catalogue::model::{self, Catalogue, Row};
use crate::error::{ApiError, ApiResult};
use crate::kernel::clock::shanghai_date;
use crate::kernel::i18n::Locale;
use crate::kernel::json::{Json, Query, invalid_parameter};
use crate::kernel::reply::Reply;

/// Which dictionaries, and when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DictionaryQuery {
    /// Name of one dictionary; all when absent.
    #[serde(default)]
    #[param(example = "service_content", nullable = false)]
    name: Option<String>,
    /// The date on which the entries are in force, in Asia/Shanghai; today when absent.
    #[serde(default)]
    #[param(example = "2026-11-23", nullable = false)]
    on: Option<NaiveDate>,
}

/// What rules need to know about an entry; null where it says nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DictionaryAttributes {
    /// Service content: whether an individual may offer it.
    pub individual_allowed: Option<bool>,
    /// Certificate type: rule for the number, `resident_identity` or `unified_social_credit`.
    #[schema(max_length = 60)]
    pub number_format: Option<String>,
    /// Certificate type: fewest characters of the number.
    #[schema(maximum = 200)]
    pub min_length: Option<u32>,
    /// Certificate type: most characters of the number.
    #[schema(maximum = 200)]
    pub max_length: Option<u32>,
    /// Certificate type: regular expression of the number.
    #[schema(max_length = 200)]
    pub number_pattern: Option<String>,
    /// Certificate type of an organisation: natures that have it.
    #[schema(max_items = 30)]
    pub natures: Option<Vec<String>>,
    /// Nature: a natural person.
    pub is_individual: Option<bool>,
    /// Nature: a state body.
    pub is_state_body: Option<bool>,
    /// Material: what it belongs to.
    #[schema(max_length = 60)]
    pub target: Option<String>,
    /// Material: shows personal data.
    pub is_personal: Option<bool>,
    /// Material: media types.
    #[schema(max_items = 10)]
    pub accepted_types: Option<Vec<String>>,
    /// Material: largest file in bytes.
    #[schema(maximum = 104857600)]
    pub max_bytes: Option<u64>,
    /// Material: fewest files.
    #[schema(maximum = 100)]
    pub min_count: Option<u32>,
    /// Material: most files.
    #[schema(maximum = 100)]
    pub max_count: Option<u32>,
}

/// An entry of a dictionary.
#[derive(Debug, Serialize, ToSchema)]
pub struct DictionaryEntry {
    /// Stable code; dictionaries may grow.
    #[schema(example = "online_shopping")]
    pub code: String,
    /// Label in the language of the request.
    pub label: String,
    /// Label in Chinese.
    pub label_zh: String,
    /// Label in English.
    pub label_en: String,
    /// What rules need to know; null for most.
    pub attributes: Option<DictionaryAttributes>,
    /// First day on which this row counts.
    pub effective_from: NaiveDate,
    /// Where it was published.
    pub source: String,
}

/// A dictionary.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dictionary {
    /// Its name.
    #[schema(example = "service_content")]
    pub name: String,
    /// Its entries, in the order of forms.
    pub entries: Vec<DictionaryEntry>,
}

/// Dictionaries; always one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct DictionaryPage {
    /// The dictionaries.
    pub items: Vec<Dictionary>,
    /// Always null: the list is whole.
    pub next_cursor: Option<String>,
    /// Always false.
    pub has_more: bool,
}

/// An entry as it shall be from a day on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "label_zh": "网络购物", "label_en": "Online shopping", "attributes": { "individual_allowed": false },
    "effective_from": "2030-01-01", "source": "MIIT filing data dictionary"
}))]
pub struct DictionaryEntryInput {
    /// Label in Chinese.
    #[schema(min_length = 1, max_length = 100)]
    pub label_zh: String,
    /// Label in English.
    #[schema(min_length = 1, max_length = 200)]
    pub label_en: String,
    /// What rules need to know. Absent or null keeps what the entry has.
    #[serde(default)]
    pub attributes: Option<DictionaryAttributes>,
    /// First day on which the row counts; today or later.
    pub effective_from: NaiveDate,
    /// Where it was published.
    #[schema(min_length = 1, max_length = 500)]
    pub source: String,
}

fn view(row: Row<Entry>, locale: Locale) -> ApiResult<DictionaryEntry> {
    let entry = row.data;
    let attributes = (!entry.attributes.is_empty())
        .then(|| serde_json::from_value(entry.attributes.clone().into()).map_err(ApiError::internal))
        .transpose()?;
    Ok(DictionaryEntry {
        label: entry.label(locale.as_str()).to_owned(),
        code: entry.code,
        label_zh: entry.zh,
        label_en: entry.en,
        attributes,
        effective_from: row.effective_from,
        source: row.source,
    })
}

/// List dictionaries
///
/// Everybody who is signed in. Codes with labels, for forms: service contents, languages, certificate types, natures,
/// pre-approvals, access methods, materials and the words of the workflow.
#[utoipa::path(operation_id = "listDictionaries", tag = "catalogue", params(DictionaryQuery),
    responses((status = 200, description = "The dictionaries.", body = DictionaryPage)))]
#[get("/v1/dictionaries")]
pub async fn list_dictionaries(
    app: web::Data<App>,
    caller: Allowed<op::ListDictionaries>,
    query: Query<DictionaryQuery>,
) -> ApiResult<Reply> {
    let DictionaryQuery { name, on } = query.0;
    let on = on.unwrap_or_else(|| shanghai_date(app.clock.now()));
    if let Some(name) = &name
        && data::dictionaries().list(name).is_none()
    {
        return Err(invalid_parameter("name", "not_in_list", "there is no such dictionary"));
    }
    let prefix = name.map_or_else(String::new, |name| format!("{name}/"));
    let rows =
        app.db.run(move |conn| Ok(model::rows::<Entry>(conn, Catalogue::Dictionaries, &prefix, on)?)).await?;
    let mut items: Vec<Dictionary> = Vec::new();
    for row in rows {
        let name = row.key.split('/').next().unwrap_or_default().to_owned();
        let entry = view(row, caller.locale)?;
        // An entry that an admin added stands behind the last dictionary.
        match items.iter_mut().find(|known| known.name == name) {
            Some(known) => known.entries.push(entry),
            None => items.push(Dictionary { name, entries: vec![entry] }),
        }
    }
    Reply::ok(&DictionaryPage { items, next_cursor: None, has_more: false })
}

/// Set an entry of a dictionary from a day on
///
/// The admin. The row before counts until then. A dictionary itself cannot be added: code refers to each by name.
#[utoipa::path(operation_id = "putDictionaryEntry", tag = "catalogue",
    params(
        ("dictionary" = String, Path, description = "Name of the dictionary.", example = "service_content"),
        ("code" = String, Path, description = "The code.", example = "online_shopping"),
    ),
    request_body = DictionaryEntryInput,
    responses((status = 200, description = "The row as stored.", body = DictionaryEntry)))]
#[put("/v1/dictionaries/{dictionary}/{code}")]
pub async fn put_dictionary_entry(
    app: web::Data<App>,
    caller: Allowed<op::PutDictionaryEntry>,
    req: HttpRequest,
    body: Json<DictionaryEntryInput>,
) -> ApiResult<Reply> {
    let dictionary = req.match_info().get("dictionary").unwrap_or_default().to_owned();
    if data::dictionaries().list(&dictionary).is_none() {
        return Err(ApiError::not_found().detail(
            format!("没有名为 {dictionary} 的字典。"),
            format!("There is no dictionary {dictionary}."),
        ));
    }
    let code: RowCode = req
        .match_info()
        .get("code")
        .unwrap_or_default()
        .parse()
        .map_err(|_| invalid_parameter("code", "invalid_format", "cannot be read"))?;
    let (now, caller, body) = (app.clock.now(), caller.caller.clone(), body.0);
    let key = format!("{dictionary}/{}", code.0);
    app.db
        .transaction(move |conn| {
            let attributes = match body.attributes {
                Some(attributes) => known_attributes(&attributes)?,
                None => model::row::<Entry>(conn, Catalogue::Dictionaries, &key, body.effective_from)?
                    .map(|row| row.data.attributes)
                    .unwrap_or_default(),
            };
            let entry = Entry { code: code.0, zh: body.label_zh, en: body.label_en, attributes };
            let row = new_row(key, body.effective_from, body.source, entry);
            put_row(conn, now, &caller, Catalogue::Dictionaries, row.clone())?;
            Reply::ok(&view(row, caller.locale)?)
        })
        .await
}

/// Only what is said: the stored row does not list what it says nothing about.
fn known_attributes(
    attributes: &DictionaryAttributes,
) -> ApiResult<serde_json::Map<String, serde_json::Value>> {
    match serde_json::to_value(attributes).map_err(ApiError::internal)? {
        serde_json::Value::Object(map) => Ok(map.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        _ => Ok(serde_json::Map::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_attribute_is_part_of_the_reply() {
        for (name, entries) in data::dictionaries().all() {
            for entry in entries {
                serde_json::from_value::<DictionaryAttributes>(entry.attributes.clone().into())
                    .unwrap_or_else(|fault| panic!("{name}/{}: {fault}", entry.code));
            }
        }
    }
}
