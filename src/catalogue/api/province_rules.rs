//! What provinces ask for beyond the default.

use actix_web::{get, put, web};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{InForce, RowCode, new_row, put_row, text};
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::catalogue::data::{self, ProvinceProof as Proof, ProvinceRule as Rule};
use crate::catalogue::model::{self, Catalogue, Row};
use crate::catalogue::regions::Regions;
use crate::error::{ApiError, ApiResult, FieldError};
use crate::kernel::i18n::Locale;
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::reply::Reply;
use crate::websites::fields;

/// What a province asks for. A province without a row asks for nothing beyond the default: every value false.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProvinceRule {
    /// GB/T 2260 code of the province.
    #[schema(example = "120000")]
    pub province_code: String,
    /// Its Chinese name.
    #[schema(example = "天津市")]
    pub province_name: String,
    /// The ministry's 24-hour SMS verification comes before the bureau's review.
    pub sms_verification: bool,
    /// The subject's responsible person confirms a code too.
    pub sms_subject_phone: bool,
    /// Rules apply as errors to unchanged fields as well.
    pub recheck_all: bool,
    /// Documents to ask for.
    pub proofs: Vec<ProvinceProof>,
    /// First day on which this row counts.
    pub effective_from: NaiveDate,
    /// Where it was published.
    pub source: String,
}

/// A document that a province asks for.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProvinceProof {
    /// Code of the dictionary `material`.
    pub material_code: String,
    /// Names of the website's fields whose change asks for it.
    pub triggers: Vec<String>,
    /// Which subjects it is asked of.
    pub applies_to: ProofSubject,
    /// Why it is asked for, in the language of the request.
    pub why: String,
    /// Why, in Chinese.
    pub why_zh: String,
    /// Why, in English.
    pub why_en: String,
}

crate::text_enum! {
    /// Which subjects a proof is asked of.
    pub enum ProofSubject {
        /// All.
        Any = "any",
        /// Natural persons.
        Individual = "individual",
        /// Organisations.
        Organisation = "organisation",
    }
}

/// The rows in force; always one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProvinceRulePage {
    /// The rules, by province.
    pub items: Vec<ProvinceRule>,
    /// Always null: the list is whole.
    pub next_cursor: Option<String>,
    /// Always false.
    pub has_more: bool,
}

/// What a province shall ask for from a day on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "sms_verification": true, "sms_subject_phone": false, "recheck_all": false, "proofs": [],
    "effective_from": "2030-01-01", "source": "Notice of the bureau, 2029-12"
}))]
pub struct ProvinceRuleInput {
    /// The ministry's 24-hour SMS verification comes before the bureau's review.
    pub sms_verification: bool,
    /// The subject's responsible person confirms a code too.
    pub sms_subject_phone: bool,
    /// Rules apply as errors to unchanged fields as well.
    pub recheck_all: bool,
    /// Documents to ask for.
    #[schema(max_items = 20)]
    pub proofs: Vec<ProvinceProofInput>,
    /// First day on which the row counts; today or later.
    pub effective_from: NaiveDate,
    /// Where it was published.
    #[schema(min_length = 1, max_length = 500)]
    pub source: String,
}

/// A document to ask for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvinceProofInput {
    /// Code of the dictionary `material`.
    #[schema(min_length = 1, max_length = 60)]
    pub material_code: String,
    /// Names of the website's fields whose change asks for it, such as `name`.
    #[schema(min_items = 1, max_items = 20)]
    pub triggers: Vec<String>,
    /// Which subjects it is asked of.
    pub applies_to: ProofSubject,
    /// Why, in Chinese.
    #[schema(min_length = 1, max_length = 300)]
    pub why_zh: String,
    /// Why, in English.
    #[schema(min_length = 1, max_length = 300)]
    pub why_en: String,
}

