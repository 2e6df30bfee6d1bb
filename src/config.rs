//! The settings: one struct per concern, read from the environment once, at the start.
//!
//! Every fault is collected and all are reported in one message, so that an operator mends a
//! deployment in one go. What a setting means for people stands in `.env.example`; a test below
//! proves that the list there and the names asked for here are the same.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

mod carrier;
mod keys;
mod messages;
mod miit;
mod network;

pub use carrier::Kuaidi100Config;
pub use keys::{JwtKey, PiiKey, SecretBytes, Secrets};
pub use messages::{
    HttpSmsConfig, JdCloudConfig, MessageLimits, SMS_VARIABLES, SmsConfig, SmsProvider, SmsTemplate,
};
pub use miit::MiitConfig;
pub use network::IpRange;

/// Where a setting's text comes from: the process environment, or a map in a test.
pub type Source<'a> = &'a dyn Fn(&str) -> Option<String>;

/// All settings. Whatever embedded mode makes by itself (database, storage, keys) is `None` here and
/// comes from [`crate::supervisor::Ground`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Embedded, or with a database and a store of its own.
    pub mode: Mode,
    /// Folder for everything that embedded mode keeps, and for the `address` file. Default `./.data`.
    pub data_dir: PathBuf,
    /// Folder with `postgres` and `initdb`; `None` means: look in the usual places.
    pub pg_bin_dir: Option<PathBuf>,
    pub database: DatabaseConfig,
    /// `None` exactly in embedded mode.
    pub storage: Option<StorageConfig>,
    pub http: HttpConfig,
    pub mail: MailConfig,
    pub sms: SmsConfig,
    pub messages: MessageLimits,
    pub keys: GivenKeys,
    pub log: LogConfig,
    pub provider: ProviderConfig,
    pub bureau_gateway: BureauGateway,
    /// The ministry's interface; `None` unless it is the gateway.
    pub miit: Option<MiitConfig>,
    /// Who tells where parcels are; `None` means: logistics enters it by hand.
    pub kuaidi100: Option<Kuaidi100Config>,
    /// `host:port` of ClamAV's daemon, which looks at every upload; `None` means: no scanner.
    pub clamav_addr: Option<String>,
    /// How long the original file of a photo is kept after its filing has ended or the attempt was refused.
    pub photo_original_kept: chrono::Duration,
    /// Whether webhooks may go to the loopback, by plain HTTP too; embedded mode only.
    pub webhook_allow_loopback: bool,
    /// Whether `serve` also runs the jobs.
    pub worker: WorkerMode,
    /// Whether `/oauth/token` takes a password, for the *Authorize* dialog of Swagger UI.
    pub swagger_password_login: bool,
}

/// What the program runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// PostgreSQL and an S3 server are started as parts of this program, on the loopback only.
    Embedded,
    /// The database and the store are somebody else's; nothing has an insecure default.
    External,
}

/// The database.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// libpq URL; `None` exactly in embedded mode.
    pub url: Option<SecretString>,
    /// Connections that HTTP requests share. The worker has two more of its own.
    pub pool_size: u32,
}

/// An S3 store. Every upload goes there directly from the client, so two addresses can differ.
#[derive(Debug, Clone)]
pub struct StorageConfig {
    pub bucket: String,
    /// Address that this server uses; `None` means AWS S3.
    pub endpoint: Option<String>,
    /// Address that browsers reach, used in presigned URLs; `None` means the same as `endpoint`.
    pub public_endpoint: Option<String>,
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: SecretString,
}

/// The HTTP side.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Port 0 lets the system choose; the chosen address goes to `$DATA_DIR/address`.
    pub listen_addr: SocketAddr,
    /// Listener of `/metrics`; `None` means none.
    pub metrics: Option<MetricsListen>,
    /// How the outside world reaches this API, without a final slash. `None` only in embedded mode,
    /// where it is the address that was bound.
    pub public_url: Option<String>,
    /// Exact origins (`https://app.example.com`) of the browsers' pages that may call this API.
    pub cors_origins: Vec<String>,
    /// Peers whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<IpRange>,
    /// Requests that one client address may make each second, in bursts of some seconds' worth; 0 means
    /// no limit.
    pub rate_limit_per_second: u32,
    /// Longest time that one request may take.
    pub request_timeout: Duration,
    /// Longest time that requests in flight get after a stop signal.
    pub shutdown_timeout: Duration,
}

