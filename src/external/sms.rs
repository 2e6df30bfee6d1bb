//! SMS. Embedded mode keeps what would have been sent in the table `sms_messages`, which the admin can list; elsewhere
//! there is no carrier yet, and messages by SMS are marked as suppressed.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, RunQueryDsl};
use uuid::Uuid;

use crate::config::Mode;
use crate::external::DeliveryError;
use crate::kernel::db::Db;
use crate::kernel::ids::NotificationId;
use crate::kernel::pii::{self, Sensitive};
use crate::schema::sms_messages;

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
}

/// Carries text messages.
#[async_trait]
pub trait SmsSender: Send + Sync {
    /// Whether anybody carries messages at all; if not, none is queued.
    fn is_available(&self) -> bool {
        true
    }

    /// Hands a message over. The same id again must not send twice where the carrier can tell.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    async fn send(&self, sms: &Sms) -> Result<(), DeliveryError>;
}

/// The sender for a mode: the table in embedded mode, else nobody.
pub fn for_mode(mode: Mode, db: &Db) -> Arc<dyn SmsSender> {
    match mode {
        Mode::Embedded => Arc::new(SmsTable::new(db.clone())),
        Mode::External => Arc::new(NoSms),
    }
}

/// Writes to `sms_messages` instead of sending.
pub struct SmsTable(Db);

impl SmsTable {
    /// A sender that writes through this pool.
    pub fn new(db: Db) -> Self {
        Self(db)
    }
}

#[async_trait]
impl SmsSender for SmsTable {
    async fn send(&self, sms: &Sms) -> Result<(), DeliveryError> {
        let sms = sms.clone();
        let written = self.0.run(move |conn| {
            diesel::insert_into(sms_messages::table)
                .values((
                    sms_messages::id.eq(sms.id),
                    sms_messages::notification_id.eq(sms.notification_id),
                    sms_messages::recipient.eq(sms.to),
                    sms_messages::text.eq(sms.text),
                    sms_messages::created_at.eq(sms.at),
                ))
                .on_conflict_do_nothing()
                .execute(conn)?;
            Ok(())
        });
        written.await.map_err(|error| DeliveryError::Retryable(format!("table of SMS: {error}")))
    }
}

/// No carrier.
pub struct NoSms;

#[async_trait]
impl SmsSender for NoSms {
    fn is_available(&self) -> bool {
        false
    }

    async fn send(&self, _: &Sms) -> Result<(), DeliveryError> {
        Err(DeliveryError::NoProvider)
    }
}
