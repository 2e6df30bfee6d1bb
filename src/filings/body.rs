//! The filing as replies show it: computed for the caller, personal data masked.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::access;
use super::around::Sheet;
use super::diff::changed_fields;
use super::kinds;
use super::model::{self, Filing, Listed};
use super::next_actions::{Situation, View, next_actions};
use super::prompts::{self, Prompt, Standing};
use super::rejections::{self, Rejection, RejectionItem, RejectionSource, TargetKind};
use super::workflow::Status;
use crate::auth::{Caller, Role};
use crate::backdrop_shipments::ShipmentBody;
use crate::bureau_submissions::BureauBody;
use crate::catalogue::data;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{AccountId, EventId, FilingId, RejectionId, RejectionItemId, SubjectId, WebsiteId};
use crate::kernel::working_days::Calendar;
use crate::photo_verifications::PhotoVerificationBody;
use crate::schema::{filing_events, review_tasks};
use crate::users::undeliverable;
use crate::websites::content::WebsiteContent;
use crate::websites::next_action::NextAction;
use crate::{backdrop_shipments, bureau_submissions, photo_verifications, reviews, websites};

/// What a reply needs to know of the house that gives it.
#[derive(Clone, Debug)]
pub struct House {
    /// Its name in the caller's language, for prompts.
    pub name: String,
    /// Hand-overs to the bureau go by themselves.
    pub is_automatic: bool,
}

/// A filing (备案订单).
#[derive(Debug, Serialize, ToSchema)]
pub struct FilingBody {
    /// Id.
    pub id: FilingId,
    /// 备案订单号.
    #[schema(example = "BA-2026-000123")]
    pub order_no: String,
    /// The partner's or applicant's own key.
    pub external_reference: Option<String>,
    /// Whose it is.
    pub account_id: AccountId,
    /// The subject.
    pub subject_id: SubjectId,
    /// The website to be changed.
    pub website_id: WebsiteId,
    /// Kind; may grow.
    #[schema(example = "website_change")]
    pub kind: String,
    /// Label of the kind.
    pub kind_label: String,
    /// Where it stands.
    pub status: Status,
    /// Label of the status.
    #[schema(example = "草稿")]
    pub status_label: String,
    /// Since when it stands there.
    pub status_changed_at: DateTime<Utc>,
    /// What to tell the person who looks at it.
    pub prompt: Prompt,
    /// What the caller can do next.
    pub next_actions: Vec<NextAction>,
    /// When the other side must have acted; null when nobody has a deadline.
    pub due_at: Option<DateTime<Utc>>,
    /// The due time lies beyond the loaded working-day calendar and may move.
    pub due_is_provisional: bool,
    /// When the applicant's step expires.
    pub step_expires_at: Option<DateTime<Utc>>,
    /// How often it was submitted.
    pub revision_no: i32,
    /// Rises with every change; the first part of the ETag.
    pub version: i32,
    /// Filed version that the draft was copied from.
    pub base_version: i32,
    /// The content: for the owner as edited, for staff as last submitted. Personal data masked.
    pub website: WebsiteContent,
    /// JSON pointers of the fields that may be changed now. A rejection's item may point at a group of them, such as `/website` or
    /// `/website/responsible_person`: then any field of the group answers it.
    #[schema(example = json!(["/website/name"]))]
    pub editable_fields: Vec<String>,
    /// The latest rejection, as long as nothing was submitted since.
    pub rejection: Option<RejectionBody>,
    /// The latest attempt at the photo.
    pub current_photo_verification: Option<PhotoVerificationBody>,
    /// The latest backdrop.
    pub current_shipment: Option<ShipmentBody>,
    /// The hand-over to the bureau.
    pub bureau: Option<BureauBody>,
    /// What was accepted at the last submission.
    pub accepted_terms: Option<AcceptedTerms>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last submitted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When anything last changed.
    pub updated_at: DateTime<Utc>,
}

/// Why a filing came back.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectionBody {
    /// Id.
    pub id: RejectionId,
    /// From 1, over all sources.
    pub round: i32,
    /// Who refused.
    pub source: RejectionSource,
    /// Closing words.
    pub note: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// What is wrong, item by item.
    pub items: Vec<RejectionItemBody>,
}

