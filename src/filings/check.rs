//! Everything that stands between a draft and its submission, told at once. `check` shows it, `submit` insists on it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::access;
use super::diff::changed_fields;
use super::kinds::FilingKind;
use super::model::{self, Filing};
use super::rejections::{self, RejectionItem, TargetKind};
use super::requirements::{Requirement, RequirementInput};
use super::rules::codes::Source;
use super::rules::{CheckInput, Finding, Severity};
use super::{kinds, rules};
use crate::attachments::{self, AttachmentRow, AttachmentState};
use crate::auth::Caller;
use crate::catalogue::data::{Named, ProvinceRule};
use crate::error::{ApiError, ApiResult};
use crate::kernel::clock::shanghai_date;
use crate::kernel::i18n::Bilingual;
use crate::kernel::ids::AttachmentId;
use crate::kernel::pii::{Email, Phone, Sensitive};
use crate::schema::{attachments as files, subjects, website_contents, websites as sites};
use crate::websites::content::WebsiteContent;
use crate::websites::fields;
use crate::websites::subject::Subject;
use crate::{catalogue, websites};

/// Source of the findings that are about the procedure and not about a value.
const PROCEDURE: Source = Source::new("备案流程", "Course of a filing");

/// A requirement and the uploads that meet it.
pub struct Material {
    /// What is asked for.
    pub requirement: Requirement,
    /// Ready uploads of that code.
    pub attachments: Vec<AttachmentId>,
    /// Whether there are enough.
    pub is_satisfied: bool,
}

/// What a check found.
pub struct Report {
    /// Every finding, errors and warnings.
    pub findings: Vec<Finding>,
    /// Every material.
    pub materials: Vec<Material>,
    /// The remark that was checked.
    pub remark: Option<String>,
}

impl Report {
    /// Whether nothing stops a submission.
    pub fn passes(&self) -> bool {
        rules::passes(&self.findings)
    }
}

/// The rows that a check reads, so that callers need not read them twice.
pub struct Rows {
    /// The filed content that the draft started from.
    pub base: WebsiteContent,
    /// The content as edited.
    pub content: WebsiteContent,
    /// The website's subject.
    pub subject: Subject,
}

/// Reads base, content and subject of a filing.
///
/// # Errors
/// When the database fails.
pub fn read(conn: &mut PgConnection, filing: &Filing) -> QueryResult<Rows> {
    Ok(Rows {
        base: websites::model::load(conn, filing.base_content_id.0)?,
        content: websites::model::load(conn, filing.content_id.0)?,
        subject: subjects::table.find(filing.subject_id).select(Subject::as_select()).first(conn)?,
    })
}

/// Checks a filing as it stands.
///
/// # Errors
/// When the database fails, or the filing's kind is not known to this program.
pub fn run(conn: &mut PgConnection, filing: &Filing, now: DateTime<Utc>) -> ApiResult<Report> {
    let today = shanghai_date(now);
    let kind = find_kind(filing)?;
    let rows = read(conn, filing)?;
    let dictionaries = catalogue::model::dictionaries(conn, today)?;
    let province = catalogue::province_rule(conn, &filing.province_code, today)?;
    let banned_names = catalogue::banned_names(conn, today)?;
    let person = &rows.content.responsible_person;
    let mobile_used = match &person.mobile {
        Some(mobile) => mobile_used_by_other_subject(conn, filing, mobile)?,
        None => false,
    };
    let email_used = match &person.email {
        Some(email) => email_used_by_other(conn, &rows.content, email)?,
        None => false,
    };
    let mut findings = rules::check(&CheckInput {
        kind,
        content: &rows.content,
        base: &rows.base,
        subject: &rows.subject,
        today,
        recheck_all: province.recheck_all,
        banned_names: &banned_names,
        dictionaries: &dictionaries,
        mobile_used_by_other_subject: mobile_used,
        email_used_by_other: email_used,
    });
    if changed_fields(&rows.base, &rows.content).is_empty() {
        findings.push(procedure(
            "/website",
            "no_changes",
            Severity::Error,
            ("尚未修改任何信息", "nothing was changed"),
            ("请修改需要变更的信息", "change what is to be changed"),
        ));
    }
    if websites::filed_version(conn, filing.website_id)? != filing.base_version {
        findings.push(procedure(
            "/base_version",
            "base_version_outdated",
            Severity::Error,
            ("该网站的备案数据已更新", "the website's filed data have changed"),
            ("请放弃本订单后重新发起变更", "abandon this filing and start again"),
        ));
    }
    for pointer in filing.conflicts.as_array().into_iter().flatten().filter_map(|value| value.as_str()) {
        findings.push(procedure(
            pointer,
            "changed_meanwhile",
            Severity::Warning,
            (
                "该字段的备案数据在订单过期期间也被修改",
                "the filed value of this field changed while the filing was expired",
            ),
            ("请确认您的修改仍然有效", "make sure that your change is still what you want"),
        ));
    }
    let refused = open_rejection(conn, filing)?;
    let requirements = required(kind, &rows, &province, &refused, &dictionaries);
    let uploads = attachments::ready(conn, filing.id)?;
    let materials = with_uploads(requirements, &uploads);
    for material in
        materials.iter().filter(|material| material.requirement.required && !material.is_satisfied)
    {
        let (label, why) = (&material.requirement.label, &material.requirement.why);
        let count = material.requirement.min_count;
        findings.push(Finding {
            pointer: format!("/materials/{}", material.requirement.code),
            code: "material_missing",
            severity: Severity::Error,
            message: Bilingual::new(
                format!("缺少备案资料：{}（至少 {count} 份）", label.zh),
                format!("{} is missing (at least {count})", label.en),
            ),
            suggestion: Bilingual::new(
                format!("请上传{}。原因：{}", label.zh, why.zh),
                format!("upload “{}”; the reason: {}", label.en, why.en),
            ),
            source: PROCEDURE,
        });
    }
    findings.extend(unanswered(conn, filing, &rows.content, &refused)?);
    Ok(Report { findings, materials, remark: rows.content.remark })
}

