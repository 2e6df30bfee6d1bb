//! Rows of photo verifications.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};

use super::PhotoState;
use super::body::PhotoVerificationBody;
use super::conclude::Checked;
use super::precheck::Finding;
use crate::external::uploads::Declared;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{AccountId, FilingId, PhotoVerificationId, UserId};
use crate::kernel::jobs::{self, NewJob};
use crate::kernel::page::{Limit, Position};
use crate::schema::photo_verifications as photos;

/// Kind of the job that removes objects which an attempt no longer needs.
pub(super) const CLEAN_JOB: &str = "photo.clean_objects";

/// An attempt at the photo of the responsible person.
#[derive(Debug, Clone, Queryable, Selectable, Identifiable, Insertable)]
#[diesel(table_name = photos)]
pub struct PhotoRow {
    /// Primary key.
    pub id: PhotoVerificationId,
    /// The filing.
    pub filing_id: FilingId,
    /// Whose it is.
    pub account_id: AccountId,
    /// From 1.
    pub attempt_no: i32,
    /// Where it stands.
    pub state: PhotoState,
    /// Name as the applicant's device had it.
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
    /// Key of the verified picture without the place where it was taken and serial numbers: what reviewers and the bureau
    /// get. None before the photo was submitted, and for files that cannot be opened.
    pub object_key: Option<String>,
    /// Whom it shows, as the revision's `person_hash`.
    pub person_hash: Vec<u8>,
    /// What the check found: a list of [`Finding`].
    pub findings: Value,
    /// Who declared it.
    pub created_by: UserId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was handed in.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When the check ended.
    pub checked_at: Option<DateTime<Utc>>,
    /// When it was decided or ended without a decision.
    pub decided_at: Option<DateTime<Utc>>,
    /// Rises with every change.
    pub version: i32,
    /// Key of the file exactly as it came; none before it came and after its time was over.
    pub original_key: Option<String>,
    /// When the original was deleted.
    pub original_deleted_at: Option<DateTime<Utc>>,
    /// Key of the drawing of what the check saw; none before the check and for files that cannot be opened.
    pub preview_key: Option<String>,
}

impl PhotoRow {
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

    /// Where the verified picture is kept. Fixed by the id, so that a repeated submission cannot leave a second copy.
    pub(super) fn final_key(&self) -> String {
        format!("photos/{}", self.id)
    }

    /// Where the file is kept exactly as it came.
    pub(super) fn final_original_key(&self) -> String {
        format!("photo-originals/{}", self.id)
    }

    /// Where the drawing of what the check saw is kept.
    pub(super) fn final_preview_key(&self) -> String {
        format!("photo-previews/{}", self.id)
    }

    /// What the check found.
    pub fn findings(&self) -> Vec<Finding> {
        serde_json::from_value(self.findings.clone()).unwrap_or_default()
    }
}

/// Reads an attempt.
///
/// # Errors
/// `NotFound`, or when the database fails.
pub fn find(conn: &mut PgConnection, id: PhotoVerificationId) -> QueryResult<PhotoRow> {
    photos::table.find(id).select(PhotoRow::as_select()).first(conn)
}

/// Locks and reads an attempt again. The filing is locked already.
///
/// # Errors
/// `NotFound`, or when the database fails.
pub(super) fn lock(conn: &mut PgConnection, id: PhotoVerificationId) -> QueryResult<PhotoRow> {
    photos::table.find(id).select(PhotoRow::as_select()).for_update().first(conn)
}

/// The latest attempt that was neither cancelled nor void, as a filing shows it.
///
/// # Errors
/// When the database fails.
pub fn current(
    conn: &mut PgConnection,
    filing: FilingId,
    locale: Locale,
) -> QueryResult<Option<PhotoVerificationBody>> {
    let row = photos::table
        .filter(photos::filing_id.eq(filing))
        .filter(photos::state.ne_all([PhotoState::Cancelled, PhotoState::Void]))
        .order(photos::attempt_no.desc())
        .select(PhotoRow::as_select())
        .first(conn)
        .optional()?;
    Ok(row.map(|row| PhotoVerificationBody::of(&row, locale)))
}

