//! How submissions, bureaus and a filing's place at the bureau are shown.

use chrono::{DateTime, Utc};
use diesel::{PgConnection, QueryResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{self, Bureau, Row, SmsVerification, Submission};
use super::next_actions::next_actions;
use super::rules::{self, Facts};
use super::{BureauEventKind, BureauEventOutcome, SmsRole, SmsState, SubmissionState};
use crate::catalogue::data;
use crate::filings;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{FilingId, SubmissionId};
use crate::kernel::working_days::Calendar;
use crate::websites::next_action::NextAction;

/// A hand-over to the bureau, as the operator's list shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BureauSubmissionSummary {
    /// The submission.
    pub id: SubmissionId,
    /// The filing.
    pub filing_id: FilingId,
    /// 备案订单号.
    #[schema(example = "BA-2026-000123")]
    pub order_no: String,
    /// ICP number of the website.
    #[schema(example = "蜀ICP备20260026号-1")]
    pub icp_number: String,
    /// Name of the website, as handed over.
    pub website_name: Option<String>,
    /// Province code of the bureau.
    #[schema(example = "110000")]
    pub bureau_code: String,
    /// Name of the bureau.
    #[schema(example = "北京市通信管理局")]
    pub bureau_name: String,
    /// Where it stands.
    pub state: SubmissionState,
    /// The state in words.
    pub state_label: String,
    /// How often it was sent.
    pub attempt_no: i32,
    /// When it was queued.
    pub queued_at: DateTime<Utc>,
    /// To be handed over by then.
    pub due_at: DateTime<Utc>,
    /// The due time lies beyond the loaded calendar.
    pub due_is_provisional: bool,
    /// The bureau decides by then; null until its review starts.
    pub bureau_due_at: Option<DateTime<Utc>>,
    /// Over the deadline that counts now.
    pub overdue: bool,
    /// Working days that are left until that deadline, today not counted: 0 on the last day and after it. Null when none
    /// counts.
    pub working_days_left: Option<u32>,
    /// Number of the accepted package, continuous per bureau.
    pub sequence_no: Option<i64>,
    /// Rises with every change.
    pub version: i32,
    /// When anything last changed.
    pub updated_at: DateTime<Utc>,
}

/// A page of submissions.
#[derive(Serialize, ToSchema)]
pub struct BureauSubmissionPage {
    /// The submissions.
    pub items: Vec<BureauSubmissionSummary>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// A hand-over to the bureau.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BureauSubmission {
    /// The submission.
    pub id: SubmissionId,
    /// The filing.
    pub filing_id: FilingId,
    /// 备案订单号; echoed with the decision.
    #[schema(example = "BA-2026-000123")]
    pub order_no: String,
    /// ICP number of the website; echoed with the decision.
    #[schema(example = "蜀ICP备20260026号-1")]
    pub icp_number: String,
    /// Name of the website, as handed over.
    pub website_name: Option<String>,
    /// Which revision is handed over.
    pub revision_no: i32,
    /// Province code of the bureau.
    #[schema(example = "110000")]
    pub bureau_code: String,
    /// Name of the bureau.
    #[schema(example = "北京市通信管理局")]
    pub bureau_name: String,
    /// Where it stands.
    pub state: SubmissionState,
    /// The state in words.
    pub state_label: String,
    /// How often it was sent.
    pub attempt_no: i32,
    /// When it was queued.
    pub queued_at: DateTime<Utc>,
    /// To be handed over by then.
    pub due_at: DateTime<Utc>,
    /// The due time lies beyond the loaded calendar.
    pub due_is_provisional: bool,
    /// When the last attempt began.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the bureau took it.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Number of the accepted package, continuous per bureau.
    pub sequence_no: Option<i64>,
    /// Number of the file at the ministry's interface, continuous per provider; null while there is none, and with other
    /// gateways.
    pub data_sequence: Option<i64>,
    /// The bureau's own number of the package.
    pub external_reference: Option<String>,
    /// The bureau decides by then; null until its review starts.
    pub bureau_due_at: Option<DateTime<Utc>>,
    /// The bureau's due time lies beyond the loaded calendar.
    pub bureau_due_is_provisional: Option<bool>,
    /// The SMS verification, where the province asks for it.
    pub sms: Option<SmsVerificationBody>,
    /// When it was decided or given up.
    pub decided_at: Option<DateTime<Utc>>,
    /// The bureau's result code, or `sms_failed`.
    #[schema(example = "1001")]
    pub result_code: Option<String>,
    /// The bureau's words, or why it was given up.
    pub result_text: Option<String>,
    /// Why the last attempt ended without success.
    pub last_error: Option<String>,
    /// What the operator can do next, the primary step first.
    pub next_actions: Vec<NextAction>,
    /// What the bureau said, oldest first.
    pub events: Vec<BureauEventBody>,
    /// Rises with every change.
    pub version: i32,
    /// When anything last changed.
    pub updated_at: DateTime<Utc>,
}

