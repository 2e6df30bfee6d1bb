//! What the bureau said takes effect: the submission's own rows and, through `filings::act`, the filing, in one transaction.
//! The caller holds a transaction. A person enters on the operator's side, a gateway as the system.

use chrono::{DateTime, Duration, SubsecRound, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};

use super::model::{self, Changes, Heard, Submission};
use super::rules::{self, Facts, Step};
use super::{BureauEventKind, BureauEventOutcome, SmsRole, SmsState, SubmissionState, lane};
use crate::catalogue::{self, data};
use crate::error::{ApiError, ApiResult, FieldError, Place, members};
use crate::error_codes as codes;
use crate::external::bureau::{Verdict, simulator::REFERENCE_PREFIX};
use crate::filings::rejections::{NewItem, RejectionSource, TargetKind};
use crate::filings::{self, Action, Ctx, Filing, Input, Side, Status};
use crate::kernel::clock::shanghai_date;
use crate::kernel::i18n::Bilingual;
use crate::kernel::ids::SubmissionId;
use crate::kernel::jobs::{self, NewJob};
use crate::schema::{attachments, filing_revision_attachments, filing_revisions};
use crate::websites;

/// What became of something that the bureau said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Applied,
    /// The same had been recorded before: nothing changed.
    Repeated,
    /// The submission had left the step: nothing changed; the caller records it with [`record_late`].
    Late,
}

/// That the bureau has the package.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The bureau's own number.
    pub external_reference: String,
    /// When; now if nobody said.
    pub accepted_at: Option<DateTime<Utc>>,
}

impl Acceptance {
    /// What is kept of it, and compared with a repeat.
    pub fn payload(&self) -> Value {
        json!({ "accepted_at": self.accepted_at })
    }
}

/// How a phone's verification stands.
#[derive(Clone, Copy, Debug)]
pub struct SmsReport {
    /// Whose phone.
    pub role: SmsRole,
    /// Where it stands.
    pub state: SmsState,
    /// Wrong codes typed so far.
    pub wrong_attempts: i32,
}

/// The bureau's decision.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What the bureau said.
    pub verdict: Verdict,
    /// Items that the operator entered; if there are none, the code says what is wrong.
    pub items: Vec<NewItem>,
}

impl Decision {
    /// What is kept of it, and compared with a repeat.
    pub fn payload(&self) -> Value {
        let items: Vec<Value> = self
            .items
            .iter()
            .map(|item| {
                json!({
                    "target_kind": item.target_kind, "pointer": item.pointer, "material_code": item.material_code,
                    "code": item.code, "reason": item.reason,
                })
            })
            .collect();
        json!({
            "is_approved": self.verdict.is_approved, "result_code": self.verdict.result_code,
            "result_text": self.verdict.result_text, "items": items,
        })
    }
}

/// Whether the same was recorded before.
///
/// # Errors
/// 409 `contradiction` when something else was recorded under the reference; an alarm goes with it.
fn is_repeat(
    conn: &mut PgConnection,
    id: SubmissionId,
    kind: BureauEventKind,
    reference: &str,
    payload: &Value,
) -> ApiResult<Option<Outcome>> {
    let Some(known) = model::event(conn, id, &model::event_key(kind, reference))? else { return Ok(None) };
    if known.payload != *payload {
        alarm("contradiction", id, "the bureau contradicts what it said before");
        return Err(ApiError::new(&codes::CONTRADICTION));
    }
    Ok(Some(match known.outcome {
        BureauEventOutcome::Applied => Outcome::Repeated,
        BureauEventOutcome::Late => Outcome::Late,
    }))
}

/// Calls an operator: an error in the log and a counter that an alert watches.
pub fn alarm(reason: &'static str, id: SubmissionId, text: &str) {
    tracing::error!(submission = %id, reason, "bureau: {text}");
    metrics::counter!("beian_bureau_alarms_total", "reason" => reason).increment(1);
}

