//! A review as replies show it: everything that the decision needs, personal data masked.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::model::Task;
use super::next_actions::next_actions;
use super::{ReviewState, Stage};
use crate::auth::Caller;
use crate::catalogue;
use crate::catalogue::data::{self, ChecklistItem};
use crate::error::ApiResult;
use crate::filings::body::{RejectionBody, rejection_body};
use crate::filings::diff::{self, Change};
use crate::filings::rejections::{self, TargetKind};
use crate::filings::{self, Filing, Status};
use crate::kernel::clock::shanghai_date;
use crate::kernel::etag;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{AttachmentId, FilingId, PhotoVerificationId, ReviewId, UserId, WebsiteId};
use crate::photo_verifications::{self, PhotoVerificationBody};
use crate::schema::{attachments, filing_revision_attachments, filing_revisions, users, websites as sites};
use crate::websites;
use crate::websites::content::WebsiteContent;
use crate::websites::next_action::NextAction;
use crate::websites::subject::Subject;

/// A review task with everything that its decision needs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Review {
    /// Id.
    pub id: ReviewId,
    /// The filing.
    pub filing_id: FilingId,
    /// 备案订单号.
    #[schema(example = "BA-2026-000123")]
    pub order_no: String,
    /// What is reviewed.
    pub stage: Stage,
    /// Label of the stage.
    #[schema(example = "初审")]
    pub stage_label: String,
    /// Where the task stands.
    pub state: ReviewState,
    /// Label of the state.
    pub state_label: String,
    /// Name of the subject.
    #[schema(example = "北京云上花店有限公司")]
    pub subject_name: String,
    /// Name of the website as submitted.
    #[schema(example = "云上花店之家")]
    pub website_name: Option<String>,
    /// Province of the subject, GB/T 2260.
    #[schema(example = "110000")]
    pub province_code: String,
    /// How often this stage of the filing was reviewed, from 1.
    pub round: i32,
    /// When it must be decided.
    pub due_at: DateTime<Utc>,
    /// The due time lies beyond the loaded working-day calendar and may move.
    pub due_is_provisional: bool,
    /// Who holds it, or held it when it was decided.
    pub claimed_by: Option<StaffMember>,
    /// When the holder's lease ends; others may take the task from then on.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// The only person who may take it, when a senior reviewer named one.
    pub assigned_to: Option<StaffMember>,
    /// What must be made sure of before it can be approved.
    pub checklist: Vec<ReviewCheck>,
    /// The unfinished decision.
    pub draft: Option<ReviewDraft>,
    /// A reason was repeated: only senior reviewers take it.
    pub is_escalated: bool,
    /// Who decided.
    pub decided_by: Option<StaffMember>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// Rises with every change; the first part of the ETag.
    pub version: i32,
    /// The filing in short.
    pub filing: ReviewFiling,
    /// The subject; personal data masked.
    pub subject: Subject,
    /// The content as submitted; personal data masked.
    pub website: WebsiteContent,
    /// What it changes of the filed data, in the order of the form.
    pub changes_against_filed: Vec<ReviewChange>,
    /// What changed since the submission before; null for the first one.
    pub changes_against_last_revision: Option<Vec<ReviewChange>>,
    /// The materials of this submission.
    pub materials: Vec<ReviewMaterial>,
    /// Every rejection of the filing so far, oldest first, with the applicant's replies.
    pub rejections: Vec<RejectionBody>,
    /// The photo with its findings; null for reviews of the data.
    pub photo_verification: Option<PhotoVerificationBody>,
    /// What the caller can do next.
    pub next_actions: Vec<NextAction>,
}

/// A member of staff. Applicants never see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StaffMember {
    /// The user.
    pub id: UserId,
    /// Name as colleagues know it.
    #[schema(example = "审核员一")]
    pub display_name: String,
}

/// A point of the checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReviewCheck {
    /// Code; may grow.
    #[schema(example = "site_name")]
    pub code: String,
    /// What to make sure of.
    pub label: String,
    /// Whether it is ticked.
    pub checked: bool,
}

/// An unfinished decision. It survives the lease, and whoever takes the task next finds it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ReviewDraft {
    /// Items of a rejection, complete or not.
    pub items: Vec<DraftItem>,
    /// Closing words.
    pub note: Option<String>,
}

