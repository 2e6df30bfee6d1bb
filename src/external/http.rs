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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request with these bytes, or with silence.
    async fn server(answer: Option<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            match answer {
                Some(bytes) => drop(stream.write_all(bytes.as_bytes()).await),
                None => tokio::time::sleep(Duration::from_secs(30)).await,
            }
        });
        url
    }

    async fn ask(url: &str) -> Result<HttpReply, HttpFault> {
        let client = HttpClient::new(Duration::from_millis(500)).expect("a client");
        client.send(Request::get(url).body(Vec::new()).expect("a request")).await
    }

    fn reply(head: &str, body: &str) -> Option<String> {
        Some(format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    }

    #[tokio::test]
    async fn a_reply_is_taken_as_it_is_and_never_followed_elsewhere() {
        let found = ask(&server(reply("302 Found\r\nLocation: http://127.0.0.1:1/", "")).await).await;
        assert_eq!(found.expect("a reply").status, StatusCode::FOUND);
        let whole = ask(&server(reply("200 OK", &"x".repeat(MAX_REPLY))).await).await.expect("a reply");
        assert_eq!(whole.body.len(), MAX_REPLY);
    }

    #[tokio::test]
    async fn what_does_not_come_in_time_or_is_too_much_is_a_fault() {
        let long = ask(&server(reply("200 OK", &"x".repeat(MAX_REPLY + 1))).await).await;
        assert_eq!(long.expect_err("too long"), HttpFault::BrokenOff);
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_owned();
        assert_eq!(ask(&server(Some(half)).await).await.expect_err("half"), HttpFault::BrokenOff);
        assert_eq!(ask(&server(None).await).await.expect_err("silence"), HttpFault::TimeOut);
        let gone = {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            format!("http://{}/", listener.local_addr().expect("an address"))
        };
        assert_eq!(ask(&gone).await.expect_err("nobody"), HttpFault::NoConnection);
    }
}
