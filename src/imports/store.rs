//! The part of an import that needs the database: whose it is, what is there already, and writing it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use serde_json::json;

use super::body::{
    ImportOutcome, ImportRequest, ImportResult, ImportRow, ImportWebsite, ImportedRow, ImportedWebsite,
};
use super::check::{self, fault};
use crate::audit::{self, Actor, Deed};
use crate::auth::Caller;
use crate::catalogue;
use crate::error::{ApiError, ApiResult, FieldError};
use crate::error_codes as codes;
use crate::kernel::clock::shanghai_date;
use crate::kernel::ids::{AccountId, ContentId, PartnerId, SubjectId, WebsiteId};
use crate::schema::{accounts, subjects, website_contents, website_versions, websites};
use crate::websites::content::{JsonList, WebsiteContent};
use crate::websites::filed::{self, VersionRow, WebsiteRow};
use crate::websites::model;
use crate::websites::subject::{Subject, SubjectResponsiblePerson};

/// Checks everything and, when nothing is wrong, writes everything. Runs in the caller's transaction.
///
/// # Errors
/// 422 with every fault; 409 `live_filing_blocks_import` when live filings are the only ones.
pub(super) fn import(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    mut request: ImportRequest,
) -> ApiResult<ImportResult> {
    for website in request.rows.iter_mut().flat_map(|row| &mut row.websites) {
        check::complete(&mut website.content);
    }
    let dictionaries = catalogue::dictionaries(conn, shanghai_date(now))?;
    let mut faults = check::check(&request, &dictionaries, now);
    let known = Known::load(conn, &request)?;
    known.check(caller, &request, &mut faults);
    let blocked = known.blocked(conn, &request)?;
    if faults.is_empty() && !blocked.is_empty() {
        return Err(ApiError::new(&codes::LIVE_FILING_BLOCKS_IMPORT).errors(blocked));
    }
    faults.extend(blocked);
    if !faults.is_empty() {
        return Err(ApiError::invalid(faults));
    }
    let mut result = ImportResult::default();
    for row in request.rows {
        let stored = store_row(conn, now, caller, &known, row, &mut result)?;
        result.rows.push(stored);
    }
    Ok(result)
}

/// What the database knows about the rows, read and locked at once.
struct Known {
    accounts: HashMap<AccountId, (Option<PartnerId>, Option<DateTime<Utc>>)>,
    subjects: HashMap<String, Subject>,
    /// ICP number of the subject of each account.
    subject_of_account: HashMap<AccountId, String>,
    websites: HashMap<String, (WebsiteRow, WebsiteContent)>,
    /// Website's ICP number of each filed domain.
    domains: HashMap<String, String>,
}

#[derive(QueryableByName)]
struct FiledDomain {
    #[diesel(sql_type = Text)]
    icp_number: String,
    #[diesel(sql_type = Text)]
    domain: String,
}

impl Known {
    fn load(conn: &mut PgConnection, request: &ImportRequest) -> QueryResult<Self> {
        let account_ids: Vec<AccountId> = request.rows.iter().filter_map(|row| row.account_id).collect();
        let numbers: Vec<&str> = request.rows.iter().map(|row| row.subject.icp_number.as_str()).collect();
        let sites = || request.rows.iter().flat_map(|row| &row.websites);
        let site_numbers: Vec<&str> = sites().map(|site| site.icp_number.as_str()).collect();
        let names: Vec<&str> =
            sites().flat_map(|site| site.content.domains.iter()).map(|domain| domain.name.as_str()).collect();
        let accounts = accounts::table
            .filter(accounts::id.eq_any(&account_ids))
            .select((accounts::id, (accounts::partner_id, accounts::disabled_at)))
            .load::<(AccountId, (Option<PartnerId>, Option<DateTime<Utc>>))>(conn)?;
        // Subjects are locked in one order, before anything that hangs on them, so that no filing can start meanwhile.
        let subjects: Vec<Subject> = subjects::table
            .filter(subjects::icp_number.eq_any(&numbers))
            .order_by(subjects::id)
            .select(Subject::as_select())
            .for_update()
            .load(conn)?;
        let subject_of_account: Vec<(AccountId, String)> = subjects::table
            .filter(subjects::account_id.eq_any(&account_ids))
            .select((subjects::account_id, subjects::icp_number))
            .load(conn)?;
        let websites: Vec<(WebsiteRow, WebsiteContent)> = websites::table
            .inner_join(website_contents::table)
            .filter(websites::icp_number.eq_any(&site_numbers))
            .select((WebsiteRow::as_select(), WebsiteContent::as_select()))
            .load(conn)?;
        let domains: Vec<FiledDomain> = diesel::sql_query(
            "SELECT w.icp_number, d ->> 'name' AS domain
             FROM websites w JOIN website_contents c ON c.id = w.content_id,
                  jsonb_array_elements(c.domains) AS d
             WHERE d ->> 'name' = ANY ($1)",
        )
        .bind::<Array<Text>, _>(&names)
        .load(conn)?;
        Ok(Self {
            accounts: accounts.into_iter().collect(),
            subjects: subjects.into_iter().map(|subject| (subject.icp_number.clone(), subject)).collect(),
            subject_of_account: subject_of_account.into_iter().collect(),
            websites: websites.into_iter().map(|found| (found.0.icp_number.clone(), found)).collect(),
            domains: domains.into_iter().map(|found| (found.domain, found.icp_number)).collect(),
        })
    }

