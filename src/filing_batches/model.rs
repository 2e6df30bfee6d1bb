//! Rows and queries of batches.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;

use super::{FilingBatchRowState, FilingBatchState};
use crate::auth::Caller;
use crate::kernel::ids::{AccountId, FilingBatchId, FilingId, PartnerId, UserId, WebsiteId};
use crate::kernel::page::{Limit, Position};
use crate::kernel::pii::{Sensitive, StoredRequest};
use crate::schema::{accounts, filing_batch_rows as rows, filing_batches as batches, filings, partners};

/// A batch.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = batches)]
pub struct BatchRow {
    pub id: FilingBatchId,
    pub account_id: Option<AccountId>,
    pub partner_id: Option<PartnerId>,
    pub created_by: UserId,
    pub request_id: String,
    pub address: Option<String>,
    pub state: FilingBatchState,
    pub row_count: i32,
    pub created_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
}

impl BatchRow {
    /// Whether it is the caller's own, or of their partner.
    pub fn is_of(&self, caller: &Caller) -> bool {
        let is_of_partner = caller.partner_id.is_some() && caller.partner_id == self.partner_id;
        is_of_partner || self.account_id.is_some() && caller.account_id == self.account_id
    }

    /// Where the request came from.
    pub fn peer(&self) -> Option<IpAddr> {
        self.address.as_ref().and_then(|address| address.parse().ok())
    }
}

/// What is shown of a row.
#[derive(Debug, Queryable)]
pub struct Done {
    pub number: i32,
    pub state: FilingBatchRowState,
    pub website_id: Option<WebsiteId>,
    pub external_reference: Option<String>,
    pub filing_id: Option<FilingId>,
    pub result: Option<Value>,
    pub order_no: Option<String>,
}

/// A batch to be stored.
pub struct NewBatch<'a> {
    /// Who orders it.
    pub caller: &'a Caller,
    /// In the order of the request.
    pub rows: Vec<NewRow>,
}

/// A row to be stored.
pub struct NewRow {
    /// As it was sent.
    pub website_id: Option<WebsiteId>,
    /// As it was sent.
    pub external_reference: Option<String>,
    /// The row for the job, or its problem in each language.
    pub work: Result<Sensitive<StoredRequest>, Value>,
}

/// Stores a batch; one without a row to be worked on is completed.
///
/// # Errors
/// When the database fails.
pub fn insert(conn: &mut PgConnection, now: DateTime<Utc>, new: NewBatch<'_>) -> QueryResult<BatchRow> {
    let NewBatch { caller, rows: new } = new;
    let is_open = new.iter().any(|row| row.work.is_ok());
    // An account's batch is seen by the partner who acts for the account, as its filings are.
    let partner_id = match caller.account_id {
        Some(account) => accounts::table.find(account).select(accounts::partner_id).first(conn)?,
        None => caller.partner_id,
    };
    let batch = diesel::insert_into(batches::table)
        .values((
            batches::id.eq(FilingBatchId::new()),
            batches::account_id.eq(caller.account_id),
            batches::partner_id.eq(partner_id),
            batches::created_by.eq(caller.user_id),
            batches::request_id.eq(&caller.request_id),
            batches::address.eq(caller.address.map(|address| address.to_string())),
            batches::state.eq(if is_open {
                FilingBatchState::Processing
            } else {
                FilingBatchState::Completed
            }),
            batches::row_count.eq(new.len() as i32),
            batches::created_at.eq(now),
            batches::completed_at.eq((!is_open).then_some(now)),
        ))
        .returning(BatchRow::as_returning())
        .get_result::<BatchRow>(conn)?;
    let values: Vec<_> = new
        .into_iter()
        .enumerate()
        .map(|(number, row)| {
            let (state, request, result) = match row.work {
                Ok(request) => (FilingBatchRowState::Pending, Some(request), None),
                Err(problem) => (FilingBatchRowState::Failed, None, Some(problem)),
            };
            (
                rows::batch_id.eq(batch.id),
                rows::number.eq(number as i32),
                rows::state.eq(state),
                rows::website_id.eq(row.website_id),
                rows::external_reference.eq(row.external_reference),
                rows::request.eq(request),
                rows::result.eq(result),
            )
        })
        .collect();
    diesel::insert_into(rows::table).values(values).execute(conn)?;
    Ok(batch)
}

/// A batch.
///
/// # Errors
/// When the database fails.
pub fn find(conn: &mut PgConnection, id: FilingBatchId) -> QueryResult<Option<BatchRow>> {
    batches::table.find(id).select(BatchRow::as_select()).first(conn).optional()
}

/// How many batches of the caller's own are not completed. Others who ask for the same owner wait until the transaction ends, so
/// that what is counted stays true until the next batch is stored.
///
/// # Errors
/// When the database fails.
pub fn open_count(conn: &mut PgConnection, caller: &Caller) -> QueryResult<i64> {
    // As weak as a lock that excludes itself can be: rows that only refer to the owner need not wait.
    match (caller.account_id, caller.partner_id) {
        (Some(account), _) => {
            accounts::table.find(account).select(accounts::id).for_no_key_update().execute(conn)?
        }
        (None, Some(partner)) => {
            partners::table.find(partner).select(partners::id).for_no_key_update().execute(conn)?
        }
        (None, None) => 0,
    };
    own(caller).filter(batches::state.eq(FilingBatchState::Processing)).count().get_result(conn)
}

