//! How the provider's cloth looks to a camera: what the photo check compares with. A general row, and one for each province
//! that gets another cloth.

use actix_web::{get, put, web};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{InForce, RowCode, new_row, put_row};
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::model::{self, Catalogue, DEFAULT_BACKDROP, Row};
use crate::catalogue::regions::Regions;
use crate::error::{ApiError, ApiResult};
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::reply::Reply;
use crate::photo_verifications::precheck::BackdropProfile as Profile;

/// The cloth that applicants of a province are sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackdropProfile {
    /// GB/T 2260 code of the province; `default` where a province has no row of its own.
    #[schema(example = "default")]
    pub code: String,
    /// How it looks.
    pub profile: Profile,
    /// First day on which this row counts.
    pub effective_from: NaiveDate,
    /// Where the numbers come from.
    pub source: String,
}

/// The rows in force; always one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackdropProfilePage {
    /// The profiles, by code.
    pub items: Vec<BackdropProfile>,
    /// Always null: the list is whole.
    pub next_cursor: Option<String>,
    /// Always false.
    pub has_more: bool,
}

/// How a cloth shall look from a day on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "profile": {
        "hue_from": 195.0, "hue_to": 255.0, "saturation_from": 0.3, "value_from": 0.12, "value_to": 1.0,
        "minimal_share": 0.55, "minimal_evenness": 0.7, "left_edge": true, "right_edge": true, "top_edge": true,
        "maximal_gap": 0.06, "text": null
    },
    "effective_from": "2030-01-01", "source": "Measured from 20 photos of the new cloth"
}))]
pub struct BackdropProfileInput {
    /// How it looks.
    pub profile: Profile,
    /// First day on which the row counts; today or later.
    pub effective_from: NaiveDate,
    /// Where the numbers come from.
    #[schema(min_length = 1, max_length = 500)]
    pub source: String,
}

impl From<Row<Profile>> for BackdropProfile {
    fn from(row: Row<Profile>) -> Self {
        Self { code: row.key, profile: row.data, effective_from: row.effective_from, source: row.source }
    }
}

/// List how the provider's backdrops look
///
/// Everybody who is signed in. The photo check compares with the row of the subject's province, or with `default`.
#[utoipa::path(operation_id = "listBackdropProfiles", tag = "catalogue", params(InForce),
    responses((status = 200, description = "Every row in force.", body = BackdropProfilePage)))]
#[get("/v1/backdrop-profiles")]
pub async fn list_backdrop_profiles(
    app: web::Data<App>,
    _caller: Allowed<op::ListBackdropProfiles>,
    query: Query<InForce>,
) -> ApiResult<Reply> {
    let on = query.0.date(app.clock.now());
    let mut rows: Vec<Row<Profile>> =
        app.db.run(move |conn| Ok(model::rows(conn, Catalogue::BackdropProfiles, "", on)?)).await?;
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    let items = rows.into_iter().map(BackdropProfile::from).collect();
    Reply::ok(&BackdropProfilePage { items, next_cursor: None, has_more: false })
}

/// Set how a backdrop looks from a day on
///
/// The admin. The row before counts until then; photos that were checked keep their findings.
#[utoipa::path(operation_id = "putBackdropProfile", tag = "catalogue",
    params(("code" = String, Path, description = "GB/T 2260 code of the province, or `default`.", example = "default")),
    request_body = BackdropProfileInput,
    responses((status = 200, description = "The row as stored.", body = BackdropProfile)))]
#[put("/v1/backdrop-profiles/{code}")]
pub async fn put_backdrop_profile(
    app: web::Data<App>,
    caller: Allowed<op::PutBackdropProfile>,
    code: Path<RowCode>,
    body: Json<BackdropProfileInput>,
) -> ApiResult<Reply> {
    let (now, caller, body) = (app.clock.now(), caller.caller.clone(), body.0);
    let code = code.0.0;
    if code != DEFAULT_BACKDROP && !Regions::get().is_mainland_province(&code) {
        return Err(ApiError::not_found().detail(
            format!("{code} 既不是 default，也不是大陆省级行政区划代码。"),
            format!("{code} is neither default nor the code of a province of mainland China."),
        ));
    }
    if let Err(fault) = body.profile.validate() {
        let (field, range) = fault.split_once(": ").unwrap_or(("", &fault));
        return Err(ApiError::invalid_field(
            format!("/profile/{}", field.replace('.', "/")),
            "out_of_range",
            format!("取值须为 {range}"),
            format!("must be {range}"),
        ));
    }
    let row = new_row(code, body.effective_from, body.source, body.profile);
    app.db
        .transaction(move |conn| {
            put_row(conn, now, &caller, Catalogue::BackdropProfiles, row.clone())?;
            Reply::ok(&BackdropProfile::from(row))
        })
        .await
}
