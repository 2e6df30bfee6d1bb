//! How filed data is shown: whose it must be, what is left out for whom, and the bodies of the replies.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use utoipa::ToSchema;

use super::content::WebsiteContent;
use super::filed::{self, WebsiteAccess, WebsiteRow};
use super::next_action::{self, NextAction};
use super::subject::{LegalRepresentative, Subject, SubjectResponsiblePerson};
use crate::auth::{Caller, Role};
use crate::catalogue::data;
use crate::kernel::ids::{AccountId, FilingId, PartnerId, SubjectId, WebsiteId};
use crate::kernel::pii::{PersonName, Sensitive};
use crate::schema::{accounts, subjects};

/// Whose filed data a caller may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// An applicant: the own account's.
    Account(AccountId),
    /// A partner's client: those of the partner's accounts.
    Partner(PartnerId),
    /// Staff: everybody's, masked.
    All,
}

impl Scope {
    /// The scope of a caller; the table of operations has already refused roles that read no filed data.
    pub fn of(caller: &Caller) -> Self {
        match (caller.account_id, caller.partner_id) {
            (Some(account), _) => Self::Account(account),
            (None, Some(partner)) => Self::Partner(partner),
            (None, None) => Self::All,
        }
    }

    /// Whether this account's data belong to it. A partner's accounts are looked up.
    pub(super) fn holds(self, conn: &mut PgConnection, account: AccountId) -> QueryResult<bool> {
        match self {
            Self::All => Ok(true),
            Self::Account(own) => Ok(own == account),
            Self::Partner(partner) => {
                let owner: Option<PartnerId> =
                    accounts::table.find(account).select(accounts::partner_id).first(conn)?;
                Ok(owner == Some(partner))
            }
        }
    }
}

/// Admin and support work without personal data: for them a person's name is masked like the numbers are for all.
fn hides_names(caller: &Caller) -> bool {
    !caller.is_owner_side() && !caller.has(Role::Reviewer) && !caller.has(Role::BureauOperator)
}

fn mask_name(name: &mut Option<String>) {
    if let Some(clear) = name {
        *clear = Sensitive::<PersonName>::new(clear.as_str()).mask();
    }
}

/// The content as this caller may see it. (Numbers, phones and addresses mask themselves.)
pub fn shown_content(caller: &Caller, mut content: WebsiteContent) -> WebsiteContent {
    if hides_names(caller) {
        mask_name(&mut content.responsible_person.name);
    }
    content
}

/// The subject as this caller may see it.
pub(super) fn shown_subject(caller: &Caller, mut subject: Subject) -> Subject {
    if hides_names(caller) {
        if subject.is_individual() {
            subject.name = Sensitive::<PersonName>::new(subject.name.as_str()).mask();
        }
        let SubjectResponsiblePerson(person) = &mut subject.responsible_person;
        mask_name(&mut person.name);
        let LegalRepresentative { name, .. } = &mut subject.legal_representative;
        mask_name(name);
    }
    subject
}

/// A filed website.
#[derive(Debug, Serialize, ToSchema)]
pub struct Website {
    /// Its id.
    pub id: WebsiteId,
    /// Account that owns it.
    pub account_id: AccountId,
    /// Who runs it.
    pub subject_id: SubjectId,
    /// Name of the subject.
    pub subject_name: String,
    /// ICP number.
    #[schema(example = "京ICP备12345678号-1")]
    pub icp_number: String,
    /// Code of the dictionary `service_kind`; may grow.
    #[schema(example = "website")]
    pub service_kind: String,
    /// Its label.
    #[schema(example = "网站")]
    pub service_kind_label: String,
    /// Number of the filed version in force.
    #[schema(example = 1)]
    pub filed_version: i32,
    /// What is filed; personal data masked.
    pub content: WebsiteContent,
    /// How it is reached; a website change cannot alter it.
    pub access: Vec<WebsiteAccess>,
    /// The live filing of the subject, which blocks another; null when there is none.
    pub live_filing_id: Option<FilingId>,
    /// What the owner can do; empty for staff.
    pub next_actions: Vec<NextAction>,
    /// When it came into this system.
    pub created_at: DateTime<Utc>,
    /// When its filed data changed last.
    pub updated_at: DateTime<Utc>,
}

