//! The application: what every handler and job can reach, and how the server is put together.

use std::{net::TcpListener, ops::Deref, sync::Arc, time::Duration};

use actix_cors::Cors;
use actix_web::{App as ActixApp, HttpResponse, HttpServer, dev::Server, http::header, middleware, web};
use anyhow::Context;
use diesel::{Connection, PgConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::{ExposeSecret, SecretString};

use crate::auth::{SessionCache, TokenKeys};
use crate::catalogue::CatalogueCache;
use crate::config::{Config, Secrets, StorageConfig, WorkerMode};
use crate::external::web::{self as receivers, WebClient};
use crate::external::{
    bureau::BureauGateway, carrier::CarrierTracker, email::Mailer, sms::SmsSender, storage::Storage,
};
use crate::filing_streams::Streams;
use crate::kernel::jobs::{Registry, Waker, Worker};
use crate::kernel::pii::{self, Keyring};
use crate::kernel::{
    clock::Clock, db::Db, envelope, json::BodySchemas, parameter_limits::ParameterLimits,
    rate_limit::RateLimit,
};
use crate::photo_verifications::TrialLimit;
use crate::supervisor::{self, Background, Ground};
use crate::{demo, external, openapi, reference, routes, telemetry};

/// Every migration, in the binary.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();
/// Connections of the worker, beside those of the requests.
const WORKER_CONNECTIONS: u32 = 2;
/// How long the job in hand may take when the program stops; what is left is found by the next start.
const WORKER_PATIENCE: Duration = Duration::from_secs(20);

/// Everything that handlers and jobs need; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of [`App`].
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// How the outside world reaches this API, without a final slash.
    pub public_url: String,
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The object store.
    pub storage: Storage,
    /// Carries e-mail.
    pub mailer: Arc<dyn Mailer>,
    /// Carries SMS.
    pub sms: Arc<dyn SmsSender>,
    /// Carries packages to the bureau.
    pub bureau: Arc<dyn BureauGateway>,
    /// Calls receivers of webhooks.
    pub web: WebClient,
    /// Follows parcels; none without a key.
    pub carrier: Option<Arc<dyn CarrierTracker>>,
    /// Signs and reads access tokens.
    pub tokens: TokenKeys,
    /// Sessions verified a moment ago.
    pub sessions: SessionCache,
    /// What lists show from the catalogue, read a moment ago.
    pub catalogue: CatalogueCache,
    /// Wakes the worker of this process.
    pub waker: Waker,
    /// Counts each user's trials of photos.
    pub photo_trials: TrialLimit,
    /// Live streams of this process.
    pub streams: Streams,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// What [`open`] needs to know beside the settings.
pub struct Means {
    /// libpq URL.
    pub database_url: SecretString,
    /// The object store.
    pub storage: StorageConfig,
    /// Keys of tokens and personal data.
    pub secrets: Secrets,
    /// How the outside world reaches the API.
    pub public_url: String,
    /// The time.
    pub clock: Clock,
}

impl Means {
    fn on(ground: &Ground, public_url: String, clock: Clock) -> Self {
        Self {
            database_url: ground.database_url.clone(),
            storage: ground.storage.clone(),
            secrets: ground.secrets.clone(),
            public_url,
            clock,
        }
    }
}

/// Connects to database and store.
///
/// # Errors
/// When the database cannot be reached or the keys are not those of this process.
pub fn open(config: Config, means: Means) -> anyhow::Result<App> {
    install_keys(&means.secrets)?;
    let db = Db::connect(means.database_url.expose_secret(), config.database.pool_size)?;
    Ok(App::new(Parts {
        tokens: TokenKeys::new(&means.secrets.jwt_keys),
        storage: Storage::new(&means.storage),
        public_url: means.public_url,
        clock: means.clock,
        sessions: SessionCache::default(),
        catalogue: CatalogueCache::default(),
        waker: Waker::default(),
        photo_trials: TrialLimit::default(),
        streams: Streams::default(),
        web: WebClient::new(receivers::Policy { allow_loopback: config.webhook_allow_loopback }),
        mailer: external::email::from_config(&config.mail, &config.data_dir)?,
        sms: external::sms::from_config(&config.sms, &db)?,
        bureau: external::bureau::for_setting(config.bureau_gateway, config.miit.as_ref())?,
        carrier: external::carrier::from_config(config.kuaidi100.as_ref())?,
        db,
        config,
    }))
}

fn install_keys(secrets: &Secrets) -> anyhow::Result<()> {
    let fixed = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).context("keys of personal data have 32 bytes");
    let keys = secrets
        .pii_keys
        .iter()
        .map(|key| Ok((key.number, fixed(key.key.expose())?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(pii::install(Keyring::new(fixed(secrets.pii_hash_key.expose())?, keys)?)?)
}

/// The worker of all features' jobs, with connections of its own.
///
/// # Errors
/// When the database cannot be reached.
pub fn worker(app: &App, database_url: &SecretString) -> anyhow::Result<Worker> {
    let db = Db::connect(database_url.expose_secret(), WORKER_CONNECTIONS)?;
    let mut registry = Registry::default();
    routes::register_jobs(&mut registry, app);
    Ok(Worker::new(db, app.clock.clone(), registry, app.waker.clone()))
}

/// Brings the tables up to date and loads the catalogue's shipped rows where they are missing. Several processes may do
/// it at once: one waits for the other.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub fn prepare_database(database_url: &SecretString, clock: &Clock) -> anyhow::Result<()> {
    let mut conn =
        PgConnection::establish(database_url.expose_secret()).context("cannot reach the database")?;
    // Any number will do, as long as nobody else takes it: "beian" in ASCII.
    diesel::RunQueryDsl::execute(diesel::sql_query("SELECT pg_advisory_lock(422759293806)"), &mut conn)?;
    conn.run_pending_migrations(MIGRATIONS).map_err(|error| anyhow::anyhow!("migration failed: {error}"))?;
    crate::catalogue::seed(&mut conn, clock.now())?;
    Ok(())
}

/// Runs API and, by setting, worker until a signal; with database and store as children when nothing is configured.
///
/// # Errors
/// When a part does not start or ends by itself.
pub fn serve(config: Config) -> anyhow::Result<()> {
    let clock = Clock::system();
    let listener = supervisor::bind("LISTEN_ADDR", config.http.listen_addr, false)?;
    let address = listener.local_addr()?;
    let mut ground = Ground::start(&config)?;
    telemetry::install_metrics()?;
    prepare_database(&ground.database_url, &clock)?;
    let public_url = config.http.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    if ground.is_embedded() {
        install_keys(&ground.secrets)?;
        demo::load(&ground.database_url, &ground.storage, &clock, true)
            .context("cannot load the demo data")?;
    }
    let app = open(config, Means::on(&ground, public_url.clone(), clock))?;
    let streams = app.streams.clone();
    let background = match app.config.worker {
        WorkerMode::Inline => Some(start_worker(&app, &ground.database_url)?),
        WorkerMode::Off => None,
    };
    let metrics = metrics_listener(&app.config)?;
    ground.write_address(address)?;
    if ground.is_embedded() {
        println!("{}", demo::welcome(&public_url));
    }
    tracing::info!(%address, version = openapi::VERSION, "serving");
    // The other half is for the threads of the database work: with an event loop for each processor a list took a tenth more of it
    // (docs/performance.md), since whoever has something to do takes the processor from another.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
    let outcome = supervisor::serve_until_stopped(
        &mut ground,
        || {
            let mut servers = vec![http_server(app, listener, threads)?];
            servers.extend(metrics.map(telemetry::metrics_server).transpose()?);
            Ok(servers)
        },
        || background.as_ref().map_or(Ok(()), is_running),
        // They would hold up the stop until its time limit.
        || streams.close(),
    );
    if let Some(background) = background {
        background.stop(WORKER_PATIENCE);
    }
    ground.remove_address();
    ground.stop();
    outcome
}

/// Runs the worker alone until a signal.
///
/// # Errors
/// When a part does not start or ends by itself.
pub fn run_worker(config: Config) -> anyhow::Result<()> {
    let mut ground = Ground::start_or_attach(&config)?;
    telemetry::install_metrics()?;
    let public_url = config.http.public_url.clone().unwrap_or_default();
    let app = open(config, Means::on(&ground, public_url, Clock::system()))?;
    let background = start_worker(&app, &ground.database_url)?;
    let metrics = metrics_listener(&app.config)?;
    let outcome = supervisor::serve_until_stopped(
        &mut ground,
        || Ok(metrics.map(telemetry::metrics_server).transpose()?.into_iter().collect()),
        || is_running(&background),
        || {},
    );
    background.stop(WORKER_PATIENCE);
    ground.stop();
    outcome
}

fn start_worker(app: &App, database_url: &SecretString) -> anyhow::Result<Background> {
    let worker = worker(app, database_url)?;
    Background::start("worker", move |stop| async move { worker.run(stop).await })
}

fn is_running(worker: &Background) -> Result<(), String> {
    if worker.has_ended() { Err("the worker ended by itself".to_owned()) } else { Ok(()) }
}

fn metrics_listener(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(metrics) = config.http.metrics else { return Ok(None) };
    let listener = supervisor::bind("METRICS_ADDR", metrics.addr, metrics.fall_back)?;
    tracing::info!(address = %listener.local_addr()?, "metrics");
    Ok(Some(listener))
}

/// Brings the database up to date and ends.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub fn migrate(config: Config) -> anyhow::Result<()> {
    let ground = Ground::start_or_attach(&config)?;
    prepare_database(&ground.database_url, &Clock::system())?;
    ground.stop();
    Ok(())
}

/// Loads the demo data where it is missing.
///
/// # Errors
/// When database or store cannot be reached.
pub fn load_demo(config: Config) -> anyhow::Result<()> {
    with_ground(&config, |ground, clock| {
        demo::load(&ground.database_url, &ground.storage, clock, ground.is_embedded())
    })
}

/// Loads the demo data where it is missing, and adds applicants with filings in any number.
///
/// # Errors
/// Outside embedded mode (everybody knows the password of these people), when database or store cannot be reached, or when
/// the filings are there already.
pub fn fill_demo(config: Config, filings: u32, spare: u32) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.mode == crate::config::Mode::Embedded,
        "demo fill makes people with a known password and is for embedded mode only"
    );
    with_ground(&config, |ground, clock| {
        demo::load(&ground.database_url, &ground.storage, clock, ground.is_embedded())?;
        let mut conn = PgConnection::establish(ground.database_url.expose_secret())?;
        let volume = demo::volume::fill(&mut conn, clock.now(), filings.into(), spare.into())?;
        println!(
            "{} filings of {} applicants, {} of them regular customers, {} applicants without",
            volume.filings, volume.applicants, volume.regulars, volume.spare
        );
        Ok(())
    })
}