fn view(row: Row<Rule>, locale: Locale) -> ProvinceRule {
    let rule = row.data;
    let proofs = rule.proofs.into_iter().map(|proof| ProvinceProof {
        why: proof.why.get(locale.as_str()).to_owned(),
        material_code: proof.material_code,
        triggers: proof.triggers,
        applies_to: proof.applies_to.parse().unwrap_or(ProofSubject::Any),
        why_zh: proof.why.zh,
        why_en: proof.why.en,
    });
    ProvinceRule {
        province_name: Regions::get().name(&rule.province_code).unwrap_or_default().to_owned(),
        province_code: rule.province_code,
        sms_verification: rule.sms_verification,
        sms_subject_phone: rule.sms_subject_phone,
        recheck_all: rule.recheck_all,
        proofs: proofs.collect(),
        effective_from: row.effective_from,
        source: row.source,
    }
}

/// List what provinces ask for
///
/// Everybody who is signed in. Provinces without a row ask for nothing beyond the default.
#[utoipa::path(operation_id = "listProvinceRules", tag = "catalogue", params(InForce),
    responses((status = 200, description = "Every row in force.", body = ProvinceRulePage)))]
#[get("/v1/province-rules")]
pub async fn list_province_rules(
    app: web::Data<App>,
    caller: Allowed<op::ListProvinceRules>,
    query: Query<InForce>,
) -> ApiResult<Reply> {
    let on = query.0.date(app.clock.now());
    let mut rows = app.db.run(move |conn| Ok(model::rows(conn, Catalogue::ProvinceRules, "", on)?)).await?;
    rows.sort_by(|a: &Row<Rule>, b| a.key.cmp(&b.key));
    let items = rows.into_iter().map(|row| view(row, caller.locale)).collect();
    Reply::ok(&ProvinceRulePage { items, next_cursor: None, has_more: false })
}

/// Set what a province asks for from a day on
///
/// The admin. The row before counts until then. Filings already submitted keep the requirements of their revision.
#[utoipa::path(operation_id = "putProvinceRule", tag = "catalogue",
    params(("province_code" = String, Path, description = "GB/T 2260 code of the province.", example = "120000")),
    request_body = ProvinceRuleInput,
    responses((status = 200, description = "The row as stored.", body = ProvinceRule)))]
#[put("/v1/province-rules/{province_code}")]
pub async fn put_province_rule(
    app: web::Data<App>,
    caller: Allowed<op::PutProvinceRule>,
    province_code: Path<RowCode>,
    body: Json<ProvinceRuleInput>,
) -> ApiResult<Reply> {
    let (now, caller, body) = (app.clock.now(), caller.caller.clone(), body.0);
    let province = province_code.0.0;
    if !Regions::get().is_mainland_province(&province) {
        return Err(ApiError::not_found().detail(
            format!("{province} 不是大陆省级行政区划代码。"),
            format!("{province} is not the code of a province of mainland China."),
        ));
    }
    let rule = Rule {
        province_code: province.clone(),
        effective_from: body.effective_from,
        sms_verification: body.sms_verification,
        sms_subject_phone: body.sms_subject_phone,
        recheck_all: body.recheck_all,
        proofs: proofs(body.proofs)?,
        source: body.source.clone(),
    };
    let row = new_row(province, body.effective_from, body.source, rule);
    app.db
        .transaction(move |conn| {
            put_row(conn, now, &caller, Catalogue::ProvinceRules, row.clone())?;
            Reply::ok(&view(row, caller.locale))
        })
        .await
}

/// Proofs that name a known material and known fields; every fault at once.
fn proofs(inputs: Vec<ProvinceProofInput>) -> ApiResult<Vec<Proof>> {
    let mut faults = Vec::new();
    for (i, input) in inputs.iter().enumerate() {
        if data::dictionaries().find("material", &input.material_code).is_none() {
            faults.push(FieldError::pointer(format!("/proofs/{i}/material_code"), "not_in_list"));
        }
        for (j, trigger) in input.triggers.iter().enumerate() {
            if fields::by_relative_pointer(&format!("/{trigger}")).is_none() {
                faults.push(FieldError::pointer(format!("/proofs/{i}/triggers/{j}"), "not_in_list"));
            }
        }
    }
    if !faults.is_empty() {
        return Err(ApiError::invalid(faults));
    }
    let proof = |input: ProvinceProofInput| Proof {
        material_code: input.material_code,
        triggers: input.triggers,
        applies_to: input.applies_to.as_str().to_owned(),
        why: text(&input.why_zh, &input.why_en),
    };
    Ok(inputs.into_iter().map(proof).collect())
}
