//! Start and stop in the right order, whatever the program runs on.
//!
//! ```text
//! start: lock on DATA_DIR → PostgreSQL → S3 → (the caller) worker → HTTP
//! stop:  HTTP → worker → S3 → PostgreSQL → lock
//! ```
//!
//! Outside embedded mode the first three do not exist, and the rest is the same.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use secrecy::SecretString;
use socket2::SockRef;

use crate::config::{Config, Mode, Secrets, StorageConfig};
use crate::embedded::data_dir::{DataDir, EmbeddedSecrets};
use crate::embedded::postgres::{self, EmbeddedPostgres, PostgresOptions};
use crate::embedded::s3::{self, EmbeddedS3, S3Options};

mod background;
mod run;

pub use background::Background;
pub use run::serve_until_stopped;

/// Name of the database and of the bucket in embedded mode.
const NAME: &str = "beian";
/// Connections that may wait to be accepted. The standard library asks for 128: when more come at once, the system drops their
/// first packet, and they come back after a second. (The system's own limit, `net.core.somaxconn`, is 4096 by default.)
const BACKLOG: i32 = 4096;
/// File that keeps the store's port, so that presigned URLs survive a restart.
const S3_PORT_FILE: &str = "s3-port";

/// What the program stands on, ready to be used.
#[derive(Debug)]
pub struct Ground {
    /// libpq URL of the database, password included.
    pub database_url: SecretString,
    pub storage: StorageConfig,
    pub secrets: Secrets,
    data_dir: PathBuf,
    embedded: Option<Embedded>,
}

/// What this process started and has to stop. The fields are dropped in this order.
#[derive(Debug)]
struct Embedded {
    s3: Option<EmbeddedS3>,
    postgres: Option<EmbeddedPostgres>,
    data_dir: DataDir,
}

impl Ground {
    /// Starts what embedded mode needs; elsewhere only gathers the settings.
    ///
    /// Call it from the main thread: PostgreSQL is told to stop when the thread that started it ends.
    ///
    /// # Errors
    /// When the data folder is in use or a part does not start; parts already started are stopped.
    pub fn start(config: &Config) -> anyhow::Result<Ground> {
        match config.mode {
            Mode::External => external(config),
            Mode::Embedded => start_embedded(config),
        }
    }

    /// Like [`Ground::start`], but uses the database and store of a running `serve` when one holds the
    /// data folder: for commands such as `demo reset` beside it.
    ///
    /// # Errors
    /// As [`Ground::start`].
    pub fn start_or_attach(config: &Config) -> anyhow::Result<Ground> {
        if config.mode == Mode::Embedded && DataDir::is_held(&config.data_dir) {
            return attach(config);
        }
        Ground::start(config)
    }

    /// Whether this process started PostgreSQL and S3 itself.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Writes the address in use to `$DATA_DIR/address`, for scripts. Outside embedded mode only when
    /// the folder exists: a container's file system may be read-only.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_address(&self, address: SocketAddr) -> anyhow::Result<()> {
        let text = format!("http://{address}\n");
        match &self.embedded {
            Some(embedded) => embedded.data_dir.write("address", &text),
            None if self.data_dir.is_dir() => {
                let path = self.data_dir.join("address");
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
            }
            None => Ok(()),
        }
    }

    /// Why the ground is gone, if a part of it ended by itself.
    pub fn failure(&mut self) -> Option<String> {
        self.embedded.as_mut()?.postgres.as_mut()?.ended()
    }

    /// Stops S3, then PostgreSQL, then lets go of the data folder. Call it when nothing uses them any
    /// more. (Dropping does the same.)
    pub fn stop(self) {
        drop(self);
    }

    /// Removes what [`Ground::write_address`] wrote: scripts wait for this file, and an old one would mislead them.
    pub fn remove_address(&self) {
        let _ = std::fs::remove_file(self.data_dir.join("address"));
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let address = self.data_dir.path().join("address");
        // Scripts wait for this file; an old one would mislead them.
        let _ = std::fs::remove_file(address);
        drop(self.s3.take());
        drop(self.postgres.take());
    }
}

