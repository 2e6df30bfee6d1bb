//! The only place that changes a filing's status. One transaction, always the same: lock (subject, filing), gather facts,
//! decide, save, apply effects, write timeline and audit. Other features enter here and nothing calls back.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};

use super::model::{self, Filing};
use super::rejections::{self, NewItem, RejectionSource};
use super::workflow::{self, Action, DeadlineRule, Decision, Effect, Facts, Refusal, Side, Status};
use super::{around, events, submission};
use crate::audit::{self, Actor, Deed};
use crate::error::{ApiError, ApiResult, members};
use crate::error_codes as codes;
use crate::kernel::ids::{FilingId, PhotoVerificationId, RevisionId};
use crate::schema::{filings, subjects};
use crate::{backdrop_shipments, bureau_submissions, catalogue, photo_verifications, reviews, websites};

/// How long the applicant's step stays open: 45 × 24 hours.
pub fn step_lifetime() -> Duration {
    Duration::days(45)
}

/// Who acts, and when.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// The time of the action.
    pub now: DateTime<Utc>,
    /// Who.
    pub actor: Actor,
    /// On which side.
    pub side: Side,
}

impl Ctx {
    /// A person or the system on a side.
    pub fn new(now: DateTime<Utc>, actor: Actor, side: Side) -> Self {
        Self { now, actor, side }
    }

    /// A timer, job or gateway.
    pub fn system(now: DateTime<Utc>) -> Self {
        Self::new(now, Actor::system(), Side::System)
    }
}

/// What an action brings with it.
#[derive(Default)]
pub struct Input<'a> {
    /// Items of a rejection, with its source and closing words.
    pub rejection: Option<(RejectionSource, Option<&'a str>, &'a [NewItem])>,
    /// The photo that goes to review.
    pub photo: Option<PhotoVerificationId>,
    /// Who accepted which terms, for `submit`.
    pub acceptance: Option<&'a submission::Acceptance>,
    /// Ids and codes for the timeline event.
    pub data: Value,
}

/// Locks a filing's subject, then the filing. Children are locked after it, and what was read before must be read again.
///
/// # Errors
/// 404.
pub fn lock(conn: &mut PgConnection, id: FilingId) -> ApiResult<Filing> {
    subjects::table
        .filter(subjects::id.eq_any(filings::table.find(id).select(filings::subject_id)))
        .select(subjects::id)
        .for_no_key_update()
        .load::<uuid::Uuid>(conn)?;
    Ok(model::lock(conn, id)?)
}

/// Decides an action on a locked filing and, when it is allowed, does it with everything that follows.
///
/// # Errors
/// 409 `invalid_transition` with `current_status` and `allowed_actions`, or the guard's own code.
pub fn act(
    conn: &mut PgConnection,
    ctx: &Ctx,
    filing: Filing,
    action: Action,
    input: Input<'_>,
) -> ApiResult<Filing> {
    let facts = facts(conn, &filing, ctx.now)?;
    let decision = match workflow::decide(filing.status, action, ctx.side, &facts) {
        Ok(decision) => decision,
        Err(refusal) => {
            let error = refuse(refusal, filing.status, ctx.side, &facts);
            let other = match refusal {
                Refusal::LiveFilingExists => around::live_filing_of(conn, filing.subject_id)?,
                _ => None,
            };
            return Err(match other {
                Some(other) => error.with(&members::EXISTING_ID, other),
                None => error,
            });
        }
    };
    let mut filing = save(conn, ctx, filing, &decision)?;
    let mut data = match input.data {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    };
    if let Some((source, note, items)) = input.rejection {
        let revision = model::last_revision(conn, filing.id)?;
        let id = rejections::record(conn, ctx.now, &ctx.actor, &revision, (source, note, items))?;
        data.insert("rejection_id".to_owned(), json!(id));
        if items.iter().any(|item| item.target_kind == rejections::TargetKind::Photo)
            && source == RejectionSource::Bureau
        {
            photo_verifications::void_passed(conn, ctx.now, filing.id)?;
        }
    }
    for effect in &decision.effects {
        filing = apply(conn, ctx, filing, *effect, &input.photo, input.acceptance)?;
    }
    if let Some(event) = decision.event {
        events::record(conn, ctx.now, &ctx.actor, &filing, event, Value::Object(data))?;
        if action == Action::ApproveAtBureau {
            events::record(
                conn,
                ctx.now,
                &ctx.actor,
                &filing,
                "website.updated",
                json!({ "website_id": filing.website_id }),
            )?;
        }
    }
    let deed = Deed::new(action.as_str(), "filing", filing.id.0)
        .account(filing.account_id)
        .filing(filing.id)
        .details(json!({ "to": filing.status, "version": filing.version }));
    audit::record(conn, ctx.now, &ctx.actor, deed)?;
    Ok(filing)
}

