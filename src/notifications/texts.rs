//! Texts of messages: the template files of `templates/`, one per event and language, rendered strictly.
//!
//! A file has sections that begin with a line `--- name`: `subject`, `inbox_title`, `inbox_body`, `sms`, `email`.
//! No variable can carry an identity number or a phone: [`TemplateVars`] has no place for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use chrono::{DateTime, Duration, NaiveTime, Utc};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::Channel;
use crate::kernel::working_days::shanghai;

/// What a template of a filing's event may use.
#[derive(Debug, Clone, Serialize)]
pub struct TemplateVars {
    /// Order number of the filing, `BA-2026-000123`.
    pub order_no: String,
    /// The website's name.
    pub website_name: String,
    /// How the recipient is addressed.
    pub recipient_display_name: String,
    /// Label of the filing's status in the recipient's language.
    pub status_label: String,
    /// The provider's name, also the signature of an SMS.
    pub provider_name: String,
    /// Address of the filing's page.
    pub link: String,
    /// A deadline, written by [`due_text`]. Optional in every template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// Titles of rejection reasons or findings in the recipient's language; may be empty.
    pub reason_titles: Vec<String>,
    /// Courier's name in the recipient's language; `backdrop.shipped` demands it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// Courier's number; `backdrop.shipped` demands it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
}

impl TemplateVars {
    /// What a provider's own SMS template may be filled with, by the names of `config::SMS_VARIABLES`. The recipient's
    /// name is not among them.
    pub(super) fn for_sms(&self, title: &str) -> BTreeMap<String, String> {
        let Self {
            order_no,
            website_name,
            recipient_display_name: _,
            status_label,
            provider_name,
            link,
            due_at,
            reason_titles,
            carrier,
            tracking_number,
        } = self;
        let always = [
            ("order_no", order_no.clone()),
            ("website_name", one_line(website_name)),
            ("status_label", status_label.clone()),
            ("provider_name", provider_name.clone()),
            ("link", link.clone()),
            ("reasons", reason_titles.join("、")),
            ("title", title.to_owned()),
        ];
        let optional = [("due_at", due_at), ("carrier", carrier), ("tracking_number", tracking_number)];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        always.into_iter().chain(optional).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// What a template of an account's e-mail may use.
#[derive(Debug, Clone, Serialize)]
pub struct AccountVars {
    /// How the recipient is addressed.
    pub recipient_display_name: String,
    /// The provider's name.
    pub provider_name: String,
    /// The page to open; holds the one-time token where there is one, so never log a rendered text.
    pub link: String,
    /// How long the link is good, in minutes.
    pub valid_minutes: u32,
}

/// A rendered message for every channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Subject of the e-mail, one line.
    pub subject: String,
    /// Plain text of the e-mail.
    pub email_text: String,
    /// The same text as HTML, everything escaped.
    pub email_html: String,
    /// The SMS, one line, signature included.
    pub sms: String,
    /// Heading in the inbox, one line.
    pub inbox_title: String,
    /// Text in the inbox.
    pub inbox_body: String,
}

/// A rendered e-mail about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedEmail {
    /// Subject, one line.
    pub subject: String,
    /// Plain text.
    pub email_text: String,
    /// The same text as HTML, everything escaped.
    pub email_html: String,
}

/// Why a text could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// No template has this name; staff events have none.
    #[error("no template {name}")]
    NoTemplate {
        /// Event type or e-mail, language and section.
        name: String,
    },
    /// A variable is missing, or the template is wrong.
    #[error("template {name}: {source}")]
    Render {
        /// Event type or e-mail, language and section.
        name: String,
        /// What minijinja says; names variables, not their values.
        source: minijinja::Error,
    },
}

/// Lists template files by name, each in both languages.
macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        &[$(
            ($name, "zh-CN", include_str!(concat!("templates/", $name, ".zh-CN.txt"))),
            ($name, "en", include_str!(concat!("templates/", $name, ".en.txt"))),
        )*]
    };
}

/// Every template file: (name, language, content).
const TEMPLATES: &[(&str, &str, &str)] = templates![
    "_layout",
    "account.contact_code",
    "account.email_verification",
    "account.password_changed",
    "account.password_reset",
    "account.webhook_disabled",
    "backdrop.delivered",
    "backdrop.lost",
    "backdrop.requested",
    "backdrop.returned",
    "backdrop.shipped",
    "bureau.approved",
    "bureau.queued",
    "bureau.rejected",
    "bureau.submitted",
    "contact.undeliverable",
    "filing.abandoned",
    "filing.created",
    "filing.expired",
    "filing.reopened",
    "filing.submitted",
    "filing.withdrawn",
    "initial_review.passed",
    "initial_review.rejected",
    "photo.passed",
    "photo.precheck_failed",
    "photo.received",
    "photo.rejected",
    "sms.failed",
    "sms.reminder",
    "sms.started",
    "step.reminder",
    "website.updated",
];

/// Renders the message of a filing's event. `locale` is `en`, anything else means zh-CN. Fails when the event has
/// no template or the template uses a variable that is not set.
pub fn render(event_type: &str, locale: &str, vars: &TemplateVars) -> Result<Rendered, TextError> {
    let locale = known_locale(locale);
    let section = |name: &str| render_section(event_type, locale, name, vars);
    let body = section("email")?;
    let wrapped = Wrapped { body, vars };
    let email_text = render_section("_layout", locale, "email", &wrapped)?;
    Ok(Rendered {
        subject: one_line(&section("subject")?),
        email_html: to_html(&email_text, locale, &vars.link),
        email_text,
        sms: one_line(&section("sms")?),
        inbox_title: one_line(&section("inbox_title")?),
        inbox_body: section("inbox_body")?,
    })
}

