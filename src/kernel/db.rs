//! The way to PostgreSQL: a pool, and a bounded queue in front of it so that a busy database sheds load instead of
//! parking threads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use diesel::{
    Connection, PgConnection, RunQueryDsl,
    connection::InstrumentationEvent,
    r2d2::{self, ConnectionManager, CustomizeConnection, Pool, PooledConnection},
};
use tokio::sync::Semaphore;

use crate::error::{ApiError, ApiResult};
use crate::error_codes as codes;

/// Longest wait for a connection before the request is refused with 503.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Requests that may wait for a connection, for each connection of the pool: a burst of a hundred gets through, and who is let in
/// when there is ten times too much to do waits for less than a second (docs/performance.md).
const WAITERS_PER_CONNECTION: usize = 16;

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: Pool<ConnectionManager<PgConnection>>,
    connections: Arc<Semaphore>,
    waiters: Arc<Semaphore>,
    statements: StatementCount,
}

/// Counts the statements of every connection of a pool, `BEGIN` and `COMMIT` included.
#[derive(Clone, Debug, Default)]
struct StatementCount(Arc<AtomicU64>);

impl CustomizeConnection<PgConnection, r2d2::Error> for StatementCount {
    fn on_acquire(&self, conn: &mut PgConnection) -> Result<(), r2d2::Error> {
        let count = self.0.clone();
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(())
    }
}

impl Db {
    /// Opens a pool of at most `size` connections.
    ///
    /// # Errors
    /// When no connection can be made within ten seconds.
    pub fn connect(url: &str, size: u32) -> anyhow::Result<Self> {
        let statements = StatementCount::default();
        let pool = Pool::builder()
            .connection_customizer(Box::new(statements.clone()))
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(Duration::from_secs(10))
            // A dead connection is found by its first statement and thrown away; asking before each use costs a round trip.
            .test_on_check_out(false)
            .build(ConnectionManager::new(url))?;
        Ok(Self {
            pool,
            connections: Arc::new(Semaphore::new(size as usize)),
            waiters: Arc::new(Semaphore::new(size as usize * WAITERS_PER_CONNECTION)),
            statements,
        })
    }

    /// Runs blocking work with a connection on a thread of its own.
    ///
    /// # Errors
    /// 503 `unavailable` when too many wait, the wait is too long or the database is away; else what `work` returns.
    pub async fn run<T, F>(&self, work: F) -> ApiResult<T>
    where
        F: FnOnce(&mut PgConnection) -> ApiResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let waiter = self.waiters.clone().try_acquire_owned().map_err(|_| busy())?;
        let permit = tokio::time::timeout(MAX_WAIT, self.connections.clone().acquire_owned())
            .await
            .map_err(|_| busy())?
            .map_err(ApiError::internal)?;
        drop(waiter);
        let pool = self.pool.clone();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut connection = checked_out(&pool)?;
            work(&mut connection)
        })
        .await
        .map_err(ApiError::internal)?
    }

    /// The refusal of [`Db::run`] while so many wait that no other can. Asked before anything else is done for a request: what
    /// refusing costs is taken from those who were let in.
    ///
    /// # Errors
    /// 503 `unavailable`.
    pub fn admit(&self) -> ApiResult<()> {
        if self.waiters.available_permits() > 0 { Ok(()) } else { Err(busy()) }
    }

    /// As [`Db::run`], in one transaction: an error rolls everything back.
    pub async fn transaction<T, F>(&self, work: F) -> ApiResult<T>
    where
        F: FnOnce(&mut PgConnection) -> ApiResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.run(move |conn| conn.transaction(work)).await
    }

    /// A connection for blocking code that is not a request: start, jobs, tests.
    ///
    /// # Errors
    /// 503 when the database is away.
    pub fn connection(&self) -> ApiResult<PooledConnection<ConnectionManager<PgConnection>>> {
        checked_out(&self.pool)
    }

    /// How many statements this pool has sent since it was opened: what an operation costs is the difference.
    pub fn statements(&self) -> u64 {
        self.statements.0.load(Ordering::Relaxed)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// 503 when it does not.
    pub async fn ping(&self) -> ApiResult<()> {
        self.run(|conn| Ok(diesel::sql_query("SELECT 1").execute(conn).map(|_| ())?)).await
    }
}

fn busy() -> ApiError {
    ApiError::new(&codes::UNAVAILABLE).retry_after(2)
}

fn checked_out(
    pool: &Pool<ConnectionManager<PgConnection>>,
) -> ApiResult<PooledConnection<ConnectionManager<PgConnection>>> {
    pool.get_timeout(MAX_WAIT).map_err(|error| {
        tracing::error!(%error, "no database connection");
        ApiError::new(&codes::UNAVAILABLE)
    })
}
