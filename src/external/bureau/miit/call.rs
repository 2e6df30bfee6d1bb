//! One HTTP call, and what its end tells: certainly not arrived, certainly refused, or nobody knows.

use std::time::Duration;

use encoding_rs::{Encoding, UTF_8};
use hyper::{Request, header};

use super::envelope::MAX_BYTES;
use super::soap::{self, Answer};
use crate::external::http::{HttpClient, HttpFault};

/// Longest call: an attempt of the caller is given up after two minutes.
const TIMEOUT: Duration = Duration::from_secs(55);
/// Largest reply: a file of 50 MB in base64, twice escaped.
const MAX_REPLY: usize = MAX_BYTES * 3 / 2;

/// How a call failed.
#[derive(Debug)]
pub enum Failure {
    /// No connection: nothing was sent.
    NotSent(String),
    /// Somebody answered who is not the interface, before it got anything: a wrong address, a proxy that asks for a
    /// password.
    Refused(String),
    /// Sent, and no answer that can be understood.
    NoReply(String),
}

/// Calls the interface.
pub struct Caller(HttpClient);

impl Caller {
    /// Redirects are not followed: a body with personal data goes to the configured address only.
    ///
    /// # Errors
    /// When the certificates of the machine cannot be read.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(HttpClient::new(TIMEOUT)?.with_replies_up_to(MAX_REPLY)))
    }

    /// Posts a SOAP request and reads the answer. The reasons of failures go to the API: they name no address.
    pub async fn call(&self, url: &str, body: &str) -> Result<Answer, Failure> {
        let request = Request::post(url)
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", "\"\"")
            .body(body.as_bytes().to_vec())
            .map_err(|_| Failure::NotSent("the address cannot be used".to_owned()))?;
        let reply = self.0.send(request).await.map_err(|fault| match fault {
            HttpFault::NoConnection => Failure::NotSent(fault.to_string()),
            HttpFault::TimeOut | HttpFault::BrokenOff => Failure::NoReply(fault.to_string()),
        })?;
        let status = reply.status;
        if status.is_redirection() || status.is_client_error() {
            return Err(Failure::Refused(format!("HTTP status {status}")));
        }
        let label = reply.content_type.as_deref().and_then(|value| value.split("charset=").nth(1));
        let label = label.map(|label| label.trim_matches(['"', '\'', ' ', ';']));
        let encoding = label.and_then(|label| Encoding::for_label(label.as_bytes())).unwrap_or(UTF_8);
        let text = encoding.decode(&reply.body).0;
        soap::answer(&text).map_err(|fault| Failure::NoReply(format!("HTTP status {status}: {fault}")))
    }
}
