//! The wrapping of a file: XML in GBK → zip → base64(MD5(zip)) as its hash → AES-CBC with PKCS5 padding where a key is agreed →
//! base64. The way back checks the hash before anything is unpacked.

use std::io::{Cursor, Read, Write};

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use aes::{Aes128, Aes192, Aes256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{Encoding, GBK};
use md5::{Digest, Md5};
use zip::write::SimpleFileOptions;

use crate::config::SecretBytes;

/// Largest XML file, in bytes (the interface's limit).
pub const MAX_BYTES: usize = 50 * 1024 * 1024;
/// Most records of a file (the interface's limit). We send one filing in each file.
pub const MAX_RECORDS: usize = 1000;
/// Name of the XML inside the zip: the interface allows letters and digits.
const ENTRY: &str = "beianinfo.xml";

/// The key agreed with the bureau. Lengths were checked with the settings: key 16, 24 or 32 bytes, offset 16.
#[derive(Clone, Debug)]
pub struct AesKey {
    /// The key.
    pub key: SecretBytes,
    /// 密钥偏移量, the initial vector.
    pub iv: SecretBytes,
}

/// A wrapped file.
#[derive(Debug, PartialEq, Eq)]
pub struct Sealed {
    /// `beianInfo`.
    pub info: String,
    /// `beianInfoHash`.
    pub hash: String,
}

/// Why a file cannot be wrapped or unwrapped. Never says what stands in it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// Larger than the interface takes.
    #[error("the file is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not what the hash says: altered or cut off on its way.
    #[error("the hash does not fit the file")]
    Hash,
    /// Encrypted, and no key is set; or with a key of another length.
    #[error("the file is encrypted with a key that is not set")]
    NoKey,
    /// An algorithm that the interface does not name.
    #[error("unknown algorithm: {0}")]
    Algorithm(String),
    /// Not base64, not decipherable, not a zip, or not in its encoding.
    #[error("the file cannot be read: {0}")]
    Unreadable(&'static str),
}

/// Wraps an XML document that says `encoding="GBK"`. What GBK cannot write becomes a character reference.
///
/// # Errors
/// When it is too large.
pub fn seal(xml: &str, key: Option<&AesKey>) -> Result<Sealed, EnvelopeError> {
    let (bytes, _, _) = GBK.encode(xml);
    if bytes.len() > MAX_BYTES {
        return Err(EnvelopeError::TooLarge);
    }
    let zip = zip(&bytes).map_err(|_| EnvelopeError::Unreadable("zip"))?;
    seal_zip(&zip, key)
}

fn seal_zip(zip: &[u8], key: Option<&AesKey>) -> Result<Sealed, EnvelopeError> {
    let hash = STANDARD.encode(Md5::digest(zip));
    let info = match key {
        None => STANDARD.encode(zip),
        Some(key) => STANDARD.encode(encrypt(zip, key)?),
    };
    Ok(Sealed { info, hash })
}

/// What the bureau says about the wrapping of its file.
#[derive(Debug, Default)]
pub struct Labels {
    /// `encryptAlgorithm`: 0 none, 1 AES.
    pub encrypt: String,
    /// `hashAlgorithm`: 0 MD5.
    pub hash: String,
    /// `compressionFormat`: 0 zip.
    pub compression: String,
}

/// Unwraps a file of the bureau and checks its hash.
///
/// # Errors
/// When anything does not fit.
pub fn open(sealed: &Sealed, labels: &Labels, key: Option<&AesKey>) -> Result<String, EnvelopeError> {
    for (name, value) in [("hashAlgorithm", &labels.hash), ("compressionFormat", &labels.compression)] {
        if value.trim() != "0" {
            return Err(EnvelopeError::Algorithm(format!("{name} {value}")));
        }
    }
    let compact = |text: &str| text.split_whitespace().collect::<String>();
    let bytes = STANDARD.decode(compact(&sealed.info)).map_err(|_| EnvelopeError::Unreadable("base64"))?;
    let zip = match labels.encrypt.trim() {
        "0" => bytes,
        "1" => decrypt(bytes, key.ok_or(EnvelopeError::NoKey)?)?,
        other => return Err(EnvelopeError::Algorithm(format!("encryptAlgorithm {other}"))),
    };
    if compact(&sealed.hash) != STANDARD.encode(Md5::digest(&zip)) {
        return Err(EnvelopeError::Hash);
    }
    decode(unzip(&zip)?)
}

fn zip(bytes: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // A fixed time, so that the same content gives the same bytes.
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    writer.start_file(ENTRY, options)?;
    writer.write_all(bytes)?;
    Ok(writer.finish()?.into_inner())
}

/// The first file of the zip; a zip that unpacks to more than the interface's limit is refused, whatever it claims.
fn unzip(zip: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let unreadable = |_| EnvelopeError::Unreadable("zip");
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).map_err(unreadable)?;
    let entry = archive.by_index(0).map_err(unreadable)?;
    let mut bytes = Vec::new();
    entry.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|_| EnvelopeError::Unreadable("zip"))?;
    if bytes.len() > MAX_BYTES { Err(EnvelopeError::TooLarge) } else { Ok(bytes) }
}