/// An item of a rejection that is still being written: nothing is mandatory, nothing is checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DraftItem {
    /// What it points at.
    pub target_kind: Option<TargetKind>,
    /// JSON pointer into the filing, for fields.
    #[schema(max_length = 200, example = "/website/name")]
    pub pointer: Option<String>,
    /// Code of the dictionary `material`, for materials.
    #[schema(max_length = 50)]
    pub material_code: Option<String>,
    /// Code of the reason.
    #[schema(max_length = 50, example = "SITE_NAME_INVALID")]
    pub code: Option<String>,
    /// What is wrong here.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// What to do.
    #[schema(max_length = 1000)]
    pub suggestion: Option<String>,
}

/// The filing of a review, in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewFiling {
    /// Id.
    pub id: FilingId,
    /// Kind; may grow.
    #[schema(example = "website_change")]
    pub kind: String,
    /// Label of the kind.
    pub kind_label: String,
    /// Where the filing stands.
    pub status: Status,
    /// Label of the status.
    pub status_label: String,
    /// The submission that is reviewed, from 1.
    pub revision_no: i32,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// The website.
    pub website_id: WebsiteId,
    /// Its ICP number.
    #[schema(example = "京ICP备12345678号-1")]
    pub website_icp_number: String,
}

/// One changed field; personal data masked on both sides.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewChange {
    /// JSON pointer into the filing.
    #[schema(example = "/website/name")]
    pub pointer: String,
    /// Label of the field.
    pub label: String,
    /// The value before.
    #[schema(value_type = Value, nullable)]
    pub before: Value,
    /// The value after.
    #[schema(value_type = Value, nullable)]
    pub after: Value,
    /// True when the clear values differ, although both may look alike masked.
    pub is_changed: bool,
}

/// A material of the submission. Its holder opens it with `createAttachmentDownload`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReviewMaterial {
    /// The attachment.
    pub id: AttachmentId,
    /// Code of the dictionary `material`.
    #[schema(example = "identity_card_front")]
    pub purpose: String,
    /// Label of the material.
    pub label: String,
    /// Name of the file.
    pub file_name: String,
    /// Media type.
    #[schema(example = "image/jpeg")]
    pub content_type: String,
    /// Size in bytes.
    pub size_bytes: i64,
}

impl ReviewChange {
    fn of(change: Change, locale: Locale) -> Self {
        Self {
            pointer: change.pointer.to_owned(),
            label: locale.pick(change.label_zh, change.label_en).to_owned(),
            before: change.before,
            after: change.after,
            is_changed: change.is_changed,
        }
    }
}

/// Staff by their ids.
///
/// # Errors
/// When the database fails.
pub fn staff(
    conn: &mut PgConnection,
    ids: impl IntoIterator<Item = Option<UserId>>,
) -> QueryResult<HashMap<UserId, StaffMember>> {
    let ids: Vec<UserId> = ids.into_iter().flatten().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(UserId, String)> =
        users::table.filter(users::id.eq_any(ids)).select((users::id, users::display_name)).load(conn)?;
    Ok(rows.into_iter().map(|(id, display_name)| (id, StaffMember { id, display_name })).collect())
}

/// What the reviewer looks at: `(website as submitted, subject)`.
///
/// # Errors
/// When the database fails.
pub fn reviewed(
    conn: &mut PgConnection,
    task: &Task,
    filing: &Filing,
) -> QueryResult<(WebsiteContent, Subject)> {
    let content =
        filing_revisions::table.find(task.revision_id).select(filing_revisions::content_id).first(conn)?;
    Ok((websites::model::load(conn, content)?, websites::subject(conn, filing.subject_id)?))
}

/// The checklist of a task's stage with its ticks.
pub fn checks(list: &[ChecklistItem], ticked: &[&str], locale: Locale) -> Vec<ReviewCheck> {
    list.iter()
        .map(|item| ReviewCheck {
            code: item.code.clone(),
            label: item.label.get(locale.as_str()).to_owned(),
            checked: ticked.contains(&item.code.as_str()),
        })
        .collect()
}

