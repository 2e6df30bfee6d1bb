//! SMS. `SMS_PROVIDER` says who carries it:
//!
//! - [`outbox`]: nobody; the table `sms_messages` keeps what would have been sent (embedded default);
//! - [`jdcloud`]: JD Cloud, whose messages are templates that its console approved;
//! - [`gateway`]: any provider with an HTTP interface, described by settings;
//! - none: messages by SMS are marked as suppressed (default elsewhere).

pub mod gateway;
pub mod jdcloud;
pub mod jdcloud_signature;
pub mod outbox;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::config::{SmsConfig, SmsProvider};
use crate::external::DeliveryError;
use crate::kernel::db::Db;
use crate::kernel::i18n::Locale;
use crate::kernel::ids::NotificationId;
use crate::kernel::pii::{self, Sensitive};

/// A text message, ready to go.
#[derive(Debug, Clone)]
pub struct Sms {
    /// The same for every attempt to send this message.
    pub id: Uuid,
    /// The notification that it belongs to; none for codes.
    pub notification_id: Option<NotificationId>,
    /// When it is handed over.
    pub at: DateTime<Utc>,
    /// The recipient's mobile.
    pub to: Sensitive<pii::Phone>,
    /// One line, signature included.
    pub text: String,
    /// What it is about: a type of event, or `account.contact_code`. Providers choose their template by it.
    pub template: String,
    /// Language of the text.
    pub locale: Locale,
    /// What a provider's template is filled with, by name.
    pub variables: BTreeMap<String, String>,
}

/// How a receipt comes, if one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptWay {
    /// The provider tells nothing more.
    None,
    /// [`SmsSender::receipt`] asks for it.
    Poll,
    /// The provider calls us.
    Callback,
}

/// That a provider took a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// The provider's own number of the message.
    pub reference: Option<String>,
    /// How the receipt comes.
    pub receipt: ReceiptWay,
}

/// What the network said about a message that the provider took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// It is on the phone; else it never will be.
    pub is_delivered: bool,
    /// The network's code; letters, digits and `._:-` only.
    pub code: Option<String>,
}

/// Carries text messages.
#[async_trait]
pub trait SmsSender: Send + Sync {
    /// Its name in the records.
    fn name(&self) -> &'static str;

    /// Whether anybody carries messages at all; if not, none is queued.
    fn is_available(&self) -> bool {
        true
    }

    /// Whether there is a template for this kind of message.
    fn has_template(&self, _template: &str, _locale: Locale) -> bool {
        true
    }

    /// Hands a message over. The same id again must not send twice where the carrier can tell.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    async fn send(&self, sms: &Sms) -> Result<Handed, DeliveryError>;

    /// Asks what became of a message; none: not known yet.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    async fn receipt(
        &self,
        _at: DateTime<Utc>,
        _reference: &str,
        _to: &Sensitive<pii::Phone>,
    ) -> Result<Option<Receipt>, DeliveryError> {
        Ok(None)
    }
}

/// The sender that the settings ask for. Opens no connection.
///
/// # Errors
/// When a template of the settings or the system's certificates cannot be read.
pub fn from_config(config: &SmsConfig, db: &Db) -> anyhow::Result<Arc<dyn SmsSender>> {
    Ok(match &config.provider {
        SmsProvider::Outbox => Arc::new(outbox::SmsTable::new(db.clone())),
        SmsProvider::None => Arc::new(outbox::NoSms),
        SmsProvider::JdCloud(own) => Arc::new(jdcloud::JdCloud::new(own)?),
        SmsProvider::Http(own) => Arc::new(gateway::HttpGateway::new(own, config.receipt_secret.is_some())?),
    })
}
