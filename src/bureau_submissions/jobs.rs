//! Background work of the hand-over: sending, draining after a pause, the SMS deadline, decisions that come in, packages that
//! are no longer needed, and the daily list of what is stuck.

use chrono::Duration;
use serde_json::Value;

use super::apply::{self, Decision, Outcome, SmsReport};
use super::{BureauEventKind, SmsState, SubmissionState, downloads, lane, model, send};
use crate::app::App;
use crate::error::ApiResult;
use crate::external::bureau::{Verdict, simulator::SmsOutcome};
use crate::filings::{self, Ctx, Status};
use crate::kernel::ids::{ContentId, SubmissionId};
use crate::kernel::jobs::Registry;
use crate::schema::filing_revisions;
use diesel::prelude::*;

/// How long a package stays in the store. Its address dies after minutes; the rest is for a slow download.
fn package_lifetime() -> Duration {
    Duration::hours(24)
}

/// Registers this feature's jobs.
pub fn register(registry: &mut Registry, app: &App) {
    let own = app.clone();
    registry.on("bureau.dispatch", move |payload| {
        let app = own.clone();
        async move { send::attempt(&app, submission_id(&payload)?).await }
    });
    let own = app.clone();
    registry.on("bureau.drain", move |payload| drain(own.clone(), payload));
    let own = app.clone();
    registry.on("bureau.simulate_decision", move |payload| simulate(own.clone(), payload));
    let own = app.clone();
    registry.every("bureau.sms_deadline", Duration::minutes(1), move |_| expire_sms(own.clone()));
    let own = app.clone();
    registry.every("bureau.poll", Duration::minutes(5), move |_| {
        let app = own.clone();
        async move { downloads::poll(&app).await }
    });
    let own = app.clone();
    registry.every("bureau.sweep", Duration::minutes(5), move |_| sweep(own.clone()));
    let own = app.clone();
    registry.every("bureau.unresolved", Duration::days(1), move |_| list_unresolved(own.clone()));
    let own = app.clone();
    registry.every("bureau.remove_packages", Duration::hours(1), move |_| remove_packages(own.clone()));
}

fn submission_id(payload: &Value) -> anyhow::Result<SubmissionId> {
    let text = payload["submission_id"].as_str().unwrap_or_default();
    text.parse().map_err(|_| anyhow::anyhow!("the job names no submission"))
}

/// After a pause: what waited goes in the order in which it was queued.
async fn drain(app: App, payload: Value) -> anyhow::Result<()> {
    let code = payload["bureau_code"].as_str().unwrap_or_default().to_owned();
    let now = app.clock.now();
    app.db
        .transaction(move |conn| {
            if model::bureau(conn, &code)?.paused_at.is_some() {
                return Ok(());
            }
            for (id, _) in model::waiting_at(conn, &code)? {
                let version = model::find(conn, id)?.version;
                apply::enqueue_dispatch(conn, now, id, version)?;
            }
            Ok(())
        })
        .await?;
    app.waker.wake();
    Ok(())
}

