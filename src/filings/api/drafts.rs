//! Making, reading, editing and checking a filing.

use actix_web::{get, patch, post, web};
use chrono::{DateTime, Datelike, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::house;
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, Caller, op};
use crate::error::{ApiError, ApiResult, FieldError, Place, members, violated_constraint};
use crate::error_codes as codes;
use crate::filings::around::{self, Sheet};
use crate::filings::body::{self, FilingBody, House};
use crate::filings::check::Report;
use crate::filings::model::{self, Filing};
use crate::filings::rules::{Finding, Severity};
use crate::filings::workflow::{Action, Side, Status};
use crate::filings::{Ctx, access, act, check, events, kinds, submission};
use crate::kernel::clock::shanghai;
use crate::kernel::etag;
use crate::kernel::etag::IfMatch;
use crate::kernel::i18n::Locale;
use crate::kernel::idempotency::Idempotency;
use crate::kernel::ids::{AccountId, ContentId, FilingId, PartnerId, RejectionItemId, SubjectId, WebsiteId};
use crate::kernel::json::{Json, Path};
use crate::kernel::reply::Reply;
use crate::sandbox;
use crate::schema::{accounts, filings, rejection_items, subjects, websites as sites};
use crate::websites;
use crate::websites::patch::WebsiteContentPatch;

/// A filing to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014002" }))]
pub struct CreateFiling {
    /// Kind of filing; `website_change` is offered.
    #[schema(max_length = 50)]
    kind: String,
    /// The filed website to be changed.
    website_id: WebsiteId,
    /// Your own key; unique among the filings of your partner, or of the account when there is none.
    #[schema(min_length = 1, max_length = 100)]
    external_reference: Option<String>,
}

/// Changes of a draft: what is absent stays as it is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "website": { "name": "云上花店之家", "remark": "更名" } }))]
pub struct UpdateFiling {
    /// Merge patch (RFC 7396) of the content: recursive in the responsible person, lists replace whole.
    website: Option<WebsiteContentPatch>,
    /// Answers to items of the latest rejection.
    #[schema(max_items = 50)]
    rejection_replies: Option<Vec<RejectionReply>>,
    /// Your own key; null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    external_reference: Option<Option<String>>,
}

/// An answer to one item.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectionReply {
    /// The item.
    item_id: RejectionItemId,
    /// What you want to tell the reviewer.
    #[schema(min_length = 1, max_length = 500)]
    reply: String,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What stands between a draft and its submission.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckResult {
    /// True when submit would accept the content.
    pub can_submit: bool,
    /// Number of findings that stop a submission.
    pub error_count: usize,
    /// Number of findings that do not.
    pub warning_count: usize,
    /// Every finding, all at once.
    pub findings: Vec<FindingBody>,
}

/// A finding at its place.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingBody {
    /// JSON pointer into the filing; `/materials/{code}` for a material.
    #[schema(example = "/website/name")]
    pub pointer: String,
    /// Stable code; may grow.
    #[schema(example = "website_name_only_digits")]
    pub code: String,
    /// Errors stop a submission.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub suggestion: String,
    /// Where the rule comes from.
    pub source: String,
}

impl CheckResult {
    /// What a check of a filing found, in a language.
    pub fn of(report: &Report, filing: &Filing, locale: Locale) -> Self {
        let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        Self {
            can_submit: report.passes() && filing.status.is_editable(),
            error_count: errors,
            warning_count: report.findings.len() - errors,
            findings: report.findings.iter().map(|finding| FindingBody::of(finding, locale)).collect(),
        }
    }
}

impl FindingBody {
    fn of(finding: &Finding, locale: Locale) -> Self {
        Self {
            pointer: finding.pointer.clone(),
            code: finding.code.to_owned(),
            severity: finding.severity,
            message: finding.message.pick(locale).to_owned(),
            suggestion: finding.suggestion.pick(locale).to_owned(),
            source: locale.pick(finding.source.zh, finding.source.en).to_owned(),
        }
    }
}