/// A listener on `addr`, or on a free port of the same address when `fall_back` allows it and the asked
/// one is taken. `setting` is named in the error.
///
/// # Errors
/// When the address cannot be had.
pub fn bind(setting: &str, addr: SocketAddr, fall_back: bool) -> anyhow::Result<TcpListener> {
    let listener = match TcpListener::bind(addr) {
        Err(error) if fall_back && error.kind() == std::io::ErrorKind::AddrInUse => {
            TcpListener::bind((addr.ip(), 0))
        }
        other => other,
    };
    let listener = listener.with_context(|| {
        format!("cannot listen on {addr}; set {setting} to another address (port 0: a free one)")
    })?;
    SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
}

fn external(config: &Config) -> anyhow::Result<Ground> {
    let keys = config.keys.clone();
    let (Some(database_url), Some(storage), Some(jwt_keys), Some(pii_keys), Some(pii_hash_key)) = (
        config.database.url.clone(),
        config.storage.clone(),
        keys.jwt_keys,
        keys.pii_keys,
        keys.pii_hash_key,
    ) else {
        bail!("database, store and keys are needed outside embedded mode");
    };
    Ok(Ground {
        database_url,
        storage,
        secrets: Secrets { jwt_keys, pii_keys, pii_hash_key },
        data_dir: config.data_dir.clone(),
        embedded: None,
    })
}

fn start_embedded(config: &Config) -> anyhow::Result<Ground> {
    let data_dir = DataDir::open(&config.data_dir)?;
    let made = data_dir.secrets()?;
    let path = data_dir.path().to_owned();
    let mut embedded = Embedded { s3: None, postgres: None, data_dir };
    tracing::info!(folder = %path.display(), "starting PostgreSQL and the store");
    let postgres = postgres::start(&PostgresOptions {
        bin_dir: config.pg_bin_dir.clone(),
        data_dir: path.join("postgres"),
        password: made.database_password.clone(),
        durable: true,
        max_connections: u16::try_from(config.database.pool_size)?.saturating_add(20),
    })?;
    let database_url = postgres.database_url(NAME);
    let created = postgres.create_database(NAME);
    embedded.postgres = Some(postgres);
    created?;
    let s3 = s3::start(&S3Options {
        data_dir: path.join("s3"),
        listen: SocketAddr::from(([127, 0, 0, 1], DataDir::read_port(&path, S3_PORT_FILE).unwrap_or(0))),
        fall_back: true,
        access_key: made.s3_access_key.clone(),
        secret_key: made.s3_secret_key.clone(),
        buckets: vec![NAME.into()],
        cors_origins: config.http.cors_origins.clone(),
    })?;
    let storage = embedded_storage(s3.endpoint.clone(), &made);
    let port = s3.addr().port();
    embedded.s3 = Some(s3);
    embedded.data_dir.write(S3_PORT_FILE, &format!("{port}\n"))?;
    let secrets = chosen(config, made);
    Ok(Ground { database_url, storage, secrets, data_dir: path, embedded: Some(embedded) })
}

fn attach(config: &Config) -> anyhow::Result<Ground> {
    let path = config.data_dir.canonicalize()?;
    let made = DataDir::secrets_of(&path)?;
    let running = running_parts(&path, &made);
    let (database_url, storage) = running.with_context(|| {
        format!("{} is in use by a process that is starting or stopping; try again", path.display())
    })?;
    Ok(Ground { database_url, storage, secrets: chosen(config, made), data_dir: path, embedded: None })
}

fn running_parts(path: &Path, made: &EmbeddedSecrets) -> Option<(SecretString, StorageConfig)> {
    let url = postgres::running_url(&path.join("postgres"), &made.database_password, NAME)?;
    let port = DataDir::read_port(path, S3_PORT_FILE)?;
    Some((url, embedded_storage(format!("http://127.0.0.1:{port}"), made)))
}

fn embedded_storage(endpoint: String, made: &EmbeddedSecrets) -> StorageConfig {
    StorageConfig {
        bucket: NAME.into(),
        endpoint: Some(endpoint),
        public_endpoint: None,
        region: "us-east-1".into(),
        access_key_id: made.s3_access_key.clone(),
        secret_access_key: made.s3_secret_key.clone(),
    }
}

/// Keys of the environment win over those made for the folder.
fn chosen(config: &Config, made: EmbeddedSecrets) -> Secrets {
    let given = config.keys.clone();
    Secrets {
        jwt_keys: given.jwt_keys.unwrap_or(made.secrets.jwt_keys),
        pii_keys: given.pii_keys.unwrap_or(made.secrets.pii_keys),
        pii_hash_key: given.pii_hash_key.unwrap_or(made.secrets.pii_hash_key),
    }
}
