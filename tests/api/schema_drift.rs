//! src/schema.rs says what the migrated database is: tables, columns, types, nullability and primary keys.

use std::collections::BTreeMap;

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl};

use crate::support::TestApp;

/// Type as PostgreSQL names it, and whether it may be null.
type Column = (String, bool);

#[derive(Debug, Default, PartialEq)]
struct Table {
    key: Vec<String>,
    columns: BTreeMap<String, Column>,
}

type Tables = BTreeMap<String, Table>;

/// The type of a column as the database calls it. A type that is not listed here is shown as diesel names it, and thus
/// told as a difference.
fn database_type(diesel: &str) -> Column {
    let (inner, is_nullable) = match diesel.strip_prefix("Nullable<").and_then(|rest| rest.strip_suffix('>'))
    {
        Some(inner) => (inner, true),
        None => (diesel, false),
    };
    let name = match inner {
        "Uuid" => "uuid",
        "Text" => "text",
        "Int4" => "int4",
        "Int8" => "int8",
        "Bool" => "bool",
        "Timestamptz" => "timestamptz",
        "Date" => "date",
        "Bytea" => "bytea",
        "Jsonb" => "jsonb",
        "Array<Nullable<Text>>" | "Array<Text>" => "_text",
        "Array<Nullable<Int8>>" => "_int8",
        other => other,
    };
    (name.to_owned(), is_nullable)
}

/// Reads the `diesel::table!` blocks as the Diesel command line writes them: one thing a line.
fn parse(source: &str) -> Tables {
    let mut tables = Tables::new();
    let mut is_inside = false;
    let mut current: Option<String> = None;
    let mut sql_name: Option<String> = None;
    for line in source.lines().map(str::trim) {
        if line.starts_with("diesel::table!") {
            is_inside = true;
        } else if !is_inside || line.is_empty() || line.starts_with("//") || line.starts_with("use ") {
            continue;
        } else if let Some(rest) = line.strip_prefix("#[sql_name = \"") {
            sql_name = Some(rest.trim_end_matches("\"]").to_owned());
        } else if line.starts_with("#[") {
            continue;
        } else if line == "}" {
            // The table's brace, then the macro's.
            is_inside = current.take().is_some();
        } else if let Some((name, rest)) = line.split_once(" (").filter(|_| current.is_none()) {
            let key = rest.split(')').next().unwrap().split(", ").map(str::to_owned).collect();
            let name = sql_name.take().unwrap_or_else(|| name.to_owned());
            tables.insert(name.clone(), Table { key, ..Table::default() });
            current = Some(name);
        } else if let (Some((column, kind)), Some(table)) = (line.split_once(" -> "), &current) {
            let column = sql_name.take().unwrap_or_else(|| column.to_owned());
            tables.get_mut(table).unwrap().columns.insert(column, database_type(kind.trim_end_matches(',')));
        } else {
            panic!("the test cannot read this line of src/schema.rs: {line}");
        }
    }
    tables
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    udt_name: String,
    #[diesel(sql_type = Text)]
    is_nullable: String,
    #[diesel(sql_type = Text)]
    key_place: String,
}

fn migrated(app: &TestApp) -> Tables {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT c.table_name::text, c.column_name::text, c.udt_name::text, c.is_nullable::text,
                COALESCE((SELECT k.ordinal_position::text FROM information_schema.table_constraints t
                          JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)
                          WHERE t.constraint_type = 'PRIMARY KEY' AND t.table_schema = 'public'
                            AND t.table_name = c.table_name AND k.column_name = c.column_name), '') AS key_place
           FROM information_schema.columns c
          WHERE c.table_schema = 'public' AND c.table_name <> '__diesel_schema_migrations'
          ORDER BY c.table_name, key_place, c.ordinal_position",
    )
    .load(&mut app.conn())
    .unwrap();
    let mut tables = Tables::new();
    for row in rows {
        let table = tables.entry(row.table_name).or_default();
        if !row.key_place.is_empty() {
            table.key.push(row.column_name.clone());
        }
        table.columns.insert(row.column_name, (row.udt_name, row.is_nullable == "YES"));
    }
    tables
}

/// One line for each difference.
fn differences(written: &Tables, migrated: &Tables) -> Vec<String> {
    let shown = |column: &Column| format!("{}{}", column.0, if column.1 { ", may be null" } else { "" });
    let mut list = Vec::new();
    for name in written.keys().filter(|name| !migrated.contains_key(*name)) {
        list.push(format!("{name}: in src/schema.rs, not in the database"));
    }
    for (name, real) in migrated {
        let Some(table) = written.get(name) else {
            list.push(format!("{name}: in the database, not in src/schema.rs"));
            continue;
        };
        if table.key != real.key {
            list.push(format!(
                "{name}: primary key {:?} in src/schema.rs, {:?} in the database",
                table.key, real.key
            ));
        }
        for column in table.columns.keys().filter(|column| !real.columns.contains_key(*column)) {
            list.push(format!("{name}.{column}: in src/schema.rs, not in the database"));
        }
        for (column, kind) in &real.columns {
            match table.columns.get(column) {
                None => list.push(format!(
                    "{name}.{column}: in the database ({}), not in src/schema.rs",
                    shown(kind)
                )),
                Some(own) if own != kind => list.push(format!(
                    "{name}.{column}: {} in src/schema.rs, {} in the database",
                    shown(own),
                    shown(kind)
                )),
                Some(_) => {}
            }
        }
    }
    list
}

#[test]
fn schema_rs_is_the_migrated_database() {
    let app = TestApp::spawn();
    let written = parse(include_str!("../../src/schema.rs"));
    assert!(written.len() > 30, "the test has read only {} tables", written.len());
    let list = differences(&written, &migrated(&app));
    assert!(list.is_empty(), "src/schema.rs and the migrations differ:\n  {}", list.join("\n  "));
}

#[test]
fn a_difference_of_each_kind_is_found() {
    let written = parse(
        "diesel::table! {\n    a (id, at) {\n        id -> Uuid,\n        at -> Timestamptz,\n        #[sql_name = \"type\"]\n        \
         type_ -> Nullable<Text>,\n        gone -> Jsonb,\n    }\n}\n\ndiesel::table! {\n    b (id) {\n        id -> Int8,\n    }\n}\n\
         diesel::joinable!(a -> b (id));\n",
    );
    let table = |key: &[&str], columns: &[(&str, &str, bool)]| Table {
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        columns: columns
            .iter()
            .map(|(name, kind, null)| ((*name).to_owned(), ((*kind).to_owned(), *null)))
            .collect(),
    };
    let real = Tables::from([
        (
            "a".to_owned(),
            table(
                &["id"],
                &[
                    ("id", "uuid", false),
                    ("at", "date", false),
                    ("type", "text", false),
                    ("new", "int4", true),
                ],
            ),
        ),
        ("c".to_owned(), table(&["id"], &[("id", "uuid", false)])),
    ]);
    assert_eq!(
        differences(&written, &real),
        [
            "b: in src/schema.rs, not in the database",
            "a: primary key [\"id\", \"at\"] in src/schema.rs, [\"id\"] in the database",
            "a.gone: in src/schema.rs, not in the database",
            "a.at: timestamptz in src/schema.rs, date in the database",
            "a.new: in the database (int4, may be null), not in src/schema.rs",
            "a.type: text, may be null in src/schema.rs, text in the database",
            "c: in the database, not in src/schema.rs",
        ]
    );
}