/// A website in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WebsiteSummary {
    /// Its id.
    pub id: WebsiteId,
    /// Account that owns it.
    pub account_id: AccountId,
    /// Who runs it.
    pub subject_id: SubjectId,
    /// Name of the subject.
    pub subject_name: String,
    /// ICP number.
    #[schema(example = "京ICP备12345678号-1")]
    pub icp_number: String,
    /// Filed name of the website.
    #[schema(example = "云上花店")]
    pub name: Option<String>,
    /// Filed domains in ASCII form.
    pub domain_names: Vec<String>,
    /// Code of the dictionary `service_kind`; may grow.
    #[schema(example = "website")]
    pub service_kind: String,
    /// Its label.
    #[schema(example = "网站")]
    pub service_kind_label: String,
    /// Number of the filed version in force.
    #[schema(example = 1)]
    pub filed_version: i32,
    /// The live filing of the subject; null when there is none.
    pub live_filing_id: Option<FilingId>,
    /// What the owner can do; empty for staff.
    pub next_actions: Vec<NextAction>,
    /// When it came into this system.
    pub created_at: DateTime<Utc>,
    /// When its filed data changed last.
    pub updated_at: DateTime<Utc>,
}

/// A website with everything that its page shows.
pub(super) fn website(
    conn: &mut PgConnection,
    caller: &Caller,
    row: WebsiteRow,
    content: WebsiteContent,
) -> QueryResult<Website> {
    let subject = shown_subject(caller, filed::subject(conn, row.subject_id)?);
    let live = filed::live_filings(conn, &[row.subject_id])?.get(&row.subject_id).copied();
    let is_owner = caller.is_owner_side();
    Ok(Website {
        id: row.id,
        account_id: row.account_id,
        subject_id: row.subject_id,
        subject_name: subject.name,
        icp_number: row.icp_number,
        service_kind_label: service_kind_label(caller, &row.service_kind),
        service_kind: row.service_kind,
        filed_version: row.filed_version,
        content: shown_content(caller, content),
        access: row.access.0,
        live_filing_id: live.map(|(filing, _)| filing),
        next_actions: if is_owner { next_action::of_website(caller.locale, live) } else { Vec::new() },
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn service_kind_label(caller: &Caller, kind: &str) -> String {
    data::label("service_kind", kind, caller.locale.as_str()).to_owned()
}

/// Summaries of websites, in the same order.
///
/// # Errors
/// When the database fails.
pub fn summaries(
    conn: &mut PgConnection,
    caller: &Caller,
    rows: Vec<(WebsiteRow, WebsiteContent)>,
) -> QueryResult<Vec<WebsiteSummary>> {
    let mut of: Vec<SubjectId> = rows.iter().map(|(row, _)| row.subject_id).collect();
    of.sort_unstable();
    of.dedup();
    let live = filed::live_filings(conn, &of)?;
    let owners: Vec<(SubjectId, String, String)> = subjects::table
        .filter(subjects::id.eq_any(&of))
        .select((subjects::id, subjects::name, subjects::nature))
        .load(conn)?;
    let name_of = |id: SubjectId| {
        let (_, name, nature) = owners.iter().find(|(known, ..)| *known == id)?;
        let mut name = Some(name.clone());
        if hides_names(caller) && nature == super::subject::INDIVIDUAL {
            mask_name(&mut name);
        }
        name
    };
    let summary = |(row, content): (WebsiteRow, WebsiteContent)| {
        let live = live.get(&row.subject_id).copied();
        WebsiteSummary {
            id: row.id,
            account_id: row.account_id,
            subject_id: row.subject_id,
            subject_name: name_of(row.subject_id).unwrap_or_default(),
            icp_number: row.icp_number,
            name: content.name,
            domain_names: content.domains.0.into_iter().map(|domain| domain.name).collect(),
            service_kind_label: service_kind_label(caller, &row.service_kind),
            service_kind: row.service_kind,
            filed_version: row.filed_version,
            live_filing_id: live.map(|(filing, _)| filing),
            next_actions: match caller.is_owner_side() {
                true => next_action::of_website(caller.locale, live),
                false => Vec::new(),
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    };
    Ok(rows.into_iter().map(summary).collect())
}
