//! What belongs to a filing: its changes, the materials it needs, its revisions.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{Allowed, op};
use crate::error::ApiResult;
use crate::filings::body::{AcceptedTerms, RejectionBody, accepted_terms, rejection_body};
use crate::filings::diff::{self, Change};
use crate::filings::model::Revision;
use crate::filings::{access, check, model, rejections};
use crate::kernel::etag;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{AttachmentId, FilingId, RevisionId};
use crate::kernel::json::{Path, Query, invalid_parameter};
use crate::kernel::reply::Reply;
use crate::schema::{filing_revision_attachments, filing_revisions};
use crate::websites;
use crate::websites::content::WebsiteContent;

/// What a filing changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilingDiff {
    /// `filed` or `last_revision`.
    pub against: String,
    /// The fields that differ, in the order of the form.
    pub changes: Vec<ChangeBody>,
}

/// One changed field; personal data masked on both sides.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeBody {
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

impl ChangeBody {
    /// A change in a language.
    pub fn of(change: Change, locale: Locale) -> Self {
        Self {
            pointer: change.pointer.to_owned(),
            label: locale.pick(change.label_zh, change.label_en).to_owned(),
            before: change.before,
            after: change.after,
            is_changed: change.is_changed,
        }
    }
}

/// What to compare with.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// `filed` (default): the filed data; `last_revision`: what was submitted last.
    #[param(pattern = "^(filed|last_revision)$")]
    against: Option<String>,
}

/// What a filing changes
///
/// Field by field against the filed data or the last submission. Owners compare what they edit; staff compare what was
/// submitted.
#[utoipa::path(operation_id = "getFilingDiff", tag = "filings",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001"), DiffQuery),
    responses((status = 200, description = "The changes.", body = FilingDiff)))]
#[get("/v1/filings/{id}/diff")]
pub async fn get_filing_diff(
    app: web::Data<App>,
    caller: Allowed<op::GetFilingDiff>,
    id: Path<FilingId>,
    query: Query<DiffQuery>,
) -> ApiResult<Reply> {
    let caller = caller.caller.clone();
    app.db
        .run(move |conn| {
            let filing = access::visible(conn, &caller, id.0)?;
            let is_owner = caller.owns(filing.account_id, filing.partner_id);
            let revisions: Vec<Revision> = filing_revisions::table
                .filter(filing_revisions::filing_id.eq(filing.id))
                .order(filing_revisions::revision_no.desc())
                .limit(2)
                .select(Revision::as_select())
                .load(conn)?;
            let shown = match revisions.first() {
                Some(last) if !is_owner => last.content_id,
                _ => filing.content_id,
            };
            let (against, base) = match query.0.against.as_deref() {
                None | Some("filed") => ("filed", Some(filing.base_content_id)),
                // For staff the last submission is what they look at, so they compare with the one before.
                Some("last_revision") if is_owner => {
                    ("last_revision", revisions.first().map(|row| row.content_id))
                }
                Some("last_revision") => ("last_revision", revisions.get(1).map(|row| row.content_id)),
                Some(_) => {
                    return Err(invalid_parameter(
                        "against",
                        "not_in_list",
                        "must be filed or last_revision",
                    ));
                }
            };
            let new = websites::model::load(conn, shown.0)?;
            let base = match base {
                Some(base) => websites::model::load(conn, base.0)?,
                None => WebsiteContent::default(),
            };
            let mut changes = diff::diff(&base, &new);
            // Compared in clear, shown as this caller may see a person's name.
            let name = |content| {
                serde_json::json!(websites::shown_content(&caller, content).responsible_person.name)
            };
            if let Some(change) =
                changes.iter_mut().find(|change| change.pointer == "/website/responsible_person/name")
            {
                (change.before, change.after) = (name(base), name(new));
            }
            let tag = etag::etag(filing.version, &format!("{}/{against}", caller.view()), caller.locale);
            let changes = changes.into_iter().map(|change| ChangeBody::of(change, caller.locale)).collect();
            Ok(Reply::ok(&FilingDiff { against: against.to_owned(), changes })?.etag(tag))
        })
        .await
}

/// The materials that a filing needs.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequirementList {
    /// Every material, in the order to upload them.
    pub items: Vec<RequirementBody>,
    /// Whether all are there.
    pub is_satisfied: bool,
}

/// One material.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequirementBody {
    /// Code of the material: the `purpose` of an upload.
    #[schema(example = "identity_card_front")]
    pub code: String,
    /// Label.
    pub label: String,
    /// What it proves: JSON pointer into the filing.
    pub target: String,
    /// Whether submit needs it.
    pub required: bool,
    /// Why it is asked for.
    pub why: String,
    /// Media types.
    pub accepted_types: Vec<String>,
    /// Largest file, in bytes.
    pub max_bytes: u64,
    /// Least number of files.
    pub min_count: u32,
    /// Greatest number of files.
    pub max_count: u32,
    /// Ready uploads.
    pub attachments: Vec<AttachmentId>,
    /// Whether there are enough.
    pub is_satisfied: bool,
}

