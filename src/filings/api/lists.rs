//! Lists: filings and a filing's timeline.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{Allowed, Caller, Role, op};
use crate::error::ApiResult;
use crate::filings::access;
use crate::filings::body::{EventRow, FilingEvent, FilingSummary};
use crate::filings::model::Listed;
use crate::filings::workflow::Status;
use crate::kernel::ids::{AccountId, FilingId, WebsiteId};
use crate::kernel::json::{CommaList, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::kernel::search;
use crate::schema::{bureau_submissions, filing_events, filings};

crate::text_enum! {
    /// Order of a list of filings.
    pub enum FilingSort {
        /// The oldest first.
        CreatedAt = "created_at",
        /// The newest first.
        CreatedAtDescending = "-created_at",
    }
}

/// Filter of the list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FilingFilter {
    /// Ids, comma separated.
    #[param(
        value_type = Option<String>,
        pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(,[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})*$"
    )]
    id: Option<CommaList<FilingId>>,
    /// Statuses, comma separated.
    #[param(value_type = Option<String>, example = "draft,photo_required")]
    status: Option<CommaList<Status>>,
    /// Kinds, comma separated.
    #[param(value_type = Option<String>)]
    kind: Option<CommaList<String>>,
    /// Of this account.
    account_id: Option<AccountId>,
    /// Of this website.
    website_id: Option<WebsiteId>,
    /// With this key.
    external_reference: Option<String>,
    /// Of this province, GB/T 2260.
    province_code: Option<String>,
    /// Made after this time.
    created_after: Option<DateTime<Utc>>,
    /// Changed after this time.
    updated_after: Option<DateTime<Utc>>,
    /// Due before this time.
    due_before: Option<DateTime<Utc>>,
    /// Whether the due time has passed.
    overdue: Option<bool>,
    /// Prefix of order number, domain or website name.
    #[param(max_length = 100)]
    q: Option<String>,
    /// Order; `-created_at`, the newest first, when absent.
    #[param(inline)]
    sort: Option<FilingSort>,
    /// Rows of a page.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of filings.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilingPage {
    /// The filings.
    pub items: Vec<FilingSummary>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// A page of a timeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilingEventPage {
    /// The events, oldest first.
    pub items: Vec<FilingEvent>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// List filings
///
/// Owners see their own; reviewers the submitted ones; bureau operators those handed over; support and admin all.
/// Newest first.
#[utoipa::path(operation_id = "listFilings", tag = "filings", params(FilingFilter),
    responses((status = 200, description = "A page of filings.", body = FilingPage)))]
#[get("/v1/filings")]
pub async fn list_filings(
    app: web::Data<App>,
    caller: Allowed<op::ListFilings>,
    filter: Query<FilingFilter>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller.clone();
    let parts = app.clone();
    app.db
        .run(move |conn| {
            let filter = filter.0;
            let is_ascending = filter.sort == Some(FilingSort::CreatedAt);
            let mut bound = filter.clone();
            bound.cursor = None;
            let binding = format!("filings {} {bound:?}", caller.user_id);
            let from = page::decode(filter.cursor.as_deref(), &binding)?;
            let rows = select(conn, &caller, &filter, from, is_ascending, now)?;
            let shown = parts.catalogue.shown(conn, now)?;
            let page =
                Page::cut(rows, filter.limit, &binding, |row| Position { at: row.created_at, id: row.id.0 })
                    .map(|row| FilingSummary::of(row, caller.locale, now, &shown.calendar));
            let link = page.next_cursor.clone();
            Ok(Reply::ok(&FilingPage {
                items: page.items,
                next_cursor: page.next_cursor,
                has_more: page.has_more,
            })?
            .next_page(link.as_deref()))
        })
        .await
}

