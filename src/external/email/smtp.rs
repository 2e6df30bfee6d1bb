//! The SMTP client.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;

use super::{Mail, Mailer, compose};
use crate::external::DeliveryError;

/// Limit for connecting and for each command.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Limit for a whole mail; below the lease of a job.
const WHOLE: Duration = Duration::from_secs(50);
/// Connections kept open; jobs run one by one in each worker.
const POOL_SIZE: u32 = 4;
/// Servers close idle connections after some minutes; ours goes first.
const IDLE: Duration = Duration::from_secs(30);

/// Sends by SMTP over a few kept connections.
pub struct SmtpMailer {
    from: Mailbox,
    builder: AsyncSmtpTransportBuilder,
    /// Made with the first mail: the pool starts a task, so it needs the runtime of the worker that sends.
    transport: OnceLock<(AsyncSmtpTransport<Tokio1Executor>, Handle)>,
}

impl SmtpMailer {
    /// A client for `smtp://[user:password@]host[:port][?tls=required|opportunistic]` or `smtps://…`.
    ///
    /// # Errors
    /// When the URL or the sender's address cannot be used. The message never repeats the URL.
    pub fn new(url: &SecretString, from: &str) -> anyhow::Result<Self> {
        let url = with_encryption(url.expose_secret());
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url)
            .map_err(|_| anyhow::anyhow!("SMTP_URL: cannot be used; see .env.example for its form"))?
            .timeout(Some(TIMEOUT))
            .pool_config(PoolConfig::new().min_idle(0).max_size(POOL_SIZE).idle_timeout(IDLE));
        Ok(Self { from: compose::sender(from)?, builder, transport: OnceLock::new() })
    }
}

impl Drop for SmtpMailer {
    /// The pool closes its connections in a task, which would panic outside a runtime: the application is dropped
    /// after its servers and worker have ended.
    fn drop(&mut self) {
        if let Some((transport, runtime)) = self.transport.take() {
            let _inside = runtime.enter();
            drop(transport);
        }
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), DeliveryError> {
        let message = compose::message(mail, &self.from)?;
        let (transport, _) = self.transport.get_or_init(|| (self.builder.clone().build(), Handle::current()));
        match tokio::time::timeout(WHOLE, transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(DeliveryError::Channel("SMTP: time-out".to_owned())),
        }
    }
}

/// A password must not travel in clear: with one, and without another wish, encryption is demanded. On the loopback
/// there is no way to listen.
fn with_encryption(url: &str) -> String {
    let has_password = url.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    let host = url.rsplit('@').next().unwrap_or_default();
    let is_local = ["127.0.0.1", "localhost", "[::1]"].iter().any(|local| host.starts_with(local));
    if url.starts_with("smtp://") && has_password && !is_local && !url.contains("tls=") {
        let joint = if url.contains('?') { '&' } else { '?' };
        return format!("{url}{joint}tls=required");
    }
    url.to_owned()
}

/// What became of a mail. The server's words are not kept: they repeat the recipient's address.
fn classify(error: &Error) -> DeliveryError {
    let Some(code) = error.status() else {
        let kind = match error {
            error if error.is_timeout() => "time-out".to_owned(),
            error if error.is_tls() => "TLS failed".to_owned(),
            error if error.is_response() => "the answer cannot be understood".to_owned(),
            // The network's own words: refused, reset, no such host.
            error => error.to_string().chars().take(200).collect(),
        };
        return DeliveryError::Channel(format!("SMTP: {kind}"));
    };
    let words = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    judge(&code.to_string(), words.split_whitespace().next().filter(|word| is_enhanced_code(word)))
}

/// What a server's refusal is about: the channel, the recipient, or this message.
fn judge(code: &str, enhanced: Option<&str>) -> DeliveryError {
    let text = match enhanced {
        Some(enhanced) => format!("SMTP {code} {enhanced}"),
        None => format!("SMTP {code}"),
    };
    match code {
        // "Service not available" (RFC 5321); 53x is about our own log-in (RFC 4954): the operator mends it.
        "421" => DeliveryError::Channel(text),
        code if code.starts_with("53") => DeliveryError::Channel(text),
        code if !code.starts_with('5') => DeliveryError::Retryable(text),
        code => match enhanced {
            // RFC 3463: 5.1.x bad destination address (5.1.7 and 5.1.8 are about the sender's), 5.2.1 mailbox disabled.
            Some("5.1.7" | "5.1.8") => DeliveryError::Permanent(text),
            Some(known) if known.starts_with("5.1.") || known == "5.2.1" => DeliveryError::Recipient(text),
            Some(_) => DeliveryError::Permanent(text),
            // Without such a code: mailbox unavailable, user not local, name not allowed.
            None if matches!(code, "550" | "551" | "553") => DeliveryError::Recipient(text),
            None => DeliveryError::Permanent(text),
        },
    }
}

/// `5.1.1` and the like (RFC 3463).
fn is_enhanced_code(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    parts.len() == 3
        && parts.iter().all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_sent_in_clear_over_a_network() {
        assert_eq!(with_encryption("smtp://u:p@mx.example.com"), "smtp://u:p@mx.example.com?tls=required");
        for kept in [
            "smtp://mailpit:1025",
            "smtp://u:p@127.0.0.1:25",
            "smtps://u:p@mx.example.com",
            "smtp://u:p@mx.example.com:587?tls=opportunistic",
        ] {
            assert_eq!(with_encryption(kept), kept);
        }
    }

    #[test]
    fn a_bad_url_is_refused_without_being_repeated() {
        let error =
            SmtpMailer::new(&"smtp://u:secret@?tls=maybe".into(), "icp@example.com").err().expect("refused");
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn a_refusal_is_laid_on_whom_it_concerns() {
        use DeliveryError::{Channel, Permanent, Recipient, Retryable};
        type Vector = (&'static str, Option<&'static str>, fn(String) -> DeliveryError);
        let vectors: [Vector; 14] = [
            ("421", Some("4.7.0"), Channel),
            ("535", Some("5.7.8"), Channel),
            ("530", None, Channel),
            ("450", Some("4.2.1"), Retryable),
            ("451", None, Retryable),
            ("452", Some("4.2.2"), Retryable),
            ("550", Some("5.1.1"), Recipient),
            ("550", None, Recipient),
            ("553", Some("5.1.3"), Recipient),
            ("550", Some("5.2.1"), Recipient),
            ("550", Some("5.7.1"), Permanent),
            ("553", Some("5.1.8"), Permanent),
            ("552", Some("5.3.4"), Permanent),
            ("554", None, Permanent),
        ];
        for (code, enhanced, kind) in vectors {
            let text = format!("SMTP {code} {}", enhanced.unwrap_or_default()).trim_end().to_owned();
            assert_eq!(judge(code, enhanced), kind(text));
        }
    }

    #[test]
    fn enhanced_codes_are_told_from_words() {
        assert!(is_enhanced_code("5.1.1") && is_enhanced_code("4.7.255"));
        assert!(!is_enhanced_code("a@b.c.d") && !is_enhanced_code("5.1") && !is_enhanced_code("1.2.3.4"));
    }
}
