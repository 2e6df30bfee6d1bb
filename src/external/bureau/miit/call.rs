//! One HTTP call, and what its end tells: certainly not arrived, certainly refused, or nobody knows.

use std::time::Duration;

use encoding_rs::{Encoding, UTF_8};
use reqwest::{Client, header, redirect};

use super::envelope::MAX_BYTES;
use super::soap::{self, Answer};

/// Longest call: an attempt of the caller is given up after two minutes.
const TIMEOUT: Duration = Duration::from_secs(55);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
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

/// The HTTP client.
pub struct Caller(Client);

impl Caller {
    /// Redirects are not followed: a body with personal data goes to the configured address only.
    ///
    /// # Errors
    /// When the certificates of the machine cannot be read.
    pub fn new() -> anyhow::Result<Self> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            // A connection that the other side is just closing would leave it open whether the request arrived.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("beian/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }

    /// Posts a SOAP request and reads the answer.
    pub async fn call(&self, url: &str, body: &str) -> Result<Answer, Failure> {
        let sent = self
            .0
            .post(url)
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", "\"\"")
            .body(body.to_owned())
            .send()
            .await;
        let reply = sent.map_err(|error| {
            let is_unsent = error.is_connect() || error.is_builder();
            // Without the address: it is the operator's business, the error text goes to the API.
            let reason = error.without_url().to_string();
            if is_unsent { Failure::NotSent(reason) } else { Failure::NoReply(reason) }
        })?;
        let status = reply.status();
        if status.is_redirection() || status.is_client_error() {
            return Err(Failure::Refused(format!("HTTP status {status}")));
        }
        let label = reply
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split("charset=").nth(1))
            .map(|label| label.trim_matches(['"', '\'', ' ', ';']).to_owned());
        let bytes = read(reply).await?;
        let encoding = label.and_then(|label| Encoding::for_label(label.as_bytes())).unwrap_or(UTF_8);
        let text = encoding.decode(&bytes).0;
        soap::answer(&text).map_err(|fault| Failure::NoReply(format!("HTTP status {status}: {fault}")))
    }
}

/// The body, as long as it is not larger than any answer can be.
async fn read(mut reply: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    loop {
        let piece = reply.chunk().await.map_err(|error| Failure::NoReply(error.without_url().to_string()))?;
        let Some(piece) = piece else { return Ok(bytes) };
        if bytes.len() + piece.len() > MAX_REPLY {
            return Err(Failure::NoReply("the reply is too large".to_owned()));
        }
        bytes.extend_from_slice(&piece);
    }
}