/// One reason, on one field, material or the photo.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectionItemBody {
    /// Id; replies name it.
    pub id: RejectionItemId,
    /// What it points at.
    pub target_kind: TargetKind,
    /// JSON pointer into the filing, for fields.
    #[schema(example = "/website/name")]
    pub pointer: Option<String>,
    /// Code of the material, for materials.
    pub material_code: Option<String>,
    /// Label of the field, material or photo.
    pub label: String,
    /// Code of the reason; may grow.
    #[schema(example = "SITE_NAME_INVALID")]
    pub code: String,
    /// Title of the reason.
    pub title: String,
    /// What is wrong here.
    pub reason: String,
    /// What to do.
    pub suggestion: Option<String>,
    /// A page with an example.
    pub example_url: Option<String>,
    /// The same reason on the same target as in the round before.
    pub is_repeated: bool,
    /// The applicant's answer.
    pub applicant_reply: Option<String>,
}

/// What was accepted at a submission.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedTerms {
    /// Version of the service terms.
    pub terms_version: String,
    /// Version of the consent to process personal information.
    pub personal_information_consent_version: String,
    /// Who accepted, when a partner's client submitted.
    pub accepted_by_name: Option<String>,
    /// When.
    pub accepted_at: DateTime<Utc>,
}

/// A filing in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilingSummary {
    /// Id.
    pub id: FilingId,
    /// 备案订单号.
    #[schema(example = "BA-2026-000123")]
    pub order_no: String,
    /// The partner's or applicant's own key.
    pub external_reference: Option<String>,
    /// Whose it is.
    pub account_id: AccountId,
    /// The website.
    pub website_id: WebsiteId,
    /// Kind; may grow.
    pub kind: String,
    /// Where it stands.
    pub status: Status,
    /// Label of the status.
    pub status_label: String,
    /// Name of the website as edited.
    pub website_name: Option<String>,
    /// When the other side must have acted.
    pub due_at: Option<DateTime<Utc>>,
    /// The due time has passed.
    pub overdue: bool,
    /// Working days that are left until the due time, today not counted: 0 on the last day and after it. Null without a due
    /// time.
    pub working_days_left: Option<u32>,
    /// Rises with every change.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When anything last changed.
    pub updated_at: DateTime<Utc>,
}

impl FilingSummary {
    /// The row in a language at a time.
    pub fn of(filing: Listed, locale: Locale, now: DateTime<Utc>, calendar: &Calendar) -> Self {
        Self {
            working_days_left: filing.due_at.map(|due| calendar.working_days_left(now, due).count),
            status_label: data::status_label("filing", filing.status.as_str(), locale.as_str()).to_owned(),
            overdue: filing.due_at.is_some_and(|due| due < now),
            id: filing.id,
            order_no: filing.order_no,
            external_reference: filing.external_reference,
            account_id: filing.account_id,
            website_id: filing.website_id,
            kind: filing.kind,
            status: filing.status,
            website_name: filing.website_name,
            due_at: filing.due_at,
            version: filing.version,
            created_at: filing.created_at,
            updated_at: filing.updated_at,
        }
    }
}

/// An event of the timeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilingEvent {
    /// Id; repeats carry the same.
    pub id: EventId,
    /// The filing.
    pub filing_id: FilingId,
    /// The account that owns it.
    pub account_id: AccountId,
    /// 备案订单号.
    pub order_no: String,
    /// The partner's own key of the filing.
    pub external_reference: Option<String>,
    /// Type; may grow.
    #[schema(example = "filing.submitted")]
    pub r#type: String,
    /// Label of the type.
    pub label: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Role of who did it; never a name.
    #[schema(example = "applicant")]
    pub actor_role: String,
    /// Status after the event.
    pub status: Status,
    /// Version of the filing after the event.
    pub version: i32,
    /// Ids and codes that say more. Which ones stands with each type, in `webhooks` of this document; may grow.
    #[schema(value_type = Object, additional_properties)]
    pub data: Value,
}

