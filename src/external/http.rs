//! One small HTTP client for calls to other systems: no redirects, a limit for the time and for the reply's size, a
//! connection of its own for each call (there are few, and several runtimes may use one client).

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Largest reply that is read, in bytes; what these interfaces say is short.
const MAX_REPLY: usize = 64 * 1024;

/// A client for http and https; trusts the certificates of the system.
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Limit for the whole call.
    timeout: Duration,
}

/// What came back.
#[derive(Debug)]
pub struct HttpReply {
    /// Status.
    pub status: StatusCode,
    /// The whole body, at most 64 KiB.
    pub body: Bytes,
}

/// Why there is no reply. The texts name kinds of faults, never an address or a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// Nothing was sent.
    #[error("no connection")]
    NoConnection,
    /// It may or may not have arrived.
    #[error("no answer in time")]
    TimeOut,
    /// It may or may not have arrived.
    #[error("the answer broke off, or is longer than 64 KiB")]
    BrokenOff,
}

impl HttpClient {
    /// A client whose calls take at most `timeout`. Opens no connection.
    ///
    /// # Errors
    /// When the system has no certificates that can be read.
    pub fn new(timeout: Duration) -> anyhow::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client, timeout })
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// See [`HttpFault`]. Any status is a reply, not an error.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<HttpReply, HttpFault> {
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let call = async {
            let reply = self.client.request(request).await.map_err(|error| {
                if error.is_connect() { HttpFault::NoConnection } else { HttpFault::BrokenOff }
            })?;
            let status = reply.status();
            let body = Limited::new(reply.into_body(), MAX_REPLY).collect().await;
            let body = body.map_err(|_| HttpFault::BrokenOff)?.to_bytes();
            Ok(HttpReply { status, body })
        };
        tokio::time::timeout(self.timeout, call).await.map_err(|_| HttpFault::TimeOut)?
    }
}
