//! PostgreSQL as a child process, from the binaries of this machine.
//!
//! Reached over a unix socket in a folder that only its user can enter, with a generated password
//! (scram). The child gets a signal when its parent dies (Linux), and a start finds and stops a server
//! that survived nevertheless, so that a kill -9 at any moment is recovered by the next start.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use diesel::prelude::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::{ExposeSecret, SecretString};

mod binaries;
mod home;
mod survivor;

use binaries::Binaries;
use home::{Home, ServerUser};

/// Name of the role that owns everything.
const ROLE: &str = "beian";
/// Part of the socket's name; no TCP port is opened.
const PORT: u16 = 5432;
/// A server that recovers from a crash may need this long; one that cannot start ends much earlier.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// How long the lock of a server that was just killed may still be held.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// Time for a fast shutdown (checkpoint included) before sterner signals.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// How to start PostgreSQL.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Folder with `postgres` and `initdb`; `None` means: look in the usual places.
    pub bin_dir: Option<PathBuf>,
    /// Folder for the data, the socket and the log; made when missing.
    pub data_dir: PathBuf,
    /// Password of the role; it must stay the same for the same `data_dir`.
    pub password: SecretString,
    /// `false` gives up safety against a crash for speed (fsync off): for tests only.
    pub durable: bool,
    /// Connections that the server allows.
    pub max_connections: u16,
}

/// A running server. Dropping it stops the server.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    child: Option<Child>,
    socket_dir: PathBuf,
    /// Socket folder outside the data folder, removed at the end.
    borrowed_socket_dir: Option<PathBuf>,
    log_path: PathBuf,
    password: SecretString,
}

/// Starts a server, making its data folder the first time, and waits until it answers.
///
/// Call it from a thread that lives as long as the server should: on Linux the child is told to stop
/// when the *thread* that forked it ends. The caller must be alone in using `data_dir` (see
/// [`super::data_dir::DataDir`]).
///
/// # Errors
/// When the programs are missing (the message names the package), do not fit the data's version, or
/// the server does not start (the message ends with its last log lines).
pub fn start(options: &PostgresOptions) -> anyhow::Result<EmbeddedPostgres> {
    let user = ServerUser::choose()?;
    let home = Home::prepare(&options.data_dir, &user)?;
    survivor::stop_all(&home.data)?;
    home.clear_sockets()?;
    let binaries = Binaries::find(options.bin_dir.as_deref(), home.version()?.as_deref())?;
    if home.version()?.is_none() {
        init(options, &binaries, &home, &user)?;
    }
    let child = spawn_until_ready(options, &binaries, &home, &user)?;
    let server = EmbeddedPostgres {
        child: Some(child),
        socket_dir: home.socket_dir.clone(),
        borrowed_socket_dir: home.borrows_socket_dir().then(|| home.socket_dir.clone()),
        log_path: home.log.clone(),
        password: options.password.clone(),
    };
    PgConnection::establish(server.database_url("postgres").expose_secret()).with_context(|| {
        format!("the database in {} does not take the password of this data folder", home.data.display())
    })?;
    Ok(server)
}

/// URL of a database of the server that another process runs in `data_dir`; `None` when none runs.
#[must_use]
pub fn running_url(data_dir: &Path, password: &SecretString, database: &str) -> Option<SecretString> {
    let data = home::recorded_data(data_dir)?;
    let socket_dir = survivor::ready_socket_dir(&data)?;
    Some(url(&socket_dir, password, database))
}

impl EmbeddedPostgres {
    /// libpq URL of a database, password included.
    #[must_use]
    pub fn database_url(&self, database: &str) -> SecretString {
        url(&self.socket_dir, &self.password, database)
    }

    /// Makes a database unless it exists.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_database(&self, database: &str) -> anyhow::Result<()> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        anyhow::ensure!(!database.is_empty() && database.chars().all(is_plain), "not a plain database name");
        let mut conn = PgConnection::establish(self.database_url("postgres").expose_secret())?;
        let exists = diesel::select(
            diesel::dsl::sql::<diesel::sql_types::Bool>("EXISTS (SELECT FROM pg_database WHERE datname = ")
                .bind::<diesel::sql_types::Text, _>(database)
                .sql(")"),
        );
        if !exists.get_result::<bool>(&mut conn)? {
            diesel::sql_query(format!("CREATE DATABASE {database}")).execute(&mut conn)?;
        }
        Ok(())
    }

    /// Where the server writes its log.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log_path
    }

    /// Process number of the server.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The last lines of the server's log, if the server ended by itself.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        Some(format!(
            "PostgreSQL ended ({status}); its log {}:\n{}",
            self.log_path.display(),
            tail(&self.log_path)
        ))
    }

    /// Stops the server: open transactions are rolled back, everything committed is on disk.
    pub fn stop(mut self) {
        self.stop_child();
    }

    fn stop_child(&mut self) {
        if let Some(mut child) = self.child.take() {
            stop_child(&mut child);
        }
        if let Some(dir) = self.borrowed_socket_dir.take() {
            // Nothing is lost when this fails: an empty folder stays behind.
            let _ = fs::remove_dir_all(dir);
        }
    }
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        self.stop_child();
    }
}

fn url(socket_dir: &Path, password: &SecretString, database: &str) -> SecretString {
    // libpq takes a folder as host when it is percent-encoded.
    let host: String = socket_dir.as_os_str().as_bytes().iter().fold(String::new(), |mut host, byte| {
        if byte.is_ascii_alphanumeric() {
            host.push(char::from(*byte));
        } else {
            host.push_str(&format!("%{byte:02X}"));
        }
        host
    });
    format!("postgresql://{ROLE}:{}@{host}:{PORT}/{database}", password.expose_secret()).into()
}

