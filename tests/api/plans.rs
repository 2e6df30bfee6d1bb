//! Every list, with each of its filters, over 200 000 filings: no plan reads a whole table or sorts more than a page.
//! PostgreSQL itself says how it executed the very statements that the server sent (auto_explain).

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};

use beian::auth::permissions::{OPERATIONS, Role};
use beian::demo::volume::{self, Kind, id};
use diesel::{Connection, PgConnection, QueryDsl, RunQueryDsl, TextExpressionMethods};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::document::operations;
use crate::support::{Client, TestApp, cluster};

const FILINGS: i64 = 200_000;
/// Rows that a Sort may get: the largest page, and the row that tells whether there is another.
const PAGE: i64 = 101;
/// Tables of this size are read whole in the time of one page.
const SMALL: f64 = 1_000.0;

/// Lists of more than five thousand rows here, whose fiftieth page is looked at too: it must begin where the one before ended, and
/// not read the list anew up to there.
const DEEP: [&str; 5] =
    ["listFilings", "listReviews", "listAuditEvents", "listMessageDeliveries", "listBackdropShipments"];

/// A value for each filter; `{n}` numbers of the volume's rows are those of the first applicant with a live filing.
fn value(operation: &str, parameter: &str) -> Vec<String> {
    let filing = id(Kind::Filing, 3).to_string();
    let one = |text: &str| vec![text.to_owned()];
    match (operation, parameter) {
        ("listFilings", "id") => vec![filing],
        (_, "filing_id" | "object_id") => vec![filing],
        (_, "account_id") => vec![id(Kind::Account, 1).to_string()],
        (_, "website_id") => vec![id(Kind::Website, 1).to_string()],
        (_, "subject_id") => vec![id(Kind::Subject, 1).to_string()],
        (_, "user_id" | "actor_user_id") => vec![id(Kind::User, 1).to_string()],
        (_, "partner_id") => one("0193a000-0000-7000-8000-000000012001"),
        (_, "external_reference") => one("SHOP-27"),
        ("listFilings", "status") => {
            vec!["draft".into(), "draft,photo_required".into(), "initial_review".into()]
        }
        ("listReviews", "state") => vec!["open".into(), "open,claimed".into(), "approved".into()],
        ("listReviews", "claimed_by") => vec!["me".into(), "none".into()],
        ("listReviews", "stage") => one("initial_review"),
        ("listReviews", "sort") => one("-due_at"),
        ("listFilings", "sort") => one("created_at"),
        ("listFilingBatches", "state") => one("completed"),
        ("listFilings", "kind") => one("website_change"),
        ("listBackdropShipments", "state") => vec!["requested".into(), "requested,packed".into()],
        ("listBureauSubmissions", "state") => {
            vec!["queued".into(), "approved".into(), "queued,sending".into()]
        }
        (_, "bureau_code" | "province_code") => one("110000"),
        (_, "overdue" | "is_escalated" | "is_unread" | "is_disabled" | "is_open" | "is_resolved") => {
            vec!["true".into(), "false".into()]
        }
        (_, "created_after" | "updated_after" | "requested_after" | "since") => one("2026-03-11T01:00:00Z"),
        (_, "created_before" | "due_before" | "requested_before") => one("2026-03-11T01:00:00Z"),
        ("listFilings", "q") => {
            vec!["BL-2026-000012".into(), "load-77.example.com".into(), "压测花店".into()]
        }
        ("listAccounts" | "listSubjects", "q") => one("压测客户12"),
        ("listBackdropShipments", "q") => vec!["BL-2026-0000001".into(), "SFL12".into()],
        ("listBureauSubmissions", "q") => one("BL-2026-0000001"),
        ("listWebsites", "q") => {
            vec!["压ICP备00000012".into(), "load-77.example.com".into(), "压测花店".into()]
        }
        ("listReviews", "q") => vec!["BL-2026-0000001".into(), "示例".into()],
        ("listUsers", "q") => one("load-12"),
        ("listUsers", "role") => one("reviewer"),
        ("listAuditEvents", "action") => one("edit"),
        ("listAuditEvents", "object_type") => one("filing"),
        ("listMessageDeliveries", "channel") => one("email"),
        ("listMessageDeliveries", "state") => vec!["sent".into(), "dead".into()],
        ("listMessageDeliveries", "receipt") => one("delivered"),
        ("listUndeliverableContacts", "channel") => one("email"),
        ("listJobs", "state") => one("dead"),
        ("listJobs", "kind") => one("photo.clean_objects"),
        ("listEvents", "type") => one("filing.created"),
        ("listEvents", "after") => vec![id(Kind::Event, 1).to_string()],
        ("listAttachments", "purpose") => one("identity_card_front"),
        ("listWebhookDeliveries", "state") => one("delivered"),
        _ => panic!("no value for the filter {parameter} of {operation}: write one down here"),
    }
}

