//! Rows of attachments.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::AttachmentState;
use crate::external::uploads::Declared;
use crate::kernel::ids::{AccountId, AttachmentId, FilingId, RevisionId, UserId};
use crate::kernel::jobs::{self, NewJob};
use crate::kernel::page::{Limit, Position};
use crate::schema::{attachments, filing_revision_attachments as frozen};

/// Kind of the job that removes objects which nothing refers to any more.
pub(super) const CLEAN_JOB: &str = "attachments.clean_objects";

/// Most files of one filing that are on their way or count.
pub(super) const MAX_PER_FILING: i64 = 50;
/// Most of them for one purpose.
pub(super) const MAX_PER_PURPOSE: i64 = 20;

/// An uploaded material.
#[derive(Debug, Clone, Queryable, Selectable, Identifiable, Insertable)]
#[diesel(table_name = attachments)]
pub struct AttachmentRow {
    /// Primary key.
    pub id: AttachmentId,
    /// The filing.
    pub filing_id: FilingId,
    /// Whose it is.
    pub account_id: AccountId,
    /// Code of the dictionary `material`.
    pub purpose: String,
    /// Where it stands.
    pub state: AttachmentState,
    /// Why it was refused.
    pub refused_code: Option<String>,
    /// Name as the applicant's computer had it.
    pub file_name: String,
    /// Media type.
    pub content_type: String,
    /// Length in bytes.
    pub size_bytes: i64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Key that the client may write to until `upload_expires_at`.
    pub upload_key: String,
    /// Until when.
    pub upload_expires_at: DateTime<Utc>,
    /// Key of the verified content; none before it is ready and after the object died.
    pub object_key: Option<String>,
    /// Who declared it.
    pub created_by: UserId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it became ready or was refused.
    pub completed_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
}

impl AttachmentRow {
    /// What the client said about the file.
    pub(super) fn declared(&self) -> Declared {
        Declared {
            key: self.upload_key.clone(),
            content_type: self.content_type.clone(),
            size_bytes: self.size_bytes,
            sha256: self.sha256.clone(),
            expires_at: self.upload_expires_at,
        }
    }

    /// Where the verified content is kept. Fixed by the id, so that a repeated completion cannot leave a second copy.
    pub(super) fn final_key(&self) -> String {
        format!("attachments/{}", self.id)
    }

    /// Whether it waits for its file.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, AttachmentState::Pending | AttachmentState::Scanning)
    }
}

/// Reads an attachment. One that was deleted is gone, unless a revision keeps it.
///
/// # Errors
/// `NotFound`, or when the database fails.
pub(super) fn find(conn: &mut PgConnection, id: AttachmentId) -> QueryResult<AttachmentRow> {
    let row = attachments::table.find(id).select(AttachmentRow::as_select()).first(conn)?;
    if row.state == AttachmentState::Deleted && !is_frozen(conn, id)? {
        return Err(diesel::result::Error::NotFound);
    }
    Ok(row)
}

/// Locks and reads an attachment again. The filing is locked already.
///
/// # Errors
/// `NotFound`, or when the database fails.
pub(super) fn lock(conn: &mut PgConnection, id: AttachmentId) -> QueryResult<AttachmentRow> {
    attachments::table.find(id).select(AttachmentRow::as_select()).for_update().first(conn)
}

/// Whether a revision refers to it.
///
/// # Errors
/// When the database fails.
pub(super) fn is_frozen(conn: &mut PgConnection, id: AttachmentId) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(frozen::table.filter(frozen::attachment_id.eq(id)))).get_result(conn)
}

/// Files of a filing that count or may still come: of this purpose, and in all.
///
/// # Errors
/// When the database fails.
pub(super) fn live_counts(
    conn: &mut PgConnection,
    filing: FilingId,
    purpose: &str,
    now: DateTime<Utc>,
) -> QueryResult<(i64, i64)> {
    let purposes: Vec<String> = attachments::table
        .filter(attachments::filing_id.eq(filing))
        .filter(
            attachments::state.eq(AttachmentState::Ready).or(attachments::state
                .eq_any([AttachmentState::Pending, AttachmentState::Scanning])
                .and(attachments::upload_expires_at.gt(now))),
        )
        .select(attachments::purpose)
        .load(conn)?;
    let same = purposes.iter().filter(|known| *known == purpose).count();
    Ok((same as i64, purposes.len() as i64))
}

