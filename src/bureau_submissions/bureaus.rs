//! The bureaus themselves: closed for a holiday or its system down, a bureau is paused; filings wait in order and applicants
//! see why; resuming drains the queue.

use actix_web::{get, post, web};
use diesel::PgConnection;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::body::{self, BureauPage, ProvincialBureau};
use super::{lane, model};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, Caller, op};
use crate::error::{ApiError, ApiResult, members};
use crate::error_codes as codes;
use crate::filings;
use crate::kernel::etag::{self, IfMatch};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::jobs::{self, NewJob};
use crate::kernel::json::{Json, Path};
use crate::kernel::reply::Reply;

/// Why a bureau takes nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "管局系统维护，预计 2 月 24 日恢复" }))]
pub struct BureauPause {
    /// In words; applicants see it.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// List bureaus
///
/// The bureau operator and the admin; all 31.
#[utoipa::path(operation_id = "listBureaus", tag = "bureau",
    responses((status = 200, description = "Every bureau.", body = BureauPage)))]
#[get("/v1/bureaus")]
pub async fn list_bureaus(app: web::Data<App>, caller: Allowed<op::ListBureaus>) -> ApiResult<Reply> {
    let locale = caller.locale;
    let (rows, stop) = app.db.run(|conn| Ok((model::bureaus_all(conn)?, lane::stop_reason(conn)?))).await?;
    let items = rows.into_iter().map(|row| body::bureau(row, stop.as_deref(), locale)).collect();
    Reply::ok(&BureauPage { items, next_cursor: None, has_more: false })
}

/// Read a bureau
///
/// The bureau operator and the admin.
#[utoipa::path(operation_id = "getBureau", tag = "bureau",
    params(("code" = String, Path, description = "Province code.", example = "110000")),
    responses((status = 200, description = "The bureau.", body = ProvincialBureau)))]
#[get("/v1/bureaus/{code}")]
pub async fn get_bureau(
    app: web::Data<App>,
    caller: Allowed<op::GetBureau>,
    code: Path<String>,
) -> ApiResult<Reply> {
    let caller = caller.caller;
    app.db
        .run(move |conn| {
            let row = model::bureau(conn, &code.0)?;
            reply(conn, row, &caller)
        })
        .await
}

fn reply(conn: &mut PgConnection, row: model::Bureau, caller: &Caller) -> ApiResult<Reply> {
    let tag = etag::etag(row.version, caller.view(), caller.locale);
    let stop = lane::stop_reason(conn)?;
    Ok(Reply::ok(&body::bureau(row, stop.as_deref(), caller.locale))?.etag(tag))
}

/// Pause a bureau
///
/// The bureau operator and the admin. What is queued waits, and applicants see the reason. Pausing a paused bureau replaces the
/// reason.
#[utoipa::path(operation_id = "pauseBureau", tag = "bureau",
    params(("code" = String, Path, description = "Province code.", example = "310000"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses((status = 200, description = "The paused bureau.", body = ProvincialBureau)))]
#[post("/v1/bureaus/{code}/pause")]
pub async fn pause_bureau(
    app: web::Data<App>,
    caller: Allowed<op::PauseBureau>,
    code: Path<String>,
    idem: Idempotency,
    if_match: IfMatch,
    body: Json<BureauPause>,
) -> ApiResult<Reply> {
    let reason = body.0.reason.trim().to_owned();
    if reason.is_empty() {
        return Err(ApiError::invalid_field("/reason", "required", "必填", "is required"));
    }
    change(&app, caller.caller, code.0, idem, if_match, Some(reason)).await
}

/// Resume a bureau
///
/// The bureau operator and the admin. What waited is handed over in order. When the gateway itself had stopped (a refused
/// password, say), every bureau that it had paused is resumed with this one. 409 when it is not paused.
#[utoipa::path(operation_id = "resumeBureau", tag = "bureau",
    params(("code" = String, Path, description = "Province code.", example = "310000"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The bureau.", body = ProvincialBureau),
        (status = 409, description = "`invalid_transition`"),
    ))]
#[post("/v1/bureaus/{code}/resume")]
pub async fn resume_bureau(
    app: web::Data<App>,
    caller: Allowed<op::ResumeBureau>,
    code: Path<String>,
    idem: Idempotency,
    if_match: IfMatch,
) -> ApiResult<Reply> {
    change(&app, caller.caller, code.0, idem, if_match, None).await
}

async fn change(
    app: &App,
    caller: Caller,
    code: String,
    idem: Idempotency,
    if_match: IfMatch,
    pause: Option<String>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let scope = caller.user_id.to_string();
    let known = code.clone();
    let answer = idem
        .run(
            &app.db,
            now,
            &scope,
            move |conn| Ok(model::bureau(conn, &known).map(drop)?),
            move |conn| {
                // A stopped gateway pauses every bureau, so resuming one resumes all that no person paused.
                let mut codes = if pause.is_some() { Vec::new() } else { lane::paused_by_stop(conn)? };
                codes.retain(|other| *other != code);
                codes.push(code.clone());
                touch_filings(conn, now, &codes)?;
                let before = model::bureau(conn, &code)?;
                etag::ensure_version(if_match.optional(), before.version)?;
                if pause.is_none() && before.paused_at.is_none() {
                    return Err(
                        ApiError::new(&codes::INVALID_TRANSITION).with(&members::CURRENT_STATUS, "open")
                    );
                }
                let row = match &pause {
                    Some(reason) => {
                        let since = before.paused_at.unwrap_or(now);
                        model::set_pause(conn, &code, Some((since, reason, caller.user_id)))?
                    }
                    None => {
                        lane::resume_all(conn)?;
                        for code in &codes {
                            let version = model::bureau(conn, code)?.version;
                            let drain = NewJob::new("bureau.drain", json!({ "bureau_code": code }));
                            jobs::enqueue(conn, now, drain.once(format!("bureau.drain/{code}/{version}")))?;
                            model::set_pause(conn, code, None)?;
                        }
                        model::bureau(conn, &code)?
                    }
                };
                let action = if pause.is_some() { "bureau.paused" } else { "bureau.resumed" };
                let deed = Deed::new(action, "bureau", None)
                    .details(json!({ "bureau_code": code, "bureau_codes": codes }));
                audit::record(conn, now, &Actor::from(&caller), deed)?;
                reply(conn, row, &caller)
            },
        )
        .await?;
    app.waker.wake();
    Ok(answer)
}

/// Applicants see whether their bureau is paused, so the versions of their filings rise with it. Filings are locked before the
/// bureau, as an acceptance does.
fn touch_filings(
    conn: &mut PgConnection,
    now: chrono::DateTime<chrono::Utc>,
    codes: &[String],
) -> ApiResult<()> {
    for id in model::filings_at(conn, codes)? {
        filings::touch(conn, now, id)?;
    }
    Ok(())
}