/// The simulated bureau reports the phones, then decides.
async fn simulate(app: App, payload: Value) -> anyhow::Result<()> {
    let id = submission_id(&payload)?;
    let now = app.clock.now();
    let found = app
        .db
        .run(move |conn| {
            let submission = model::find(conn, id)?;
            let filing = filings::model::find(conn, submission.filing_id)?;
            let icp_number = model::icp_number(conn, &filing)?;
            let content_id: ContentId = filing_revisions::table
                .find(submission.revision_id)
                .select(filing_revisions::content_id)
                .first(conn)?;
            let content = crate::websites::model::load(conn, content_id.0)?;
            let phones = model::sms(conn, id)?;
            Ok((submission, filing, icp_number, content, phones))
        })
        .await?;
    let (submission, filing, icp_number, content, phones) = found;
    let Some(bureau) = app.bureau.simulator() else { return Ok(()) };
    if submission.state != SubmissionState::Accepted {
        return Ok(());
    }
    if filing.status == Status::SmsVerification {
        let remark = content.remark.unwrap_or_default();
        let reports: Vec<(SmsReport, bool)> = phones
            .iter()
            .filter(|phone| phone.state == SmsState::Pending)
            .filter_map(|phone| {
                let (state, wrong_attempts) = match bureau.sms(&remark, phone.mobile.expose()) {
                    SmsOutcome::Wait => return None,
                    SmsOutcome::Confirmed => (SmsState::Confirmed, 0),
                    SmsOutcome::Failed => (SmsState::Failed, super::rules::WRONG_TRIES),
                };
                Some((SmsReport { role: phone.role, state, wrong_attempts }, state == SmsState::Failed))
            })
            .collect();
        let delay = Some(bureau.delay());
        app.db
            .transaction(move |conn| {
                for (report, is_last) in reports {
                    apply::report_sms(conn, &Ctx::system(now), id, report)?;
                    if is_last {
                        break;
                    }
                }
                // A phone that is left waits for an operator or for the end of the 24 hours.
                let is_waiting = filings::model::find(conn, filing.id)?.status == Status::SmsVerification;
                if is_waiting { Ok(()) } else { apply::enqueue_simulation(conn, now, id, delay) }
            })
            .await?;
        app.waker.wake();
        return Ok(());
    }
    let reference = submission.external_reference.unwrap_or_default();
    let (name, remark) = (content.name.unwrap_or_default(), content.remark.unwrap_or_default());
    match bureau.decide(&filing.order_no, &icp_number, &reference, (&name, &remark)) {
        Some(verdict) => Ok(record(&app, id, verdict).await?),
        None => Ok(()),
    }
}

/// In a lane everybody waits for one: makes sure that this one moves.
async fn sweep(app: App) -> anyhow::Result<()> {
    let Some(code) = app.bureau.lane().map(str::to_owned) else { return Ok(()) };
    let now = app.clock.now();
    app.db.transaction(move |conn| lane::sweep(conn, now, &code)).await?;
    app.waker.wake();
    Ok(())
}

/// Applies a decision of the bureau, in a transaction of its own.
///
/// # Errors
/// When it cannot be applied.
pub(super) async fn record(app: &App, id: SubmissionId, verdict: Verdict) -> ApiResult<()> {
    let now = app.clock.now();
    app.db
        .transaction(move |conn| {
            let ctx = Ctx::system(now);
            let decision = Decision { verdict, items: Vec::new() };
            if apply::decide(conn, &ctx, id, &decision)? == Outcome::Late {
                let reference = &decision.verdict.external_reference;
                apply::record_late(conn, &ctx, id, BureauEventKind::Decided, reference, &decision.payload())?;
            }
            Ok(())
        })
        .await?;
    app.waker.wake();
    Ok(())
}

/// Ends SMS verifications whose 24 hours are over, each in a transaction of its own.
async fn expire_sms(app: App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let overdue = app.db.run(move |conn| Ok(model::sms_overdue(conn, now)?)).await?;
    for id in overdue {
        let ended = app.db.transaction(move |conn| apply::expire_sms(conn, &Ctx::system(now), id)).await;
        if let Err(error) = ended {
            tracing::error!(submission = %id, %error, "bureau: an SMS verification could not be ended");
        }
    }
    app.waker.wake();
    Ok(())
}

/// Lists daily, until somebody resolves it, what was to be handed over and was not.
async fn list_unresolved(app: App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let stuck = app.db.run(move |conn| Ok(model::unresolved(conn, now)?)).await?;
    metrics::gauge!("beian_bureau_unresolved").set(stuck.len() as f64);
    for (id, state) in &stuck {
        tracing::error!(submission = %id, %state, "bureau: a hand-over without success");
    }
    Ok(())
}

/// Packages hold personal data in clear: they go as soon as nobody can be downloading them.
async fn remove_packages(app: App) -> anyhow::Result<()> {
    let old = app.storage.list("packages/", app.clock.now() - package_lifetime(), 1000).await?;
    for object in old {
        app.storage.delete(&object.key).await?;
    }
    Ok(())
}
