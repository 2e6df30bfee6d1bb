//! Courier companies.

use actix_web::{get, put, web};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{InForce, RowCode, new_row, put_row};
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::data::Carrier as Company;
use crate::catalogue::model::{self, Catalogue, Row};
use crate::error::ApiResult;
use crate::kernel::i18n::Locale;
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::reply::Reply;

/// A courier company.
#[derive(Debug, Serialize, ToSchema)]
pub struct Carrier {
    /// Kuaidi100's code of the company.
    #[schema(example = "shunfeng")]
    pub code: String,
    /// Name in the language of the request.
    pub name: String,
    /// Name in Chinese.
    pub name_zh: String,
    /// Name in English.
    pub name_en: String,
    /// Hotline.
    pub phone: String,
    /// Regular expression of its tracking numbers, deliberately loose.
    pub tracking_number_pattern: String,
    /// First day on which this row counts.
    pub effective_from: NaiveDate,
    /// Where it was published.
    pub source: String,
}

/// Every courier company; always one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct CarrierPage {
    /// The companies.
    pub items: Vec<Carrier>,
    /// Always null: the list is whole.
    pub next_cursor: Option<String>,
    /// Always false.
    pub has_more: bool,
}

/// A courier company as it shall be from a day on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name_zh": "顺丰速运", "name_en": "SF Express", "phone": "95338", "tracking_number_pattern": "^SF[0-9]{12,15}$",
    "effective_from": "2030-01-01", "source": "Kuaidi100 carrier codes"
}))]
pub struct CarrierInput {
    /// Name in Chinese.
    #[schema(min_length = 1, max_length = 60)]
    pub name_zh: String,
    /// Name in English.
    #[schema(min_length = 1, max_length = 60)]
    pub name_en: String,
    /// Hotline.
    #[schema(min_length = 1, max_length = 30)]
    pub phone: String,
    /// Regular expression of its tracking numbers, anchored with `^` and `$`.
    #[schema(min_length = 1, max_length = 200)]
    pub tracking_number_pattern: String,
    /// First day on which the row counts; today or later.
    pub effective_from: NaiveDate,
    /// Where it was published.
    #[schema(min_length = 1, max_length = 500)]
    pub source: String,
}

fn view(row: Row<Company>, locale: Locale) -> Carrier {
    let company = row.data;
    Carrier {
        name: locale.pick(&company.zh, &company.en).to_owned(),
        code: company.code,
        name_zh: company.zh,
        name_en: company.en,
        phone: company.phone,
        tracking_number_pattern: company.tracking_number_pattern,
        effective_from: row.effective_from,
        source: row.source,
    }
}

/// List the courier companies
///
/// Everybody who is signed in. A shipment names one of these codes.
#[utoipa::path(operation_id = "listCarriers", tag = "catalogue", params(InForce),
    responses((status = 200, description = "Every company.", body = CarrierPage)))]
#[get("/v1/carriers")]
pub async fn list_carriers(
    app: web::Data<App>,
    caller: Allowed<op::ListCarriers>,
    query: Query<InForce>,
) -> ApiResult<Reply> {
    let on = query.0.date(app.clock.now());
    let rows = app.db.run(move |conn| Ok(model::rows(conn, Catalogue::Carriers, "", on)?)).await?;
    let items = rows.into_iter().map(|row| view(row, caller.locale)).collect();
    Reply::ok(&CarrierPage { items, next_cursor: None, has_more: false })
}

/// Set a courier company from a day on
///
/// The admin. The row before counts until then.
#[utoipa::path(operation_id = "putCarrier", tag = "catalogue",
    params(("code" = String, Path, description = "Kuaidi100's code.", example = "shunfeng")),
    request_body = CarrierInput,
    responses((status = 200, description = "The row as stored.", body = Carrier)))]
#[put("/v1/carriers/{code}")]
pub async fn put_carrier(
    app: web::Data<App>,
    caller: Allowed<op::PutCarrier>,
    code: Path<RowCode>,
    body: Json<CarrierInput>,
) -> ApiResult<Reply> {
    let (now, caller, body) = (app.clock.now(), caller.caller.clone(), body.0);
    let company = Company {
        code: code.0.0.clone(),
        zh: body.name_zh,
        en: body.name_en,
        phone: body.phone,
        tracking_number_pattern: body.tracking_number_pattern,
    };
    let row = new_row(code.0.0, body.effective_from, body.source, company);
    app.db
        .transaction(move |conn| {
            put_row(conn, now, &caller, Catalogue::Carriers, row.clone())?;
            Reply::ok(&view(row, caller.locale))
        })
        .await
}