/// Logins that see different rows of a list, or are simply allowed to read it.
fn logins(operation: &str) -> Vec<&'static str> {
    let row = OPERATIONS.iter().find(|row| row.id == operation).unwrap();
    let login = |role: &Role| match role {
        Role::Applicant => Some("load-1"),
        Role::Reviewer => Some("demo-reviewer"),
        Role::SeniorReviewer => None,
        Role::Logistics => Some("demo-logistics"),
        Role::BureauOperator => Some("demo-bureau"),
        Role::Support => None,
        Role::Auditor => Some("demo-auditor"),
        Role::Admin => Some("demo-admin"),
        Role::Partner => None,
    };
    row.roles.iter().filter_map(login).collect()
}

fn path(operation: &str, template: &str) -> String {
    let id = match operation {
        "listApiClientSecrets" => "0193a000-0000-7000-8000-000000027001".to_owned(),
        "listWebsiteVersions" => id(Kind::Website, 1).to_string(),
        "listWebhookDeliveries" => "0193a000-0000-7000-8000-000000028001".to_owned(),
        _ => id(Kind::Filing, 3).to_string(),
    };
    template.replace("{id}", &id)
}

/// A plan with the statement and the request that it served.
struct Plan {
    request: String,
    text: String,
    root: Value,
}

/// Reads the plans that were logged since the last call.
struct Log {
    file: std::fs::File,
    rest: String,
}

impl Log {
    fn open() -> Self {
        let mut file = std::fs::File::open(&cluster().log).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        Self { file, rest: String::new() }
    }

    fn plans(&mut self, request: &str) -> Vec<Plan> {
        self.file.read_to_string(&mut self.rest).unwrap();
        let mut plans = Vec::new();
        let mut lines = std::mem::take(&mut self.rest);
        lines.push('\n');
        let mut lines = lines.lines().peekable();
        while let Some(line) = lines.next() {
            if !line.ends_with("plan:") {
                continue;
            }
            let mut json = String::new();
            while let Some(next) = lines.next_if(|next| next.starts_with('\t')) {
                json.push_str(next);
                json.push('\n');
            }
            let plan: Value = serde_json::from_str(&json).unwrap();
            let text = plan["Query Text"].as_str().unwrap().to_owned();
            plans.push(Plan { request: request.to_owned(), text, root: plan["Plan"].clone() });
        }
        plans
    }
}

/// `is_selective`: not a search for a text, whose matches must be sorted and which else walks the list in its order, and not
/// a status that the caller hardly ever sees.
fn faults(node: &Value, large: &BTreeSet<String>, is_selective: bool, found: &mut Vec<String>) {
    let kind = node["Node Type"].as_str().unwrap();
    let relation = node["Relation Name"].as_str().unwrap_or_default();
    if kind == "Seq Scan" && large.contains(relation) {
        found.push(format!("reads all of {relation}"));
    }
    let first = &node["Plans"][0];
    let rows = |node: &Value| node["Actual Rows"].as_f64().unwrap_or_default();
    // Walking an index to throw most rows away is reading the table by another name.
    let removed = node["Rows Removed by Filter"].as_f64().unwrap_or_default()
        * node["Actual Loops"].as_f64().unwrap_or(1.0);
    if is_selective && large.contains(relation) && removed > 5_000.0 {
        found.push(format!("throws {removed} rows of {relation} away"));
    }
    // A Limit above it stops the sort's output, so what counts is what comes in.
    if kind.ends_with("Sort") && is_selective && rows(first) > PAGE as f64 {
        found.push(format!("sorts {} rows by {}", rows(first), node["Sort Key"]));
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        faults(child, large, is_selective, found);
    }
}

/// Has every later statement of the test's database explained in PostgreSQL's log.
fn explain_everything(app: &TestApp) {
    let mut admin = PgConnection::establish(app.database_url().expose_secret()).unwrap();
    let settings = [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_analyze", "on"),
        ("auto_explain.log_timing", "off"),
        ("auto_explain.log_format", "json"),
    ];
    // Known to the server only once the library is there.
    diesel::sql_query("LOAD 'auto_explain'").execute(&mut admin).unwrap();
    let database = app.database_name();
    for (name, value) in settings {
        let text = format!("ALTER DATABASE {database} SET {name} = '{value}'");
        diesel::sql_query(text).execute(&mut admin).unwrap();
    }
    // The settings hold for new sessions: the server's own are ended, and its pool makes others.
    diesel::sql_query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(&mut admin)
    .unwrap();
    for _ in 0..20 {
        if let Ok(mut conn) = app.app.db.connection() {
            let _ = diesel::sql_query("SELECT 1").execute(&mut conn);
        }
    }
}