/// Something that the bureau said.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BureauEvent)]
pub struct BureauEventBody {
    /// What it was about.
    pub kind: BureauEventKind,
    /// The bureau's own number.
    pub external_reference: String,
    /// Whether it took effect.
    pub outcome: BureauEventOutcome,
    /// When it was received or entered.
    pub received_at: DateTime<Utc>,
}

/// The ministry's check of phones by SMS; informational here.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SmsVerification)]
pub struct SmsVerificationBody {
    /// Until when the codes must be typed.
    pub expires_at: Option<DateTime<Utc>>,
    /// The phones.
    pub phones: Vec<SmsPhone>,
}

/// A phone under verification.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SmsPhone {
    /// Whose it is.
    pub role: SmsRole,
    /// The number, masked.
    #[schema(example = "138****8000")]
    pub masked: String,
    /// Where it stands.
    pub state: SmsState,
    /// The state in words.
    pub state_label: String,
    /// Wrong codes typed so far; the sixth ends it.
    pub wrong_attempts: i32,
}

/// Where a filing stands at the bureau.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FilingBureau)]
pub struct BureauBody {
    /// Province code of the bureau.
    #[schema(example = "110000")]
    pub bureau_code: String,
    /// Name of the bureau.
    #[schema(example = "北京市通信管理局")]
    pub name: String,
    /// Whether it takes nothing at present; filings wait in order.
    pub is_paused: bool,
    /// Why.
    pub pause_reason: Option<String>,
    /// When the filing was queued for it.
    pub queued_at: DateTime<Utc>,
    /// When it took the filing.
    pub submitted_at: Option<DateTime<Utc>>,
    /// Hand-over, then decision, is due by then.
    pub due_at: DateTime<Utc>,
    /// The bureau's result code, or `sms_failed`.
    #[schema(example = "1001")]
    pub result_code: Option<String>,
    /// The bureau's words.
    pub result_text: Option<String>,
    /// The SMS verification, where the province asks for it.
    pub sms: Option<SmsVerificationBody>,
    /// It waits for its hand-over, which is not the first of its revision: a prompt says so.
    #[serde(skip)]
    #[schema(ignore)]
    pub is_again: bool,
    /// When it was decided or given up.
    #[serde(skip)]
    #[schema(ignore)]
    pub decided_at: Option<DateTime<Utc>>,
}

impl BureauBody {
    /// Why the SMS verification failed, as the prompts call it.
    pub fn sms_situation(&self) -> &'static str {
        let phones = self.sms.iter().flat_map(|sms| &sms.phones);
        let is_late = self.sms.as_ref().and_then(|sms| sms.expires_at).zip(self.decided_at);
        if phones.into_iter().any(|phone| phone.wrong_attempts >= rules::WRONG_TRIES) {
            "wrong_codes"
        } else if is_late.is_some_and(|(expires_at, decided_at)| decided_at >= expires_at) {
            "too_late"
        } else {
            "default"
        }
    }
}

/// A provincial bureau (通信管理局).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Bureau)]
pub struct ProvincialBureau {
    /// Province code, GB/T 2260.
    #[schema(example = "110000")]
    pub code: String,
    /// Name.
    #[schema(example = "北京市通信管理局")]
    pub name: String,
    /// Whether it takes nothing at present.
    pub is_paused: bool,
    /// Since when.
    pub paused_at: Option<DateTime<Utc>>,
    /// Why; applicants see it.
    pub pause_reason: Option<String>,
    /// What stopped the gateway, if it was the gateway itself that paused; for operators only.
    pub gateway_error: Option<String>,
    /// Number of the last accepted package.
    pub last_sequence_no: i64,
    /// Rises with every change.
    pub version: i32,
}

/// Every bureau; there are 31, so one page holds all.
#[derive(Serialize, ToSchema)]
pub struct BureauPage {
    /// The bureaus, by code.
    pub items: Vec<ProvincialBureau>,
    /// Always null.
    pub next_cursor: Option<String>,
    /// Always false.
    pub has_more: bool,
}

fn state_label(state: SubmissionState, locale: Locale) -> String {
    data::status_label("bureau_submission", state.as_str(), locale.as_str()).to_owned()
}

/// A row of the list.
pub fn summary(row: Row, now: DateTime<Utc>, locale: Locale, calendar: &Calendar) -> BureauSubmissionSummary {
    let Row {
        submission,
        order_no,
        icp_number,
        revision_no: _,
        website_name,
        bureau_name_zh,
        bureau_name_en,
    } = row;
    let due = match submission.state {
        state if model::WAITING.contains(&state) => Some(submission.due_at),
        SubmissionState::Accepted => submission.bureau_due_at,
        _ => None,
    };
    BureauSubmissionSummary {
        id: submission.id,
        filing_id: submission.filing_id,
        order_no,
        icp_number,
        website_name,
        bureau_name: locale.pick(&bureau_name_zh, &bureau_name_en).to_owned(),
        bureau_code: submission.bureau_code,
        state: submission.state,
        state_label: state_label(submission.state, locale),
        attempt_no: submission.attempt_no,
        queued_at: submission.queued_at,
        due_at: submission.due_at,
        due_is_provisional: submission.due_is_provisional,
        bureau_due_at: submission.bureau_due_at,
        overdue: due.is_some_and(|due| due < now),
        working_days_left: due.map(|due| calendar.working_days_left(now, due).count),
        sequence_no: submission.sequence_no,
        version: submission.version,
        updated_at: submission.updated_at,
    }
}

