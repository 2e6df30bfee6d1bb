//! JD Cloud SMS: `batchSend` and `statusReport` of `https://sms.jdcloud-api.com/v1/regions/{regionId}/…`.
//!
//! Messages are templates that JD Cloud's console has approved; the signature (【…】) belongs to the account there. A
//! template's parameters are a list, so the settings say for each kind of message which of our variables go where.
//! Bodies are those of the published SDK, region id included.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use hyper::{Request, StatusCode, Uri};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::jdcloud_signature::{Unsigned, authorization, content_sha256};
use super::{Handed, Receipt, ReceiptWay, Sms, SmsSender};
use crate::config::{JdCloudConfig, SmsTemplate};
use crate::external::DeliveryError;
use crate::external::delivery::safe_code;
use crate::external::http::{HttpClient, HttpReply};
use crate::kernel::i18n::Locale;
use crate::kernel::pii::{self, Sensitive};

/// Limit of one call, below the lease of a job.
const TIMEOUT: Duration = Duration::from_secs(20);
/// `status` of a receipt. JD Cloud's document names no values; these are what its public clients expect: 1 delivered,
/// 2 and 3 failed. Anything else is not final.
const DELIVERED: i64 = 1;
const FAILED: [i64; 2] = [2, 3];

/// The client.
pub struct JdCloud {
    http: HttpClient,
    config: JdCloudConfig,
    /// As it is signed: with the port unless it is the scheme's own.
    host: String,
}

impl JdCloud {
    /// A client for the settings. Opens no connection.
    ///
    /// # Errors
    /// When the endpoint has no host or the system's certificates cannot be read.
    pub fn new(config: &JdCloudConfig) -> anyhow::Result<Self> {
        let endpoint: Uri = config.endpoint.parse()?;
        let host = endpoint.host().ok_or_else(|| anyhow::anyhow!("JDCLOUD_SMS_ENDPOINT: no host"))?;
        let host = match endpoint.port_u16() {
            Some(port) if port != 80 && port != 443 => format!("{host}:{port}"),
            _ => host.to_owned(),
        };
        Ok(Self { http: HttpClient::new(TIMEOUT)?, config: config.clone(), host })
    }

    fn template(&self, template: &str, locale: Locale) -> Option<&SmsTemplate> {
        let own = format!("{template}@{locale}");
        let event = || if template.starts_with("account.") { None } else { self.config.templates.get("*") };
        self.config.templates.get(&own).or_else(|| self.config.templates.get(template)).or_else(event)
    }

    async fn call(&self, action: &str, at: DateTime<Utc>, body: &Value) -> Result<Value, DeliveryError> {
        let region = &self.config.region;
        let path = format!("/v1/regions/{region}/{action}");
        let body = body.to_string().into_bytes();
        let (date, nonce) = (at.format("%Y%m%dT%H%M%SZ").to_string(), Uuid::new_v4().to_string());
        let unsigned =
            Unsigned { host: &self.host, path: &path, region, date: &date, nonce: &nonce, body: &body };
        let secret: &SecretString = &self.config.secret_access_key;
        let signed = authorization(
            self.config.signature,
            &unsigned,
            &self.config.access_key_id,
            secret.expose_secret(),
        );
        let request = Request::post(format!("{}{path}", self.config.endpoint))
            .header("Content-Type", "application/json")
            .header("x-jdcloud-date", &date)
            .header("x-jdcloud-nonce", &nonce)
            .header("x-jdcloud-content-sha256", content_sha256(&body))
            .header("Authorization", signed)
            .body(body)
            .map_err(|_| DeliveryError::Permanent("the request cannot be made".to_owned()))?;
        let reply = self.http.send(request).await;
        read(&reply.map_err(|fault| DeliveryError::Channel(format!("JD Cloud: {fault}")))?)
    }
}

