//! Sending one notification by e-mail or SMS.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::jobs::SEND;
use super::model::{self, Outgoing, Recipient, Sent};
use super::{
    Channel, NotificationState, ReceiptState, breaker, fan_out, receipts, rules, texts, undeliverable,
};
use crate::app::App;
use crate::auth;
use crate::catalogue::data::is_mandatory;
use crate::external::DeliveryError;
use crate::external::email::Mail;
use crate::external::sms::{Handed, ReceiptWay, Sms};
use crate::kernel::ids::NotificationId;
use crate::kernel::jobs::{NewJob, Postponed};
use crate::users::undeliverable::UndeliverableSource;

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
            let Some((row, person)) = model::outgoing(conn, id)? else { return Ok(None) };
            let is_off = model::is_switched_off(conn, person.id, &row.event_type, row.channel)?;
            Ok(Some((row, person, attempt, is_off)))
        })
        .await?;
    let Some((row, person, attempt, is_off)) = found else { return Ok(()) };
    match row.state {
        NotificationState::Sent | NotificationState::Suppressed => return Ok(()),
        // Refused for good: the queue's own tries change nothing, an admin's retry (try 1 again) does.
        NotificationState::Dead if attempt.no > 1 => anyhow::bail!("refused for good; waits for an admin"),
        NotificationState::Queued | NotificationState::Failed | NotificationState::Dead => {}
    }
    // A message may wait for hours; a wish that came meanwhile counts.
    if is_off && !is_mandatory(&row.event_type) {
        return suppress(&app, id, rules::SWITCHED_OFF).await;
    }
    let ready = match prepare(&app, &row, &person) {
        Ok(ready) => ready,
        Err(reason) => return suppress(&app, id, reason).await,
    };
    let permit = breaker::permit(&app, row.channel).await?;
    if let Some(until) = reserve(&app, &row, &person).await? {
        permit.give_back(&app).await?;
        breaker::deferred(row.channel, "limit");
        return Err(
            Postponed { until, reason: "this user has had enough messages for now".to_owned() }.into()
        );
    }
    let to = ready.recipient()?;
    let outcome = ready.send(&app).await;
    let error = match outcome {
        Ok(handed) => {
            // First of all: whatever fails after this, the message does not go twice.
            handed_over(&app, id, to.sent(&app, row.channel, handed)).await?;
            permit.report(&app, None).await?;
            return Ok(());
        }
        Err(error) => error,
    };
    let wait = permit.report(&app, Some(&error)).await?;
    match &error {
        DeliveryError::NoProvider => return suppress(&app, id, rules::NO_PROVIDER).await,
        DeliveryError::NoTemplate => return suppress(&app, id, rules::NO_TEMPLATE).await,
        _ => {}
    }
    if let Some(until) = wait {
        // No message is at fault: this one keeps its tries.
        mark(&app, id, NotificationState::Failed, Some(error.to_string())).await?;
        return Err(Postponed { until, reason: error.to_string() }.into());
    }
    let state = match &error {
        DeliveryError::Permanent(_) | DeliveryError::Recipient(_) => NotificationState::Dead,
        _ if attempt.no >= attempt.max => NotificationState::Dead,
        _ => NotificationState::Failed,
    };
    if state == NotificationState::Dead {
        metrics::counter!("beian_notifications_dead_total", "channel" => row.channel.as_str()).increment(1);
    }
    let (now, words) = (app.clock.now(), error.to_string());
    let lost = match &error {
        DeliveryError::Recipient(code) => Some(code.clone()),
        _ => None,
    };
    app.db
        .transaction(move |conn| {
            model::mark(conn, id, state, Some(&words))?;
            if let Some(code) = lost {
                let source = UndeliverableSource::Refused;
                undeliverable::record(conn, now, person.id, row.channel, &to.hash, source, Some(&code))?;
            }
            Ok(())
        })
        .await?;
    Err(error.into())
}

/// A message that may go, with the contact of now.
enum Ready {
    Email(Mail),
    Sms(Sms),
}

/// Whom it goes to, as the record keeps it.
struct Recorded {
    masked: String,
    hash: Vec<u8>,
}

