//! Settings of what people are told: who carries SMS, limits for each recipient, when a channel is paused.

use std::collections::BTreeMap;
use std::time::Duration;

use minijinja::Environment;
use secrecy::SecretString;
use serde::Deserialize;

use super::{Mode, Reader, network};
use crate::external::sms::jdcloud_signature::Algorithm;

/// What every installation has to send by SMS: a code that verifies a number, and the bureau's two results.
const NEEDED: [&str; 3] = ["account.contact_code", "bureau.approved", "bureau.rejected"];
/// What templates can be filled with.
pub const SMS_VARIABLES: [&str; 12] = [
    "order_no",
    "website_name",
    "status_label",
    "provider_name",
    "link",
    "due_at",
    "reasons",
    "carrier",
    "tracking_number",
    "title",
    "code",
    "valid_minutes",
];

/// SMS.
#[derive(Debug, Clone)]
pub struct SmsConfig {
    pub provider: SmsProvider,
    /// What a gateway shows when it tells receipts; `None` means that none are taken.
    pub receipt_secret: Option<SecretString>,
}

/// Who carries SMS.
#[derive(Debug, Clone)]
pub enum SmsProvider {
    /// Nobody; a table keeps what would have been sent.
    Outbox,
    /// Nobody; messages by SMS are suppressed.
    None,
    /// JD Cloud.
    JdCloud(JdCloudConfig),
    /// A gateway with an HTTP interface.
    Http(HttpSmsConfig),
}

/// JD Cloud SMS.
#[derive(Debug, Clone)]
pub struct JdCloudConfig {
    /// Scheme and host, without a final slash.
    pub endpoint: String,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: SecretString,
    /// Signature id (签名).
    pub sign_id: String,
    pub signature: Algorithm,
    /// By type of event, `TYPE@en` for one language, `*` for events without an own one.
    pub templates: BTreeMap<String, SmsTemplate>,
}

/// An approved template of a provider.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct SmsTemplate {
    /// The provider's id of it.
    pub template_id: String,
    /// Names of our variables, in the order of the template's parameters.
    #[serde(default)]
    pub params: Vec<String>,
}

/// A gateway with an HTTP interface. Texts with `{{ … }}` are templates.
#[derive(Debug, Clone)]
pub struct HttpSmsConfig {
    pub url: String,
    /// `POST`, `PUT` or `GET`.
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    /// `{{ secret }}` in the templates.
    pub secret: Option<SecretString>,
    /// Expression: the message was taken.
    pub success: String,
    /// Expression: nobody has this number.
    pub refused: Option<String>,
    /// Expression: the gateway's own number of the message.
    pub reference: Option<String>,
}

/// How often, and when not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    /// SMS about events that one user gets in an hour; what is more waits.
    pub sms_per_hour: u32,
    /// The same for e-mail.
    pub emails_per_hour: u32,
    /// Failures of a channel, one after the other, that pause it.
    pub breaker_failures: u32,
    /// The first pause; each further one in a row is twice as long, up to half an hour.
    pub breaker_pause: Duration,
}

