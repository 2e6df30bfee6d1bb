//! Filed data: subjects, their websites and what each filed version says.

pub mod content;
pub mod fields;
pub mod model;
pub mod patch;
pub mod subject;

use crate::kernel::ids::{ContentId, FilingId, WebsiteId};
use crate::schema::websites;
use chrono::{DateTime, Utc};
use diesel::prelude::*;

/// Number of the filed version in force.
pub fn filed_version(conn: &mut PgConnection, id: WebsiteId) -> QueryResult<i32> {
    websites::table.find(id).select(websites::filed_version).first(conn)
}

/// Number and content of the filed version in force.
pub fn filed_content_id(conn: &mut PgConnection, id: WebsiteId) -> QueryResult<(i32, ContentId)> {
    websites::table.find(id).select((websites::filed_version, websites::content_id)).first(conn)
}

/// Makes a content the website's new filed version, if the expected one is still in force.
pub fn apply_filing(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    website: WebsiteId,
    content: ContentId,
    filing: FilingId,
    expected_version: i32,
) -> QueryResult<bool> {
    use crate::schema::website_versions as versions;
    let rows = diesel::update(websites::table.find(website).filter(websites::filed_version.eq(expected_version)))
        .set((
            websites::filed_version.eq(expected_version + 1),
            websites::content_id.eq(content),
            websites::updated_at.eq(now),
        ))
        .execute(conn)?;
    if rows != 1 {
        return Ok(false);
    }
    diesel::insert_into(versions::table)
        .values((
            versions::website_id.eq(website),
            versions::version_no.eq(expected_version + 1),
            versions::content_id.eq(content),
            versions::filing_id.eq(filing),
            versions::effective_at.eq(now),
        ))
        .execute(conn)?;
    Ok(true)
}
