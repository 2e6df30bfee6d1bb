//! A running application of one test.

use std::net::TcpListener;
use std::sync::mpsc;
use std::thread::JoinHandle;

use beian::app::{self, App, Means};
use beian::config::Config;
use beian::kernel::clock::Clock;
use beian::kernel::ids::{SessionId, UserId};
use beian::kernel::jobs::Worker;
use chrono::{DateTime, Duration, Utc};
use diesel::{ExpressionMethods, PgConnection, QueryDsl, RunQueryDsl};

use super::client::Client;
use super::cluster::{self, START, cluster};
use super::make::Make;

/// Own database, own bucket, fixed clock, a worker that is stepped.
pub struct TestApp {
    pub app: App,
    pub clock: Clock,
    pub base: String,
    database: String,
    worker: Worker,
    runtime: tokio::runtime::Runtime,
    server: Option<(actix_web::dev::ServerHandle, JoinHandle<()>)>,
    may_leave_jobs: bool,
}

impl TestApp {
    /// With the demo people and their filed websites, no filings.
    pub fn spawn() -> Self {
        Self::spawn_with(&[])
    }

    /// With settings of its own on top of the usual ones.
    pub fn spawn_with(settings: &[(&str, &str)]) -> Self {
        let (database, database_url) = cluster().create_database();
        let data_dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("data").join(&database);
        let _ = std::fs::remove_dir_all(&data_dir);
        std::fs::create_dir_all(&data_dir).unwrap();
        let data_dir_text = data_dir.to_string_lossy().into_owned();
        let setting = |name: &str| {
            settings.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()).or_else(
                || match name {
                    "DATA_DIR" => Some(data_dir_text.clone()),
                    "DATABASE_POOL_SIZE" => Some("4".to_owned()),
                    "LISTEN_ADDR" => Some("127.0.0.1:0".to_owned()),
                    "RATE_LIMIT_PER_SECOND" => Some("0".to_owned()),
                    "CORS_ORIGINS" => Some("http://localhost:5173".to_owned()),
                    _ => None,
                },
            )
        };
        let config = Config::load(&setting).expect("the test's settings are right");
        let clock = Clock::fixed(START.parse().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let bucket = database.replace('_', "-");
        let app = app::open(
            config,
            Means {
                database_url: database_url.clone(),
                storage: cluster().storage(&bucket),
                secrets: cluster::secrets(),
                public_url: base.clone(),
                clock: clock.clone(),
            },
        )
        .unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(app.storage.ensure_bucket()).unwrap();
        let worker = app::worker(&app, &database_url).unwrap();
        let server = serve(app.clone(), listener);
        Self { app, clock, base, database, worker, runtime, server: Some(server), may_leave_jobs: false }
    }

    /// Nobody.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.base, None)
    }

    /// A demo user, by login.
    pub fn user(&self, login: &str) -> Client {
        self.user_with_scope(login, None)
    }

    /// The demo partner's program.
    pub fn partner(&self) -> Client {
        self.user("client/demo-partner")
    }

    /// The demo partner's program with a token for these scopes, separated by blanks.
    pub fn partner_with_scope(&self, scope: &str) -> Client {
        self.user_with_scope("client/demo-partner", Some(scope.to_owned()))
    }

    fn user_with_scope(&self, login: &str, scope: Option<String>) -> Client {
        use beian::schema::{sessions, users};
        let mut conn = self.conn();
        let user: UserId =
            users::table.filter(users::login.eq(login)).select(users::id).first(&mut conn).unwrap();
        let session = SessionId::new();
        let now = self.clock.now();
        diesel::insert_into(sessions::table)
            .values((
                sessions::id.eq(session),
                sessions::user_id.eq(user),
                sessions::client.eq("app"),
                sessions::created_at.eq(now),
            ))
            .execute(&mut conn)
            .unwrap();
        // Long-lived, so that a story may take months.
        let token = self.app.tokens.sign_scoped(user, session, now, Duration::days(3650), scope).unwrap();
        Client::new(&self.base, Some(token))
    }

    pub fn applicant(&self) -> Client {
        self.user("demo-applicant")
    }

    pub fn other_applicant(&self) -> Client {
        self.user("demo-applicant-2")
    }

    pub fn reviewer(&self) -> Client {
        self.user("demo-reviewer")
    }

    pub fn other_reviewer(&self) -> Client {
        self.user("demo-reviewer-2")
    }

    pub fn senior_reviewer(&self) -> Client {
        self.user("demo-senior-reviewer")
    }

    pub fn logistics(&self) -> Client {
        self.user("demo-logistics")
    }

    pub fn bureau(&self) -> Client {
        self.user("demo-bureau")
    }

    pub fn admin(&self) -> Client {
        self.user("demo-admin")
    }

    /// Brings things into a state, over HTTP, as people would.
    pub fn make(&self) -> Make<'_> {
        Make::new(self)
    }

    /// A connection to the test's database, for looking behind the API.
    pub fn conn(&self) -> diesel::r2d2::PooledConnection<diesel::r2d2::ConnectionManager<PgConnection>> {
        self.app.db.connection().unwrap()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Runs due jobs, and those that they enqueue, until none is due. Returns how many ran.
    pub fn run_jobs(&self) -> usize {
        self.runtime.block_on(async {
            let mut count = 0;
            while self.worker.step().await.unwrap() {
                count += 1;
                assert!(count < 1000, "jobs make jobs without end");
            }
            count
        })
    }

    /// The same by several workers at once, each with connections of its own.
    pub fn run_jobs_by(&self, workers: usize) {
        // On the runtime of the other steps: connections that a mailer keeps open belong to the one that opened them.
        let workers: Vec<_> = (0..workers)
            .map(|_| app::worker(&self.app, &cluster().url(&self.database)).unwrap())
            .map(|worker| self.runtime.spawn(async move { while worker.step().await.unwrap() {} }))
            .collect();
        self.runtime.block_on(async {
            for worker in workers {
                worker.await.unwrap();
            }
        });
    }

    /// Puts the periodic jobs into the queue, as a starting worker does.
    pub fn schedule_periodic(&self) {
        self.runtime.block_on(self.worker.schedule_periodic()).unwrap();
    }

    /// Name of the test's database.
    pub fn database_name(&self) -> &str {
        &self.database
    }

    /// How another process reaches the test's database.
    pub fn database_url(&self) -> secrecy::SecretString {
        cluster().url(&self.database)
    }

    /// Settings of the test's bucket.
    pub fn storage_config(&self) -> beian::config::StorageConfig {
        cluster().storage(&self.database.replace('_', "-"))
    }

    /// Runs async code, for looking into the store.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Lets the clock run.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// For tests whose subject is a job that stays.
    pub fn may_leave_jobs(&mut self) {
        self.may_leave_jobs = true;
    }
}

fn serve(app: App, listener: TcpListener) -> (actix_web::dev::ServerHandle, JoinHandle<()>) {
    let (send, receive) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = app::http_server(app, listener, 1).unwrap();
            send.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    (receive.recv().unwrap(), thread)
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.may_leave_jobs {
            use beian::schema::jobs;
            let left: Vec<(String, String, Option<String>)> = jobs::table
                .filter(jobs::state.ne("done"))
                .filter(jobs::run_at.le(self.clock.now()))
                .select((jobs::kind, jobs::state, jobs::last_error))
                .load(&mut self.conn())
                .unwrap();
            assert!(left.is_empty(), "jobs are left over: {left:?}");
        }
        if let Some((handle, thread)) = self.server.take() {
            self.runtime.block_on(handle.stop(false));
            let _ = thread.join();
        }
        cluster().drop_database(&self.database);
    }
}
