//! Work beside the HTTP server, on a thread and runtime of its own, so that a crowd of requests does not
//! slow it down and the reverse.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::watch;

/// A running piece of background work. Dropping it tells it to stop without waiting.
#[derive(Debug)]
pub struct Background {
    name: &'static str,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts `work` on a new thread; it ends soon after the value that it watches becomes true.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be made.
    pub fn start<F, Fut>(name: &'static str, work: F) -> anyhow::Result<Background>
    where
        F: FnOnce(watch::Receiver<bool>) -> Fut + Send + 'static,
        Fut: Future<Output = ()>,
    {
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .with_context(|| format!("cannot start the {name}"))?;
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            runtime.block_on(work(stopped));
            // Blocking calls that hang must not keep the program from ending.
            runtime.shutdown_timeout(Duration::from_secs(1));
        })?;
        Ok(Background { name, stop, thread: Some(thread) })
    }

    /// Whether the work ended by itself, which it never should.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Tells the work to stop and waits for it, `patience` at most: what is left undone then is found by
    /// the next start.
    pub fn stop(mut self, patience: Duration) {
        let _ = self.stop.send(true);
        let Some(thread) = self.thread.take() else { return };
        let start = Instant::now();
        while !thread.is_finished() {
            if start.elapsed() > patience {
                tracing::warn!(work = self.name, "did not stop in time; it is left behind");
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        if thread.join().is_err() {
            tracing::error!(work = self.name, "ended with a panic");
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}
