//! Rows of bureau submissions, of what the bureau said, of phones under verification, and of bureaus.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};

use super::lane::{self, DataState};
use super::{BureauEventKind, BureauEventOutcome, SmsRole, SmsState, SubmissionState};
use crate::error::ApiResult;
use crate::filings::{self, Filing};
use crate::kernel::ids::{FilingId, RevisionId, SubmissionId, UserId};
use crate::kernel::jobs::{self, NewJob};
use crate::kernel::page::{Limit, Position};
use crate::kernel::pii::{Phone, Sensitive};
use crate::kernel::search;
use crate::schema::{
    bureau_events, bureau_submissions as submissions, bureaus, filing_revisions, filings as filings_table,
    sms_verifications, subjects, website_contents, websites,
};

/// Under way: a filing has at most one of these.
pub const LIVE: [SubmissionState; 5] = [
    SubmissionState::Queued,
    SubmissionState::Sending,
    SubmissionState::Accepted,
    SubmissionState::Unconfirmed,
    SubmissionState::Failed,
];
/// Not yet with the bureau, as far as we know.
pub const WAITING: [SubmissionState; 4] = [
    SubmissionState::Queued,
    SubmissionState::Sending,
    SubmissionState::Unconfirmed,
    SubmissionState::Failed,
];

/// A submission.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = crate::schema::bureau_submissions)]
pub struct Submission {
    pub id: SubmissionId,
    pub filing_id: FilingId,
    pub revision_id: RevisionId,
    pub bureau_code: String,
    pub state: SubmissionState,
    pub attempt_no: i32,
    pub queued_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub due_is_provisional: bool,
    pub sent_at: Option<DateTime<Utc>>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub sequence_no: Option<i64>,
    pub external_reference: Option<String>,
    pub bureau_due_at: Option<DateTime<Utc>>,
    pub bureau_due_is_provisional: Option<bool>,
    pub sms_expires_at: Option<DateTime<Utc>>,
    pub decided_at: Option<DateTime<Utc>>,
    pub result_code: Option<String>,
    pub result_text: Option<String>,
    pub last_error: Option<String>,
    pub version: i32,
    pub updated_at: DateTime<Utc>,
    /// The lane over which it went or goes.
    pub lane: Option<String>,
    /// Number of its file in the lane.
    pub data_sequence: Option<i64>,
    pub data_state: Option<DataState>,
    /// Attempts in a row that failed because of this package.
    pub failed_attempts: i32,
}

/// What a step changes; what is absent stays.
#[derive(AsChangeset, Default)]
#[diesel(table_name = crate::schema::bureau_submissions)]
pub struct Changes {
    pub state: Option<SubmissionState>,
    pub attempt_no: Option<i32>,
    pub sent_at: Option<DateTime<Utc>>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub sequence_no: Option<i64>,
    pub external_reference: Option<String>,
    pub bureau_due_at: Option<DateTime<Utc>>,
    pub bureau_due_is_provisional: Option<bool>,
    pub sms_expires_at: Option<DateTime<Utc>>,
    pub decided_at: Option<DateTime<Utc>>,
    pub decided_by: Option<UserId>,
    pub result_code: Option<String>,
    pub result_text: Option<String>,
    pub last_error: Option<Option<String>>,
    pub failed_attempts: Option<i32>,
}

/// A submission with what a list shows beside it.
#[derive(Debug, Clone, Queryable)]
pub struct Row {
    pub submission: Submission,
    pub order_no: String,
    pub icp_number: String,
    pub revision_no: i32,
    pub website_name: Option<String>,
    pub bureau_name_zh: String,
    pub bureau_name_en: String,
}

/// What a list asks for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub states: Option<Vec<SubmissionState>>,
    pub bureau_codes: Option<Vec<String>>,
    pub filing_id: Option<FilingId>,
    /// Over its deadline at this time, or not.
    pub overdue: Option<bool>,
    /// Beginning of the order number.
    pub q: Option<String>,
}

/// A phone under verification.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = crate::schema::sms_verifications)]
pub struct SmsVerification {
    pub id: uuid::Uuid,
    pub role: SmsRole,
    pub mobile: Sensitive<Phone>,
    pub state: SmsState,
    pub wrong_attempts: i32,
}

/// Something that the bureau said.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = crate::schema::bureau_events)]
pub struct BureauEvent {
    /// Kind and reference, see [`event_key`].
    pub external_reference: String,
    pub kind: BureauEventKind,
    pub payload: Value,
    pub outcome: BureauEventOutcome,
    pub received_at: DateTime<Utc>,
}

