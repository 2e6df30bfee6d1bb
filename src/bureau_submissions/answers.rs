//! What the bureau said, as an operator enters it: it has the package, a phone is confirmed, it has decided.

use actix_web::{post, web};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::apply::{self, Acceptance, Decision, Outcome, SmsReport};
use super::body::BureauSubmission;
use super::rules::{self, EnteredItem};
use super::steps::{self, Asked, Said};
use super::{BureauEventKind, SmsRole, SmsState};
use crate::app::App;
use crate::auth::{Allowed, op};
use crate::error::{ApiError, ApiResult, FieldError, Place};
use crate::external::bureau::Verdict;
use crate::filings::rejections::{NewItem, TargetKind};
use crate::kernel::etag::IfMatch;
use crate::kernel::i18n::Bilingual;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::SubmissionId;
use crate::kernel::json::{Json, Path};
use crate::kernel::reply::Reply;

/// How far the bureau's clock may be ahead of ours.
fn clock_difference() -> Duration {
    Duration::minutes(5)
}

/// That the bureau has the package.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "external_reference": "GJ-2026-000456" }))]
pub struct BureauAcceptance {
    /// The bureau's own number of the package.
    #[schema(min_length = 1, max_length = 100)]
    external_reference: String,
    /// When it took it; now when absent.
    accepted_at: Option<DateTime<Utc>>,
}

/// How the verification of a phone stands.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "role": "website_responsible_person", "state": "confirmed", "wrong_attempts": 0 }))]
pub struct SmsResult {
    /// Whose phone.
    role: SmsRole,
    /// Where it stands.
    state: SmsState,
    /// Wrong codes typed so far; the sixth ends it.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100)]
    wrong_attempts: i32,
}

crate::text_enum! {
    /// How the bureau decided.
    pub enum BureauResult {
        /// The change is filed.
        Approved = "approved",
        /// The applicant has to correct something.
        Rejected = "rejected",
    }
}

/// The bureau's decision. Both numbers repeat those of the submission, so that a slip of the hand cannot hit another filing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "external_reference": "GJ-2026-000456-J", "order_no": "BA-2026-000026", "icp_number": "蜀ICP备20260026号-1",
    "result": "approved", "result_code": "1001", "result_text": null, "items": []
}))]
pub struct BureauDecision {
    /// The bureau's own number of the decision. The same decision under the same number again changes nothing.
    #[schema(min_length = 1, max_length = 100)]
    external_reference: String,
    /// 备案订单号 of the filing.
    #[schema(max_length = 50)]
    order_no: String,
    /// ICP number of the website.
    #[schema(max_length = 50)]
    icp_number: String,
    /// Approved or refused.
    result: BureauResult,
    /// The bureau's code: `1001` (or null) when approved; when refused it says what is wrong, unless `items` do.
    #[schema(pattern = "^[0-9]{4}$", max_length = 4)]
    result_code: Option<String>,
    /// The bureau's words; the applicant sees them.
    #[schema(max_length = 1000)]
    result_text: Option<String>,
    /// What is wrong, entered by hand; they take the place of the code's.
    #[serde(default)]
    #[schema(max_items = 50)]
    items: Vec<BureauItem>,
}

/// One thing that is wrong.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BureauItem {
    /// What it points at.
    target_kind: TargetKind,
    /// JSON pointer of the field, such as `/website/name`.
    #[schema(max_length = 200)]
    pointer: Option<String>,
    /// Code of the material.
    #[schema(max_length = 50)]
    material_code: Option<String>,
    /// Code of the reason, see `/v1/rejection-reasons`.
    #[schema(max_length = 50)]
    code: String,
    /// In words.
    #[schema(max_length = 500)]
    reason: String,
    /// What to do; the catalogue's when absent.
    #[schema(max_length = 500)]
    suggestion: Option<String>,
}

