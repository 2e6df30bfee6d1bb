//! What operators see: log lines with the request's id, and metrics.
//!
//! Logs go to standard error, so that commands can print on standard output. No line carries a query
//! string, a body, a token or a header other than the request id.

use std::io::IsTerminal;
use std::net::TcpListener;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, dev::Server, web};
use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_actix_web::TracingLogger;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

mod json_line;
mod request_log;

/// What is logged when `RUST_LOG` is not set. Libraries speak only of trouble; `s3s` calls every refused
/// upload an error, which is a client's fault.
const DEFAULT_FILTER: &str =
    "info,s3s=off,s3s_fs=off,actix_server=warn,aws_smithy_runtime=warn,hyper=warn,hyper_util=warn";

/// Upper bounds of the histograms of durations, in seconds.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// How often samples are summed up; without it they would pile up when nobody asks for metrics.
const UPKEEP: Duration = Duration::from_secs(10);

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts the log; once in a process.
///
/// # Errors
/// When the filter cannot be understood, or a log was started before.
pub fn init(config: &LogConfig) -> anyhow::Result<()> {
    let filter = config.filter.as_deref().unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(filter).context("RUST_LOG: not a filter such as info,beian=debug")?;
    let is_terminal = std::io::stderr().is_terminal();
    let format = config.format.unwrap_or(if is_terminal { LogFormat::Text } else { LogFormat::Json });
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => registry.with(lines.with_ansi(is_terminal)).try_init(),
        LogFormat::Json => {
            let lines = lines.fmt_fields(JsonFields::new()).event_format(json_line::JsonLine);
            registry.with(lines).try_init()
        }
    }
    .context("the log was started before")
}

/// The middleware that puts every line of a request under its id and logs one line at its end. It belongs
/// inside the one that assigns the id.
#[must_use]
pub fn request_logger() -> TracingLogger<request_log::RequestSpan> {
    TracingLogger::new()
}

/// Starts counting; before it, and without it, metrics cost next to nothing. May be called again.
///
/// # Errors
/// When something else counts already.
pub fn install_metrics() -> anyhow::Result<()> {
    if METRICS.get().is_some() {
        return Ok(());
    }
    let builder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)?;
    let handle = builder.install_recorder().context("metrics were started before")?;
    if METRICS.set(handle.clone()).is_ok() {
        thread::Builder::new().name("metrics-upkeep".into()).spawn(move || {
            loop {
                thread::sleep(UPKEEP);
                handle.run_upkeep();
            }
        })?;
    }
    Ok(())
}

/// All metrics in Prometheus' text format; empty before [`install_metrics`].
#[must_use]
pub fn render_metrics() -> String {
    METRICS.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// The server of `/metrics`, on a listener of its own so that it is not published with the API. It does
/// not handle signals: its owner stops it.
///
/// # Errors
/// When the listener cannot be used.
pub fn metrics_server(listener: TcpListener) -> anyhow::Result<Server> {
    install_metrics()?;
    let metrics =
        || async { HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(render_metrics()) };
    let server = HttpServer::new(move || App::new().route("/metrics", web::get().to(metrics)));
    Ok(server.workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}