    fn check(&self, caller: &Caller, request: &ImportRequest, faults: &mut Vec<FieldError>) {
        for (i, row) in request.rows.iter().enumerate() {
            self.check_account(caller, &format!("/rows/{i}"), row, faults);
            let number = &row.subject.icp_number;
            let account = row.account_id.map(|id| id.0);
            let owner = self.subjects.get(number);
            if owner.is_some_and(|subject| Some(subject.account_id) != account) {
                faults.push(fault(
                    format!("/rows/{i}/subject/icp_number"),
                    "duplicate",
                    "该主体备案号已属于其他账号",
                    "this number belongs to the subject of another account",
                ));
            }
            for (j, site) in row.websites.iter().enumerate() {
                let at = format!("/rows/{i}/websites/{j}");
                let filed = self.websites.get(&site.icp_number).map(|(filed, _)| filed.subject_id.0);
                if filed.is_some_and(|subject| owner.map(|owner| owner.id) != Some(subject)) {
                    faults.push(fault(
                        format!("{at}/icp_number"),
                        "duplicate",
                        "该网站备案号已属于其他主体",
                        "this number belongs to a website of another subject",
                    ));
                }
                for (k, domain) in site.content.domains.iter().enumerate() {
                    if self.domains.get(&domain.name).is_some_and(|other| *other != site.icp_number) {
                        faults.push(fault(
                            format!("{at}/content/domains/{k}/name"),
                            "duplicate",
                            "该域名已备案于其他网站",
                            "this domain is filed for another website",
                        ));
                    }
                }
            }
        }
    }

    fn check_account(&self, caller: &Caller, at: &str, row: &ImportRow, faults: &mut Vec<FieldError>) {
        if let Some(id) = row.account_id {
            let found = self.accounts.get(&id);
            // A partner's client sees the partner's accounts only; others do not exist for it.
            let is_visible =
                found.is_some_and(|(partner, _)| !caller.is_owner_side() || caller.owns(id, *partner));
            if !is_visible {
                faults.push(fault(
                    format!("{at}/account_id"),
                    "not_found",
                    "账号不存在",
                    "there is no such account",
                ));
            } else if found.is_some_and(|(_, disabled_at)| disabled_at.is_some()) {
                faults.push(fault(
                    format!("{at}/account_id"),
                    "account_disabled",
                    "账号已停用",
                    "the account is disabled",
                ));
            } else if self.subject_of_account.get(&id).is_some_and(|number| *number != row.subject.icp_number)
            {
                faults.push(fault(
                    format!("{at}/account_id"),
                    "account_has_other_subject",
                    "该账号已有其他主体，一个账号只能有一个主体",
                    "the account has another subject; an account has one",
                ));
            }
        }
        if let Some(account) = &row.account
            && account.external_reference.is_some()
            && caller.partner_id.is_none()
        {
            faults.push(fault(
                format!("{at}/account/external_reference"),
                "not_allowed",
                "仅合作伙伴的账号可以有 external_reference",
                "only a partner's account has an external_reference",
            ));
        }
    }

