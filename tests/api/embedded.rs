//! Embedded PostgreSQL and the data folder: crashes, restarts, and who may use what.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use beian::embedded::data_dir::DataDir;
use beian::embedded::postgres::{self, EmbeddedPostgres, PostgresOptions};
use diesel::prelude::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::ExposeSecret;

/// A folder that nobody could have prepared, removed at the end. Others may pass through it, since root
/// runs the database as another user.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = nix::unistd::mkdtemp(&std::env::temp_dir().join("beian-test-XXXXXX")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn options(data_dir: &Path) -> PostgresOptions {
    PostgresOptions {
        bin_dir: None,
        data_dir: data_dir.to_owned(),
        password: "test-password".into(),
        durable: true,
        max_connections: 20,
    }
}

fn connect(server: &EmbeddedPostgres) -> PgConnection {
    PgConnection::establish(server.database_url("rows").expose_secret()).unwrap()
}

fn count(conn: &mut PgConnection) -> i64 {
    diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>("(SELECT count(*) FROM kept)"))
        .get_result(conn)
        .unwrap()
}

fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_stopped_server_starts_again_with_its_rows() {
    let folder = Folder::new();
    let server = postgres::start(&options(&folder.0)).unwrap();
    server.create_database("rows").unwrap();
    server.create_database("rows").unwrap();
    diesel::sql_query("CREATE TABLE kept AS SELECT generate_series(1, 100) AS n")
        .execute(&mut connect(&server))
        .unwrap();
    let pid = server.pid().unwrap();
    server.stop();
    assert!(!is_alive(pid));
    let server = postgres::start(&options(&folder.0)).unwrap();
    assert_eq!(count(&mut connect(&server)), 100);
    let running = postgres::running_url(&folder.0, &"test-password".into(), "rows").unwrap();
    assert!(PgConnection::establish(running.expose_secret()).is_ok());
    assert!(PgConnection::establish(&running.expose_secret().replace("test-password", "wrong")).is_err());
    server.stop();
    assert!(postgres::running_url(&folder.0, &"test-password".into(), "rows").is_none());
}

#[test]
fn a_long_path_and_a_killed_server_do_no_harm() {
    let folder = Folder::new();
    // Longer than a unix socket's path may be.
    let data_dir = folder.0.join("a-rather-long-name-".repeat(6)).join("postgres");
    let mut server = postgres::start(&options(&data_dir)).unwrap();
    server.create_database("rows").unwrap();
    diesel::sql_query("CREATE TABLE kept AS SELECT 1 AS n").execute(&mut connect(&server)).unwrap();
    kill(Pid::from_raw(server.pid().unwrap().cast_signed()), Signal::SIGKILL).unwrap();
    wait_until("the server is gone", || server.ended().is_some());
    drop(server);
    let server = postgres::start(&options(&data_dir)).unwrap();
    assert_eq!(count(&mut connect(&server)), 1);
}

/// Not a test of its own: what the next test runs as another process, told by the environment.
#[test]
fn child_process_that_writes_until_it_is_killed() {
    let Ok(data_dir) = std::env::var("BEIAN_TEST_WRITER") else { return };
    let server = postgres::start(&options(Path::new(&data_dir))).unwrap();
    server.create_database("rows").unwrap();
    let mut conn = connect(&server);
    diesel::sql_query("CREATE TABLE IF NOT EXISTS kept (n bigserial)").execute(&mut conn).unwrap();
    fs::write(Path::new(&data_dir).join("pid"), server.pid().unwrap().to_string()).unwrap();
    loop {
        diesel::sql_query("INSERT INTO kept DEFAULT VALUES").execute(&mut conn).unwrap();
        // Told only after the commit.
        let committed = count(&mut conn);
        fs::write(Path::new(&data_dir).join("committed"), committed.to_string()).unwrap();
    }
}

