//! Several workers that are killed at random while a crowd of filings moves: every state change happens exactly once, every
//! message goes out at least once, and none twice but for a worker that died with it in its hand.

use std::collections::HashSet;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use beian::kernel::ids::UserId;
use beian::kernel::pii::{Email, Sensitive};
use beian::schema::users;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use crate::crash::{Site, wait_for};
use crate::support::Client;

/// Filings that move.
const CROWD: i64 = 2000;
/// Workers that run beside each other.
const WORKERS: usize = 3;
/// Kills while the crowd moves.
const KILLS: usize = 20;
/// Longest time for all of it, on a busy machine. What a killed worker held is taken over a minute later.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Copies a row `CROWD` times; `changes` says what is different in the n-th.
fn multiply(conn: &mut PgConnection, table: &str, id: &str, changes: &[(&str, &str)]) {
    let columns: Vec<Name> = diesel::sql_query(
        "SELECT column_name::text AS name FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'",
    )
    .bind::<Text, _>(table)
    .load(conn)
    .unwrap();
    let names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
    let values: Vec<String> = names
        .iter()
        .map(|name| match changes.iter().find(|(changed, _)| changed == name) {
            Some((_, value)) => (*value).to_owned(),
            None => format!("source.{name}"),
        })
        .collect();
    let copied = diesel::sql_query(format!(
        "INSERT INTO {table} ({}) SELECT {} FROM {table} source, generate_series(1, {CROWD}) n WHERE source.id = '{id}'",
        names.join(", "),
        values.join(", ")
    ))
    .execute(conn)
    .unwrap();
    assert_eq!(copied as i64, CROWD);
}

/// As many drafts as the crowd, each of an account, a user and a subject of its own; their time is over.
fn seed(site: &Site) {
    let server = site.start("off");
    let applicant = server.log_in("demo-applicant");
    let body = json!({ "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014001" });
    let filing = applicant.post("/v1/filings", body).expect_status(201).text("/id");
    server.kill_9();
    let conn = &mut site.conn();
    let account = ("account_id", "md5('account' || n)::uuid");
    multiply(conn, "accounts", "0193a000-0000-7000-8000-000000010001", &[("id", account.1)]);
    let user = "md5('user' || n)::uuid";
    let names = [("id", user), ("login", "'crowd-' || n"), account];
    multiply(conn, "users", "0193a000-0000-7000-8000-000000011001", &names);
    let subject = ("subject_id", "md5('subject' || n)::uuid");
    let names = [("id", subject.1), ("icp_number", "'京ICP备' || (20000000 + n) || '号'"), account];
    multiply(conn, "subjects", "0193a000-0000-7000-8000-000000013001", &names);
    let changes = [
        ("id", "md5('filing' || n)::uuid"),
        ("order_no", "'BA-2026-' || (900000 + n)"),
        ("status_changed_at", "source.created_at - interval '1 hour'"),
        ("step_expires_at", "source.created_at - interval '1 minute'"),
        ("created_by", user),
        account,
        subject,
    ];
    multiply(conn, "filings", &filing, &changes);
    // Addresses are sealed: they must come from the program. Each has its own, or the limit for one recipient would count.
    let crowd: Vec<UserId> =
        users::table.filter(users::login.like("crowd-%")).select(users::id).load(conn).unwrap();
    conn.transaction(|conn| {
        crowd.iter().enumerate().try_for_each(|(no, id)| {
            let email = Sensitive::<Email>::new(format!("crowd-{no}@example.com"));
            diesel::update(users::table.find(id)).set(users::email.eq(email)).execute(conn).map(drop)
        })
    })
    .unwrap();
}

fn count(conn: &mut PgConnection, what: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    let row: Count = diesel::sql_query(format!("SELECT count(*) AS n FROM {what}")).get_result(conn).unwrap();
    row.n
}

/// Worker processes; none outlives the test.
struct Workers<'a> {
    site: &'a Site,
    running: Vec<Child>,
}

impl<'a> Workers<'a> {
    fn start(site: &'a Site) -> Self {
        let running = (0..WORKERS).map(|_| site.command("worker", "off").spawn().unwrap()).collect();
        Self { site, running }
    }

    /// kill -9 of one, and another in its place.
    fn replace(&mut self, no: usize) {
        let next = self.site.command("worker", "off").spawn().unwrap();
        let mut old = std::mem::replace(&mut self.running[no], next);
        assert!(old.try_wait().unwrap().is_none(), "a worker ended by itself: {}", self.site.log());
        old.kill().unwrap();
        old.wait().unwrap();
    }
}

