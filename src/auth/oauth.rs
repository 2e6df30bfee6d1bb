//! `POST /oauth/token`: `client_credentials` for partners' programs, `password` for the *Authorize* dialog of Swagger UI.

use actix_web::{HttpRequest, http::header, post, web};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::Duration;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::client_credentials::{self, Presented};
use super::{api::open_session, origin::Origin, sessions::Client, verify};
use crate::app::App;
use crate::error::{ApiError, ApiResult, FieldError, members};
use crate::error_codes as codes;
use crate::kernel::{i18n::Bilingual, reply::Reply};

/// Name of the public client that the docs page uses. It has no secret, and no other client can have this name.
pub const DOCS_CLIENT: &str = "swagger-ui";

/// Most characters of a login.
const MAX_LOGIN: usize = 64;
/// Most characters of a password.
const MAX_PASSWORD: usize = 128;

/// Whoever tries operations by hand should not have to log in again every quarter of an hour.
fn access_lifetime() -> Duration {
    Duration::minutes(60)
}

/// The form of a token request (RFC 6749). Unknown members are ignored, as the RFC demands.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({ "grant_type": "client_credentials", "client_id": "demo-partner",
    "client_secret": "demo-partner-secret-2026", "scope": "filings:read filings:write" }))]
pub struct TokenRequest {
    /// `client_credentials` for a partner's program, `password` for Swagger UI.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The login, for `password`.
    #[schema(max_length = 64, nullable = false, example = "")]
    username: Option<String>,
    /// The password, for `password`.
    #[schema(max_length = 128, nullable = false, example = "")]
    password: Option<String>,
    /// `client_credentials`: the scopes wanted, separated by blanks; absent: all that are granted. `password`: not read, the
    /// token has all scopes of the user's roles.
    #[schema(nullable = false, example = "filings:read filings:write")]
    scope: Option<String>,
    /// The client, when it is not in the `Authorization` header; `swagger-ui` for `password`.
    #[schema(nullable = false, example = "demo-partner")]
    client_id: Option<String>,
    /// The client's secret, when it is not in the `Authorization` header; empty for `password`.
    #[schema(nullable = false, example = "demo-partner-secret-2026")]
    client_secret: Option<String>,
}

/// A token in the form of RFC 6749.
#[derive(Serialize, ToSchema)]
pub struct OAuthToken {
    /// Send it as `Authorization: Bearer …`.
    pub(super) access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub(super) token_type: &'static str,
    /// Lifetime in seconds.
    #[schema(example = 900)]
    pub(super) expires_in: i64,
    /// What the token may be used for.
    pub(super) scope: String,
}

/// An OAuth 2 error: the problem also carries the `error` member that OAuth clients read.
pub(super) fn refuse(code: &'static codes::ErrorCode, error: &str) -> ApiError {
    ApiError::new(code).with(&members::ERROR, error)
}

/// A form with a field that is wrong.
fn faulty(name: &str, code: &str, zh: impl Into<String>, en: impl Into<String>) -> ApiError {
    let (zh, en) = (zh.into(), en.into());
    refuse(&codes::INVALID_PARAMETER, "invalid_request")
        .detail(zh.clone(), en.clone())
        .errors(vec![FieldError::parameter(name, code, Bilingual::new(zh, en))])
}

/// Get a token for a client
///
/// `grant_type=client_credentials`: a partner's program, with `client_id` and secret in an `Authorization: Basic` header or in
/// the form, not both. The token lasts 15 minutes at most and there is no refresh token: ask again. A requested `scope` may
/// narrow what is granted. Ten wrong secrets of one address close it to that address for a while.
///
/// `grant_type=password`: the *Authorize* dialog of Swagger UI, in embedded mode or where a setting allows it; the token lasts
/// an hour. A front end uses `POST /v1/auth/login`.
#[utoipa::path(operation_id = "issueToken", tag = "auth",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token.", body = OAuthToken),
        (status = 400, description = "`invalid_grant`, `invalid_parameter`, `invalid_scope`, `unsupported_grant_type`"),
        (status = 401, description = "`invalid_client`"),
        (status = 403, description = "`client_paused`, `address_not_allowed`"),
        (status = 429, description = "`too_many_requests`"),
    ))]