/// The listener of `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsListen {
    pub addr: SocketAddr,
    /// A free port when the asked one is taken: only for the default of embedded mode.
    pub fall_back: bool,
}

/// E-mail.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// `smtp://`, `smtps://`, with the password if any; `None` only in embedded mode.
    pub smtp_url: Option<SecretString>,
    /// The sender's address.
    pub from: String,
}

/// Keys as given; what is missing is made by embedded mode, and an error elsewhere.
#[derive(Debug, Clone)]
pub struct GivenKeys {
    pub jwt_keys: Option<Vec<JwtKey>>,
    pub pii_keys: Option<Vec<PiiKey>>,
    pub pii_hash_key: Option<SecretBytes>,
}

/// The log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `None` means: text on a terminal, JSON elsewhere.
    pub format: Option<LogFormat>,
    /// A `tracing` filter such as `info,beian=debug`.
    pub filter: Option<String>,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}

/// The access provider (接入服务商) that runs this server; its name stands on the backdrop and in mails.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    pub name_zh: String,
    pub name_en: String,
}

/// Who carries a filing to the bureau.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BureauGateway {
    /// An operator downloads the package and records the answer.
    Manual,
    /// A simulated bureau: for trying out, never for real filings.
    Simulator,
    /// The ministry's interface for providers.
    Miit,
}

/// Where jobs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerMode {
    /// On a thread of `serve`.
    Inline,
    /// Not in `serve`; a `beian worker` process runs them.
    Off,
}

/// Every fault of the settings, to be shown at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// One sentence each, beginning with the setting's name. Never a secret's value.
    pub faults: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings have {} fault(s); .env.example explains each one:", self.faults.len())?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the process environment.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn from_env() -> Result<Config, ConfigError> {
        Config::load(&|name| std::env::var(name).ok())
    }

    /// Reads settings from `source`. An empty value counts as absent, because container tools pass
    /// unset variables as empty ones.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn load(source: Source) -> Result<Config, ConfigError> {
        let reader = Reader::new(source);
        let config = read_all(&reader);
        let faults = reader.faults.into_inner();
        if faults.is_empty() { Ok(config) } else { Err(ConfigError { faults }) }
    }
}

/// Reads settings one by one, remembers faults instead of stopping at the first.
struct Reader<'a> {
    source: Source<'a>,
    faults: RefCell<Vec<String>>,
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    fn new(source: Source<'a>) -> Self {
        Reader { source, faults: RefCell::default(), asked: RefCell::default() }
    }

    fn fault(&self, text: String) {
        self.faults.borrow_mut().push(text);
    }

    fn text(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        (self.source)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Value parsed by `parse`; its error says what was expected and must not repeat the value.
    fn parsed<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(&self.text(name)?) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.fault(format!("{name}: {expected}"));
                None
            }
        }
    }

    fn list<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        self.parsed(name, |text| {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(&parse).collect()
        })
    }

    /// A setting that a real deployment must give.
    fn required<T>(&self, mode: Mode, name: &str, value: Option<T>) -> Option<T> {
        let faulty = || self.faults.borrow().iter().any(|fault| fault.starts_with(&format!("{name}:")));
        if value.is_none() && mode == Mode::External && !faulty() {
            self.fault(format!("{name}: missing; it has no default outside embedded mode"));
        }
        value
    }

    /// A setting that another one makes necessary; `why` names it.
    fn needed<T>(&self, is_needed: bool, name: &str, why: &str, value: Option<T>) -> Option<T> {
        let faulty = || self.faults.borrow().iter().any(|fault| fault.starts_with(&format!("{name}:")));
        if value.is_none() && is_needed && !faulty() {
            self.fault(format!("{name}: missing; {why} needs it"));
        }
        value
    }

    fn seconds(&self, name: &str, default: u64) -> Duration {
        let parse = |text: &str| match text.parse::<u64>() {
            Ok(n @ 1..=3600) => Ok(n),
            _ => Err("a whole number of seconds from 1 to 3600 is expected".to_owned()),
        };
        Duration::from_secs(self.parsed(name, parse).unwrap_or(default))
    }

    fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        self.parsed(name, |text| {
            choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                format!("one of {} is expected", words.join(", "))
            })
        })
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.choice(name, &[("true", true), ("1", true), ("false", false), ("0", false)]).unwrap_or(default)
    }
}