/// A provincial bureau.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = crate::schema::bureaus)]
pub struct Bureau {
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    pub paused_at: Option<DateTime<Utc>>,
    pub pause_reason: Option<String>,
    /// Nobody while it is paused: the gateway has stopped.
    pub paused_by: Option<UserId>,
    pub last_sequence_no: i64,
    pub version: i32,
}

/// A submission to be queued.
#[derive(Debug, Clone)]
pub struct NewSubmission {
    /// The filing.
    pub filing_id: FilingId,
    /// The revision that is handed over.
    pub revision_id: RevisionId,
    /// Province code of the bureau.
    pub bureau_code: String,
    /// To be handed over within one working day.
    pub due_at: DateTime<Utc>,
    /// The due time lies beyond the loaded calendar.
    pub due_is_provisional: bool,
}

/// Queues a revision for the bureau and enqueues the job that sends it.
///
/// # Errors
/// When the database fails.
pub fn queue(conn: &mut PgConnection, now: DateTime<Utc>, new: NewSubmission) -> QueryResult<SubmissionId> {
    let id = SubmissionId::new();
    diesel::insert_into(submissions::table)
        .values((
            submissions::id.eq(id),
            submissions::filing_id.eq(new.filing_id),
            submissions::revision_id.eq(new.revision_id),
            submissions::bureau_code.eq(new.bureau_code),
            submissions::state.eq(SubmissionState::Queued),
            submissions::queued_at.eq(now),
            submissions::due_at.eq(new.due_at),
            submissions::due_is_provisional.eq(new.due_is_provisional),
            submissions::updated_at.eq(now),
        ))
        .execute(conn)?;
    jobs::enqueue(
        conn,
        now,
        NewJob::new("bureau.dispatch", json!({ "submission_id": id })).once(format!("bureau.dispatch/{id}")),
    )?;
    Ok(id)
}

/// State of the live submission of a filing.
///
/// # Errors
/// When the database fails.
pub fn live_state(conn: &mut PgConnection, filing: FilingId) -> QueryResult<Option<SubmissionState>> {
    submissions::table
        .filter(submissions::filing_id.eq(filing))
        .filter(submissions::state.eq_any(LIVE))
        .select(submissions::state)
        .first(conn)
        .optional()
}

/// The live submission of a filing, and where it stands.
///
/// # Errors
/// When the database fails.
pub fn live(
    conn: &mut PgConnection,
    filing: FilingId,
) -> QueryResult<Option<(SubmissionId, SubmissionState)>> {
    submissions::table
        .filter(submissions::filing_id.eq(filing))
        .filter(submissions::state.eq_any(LIVE))
        .select((submissions::id, submissions::state))
        .first(conn)
        .optional()
}

/// Whether the same revision was handed over before and came back because of the SMS verification.
///
/// # Errors
/// When the database fails.
pub fn is_again(conn: &mut PgConnection, submission: &Submission) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(
        submissions::table
            .filter(submissions::filing_id.eq(submission.filing_id))
            .filter(submissions::revision_id.eq(submission.revision_id))
            .filter(submissions::result_code.eq(super::rules::SMS_FAILED)),
    ))
    .get_result(conn)
}

/// A hand-over that a filing waits for.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// The filing.
    pub filing_id: FilingId,
    /// The bureau takes nothing at present.
    pub bureau_is_paused: bool,
    /// It is not the first of its revision.
    pub is_again: bool,
}

/// The hand-overs that these filings wait for.
///
/// # Errors
/// When the database fails.
pub fn waiting_of(conn: &mut PgConnection, filings: &[FilingId]) -> QueryResult<Vec<Waiting>> {
    let waiting: Vec<(FilingId, RevisionId, bool)> = submissions::table
        .inner_join(bureaus::table)
        .filter(submissions::filing_id.eq_any(filings))
        .filter(submissions::state.eq_any(WAITING))
        .select((submissions::filing_id, submissions::revision_id, bureaus::paused_at.is_not_null()))
        .load(conn)?;
    let failed: Vec<RevisionId> = submissions::table
        .filter(submissions::filing_id.eq_any(filings))
        .filter(submissions::result_code.eq(super::rules::SMS_FAILED))
        .select(submissions::revision_id)
        .load(conn)?;
    let known = |(filing_id, revision, bureau_is_paused)| Waiting {
        filing_id,
        bureau_is_paused,
        is_again: failed.contains(&revision),
    };
    Ok(waiting.into_iter().map(known).collect())
}