/// Which materials a filing needs
///
/// Computed from what was changed, the province's rules and the latest rejection. The owner sees the materials of the draft;
/// staff see those of the last submission.
#[utoipa::path(operation_id = "listFilingRequirements", tag = "filings",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001")),
    responses((status = 200, description = "The materials.", body = RequirementList)))]
#[get("/v1/filings/{id}/requirements")]
pub async fn list_filing_requirements(
    app: web::Data<App>,
    caller: Allowed<op::ListFilingRequirements>,
    id: Path<FilingId>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller.clone();
    app.db
        .run(move |conn| {
            let filing = access::visible(conn, &caller, id.0)?;
            let locale = caller.locale;
            let items: Vec<RequirementBody> = check::materials(conn, &caller, filing, now)?
                .into_iter()
                .map(|material| RequirementBody {
                    label: material.requirement.label.pick(locale).to_owned(),
                    why: material.requirement.why.pick(locale).to_owned(),
                    code: material.requirement.code,
                    target: material.requirement.target,
                    required: material.requirement.required,
                    accepted_types: material.requirement.accepted_types,
                    max_bytes: material.requirement.max_bytes,
                    min_count: material.requirement.min_count,
                    max_count: material.requirement.max_count,
                    attachments: material.attachments,
                    is_satisfied: material.is_satisfied,
                })
                .collect();
            let is_satisfied = items.iter().all(|item| item.is_satisfied || !item.required);
            Reply::ok(&RequirementList { items, is_satisfied })
        })
        .await
}

/// The submissions of a filing.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionList {
    /// Every revision, newest first.
    pub items: Vec<RevisionBody>,
}

/// What one submission contained, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionBody {
    /// From 1.
    pub revision_no: i32,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// The frozen content; personal data masked.
    pub website: WebsiteContent,
    /// The materials that belonged to it.
    pub attachments: Vec<AttachmentId>,
    /// What was accepted.
    pub accepted_terms: AcceptedTerms,
    /// Rejections of this revision, oldest first.
    pub rejections: Vec<RejectionBody>,
}

/// What was submitted, round by round
///
/// Each submission with its content, materials, acceptance and rejections.
#[utoipa::path(operation_id = "listFilingRevisions", tag = "filings",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001")),
    responses((status = 200, description = "The revisions.", body = RevisionList)))]
#[get("/v1/filings/{id}/revisions")]
pub async fn list_filing_revisions(
    app: web::Data<App>,
    caller: Allowed<op::ListFilingRevisions>,
    id: Path<FilingId>,
) -> ApiResult<Reply> {
    let caller = caller.caller.clone();
    app.db
        .run(move |conn| {
            let filing = access::visible(conn, &caller, id.0)?;
            let revisions = model::accepted_revisions(conn, filing.id)?;
            let contents: Vec<uuid::Uuid> =
                revisions.iter().map(|(revision, ..)| revision.content_id.0).collect();
            let contents = websites::model::load_all(conn, &contents)?;
            let ids: Vec<RevisionId> = revisions.iter().map(|(revision, ..)| revision.id).collect();
            let files: Vec<(RevisionId, AttachmentId)> = filing_revision_attachments::table
                .filter(filing_revision_attachments::revision_id.eq_any(ids))
                .order(filing_revision_attachments::attachment_id)
                .select((
                    filing_revision_attachments::revision_id,
                    filing_revision_attachments::attachment_id,
                ))
                .load(conn)?;
            let mut rejected = rejections::all(conn, filing.id)?;
            let mut items = Vec::new();
            for accepted in revisions {
                let revision = accepted.0.clone();
                let (own, others): (Vec<_>, Vec<_>) =
                    rejected.into_iter().partition(|(rejection, _)| rejection.revision_id == revision.id);
                rejected = others;
                let content = contents.get(&revision.content_id.0).cloned().unwrap_or_default();
                items.push(RevisionBody {
                    revision_no: revision.revision_no,
                    submitted_at: revision.submitted_at,
                    website: websites::shown_content(&caller, content),
                    attachments: files
                        .iter()
                        .filter(|(of, _)| *of == revision.id)
                        .map(|(_, attachment)| *attachment)
                        .collect(),
                    accepted_terms: accepted_terms(accepted),
                    rejections: own
                        .into_iter()
                        .map(|(rejection, items)| rejection_body(rejection, items, caller.locale))
                        .collect(),
                });
            }
            let tag = etag::etag(filing.version, caller.view(), caller.locale);
            Ok(Reply::ok(&RevisionList { items })?.etag(tag))
        })
        .await
}
