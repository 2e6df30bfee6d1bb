//! Personal data: clear in memory, sealed in the database, masked everywhere else.
//!
//! [`Sensitive`] makes the safe thing the default: `Debug`, `Display` and `Serialize` show the mask, the database
//! sees a sealed value, and only a call of [`Sensitive::expose`] (or [`Clear`], inside this crate) gives the clear
//! text. Sealed layout: `32 bytes HMAC-SHA256 | 1 byte key number | 12 bytes nonce | AES-256-GCM text and tag`.
//! The hash in front lets the database compare values without a key; it is also checked when a value is opened.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;

use aes_gcm::aead::{Aead, AeadCore, OsRng, Payload};
use aes_gcm::{Aes256Gcm, Key, KeyInit, Nonce};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Binary;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Sha256;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use zeroize::{Zeroize, Zeroizing};

const HASH_LEN: usize = 32;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// What a piece of personal data is: decides its mask and how it is compared.
pub trait Kind: Send + Sync + 'static {
    /// Stable name; part of every sealed value, so it can never change.
    const NAME: &'static str;

    /// The form in which two values count as the same (used for the keyed hash only).
    fn normalise(clear: &str) -> Zeroizing<String>;

    /// What may be shown; always contains `*`.
    fn mask(clear: &str) -> String;
}

/// Number of a person's or an organisation's certificate: `110***********002X`.
pub enum CertificateNumber {}
/// Mobile or fixed phone: `138****8000`.
pub enum Phone {}
/// E-mail address: `z***@example.com`.
pub enum Email {}
/// Postal address: the first six characters and `***`.
pub enum Address {}
/// Name of the recipient of a parcel: `张*`.
pub enum PersonName {}
/// Secret that signs webhooks: not personal, and sealed all the same; shows nothing but `whsec_***`.
pub enum WebhookSecret {}
/// A request that waits for its job, as JSON: shows nothing.
pub enum StoredRequest {}

impl Kind for CertificateNumber {
    const NAME: &'static str = "certificate_number";
    fn normalise(clear: &str) -> Zeroizing<String> {
        Zeroizing::new(clear.trim().to_uppercase())
    }
    fn mask(clear: &str) -> String {
        match clear.chars().count() {
            0..=5 => "***".into(),
            6..=11 => keep_ends(clear, 1, 1),
            _ => keep_ends(clear, 3, 4),
        }
    }
}

impl Kind for Phone {
    const NAME: &'static str = "phone";
    /// Digits only, without the country code, so that `+86 138-0013-8000` equals `13800138000`.
    fn normalise(clear: &str) -> Zeroizing<String> {
        let text = clear.trim();
        let text = text.strip_prefix("+86").or_else(|| text.strip_prefix("0086")).unwrap_or(text);
        Zeroizing::new(text.chars().filter(char::is_ascii_digit).collect())
    }
    fn mask(clear: &str) -> String {
        match clear.chars().count() {
            0..=6 => "****".into(),
            7..=10 => keep_ends(clear, 1, 2),
            _ => keep_ends(clear, 3, 4),
        }
    }
}

impl Kind for Email {
    const NAME: &'static str = "email";
    fn normalise(clear: &str) -> Zeroizing<String> {
        Zeroizing::new(clear.trim().to_lowercase())
    }
    fn mask(clear: &str) -> String {
        match clear.rsplit_once('@') {
            Some((user, domain)) if user.chars().count() > 1 => {
                format!("{}***@{domain}", user.chars().take(1).collect::<String>())
            }
            Some((_, domain)) => format!("***@{domain}"),
            None => "***".into(),
        }
    }
}

impl Kind for Address {
    const NAME: &'static str = "address";
    fn normalise(clear: &str) -> Zeroizing<String> {
        Zeroizing::new(clear.split_whitespace().collect())
    }
    fn mask(clear: &str) -> String {
        // A short address must not be shown whole.
        let shown = clear.chars().count().saturating_sub(4).min(6);
        format!("{}***", clear.chars().take(shown).collect::<String>())
    }
}