/// A rejection in a language.
pub fn rejection_body(rejection: Rejection, items: Vec<RejectionItem>, locale: Locale) -> RejectionBody {
    let items = items
        .into_iter()
        .map(|item| {
            let reason = data::rejection_reason(&item.code);
            let label = match (&item.pointer, &item.material_code) {
                (Some(pointer), _) => websites::fields::label(pointer)
                    .map_or_else(|| pointer.clone(), |(zh, en)| locale.pick(zh, en).to_owned()),
                (_, Some(code)) => data::label("material", code, locale.as_str()).to_owned(),
                _ => locale.pick("核验照片", "Verification photo").to_owned(),
            };
            RejectionItemBody {
                id: item.id,
                target_kind: item.target_kind,
                pointer: item.pointer,
                material_code: item.material_code,
                label,
                title: reason
                    .map_or_else(|| item.code.clone(), |reason| reason.title.get(locale.as_str()).to_owned()),
                suggestion: item
                    .suggestion
                    .or_else(|| reason.map(|reason| reason.suggestion.get(locale.as_str()).to_owned())),
                example_url: reason.and_then(|reason| reason.example_url.clone()),
                code: item.code,
                reason: item.reason,
                is_repeated: item.is_repeated,
                applicant_reply: item.applicant_reply,
            }
        })
        .collect();
    RejectionBody {
        id: rejection.id,
        round: rejection.round,
        source: rejection.source,
        note: rejection.note,
        created_at: rejection.created_at,
        items,
    }
}