/// Records what came after the submission had left its step, and calls an operator. Nothing else changes.
///
/// # Errors
/// When the database fails.
pub fn record_late(
    conn: &mut PgConnection,
    ctx: &Ctx,
    id: SubmissionId,
    kind: BureauEventKind,
    reference: &str,
    payload: &Value,
) -> ApiResult<()> {
    alarm("late", id, "something came after the submission had left its step");
    let late = BureauEventOutcome::Late;
    model::record_event(conn, ctx.now, id, &Heard { kind, reference, payload }, late, ctx.actor.user_id)?;
    let submission = model::update(conn, ctx.now, id, Changes::default())?;
    filings::touch(conn, ctx.now, submission.filing_id)?;
    Ok(())
}

/// The bureau has the package (row 10).
///
/// # Errors
/// 409 `contradiction`, or what `filings::act` returns.
pub fn accept(
    conn: &mut PgConnection,
    ctx: &Ctx,
    id: SubmissionId,
    acceptance: &Acceptance,
) -> ApiResult<Outcome> {
    let (filing, submission) = model::lock(conn, id)?;
    let (kind, reference) = (BureauEventKind::Accepted, acceptance.external_reference.as_str());
    let payload = acceptance.payload();
    if let Some(outcome) = is_repeat(conn, id, kind, reference, &payload)? {
        return Ok(outcome);
    }
    if !model::WAITING.contains(&submission.state) {
        return Ok(Outcome::Late);
    }
    take_acceptance(conn, ctx, filing, submission, reference, acceptance.accepted_at)?;
    let applied = BureauEventOutcome::Applied;
    model::record_event(
        conn,
        ctx.now,
        id,
        &Heard { kind, reference, payload: &payload },
        applied,
        ctx.actor.user_id,
    )?;
    Ok(Outcome::Applied)
}

fn take_acceptance(
    conn: &mut PgConnection,
    ctx: &Ctx,
    filing: Filing,
    submission: Submission,
    reference: &str,
    accepted_at: Option<DateTime<Utc>>,
) -> ApiResult<(Filing, Submission)> {
    let data = json!({ "submission_id": submission.id });
    let filing = filings::act(conn, ctx, filing, Action::AcceptAtBureau, Input { data, ..Input::default() })?;
    let mut changes = Changes {
        state: Some(SubmissionState::Accepted),
        accepted_at: Some(accepted_at.unwrap_or(ctx.now)),
        external_reference: Some(reference.to_owned()),
        last_error: Some(None),
        // Carried by hand without a word before: it was sent by then at the latest.
        sent_at: submission.sent_at.is_none().then_some(accepted_at.unwrap_or(ctx.now)),
        attempt_no: Some(submission.attempt_no.max(1)),
        ..Changes::default()
    };
    if filing.status == Status::SmsVerification {
        changes.sms_expires_at = filing.due_at;
        start_sms(conn, ctx, &filing, &submission)?;
    } else {
        changes.bureau_due_at = filing.due_at;
        changes.bureau_due_is_provisional = Some(filing.due_is_provisional);
    }
    // Only the gateway knows that the file went over the lane; an operator may have carried it by hand.
    lane::settle(conn, ctx.now, &submission, ctx.side == Side::System)?;
    changes.sequence_no = Some(model::next_sequence_no(conn, &submission.bureau_code)?);
    let submission = model::update(conn, ctx.now, submission.id, changes)?;
    Ok((filing, submission))
}

