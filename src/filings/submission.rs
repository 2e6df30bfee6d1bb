//! What happens to the content when a filing is submitted or reopened.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;

use super::act::Ctx;
use super::model::{self, Filing};
use crate::error::{ApiError, ApiResult};
use crate::kernel::ids::{ContentId, RevisionId, TermsId};
use crate::schema::{filing_revisions, filings};
use crate::websites::content::WebsiteContent;
use crate::{attachments, websites};

/// Acceptance of terms and consent at a submission.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The accepted service terms.
    pub terms_id: TermsId,
    /// The accepted consent.
    pub consent_id: TermsId,
    /// Name of the person who accepted, for partners' clients.
    pub accepted_by_name: Option<String>,
    /// `app`, or the partner client's id.
    pub client: String,
}

/// Freezes the content as the next revision; the next edit makes a row of its own.
pub(super) fn freeze(
    conn: &mut PgConnection,
    ctx: &Ctx,
    filing: Filing,
    acceptance: &Acceptance,
) -> ApiResult<Filing> {
    let user = ctx.actor.user_id.ok_or_else(|| ApiError::internal("a submission without a user"))?;
    let content = websites::model::load(conn, filing.content_id.0)?;
    let id = RevisionId::new();
    let revision_no = filing.revision_no + 1;
    diesel::insert_into(filing_revisions::table)
        .values((
            filing_revisions::id.eq(id),
            filing_revisions::filing_id.eq(filing.id),
            filing_revisions::revision_no.eq(revision_no),
            filing_revisions::content_id.eq(filing.content_id),
            filing_revisions::submitted_by.eq(user),
            filing_revisions::submitted_at.eq(ctx.now),
            filing_revisions::terms_id.eq(acceptance.terms_id),
            filing_revisions::consent_id.eq(acceptance.consent_id),
            filing_revisions::accepted_by_name.eq(&acceptance.accepted_by_name),
            filing_revisions::accepted_client.eq(&acceptance.client),
            filing_revisions::accepted_address.eq(ctx.actor.address.map(|address| address.to_string())),
            filing_revisions::person_hash.eq(content.responsible_person.person_hash().unwrap_or_default()),
        ))
        .execute(conn)?;
    attachments::freeze(conn, filing.id, id)?;
    model::add_participant(conn, filing.id, user)?;
    Ok(diesel::update(filings::table.find(filing.id))
        .set((filings::revision_no.eq(revision_no), filings::submitted_at.eq(ctx.now)))
        .returning(Filing::as_returning())
        .get_result(conn)?)
}

/// Makes the content editable: a revision's row is frozen, so a copy takes its place.
pub(super) fn editable_content(conn: &mut PgConnection, filing: &Filing) -> QueryResult<ContentId> {
    let is_frozen = diesel::select(diesel::dsl::exists(
        filing_revisions::table.filter(filing_revisions::content_id.eq(filing.content_id)),
    ))
    .get_result::<bool>(conn)?;
    if !is_frozen {
        return Ok(filing.content_id);
    }
    let content = websites::model::load(conn, filing.content_id.0)?;
    let copy = ContentId::new();
    websites::model::insert(conn, copy.0, &content)?;
    Ok(copy)
}

/// The columns of a filing that are copies of its content.
pub(super) fn copies(content: &WebsiteContent) -> (Option<String>, Vec<Option<String>>) {
    (content.name.clone(), content.domains.iter().map(|domain| Some(domain.name.clone())).collect())
}

/// Copies the filed content anew and reapplies the applicant's own changes. A field that both sides changed keeps the
/// applicant's value and is noted, so that `check` can point at it.
pub(super) fn rebase(conn: &mut PgConnection, now: DateTime<Utc>, filing: Filing) -> ApiResult<Filing> {
    let base = websites::model::load(conn, filing.base_content_id.0)?;
    let own = websites::model::load(conn, filing.content_id.0)?;
    let (version, filed_id) = websites::filed_content_id(conn, filing.website_id)?;
    let filed = websites::model::load(conn, filed_id.0)?;
    let (merged, conflicts) = merge(&base, &own, &filed);
    let content_id = ContentId::new();
    websites::model::insert(conn, content_id.0, &merged)?;
    let (name, domains) = copies(&merged);
    Ok(diesel::update(filings::table.find(filing.id))
        .set((
            filings::base_version.eq(version),
            filings::base_content_id.eq(filed_id),
            filings::content_id.eq(content_id),
            filings::website_name.eq(name),
            filings::domain_names.eq(domains),
            filings::conflicts.eq(json!(conflicts)),
            filings::updated_at.eq(now),
        ))
        .returning(Filing::as_returning())
        .get_result(conn)?)
}

/// Three-way merge by field.
fn merge(
    base: &WebsiteContent,
    own: &WebsiteContent,
    filed: &WebsiteContent,
) -> (WebsiteContent, Vec<&'static str>) {
    let mut merged = filed.clone();
    let mut conflicts = Vec::new();
    macro_rules! field {
        ($pointer:literal, $($path:ident).+) => {
            if own.$($path).+ != base.$($path).+ {
                if filed.$($path).+ != base.$($path).+ && filed.$($path).+ != own.$($path).+ {
                    conflicts.push($pointer);
                }
                merged.$($path).+ = own.$($path).+.clone();
            }
        };
    }
    // Destructured without `..`, so that a new field is not forgotten here.
    let WebsiteContent {
        name: _,
        home_url: _,
        domains: _,
        service_content: _,
        languages: _,
        pre_approvals: _,
        responsible_person: _,
        same_as_subject_responsible_person: _,
        remark: _,
    } = own;
    field!("/website/name", name);
    field!("/website/home_url", home_url);
    field!("/website/domains", domains);
    field!("/website/service_content", service_content);
    field!("/website/languages", languages);
    field!("/website/pre_approvals", pre_approvals);
    // The person is taken whole: half of one person and half of another is nobody.
    field!("/website/responsible_person", responsible_person);
    field!("/website/same_as_subject_responsible_person", same_as_subject_responsible_person);
    field!("/website/remark", remark);
    (merged, conflicts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_changes_are_reapplied_and_conflicts_are_named() {
        let base =
            WebsiteContent { name: Some("旧名称".into()), remark: Some("a".into()), ..Default::default() };
        let own =
            WebsiteContent { name: Some("我的名称".into()), remark: Some("a".into()), ..base.clone() };
        let filed =
            WebsiteContent { name: Some("别的名称".into()), remark: Some("b".into()), ..base.clone() };
        let (merged, conflicts) = merge(&base, &own, &filed);
        assert_eq!(merged.name.as_deref(), Some("我的名称"));
        assert_eq!(merged.remark.as_deref(), Some("b"));
        assert_eq!(conflicts, ["/website/name"]);
    }
}