/// A submission as the operator sees it.
///
/// # Errors
/// When the database fails.
pub fn submission(
    conn: &mut PgConnection,
    id: SubmissionId,
    facts: Facts,
    locale: Locale,
) -> QueryResult<BureauSubmission> {
    let Row { submission, order_no, icp_number, revision_no, website_name, bureau_name_zh, bureau_name_en } =
        model::row(conn, id)?;
    let sms = sms(conn, &submission, locale)?;
    let status = filings::model::find(conn, submission.filing_id)?.status;
    let facts = Facts { is_verifying_sms: status == filings::Status::SmsVerification, ..facts };
    let events = model::events(conn, id)?
        .into_iter()
        .map(|event| BureauEventBody {
            // The key in the table begins with the kind.
            external_reference: event
                .external_reference
                .split_once(':')
                .map_or(event.external_reference.as_str(), |(_, reference)| reference)
                .to_owned(),
            kind: event.kind,
            outcome: event.outcome,
            received_at: event.received_at,
        })
        .collect();
    Ok(BureauSubmission {
        id,
        filing_id: submission.filing_id,
        order_no,
        icp_number,
        website_name,
        revision_no,
        bureau_name: locale.pick(&bureau_name_zh, &bureau_name_en).to_owned(),
        bureau_code: submission.bureau_code,
        state: submission.state,
        state_label: state_label(submission.state, locale),
        attempt_no: submission.attempt_no,
        queued_at: submission.queued_at,
        due_at: submission.due_at,
        due_is_provisional: submission.due_is_provisional,
        sent_at: submission.sent_at,
        accepted_at: submission.accepted_at,
        sequence_no: submission.sequence_no,
        data_sequence: submission.data_sequence,
        external_reference: submission.external_reference,
        bureau_due_at: submission.bureau_due_at,
        bureau_due_is_provisional: submission.bureau_due_is_provisional,
        sms,
        decided_at: submission.decided_at,
        result_code: submission.result_code,
        result_text: submission.result_text,
        last_error: submission.last_error,
        next_actions: next_actions(id, submission.state, facts, locale),
        events,
        version: submission.version,
        updated_at: submission.updated_at,
    })
}

fn sms(
    conn: &mut PgConnection,
    submission: &Submission,
    locale: Locale,
) -> QueryResult<Option<SmsVerificationBody>> {
    if submission.accepted_at.is_none() {
        return Ok(None);
    }
    let phones: Vec<SmsPhone> = model::sms(conn, submission.id)?
        .into_iter()
        .map(|SmsVerification { id: _, role, mobile, state, wrong_attempts }| SmsPhone {
            role,
            masked: mobile.mask(),
            state,
            state_label: data::status_label("sms_verification", state.as_str(), locale.as_str()).to_owned(),
            wrong_attempts,
        })
        .collect();
    Ok((!phones.is_empty()).then_some(SmsVerificationBody { expires_at: submission.sms_expires_at, phones }))
}

/// Where a filing stands at the bureau, for the filing's reply; none before it was ever queued.
///
/// # Errors
/// When the database fails.
pub fn current(conn: &mut PgConnection, filing: FilingId, locale: Locale) -> QueryResult<Option<BureauBody>> {
    let Some((submission, bureau)) = model::latest(conn, filing)? else { return Ok(None) };
    let sms = sms(conn, &submission, locale)?;
    let is_again = submission.accepted_at.is_none()
        && model::WAITING.contains(&submission.state)
        && model::is_again(conn, &submission)?;
    Ok(Some(BureauBody {
        is_again,
        decided_at: submission.decided_at,
        name: locale.pick(&bureau.name_zh, &bureau.name_en).to_owned(),
        bureau_code: bureau.code,
        is_paused: bureau.paused_at.is_some(),
        pause_reason: bureau.pause_reason,
        queued_at: submission.queued_at,
        submitted_at: submission.accepted_at,
        due_at: submission.bureau_due_at.unwrap_or(submission.due_at),
        result_code: submission.result_code,
        result_text: submission.result_text,
        sms,
    }))
}

/// A bureau as it is shown; `stop_reason` is the gateway's, if it stands still.
pub fn bureau(row: Bureau, stop_reason: Option<&str>, locale: Locale) -> ProvincialBureau {
    let is_stopped = row.paused_at.is_some() && row.paused_by.is_none();
    ProvincialBureau {
        gateway_error: stop_reason.filter(|_| is_stopped).map(str::to_owned),
        name: locale.pick(&row.name_zh, &row.name_en).to_owned(),
        code: row.code,
        is_paused: row.paused_at.is_some(),
        paused_at: row.paused_at,
        pause_reason: row.pause_reason,
        last_sequence_no: row.last_sequence_no,
        version: row.version,
    }
}