/// One row per phone: the website's person and, where the province asks for it, the subject's.
fn start_sms(conn: &mut PgConnection, ctx: &Ctx, filing: &Filing, submission: &Submission) -> ApiResult<()> {
    let content_id: crate::kernel::ids::ContentId = filing_revisions::table
        .find(submission.revision_id)
        .select(filing_revisions::content_id)
        .first(conn)?;
    let person = websites::model::load(conn, content_id.0)?.responsible_person;
    if let Some(mobile) = &person.mobile {
        model::add_sms(conn, submission.id, SmsRole::WebsiteResponsiblePerson, mobile)?;
    }
    let rule = catalogue::province_rule(conn, &filing.province_code, shanghai_date(ctx.now))?;
    if rule.sms_subject_phone {
        let mobile = model::subject_mobile(conn, filing)?;
        // One phone gets one code, whatever its owner answers for.
        if person.mobile.as_ref().is_none_or(|own| !own.is_same_as(&mobile)) {
            model::add_sms(conn, submission.id, SmsRole::SubjectResponsiblePerson, &mobile)?;
        }
    }
    Ok(())
}

/// Has the simulated bureau decide a little later, if it is the one that has the package.
///
/// # Errors
/// When the database fails.
pub fn enqueue_simulation(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: SubmissionId,
    delay: Option<Duration>,
) -> ApiResult<()> {
    let Some(delay) = delay else { return Ok(()) };
    let submission = model::find(conn, id)?;
    let is_simulated = submission.external_reference.is_some_and(|given| given.starts_with(REFERENCE_PREFIX));
    if is_simulated && submission.state == SubmissionState::Accepted {
        let key = format!("bureau.simulate_decision/{id}/{}", submission.version);
        let job =
            NewJob::new("bureau.simulate_decision", json!({ "submission_id": id })).once(key).at(now + delay);
        jobs::enqueue(conn, now, job)?;
    }
    Ok(())
}

/// The bureau does not take the package (row 10b).
///
/// # Errors
/// 409 `contradiction`, or what `filings::act` returns.
pub fn refuse(
    conn: &mut PgConnection,
    ctx: &Ctx,
    id: SubmissionId,
    reference: &str,
    code: &str,
    text: &str,
) -> ApiResult<Outcome> {
    let (filing, submission) = model::lock(conn, id)?;
    let kind = BureauEventKind::Refused;
    let payload = json!({ "code": code, "text": text });
    if let Some(outcome) = is_repeat(conn, id, kind, reference, &payload)? {
        return Ok(outcome);
    }
    if !model::WAITING.contains(&submission.state) {
        return Ok(Outcome::Late);
    }
    let materials = materials(conn, &submission)?;
    let items = rules::items(data::bureau_results(), Some(code), Some(text), &materials);
    let changes = Changes {
        result_code: Some(code.to_owned()),
        result_text: Some(text.to_owned()),
        external_reference: Some(reference.to_owned()),
        ..Changes::default()
    };
    end_without_review(conn, ctx, filing, &submission, &items, changes)?;
    let applied = BureauEventOutcome::Applied;
    model::record_event(
        conn,
        ctx.now,
        id,
        &Heard { kind, reference, payload: &payload },
        applied,
        ctx.actor.user_id,
    )?;
    Ok(Outcome::Applied)
}

/// An operator gives up (row 10b). The reason becomes the applicant's item.
///
/// # Errors
/// 409 `unconfirmed` while the bureau may have the package, `invalid_transition`.
pub fn give_up(
    conn: &mut PgConnection,
    ctx: &Ctx,
    id: SubmissionId,
    reason: &str,
    facts: Facts,
) -> ApiResult<()> {
    let (filing, submission) = model::lock(conn, id)?;
    ensure_step(Step::GiveUp, &submission, &filing, facts)?;
    let item = NewItem {
        target_kind: TargetKind::Field,
        pointer: Some("/website".to_owned()),
        material_code: None,
        code: "OTHER".to_owned(),
        reason: reason.to_owned(),
        suggestion: None,
    };
    model::close_sms(conn, ctx.now, id, SmsState::Failed)?;
    let changes = Changes { result_text: Some(reason.to_owned()), ..Changes::default() };
    end_without_review(conn, ctx, filing, &submission, &[item], changes)
}

