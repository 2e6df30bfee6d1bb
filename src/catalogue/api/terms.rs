//! Terms of service and the consent to the processing of personal information: immutable versions.

use actix_web::{get, post, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::catalogue::model::{self, Terms, TermsKind};
use crate::error::{ApiError, ApiResult, violated_constraint};
use crate::kernel::etag::{content_version, etag};
use crate::kernel::i18n::Locale;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::TermsId;
use crate::kernel::json::Json;
use crate::kernel::reply::Reply;
use crate::schema::terms;

/// A version of a legal text.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermsDocument {
    /// Id of this version.
    pub id: TermsId,
    /// Which text.
    pub kind: TermsKind,
    /// The version that is accepted at submission.
    #[schema(example = "2026-01")]
    pub version: String,
    /// Lower-case hex of SHA-256 over `text_zh`, one line feed and `text_en` in UTF-8.
    pub sha256: String,
    /// The text in the language of the request.
    pub text: String,
    /// The text in Chinese, which is the binding one.
    pub text_zh: String,
    /// The text in English.
    pub text_en: String,
    /// From when it counts.
    pub effective_at: DateTime<Utc>,
}

/// Both texts that a submission accepts.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurrentTerms {
    /// 《协助更改备案信息服务在线服务条款》
    pub service_terms: TermsDocument,
    /// Separate consent of the responsible person to the processing of personal information.
    pub personal_information_consent: TermsDocument,
}

/// A new version of a legal text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "kind": "service_terms", "version": "2030-01", "text_zh": "协助更改备案信息服务在线服务条款\n\n一、……",
    "text_en": "Terms of the filing change service\n\n1. …", "effective_at": "2030-01-01T00:00:00Z"
}))]
pub struct NewTerms {
    /// Which text.
    pub kind: TermsKind,
    /// A version that this text has not had yet.
    #[schema(min_length = 1, max_length = 40, pattern = r"^[0-9A-Za-z._-]+$")]
    pub version: String,
    /// Chinese text, with its heading.
    #[schema(min_length = 1, max_length = 60000)]
    pub text_zh: String,
    /// English text, with its heading.
    #[schema(min_length = 1, max_length = 60000)]
    pub text_en: String,
    /// From when it counts, not in the past; at once when null or absent.
    #[serde(default)]
    pub effective_at: Option<DateTime<Utc>>,
}

fn document(row: Terms, locale: Locale) -> TermsDocument {
    TermsDocument {
        id: row.id,
        kind: row.kind,
        version: row.version,
        sha256: row.sha256,
        text: locale.pick(&row.text_zh, &row.text_en).to_owned(),
        text_zh: row.text_zh,
        text_en: row.text_en,
        effective_at: row.effective_at,
    }
}

/// Read the terms that count now
///
/// Everybody who is signed in. Both documents; `submit` takes their versions as accepted.
#[utoipa::path(operation_id = "getCurrentTerms", tag = "catalogue",
    responses((status = 200, description = "Both documents.", body = CurrentTerms)))]
#[get("/v1/terms/current")]
pub async fn get_current_terms(
    app: web::Data<App>,
    caller: Allowed<op::GetCurrentTerms>,
) -> ApiResult<Reply> {
    let (now, locale) = (app.clock.now(), caller.locale);
    let body = app
        .db
        .run(move |conn| {
            let mut current = |kind| model::current_terms(conn, kind, now).map(|row| document(row, locale));
            Ok(CurrentTerms {
                service_terms: current(TermsKind::ServiceTerms)?,
                personal_information_consent: current(TermsKind::PersonalInformationConsent)?,
            })
        })
        .await?;
    Ok(Reply::ok(&body)?.etag(etag(content_version(&body)?, caller.view(), locale)))
}

/// Publish a version of the terms
///
/// The admin. A version is immutable and replaces the one before from `effective_at` on; filings submitted earlier keep
/// the version that they accepted.
#[utoipa::path(operation_id = "createTerms", tag = "catalogue",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat harmless for 24 hours.", nullable = false)),
    request_body = NewTerms,
    responses(
        (status = 201, description = "The version.", body = TermsDocument),
        (status = 409, description = "`duplicate`: this text has this version already."),
    ))]
#[post("/v1/terms")]
pub async fn create_terms(
    app: web::Data<App>,
    caller: Allowed<op::CreateTerms>,
    idem: Idempotency,
    body: Json<NewTerms>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller.clone();
    let body = body.0;
    let effective_at = body.effective_at.unwrap_or(now);
    if effective_at < now {
        return Err(ApiError::invalid_field(
            "/effective_at",
            "in_the_past",
            "不能早于现在",
            "must not be in the past",
        ));
    }
    let who = caller.user_id.to_string();
    idem.run(
        &app.db,
        now,
        &who,
        |_| Ok(()),
        move |conn| {
            let row = Terms::new(body.kind, body.version, (body.text_zh, body.text_en), effective_at, now);
            let stored = diesel::insert_into(terms::table).values(&row).execute(conn);
            match stored {
                Err(error) if violated_constraint(&error).is_some() => {
                    return Err(ApiError::taken(
                        "/version",
                        format!("版本 {} 已存在，条款发布后不能更改。", row.version),
                        format!("Version {} exists; terms are never changed once published.", row.version),
                    ));
                }
                other => other.map(drop)?,
            }
            let deed = Deed::new("terms.published", "terms", row.id.0)
                .details(json!({ "kind": row.kind, "version": row.version, "sha256": row.sha256 }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            Reply::created("/v1/terms/current", &document(row, caller.locale))
        },
    )
    .await
}
