//! Without a carrier: the table that a person can read, or nothing.

use async_trait::async_trait;
use diesel::{ExpressionMethods, RunQueryDsl};

use super::{Handed, ReceiptWay, Sms, SmsSender};
use crate::external::DeliveryError;
use crate::kernel::db::Db;
use crate::schema::sms_messages;

/// Writes to `sms_messages` instead of sending; the admin can list it.
pub struct SmsTable(Db);

impl SmsTable {
    /// A sender that writes through this pool.
    pub fn new(db: Db) -> Self {
        Self(db)
    }
}

#[async_trait]
impl SmsSender for SmsTable {
    fn name(&self) -> &'static str {
        "outbox"
    }

    async fn send(&self, sms: &Sms) -> Result<Handed, DeliveryError> {
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
        written.await.map_err(|error| DeliveryError::Retryable(format!("table of SMS: {error}")))?;
        Ok(Handed { reference: None, receipt: ReceiptWay::None })
    }
}

/// No carrier.
pub struct NoSms;

#[async_trait]
impl SmsSender for NoSms {
    fn name(&self) -> &'static str {
        "none"
    }

    fn is_available(&self) -> bool {
        false
    }

    async fn send(&self, _: &Sms) -> Result<Handed, DeliveryError> {
        Err(DeliveryError::NoProvider)
    }
}