impl Ready {
    /// Before it is sent: nothing may fail between the sending and its record.
    fn recipient(&self) -> anyhow::Result<Recorded> {
        Ok(match self {
            Self::Email(mail) => Recorded { masked: mail.to.mask(), hash: mail.to.lookup_hash()? },
            Self::Sms(sms) => Recorded { masked: sms.to.mask(), hash: sms.to.lookup_hash()? },
        })
    }

    async fn send(&self, app: &App) -> Result<Handed, DeliveryError> {
        match self {
            Self::Email(mail) => {
                app.mailer.send(mail).await?;
                Ok(Handed { reference: None, receipt: ReceiptWay::None })
            }
            Self::Sms(sms) => app.sms.send(sms).await,
        }
    }
}

impl Recorded {
    fn sent(self, app: &App, channel: Channel, handed: Handed) -> Sent {
        Sent {
            provider: if channel == Channel::Sms { app.sms.name() } else { "smtp" },
            receipt: (handed.receipt != ReceiptWay::None).then_some(ReceiptState::Pending),
            is_asked: handed.receipt == ReceiptWay::Poll,
            reference: handed.reference,
            recipient_masked: self.masked,
            recipient_hash: self.hash,
        }
    }
}

/// The message, or the reason why it must not go.
fn prepare(app: &App, row: &Outgoing, person: &Recipient) -> Result<Ready, &'static str> {
    if person.disabled_at.is_some() {
        return Err(rules::DISABLED);
    }
    let at = app.clock.now();
    match row.channel {
        // Nothing of the inbox is ever queued.
        Channel::Inbox => Err(rules::NO_PROVIDER),
        Channel::Email => {
            let to = person.verified_email().cloned().ok_or(rules::NOT_VERIFIED)?;
            let link = row.filing_id.map_or_else(String::new, |id| fan_out::filing_link(app, id));
            Ok(Ready::Email(Mail {
                id: row.id.0,
                at,
                to,
                subject: row.title.clone(),
                text: row.body.clone(),
                html: texts::to_html(&row.body, row.locale.as_str(), &link),
                unsubscribe: unsubscribe_link(app, person, &row.event_type),
            }))
        }
        Channel::Sms => {
            let variables = row.variables.clone().unwrap_or_default();
            Ok(Ready::Sms(Sms {
                id: row.id.0,
                notification_id: Some(row.id),
                at,
                to: person.verified_mobile().cloned().ok_or(rules::NOT_VERIFIED)?,
                text: row.body.clone(),
                template: row.event_type.clone(),
                locale: row.locale,
                variables: serde_json::from_value(variables).unwrap_or_default(),
            }))
        }
    }
}

/// Where this kind of mail is switched off; none for the bureau's two results.
fn unsubscribe_link(app: &App, person: &Recipient, event_type: &str) -> Option<String> {
    let token = (!is_mandatory(event_type)).then(|| auth::unsubscribe_token(person.id, event_type))?;
    Some(format!("{}/v1/unsubscribe?token={token}", app.public_url))
}

/// Takes one of the messages that the user may get in an hour; else says when there is one.
async fn reserve(app: &App, row: &Outgoing, person: &Recipient) -> anyhow::Result<Option<DateTime<Utc>>> {
    let limits = app.config.messages;
    let limit = if row.channel == Channel::Sms { limits.sms_per_hour } else { limits.emails_per_hour };
    let (now, id, user, channel) = (app.clock.now(), row.id, person.id, row.channel);
    let taken = app.db.transaction(move |conn| Ok(model::reserve(conn, now, id, user, channel, limit)?));
    Ok(taken.await?)
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

async fn suppress(app: &App, id: NotificationId, reason: &'static str) -> anyhow::Result<()> {
    mark(app, id, NotificationState::Suppressed, Some(reason.to_owned())).await
}

async fn mark(
    app: &App,
    id: NotificationId,
    state: NotificationState,
    error: Option<String>,
) -> anyhow::Result<()> {
    Ok(app.db.run(move |conn| Ok(model::mark(conn, id, state, error.as_deref())?)).await?)
}