fn end_without_review(
    conn: &mut PgConnection,
    ctx: &Ctx,
    filing: Filing,
    submission: &Submission,
    items: &[NewItem],
    changes: Changes,
) -> ApiResult<()> {
    let note = changes.result_text.clone();
    let input = Input {
        rejection: Some((RejectionSource::Bureau, note.as_deref(), items)),
        data: json!({ "submission_id": submission.id, "result_code": changes.result_code }),
        ..Input::default()
    };
    filings::act(conn, ctx, filing, Action::RefuseAtBureau, input)?;
    lane::release(conn, ctx.now, submission)?;
    let changes = Changes {
        state: Some(SubmissionState::GivenUp),
        decided_at: Some(ctx.now),
        decided_by: ctx.actor.user_id,
        ..changes
    };
    model::update(conn, ctx.now, submission.id, changes)?;
    Ok(())
}

/// A phone was confirmed, or typed wrong once more (rows 11 and 12).
///
/// # Errors
/// 409 `invalid_transition`, `contradiction`; 422 when no such phone is under verification.
pub fn report_sms(
    conn: &mut PgConnection,
    ctx: &Ctx,
    id: SubmissionId,
    report: SmsReport,
) -> ApiResult<Outcome> {
    let (filing, submission) = model::lock(conn, id)?;
    let phones = model::sms(conn, id)?;
    let is_over = report.state != SmsState::Confirmed && report.wrong_attempts >= rules::WRONG_TRIES;
    let state = if is_over { SmsState::Failed } else { report.state };
    let known = phones.iter().find(|phone| phone.role == report.role);
    if known.is_some_and(|phone| phone.state == state && phone.wrong_attempts == report.wrong_attempts) {
        return Ok(Outcome::Repeated);
    }
    let facts = Facts { is_verifying_sms: filing.status == Status::SmsVerification, ..Facts::default() };
    ensure_step(Step::RecordSms, &submission, &filing, facts)?;
    let Some(phone) = known else {
        return Err(ApiError::invalid_field(
            "/role",
            "not_in_list",
            "该手机号不在核验中",
            "is not under verification",
        ));
    };
    if phone.state == SmsState::Confirmed {
        alarm("contradiction", id, "a confirmed phone is reported otherwise");
        return Err(ApiError::new(&codes::CONTRADICTION));
    }
    model::set_sms(conn, ctx.now, phone.id, state, report.wrong_attempts)?;
    let is_last = phones.iter().all(|other| other.role == report.role || other.state == SmsState::Confirmed);
    match state {
        SmsState::Failed => fail_sms(conn, ctx, filing, &submission)?,
        SmsState::Confirmed if is_last => {
            confirm_sms(conn, ctx, filing, &submission)?;
        }
        _ => {
            model::update(conn, ctx.now, id, Changes::default())?;
            filings::touch(conn, ctx.now, filing.id)?;
        }
    }
    Ok(Outcome::Applied)
}

fn confirm_sms(
    conn: &mut PgConnection,
    ctx: &Ctx,
    filing: Filing,
    submission: &Submission,
) -> ApiResult<(Filing, Submission)> {
    let data = json!({ "submission_id": submission.id });
    let filing = filings::act(conn, ctx, filing, Action::ConfirmSms, Input { data, ..Input::default() })?;
    let changes = Changes {
        bureau_due_at: filing.due_at,
        bureau_due_is_provisional: Some(filing.due_is_provisional),
        ..Changes::default()
    };
    let submission = model::update(conn, ctx.now, submission.id, changes)?;
    Ok((filing, submission))
}

fn fail_sms(conn: &mut PgConnection, ctx: &Ctx, filing: Filing, submission: &Submission) -> ApiResult<()> {
    let data = json!({ "submission_id": submission.id });
    filings::act(conn, ctx, filing, Action::FailSms, Input { data, ..Input::default() })?;
    model::close_sms(conn, ctx.now, submission.id, SmsState::Failed)?;
    let changes = Changes {
        state: Some(SubmissionState::Rejected),
        decided_at: Some(ctx.now),
        result_code: Some(rules::SMS_FAILED.to_owned()),
        ..Changes::default()
    };
    model::update(conn, ctx.now, submission.id, changes)?;
    Ok(())
}