fn procedure(
    pointer: &str,
    code: &'static str,
    severity: Severity,
    message: (&str, &str),
    fix: (&str, &str),
) -> Finding {
    Finding {
        pointer: pointer.to_owned(),
        code,
        severity,
        message: Bilingual::new(message.0, message.1),
        suggestion: Bilingual::new(fix.0, fix.1),
        source: PROCEDURE,
    }
}

/// Items of the latest rejection that no revision has answered yet.
///
/// # Errors
/// When the database fails.
pub fn open_rejection(conn: &mut PgConnection, filing: &Filing) -> QueryResult<Vec<RejectionItem>> {
    if filing.revision_no == 0 {
        return Ok(Vec::new());
    }
    let last = model::last_revision(conn, filing.id)?;
    Ok(match rejections::latest(conn, filing.id)? {
        Some((rejection, items)) if rejection.revision_id == last.id => items,
        _ => Vec::new(),
    })
}

/// The materials of a filing as a caller sees them: the owner those of the draft, staff those of the last submission with
/// what it contained, whatever the owner has edited or uploaded since.
///
/// # Errors
/// When the database fails, or the filing's kind is not known to this program.
pub fn materials(
    conn: &mut PgConnection,
    caller: &Caller,
    mut filing: Filing,
    now: DateTime<Utc>,
) -> ApiResult<Vec<Material>> {
    let today = shanghai_date(now);
    let kind = find_kind(&filing)?;
    let revision = access::shown_revision(conn, caller, &filing)?;
    let uploads = match &revision {
        Some(revision) => attachments::for_revision(conn, revision.id)?,
        None => attachments::ready(conn, filing.id)?,
    };
    let refused = open_rejection(conn, &filing)?;
    filing.content_id = revision.map_or(filing.content_id, |revision| revision.content_id);
    let rows = read(conn, &filing)?;
    let dictionaries = catalogue::model::dictionaries(conn, today)?;
    let province = catalogue::province_rule(conn, &filing.province_code, today)?;
    Ok(with_uploads(required(kind, &rows, &province, &refused, &dictionaries), &uploads))
}

fn find_kind(filing: &Filing) -> ApiResult<&'static FilingKind> {
    kinds::find(&filing.kind).ok_or_else(|| ApiError::internal(format!("unknown kind {}", filing.kind)))
}

fn required(
    kind: &FilingKind,
    rows: &Rows,
    province: &ProvinceRule,
    refused: &[RejectionItem],
    dictionaries: &Named,
) -> Vec<Requirement> {
    let rejected_materials: Vec<&str> =
        refused.iter().filter_map(|item| item.material_code.as_deref()).collect();
    (kind.requirements)(&RequirementInput {
        base: &rows.base,
        content: &rows.content,
        subject: &rows.subject,
        province: Some(province),
        rejected_materials: &rejected_materials,
        dictionaries,
    })
}

