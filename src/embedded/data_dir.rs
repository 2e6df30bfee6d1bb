//! `DATA_DIR`: held by one process at a time, with the keys that embedded mode makes for itself.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::config::{JwtKey, PiiKey, SecretBytes, Secrets};

/// How long a start waits for a process that is just ending.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// The held folder. The lock ends with the process, however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Holds the lock for as long as it is open; closed on exec, so children do not inherit it.
    _lock: File,
}

/// What embedded mode makes at random when it first starts.
#[derive(Debug, Clone)]
pub struct EmbeddedSecrets {
    pub secrets: Secrets,
    pub database_password: SecretString,
    pub s3_access_key: String,
    pub s3_secret_key: SecretString,
}

/// The file `secrets.json`. A value missing in it is made and added, never replaced.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct SecretsFile {
    jwt_key: String,
    pii_key: String,
    pii_hash_key: String,
    database_password: String,
    s3_access_key: String,
    s3_secret_key: String,
}

impl DataDir {
    /// Makes the folder when it is missing and takes its lock.
    ///
    /// # Errors
    /// When another process holds it for longer than a few seconds, or it cannot be made.
    pub fn open(path: &Path) -> anyhow::Result<DataDir> {
        let path = create(path)?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)?;
        let start = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_PATIENCE => {
                    thread::sleep(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    // The holder's number is a courtesy; without it the message is still right.
                    let _ = lock.read_to_string(&mut holder);
                    bail!(
                        "{} is in use by another process ({}); stop it, or set DATA_DIR to another folder",
                        path.display(),
                        holder.trim()
                    );
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock {}", lock_path.display()));
                }
            }
        }
        lock.set_len(0)?;
        lock.write_all(format!("{}\n", std::process::id()).as_bytes())?;
        Ok(DataDir { path, _lock: lock })
    }

    /// Whether another process holds the folder now.
    #[must_use]
    pub fn is_held(path: &Path) -> bool {
        let Ok(lock) = File::open(path.join("lock")) else { return false };
        matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// The folder, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys of this folder; those that do not exist yet are made now.
    ///
    /// # Errors
    /// When the file cannot be read or written. A damaged file is never replaced: data is encrypted
    /// with what stood in it.
    pub fn secrets(&self) -> anyhow::Result<EmbeddedSecrets> {
        let path = self.path.join("secrets.json");
        let mut file = read_secrets(&path)?.unwrap_or_default();
        let mut is_changed = false;
        let mut fill = |value: &mut String, bytes: usize| {
            if value.is_empty() {
                *value = STANDARD.encode(random_bytes(bytes));
                is_changed = true;
            }
        };
        fill(&mut file.jwt_key, 32);
        fill(&mut file.pii_key, 32);
        fill(&mut file.pii_hash_key, 32);
        fill(&mut file.s3_secret_key, 30);
        if file.database_password.is_empty() {
            // Hexadecimal, so that it stands in a URL as it is.
            file.database_password = hex::encode(random_bytes(24));
            is_changed = true;
        }
        if file.s3_access_key.is_empty() {
            file.s3_access_key = format!("EMB{}", hex::encode_upper(random_bytes(8)));
            is_changed = true;
        }
        if is_changed {
            write_private(&path, &serde_json::to_vec_pretty(&file)?)?;
        }
        file.into_secrets().with_context(|| format!("{} is damaged; restore it from a copy", path.display()))
    }

    /// Reads the keys of a folder that another process holds.
    ///
    /// # Errors
    /// When there are none yet, or they cannot be read.
    pub fn secrets_of(path: &Path) -> anyhow::Result<EmbeddedSecrets> {
        let path = path.join("secrets.json");
        let file = read_secrets(&path)?.with_context(|| format!("{} does not exist yet", path.display()))?;
        file.into_secrets().with_context(|| format!("{} is damaged; restore it from a copy", path.display()))
    }

    /// A number kept in a file of this folder; `None` when there is none that can be read.
    #[must_use]
    pub fn read_port(path: &Path, name: &str) -> Option<u16> {
        fs::read_to_string(path.join(name)).ok()?.trim().parse().ok()
    }

    /// Keeps a small text in a file of this folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        write_private(&self.path.join(name), text.as_bytes())
    }
}

impl SecretsFile {
    fn into_secrets(self) -> anyhow::Result<EmbeddedSecrets> {
        let key = |text: &str| -> anyhow::Result<SecretBytes> {
            let bytes = STANDARD.decode(text)?;
            anyhow::ensure!(bytes.len() == 32, "a key has the wrong length");
            Ok(SecretBytes::new(bytes))
        };
        Ok(EmbeddedSecrets {
            secrets: Secrets {
                jwt_keys: vec![JwtKey { kid: "embedded".into(), secret: key(&self.jwt_key)? }],
                pii_keys: vec![PiiKey { number: 1, key: key(&self.pii_key)? }],
                pii_hash_key: key(&self.pii_hash_key)?,
            },
            database_password: self.database_password.into(),
            s3_access_key: self.s3_access_key,
            s3_secret_key: self.s3_secret_key.into(),
        })
    }
}

/// Makes `path` and gives it back absolute. When root makes it, others may pass through it (but not
/// list it), because the database runs as another user below it.
pub(super) fn create(path: &Path) -> anyhow::Result<PathBuf> {
    let mode = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .with_context(|| format!("cannot make the folder {}", path.display()))?;
    path.canonicalize().with_context(|| format!("cannot find the folder {}", path.display()))
}

/// Random bytes of the operating system's quality.
pub(super) fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    rand::fill(&mut bytes[..]);
    bytes
}

/// Writes a file that only its owner can read, all or nothing.
pub(super) fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        // The mode above only counts for a new file; one left by a killed start may be wider.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn read_secrets(path: &Path) -> anyhow::Result<Option<SecretsFile>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let file = serde_json::from_str(&text)
        .with_context(|| format!("{} is damaged; restore it from a copy", path.display()))?;
    // Somebody may have copied it without its mode.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(Some(file))
}
