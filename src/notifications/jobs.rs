//! The jobs of this feature. Payloads carry ids only; tokens and codes are computed again from them.

use anyhow::Context;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::{account, fan_out, receipts, send, watch};
use crate::app::App;
use crate::kernel::ids::{EventId, NotificationId, UserId};
use crate::kernel::jobs::Registry;

/// `{"event_id"}`: tells everybody whom a timeline event concerns. Enqueued by [`super::announce`].
pub const FAN_OUT: &str = "notifications.fan_out";
/// `{"notification_id"}`: sends one e-mail or SMS. Enqueued by the fan-out.
pub const SEND: &str = "notifications.send";
/// A mail about an account: `{"template": "password_reset", "user_id", "password_reset_id"}`,
/// `{"template": "password_changed", "user_id"}` or
/// `{"template": "email_verification", "user_id", "contact_verification_id"}`.
pub const ACCOUNT_EMAIL: &str = "notifications.account_email";
/// `{"notification_id", "round"}`: asks the provider what became of an SMS.
pub const ASK_RECEIPT: &str = "notifications.ask_receipt";
/// `{"contact_verification_id"}`: the code that verifies a mobile (by SMS) or an address (by e-mail).
pub const CONTACT_CODE: &str = "notifications.contact_code";

#[derive(Deserialize)]
struct FanOut {
    event_id: EventId,
}

#[derive(Deserialize)]
struct Send {
    notification_id: NotificationId,
}

#[derive(Deserialize)]
struct AskReceipt {
    notification_id: NotificationId,
    round: usize,
}

#[derive(Deserialize)]
struct AccountEmail {
    template: account::Template,
    user_id: UserId,
    password_reset_id: Option<Uuid>,
    contact_verification_id: Option<Uuid>,
}

#[derive(Deserialize)]
struct ContactCode {
    contact_verification_id: Uuid,
}

/// Registers the handlers.
pub fn register(registry: &mut Registry, app: &App) {
    watch::register(registry, app);
    let own = app.clone();
    registry.on(FAN_OUT, move |payload| {
        let app = own.clone();
        async move { fan_out::run(app, read::<FanOut>(payload)?.event_id).await }
    });
    let own = app.clone();
    registry.on(SEND, move |payload| {
        let app = own.clone();
        async move { send::run(app, read::<Send>(payload)?.notification_id).await }
    });
    let own = app.clone();
    registry.on(ASK_RECEIPT, move |payload| {
        let app = own.clone();
        async move {
            let AskReceipt { notification_id, round } = read(payload)?;
            receipts::ask(app, notification_id, round).await
        }
    });
    let own = app.clone();
    registry.on(ACCOUNT_EMAIL, move |payload| {
        let app = own.clone();
        async move {
            let AccountEmail { template, user_id, password_reset_id, contact_verification_id } =
                read(payload)?;
            match template {
                account::Template::PasswordReset => {
                    let id = password_reset_id.context("payload without password_reset_id")?;
                    account::password_reset(app, user_id, id).await
                }
                account::Template::PasswordChanged => account::password_changed(app, user_id).await,
                account::Template::EmailVerification => {
                    let id = contact_verification_id.context("payload without contact_verification_id")?;
                    account::contact_code(app, id).await
                }
            }
        }
    });
    let own = app.clone();
    registry.on(CONTACT_CODE, move |payload| {
        let app = own.clone();
        async move { account::contact_code(app, read::<ContactCode>(payload)?.contact_verification_id).await }
    });
}

fn read<T: DeserializeOwned>(payload: Value) -> anyhow::Result<T> {
    serde_json::from_value(payload).context("the job's payload cannot be read")
}
