//! Kuaidi100 (快递100): the query interface, signed with `MD5(param + key + customer)`, and the push interface, whose calls are
//! signed with `MD5(param + salt)`, both as upper-case hex.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};
use hyper::{Request, header};
use md5::{Digest, Md5};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{CarrierTracker, Parcel, Report, ReportedEvent, TrackingError};
use crate::config::Kuaidi100Config;
use crate::external::http::HttpClient;

/// Longest call.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer, in bytes.
const MAX_REPLY: usize = 1024 * 1024;
/// Most events of a parcel that are read, and longest text of one, in characters.
const MAX_EVENTS: usize = 500;
const MAX_TEXT: usize = 500;
/// 顺丰 and its daughters tell nothing without the end of a phone number.
const NEEDS_PHONE: [&str; 3] = ["shunfeng", "shunfengkuaiyun", "fengwang"];

/// The client.
pub struct Kuaidi100 {
    config: Kuaidi100Config,
    client: HttpClient,
}

impl Kuaidi100 {
    /// With settings that were checked at the start.
    ///
    /// # Errors
    /// When the certificates of the machine cannot be read.
    pub fn new(config: Kuaidi100Config) -> anyhow::Result<Self> {
        let client = HttpClient::new(TIMEOUT)?.with_replies_up_to(MAX_REPLY);
        Ok(Self { config, client })
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer, TrackingError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(format!("{}{path}", self.config.url))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(body.into_bytes())
            .map_err(|_| TrackingError::NoAnswer("the address cannot be used".to_owned()))?;
        let reply = self.client.send(request).await;
        let reply = reply.map_err(|fault| TrackingError::NoAnswer(fault.to_string()))?;
        serde_json::from_slice(&reply.body).map_err(|_| {
            TrackingError::NoAnswer(format!("HTTP status {}, not the expected JSON", reply.status))
        })
    }
}

/// Upper-case hex of the MD5 of texts, one after the other.
fn sign(parts: &[&str]) -> String {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part.as_bytes()));
    hex::encode_upper(hash.finalize())
}

/// What every reply may hold.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    return_code: Option<String>,
    message: Option<String>,
    state: Option<String>,
    data: Option<Vec<Line>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    context: String,
    /// `2026-03-11 10:00:00`, in Shanghai.
    ftime: Option<String>,
    time: Option<String>,
    area_name: Option<String>,
}

/// What comes by itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Push {
    last_result: Pushed,
}

#[derive(Deserialize)]
struct Pushed {
    nu: String,
    com: String,
    state: String,
    data: Option<Vec<Line>>,
}

fn events(lines: Option<Vec<Line>>) -> Vec<ReportedEvent> {
    let event = |line: Line| {
        let at = line.ftime.as_deref().and_then(moment).or(line.time.as_deref().and_then(moment))?;
        let text: String = line.context.trim().chars().take(MAX_TEXT).collect();
        let place = line.area_name.map(|name| name.trim().chars().take(100).collect::<String>());
        (!text.is_empty()).then_some(ReportedEvent { at, place: place.filter(|name| !name.is_empty()), text })
    };
    lines.unwrap_or_default().into_iter().take(MAX_EVENTS).filter_map(event).collect()
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let local = NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%d %H:%M:%S").ok()?;
    let shanghai = FixedOffset::east_opt(8 * 3600)?;
    local.and_local_timezone(shanghai).single().map(|at| at.to_utc())
}

/// The service's refusals; everything else that is no report is "not yet".
fn refusal(answer: &Answer) -> TrackingError {
    let code = answer.return_code.as_deref().unwrap_or_default();
    let message: String = answer.message.as_deref().unwrap_or_default().chars().take(200).collect();
    match code {
        "500" | "201" => TrackingError::Unknown,
        "502" | "504" => TrackingError::NoAnswer(format!("code {code}: {message}")),
        _ => TrackingError::Refused(format!("code {code}: {message}")),
    }
}

#[async_trait]
impl CarrierTracker for Kuaidi100 {
    async fn query(&self, parcel: &Parcel) -> Result<Report, TrackingError> {
        let mut param = json!({ "com": parcel.carrier_code, "num": parcel.tracking_number });
        if NEEDS_PHONE.contains(&parcel.carrier_code.as_str()) {
            param["phone"] = json!(parcel.phone_end);
        }
        let param = param.to_string();
        let (key, customer) = (self.config.key.expose_secret(), self.config.customer.as_str());
        let sign = sign(&[&param, key, customer]);
        let fields = [("customer", customer), ("sign", sign.as_str()), ("param", param.as_str())];
        let answer = self.post("/poll/query.do", &fields).await?;
        match (&answer.state, answer.data.is_some()) {
            (Some(state), true) => Ok(Report { state: state.clone(), events: events(answer.data) }),
            _ => Err(refusal(&answer)),
        }
    }

    async fn subscribe(&self, parcel: &Parcel, callback_url: &str) -> Result<(), TrackingError> {
        let mut parameters = json!({ "callbackurl": callback_url, "salt": self.config.salt.expose_secret() });
        if NEEDS_PHONE.contains(&parcel.carrier_code.as_str()) {
            parameters["phone"] = json!(parcel.phone_end);
        }
        let param = json!({
            "company": parcel.carrier_code, "number": parcel.tracking_number,
            "key": self.config.key.expose_secret(), "parameters": parameters,
        })
        .to_string();
        let answer = self.post("/poll", &[("schema", "json"), ("param", param.as_str())]).await?;
        match answer.return_code.as_deref() {
            // 501: subscribed before.
            Some("200" | "501") => Ok(()),
            _ => Err(refusal(&answer)),
        }
    }

    fn read_push(&self, given: &str, param: &str) -> Option<(Parcel, Report)> {
        let right = sign(&[param, self.config.salt.expose_secret()]);
        if !bool::from(right.as_bytes().ct_eq(given.as_bytes())) {
            return None;
        }
        let Pushed { nu, com, state, data } = serde_json::from_str::<Push>(param).ok()?.last_result;
        let parcel = Parcel { carrier_code: com, tracking_number: nu, phone_end: String::new() };
        Some((parcel, Report { state, events: events(data) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected value comes from another implementation:
    ///
    /// ```sh
    /// printf '%s' '{"com":"shunfeng","num":"SF1234567890123","phone":"8000"}KEYCUSTOMER' | md5sum | tr a-f A-F
    /// ```
    #[test]
    fn the_signature_is_that_of_another_implementation() {
        let param = "{\"com\":\"shunfeng\",\"num\":\"SF1234567890123\",\"phone\":\"8000\"}";
        assert_eq!(sign(&[param, "KEY", "CUSTOMER"]), "50A51FDA3AAF4F125D04A19F2A87716D");
    }

    #[test]
    fn times_are_those_of_shanghai_and_odd_lines_are_left_out() {
        let lines: Vec<Line> = serde_json::from_value(json!([
            { "context": " 已签收 ", "ftime": "2026-03-11 10:00:00", "time": "x", "areaName": "北京,朝阳区" },
            { "context": "揽收", "time": "2026-03-10 09:00:00" },
            { "context": "没有时间" },
            { "context": " ", "ftime": "2026-03-11 10:00:00" },
        ]))
        .unwrap();
        let events = events(Some(lines));
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].at.to_rfc3339(), "2026-03-11T02:00:00+00:00");
        assert_eq!((events[0].text.as_str(), events[0].place.as_deref()), ("已签收", Some("北京,朝阳区")));
        assert_eq!(events[1].place, None);
    }
}