/// Record the acceptance
///
/// The bureau operator, before the bureau has it as far as we know. The package gets the bureau's next sequence number. The filing
/// goes to the bureau's review (20 working days) or, where the province asks for it, to the SMS verification (24 hours). The same
/// again changes nothing. Event `bureau.submitted` or `sms.started`.
#[utoipa::path(operation_id = "acceptBureauSubmission", tag = "bureau",
    params(("id" = SubmissionId, Path, description = "The submission.", example = "0193a000-0000-7000-8000-000000020001"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The submission.", body = BureauSubmission),
        (status = 409, description = "`contradiction`, `late_event`, `invalid_transition`"),
    ))]
#[post("/v1/bureau-submissions/{id}/accept")]
pub async fn accept_bureau_submission(
    app: web::Data<App>,
    caller: Allowed<op::AcceptBureauSubmission>,
    id: Path<SubmissionId>,
    idem: Idempotency,
    if_match: IfMatch,
    body: Json<BureauAcceptance>,
) -> ApiResult<Reply> {
    let (id, body) = (id.0, body.0);
    let accepted_at = body.accepted_at.map(apply::stored);
    if accepted_at.is_some_and(|at| at > app.clock.now() + clock_difference()) {
        return Err(ApiError::invalid_field(
            "/accepted_at",
            "out_of_range",
            "不能晚于当前时间",
            "is in the future",
        ));
    }
    let acceptance = Acceptance { external_reference: reference(body.external_reference)?, accepted_at };
    let said = Said {
        kind: BureauEventKind::Accepted,
        reference: acceptance.external_reference.clone(),
        payload: acceptance.payload(),
    };
    let asked =
        Asked { caller: caller.caller, id, deed: "bureau_submission.accepted", needs_separation: false };
    steps::take_said(&app, idem, if_match, asked, said, move |conn, ctx| {
        apply::accept(conn, ctx, id, &acceptance)
    })
    .await
}

/// Report an SMS verification
///
/// The bureau operator, in sms_verification. When every phone is confirmed the filing goes to the bureau's review; with the
/// sixth wrong try, or a failed phone, the verification has failed. The same again changes nothing. Event `bureau.submitted` or
/// `sms.failed`.
#[utoipa::path(operation_id = "confirmBureauSms", tag = "bureau",
    params(("id" = SubmissionId, Path, description = "The submission.", example = "0193a000-0000-7000-8000-000000020004"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The submission.", body = BureauSubmission),
        (status = 409, description = "`invalid_transition`, `contradiction`"),
    ))]
#[post("/v1/bureau-submissions/{id}/confirm-sms")]
pub async fn confirm_bureau_sms(
    app: web::Data<App>,
    caller: Allowed<op::ConfirmBureauSms>,
    id: Path<SubmissionId>,
    idem: Idempotency,
    if_match: IfMatch,
    body: Json<SmsResult>,
) -> ApiResult<Reply> {
    let (id, body) = (id.0, body.0);
    let report = SmsReport { role: body.role, state: body.state, wrong_attempts: body.wrong_attempts };
    let delay = app.bureau.simulator().map(|bureau| bureau.delay());
    let asked =
        Asked { caller: caller.caller, id, deed: "bureau_submission.sms_reported", needs_separation: false };
    steps::take(&app, idem, if_match, asked, move |conn, ctx| {
        if apply::report_sms(conn, ctx, id, report)? == Outcome::Applied {
            apply::enqueue_simulation(conn, ctx.now, id, delay)?;
        }
        Ok(())
    })
    .await
}

/// Record the decision
///
/// The bureau operator, never on a filing of one's own. Approved: the filed data change in the same transaction. Refused: the
/// code becomes items on fields and materials, unless `items` are given; an item on the photo makes it void. A decision that
/// overtakes its acceptance, or the last phone, implies it. Event `bureau.approved` with `website.updated`, or `bureau.rejected`.
#[utoipa::path(operation_id = "decideBureauSubmission", tag = "bureau",
    params(("id" = SubmissionId, Path, description = "The submission.", example = "0193a000-0000-7000-8000-000000020005"),
        ("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false),
        ("If-Match" = Option<String>, Header, description = "The ETag that you saw.", nullable = false)),
    responses(
        (status = 200, description = "The submission.", body = BureauSubmission),
        (status = 403, description = "`separation_of_duties`"),
        (status = 409, description = "`contradiction`, `late_event`, `base_version_outdated`, `invalid_transition`"),
    ))]
