//! Sending one notification by e-mail or SMS.

use serde_json::json;

use super::model::{self, Outgoing, Recipient, Sent};
use super::{Channel, NotificationState, ReceiptState, fan_out, jobs::SEND, receipts, rules, texts};
use crate::app::App;
use crate::auth;
use crate::catalogue::data::is_mandatory;
use crate::external::DeliveryError;
use crate::external::email::Mail;
use crate::external::sms::{ReceiptWay, Sms};
use crate::kernel::ids::NotificationId;
use crate::kernel::jobs::NewJob;
use crate::kernel::pii::{self, Sensitive};

/// The job that sends a notification.
pub(super) fn job(id: NotificationId) -> NewJob {
    NewJob::new(SEND, json!({ "notification_id": id })).once(dedup_key(id))
}

fn dedup_key(id: NotificationId) -> String {
    format!("{SEND}:{id}")
}

/// Sends it, unless that is done. No transaction is open meanwhile.
pub(super) async fn run(app: App, id: NotificationId) -> anyhow::Result<()> {
    let found = app
        .db
        .run(move |conn| {
            let attempt = model::attempt(conn, &dedup_key(id))?;
            Ok(model::outgoing(conn, id)?.map(|(row, person)| (row, person, attempt)))
        })
        .await?;
    let Some((row, person, attempt)) = found else { return Ok(()) };
    match row.state {
        NotificationState::Sent | NotificationState::Suppressed => return Ok(()),
        // Refused for good: the queue's own tries change nothing, an admin's retry (try 1 again) does.
        NotificationState::Dead if attempt.no > 1 => anyhow::bail!("refused for good; waits for an admin"),
        NotificationState::Queued | NotificationState::Failed | NotificationState::Dead => {}
    }
    let outcome = match deliver(&app, &row, &person).await {
        Outcome::Suppressed(reason) => {
            return mark(&app, id, NotificationState::Suppressed, Some(reason.to_owned())).await;
        }
        Outcome::Tried(outcome) => outcome,
    };
    let error = match outcome {
        Ok(sent) => return handed_over(&app, id, sent).await,
        Err(error) => error,
    };
    let state = match &error {
        DeliveryError::Permanent(_) | DeliveryError::Recipient(_) => NotificationState::Dead,
        _ if attempt.no >= attempt.max => NotificationState::Dead,
        _ => NotificationState::Failed,
    };
    if state == NotificationState::Dead {
        metrics::counter!("beian_notifications_dead_total", "channel" => row.channel.as_str()).increment(1);
    }
    mark(&app, id, state, Some(error.to_string())).await?;
    Err(error.into())
}

enum Outcome {
    Suppressed(&'static str),
    Tried(Result<Sent, DeliveryError>),
}

async fn deliver(app: &App, row: &Outgoing, person: &Recipient) -> Outcome {
    if person.disabled_at.is_some() {
        return Outcome::Suppressed(rules::DISABLED);
    }
    let tried = match row.channel {
        // Nothing of the inbox is ever queued.
        Channel::Inbox => return Outcome::Suppressed(rules::NO_PROVIDER),
        Channel::Email => match person.verified_email() {
            Some(to) => email(app, row, person, to).await,
            None => return Outcome::Suppressed(rules::NOT_VERIFIED),
        },
        Channel::Sms => match person.verified_mobile() {
            Some(to) => sms(app, row, to).await,
            None => return Outcome::Suppressed(rules::NOT_VERIFIED),
        },
    };
    match tried {
        Err(DeliveryError::NoProvider) => Outcome::Suppressed(rules::NO_PROVIDER),
        Err(DeliveryError::NoTemplate) => Outcome::Suppressed(rules::NO_TEMPLATE),
        tried => Outcome::Tried(tried),
    }
}

fn hash<K: pii::Kind>(contact: &Sensitive<K>) -> Result<Vec<u8>, DeliveryError> {
    contact.lookup_hash().map_err(|error| DeliveryError::Retryable(error.to_string()))
}

async fn email(
    app: &App,
    row: &Outgoing,
    person: &Recipient,
    to: &Sensitive<pii::Email>,
) -> Result<Sent, DeliveryError> {
    let link = row.filing_id.map_or_else(String::new, |id| fan_out::filing_link(app, id));
    let mail = Mail {
        id: row.id.0,
        at: app.clock.now(),
        to: to.clone(),
        subject: row.title.clone(),
        text: row.body.clone(),
        html: texts::to_html(&row.body, row.locale.as_str(), &link),
        unsubscribe: unsubscribe_link(app, person, &row.event_type),
    };
    // Before it is sent: nothing may fail between the sending and its record.
    let recipient_hash = hash(to)?;
    app.mailer.send(&mail).await?;
    Ok(Sent {
        provider: "smtp",
        reference: None,
        recipient_masked: to.mask(),
        recipient_hash,
        receipt: None,
        is_asked: false,
    })
}

/// Where this kind of mail is switched off; none for the bureau's two results.
fn unsubscribe_link(app: &App, person: &Recipient, event_type: &str) -> Option<String> {
    let token = (!is_mandatory(event_type)).then(|| auth::unsubscribe_token(person.id, event_type))?;
    Some(format!("{}/v1/unsubscribe?token={token}", app.public_url))
}

async fn sms(app: &App, row: &Outgoing, to: &Sensitive<pii::Phone>) -> Result<Sent, DeliveryError> {
    let variables = row.variables.clone().unwrap_or_default();
    let sms = Sms {
        id: row.id.0,
        notification_id: Some(row.id),
        at: app.clock.now(),
        to: to.clone(),
        text: row.body.clone(),
        template: row.event_type.clone(),
        locale: row.locale,
        variables: serde_json::from_value(variables).unwrap_or_default(),
    };
    let recipient_hash = hash(to)?;
    let handed = app.sms.send(&sms).await?;
    Ok(Sent {
        provider: app.sms.name(),
        receipt: (handed.receipt != ReceiptWay::None).then_some(ReceiptState::Pending),
        is_asked: handed.receipt == ReceiptWay::Poll,
        reference: handed.reference,
        recipient_masked: to.mask(),
        recipient_hash,
    })
}

/// Records it, and has the provider asked for the receipt where it does not call by itself.
async fn handed_over(app: &App, id: NotificationId, sent: Sent) -> anyhow::Result<()> {
    let now = app.clock.now();
    let done = app.db.transaction(move |conn| {
        model::mark_sent(conn, id, now, &sent)?;
        if sent.is_asked {
            receipts::ask_later(conn, now, id, 0)?;
        }
        Ok(())
    });
    Ok(done.await?)
}

async fn mark(
    app: &App,
    id: NotificationId,
    state: NotificationState,
    error: Option<String>,
) -> anyhow::Result<()> {
    Ok(app.db.run(move |conn| Ok(model::mark(conn, id, state, error.as_deref())?)).await?)
}
