//! The operator's list, the package, and the steps on our own side of the hand-over.

use std::time::Duration;

use actix_web::{get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{self, BureauSubmission, BureauSubmissionPage};
use super::model::{self, Changes, Filter};
use super::rules::Step;
use super::steps::{self, Asked};
use super::{SubmissionState, apply, package};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::error::{ApiError, ApiResult, members};
use crate::error_codes as codes;
use crate::filings;
use crate::kernel::etag::IfMatch;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{FilingId, SubmissionId};
use crate::kernel::json::{self, CommaList, Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::kernel::search;

/// How long the address of a package can be used.
const DOWNLOAD_LIFETIME: Duration = Duration::from_secs(300);

/// Which submissions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BureauSubmissionQuery {
    /// States, separated by commas.
    #[param(value_type = Option<String>, example = "queued,failed,unconfirmed")]
    state: Option<CommaList<SubmissionState>>,
    /// Province codes of bureaus, separated by commas.
    #[param(value_type = Option<String>)]
    bureau_code: Option<CommaList<String>>,
    /// Of one filing.
    filing_id: Option<FilingId>,
    /// Over the deadline that counts now, or not.
    overdue: Option<bool>,
    /// Beginning of the order number.
    #[param(max_length = 50)]
    q: Option<String>,
    /// Rows of a page.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Where the package can be downloaded.
#[derive(Serialize, ToSchema)]
pub struct BureauPackage {
    /// The zip, for a few minutes.
    url: String,
    /// Until when the address can be used.
    expires_at: DateTime<Utc>,
    /// SHA-256 of the zip, lower-case hex.
    sha256: String,
    /// Size of the zip.
    size_bytes: u64,
}

/// A new attempt.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "is_absent_at_bureau": true }))]
pub struct StepRestart {
    /// You have asked the bureau's own record, and it does not have the package. Needed unless the submission has failed.
    #[serde(default)]
    is_absent_at_bureau: bool,
}

/// Why there will be no further attempt.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "管局系统不接收该类数据，请核对后重新提交" }))]
pub struct GivingUp {
    /// In words; the applicant sees it as the item of the refusal.
    #[schema(min_length = 10, max_length = 500)]
    reason: String,
}

/// List hand-overs
///
/// The bureau operator; the one that waited longest first.
#[utoipa::path(operation_id = "listBureauSubmissions", tag = "bureau", params(BureauSubmissionQuery),
    responses((status = 200, description = "A page of submissions.", body = BureauSubmissionPage)))]
#[get("/v1/bureau-submissions")]
pub async fn list_bureau_submissions(
    app: web::Data<App>,
    caller: Allowed<op::ListBureauSubmissions>,
    query: Query<BureauSubmissionQuery>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (query, locale) = (query.0, caller.locale);
    json::at_most(50, "q", query.q.as_deref())?;
    let filter = Filter {
        states: query.state.map(|list| list.0),
        bureau_codes: query.bureau_code.map(|list| list.0),
        filing_id: query.filing_id,
        overdue: query.overdue,
        q: query.q.as_deref().and_then(search::typed).map(str::to_owned),
    };
    let binding = format!("bureau-submissions {filter:?}");
    let after = page::decode(query.cursor.as_deref(), &binding)?;
    let limit = query.limit;
    let parts = app.clone();
    let (rows, shown) = app
        .db
        .run(move |conn| {
            Ok((model::list(conn, now, &filter, after, limit)?, parts.catalogue.shown(conn, now)?))
        })
        .await?;
    let position = |row: &model::Row| Position { at: row.submission.queued_at, id: row.submission.id.0 };
    let page = Page::cut(rows, limit, &binding, position)
        .map(|row| body::summary(row, now, locale, &shown.calendar));
    let cursor = page.next_cursor.clone();
    let body =
        BureauSubmissionPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
    Ok(Reply::ok(&body)?.next_page(cursor.as_deref()))
}