/// Records a reviewer's decision on the photo in review.
///
/// # Errors
/// `NotFound` when it is not in review, or when the database fails.
pub fn decide(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: PhotoVerificationId,
    passed: bool,
) -> QueryResult<()> {
    let state = if passed { PhotoState::Passed } else { PhotoState::Rejected };
    let rows = diesel::update(photos::table.find(id).filter(photos::state.eq(PhotoState::InReview)))
        .set((photos::state.eq(state), photos::decided_at.eq(now), photos::version.eq(photos::version + 1)))
        .execute(conn)?;
    if rows == 1 { Ok(()) } else { Err(diesel::result::Error::NotFound) }
}

/// Number of a filing's next attempt.
///
/// # Errors
/// When the database fails.
pub(super) fn next_attempt_no(conn: &mut PgConnection, filing: FilingId) -> QueryResult<i32> {
    let last: Option<i32> = photos::table
        .filter(photos::filing_id.eq(filing))
        .select(diesel::dsl::max(photos::attempt_no))
        .first(conn)?;
    Ok(last.unwrap_or(0) + 1)
}

/// Stores a new attempt.
///
/// # Errors
/// Unique violation `photo_verifications_live_key` when another is live, or when the database fails.
pub(super) fn insert(conn: &mut PgConnection, row: &PhotoRow) -> QueryResult<()> {
    diesel::insert_into(photos::table).values(row).execute(conn).map(drop)
}

/// One page of a filing's attempts, the newest first.
///
/// # Errors
/// When the database fails.
pub(super) fn page(
    conn: &mut PgConnection,
    filing: FilingId,
    after: Option<Position>,
    limit: Limit,
) -> QueryResult<Vec<PhotoRow>> {
    let mut query = photos::table
        .filter(photos::filing_id.eq(filing))
        .order((photos::created_at.desc(), photos::id.desc()))
        .limit(limit.rows_to_read())
        .select(PhotoRow::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(
            photos::created_at
                .le(after.at)
                .and(photos::created_at.lt(after.at).or(photos::id.lt(PhotoVerificationId(after.id)))),
        );
    }
    query.load(conn)
}

/// The file is there and goes into the check. A file that cannot be opened has an original only.
///
/// # Errors
/// When the database fails.
pub(super) fn set_checking(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    row: &PhotoRow,
    is_picture: bool,
) -> QueryResult<PhotoRow> {
    diesel::update(photos::table.find(row.id))
        .set((
            photos::state.eq(PhotoState::Checking),
            photos::object_key.eq(is_picture.then(|| row.final_key())),
            photos::original_key.eq(row.final_original_key()),
            photos::submitted_at.eq(now),
            photos::version.eq(photos::version + 1),
        ))
        .returning(PhotoRow::as_returning())
        .get_result(conn)
}

/// The check ended.
///
/// # Errors
/// When the database fails.
pub(super) fn set_checked(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: PhotoVerificationId,
    state: PhotoState,
    result: &Checked,
) -> QueryResult<PhotoRow> {
    diesel::update(photos::table.find(id))
        .set((
            photos::state.eq(state),
            photos::findings.eq(json!(result.findings)),
            photos::preview_key.eq(&result.preview_key),
            photos::checked_at.eq(now),
            photos::version.eq(photos::version + 1),
        ))
        .returning(PhotoRow::as_returning())
        .get_result(conn)
}

/// Ends an attempt without a decision. What it uploaded dies by a job unless it was submitted.
///
/// # Errors
/// When the database fails.
pub(super) fn end(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: PhotoVerificationId,
    state: PhotoState,
) -> QueryResult<()> {
    diesel::update(photos::table.find(id))
        .set((photos::state.eq(state), photos::decided_at.eq(now), photos::version.eq(photos::version + 1)))
        .execute(conn)?;
    clean_later(conn, now, id)
}

