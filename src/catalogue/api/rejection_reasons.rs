//! The reasons that a reviewer chooses from.

use actix_web::{get, put, web};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{InForce, RowCode, new_row, put_row, text};
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::data::RejectionReason as Reason;
use crate::catalogue::model::{self, Catalogue, Row};
use crate::error::ApiResult;
use crate::kernel::i18n::Locale;
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::reply::Reply;

/// A reason for a rejection.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectionReason {
    /// Stable code; the list may grow.
    #[schema(example = "SITE_NAME_INVALID")]
    pub code: String,
    /// `domain`, `site`, `person`, `material`, `photo` or `other`.
    #[schema(example = "site")]
    pub group: String,
    /// What an item with this code may point at: `field`, `material`, `photo`; the usual one first.
    pub target_kinds: Vec<String>,
    /// What is wrong, in the language of the request.
    pub title: String,
    /// What to do, in the language of the request.
    pub suggestion: String,
    /// The title in Chinese.
    pub title_zh: String,
    /// The title in English.
    pub title_en: String,
    /// The suggestion in Chinese.
    pub suggestion_zh: String,
    /// The suggestion in English.
    pub suggestion_en: String,
    /// A page with an example.
    pub example_url: Option<String>,
    /// First day on which this row counts.
    pub effective_from: NaiveDate,
    /// Where the rule was published.
    pub source: String,
}

/// Every reason, in the order of a reviewer's form; always one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectionReasonPage {
    /// The reasons.
    pub items: Vec<RejectionReason>,
    /// Always null: the list is whole.
    pub next_cursor: Option<String>,
    /// Always false.
    pub has_more: bool,
}

/// A reason as it shall be from a day on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "group": "site", "target_kinds": ["field"], "title_zh": "网站名称不符合命名规范", "title_en": "The website's name breaks the naming rules",
    "suggestion_zh": "请使用至少三个汉字、与网站内容相关的名称。", "suggestion_en": "Use at least three Chinese characters that fit the content.",
    "example_url": null, "effective_from": "2030-01-01", "source": "Provider's guide, edition 2030"
}))]
pub struct RejectionReasonInput {
    /// `domain`, `site`, `person`, `material`, `photo` or `other`.
    #[schema(pattern = "^(domain|site|person|material|photo|other)$")]
    pub group: String,
    /// What an item with this code may point at: `field`, `material`, `photo`; the usual one first.
    #[schema(min_items = 1, max_items = 3)]
    pub target_kinds: Vec<ReasonTarget>,
    /// What is wrong, in Chinese.
    #[schema(min_length = 1, max_length = 100)]
    pub title_zh: String,
    /// What is wrong, in English.
    #[schema(min_length = 1, max_length = 200)]
    pub title_en: String,
    /// What to do, in Chinese.
    #[schema(min_length = 1, max_length = 500)]
    pub suggestion_zh: String,
    /// What to do, in English.
    #[schema(min_length = 1, max_length = 1000)]
    pub suggestion_en: String,
    /// A page with an example.
    #[serde(default)]
    #[schema(max_length = 500, pattern = "^https?://")]
    pub example_url: Option<String>,
    /// First day on which the row counts; today or later.
    pub effective_from: NaiveDate,
    /// Where the rule was published.
    #[schema(min_length = 1, max_length = 500)]
    pub source: String,
}

crate::text_enum! {
    /// What an item of a rejection may point at.
    pub enum ReasonTarget {
        /// A field of the website.
        Field = "field",
        /// A material.
        Material = "material",
        /// The photo.
        Photo = "photo",
    }
}

fn view(row: Row<Reason>, locale: Locale) -> RejectionReason {
    let reason = row.data;
    RejectionReason {
        title: reason.title.get(locale.as_str()).to_owned(),
        suggestion: reason.suggestion.get(locale.as_str()).to_owned(),
        code: reason.code,
        group: reason.group,
        target_kinds: reason.target_kinds,
        title_zh: reason.title.zh,
        title_en: reason.title.en,
        suggestion_zh: reason.suggestion.zh,
        suggestion_en: reason.suggestion.en,
        example_url: reason.example_url,
        effective_from: row.effective_from,
        source: row.source,
    }
}

/// List the rejection reasons
///
/// Everybody who is signed in. The reasons in force, in the order of a reviewer's form.
#[utoipa::path(operation_id = "listRejectionReasons", tag = "catalogue", params(InForce),
    responses((status = 200, description = "Every reason.", body = RejectionReasonPage)))]
#[get("/v1/rejection-reasons")]
pub async fn list_rejection_reasons(
    app: web::Data<App>,
    caller: Allowed<op::ListRejectionReasons>,
    query: Query<InForce>,
) -> ApiResult<Reply> {
    let on = query.0.date(app.clock.now());
    let rows = app.db.run(move |conn| Ok(model::rows(conn, Catalogue::RejectionReasons, "", on)?)).await?;
    let items = rows.into_iter().map(|row| view(row, caller.locale)).collect();
    Reply::ok(&RejectionReasonPage { items, next_cursor: None, has_more: false })
}

/// Set a rejection reason from a day on
///
/// The admin. The row before counts until then; rejections already made keep their texts.
#[utoipa::path(operation_id = "putRejectionReason", tag = "catalogue",
    params(("code" = String, Path, description = "The code.", example = "SITE_NAME_INVALID")),
    request_body = RejectionReasonInput,
    responses((status = 200, description = "The row as stored.", body = RejectionReason)))]
#[put("/v1/rejection-reasons/{code}")]
pub async fn put_rejection_reason(
    app: web::Data<App>,
    caller: Allowed<op::PutRejectionReason>,
    code: Path<RowCode>,
    body: Json<RejectionReasonInput>,
) -> ApiResult<Reply> {
    let (now, caller, body) = (app.clock.now(), caller.caller.clone(), body.0);
    let reason = Reason {
        code: code.0.0.clone(),
        group: body.group,
        target_kinds: body.target_kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
        title: text(&body.title_zh, &body.title_en),
        suggestion: text(&body.suggestion_zh, &body.suggestion_en),
        example_url: body.example_url,
    };
    let row = new_row(code.0.0, body.effective_from, body.source, reason);
    app.db
        .transaction(move |conn| {
            put_row(conn, now, &caller, Catalogue::RejectionReasons, row.clone())?;
            Reply::ok(&view(row, caller.locale))
        })
        .await
}
