//! From an event to one notification per user and channel.

use super::facts::Facts;
use super::model::{self, NewNotification, Told};
use super::rules::{self, Means, Verdict};
use super::texts::{self, Rendered};
use super::undeliverable::contact_channel;
use super::{Channel, NotificationState, facts, send};
use crate::app::App;
use crate::catalogue::data;
use crate::kernel::ids::{EventId, FilingId, NotificationId};
use crate::kernel::jobs;

/// The page of a filing. The front end serves it below `PUBLIC_URL`.
pub(super) fn filing_link(app: &App, id: FilingId) -> String {
    format!("{}/filings/{id}", app.public_url)
}

/// Tells everybody whom an event concerns. Again is harmless: who was told is not told twice.
pub(super) async fn run(app: App, event_id: EventId) -> anyhow::Result<()> {
    let found = app
        .db
        .run(move |conn| {
            let Some(facts) = facts::load(conn, event_id)? else { return Ok(None) };
            let people = model::recipients(conn, facts.account_id, &facts.event_type)?;
            Ok(Some((facts, people)))
        })
        .await?;
    let Some((facts, people)) = found else { return Ok(()) };
    let Some(kind) = data::event_type(&facts.event_type) else {
        anyhow::bail!("event type {} is not in the catalogue", facts.event_type);
    };
    let mut rows = Vec::new();
    for told in &people {
        let person = &told.person;
        let provider = &app.config.provider;
        let provider = person.locale.pick(&provider.name_zh, &provider.name_en);
        let vars =
            facts.vars(person.locale, &person.display_name, provider, filing_link(&app, facts.filing_id));
        let text = texts::render(&facts.event_type, person.locale.as_str(), &vars)?;
        for channel in kind.channels.iter().filter_map(|name| name.parse::<Channel>().ok()) {
            let mut row = row(&app, &facts, told, channel, &text);
            if channel == Channel::Sms {
                row.variables = Some(serde_json::to_value(vars.for_sms(&text.inbox_title))?);
            }
            rows.push(row);
        }
    }
    let now = app.clock.now();
    app.db
        .transaction(move |conn| {
            for row in &rows {
                if model::insert(conn, row)? && row.state == NotificationState::Queued {
                    jobs::enqueue(conn, now, send::job(row.id))?;
                }
            }
            Ok(())
        })
        .await?;
    app.waker.wake();
    Ok(())
}

fn row(
    app: &App,
    facts: &Facts,
    Told { person, off, lost }: &Told,
    channel: Channel,
    text: &Rendered,
) -> NewNotification {
    let is_reachable = contact_channel(channel).is_none_or(|contact| !lost.contains(&contact));
    let means = |is_verified| Means { is_verified, has_provider: true, has_template: true, is_reachable };
    let (title, body, means) = match channel {
        Channel::Inbox => (&text.inbox_title, &text.inbox_body, means(true)),
        Channel::Email => (&text.subject, &text.email_text, means(person.verified_email().is_some())),
        Channel::Sms => {
            let means = Means {
                is_verified: person.verified_mobile().is_some(),
                has_provider: app.sms.is_available(),
                has_template: app.sms.has_template(&facts.event_type, person.locale),
                is_reachable,
            };
            (&text.inbox_title, &text.sms, means)
        }
    };
    let now = app.clock.now();
    let is_on = !off.contains(&channel);
    let (state, last_error, sent_at) = match rules::verdict(channel, &facts.event_type, is_on, means) {
        Verdict::Show => (NotificationState::Sent, None, Some(now)),
        Verdict::Queue => (NotificationState::Queued, None, None),
        Verdict::Suppress(reason) => (NotificationState::Suppressed, Some(reason), None),
    };
    NewNotification {
        id: NotificationId::new(),
        user_id: person.id,
        filing_id: facts.filing_id,
        event_id: facts.event_id,
        event_type: facts.event_type.clone(),
        channel,
        state,
        locale: person.locale,
        title: title.clone(),
        body: body.clone(),
        last_error,
        created_at: now,
        sent_at,
        variables: None,
    }
}