/// The ETag of a filing. Steps that only this caller has (`update_email`) belong to their view: they leave the version alone,
/// so that a mail that bounces makes nobody's `If-Match` stale.
fn tag(caller: &Caller, body: &FilingBody) -> String {
    let own = body.next_actions.iter().filter(|action| action.operation_id == "updateMe");
    let view = own.fold(caller.view().to_owned(), |view, action| format!("{view}+{}", action.action));
    etag::etag(body.version, &view, caller.locale)
}

/// The reply that shows a filing, with its ETag.
pub(super) fn shown(
    conn: &mut PgConnection,
    caller: &Caller,
    id: FilingId,
    house: &House,
    now: DateTime<Utc>,
) -> ApiResult<Reply> {
    let sheet = around::read_sheet(conn, id, caller.user_id, now)?;
    reply(conn, caller, sheet, house)
}

fn reply(conn: &mut PgConnection, caller: &Caller, sheet: Sheet, house: &House) -> ApiResult<Reply> {
    let body = body::show(conn, caller, sheet, house)?;
    let tag = tag(caller, &body);
    Ok(Reply::ok(&body)?.etag(tag))
}

/// Start a change of a filed website
///
/// Makes a draft that begins as a copy of the filed data; the applicant then edits what is to change. A subject can have one
/// live filing.
/// Event: `filing.created`.
#[utoipa::path(operation_id = "createFiling", tag = "filings",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, description = "Repeat-safe key of your own.")),
    responses(
        (status = 201, description = "The draft.", body = FilingBody),
        (status = 404, description = "`not_found`"),
        (status = 409, description = "`live_filing_exists`, `duplicate`"),
    ))]
#[post("/v1/filings")]
pub async fn create_filing(
    app: web::Data<App>,
    caller: Allowed<op::CreateFiling>,
    idempotency: Idempotency,
    body: Json<CreateFiling>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let house = house(&app, &caller);
    let caller = caller.caller.clone();
    let key = caller.user_id.to_string();
    idempotency
        .run(&app.db, now, &key, |_| Ok(()), move |conn| create(conn, &caller, body.0, &house, now))
        .await
}

fn create(
    conn: &mut PgConnection,
    caller: &Caller,
    body: CreateFiling,
    house: &House,
    now: DateTime<Utc>,
) -> ApiResult<Reply> {
    let filing = start(conn, caller, body, now)?;
    let location = format!("/v1/filings/{}", filing.id);
    let sheet = around::read_sheet(conn, filing.id, caller.user_id, now)?;
    let body = body::show(conn, caller, sheet, house)?;
    let tag = tag(caller, &body);
    Ok(Reply::created(location, &body)?.etag(tag))
}

/// Makes the draft of a website change.
///
/// # Errors
/// 404 when the website is not the caller's, 409 when the subject has a live filing.
pub fn start_website_change(
    conn: &mut PgConnection,
    caller: &Caller,
    website_id: WebsiteId,
    now: DateTime<Utc>,
) -> ApiResult<Filing> {
    start(
        conn,
        caller,
        CreateFiling { kind: "website_change".to_owned(), website_id, external_reference: None },
        now,
    )
}

/// A filing to be made in one go.
pub struct NewFiling {
    /// Kind of filing.
    pub kind: String,
    /// The filed website to be changed.
    pub website_id: WebsiteId,
    /// The owner's own key.
    pub external_reference: Option<String>,
    /// Changes of the content.
    pub website: Option<WebsiteContentPatch>,
}

/// Makes a draft, edits it and checks it, as `createFiling`, `updateFiling` and `checkFiling` do one after the other.
///
/// # Errors
/// As those operations.
pub fn start_edited(
    conn: &mut PgConnection,
    caller: &Caller,
    new: NewFiling,
    now: DateTime<Utc>,
) -> ApiResult<(Filing, Report)> {
    let NewFiling { kind, website_id, external_reference, website } = new;
    let mut filing = start(conn, caller, CreateFiling { kind, website_id, external_reference }, now)?;
    if website.is_some() {
        let changes = UpdateFiling { website, rejection_replies: None, external_reference: None };
        filing = edit(conn, caller, filing, changes, now)?;
        let deed = Deed::new("edit", "filing", filing.id.0).account(filing.account_id).filing(filing.id);
        audit::record(conn, now, &Actor::from(caller), deed)?;
    }
    let report = check::run(conn, &filing, now)?;
    Ok((filing, report))
}