/// The 24 hours are over (row 12). Looks again under the lock: the last phone may have been confirmed meanwhile.
///
/// # Errors
/// What `filings::act` returns.
pub fn expire_sms(conn: &mut PgConnection, ctx: &Ctx, id: SubmissionId) -> ApiResult<()> {
    let (filing, submission) = model::lock(conn, id)?;
    let is_over = submission.sms_expires_at.is_some_and(|at| at <= ctx.now);
    if is_over && submission.state == SubmissionState::Accepted && filing.status == Status::SmsVerification {
        fail_sms(conn, ctx, filing, &submission)?;
    }
    Ok(())
}

/// The bureau approved or refused (rows 14 and 15). A decision that overtakes its acceptance, or the last phone, implies it.
///
/// # Errors
/// 422 when order number or ICP number are another filing's; 409 `contradiction`, `base_version_outdated`.
pub fn decide(
    conn: &mut PgConnection,
    ctx: &Ctx,
    id: SubmissionId,
    decision: &Decision,
) -> ApiResult<Outcome> {
    let (mut filing, mut submission) = model::lock(conn, id)?;
    let verdict = &decision.verdict;
    ensure_echo(conn, &filing, verdict)?;
    let (kind, reference) = (BureauEventKind::Decided, verdict.external_reference.as_str());
    let payload = decision.payload();
    if let Some(outcome) = is_repeat(conn, id, kind, reference, &payload)? {
        return Ok(outcome);
    }
    if model::WAITING.contains(&submission.state) {
        (filing, submission) = take_acceptance(conn, ctx, filing, submission, reference, None)?;
    } else if submission.state != SubmissionState::Accepted {
        return Ok(Outcome::Late);
    }
    if filing.status == Status::SmsVerification {
        model::close_sms(conn, ctx.now, id, SmsState::Confirmed)?;
        (filing, submission) = confirm_sms(conn, ctx, filing, &submission)?;
    }
    let data = json!({ "submission_id": id, "result_code": verdict.result_code });
    if verdict.is_approved {
        filings::act(conn, ctx, filing, Action::ApproveAtBureau, Input { data, ..Input::default() })?;
    } else {
        let items = if decision.items.is_empty() {
            let materials = materials(conn, &submission)?;
            let text = verdict.result_text.as_deref();
            rules::items(data::bureau_results(), Some(&verdict.result_code), text, &materials)
        } else {
            decision.items.clone()
        };
        let rejection = Some((RejectionSource::Bureau, verdict.result_text.as_deref(), items.as_slice()));
        filings::act(
            conn,
            ctx,
            filing,
            Action::RejectAtBureau,
            Input { rejection, data, ..Input::default() },
        )?;
    }
    let state = if verdict.is_approved { SubmissionState::Approved } else { SubmissionState::Rejected };
    let changes = Changes {
        state: Some(state),
        decided_at: Some(ctx.now),
        decided_by: ctx.actor.user_id,
        result_code: Some(verdict.result_code.clone()),
        result_text: verdict.result_text.clone(),
        ..Changes::default()
    };
    model::update(conn, ctx.now, id, changes)?;
    let applied = BureauEventOutcome::Applied;
    model::record_event(
        conn,
        ctx.now,
        id,
        &Heard { kind, reference, payload: &payload },
        applied,
        ctx.actor.user_id,
    )?;
    Ok(Outcome::Applied)
}

/// A decision repeats both numbers, so that a slip of the hand cannot hit another filing.
fn ensure_echo(conn: &mut PgConnection, filing: &Filing, verdict: &Verdict) -> ApiResult<()> {
    let icp_number = model::icp_number(conn, filing)?;
    let fault = |pointer: &str| {
        let text =
            Bilingual::new("与该提交的不一致，请核对", "is not that of this submission; compare again");
        FieldError::new(Place::Pointer(pointer.to_owned()), "mismatch", text)
    };
    let mut faults = Vec::new();
    if verdict.order_no.trim() != filing.order_no {
        faults.push(fault("/order_no"));
    }
    if verdict.icp_number.trim() != icp_number {
        faults.push(fault("/icp_number"));
    }
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(faults)) }
}

