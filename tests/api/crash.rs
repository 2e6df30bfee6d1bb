//! kill -9 of the real server, and its gentle stop: the built program as another process, outside embedded mode.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use beian::config::SecretBytes;
use beian::external::storage::Storage;
use diesel::sql_types::{Int4, Text};
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::support::smtp::SmtpServer;
use crate::support::{Client, cluster, secrets};

/// Longest wait for a start, a job or a stop; far more than needed, for busy machines.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// What several starts of the server stand on.
pub struct Site {
    database: String,
    url: SecretString,
    folder: PathBuf,
    pub smtp: SmtpServer,
}

impl Site {
    pub fn new() -> Self {
        let (database, url) = cluster().create_database();
        let folder = nix::unistd::mkdtemp(&std::env::temp_dir().join("beian-crash-XXXXXX")).unwrap();
        let site = Self { database, url, folder, smtp: SmtpServer::start() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Storage::new(&cluster().storage(&site.bucket())).ensure_bucket()).unwrap();
        site
    }

    fn bucket(&self) -> String {
        self.database.replace('_', "-")
    }

    pub fn conn(&self) -> PgConnection {
        PgConnection::establish(self.url.expose_secret()).unwrap()
    }

    /// The program with one of its commands, outside embedded mode.
    pub fn command(&self, name: &str, worker: &str) -> Command {
        let storage = cluster().storage(&self.bucket());
        let keys = secrets();
        let key = |bytes: &SecretBytes| STANDARD.encode(bytes.expose());
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_beian"));
        command
            .arg(name)
            .current_dir(&self.folder)
            // Nothing of the developer's own settings.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("DATABASE_URL", self.url.expose_secret())
            .env("DATABASE_POOL_SIZE", "2")
            .env("S3_BUCKET", storage.bucket)
            .env("S3_ENDPOINT", storage.endpoint.unwrap())
            .env("S3_ACCESS_KEY_ID", storage.access_key_id)
            .env("S3_SECRET_ACCESS_KEY", storage.secret_access_key.expose_secret())
            .env("JWT_KEYS", format!("{}:{}", keys.jwt_keys[0].kid, key(&keys.jwt_keys[0].secret)))
            .env("PII_KEYS", format!("{}:{}", keys.pii_keys[0].number, key(&keys.pii_keys[0].key)))
            .env("PII_HASH_KEY", key(&keys.pii_hash_key))
            .env("SMTP_URL", self.smtp.url())
            .env("MAIL_FROM", "icp@example.com")
            .env("PUBLIC_URL", "http://localhost")
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("BUREAU_GATEWAY", "manual")
            .env("DATA_DIR", &self.folder)
            .env("WORKER", worker)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    /// Starts the server and waits until it has told its address.
    pub fn start(&self, worker: &str) -> Server<'_> {
        let address = self.folder.join("address");
        // A killed server leaves the file behind.
        let _ = fs::remove_file(&address);
        let child = self.command("serve", worker).spawn().unwrap();
        let mut server = Server { child, base: String::new(), site: self };
        server.base = wait_for("the server tells its address", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the server ended at its start with {status}: {}", self.log());
            }
            fs::read_to_string(&address)
                .ok()
                .filter(|text| text.ends_with('\n'))
                .map(|text| text.trim().to_owned())
        });
        server
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The jobs that tell about an event.
    fn fan_outs(&self, event_id: &str) -> Vec<Job> {
        diesel::sql_query(
            "SELECT state, attempts FROM jobs WHERE kind = 'notifications.fan_out' AND payload->>'event_id' = $1",
        )
        .bind::<Text, _>(event_id)
        .load(&mut self.conn())
        .unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        cluster().drop_database(&self.database);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[derive(Debug, PartialEq, QueryableByName)]
struct Job {
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Int4)]
    attempts: i32,
}

fn job(state: &str, attempts: i32) -> Job {
    Job { state: state.to_owned(), attempts }
}

/// A running server; killed when a test fails.
pub struct Server<'a> {
    child: Child,
    base: String,
    site: &'a Site,
}

