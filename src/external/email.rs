//! E-mail: by SMTP where `SMTP_URL` is set, else (embedded mode) as files that a person can open, one `.eml` per mail
//! under `$DATA_DIR/mail/`.
//!
//! Each mail's `Message-ID` comes from its id, so that a mail sent twice (a crash between the server's answer and our
//! record) is recognisable as one.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::config::MailConfig;
use crate::external::DeliveryError;
use crate::kernel::pii::{self, Sensitive};

mod compose;
mod folder;
mod smtp;

pub use folder::FolderMailer;
pub use smtp::SmtpMailer;

/// A mail, ready to go.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The same for every attempt to send this mail.
    pub id: Uuid,
    /// For the `Date` header.
    pub at: DateTime<Utc>,
    /// The recipient's address.
    pub to: Sensitive<pii::Email>,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// Address that switches this kind of mail off with one POST (RFC 8058); none for mails that always come.
    pub unsubscribe: Option<String>,
}

/// Carries mails.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a mail over.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    async fn send(&self, mail: &Mail) -> Result<(), DeliveryError>;
}

/// The mailer that the settings ask for: SMTP, or the folder `mail` below `data_dir` when there is no `SMTP_URL`
/// (the settings allow that in embedded mode only). Opens no connection.
///
/// # Errors
/// When the URL or the sender's address cannot be used; the URL is not repeated, since it may hold a password.
pub fn from_config(config: &MailConfig, data_dir: &Path) -> anyhow::Result<Arc<dyn Mailer>> {
    Ok(match &config.smtp_url {
        Some(url) => Arc::new(SmtpMailer::new(url, &config.from)?),
        None => Arc::new(FolderMailer::new(data_dir.join("mail"), &config.from)?),
    })
}
