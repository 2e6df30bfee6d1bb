//! A new e-mail address or mobile counts when its code came back: six digits, 15 minutes, five tries.

use std::str::FromStr;

use actix_web::{post, web};
use chrono::{DateTime, Duration, Utc};
use diesel::{ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, QueryResult, RunQueryDsl};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use uuid::Uuid;

use super::me::{self, PendingContact};
use super::model;
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::auth::{self, Allowed, Caller, op};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::ids::UserId;
use crate::kernel::jobs::{self, NewJob};
use crate::kernel::json::Json;
use crate::kernel::pii::{self, Email, Phone, Sensitive};
use crate::kernel::reply::Reply;
use crate::schema::contact_verifications;

/// Kind of the job that sends a code. Payload: `contact_verification_id`; the code is [`auth::contact_code`] of that id.
pub const CONTACT_CODE_JOB: &str = "notifications.contact_code";

/// Wrong tries that end a verification.
const MAX_WRONG: i32 = 5;

fn lifetime() -> Duration {
    Duration::minutes(15)
}

crate::text_enum! {
    /// What a contact is.
    pub enum ContactChannel {
        /// E-mail address.
        Email = "email",
        /// Mainland mobile.
        Mobile = "mobile",
    }
}

/// A contact to be verified.
pub enum NewContact {
    /// An e-mail address.
    Email(Sensitive<Email>),
    /// A mobile.
    Mobile(Sensitive<Phone>),
}

/// Whether a mail could go to this address.
pub fn checked_email(email: &Sensitive<Email>) -> bool {
    let text = email.expose();
    text.is_ascii() && text.len() <= 254 && lettre::Address::from_str(text).is_ok()
}

/// Whether this is a mainland mobile: 11 digits, 13 to 19 in front.
pub fn checked_mobile(mobile: &Sensitive<Phone>) -> bool {
    let digits = mobile.expose().as_bytes();
    digits.len() == 11 && digits.iter().all(u8::is_ascii_digit) && digits[0] == b'1' && digits[1] >= b'3'
}

fn code_hash(id: Uuid, code: &str) -> Vec<u8> {
    // Six digits would be found at once from a plain hash.
    pii::keyed_hash("contact_code_hash", &[&id.to_string(), code])
}

/// Starts a verification in place of an open one and enqueues its message. The caller holds the lock on the user.
///
/// # Errors
/// 429 beyond five codes an hour for one user and channel.
pub fn start(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    contact: NewContact,
) -> ApiResult<()> {
    let channel = match &contact {
        NewContact::Email(_) => ContactChannel::Email,
        NewContact::Mobile(_) => ContactChannel::Mobile,
    };
    let parts = [&*user.to_string(), channel.as_str()];
    if !auth::allow_attempt(conn, now, "contact_code", &parts, 5, Duration::hours(1))? {
        return Err(ApiError::new(&codes::TOO_MANY_REQUESTS).retry_after(3600));
    }
    let id = Uuid::now_v7();
    use contact_verifications as table;
    let open = table::table
        .filter(table::user_id.eq(user))
        .filter(table::channel.eq(channel))
        .filter(table::used_at.is_null());
    diesel::update(open).set(table::used_at.eq(now)).execute(conn)?;
    let common = (
        table::id.eq(id),
        table::user_id.eq(user),
        table::channel.eq(channel),
        table::code_hash.eq(code_hash(id, &auth::contact_code(id))),
        table::created_at.eq(now),
        table::expires_at.eq(now + lifetime()),
    );
    match contact {
        NewContact::Email(email) => {
            diesel::insert_into(table::table).values((common, table::contact.eq(email))).execute(conn)?
        }
        NewContact::Mobile(mobile) => {
            diesel::insert_into(table::table).values((common, table::contact.eq(mobile))).execute(conn)?
        }
    };
    jobs::enqueue(conn, now, NewJob::new(CONTACT_CODE_JOB, json!({ "contact_verification_id": id })))?;
    Ok(())
}

/// The contacts of a user that wait for a code.
pub fn pending(conn: &mut PgConnection, user: UserId) -> QueryResult<Vec<PendingContact>> {
    use contact_verifications as table;
    let open = |channel: ContactChannel| {
        table::table
            .filter(table::user_id.eq(user))
            .filter(table::channel.eq(channel))
            .filter(table::used_at.is_null())
            .order(table::created_at.desc())
    };
    let email = open(ContactChannel::Email)
        .select((table::contact, table::expires_at))
        .first::<(Sensitive<Email>, DateTime<Utc>)>(conn)
        .optional()?
        .map(|(contact, expires_at)| PendingContact {
            channel: ContactChannel::Email,
            contact: contact.mask(),
            expires_at,
        });
    let mobile = open(ContactChannel::Mobile)
        .select((table::contact, table::expires_at))
        .first::<(Sensitive<Phone>, DateTime<Utc>)>(conn)
        .optional()?
        .map(|(contact, expires_at)| PendingContact {
            channel: ContactChannel::Mobile,
            contact: contact.mask(),
            expires_at,
        });
    Ok(email.into_iter().chain(mobile).collect())
}

