//! Passwords: argon2id, at most two at a time, and the rule for new ones.

use std::{collections::HashSet, sync::LazyLock, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString, rand_core::OsRng},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;

/// Each hash takes 19 MiB and tens of milliseconds of one core: two at a time leave the machine usable under a flood.
static TURNS: Semaphore = Semaphore::const_new(2);
/// Longest wait for a turn before the request is refused with 503.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// A hash of these parameters that no password has: comparing with it costs an unknown login the same time as a known one.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Y2FsbWx5d2FpdGluZzEyMw$0Tq3XbSxGm5vQmVQeJ6oYb8o2l7wqf0m1m9h5w2nQkE";

/// OWASP's parameters for argon2id: 19 MiB, two passes, one lane.
fn argon2() -> ApiResult<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(ApiError::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The right to do one hash now. Whoever compares passwords holds it until the outcome is counted, so that a crowd of
/// guesses sent at once cannot slip past the count.
pub struct Turn {
    _permit: SemaphorePermit<'static>,
}

/// Waits for a turn.
///
/// # Errors
/// 503 after five seconds.
pub async fn turn() -> ApiResult<Turn> {
    match tokio::time::timeout(MAX_WAIT, TURNS.acquire()).await {
        Ok(permit) => permit.map(|_permit| Turn { _permit }).map_err(ApiError::internal),
        Err(_) => Err(ApiError::new(&codes::UNAVAILABLE).retry_after(2)),
    }
}

impl Turn {
    /// Whether `password` belongs to `hash`; without a hash (no such user, no usable password) no, after the same work.
    ///
    /// # Errors
    /// Internal, when the work could not be done.
    pub async fn verify(self, password: SecretString, hash: Option<String>) -> ApiResult<(bool, Self)> {
        tokio::task::spawn_blocking(move || {
            let argon2 = argon2()?;
            let known = hash.as_deref().and_then(|hash| PasswordHash::new(hash).ok());
            let is_known = known.is_some();
            let hash = match known {
                Some(hash) => hash,
                None => PasswordHash::new(DUMMY_HASH).map_err(ApiError::internal)?,
            };
            let matches = argon2.verify_password(password.expose_secret().as_bytes(), &hash).is_ok();
            Ok((matches && is_known, self))
        })
        .await
        .map_err(ApiError::internal)?
    }
}

/// Hashes a new password in its turn.
///
/// # Errors
/// 503 when too many wait.
pub async fn hash(password: SecretString) -> ApiResult<String> {
    let turn = turn().await?;
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        hash_blocking(password.expose_secret())
    })
    .await
    .map_err(ApiError::internal)?
}

/// Hashes a password on this thread; for the command line and the demo data.
///
/// # Errors
/// Internal, when hashing fails.
pub fn hash_blocking(password: &str) -> ApiResult<String> {
    let salt = SaltString::generate(&mut OsRng);
    Ok(argon2()?.hash_password(password.as_bytes(), &salt).map_err(ApiError::internal)?.to_string())
}

/// Stands for "no password yet": nothing matches it, and comparing takes the usual time.
pub fn unusable_hash() -> String {
    "!".to_owned()
}

/// Passwords of ten characters and more that stand at the top of published lists.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("data/common_passwords.txt").lines().collect());

/// The rule for a new password: 10 to 128 characters, not blank, not the login, not a well-known one.
///
/// # Errors
/// 422 at `pointer`, with what is wrong.
pub fn check_rule(pointer: &str, login: &str, password: &str) -> ApiResult<()> {
    let fault = |code, zh: &str, en: &str| Err(ApiError::invalid_field(pointer, code, zh, en));
    let lower = password.trim().to_lowercase();
    match password.chars().count() {
        0..10 => return fault("too_short", "密码至少 10 个字符", "must have at least 10 characters"),
        129.. => return fault("too_long", "密码最多 128 个字符", "must have at most 128 characters"),
        _ if lower.is_empty() => return fault("invalid_format", "密码不能只有空白", "must not be blank"),
        _ => {}
    }
    let login = login.to_lowercase();
    if lower == login || lower.chars().rev().collect::<String>() == login {
        return fault("password_is_login", "密码不能与用户名相同", "must not be the login");
    }
    let mut characters = lower.chars();
    let is_one_character = characters.next().is_some_and(|first| characters.all(|c| c == first));
    if is_one_character || COMMON.contains(lower.as_str()) {
        return fault("password_too_common", "此密码过于常见", "is too well known");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_is_long_and_not_well_known() {
        assert!(check_rule("/p", "zhang.san", "correct horse battery").is_ok());
        assert!(check_rule("/p", "zhang.san", "demo-password-2026").is_ok());
        for bad in ["short", "          ", "Password123", "xxxxxxxxxxxx", &"长".repeat(129)] {
            assert!(check_rule("/p", "zhang.san", bad).is_err(), "{bad:?}");
        }
        assert!(check_rule("/p", "zhangsan2026", "ZhangSan2026").is_err());
        assert!(check_rule("/p", "zhangsan2026", &"长".repeat(10)).is_err());
        assert!(check_rule("/p", "zhangsan2026", "一二三四五六七八九十").is_ok());
    }

    #[test]
    fn the_dummy_costs_as_much_as_a_real_hash() {
        let real = hash_blocking("a real password").expect("hashes");
        let (real, dummy) =
            (PasswordHash::new(&real).expect("valid"), PasswordHash::new(DUMMY_HASH).expect("valid"));
        assert_eq!(real.params.to_string(), dummy.params.to_string());
        assert_eq!(real.hash.map(|hash| hash.len()), dummy.hash.map(|hash| hash.len()));
    }

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let hash = hash_blocking("correct horse battery").expect("hashes");
        let turn = turn().await.expect("a turn");
        let (right, turn) =
            turn.verify("correct horse battery".into(), Some(hash.clone())).await.expect("verified");
        let (wrong, turn) = turn.verify("correct horse".into(), Some(hash)).await.expect("verified");
        let (unusable, turn) = turn.verify("!".into(), Some(unusable_hash())).await.expect("verified");
        let (unknown, _) = turn.verify("".into(), None).await.expect("verified");
        assert_eq!((right, wrong, unusable, unknown), (true, false, false, false));
    }
}