/// The attempt of a filing that waits for its file.
///
/// # Errors
/// When the database fails.
pub(super) fn awaiting(
    conn: &mut PgConnection,
    filing: FilingId,
) -> QueryResult<Option<PhotoVerificationId>> {
    photos::table
        .filter(photos::filing_id.eq(filing))
        .filter(photos::state.eq(PhotoState::AwaitingUpload))
        .select(photos::id)
        .first(conn)
        .optional()
}

/// Attempts whose file never came, with their filings.
///
/// # Errors
/// When the database fails.
pub(super) fn never_uploaded(
    conn: &mut PgConnection,
    expired_before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<(PhotoVerificationId, FilingId)>> {
    photos::table
        .filter(photos::state.eq(PhotoState::AwaitingUpload))
        .filter(photos::upload_expires_at.lt(expired_before))
        .order(photos::upload_expires_at)
        .limit(limit)
        .select((photos::id, photos::filing_id))
        .load(conn)
}

/// Attempts that have been in the check since before a time.
///
/// # Errors
/// When the database fails.
pub(super) fn stuck(
    conn: &mut PgConnection,
    submitted_before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<PhotoVerificationId>> {
    photos::table
        .filter(photos::state.eq(PhotoState::Checking))
        .filter(photos::submitted_at.le(submitted_before))
        .order(photos::submitted_at)
        .limit(limit)
        .select(photos::id)
        .load(conn)
}

/// Has the objects removed that an attempt no longer needs.
///
/// # Errors
/// When the database fails.
pub(super) fn clean_later(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: PhotoVerificationId,
) -> QueryResult<()> {
    jobs::enqueue(conn, now, NewJob::new(CLEAN_JOB, json!({ "photo_verification_id": id })))
}

/// How long a passed photo is valid.
pub fn validity() -> Duration {
    Duration::days(90)
}

/// Under way: a filing has at most one of these.
pub const LIVE: [PhotoState; 3] = [PhotoState::AwaitingUpload, PhotoState::Checking, PhotoState::InReview];

/// Cancels the live attempt of a filing.
///
/// # Errors
/// When the database fails.
pub fn cancel_live(conn: &mut PgConnection, now: DateTime<Utc>, filing: FilingId) -> QueryResult<()> {
    let cancelled: Vec<PhotoVerificationId> =
        diesel::update(photos::table.filter(photos::filing_id.eq(filing)).filter(photos::state.eq_any(LIVE)))
            .set((
                photos::state.eq(PhotoState::Cancelled),
                photos::decided_at.eq(now),
                photos::version.eq(photos::version + 1),
            ))
            .returning(photos::id)
            .get_results(conn)?;
    cancelled.into_iter().try_for_each(|id| clean_later(conn, now, id))
}

/// Voids photos of another person than the one that the revision names.
///
/// # Errors
/// When the database fails.
pub fn void_of_others(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    filing: FilingId,
    person_hash: &[u8],
) -> QueryResult<()> {
    let of_others =
        photos::table.filter(photos::filing_id.eq(filing)).filter(photos::person_hash.ne(person_hash));
    diesel::update(of_others.filter(photos::state.eq_any([
        PhotoState::AwaitingUpload,
        PhotoState::Checking,
        PhotoState::InReview,
        PhotoState::Passed,
    ])))
    .set((
        photos::state.eq(PhotoState::Void),
        photos::decided_at.eq(now),
        photos::version.eq(photos::version + 1),
    ))
    .execute(conn)
    .map(drop)
}

/// Voids the passed photos of a filing: the bureau refused the picture.
///
/// # Errors
/// When the database fails.
pub fn void_passed(conn: &mut PgConnection, now: DateTime<Utc>, filing: FilingId) -> QueryResult<()> {
    diesel::update(
        photos::table.filter(photos::filing_id.eq(filing)).filter(photos::state.eq(PhotoState::Passed)),
    )
    .set((
        photos::state.eq(PhotoState::Void),
        photos::decided_at.eq(now),
        photos::version.eq(photos::version + 1),
    ))
    .execute(conn)
    .map(drop)
}