#[post("/oauth/token")]
pub async fn issue_token(
    app: web::Data<App>,
    origin: Origin,
    req: HttpRequest,
    form: Result<web::Form<TokenRequest>, actix_web::Error>,
) -> ApiResult<Reply> {
    let form = match form {
        Ok(form) => form.into_inner(),
        Err(error) => {
            return Err(match error.as_response_error().status_code().as_u16() {
                413 => ApiError::new(&codes::BODY_TOO_LARGE),
                415 => ApiError::new(&codes::UNSUPPORTED_MEDIA_TYPE).detail(
                    "请以 application/x-www-form-urlencoded 发送。",
                    "Send application/x-www-form-urlencoded.",
                ),
                _ => faulty(
                    "grant_type",
                    "required",
                    "表单无法识别，grant_type 为必填。",
                    "The form could not be read; grant_type is required.",
                ),
            });
        }
    };
    // What the document limits is limited for every grant, also where it is not read.
    for (name, text, limit) in
        [("username", &form.username, MAX_LOGIN), ("password", &form.password, MAX_PASSWORD)]
    {
        if text.as_ref().is_some_and(|text| text.chars().count() > limit) {
            return Err(faulty(name, "too_long", format!("{name} 过长。"), format!("{name} is too long.")));
        }
    }
    let (client, secret) = client_of(&req, &form)?;
    if form.grant_type == "client_credentials" {
        // RFC 6749, 2.3: a client uses one way in each request.
        let is_double = req.headers().contains_key(header::AUTHORIZATION)
            && form.client_secret.as_deref().is_some_and(|secret| !secret.is_empty());
        if is_double {
            return Err(faulty(
                "client_secret",
                "given_twice",
                "client_secret 只能放在 Authorization 头或表单之一。",
                "Send client_secret in the Authorization header or in the form, not in both.",
            ));
        }
        let Some(client_id) = client else {
            return Err(refuse(&codes::INVALID_CLIENT, "invalid_client"));
        };
        let sent = Presented { client_id, secret, scope: form.scope };
        return Reply::ok(&client_credentials::issue(&app, app.clock.now(), sent, origin).await?);
    }
    if client.as_deref().is_some_and(|client| client != DOCS_CLIENT) || !secret.is_empty() {
        return Err(refuse(&codes::INVALID_CLIENT, "invalid_client"));
    }
    if form.grant_type != "password" || !app.config.swagger_password_login {
        return Err(refuse(&codes::UNSUPPORTED_GRANT_TYPE, "unsupported_grant_type"));
    }
    let (Some(login), Some(password)) = (form.username, form.password) else {
        return Err(faulty(
            "username",
            "required",
            "username 和 password 为必填。",
            "username and password are required.",
        ));
    };
    // PostgreSQL text cannot hold U+0000.
    for (name, value) in [("username", &login), ("password", &password)] {
        if value.contains('\0') {
            return Err(faulty(name, "invalid_format", "不能包含 U+0000。", "must not contain U+0000"));
        }
    }
    let now = app.clock.now();
    let bad_grant = |error: ApiError| match error.code() == &codes::INVALID_CREDENTIALS {
        true => refuse(&codes::INVALID_GRANT, "invalid_grant"),
        false => error,
    };
    let user = verify::password(&app, now, &login, SecretString::from(password), &origin)
        .await
        .map_err(bad_grant)?;
    let (user_id, scope) = (user.user_id, user.scopes());
    let session = app
        .db
        .transaction(move |conn| open_session(conn, now, &user, &origin, Client::Docs))
        .await
        .map_err(bad_grant)?;
    Reply::ok(&OAuthToken {
        access_token: app.tokens.sign(user_id, session, now, access_lifetime())?,
        token_type: "Bearer",
        expires_in: access_lifetime().num_seconds(),
        scope,
    })
}

/// Client id and secret, from the header or the form. Swagger UI sends `Basic base64("swagger-ui:")`.
fn client_of(req: &HttpRequest, form: &TokenRequest) -> ApiResult<(Option<String>, String)> {
    let Some(value) = req.headers().get(header::AUTHORIZATION) else {
        return Ok((form.client_id.clone(), form.client_secret.clone().unwrap_or_default()));
    };
    let read = || {
        let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        Some((Some(id.to_owned()), secret.to_owned()))
    };
    read().ok_or_else(|| refuse(&codes::INVALID_CLIENT, "invalid_client"))
}
