//! A small S3 server on the loopback, for development and tests: `s3s` for the protocol, `s3s-fs` for the
//! files, and what these two leave open put in front of them.
//!
//! `s3s-fs` alone stores an upload whose checksum is wrong, destroys the good object under the same key
//! by it, writes outside the bucket for keys with `..`, and obeys `x-amz-*` headers that the signature
//! does not cover. [`gate`] (before the signature check) and [`careful`] (after it) refuse all that.

use std::convert::Infallible;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

mod careful;
mod gate;

/// Time that requests in flight get when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How to start the server.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// Folder that holds the buckets; made when missing.
    pub data_dir: PathBuf,
    /// Where to listen: the loopback only. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Take a free port when the asked one is in use.
    pub fall_back: bool,
    pub access_key: String,
    pub secret_key: SecretString,
    /// Buckets to make unless they exist.
    pub buckets: Vec<String>,
    /// Origins whose pages may upload and download from a browser. Empty: every page of this machine
    /// (`http://localhost:*`, `http://127.0.0.1:*`).
    pub cors_origins: Vec<String>,
}

/// A running server. Dropping it stops the server.
#[derive(Debug)]
pub struct EmbeddedS3 {
    /// Address to give to clients, such as `http://127.0.0.1:40123`.
    pub endpoint: String,
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the server on a thread and runtime of its own.
///
/// # Errors
/// When the address is not on the loopback or taken, or the folder cannot be used.
pub fn start(options: &S3Options) -> anyhow::Result<EmbeddedS3> {
    anyhow::ensure!(options.listen.ip().is_loopback(), "the embedded store listens on the loopback only");
    // Pictures of persons lie here: nobody else on this machine may read them.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&options.data_dir)?;
    for bucket in &options.buckets {
        fs::create_dir_all(options.data_dir.join(bucket))?;
    }
    let files = s3s_fs::FileSystem::new(&options.data_dir)
        .map_err(|error| anyhow::anyhow!("cannot use {}: {error:?}", options.data_dir.display()))?;
    let mut builder = S3ServiceBuilder::new(careful::Careful::new(files));
    builder.set_auth(SimpleAuth::from_single(options.access_key.clone(), options.secret_key.expose_secret()));
    let service = builder.build();
    let listener = listen(options)?;
    let addr = listener.local_addr()?;
    let cors = Arc::new(gate::Cors::new(options.cors_origins.clone()));
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("embedded-s3")
        .enable_all()
        .build()
        .context("cannot start the embedded store")?;
    let thread = std::thread::Builder::new().name("embedded-s3".into()).spawn(move || {
        runtime.block_on(serve(listener, service, cors, stopped));
        runtime.shutdown_timeout(STOP_PATIENCE);
    })?;
    Ok(EmbeddedS3 { endpoint: format!("http://{addr}"), addr, stop, thread: Some(thread) })
}

impl EmbeddedS3 {
    /// The address that was bound.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops taking connections, lets requests in flight end (a few seconds at most).
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for EmbeddedS3 {
    fn drop(&mut self) {
        self.end();
    }
}

fn listen(options: &S3Options) -> anyhow::Result<TcpListener> {
    let listener = match TcpListener::bind(options.listen) {
        Err(error) if options.fall_back && error.kind() == std::io::ErrorKind::AddrInUse => {
            TcpListener::bind((options.listen.ip(), 0))
        }
        other => other,
    };
    let listener =
        listener.with_context(|| format!("the embedded store cannot listen on {}", options.listen))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn serve(
    listener: TcpListener,
    service: S3Service,
    cors: Arc<gate::Cors>,
    stopped: watch::Receiver<bool>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the embedded store cannot listen"),
    };
    let mut stop = stopped.clone();
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the embedded store could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        let (service, cors, mut stop) = (service.clone(), cors.clone(), stopped.clone());
        connections.spawn(async move {
            let answer = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
                let (service, cors) = (service.clone(), cors.clone());
                async move { Ok::<_, Infallible>(gate::answer(&service, &cors, request.map(Body::from)).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(30))
                .serve_connection(TokioIo::new(stream), answer);
            let mut connection = std::pin::pin!(connection);
            let is_stopping = tokio::select! {
                // A broken connection is the client's business.
                _ = connection.as_mut() => false,
                stopped = stop.wait_for(|stop| *stop) => stopped.is_ok(),
            };
            if is_stopping {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        });
    }
    let _ = tokio::time::timeout(STOP_PATIENCE, connections.join_all()).await;
}
