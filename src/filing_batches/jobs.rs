//! Makes the filings of batches, row after row.

use anyhow::Context;
use chrono::{DateTime, Duration, Utc};
use diesel::{Connection, PgConnection};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{FilingBatchItem, in_each_language, kept_problem};
use super::model::{self, BatchRow};
use crate::app::App;
use crate::auth::{self, Caller, op};
use crate::error::{ApiError, ApiResult, FieldError, Place};
use crate::error_codes as codes;
use crate::filings::{self, CheckResult, NewFiling};
use crate::kernel::i18n::Bilingual;
use crate::kernel::ids::FilingBatchId;
use crate::kernel::jobs::{NewJob, Postponed, Registry, enqueue};
use crate::sandbox;

/// `{"batch_id"}`: makes the filings of a batch.
const PROCESS: &str = "filing_batches.process";
/// Rows that are done before other jobs have their turn.
const ROWS_AT_ONCE: usize = 20;
/// How often a row may end with a fault of the server before it is given up.
const MAX_FAULTS: i32 = 3;

/// How long a completed batch is kept.
fn kept() -> Duration {
    Duration::days(30)
}

#[derive(Deserialize)]
struct Process {
    batch_id: FilingBatchId,
}

/// Registers the handlers.
pub fn register(registry: &mut Registry, app: &App) {
    let own = app.clone();
    registry.on(PROCESS, move |payload| {
        let app = own.clone();
        async move {
            process(app, serde_json::from_value::<Process>(payload).context("payload")?.batch_id).await
        }
    });
    let own = app.clone();
    registry.every("filing_batches.purge", Duration::hours(1), move |_| {
        let app = own.clone();
        async move {
            let before = app.clock.now() - kept();
            app.db.run(move |conn| Ok(model::purge(conn, before)?)).await?;
            Ok(())
        }
    });
}

/// Has a batch worked on, in the transaction that stores it.
pub(super) fn order(conn: &mut PgConnection, now: DateTime<Utc>, batch: FilingBatchId) -> ApiResult<()> {
    let job = NewJob::new(PROCESS, json!({ "batch_id": batch })).once(format!("{PROCESS}:{batch}"));
    Ok(enqueue(conn, now, job)?)
}

/// What a step did.
enum Step {
    /// A row is done.
    Done,
    /// Every row is done.
    Completed,
    /// Others work on the rows that are left.
    Elsewhere,
}

/// A row is done in the transaction that makes its filing. So whatever stops this job, and however often it runs, each row is
/// done once.
async fn process(app: App, id: FilingBatchId) -> anyhow::Result<()> {
    let Some(batch) = app.db.run(move |conn| Ok(model::find(conn, id)?)).await? else { return Ok(()) };
    let (mut fault, mut wait) = (None, Duration::zero());
    let is_sandbox = sandbox::is_on(&app);
    for _ in 0..ROWS_AT_ONCE {
        let (now, own) = (app.clock.now(), batch.clone());
        // A row with a fault waits for the next try of the job, which is a while later.
        let is_fresh = fault.is_some();
        match app.db.run(move |conn| step(conn, now, &own, is_fresh, is_sandbox)).await {
            Ok(Step::Done) => app.waker.wake(),
            Ok(Step::Completed) => return Ok(()),
            // Another worker has them in hand: the lease of this job or of another had lapsed.
            Ok(Step::Elsewhere) => {
                wait = Duration::seconds(1);
                break;
            }
            // The database is away: the whole job comes again.
            Err(error) if error.code() == &codes::UNAVAILABLE => return Err(error.into()),
            Err(error) => fault = Some(error),
        }
    }
    if let Some(error) = fault {
        return Err(error.into());
    }
    // Jobs that have waited longer come first.
    let until = app.clock.now() + wait;
    Err(Postponed { until, reason: "rows are left; other jobs have their turn".to_owned() }.into())
}

