//! The address that an SMS gateway calls.

use actix_web::{HttpRequest, post, web};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;
use crate::external::sms::Receipt;
use crate::kernel::json::Json;
use crate::kernel::reply::Reply;

/// Name of the header with the shared secret.
const SECRET: &str = "x-receipt-secret";

crate::text_enum! {
    /// What became of a message.
    pub enum SmsReceiptState {
        /// It is on the phone.
        Delivered = "delivered",
        /// It never will be.
        Undelivered = "undelivered",
    }
}

/// A receipt of one message.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsReceipt {
    /// The gateway's number of the message, or the `id` that was sent along.
    #[schema(min_length = 1, max_length = 100)]
    reference: String,
    state: SmsReceiptState,
    /// The network's code.
    #[serde(default)]
    #[schema(max_length = 40, pattern = "^[A-Za-z0-9._:-]*$")]
    code: Option<String>,
}

/// Receipts of an SMS gateway.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "receipts": [{ "reference": "4711", "state": "undelivered", "code": "UNDELIV" }] }))]
pub struct SmsReceipts {
    /// The receipts.
    #[schema(min_items = 1, max_items = 200)]
    receipts: Vec<SmsReceipt>,
}

/// What was done with receipts.
#[derive(Serialize, ToSchema)]
pub struct SmsReceiptsRecorded {
    /// Recorded now.
    recorded_count: i64,
    /// Recorded before; the first one stays.
    repeated_count: i64,
    /// Of messages that are not known, such as codes: nothing is kept of those.
    unknown_count: i64,
}

/// Record SMS delivery receipts
///
/// For the SMS gateway (`SMS_PROVIDER=http`), not for people: the header `X-Receipt-Secret` carries the secret of the setting
/// `SMS_RECEIPT_SECRET`. Repeats change nothing. Without the setting, nothing is taken.
#[utoipa::path(operation_id = "recordSmsReceipts", tag = "notifications",
    params(("X-Receipt-Secret" = Option<String>, Header, description = "The shared secret.", nullable = false)),
    responses(
        (status = 200, description = "What was done.", body = SmsReceiptsRecorded),
        (status = 401, description = "`invalid_client`: the secret is not right, or none is set."),
    ))]
#[post("/v1/sms-receipts")]
pub async fn record_sms_receipts(
    app: web::Data<App>,
    req: HttpRequest,
    body: Json<SmsReceipts>,
) -> ApiResult<Reply> {
    let shown = req.headers().get(SECRET).map(|value| value.as_bytes()).unwrap_or_default();
    let is_known = match &app.config.sms.receipt_secret {
        Some(secret) => bool::from(secret.expose_secret().as_bytes().ct_eq(shown)),
        None => false,
    };
    if !is_known {
        return Err(ApiError::new(&codes::INVALID_CLIENT));
    }
    let (now, provider) = (app.clock.now(), app.sms.name());
    let mut counts = SmsReceiptsRecorded { recorded_count: 0, repeated_count: 0, unknown_count: 0 };
    for SmsReceipt { reference, state, code } in body.0.receipts {
        let code = code.filter(|code| !code.is_empty());
        let receipt = Receipt { is_delivered: state == SmsReceiptState::Delivered, code };
        // Each by itself: what was recorded stays when the gateway has to send the rest again.
        let outcome = app.db.transaction(move |conn| match super::find(conn, provider, &reference)? {
            Some(id) => Ok(Some(super::record(conn, now, id, &receipt)?)),
            None => Ok(None),
        });
        match outcome.await? {
            Some(true) => counts.recorded_count += 1,
            Some(false) => counts.repeated_count += 1,
            None => counts.unknown_count += 1,
        }
    }
    Reply::ok(&counts)
}