impl Kind for WebhookSecret {
    const NAME: &'static str = "webhook_secret";
    fn normalise(clear: &str) -> Zeroizing<String> {
        Zeroizing::new(clear.to_owned())
    }
    fn mask(_: &str) -> String {
        "whsec_***".into()
    }
}

impl Kind for StoredRequest {
    const NAME: &'static str = "stored_request";
    fn normalise(clear: &str) -> Zeroizing<String> {
        Zeroizing::new(clear.to_owned())
    }
    fn mask(_: &str) -> String {
        "***".into()
    }
}

impl Kind for PersonName {
    const NAME: &'static str = "person_name";
    fn normalise(clear: &str) -> Zeroizing<String> {
        Zeroizing::new(clear.trim().to_owned())
    }
    fn mask(clear: &str) -> String {
        match clear.chars().count() {
            0 | 1 => "*".into(),
            n => keep_ends(clear, 1, 0).chars().take(n.min(4)).collect(),
        }
    }
}

/// Keeps the first and last characters and puts one `*` for each other one.
fn keep_ends(clear: &str, first: usize, last: usize) -> String {
    let total = clear.chars().count();
    clear.chars().enumerate().map(|(i, c)| if i < first || i + last >= total { c } else { '*' }).collect()
}

/// Personal data in clear in memory. Everything that prints it prints the mask.
#[derive(AsExpression, FromSqlRow)]
#[diesel(sql_type = Binary)]
pub struct Sensitive<K: Kind> {
    clear: Zeroizing<String>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Sensitive<K> {
    /// Takes clear text as it was typed.
    pub fn new(clear: impl Into<String>) -> Self {
        Self { clear: Zeroizing::new(clear.into()), kind: PhantomData }
    }

    /// The clear text. Each caller is a place to review: it must not reach a log, a reply or a job.
    pub fn expose(&self) -> &str {
        &self.clear
    }

    /// What may be shown.
    pub fn mask(&self) -> String {
        K::mask(&self.clear)
    }

    /// The 32 bytes that stand in front of the sealed value, for look-ups by a `*_hash` column.
    pub fn lookup_hash(&self) -> Result<Vec<u8>, PiiError> {
        Ok(keyring()?.hash::<K>(&self.clear).to_vec())
    }

    /// True when both mean the same value, however they were typed (case, spaces, country code).
    pub fn is_same_as(&self, other: &Self) -> bool {
        K::normalise(&self.clear) == K::normalise(&other.clear)
    }
}

impl<K: Kind> Clone for Sensitive<K> {
    fn clone(&self) -> Self {
        Self { clear: self.clear.clone(), kind: PhantomData }
    }
}

impl<K: Kind> PartialEq for Sensitive<K> {
    fn eq(&self, other: &Self) -> bool {
        *self.clear == *other.clear
    }
}

impl<K: Kind> Eq for Sensitive<K> {}

impl<K: Kind> fmt::Debug for Sensitive<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> fmt::Display for Sensitive<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mask())
    }
}

thread_local! {
    /// True only while [`Clear::of`] runs on this thread.
    static SHOW_CLEAR: Cell<bool> = const { Cell::new(false) };
}

impl<K: Kind> Serialize for Sensitive<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if SHOW_CLEAR.get() {
            return serializer.serialize_str(&self.clear);
        }
        serializer.serialize_str(&self.mask())
    }
}

impl<'de, K: Kind> Deserialize<'de> for Sensitive<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let clear = Zeroizing::new(String::deserialize(deserializer)?);
        if clear.contains('*') {
            return Err(de::Error::custom(
                "masked_value: send the clear value, or leave the field out to keep it",
            ));
        }
        Ok(Self { clear, kind: PhantomData })
    }
}

impl<K: Kind> PartialSchema for Sensitive<K> {
    fn schema() -> RefOr<Schema> {
        let object: Object = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Clear text in requests, masked in replies."))
            .build();
        RefOr::T(Schema::Object(object))
    }
}

impl<K: Kind> ToSchema for Sensitive<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        "SensitiveText".into()
    }
}