fn start(
    conn: &mut PgConnection,
    caller: &Caller,
    body: CreateFiling,
    now: DateTime<Utc>,
) -> ApiResult<Filing> {
    if kinds::find(&body.kind).is_none() {
        return Err(ApiError::invalid_field(
            "/kind",
            "not_in_list",
            "暂不支持该备案类型",
            "this kind is not offered",
        ));
    }
    let website = sites::table
        .inner_join(accounts::table)
        .inner_join(subjects::table)
        .filter(sites::id.eq(body.website_id))
        .select((sites::subject_id, sites::account_id, accounts::partner_id, subjects::province_code))
        .first::<(SubjectId, AccountId, Option<PartnerId>, String)>(conn)
        .optional()?;
    let not_theirs = || {
        ApiError::not_found().errors(vec![FieldError::new(
            Place::Pointer("/website_id".to_owned()),
            "not_found",
            crate::kernel::i18n::Bilingual::new(
                "该网站不存在，或不属于您",
                "there is no such website, or it is not yours",
            ),
        )])
    };
    let Some((subject_id, account_id, partner_id, province_code)) = website else { return Err(not_theirs()) };
    if !caller.owns(account_id, partner_id) {
        return Err(not_theirs());
    }
    // Imports and other filings of the subject wait here, so that the copy is of one moment.
    subjects::table.find(subject_id).select(subjects::id).for_no_key_update().first::<uuid::Uuid>(conn)?;
    let (base_version, base_content): (i32, ContentId) = websites::filed_content_id(conn, body.website_id)?;
    let content = websites::model::load(conn, base_content.0)?;
    let content_id = ContentId::new();
    websites::model::insert(conn, content_id.0, &content)?;
    let (name, domains) = submission::copies(&content);
    let number: i64 =
        diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>("nextval('filing_order_no_seq')"))
            .get_result(conn)?;
    let filing = diesel::insert_into(filings::table)
        .values((
            filings::id.eq(FilingId::new()),
            filings::order_no.eq(format!("BA-{}-{number:06}", now.with_timezone(&shanghai()).year())),
            filings::account_id.eq(account_id),
            filings::partner_id.eq(partner_id),
            filings::external_reference.eq(&body.external_reference),
            filings::subject_id.eq(subject_id),
            filings::website_id.eq(body.website_id),
            filings::kind.eq(body.kind),
            filings::status.eq(Status::Draft),
            filings::status_changed_at.eq(now),
            filings::province_code.eq(province_code),
            filings::base_version.eq(base_version),
            filings::base_content_id.eq(base_content),
            filings::content_id.eq(content_id),
            filings::website_name.eq(name),
            filings::domain_names.eq(domains),
            filings::step_expires_at.eq(now + act::step_lifetime()),
            filings::created_by.eq(caller.user_id),
            filings::created_at.eq(now),
            filings::updated_at.eq(now),
        ))
        // What exists can be named then: a violation would end the transaction.
        .on_conflict_do_nothing()
        .returning(Filing::as_returning())
        .get_result::<Filing>(conn)
        .optional()?;
    let Some(filing) = filing else {
        return Err(exists_already(
            conn,
            caller,
            (subject_id, account_id, partner_id),
            body.external_reference,
        )?);
    };
    model::add_participant(conn, filing.id, caller.user_id)?;
    let actor = Actor::from(caller);
    events::record(conn, now, &actor, &filing, "filing.created", serde_json::json!({}))?;
    let deed = Deed::new("create", "filing", filing.id.0).account(filing.account_id).filing(filing.id);
    audit::record(conn, now, &actor, deed)?;
    Ok(filing)
}

