//! Forgotten and changed passwords.

use std::time::Duration as StdDuration;

use actix_web::{post, web};
use chrono::{DateTime, Duration, Utc};
use diesel::PgConnection;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    ACCOUNT_EMAIL_JOB, Allowed, model, op, origin::Origin, passwords, resets, sessions, throttle, verify,
};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::ids::{SessionId, UserId};
use crate::kernel::jobs::{self, NewJob};
use crate::kernel::pii::Sensitive;
use crate::kernel::{json::Json, reply::Reply};

/// Every reply to a request for a reset takes this long, so that its time does not tell whether the account exists.
const EVEN_TIME: StdDuration = StdDuration::from_millis(250);

/// Whose password is forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "login_or_email": "demo-applicant" }))]
pub struct PasswordResetRequest {
    /// The login, or a verified e-mail address.
    #[schema(min_length = 1, max_length = 254)]
    login_or_email: String,
}

/// A reset was asked for.
#[derive(Serialize, ToSchema)]
pub struct PasswordResetAccepted {
    /// How long the link in the mail is good, if there is a mail.
    #[schema(example = 60)]
    valid_minutes: i64,
}

/// The token of the mail and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "token": "the token of the link in the mail", "new_password": "a sentence is a good password" }))]
pub struct PasswordResetConfirmation {
    /// The token of the link.
    #[schema(min_length = 1, max_length = 128)]
    token: String,
    /// 10 to 128 characters, not the login, not a well-known password.
    #[schema(min_length = 10, max_length = 128, format = Password)]
    new_password: String,
}

/// The current and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "current_password": "demo-password-2026", "new_password": "a sentence is a good password" }))]
pub struct PasswordChange {
    /// The password so far.
    #[schema(min_length = 1, max_length = 128, format = Password)]
    current_password: String,
    /// 10 to 128 characters, not the login, not a well-known password.
    #[schema(min_length = 10, max_length = 128, format = Password)]
    new_password: String,
}

/// Ask for a password reset
///
/// Anybody. When the login, or a verified e-mail address, is known and enabled, a mail with a link for one hour follows.
/// Unknown accounts get the same answer after the same time.
#[utoipa::path(operation_id = "requestPasswordReset", tag = "auth", responses(
    (status = 202, description = "If the account is known, a mail follows.", body = PasswordResetAccepted),
    (status = 429, description = "`too_many_requests`"),
))]
#[post("/v1/auth/password-resets")]
pub async fn request_password_reset(
    app: web::Data<App>,
    origin: Origin,
    body: Json<PasswordResetRequest>,
) -> ApiResult<Reply> {
    let until = tokio::time::Instant::now() + EVEN_TIME;
    let now = app.clock.now();
    let asked = body.0.login_or_email;
    let outcome = app.db.transaction(move |conn| mail_resets(conn, now, asked.trim(), &origin)).await;
    tokio::time::sleep_until(until).await;
    outcome?;
    Reply::accepted(&PasswordResetAccepted { valid_minutes: resets::lifetime().num_minutes() })
}

fn mail_resets(conn: &mut PgConnection, now: DateTime<Utc>, asked: &str, origin: &Origin) -> ApiResult<()> {
    let address = origin.address.map(|address| address.to_string()).unwrap_or_default();
    if !throttle::allow(conn, now, "reset_address", &[&address], 60, Duration::hours(1))? {
        return Err(ApiError::new(&codes::TOO_MANY_REQUESTS).retry_after(3600));
    }
    let found = match asked.contains('@') {
        true => model::by_verified_email(conn, &Sensitive::new(asked))?,
        false => model::by_login(conn, &asked.to_lowercase())?.into_iter().collect(),
    };
    for user in found.into_iter().filter(|user| user.is_enabled) {
        // Beyond five an hour the user gets no more mails, and whoever asks is not told.
        let is_few =
            throttle::allow(conn, now, "reset_user", &[&user.user_id.to_string()], 5, Duration::hours(1))?;
        if is_few && model::has_email(conn, user.user_id)? {
            resets::start(conn, now, user.user_id, resets::lifetime())?;
            let actor = Actor {
                request_id: Some(origin.request_id.clone()),
                address: origin.address,
                ..Actor::system()
            };
            audit::record(conn, now, &actor, Deed::new("password_reset.requested", "user", user.user_id.0))?;
        }
    }
    Ok(())
}

