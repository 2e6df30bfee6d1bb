//! Reading filed data: subjects, websites and their versions.

use crate::routes::Router;
use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::content::WebsiteContent;
use super::filed::{self, VersionRow, WebsiteRow};
use super::subject::Subject;
use super::view::{self, Scope, Website, WebsiteSummary};
use crate::app::App;
use crate::auth::{Allowed, Caller, op};
use crate::error::{ApiError, ApiResult};
use crate::kernel::etag::{content_version, etag};
use crate::kernel::ids::{AccountId, FilingId, SubjectId, WebsiteId};
use crate::kernel::json::{Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::kernel::search;
use crate::schema::{accounts, subjects, website_contents, website_versions, websites};

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl Router) {
    cfg.service(list_subjects)
        .service(get_subject)
        .service(list_websites)
        .service(get_website)
        .service(list_website_versions);
}

/// Filter of the list of subjects.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubjectQuery {
    /// Subjects of one account.
    #[serde(default)]
    #[param(example = "0193a000-0000-7000-8000-000000010001", nullable = false)]
    account_id: Option<AccountId>,
    /// Beginning of the ICP number or of the name.
    #[serde(default)]
    #[param(nullable = false)]
    q: Option<String>,
    /// Rows a page, 1 to 100; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100, nullable = false)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// A page of subjects, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubjectPage {
    /// The subjects.
    pub items: Vec<Subject>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// Filter of the list of websites.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WebsiteQuery {
    /// Websites of one subject.
    #[serde(default)]
    #[param(example = "0193a000-0000-7000-8000-000000013001", nullable = false)]
    subject_id: Option<SubjectId>,
    /// Websites of one account.
    #[serde(default)]
    #[param(example = "0193a000-0000-7000-8000-000000010001", nullable = false)]
    account_id: Option<AccountId>,
    /// Beginning of the ICP number, of the name or of a domain.
    #[serde(default)]
    #[param(nullable = false)]
    q: Option<String>,
    /// Rows a page, 1 to 100; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100, nullable = false)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// A page of websites, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebsitePage {
    /// The websites.
    pub items: Vec<WebsiteSummary>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// Which page of versions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VersionQuery {
    /// Rows a page, 1 to 100; 20 when absent.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100, nullable = false)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// A filed version of a website.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebsiteVersion {
    /// From 1, without gaps.
    #[schema(example = 1)]
    pub version_no: i32,
    /// Whether it is the version in force.
    pub is_current: bool,
    /// What was filed; personal data masked.
    pub content: WebsiteContent,
    /// The filing that brought it; null for an import.
    pub filing_id: Option<FilingId>,
    /// Since when it is, or was, filed.
    pub effective_at: DateTime<Utc>,
}

/// A page of versions, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebsiteVersionPage {
    /// The versions.
    pub items: Vec<WebsiteVersion>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// Names a list for one caller and filter: its cursors work nowhere else.
fn binding(list: &str, caller: &Caller, filter: &impl std::fmt::Debug) -> String {
    format!("{list} {:?} {filter:?}", Scope::of(caller))
}

/// List subjects
///
/// Owners: their own. Staff: all, personal data masked. The newest first.
#[utoipa::path(operation_id = "listSubjects", tag = "websites", params(SubjectQuery),
    responses((status = 200, description = "A page of subjects.", body = SubjectPage)))]
#[get("/v1/subjects")]
pub async fn list_subjects(
    app: web::Data<App>,
    caller: Allowed<op::ListSubjects>,
    query: Query<SubjectQuery>,
) -> ApiResult<Reply> {
    let SubjectQuery { account_id, q, limit, cursor } = query.0;
    let caller = caller.caller.clone();
    let binding = binding("subjects", &caller, &(account_id, &q));
    let after = page::decode(cursor.as_deref(), &binding)?;
    let page = app
        .db
        .run(move |conn| {
            let mut list = subjects::table
                .inner_join(accounts::table)
                .select(Subject::as_select())
                .order_by((subjects::created_at.desc(), subjects::id.desc()))
                .limit(limit.rows_to_read())
                .into_boxed();
            list = match Scope::of(&caller) {
                Scope::All => list,
                Scope::Account(id) => list.filter(subjects::account_id.eq(id)),
                Scope::Partner(id) => list.filter(accounts::partner_id.eq(id)),
            };
            if let Some(id) = account_id {
                list = list.filter(subjects::account_id.eq(id));
            }
            if let Some(q) = q.as_deref().and_then(search::typed).map(search::beginning) {
                list = list.filter(subjects::icp_number.like(q.clone()).or(subjects::name.like(q)));
            }
            if let Some(Position { at, id }) = after {
                list = list.filter(
                    subjects::created_at.le(at).and(subjects::created_at.lt(at).or(subjects::id.lt(id))),
                );
            }
            let rows: Vec<Subject> = list.load(conn)?;
            let position = |row: &Subject| Position { at: row.created_at, id: row.id };
            Ok(Page::cut(rows, limit, &binding, position).map(|row| view::shown_subject(&caller, row)))
        })
        .await?;
    Reply::ok(&SubjectPage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more })
}

