//! What a batch sends and shows.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::model::{BatchRow, Done};
use super::{FilingBatchRowState, FilingBatchState};
use crate::error::{ApiError, Problem};
use crate::filings::{CheckResult, NewFiling};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{FilingBatchId, FilingId, WebsiteId};
use crate::kernel::json::Rows;
use crate::websites::patch::WebsiteContentPatch;

/// Filings to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "filings": [
    { "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014002",
      "external_reference": "ORDER-2026-0001", "website": { "name": "云上书店之家", "remark": "更名" } },
    { "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014999" }
] }))]
pub struct FilingBatchCreation {
    /// One for each website.
    #[schema(min_items = 1, max_items = 100)]
    pub filings: Vec<FilingBatchItem>,
}

/// A filing to be made, with the changes of its content.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilingBatchItem {
    /// Kind of filing; `website_change` is offered.
    #[schema(max_length = 50)]
    kind: String,
    /// The filed website to be changed.
    website_id: WebsiteId,
    /// Your own key; unique among the filings of your partner, or of the account when there is none.
    #[schema(min_length = 1, max_length = 100)]
    external_reference: Option<String>,
    /// Merge patch (RFC 7396) of the content, as for `updateFiling`.
    website: Option<WebsiteContentPatch>,
}

impl Rows for FilingBatchCreation {
    type Row = FilingBatchItem;
    const MEMBER: &'static str = "filings";
}

impl From<FilingBatchItem> for NewFiling {
    fn from(item: FilingBatchItem) -> Self {
        let FilingBatchItem { kind, website_id, external_reference, website } = item;
        Self { kind, website_id, external_reference, website }
    }
}

/// A batch with what became of each row.
#[derive(Serialize, ToSchema)]
pub struct FilingBatch {
    /// Id.
    id: FilingBatchId,
    /// Whether all rows are done.
    state: FilingBatchState,
    /// Rows of the request.
    row_count: i32,
    /// Filings made so far.
    created_count: i32,
    /// Rows refused so far.
    failed_count: i32,
    /// When it was ordered.
    created_at: DateTime<Utc>,
    /// When the last row was done. 30 days later the batch is removed; its filings stay.
    completed_at: Option<DateTime<Utc>>,
    /// In the order of the request.
    rows: Vec<FilingBatchRow>,
}

/// What became of a row.
#[derive(Serialize, ToSchema)]
pub struct FilingBatchRow {
    /// Number of the row in `filings` of the request, from 0.
    number: i32,
    /// Whether it is done, and how.
    state: FilingBatchRowState,
    /// The website, as it was sent; null when it could not be read.
    website_id: Option<WebsiteId>,
    /// Your own key, as it was sent; null when it could not be read.
    external_reference: Option<String>,
    /// The filing; null unless it was made.
    filing_id: Option<FilingId>,
    /// 备案订单号; null unless the filing was made.
    #[schema(example = "BA-2026-000123")]
    order_no: Option<String>,
    /// What stood between the new draft and its submission; null unless the filing was made.
    #[schema(value_type = Option<CheckResult>)]
    check: Value,
    /// Why no filing was made; null unless the row failed. Its pointers begin with `/filings/` and the number of the row.
    #[schema(value_type = Option<Problem>)]
    problem: Value,
}

impl FilingBatch {
    /// The batch in a language.
    pub(super) fn of(batch: BatchRow, rows: Vec<Done>, locale: Locale) -> Self {
        let count = |state| rows.iter().filter(|row| row.state == state).count() as i32;
        Self {
            id: batch.id,
            state: batch.state,
            row_count: batch.row_count,
            created_count: count(FilingBatchRowState::Created),
            failed_count: count(FilingBatchRowState::Failed),
            created_at: batch.created_at,
            completed_at: batch.completed_at,
            rows: rows.into_iter().map(|row| FilingBatchRow::of(row, locale)).collect(),
        }
    }

    /// Rises with every row that is done.
    pub(super) fn version(&self) -> i32 {
        1 + self.created_count + self.failed_count
    }

    /// Whether rows are still to be done.
    pub(super) fn is_processing(&self) -> bool {
        self.state == FilingBatchState::Processing
    }
}

impl FilingBatchRow {
    fn of(row: Done, locale: Locale) -> Self {
        let mut result = row.result.map(|mut result| result[locale.as_str()].take()).unwrap_or_default();
        let (check, problem) = match row.state {
            FilingBatchRowState::Pending => (Value::Null, Value::Null),
            FilingBatchRowState::Created => (result.take(), Value::Null),
            FilingBatchRowState::Failed => (Value::Null, result.take()),
        };
        Self {
            number: row.number,
            state: row.state,
            website_id: row.website_id,
            external_reference: row.external_reference,
            filing_id: row.filing_id,
            order_no: row.order_no,
            check,
            problem,
        }
    }
}

/// A problem as it is kept: in each language.
pub(super) fn kept_problem(error: &ApiError, request_id: &str) -> Value {
    in_each_language(|locale| json!(error.problem(locale, request_id)))
}

/// Something as it is kept: in each language.
pub(super) fn in_each_language(shown: impl Fn(Locale) -> Value) -> Value {
    Locale::ALL.iter().map(|locale| (locale.as_str().to_owned(), shown(*locale))).collect::<Value>()
}

/// A batch in a list.
#[derive(Serialize, ToSchema)]
pub struct FilingBatchSummary {
    /// Id.
    id: FilingBatchId,
    /// Whether all rows are done.
    state: FilingBatchState,
    /// Rows of the request.
    row_count: i32,
    /// When it was ordered.
    created_at: DateTime<Utc>,
    /// When the last row was done.
    completed_at: Option<DateTime<Utc>>,
}

impl From<BatchRow> for FilingBatchSummary {
    fn from(row: BatchRow) -> Self {
        Self {
            id: row.id,
            state: row.state,
            row_count: row.row_count,
            created_at: row.created_at,
            completed_at: row.completed_at,
        }
    }
}

/// A page of batches.
#[derive(Serialize, ToSchema)]
pub struct FilingBatchPage {
    /// The batches, newest first.
    pub(super) items: Vec<FilingBatchSummary>,
    /// Cursor of the next page; null on the last.
    pub(super) next_cursor: Option<String>,
    pub(super) has_more: bool,
}
