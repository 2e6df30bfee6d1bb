//! Mails about an account and codes that verify a contact. They have no row of their own: the job is the record.
//! Tokens and codes are never stored in clear, so they are computed again from the id of what they belong to.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Deserialize;
use uuid::Uuid;

use super::model::{self, Recipient};
use super::texts::{self, AccountVars};
use super::{Channel, breaker, undeliverable};
use crate::app::App;
use crate::auth;
use crate::external::DeliveryError;
use crate::external::email::Mail;
use crate::external::sms::Sms;
use crate::kernel::ids::UserId;
use crate::kernel::pii::{self, Sensitive};
use crate::schema::{contact_verifications, password_resets};
use crate::users::undeliverable::UndeliverableSource;

/// Which mail.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Template {
    PasswordReset,
    PasswordChanged,
    EmailVerification,
}

/// A one-time secret's times.
type Times = (DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>);

/// How long a secret is good, in minutes, while it is unused and not expired: none when there is nothing to send any more.
fn good_for(times: Times, now: DateTime<Utc>) -> Option<u32> {
    let (created_at, expires_at, used_at) = times;
    (used_at.is_none() && now < expires_at)
        .then(|| u32::try_from((expires_at - created_at).num_minutes()).unwrap_or(0))
}

/// The mail with the link that sets a new password. The address need not be verified yet: a new user's first link goes
/// there, and using it verifies the address.
pub(super) async fn password_reset(app: App, user: UserId, id: Uuid) -> anyhow::Result<()> {
    let found = app
        .db
        .run(move |conn| {
            let times = password_resets::table
                .filter(password_resets::id.eq(id))
                .filter(password_resets::user_id.eq(user))
                .select((password_resets::created_at, password_resets::expires_at, password_resets::used_at))
                .first::<Times>(conn)
                .optional()?;
            Ok(times.zip(model::user(conn, user)?))
        })
        .await?;
    let Some((times, person)) = found else { return Ok(()) };
    let Some(valid_minutes) = good_for(times, app.clock.now()) else { return Ok(()) };
    let Some(to) = person.email.clone() else { return Ok(()) };
    // In the fragment: it reaches no server's log and no Referer header.
    let link = format!("{}/password-reset#token={}", app.public_url, auth::password_reset_token(id));
    mail(&app, &person, "account.password_reset", id, to, link, valid_minutes).await
}

/// The mail that warns of a changed password.
pub(super) async fn password_changed(app: App, user: UserId) -> anyhow::Result<()> {
    let found = app.db.run(move |conn| Ok(model::user(conn, user)?)).await?;
    let Some(person) = found else { return Ok(()) };
    let Some(to) = person.email.clone() else { return Ok(()) };
    // The same for each try of one change, another for the next change: the user's version tells them apart.
    let key = pii::keyed_hash("password_changed_mail", &[&user.to_string(), &person.version.to_string()]);
    let id = Uuid::from_slice(&key[..16])?;
    let link = format!("{}/password-reset", app.public_url);
    mail(&app, &person, "account.password_changed", id, to, link, 0).await
}

/// The columns of a verification that is under way.
#[derive(Queryable, Selectable)]
#[diesel(table_name = contact_verifications)]
struct Verification {
    user_id: UserId,
    channel: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    used_at: Option<DateTime<Utc>>,
}

/// The code that verifies a new address (in a link) or mobile (by SMS), to that new contact.
pub(super) async fn contact_code(app: App, id: Uuid) -> anyhow::Result<()> {
    let found = app
        .db
        .run(move |conn| {
            let row: Option<Verification> = contact_verifications::table
                .find(id)
                .select(Verification::as_select())
                .first(conn)
                .optional()?;
            let Some(row) = row else { return Ok(None) };
            let Some(person) = model::user(conn, row.user_id)? else { return Ok(None) };
            let contact = contact_verifications::table.find(id);
            let (email, mobile) = if row.channel == "email" {
                (
                    Some(
                        contact
                            .select(contact_verifications::contact)
                            .first::<Sensitive<pii::Email>>(conn)?,
                    ),
                    None,
                )
            } else {
                (
                    None,
                    Some(
                        contact
                            .select(contact_verifications::contact)
                            .first::<Sensitive<pii::Phone>>(conn)?,
                    ),
                )
            };
            Ok(Some((row, person, email, mobile)))
        })
        .await?;
    let Some((row, person, email, mobile)) = found else { return Ok(()) };
    let now = app.clock.now();
    let Some(valid_minutes) = good_for((row.created_at, row.expires_at, row.used_at), now) else {
        return Ok(());
    };
    let code = auth::contact_code(id);
    if let Some(to) = email {
        let link = format!("{}/verify-email#verification_id={id}&code={code}", app.public_url);
        return mail(&app, &person, "account.email_verification", id, to, link, valid_minutes).await;
    }
    let Some(to) = mobile else { return Ok(()) };
    let text =
        texts::render_contact_code(person.locale.as_str(), provider(&app, &person), &code, valid_minutes)?;
    let variables = [
        ("code", code),
        ("valid_minutes", valid_minutes.to_string()),
        ("provider_name", provider(&app, &person).to_owned()),
    ];
    let sms = Sms {
        id,
        notification_id: None,
        at: now,
        to,
        text,
        template: "account.contact_code".to_owned(),
        locale: person.locale,
        variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    breaker::guarded(&app, Channel::Sms, app.sms.send(&sms)).await??;
    Ok(())
}

fn provider<'a>(app: &'a App, person: &Recipient) -> &'a str {
    person.locale.pick(&app.config.provider.name_zh, &app.config.provider.name_en)
}

async fn mail(
    app: &App,
    person: &Recipient,
    template: &str,
    id: Uuid,
    to: Sensitive<pii::Email>,
    link: String,
    valid_minutes: u32,
) -> anyhow::Result<()> {
    let vars = AccountVars {
        recipient_display_name: person.display_name.clone(),
        provider_name: provider(app, person).to_owned(),
        link,
        valid_minutes,
    };
    let text = texts::render_account(template, person.locale.as_str(), &vars)?;
    let hash = to.lookup_hash()?;
    let mail = Mail {
        id,
        at: app.clock.now(),
        to,
        subject: text.subject,
        text: text.email_text,
        html: text.email_html,
        unsubscribe: None,
    };
    let outcome = breaker::guarded(app, Channel::Email, app.mailer.send(&mail)).await?;
    if let Err(DeliveryError::Recipient(code)) = &outcome {
        // A new contact that waits for its code is not the user's yet, and then nothing is recorded.
        let (user, now, code) = (person.id, app.clock.now(), code.clone());
        let source = UndeliverableSource::Refused;
        app.db
            .transaction(move |conn| {
                Ok(undeliverable::record(conn, now, user, Channel::Email, &hash, source, Some(&code))?)
            })
            .await?;
    }
    Ok(outcome?)
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;

    #[test]
    fn nothing_is_sent_for_a_secret_that_is_used_or_over() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let (from, to) = (at("2026-03-02T00:00:00Z"), at("2026-03-02T00:30:00Z"));
        assert_eq!(good_for((from, to, None), from), Some(30));
        assert_eq!(good_for((from, to, Some(from)), from), None);
        assert_eq!(good_for((from, to, None), to), None);
        assert_eq!(good_for((from, to, None), to - Duration::seconds(1)), Some(30));
    }
}