/// The filing as this caller sees it.
///
/// # Errors
/// When the database fails.
pub fn show(
    conn: &mut PgConnection,
    caller: &Caller,
    sheet: Sheet,
    house: &House,
) -> QueryResult<FilingBody> {
    let locale = caller.locale;
    let Sheet { filing, around, last, content, viewer_is_unreachable } = sheet;
    let is_owner = caller.owns(filing.account_id, filing.partner_id);
    let facts = &around.facts;
    let website = match &last {
        // What the owner is writing since is nobody else's business.
        Some((last, ..)) if !is_owner && last.content_id != filing.content_id => {
            websites::model::load(conn, last.content_id.0)?
        }
        _ => content,
    };
    let has_changes = is_owner && filing.status.is_editable() && {
        let base = websites::model::load(conn, filing.base_content_id.0)?;
        !changed_fields(&base, &website).is_empty()
    };
    let latest = if around.has_rejection { rejections::latest(conn, filing.id)? } else { None };
    let rejection = match (&last, latest) {
        (Some((last, ..)), Some((rejection, items))) if rejection.revision_id == last.id => {
            Some(rejection_body(rejection, items, locale))
        }
        _ => None,
    };
    let may_see_photo = is_owner || caller.has(Role::Reviewer);
    let photo = match may_see_photo && around.has_photo {
        true => photo_verifications::current(conn, filing.id, locale)?,
        false => None,
    };
    // Logistics have resources of their own; other staff need no address, masked or not.
    let shipment = match is_owner && around.has_shipment {
        true => backdrop_shipments::current(conn, filing.id, locale)?,
        false => None,
    };
    let bureau = match around.has_submission {
        true => bureau_submissions::current(conn, filing.id, locale)?,
        false => None,
    };
    let mut situation = situation(conn, caller, &filing, has_changes, &photo, &shipment)?;
    situation.hand_over_is_automatic = house.is_automatic;
    let view = view(conn, caller, &filing)?;
    let audience = if is_owner { "applicant" } else { "staff" };
    let standing = Standing {
        photo: photo.as_ref().map(|photo| (photo.state, photo.checked_at)),
        shipment: shipment.as_ref().map(|shipment| shipment.state),
        bureau_is_paused: bureau.as_ref().is_some_and(|bureau| bureau.is_paused),
        is_sent_again: bureau.as_ref().is_some_and(|bureau| bureau.is_again),
        sms: bureau.as_ref().map(BureauBody::sms_situation),
        is_reopened: filing.status == Status::Draft && prompts::is_reopened(conn, &filing)?,
    };
    let prompt = standing.prompt(&filing, audience, &house.name, locale);
    let accepted_terms = last.map(accepted_terms);
    let editable_fields = match kinds::find(&filing.kind) {
        Some(kind) if is_owner && filing.status.is_editable() => {
            kind.editable_fields().into_iter().map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    let mut next_actions = next_actions(filing.id, filing.status, view, facts, &situation, locale);
    if is_owner && viewer_is_unreachable && filing.status.is_live() {
        // News of the filing do not reach the caller: a step of theirs, not of the filing.
        let lost = undeliverable::channels_of(conn, &[caller.user_id])?;
        next_actions.extend(lost.into_iter().map(|(_, channel)| NextAction {
            is_primary: false,
            ..undeliverable::next_action(locale, channel)
        }));
    }
    Ok(FilingBody {
        next_actions,
        kind_label: data::label("filing_kind", &filing.kind, locale.as_str()).to_owned(),
        status_label: data::status_label("filing", filing.status.as_str(), locale.as_str()).to_owned(),
        prompt,
        website: websites::shown_content(caller, website),
        editable_fields,
        rejection,
        current_photo_verification: photo,
        current_shipment: shipment,
        bureau,
        accepted_terms,
        id: filing.id,
        order_no: filing.order_no,
        external_reference: filing.external_reference,
        account_id: filing.account_id,
        subject_id: filing.subject_id,
        website_id: filing.website_id,
        kind: filing.kind,
        status: filing.status,
        status_changed_at: filing.status_changed_at,
        due_at: filing.due_at,
        due_is_provisional: filing.due_is_provisional,
        step_expires_at: filing.step_expires_at,
        revision_no: filing.revision_no,
        version: filing.version,
        base_version: filing.base_version,
        created_at: filing.created_at,
        submitted_at: filing.submitted_at,
        updated_at: filing.updated_at,
    })
}

fn view(conn: &mut PgConnection, caller: &Caller, filing: &Filing) -> QueryResult<View> {
    Ok(if caller.owns(filing.account_id, filing.partner_id) {
        View::Owner
    } else if caller.has(Role::Reviewer) {
        View::Reviewer { is_holder: access::holds_task(conn, caller.user_id, filing.id)? }
    } else if caller.has(Role::BureauOperator) {
        View::Operator
    } else {
        View::Reader
    })
}

fn situation(
    conn: &mut PgConnection,
    caller: &Caller,
    filing: &Filing,
    has_changes: bool,
    photo: &Option<PhotoVerificationBody>,
    shipment: &Option<ShipmentBody>,
) -> QueryResult<Situation> {
    let open_task = if caller.has(Role::Reviewer) {
        review_tasks::table
            .filter(review_tasks::filing_id.eq(filing.id))
            .filter(review_tasks::state.eq_any([reviews::ReviewState::Open, reviews::ReviewState::Claimed]))
            .select((review_tasks::id, review_tasks::claimed_by.is_not_null()))
            .first(conn)
            .optional()?
    } else {
        None
    };
    let submission =
        if caller.has(Role::BureauOperator) { bureau_submissions::live(conn, filing.id)? } else { None };
    Ok(Situation {
        has_changes,
        photo_to_submit: photo
            .as_ref()
            .filter(|photo| photo.state == photo_verifications::PhotoState::AwaitingUpload)
            .map(|photo| photo.id),
        shipment_requested: shipment
            .as_ref()
            .filter(|shipment| shipment.state == backdrop_shipments::ShipmentState::Requested)
            .map(|shipment| shipment.id),
        open_task,
        submission,
        hand_over_is_automatic: false,
    })
}

/// What a revision's submission accepted.
pub fn accepted_terms((revision, terms, consent): model::AcceptedRevision) -> AcceptedTerms {
    AcceptedTerms {
        terms_version: terms.unwrap_or_default(),
        personal_information_consent_version: consent.unwrap_or_default(),
        accepted_by_name: revision.accepted_by_name,
        accepted_at: revision.submitted_at,
    }
}

/// A row of the timeline.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = filing_events)]
pub struct EventRow {
    /// Id.
    pub id: EventId,
    /// The filing.
    pub filing_id: FilingId,
    /// Its account.
    pub account_id: AccountId,
    /// Type.
    pub type_: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Role of who did it.
    pub actor_role: String,
    /// Status after it.
    pub status: Status,
    /// Version after it.
    pub filing_version: i32,
    /// Ids and codes.
    pub data: Value,
}

impl EventRow {
    /// The row in a language, with two things of its filing.
    pub fn body(self, order_no: &str, external_reference: Option<String>, locale: Locale) -> FilingEvent {
        FilingEvent {
            label: data::event_type(&self.type_)
                .map_or_else(|| self.type_.clone(), |known| known.label.get(locale.as_str()).to_owned()),
            id: self.id,
            filing_id: self.filing_id,
            account_id: self.account_id,
            order_no: order_no.to_owned(),
            external_reference,
            r#type: self.type_,
            at: self.at,
            actor_role: self.actor_role,
            status: self.status,
            version: self.filing_version,
            data: self.data,
        }
    }
}
