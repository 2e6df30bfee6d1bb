//! The simulated people look round every two seconds.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;

use super::{is_on, words};
use crate::app::App;
use crate::auth::permissions::Permission;
use crate::auth::{self, Caller, op};
use crate::backdrop_shipments::{self, ShipmentState};
use crate::error::{ApiError, ApiResult};
use crate::kernel::ids::{ReviewId, ShipmentId, UserId};
use crate::kernel::jobs::Registry;
use crate::reviews::{self, ReviewState, Stage};
use crate::schema::{
    backdrop_shipments as shipments, filing_revisions, filings, review_tasks, users, website_contents,
};

/// Kind of the job.
const STEP: &str = "sandbox.step";
/// What one round takes on; the next goes on.
const AT_ONCE: i64 = 50;
const REVIEWER: &str = "demo-senior-reviewer";
const LOGISTICS: &str = "demo-logistics";

/// How long the simulated people think.
fn patience() -> Duration {
    Duration::seconds(2)
}

/// Registers the job, in embedded mode only.
pub fn register(registry: &mut Registry, app: &App) {
    if !is_on(app) {
        return;
    }
    let own = app.clone();
    registry.every(STEP, patience(), move |_| step(own.clone()));
}

async fn step(app: App) -> anyhow::Result<()> {
    let before = app.clock.now() - patience();
    let (tasks, parcels) =
        app.db.run(move |conn| Ok((open_tasks(conn, before)?, open_parcels(conn, before)?))).await?;
    for (id, stage, remark) in tasks {
        let Some(items) = words::review(&remark.unwrap_or_default(), stage) else { continue };
        let now = app.clock.now();
        let outcome = app
            .db
            .transaction(move |conn| match person::<op::ApproveReview>(conn, REVIEWER)? {
                Some(reviewer) => reviews::claim_and_decide(conn, now, &reviewer, id, &items),
                None => Ok(()),
            })
            .await;
        settle("review", outcome)?;
    }
    for (id, remark) in parcels {
        let end = words::parcel(&remark.unwrap_or_default());
        let now = app.clock.now();
        let outcome = app
            .db
            .transaction(move |conn| match person::<op::ShipBackdropShipment>(conn, LOGISTICS)? {
                Some(logistics) => backdrop_shipments::move_on(conn, now, &logistics, id, end),
                None => Ok(()),
            })
            .await;
        settle("backdrop", outcome)?;
    }
    app.waker.wake();
    Ok(())
}

/// A person or the owner may have been faster: then nothing is left to do.
fn settle(what: &str, outcome: ApiResult<()>) -> Result<(), ApiError> {
    match outcome {
        Err(error) if error.code().status < 500 => {
            tracing::info!(what, %error, "sandbox: nothing done");
            Ok(())
        }
        outcome => outcome,
    }
}

/// A demo person, as if they had sent a request.
fn person<O: Permission>(conn: &mut PgConnection, login: &str) -> QueryResult<Option<Caller>> {
    let user: Option<UserId> =
        users::table.filter(users::login.eq(login)).select(users::id).first(conn).optional()?;
    user.map_or(Ok(None), |user| auth::on_behalf::<O>(conn, user, None, "sandbox"))
}

type OpenTask = (ReviewId, Stage, Option<String>);

/// Tasks that nobody has taken and whose submission has a word.
fn open_tasks(conn: &mut PgConnection, before: DateTime<Utc>) -> QueryResult<Vec<OpenTask>> {
    let remark = website_contents::remark;
    let is_for_reviewers = remark
        .is_not_null()
        .and(remark.assume_not_null().like(format!("%{}review%", words::PREFIX)))
        .or(remark.assume_not_null().like(format!("%{}photo-reject%", words::PREFIX)));
    review_tasks::table
        .inner_join(filing_revisions::table.inner_join(website_contents::table))
        .filter(review_tasks::state.eq(ReviewState::Open))
        .filter(review_tasks::assigned_to.is_null())
        .filter(review_tasks::created_at.le(before))
        // Only words of reviewers: others would fill the round.
        .filter(is_for_reviewers)
        .order(review_tasks::created_at)
        .limit(AT_ONCE)
        .select((review_tasks::id, review_tasks::stage, website_contents::remark))
        .load(conn)
}

/// Shipments under way whose filing has a word, or that carry a number of the simulated courier.
fn open_parcels(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
) -> QueryResult<Vec<(ShipmentId, Option<String>)>> {
    let is_before_courier = shipments::state
        .eq_any([ShipmentState::Requested, ShipmentState::Packed])
        .and(website_contents::remark.assume_not_null().like(format!("%{}parcel-%", words::PREFIX)))
        .and(website_contents::remark.is_not_null());
    let is_with_courier = shipments::state
        .eq(ShipmentState::Shipped)
        .and(shipments::tracking_number.assume_not_null().like("SIM-%"))
        .and(shipments::tracking_number.is_not_null());
    shipments::table
        .inner_join(filings::table)
        .inner_join(website_contents::table.on(website_contents::id.eq(filings::content_id)))
        .filter(shipments::updated_at.le(before))
        .filter(is_before_courier.or(is_with_courier))
        .order(shipments::updated_at)
        .limit(AT_ONCE)
        .select((shipments::id, website_contents::remark))
        .load(conn)
}
