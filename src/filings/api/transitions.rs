//! Steps of the owner that move a filing.

use actix_web::{post, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Deserialize;
use utoipa::ToSchema;

use super::drafts::shown;
use super::house;
use crate::app::App;
use crate::audit::Actor;
use crate::auth::{Allowed, Caller, op};
use crate::catalogue::{self, TermsKind};
use crate::error::{ApiError, ApiResult, FieldError, Place};
use crate::error_codes as codes;
use crate::filings::body::FilingBody;
use crate::filings::rules::Severity;
use crate::filings::submission::Acceptance;
use crate::filings::workflow::{Action, Side};
use crate::filings::{Ctx, Input, access, act, check};
use crate::kernel::etag;
use crate::kernel::etag::IfMatch;
use crate::kernel::i18n::Bilingual;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{FilingId, TermsId};
use crate::kernel::json::{Json, Path};
use crate::kernel::reply::Reply;

/// Acceptance of the current documents.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "terms_version": "2026-01", "personal_information_consent_version": "2026-01",
    "accepted_by_name": "张伟" }))]
pub struct SubmitFiling {
    /// Version of the service terms that the person has read and accepts: the tick on the page from which a filing is submitted.
    #[schema(min_length = 1, max_length = 50)]
    terms_version: String,
    /// Version of the separate consent of the responsible person to process photo and identity documents.
    #[schema(min_length = 1, max_length = 50)]
    personal_information_consent_version: String,
    /// Name of the person who accepted both; mandatory for a partner's client.
    #[schema(min_length = 1, max_length = 100)]
    accepted_by_name: Option<String>,
}

/// Submit a filing for review
///
/// The owner, in the four editable statuses. Everything that `checkFiling` finds as an error is refused, all at once. Freezes a
/// revision and opens a review task, due after one working day. Needs `If-Match`: you submit what you saw.
/// Event: `filing.submitted`.
#[utoipa::path(operation_id = "submitFiling", tag = "filings",
    params(
        ("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001"),
        ("If-Match" = String, Header, description = "The ETag that you saw; mandatory."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own."),
    ),
    responses(
        (status = 200, description = "The submitted filing.", body = FilingBody),
        (status = 409, description = "`invalid_transition`, `base_version_outdated`"),
        (status = 422, description = "`check_failed`"),
    ))]
#[post("/v1/filings/{id}/submit")]
pub async fn submit_filing(
    app: web::Data<App>,
    caller: Allowed<op::SubmitFiling>,
    id: Path<FilingId>,
    if_match: IfMatch,
    idempotency: Idempotency,
    body: Json<SubmitFiling>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let house = house(&app, &caller);
    let caller = caller.caller.clone();
    let owner = caller.clone();
    let key = caller.user_id.to_string();
    let id = id.0;
    idempotency
        .run(
            &app.db,
            now,
            &key,
            move |conn| access::owned(conn, &owner, id).map(drop),
            move |conn| {
                let expected = if_match.required()?;
                let filing = act::lock(conn, id)?;
                etag::ensure_version(expected, filing.version)?;
                let ctx = Ctx::new(now, Actor::from(&caller), Side::Owner);
                act::ensure_allowed(conn, &ctx, &filing, Action::Submit)?;
                let acceptance = accept(conn, &body.0, &caller, now)?;
                let report = check::run(conn, &filing, now)?;
                if !report.passes() {
                    let errors =
                        report.findings.into_iter().filter(|finding| finding.severity == Severity::Error);
                    return Err(ApiError::new(&codes::CHECK_FAILED).errors(
                        errors
                            .map(|finding| {
                                FieldError::new(
                                    Place::Pointer(finding.pointer),
                                    finding.code,
                                    finding.message,
                                )
                            })
                            .collect(),
                    ));
                }
                let input = Input { acceptance: Some(&acceptance), ..Default::default() };
                let filing = act::act(conn, &ctx, filing, Action::Submit, input)?;
                shown(conn, &caller, filing.id, &house, now)
            },
        )
        .await
}

