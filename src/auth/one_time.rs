//! Codes that reach a person once, by mail or SMS. They are computed from a row's id with the secret hash key: so a job can
//! make them again, and they stand in clear neither in the jobs table nor in any other.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::kernel::pii;

/// The token in the link of a password-reset mail: 43 characters, URL-safe.
pub fn password_reset_token(reset_id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(pii::keyed_hash("password_reset", &[&reset_id.to_string()]))
}

/// The six digits that prove that somebody reads a new e-mail address or mobile.
pub fn contact_code(verification_id: Uuid) -> String {
    let hash = pii::keyed_hash("contact_code", &[&verification_id.to_string()]);
    let number = hash.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{:06}", number % 1_000_000)
}

/// What the tables keep of a long random token. It needs no slow hash: 256 random bits cannot be guessed.
pub(super) fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_belong_to_their_row_and_to_their_purpose() {
        pii::install_for_tests();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(password_reset_token(one), password_reset_token(one));
        assert_ne!(password_reset_token(one), password_reset_token(other));
        assert_eq!(password_reset_token(one).len(), 43);
        assert_eq!(contact_code(one).len(), 6);
        assert!(contact_code(one).bytes().all(|byte| byte.is_ascii_digit()));
        assert_ne!(contact_code(one), contact_code(other));
    }
}