/// Cancels a submission that has not been sent.
///
/// # Errors
/// When the database fails.
pub fn cancel_queued(conn: &mut PgConnection, now: DateTime<Utc>, filing: FilingId) -> ApiResult<()> {
    let cancelled: Option<Submission> = diesel::update(
        submissions::table
            .filter(submissions::filing_id.eq(filing))
            .filter(submissions::state.eq(SubmissionState::Queued)),
    )
    .set((
        submissions::state.eq(SubmissionState::Cancelled),
        submissions::updated_at.eq(now),
        submissions::version.eq(submissions::version + 1),
    ))
    .returning(Submission::as_returning())
    .get_result(conn)
    .optional()?;
    cancelled.map_or(Ok(()), |submission| lane::release(conn, now, &submission))
}

/// Reads a submission.
pub fn find(conn: &mut PgConnection, id: SubmissionId) -> QueryResult<Submission> {
    submissions::table.find(id).select(Submission::as_select()).first(conn)
}

/// Locks subject, filing and submission in this order. What was read before must be read again.
///
/// # Errors
/// 404.
pub fn lock(conn: &mut PgConnection, id: SubmissionId) -> ApiResult<(Filing, Submission)> {
    let filing_id: FilingId = submissions::table.find(id).select(submissions::filing_id).first(conn)?;
    let filing = filings::lock(conn, filing_id)?;
    let submission =
        submissions::table.find(id).select(Submission::as_select()).for_no_key_update().first(conn)?;
    Ok((filing, submission))
}

/// Changes a locked submission and bumps its version.
pub fn update(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: SubmissionId,
    changes: Changes,
) -> QueryResult<Submission> {
    diesel::update(submissions::table.find(id))
        .set((changes, submissions::version.eq(submissions::version + 1), submissions::updated_at.eq(now)))
        .returning(Submission::as_returning())
        .get_result(conn)
}

/// A page of submissions, the one that waited longest first.
pub fn list(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    filter: &Filter,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<Row>> {
    let mut query =
        rows().order((submissions::queued_at, submissions::id)).limit(limit.rows_to_read()).into_boxed();
    if let Some(states) = &filter.states {
        query = query.filter(submissions::state.eq_any(states.clone()));
    }
    if let Some(codes) = &filter.bureau_codes {
        query = query.filter(submissions::bureau_code.eq_any(codes.clone()));
    }
    if let Some(id) = filter.filing_id {
        query = query.filter(submissions::filing_id.eq(id));
    }
    if let Some(overdue) = filter.overdue {
        let hand_over = submissions::state.eq_any(WAITING).and(submissions::due_at.lt(now));
        let decision = submissions::state
            .eq(SubmissionState::Accepted)
            .and(submissions::bureau_due_at.is_not_null())
            .and(submissions::bureau_due_at.assume_not_null().lt(now));
        let is_overdue = hand_over.or(decision);
        query = if overdue { query.filter(is_overdue) } else { query.filter(diesel::dsl::not(is_overdue)) };
    }
    if let Some(q) = &filter.q {
        query = query.filter(filings_table::order_no.like(search::beginning(q)));
    }
    if let Some(Position { at, id }) = after {
        let later = submissions::queued_at.eq(at).and(submissions::id.gt(SubmissionId(id)));
        query = query.filter(submissions::queued_at.ge(at)).filter(submissions::queued_at.gt(at).or(later));
    }
    query.load(conn)
}

/// One submission as a list shows it.
pub fn row(conn: &mut PgConnection, id: SubmissionId) -> QueryResult<Row> {
    rows().filter(submissions::id.eq(id)).first(conn)
}

/// The latest submission of a filing that was not withdrawn, with its bureau.
pub fn latest(conn: &mut PgConnection, filing: FilingId) -> QueryResult<Option<(Submission, Bureau)>> {
    submissions::table
        .inner_join(bureaus::table)
        .filter(submissions::filing_id.eq(filing))
        .filter(submissions::state.ne(SubmissionState::Cancelled))
        .order((submissions::queued_at.desc(), submissions::id.desc()))
        .select((Submission::as_select(), Bureau::as_select()))
        .first(conn)
        .optional()
}

#[diesel::dsl::auto_type]
fn rows() -> _ {
    let submission: diesel::dsl::AsSelect<Submission, diesel::pg::Pg> = Submission::as_select();
    submissions::table
        .inner_join(filings_table::table.inner_join(websites::table))
        .inner_join(filing_revisions::table.inner_join(website_contents::table))
        .inner_join(bureaus::table)
        .select((
            submission,
            filings_table::order_no,
            websites::icp_number,
            filing_revisions::revision_no,
            website_contents::name,
            bureaus::name_zh,
            bureaus::name_en,
        ))
}

/// ICP number of the website that a filing changes.
pub fn icp_number(conn: &mut PgConnection, filing: &Filing) -> QueryResult<String> {
    websites::table.find(filing.website_id).select(websites::icp_number).first(conn)
}

/// The next number of an accepted package: continuous per bureau, since a number taken by a transaction that fails is
/// rolled back with it. Taken last, as every transaction of a bureau waits here.
pub fn next_sequence_no(conn: &mut PgConnection, bureau: &str) -> QueryResult<i64> {
    diesel::update(bureaus::table.find(bureau))
        .set(bureaus::last_sequence_no.eq(bureaus::last_sequence_no + 1))
        .returning(bureaus::last_sequence_no)
        .get_result(conn)
}

/// Key of an event: a bureau may give its acceptance and its decision the same number, and they are no contradiction.
pub fn event_key(kind: BureauEventKind, reference: &str) -> String {
    format!("{kind}:{reference}")
}

/// What was recorded under a key.
pub fn event(conn: &mut PgConnection, id: SubmissionId, key: &str) -> QueryResult<Option<BureauEvent>> {
    bureau_events::table
        .filter(bureau_events::submission_id.eq(id))
        .filter(bureau_events::external_reference.eq(key))
        .select(BureauEvent::as_select())
        .first(conn)
        .optional()
}

/// Everything that the bureau said about a submission, oldest first.
pub fn events(conn: &mut PgConnection, id: SubmissionId) -> QueryResult<Vec<BureauEvent>> {
    bureau_events::table
        .filter(bureau_events::submission_id.eq(id))
        .order((bureau_events::received_at, bureau_events::id))
        .select(BureauEvent::as_select())
        .load(conn)
}

/// Something that the bureau said, to be recorded.
pub struct Heard<'a> {
    /// What it was about.
    pub kind: BureauEventKind,
    /// The bureau's own number.
    pub reference: &'a str,
    /// What is kept of it, and compared with a repeat.
    pub payload: &'a Value,
}