/// Read a hand-over
///
/// The bureau operator. Phones are masked.
#[utoipa::path(operation_id = "getBureauSubmission", tag = "bureau",
    params(("id" = SubmissionId, Path, description = "The submission.", example = "0193a000-0000-7000-8000-000000020001")),
    responses((status = 200, description = "The submission.", body = BureauSubmission)))]
#[get("/v1/bureau-submissions/{id}")]
pub async fn get_bureau_submission(
    app: web::Data<App>,
    caller: Allowed<op::GetBureauSubmission>,
    id: Path<SubmissionId>,
) -> ApiResult<Reply> {
    let (caller, id) = (caller.caller, id.0);
    let facts = steps::facts(&app);
    app.db.run(move |conn| steps::reply(conn, &caller, id, facts)).await
}

/// Make the package
///
/// The bureau operator, while the submission is under way. A zip with the data as XML and JSON in clear, the materials, the
/// photo and a manifest with the SHA-256 of each entry. The ministry's element names for a change are not public: the XML uses
/// ours. Made afresh on each call, at an address for five minutes; every call is audited.
#[utoipa::path(operation_id = "createBureauPackage", tag = "bureau",
    params(("id" = SubmissionId, Path, description = "The submission.", example = "0193a000-0000-7000-8000-000000020001")),
    responses(
        (status = 200, description = "Where to download it.", body = BureauPackage),
        (status = 409, description = "`invalid_transition`, `package_too_large`"),
    ))]
#[post("/v1/bureau-submissions/{id}/package")]
pub async fn create_bureau_package(
    app: web::Data<App>,
    caller: Allowed<op::CreateBureauPackage>,
    id: Path<SubmissionId>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, id) = (caller.caller, id.0);
    let facts = steps::facts(&app);
    let order_no = app
        .db
        .run(move |conn| {
            let submission = model::find(conn, id)?;
            let filing = filings::model::find(conn, submission.filing_id)?;
            apply::ensure_step(Step::DownloadPackage, &submission, &filing, facts)?;
            Ok(filing.order_no)
        })
        .await?;
    let package = package::build(&app, id).await?;
    let (sha256, size_bytes) = (package.sha256, package.zip.len() as u64);
    let key = format!("packages/{}.zip", uuid::Uuid::new_v4());
    app.storage.put_bytes(&key, package.zip, "application/zip").await.map_err(package::storage_error)?;
    let digest = sha256.clone();
    // Audited before the address is given away: who has it could have read everything.
    app.db
        .transaction(move |conn| {
            let submission = model::find(conn, id)?;
            let filing = filings::model::find(conn, submission.filing_id)?;
            let deed = Deed::new("bureau_package.created", "bureau_submission", id.0)
                .account(filing.account_id)
                .filing(filing.id)
                .details(serde_json::json!({ "sha256": digest }));
            Ok(audit::record(conn, now, &Actor::from(&caller), deed)?)
        })
        .await?;
    let file_name = format!("{order_no}.zip");
    let url = app
        .storage
        .presign_get(&key, &file_name, "application/zip", DOWNLOAD_LIFETIME)
        .await
        .map_err(package::storage_error)?;
    let expires_at = now + chrono::Duration::seconds(DOWNLOAD_LIFETIME.as_secs() as i64);
    Reply::ok(&BureauPackage { url, expires_at, sha256, size_bytes })
}

/// Hand over now
///
/// The bureau operator, while queued and the bureau is not paused. By hand: marks it as being sent, until you record the
/// acceptance. With an automatic gateway: a job sends it at once.
#[utoipa::path(operation_id = "dispatchBureauSubmission", tag = "bureau",
    params(("id" = SubmissionId, Path, description = "The submission.", example = "0193a000-0000-7000-8000-000000020001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The submission.", body = BureauSubmission),
        (status = 409, description = "`invalid_transition`, `bureau_paused`"),
    ))]