impl Drop for Workers<'_> {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn workers_killed_at_random_lose_nothing_and_do_nothing_twice() {
    let site = Site::new();
    seed(&site);
    let conn = &mut site.conn();
    let seed: u64 = rand::rng().random();
    println!("seed of the kills: {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let start = Instant::now();
    let mut workers = Workers::start(&site);
    let messages = "kind IN ('notifications.fan_out', 'notifications.send')";
    let waiting = format!("jobs WHERE state IN ('pending', 'running') AND {messages}");
    let in_hand = format!("jobs WHERE state = 'running' AND {messages}");
    let expired = "filings WHERE status = 'expired'";
    let mut kills = 0;
    while count(conn, expired) < CROWD || count(conn, &waiting) > 0 {
        assert!(
            start.elapsed() < PATIENCE,
            "{} expired, {} jobs wait: {}",
            count(conn, expired),
            count(conn, &waiting),
            site.log()
        );
        thread::sleep(Duration::from_millis(random.random_range(50..600)));
        // Only while they work: what dies idle proves nothing.
        if kills < KILLS && count(conn, &in_hand) > 0 {
            workers.replace(random.random_range(0..WORKERS));
            kills += 1;
        }
    }
    drop(workers);

    let again = count(conn, &format!("jobs WHERE attempts > 1 AND {messages}"));
    assert!(kills == KILLS && again > 0, "{kills} kills, and {again} jobs had to be taken over");
    assert_eq!(count(conn, "jobs WHERE state = 'dead'"), 0, "{}", site.log());
    // Every state change exactly once.
    assert_eq!(count(conn, "filings WHERE status = 'expired' AND version = 2"), CROWD);
    assert_eq!(count(conn, "filing_events WHERE type = 'filing.expired'"), CROWD);
    assert_eq!(count(conn, "audit_events WHERE action = 'expire'"), CROWD);
    // Everybody was told, over each channel once.
    let told = "notifications WHERE event_type = 'filing.expired' AND state = 'sent' AND channel =";
    assert_eq!(count(conn, &format!("{told} 'inbox'")), CROWD);
    assert_eq!(count(conn, &format!("{told} 'email'")), CROWD);
    let mails: Vec<String> = site.smtp.mails().iter().map(|mail| mail.header("Message-ID")).collect();
    let distinct: HashSet<&String> = mails.iter().collect();
    assert_eq!(distinct.len() as i64, CROWD);
    // A second one only where a worker was killed between the server's "250" and its own record.
    let twice = mails.len() - distinct.len();
    assert!(
        twice <= KILLS,
        "{twice} mails went out twice for {KILLS} kills: some job ran twice at the same time"
    );
    println!("{KILLS} kills, {again} jobs taken over, {twice} mails twice, {} s", start.elapsed().as_secs());
}

#[test]
fn a_worker_tells_how_the_queue_stands() {
    let site = Site::new();
    let conn = &mut site.conn();
    diesel::sql_query(
        "INSERT INTO jobs (id, kind, payload, state, run_at, max_attempts, created_at, finished_at)
         SELECT gen_random_uuid(), 'gone', '{}', 'dead', now(), 1, now(), now() FROM generate_series(1, 2)",
    )
    .execute(conn)
    .unwrap();
    // Free a moment ago; the worker refuses to start on a port that somebody took meanwhile.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = site.command("worker", "off");
    let workers = Workers {
        site: &site,
        running: vec![command.env("METRICS_ADDR", format!("127.0.0.1:{port}")).spawn().unwrap()],
    };
    let metrics = wait_for("the worker tells its metrics", || {
        // Not there yet: the client would fail the test.
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        let text =
            Client::new(&format!("http://127.0.0.1:{port}"), None).get("/metrics").expect_status(200).body;
        let text = String::from_utf8(text).unwrap();
        text.contains("beian_jobs_dead").then_some(text)
    });
    assert!(metrics.lines().any(|line| line == "beian_jobs_dead 2"), "{metrics}");
    for gauge in ["beian_jobs_due ", "beian_jobs_oldest_due_seconds "] {
        let value = metrics.lines().find_map(|line| line.strip_prefix(gauge)).expect(gauge);
        assert!(value.parse::<f64>().unwrap() >= 0.0, "{gauge}{value}");
    }
    drop(workers);
}
