//! Codes that reach a person once, by mail or SMS. They are computed from a row's id with the secret hash key: so a job can
//! make them again, and they stand in clear neither in the jobs table nor in any other.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::kernel::ids::UserId;
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

/// Bytes of the signature in an unsubscribe token: all it protects is a switch.
const MARK: usize = 16;

/// The token of a link that switches one kind of mail off for one user, without a log-in. It does not end: a mail may be
/// read after years. URL-safe.
pub fn unsubscribe_token(user: UserId, event_type: &str) -> String {
    let mut bytes = user.0.as_bytes().to_vec();
    bytes.extend(unsubscribe_mark(user, event_type));
    bytes.extend(event_type.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// User and type of event of a token that [`unsubscribe_token`] made; none for any other text.
pub fn read_unsubscribe_token(token: &str) -> Option<(UserId, String)> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (user, rest) = bytes.split_at_checked(16)?;
    let (mark, event_type) = rest.split_at_checked(MARK)?;
    let user = UserId(Uuid::from_slice(user).ok()?);
    let event_type = std::str::from_utf8(event_type).ok()?;
    bool::from(mark.ct_eq(&unsubscribe_mark(user, event_type))).then(|| (user, event_type.to_owned()))
}

fn unsubscribe_mark(user: UserId, event_type: &str) -> Vec<u8> {
    let mut mark = pii::keyed_hash("unsubscribe", &[&user.to_string(), event_type]);
    mark.truncate(MARK);
    mark
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

    #[test]
    fn an_unsubscribe_token_is_good_for_its_user_and_event_only() {
        pii::install_for_tests();
        let user = UserId(Uuid::from_u128(1));
        let token = unsubscribe_token(user, "filing.submitted");
        assert_eq!(read_unsubscribe_token(&token), Some((user, "filing.submitted".to_owned())));
        let mut bytes = URL_SAFE_NO_PAD.decode(&token).expect("base64");
        for index in 0..bytes.len() {
            bytes[index] ^= 1;
            assert_eq!(read_unsubscribe_token(&URL_SAFE_NO_PAD.encode(&bytes)), None, "byte {index}");
            bytes[index] ^= 1;
        }
        let other = unsubscribe_token(UserId(Uuid::from_u128(2)), "filing.submitted");
        let mixed = [&URL_SAFE_NO_PAD.decode(other).expect("base64")[..16], &bytes[16..]].concat();
        assert_eq!(read_unsubscribe_token(&URL_SAFE_NO_PAD.encode(mixed)), None);
        for bad in ["", "a", "from-the-mail", "====", &token[..30], &format!("{token}A")] {
            assert_eq!(read_unsubscribe_token(bad), None, "{bad}");
        }
    }
}
