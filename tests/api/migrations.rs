//! Migrations: up, down one by one, up again, and twice.

use std::collections::BTreeSet;

use beian::app::{MIGRATIONS, prepare_database};
use beian::kernel::clock::Clock;
use chrono::Duration;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl};
use diesel_migrations::MigrationHarness;
use secrecy::{ExposeSecret, SecretString};

use crate::support::{START, cluster};

/// An empty database that goes with its test.
struct Empty {
    name: String,
    url: SecretString,
}

impl Empty {
    fn new() -> Self {
        let (name, url) = cluster().create_empty_database();
        Self { name, url }
    }

    fn connect(&self) -> PgConnection {
        PgConnection::establish(self.url.expose_secret()).unwrap()
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        cluster().drop_database(&self.name);
    }
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn lines(conn: &mut PgConnection, sql: &str) -> Vec<String> {
    let rows: Vec<Line> = diesel::sql_query(sql).load(conn).unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.into_iter().map(|row| row.line).collect()
}

/// Everything that a migration can make, one line each; the table in which diesel counts is left out.
fn schema(conn: &mut PgConnection) -> BTreeSet<String> {
    lines(
        conn,
        "SELECT format('%s %s', CASE relkind WHEN 'r' THEN 'table' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view'
                ELSE 'relation ' || relkind::text END, relname) AS line
           FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 'I', 't')
            AND relname <> '__diesel_schema_migrations'
         UNION ALL
         SELECT format('column %s.%s %s %s %s', table_name, column_name, udt_name, is_nullable, column_default)
           FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '__diesel_schema_migrations'
         UNION ALL
         SELECT 'index ' || indexdef FROM pg_indexes
          WHERE schemaname = 'public' AND tablename <> '__diesel_schema_migrations'
         UNION ALL
         SELECT format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
           FROM pg_constraint
          WHERE connamespace = 'public'::regnamespace AND conrelid <> to_regclass('__diesel_schema_migrations')
         UNION ALL
         SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
         UNION ALL
         SELECT format('function %s', p.oid::regprocedure) FROM pg_proc p
          WHERE pronamespace = 'public'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
         UNION ALL
         SELECT format('type %s', typname) FROM pg_type
          WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')",
    )
    .into_iter()
    .collect()
}

fn tables(conn: &mut PgConnection) -> BTreeSet<String> {
    schema(conn).into_iter().filter(|line| line.starts_with("table ")).collect()
}

fn all_migrations() -> Vec<Box<dyn Migration<Pg>>> {
    let mut list = MigrationSource::<Pg>::migrations(&MIGRATIONS).unwrap();
    list.sort_by_key(|migration| migration.name().version().as_owned());
    list
}

#[test]
fn each_down_undoes_its_up_and_all_go_up_again() {
    let database = Empty::new();
    let mut conn = database.connect();
    let migrations = all_migrations();
    assert!(migrations.len() >= 6, "the migrations are in the binary");
    // Asking makes the table in which diesel counts.
    assert_eq!(conn.applied_migrations().unwrap().len(), 0);
    let mut before = Vec::new();
    for migration in &migrations {
        before.push((schema(&mut conn), tables(&mut conn)));
        conn.run_migration(migration).unwrap_or_else(|error| panic!("{} up: {error}", migration.name()));
        let made = tables(&mut conn).len() - before.last().unwrap().1.len();
        println!("{} makes {made} tables", migration.name());
    }
    let whole = schema(&mut conn);
    assert!(whole.len() > 300, "the schema has only {} parts", whole.len());
    for (migration, (schema_before, tables_before)) in migrations.iter().zip(&before).rev() {
        let version = conn
            .revert_last_migration(MIGRATIONS)
            .unwrap_or_else(|error| panic!("{} down: {error}", migration.name()));
        assert_eq!(version, migration.name().version().as_owned(), "downs run in the reverse order");
        let left: Vec<String> = tables(&mut conn).difference(tables_before).cloned().collect();
        assert!(left.is_empty(), "{} down leaves {left:?}", migration.name());
        let now = schema(&mut conn);
        let changed: Vec<&String> = now.symmetric_difference(schema_before).collect();
        assert!(changed.is_empty(), "{} down does not undo its up: {changed:#?}", migration.name());
    }
    assert!(schema(&mut conn).is_empty(), "something is left in an emptied database");
    assert_eq!(conn.run_pending_migrations(MIGRATIONS).unwrap().len(), migrations.len());
    let again = schema(&mut conn);
    let changed: Vec<&String> = again.symmetric_difference(&whole).collect();
    assert!(changed.is_empty(), "the second way up leads elsewhere: {changed:#?}");
}

/// A digest of the rows of each table.
fn rows(conn: &mut PgConnection) -> Vec<String> {
    let names: Vec<String> = tables(conn).iter().map(|line| line.replace("table ", "")).collect();
    names
        .iter()
        .flat_map(|name| {
            lines(
                conn,
                &format!(
                    "SELECT format('{name}: %s rows %s', count(*), md5(string_agg(t::text, '|' ORDER BY t::text))) AS line
                       FROM {name} t"
                ),
            )
        })
        .collect()
}

#[test]
fn migrating_twice_changes_nothing() {
    let database = Empty::new();
    let clock = Clock::fixed(START.parse().unwrap());
    prepare_database(&database.url, &clock).unwrap();
    let mut conn = database.connect();
    let (schema_before, rows_before) = (schema(&mut conn), rows(&mut conn));
    assert!(
        rows_before.iter().any(|line| line.starts_with("catalogue_rows: ") && !line.contains(": 0 rows"))
    );
    // Later, so that a row that is written again would show.
    clock.advance(Duration::days(1));
    prepare_database(&database.url, &clock).unwrap();
    assert_eq!(conn.pending_migrations(MIGRATIONS).unwrap().len(), 0);
    assert_eq!(conn.run_pending_migrations(MIGRATIONS).unwrap().len(), 0);
    assert_eq!(schema(&mut conn), schema_before);
    assert_eq!(rows(&mut conn), rows_before);
}

#[test]
fn two_processes_may_migrate_at_once() {
    let database = Empty::new();
    std::thread::scope(|scope| {
        let starts: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| prepare_database(&database.url, &Clock::fixed(START.parse().unwrap()))))
            .collect();
        for start in starts {
            start.join().unwrap().unwrap();
        }
    });
    assert_eq!(database.connect().pending_migrations(MIGRATIONS).unwrap().len(), 0);
}
