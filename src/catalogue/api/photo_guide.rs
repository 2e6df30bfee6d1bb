//! The photo guide: how the picture before the backdrop must look.

use actix_web::{HttpResponse, get, http::header, put, web};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RowCode, new_row, put_row, text};
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::data::{self, PhotoGuideItem as Sentence, with_provider};
use crate::catalogue::model::{self, Catalogue, Row};
use crate::error::ApiResult;
use crate::kernel::clock::shanghai_date;
use crate::kernel::etag::{content_version, etag};
use crate::kernel::i18n::Locale;
use crate::kernel::json::{Json, Path};
use crate::kernel::reply::Reply;

/// How to take the photo.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotoGuide {
    /// Heading, in the language of the request.
    pub title: String,
    /// Heading in Chinese.
    pub title_zh: String,
    /// Heading in English.
    pub title_en: String,
    /// Address of a picture that shows how it should look; public.
    #[schema(example = "/v1/photo-guide/example.jpg")]
    pub example_image_url: String,
    /// Smallest width in pixels.
    #[schema(example = 600)]
    pub min_width: u32,
    /// Smallest height in pixels.
    #[schema(example = 800)]
    pub min_height: u32,
    /// Largest file in bytes.
    #[schema(example = 10485760)]
    pub max_bytes: u64,
    /// Media types.
    pub accepted_types: Vec<String>,
    /// Demands first, then tips, then limits.
    pub items: Vec<PhotoGuideItem>,
}

/// A sentence of the photo guide.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotoGuideItem {
    /// Stable code; the guide may grow.
    #[schema(example = "same_person")]
    pub code: String,
    /// What kind of sentence it is.
    pub kind: PhotoGuideItemKind,
    /// The sentence in the language of the request.
    pub text: String,
    /// The sentence in Chinese.
    pub text_zh: String,
    /// The sentence in English.
    pub text_en: String,
    /// First day on which this row counts.
    pub effective_from: NaiveDate,
    /// Where it was published.
    pub source: String,
}

crate::text_enum! {
    /// Kind of a sentence of the photo guide.
    pub enum PhotoGuideItemKind {
        /// Must be kept.
        Demand = "demand",
        /// Helps.
        Tip = "tip",
        /// A limit of the file.
        Limit = "limit",
    }
}

/// A sentence as it shall be from a day on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "kind": "demand", "text_zh": "拍照人与网站负责人必须为同一人。", "text_en": "The person in the photo must be the website's responsible person.",
    "effective_from": "2030-01-01", "source": "The provider's published photo rules"
}))]
pub struct PhotoGuideItemInput {
    /// What kind of sentence it is.
    pub kind: PhotoGuideItemKind,
    /// The sentence in Chinese; `{provider}` stands for the provider's name.
    #[schema(min_length = 1, max_length = 500)]
    pub text_zh: String,
    /// The sentence in English; `{provider}` stands for the provider's name.
    #[schema(min_length = 1, max_length = 500)]
    pub text_en: String,
    /// First day on which the row counts; today or later.
    pub effective_from: NaiveDate,
    /// Where it was published.
    #[schema(min_length = 1, max_length = 500)]
    pub source: String,
}

fn view(app: &App, row: Row<Sentence>, locale: Locale) -> PhotoGuideItem {
    let provider = &app.config.provider;
    let (zh, en) = (
        with_provider(&row.data.text.zh, &provider.name_zh),
        with_provider(&row.data.text.en, &provider.name_en),
    );
    PhotoGuideItem {
        code: row.data.code,
        // A stored kind is one of ours: the schema of the input allows no other.
        kind: row.data.kind.parse().unwrap_or(PhotoGuideItemKind::Demand),
        text: locale.pick(&zh, &en).to_owned(),
        text_zh: zh,
        text_en: en,
        effective_from: row.effective_from,
        source: row.source,
    }
}

/// Read the photo guide
///
/// Everybody who is signed in. Shown before the responsible person is photographed (status `photo_required`).
#[utoipa::path(operation_id = "getPhotoGuide", tag = "catalogue",
    responses((status = 200, description = "The guide.", body = PhotoGuide)))]
#[get("/v1/photo-guide")]
pub async fn get_photo_guide(app: web::Data<App>, caller: Allowed<op::GetPhotoGuide>) -> ApiResult<Reply> {
    let on = shanghai_date(app.clock.now());
    let rows = app.db.run(move |conn| Ok(model::rows(conn, Catalogue::PhotoGuide, "", on)?)).await?;
    let guide = data::photo_guide();
    let mut items: Vec<_> = rows.into_iter().map(|row| view(&app, row, caller.locale)).collect();
    // Stable: within a kind the order of the rows stays.
    items.sort_by_key(|item| item.kind);
    let body = PhotoGuide {
        title: guide.title.get(caller.locale.as_str()).to_owned(),
        title_zh: guide.title.zh.clone(),
        title_en: guide.title.en.clone(),
        example_image_url: "/v1/photo-guide/example.jpg".to_owned(),
        min_width: guide.min_width,
        min_height: guide.min_height,
        max_bytes: guide.max_bytes,
        accepted_types: guide.accepted_types.clone(),
        items,
    };
    Ok(Reply::ok(&body)?.etag(etag(content_version(&body)?, caller.view(), caller.locale)))
}

/// See the example picture
///
/// Public, so that an `<img>` can show it: the blue cloth with a name on it, a silhouette in the middle.
#[utoipa::path(operation_id = "getPhotoGuideExample", tag = "catalogue",
    responses((status = 200, description = "The picture.", content_type = "image/jpeg", body = PictureBytes)))]
#[get("/v1/photo-guide/example.jpg")]
pub async fn get_photo_guide_example() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("image/jpeg")
        .insert_header((header::CACHE_CONTROL, "public, max-age=86400"))
        .body(data::photo_guide_example())
}

/// Bytes of a picture; a plain binary string in the document.
pub struct PictureBytes;

impl utoipa::PartialSchema for PictureBytes {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for PictureBytes {}

/// Set a sentence of the guide from a day on
///
/// The admin. The row before counts until then.
#[utoipa::path(operation_id = "putPhotoGuideItem", tag = "catalogue",
    params(("code" = String, Path, description = "The code.", example = "same_person")),
    request_body = PhotoGuideItemInput,
    responses((status = 200, description = "The row as stored.", body = PhotoGuideItem)))]
#[put("/v1/photo-guide/items/{code}")]
pub async fn put_photo_guide_item(
    app: web::Data<App>,
    caller: Allowed<op::PutPhotoGuideItem>,
    code: Path<RowCode>,
    body: Json<PhotoGuideItemInput>,
) -> ApiResult<Reply> {
    let (now, caller, body) = (app.clock.now(), caller.caller.clone(), body.0);
    let sentence = Sentence {
        code: code.0.0.clone(),
        kind: body.kind.as_str().to_owned(),
        text: text(&body.text_zh, &body.text_en),
    };
    let row = new_row(code.0.0, body.effective_from, body.source, sentence);
    let shown = app.clone();
    app.db
        .transaction(move |conn| {
            put_row(conn, now, &caller, Catalogue::PhotoGuide, row.clone())?;
            Reply::ok(&view(&shown, row, caller.locale))
        })
        .await
}