#[post("/v1/bureau-submissions/{id}/dispatch")]
pub async fn dispatch_bureau_submission(
    app: web::Data<App>,
    caller: Allowed<op::DispatchBureauSubmission>,
    id: Path<SubmissionId>,
    idem: Idempotency,
    if_match: IfMatch,
) -> ApiResult<Reply> {
    let id = id.0;
    let facts = steps::facts(&app);
    let asked =
        Asked { caller: caller.caller, id, deed: "bureau_submission.dispatched", needs_separation: false };
    steps::take(&app, idem, if_match, asked, move |conn, ctx| {
        let (filing, submission) = model::lock(conn, id)?;
        apply::ensure_step(Step::Dispatch, &submission, &filing, facts)?;
        let bureau = model::bureau(conn, &submission.bureau_code)?;
        if bureau.paused_at.is_some() {
            return Err(
                ApiError::new(&codes::BUREAU_PAUSED).with(&members::PAUSE_REASON, bureau.pause_reason)
            );
        }
        if facts.is_automatic {
            return apply::enqueue_dispatch(conn, ctx.now, id, submission.version);
        }
        let changes = Changes {
            state: Some(SubmissionState::Sending),
            attempt_no: Some(submission.attempt_no + 1),
            sent_at: Some(ctx.now),
            ..Changes::default()
        };
        model::update(conn, ctx.now, id, changes)?;
        filings::touch(conn, ctx.now, filing.id)?;
        Ok(())
    })
    .await
}

/// Try again
///
/// The bureau operator: a new attempt after the attempts have failed, or after one that ended without a reply once the bureau's
/// own record has been asked.
#[utoipa::path(operation_id = "restartBureauStep", tag = "bureau",
    params(("id" = SubmissionId, Path, description = "The submission.", example = "0193a000-0000-7000-8000-000000020003"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The submission.", body = BureauSubmission),
        (status = 409, description = "`invalid_transition`, `unconfirmed`"),
    ))]
#[post("/v1/bureau-submissions/{id}/restart-step")]
pub async fn restart_bureau_step(
    app: web::Data<App>,
    caller: Allowed<op::RestartBureauStep>,
    id: Path<SubmissionId>,
    idem: Idempotency,
    if_match: IfMatch,
    body: Json<StepRestart>,
) -> ApiResult<Reply> {
    let id = id.0;
    let facts = steps::facts(&app);
    let asked =
        Asked { caller: caller.caller, id, deed: "bureau_submission.restarted", needs_separation: false };
    steps::take(&app, idem, if_match, asked, move |conn, ctx| {
        apply::restart(conn, ctx, id, body.0.is_absent_at_bureau, facts)
    })
    .await
}

/// Give up
///
/// The bureau operator, before the bureau's review: the filing goes back to the applicant with the reason. Never while the bureau
/// may have the package, and never on a filing of one's own. Event `bureau.rejected`.
#[utoipa::path(operation_id = "giveUpBureauSubmission", tag = "bureau",
    params(("id" = SubmissionId, Path, description = "The submission.", example = "0193a000-0000-7000-8000-000000020001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The submission.", body = BureauSubmission),
        (status = 403, description = "`separation_of_duties`"),
        (status = 409, description = "`invalid_transition`, `unconfirmed`"),
    ))]
#[post("/v1/bureau-submissions/{id}/give-up")]
pub async fn give_up_bureau_submission(
    app: web::Data<App>,
    caller: Allowed<op::GiveUpBureauSubmission>,
    id: Path<SubmissionId>,
    idem: Idempotency,
    if_match: IfMatch,
    body: Json<GivingUp>,
) -> ApiResult<Reply> {
    let id = id.0;
    let reason = body.0.reason.trim().to_owned();
    if reason.chars().count() < 10 {
        return Err(ApiError::invalid_field(
            "/reason",
            "too_short",
            "至少 10 个字",
            "needs at least 10 characters",
        ));
    }
    let facts = steps::facts(&app);
    let asked =
        Asked { caller: caller.caller, id, deed: "bureau_submission.given_up", needs_separation: true };
    steps::take(&app, idem, if_match, asked, move |conn, ctx| apply::give_up(conn, ctx, id, &reason, facts))
        .await
}
