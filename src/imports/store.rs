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
/// 422 with every fault of every row, live filings among them.
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
    let known = Known::load(conn, caller, &request)?;
    known.check(caller, &request, &mut faults);
    faults.extend(known.blocked(conn, &request)?);
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
    /// Those that a row names, and those of the subjects that are here.
    accounts: HashMap<AccountId, (Option<PartnerId>, Option<DateTime<Utc>>)>,
    /// The partner's accounts by its own keys.
    by_reference: HashMap<String, AccountId>,
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
    fn load(conn: &mut PgConnection, caller: &Caller, request: &ImportRequest) -> QueryResult<Self> {
        let numbers: Vec<&str> = request.rows.iter().map(|row| row.subject.icp_number.as_str()).collect();
        let sites = || request.rows.iter().flat_map(|row| &row.websites);
        let site_numbers: Vec<&str> = sites().map(|site| site.icp_number.as_str()).collect();
        let names: Vec<&str> =
            sites().flat_map(|site| site.content.domains.iter()).map(|domain| domain.name.as_str()).collect();
        // Subjects are locked in one order, before anything that hangs on them, so that no filing can start meanwhile.
        let subjects: Vec<Subject> = subjects::table
            .filter(subjects::icp_number.eq_any(&numbers))
            .order_by(subjects::id)
            .select(Subject::as_select())
            .for_update()
            .load(conn)?;
        let by_reference = Self::own_accounts(conn, caller, request)?;
        let mut account_ids: Vec<AccountId> = request.rows.iter().filter_map(|row| row.account_id).collect();
        account_ids.extend(by_reference.values().copied());
        let owners = subjects.iter().map(|subject| AccountId(subject.account_id));
        let accounts = accounts::table
            .filter(accounts::id.eq_any(account_ids.iter().copied().chain(owners).collect::<Vec<_>>()))
            .select((accounts::id, (accounts::partner_id, accounts::disabled_at)))
            .load::<(AccountId, (Option<PartnerId>, Option<DateTime<Utc>>))>(conn)?;
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
            by_reference,
            subjects: subjects.into_iter().map(|subject| (subject.icp_number.clone(), subject)).collect(),
            subject_of_account: subject_of_account.into_iter().collect(),
            websites: websites.into_iter().map(|found| (found.0.icp_number.clone(), found)).collect(),
            domains: domains.into_iter().map(|found| (found.domain, found.icp_number)).collect(),
        })
    }

    /// The partner's accounts that rows name by the partner's own key.
    fn own_accounts(
        conn: &mut PgConnection,
        caller: &Caller,
        request: &ImportRequest,
    ) -> QueryResult<HashMap<String, AccountId>> {
        let keys: Vec<&str> = request
            .rows
            .iter()
            .filter_map(|row| row.account.as_ref()?.external_reference.as_deref())
            .collect();
        let (Some(partner), false) = (caller.partner_id, keys.is_empty()) else { return Ok(HashMap::new()) };
        let found: Vec<(Option<String>, AccountId)> = accounts::table
            .filter(accounts::partner_id.eq(partner))
            .filter(accounts::external_reference.eq_any(&keys))
            .select((accounts::external_reference, accounts::id))
            .load(conn)?;
        Ok(found.into_iter().filter_map(|(key, id)| Some((key?, id))).collect())
    }

    /// The account that a row means, and the member that names it; none when the row makes a new one.
    fn account_of(&self, row: &ImportRow) -> Option<(AccountId, &'static str)> {
        let by_key = || {
            let key = row.account.as_ref()?.external_reference.as_deref()?;
            self.by_reference.get(key).map(|id| (*id, "account/external_reference"))
        };
        row.account_id.map(|id| (id, "account_id")).or_else(by_key)
    }

    /// What tells the row's account from others in this request, also one that is still to be made; with the member.
    fn owner_of(&self, row: &ImportRow) -> Option<(String, &'static str)> {
        let new = || {
            let key = row.account.as_ref()?.external_reference.as_ref()?;
            Some((format!("new {key}"), "account/external_reference"))
        };
        self.account_of(row).map(|(id, member)| (id.to_string(), member)).or_else(new)
    }

    /// Whether the caller may know of the account: others than their own do not exist for a partner.
    fn is_visible(&self, caller: &Caller, id: AccountId) -> bool {
        self.accounts
            .get(&id)
            .is_some_and(|(partner, _)| !caller.is_owner_side() || caller.owns(id, *partner))
    }

    fn check(&self, caller: &Caller, request: &ImportRequest, faults: &mut Vec<FieldError>) {
        let mut named: HashMap<String, (usize, &str)> = HashMap::new();
        for (i, row) in request.rows.iter().enumerate() {
            let at = format!("/rows/{i}");
            self.check_account(caller, &at, row, faults);
            let number = &row.subject.icp_number;
            let account = self.account_of(row);
            if let Some((key, member)) = self.owner_of(row) {
                let (first, first_number) = *named.entry(key).or_insert((i, number));
                // The same number twice is a fault of its own, and so is a subject that the account had before.
                let is_known = account.is_some_and(|(id, _)| self.subject_of_account.contains_key(&id));
                if first_number != number && !is_known {
                    faults.push(fault(
                        format!("{at}/{member}"),
                        "account_has_other_subject",
                        format!(
                            "一个账号只能有一个主体，/rows/{first} 已为该账号导入 {first_number}；请为此主体另建账号"
                        ),
                        format!(
                            "an account has one subject, and /rows/{first} brings {first_number} for this one: \
                             make another account"
                        ),
                    ));
                }
            }
            let owner = self.subjects.get(number);
            if let Some(subject) = owner.filter(|owner| Some(owner.account_id) != account.map(|(id, _)| id.0))
            {
                faults.push(self.taken(
                    caller,
                    format!("{at}/subject/icp_number"),
                    AccountId(subject.account_id),
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

    /// The number is filed here for another account than the one that the row means.
    fn taken(&self, caller: &Caller, pointer: String, owner: AccountId) -> FieldError {
        if self.is_visible(caller, owner) {
            fault(
                pointer,
                "filed_for_account",
                format!("该主体已属于账号 {owner}；请以 account_id 或该账号的 external_reference 指明"),
                format!(
                    "this subject is here already, of the account {owner}: name that by account_id or by its \
                     external_reference"
                ),
            )
        } else {
            fault(
                pointer,
                "duplicate",
                "该主体备案号已属于其他账号",
                "this number belongs to the subject of another account",
            )
        }
    }

    fn check_account(&self, caller: &Caller, at: &str, row: &ImportRow, faults: &mut Vec<FieldError>) {
        if let Some((id, member)) = self.account_of(row) {
            let at = format!("{at}/{member}");
            if !self.is_visible(caller, id) {
                faults.push(fault(at, "not_found", "账号不存在", "there is no such account"));
            } else if self.accounts.get(&id).is_some_and(|(_, disabled_at)| disabled_at.is_some()) {
                faults.push(fault(at, "account_disabled", "账号已停用", "the account is disabled"));
            } else if let Some(other) =
                self.subject_of_account.get(&id).filter(|number| **number != row.subject.icp_number)
            {
                faults.push(fault(
                    at,
                    "account_has_other_subject",
                    format!("该账号已有主体 {other}；一个账号只能有一个主体，请为此主体另建账号"),
                    format!(
                        "the account has the subject {other}, and an account has one: make another account"
                    ),
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
    let account_id = match (known.account_of(&row), &row.account) {
        (Some((id, _)), _) => id,
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
        Some(_) => result.subjects_unchanged += 1,
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
