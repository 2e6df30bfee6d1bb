//! Any provider with an HTTP interface, described by settings: address, headers and body are templates (minijinja), and
//! expressions over the reply say whether it was taken, refused for good, and under which number.
//!
//! Templates know `id` (the same for each attempt, for providers that can tell a repeat), `to`, `text`, `template`,
//! `locale`, `vars.*` and `secret`; the filters `tojson` and `urlencode` write them safely. Expressions know `status`,
//! `body` and `json` (the parsed body, or undefined).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use secrecy::ExposeSecret;

use super::{Handed, ReceiptWay, Sms, SmsSender};
use crate::config::HttpSmsConfig;
use crate::external::DeliveryError;
use crate::external::http::{HttpClient, HttpReply};

/// Limit of one call, below the lease of a job.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The client.
pub struct HttpGateway {
    http: HttpClient,
    config: HttpSmsConfig,
    /// Undefined variables are faults of the settings.
    requests: Arc<Environment<'static>>,
    /// A provider may leave out what it likes.
    replies: Arc<Environment<'static>>,
    has_callback: bool,
}

impl HttpGateway {
    /// A client for the settings; `has_callback` when the provider can tell us its receipts. Opens no connection.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new(config: &HttpSmsConfig, has_callback: bool) -> anyhow::Result<Self> {
        let mut requests = Environment::new();
        requests.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut replies = Environment::new();
        replies.set_undefined_behavior(UndefinedBehavior::Chainable);
        Ok(Self {
            http: HttpClient::new(TIMEOUT)?,
            config: config.clone(),
            requests: Arc::new(requests),
            replies: Arc::new(replies),
            has_callback,
        })
    }

    /// The request for a message. A fault names the setting, never what was put in: that holds the number and the
    /// secret.
    fn request(&self, sms: &Sms) -> Result<Request<Vec<u8>>, DeliveryError> {
        let config = &self.config;
        let secret = config.secret.as_ref().map(|secret| secret.expose_secret()).unwrap_or_default();
        let vars = context! {
            id => sms.id.to_string(),
            to => sms.to.expose(),
            text => sms.text,
            template => sms.template,
            locale => sms.locale.as_str(),
            vars => sms.variables,
            secret => secret,
        };
        let fault = |setting: &str| DeliveryError::Channel(format!("{setting} cannot be used"));
        let render =
            |setting: &str, text: &str| self.requests.render_str(text, &vars).map_err(|_| fault(setting));
        let mut request =
            Request::builder().method(config.method.as_str()).uri(render("SMS_HTTP_URL", &config.url)?);
        for (name, value) in &config.headers {
            request = request.header(name, render("SMS_HTTP_HEADERS", value)?);
        }
        let body = match &config.body {
            Some(body) => {
                let is_typed =
                    config.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
                if !is_typed {
                    request = request.header(CONTENT_TYPE, "application/json");
                }
                render("SMS_HTTP_BODY", body)?.into_bytes()
            }
            None => Vec::new(),
        };
        request.body(body).map_err(|_| fault("SMS_HTTP_URL or SMS_HTTP_HEADERS"))
    }

    fn read(&self, reply: &HttpReply) -> Result<Option<String>, DeliveryError> {
        let status = reply.status.as_u16();
        let json = serde_json::from_slice::<serde_json::Value>(&reply.body).ok();
        let vars = context! {
            status => status,
            body => String::from_utf8_lossy(&reply.body),
            json => json.map_or(Value::UNDEFINED, Value::from_serialize),
        };
        let value = |setting: &str, text: &str| -> Result<Value, DeliveryError> {
            let fault = |_| DeliveryError::Channel(format!("{setting} cannot be used"));
            self.replies.compile_expression(text).map_err(fault)?.eval(&vars).map_err(fault)
        };
        let is_so = |setting: &str, text: &Option<String>| match text {
            Some(text) => value(setting, text).map(|value| value.is_true()),
            None => Ok(false),
        };
        if value("SMS_HTTP_SUCCESS", &self.config.success)?.is_true() {
            let Some(text) = &self.config.reference else { return Ok(None) };
            let reference = value("SMS_HTTP_REFERENCE", text)?;
            let is_said = !reference.is_undefined() && !reference.is_none();
            return Ok(is_said.then(|| reference.to_string().chars().take(100).collect()));
        }
        let text = format!("HTTP {status}");
        if is_so("SMS_HTTP_REFUSED", &self.config.refused)? {
            return Err(DeliveryError::Recipient(text));
        }
        Err(match status {
            // Taken for HTTP, yet not what the settings call a success: this message is not liked.
            200..=299 | 400 | 405..=407 | 409..=428 => DeliveryError::Permanent(text),
            _ => DeliveryError::Channel(text),
        })
    }
}

