//! The form of a kind of filing: what a page shows and asks, so that no client hard-codes it.

use crate::routes::Router;
use actix_web::{get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::FilingKind;
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::data;
use crate::error::{ApiError, ApiResult};
use crate::kernel::etag::{content_version, etag};
use crate::kernel::i18n::Locale;
use crate::kernel::json::Path;
use crate::kernel::reply::Reply;
use crate::websites::fields::{FIELDS, Field, SECTIONS};

/// Adds this part's routes.
pub fn routes(cfg: &mut impl Router) {
    cfg.service(get_filing_kind);
}

/// The form of a kind of filing.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilingForm {
    /// Code of the dictionary `filing_kind`.
    #[schema(example = "website_change")]
    pub kind: String,
    /// Its label.
    #[schema(example = "变更网站信息")]
    pub label: String,
    /// The sections, in the order of the form.
    pub sections: Vec<FormSection>,
}

/// A section of a form.
#[derive(Debug, Serialize, ToSchema)]
pub struct FormSection {
    /// Stable code.
    #[schema(example = "responsible_person")]
    pub code: String,
    /// Heading.
    #[schema(example = "网站负责人")]
    pub label: String,
    /// Its fields, in the order of the form.
    pub fields: Vec<FormField>,
}

/// A field of a form.
#[derive(Debug, Serialize, ToSchema)]
pub struct FormField {
    /// JSON pointer into the filing.
    #[schema(example = "/website/name")]
    pub pointer: String,
    /// Label.
    #[schema(example = "网站名称")]
    pub label: String,
    /// Whether `submit` needs it. A draft may leave it empty.
    pub required: bool,
    /// Whether this kind of filing may change it.
    pub editable: bool,
    /// Characters of a text, items of a list; null for dates and yes/no.
    #[schema(example = 60)]
    pub max_length: Option<u32>,
    /// Dictionary whose codes are allowed (`GET /v1/dictionaries?name=…`).
    #[schema(example = "service_content")]
    pub dictionary: Option<String>,
    /// What to enter.
    pub hint: String,
    /// Whether replies mask it; `POST /v1/filings/{id}/reveal` shows it in clear.
    pub is_masked: bool,
}

fn field(kind: &FilingKind, field: &Field, locale: Locale) -> FormField {
    FormField {
        pointer: field.pointer.to_owned(),
        label: locale.pick(field.label_zh, field.label_en).to_owned(),
        required: field.mandatory,
        editable: kind.editable_sections.contains(&field.section),
        max_length: field.max_length.and_then(|max| u32::try_from(max).ok()),
        dictionary: field.dictionary.map(str::to_owned),
        hint: locale.pick(field.hint_zh, field.hint_en).to_owned(),
        is_masked: field.is_sensitive,
    }
}

fn form(kind: &FilingKind, locale: Locale) -> FilingForm {
    let sections = SECTIONS.iter().map(|(code, zh, en)| FormSection {
        code: (*code).to_owned(),
        label: locale.pick(zh, en).to_owned(),
        fields: FIELDS
            .iter()
            .filter(|one| one.section == *code)
            .map(|one| field(kind, one, locale))
            .collect(),
    });
    FilingForm {
        kind: kind.code.to_owned(),
        label: data::label("filing_kind", kind.code, locale.as_str()).to_owned(),
        sections: sections.collect(),
    }
}

/// Read the form of a kind of filing
///
/// Everybody who is signed in. Sections and fields in the order of the page; labels and hints in the language of the
/// request.
#[utoipa::path(operation_id = "getFilingKind", tag = "filings",
    params(("kind" = String, Path, description = "Code of the kind.", example = "website_change")),
    responses((status = 200, description = "The form.", body = FilingForm)))]
#[get("/v1/filing-kinds/{kind}")]
pub async fn get_filing_kind(
    _app: web::Data<App>,
    caller: Allowed<op::GetFilingKind>,
    kind: Path<String>,
) -> ApiResult<Reply> {
    let kind = super::find(&kind.0).ok_or_else(ApiError::not_found)?;
    let body = form(kind, caller.locale);
    Ok(Reply::ok(&body)?.etag(etag(content_version(&body)?, caller.view(), caller.locale)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_website_change_offers_every_field_once() {
        let form = form(&crate::filings::kinds::website_change::KIND, Locale::ZhCn);
        let fields: Vec<_> = form.sections.iter().flat_map(|section| &section.fields).collect();
        assert_eq!(fields.len(), FIELDS.len());
        assert!(fields.iter().all(|field| field.editable));
        for name in fields.iter().filter_map(|field| field.dictionary.as_deref()) {
            assert!(data::dictionaries().list(name).is_some(), "no dictionary {name}");
        }
        assert_eq!(form.label, "变更网站信息");
    }
}