/// Why a filing could not be made, with the id of the one that exists.
fn exists_already(
    conn: &mut PgConnection,
    caller: &Caller,
    (subject, account, partner): (SubjectId, AccountId, Option<PartnerId>),
    reference: Option<String>,
) -> QueryResult<ApiError> {
    if let Some(live) = around::live_filing_of(conn, subject)? {
        let refusal = ApiError::new(&codes::LIVE_FILING_EXISTS);
        let of: (AccountId, Option<PartnerId>) =
            filings::table.find(live).select((filings::account_id, filings::partner_id)).first(conn)?;
        // It may be one that another partner began before the account changed hands.
        let is_theirs = caller.owns(of.0, of.1);
        return Ok(if is_theirs { refusal.with(&members::EXISTING_ID, live) } else { refusal });
    }
    let mut same = filings::table
        .filter(filings::external_reference.eq(reference))
        .select((filings::id, filings::account_id))
        .into_boxed();
    same = match partner {
        Some(partner) => same.filter(filings::partner_id.eq(partner)),
        None => same.filter(filings::partner_id.is_null()).filter(filings::account_id.eq(account)),
    };
    let same: Option<(FilingId, AccountId)> = same.first(conn).optional()?;
    Ok(match same {
        // The key may be that of another customer of the partner.
        Some((id, owner)) if caller.owns(owner, partner) => reference_taken().with(&members::EXISTING_ID, id),
        Some(_) => reference_taken(),
        None => ApiError::internal("a filing could not be made although nothing stands in its way"),
    })
}

fn reference_taken() -> ApiError {
    ApiError::taken("/external_reference", "该编号已用于其他订单", "this key is used by another filing")
}

fn name_taken(error: diesel::result::Error) -> ApiError {
    match violated_constraint(&error) {
        Some("filings_partner_reference_key" | "filings_account_reference_key") => reference_taken(),
        _ => error.into(),
    }
}

/// Read a filing
///
/// Everything that a page of the flow shows: prompt, next actions, deadlines, content, rejection, photo, backdrop, bureau.
/// Owners see their own; reviewers every submitted one; bureau operators those handed over; support and admin all, masked.
#[utoipa::path(operation_id = "getFiling", tag = "filings",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001")),
    responses((status = 200, description = "The filing.", body = FilingBody), (status = 304, description = "Not modified.")))]
#[get("/v1/filings/{id}")]
pub async fn get_filing(
    app: web::Data<App>,
    caller: Allowed<op::GetFiling>,
    id: Path<FilingId>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let house = house(&app, &caller);
    let caller = caller.caller.clone();
    app.db
        .run(move |conn| {
            let sheet = around::read_sheet(conn, id.0, caller.user_id, now)?;
            access::ensure_visible(conn, &caller, &sheet.filing)?;
            reply(conn, &caller, sheet, &house)
        })
        .await
}

/// Edit a draft
///
/// The owner, in `draft`, `initial_rejected`, `bureau_rejected` and `sms_failed`. Merge patch of the content, answers to a
/// rejection's items, your own key. A value may be incomplete or wrong in a draft: check tells. Personal data is sent in
/// clear; a mask that comes back is refused. Needs `If-Match`. In embedded mode words in the remark steer a sandbox, such as
/// `sim:review` (approved without people) or `sim:bureau-reject:1041`.
#[utoipa::path(operation_id = "updateFiling", tag = "filings",
    params(
        ("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001"),
        ("If-Match" = String, Header, description = "The ETag that you saw; mandatory."),
    ),
    responses(
        (status = 200, description = "The edited filing.", body = FilingBody),
        (status = 409, description = "`invalid_transition`, `duplicate`"),
    ))]
#[patch("/v1/filings/{id}")]
pub async fn update_filing(
    app: web::Data<App>,
    caller: Allowed<op::UpdateFiling>,
    id: Path<FilingId>,
    if_match: IfMatch,
    body: Json<UpdateFiling>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let house = house(&app, &caller);
    let caller = caller.caller.clone();
    app.db
        .transaction(move |conn| {
            access::owned(conn, &caller, id.0)?;
            let expected = if_match.required()?;
            let filing = act::lock(conn, id.0)?;
            etag::ensure_version(expected, filing.version)?;
            let ctx = Ctx::new(now, Actor::from(&caller), Side::Owner);
            act::ensure_allowed(conn, &ctx, &filing, Action::Edit)?;
            let filing = edit(conn, &caller, filing, body.0, now)?;
            let deed = Deed::new("edit", "filing", filing.id.0).account(filing.account_id).filing(filing.id);
            audit::record(conn, now, &ctx.actor, deed)?;
            shown(conn, &caller, filing.id, &house, now)
        })
        .await
}