#[async_trait]
impl SmsSender for HttpGateway {
    fn name(&self) -> &'static str {
        "http"
    }

    async fn send(&self, sms: &Sms) -> Result<Handed, DeliveryError> {
        let request = self.request(sms)?;
        let reply = self.http.send(request).await;
        let reply = reply.map_err(|fault| DeliveryError::Channel(format!("SMS gateway: {fault}")))?;
        let reference = self.read(&reply)?.unwrap_or_else(|| sms.id.to_string());
        let receipt = if self.has_callback { ReceiptWay::Callback } else { ReceiptWay::None };
        Ok(Handed { reference: Some(reference), receipt })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hyper::StatusCode;
    use secrecy::SecretString;

    use super::*;
    use crate::kernel::i18n::Locale;
    use crate::kernel::pii::Sensitive;

    fn gateway(change: impl FnOnce(&mut HttpSmsConfig)) -> HttpGateway {
        let mut config = HttpSmsConfig {
            url: "https://sms.example.com/send?to={{ to|urlencode }}".to_owned(),
            method: "POST".to_owned(),
            headers: vec![("Authorization".to_owned(), "Bearer {{ secret }}".to_owned())],
            body: Some(r#"{"content":{{ text|tojson }},"uid":{{ id|tojson }}}"#.to_owned()),
            secret: Some(SecretString::from("s3cret")),
            success: "status == 200 and json.code == 0".to_owned(),
            refused: Some("json.code in [22, 53]".to_owned()),
            reference: Some("json.sid".to_owned()),
        };
        change(&mut config);
        HttpGateway::new(&config, true).expect("a gateway")
    }

    fn sms() -> Sms {
        Sms {
            id: uuid::Uuid::from_u128(5),
            notification_id: None,
            at: "2026-03-02T01:02:03Z".parse().expect("a time"),
            to: Sensitive::new("13800138000"),
            text: "【示例云】\"山间\" & <书屋>".to_owned(),
            template: "filing.submitted".to_owned(),
            locale: Locale::ZhCn,
            variables: BTreeMap::new(),
        }
    }

    fn reply(status: u16, body: &str) -> HttpReply {
        HttpReply {
            status: StatusCode::from_u16(status).expect("a status"),
            content_type: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn whatever_the_text_is_the_body_stays_json() {
        let request = gateway(|_| {}).request(&sms()).expect("a request");
        assert_eq!(request.uri().to_string(), "https://sms.example.com/send?to=13800138000");
        assert_eq!(request.headers()["authorization"], "Bearer s3cret");
        assert_eq!(request.headers()["content-type"], "application/json");
        let body: serde_json::Value = serde_json::from_slice(request.body()).expect("JSON");
        assert_eq!(body["content"], sms().text);
        assert_eq!(body["uid"], sms().id.to_string());
    }

    #[test]
    fn a_fault_of_the_settings_names_the_setting_and_nothing_else() {
        for (change, name) in [
            (
                Box::new(|c: &mut HttpSmsConfig| c.body = Some("{{ nobody }}".into()))
                    as Box<dyn FnOnce(&mut _)>,
                "SMS_HTTP_BODY",
            ),
            (Box::new(|c: &mut HttpSmsConfig| c.url = "https://x/{{ text }}".into()), "SMS_HTTP_URL"),
            (
                Box::new(|c: &mut HttpSmsConfig| c.headers[0].1 = "{{ secret }}\n{{ to }}".into()),
                "SMS_HTTP_HEADERS",
            ),
        ] {
            let error = gateway(change).request(&sms()).expect_err("unusable").to_string();
            assert!(error.contains(name) && !error.contains("s3cret") && !error.contains("138"), "{error}");
        }
    }

    #[test]
    fn the_rules_of_the_settings_judge_the_reply() {
        let gateway = gateway(|_| {});
        assert_eq!(gateway.read(&reply(200, r#"{"code":0,"sid":4711}"#)), Ok(Some("4711".to_owned())));
        assert_eq!(gateway.read(&reply(200, r#"{"code":0}"#)), Ok(None));
        let refused = gateway.read(&reply(200, r#"{"code":22,"msg":"13800138000"}"#));
        assert_eq!(refused, Err(DeliveryError::Recipient("HTTP 200".to_owned())));
        assert_eq!(
            gateway.read(&reply(200, r#"{"code":8}"#)),
            Err(DeliveryError::Permanent("HTTP 200".to_owned()))
        );
        assert_eq!(
            gateway.read(&reply(200, "no JSON")),
            Err(DeliveryError::Permanent("HTTP 200".to_owned()))
        );
        for status in [401, 403, 404, 408, 429, 500, 502, 302] {
            let error = gateway.read(&reply(status, "")).expect_err("refused");
            assert!(matches!(error, DeliveryError::Channel(_)), "{status}: {error}");
        }
    }
}
