//! Rows of website contents.

use std::collections::HashMap;

use diesel::prelude::*;
use uuid::Uuid;

use super::content::WebsiteContent;
use crate::schema::website_contents;

/// Stores a new content row.
pub fn insert(conn: &mut PgConnection, id: Uuid, content: &WebsiteContent) -> QueryResult<()> {
    diesel::insert_into(website_contents::table)
        .values((website_contents::id.eq(id), content))
        .execute(conn)
        .map(drop)
}

/// Reads a content row; `NotFound` when there is none.
pub fn load(conn: &mut PgConnection, id: Uuid) -> QueryResult<WebsiteContent> {
    website_contents::table.find(id).select(WebsiteContent::as_select()).first(conn)
}

/// Reads content rows by their ids; what is missing is absent.
pub fn load_all(conn: &mut PgConnection, ids: &[Uuid]) -> QueryResult<HashMap<Uuid, WebsiteContent>> {
    let rows: Vec<(Uuid, WebsiteContent)> = website_contents::table
        .filter(website_contents::id.eq_any(ids))
        .select((website_contents::id, WebsiteContent::as_select()))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// Overwrites every column of a content row, empty ones included; `NotFound` when there is none.
/// Only a draft's row may be replaced: filed versions and revisions are frozen.
pub fn replace(conn: &mut PgConnection, id: Uuid, content: &WebsiteContent) -> QueryResult<()> {
    match diesel::update(website_contents::table.find(id)).set(content).execute(conn)? {
        0 => Err(diesel::result::Error::NotFound),
        _ => Ok(()),
    }
}
