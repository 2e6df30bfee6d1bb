//! Access tokens: JWT, HS256, signed with the first key, accepted under any of the known keys so that keys can be rotated.

use std::collections::HashMap;
use std::sync::RwLock;

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::JwtKey;
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::kernel::ids::{SessionId, UserId};

const AUDIENCE: &str = "beian-api";
const TOKEN_TYPE: &str = "access";
/// How long a verified token is remembered: a burst of requests reads it once.
const REMEMBERED_SECONDS: i64 = 5;
/// How many tokens are remembered at most.
const REMEMBERED_TOKENS: usize = 10_000;

/// What an access token says. Roles are not in it: they are read with the session, so that a change takes effect.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: UserId,
    /// The session.
    pub sid: SessionId,
    /// What it may be used for, separated by blanks; absent: everything that the user may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    aud: String,
    typ: String,
    iat: i64,
    exp: i64,
}

impl Claims {
    /// When the token ends.
    pub fn expires_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.exp, 0).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

/// Signs and reads access tokens.
pub struct TokenKeys {
    keys: Vec<(String, EncodingKey, DecodingKey)>,
    /// By SHA-256: the memory holds no token that somebody could use.
    verified: RwLock<HashMap<[u8; 32], Verified>>,
}

/// When a token was verified, and what it says.
type Verified = (DateTime<Utc>, Claims);

impl TokenKeys {
    /// The first key signs, all are accepted. There is at least one: the configuration refuses less.
    pub fn new(keys: &[JwtKey]) -> Self {
        let keys = keys
            .iter()
            .map(|key| {
                let secret = key.secret.expose();
                (key.kid.clone(), EncodingKey::from_secret(secret), DecodingKey::from_secret(secret))
            })
            .collect();
        Self { keys, verified: RwLock::default() }
    }

    /// A token for a session, valid for `lifetime`, for everything that the user may.
    ///
    /// # Errors
    /// Internal, when signing fails.
    pub fn sign(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> ApiResult<String> {
        self.sign_scoped(user, session, now, lifetime, None)
    }

    /// As [`TokenKeys::sign`], for these scopes only.
    ///
    /// # Errors
    /// Internal, when signing fails.
    pub fn sign_scoped(
        &self,
        user: UserId,
        session: SessionId,
        now: DateTime<Utc>,
        lifetime: Duration,
        scope: Option<String>,
    ) -> ApiResult<String> {
        let (kid, key, _) = self.keys.first().ok_or_else(|| ApiError::internal("no signing key"))?;
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(kid.clone());
        let claims = Claims {
            sub: user,
            sid: session,
            scope,
            aud: AUDIENCE.to_owned(),
            typ: TOKEN_TYPE.to_owned(),
            iat: now.timestamp(),
            exp: (now + lifetime).timestamp(),
        };
        jsonwebtoken::encode(&header, &claims, key).map_err(ApiError::internal)
    }

    /// The claims of a token that is ours and still valid.
    ///
    /// # Errors
    /// 401 `token_expired` or `unauthenticated`.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> ApiResult<Claims> {
        let id: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let claims = match self.recall(&id, now) {
            Some(claims) => claims,
            None => {
                let claims = self.read(token)?;
                self.remember(id, &claims, now);
                claims
            }
        };
        if claims.exp <= now.timestamp() {
            return Err(ApiError::new(&codes::TOKEN_EXPIRED));
        }
        Ok(claims)
    }

    fn recall(&self, id: &[u8; 32], now: DateTime<Utc>) -> Option<Claims> {
        let verified = self.verified.read().ok()?;
        let (at, claims) = verified.get(id)?;
        (now - *at < Duration::seconds(REMEMBERED_SECONDS)).then(|| claims.clone())
    }

    fn remember(&self, id: [u8; 32], claims: &Claims, now: DateTime<Utc>) {
        let Ok(mut verified) = self.verified.write() else { return };
        if verified.len() >= REMEMBERED_TOKENS {
            verified.retain(|_, (at, _)| now - *at < Duration::seconds(REMEMBERED_SECONDS));
        }
        if verified.len() < REMEMBERED_TOKENS {
            verified.insert(id, (now, claims.clone()));
        }
    }

    /// The claims of a token that one of the keys signed, whether it has ended or not.
    fn read(&self, token: &str) -> ApiResult<Claims> {
        let refused = || ApiError::new(&codes::UNAUTHENTICATED);
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused())?;
        let kid = header.kid.ok_or_else(refused)?;
        let (_, _, key) = self.keys.iter().find(|(known, ..)| *known == kid).ok_or_else(refused)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        // Expiry is checked against the application's clock; the library would use the system's.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|_| refused())?.claims;
        if claims.typ != TOKEN_TYPE {
            return Err(refused());
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretBytes;

    #[test]
    fn a_remembered_token_ends_when_it_says_and_lets_no_other_in() {
        let key = |byte| JwtKey { kid: "k1".to_owned(), secret: SecretBytes::new(vec![byte; 32]) };
        let keys = TokenKeys::new(&[key(1)]);
        let now = DateTime::from_timestamp(1_773_190_800, 0).unwrap();
        let (user, session) = (UserId(uuid::Uuid::now_v7()), SessionId(uuid::Uuid::now_v7()));
        let token = keys.sign(user, session, now, Duration::seconds(2)).unwrap();
        assert_eq!(keys.verify(&token, now).unwrap().sid, session);
        assert_eq!(keys.verify(&token, now + Duration::seconds(1)).unwrap().sub, user);
        let code = |token: &str, at| keys.verify(token, at).unwrap_err().code().code;
        assert_eq!(
            code(&token, now + Duration::seconds(2)),
            "token_expired",
            "within the time of remembering"
        );
        let forged = TokenKeys::new(&[key(2)]).sign(user, session, now, Duration::seconds(60)).unwrap();
        assert_eq!(code(&forged, now), "unauthenticated");
        assert_eq!(code(&forged, now), "unauthenticated", "a refused token is not remembered");
    }
}