/// `result` of a successful reply, else why there is none.
fn read(reply: &HttpReply) -> Result<Value, DeliveryError> {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let word = |value: &Value| match value {
        Value::String(text) => safe_code(text),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    if reply.status != StatusCode::OK {
        let code = word(&body["error"]["status"]);
        let text = format!("JD Cloud: HTTP {} {code}", reply.status.as_u16());
        // A wrong key, an empty account, too many calls, a fault over there: the operator's affair, no message's.
        let is_ours =
            matches!(reply.status.as_u16(), 401 | 403 | 404 | 429) || reply.status.is_server_error();
        return Err(match is_ours {
            true => DeliveryError::Channel(text.trim_end().to_owned()),
            false => DeliveryError::Permanent(text.trim_end().to_owned()),
        });
    }
    let result = &body["result"];
    match result["status"].as_bool() {
        Some(true) => Ok(result.clone()),
        Some(false) => Err(DeliveryError::Permanent(format!("JD Cloud: code {}", word(&result["code"])))),
        None => Err(DeliveryError::Channel("JD Cloud: the reply cannot be understood".to_owned())),
    }
}

#[async_trait]
impl SmsSender for JdCloud {
    fn name(&self) -> &'static str {
        "jdcloud"
    }

    fn has_template(&self, template: &str, locale: Locale) -> bool {
        self.template(template, locale).is_some()
    }

    async fn send(&self, sms: &Sms) -> Result<Handed, DeliveryError> {
        let template = self.template(&sms.template, sms.locale).ok_or(DeliveryError::NoTemplate)?;
        let value = |name: &String| sms.variables.get(name).cloned().unwrap_or_default();
        let params: Vec<String> = template.params.iter().map(value).collect();
        let body = json!({
            "regionId": self.config.region,
            "templateId": template.template_id,
            "signId": self.config.sign_id,
            "phoneList": [sms.to.expose()],
            "params": params,
        });
        let result = self.call("batchSend", sms.at, &body).await?;
        let reference = result["data"]["sequenceNumber"].as_str().map(str::to_owned);
        let receipt = if reference.is_some() { ReceiptWay::Poll } else { ReceiptWay::None };
        Ok(Handed { reference, receipt })
    }

    async fn receipt(
        &self,
        at: DateTime<Utc>,
        reference: &str,
        to: &Sensitive<pii::Phone>,
    ) -> Result<Option<Receipt>, DeliveryError> {
        let body = json!({
            "regionId": self.config.region,
            "sequenceNumber": reference,
            "phoneList": [to.expose()],
        });
        let result = self.call("statusReport", at, &body).await?;
        Ok(verdict(result["data"].as_array().map_or(&[], Vec::as_slice), to))
    }
}

/// A long message is several parts: delivered when all are, undelivered as soon as one is.
fn verdict(parts: &[Value], to: &Sensitive<pii::Phone>) -> Option<Receipt> {
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let ours: Vec<&Value> = parts
        .iter()
        .filter(|part| part["phoneNum"].as_str().is_some_and(|phone| to.is_same_as(&Sensitive::new(phone))))
        .collect();
    let state = |part: &&Value| number(&part["status"]).unwrap_or(0);
    let code = |part: &Value| part["code"].as_str().map(safe_code).filter(|code| !code.is_empty());
    if let Some(failed) = ours.iter().find(|part| FAILED.contains(&state(part))) {
        return Some(Receipt { is_delivered: false, code: code(failed) });
    }
    let is_whole = !ours.is_empty() && ours.iter().all(|part| state(part) == DELIVERED);
    is_whole.then(|| Receipt { is_delivered: true, code: ours.first().and_then(|part| code(part)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> HttpReply {
        HttpReply {
            status: StatusCode::from_u16(status).expect("a status"),
            content_type: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn replies_are_told_apart_by_whose_fault_they_are() {
        let ok =
            read(&reply(200, r#"{"requestId":"r","result":{"status":true,"data":{"sequenceNumber":"7"}}}"#));
        assert_eq!(ok.expect("a result")["data"]["sequenceNumber"], "7");
        let error = |status, body| read(&reply(status, body)).expect_err("refused");
        assert_eq!(
            error(200, r#"{"result":{"status":false,"code":"1003","message":"13800138000 ..."}}"#),
            DeliveryError::Permanent("JD Cloud: code 1003".to_owned())
        );
        assert_eq!(
            error(400, r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"13800138000"}}"#),
            DeliveryError::Permanent("JD Cloud: HTTP 400 INVALID_ARGUMENT".to_owned())
        );
        for status in [401, 403, 404, 429, 500, 503] {
            assert!(matches!(error(status, "{}"), DeliveryError::Channel(_)), "{status}");
        }
        for body in ["", "<html>", "{}", "[]"] {
            assert!(matches!(error(200, body), DeliveryError::Channel(_)), "{body}");
        }
    }

    #[test]
    fn a_long_message_is_delivered_when_every_part_is() {
        let to = Sensitive::new("13800138000");
        let part =
            |status: Value, code: &str| json!({ "phoneNum": "13800138000", "status": status, "code": code });
        let delivered = |code: &str| Some(Receipt { is_delivered: true, code: Some(code.to_owned()) });
        assert_eq!(verdict(&[], &to), None);
        assert_eq!(verdict(&[part(json!(0), "")], &to), None);
        assert_eq!(verdict(&[part(json!(1), "DELIVRD")], &to), delivered("DELIVRD"));
        assert_eq!(verdict(&[part(json!("1"), "DELIVRD"), part(json!(0), "")], &to), None);
        let failed = verdict(&[part(json!(1), "DELIVRD"), part(json!(2), "UNDELIV")], &to);
        assert_eq!(failed, Some(Receipt { is_delivered: false, code: Some("UNDELIV".to_owned()) }));
        let other = json!({ "phoneNum": "13900139000", "status": 2, "code": "X" });
        assert_eq!(verdict(&[other], &to), None, "somebody else's part says nothing");
    }
}