fn later_page(client: &Client, path: &str) {
    let mut cursor = None;
    for _ in 0..55 {
        let from = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
        let reply = client.get(&format!("{path}?limit=100{from}")).expect_status(200).json();
        let next = reply["next_cursor"].as_str().map(str::to_owned);
        // Who may see few of them has no later page.
        let Some(next) = next else { return };
        cursor = Some(next);
    }
}

#[derive(diesel::QueryableByName)]
struct Table {
    #[diesel(sql_type = diesel::sql_types::Text)]
    relname: String,
    #[diesel(sql_type = diesel::sql_types::Float)]
    reltuples: f32,
}

#[test]
fn no_list_reads_a_whole_table_or_sorts_more_than_a_page() {
    let app = TestApp::spawn();
    let mut conn = app.conn();
    volume::fill(&mut conn, app.now(), FILINGS, 1_000).unwrap();
    let large: BTreeSet<String> =
        diesel::sql_query("SELECT relname::text, reltuples FROM pg_class WHERE relkind = 'r'")
            .load::<Table>(&mut conn)
            .unwrap()
            .into_iter()
            .filter(|table| f64::from(table.reltuples) > SMALL)
            .map(|table| table.relname)
            .collect();
    assert!(large.contains("filings") && large.contains("review_tasks") && large.len() > 10, "{large:?}");
    drop(conn);
    // Who holds a task may open the filing's files.
    let task = id(Kind::Review, 3);
    app.reviewer().act(&format!("/v1/reviews/{task}/claim")).expect_status(200);
    explain_everything(&app);
    let mut log = Log::open();
    let mut found = BTreeSet::new();
    let (mut requests, mut plans) = (0, 0);
    for (template, method, operation) in operations(&beian::openapi::document()) {
        let name = operation["operationId"].as_str().unwrap();
        let parameters: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        if method != "GET" || !parameters.contains(&"cursor") {
            continue;
        }
        let path = path(name, &template);
        let mut queries = vec![String::from("limit=20")];
        for parameter in parameters.iter().filter(|name| !["limit", "cursor"].contains(name)) {
            for value in value(name, parameter) {
                let pair: String =
                    form_urlencoded::Serializer::new(String::new()).append_pair(parameter, &value).finish();
                queries.push(format!("limit=20&{pair}"));
            }
        }
        for login in logins(name) {
            let client = app.user(login);
            for query in &queries {
                let reply = client.get(&format!("{path}?{query}"));
                let request = format!("{login}: {name}?{query}");
                if reply.status == 404 || reply.status == 400 {
                    // Not visible to this role, or not a filter for it.
                    continue;
                }
                assert_eq!(reply.status, 200, "{request}: {}", String::from_utf8_lossy(&reply.body));
                // The second page goes by the cursor.
                if let Some(cursor) = reply.json()["next_cursor"].as_str() {
                    client.get(&format!("{path}?{query}&cursor={cursor}")).expect_status(200);
                }
                if query == &queries[0] && DEEP.contains(&name) {
                    later_page(&client, &path);
                }
                requests += 1;
                let is_selective = !query.contains("&q=") && !query.contains("&status=");
                for plan in log.plans(&request) {
                    plans += 1;
                    let mut own = Vec::new();
                    faults(&plan.root, &large, is_selective, &mut own);
                    for fault in own {
                        found.insert(format!("{}\n    {fault}\n    {}", plan.request, plan.text));
                    }
                }
            }
        }
    }
    println!("{requests} requests, {plans} plans");
    assert!(requests > 100 && plans > requests, "{requests} requests, {plans} plans: the plans are not seen");
    assert!(
        found.is_empty(),
        "{} plans are at fault:\n{}",
        found.len(),
        found.into_iter().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn people_with_a_known_password_are_made_in_embedded_mode_only() {
    let app = TestApp::spawn();
    let mut config = app.app.config.clone();
    config.mode = beian::config::Mode::External;
    let refusal = beian::app::fill_demo(config, 3, 0).unwrap_err().to_string();
    assert!(refusal.contains("embedded mode only"), "{refusal}");
    let made: i64 = beian::schema::users::table
        .filter(beian::schema::users::login.like("load-%"))
        .count()
        .get_result(&mut app.conn())
        .unwrap();
    assert_eq!(made, 0);
}