/// A clear JSON form of a value that holds personal data, for work inside this crate: merging a patch, comparing
/// two versions, the bureau's package. It cannot be printed or serialised, and is wiped when dropped.
pub(crate) struct Clear(serde_json::Value);

impl Clear {
    /// Serialises `value` with its personal data in clear.
    pub(crate) fn of<T: Serialize>(value: &T) -> Result<Self, serde_json::Error> {
        struct Reset(bool);
        impl Drop for Reset {
            fn drop(&mut self) {
                SHOW_CLEAR.set(self.0);
            }
        }
        // Reset by a guard, so that a panic inside a Serialize cannot leave the thread talkative.
        let _reset = Reset(SHOW_CLEAR.replace(true));
        serde_json::to_value(value).map(Clear)
    }

    /// Takes charge of a JSON value that holds personal data, so that it is wiped when dropped.
    pub(crate) fn from_value(value: serde_json::Value) -> Self {
        Self(value)
    }

    /// The value itself; the caller must not let it out.
    pub(crate) fn expose(&self) -> &serde_json::Value {
        &self.0
    }

    /// The value itself, to change it.
    pub(crate) fn expose_mut(&mut self) -> &mut serde_json::Value {
        &mut self.0
    }
}

impl Drop for Clear {
    fn drop(&mut self) {
        fn wipe(value: &mut serde_json::Value) {
            match value {
                serde_json::Value::String(text) => text.zeroize(),
                serde_json::Value::Array(items) => items.iter_mut().for_each(wipe),
                serde_json::Value::Object(members) => members.values_mut().for_each(wipe),
                _ => {}
            }
        }
        wipe(&mut self.0);
    }
}

/// Why a value could not be sealed or opened, or keys could not be installed. Never names the value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PiiError {
    /// Nobody called [`install`].
    #[error("no keys for personal data are installed")]
    NoKeys,
    /// The process already has other keys.
    #[error("other keys for personal data are already installed")]
    AlreadyInstalled,
    /// The text of the keys cannot be understood.
    #[error("keys for personal data: {0}")]
    BadKeys(String),
    /// A sealed value names a key that the keyring does not hold.
    #[error("personal data is sealed with key {0}, which is not installed")]
    UnknownKey(u8),
    /// A sealed value is cut off, was altered, or belongs to another kind of data.
    #[error("sealed personal data is damaged")]
    Damaged,
}

/// The keys: one for hashes (it can never be replaced while data exists) and numbered ones for sealing.
/// The first seals; all open, so that a new key is put in front and the old one kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyring {
    hash_key: Zeroizing<[u8; 32]>,
    seal_keys: Vec<(u8, Zeroizing<[u8; 32]>)>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<u8> = self.seal_keys.iter().map(|(number, _)| *number).collect();
        write!(f, "Keyring(keys {numbers:?})")
    }
}

impl Keyring {
    /// `seal_keys` are numbered; the first one seals. Errors: no key, or a number twice.
    pub fn new(hash_key: [u8; 32], seal_keys: Vec<(u8, [u8; 32])>) -> Result<Self, PiiError> {
        if seal_keys.is_empty() {
            return Err(PiiError::BadKeys("at least one numbered key is needed".into()));
        }
        for (i, (number, _)) in seal_keys.iter().enumerate() {
            if seal_keys[..i].iter().any(|(other, _)| other == number) {
                return Err(PiiError::BadKeys(format!("key number {number} appears twice")));
            }
        }
        let seal_keys = seal_keys.into_iter().map(|(number, key)| (number, Zeroizing::new(key))).collect();
        Ok(Self { hash_key: Zeroizing::new(hash_key), seal_keys })
    }

    fn mac(&self) -> Hmac<Sha256> {
        // HMAC takes keys of any length; the error type is for other algorithms.
        <Hmac<Sha256> as Mac>::new_from_slice(&*self.hash_key).expect("HMAC accepts every key length")
    }