/// Records what the bureau said. An exact repeat changes nothing.
pub fn record_event(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: SubmissionId,
    heard: &Heard<'_>,
    outcome: BureauEventOutcome,
    from: Option<UserId>,
) -> QueryResult<()> {
    diesel::insert_into(bureau_events::table)
        .values((
            bureau_events::id.eq(uuid::Uuid::now_v7()),
            bureau_events::submission_id.eq(id),
            bureau_events::external_reference.eq(event_key(heard.kind, heard.reference)),
            bureau_events::kind.eq(heard.kind),
            bureau_events::payload.eq(heard.payload),
            bureau_events::outcome.eq(outcome),
            bureau_events::received_at.eq(now),
            bureau_events::received_from.eq(from),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .map(drop)
}

/// Phones under verification, the website's first.
pub fn sms(conn: &mut PgConnection, id: SubmissionId) -> QueryResult<Vec<SmsVerification>> {
    sms_verifications::table
        .filter(sms_verifications::submission_id.eq(id))
        .order(sms_verifications::role.desc())
        .select(SmsVerification::as_select())
        .load(conn)
}

/// Starts the verification of a phone.
pub fn add_sms(
    conn: &mut PgConnection,
    id: SubmissionId,
    role: SmsRole,
    mobile: &Sensitive<Phone>,
) -> QueryResult<()> {
    diesel::insert_into(sms_verifications::table)
        .values((
            sms_verifications::id.eq(uuid::Uuid::now_v7()),
            sms_verifications::submission_id.eq(id),
            sms_verifications::role.eq(role),
            sms_verifications::mobile.eq(mobile),
            sms_verifications::state.eq(SmsState::Pending),
        ))
        .execute(conn)
        .map(drop)
}

/// Records how a verification stands.
pub fn set_sms(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: uuid::Uuid,
    state: SmsState,
    wrong_attempts: i32,
) -> QueryResult<()> {
    diesel::update(sms_verifications::table.find(id))
        .set((
            sms_verifications::state.eq(state),
            sms_verifications::wrong_attempts.eq(wrong_attempts),
            sms_verifications::confirmed_at.eq((state == SmsState::Confirmed).then_some(now)),
        ))
        .execute(conn)
        .map(drop)
}

/// Closes every verification that is still pending.
pub fn close_sms(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: SubmissionId,
    state: SmsState,
) -> QueryResult<()> {
    for phone in sms(conn, id)?.into_iter().filter(|phone| phone.state == SmsState::Pending) {
        set_sms(conn, now, phone.id, state, phone.wrong_attempts)?;
    }
    Ok(())
}

/// Mobile of the subject's responsible person.
pub fn subject_mobile(conn: &mut PgConnection, filing: &Filing) -> QueryResult<Sensitive<Phone>> {
    subjects::table.find(filing.subject_id).select(subjects::person_mobile).first(conn)
}

/// Submissions of a bureau that wait for it, in order.
pub fn waiting_at(conn: &mut PgConnection, bureau: &str) -> QueryResult<Vec<(SubmissionId, FilingId)>> {
    submissions::table
        .filter(submissions::bureau_code.eq(bureau))
        .filter(submissions::state.eq_any([
            SubmissionState::Queued,
            SubmissionState::Sending,
            SubmissionState::Unconfirmed,
        ]))
        .order((submissions::queued_at, submissions::id))
        .select((submissions::id, submissions::filing_id))
        .load(conn)
}

/// Filings whose reply shows one of these bureaus: their latest submission lies there and is under way.
pub fn filings_at(conn: &mut PgConnection, bureaus: &[String]) -> QueryResult<Vec<FilingId>> {
    submissions::table
        .filter(submissions::bureau_code.eq_any(bureaus))
        .filter(submissions::state.eq_any(LIVE))
        .order(submissions::filing_id)
        .select(submissions::filing_id)
        .load(conn)
}

/// Submissions whose SMS verification has run out.
pub fn sms_overdue(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<Vec<SubmissionId>> {
    submissions::table
        .inner_join(filings_table::table)
        .filter(submissions::state.eq(SubmissionState::Accepted))
        .filter(submissions::sms_expires_at.assume_not_null().le(now))
        .filter(filings_table::status.eq(filings::Status::SmsVerification))
        .order(submissions::sms_expires_at)
        .select(submissions::id)
        .limit(500)
        .load(conn)
}

/// Hand-overs without success: over their deadline, failed or unconfirmed.
pub fn unresolved(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> QueryResult<Vec<(SubmissionId, SubmissionState)>> {
    let stuck = submissions::state.eq_any([SubmissionState::Failed, SubmissionState::Unconfirmed]);
    let overdue = submissions::state.eq_any(WAITING).and(submissions::due_at.lt(now));
    submissions::table
        .filter(stuck.or(overdue))
        .order((submissions::due_at, submissions::id))
        .select((submissions::id, submissions::state))
        .load(conn)
}

/// The latest submission of an order that is or may be at the bureau: one that still waits here cannot have been decided.
pub fn latest_sent_of_order(conn: &mut PgConnection, order_no: &str) -> QueryResult<Option<SubmissionId>> {
    submissions::table
        .inner_join(filings_table::table)
        .filter(filings_table::order_no.eq(order_no))
        .filter(
            submissions::accepted_at
                .is_not_null()
                .or(submissions::state.eq_any([SubmissionState::Sending, SubmissionState::Unconfirmed])),
        )
        .order((submissions::queued_at.desc(), submissions::id.desc()))
        .select(submissions::id)
        .first(conn)
        .optional()
}

/// Every bureau, by code.
pub fn bureaus_all(conn: &mut PgConnection) -> QueryResult<Vec<Bureau>> {
    bureaus::table.order(bureaus::code).select(Bureau::as_select()).load(conn)
}

/// A bureau.
pub fn bureau(conn: &mut PgConnection, code: &str) -> QueryResult<Bureau> {
    bureaus::table.find(code).select(Bureau::as_select()).first(conn)
}

/// Pauses (with a reason) or resumes a bureau.
pub fn set_pause(
    conn: &mut PgConnection,
    code: &str,
    pause: Option<(DateTime<Utc>, &str, UserId)>,
) -> QueryResult<Bureau> {
    diesel::update(bureaus::table.find(code))
        .set((
            bureaus::paused_at.eq(pause.map(|(at, _, _)| at)),
            bureaus::pause_reason.eq(pause.map(|(_, reason, _)| reason)),
            bureaus::paused_by.eq(pause.map(|(_, _, by)| by)),
            bureaus::version.eq(bureaus::version + 1),
        ))
        .returning(Bureau::as_returning())
        .get_result(conn)
}
