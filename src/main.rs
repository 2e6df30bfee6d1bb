//! The command line. Everything is in the library; here only words become calls.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use beian::app::{self, NewUser};
use beian::config::Config;
use beian::openapi::{self, compatibility};
use beian::telemetry;
use clap::{Args, Parser, Subcommand};

/// A password hash takes 19 MiB for a moment. The system's allocator keeps such blocks for each thread that ever had one; this
/// one gives them back: docs/performance.md has the figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
/// `mi_option_purge_delay` of mimalloc.h, which the Rust crate does not name: milliseconds before freed memory goes back.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Open back end for China's ICP filing (备案). Settings come from the environment, see .env.example;
/// with none at all, a database and a store are started on this machine.
#[derive(Parser)]
#[command(name = "beian", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the API (the default), with the job worker inside when WORKER=inline.
    Serve,
    /// Run the jobs only.
    Worker,
    /// Bring the database's tables up to date and end.
    Migrate,
    /// Print the OpenAPI document, or compare it with a released one.
    Openapi {
        /// A released document, such as openapi/released/0.1.0.json: print what breaks its clients, and fail if anything does.
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Demo data: for trying out, refused outside embedded mode unless asked for by name.
    Demo {
        #[command(subcommand)]
        action: Demo,
    },
    /// People.
    User {
        #[command(subcommand)]
        action: User,
    },
}

#[derive(Subcommand)]
enum Demo {
    /// Load the demo data where it is missing.
    Load,
    /// Remove all data and load the demo data anew (embedded mode only).
    Reset,
    /// Add applicants with filings in any number on top of the demo data, for load tests (embedded mode only).
    Fill {
        /// Filings to add; three for each applicant.
        #[arg(long)]
        filings: u32,
        /// Applicants to add who have no filing yet.
        #[arg(long, default_value_t = 0)]
        spare: u32,
    },
}

#[derive(Subcommand)]
enum User {
    /// Make a member of staff; a new installation needs its first admin. The password is read from
    /// standard input, so that it stands neither in the history nor in the list of processes.
    Create(CreateUser),
}

#[derive(Args)]
struct CreateUser {
    /// What the person types to log in.
    #[arg(long)]
    login: String,
    /// Name that others see; the login when missing.
    #[arg(long)]
    display_name: Option<String>,
    /// Address for password resets.
    #[arg(long)]
    email: String,
    /// Role, several times for several: admin, reviewer, senior_reviewer, logistics, bureau_operator,
    /// support, auditor.
    #[arg(long = "role", default_value = "admin")]
    roles: Vec<String>,
}

fn main() -> ExitCode {
    // At once: what is delayed waits for the next large block, and the 19 MiB of the last log-in would stay for hours.
    // SAFETY: an atomic store; no option is read in between, since no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) };
    let cli = Cli::parse();
    match run(cli.command.unwrap_or(Command::Serve)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("beian: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    // Needs neither settings nor a database, so that a build machine can run it.
    match command {
        Command::Openapi { against: None } => {
            print!("{}", openapi::committed_text()?);
            return Ok(());
        }
        Command::Openapi { against: Some(file) } => return compare(&file),
        _ => {}
    }
    let config = Config::from_env()?;
    telemetry::init(&config.log)?;
    match command {
        Command::Serve => app::serve(config),
        Command::Worker => app::run_worker(config),
        Command::Migrate => app::migrate(config),
        Command::Demo { action: Demo::Load } => app::load_demo(config),
        Command::Demo { action: Demo::Reset } => app::reset_demo(config),
        Command::Demo { action: Demo::Fill { filings, spare } } => app::fill_demo(config, filings, spare),
        Command::User { action: User::Create(user) } => {
            let password = read_password()?.into();
            let display_name = user.display_name.unwrap_or_else(|| user.login.clone());
            app::create_user(
                config,
                NewUser { login: user.login, display_name, email: user.email, roles: user.roles, password },
            )
        }
        Command::Openapi { .. } => Ok(()),
    }
}

fn compare(file: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let released = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))?;
    let breaks = compatibility::breaks(&released, &openapi::committed()?);
    for found in &breaks {
        println!("{found}");
    }
    anyhow::ensure!(
        breaks.is_empty(),
        "{} changes break clients of {}; docs/compatibility.md says what to do",
        breaks.len(),
        file.display()
    );
    Ok(())
}

fn read_password() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprintln!("Password (it is shown while you type; pipe it in to avoid that):");
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).context("cannot read the password")?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    anyhow::ensure!(!password.is_empty(), "the password is read from standard input, and nothing came");
    Ok(password)
}
