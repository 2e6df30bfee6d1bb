//! Servers that outlived the process that started them, and the file in which a server tells its state.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// `postmaster.pid`, as far as we need it. Lines: pid, data folder, start time, port, socket folder,
/// listen address, shared memory, state.
struct PidFile {
    pid: u32,
    socket_dir: PathBuf,
    is_ready: bool,
}

fn read(data: &Path) -> Option<PidFile> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    Some(PidFile {
        pid: lines.first()?.parse().ok()?,
        socket_dir: PathBuf::from(lines.get(4).copied().unwrap_or_default()),
        is_ready: lines.get(7) == Some(&"ready"),
    })
}

/// Process number of the server on this data, once it takes connections.
pub fn ready_pid(data: &Path) -> Option<u32> {
    read(data).filter(|file| file.is_ready).map(|file| file.pid)
}

/// Socket folder of the server on this data, if one runs.
pub fn ready_socket_dir(data: &Path) -> Option<PathBuf> {
    let file = read(data).filter(|file| file.is_ready)?;
    servers_on(data).contains(&file.pid).then_some(file.socket_dir)
}

/// Stops every server process that still works on this data. The caller holds the lock on the data
/// folder, so such a process is nobody's any more.
pub fn stop_all(data: &Path) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut step = 0;
    // A fast shutdown first; a server whose parent just died may be in the middle of one.
    let steps = [(0, Signal::SIGINT), (20, Signal::SIGQUIT), (30, Signal::SIGKILL)];
    loop {
        let servers = servers_on(data);
        if servers.is_empty() {
            return Ok(());
        }
        if let Some((after, signal)) = steps.get(step)
            && start.elapsed() >= Duration::from_secs(*after)
        {
            let postmaster = read(data).map(|file| file.pid).filter(|pid| servers.contains(pid));
            // Without a postmaster, what is left are its children, which end by themselves as a rule.
            let targets =
                if *signal == Signal::SIGKILL { servers.clone() } else { postmaster.into_iter().collect() };
            for pid in targets {
                tracing::info!(pid, %signal, "stopping a PostgreSQL that survived its parent");
                let _ = kill(Pid::from_raw(pid.cast_signed()), *signal);
            }
            step += 1;
        }
        if start.elapsed() > Duration::from_secs(40) {
            bail!("PostgreSQL processes {servers:?} still work on {} and do not stop", data.display());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Processes whose program is PostgreSQL's and whose working folder is the data folder: every server
/// process changes there at its start. A process number alone proves nothing, numbers are used again.
#[cfg(target_os = "linux")]
fn servers_on(data: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data))
        .filter(|pid| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("postgres"))
        })
        .collect()
}

/// Elsewhere: the process that the file names, if its command line names the data folder.
#[cfg(not(target_os = "linux"))]
fn servers_on(data: &Path) -> Vec<u32> {
    let Some(file) = read(data) else { return Vec::new() };
    let output =
        std::process::Command::new("ps").args(["-o", "command=", "-p", &file.pid.to_string()]).output();
    let names_data = |text: &[u8]| String::from_utf8_lossy(text).contains(&*data.to_string_lossy());
    match output {
        Ok(output) if names_data(&output.stdout) => vec![file.pid],
        _ => Vec::new(),
    }
}
