//! Calls receivers of webhooks. The client resolves the name itself, checks every address, and connects to the very address
//! that it checked: a name that changes its address in between (DNS rebinding) gains nothing. No proxy, no redirects, no
//! connection is kept; time and size of the answer are bounded.

mod addresses;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

pub use addresses::{Policy, UrlFault};

/// Longest time to look a name up and connect.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Longest time of one call, connecting included.
const CALL_TIME: Duration = Duration::from_secs(10);
/// Most bytes of an answer that are read; what comes after is not waited for.
pub const MAX_ANSWER: usize = 64 * 1024;

/// Turns names into addresses.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The addresses of a host.
    ///
    /// # Errors
    /// When there are none, or nobody answers.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, cut at [`MAX_ANSWER`] bytes; what is not UTF-8 is replaced.
    pub body: String,
}

/// Why there is no answer. The texts are shown to the partner: they never name an address inside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// The address may not be called, by its form.
    #[error("the address is not allowed")]
    NotAllowed,
    /// The name leads to an address that is not public.
    #[error("the host has an address that is not public")]
    NotPublic,
    /// The name leads nowhere.
    #[error("the host name cannot be resolved")]
    Unresolved,
    /// No connection.
    #[error("no connection: {0}")]
    NoConnection(io::ErrorKind),
    /// The certificate or the protocol is not right.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The other side does not speak HTTP, or stopped in the middle.
    #[error("the answer could not be read")]
    BadAnswer,
    /// It took too long.
    #[error("no answer within {} seconds", CALL_TIME.as_secs())]
    TimeOut,
}

/// The client; cheap to clone.
#[derive(Clone)]
pub struct WebClient {
    policy: Policy,
    resolver: Arc<dyn Resolver>,
}

/// Ends the task that drives a connection, however the call ends.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl WebClient {
    /// A client with the system's resolver.
    pub fn new(policy: Policy) -> Self {
        Self::with_resolver(policy, Arc::new(SystemResolver))
    }

    /// A client with a resolver of one's own.
    pub fn with_resolver(policy: Policy, resolver: Arc<dyn Resolver>) -> Self {
        Self { policy, resolver }
    }

    /// Checks an address that somebody typed, by its form and by where its name leads now. A name that leads nowhere
    /// passes: it is asked again at each call.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn check(&self, text: &str) -> Result<(), UrlFault> {
        let url = self.policy.check(text)?;
        match timeout(CONNECT_TIME, self.addresses(&url)).await {
            Ok(Err(WebError::NotPublic)) => Err(UrlFault::NotPublic),
            _ => Ok(()),
        }
    }

    /// Sends a JSON body by POST. `headers` come beside the usual ones.
    ///
    /// # Errors
    /// See [`WebError`]. Any status, a redirect too, is an answer and no error.
    pub async fn post(&self, url: &str, headers: &[(&str, String)], body: &str) -> Result<Answer, WebError> {
        let url = self.policy.check(url).map_err(|_| WebError::NotAllowed)?;
        timeout(CALL_TIME, self.call(&url, headers, body)).await.unwrap_or(Err(WebError::TimeOut))
    }

    async fn call(&self, url: &Url, headers: &[(&str, String)], body: &str) -> Result<Answer, WebError> {
        let stream = timeout(CONNECT_TIME, self.connect(url)).await.unwrap_or(Err(WebError::TimeOut))?;
        let mut request = Request::post(&url[url::Position::BeforePath..])
            .header(header::HOST, &url[url::Position::BeforeHost..url::Position::AfterPort])
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("Beian/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request =
            request.body(Full::new(Bytes::from(body.to_owned()))).map_err(|_| WebError::NotAllowed)?;
        if url.scheme() == "https" {
            let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
            let name = ServerName::try_from(host.to_owned()).map_err(|_| WebError::NotAllowed)?;
            let stream = TlsConnector::from(tls()?)
                .connect(name, stream)
                .await
                .map_err(|error| WebError::Tls(error.to_string().chars().take(200).collect()))?;
            exchange(stream, request).await
        } else {
            exchange(stream, request).await
        }
    }

    /// A connection to one of the host's addresses, all of which were checked.
    async fn connect(&self, url: &Url) -> Result<TcpStream, WebError> {
        let mut last = WebError::Unresolved;
        for address in self.addresses(url).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = WebError::NoConnection(error.kind()),
            }
        }
        Err(last)
    }

    /// The addresses of the host. One that is not public spoils all: an honest receiver has none.
    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, WebError> {
        let port = url.port_or_known_default().ok_or(WebError::NotAllowed)?;
        let found = match url.host().ok_or(WebError::NotAllowed)? {
            Host::Ipv4(address) => vec![SocketAddr::new(IpAddr::V4(address), port)],
            Host::Ipv6(address) => vec![SocketAddr::new(IpAddr::V6(address), port)],
            Host::Domain(name) => {
                self.resolver.resolve(name, port).await.map_err(|_| WebError::Unresolved)?
            }
        };
        if found.is_empty() {
            return Err(WebError::Unresolved);
        }
        if found.iter().any(|address| !self.policy.admits(address.ip())) {
            return Err(WebError::NotPublic);
        }
        Ok(found)
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, WebError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| WebError::BadAnswer)?;
    let _driver = Driver(tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a webhook receiver's connection ended");
        }
    }));
    let reply = sender.send_request(request).await.map_err(|_| WebError::BadAnswer)?;
    let status = reply.status().as_u16();
    Ok(Answer { status, body: read(reply).await })
}

/// The beginning of the body. What breaks off later does not take the status back.
async fn read(mut reply: Response<Incoming>) -> String {
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(Ok(frame)) = reply.body_mut().frame().await {
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(&data[..data.len().min(MAX_ANSWER - bytes.len())]);
        }
        if bytes.len() >= MAX_ANSWER {
            break;
        }
    }
    // PostgreSQL text cannot hold U+0000.
    let text = String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}");
    // Replacement characters take three bytes each: cut once more.
    let end = (0..=text.len().min(MAX_ANSWER)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}

/// Trusts what the system trusts; read once.
fn tls() -> Result<Arc<rustls::ClientConfig>, WebError> {
    static TLS: OnceLock<Result<Arc<rustls::ClientConfig>, String>> = OnceLock::new();
    let config = TLS.get_or_init(|| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("the system has no root certificates".to_owned());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    });
    config.clone().map_err(WebError::Tls)
}