fn read_all(r: &Reader) -> Config {
    let database_url = r.parsed("DATABASE_URL", network::postgres_url);
    let bucket = r.parsed("S3_BUCKET", network::bucket_name);
    let mode = match (r.text("DATABASE_URL"), r.text("S3_BUCKET")) {
        (None, None) => Mode::Embedded,
        (Some(_), Some(_)) => Mode::External,
        (Some(_), None) => {
            r.fault("S3_BUCKET: DATABASE_URL is set, so a store is needed too (or neither)".into());
            Mode::External
        }
        (None, Some(_)) => {
            r.fault("DATABASE_URL: S3_BUCKET is set, so a database is needed too (or neither)".into());
            Mode::External
        }
    };
    let pool_size = r.parsed("DATABASE_POOL_SIZE", |text| match text.parse() {
        Ok(n @ 1..=200) => Ok(n),
        _ => Err("a whole number from 1 to 200 is expected".to_owned()),
    });
    let gateways = [
        ("manual", BureauGateway::Manual),
        ("simulator", BureauGateway::Simulator),
        ("miit", BureauGateway::Miit),
    ];
    let bureau_gateway = r.choice("BUREAU_GATEWAY", &gateways).unwrap_or(match mode {
        Mode::Embedded => BureauGateway::Simulator,
        Mode::External => BureauGateway::Manual,
    });
    Config {
        mode,
        data_dir: r.text("DATA_DIR").map_or_else(|| PathBuf::from("./.data"), PathBuf::from),
        pg_bin_dir: r.text("PG_BIN_DIR").map(PathBuf::from),
        database: DatabaseConfig { url: database_url.map(Into::into), pool_size: pool_size.unwrap_or(8) },
        storage: read_storage(r, mode, bucket),
        http: read_http(r, mode),
        mail: read_mail(r, mode),
        sms: messages::read_sms(r, mode),
        messages: messages::read_limits(r),
        keys: GivenKeys {
            jwt_keys: r.required(mode, "JWT_KEYS", r.parsed("JWT_KEYS", keys::parse_jwt_keys)),
            pii_keys: r.required(mode, "PII_KEYS", r.parsed("PII_KEYS", keys::parse_pii_keys)),
            pii_hash_key: r.required(
                mode,
                "PII_HASH_KEY",
                r.parsed("PII_HASH_KEY", |text| keys::parse_key(text, 32..=32)),
            ),
        },
        log: LogConfig {
            format: r.choice("LOG_FORMAT", &[("json", LogFormat::Json), ("text", LogFormat::Text)]),
            filter: r.text("RUST_LOG"),
        },
        provider: ProviderConfig {
            name_zh: r.text("PROVIDER_NAME_ZH").unwrap_or_else(|| "示例云".into()),
            name_en: r.text("PROVIDER_NAME_EN").unwrap_or_else(|| "Example Cloud".into()),
        },
        bureau_gateway,
        miit: miit::read(r, bureau_gateway == BureauGateway::Miit),
        kuaidi100: carrier::read(r),
        clamav_addr: r.parsed("CLAMAV_ADDR", network::host_and_port),
        photo_original_kept: chrono::Duration::days(
            r.parsed("PHOTO_ORIGINAL_DAYS", |text| match text.parse() {
                Ok(days @ 0..=3650) => Ok(days),
                _ => Err("a whole number of days from 0 to 3650 is expected".to_owned()),
            })
            .unwrap_or(30),
        ),
        webhook_allow_loopback: read_allow_loopback(r, mode),
        worker: r
            .choice("WORKER", &[("inline", WorkerMode::Inline), ("off", WorkerMode::Off)])
            .unwrap_or(if mode == Mode::Embedded { WorkerMode::Inline } else { WorkerMode::Off }),
        swagger_password_login: r.flag("SWAGGER_PASSWORD_LOGIN", mode == Mode::Embedded),
    }
}

/// Elsewhere it would let partners reach into this machine.
fn read_allow_loopback(r: &Reader, mode: Mode) -> bool {
    let is_allowed = r.flag("WEBHOOK_ALLOW_LOOPBACK", false);
    if is_allowed && mode == Mode::External {
        r.fault("WEBHOOK_ALLOW_LOOPBACK: it is for embedded mode only".into());
    }
    is_allowed
}