fn edit(
    conn: &mut PgConnection,
    caller: &Caller,
    filing: Filing,
    body: UpdateFiling,
    now: DateTime<Utc>,
) -> ApiResult<Filing> {
    model::add_participant(conn, filing.id, caller.user_id)?;
    if let Some(replies) = &body.rejection_replies {
        answer(conn, &filing, replies, now)?;
    }
    let mut content_id = filing.content_id;
    let mut conflicts = filing.conflicts.clone();
    let mut copies = None;
    if let Some(patch) = &body.website {
        let before = websites::model::load(conn, filing.content_id.0)?;
        let after = before.apply(patch).map_err(|faults| {
            ApiError::invalid(
                faults
                    .into_iter()
                    .map(|fault| {
                        FieldError::new(
                            Place::Pointer(format!("/website{}", fault.pointer)),
                            fault.code,
                            fault.detail,
                        )
                    })
                    .collect(),
            )
        })?;
        if after != before {
            content_id = submission::editable_content(conn, &filing)?;
            websites::model::replace(conn, content_id.0, &after)?;
            copies = Some(submission::copies(&after));
        }
        // Whoever edits a field has seen it.
        if let Some(list) = conflicts.as_array_mut() {
            let touched: Vec<String> = patch.0.keys().map(|key| format!("/website/{key}")).collect();
            list.retain(|pointer| {
                !pointer.as_str().is_some_and(|pointer| touched.iter().any(|t| t == pointer))
            });
        }
    }
    let (name, domains) = match copies {
        Some((name, domains)) => (Some(name), Some(domains)),
        None => (None, None),
    };
    diesel::update(filings::table.find(filing.id).filter(filings::version.eq(filing.version)))
        .set((
            filings::content_id.eq(content_id),
            filings::conflicts.eq(conflicts),
            name.map(|name| filings::website_name.eq(name)),
            domains.map(|domains| filings::domain_names.eq(domains)),
            body.external_reference.map(|reference| filings::external_reference.eq(reference)),
            filings::version.eq(filing.version + 1),
            filings::updated_at.eq(now),
        ))
        .returning(Filing::as_returning())
        .get_result(conn)
        .map_err(name_taken)
}

fn answer(
    conn: &mut PgConnection,
    filing: &Filing,
    replies: &[RejectionReply],
    now: DateTime<Utc>,
) -> ApiResult<()> {
    let open = check::open_rejection(conn, filing)?;
    let mut faults = Vec::new();
    for (index, reply) in replies.iter().enumerate() {
        if !open.iter().any(|item| item.id == reply.item_id) {
            faults.push(FieldError::new(
                Place::Pointer(format!("/rejection_replies/{index}/item_id")),
                "not_found",
                crate::kernel::i18n::Bilingual::new(
                    "最近一次驳回中没有该项",
                    "the latest rejection has no such item",
                ),
            ));
            continue;
        }
        diesel::update(rejection_items::table.find(reply.item_id))
            .set((
                rejection_items::applicant_reply.eq(reply.reply.trim()),
                rejection_items::replied_at.eq(now),
            ))
            .execute(conn)?;
    }
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(faults)) }
}

/// Check a draft, all problems at once
///
/// A dry run of submit that changes nothing: every rule, every missing material, every unanswered item of a rejection. In
/// embedded mode it also warns of words in the remark that look like words of the sandbox and are none (`sandbox_word_unknown`).
#[utoipa::path(operation_id = "checkFiling", tag = "filings",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001")),
    responses((status = 200, description = "What was found.", body = CheckResult)))]
#[post("/v1/filings/{id}/check")]
pub async fn check_filing(
    app: web::Data<App>,
    caller: Allowed<op::CheckFiling>,
    id: Path<FilingId>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let is_sandbox = sandbox::is_on(&app);
    let caller = caller.caller.clone();
    app.db
        .run(move |conn| {
            let filing = access::owned(conn, &caller, id.0)?;
            let mut report = check::run(conn, &filing, now)?;
            if is_sandbox {
                report.findings.extend(sandbox::findings(report.remark.as_deref()));
            }
            Reply::ok(&CheckResult::of(&report, &filing, caller.locale))
        })
        .await
}