fn select(
    conn: &mut PgConnection,
    caller: &Caller,
    filter: &FilingFilter,
    from: Option<Position>,
    is_ascending: bool,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Listed>> {
    let mut query = filings::table.select(Listed::as_select()).into_boxed();
    // Who sees which rows; as access::visible.
    if let Some(account) = caller.account_id {
        query = query.filter(filings::account_id.eq(account));
    } else if let Some(partner) = caller.partner_id {
        query = query.filter(filings::partner_id.eq(partner));
    } else if caller.has(Role::Support) || caller.has(Role::Admin) {
        // All of them.
    } else if caller.has(Role::Reviewer) {
        query = query.filter(filings::revision_no.gt(0));
    } else {
        query = query.filter(diesel::dsl::exists(
            bureau_submissions::table.filter(bureau_submissions::filing_id.eq(filings::id)),
        ));
    }
    if let Some(CommaList(ids)) = &filter.id {
        query = query.filter(filings::id.eq_any(ids.clone()));
    }
    query = match &filter.status {
        // One status by equality: only then does filings_status_created_idx give the order too.
        Some(CommaList(statuses)) if statuses.len() == 1 => query.filter(filings::status.eq(statuses[0])),
        Some(CommaList(statuses)) => query.filter(filings::status.eq_any(statuses.clone())),
        None => query,
    };
    if let Some(CommaList(kinds)) = &filter.kind {
        query = query.filter(filings::kind.eq_any(kinds.clone()));
    }
    if let Some(account) = filter.account_id {
        query = query.filter(filings::account_id.eq(account));
    }
    if let Some(website) = filter.website_id {
        query = query.filter(filings::website_id.eq(website));
    }
    if let Some(reference) = &filter.external_reference {
        query = query.filter(filings::external_reference.eq(reference.clone()));
    }
    if let Some(province) = &filter.province_code {
        query = query.filter(filings::province_code.eq(province.clone()));
    }
    if let Some(after) = filter.created_after {
        query = query.filter(filings::created_at.gt(after));
    }
    if let Some(after) = filter.updated_after {
        query = query.filter(filings::updated_at.gt(after));
    }
    if let Some(before) = filter.due_before {
        query = query.filter(filings::due_at.lt(before));
    }
    query = match filter.overdue {
        Some(true) => query.filter(filings::due_at.lt(now)),
        Some(false) => query.filter(filings::due_at.is_null().or(filings::due_at.ge(now))),
        None => query,
    };
    if let Some(q) = filter.q.as_deref().and_then(search::typed) {
        let prefix = search::beginning(q);
        let domain = diesel::dsl::sql::<Bool>("array_to_tsvector(array_remove(domain_names, '')) @@ ")
            .bind::<Nullable<Text>, _>(search::word_beginning(q))
            .sql("::tsquery");
        query = query.filter(
            filings::order_no
                .like(prefix.clone())
                .or(filings::website_name.like(prefix).assume_not_null())
                .or(domain),
        );
    }
    query = match (from, is_ascending) {
        (Some(from), true) => query.filter(
            filings::created_at
                .ge(from.at)
                .and(filings::created_at.gt(from.at).or(filings::id.gt(FilingId(from.id)))),
        ),
        (Some(from), false) => query.filter(
            filings::created_at
                .le(from.at)
                .and(filings::created_at.lt(from.at).or(filings::id.lt(FilingId(from.id)))),
        ),
        (None, _) => query,
    };
    query = if is_ascending {
        query.order((filings::created_at.asc(), filings::id.asc()))
    } else {
        query.order((filings::created_at.desc(), filings::id.desc()))
    };
    query.limit(filter.limit.rows_to_read()).load(conn)
}

/// Filter of a timeline.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventFilter {
    /// Rows of a page.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What happened to a filing
///
/// The timeline, oldest first. Owners see what concerns them; staff appear by role, never by name.
#[utoipa::path(operation_id = "listFilingEvents", tag = "filings",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001"), EventFilter),
    responses((status = 200, description = "A page of events.", body = FilingEventPage)))]
#[get("/v1/filings/{id}/events")]
pub async fn list_filing_events(
    app: web::Data<App>,
    caller: Allowed<op::ListFilingEvents>,
    id: Path<FilingId>,
    filter: Query<EventFilter>,
) -> ApiResult<Reply> {
    let caller = caller.caller.clone();
    app.db
        .run(move |conn| {
            let filing = access::visible(conn, &caller, id.0)?;
            let binding = format!("events {} {}", filing.id, caller.view());
            let from = page::decode(filter.0.cursor.as_deref(), &binding)?;
            let mut query = filing_events::table
                .filter(filing_events::filing_id.eq(filing.id))
                .select(EventRow::as_select())
                .into_boxed();
            if caller.is_owner_side() {
                query = query.filter(filing_events::visibility.eq("applicant"));
            }
            if let Some(from) = from {
                query = query.filter(
                    filing_events::at.ge(from.at).and(
                        filing_events::at
                            .gt(from.at)
                            .or(filing_events::id.gt(crate::kernel::ids::EventId(from.id))),
                    ),
                );
            }
            let rows: Vec<EventRow> = query
                .order((filing_events::at, filing_events::id))
                .limit(filter.0.limit.rows_to_read())
                .load(conn)?;
            let page = Page::cut(rows, filter.0.limit, &binding, |row| Position { at: row.at, id: row.id.0 })
                .map(|row| row.body(&filing.order_no, filing.external_reference.clone(), caller.locale));
            let link = page.next_cursor.clone();
            Ok(Reply::ok(&FilingEventPage {
                items: page.items,
                next_cursor: page.next_cursor,
                has_more: page.has_more,
            })?
            .next_page(link.as_deref()))
        })
        .await
}
