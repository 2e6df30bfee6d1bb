//! Demo data: people, filed websites, and one filing for each state that a page of the seed shows, with fixed ids, so that
//! each example in Swagger UI executes as it stands. Loaded in embedded mode when the database is empty, or by
//! `beian demo load`; `beian demo reset` starts over.

pub mod examples;
mod filed;
mod files;
mod filings;
pub mod ids;
mod oversight;
mod partner;
mod people;
pub mod volume;

use diesel::{Connection, PgConnection, QueryDsl, RunQueryDsl};
use secrecy::{ExposeSecret, SecretString};

use self::files::Files;
pub use self::partner::{CLIENT_ID, CLIENT_SECRET};
use crate::config::StorageConfig;
use crate::external::storage::Storage;
use crate::kernel::clock::Clock;
use crate::schema::users;

/// Password of every demo user.
pub const PASSWORD: &str = "demo-password-2026";

/// Loads the demo data, unless there are users already. `is_embedded`: also the partner's program, whose secret is
/// published.
///
/// # Errors
/// When database or store fail.
pub fn load(
    database_url: &SecretString,
    storage: &StorageConfig,
    clock: &Clock,
    is_embedded: bool,
) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(database_url.expose_secret())?;
    if users::table.count().get_result::<i64>(&mut conn)? > 0 {
        return Ok(());
    }
    store_files(storage)?;
    conn.transaction(|conn| {
        load_people(conn, clock)?;
        if is_embedded {
            load_partner_client(conn, clock)?;
        }
        load_filings(conn, clock)
    })
}

/// Loads the filings on top of the people; their files are in the store already.
///
/// # Errors
/// When the database fails.
pub fn load_filings(conn: &mut PgConnection, clock: &Clock) -> anyhow::Result<()> {
    filings::load(conn, clock.now(), &Files)?;
    partner::load_webhooks(conn, clock.now())?;
    oversight::load(conn, clock.now())
}

/// Puts the demo data's files into the store.
///
/// # Errors
/// When the store fails.
pub fn store_files(storage: &StorageConfig) -> anyhow::Result<()> {
    // A client and a runtime of its own: connections belong to the runtime that made them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Files.store(&Storage::new(storage)))
}

/// Loads people and filed websites, without filings: what tests start from.
///
/// # Errors
/// When the database fails.
pub fn load_people(conn: &mut PgConnection, clock: &Clock) -> anyhow::Result<()> {
    let now = clock.now();
    people::load(conn, now)?;
    filed::load(conn, now)
}

/// Loads the demo partner's program.
///
/// # Errors
/// When the database fails.
pub fn load_partner_client(conn: &mut PgConnection, clock: &Clock) -> anyhow::Result<()> {
    partner::load(conn, clock.now())
}

/// Removes all tables.
///
/// # Errors
/// When the database fails.
pub fn clear(database_url: &SecretString) -> anyhow::Result<()> {
    let mut conn = PgConnection::establish(database_url.expose_secret())?;
    for statement in ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"] {
        diesel::sql_query(statement).execute(&mut conn)?;
    }
    Ok(())
}

/// What `serve` prints when everything runs.
pub fn welcome(url: &str) -> String {
    format!(
        "\n  Beian is running.\n\n  Swagger UI     {url}/swagger-ui/\n  OpenAPI        {url}/openapi.json\n\n  Demo accounts  \
         demo-applicant  demo-applicant-2  demo-reviewer  demo-reviewer-2  demo-senior-reviewer\n                 \
         demo-logistics  demo-bureau  demo-support  demo-auditor  demo-admin\n  Password       {PASSWORD}\n  \
         Demo partner   client_id {CLIENT_ID}  client_secret {CLIENT_SECRET}\n\n  \
         Try next       press Authorize in Swagger UI and log in, or run  examples/change-website.sh {url}\n  \
         Stop           Ctrl-C\n"
    )
}