pub(super) fn read_limits(r: &Reader) -> MessageLimits {
    let number = |name: &str, default: u32| {
        let parse = |text: &str| match text.parse::<u32>() {
            Ok(n @ 1..=10_000) => Ok(n),
            _ => Err("a whole number from 1 to 10000 is expected".to_owned()),
        };
        r.parsed(name, parse).unwrap_or(default)
    };
    MessageLimits {
        sms_per_hour: number("SMS_PER_HOUR", 10),
        emails_per_hour: number("EMAILS_PER_HOUR", 30),
        breaker_failures: number("CHANNEL_BREAKER_FAILURES", 5),
        breaker_pause: r.seconds("CHANNEL_BREAKER_PAUSE_SECONDS", 60),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Choice {
    Outbox,
    None,
    JdCloud,
    Http,
}

pub(super) fn read_sms(r: &Reader, mode: Mode) -> SmsConfig {
    let choices = [
        ("outbox", Choice::Outbox),
        ("none", Choice::None),
        ("jdcloud", Choice::JdCloud),
        ("http", Choice::Http),
    ];
    let default = if mode == Mode::Embedded { Choice::Outbox } else { Choice::None };
    let choice = r.choice("SMS_PROVIDER", &choices).unwrap_or(default);
    // Both are read whatever is chosen, so that a fault is found before the day on which it is needed.
    let jdcloud = read_jdcloud(r, choice == Choice::JdCloud);
    let http = read_http_gateway(r, choice == Choice::Http);
    let receipt_secret = r.parsed("SMS_RECEIPT_SECRET", |text| match text.len() {
        16..=200 => Ok(text.to_owned()),
        _ => Err("16 to 200 characters are expected".to_owned()),
    });
    if receipt_secret.is_some() && choice != Choice::Http {
        r.fault("SMS_RECEIPT_SECRET: only a gateway (SMS_PROVIDER=http) calls for receipts".into());
    }
    let provider = match choice {
        Choice::Outbox => SmsProvider::Outbox,
        Choice::None => SmsProvider::None,
        Choice::JdCloud => SmsProvider::JdCloud(jdcloud),
        Choice::Http => SmsProvider::Http(http),
    };
    SmsConfig { provider, receipt_secret: receipt_secret.map(Into::into) }
}

/// A setting that the chosen provider cannot do without.
fn needed(r: &Reader, is_chosen: bool, name: &str, value: Option<String>) -> String {
    let is_faulty = r.faults.borrow().iter().any(|fault| fault.starts_with(&format!("{name}:")));
    if value.is_none() && is_chosen && !is_faulty {
        r.fault(format!("{name}: missing; SMS_PROVIDER needs it"));
    }
    value.unwrap_or_default()
}

fn read_jdcloud(r: &Reader, is_chosen: bool) -> JdCloudConfig {
    let templates = r.parsed("JDCLOUD_SMS_TEMPLATES", templates);
    if templates.is_none() {
        needed(r, is_chosen, "JDCLOUD_SMS_TEMPLATES", None);
    }
    let word = |text: &str| {
        let is_word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if is_word { Ok(text.to_owned()) } else { Err("letters, digits and '-' are expected".to_owned()) }
    };
    let algorithms = [("JDCLOUD2-HMAC-SHA256", Algorithm::V2), ("JDCLOUD3-HMAC-SHA256", Algorithm::V3)];
    JdCloudConfig {
        endpoint: r
            .parsed("JDCLOUD_SMS_ENDPOINT", endpoint)
            .unwrap_or_else(|| "https://sms.jdcloud-api.com".into()),
        region: r.parsed("JDCLOUD_SMS_REGION", word).unwrap_or_else(|| "cn-north-1".into()),
        access_key_id: needed(r, is_chosen, "JDCLOUD_ACCESS_KEY_ID", r.text("JDCLOUD_ACCESS_KEY_ID")),
        secret_access_key: needed(
            r,
            is_chosen,
            "JDCLOUD_SECRET_ACCESS_KEY",
            r.text("JDCLOUD_SECRET_ACCESS_KEY"),
        )
        .into(),
        sign_id: needed(r, is_chosen, "JDCLOUD_SMS_SIGN_ID", r.text("JDCLOUD_SMS_SIGN_ID")),
        signature: r.choice("JDCLOUD_SIGNATURE", &algorithms).unwrap_or(Algorithm::V2),
        templates: templates.unwrap_or_default(),
    }
}

/// Scheme and host only: the path is signed, and is the service's own.
fn endpoint(text: &str) -> Result<String, String> {
    let url = network::http_url(text)?;
    let has_path = url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    if has_path { Err("a scheme and a host only are expected".to_owned()) } else { Ok(url) }
}

fn templates(text: &str) -> Result<BTreeMap<String, SmsTemplate>, String> {
    let all: BTreeMap<String, SmsTemplate> = serde_json::from_str(text).map_err(|_| {
        "a JSON object such as {\"bureau.approved\": {\"template_id\": \"…\", \"params\": [\"order_no\"]}} is expected"
            .to_owned()
    })?;
    for (name, template) in &all {
        if let Some(param) = template.params.iter().find(|param| !SMS_VARIABLES.contains(&param.as_str())) {
            return Err(format!("{name}: {param} is not one of {}", SMS_VARIABLES.join(", ")));
        }
        let event = name.split('@').next().unwrap_or_default();
        let is_known = event == "*"
            || event == "account.contact_code"
            || crate::catalogue::data::event_type(event)
                .is_some_and(|row| row.channels.iter().any(|c| c == "sms"));
        if !is_known {
            return Err(format!("{name} is not a type of event that goes by SMS"));
        }
    }
    let is_there =
        |name: &str| all.contains_key(name) || name != "account.contact_code" && all.contains_key("*");
    match NEEDED.iter().find(|name| !is_there(name)) {
        Some(name) => Err(format!("{name} is missing: this message must always have a template")),
        None => Ok(all),
    }
}

fn read_http_gateway(r: &Reader, is_chosen: bool) -> HttpSmsConfig {
    let template = |text: &str| match Environment::new().template_from_str(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a template such as {{ to }} is expected, and it cannot be read".to_owned()),
    };
    let expression = |text: &str| match Environment::new().compile_expression(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("an expression such as status == 200 and json.code == 0 is expected".to_owned()),
    };
    let url = r.parsed("SMS_HTTP_URL", |text| {
        if ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) {
            template(text)
        } else {
            Err("a URL that begins with http:// or https:// is expected".to_owned())
        }
    });
    let headers = r.parsed("SMS_HTTP_HEADERS", |text| {
        let headers: BTreeMap<String, String> = serde_json::from_str(text).map_err(|_| {
            "a JSON object of texts such as {\"Authorization\": \"…\"} is expected".to_owned()
        })?;
        headers.into_iter().map(|(name, value)| Ok((name, template(&value)?))).collect()
    });
    let methods = [("POST", "POST"), ("PUT", "PUT"), ("GET", "GET")];
    HttpSmsConfig {
        url: needed(r, is_chosen, "SMS_HTTP_URL", url),
        method: r.choice("SMS_HTTP_METHOD", &methods).unwrap_or("POST").to_owned(),
        headers: headers.unwrap_or_default(),
        body: r.parsed("SMS_HTTP_BODY", template),
        secret: r.text("SMS_HTTP_SECRET").map(Into::into),
        success: r
            .parsed("SMS_HTTP_SUCCESS", expression)
            .unwrap_or_else(|| "status >= 200 and status < 300".into()),
        refused: r.parsed("SMS_HTTP_REFUSED", expression),
        reference: r.parsed("SMS_HTTP_REFERENCE", expression),
    }
}