impl Server<'_> {
    pub fn log_in(&self, login: &str) -> Client {
        let body = json!({ "login": login, "password": "demo-password-2026" });
        let reply = Client::new(&self.base, None).post("/v1/auth/login", body).expect_status(200);
        Client::new(&self.base, Some(reply.text("/access_token")))
    }

    fn signal(&mut self, signal: Signal) -> ExitStatus {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
        wait_for("the server ends", || self.child.try_wait().unwrap())
    }

    pub fn kill_9(mut self) {
        assert_eq!(self.signal(Signal::SIGKILL).signal(), Some(9));
    }

    /// SIGTERM: it must end by itself, soon and without complaint.
    fn stop(mut self) {
        let start = Instant::now();
        let status = self.signal(Signal::SIGTERM);
        assert_eq!(status.code(), Some(0), "after SIGTERM: {status}; {}", self.site.log());
        assert!(start.elapsed() < Duration::from_secs(10), "stopping took {:?}", start.elapsed());
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("log of the server:\n{}", self.site.log());
        }
    }
}

/// A filing is created and the server killed at once. Gives the ids of the filing and of its only event.
fn create_and_kill(site: &Site) -> (String, String) {
    let server = site.start("off");
    let applicant = server.log_in("demo-applicant");
    let body = json!({ "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014001" });
    let filing = applicant.post("/v1/filings", body).expect_status(201).text("/id");
    server.kill_9();
    #[derive(QueryableByName)]
    struct Event {
        #[diesel(sql_type = Text)]
        id: String,
    }
    let events: Vec<Event> = diesel::sql_query(
        "SELECT id::text AS id FROM filing_events WHERE type = 'filing.created' AND filing_id = $1::uuid",
    )
    .bind::<Text, _>(&filing)
    .load(&mut site.conn())
    .unwrap();
    assert_eq!(events.len(), 1, "the event is committed with the filing");
    let event = events.into_iter().next().unwrap().id;
    assert_eq!(site.fan_outs(&event), [job("pending", 0)], "the job is committed with the event");
    (filing, event)
}

fn told(applicant: &Client, filing: &str) -> Vec<Value> {
    let list = applicant.get(&format!("/v1/notifications?filing_id={filing}")).expect_status(200);
    list.at("/items").as_array().unwrap().clone()
}

fn job_ends(site: &Site, event: &str) {
    wait_for("the job ends", || site.fan_outs(event).iter().all(|job| job.state == "done").then_some(()));
}

#[test]
fn a_job_whose_server_was_killed_after_the_commit_runs_once_after_the_next_start() {
    let site = Site::new();
    let (filing, event) = create_and_kill(&site);
    let server = site.start("inline");
    job_ends(&site, &event);
    // The session of before the crash would do too; logging in shows that the server serves.
    let applicant = server.log_in("demo-applicant");
    let items = told(&applicant, &filing);
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0]["event_type"], "filing.created");
    assert_eq!(site.fan_outs(&event), [job("done", 1)], "it ran once");
    // A live stream does not hold up the stop.
    let stream = applicant.follow(&format!("/v1/filings/{filing}/stream"));
    stream.expect("stream.opened");
    server.stop();
    assert_eq!(stream.expect("stream.end").data["reason"], "shutdown");
    // And not again.
    let server = site.start("inline");
    assert_eq!(told(&server.log_in("demo-applicant"), &filing).len(), 1);
    assert_eq!(site.fan_outs(&event), [job("done", 1)]);
    server.stop();
}

#[test]
fn a_job_in_the_hand_of_a_killed_worker_is_taken_back_and_tells_once() {
    let site = Site::new();
    let (filing, event) = create_and_kill(&site);
    // As a worker leaves it that was killed after its work and before its record: told already, and still "running". The
    // lease is set back, so that the test need not wait for a minute.
    let server = site.start("inline");
    job_ends(&site, &event);
    server.kill_9();
    let changed = diesel::sql_query(
        "UPDATE jobs SET state = 'running', finished_at = NULL, lease_token = gen_random_uuid(), lease_until = now() - interval '1 s'
          WHERE kind = 'notifications.fan_out' AND payload->>'event_id' = $1",
    )
    .bind::<Text, _>(&event)
    .execute(&mut site.conn())
    .unwrap();
    assert_eq!(changed, 1);
    let server = site.start("inline");
    job_ends(&site, &event);
    assert_eq!(site.fan_outs(&event), [job("done", 2)], "it ran again");
    assert_eq!(told(&server.log_in("demo-applicant"), &filing).len(), 1, "and told nobody twice");
    server.stop();
}