    fn hash<K: Kind>(&self, clear: &str) -> [u8; HASH_LEN] {
        let mac =
            self.mac().chain_update(K::NAME).chain_update([0]).chain_update(K::normalise(clear).as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Seals clear text; each call gives other bytes, with the same 32 in front.
    pub fn seal<K: Kind>(&self, clear: &str) -> Result<Vec<u8>, PiiError> {
        let (number, key) = self.seal_keys.first().ok_or(PiiError::NoKeys)?;
        let nonce = Aes256Gcm::generate_nonce(&mut OsRng);
        let payload = Payload { msg: clear.as_bytes(), aad: K::NAME.as_bytes() };
        let sealed = cipher(key).encrypt(&nonce, payload).map_err(|_| PiiError::Damaged)?;
        let mut out = Vec::with_capacity(HASH_LEN + 1 + NONCE_LEN + sealed.len());
        out.extend_from_slice(&self.hash::<K>(clear));
        out.push(*number);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens a sealed value and checks every part of it, the hash in front included.
    pub fn open<K: Kind>(&self, bytes: &[u8]) -> Result<Sensitive<K>, PiiError> {
        if bytes.len() < HASH_LEN + 1 + NONCE_LEN + TAG_LEN {
            return Err(PiiError::Damaged);
        }
        let (hash, rest) = bytes.split_at(HASH_LEN);
        let (number, rest) = (rest[0], &rest[1..]);
        let (nonce, sealed) = rest.split_at(NONCE_LEN);
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| PiiError::Damaged)?;
        let nonce = Nonce::from(nonce);
        let (_, key) =
            self.seal_keys.iter().find(|(n, _)| *n == number).ok_or(PiiError::UnknownKey(number))?;
        let payload = Payload { msg: sealed, aad: K::NAME.as_bytes() };
        let clear = cipher(key).decrypt(&nonce, payload).map_err(|_| PiiError::Damaged)?;
        let clear = String::from_utf8(clear).map_err(|fault| {
            fault.into_bytes().zeroize();
            PiiError::Damaged
        })?;
        let value = Sensitive::<K>::new(clear);
        if !bool::from(subtle::ConstantTimeEq::ct_eq(hash, &self.hash::<K>(&value.clear)[..])) {
            return Err(PiiError::Damaged);
        }
        Ok(value)
    }
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
}

static KEYRING: OnceLock<Keyring> = OnceLock::new();

/// Installs the process's keys, once. The same keys again are fine; others are an error, since values sealed
/// before would be lost.
pub fn install(keyring: Keyring) -> Result<(), PiiError> {
    if *KEYRING.get_or_init(|| keyring.clone()) == keyring { Ok(()) } else { Err(PiiError::AlreadyInstalled) }
}

pub(crate) fn keyring() -> Result<&'static Keyring, PiiError> {
    KEYRING.get().ok_or(PiiError::NoKeys)
}

/// Keyed hash of several texts, for comparing people and contacts without storing them. `domain` keeps the uses
/// apart; each part is preceded by its length, so that ("ab", "c") differs from ("a", "bc"). 32 bytes.
///
/// # Panics
/// When no keys are installed: the program starts with [`install`], so that is a fault of the program.
pub fn keyed_hash(domain: &str, parts: &[&str]) -> Vec<u8> {
    let ring = keyring().expect("pii::install runs before any hash is made");
    // The byte 1 keeps these apart from the hashes of sealed values, which have 0 there.
    let mut mac = ring.mac().chain_update(domain).chain_update([1]);
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

impl<K: Kind> ToSql<Binary, Pg> for Sensitive<K> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let sealed = keyring()?.seal::<K>(&self.clear)?;
        std::io::Write::write_all(out, &sealed)?;
        Ok(serialize::IsNull::No)
    }
}

impl<K: Kind> FromSql<Binary, Pg> for Sensitive<K> {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(keyring()?.open(bytes.as_bytes())?)
    }
}

/// Keys for unit tests: the same for all of them, since they share one process.
#[cfg(test)]
pub(crate) fn install_for_tests() {
    let keyring = Keyring::new([7; 32], vec![(1, [8; 32])]).expect("valid keys");
    install(keyring).expect("tests share one keyring");
}

#[cfg(test)]
#[path = "pii_tests.rs"]
mod tests;
