//! Clear text of personal data, for those who need it and with a trace.

use actix_web::{post, web};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, Caller, Role, op};
use crate::catalogue::data;
use crate::error::{ApiError, ApiResult, FieldError, Place};
use crate::error_codes as codes;
use crate::filings::access;
use crate::filings::model::Filing;
use crate::kernel::i18n::Bilingual;
use crate::kernel::ids::FilingId;
use crate::kernel::json::{Json, Path};
use crate::kernel::pii::Clear;
use crate::kernel::reply::Reply;
use crate::schema::subjects;
use crate::websites::fields;
use crate::websites::subject::Subject;
use crate::{bureau_submissions, websites};

/// Which values, and what for.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "pointers": ["/website/responsible_person/mobile"], "purpose": "contact" }))]
pub struct RevealFiling {
    /// JSON pointers of masked values of the website or its subject.
    #[schema(min_items = 1, max_items = 20)]
    pointers: Vec<String>,
    /// Code of the dictionary `reveal_purpose`.
    #[schema(max_length = 50)]
    purpose: String,
}

/// Clear values.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevealedValues {
    /// In the order asked for.
    pub values: Vec<RevealedValue>,
}

/// One clear value.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevealedValue {
    /// JSON pointer into the filing.
    pub pointer: String,
    /// The clear text; null when unset.
    pub value: Option<String>,
}

/// Pointers of the subject that are masked in replies.
const SUBJECT_POINTERS: [&str; 8] = [
    "/subject/certificate/number",
    "/subject/certificate/address",
    "/subject/legal_representative/certificate_number",
    "/subject/responsible_person/certificate_number",
    "/subject/responsible_person/mobile",
    "/subject/responsible_person/emergency_phone",
    "/subject/responsible_person/email",
    "/subject/correspondence_address",
];

/// See personal data in clear
///
/// The owner; the reviewer who holds the task; the bureau operator of a live submission. Each reading is audited with its
/// purpose.
#[utoipa::path(operation_id = "revealFiling", tag = "filings",
    params(("id" = FilingId, Path, description = "The filing.", example = "0193a000-0000-7000-8000-000000015001")),
    responses(
        (status = 200, description = "The clear values.", body = RevealedValues),
        (status = 403, description = "`reveal_not_allowed`"),
    ))]
#[post("/v1/filings/{id}/reveal")]
pub async fn reveal_filing(
    app: web::Data<App>,
    caller: Allowed<op::RevealFiling>,
    id: Path<FilingId>,
    body: Json<RevealFiling>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let caller = caller.caller.clone();
    app.db
        .transaction(move |conn| {
            let filing = access::visible(conn, &caller, id.0)?;
            if !may_reveal(conn, &caller, &filing)? {
                return Err(ApiError::new(&codes::REVEAL_NOT_ALLOWED));
            }
            validate(&body.0)?;
            let shown = access::shown_revision(conn, &caller, &filing)?;
            let content_id = shown.map_or(filing.content_id, |revision| revision.content_id);
            let website =
                Clear::of(&websites::model::load(conn, content_id.0)?).map_err(ApiError::internal)?;
            let subject: Subject =
                subjects::table.find(filing.subject_id).select(Subject::as_select()).first(conn)?;
            let subject = Clear::of(&subject).map_err(ApiError::internal)?;
            let values = body
                .0
                .pointers
                .iter()
                .map(|pointer| {
                    let value = match (pointer.strip_prefix("/website"), pointer.strip_prefix("/subject")) {
                        (Some(rest), _) => website.expose().pointer(rest),
                        (_, Some(rest)) => subject.expose().pointer(rest),
                        _ => None,
                    };
                    let value = value.and_then(|value| value.as_str()).map(str::to_owned);
                    RevealedValue { pointer: pointer.clone(), value }
                })
                .collect();
            let deed = Deed::new("reveal", "filing", filing.id.0)
                .account(filing.account_id)
                .filing(filing.id)
                .details(serde_json::json!({ "pointers": body.0.pointers, "purpose": body.0.purpose }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            Reply::ok(&RevealedValues { values })
        })
        .await
}

fn may_reveal(conn: &mut PgConnection, caller: &Caller, filing: &Filing) -> QueryResult<bool> {
    if caller.is_owner_side() {
        return Ok(caller.owns(filing.account_id, filing.partner_id));
    }
    if caller.has(Role::Reviewer) && access::holds_task(conn, caller.user_id, filing.id)? {
        return Ok(true);
    }
    Ok(caller.has(Role::BureauOperator) && bureau_submissions::live_state(conn, filing.id)?.is_some())
}

fn validate(body: &RevealFiling) -> ApiResult<()> {
    let mut faults = Vec::new();
    for (index, pointer) in body.pointers.iter().enumerate() {
        let is_known = fields::by_pointer(pointer).is_some_and(|field| field.is_sensitive)
            || SUBJECT_POINTERS.contains(&pointer.as_str());
        if !is_known {
            faults.push(FieldError::new(
                Place::Pointer(format!("/pointers/{index}")),
                "not_in_list",
                Bilingual::new("不是可查看明文的字段", "is not a masked field"),
            ));
        }
    }
    if data::dictionaries().find("reveal_purpose", &body.purpose).is_none() {
        faults.push(FieldError::pointer("/purpose", "not_in_list"));
    }
    if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(faults)) }
}
