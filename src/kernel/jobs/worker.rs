//! The worker: claims jobs one by one, runs their handlers with no transaction open, records how they ended.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc, time::Duration as StdDuration};

use chrono::{DateTime, Duration, Utc};
use rand::Rng;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::queue::{self, Claimed, NewJob, Outcome};
use crate::error::ApiResult;
use crate::kernel::{clock::Clock, db::Db};

type HandlerFuture = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

struct Handler {
    run: Box<dyn Fn(Value) -> HandlerFuture + Send + Sync>,
    every: Option<Duration>,
}

/// What a handler returns, as an error, when its job could not run for a reason that is not its own: it runs again at that
/// time, and the try does not count.
#[derive(Debug, thiserror::Error)]
#[error("postponed: {reason}")]
pub struct Postponed {
    /// Not before this time.
    pub until: DateTime<Utc>,
    /// For people; no personal data.
    pub reason: String,
}

/// Which handler runs which kind of job.
#[derive(Default)]
pub struct Registry {
    handlers: HashMap<&'static str, Handler>,
}

impl Registry {
    /// Registers a handler. It may run more than once for a job (a worker can die after the work and before its record):
    /// it must look before it acts.
    pub fn on<F, Fut>(&mut self, kind: &'static str, handler: F)
    where
        F: Fn(Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.insert(kind, handler, None);
    }

    /// Registers a job that comes round by itself, once over all workers.
    pub fn every<F, Fut>(&mut self, kind: &'static str, interval: Duration, handler: F)
    where
        F: Fn(Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.insert(kind, handler, Some(interval));
    }

    fn insert<F, Fut>(&mut self, kind: &'static str, handler: F, every: Option<Duration>)
    where
        F: Fn(Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let run = Box::new(move |payload| Box::pin(handler(payload)) as HandlerFuture);
        let before = self.handlers.insert(kind, Handler { run, every });
        assert!(before.is_none(), "job kind {kind} is registered twice");
    }
}

/// Wakes the in-process worker as soon as a request has committed, instead of at its next poll.
#[derive(Clone, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// There may be work.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Runs jobs until told to stop.
#[derive(Clone)]
pub struct Worker {
    db: Db,
    clock: Clock,
    registry: Arc<Registry>,
    waker: Waker,
}

impl Worker {
    /// A worker with a pool of its own, so that a crowd of requests cannot starve it.
    pub fn new(db: Db, clock: Clock, registry: Registry, waker: Waker) -> Self {
        Self { db, clock, registry: Arc::new(registry), waker }
    }

    /// Makes sure that each periodic job waits in the queue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedule_periodic(&self) -> ApiResult<()> {
        let kinds: Vec<&'static str> = self
            .registry
            .handlers
            .iter()
            .filter(|(_, handler)| handler.every.is_some())
            .map(|(kind, _)| *kind)
            .collect();
        let now = self.clock.now();
        self.db
            .run(move |conn| {
                for kind in kinds {
                    queue::enqueue(conn, now, NewJob::new(kind, Value::Null).once(kind).attempts(i32::MAX))?;
                }
                Ok(())
            })
            .await
    }

    /// Runs until `stop` becomes true; the job in hand is finished first.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut next_sweep = self.clock.now();
        let mut next_schedule = next_sweep;
        while !*stop.borrow() {
            // Again and again: `demo reset` beside a running server, or a restored backup, takes the periodic jobs away.
            if self.clock.now() >= next_schedule && self.schedule_periodic().await.is_ok() {
                next_schedule = self.clock.now() + Duration::minutes(1);
            }
            if self.clock.now() >= next_sweep {
                let now = self.clock.now();
                match self.db.run(move |conn| Ok(queue::take_back(conn, now)?)).await {
                    Ok(0) => {}
                    Ok(count) => tracing::warn!(count, "took jobs back from a worker that stopped"),
                    Err(error) => tracing::error!(%error, "could not look for lapsed jobs"),
                }
                self.tell_backlog(now).await;
                next_sweep = now + Duration::seconds(5);
            }
            match self.step().await {
                Ok(true) => {}
                outcome => {
                    if let Err(error) = outcome {
                        tracing::error!(%error, "could not claim a job");
                    }
                    tokio::select! {
                        () = self.waker.0.notified() => {}
                        () = tokio::time::sleep(StdDuration::from_secs(1)) => {}
                        _ = stop.changed() => {}
                    }
                }
            }
        }
    }

    /// Sets the gauges of the queue. A worker that hangs does not tell them any more: watch that they move.
    async fn tell_backlog(&self, now: DateTime<Utc>) {
        match self.db.run(move |conn| Ok(queue::backlog(conn, now)?)).await {
            Ok(backlog) => {
                let age = backlog.oldest.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0));
                metrics::gauge!("beian_jobs_due").set(backlog.due as f64);
                metrics::gauge!("beian_jobs_oldest_due_seconds").set(age);
                metrics::gauge!("beian_jobs_dead").set(backlog.dead as f64);
            }
            Err(error) => tracing::error!(%error, "could not look at the queue"),
        }
    }

    /// Claims and runs one due job. False when none is due.
    ///
    /// # Errors
    /// When the database fails; a failing handler is not an error here, it is recorded with the job.
    pub async fn step(&self) -> ApiResult<bool> {
        let token = Uuid::new_v4();
        let now = self.clock.now();
        let claimed = self.db.run(move |conn| Ok(queue::claim(conn, now, token)?)).await?;
        let Some(job) = claimed else { return Ok(false) };
        let result = self.with_heartbeat(&job, token).await;
        let now = self.clock.now();
        let every = self.registry.handlers.get(job.kind.as_str()).and_then(|handler| handler.every);
        let outcome = match (result, every) {
            (Ok(()), None) => Outcome::Done,
            (Ok(()), Some(interval)) => Outcome::Again(now + interval),
            (Err(error), None) if error.is::<Postponed>() => {
                let until = error.downcast_ref::<Postponed>().map_or(now, |postponed| postponed.until);
                Outcome::Postponed { until, reason: error.to_string().chars().take(2000).collect() }
            }
            (Err(error), every) => {
                tracing::warn!(job = %job.id, kind = job.kind, attempt = job.attempts, error = format!("{error:#}"), "job failed");
                metrics::counter!("beian_job_failures_total", "kind" => job.kind.clone()).increment(1);
                let retry_at = match every {
                    Some(interval) => Some(now + interval.min(Duration::minutes(1))),
                    None => (job.attempts < job.max_attempts).then(|| back_off(now, job.attempts)),
                };
                Outcome::Failed { error: format!("{error:#}").chars().take(2000).collect(), retry_at }
            }
        };
        let id = job.id;
        let is_ours = self.db.run(move |conn| Ok(queue::finish(conn, id, token, now, outcome)?)).await?;
        if !is_ours {
            tracing::warn!(job = %id, "the job was taken over while it ran; its outcome is not recorded");
        }
        Ok(true)
    }

    async fn with_heartbeat(&self, job: &Claimed, token: Uuid) -> anyhow::Result<()> {
        let Some(handler) = self.registry.handlers.get(job.kind.as_str()) else {
            anyhow::bail!("no handler for jobs of kind {}", job.kind);
        };
        // A panic in one handler must not end the worker.
        let mut work = tokio::spawn((handler.run)(job.payload.clone()));
        let interval = StdDuration::from_secs(queue::lease().num_seconds() as u64 / 3);
        loop {
            tokio::select! {
                result = &mut work => return result.map_err(anyhow::Error::from)?,
                () = tokio::time::sleep(interval) => {
                    let (id, now) = (job.id, self.clock.now());
                    match self.db.run(move |conn| Ok(queue::renew(conn, id, token, now)?)).await {
                        Ok(true) => {}
                        Ok(false) => {
                            work.abort();
                            anyhow::bail!("the lease was lost");
                        }
                        Err(error) => tracing::warn!(%error, "heartbeat failed"),
                    }
                }
            }
        }
    }
}

/// 5 s, 10 s, 20 s … up to an hour, each up to a fifth longer so that failures do not come back in step.
fn back_off(now: DateTime<Utc>, attempts: i32) -> DateTime<Utc> {
    let seconds = (5_i64 << (attempts - 1).clamp(0, 10)).min(3600);
    let jitter = rand::rng().random_range(0..=seconds * 200);
    now + Duration::seconds(seconds) + Duration::milliseconds(jitter)
}
