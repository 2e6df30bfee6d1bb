//! What every step of an operator has in common: once per key, the version that was seen, one transaction, the audit row, the
//! submission as the answer.

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde_json::{Value, json};

use super::apply::{self, Outcome};
use super::rules::Facts;
use super::{BureauEventKind, body, model};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult, members};
use crate::error_codes as codes;
use crate::filings::{self, Ctx, Side};
use crate::kernel::etag::{self, IfMatch};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::SubmissionId;
use crate::kernel::reply::Reply;

/// A step asked for by an operator.
pub struct Asked {
    /// Who.
    pub caller: Caller,
    /// Of which submission.
    pub id: SubmissionId,
    /// Name of the deed in the audit trail.
    pub deed: &'static str,
    /// Whether nobody may do it to a filing of their own.
    pub needs_separation: bool,
}

/// What decides beside the state.
pub fn facts(app: &App) -> Facts {
    Facts { is_automatic: app.bureau.is_automatic(), is_verifying_sms: false }
}

/// 200 with the submission and its ETag.
///
/// # Errors
/// 404.
pub fn reply(conn: &mut PgConnection, caller: &Caller, id: SubmissionId, facts: Facts) -> ApiResult<Reply> {
    let shown = body::submission(conn, id, facts, caller.locale)?;
    let tag = etag::etag(shown.version, caller.view(), caller.locale);
    Ok(Reply::ok(&shown)?.etag(tag))
}

/// Does a step in one transaction, at most once per idempotency key.
///
/// # Errors
/// 403 `separation_of_duties`, 404, 412, or what `work` returns.
pub async fn take<W>(
    app: &App,
    idem: Idempotency,
    if_match: IfMatch,
    asked: Asked,
    work: W,
) -> ApiResult<Reply>
where
    W: FnOnce(&mut PgConnection, &Ctx) -> ApiResult<()> + Send + 'static,
{
    let now = app.clock.now();
    let id = asked.id;
    let scope = asked.caller.user_id.to_string();
    let asker = asked.caller.clone();
    let needs_separation = asked.needs_separation;
    let facts = facts(app);
    let reply = idem
        .run(
            &app.db,
            now,
            &scope,
            move |conn| {
                let submission = model::find(conn, id)?;
                if needs_separation {
                    let filing = filings::model::find(conn, submission.filing_id)?;
                    filings::ensure_separate(conn, &asker, &filing)?;
                }
                Ok(())
            },
            move |conn| take_locked(conn, now, &asked, if_match.optional(), facts, work),
        )
        .await?;
    app.waker.wake();
    Ok(reply)
}

/// Does a step in the caller's transaction.
///
/// # Errors
/// 404, 412, or what `work` returns.
pub fn take_locked<W>(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    asked: &Asked,
    expected: Option<i32>,
    facts: Facts,
    work: W,
) -> ApiResult<Reply>
where
    W: FnOnce(&mut PgConnection, &Ctx) -> ApiResult<()>,
{
    let (filing, submission) = model::lock(conn, asked.id)?;
    etag::ensure_version(expected, submission.version)?;
    let actor = Actor::from(&asked.caller);
    work(conn, &Ctx::new(now, actor.clone(), Side::Operator))?;
    let deed = Deed::new(asked.deed, "bureau_submission", asked.id.0)
        .account(filing.account_id)
        .filing(filing.id)
        .details(json!({ "bureau_code": submission.bureau_code }));
    audit::record(conn, now, &actor, deed)?;
    reply(conn, &asked.caller, asked.id, facts)
}

/// Something that the bureau said, entered by an operator.
pub struct Said {
    /// What it was about.
    pub kind: BureauEventKind,
    /// The bureau's own number.
    pub reference: String,
    /// What is kept of it.
    pub payload: Value,
}

/// As [`take`], for what the bureau said: when it comes too late the refusal rolls everything back, so it is recorded in a
/// transaction of its own.
///
/// # Errors
/// As [`take`], and 409 `late_event`.
pub async fn take_said<W>(
    app: &App,
    idem: Idempotency,
    if_match: IfMatch,
    asked: Asked,
    said: Said,
    work: W,
) -> ApiResult<Reply>
where
    W: FnOnce(&mut PgConnection, &Ctx) -> ApiResult<Outcome> + Send + 'static,
{
    let now = app.clock.now();
    let (id, actor) = (asked.id, Actor::from(&asked.caller));
    let outcome = take(app, idem, if_match, asked, move |conn, ctx| {
        let outcome = work(conn, ctx)?;
        ensure_timely(conn, id, outcome)
    })
    .await;
    record_if_late(app, now, actor, id, said, &outcome).await?;
    outcome
}

/// 409 for what came too late.
///
/// # Errors
/// `late_event`.
pub fn ensure_timely(conn: &mut PgConnection, id: SubmissionId, outcome: Outcome) -> ApiResult<()> {
    match outcome {
        Outcome::Applied | Outcome::Repeated => Ok(()),
        Outcome::Late => Err(late(conn, id)?),
    }
}

/// The refusal rolled everything back, so what came too late is recorded in a transaction of its own.
///
/// # Errors
/// When the database fails.
pub async fn record_if_late(
    app: &App,
    now: DateTime<Utc>,
    actor: Actor,
    id: SubmissionId,
    said: Said,
    outcome: &ApiResult<Reply>,
) -> ApiResult<()> {
    if outcome.as_ref().is_err_and(|error| error.code() == &codes::LATE_EVENT) {
        app.db.transaction(move |conn| record_late(conn, now, actor, id, &said)).await?;
    }
    Ok(())
}

fn late(conn: &mut PgConnection, id: SubmissionId) -> ApiResult<ApiError> {
    let state = model::find(conn, id)?.state;
    Ok(ApiError::new(&codes::LATE_EVENT).with(&members::CURRENT_STATUS, state))
}

fn record_late(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    actor: Actor,
    id: SubmissionId,
    said: &Said,
) -> ApiResult<()> {
    model::lock(conn, id)?;
    let ctx = Ctx::new(now, actor, Side::Operator);
    apply::record_late(conn, &ctx, id, said.kind, &said.reference, &said.payload)
}