/// The batches that a caller sees, as [`BatchRow::is_of`].
fn own(caller: &Caller) -> batches::BoxedQuery<'static, diesel::pg::Pg> {
    let query = batches::table.into_boxed();
    match (caller.account_id, caller.partner_id) {
        (Some(account), _) => query.filter(batches::account_id.eq(account)),
        (None, partner) => query.filter(batches::partner_id.eq(partner)),
    }
}

/// A page of a caller's own batches, newest first.
///
/// # Errors
/// When the database fails.
pub fn list(
    conn: &mut PgConnection,
    caller: &Caller,
    state: Option<FilingBatchState>,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<BatchRow>> {
    let mut query = own(caller);
    if let Some(state) = state {
        query = query.filter(batches::state.eq(state));
    }
    if let Some(Position { at, id }) = after {
        let later = batches::created_at.eq(at).and(batches::id.lt(FilingBatchId(id)));
        query = query.filter(batches::created_at.le(at)).filter(batches::created_at.lt(at).or(later));
    }
    query
        .order((batches::created_at.desc(), batches::id.desc()))
        .limit(limit.rows_to_read())
        .select(BatchRow::as_select())
        .load(conn)
}

/// The rows of a batch, in the order of the request.
///
/// # Errors
/// When the database fails.
pub fn rows_of(conn: &mut PgConnection, batch: FilingBatchId) -> QueryResult<Vec<Done>> {
    rows::table
        .left_join(filings::table)
        .filter(rows::batch_id.eq(batch))
        .order(rows::number)
        .select((
            rows::number,
            rows::state,
            rows::website_id,
            rows::external_reference,
            rows::filing_id,
            rows::result,
            filings::order_no.nullable(),
        ))
        .load(conn)
}

/// Takes the next row that nobody works on, until the transaction ends; with `is_fresh` only one without a fault so far.
///
/// # Errors
/// When the database fails, or the row cannot be opened.
pub fn take(
    conn: &mut PgConnection,
    batch: FilingBatchId,
    is_fresh: bool,
) -> QueryResult<Option<(i32, Option<Sensitive<StoredRequest>>)>> {
    let most_faults = if is_fresh { 0 } else { i32::MAX };
    rows::table
        .filter(rows::batch_id.eq(batch))
        .filter(rows::state.eq(FilingBatchRowState::Pending))
        .filter(rows::faults.le(most_faults))
        .order((rows::faults, rows::number))
        .select((rows::number, rows::request))
        .for_update()
        .skip_locked()
        .first(conn)
        .optional()
}

/// Records how a row ended; what was sent goes. With the last row the batch is completed.
///
/// # Errors
/// When the database fails.
pub fn finish(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    (batch, number): (FilingBatchId, i32),
    filing: Option<FilingId>,
    result: Value,
) -> QueryResult<()> {
    let state = match filing {
        Some(_) => FilingBatchRowState::Created,
        None => FilingBatchRowState::Failed,
    };
    diesel::update(rows::table.find((batch, number)))
        .set((
            rows::state.eq(state),
            rows::filing_id.eq(filing),
            rows::result.eq(result),
            rows::request.eq(None::<Sensitive<StoredRequest>>),
        ))
        .execute(conn)?;
    complete(conn, now, batch).map(drop)
}

/// Counts a fault of the server at a row. Returns how many there were.
///
/// # Errors
/// When the database fails.
pub fn count_fault(conn: &mut PgConnection, batch: FilingBatchId, number: i32) -> QueryResult<i32> {
    diesel::update(rows::table.find((batch, number)))
        .set(rows::faults.eq(rows::faults + 1))
        .returning(rows::faults)
        .get_result(conn)
}

/// Completes a batch of which no row is pending. False when some are.
///
/// # Errors
/// When the database fails.
pub fn complete(conn: &mut PgConnection, now: DateTime<Utc>, batch: FilingBatchId) -> QueryResult<bool> {
    let pending =
        rows::table.filter(rows::batch_id.eq(batch)).filter(rows::state.eq(FilingBatchRowState::Pending));
    if diesel::select(diesel::dsl::exists(pending)).get_result(conn)? {
        return Ok(false);
    }
    let open = batches::table.find(batch).filter(batches::state.eq(FilingBatchState::Processing));
    diesel::update(open)
        .set((batches::state.eq(FilingBatchState::Completed), batches::completed_at.eq(now)))
        .execute(conn)?;
    Ok(true)
}

/// Number of the row of this batch that has made the live filing of a website's subject, if one has.
///
/// # Errors
/// When the database fails.
pub fn row_with_subject(
    conn: &mut PgConnection,
    batch: FilingBatchId,
    website: WebsiteId,
) -> QueryResult<Option<i32>> {
    use crate::schema::websites;
    let subjects = websites::table.find(website).select(websites::subject_id);
    rows::table
        .inner_join(filings::table)
        .filter(rows::batch_id.eq(batch))
        .filter(filings::subject_id.eq_any(subjects))
        .select(rows::number)
        .first(conn)
        .optional()
}

/// Removes batches that were completed before a time, with their rows. The filings stay.
///
/// # Errors
/// When the database fails.
pub fn purge(conn: &mut PgConnection, before: DateTime<Utc>) -> QueryResult<usize> {
    diesel::delete(batches::table.filter(batches::completed_at.lt(before))).execute(conn)
}
