//! The HTTP client for calls to other systems: no redirects (a body may hold personal data and goes to the configured address
//! only), limits for the time and for the reply's size, a connection of its own for each call: there are few, several
//! runtimes may use one client, and a connection that the other side is just closing would leave it open whether the
//! request arrived. Receivers of webhooks, whose addresses are other people's, have a client of their own: [`super::web`].

use std::time::Duration;

use reqwest::{Client, Request, Response, StatusCode, header, redirect};

/// Largest reply that is read unless somebody expects more, in bytes; what most interfaces say is short.
const MAX_REPLY: usize = 64 * 1024;
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for http and https; trusts the certificates of the system.
pub struct HttpClient {
    client: Client,
    /// Largest reply, in bytes.
    max_reply: usize,
}

/// What came back.
#[derive(Debug)]
pub struct HttpReply {
    /// Status.
    pub status: StatusCode,
    /// Media type with its parameters.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
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
    #[error("the answer broke off, or is too long")]
    BrokenOff,
}

impl HttpClient {
    /// A client whose calls take at most `timeout`, and whose replies have at most 64 KiB. Opens no connection.
    ///
    /// # Errors
    /// When the system has no certificates that can be read.
    pub fn new(timeout: Duration) -> anyhow::Result<Self> {
        let client = Client::builder()
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .redirect(redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .user_agent(concat!("beian/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, max_reply: MAX_REPLY })
    }

    /// Takes replies of up to so many bytes.
    pub fn with_replies_up_to(self, max_reply: usize) -> Self {
        Self { max_reply, ..self }
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// See [`HttpFault`]. Any status is a reply, not an error.
    pub async fn send(&self, request: hyper::Request<Vec<u8>>) -> Result<HttpReply, HttpFault> {
        let request = Request::try_from(request).map_err(fault)?;
        let reply = self.client.execute(request).await.map_err(fault)?;
        let content_type = reply.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Ok(HttpReply {
            status: reply.status(),
            content_type: content_type.map(str::to_owned),
            body: self.read(reply).await?,
        })
    }

    async fn read(&self, mut reply: Response) -> Result<Vec<u8>, HttpFault> {
        let mut body = Vec::new();
        while let Some(piece) = reply.chunk().await.map_err(fault)? {
            if body.len() + piece.len() > self.max_reply {
                return Err(HttpFault::BrokenOff);
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

fn fault(error: reqwest::Error) -> HttpFault {
    if error.is_connect() || error.is_builder() {
        HttpFault::NoConnection
    } else if error.is_timeout() {
        HttpFault::TimeOut
    } else {
        HttpFault::BrokenOff
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
        client.send(hyper::Request::get(url).body(Vec::new()).expect("a request")).await
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
