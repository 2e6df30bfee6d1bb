//! Secrets and signatures by the Standard Webhooks specification (standardwebhooks.com).

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::kernel::pii::{Sensitive, WebhookSecret};

const PREFIX: &str = "whsec_";

/// A new secret: `whsec_` and base64 of 256 random bits (the specification asks for 24 to 64 bytes).
pub fn new_secret() -> Sensitive<WebhookSecret> {
    Sensitive::new(format!("{PREFIX}{}", STANDARD.encode(rand::random::<[u8; 32]>())))
}

/// `v1,` and base64 of HMAC-SHA-256 over `id.timestamp.body`. None when the secret is not one of ours.
pub fn signature(secret: &Sensitive<WebhookSecret>, id: &str, timestamp: i64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.expose().strip_prefix(PREFIX)?).ok()?;
    let mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    let mac = mac.chain_update(format!("{id}.{timestamp}.")).chain_update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_specifications_libraries_holds() {
        // From the test suite of the published libraries (standard-webhooks on GitHub).
        let secret = Sensitive::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        assert_eq!(signature(&Sensitive::new("whsec_*"), "m", 0, ""), None);
    }

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (one, other) = (new_secret(), new_secret());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(STANDARD.decode(&one.expose()[6..]).map(|key| key.len()), Ok(32));
        assert_eq!(one.to_string(), "whsec_***");
    }
}
