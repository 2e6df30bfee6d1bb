//! What every step of a shipment has in common: lock filing and shipment, check the step, change the row, bump the filing,
//! tell, audit, answer.

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde_json::json;

use super::body::{self, ShipmentBody};
use super::model::{self, Shipment};
use super::rules::{self, Fault, Hand, Step};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Caller, Role};
use crate::error::{ApiError, ApiResult, FieldError, Place, members};
use crate::error_codes as codes;
use crate::filings::{self, Filing};
use crate::kernel::etag::{self, IfMatch};
use crate::kernel::i18n::Bilingual;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::ShipmentId;
use crate::kernel::reply::Reply;

/// On which side a caller stands.
pub fn hand(caller: &Caller) -> Hand {
    if caller.has(Role::Logistics) { Hand::Logistics } else { Hand::Owner }
}

/// Logistics sees every shipment, an owner their own.
///
/// # Errors
/// 404.
pub fn ensure_visible(caller: &Caller, filing: &Filing) -> ApiResult<()> {
    let is_visible = caller.has(Role::Logistics) || caller.owns(filing.account_id, filing.partner_id);
    if is_visible { Ok(()) } else { Err(ApiError::not_found()) }
}

/// Reads a shipment and its filing, if the caller may see them.
///
/// # Errors
/// 404.
pub fn visible(conn: &mut PgConnection, caller: &Caller, id: ShipmentId) -> ApiResult<(Shipment, Filing)> {
    let shipment = model::find(conn, id)?;
    let filing = filings::model::find(conn, shipment.filing_id)?;
    ensure_visible(caller, &filing)?;
    Ok((shipment, filing))
}

/// 409 unless the step is possible now.
///
/// # Errors
/// `invalid_transition` with `current_status` and `allowed_actions`.
pub fn ensure_step(step: Step, shipment: &Shipment, hand: Hand, now: DateTime<Utc>) -> ApiResult<()> {
    if rules::is_allowed(step, shipment.state, hand, shipment.delivered_at, now) {
        return Ok(());
    }
    Err(ApiError::new(&codes::INVALID_TRANSITION)
        .with(&members::CURRENT_STATUS, shipment.state)
        .with(&members::ALLOWED_ACTIONS, rules::allowed(shipment.state, hand, shipment.delivered_at, now)))
}

/// A shipment as this caller sees it.
///
/// # Errors
/// When the database fails.
pub fn show(
    conn: &mut PgConnection,
    caller: &Caller,
    shipment: Shipment,
    order_no: String,
) -> ApiResult<ShipmentBody> {
    let shown = body::bodies(conn, vec![(shipment, order_no)], hand(caller), caller.locale)?.pop();
    shown.ok_or_else(|| ApiError::internal("a shipment without a body"))
}

/// 200 with the shipment and its ETag.
///
/// # Errors
/// When the database fails.
pub fn reply(
    conn: &mut PgConnection,
    caller: &Caller,
    shipment: Shipment,
    order_no: String,
) -> ApiResult<Reply> {
    let tag = etag::etag(shipment.version, caller.view(), caller.locale);
    Ok(Reply::ok(&show(conn, caller, shipment, order_no)?)?.etag(tag))
}

/// Turns faults of the form into a 422 that lists them all.
///
/// # Errors
/// `validation_failed` when there are any.
pub fn ensure_faultless(faults: Vec<Fault>) -> ApiResult<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let error = |fault: Fault| {
        FieldError::new(Place::Pointer(fault.pointer), fault.code, Bilingual::new(fault.zh, fault.en))
    };
    Err(ApiError::invalid(faults.into_iter().map(error).collect()))
}

/// A step asked for by a person.
pub struct Asked {
    /// Who.
    pub caller: Caller,
    /// Of which shipment.
    pub id: ShipmentId,
    /// Which step.
    pub step: Step,
    /// Event that the applicant is told, if any.
    pub event: Option<&'static str>,
    /// Name of the deed in the audit trail.
    pub deed: &'static str,
}

/// Does a step in one transaction, at most once per idempotency key. `work` changes the locked shipment; when it answers
/// `None` nothing has changed.
///
/// # Errors
/// 404, 409 `invalid_transition`, 412, or what `work` returns.
pub async fn take<W>(
    app: &App,
    idem: Idempotency,
    if_match: IfMatch,
    asked: Asked,
    work: W,
) -> ApiResult<Reply>
where
    W: FnOnce(&mut PgConnection, DateTime<Utc>, &Filing, &Shipment) -> ApiResult<Option<Shipment>>
        + Send
        + 'static,
{
    let now = app.clock.now();
    let scope = asked.caller.user_id.to_string();
    let (asker, id) = (asked.caller.clone(), asked.id);
    let reply = idem
        .run(
            &app.db,
            now,
            &scope,
            move |conn| visible(conn, &asker, id).map(drop),
            move |conn| {
                let expected = if_match.optional();
                take_locked(conn, now, &asked, expected, |conn, filing, shipment| {
                    work(conn, now, filing, shipment)
                })
            },
        )
        .await?;
    app.waker.wake();
    Ok(reply)
}

/// Does a step in the caller's transaction. When `work` answers `None` nothing has changed.
///
/// # Errors
/// 404, 409 `invalid_transition`, or what `work` returns.
pub fn take_locked<W>(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    asked: &Asked,
    expected: Option<i32>,
    work: W,
) -> ApiResult<Reply>
where
    W: FnOnce(&mut PgConnection, &Filing, &Shipment) -> ApiResult<Option<Shipment>>,
{
    let (filing, shipment) = model::lock(conn, asked.id)?;
    ensure_visible(&asked.caller, &filing)?;
    etag::ensure_version(expected, shipment.version)?;
    ensure_step(asked.step, &shipment, hand(&asked.caller), now)?;
    let order_no = filing.order_no.clone();
    match work(conn, &filing, &shipment)? {
        None => reply(conn, &asked.caller, shipment, order_no),
        Some(changed) => {
            record(conn, now, asked, &filing)?;
            reply(conn, &asked.caller, changed, order_no)
        }
    }
}

/// What follows a change: the filing's version, the event, the audit row.
///
/// # Errors
/// When the database fails.
pub fn record(conn: &mut PgConnection, now: DateTime<Utc>, asked: &Asked, filing: &Filing) -> ApiResult<()> {
    let actor = Actor::from(&asked.caller);
    let filing = filings::touch(conn, now, filing.id)?;
    if let Some(event) = asked.event {
        filings::record_event(conn, now, &actor, &filing, event, json!({ "shipment_id": asked.id }))?;
    }
    let deed =
        Deed::new(asked.deed, "backdrop_shipment", asked.id.0).account(filing.account_id).filing(filing.id);
    Ok(audit::record(conn, now, &actor, deed)?)
}
