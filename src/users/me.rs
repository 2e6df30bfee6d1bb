//! The caller's own data.

use actix_web::{get, patch, web};
use chrono::{DateTime, Utc};
use diesel::{PgConnection, QueryResult};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::contacts::{self, ContactChannel, NewContact, checked_email, checked_mobile};
use super::model::{self, Changes, UserRow};
use super::undeliverable::{self, UndeliverableContact};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{Allowed, Caller, Role, op};
use crate::error::{ApiError, ApiResult, FieldError};
use crate::error_codes as codes;
use crate::kernel::etag::{IfMatch, ensure_version, etag};
use crate::kernel::i18n::Locale;
use crate::kernel::ids::{AccountId, PartnerId, UserId};
use crate::kernel::json::Json;
use crate::kernel::pii::{Email, Phone, Sensitive};
use crate::kernel::reply::Reply;
use crate::websites::next_action::NextAction;

/// The caller. Contacts are masked.
#[derive(Serialize, ToSchema)]
pub struct Me {
    id: UserId,
    /// Name to log in with.
    #[schema(example = "demo-applicant")]
    login: String,
    display_name: String,
    /// `applicant` for users of an account, `partner` for a partner's client, else the staff roles.
    roles: Vec<Role>,
    /// The account, for applicants.
    account_id: Option<AccountId>,
    /// The partner, for a partner's client.
    partner_id: Option<PartnerId>,
    /// What the token may be used for; null: everything that the roles open.
    scopes: Option<Vec<String>>,
    /// Language of messages.
    locale: Locale,
    /// Masked.
    #[schema(value_type = Option<String>, example = "z***@example.com")]
    email: Option<Sensitive<Email>>,
    /// When the e-mail address was confirmed; null when it is not.
    email_verified_at: Option<DateTime<Utc>>,
    /// Masked.
    #[schema(value_type = Option<String>, example = "138****8000")]
    mobile: Option<Sensitive<Phone>>,
    /// When the mobile was confirmed; null when it is not.
    mobile_verified_at: Option<DateTime<Utc>>,
    /// New contacts whose code has not come back yet.
    pending_contacts: Vec<PendingContact>,
    /// Contacts that messages cannot reach. Give the same or another one and confirm its code.
    undeliverable_contacts: Vec<UndeliverableContact>,
    /// What the caller should do about their contacts: `update_email`, `update_mobile`. Empty when there is nothing.
    next_actions: Vec<NextAction>,
    version: i32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A new contact that waits for its code.
#[derive(Serialize, ToSchema)]
pub struct PendingContact {
    pub(super) channel: ContactChannel,
    /// Masked.
    #[schema(example = "139****9000")]
    pub(super) contact: String,
    /// The code is good until then.
    pub(super) expires_at: DateTime<Utc>,
}

/// What the caller changes on themselves. Absent members stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "display_name": "张三", "locale": "zh-CN" }))]
pub struct MePatch {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, pattern = r"\S", nullable = false)]
    display_name: Option<String>,
    /// Language of messages.
    #[serde(default)]
    #[schema(nullable = false)]
    locale: Option<Locale>,
    /// A new address; it counts when its code came back.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 254, pattern = r"^[^@\s]+@[^@\s]+$", nullable = false)]
    email: Option<Sensitive<Email>>,
    /// A new mainland mobile of 11 digits; it counts when its code came back.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^1[3-9][0-9*]{9}$", nullable = false)]
    mobile: Option<Sensitive<Phone>>,
}

/// What is shown beside the caller's own row.
pub struct Beside {
    pending_contacts: Vec<PendingContact>,
    undeliverable_contacts: Vec<UndeliverableContact>,
}

impl Beside {
    /// Reads it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn of(conn: &mut PgConnection, row: &UserRow) -> QueryResult<Self> {
        Ok(Self {
            pending_contacts: contacts::pending(conn, row.id)?,
            undeliverable_contacts: undeliverable::of_user(conn, row)?,
        })
    }
}