/// A new attempt. `is_absent`: the operator has asked the bureau's record, and it does not have the package.
///
/// # Errors
/// 409 `unconfirmed` unless `is_absent`, `invalid_transition`.
pub fn restart(
    conn: &mut PgConnection,
    ctx: &Ctx,
    id: SubmissionId,
    is_absent: bool,
    facts: Facts,
) -> ApiResult<()> {
    let (filing, submission) = model::lock(conn, id)?;
    ensure_step(Step::Restart, &submission, &filing, facts)?;
    if submission.state != SubmissionState::Failed && !is_absent {
        return Err(ApiError::new(&codes::UNCONFIRMED).with(&members::CURRENT_STATUS, submission.state));
    }
    let changes = Changes {
        state: Some(SubmissionState::Queued),
        last_error: Some(None),
        failed_attempts: Some(0),
        ..Changes::default()
    };
    let submission = model::update(conn, ctx.now, id, changes)?;
    // Where the bureau keeps a record of numbers, it is asked all the same.
    if let Some(lane) = &submission.lane {
        lane::doubt(conn, lane)?;
    }
    filings::touch(conn, ctx.now, filing.id)?;
    enqueue_dispatch(conn, ctx.now, id, submission.version)
}

/// Has the submission sent at once; `version` keeps this apart from a job that still waits for its next try.
///
/// # Errors
/// When the database fails.
pub fn enqueue_dispatch(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: SubmissionId,
    version: i32,
) -> ApiResult<()> {
    let job = NewJob::new("bureau.dispatch", json!({ "submission_id": id }));
    Ok(jobs::enqueue(conn, now, job.once(format!("bureau.dispatch/{id}/{version}")))?)
}

/// Has the submission sent by a time, even if a job for it is just ending.
///
/// # Errors
/// When the database fails.
pub fn enqueue_later(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    at: DateTime<Utc>,
    id: SubmissionId,
) -> ApiResult<()> {
    let payload = json!({ "submission_id": id });
    if jobs::is_pending(conn, "bureau.dispatch", &payload, at)? {
        return Ok(());
    }
    Ok(jobs::enqueue(conn, now, NewJob::new("bureau.dispatch", payload).at(at))?)
}

/// 409 unless the step is possible now.
///
/// # Errors
/// `unconfirmed`, or `invalid_transition` with `current_status` and `allowed_actions`.
pub fn ensure_step(step: Step, submission: &Submission, filing: &Filing, facts: Facts) -> ApiResult<()> {
    let facts = Facts { is_verifying_sms: filing.status == Status::SmsVerification, ..facts };
    if rules::is_allowed(step, submission.state, facts) {
        return Ok(());
    }
    let may_be_there = matches!(submission.state, SubmissionState::Unconfirmed | SubmissionState::Sending);
    let code =
        if step == Step::GiveUp && may_be_there { &codes::UNCONFIRMED } else { &codes::INVALID_TRANSITION };
    Err(ApiError::new(code)
        .with(&members::CURRENT_STATUS, submission.state)
        .with(&members::ALLOWED_ACTIONS, rules::allowed(submission.state, facts)))
}

/// Codes of the materials that the revision contained.
fn materials(conn: &mut PgConnection, submission: &Submission) -> QueryResult<Vec<String>> {
    filing_revision_attachments::table
        .inner_join(attachments::table)
        .filter(filing_revision_attachments::revision_id.eq(submission.revision_id))
        .select(attachments::purpose)
        .distinct()
        .order(attachments::purpose)
        .load(conn)
}

/// A time as the database keeps it, so that a repeat compares equal.
pub fn stored(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}