#[post("/v1/bureau-submissions/{id}/decide")]
pub async fn decide_bureau_submission(
    app: web::Data<App>,
    caller: Allowed<op::DecideBureauSubmission>,
    id: Path<SubmissionId>,
    idem: Idempotency,
    if_match: IfMatch,
    body: Json<BureauDecision>,
) -> ApiResult<Reply> {
    let id = id.0;
    let decision = decision(body.0)?;
    let said = Said {
        kind: BureauEventKind::Decided,
        reference: decision.verdict.external_reference.clone(),
        payload: decision.payload(),
    };
    let asked =
        Asked { caller: caller.caller, id, deed: "bureau_submission.decided", needs_separation: true };
    steps::take_said(&app, idem, if_match, asked, said, move |conn, ctx| {
        apply::decide(conn, ctx, id, &decision)
    })
    .await
}

/// Every fault of what was entered, at once.
pub(super) fn decision(body: BureauDecision) -> ApiResult<Decision> {
    let mut faults = Vec::new();
    let mut fault = |pointer: String, code: &str, zh: &str, en: &str| {
        faults.push(FieldError::new(Place::Pointer(pointer), code, Bilingual::new(zh, en)));
    };
    let is_approved = body.result == BureauResult::Approved;
    let says_approved = body.result_code.as_deref() == Some(rules::APPROVED);
    if is_approved && body.result_code.is_some() && !says_approved {
        fault("/result_code".into(), "mismatch", "通过的代码为 1001", "is 1001 (or null) for an approval");
    }
    if !is_approved && says_approved {
        fault("/result_code".into(), "mismatch", "1001 表示通过", "1001 means approved");
    }
    if !is_approved && body.result_code.is_none() && body.items.is_empty() {
        fault(
            "/result_code".into(),
            "required",
            "驳回须填写代码或 items",
            "is required for a refusal without items",
        );
    }
    if is_approved && !body.items.is_empty() {
        fault("/items".into(), "too_many_items", "通过时应为空", "must be empty for an approval");
    }
    for (at, item) in body.items.iter().enumerate() {
        let entered = EnteredItem {
            target_kind: item.target_kind,
            pointer: item.pointer.as_deref(),
            material_code: item.material_code.as_deref(),
            code: &item.code,
            reason: &item.reason,
        };
        for (member, code, zh, en) in rules::item_faults(&entered) {
            fault(format!("/items/{at}/{member}"), code, zh, en);
        }
    }
    if !faults.is_empty() {
        return Err(ApiError::invalid(faults));
    }
    let items = body.items.into_iter().map(new_item).collect();
    let fallback = if is_approved { rules::APPROVED } else { "1002" };
    Ok(Decision {
        verdict: Verdict {
            external_reference: reference(body.external_reference)?,
            data_sequence: None,
            order_no: body.order_no,
            icp_number: body.icp_number,
            is_approved,
            result_code: body.result_code.unwrap_or_else(|| fallback.to_owned()),
            result_text: body.result_text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        },
        items,
    })
}

/// Only what belongs to the target is kept: the table refuses a pointer on a material.
fn new_item(item: BureauItem) -> NewItem {
    NewItem {
        target_kind: item.target_kind,
        pointer: item.pointer.filter(|_| item.target_kind == TargetKind::Field),
        material_code: item.material_code.filter(|_| item.target_kind == TargetKind::Material),
        code: item.code,
        reason: item.reason.trim().to_owned(),
        suggestion: item.suggestion,
    }
}

fn reference(text: String) -> ApiResult<String> {
    let text = text.trim().to_owned();
    if text.is_empty() {
        return Err(ApiError::invalid(vec![FieldError::pointer("/external_reference", "required")]));
    }
    Ok(text)
}