/// Removes verifications older than a day. The version of users who lose one that `me` still showed rises.
pub fn purge(conn: &mut PgConnection, now: DateTime<Utc>) -> QueryResult<()> {
    use contact_verifications as table;
    let removed = diesel::delete(table::table.filter(table::created_at.lt(now - Duration::days(1))))
        .returning((table::user_id, table::used_at))
        .get_results::<(UserId, Option<DateTime<Utc>>)>(conn)?;
    let shown: std::collections::BTreeSet<UserId> =
        removed.into_iter().filter(|(_, used_at)| used_at.is_none()).map(|(user, _)| user).collect();
    for user in shown {
        model::update(conn, now, user, model::Changes::default())?;
    }
    Ok(())
}

/// The code that came by mail or SMS.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "channel": "email", "code": "123456" }))]
pub struct ContactConfirmation {
    channel: ContactChannel,
    /// Six digits.
    #[schema(pattern = "^[0-9]{6}$", max_length = 6)]
    code: String,
}

/// Confirm a new contact
///
/// Any signed-in user, with the code that was sent to the new address or mobile. The fifth wrong try ends the verification.
#[utoipa::path(operation_id = "confirmContact", tag = "me", responses(
    (status = 200, description = "The contact counts now.", body = me::Me),
    (status = 409, description = "`verification_not_pending`"),
))]
#[post("/v1/me/contact-verifications/confirm")]
pub async fn confirm_contact(
    app: web::Data<App>,
    caller: Allowed<op::ConfirmContact>,
    body: Json<ContactConfirmation>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let (caller, body) = (caller.caller, body.0);
    // A wrong try must be counted, so the transaction commits and its outcome is told afterwards.
    app.db.transaction(move |conn| Ok(confirm(conn, now, &caller, &body))).await?
}

fn confirm(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    caller: &Caller,
    body: &ContactConfirmation,
) -> ApiResult<Reply> {
    use contact_verifications as table;
    let user = caller.user_id;
    model::lock(conn, user)?.ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
    let open = table::table
        .filter(table::user_id.eq(user))
        .filter(table::channel.eq(body.channel))
        .filter(table::used_at.is_null())
        .filter(table::expires_at.gt(now))
        .order(table::created_at.desc())
        .select((table::id, table::code_hash, table::wrong_attempts))
        .first::<(Uuid, Vec<u8>, i32)>(conn)
        .optional()?;
    let (id, hash, wrong) = open.ok_or_else(|| ApiError::new(&codes::VERIFICATION_NOT_PENDING))?;
    let row = table::table.find(id);
    if !bool::from(hash.ct_eq(&code_hash(id, &body.code))) {
        let wrong = wrong + 1;
        let ended = (wrong >= MAX_WRONG).then_some(now);
        diesel::update(row).set((table::wrong_attempts.eq(wrong), table::used_at.eq(ended))).execute(conn)?;
        if ended.is_some() {
            // What `me` shows has changed.
            model::update(conn, now, user, model::Changes::default())?;
        }
        let left = MAX_WRONG - wrong;
        return Err(ApiError::invalid_field(
            "/code",
            "wrong_code",
            format!("验证码不正确，还可尝试 {left} 次"),
            format!("is not the code that was sent; {left} tries left"),
        ));
    }
    match body.channel {
        ContactChannel::Email => {
            let email = row.select(table::contact).first::<Sensitive<Email>>(conn)?;
            model::set_verified_email(conn, now, user, email)?;
            // Reset links that went to the old address must not work any more.
            auth::end_password_resets(conn, now, user)?;
        }
        ContactChannel::Mobile => {
            let mobile = row.select(table::contact).first::<Sensitive<Phone>>(conn)?;
            model::set_verified_mobile(conn, now, user, mobile)?;
        }
    }
    diesel::update(row).set(table::used_at.eq(now)).execute(conn)?;
    let shown = model::update(conn, now, user, model::Changes::default())?;
    let deed = Deed::new("user.contact_verified", "user", user.0).details(json!({ "channel": body.channel }));
    audit::record(conn, now, &Actor::from(caller), deed)?;
    let beside = me::Beside::of(conn, &shown)?;
    me::shown(shown, beside, caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_contacts_that_a_message_can_reach_are_taken() {
        for good in ["a@example.com", "a.b+c@mail.example.cn"] {
            assert!(checked_email(&Sensitive::new(good)), "{good}");
        }
        for bad in ["", "a", "a@", "@example.com", "a b@example.com", "a@exa mple.com", "a@example.com\n"] {
            assert!(!checked_email(&Sensitive::new(bad)), "{bad:?}");
        }
        assert!(checked_mobile(&Sensitive::new("13800138000")));
        for bad in ["12800138000", "1380013800", "138001380000", "+8613800138000", "1380013800a"] {
            assert!(!checked_mobile(&Sensitive::new(bad)), "{bad:?}");
        }
    }
}