/// One page of a filing's attachments, oldest first, without deleted and expired ones.
///
/// # Errors
/// When the database fails.
pub(super) fn page(
    conn: &mut PgConnection,
    filing: FilingId,
    purpose: Option<&str>,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<AttachmentRow>> {
    let mut query = attachments::table
        .filter(attachments::filing_id.eq(filing))
        .filter(attachments::state.ne_all([AttachmentState::Deleted, AttachmentState::Expired]))
        .order((attachments::created_at, attachments::id))
        .limit(limit.rows_to_read())
        .select(AttachmentRow::as_select())
        .into_boxed();
    if let Some(purpose) = purpose {
        query = query.filter(attachments::purpose.eq(purpose.to_owned()));
    }
    if let Some(after) = after {
        query = query.filter(
            attachments::created_at
                .ge(after.at)
                .and(attachments::created_at.gt(after.at).or(attachments::id.gt(AttachmentId(after.id)))),
        );
    }
    query.load(conn)
}

/// Stores a new attachment.
///
/// # Errors
/// When the database fails.
pub(super) fn insert(conn: &mut PgConnection, row: &AttachmentRow) -> QueryResult<()> {
    diesel::insert_into(attachments::table).values(row).execute(conn).map(drop)
}

/// The file is what was declared: it counts from now on.
///
/// # Errors
/// When the database fails.
pub(super) fn set_ready(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    row: &AttachmentRow,
) -> QueryResult<AttachmentRow> {
    diesel::update(attachments::table.find(row.id))
        .set((
            attachments::state.eq(AttachmentState::Ready),
            attachments::object_key.eq(row.final_key()),
            attachments::completed_at.eq(now),
            attachments::version.eq(attachments::version + 1),
        ))
        .returning(AttachmentRow::as_returning())
        .get_result(conn)
}

/// The file is not what was declared.
///
/// # Errors
/// When the database fails.
pub(super) fn set_refused(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: AttachmentId,
    code: &str,
) -> QueryResult<AttachmentRow> {
    diesel::update(attachments::table.find(id))
        .set((
            attachments::state.eq(AttachmentState::Refused),
            attachments::refused_code.eq(code),
            attachments::completed_at.eq(now),
            attachments::version.eq(attachments::version + 1),
        ))
        .returning(AttachmentRow::as_returning())
        .get_result(conn)
}

/// Takes attachments out of the filing: deleted by the applicant, or expired. Their objects die by a job.
///
/// # Errors
/// When the database fails.
pub(super) fn retire(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    ids: &[AttachmentId],
    state: AttachmentState,
) -> QueryResult<()> {
    diesel::update(attachments::table.filter(attachments::id.eq_any(ids)))
        .set((attachments::state.eq(state), attachments::version.eq(attachments::version + 1)))
        .execute(conn)?;
    ids.iter().try_for_each(|id| clean_later(conn, now, *id))
}

/// The ready attachments of the same purpose, which a completed one with room for one file replaces.
///
/// # Errors
/// When the database fails.
pub(super) fn others_ready(conn: &mut PgConnection, row: &AttachmentRow) -> QueryResult<Vec<AttachmentId>> {
    attachments::table
        .filter(attachments::filing_id.eq(row.filing_id))
        .filter(attachments::purpose.eq(&row.purpose))
        .filter(attachments::state.eq(AttachmentState::Ready))
        .filter(attachments::id.ne(row.id))
        .select(attachments::id)
        .load(conn)
}

/// Has the objects removed that an attachment no longer needs. Never merged with a job that runs: that one may have looked
/// before this change.
///
/// # Errors
/// When the database fails.
pub(super) fn clean_later(conn: &mut PgConnection, now: DateTime<Utc>, id: AttachmentId) -> QueryResult<()> {
    jobs::enqueue(conn, now, NewJob::new(CLEAN_JOB, json!({ "attachment_id": id })))
}

/// Attachments whose file never came, with their filings.
///
/// # Errors
/// When the database fails.
pub(super) fn overdue(
    conn: &mut PgConnection,
    expired_before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<(AttachmentId, FilingId)>> {
    attachments::table
        .filter(attachments::state.eq_any([AttachmentState::Pending, AttachmentState::Scanning]))
        .filter(attachments::upload_expires_at.lt(expired_before))
        .order(attachments::upload_expires_at)
        .limit(limit)
        .select((attachments::id, attachments::filing_id))
        .load(conn)
}

/// Forgets the final object's key after the object died.
///
/// # Errors
/// When the database fails.
pub(super) fn forget_object(conn: &mut PgConnection, id: AttachmentId) -> QueryResult<()> {
    diesel::update(attachments::table.find(id))
        .set(attachments::object_key.eq(None::<String>))
        .execute(conn)
        .map(drop)
}

/// Attachments of a filing that count, oldest first.
///
/// # Errors
/// When the database fails.
pub fn ready(conn: &mut PgConnection, filing: FilingId) -> QueryResult<Vec<AttachmentRow>> {
    attachments::table
        .filter(attachments::filing_id.eq(filing))
        .filter(attachments::state.eq(AttachmentState::Ready))
        .order((attachments::created_at, attachments::id))
        .select(AttachmentRow::as_select())
        .load(conn)
}

/// Attachments that a revision contains, oldest first, those deleted from the filing since included.
///
/// # Errors
/// When the database fails.
pub fn for_revision(conn: &mut PgConnection, revision: RevisionId) -> QueryResult<Vec<AttachmentRow>> {
    attachments::table
        .filter(
            attachments::id
                .eq_any(frozen::table.filter(frozen::revision_id.eq(revision)).select(frozen::attachment_id)),
        )
        .order((attachments::created_at, attachments::id))
        .select(AttachmentRow::as_select())
        .load(conn)
}

/// Ties the ready attachments of a filing to a revision.
///
/// # Errors
/// When the database fails.
pub fn freeze(conn: &mut PgConnection, filing: FilingId, revision: RevisionId) -> QueryResult<()> {
    let ready: Vec<AttachmentId> = attachments::table
        .filter(attachments::filing_id.eq(filing))
        .filter(attachments::state.eq(AttachmentState::Ready))
        .select(attachments::id)
        .load(conn)?;
    let rows: Vec<_> = ready
        .into_iter()
        .map(|id| (frozen::revision_id.eq(revision), frozen::attachment_id.eq(id)))
        .collect();
    diesel::insert_into(frozen::table).values(rows).execute(conn).map(drop)
}
