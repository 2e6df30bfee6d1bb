//! The README's tour, as a newcomer runs it: the program in embedded mode, with nothing configured, and the script.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn the_walk_through_runs_against_a_fresh_embedded_server_and_ctrl_c_ends_it() {
    let data = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("walk");
    let _ = std::fs::remove_dir_all(&data);
    std::fs::create_dir_all(&data).unwrap();
    // No clean environment would do on every machine (PATH, HOME); but nothing of ours may be set.
    let mut command = Command::new(env!("CARGO_BIN_EXE_beian"));
    for name in ["DATABASE_URL", "S3_BUCKET", "S3_ENDPOINT", "WORKER", "BUREAU_GATEWAY", "SMTP_URL"] {
        command.env_remove(name);
    }
    let mut server = command
        .env("DATA_DIR", &data)
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("METRICS_ADDR", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address = wait_for(&data.join("address"), &mut server);
    let walk = Command::new("sh")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/change-website.sh"))
        .arg(address.trim())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&walk.stdout).into_owned();
    let complained = String::from_utf8_lossy(&walk.stderr).into_owned();
    kill(Pid::from_raw(server.id() as i32), Signal::SIGINT).unwrap();
    let ended = server.wait_with_output().unwrap();
    assert!(walk.status.success(), "the walk failed:\n{said}\n{complained}");
    // Each stop of the way, in order.
    let mut rest = said.as_str();
    for stop in [
        "can submit: false",
        "identity_card_front",
        " initial_review ",
        " initial_rejected ",
        " photo_required ",
        "幕布已邮寄",
        "PHOTO_TOO_SMALL",
        "acceptable: false",
        "PHOTO_BACKDROP_MISSING",
        " photo_review ",
        " photo_rejected ",
        " bureau_rejected ",
        " approved ",
        "filed version 2",
        "bureau.approved",
        "Done: ",
    ] {
        let at = rest.find(stop).unwrap_or_else(|| panic!("{stop:?} is missing or out of order in:\n{said}"));
        rest = &rest[at + stop.len()..];
    }
    assert!(ended.status.success(), "the server ended with {}", ended.status);
    let welcome = String::from_utf8_lossy(&ended.stdout);
    assert!(welcome.contains("/swagger-ui/") && welcome.contains("demo-applicant"), "{welcome}");
}

fn wait_for(file: &std::path::Path, server: &mut std::process::Child) -> String {
    let start = Instant::now();
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => {}
        }
        assert!(server.try_wait().unwrap().is_none(), "the server ended before it was ready");
        assert!(start.elapsed() < Duration::from_secs(120), "the server is not ready after two minutes");
        std::thread::sleep(Duration::from_millis(50));
    }
}