/// Whether an action would be allowed; for guards of children's operations that do not move the status.
///
/// # Errors
/// As [`act`].
pub fn ensure_allowed(conn: &mut PgConnection, ctx: &Ctx, filing: &Filing, action: Action) -> ApiResult<()> {
    let facts = facts(conn, filing, ctx.now)?;
    workflow::decide(filing.status, action, ctx.side, &facts)
        .map(drop)
        .map_err(|refusal| refuse(refusal, filing.status, ctx.side, &facts))
}

/// Bumps a locked filing's version because something that belongs to it changed.
///
/// # Errors
/// When the database fails.
pub fn touch(conn: &mut PgConnection, now: DateTime<Utc>, id: FilingId) -> QueryResult<Filing> {
    diesel::update(filings::table.find(id))
        .set((filings::version.eq(filings::version + 1), filings::updated_at.eq(now)))
        .returning(Filing::as_returning())
        .get_result(conn)
}

/// Everything that decisions depend on. The filing is locked by the caller, or the answer is only for showing.
///
/// # Errors
/// When the database fails.
pub fn facts(conn: &mut PgConnection, filing: &Filing, now: DateTime<Utc>) -> QueryResult<Facts> {
    around::read(conn, filing, now).map(|around| around.facts)
}

/// The deadline of a status entered at `at`.
///
/// # Errors
/// When the database fails; never because the calendar ends.
pub fn deadline(
    conn: &mut PgConnection,
    status: Status,
    at: DateTime<Utc>,
) -> QueryResult<(Option<DateTime<Utc>>, bool)> {
    Ok(match status.deadline() {
        None => (None, false),
        Some(DeadlineRule::Hours(hours)) => (Some(at + Duration::hours(hours)), false),
        Some(DeadlineRule::WorkingDays(days)) => {
            let deadline = catalogue::calendar(conn)?.add_working_days(at, days);
            (Some(deadline.at), deadline.is_provisional)
        }
    })
}

fn save(conn: &mut PgConnection, ctx: &Ctx, filing: Filing, decision: &Decision) -> ApiResult<Filing> {
    let (due_at, due_is_provisional) = deadline(conn, decision.to, ctx.now)?;
    let expires_at = decision.to.expires().then(|| ctx.now + step_lifetime());
    // The version in the WHERE proves that nobody moved it since it was locked and read.
    let saved = diesel::update(filings::table.find(filing.id).filter(filings::version.eq(filing.version)))
        .set((
            filings::status.eq(decision.to),
            filings::status_changed_at.eq(ctx.now),
            filings::due_at.eq(due_at),
            filings::due_is_provisional.eq(due_is_provisional),
            filings::step_expires_at.eq(expires_at),
            filings::version.eq(filing.version + 1),
            filings::updated_at.eq(ctx.now),
        ))
        .returning(Filing::as_returning())
        .get_result(conn)
        .optional();
    match saved {
        Ok(Some(saved)) => Ok(saved),
        Ok(None) => Err(ApiError::new(&codes::CONFLICT)),
        Err(error) if crate::error::violated_constraint(&error) == Some("filings_live_subject_key") => {
            Err(ApiError::new(&codes::LIVE_FILING_EXISTS))
        }
        Err(error) => Err(error.into()),
    }
}

