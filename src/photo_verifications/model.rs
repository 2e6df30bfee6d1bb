//! Rows of photo verifications.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;

use super::PhotoState;
use crate::kernel::ids::{FilingId, PhotoVerificationId};
use crate::schema::photo_verifications as photos;

/// How long a passed photo is valid.
fn validity() -> Duration {
    Duration::days(90)
}

const LIVE: [PhotoState; 3] = [PhotoState::AwaitingUpload, PhotoState::Checking, PhotoState::InReview];

/// State of the live attempt of a filing.
///
/// # Errors
/// When the database fails.
pub fn live_state(conn: &mut PgConnection, filing: FilingId) -> QueryResult<Option<PhotoState>> {
    photos::table
        .filter(photos::filing_id.eq(filing))
        .filter(photos::state.eq_any(LIVE))
        .select(photos::state)
        .first(conn)
        .optional()
}

/// A passed photo of this person that is younger than 90 days.
///
/// # Errors
/// When the database fails.
pub fn valid_for(
    conn: &mut PgConnection,
    filing: FilingId,
    person_hash: &[u8],
    now: DateTime<Utc>,
) -> QueryResult<Option<PhotoVerificationId>> {
    photos::table
        .filter(photos::filing_id.eq(filing))
        .filter(photos::state.eq(PhotoState::Passed))
        .filter(photos::person_hash.eq(person_hash))
        .filter(photos::decided_at.gt(now - validity()))
        .order(photos::attempt_no.desc())
        .select(photos::id)
        .first(conn)
        .optional()
}

/// Cancels the live attempt of a filing.
///
/// # Errors
/// When the database fails.
pub fn cancel_live(conn: &mut PgConnection, now: DateTime<Utc>, filing: FilingId) -> QueryResult<()> {
    diesel::update(photos::table.filter(photos::filing_id.eq(filing)).filter(photos::state.eq_any(LIVE)))
        .set((photos::state.eq(PhotoState::Cancelled), photos::decided_at.eq(now), photos::version.eq(photos::version + 1)))
        .execute(conn)
        .map(drop)
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
    let of_others = photos::table.filter(photos::filing_id.eq(filing)).filter(photos::person_hash.ne(person_hash));
    diesel::update(of_others.filter(photos::state.eq_any([
        PhotoState::AwaitingUpload,
        PhotoState::Checking,
        PhotoState::InReview,
        PhotoState::Passed,
    ])))
    .set((photos::state.eq(PhotoState::Void), photos::decided_at.eq(now), photos::version.eq(photos::version + 1)))
    .execute(conn)
    .map(drop)
}

/// Voids the passed photos of a filing: the bureau refused the picture.
///
/// # Errors
/// When the database fails.
pub fn void_passed(conn: &mut PgConnection, now: DateTime<Utc>, filing: FilingId) -> QueryResult<()> {
    diesel::update(photos::table.filter(photos::filing_id.eq(filing)).filter(photos::state.eq(PhotoState::Passed)))
        .set((photos::state.eq(PhotoState::Void), photos::decided_at.eq(now), photos::version.eq(photos::version + 1)))
        .execute(conn)
        .map(drop)
}

/// Writes the reviewer's decision on the photo that is in review. The caller has locked the filing.
///
/// # Errors
/// `NotFound` when the attempt is not in review, or the database fails.
pub fn decide(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: PhotoVerificationId,
    passed: bool,
) -> QueryResult<()> {
    let state = if passed { PhotoState::Passed } else { PhotoState::Rejected };
    match diesel::update(photos::table.find(id).filter(photos::state.eq(PhotoState::InReview)))
        .set((photos::state.eq(state), photos::decided_at.eq(now), photos::version.eq(photos::version + 1)))
        .execute(conn)?
    {
        0 => Err(diesel::result::Error::NotFound),
        _ => Ok(()),
    }
}
