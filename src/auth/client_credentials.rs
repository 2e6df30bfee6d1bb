//! A token for a partner's program: client id and secret are compared, wrong ones throttled like passwords.
//!
//! A secret has 256 random bits, so its hash is a plain SHA-256 and the look-up is by that hash.

use chrono::{DateTime, Duration, Utc};
use diesel::Connection;
use serde_json::json;

use super::oauth::{OAuthToken, refuse};
use super::{origin::Origin, permissions::Role, sessions, throttle};
use crate::api_clients::{self, Verified};
use crate::app::App;
use crate::audit::{self, Deed};
use crate::error::ApiResult;
use crate::error_codes as codes;
use crate::kernel::ids::{SessionId, UserId};

/// Lifetime of a program's access token; it just asks for the next one.
fn access_lifetime() -> Duration {
    Duration::minutes(15)
}

/// What the program sent.
pub struct Presented {
    /// Its `client_id`.
    pub client_id: String,
    /// Its secret.
    pub secret: String,
    /// The scopes that it wants, separated by blanks; absent: all that are granted.
    pub scope: Option<String>,
}

/// Checks id and secret and issues a token.
///
/// # Errors
/// 401 `invalid_client`, 403 `client_paused` and `address_not_allowed`, 400 `invalid_scope`, 429 `too_many_requests`.
pub async fn issue(app: &App, now: DateTime<Utc>, sent: Presented, origin: Origin) -> ApiResult<OAuthToken> {
    let is_odd = sent.client_id.contains('\0')
        || sent.client_id.chars().count() > 60
        || sent.secret.is_empty()
        || sent.secret.len() > 200;
    if is_odd {
        return Err(refuse(&codes::INVALID_CLIENT, "invalid_client"));
    }
    let keys = throttle::Keys::new(&format!("client/{}", sent.client_id), origin.address);
    let delay = {
        let keys = keys.clone();
        app.db.run(move |conn| throttle::admit(conn, now, &keys)).await?
    };
    // Nothing is held during the delay, not even a connection.
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let opened = app
        .db
        .run(move |conn| {
            // Asked again: of many guesses sent at once, those beyond the limit end here.
            throttle::admit(conn, now, &keys)?;
            let found = conn.transaction(|conn| {
                match api_clients::authenticate(conn, now, &sent.client_id, &sent.secret)? {
                    Some(client) => open(conn, now, &client, sent.scope.as_deref(), &origin).map(Some),
                    None => Ok(None),
                }
            });
            match found? {
                Some(opened) => {
                    throttle::forgive(conn, &keys)?;
                    Ok(opened)
                }
                None => {
                    throttle::record_failure(conn, now, &keys)?;
                    Err(refuse(&codes::INVALID_CLIENT, "invalid_client"))
                }
            }
        })
        .await?;
    let Opened { user, session, scope, lifetime } = opened;
    Ok(OAuthToken {
        access_token: app.tokens.sign_scoped(user, session, now, lifetime, Some(scope.clone()))?,
        token_type: "Bearer",
        expires_in: lifetime.num_seconds(),
        scope,
    })
}

struct Opened {
    user: UserId,
    session: SessionId,
    scope: String,
    lifetime: Duration,
}

fn open(
    conn: &mut diesel::PgConnection,
    now: DateTime<Utc>,
    client: &Verified,
    asked: Option<&str>,
    origin: &Origin,
) -> ApiResult<Opened> {
    let Some(grant) = &client.grant else {
        return Err(refuse(&codes::CLIENT_PAUSED, "unauthorized_client"));
    };
    if !grant.admits(origin.address) {
        return Err(refuse(&codes::ADDRESS_NOT_ALLOWED, "unauthorized_client"));
    }
    let scope = narrow(&grant.scopes, asked)?;
    // A token does not outlive the secret that it was got with.
    let lifetime = client.secret_expires_at.map_or(access_lifetime(), |at| access_lifetime().min(at - now));
    let user = UserId(client.id.0);
    let session = sessions::open_for_secret(conn, now, user, client.secret_id)?;
    api_clients::touch(conn, now, client.secret_id)?;
    let deed = Deed::new("session.opened", "session", session.0)
        .details(json!({ "client": "api", "secret_id": client.secret_id, "scope": scope }));
    audit::record(conn, now, &origin.actor(user, Role::Partner.as_str()), deed)?;
    Ok(Opened { user, session, scope, lifetime })
}

/// The scopes of the token: those asked for, each of which must be granted.
fn narrow(granted: &[String], asked: Option<&str>) -> ApiResult<String> {
    let asked: Vec<&str> = asked.unwrap_or_default().split_ascii_whitespace().collect();
    if asked.is_empty() {
        return Ok(granted.join(" "));
    }
    if let Some(foreign) = asked.iter().find(|scope| !granted.iter().any(|known| known == *scope)) {
        // What was asked for may be anything; only what looks like a scope is repeated.
        let shown: String =
            foreign.chars().filter(|c| c.is_ascii_lowercase() || matches!(c, ':' | '_')).take(60).collect();
        return Err(refuse(&codes::INVALID_SCOPE, "invalid_scope").detail(
            format!("scope {shown} 未授予此客户端。"),
            format!("The scope {shown} is not granted to this client."),
        ));
    }
    // In the order of the grant, each once.
    let chosen: Vec<&str> =
        granted.iter().map(String::as_str).filter(|scope| asked.contains(scope)).collect();
    Ok(chosen.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_may_narrow_the_grant_and_not_widen_it() {
        let granted = ["a:read".to_owned(), "a:write".to_owned()];
        let narrow = |asked| narrow(&granted, asked).map_err(|error| error.code().code);
        assert_eq!(narrow(None), Ok("a:read a:write".to_owned()));
        assert_eq!(narrow(Some("  ")), Ok("a:read a:write".to_owned()));
        assert_eq!(narrow(Some("a:write a:write")), Ok("a:write".to_owned()));
        assert_eq!(narrow(Some("a:write b:read")), Err("invalid_scope"));
        assert_eq!(narrow(Some("a")), Err("invalid_scope"));
    }
}
