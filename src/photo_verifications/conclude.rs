//! How a check ends: what it found is written, and the photo goes to review or back to the applicant.

use chrono::{DateTime, Utc};
use diesel::PgConnection;
use serde_json::json;

use super::precheck::{Finding, is_blocked};
use super::{PhotoState, model};
use crate::audit::Actor;
use crate::error::ApiResult;
use crate::filings::{self, Action, Ctx, Input, Status};
use crate::kernel::ids::PhotoVerificationId;

/// What the check brought.
#[derive(Clone, Debug, Default)]
pub(super) struct Checked {
    /// What it found.
    pub findings: Vec<Finding>,
    /// Where the drawing of what it saw is kept.
    pub preview_key: Option<String>,
}

impl From<Finding> for Checked {
    fn from(finding: Finding) -> Self {
        Self { findings: vec![finding], preview_key: None }
    }
}

/// Ends the check of an attempt, in the caller's transaction. An attempt that is no longer checking is left alone; one whose
/// filing moved meanwhile is void.
///
/// # Errors
/// When the database fails.
pub(super) fn conclude(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    id: PhotoVerificationId,
    result: &Checked,
) -> ApiResult<()> {
    // Read before the lock only to know which filing to lock; read again under it.
    let filing_id = model::find(conn, id)?.filing_id;
    let filing = filings::lock(conn, filing_id)?;
    let photo = model::lock(conn, id)?;
    if photo.state != PhotoState::Checking {
        return Ok(());
    }
    if !matches!(filing.status, Status::PhotoRequired | Status::PhotoRejected) {
        model::end(conn, now, id, PhotoState::Void)?;
        filings::touch(conn, now, filing.id)?;
        return Ok(());
    }
    if is_blocked(&result.findings) {
        model::set_checked(conn, now, id, PhotoState::PrecheckFailed, result)?;
        let filing = filings::touch(conn, now, filing.id)?;
        let codes: Vec<&str> = result.findings.iter().map(|finding| finding.code.as_str()).collect();
        let data = json!({ "photo_verification_id": id, "codes": codes });
        filings::record_event(conn, now, &Actor::system(), &filing, "photo.precheck_failed", data)?;
        return Ok(());
    }
    model::set_checked(conn, now, id, PhotoState::InReview, result)?;
    let input = Input { photo: Some(id), data: json!({ "photo_verification_id": id }), ..Input::default() };
    filings::act(conn, &Ctx::system(now), filing, Action::SendPhotoToReview, input)?;
    Ok(())
}
