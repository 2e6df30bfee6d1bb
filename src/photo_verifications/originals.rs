//! The original file of a photo is needed only until its filing has ended or the attempt was refused: it may hold the place
//! where it was taken and the camera's serial number. What reviewers and the bureau get was freed of those when it came.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::PhotoState;
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::filings::Status;
use crate::kernel::ids::{AccountId, FilingId, PhotoVerificationId};
use crate::schema::{filings, photo_verifications as photos};

/// Rows that one run takes on; the next run goes on.
const AT_ONCE: i64 = 200;

type Due = (PhotoVerificationId, FilingId, AccountId, String);

/// Originals whose time is over.
fn due(conn: &mut PgConnection, ended_before: DateTime<Utc>) -> QueryResult<Vec<Due>> {
    let is_refused = photos::state
        .eq_any([PhotoState::PrecheckFailed, PhotoState::Rejected, PhotoState::Cancelled, PhotoState::Void])
        .and(
            photos::decided_at
                .le(ended_before)
                .or(photos::decided_at.is_null().and(photos::checked_at.le(ended_before))),
        );
    let is_over = filings::status
        .eq_any([Status::Approved, Status::Abandoned, Status::Expired])
        .and(filings::status_changed_at.le(ended_before));
    photos::table
        .inner_join(filings::table)
        .filter(photos::original_key.is_not_null())
        .filter(is_refused.nullable().or(is_over.nullable()))
        .order(photos::id)
        .limit(AT_ONCE)
        .select((photos::id, photos::filing_id, photos::account_id, photos::original_key.assume_not_null()))
        .load(conn)
}

/// Deletes originals whose time is over: the object first, then its mention, so that a crash in between only repeats the
/// deletion.
pub(super) async fn delete_due(app: App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let ended_before = now - app.config.photo_original_kept;
    let due = app.db.run(move |conn| Ok(due(conn, ended_before)?)).await?;
    for (id, filing_id, account_id, key) in due {
        app.storage.delete(&key).await?;
        app.db
            .transaction(move |conn| {
                let rows = diesel::update(photos::table.find(id).filter(photos::original_key.eq(&key)))
                    .set((photos::original_key.eq(None::<String>), photos::original_deleted_at.eq(now)))
                    .execute(conn)?;
                if rows == 1 {
                    let deed = Deed::new("photo.original_deleted", "photo_verification", id.0)
                        .account(account_id)
                        .filing(filing_id)
                        .details(json!({ "ended_before": ended_before }));
                    audit::record(conn, now, &Actor::system(), deed)?;
                }
                Ok(())
            })
            .await?;
    }
    Ok(())
}
