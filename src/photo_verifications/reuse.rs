//! Whether a picture was used before: exactly (SHA-256 of the file) or nearly (fingerprint of the picture). Whose it was is
//! never told.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};

use super::PhotoState;
use super::model::PhotoRow;
use super::precheck::Fingerprint;
use crate::schema::photo_verifications as photos;

/// Any number will do, as long as nobody else takes it: "photo" in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(482854302831)";

/// Whether exactly this file was handed in before: in another filing, or in an attempt of this one that came to a decision.
/// A file that only failed the check, or whose filing was withdrawn, may come again for the same filing.
///
/// # Errors
/// When the database fails.
pub(super) fn is_used_exactly(conn: &mut PgConnection, row: &PhotoRow) -> QueryResult<bool> {
    let others = photos::table
        .filter(photos::sha256.eq(&row.sha256))
        .filter(photos::id.ne(row.id))
        // Declared only: a checksum proves nothing before the file came. And of two that came, the first is the original.
        .filter(photos::submitted_at.le(row.submitted_at))
        .filter(
            photos::filing_id
                .ne(row.filing_id)
                .or(photos::state.eq_any([PhotoState::Passed, PhotoState::Rejected]))
                .or(photos::state.eq(PhotoState::Void).and(photos::checked_at.is_not_null())),
        );
    diesel::select(diesel::dsl::exists(others)).get_result(conn)
}

#[derive(QueryableByName)]
struct Near {
    #[diesel(sql_type = Array<BigInt>)]
    words: Vec<i64>,
}

/// [`Fingerprint::distance`] of the row `f` to the parameter `$1`, as SQL.
fn distance() -> String {
    // Lists of PostgreSQL count from 1.
    let word =
        |own: usize, other: usize| format!("bit_count((f.words[{}] # $1[{}])::bit(64))", own + 1, other + 1);
    let pairs = Fingerprint::PAIRS.iter().map(|(own, others)| {
        own.iter().zip(others).map(|(own, other)| word(*own, *other)).collect::<Vec<_>>().join(" + ")
    });
    format!("LEAST({})", pairs.collect::<Vec<_>>().join(", "))
}

/// Keeps the fingerprint of a checked photo and finds the nearest earlier one that is close enough to be the same picture,
/// among the same attempts as [`is_used_exactly`] but those that never reached a reviewer: two bad photos of an empty cloth
/// are alike and nobody's. The whole table is read, some hundred bytes a row.
///
/// Of two copies checked at the same moment one is first: the lock orders them. Calling it again for the same attempt gives
/// the same answer.
///
/// # Errors
/// When the database fails.
pub(super) fn remember(
    conn: &mut PgConnection,
    row: &PhotoRow,
    print: &Fingerprint,
) -> QueryResult<Option<Fingerprint>> {
    let words = print.to_words().to_vec();
    diesel::sql_query(LOCK).execute(conn)?;
    diesel::sql_query(
        "INSERT INTO photo_fingerprints (photo_verification_id, words) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind::<SqlUuid, _>(row.id)
    .bind::<Array<BigInt>, _>(&words)
    .execute(conn)?;
    let near: Option<Near> = diesel::sql_query(format!(
        "SELECT words FROM (
             SELECT f.*, {} AS distance FROM photo_fingerprints f
             WHERE f.no < (SELECT no FROM photo_fingerprints WHERE photo_verification_id = $3)
         ) AS near JOIN photo_verifications p ON p.id = near.photo_verification_id
         WHERE distance <= $2
           AND (p.filing_id <> $4 AND p.state <> 'precheck_failed'
                OR p.state IN ('passed', 'rejected') OR p.state = 'void' AND p.checked_at IS NOT NULL)
         ORDER BY distance LIMIT 1",
        distance(),
    ))
    .bind::<Array<BigInt>, _>(&words)
    .bind::<BigInt, _>(i64::from(Fingerprint::MAX_DISTANCE))
    .bind::<SqlUuid, _>(row.id)
    .bind::<SqlUuid, _>(row.filing_id)
    .get_result(conn)
    .optional()?;
    Ok(near.and_then(|near| near.words.try_into().ok()).map(Fingerprint::from_words))
}