/// A command that runs as the server's user, in a process group of its own (so that Ctrl-C does not
/// reach it before requests are drained), with nothing of our environment.
fn command(program: &Path, home: &Home, user: &ServerUser) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", binaries::LOCALE);
    command.current_dir(&home.root).process_group(0).stdin(Stdio::null());
    if let ServerUser::Other { uid, gid, .. } = user {
        command.uid(*uid).gid(*gid);
    }
    command
}

/// Makes the data folder under another name first, so that a start killed in between leaves nothing
/// that looks like a database.
fn init(
    options: &PostgresOptions,
    binaries: &Binaries,
    home: &Home,
    user: &ServerUser,
) -> anyhow::Result<()> {
    let draft = home.root.join("data.new");
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    let password_file = home.root.join("password.new");
    let _ = fs::remove_file(&password_file);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&password_file)?;
    file.write_all(options.password.expose_secret().as_bytes())?;
    drop(file);
    user.give(&password_file)?;
    let mut command = command(&binaries.initdb, home, user);
    command.arg("--pgdata").arg(&draft).arg("--pwfile").arg(&password_file);
    command.args(["--username", ROLE, "--encoding=UTF8", "--auth=scram-sha-256"]);
    command.arg(format!("--locale={}", binaries::LOCALE));
    if !options.durable {
        command.arg("--no-sync");
    }
    let output = command.output().with_context(|| format!("cannot run {}", binaries.initdb.display()));
    fs::remove_file(&password_file)?;
    let output = output?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    fs::rename(&draft, &home.data)?;
    Ok(())
}

fn spawn_until_ready(
    options: &PostgresOptions,
    binaries: &Binaries,
    home: &Home,
    user: &ServerUser,
) -> anyhow::Result<Child> {
    let first = Instant::now();
    loop {
        let log_start = fs::metadata(&home.log).map_or(0, |meta| meta.len());
        let mut child = spawn(options, binaries, home, user)?;
        let start = Instant::now();
        let status = loop {
            if survivor::ready_pid(&home.data) == Some(child.id()) {
                return Ok(child);
            }
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if start.elapsed() > START_PATIENCE {
                stop_child(&mut child);
                bail!("PostgreSQL did not answer within {START_PATIENCE:?}:\n{}", tail(&home.log));
            }
            thread::sleep(Duration::from_millis(20));
        };
        let log = fs::read(&home.log).unwrap_or_default();
        let log =
            String::from_utf8_lossy(log.get(usize::try_from(log_start)?..).unwrap_or_default()).into_owned();
        let is_held = log.contains("lock file") || log.contains("shared memory block");
        if !is_held || first.elapsed() > LOCK_PATIENCE {
            bail!("PostgreSQL did not start ({status}):\n{}", log.trim());
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn spawn(
    options: &PostgresOptions,
    binaries: &Binaries,
    home: &Home,
    user: &ServerUser,
) -> anyhow::Result<Child> {
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(&home.log)?;
    let mut command = command(&binaries.postgres, home, user);
    command.arg("-D").arg(&home.data).stdout(log.try_clone()?).stderr(log);
    let mut set = |name: &str, value: &str| {
        command.args(["-c", &format!("{name}={value}")]);
    };
    set("listen_addresses", "");
    set("unix_socket_directories", &home.socket_dir.to_string_lossy());
    set("unix_socket_permissions", "0700");
    set("port", &PORT.to_string());
    set("max_connections", &options.max_connections.to_string());
    set("timezone", "UTC");
    set("log_timezone", "UTC");
    if !options.durable {
        set("fsync", "off");
        set("synchronous_commit", "off");
        set("full_page_writes", "off");
    }
    die_with_parent(&mut command);
    command.spawn().with_context(|| format!("cannot run {}", binaries.postgres.display()))
}

/// Asks Linux to send a fast shutdown to the child when the thread that forked it ends. The request
/// must come after the change of user, which would clear it; `pre_exec` runs there.
#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    // SAFETY: only async-signal-safe calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGINT) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            // The parent may have died before the request.
            if libc::getppid().cast_unsigned() != parent {
                return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

/// Other systems have no such request; the next start stops a server that survived.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}

/// Fast shutdown, then sterner ones. Committed data survives each of them.
fn stop_child(child: &mut Child) {
    let pid = Pid::from_raw(child.id().cast_signed());
    for (signal, patience) in [
        (Signal::SIGINT, STOP_PATIENCE),
        (Signal::SIGQUIT, Duration::from_secs(5)),
        (Signal::SIGKILL, Duration::from_secs(5)),
    ] {
        if kill(pid, signal).is_err() {
            break;
        }
        let start = Instant::now();
        while start.elapsed() < patience {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        tracing::warn!(%signal, "PostgreSQL is slow to stop");
    }
    let _ = child.wait();
}

/// The last lines of a log file.
fn tail(path: &Path) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Makes a folder that only `user` can enter.
fn private_dir(path: &Path, user: &ServerUser) -> anyhow::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        other => other.with_context(|| format!("cannot make the folder {}", path.display()))?,
    }
    user.give(path)
}

impl ServerUser {
    /// Gives a file or folder to the server's user.
    fn give(&self, path: &Path) -> anyhow::Result<()> {
        match self {
            ServerUser::Ourselves => Ok(()),
            ServerUser::Other { uid, gid, .. } => chown(path, Some(*uid), Some(*gid))
                .with_context(|| format!("cannot give {} to the database's user", path.display())),
        }
    }
}