fn read_storage(r: &Reader, mode: Mode, bucket: Option<String>) -> Option<StorageConfig> {
    let endpoint = r.parsed("S3_ENDPOINT", network::http_url);
    let public_endpoint = r.parsed("S3_PUBLIC_ENDPOINT", network::http_url);
    let region = r.text("S3_REGION");
    let access_key_id = r.required(mode, "S3_ACCESS_KEY_ID", r.text("S3_ACCESS_KEY_ID"));
    let secret = r.required(mode, "S3_SECRET_ACCESS_KEY", r.text("S3_SECRET_ACCESS_KEY"));
    if mode == Mode::Embedded {
        if endpoint.is_some() || public_endpoint.is_some() {
            r.fault(
                "S3_ENDPOINT: it needs S3_BUCKET and DATABASE_URL; without them the mode is embedded".into(),
            );
        }
        return None;
    }
    if endpoint.is_none() && region.is_none() && r.text("S3_ENDPOINT").is_none() {
        r.fault("S3_REGION: missing; without S3_ENDPOINT the store is AWS S3, which needs the region".into());
    }
    Some(StorageConfig {
        bucket: bucket.unwrap_or_default(),
        endpoint,
        public_endpoint,
        region: region.unwrap_or_else(|| "us-east-1".into()),
        access_key_id: access_key_id.unwrap_or_default(),
        secret_access_key: secret.unwrap_or_default().into(),
    })
}

fn read_http(r: &Reader, mode: Mode) -> HttpConfig {
    let listen_addr = r
        .parsed("LISTEN_ADDR", network::socket_addr)
        .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
    let metrics = match r.text("METRICS_ADDR").as_deref() {
        Some("off") => None,
        Some(_) => r
            .parsed("METRICS_ADDR", network::socket_addr)
            .map(|addr| MetricsListen { addr, fall_back: false }),
        None if mode == Mode::Embedded => {
            Some(MetricsListen { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)), fall_back: true })
        }
        None => None,
    };
    if mode == Mode::Embedded {
        // Demo passwords and a development store must never be reachable from another machine.
        for (name, addr) in [("LISTEN_ADDR", Some(listen_addr)), ("METRICS_ADDR", metrics.map(|m| m.addr))] {
            if addr.is_some_and(|addr| !addr.ip().is_loopback()) {
                r.fault(format!("{name}: embedded mode listens on the loopback only (127.0.0.1 or [::1])"));
            }
        }
    }
    HttpConfig {
        listen_addr,
        metrics,
        public_url: r.required(mode, "PUBLIC_URL", r.parsed("PUBLIC_URL", network::http_url)),
        cors_origins: r.list("CORS_ORIGINS", network::origin).unwrap_or_default(),
        trusted_proxies: r.list("TRUSTED_PROXIES", |text| text.parse()).unwrap_or_default(),
        rate_limit_per_second: r
            .parsed("RATE_LIMIT_PER_SECOND", |text| {
                text.parse().map_err(|_| "a whole number is expected".into())
            })
            .unwrap_or(50),
        request_timeout: r.seconds("REQUEST_TIMEOUT_SECONDS", 30),
        shutdown_timeout: r.seconds("SHUTDOWN_TIMEOUT_SECONDS", 30),
    }
}

fn read_mail(r: &Reader, mode: Mode) -> MailConfig {
    let smtp_url = r.parsed("SMTP_URL", |text| {
        if ["smtp://", "smtps://"].iter().any(|scheme| text.starts_with(scheme)) {
            Ok(text.to_owned())
        } else {
            Err("a URL that begins with smtp:// or smtps:// is expected".to_owned())
        }
    });
    let from = r.parsed("MAIL_FROM", |text| match text.parse::<lettre::message::Mailbox>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("an address such as ICP <icp@example.com> is expected".to_owned()),
    });
    MailConfig {
        smtp_url: r.required(mode, "SMTP_URL", smtp_url).map(Into::into),
        from: r.required(mode, "MAIL_FROM", from).unwrap_or_else(|| "beian@localhost.localdomain".into()),
    }
}

#[cfg(test)]
mod tests;