fn with_uploads(requirements: Vec<Requirement>, uploads: &[AttachmentRow]) -> Vec<Material> {
    let material = |requirement: Requirement| {
        let own = uploads.iter().filter(|upload| upload.purpose == requirement.code);
        let attachments: Vec<AttachmentId> = own.map(|upload| upload.id).collect();
        let is_satisfied = attachments.len() >= requirement.min_count as usize;
        Material { requirement, attachments, is_satisfied }
    };
    requirements.into_iter().map(material).collect()
}

/// Each item of the rejection must be answered: the field changed, the material uploaded anew, or a reply given. A photo is
/// taken anew in its own step.
fn unanswered(
    conn: &mut PgConnection,
    filing: &Filing,
    content: &WebsiteContent,
    items: &[RejectionItem],
) -> QueryResult<Vec<Finding>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let last = model::last_revision(conn, filing.id)?;
    let refused = websites::model::load(conn, last.content_id.0)?;
    let changed = changed_fields(&refused, content);
    let fresh: Vec<String> = files::table
        .filter(files::filing_id.eq(filing.id))
        .filter(files::state.eq(AttachmentState::Ready))
        .filter(files::completed_at.gt(last.submitted_at))
        .select(files::purpose)
        .load(conn)?;
    let mut findings = Vec::new();
    for item in items {
        let is_replied = item.applicant_reply.is_some();
        let is_done = match item.target_kind {
            TargetKind::Photo => true,
            TargetKind::Material => item.material_code.as_ref().is_some_and(|code| fresh.contains(code)),
            TargetKind::Field => item.pointer.as_deref().is_some_and(|pointer| {
                changed.iter().any(|field| {
                    fields::holds(pointer, field.pointer) || fields::holds(field.pointer, pointer)
                })
            }),
        };
        if !is_done && !is_replied {
            let pointer = match (&item.pointer, &item.material_code) {
                (Some(pointer), _) => pointer.clone(),
                (_, Some(code)) => format!("/materials/{code}"),
                _ => "/rejection".to_owned(),
            };
            findings.push(procedure(
                &pointer,
                "item_not_answered",
                Severity::Error,
                ("该驳回原因尚未处理", "this reason of the rejection is not dealt with yet"),
                ("请修改该项，或填写回复说明", "change it, or reply to it"),
            ));
        }
    }
    Ok(findings)
}

/// "A mobile serves one subject": filed for another subject, as its own person's or a website's.
fn mobile_used_by_other_subject(
    conn: &mut PgConnection,
    filing: &Filing,
    mobile: &Sensitive<Phone>,
) -> ApiResult<bool> {
    let hash = mobile.lookup_hash().map_err(ApiError::internal)?;
    let of_subjects = diesel::dsl::exists(
        subjects::table
            .filter(subjects::person_mobile_hash.eq(&hash))
            .filter(subjects::id.ne(filing.subject_id)),
    );
    let of_websites = diesel::dsl::exists(
        sites::table
            .inner_join(website_contents::table.on(website_contents::id.eq(sites::content_id)))
            .filter(website_contents::person_mobile_hash.eq(&hash))
            .filter(sites::subject_id.ne(filing.subject_id)),
    );
    Ok(diesel::select(of_subjects.or(of_websites)).get_result(conn)?)
}

/// The e-mail address is filed for another person: compared by name, since certificate numbers are sealed.
fn email_used_by_other(
    conn: &mut PgConnection,
    content: &WebsiteContent,
    email: &Sensitive<Email>,
) -> ApiResult<bool> {
    let hash = email.lookup_hash().map_err(ApiError::internal)?;
    let name = content.responsible_person.name.clone().unwrap_or_default();
    let of_subjects = diesel::dsl::exists(
        subjects::table.filter(subjects::person_email_hash.eq(&hash)).filter(subjects::person_name.ne(&name)),
    );
    let of_websites = diesel::dsl::exists(
        sites::table
            .inner_join(website_contents::table.on(website_contents::id.eq(sites::content_id)))
            .filter(website_contents::person_email_hash.eq(&hash))
            .filter(website_contents::person_name.ne(&name)),
    );
    Ok(diesel::select(of_subjects.or(of_websites)).get_result(conn)?)
}
