//! Comparing a password with the stored one: the same steps, time and answer for unknown, wrong and disabled.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{
    model::{self, Credentials},
    origin::Origin,
    passwords, throttle,
};
use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;

/// The user whose login and password these are.
///
/// # Errors
/// 401 `invalid_credentials`, 429 `too_many_requests`, 503 when too many passwords wait to be compared.
pub async fn password(
    app: &App,
    now: DateTime<Utc>,
    login: &str,
    password: SecretString,
    origin: &Origin,
) -> ApiResult<Credentials> {
    let login = login.trim().to_lowercase();
    let keys = throttle::Keys::new(&login, origin.address);
    let (delay, found) = {
        let keys = keys.clone();
        app.db
            .run(move |conn| Ok((throttle::admit(conn, now, &keys)?, model::by_login(conn, &login)?)))
            .await?
    };
    // Nothing is held during the delay: neither a connection nor a turn.
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let turn = passwords::turn().await?;
    // Asked again with the turn in hand: of many guesses sent at once, those beyond the limit end here.
    {
        let keys = keys.clone();
        app.db.run(move |conn| throttle::admit(conn, now, &keys)).await?;
    }
    let hash = found.as_ref().map(|found| found.password_hash.clone());
    let (is_right, turn) = turn.verify(password, hash).await?;
    let outcome = app
        .db
        .run(move |conn| match found.filter(|found| is_right && found.is_enabled) {
            Some(found) => {
                throttle::forgive(conn, &keys)?;
                Ok(found)
            }
            None => {
                throttle::record_failure(conn, now, &keys)?;
                Err(ApiError::new(&codes::INVALID_CREDENTIALS))
            }
        })
        .await;
    drop(turn);
    outcome
}
