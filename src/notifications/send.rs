//! Sending one notification by e-mail or SMS.

use serde_json::json;

use super::model::{self, Outgoing, Recipient};
use super::{Channel, NotificationState, fan_out, jobs::SEND, rules, texts};
use crate::app::App;
use crate::external::DeliveryError;
use crate::external::email::Mail;
use crate::external::sms::Sms;
use crate::kernel::ids::NotificationId;
use crate::kernel::jobs::NewJob;

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
    let Err(error) = outcome else { return mark(&app, id, NotificationState::Sent, None).await };
    let state = match &error {
        DeliveryError::Permanent(_) => NotificationState::Dead,
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
    Tried(Result<(), DeliveryError>),
}

async fn deliver(app: &App, row: &Outgoing, person: &Recipient) -> Outcome {
    if person.disabled_at.is_some() {
        return Outcome::Suppressed(rules::DISABLED);
    }
    let at = app.clock.now();
    let tried = match row.channel {
        Channel::Inbox => Ok(()),
        Channel::Email => {
            let Some(to) = person.verified_email().cloned() else {
                return Outcome::Suppressed(rules::NOT_VERIFIED);
            };
            let link = row.filing_id.map_or_else(String::new, |id| fan_out::filing_link(app, id));
            let html = texts::to_html(&row.body, row.locale.as_str(), &link);
            let (subject, text) = (row.title.clone(), row.body.clone());
            app.mailer.send(&Mail { id: row.id.0, at, to, subject, text, html }).await
        }
        Channel::Sms => {
            let Some(to) = person.verified_mobile().cloned() else {
                return Outcome::Suppressed(rules::NOT_VERIFIED);
            };
            app.sms
                .send(&Sms { id: row.id.0, notification_id: Some(row.id), at, to, text: row.body.clone() })
                .await
        }
    };
    match tried {
        Err(DeliveryError::NoProvider) => Outcome::Suppressed(rules::NO_PROVIDER),
        tried => Outcome::Tried(tried),
    }
}

async fn mark(
    app: &App,
    id: NotificationId,
    state: NotificationState,
    error: Option<String>,
) -> anyhow::Result<()> {
    let sent_at = (state == NotificationState::Sent).then(|| app.clock.now());
    Ok(app.db.run(move |conn| Ok(model::mark(conn, id, state, error.as_deref(), sent_at)?)).await?)
}