/// Does the next row; with `is_fresh` only one without a fault so far. An error is a fault of the server, counted at the row.
fn step(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    batch: &BatchRow,
    is_fresh: bool,
    is_sandbox: bool,
) -> ApiResult<Step> {
    let mut at = None;
    let outcome = conn.transaction(|conn| {
        let Some((number, request)) = model::take(conn, batch.id, is_fresh)? else {
            let is_completed = model::complete(conn, now, batch.id)?;
            return Ok(if is_completed { Step::Completed } else { Step::Elsewhere });
        };
        at = Some(number);
        let request = request.ok_or_else(|| ApiError::internal("a pending row without its request"))?;
        let place = (batch.id, number);
        let caller = auth::on_behalf::<op::CreateFilingBatch>(
            conn,
            batch.created_by,
            batch.peer(),
            &batch.request_id,
        )?;
        // A savepoint: what a refused row has written goes, the record of the refusal stays.
        let made = conn.transaction(|conn| {
            let caller = caller.ok_or_else(|| ApiError::new(&codes::FORBIDDEN))?;
            make(conn, now, batch.id, &caller, request.expose(), is_sandbox)
        });
        match made {
            Ok((filing, check)) => model::finish(conn, now, place, Some(filing.id), check)?,
            Err(error) if error.code().status >= 500 => return Err(error),
            Err(error) => {
                let error = error.under(&format!("/filings/{number}"));
                model::finish(conn, now, place, None, kept_problem(&error, &batch.request_id))?;
            }
        }
        Ok(Step::Done)
    });
    match (outcome, at) {
        (Err(error), Some(number)) if error.code() != &codes::UNAVAILABLE => {
            // By itself: an error that is returned from a transaction would take the count back.
            if model::count_fault(conn, batch.id, number)? < MAX_FAULTS {
                return Err(error);
            }
            let problem = kept_problem(&error, &batch.request_id);
            conn.transaction(|conn| model::finish(conn, now, (batch.id, number), None, problem))?;
            Ok(Step::Done)
        }
        (outcome, _) => outcome,
    }
}

fn make(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    batch: FilingBatchId,
    caller: &Caller,
    request: &str,
    is_sandbox: bool,
) -> ApiResult<(filings::Filing, Value)> {
    let item: FilingBatchItem = serde_json::from_str(request).map_err(|error| {
        ApiError::internal(format!("a stored row cannot be read, column {}", error.column()))
    })?;
    let new = NewFiling::from(item);
    let website = new.website_id;
    // One more savepoint, so that the reason of a refusal can be looked up.
    match conn.transaction(|conn| filings::start_edited(conn, caller, new, now)) {
        Ok((filing, mut report)) => {
            if is_sandbox {
                report.findings.extend(sandbox::findings(report.remark.as_deref()));
            }
            let check = in_each_language(|locale| json!(CheckResult::of(&report, &filing, locale)));
            Ok((filing, check))
        }
        Err(error) if error.code() == &codes::LIVE_FILING_EXISTS => {
            let fault = match model::row_with_subject(conn, batch, website)? {
                Some(first) => FieldError::new(
                    Place::Pointer("/website_id".to_owned()),
                    "duplicate_items",
                    Bilingual::new(
                        format!("同一批次的第 {first} 行（从 0 起）已为该主体创建订单"),
                        format!("row {first} of this batch (from 0) has made a filing of the same subject"),
                    ),
                ),
                None => FieldError::new(
                    Place::Pointer("/website_id".to_owned()),
                    "live_filing_exists",
                    Bilingual::new(
                        "该网站的主体已有进行中的订单",
                        "the subject of this website has a live filing",
                    ),
                ),
            };
            Err(error.errors(vec![fault]))
        }
        Err(error) => Err(error),
    }
}

/// Does all rows of a batch at once: for the demo data, which no worker looks at.
///
/// # Errors
/// When the database fails.
pub fn make_all(conn: &mut PgConnection, now: DateTime<Utc>, batch: &BatchRow) -> ApiResult<()> {
    while let Step::Done = step(conn, now, batch, false, false)? {}
    Ok(())
}