fn wrong_token() -> ApiError {
    ApiError::invalid_field(
        "/token",
        "invalid_token",
        "链接无效、已使用或已过期，请重新申请",
        "is not known, was used or has expired; ask for a new mail",
    )
}

/// Set a new password with the mail's token
///
/// Anybody with the token. Works once; ends all sessions of the user.
#[utoipa::path(operation_id = "confirmPasswordReset", tag = "auth", responses(
    (status = 204, description = "The password is set; log in with it."),
))]
#[post("/v1/auth/password-resets/confirm")]
pub async fn confirm_password_reset(
    app: web::Data<App>,
    origin: Origin,
    body: Json<PasswordResetConfirmation>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let Json(PasswordResetConfirmation { token, new_password }) = body;
    let new_password = SecretString::from(new_password);
    let (reset_id, user) = app
        .db
        .run(move |conn| {
            let (reset_id, user_id) = resets::find(conn, now, &token)?.ok_or_else(wrong_token)?;
            let user = model::by_id(conn, user_id)?.filter(|user| user.is_enabled).ok_or_else(wrong_token)?;
            Ok((reset_id, user))
        })
        .await?;
    passwords::check_rule("/new_password", &user.login, new_password.expose_secret())?;
    let hash = passwords::hash(new_password).await?;
    let user_id = user.user_id;
    app.db
        .transaction(move |conn| {
            if !resets::take(conn, now, reset_id)? {
                return Err(wrong_token());
            }
            resets::confirm_email(conn, now, user_id)?;
            let actor = origin.actor(user_id, user.role());
            replace_password(conn, now, user_id, &hash, None, &actor, "password.reset")
        })
        .await?;
    app.sessions.forget_user(user_id);
    Ok(Reply::no_content())
}

/// Change the own password
///
/// Any signed-in user. Ends all other sessions of the user; this one stays. A mail tells about it.
#[utoipa::path(operation_id = "changePassword", tag = "me", responses(
    (status = 204, description = "The password is changed."),
    (status = 429, description = "`too_many_requests`"),
))]
#[post("/v1/me/password")]
pub async fn change_password(
    app: web::Data<App>,
    caller: Allowed<op::ChangePassword>,
    origin: Origin,
    body: Json<PasswordChange>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let Json(PasswordChange { current_password, new_password }) = body;
    let (user_id, session_id) = (caller.user_id, caller.session_id);
    let user = app
        .db
        .run(move |conn| Ok(model::by_id(conn, user_id)?))
        .await?
        .ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED))?;
    passwords::check_rule("/new_password", &user.login, &new_password)?;
    if new_password == current_password {
        return Err(ApiError::invalid_field(
            "/new_password",
            "unchanged",
            "新密码与当前密码相同",
            "is the current password",
        ));
    }
    verify::password(&app, now, &user.login, SecretString::from(current_password), &origin).await.map_err(
        |error| {
            if error.code() == &codes::INVALID_CREDENTIALS {
                ApiError::invalid_field(
                    "/current_password",
                    "wrong_password",
                    "当前密码不正确",
                    "is not the current password",
                )
            } else {
                error
            }
        },
    )?;
    let hash = passwords::hash(SecretString::from(new_password)).await?;
    let actor = Actor::from(&*caller);
    app.db
        .transaction(move |conn| {
            replace_password(conn, now, user_id, &hash, Some(session_id), &actor, "password.changed")
        })
        .await?;
    app.sessions.forget_user(user_id);
    Ok(Reply::no_content())
}

/// What every new password brings with it: other sessions and open resets end, audit row, mail.
fn replace_password(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: UserId,
    hash: &str,
    kept: Option<SessionId>,
    actor: &Actor,
    action: &'static str,
) -> ApiResult<()> {
    resets::set_password(conn, now, user, hash)?;
    resets::end_all(conn, now, user)?;
    let ended = sessions::revoke_all(conn, now, user, kept)?;
    audit::record(
        conn,
        now,
        actor,
        Deed::new(action, "user", user.0).details(json!({ "sessions_ended": ended })),
    )?;
    if model::has_email(conn, user)? {
        let payload = json!({ "template": "password_changed", "user_id": user });
        jobs::enqueue(conn, now, NewJob::new(ACCOUNT_EMAIL_JOB, payload))?;
    }
    Ok(())
}
