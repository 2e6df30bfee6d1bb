//! Rows of attachments.

use diesel::prelude::*;

use super::AttachmentState;
use crate::kernel::ids::{AttachmentId, FilingId, RevisionId};
use crate::schema::{attachments, filing_revision_attachments as frozen};

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
    let rows: Vec<_> =
        ready.into_iter().map(|id| (frozen::revision_id.eq(revision), frozen::attachment_id.eq(id))).collect();
    diesel::insert_into(frozen::table).values(rows).execute(conn).map(drop)
}