/// Read a subject
///
/// Its owner, and staff with personal data masked.
#[utoipa::path(operation_id = "getSubject", tag = "websites",
    params(("id" = SubjectId, Path, description = "The subject.", example = "0193a000-0000-7000-8000-000000013001")),
    responses((status = 200, description = "The subject.", body = Subject)))]
#[get("/v1/subjects/{id}")]
pub async fn get_subject(
    app: web::Data<App>,
    caller: Allowed<op::GetSubject>,
    id: Path<SubjectId>,
) -> ApiResult<Reply> {
    let caller = caller.caller.clone();
    let (view, locale) = (caller.view(), caller.locale);
    let subject = app
        .db
        .run(move |conn| {
            let subject = filed::subject(conn, id.0)?;
            if !Scope::of(&caller).holds(conn, AccountId(subject.account_id))? {
                return Err(ApiError::not_found());
            }
            Ok(view::shown_subject(&caller, subject))
        })
        .await?;
    Ok(Reply::ok(&subject)?.etag(etag(subject.version, view, locale)))
}

/// List filed websites
///
/// Owners: their own, each with what they can do next, such as starting a change of it. Staff: all. The newest first.
#[utoipa::path(operation_id = "listWebsites", tag = "websites", params(WebsiteQuery),
    responses((status = 200, description = "A page of websites.", body = WebsitePage)))]
#[get("/v1/websites")]
pub async fn list_websites(
    app: web::Data<App>,
    caller: Allowed<op::ListWebsites>,
    query: Query<WebsiteQuery>,
) -> ApiResult<Reply> {
    let WebsiteQuery { subject_id, account_id, q, limit, cursor } = query.0;
    let caller = caller.caller.clone();
    let binding = binding("websites", &caller, &(subject_id, account_id, &q));
    let after = page::decode(cursor.as_deref(), &binding)?;
    let page = app
        .db
        .run(move |conn| {
            let mut list = websites::table
                .inner_join(website_contents::table)
                .inner_join(accounts::table)
                .select((WebsiteRow::as_select(), WebsiteContent::as_select()))
                .order_by((websites::created_at.desc(), websites::id.desc()))
                .limit(limit.rows_to_read())
                .into_boxed();
            list = match Scope::of(&caller) {
                Scope::All => list,
                Scope::Account(id) => list.filter(websites::account_id.eq(id)),
                Scope::Partner(id) => list.filter(accounts::partner_id.eq(id)),
            };
            if let Some(id) = subject_id {
                list = list.filter(websites::subject_id.eq(id));
            }
            if let Some(id) = account_id {
                list = list.filter(websites::account_id.eq(id));
            }
            if let Some(q) = q.as_deref().and_then(search::typed) {
                let (beginning, word) = (search::beginning(q), search::word_beginning(q));
                let has_domain = sql::<Bool>("array_to_tsvector(websites.domain_names) @@ ")
                    .bind::<Nullable<Text>, _>(word)
                    .sql("::tsquery");
                let named = websites::icp_number.like(beginning.clone());
                list = list.filter(named.or(websites::name.like(beginning).assume_not_null()).or(has_domain));
            }
            if let Some(Position { at, id }) = after {
                list = list.filter(
                    websites::created_at
                        .le(at)
                        .and(websites::created_at.lt(at).or(websites::id.lt(WebsiteId(id)))),
                );
            }
            let rows: Vec<(WebsiteRow, WebsiteContent)> = list.load(conn)?;
            let page =
                Page::cut(rows, limit, &binding, |(row, _)| Position { at: row.created_at, id: row.id.0 });
            let items = view::summaries(conn, &caller, page.items)?;
            Ok(WebsitePage { items, next_cursor: page.next_cursor, has_more: page.has_more })
        })
        .await?;
    Reply::ok(&page)
}

