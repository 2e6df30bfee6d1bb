//! Finds `postgres` and `initdb` on this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// macOS knows no C.UTF-8; with the encoding UTF8 its C sorts the same way, by code point.
pub const LOCALE: &str = if cfg!(target_os = "macos") { "C" } else { "C.UTF-8" };

/// The oldest version that the migrations are tried with.
const OLDEST: u32 = 13;

/// A pair of programs of one installation.
#[derive(Debug)]
pub struct Binaries {
    pub postgres: PathBuf,
    pub initdb: PathBuf,
}

impl Binaries {
    /// The newest installation, or the one whose version is that of existing data.
    pub fn find(bin_dir: Option<&Path>, data_version: Option<&str>) -> anyhow::Result<Binaries> {
        let mut found: Vec<(u32, PathBuf)> = Vec::new();
        for dir in bin_dir.map_or_else(usual_dirs, |dir| vec![dir.to_owned()]) {
            if !dir.join("postgres").is_file() || !dir.join("initdb").is_file() {
                continue;
            }
            // Links such as /usr/local/bin/postgres lead to the folder where everything lies together.
            let dir = dir.join("postgres").canonicalize()?.parent().map_or(dir, Path::to_owned);
            let version = major_version(&dir.join("postgres"))?;
            if !found.iter().any(|(_, known)| *known == dir) {
                found.push((version, dir));
            }
        }
        let chosen = match data_version {
            Some(wanted) => found.iter().find(|(version, _)| version.to_string() == wanted),
            None => {
                found.iter().filter(|(version, _)| *version >= OLDEST).max_by_key(|(version, _)| *version)
            }
        };
        match (chosen, data_version) {
            (Some((_, dir)), _) => {
                Ok(Binaries { postgres: dir.join("postgres"), initdb: dir.join("initdb") })
            }
            (None, Some(version)) if !found.is_empty() => {
                let versions: Vec<String> = found.iter().map(|(version, _)| version.to_string()).collect();
                bail!(
                    "the data folder was made by PostgreSQL {version}, this machine has {}; {}, or move the \
                     data folder away to start with an empty one",
                    versions.join(", "),
                    advice(Some(version))
                )
            }
            (None, version) => {
                let place = bin_dir.map_or("this machine".to_owned(), |dir| dir.display().to_string());
                bail!("no PostgreSQL server ({OLDEST} or newer) on {place}; {}", advice(version))
            }
        }
    }
}

/// What to type; the message that a person without PostgreSQL sees.
fn advice(version: Option<&str>) -> String {
    let suffix = version.map(|version| format!("-{version}")).unwrap_or_default();
    if cfg!(target_os = "macos") {
        let version = version.unwrap_or("17");
        format!("install it with: brew install postgresql@{version}")
    } else if Path::new("/etc/debian_version").exists() {
        format!("install it with: apt-get install postgresql{suffix} (or run ./dev run)")
    } else {
        format!("install the package postgresql-server{suffix} of your system, or set PG_BIN_DIR")
    }
}

fn usual_dirs() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = env::var_os("PG_BIN_DIR").map(PathBuf::from).into_iter().collect();
    dirs.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    for parent in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        dirs.extend(children(Path::new(parent), "").map(|dir| dir.join("bin")));
    }
    // Red Hat's packages of the PostgreSQL project.
    dirs.extend(children(Path::new("/usr"), "pgsql-").map(|dir| dir.join("bin")));
    dirs
}

fn children(parent: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(move |entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` → 15
fn major_version(postgres: &Path) -> anyhow::Result<u32> {
    let output = Command::new(postgres)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot run {}", postgres.display()))?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
        .with_context(|| format!("{} does not tell its version", postgres.display()))
}

fn parse_version(text: &str) -> Option<u32> {
    let number = text.split_once(')')?.1.trim();
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_prints() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_version("nonsense"), None);
    }

    #[test]
    fn a_missing_server_names_the_package() {
        let error = Binaries::find(Some(Path::new("/nonexistent")), None).unwrap_err().to_string();
        assert!(error.contains("postgresql"), "{error}");
    }
}
