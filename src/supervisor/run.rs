//! Runs until a signal, then stops gently. A second signal stops at once.

use std::time::Duration;

use actix_web::dev::Server;
use anyhow::bail;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Ground;

/// How often the ground is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Runs HTTP servers (none is fine, for a process that has only background work) on this thread until SIGINT or SIGTERM, then lets requests in flight end (each server
/// has its own time limit for that). `start` makes the servers inside the runtime; `is_healthy` is asked
/// now and then and gives a reason to stop; `end_streams` is called before the servers stop, for replies that end only when
/// told.
///
/// # Errors
/// When a server does not start, or the ground or a part of the caller's failed.
pub fn serve_until_stopped(
    ground: &mut Ground,
    start: impl FnOnce() -> anyhow::Result<Vec<Server>>,
    is_healthy: impl Fn() -> Result<(), String>,
    end_streams: impl FnOnce(),
) -> anyhow::Result<()> {
    actix_web::rt::System::new().block_on(async move {
        let mut signals = Signals::new()?;
        let servers = start()?;
        let handles: Vec<_> = servers.iter().map(Server::handle).collect();
        let mut running: Vec<_> = servers.into_iter().map(actix_web::rt::spawn).collect();
        let failure = loop {
            tokio::select! {
                name = signals.next() => {
                    tracing::info!(signal = name, "stopping; requests in flight are finished first");
                    break None;
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            let reason = ground.failure().or_else(|| is_healthy().err());
            if reason.is_some() {
                break reason;
            }
            if running.iter().any(actix_web::rt::task::JoinHandle::is_finished) {
                break Some("an HTTP server ended by itself".to_owned());
            }
        };
        end_streams();
        let stop = async {
            for handle in &handles {
                handle.stop(true).await;
            }
        };
        tokio::select! {
            () = stop => {}
            name = signals.next() => {
                tracing::warn!(signal = name, "stopping at once");
                for handle in &handles {
                    drop(handle.stop(false));
                }
            }
        }
        for server in &mut running {
            server.abort();
        }
        match failure {
            None => Ok(()),
            Some(reason) => bail!("{reason}"),
        }
    })
}

/// The two signals that mean "please stop".
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
