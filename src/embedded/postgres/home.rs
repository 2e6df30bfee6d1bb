//! Where the server's data, socket and log lie, and which user it runs as.
//!
//! ```text
//! data_dir/            ours; others may pass through when we are root
//!   location           path of the cluster folder, when it had to lie elsewhere
//!   cluster/           the server user's, 0700
//!     data/  socket/  postgres.log
//! ```

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use nix::unistd::{User, geteuid, mkdtemp};

use super::{PORT, private_dir};
use crate::embedded::data_dir::{create, write_private};

/// Longest path of a unix socket: the size of `sun_path` without its final zero.
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

/// PostgreSQL refuses to run as root.
#[derive(Debug)]
pub enum ServerUser {
    Ourselves,
    Other { uid: u32, gid: u32, name: &'static str },
}

impl ServerUser {
    /// Ourselves, or for root `postgres`, else `nobody`.
    pub fn choose() -> anyhow::Result<ServerUser> {
        if !geteuid().is_root() {
            return Ok(ServerUser::Ourselves);
        }
        for name in ["postgres", "nobody"] {
            if let Some(user) = User::from_name(name)? {
                return Ok(ServerUser::Other { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name });
            }
        }
        bail!("PostgreSQL refuses to run as root, and this machine has no user postgres or nobody")
    }

    fn uid(&self) -> u32 {
        match self {
            ServerUser::Ourselves => geteuid().as_raw(),
            ServerUser::Other { uid, .. } => *uid,
        }
    }

    /// Whether the user can enter `dir`: asked by doing it, so that every folder above, access list and
    /// mount option has its say.
    fn reaches(&self, dir: &Path) -> anyhow::Result<bool> {
        let ServerUser::Other { uid, gid, .. } = self else { return Ok(true) };
        let status = Command::new("/bin/sh")
            .args(["-c", r#"test -w "$1" && test -x "$1""#, "sh"])
            .arg(dir)
            .current_dir("/")
            .uid(*uid)
            .gid(*gid)
            .status()?;
        Ok(status.success())
    }
}

/// The cluster folder and what lies in it.
#[derive(Debug)]
pub struct Home {
    pub root: PathBuf,
    pub data: PathBuf,
    pub log: PathBuf,
    pub socket_dir: PathBuf,
    socket_record: PathBuf,
}

impl Home {
    /// Finds or makes the folders.
    pub fn prepare(data_dir: &Path, user: &ServerUser) -> anyhow::Result<Home> {
        let data_dir = create(data_dir)?;
        let root = cluster_dir(&data_dir, user)?;
        let mut home = Home {
            data: root.join("data"),
            log: root.join("postgres.log"),
            socket_dir: root.join("socket"),
            socket_record: data_dir.join("socket-location"),
            root,
        };
        // A start that was killed may have left a socket folder in a temporary place.
        if let Ok(old) = fs::read_to_string(&home.socket_record) {
            let old = PathBuf::from(old.trim());
            let is_ours =
                fs::symlink_metadata(&old).is_ok_and(|meta| meta.is_dir() && meta.uid() == user.uid());
            if is_ours && super::survivor::ready_pid(&home.data).is_none() {
                let _ = fs::remove_dir_all(&old);
            }
            fs::remove_file(&home.socket_record)?;
        }
        let name = format!(".s.PGSQL.{PORT}");
        if home.socket_dir.join(name).as_os_str().len() > SOCKET_PATH_MAX {
            home.socket_dir = unpredictable_dir(&std::env::temp_dir(), user)?;
            write_private(&home.socket_record, home.socket_dir.to_string_lossy().as_bytes())?;
        }
        private_dir(&home.socket_dir, user)?;
        Ok(home)
    }

    /// Whether the socket folder lies outside the cluster folder, because its path was too long.
    pub fn borrows_socket_dir(&self) -> bool {
        !self.socket_dir.starts_with(&self.root)
    }

    /// Removes sockets and lock files of servers that no longer run; call it when none does. Otherwise a
    /// process that got the dead server's number would make the next one refuse to start.
    pub fn clear_sockets(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.socket_dir)? {
            fs::remove_file(entry?.path())?;
        }
        // Elsewhere than on Linux we cannot see for certain that no server process is left.
        if cfg!(target_os = "linux") {
            let _ = fs::remove_file(self.data.join("postmaster.pid"));
        }
        Ok(())
    }

    /// Major version that made the data; `None` when there is none yet.
    pub fn version(&self) -> anyhow::Result<Option<String>> {
        match fs::read_to_string(self.data.join("PG_VERSION")) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("cannot read PG_VERSION"),
        }
    }
}

/// The data folder of an existing cluster below `data_dir`.
pub fn recorded_data(data_dir: &Path) -> Option<PathBuf> {
    let root = match fs::read_to_string(data_dir.join("location")) {
        Ok(path) => PathBuf::from(path.trim()),
        Err(_) => data_dir.join("cluster"),
    };
    // The server knows its folder by the absolute path.
    root.join("data").canonicalize().ok()
}

/// `data_dir/cluster`; when the server's user cannot reach it (a home folder of mode 0700 above), a
/// folder of an unpredictable name elsewhere, recorded in `data_dir/location`.
fn cluster_dir(data_dir: &Path, user: &ServerUser) -> anyhow::Result<PathBuf> {
    let record = data_dir.join("location");
    if let Ok(path) = fs::read_to_string(&record) {
        let path = PathBuf::from(path.trim());
        let is_ours = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir() && meta.uid() == user.uid());
        if !is_ours {
            bail!(
                "the database's folder {} is gone or not the server's any more; restore it, or remove {} to \
                 start with an empty database",
                path.display(),
                record.display()
            );
        }
        return Ok(path);
    }
    let cluster = data_dir.join("cluster");
    private_dir(&cluster, user)?;
    if user.reaches(&cluster)? {
        return Ok(cluster);
    }
    if fs::remove_dir(&cluster).is_err() {
        bail!("the database's user can no longer reach {}; a folder above it was closed", cluster.display());
    }
    for base in ["/var/lib/beian", "/var/tmp"] {
        let Ok(base) = create(Path::new(base)) else { continue };
        let Ok(dir) = unpredictable_dir(&base, user) else { continue };
        if user.reaches(&dir)? {
            if let ServerUser::Other { name, .. } = user {
                tracing::info!(folder = %dir.display(), user = name, "the database lies here: its user cannot reach DATA_DIR");
            }
            write_private(&record, dir.to_string_lossy().as_bytes())?;
            return Ok(dir);
        }
        let _ = fs::remove_dir(&dir);
    }
    bail!("the database's user can reach neither {} nor a folder elsewhere; set DATA_DIR", cluster.display())
}

/// A new folder of mode 0700 whose name cannot be guessed, so that nobody prepares it beforehand.
fn unpredictable_dir(base: &Path, user: &ServerUser) -> anyhow::Result<PathBuf> {
    let dir =
        mkdtemp(&base.join("beian-XXXXXX")).with_context(|| format!("no folder below {}", base.display()))?;
    user.give(&dir)?;
    Ok(dir)
}