fn apply(
    conn: &mut PgConnection,
    ctx: &Ctx,
    filing: Filing,
    effect: Effect,
    photo: &Option<PhotoVerificationId>,
    acceptance: Option<&submission::Acceptance>,
) -> ApiResult<Filing> {
    let now = ctx.now;
    match effect {
        Effect::FreezeRevision => {
            let acceptance =
                acceptance.ok_or_else(|| ApiError::internal("a submission without acceptance"))?;
            return submission::freeze(conn, ctx, filing, acceptance);
        }
        Effect::VoidPhotosOfOthers => {
            let revision = model::last_revision(conn, filing.id)?;
            photo_verifications::void_of_others(conn, now, filing.id, &revision.person_hash)?;
        }
        Effect::OpenInitialReview => {
            open_task(conn, ctx, &filing, reviews::Stage::InitialReview, None)?;
        }
        Effect::OpenPhotoReview => {
            let photo = photo.ok_or_else(|| ApiError::internal("a photo review without a photo"))?;
            open_task(conn, ctx, &filing, reviews::Stage::PhotoReview, Some(photo))?;
        }
        Effect::CancelTask => reviews::cancel_open(conn, filing.id)?,
        Effect::CancelPhoto => photo_verifications::cancel_live(conn, now, filing.id)?,
        Effect::CancelSubmission => bureau_submissions::cancel_queued(conn, now, filing.id)?,
        Effect::CancelShipment => backdrop_shipments::cancel_unshipped(conn, now, filing.id)?,
        Effect::QueueSubmission => {
            let revision: RevisionId = model::last_revision(conn, filing.id)?.id;
            let due_at =
                filing.due_at.ok_or_else(|| ApiError::internal("a queued filing without a deadline"))?;
            bureau_submissions::queue(
                conn,
                now,
                bureau_submissions::NewSubmission {
                    filing_id: filing.id,
                    revision_id: revision,
                    bureau_code: filing.province_code.clone(),
                    due_at,
                    due_is_provisional: filing.due_is_provisional,
                },
            )?;
        }
        Effect::ApplyToWebsite => {
            let revision = model::last_revision(conn, filing.id)?;
            let is_applied = websites::apply_filing(
                conn,
                now,
                filing.website_id,
                revision.content_id,
                filing.id,
                filing.base_version,
            )?;
            if !is_applied {
                return Err(ApiError::new(&codes::BASE_VERSION_OUTDATED));
            }
        }
        Effect::Rebase => return submission::rebase(conn, now, filing),
    }
    Ok(filing)
}

fn open_task(
    conn: &mut PgConnection,
    ctx: &Ctx,
    filing: &Filing,
    stage: reviews::Stage,
    photo: Option<PhotoVerificationId>,
) -> ApiResult<()> {
    let revision = model::last_revision(conn, filing.id)?;
    let due_at = filing.due_at.ok_or_else(|| ApiError::internal("a review without a deadline"))?;
    // The same reason on the same target twice: a senior reviewer looks.
    let is_escalated = rejections::is_escalated(conn, filing.id)?;
    reviews::open_task(
        conn,
        ctx.now,
        reviews::NewTask {
            filing_id: filing.id,
            stage,
            revision_id: revision.id,
            photo_verification_id: photo,
            province_code: filing.province_code.clone(),
            due_at,
            due_is_provisional: filing.due_is_provisional,
            is_escalated,
        },
    )?;
    Ok(())
}

fn refuse(refusal: Refusal, status: Status, side: Side, facts: &Facts) -> ApiError {
    let error = match refusal {
        Refusal::Status | Refusal::Side => ApiError::new(&codes::INVALID_TRANSITION),
        Refusal::BaseOutdated => ApiError::new(&codes::BASE_VERSION_OUTDATED),
        Refusal::LiveFilingExists => ApiError::new(&codes::LIVE_FILING_EXISTS),
        Refusal::Unconfirmed => ApiError::new(&codes::UNCONFIRMED),
        Refusal::AlreadySent => ApiError::new(&codes::INVALID_TRANSITION).detail(
            "已提交管局，不能再撤销。",
            "It has been handed to the bureau and can no longer be withdrawn.",
        ),
        Refusal::Changed => ApiError::new(&codes::INVALID_TRANSITION)
            .detail("内容已修改，请重新提交初审。", "The content was changed; submit it for review instead."),
        Refusal::PhotoUnderWay => ApiError::new(&codes::LIVE_ATTEMPT_EXISTS),
        Refusal::ShipmentOpen => ApiError::new(&codes::OPEN_SHIPMENT_EXISTS),
    };
    error
        .with(&members::CURRENT_STATUS, status)
        .with(&members::ALLOWED_ACTIONS, workflow::allowed(status, side, facts))
}
