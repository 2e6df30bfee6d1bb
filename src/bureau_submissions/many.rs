//! Many decisions of the bureau, entered in one request.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answers::{self, BureauDecision};
use super::steps::{self, Asked, Said};
use super::{BureauEventKind, apply, model};
use crate::app::App;
use crate::audit::Actor;
use crate::auth::{Allowed, Caller, op};
use crate::error::{ApiResult, Problem};
use crate::filings;
use crate::kernel::batch::{self, Batch, Begun};
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::SubmissionId;
use crate::kernel::json::Json;
use crate::kernel::reply::Reply;

/// Decisions of the bureau.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "rows": [{
    "submission_id": "0193a000-0000-7000-8000-000000020026",
    "decision": {
        "external_reference": "GJ-2026-000456-J", "order_no": "BA-2026-000026", "icp_number": "蜀ICP备20260026号-1",
        "result": "approved", "result_code": "1001", "result_text": null, "items": []
    }
}] }))]
pub struct BureauDecisions {
    /// One for each submission.
    #[schema(min_items = 1, max_items = 100)]
    rows: Vec<DecisionRow>,
}

/// The bureau's decision on one submission.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BureauDecisionRow)]
pub struct DecisionRow {
    /// The submission.
    submission_id: SubmissionId,
    /// What the bureau decided.
    decision: BureauDecision,
}

/// What became of each row.
#[derive(Serialize, ToSchema)]
pub struct BureauDecisionResults {
    /// In the order of the request.
    items: Vec<DecisionResult>,
    /// How many were recorded.
    done: usize,
    /// How many were refused.
    refused: usize,
}

/// What became of a row.
#[derive(Serialize, ToSchema)]
#[schema(as = BureauDecisionResult)]
pub struct DecisionResult {
    /// The submission.
    submission_id: SubmissionId,
    /// Whether the decision was recorded, now or before.
    is_done: bool,
    /// Version of the submission after it; null when it was refused.
    version: Option<i32>,
    /// Why it was refused; null when it was recorded. Its pointers begin with `/rows/` and the number of the row, from 0.
    problem: Option<Problem>,
}

/// Record many decisions
///
/// The bureau operator, for up to 100 submissions, never on a filing of one's own. As `decideBureauSubmission` for each row, in a
/// transaction of its own: a row that is refused does not stop the others, and its problem stands in the answer, which is 200 all
/// the same. With an idempotency key, a request that was cut off can be sent again. The events are those of single decisions.
#[utoipa::path(operation_id = "decideBureauSubmissions", tag = "bureau",
    params(("Idempotency-Key" = Option<String>, Header, description = "Your own key; repeats return the first reply.", nullable = false)),
    responses((status = 200, description = "What became of each row.", body = BureauDecisionResults)))]
#[post("/v1/bureau-submissions/decisions")]
pub async fn decide_bureau_submissions(
    app: web::Data<App>,
    caller: Allowed<op::DecideBureauSubmissions>,
    idem: Idempotency,
    body: Json<BureauDecisions>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller;
    let rows = body.0.rows;
    batch::ensure_distinct(rows.iter().map(|row| row.submission_id.0), "submission_id")?;
    let batch = match batch::begin(idem, &app.db, now, &caller.user_id.to_string()).await? {
        Begun::Done(reply) => return Ok(reply),
        Begun::New(batch) => batch,
    };
    let mut items = Vec::with_capacity(rows.len());
    for (number, row) in rows.into_iter().enumerate() {
        let submission_id = row.submission_id;
        let outcome = decide(&app, &caller, &batch, number, row).await;
        let place = format!("/rows/{number}/decision");
        let (version, problem) = batch::outcome(outcome, &place, caller.locale, &caller.request_id)?;
        items.push(DecisionResult { submission_id, is_done: problem.is_none(), version, problem });
    }
    app.waker.wake();
    let done = items.iter().filter(|item| item.is_done).count();
    let results = BureauDecisionResults { done, refused: items.len() - done, items };
    batch.finish(&app.db, Reply::ok(&results)?).await
}

async fn decide(
    app: &App,
    caller: &Caller,
    batch: &Batch,
    number: usize,
    row: DecisionRow,
) -> ApiResult<Reply> {
    let (now, id) = (app.clock.now(), row.submission_id);
    let decision = answers::decision(row.decision)?;
    let said = Said {
        kind: BureauEventKind::Decided,
        reference: decision.verdict.external_reference.clone(),
        payload: decision.payload(),
    };
    let actor = Actor::from(caller);
    let asked =
        Asked { caller: caller.clone(), id, deed: "bureau_submission.decided", needs_separation: true };
    let facts = steps::facts(app);
    let outcome = batch
        .row(&app.db, now, number, move |conn| {
            let submission = model::find(conn, id)?;
            let filing = filings::model::find(conn, submission.filing_id)?;
            filings::ensure_separate(conn, &asked.caller, &filing)?;
            steps::take_locked(conn, now, &asked, None, facts, |conn, ctx| {
                let outcome = apply::decide(conn, ctx, id, &decision)?;
                steps::ensure_timely(conn, id, outcome)
            })
        })
        .await;
    steps::record_if_late(app, now, actor, id, said, &outcome).await?;
    outcome
}
