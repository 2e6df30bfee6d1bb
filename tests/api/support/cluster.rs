//! One PostgreSQL and one S3 server for the whole run, and a template database that each test copies.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;

use beian::app::prepare_database;
use beian::config::{JwtKey, PiiKey, SecretBytes, Secrets, StorageConfig};
use beian::embedded::data_dir::DataDir;
use beian::embedded::postgres::{self, PostgresOptions};
use beian::embedded::s3::{self, S3Options};
use beian::kernel::clock::Clock;
use beian::kernel::pii::{self, Keyring};
use diesel::{Connection, PgConnection, RunQueryDsl};
use secrecy::{ExposeSecret, SecretString};

/// A Wednesday at ten in the morning in Shanghai, far from holidays.
pub const START: &str = "2026-03-11T02:00:00Z";

pub struct Cluster {
    urls: Box<dyn Fn(&str) -> SecretString + Send + Sync>,
    endpoint: String,
    /// PostgreSQL's log.
    pub log: PathBuf,
    next: AtomicU32,
    admin: Mutex<PgConnection>,
}

/// The run's servers; started by the first test that asks.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

pub fn secrets() -> Secrets {
    Secrets {
        jwt_keys: vec![JwtKey { kid: "test".into(), secret: SecretBytes::new(vec![7; 32]) }],
        pii_keys: vec![PiiKey { number: 1, key: SecretBytes::new(vec![8; 32]) }],
        pii_hash_key: SecretBytes::new(vec![9; 32]),
    }
}

impl Cluster {
    fn start() -> Self {
        pii::install(Keyring::new([9; 32], vec![(1, [8; 32])]).unwrap()).unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cluster");
        let (send, receive) = mpsc::channel();
        // PostgreSQL is told to stop when the thread that started it ends: this one lives as long as the run.
        thread::spawn(move || {
            let lock = DataDir::open(&folder).expect("another test run is using the folder; let it end");
            let server = postgres::start(&PostgresOptions {
                bin_dir: std::env::var_os("PG_BIN_DIR").map(PathBuf::from),
                data_dir: lock.path().join("postgres"),
                password: "test".to_owned().into(),
                durable: false,
                max_connections: 200,
            })
            .expect("PostgreSQL starts");
            let store = s3::start(&S3Options {
                data_dir: lock.path().join("s3"),
                listen: SocketAddr::from(([127, 0, 0, 1], 0)),
                fall_back: true,
                access_key: "test".into(),
                secret_key: "test-secret".to_owned().into(),
                buckets: Vec::new(),
                cors_origins: Vec::new(),
            })
            .expect("the store starts");
            let base = server.database_url("postgres");
            send.send((base, store.endpoint.clone(), server.log_path().to_owned())).unwrap();
            loop {
                thread::park();
            }
        });
        let (admin_url, endpoint, log) = receive.recv().expect("PostgreSQL and the store start");
        let mut admin = PgConnection::establish(admin_url.expose_secret()).unwrap();
        drop_leftovers(&mut admin);
        let base = admin_url.expose_secret().to_owned();
        let urls = move |name: &str| -> SecretString {
            format!("{}/{name}", base.rsplit_once('/').unwrap().0).into()
        };
        execute(&mut admin, "CREATE DATABASE template_beian");
        let template = urls("template_beian");
        let clock = Clock::fixed(START.parse().unwrap());
        prepare_database(&template, &clock).unwrap();
        {
            let mut conn = PgConnection::establish(template.expose_secret()).unwrap();
            beian::demo::load_people(&mut conn, &clock).unwrap();
            beian::demo::load_partner_client(&mut conn, &clock).unwrap();
        }
        Self { urls: Box::new(urls), endpoint, log, next: AtomicU32::new(1), admin: Mutex::new(admin) }
    }

    /// A copy of the template.
    pub fn create_database(&self) -> (String, SecretString) {
        let name = format!("test_{}", self.next.fetch_add(1, Ordering::Relaxed));
        execute(&mut self.admin.lock().unwrap(), &format!("CREATE DATABASE {name} TEMPLATE template_beian"));
        let url = (self.urls)(&name);
        (name, url)
    }

    /// How a database of this name is reached.
    pub fn url(&self, name: &str) -> SecretString {
        (self.urls)(name)
    }

    /// An empty database, for tests of migrations.
    pub fn create_empty_database(&self) -> (String, SecretString) {
        let name = format!("test_{}", self.next.fetch_add(1, Ordering::Relaxed));
        execute(
            &mut self.admin.lock().unwrap(),
            &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"),
        );
        let url = (self.urls)(&name);
        (name, url)
    }

    pub fn drop_database(&self, name: &str) {
        if let Ok(mut admin) = self.admin.lock() {
            execute(&mut admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }

    /// A store with a bucket of its own.
    pub fn storage(&self, bucket: &str) -> StorageConfig {
        StorageConfig {
            bucket: bucket.to_owned(),
            endpoint: Some(self.endpoint.clone()),
            public_endpoint: None,
            region: "us-east-1".into(),
            access_key_id: "test".into(),
            secret_access_key: "test-secret".to_owned().into(),
        }
    }
}

/// Databases that a killed run left behind.
fn drop_leftovers(conn: &mut PgConnection) {
    #[derive(diesel::QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Text)]
        datname: String,
    }
    let names: Vec<Name> = diesel::sql_query(
        "SELECT datname::text FROM pg_database WHERE datname LIKE 'test\\_%' OR datname = 'template_beian'",
    )
    .load(conn)
    .unwrap();
    for name in names {
        execute(conn, &format!("DROP DATABASE {} WITH (FORCE)", name.datname));
    }
}

fn execute(conn: &mut PgConnection, sql: &str) {
    diesel::sql_query(sql).execute(conn).unwrap_or_else(|error| panic!("{sql}: {error}"));
}