    /// A fault for each website whose subject has a live filing (or the subject itself, when it comes without websites).
    fn blocked(&self, conn: &mut PgConnection, request: &ImportRequest) -> QueryResult<Vec<FieldError>> {
        let ids: Vec<SubjectId> = self.subjects.values().map(|subject| SubjectId(subject.id)).collect();
        let live = filed::live_filings(conn, &ids)?;
        let mut faults = Vec::new();
        for (i, row) in request.rows.iter().enumerate() {
            let Some(subject) = self.subjects.get(&row.subject.icp_number) else { continue };
            if !live.contains_key(&SubjectId(subject.id)) {
                continue;
            }
            let mut pointers: Vec<String> =
                (0..row.websites.len()).map(|j| format!("/rows/{i}/websites/{j}/icp_number")).collect();
            if pointers.is_empty() {
                pointers.push(format!("/rows/{i}/subject/icp_number"));
            }
            faults.extend(pointers.into_iter().map(|pointer| {
                fault(
                    pointer,
                    "live_filing_blocks_import",
                    "该主体有正在办理的备案订单，办结后才能导入",
                    "the subject has a live filing; import when it has ended",
                )
            }));
        }
        Ok(faults)
    }
}

fn store_row(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    known: &Known,
    row: ImportRow,
    result: &mut ImportResult,
) -> ApiResult<ImportedRow> {
    let account_id = match (row.account_id, &row.account) {
        (Some(id), _) => id,
        (None, Some(account)) => {
            result.accounts_created += 1;
            let reference = account.external_reference.as_deref();
            crate::accounts::insert(conn, now, &account.name, caller.partner_id, reference)?.id
        }
        (None, None) => return Err(ApiError::internal("a row without an account passed the check")),
    };
    let existing = known.subjects.get(&row.subject.icp_number);
    let subject_id = existing.map_or_else(SubjectId::new, |subject| SubjectId(subject.id));
    let subject = check::subject(&row.subject, subject_id.0, account_id.0, now);
    match existing {
        None => {
            diesel::insert_into(subjects::table).values(&subject).execute(conn)?;
            result.subjects_created += 1;
        }
        Some(existing) if !is_same(existing, &subject) => {
            update_subject(conn, subject)?;
            result.subjects_updated += 1;
        }
        Some(_) => {}
    }
    let mut stored = Vec::with_capacity(row.websites.len());
    for site in row.websites {
        let existing = known.websites.get(&site.icp_number);
        let one = store_website(conn, now, (account_id, subject_id), site, existing)?;
        match one.outcome {
            ImportOutcome::Created => result.websites_created += 1,
            ImportOutcome::Updated => result.websites_updated += 1,
            ImportOutcome::Unchanged => result.websites_unchanged += 1,
        }
        stored.push(one);
    }
    let ids: Vec<WebsiteId> = stored.iter().map(|site| site.website_id).collect();
    let deed = Deed::new("filed_data.imported", "subject", subject_id.0)
        .account(account_id)
        .details(json!({ "website_ids": ids }));
    audit::record(conn, now, &Actor::from(caller), deed)?;
    Ok(ImportedRow { account_id, subject_id, websites: stored })
}

