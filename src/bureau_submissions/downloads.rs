//! Files that the bureau sends: fetched, everything in them recorded, then acknowledged. A file that was not acknowledged
//! comes again, and what it says a second time changes nothing. What cannot be applied is kept for an operator: it must not
//! hold up the files behind it, and it must not be lost.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::{jobs, lane, lane_send, model};
use crate::app::App;
use crate::error::ApiResult;
use crate::external::bureau::{Fetched, Inbound, Silence, Verdict, miit};
use crate::kernel::ids::SubmissionId;
use crate::schema::{bureau_downloads as downloads, bureau_unmatched_results as unmatched};

/// Files of one round; the next round goes on.
const MAX_FILES: usize = 200;

/// Takes whatever lies ready.
///
/// # Errors
/// When the bureau does not answer, a file cannot be read, or the database fails: nothing was acknowledged then.
pub async fn poll(app: &App) -> anyhow::Result<()> {
    let Some(code) = app.bureau.lane().map(str::to_owned) else { return Ok(()) };
    let mut last_name = String::new();
    for _ in 0..MAX_FILES {
        let lane = code.clone();
        if app.db.run(move |conn| Ok(lane::is_stopped(conn, &lane)?)).await? {
            return Ok(());
        }
        let file = match app.bureau.fetch().await {
            Ok(Fetched::Nothing) => return Ok(()),
            Ok(Fetched::File(file)) => file,
            Err(silence) => return silent(app, &code, silence).await,
        };
        anyhow::ensure!(
            file.file_name != last_name,
            "the bureau sends {last_name} again after it was acknowledged"
        );
        last_name.clone_from(&file.file_name);
        let has_more = file.has_more;
        take(app, &code, file).await?;
        if let Err(silence) = app.bureau.acknowledge(&last_name).await {
            return silent(app, &code, silence).await;
        }
        let (now, lane, name) = (app.clock.now(), code.clone(), last_name.clone());
        app.db
            .transaction(move |conn| {
                diesel::update(downloads::table.find((lane, name)))
                    .set(downloads::acknowledged_at.eq(now))
                    .execute(conn)?;
                Ok(())
            })
            .await?;
        if !has_more {
            return Ok(());
        }
    }
    Ok(())
}

async fn silent(app: &App, code: &str, silence: Silence) -> anyhow::Result<()> {
    match silence {
        Silence::Stop(reason) => lane_send::stop(app, code, &reason).await,
        // The next round comes by itself.
        Silence::Later(pause) => {
            tracing::warn!(lane = code, reason = pause.reason, "bureau: nothing can be fetched at present");
            Ok(())
        }
        Silence::NoAnswer(reason) => {
            tracing::error!(lane = code, reason, "bureau: what lies ready cannot be fetched");
            metrics::counter!("beian_bureau_alarms_total", "reason" => "download").increment(1);
            anyhow::bail!("the bureau's files cannot be fetched: {reason}")
        }
    }
}

/// Records everything that stands in a file, each in a transaction of its own.
async fn take(app: &App, code: &str, file: Inbound) -> anyhow::Result<()> {
    let (now, lane, name) = (app.clock.now(), code.to_owned(), file.file_name.clone());
    let row_count = i32::try_from(file.verdicts.len())?;
    app.db
        .transaction(move |conn| {
            lane::lock(conn, &lane)?;
            diesel::insert_into(downloads::table)
                .values((
                    downloads::lane.eq(lane),
                    downloads::file_name.eq(name),
                    downloads::row_count.eq(row_count),
                    downloads::received_at.eq(now),
                ))
                .on_conflict_do_nothing()
                .execute(conn)?;
            Ok(())
        })
        .await?;
    for verdict in file.verdicts {
        let (lane, sought) = (code.to_owned(), verdict.clone());
        let found = app.db.run(move |conn| find(conn, &lane, &sought)).await?;
        let reason = match found {
            None => "unknown_order",
            Some(_) if miit::is_approval(&verdict.result_code).is_none() => "unknown_code",
            Some(id) => match jobs::record(app, id, verdict.clone()).await {
                Ok(()) => continue,
                // The database is away: the file comes again.
                Err(error) if error.code().status >= 500 => return Err(error.into()),
                Err(error) => error.code().code,
            },
        };
        keep(app, code, &file.file_name, found, verdict, reason).await?;
    }
    Ok(())
}

/// The submission that a result is about: by the number of the file where the bureau repeats it, else the latest of the
/// order that may be there.
fn find(conn: &mut PgConnection, code: &str, verdict: &Verdict) -> ApiResult<Option<SubmissionId>> {
    if let Some(number) = verdict.data_sequence
        && let Some(id) = lane::owner(conn, code, number)?
    {
        return Ok(Some(id));
    }
    Ok(model::latest_sent_of_order(conn, &verdict.order_no)?)
}

/// Keeps what cannot be applied, once, and calls an operator.
async fn keep(
    app: &App,
    code: &str,
    file_name: &str,
    submission: Option<SubmissionId>,
    verdict: Verdict,
    reason: &'static str,
) -> anyhow::Result<()> {
    let (now, lane, file_name) = (app.clock.now(), code.to_owned(), file_name.to_owned());
    let is_new = app
        .db
        .transaction(move |conn| insert(conn, now, lane, file_name, submission, verdict, reason))
        .await?;
    if is_new {
        tracing::error!(
            lane = code,
            reason,
            "bureau: a result could not be applied; it waits for an operator"
        );
        metrics::counter!("beian_bureau_alarms_total", "reason" => reason).increment(1);
    }
    Ok(())
}

fn insert(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    lane: String,
    file_name: String,
    submission: Option<SubmissionId>,
    verdict: Verdict,
    reason: &str,
) -> ApiResult<bool> {
    let rows = diesel::insert_into(unmatched::table)
        .values((
            unmatched::id.eq(Uuid::now_v7()),
            unmatched::lane.eq(lane),
            unmatched::file_name.eq(file_name),
            unmatched::external_reference.eq(verdict.external_reference),
            unmatched::submission_id.eq(submission),
            unmatched::order_no.eq(verdict.order_no),
            unmatched::icp_number.eq(verdict.icp_number),
            unmatched::result_code.eq(verdict.result_code),
            unmatched::result_text.eq(verdict.result_text),
            unmatched::reason.eq(reason),
            unmatched::received_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(conn)?;
    Ok(rows == 1)
}
