//! How we prove who we are: `pwdHash = base64(MD5(GBK(password + randVal)))`, with a fresh random value in each call.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::GBK;
use md5::{Digest, Md5};
use rand::Rng;
use rand::distr::Alphanumeric;
use zeroize::Zeroizing;

/// Length of the random value, in characters (bytes).
pub const RANDOM_LENGTH: usize = 20;

/// A fresh random value: digits and letters.
pub fn random_value() -> String {
    rand::rng().sample_iter(Alphanumeric).take(RANDOM_LENGTH).map(char::from).collect()
}

/// The proof that goes with a random value.
pub fn hash(password: &str, random_value: &str) -> String {
    let text = Zeroizing::new(format!("{password}{random_value}"));
    let (bytes, _, _) = GBK.encode(&text);
    STANDARD.encode(Md5::digest(&bytes))
}

/// Whether every character can be written in GBK: another one would be hashed as something else.
pub fn is_writable(password: &str) -> bool {
    !GBK.encode(password).2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values come from Python:
    ///
    /// ```sh
    /// python3 -c 'import hashlib, base64
    /// for p, r in [("1234567890", "abcdefghij0123456789"), ("密码Pa55", "AbCdEfGhIjKlMnOpQrSt")]:
    ///     print(base64.b64encode(hashlib.md5((p + r).encode("gbk")).digest()).decode())'
    /// ```
    #[test]
    fn the_hash_is_that_of_another_implementation() {
        assert_eq!(hash("1234567890", "abcdefghij0123456789"), "QUMgJLPsboxIAO9m0EJ5+Q==");
        assert_eq!(hash("密码Pa55", "AbCdEfGhIjKlMnOpQrSt"), "qbdjoOZMY7bDmjzY349jeA==");
    }

    #[test]
    fn random_values_are_20_alphanumerics_and_differ() {
        let value = random_value();
        assert_eq!(value.len(), 20);
        assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(value, random_value());
    }

    #[test]
    fn a_password_outside_gbk_is_found() {
        assert!(is_writable("密码Pa55") && !is_writable("🔑"));
    }
}