/// A website that the caller may see; for anybody else it does not exist.
fn visible(
    conn: &mut PgConnection,
    caller: &Caller,
    id: WebsiteId,
) -> ApiResult<(WebsiteRow, WebsiteContent)> {
    let (row, content) = filed::filed(conn, id)?;
    match Scope::of(caller).holds(conn, row.account_id)? {
        true => Ok((row, content)),
        false => Err(ApiError::not_found()),
    }
}

/// Read a filed website
///
/// Its owner, with what they can do next, and staff with personal data masked. `content` is what is filed now; a filing
/// starts as a copy of it.
#[utoipa::path(operation_id = "getWebsite", tag = "websites",
    params(("id" = WebsiteId, Path, description = "The website.", example = "0193a000-0000-7000-8000-000000014001")),
    responses((status = 200, description = "The website.", body = Website)))]
#[get("/v1/websites/{id}")]
pub async fn get_website(
    app: web::Data<App>,
    caller: Allowed<op::GetWebsite>,
    id: Path<WebsiteId>,
) -> ApiResult<Reply> {
    let caller = caller.caller.clone();
    let (view, locale) = (caller.view(), caller.locale);
    let body = app
        .db
        .run(move |conn| {
            let (row, content) = visible(conn, &caller, id.0)?;
            Ok(view::website(conn, &caller, row, content)?)
        })
        .await?;
    Ok(Reply::ok(&body)?.etag(etag(content_version(&body)?, view, locale)))
}

/// List the filed versions of a website
///
/// Its owner, and staff with personal data masked. The newest first; version 1 came with the import.
#[utoipa::path(operation_id = "listWebsiteVersions", tag = "websites",
    params(("id" = WebsiteId, Path, description = "The website.", example = "0193a000-0000-7000-8000-000000014001"),
        VersionQuery),
    responses((status = 200, description = "A page of versions.", body = WebsiteVersionPage)))]
#[get("/v1/websites/{id}/versions")]
pub async fn list_website_versions(
    app: web::Data<App>,
    caller: Allowed<op::ListWebsiteVersions>,
    id: Path<WebsiteId>,
    query: Query<VersionQuery>,
) -> ApiResult<Reply> {
    let VersionQuery { limit, cursor } = query.0;
    let caller = caller.caller.clone();
    let binding = binding("website versions", &caller, &id.0);
    let after = page::decode(cursor.as_deref(), &binding)?;
    let page = app
        .db
        .run(move |conn| {
            let (website, _) = visible(conn, &caller, id.0)?;
            let mut list = website_versions::table
                .inner_join(website_contents::table)
                .filter(website_versions::website_id.eq(website.id))
                .select((VersionRow::as_select(), WebsiteContent::as_select()))
                .order_by((website_versions::effective_at.desc(), website_versions::content_id.desc()))
                .limit(limit.rows_to_read())
                .into_boxed();
            if let Some(Position { at, id }) = after {
                let same = website_versions::effective_at.eq(at);
                list = list.filter(
                    website_versions::effective_at.lt(at).or(same.and(website_versions::content_id.lt(id))),
                );
            }
            let rows: Vec<(VersionRow, WebsiteContent)> = list.load(conn)?;
            let position = |(row, _): &(VersionRow, WebsiteContent)| Position {
                at: row.effective_at,
                id: row.content_id.0,
            };
            Ok(Page::cut(rows, limit, &binding, position).map(|(row, content)| WebsiteVersion {
                version_no: row.version_no,
                is_current: row.version_no == website.filed_version,
                content: view::shown_content(&caller, content),
                filing_id: row.filing_id,
                effective_at: row.effective_at,
            }))
        })
        .await?;
    Reply::ok(&WebsiteVersionPage {
        items: page.items,
        next_cursor: page.next_cursor,
        has_more: page.has_more,
    })
}