/// Renders an e-mail about an account: `account.password_reset`, `account.password_changed`,
/// `account.email_verification` or `account.webhook_disabled`.
pub fn render_account(name: &str, locale: &str, vars: &AccountVars) -> Result<RenderedEmail, TextError> {
    let locale = known_locale(locale);
    let email_text = render_section(name, locale, "email", vars)?;
    Ok(RenderedEmail {
        subject: one_line(&render_section(name, locale, "subject", vars)?),
        email_html: to_html(&email_text, locale, &vars.link),
        email_text,
    })
}

/// The same e-mail in Chinese and, below, in English: for who has no language here. The names of the provider differ.
pub fn render_account_in_both(
    name: &str,
    zh: &AccountVars,
    en: &AccountVars,
) -> Result<RenderedEmail, TextError> {
    let (zh_mail, en_mail) = (render_account(name, "zh-CN", zh)?, render_account(name, "en", en)?);
    let email_text = format!("{}\n\n----\n\n{}", zh_mail.email_text, en_mail.email_text);
    Ok(RenderedEmail {
        subject: format!("{} / {}", zh_mail.subject, en_mail.subject),
        email_html: to_html(&email_text, "zh-CN", &zh.link),
        email_text,
    })
}

/// Renders the SMS with the code that verifies a mobile number: one line, signature included.
pub fn render_contact_code(
    locale: &str,
    provider_name: &str,
    code: &str,
    valid_minutes: u32,
) -> Result<String, TextError> {
    let vars = minijinja::context! { provider_name, code, valid_minutes };
    Ok(one_line(&render_section("account.contact_code", known_locale(locale), "sms", &vars)?))
}

/// Renders the message of the inbox about a contact (masked) that messages over a channel do not reach: heading, text.
pub(super) fn render_undeliverable(
    locale: &str,
    channel: Channel,
    contact: &str,
) -> Result<(String, String), TextError> {
    let vars = minijinja::context! { channel => channel.as_str(), contact };
    let section = |name| render_section("contact.undeliverable", known_locale(locale), name, &vars);
    Ok((one_line(&section("inbox_title")?), section("inbox_body")?))
}

/// A deadline for people, in Beijing time: midnight is shown as 24:00 of the day before, as the rules say it.
pub fn due_text(at: DateTime<Utc>, locale: &str) -> String {
    let local = at.with_timezone(&shanghai());
    let (date, time) = if local.time() == NaiveTime::MIN {
        ((local - Duration::days(1)).date_naive(), "24:00".to_owned())
    } else {
        (local.date_naive(), local.format("%H:%M").to_string())
    };
    match known_locale(locale) {
        "en" => format!("{}, {time} (Beijing time)", date.format("%-d %B %Y")),
        _ => format!("{} {time}（北京时间）", date.format("%Y年%-m月%-d日")),
    }
}

/// The body of an e-mail inside the layout, beside the event's own variables.
#[derive(Serialize)]
struct Wrapped<'a> {
    body: String,
    #[serde(flatten)]
    vars: &'a TemplateVars,
}

fn known_locale(locale: &str) -> &'static str {
    if locale == "en" { "en" } else { "zh-CN" }
}

fn render_section(
    name: &str,
    locale: &str,
    section: &str,
    vars: &impl Serialize,
) -> Result<String, TextError> {
    let key = key(name, locale, section);
    let Ok(template) = environment().get_template(&key) else {
        return Err(TextError::NoTemplate { name: key });
    };
    let text = template.render(vars).map_err(|source| TextError::Render { name: key, source })?;
    Ok(text.trim().to_owned())
}

fn key(name: &str, locale: &str, section: &str) -> String {
    format!("{name}.{locale}/{section}")
}

fn environment() -> &'static Environment<'static> {
    static PARSED: OnceLock<Environment<'static>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, locale, content) in TEMPLATES {
            for (section, text) in sections(content) {
                let key = key(name, locale, section);
                environment.add_template_owned(key, text).expect("templates are part of the program");
            }
        }
        environment
    })
}

/// Splits a file at its `--- name` lines.
fn sections(content: &str) -> HashMap<&str, String> {
    let mut found: HashMap<&str, String> = HashMap::new();
    let mut current = None;
    for line in content.lines() {
        if let Some(name) = line.strip_prefix("--- ") {
            current = Some(name.trim());
            found.entry(name.trim()).or_default();
        } else if let Some(text) = current.and_then(|name| found.get_mut(name)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    found
}

/// One line: a name with a line break must never add a header to a mail or split an SMS.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Plain text as simple HTML: a paragraph per block of lines, and the one known address as a link.
pub(super) fn to_html(text: &str, locale: &str, link: &str) -> String {
    let line = |line: &str| {
        let shown = escape(line);
        let is_web = link.starts_with("https://") || link.starts_with("http://");
        if line == link && is_web { format!("<a href=\"{shown}\">{shown}</a>") } else { shown }
    };
    let mut html =
        format!("<!DOCTYPE html>\n<html lang=\"{locale}\"><head><meta charset=\"utf-8\"></head><body>\n");
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let lines: Vec<_> = block.lines().map(line).collect();
        html.push_str(&format!("<p>{}</p>\n", lines.join("<br>\n")));
    }
    html.push_str("</body></html>\n");
    html
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests;