/// The caller as they see themselves.
pub fn shown(row: UserRow, beside: Beside, caller: &Caller) -> ApiResult<Reply> {
    let Beside { pending_contacts, undeliverable_contacts } = beside;
    let next_actions = undeliverable_contacts
        .iter()
        .map(|contact| undeliverable::next_action(caller.locale, contact.channel))
        .collect();
    let tag = etag(row.version, caller.view(), caller.locale);
    let me = Me {
        roles: row.roles(),
        id: row.id,
        login: row.login,
        display_name: row.display_name,
        account_id: row.account_id,
        partner_id: caller.partner_id,
        scopes: caller.scopes.clone(),
        locale: row.locale,
        email: row.email,
        email_verified_at: row.email_verified_at,
        mobile: row.mobile,
        mobile_verified_at: row.mobile_verified_at,
        pending_contacts,
        undeliverable_contacts,
        next_actions,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(Reply::ok(&me)?.etag(tag))
}

/// Who am I
///
/// Any signed-in user. Contacts are masked.
#[utoipa::path(operation_id = "getMe", tag = "me", responses((status = 200, description = "The caller.", body = Me)))]
#[get("/v1/me")]
pub async fn get_me(app: web::Data<App>, caller: Allowed<op::GetMe>) -> ApiResult<Reply> {
    let id = caller.user_id;
    let (row, beside) = app
        .db
        .run(move |conn| {
            let row = model::find(conn, id)?.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
            let beside = Beside::of(conn, &row)?;
            Ok((row, beside))
        })
        .await?;
    shown(row, beside, &caller)
}

/// Change my own data
///
/// Any signed-in user. A new e-mail address or mobile gets a code of six digits, good for 15 minutes; until
/// `POST /v1/me/contact-verifications/confirm` the old contact stays.
#[utoipa::path(operation_id = "updateMe", tag = "me",
    params(("If-Match" = String, Header, description = "The ETag that you saw, or `*`.", example = "*")),
    responses(
        (status = 200, description = "The caller, with the contacts that wait for a code.", body = Me),
        (status = 428, description = "`precondition_required`"),
        (status = 429, description = "`too_many_requests`"),
    ))]
#[patch("/v1/me")]
pub async fn update_me(
    app: web::Data<App>,
    caller: Allowed<op::UpdateMe>,
    if_match: IfMatch,
    body: Json<MePatch>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let expected = if_match.required()?;
    let Json(body) = body;
    let mut faults = Vec::new();
    if body.email.as_ref().is_some_and(|email| !checked_email(email)) {
        faults.push(FieldError::pointer("/email", "invalid_format"));
    }
    if body.mobile.as_ref().is_some_and(|mobile| !checked_mobile(mobile)) {
        faults.push(FieldError::pointer("/mobile", "invalid_format"));
    }
    if !faults.is_empty() {
        return Err(ApiError::invalid(faults));
    }
    let caller = caller.caller;
    let viewer = caller.clone();
    let (row, beside) = app
        .db
        .transaction(move |conn| {
            let id = caller.user_id;
            let before = model::lock(conn, id)?.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
            ensure_version(expected, before.version)?;
            let mut started = Vec::new();
            let lost = undeliverable::channels_of(conn, &[id])?;
            let is_lost = |channel| lost.contains(&(id, channel));
            // The contact that counts already needs no code, unless messages do not reach it.
            let is_mine = |new: &Sensitive<Email>| {
                before.email_verified_at.is_some()
                    && !is_lost(ContactChannel::Email)
                    && before.email.as_ref().is_some_and(|old| old.is_same_as(new))
            };
            if let Some(email) = body.email.filter(|email| !is_mine(email)) {
                contacts::start(conn, now, id, NewContact::Email(email))?;
                started.push(ContactChannel::Email);
            }
            let is_mine = |new: &Sensitive<Phone>| {
                before.mobile_verified_at.is_some()
                    && !is_lost(ContactChannel::Mobile)
                    && before.mobile.as_ref().is_some_and(|old| old.is_same_as(new))
            };
            if let Some(mobile) = body.mobile.filter(|mobile| !is_mine(mobile)) {
                contacts::start(conn, now, id, NewContact::Mobile(mobile))?;
                started.push(ContactChannel::Mobile);
            }
            let changes = Changes {
                display_name: body.display_name.map(|name| name.trim().to_owned()),
                locale: body.locale,
                ..Changes::default()
            };
            let row = model::update(conn, now, id, changes)?;
            let deed =
                Deed::new("user.updated", "user", id.0).details(json!({ "verifications_started": started }));
            audit::record(conn, now, &Actor::from(&caller), deed)?;
            let beside = Beside::of(conn, &row)?;
            Ok((row, beside))
        })
        .await?;
    shown(row, beside, &viewer)
}