/// The accepted versions must be the ones in force.
fn accept(
    conn: &mut PgConnection,
    body: &SubmitFiling,
    caller: &Caller,
    now: DateTime<Utc>,
) -> ApiResult<Acceptance> {
    let mut faults = Vec::new();
    let mut check = |pointer: &str, kind: TermsKind, version: &str| -> ApiResult<Option<TermsId>> {
        let current = catalogue::current_terms(conn, kind, now)?;
        if current.version == version {
            return Ok(Some(current.id));
        }
        let shown = &current.version;
        faults.push(FieldError::new(
            Place::Pointer(pointer.to_owned()),
            "terms_outdated",
            Bilingual::new(
                format!("当前版本为 {shown}，请阅读后重新同意"),
                format!("the current version is {shown}; read and accept that one"),
            ),
        ));
        Ok(None)
    };
    let terms = check("/terms_version", TermsKind::ServiceTerms, &body.terms_version)?;
    let consent = check(
        "/personal_information_consent_version",
        TermsKind::PersonalInformationConsent,
        &body.personal_information_consent_version,
    )?;
    // A program does not accept for a person: it says which person did.
    let is_named = body.accepted_by_name.as_ref().is_some_and(|name| !name.trim().is_empty());
    if caller.partner_id.is_some() && !is_named {
        faults.push(FieldError::new(
            Place::Pointer("/accepted_by_name".to_owned()),
            "required",
            Bilingual::new(
                "合作伙伴提交时须填写同意人的姓名",
                "is required from a partner: the name of the person who accepted",
            ),
        ));
    }
    match (terms, consent) {
        (Some(terms_id), Some(consent_id)) if faults.is_empty() => Ok(Acceptance {
            terms_id,
            consent_id,
            accepted_by_name: body.accepted_by_name.clone(),
            // The service user of a partner's client has the client's id.
            client: caller.partner_id.map_or_else(|| "app".to_owned(), |_| caller.user_id.to_string()),
        }),
        _ => Err(ApiError::invalid(faults)),
    }
}

/// One step of the owner that needs nothing but the filing.
async fn step(
    app: &App,
    caller: &Caller,
    id: FilingId,
    if_match: IfMatch,
    idempotency: Idempotency,
    action: Action,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let house = house(app, caller);
    let (caller, owner) = (caller.clone(), caller.clone());
    let key = caller.user_id.to_string();
    idempotency
        .run(
            &app.db,
            now,
            &key,
            move |conn| access::owned(conn, &owner, id).map(drop),
            move |conn| {
                let filing = act::lock(conn, id)?;
                etag::ensure_version(if_match.optional(), filing.version)?;
                let ctx = Ctx::new(now, Actor::from(&caller), Side::Owner);
                let filing = act::act(conn, &ctx, filing, action, Input::default())?;
                shown(conn, &caller, filing.id, &house, now)
            },
        )
        .await
}

macro_rules! steps {
    ($($(#[$doc:meta])* $handler:ident $operation:ident $id:literal $path:literal $example:literal $description:literal $action:ident $codes:literal;)+) => {$(
        $(#[$doc])*
        #[utoipa::path(operation_id = $id, tag = "filings",
            params(
                ("id" = FilingId, Path, description = "The filing.", example = $example),
                ("If-Match" = Option<String>, Header, nullable = false, description = "The ETag that you saw; optional."),
                ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own."),
            ),
            responses(
                (status = 200, description = $description, body = FilingBody),
                (status = 409, description = $codes),
            ))]
        #[post($path)]
        pub async fn $handler(
            app: web::Data<App>,
            caller: Allowed<op::$operation>,
            id: Path<FilingId>,
            if_match: IfMatch,
            idempotency: Idempotency,
        ) -> ApiResult<Reply> {
            step(&app, &caller, id.0, if_match, idempotency, Action::$action).await
        }
    )+};
}

steps! {
    /// Take a submission back
    ///
    /// 撤销备案. The owner, as long as nothing was sent to the bureau: open tasks, attempts and queued submissions are cancelled
    /// and the filing is a draft again. A backdrop on its way survives. Event: `filing.withdrawn`.
    withdraw_filing WithdrawFiling "withdrawFiling" "/v1/filings/{id}/withdraw" "0193a000-0000-7000-8000-000000015003"
        "The draft." Withdraw "`invalid_transition`";
    /// Give a filing up
    ///
    /// 放弃备案. The owner; the filing ends and the filed data stay as they are. A backdrop that is not shipped is cancelled.
    /// Event: `filing.abandoned`.
    abandon_filing AbandonFiling "abandonFiling" "/v1/filings/{id}/abandon" "0193a000-0000-7000-8000-000000015004"
        "The abandoned filing." Abandon "`invalid_transition`";
    /// Take an expired filing up again
    ///
    /// The owner. The filed data are copied anew and your own changes reapplied; fields that changed on both sides become
    /// findings of check. Event: `filing.reopened`.
    reopen_filing ReopenFiling "reopenFiling" "/v1/filings/{id}/reopen" "0193a000-0000-7000-8000-000000015005"
        "The draft." Reopen "`invalid_transition`, `live_filing_exists`";
    /// Send the same revision to the bureau again
    ///
    /// The owner, in `sms_failed`, when nothing was changed since the last submission; the photo's age does not count.
    /// Event: `bureau.queued`.
    resend_filing ResendFiling "resendFiling" "/v1/filings/{id}/resend" "0193a000-0000-7000-8000-000000015006"
        "The filing, queued for the bureau." Resend "`invalid_transition`";
}
