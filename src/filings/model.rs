//! Rows of filings and what belongs to them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::workflow::Status;
use crate::kernel::ids::{
    AccountId, ContentId, FilingId, PartnerId, RevisionId, SubjectId, TermsId, UserId, WebsiteId,
};
use crate::schema::{filing_participants, filing_revisions, filings, terms};

/// What lists show of a filing: half of its columns.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = filings)]
pub struct Listed {
    /// Primary key.
    pub id: FilingId,
    /// 备案订单号, such as `BA-2026-000123`.
    pub order_no: String,
    /// The owner's own key.
    pub external_reference: Option<String>,
    /// Whose it is.
    pub account_id: AccountId,
    /// The website to be changed.
    pub website_id: WebsiteId,
    /// Kind, `website_change`.
    pub kind: String,
    /// Where it stands.
    pub status: Status,
    /// Name of the website.
    pub website_name: Option<String>,
    /// When the other side must have acted.
    pub due_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// A filing (备案订单).
#[derive(Debug, Clone, Queryable, Selectable, Identifiable)]
#[diesel(table_name = filings)]
pub struct Filing {
    /// Primary key.
    pub id: FilingId,
    /// 备案订单号, such as `BA-2026-000123`.
    pub order_no: String,
    /// Whose it is.
    pub account_id: AccountId,
    /// The account's partner when the filing was made.
    pub partner_id: Option<PartnerId>,
    /// The partner's own key.
    pub external_reference: Option<String>,
    /// The subject, which can have one live filing.
    pub subject_id: SubjectId,
    /// The website to be changed.
    pub website_id: WebsiteId,
    /// Kind, `website_change`.
    pub kind: String,
    /// Where it stands.
    pub status: Status,
    /// Since when.
    pub status_changed_at: DateTime<Utc>,
    /// Province of the subject: whose bureau decides.
    pub province_code: String,
    /// Filed version that the draft was copied from.
    pub base_version: i32,
    /// Content of that version.
    pub base_content_id: ContentId,
    /// What is being edited; the last revision's row as long as nothing was changed since.
    pub content_id: ContentId,
    /// Copy for lists.
    pub website_name: Option<String>,
    /// Pointers that were changed on both sides when the filing was reopened.
    pub conflicts: serde_json::Value,
    /// 0 before the first submission.
    pub revision_no: i32,
    /// Rises with every change.
    pub version: i32,
    /// When the other side must have acted.
    pub due_at: Option<DateTime<Utc>>,
    /// The due time lies beyond the loaded calendar.
    pub due_is_provisional: bool,
    /// When the applicant's step expires.
    pub step_expires_at: Option<DateTime<Utc>>,
    /// Who made it.
    pub created_by: UserId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When anything last changed.
    pub updated_at: DateTime<Utc>,
}

/// What one submission contained.
#[derive(Debug, Clone, Queryable, Selectable, Identifiable)]
#[diesel(table_name = filing_revisions)]
pub struct Revision {
    /// Primary key.
    pub id: RevisionId,
    /// The filing.
    pub filing_id: FilingId,
    /// From 1.
    pub revision_no: i32,
    /// The frozen content.
    pub content_id: ContentId,
    /// Who submitted.
    pub submitted_by: UserId,
    /// When.
    pub submitted_at: DateTime<Utc>,
    /// The accepted service terms.
    pub terms_id: TermsId,
    /// The accepted consent to process personal information.
    pub consent_id: TermsId,
    /// Name of the person who accepted, when a partner's client submitted.
    pub accepted_by_name: Option<String>,
    /// `app`, `docs` or the partner client's id.
    pub accepted_client: String,
    /// Address that the acceptance came from.
    pub accepted_address: Option<String>,
    /// Keyed hash of the responsible person's name, certificate type and number.
    pub person_hash: Vec<u8>,
}

/// Reads a filing.
pub fn find(conn: &mut PgConnection, id: FilingId) -> QueryResult<Filing> {
    filings::table.find(id).select(Filing::as_select()).first(conn)
}

/// Locks a filing: every change of it, or of anything that belongs to it, starts here.
pub fn lock(conn: &mut PgConnection, id: FilingId) -> QueryResult<Filing> {
    filings::table.find(id).select(Filing::as_select()).for_no_key_update().first(conn)
}

/// The last revision; `NotFound` before the first submission.
pub fn last_revision(conn: &mut PgConnection, id: FilingId) -> QueryResult<Revision> {
    filing_revisions::table
        .filter(filing_revisions::filing_id.eq(id))
        .order(filing_revisions::revision_no.desc())
        .select(Revision::as_select())
        .first(conn)
}

/// A revision with what was accepted with it: the versions of the terms and of the consent.
pub type AcceptedRevision = (Revision, Option<String>, Option<String>);

/// Every revision of a filing with the accepted versions, newest first.
pub fn accepted_revisions(conn: &mut PgConnection, id: FilingId) -> QueryResult<Vec<AcceptedRevision>> {
    filing_revisions::table
        .filter(filing_revisions::filing_id.eq(id))
        .order(filing_revisions::revision_no.desc())
        .select((
            Revision::as_select(),
            terms::table
                .filter(terms::id.eq(filing_revisions::terms_id))
                .select(terms::version)
                .single_value(),
            terms::table
                .filter(terms::id.eq(filing_revisions::consent_id))
                .select(terms::version)
                .single_value(),
        ))
        .load(conn)
}

/// Records that a user created, edited or submitted a filing.
pub fn add_participant(conn: &mut PgConnection, filing: FilingId, user: UserId) -> QueryResult<()> {
    diesel::insert_into(filing_participants::table)
        .values((filing_participants::filing_id.eq(filing), filing_participants::user_id.eq(user)))
        .on_conflict_do_nothing()
        .execute(conn)
        .map(drop)
}

/// Whether a user created, edited or submitted a filing.
pub fn is_participant(conn: &mut PgConnection, filing: FilingId, user: UserId) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(filing_participants::table.find((filing, user)))).get_result(conn)
}

/// Filings past the deadline of somebody else than the applicant: how many in each status, and the oldest deadline.
///
/// # Errors
/// When the database fails.
pub fn overdue(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> QueryResult<Vec<(Status, i64, DateTime<Utc>)>> {
    use diesel::dsl::{count_star, min};
    filings::table
        .filter(filings::due_at.lt(now))
        .group_by(filings::status)
        .order(min(filings::due_at))
        .select((filings::status, count_star(), min(filings::due_at).assume_not_null()))
        .load(conn)
}
