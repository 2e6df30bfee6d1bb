//! Keys: how they are written in the environment, and how they are held in memory.

use std::fmt;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Key bytes that are wiped when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes ownership of key bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        SecretBytes(Zeroizing::new(bytes))
    }

    /// The bytes; call it only where the key is used.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

/// A key that signs access tokens (HS256), at least 32 bytes.
#[derive(Debug, Clone)]
pub struct JwtKey {
    /// Stands as `kid` in a token's header, so that keys can be rotated.
    pub kid: String,
    pub secret: SecretBytes,
}

/// A key that encrypts personal data (AES-256-GCM), exactly 32 bytes.
#[derive(Debug, Clone)]
pub struct PiiKey {
    /// Stands in front of each cipher text, so that keys can be rotated. 1 to 255.
    pub number: u8,
    pub key: SecretBytes,
}

/// All keys that the program works with.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The first one signs, all verify. Never empty.
    pub jwt_keys: Vec<JwtKey>,
    /// The first one encrypts, all decrypt. Never empty.
    pub pii_keys: Vec<PiiKey>,
    /// Key of the hashes that stand beside cipher texts where equality is needed. It cannot be rotated
    /// without computing every hash anew.
    pub pii_hash_key: SecretBytes,
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One base64 key (standard or URL alphabet, padded or not) whose length lies in `length` bytes.
pub fn parse_key(text: &str, length: RangeInclusive<usize>) -> Result<SecretBytes, String> {
    let expected = || {
        let (least, most) = (length.start(), length.end());
        if least == most {
            format!("base64 of exactly {least} bytes is expected (openssl rand -base64 {least})")
        } else {
            format!("base64 of at least {least} bytes is expected (openssl rand -base64 {least})")
        }
    };
    let standard = Zeroizing::new(text.trim().replace('-', "+").replace('_', "/"));
    let bytes = LENIENT.decode(standard.as_bytes()).map_err(|_| expected())?;
    if !length.contains(&bytes.len()) {
        return Err(expected());
    }
    Ok(SecretBytes::new(bytes))
}

/// `kid:base64,kid2:base64`
pub fn parse_jwt_keys(text: &str) -> Result<Vec<JwtKey>, String> {
    let mut keys: Vec<JwtKey> = Vec::new();
    for item in text.split(',').map(str::trim) {
        let (kid, key) = item.split_once(':').ok_or("kid:base64,kid2:base64 is expected")?;
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if kid.is_empty() || kid.len() > 64 || !kid.chars().all(good) {
            return Err("a kid is 1 to 64 letters, digits, '-', '_' or '.'".into());
        }
        if keys.iter().any(|known| known.kid == kid) {
            return Err(format!("the kid {kid} stands there twice"));
        }
        let secret = parse_key(key, 32..=1024).map_err(|fault| format!("key {kid}: {fault}"))?;
        keys.push(JwtKey { kid: kid.to_owned(), secret });
    }
    Ok(keys)
}

/// `1:base64,2:base64`
pub fn parse_pii_keys(text: &str) -> Result<Vec<PiiKey>, String> {
    let mut keys: Vec<PiiKey> = Vec::new();
    for item in text.split(',').map(str::trim) {
        let (number, key) = item.split_once(':').ok_or("1:base64,2:base64 is expected")?;
        let number = match number.parse::<u8>() {
            Ok(number @ 1..) => number,
            _ => return Err("a key's number is 1 to 255".into()),
        };
        if keys.iter().any(|known| known.number == number) {
            return Err(format!("the number {number} stands there twice"));
        }
        let key = parse_key(key, 32..=32).map_err(|fault| format!("key {number}: {fault}"))?;
        keys.push(PiiKey { number, key });
    }
    Ok(keys)
}
