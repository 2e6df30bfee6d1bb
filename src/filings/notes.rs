//! Internal notes on a filing: from staff to staff. Owners never see them.

use crate::routes::Router;
use actix_web::{get, post, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access;
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, op};
use crate::error::ApiResult;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{FilingId, NoteId, UserId};
use crate::kernel::json::{Json, Path, Query};
use crate::kernel::page::{self, Limit, Page, Position};
use crate::kernel::reply::Reply;
use crate::schema::{filing_notes, users};

/// Adds this feature's routes.
pub fn routes(cfg: &mut impl Router) {
    cfg.service(list_filing_notes).service(create_filing_note);
}

/// An internal note.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilingNote {
    /// Id.
    pub id: NoteId,
    /// The filing.
    pub filing_id: FilingId,
    /// Who wrote it.
    pub author_id: UserId,
    /// Their name as colleagues know it.
    #[schema(example = "审核员一")]
    pub author_name: String,
    /// The text.
    pub body: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// A page of notes.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilingNotePage {
    /// The notes, newest first.
    pub items: Vec<FilingNote>,
    /// Cursor of the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// A note to be written.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "body": "已电话核实负责人手机号码" }))]
pub struct CreateFilingNote {
    /// The text. No identity numbers and no full phone numbers: notes are not sealed.
    #[schema(min_length = 1, max_length = 2000)]
    body: String,
}

/// Filter of the notes.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NoteFilter {
    /// Rows of a page.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

type Row = (NoteId, FilingId, UserId, String, String, DateTime<Utc>);

fn shown((id, filing_id, author_id, author_name, body, created_at): Row) -> FilingNote {
    FilingNote { id, filing_id, author_id, author_name, body, created_at }
}

/// List internal notes
///
/// Staff who see the filing read what colleagues noted, newest first. Owners never do.
#[utoipa::path(operation_id = "listFilingNotes", tag = "filings",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015003"), NoteFilter),
    responses((status = 200, description = "A page of notes.", body = FilingNotePage)))]
#[get("/v1/filings/{id}/notes")]
pub async fn list_filing_notes(
    app: web::Data<App>,
    caller: Allowed<op::ListFilingNotes>,
    id: Path<FilingId>,
    filter: Query<NoteFilter>,
) -> ApiResult<Reply> {
    let caller = caller.caller.clone();
    let NoteFilter { limit, cursor } = filter.0;
    app.db
        .run(move |conn| {
            let filing = access::visible(conn, &caller, id.0)?;
            let binding = format!("notes {}", filing.id);
            let mut query = filing_notes::table
                .inner_join(users::table)
                .filter(filing_notes::filing_id.eq(filing.id))
                .select((
                    filing_notes::id,
                    filing_notes::filing_id,
                    filing_notes::author_id,
                    users::display_name,
                    filing_notes::body,
                    filing_notes::created_at,
                ))
                .into_boxed();
            if let Some(from) = page::decode(cursor.as_deref(), &binding)? {
                query = query.filter(
                    filing_notes::created_at
                        .le(from.at)
                        .and(filing_notes::created_at.lt(from.at).or(filing_notes::id.lt(NoteId(from.id)))),
                );
            }
            let rows: Vec<Row> = query
                .order((filing_notes::created_at.desc(), filing_notes::id.desc()))
                .limit(limit.rows_to_read())
                .load(conn)?;
            let page = Page::cut(rows, limit, &binding, |row| Position { at: row.5, id: row.0.0 }).map(shown);
            let next = page.next_cursor.clone();
            let body =
                FilingNotePage { items: page.items, next_cursor: page.next_cursor, has_more: page.has_more };
            Ok(Reply::ok(&body)?.next_page(next.as_deref()))
        })
        .await
}

/// Write an internal note
///
/// Staff who see the filing, in any status. A note cannot be changed; it is neither shown nor announced to the owner.
#[utoipa::path(operation_id = "createFilingNote", tag = "filings",
    params(
        ("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015003"),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own."),
    ),
    responses((status = 201, description = "The note.", body = FilingNote)))]
#[post("/v1/filings/{id}/notes")]
pub async fn create_filing_note(
    app: web::Data<App>,
    caller: Allowed<op::CreateFilingNote>,
    id: Path<FilingId>,
    idempotency: Idempotency,
    body: Json<CreateFilingNote>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let key = caller.user_id.to_string();
    let (caller, reader) = (caller.caller.clone(), caller.caller.clone());
    idempotency
        .run(
            &app.db,
            now,
            &key,
            move |conn| access::visible(conn, &reader, id.0).map(drop),
            move |conn| {
                let filing = access::visible(conn, &caller, id.0)?;
                let note = NoteId::new();
                diesel::insert_into(filing_notes::table)
                    .values((
                        filing_notes::id.eq(note),
                        filing_notes::filing_id.eq(filing.id),
                        filing_notes::author_id.eq(caller.user_id),
                        filing_notes::body.eq(&body.0.body),
                        filing_notes::created_at.eq(now),
                    ))
                    .execute(conn)?;
                let author: String =
                    users::table.find(caller.user_id).select(users::display_name).first(conn)?;
                let deed =
                    Deed::new("note.created", "note", note.0).account(filing.account_id).filing(filing.id);
                audit::record(conn, now, &Actor::from(&caller), deed)?;
                let shown = shown((note, filing.id, caller.user_id, author, body.0.body, now));
                // A note has no address of its own: the list is where it stands.
                Reply::created(format!("/v1/filings/{}/notes", filing.id), &shown)
            },
        )
        .await
}