/// Removes everything and loads the demo data anew; embedded mode only.
///
/// # Errors
/// Outside embedded mode, or when database or store cannot be reached.
pub fn reset_demo(config: Config) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.mode == crate::config::Mode::Embedded,
        "demo reset removes all data and is for embedded mode only"
    );
    with_ground(&config, |ground, clock| {
        demo::clear(&ground.database_url)?;
        prepare_database(&ground.database_url, clock)?;
        demo::load(&ground.database_url, &ground.storage, clock, true)
    })
}

fn with_ground(
    config: &Config,
    work: impl FnOnce(&Ground, &Clock) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let ground = Ground::start_or_attach(config)?;
    install_keys(&ground.secrets)?;
    let clock = Clock::system();
    prepare_database(&ground.database_url, &clock)?;
    let outcome = work(&ground, &clock);
    ground.stop();
    outcome
}

/// A member of staff to be made from the command line.
pub struct NewUser {
    /// What the person types to log in.
    pub login: String,
    /// Name that others see.
    pub display_name: String,
    /// Address for password resets.
    pub email: String,
    /// Roles of staff.
    pub roles: Vec<String>,
    /// The first password.
    pub password: SecretString,
}

/// Makes a member of staff.
///
/// # Errors
/// When a role is unknown, the password too weak or the login taken.
pub fn create_user(config: Config, user: NewUser) -> anyhow::Result<()> {
    let public_url = config.http.public_url.clone().unwrap_or_default();
    with_ground(&config.clone(), |ground, clock| {
        let app = open(config, Means::on(ground, public_url, clock.clone()))?;
        crate::users::create_from_command_line(&app, user)
    })
}