/// By the encoding that the XML names; GBK when it names none.
fn decode(bytes: Vec<u8>) -> Result<String, EnvelopeError> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let label = start.split("encoding=").nth(1).and_then(|rest| {
        let quote = rest.chars().next()?;
        rest[1..].split(quote).next().map(str::to_owned)
    });
    let encoding = label.and_then(|label| Encoding::for_label(label.as_bytes())).unwrap_or(GBK);
    let (text, _, is_broken) = encoding.decode(&bytes);
    if is_broken { Err(EnvelopeError::Unreadable("encoding")) } else { Ok(text.into_owned()) }
}

fn encrypt(plain: &[u8], key: &AesKey) -> Result<Vec<u8>, EnvelopeError> {
    let (secret, iv) = (key.key.expose(), key.iv.expose());
    let no_key = |_| EnvelopeError::NoKey;
    Ok(match secret.len() {
        16 => cbc::Encryptor::<Aes128>::new_from_slices(secret, iv)
            .map_err(no_key)?
            .encrypt_padded_vec_mut::<Pkcs7>(plain),
        24 => cbc::Encryptor::<Aes192>::new_from_slices(secret, iv)
            .map_err(no_key)?
            .encrypt_padded_vec_mut::<Pkcs7>(plain),
        _ => cbc::Encryptor::<Aes256>::new_from_slices(secret, iv)
            .map_err(no_key)?
            .encrypt_padded_vec_mut::<Pkcs7>(plain),
    })
}