/// The task as this reviewer sees it, and its ETag.
///
/// # Errors
/// When the database fails.
pub fn show(
    conn: &mut PgConnection,
    caller: &Caller,
    task: Task,
    now: DateTime<Utc>,
) -> ApiResult<(Review, String)> {
    let locale = caller.locale;
    let filing = filings::model::find(conn, task.filing_id)?;
    let (website, subject) = reviewed(conn, &task, &filing)?;
    let (revision_no, submitted_at): (i32, DateTime<Utc>) = filing_revisions::table
        .find(task.revision_id)
        .select((filing_revisions::revision_no, filing_revisions::submitted_at))
        .first(conn)?;
    let filed = websites::model::load(conn, filing.base_content_id.0)?;
    let bodies =
        |changes: Vec<Change>| changes.into_iter().map(|change| ReviewChange::of(change, locale)).collect();
    let changes_against_filed = bodies(diff::diff(&filed, &website));
    let changes_against_last_revision =
        content_before(conn, filing.id, revision_no)?.map(|before| bodies(diff::diff(&before, &website)));
    let list = catalogue::checklist(conn, task.stage.as_str(), shanghai_date(now))?;
    let known = staff(conn, [task.claimed_by, task.assigned_to, task.decided_by])?;
    let who = |id: Option<UserId>| id.and_then(|id| known.get(&id).cloned());
    let photo_verification = match task.photo_verification_id {
        Some(id) => photo(conn, filing.id, id, locale)?,
        None => None,
    };
    let next_actions = next_actions(conn, caller, &task, &filing, now)?;
    let label = |machine, code| data::status_label(machine, code, locale.as_str()).to_owned();
    let icp_number = sites::table.find(filing.website_id).select(sites::icp_number).first(conn)?;
    // Holder, filing and lapsed lease change what is offered without changing the task's own version.
    let lapsed = task.seat().is_lapsed(now);
    let view = format!("{}/{}/{}/{lapsed}", caller.view(), caller.user_id, filing.version);
    let tag = etag::etag(task.version, &view, locale);
    let body = Review {
        checklist: checks(&list, &task.ticked(), locale),
        // A draft that an older program wrote may not be readable any more; the task still is.
        draft: task.draft.clone().and_then(|draft| serde_json::from_value(draft).ok()),
        stage_label: label("review_stage", task.stage.as_str()),
        state_label: label("review", task.state.as_str()),
        claimed_by: who(task.claimed_by),
        assigned_to: who(task.assigned_to),
        decided_by: who(task.decided_by),
        filing: ReviewFiling {
            id: filing.id,
            kind_label: data::label("filing_kind", &filing.kind, locale.as_str()).to_owned(),
            status_label: label("filing", filing.status.as_str()),
            status: filing.status,
            revision_no,
            submitted_at,
            website_id: filing.website_id,
            website_icp_number: icp_number,
            kind: filing.kind,
        },
        materials: materials(conn, &task, locale)?,
        rejections: rejections::all(conn, task.filing_id)?
            .into_iter()
            .map(|(rejection, items)| rejection_body(rejection, items, locale))
            .collect(),
        subject_name: subject.name.clone(),
        website_name: website.name.clone(),
        subject,
        website,
        changes_against_filed,
        changes_against_last_revision,
        photo_verification,
        next_actions,
        id: task.id,
        filing_id: task.filing_id,
        order_no: filing.order_no,
        stage: task.stage,
        state: task.state,
        province_code: task.province_code,
        round: task.round,
        due_at: task.due_at,
        due_is_provisional: task.due_is_provisional,
        lease_expires_at: task.lease_expires_at,
        is_escalated: task.is_escalated,
        decided_at: task.decided_at,
        created_at: task.created_at,
        version: task.version,
    };
    Ok((body, tag))
}

fn content_before(conn: &mut PgConnection, filing: FilingId, no: i32) -> QueryResult<Option<WebsiteContent>> {
    let before: Option<uuid::Uuid> = filing_revisions::table
        .filter(filing_revisions::filing_id.eq(filing))
        .filter(filing_revisions::revision_no.lt(no))
        .order(filing_revisions::revision_no.desc())
        .select(filing_revisions::content_id)
        .first(conn)
        .optional()?;
    before.map(|id| websites::model::load(conn, id)).transpose()
}

fn photo(
    conn: &mut PgConnection,
    filing: FilingId,
    id: PhotoVerificationId,
    locale: Locale,
) -> QueryResult<Option<PhotoVerificationBody>> {
    Ok(photo_verifications::current(conn, filing, locale)?.filter(|photo| photo.id == id))
}

fn materials(conn: &mut PgConnection, task: &Task, locale: Locale) -> QueryResult<Vec<ReviewMaterial>> {
    let rows: Vec<(AttachmentId, String, String, String, i64)> = filing_revision_attachments::table
        .inner_join(attachments::table)
        .filter(filing_revision_attachments::revision_id.eq(task.revision_id))
        .order((attachments::purpose, attachments::created_at, attachments::id))
        .select((
            attachments::id,
            attachments::purpose,
            attachments::file_name,
            attachments::content_type,
            attachments::size_bytes,
        ))
        .load(conn)?;
    let shown = rows.into_iter().map(|(id, purpose, file_name, content_type, size_bytes)| ReviewMaterial {
        label: data::label("material", &purpose, locale.as_str()).to_owned(),
        id,
        purpose,
        file_name,
        content_type,
        size_bytes,
    });
    Ok(shown.collect())
}