/// The HTTP server on a bound listener, with `threads` event loops. It does not handle signals: its owner stops it.
///
/// # Errors
/// When the listener cannot be used.
pub fn http_server(app: App, listener: TcpListener, threads: usize) -> std::io::Result<Server> {
    let document = openapi::committed()?;
    let schemas = web::Data::new(BodySchemas::new(&document));
    let limits = web::Data::new(ParameterLimits::new(&document));
    let known = web::Data::new(routes::KnownPaths::new(&document));
    drop(document);
    let limit = web::Data::new(RateLimit::new(app.config.http.rate_limit_per_second));
    let shutdown = app.config.http.shutdown_timeout;
    // One for each connection, two for passwords, one for a photo on trial (both count their turns), one for checksums of files. What may
    // wait long, such as names of receivers, belongs to the jobs, which have threads of their own. Work goes to all in turn: the
    // dozens that a burst leaves behind keep freed memory each, and find nothing of their last turn in the processor's caches.
    let blocking = app.config.database.pool_size as usize + 4;
    let data = web::Data::new(app);
    let server = HttpServer::new(move || {
        ActixApp::new()
            .configure(routes::all)
            .app_data(data.clone())
            .app_data(schemas.clone())
            .app_data(limits.clone())
            .app_data(known.clone())
            .app_data(limit.clone())
            .configure(openapi::routes)
            .configure(reference::pages)
            .route(
                "/",
                web::get().to(|| async {
                    HttpResponse::Found().insert_header((header::LOCATION, "/swagger-ui/")).finish()
                }),
            )
            .default_service(web::to(
                |req: actix_web::HttpRequest, known: web::Data<routes::KnownPaths>| async move {
                    Err::<HttpResponse, _>(known.refuse(&req))
                },
            ))
            .wrap(middleware::Compress::default())
            .wrap(cors(&data.config.http.cors_origins))
            .wrap(telemetry::request_logger())
            .wrap(middleware::from_fn(envelope::wrap))
    })
    .workers(threads)
    .worker_max_blocking_threads(blocking)
    // Otherwise the second packet of a reply waits until the client has confirmed the first, and clients take 40 ms for that.
    .tcp_nodelay(true)
    .client_request_timeout(Duration::from_secs(10))
    .shutdown_timeout(shutdown.as_secs())
    .disable_signals()
    .listen(listener)?;
    Ok(server.run())
}

/// Exactly the configured origins; nothing by default.
fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST", "PATCH", "PUT", "DELETE"])
        .allowed_headers([
            "Authorization",
            "Content-Type",
            "Accept-Language",
            "If-Match",
            "If-None-Match",
            "Idempotency-Key",
            "Last-Event-ID",
            "X-Request-Id",
            "traceparent",
        ])
        .expose_headers(["ETag", "Link", "Location", "X-Request-Id", "Retry-After", "Idempotency-Replayed"])
        .max_age(3600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