fn decrypt(bytes: Vec<u8>, key: &AesKey) -> Result<Vec<u8>, EnvelopeError> {
    let (secret, iv) = (key.key.expose(), key.iv.expose());
    let no_key = |_| EnvelopeError::NoKey;
    let plain = match secret.len() {
        16 => cbc::Decryptor::<Aes128>::new_from_slices(secret, iv)
            .map_err(no_key)?
            .decrypt_padded_vec_mut::<Pkcs7>(&bytes),
        24 => cbc::Decryptor::<Aes192>::new_from_slices(secret, iv)
            .map_err(no_key)?
            .decrypt_padded_vec_mut::<Pkcs7>(&bytes),
        _ => cbc::Decryptor::<Aes256>::new_from_slices(secret, iv)
            .map_err(no_key)?
            .decrypt_padded_vec_mut::<Pkcs7>(&bytes),
    };
    plain.map_err(|_| EnvelopeError::Unreadable("AES"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> AesKey {
        AesKey {
            key: SecretBytes::new(secret.as_bytes().to_vec()),
            iv: SecretBytes::new(b"0102030405060708".to_vec()),
        }
    }

    /// The expected values come from OpenSSL:
    ///
    /// ```sh
    /// printf 'the bytes of a zip' >z
    /// openssl md5 -binary z | base64
    /// for k in 0123456789abcdef 0123456789abcdef01234567 0123456789abcdef0123456789abcdef; do
    ///   openssl enc -aes-$((${#k} * 8))-cbc -K $(printf $k | xxd -p -c 99) \
    ///     -iv $(printf 0102030405060708 | xxd -p) -in z | base64 -w0; echo
    /// done
    /// ```
    #[test]
    fn hash_and_cipher_are_those_of_another_implementation() {
        let bytes = b"the bytes of a zip";
        let plain = seal_zip(bytes, None).unwrap();
        assert_eq!(
            (plain.hash.as_str(), plain.info.as_str()),
            ("mVYPFu9OhPmMgzLFYXwTiA==", "dGhlIGJ5dGVzIG9mIGEgemlw")
        );
        for (secret, expected) in [
            ("0123456789abcdef", "5ZbnYkTH3HwC3uWl4JQNk+3Qi4gVqjI3Ad6V3fx9dG0="),
            ("0123456789abcdef01234567", "3tC+KIhPuS2CcDdcgpZtYFp1/5FOBb+cZaRA3lUY5a8="),
            ("0123456789abcdef0123456789abcdef", "YQNn05Je2785Fz8YgXGA0yftzdfnprz0m42Gq54dNf0="),
        ] {
            let sealed = seal_zip(bytes, Some(&key(secret))).unwrap();
            assert_eq!((sealed.hash.as_str(), sealed.info.as_str()), ("mVYPFu9OhPmMgzLFYXwTiA==", expected));
        }
    }

    /// Made by another implementation (zip, GBK and AES by Python's `zipfile` and `cryptography`):
    ///
    /// ```sh
    /// python3 - <<'PY'
    /// import base64, hashlib, io, zipfile
    /// from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    /// from cryptography.hazmat.primitives.padding import PKCS7
    /// xml = '<?xml version="1.0" encoding="GBK"?><r>网站备案</r>'.encode("gbk")
    /// out = io.BytesIO()
    /// with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
    ///     z.writestr(zipfile.ZipInfo("a.xml"), xml)
    /// data = out.getvalue()
    /// pad = PKCS7(128).padder()
    /// enc = Cipher(algorithms.AES(b"0123456789abcdef"), modes.CBC(b"0102030405060708")).encryptor()
    /// print(base64.b64encode(hashlib.md5(data).digest()).decode())
    /// print(base64.b64encode(enc.update(pad.update(data) + pad.finalize()) + enc.finalize()).decode())
    /// PY
    /// ```
    const FOREIGN: (&str, &str) = (
        "sdEBg4r1Je0vT5eO/E2Qfw==",
        "Co3fGubYOM+bwG9prkRvpG8vVWLmIAX0cjOtoLtEmURVbmDZXbu7SmKG2fGiIFGGrEza4d7YhT9F5vt4YUD3POwKG37+TR/AT6l7I3z0MAIGokLtcvVgw2VbooownJK59WVrAyt6MW+RyyPi3Z9uhPBooXp+LslWhNqV1l7yM8S1AE2sHmc3as44bV60shP5xjnPY8cA9sKRCk2sq51FMA==",
    );

    fn labels(encrypt: &str) -> Labels {
        Labels { encrypt: encrypt.into(), hash: "0".into(), compression: "0".into() }
    }

    #[test]
    fn a_file_of_another_implementation_is_opened_and_a_wrong_one_is_told() {
        let sealed = |info: &str, hash: &str| Sealed { info: info.to_owned(), hash: hash.to_owned() };
        let key = key("0123456789abcdef");
        let good = sealed(FOREIGN.1, FOREIGN.0);
        let text = open(&good, &labels("1"), Some(&key)).unwrap();
        assert_eq!(text, "<?xml version=\"1.0\" encoding=\"GBK\"?><r>网站备案</r>");
        assert_eq!(open(&good, &labels("1"), None), Err(EnvelopeError::NoKey));
        assert_eq!(
            open(&good, &labels("2"), None),
            Err(EnvelopeError::Algorithm("encryptAlgorithm 2".into()))
        );
        let wrong = sealed(FOREIGN.1, "QUMgJLPsboxIAO9m0EJ5+Q==");
        assert_eq!(open(&wrong, &labels("1"), Some(&key)), Err(EnvelopeError::Hash));
        let cut = sealed(&FOREIGN.1[..40], FOREIGN.0);
        assert_eq!(open(&cut, &labels("1"), Some(&key)), Err(EnvelopeError::Unreadable("AES")));
    }

    #[test]
    fn what_is_sealed_can_be_opened_and_what_gbk_cannot_write_is_kept() {
        let xml = "<?xml version=\"1.0\" encoding=\"GBK\"?><r>云上花店 𠮷</r>";
        for secret in [None, Some(key("0123456789abcdef"))] {
            let sealed = seal(xml, secret.as_ref()).unwrap();
            assert_eq!(sealed, seal(xml, secret.as_ref()).unwrap(), "the same content gives the same bytes");
            let label = if secret.is_some() { "1" } else { "0" };
            let text = open(&sealed, &labels(label), secret.as_ref()).unwrap();
            assert_eq!(text, xml.replace('𠮷', "&#134071;"));
        }
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        assert_eq!(seal(&"x".repeat(MAX_BYTES + 1), None), Err(EnvelopeError::TooLarge));
        let bomb = zip(&vec![b'x'; MAX_BYTES + 1]).unwrap();
        assert_eq!(unzip(&bomb), Err(EnvelopeError::TooLarge));
    }
}
