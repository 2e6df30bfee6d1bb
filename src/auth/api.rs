//! Log in, refresh, log out.

use actix_web::{post, web};
use chrono::{DateTime, Duration, Utc};
use diesel::{ExpressionMethods, OptionalExtension, PgConnection, QueryDsl, RunQueryDsl};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    model::Credentials,
    origin::Origin,
    sessions::{self, Client, Rotation},
    verify,
};
use crate::app::App;
use crate::audit::{self, Actor, Deed};
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::ids::{SessionId, UserId};
use crate::kernel::{json::Json, reply::Reply};
use crate::schema::users;

/// Lifetime of an access token.
fn access_lifetime() -> Duration {
    Duration::minutes(15)
}

/// Login and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "login": "demo-applicant", "password": "demo-password-2026" }))]
pub struct LoginRequest {
    /// The user name; upper and lower case are the same.
    #[schema(min_length = 1, max_length = 64)]
    login: String,
    /// The password.
    #[schema(min_length = 1, max_length = 128, format = Password)]
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "refresh_token": "the `refresh_token` of the last reply" }))]
pub struct RefreshRequest {
    /// The current refresh token of the session.
    #[schema(min_length = 1, max_length = 128)]
    refresh_token: String,
}

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Lifetime of the access token in seconds.
    #[schema(example = 900)]
    expires_in: i64,
    /// Gives the next pair of tokens, once.
    refresh_token: String,
    /// Lifetime of the refresh token in seconds.
    #[schema(example = 2592000)]
    refresh_expires_in: i64,
}

fn tokens(
    app: &App,
    now: DateTime<Utc>,
    user: UserId,
    session: SessionId,
    refresh_token: String,
) -> ApiResult<Tokens> {
    Ok(Tokens {
        access_token: app.tokens.sign(user, session, now, access_lifetime())?,
        token_type: "Bearer",
        expires_in: access_lifetime().num_seconds(),
        refresh_token,
        refresh_expires_in: sessions::refresh_lifetime().num_seconds(),
    })
}

/// Opens a session for a user whose password was just compared.
///
/// # Errors
/// 401 when the user was disabled or got another password meanwhile.
pub fn open_session(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    user: &Credentials,
    origin: &Origin,
    client: Client,
) -> ApiResult<SessionId> {
    // Locked: a change of password that commits at the same time either sees this session or is seen here.
    let is_current = users::table
        .find(user.user_id)
        .filter(users::password_hash.eq(&user.password_hash))
        .filter(users::disabled_at.is_null())
        .select(users::id)
        .for_update()
        .first::<UserId>(conn)
        .optional()?;
    is_current.ok_or_else(|| ApiError::new(&codes::INVALID_CREDENTIALS))?;
    let session = sessions::open(conn, now, user.user_id, client)?;
    let deed = Deed::new("session.opened", "session", session.0).details(json!({ "client": client }));
    audit::record(conn, now, &origin.actor(user.user_id, user.role()), deed)?;
    Ok(session)
}

/// Log in with a password
///
/// Anybody. An access token for 15 minutes and a refresh token for 30 days. An unknown login, a wrong password and a
/// disabled user get the same answer. Ten failures of one address on one login close it to that address for a while.
#[utoipa::path(operation_id = "login", tag = "auth", responses(
    (status = 200, description = "Logged in.", body = Tokens),
    (status = 401, description = "`invalid_credentials`"),
    (status = 429, description = "`too_many_requests`"),
))]
#[post("/v1/auth/login")]
pub async fn login(app: web::Data<App>, origin: Origin, body: Json<LoginRequest>) -> ApiResult<Reply> {
    let now = app.clock.now();
    let Json(LoginRequest { login, password }) = body;
    let user = verify::password(&app, now, &login, SecretString::from(password), &origin).await?;
    let user_id = user.user_id;
    let (session, refresh_token) = app
        .db
        .transaction(move |conn| {
            let session = open_session(conn, now, &user, &origin, Client::App)?;
            Ok((session, sessions::issue(conn, now, session)?.1))
        })
        .await?;
    Reply::ok(&tokens(&app, now, user_id, session, refresh_token)?)
}

/// Replace the tokens
///
/// Anybody with a refresh token. Each refresh token works once; the reply brings the next. A second use ends the session,
/// except once within 30 seconds while the successor is unused, for a reply that was lost.
#[utoipa::path(operation_id = "refreshSession", tag = "auth", responses(
    (status = 200, description = "The next tokens.", body = Tokens),
    (status = 401, description = "`invalid_refresh_token`"),
))]
#[post("/v1/auth/refresh")]
pub async fn refresh_session(
    app: web::Data<App>,
    origin: Origin,
    body: Json<RefreshRequest>,
) -> ApiResult<Reply> {
    let now = app.clock.now();
    let presented = body.0.refresh_token;
    let rotation = app
        .db
        .transaction(move |conn| {
            let rotation = sessions::rotate(conn, now, &presented)?;
            if let Rotation::Reused { user_id, session_id } = rotation {
                // The system ends it: who sent the copy is not known.
                let actor =
                    Actor { request_id: Some(origin.request_id), address: origin.address, ..Actor::system() };
                let deed = Deed::new("session.ended", "session", session_id.0)
                    .details(json!({ "reason": "refresh_token_reused", "user_id": user_id }));
                audit::record(conn, now, &actor, deed)?;
            }
            Ok(rotation)
        })
        .await?;
    match rotation {
        Rotation::Fresh { user_id, session_id, token } => {
            Reply::ok(&tokens(&app, now, user_id, session_id, token)?)
        }
        Rotation::Refused => Err(ApiError::new(&codes::INVALID_REFRESH_TOKEN)),
        Rotation::Reused { session_id, .. } => {
            app.sessions.forget(session_id);
            Err(ApiError::new(&codes::INVALID_REFRESH_TOKEN))
        }
    }
}

/// Log out
///
/// Anybody with a refresh token. Ends the session; its access tokens stop working within ten seconds. An unknown token gets
/// the same answer.
#[utoipa::path(operation_id = "logout", tag = "auth", responses((status = 204, description = "Logged out.")))]
#[post("/v1/auth/logout")]
pub async fn logout(app: web::Data<App>, origin: Origin, body: Json<RefreshRequest>) -> ApiResult<Reply> {
    let now = app.clock.now();
    let presented = body.0.refresh_token;
    let ended = app
        .db
        .transaction(move |conn| {
            let ended = sessions::end_by_token(conn, now, &presented)?;
            if let Some((user, session)) = ended {
                let role = super::model::by_id(conn, user)?.map_or("none", |user| user.role());
                let deed = Deed::new("session.ended", "session", session.0)
                    .details(json!({ "reason": "logged_out" }));
                audit::record(conn, now, &origin.actor(user, role), deed)?;
            }
            Ok(ended)
        })
        .await?;
    if let Some((_, session)) = ended {
        app.sessions.forget(session);
    }
    Ok(Reply::no_content())
}