fn start_writer(data_dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::child_process_that_writes_until_it_is_killed"])
        .env("BEIAN_TEST_WRITER", data_dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn number(path: &Path) -> i64 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn kill_9_of_the_parent_loses_no_committed_row_and_leaves_no_server() {
    let folder = Folder::new();
    let data_dir = folder.0.join("postgres");
    let mut committed = 0;
    for round in 1..=2 {
        let mut writer = start_writer(&data_dir);
        wait_until("rows are written", || number(&data_dir.join("committed")) > committed + 20);
        let server_pid = u32::try_from(number(&data_dir.join("pid"))).unwrap();
        writer.kill().unwrap();
        writer.wait().unwrap();
        committed = number(&data_dir.join("committed"));
        if cfg!(target_os = "linux") && round == 1 {
            wait_until("the server follows its parent", || !is_alive(server_pid));
        }
        // In the second round the next start comes at once, while the server still stops.
    }
    let server = postgres::start(&options(&data_dir)).unwrap();
    assert!(count(&mut connect(&server)) >= committed);
}

#[test]
fn a_server_that_survived_its_parent_is_stopped_by_the_next_start() {
    let folder = Folder::new();
    let first = postgres::start(&options(&folder.0)).unwrap();
    first.create_database("rows").unwrap();
    diesel::sql_query("CREATE TABLE kept AS SELECT 1 AS n").execute(&mut connect(&first)).unwrap();
    let pid = first.pid().unwrap();
    let second = postgres::start(&options(&folder.0)).unwrap();
    assert!(!is_alive(pid));
    assert_eq!(count(&mut connect(&second)), 1);
    drop(first);
    assert_eq!(count(&mut connect(&second)), 1);
}

#[test]
fn data_of_another_version_is_refused_with_what_to_install() {
    let folder = Folder::new();
    postgres::start(&options(&folder.0)).unwrap().stop();
    fs::write(folder.0.join("cluster/data/PG_VERSION"), "9\n").unwrap();
    let error = format!("{:#}", postgres::start(&options(&folder.0)).unwrap_err());
    assert!(error.contains("made by PostgreSQL 9") && error.contains("install"), "{error}");
}

#[test]
fn a_start_killed_inside_initdb_is_done_again() {
    let folder = Folder::new();
    let half = folder.0.join("cluster/data.new/base");
    fs::create_dir_all(half).unwrap();
    let server = postgres::start(&options(&folder.0)).unwrap();
    server.create_database("rows").unwrap();
}

#[test]
fn when_root_starts_it_below_a_closed_folder_the_database_lies_elsewhere_and_is_found_again() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = Folder::new();
    let closed = folder.0.join("home");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = closed.join("postgres");
    let server = postgres::start(&options(&data_dir)).unwrap();
    server.create_database("rows").unwrap();
    diesel::sql_query("CREATE TABLE kept AS SELECT 1 AS n").execute(&mut connect(&server)).unwrap();
    server.stop();
    let elsewhere = PathBuf::from(fs::read_to_string(data_dir.join("location")).unwrap().trim());
    assert_eq!(fs::metadata(&elsewhere).unwrap().permissions().mode() & 0o777, 0o700);
    let server = postgres::start(&options(&data_dir)).unwrap();
    assert_eq!(count(&mut connect(&server)), 1);
    server.stop();
    fs::remove_dir_all(&elsewhere).unwrap();
    assert!(postgres::start(&options(&data_dir)).unwrap_err().to_string().contains("is gone"));
}

#[test]
fn one_process_at_a_time_holds_the_data_folder_and_its_keys_stay() {
    let folder = Folder::new();
    let path = folder.0.join("data");
    assert!(!DataDir::is_held(&path));
    let held = DataDir::open(&path).unwrap();
    assert!(DataDir::is_held(&path));
    let secrets = held.secrets().unwrap();
    let file = path.join("secrets.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let error = DataDir::open(&path).unwrap_err().to_string();
    assert!(error.contains("in use") && error.contains(&std::process::id().to_string()), "{error}");
    drop(held);
    let again = DataDir::open(&path).unwrap().secrets().unwrap();
    assert_eq!(again.secrets.pii_keys[0].key, secrets.secrets.pii_keys[0].key);
    assert_eq!(again.database_password.expose_secret(), secrets.database_password.expose_secret());
    fs::write(&file, "{").unwrap();
    assert!(DataDir::open(&path).unwrap().secrets().unwrap_err().to_string().contains("damaged"));
}