fn store_website(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    (account_id, subject_id): (AccountId, SubjectId),
    site: ImportWebsite,
    existing: Option<&(WebsiteRow, WebsiteContent)>,
) -> ApiResult<ImportedWebsite> {
    let access = JsonList(site.access);
    let imported = |website_id, filed_version, outcome| ImportedWebsite {
        icp_number: site.icp_number.clone(),
        website_id,
        filed_version,
        outcome,
    };
    let Some((row, filed)) = existing else {
        let content_id = ContentId::new();
        model::insert(conn, content_id.0, &site.content)?;
        let row = WebsiteRow {
            id: WebsiteId::new(),
            account_id,
            subject_id,
            icp_number: site.icp_number.clone(),
            service_kind: site.service_kind,
            access,
            filed_version: 1,
            content_id,
            created_at: now,
            updated_at: now,
        };
        diesel::insert_into(websites::table).values(&row).execute(conn)?;
        let version =
            VersionRow { website_id: row.id, version_no: 1, content_id, filing_id: None, effective_at: now };
        diesel::insert_into(website_versions::table).values(version).execute(conn)?;
        return Ok(imported(row.id, 1, ImportOutcome::Created));
    };
    let has_same_frame = row.service_kind == site.service_kind && row.access == access;
    if !has_same_frame {
        diesel::update(websites::table.find(row.id))
            .set((
                websites::service_kind.eq(&site.service_kind),
                websites::access.eq(&access),
                websites::updated_at.eq(now),
            ))
            .execute(conn)?;
    }
    if *filed == site.content {
        let outcome = if has_same_frame { ImportOutcome::Unchanged } else { ImportOutcome::Updated };
        return Ok(imported(row.id, row.filed_version, outcome));
    }
    let content_id = ContentId::new();
    model::insert(conn, content_id.0, &site.content)?;
    // The subject is locked and has no live filing, so nobody else can have moved the version.
    if !filed::add_version(conn, now, row.id, content_id, None, row.filed_version)? {
        return Err(ApiError::new(&codes::CONFLICT));
    }
    Ok(imported(row.id, row.filed_version + 1, ImportOutcome::Updated))
}

/// Whether an import would change nothing: times and version apart, everything is equal.
fn is_same(existing: &Subject, new: &Subject) -> bool {
    let aligned = Subject {
        version: existing.version,
        created_at: existing.created_at,
        updated_at: existing.updated_at,
        ..new.clone()
    };
    *existing == aligned
}

/// Overwrites everything but id, account, ICP number and the time of creation.
fn update_subject(conn: &mut PgConnection, subject: Subject) -> QueryResult<()> {
    // Taken apart without `..`, so that a new field asks here for its column.
    let Subject {
        id,
        account_id: _,
        icp_number: _,
        name,
        nature,
        certificate,
        investor,
        legal_representative,
        responsible_person: SubjectResponsiblePerson(person),
        province_code,
        city_code,
        district_code,
        correspondence_address,
        remark,
        version: _,
        created_at: _,
        updated_at,
    } = subject;
    let (Some(person_name), Some(person_type), Some(person_number)) =
        (person.name, person.certificate_type, person.certificate_number)
    else {
        return Err(diesel::result::Error::SerializationError("a subject's person without identity".into()));
    };
    let (Some(mobile), Some(emergency_phone), Some(email)) =
        (person.mobile, person.emergency_phone, person.email)
    else {
        return Err(diesel::result::Error::SerializationError("a subject's person without contacts".into()));
    };
    diesel::update(subjects::table.filter(subjects::id.eq(id)))
        .set((
            (
                subjects::name.eq(name),
                subjects::nature.eq(nature),
                subjects::certificate_type.eq(certificate.kind),
                subjects::certificate_number.eq(certificate.number),
                subjects::certificate_address.eq(certificate.address),
                subjects::certificate_valid_from.eq(certificate.valid_from),
                subjects::certificate_valid_to.eq(certificate.valid_to),
                subjects::certificate_long_term.eq(certificate.long_term),
                subjects::investor.eq(investor),
                subjects::legal_representative_name.eq(legal_representative.name),
                subjects::legal_representative_certificate_type.eq(legal_representative.certificate_type),
                subjects::legal_representative_certificate_number.eq(legal_representative.certificate_number),
            ),
            (
                subjects::person_name.eq(person_name),
                subjects::person_certificate_type.eq(person_type),
                subjects::person_certificate_number.eq(person_number),
                subjects::person_certificate_valid_from.eq(person.certificate_valid_from),
                subjects::person_certificate_valid_to.eq(person.certificate_valid_to),
                subjects::person_certificate_long_term.eq(person.certificate_long_term.unwrap_or(false)),
                subjects::person_mobile.eq(mobile),
                subjects::person_emergency_phone.eq(emergency_phone),
                subjects::person_office_phone.eq(person.office_phone),
                subjects::person_email.eq(email),
            ),
            (
                subjects::province_code.eq(province_code),
                subjects::city_code.eq(city_code),
                subjects::district_code.eq(district_code),
                subjects::correspondence_address.eq(correspondence_address),
                subjects::remark.eq(remark),
                subjects::version.eq(subjects::version + 1),
                subjects::updated_at.eq(updated_at),
            ),
        ))
        .execute(conn)
        .map(drop)
}
