//! Every operation's example executes as it stands, in a fresh demo, by the demo user that its description names.

use std::collections::{BTreeMap, BTreeSet};

use beian::auth::permissions::{OPERATIONS, Role};
use beian::demo::{self, examples};
use diesel::{ExpressionMethods, RunQueryDsl};
use serde_json::Value;

use crate::document::operations;
use crate::support::files::fixture;
use crate::support::{Response, TestApp};

/// Their examples cannot hold the secret that a mail or an earlier reply carries: they answer a documented refusal.
const NEEDS_A_SECRET: [&str; 9] = [
    "refreshSession",
    "logout",
    "confirmPasswordReset",
    "confirmContact",
    "issueToken",
    "recordSmsReceipts",
    "getUnsubscribePage",
    "unsubscribe",
    "receiveCarrierPush",
];
/// Comes last: its looks into the database must not be counted for others.
const LAST: [&str; 1] = ["streamFilingEvents"];

fn login_for(role: Role) -> &'static str {
    match role {
        Role::Applicant | Role::Partner => "demo-applicant",
        Role::Reviewer => "demo-reviewer",
        Role::SeniorReviewer => "demo-senior-reviewer",
        Role::Logistics => "demo-logistics",
        Role::BureauOperator => "demo-bureau",
        Role::Support => "demo-support",
        Role::Auditor => "demo-auditor",
        Role::Admin => "demo-admin",
    }
}

fn example_of(parameter: &Value) -> Option<String> {
    let value = parameter.get("example").or_else(|| parameter["schema"].get("example"))?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// The example of one operation, ready to be sent.
struct Request {
    id: &'static str,
    login: Option<&'static str>,
    method: String,
    address: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    fn of(id: &'static str, all: &[(String, String, Value)], document: &Value) -> Self {
        let (path, method, operation) =
            all.iter().find(|(_, _, operation)| operation["operationId"] == id).unwrap();
        let row = OPERATIONS.iter().find(|row| row.id == id).unwrap();
        let first = row.roles.iter().find(|role| **role != Role::Partner).map(|role| login_for(*role));
        let (mut address, mut query, mut headers) = (path.clone(), Vec::new(), Vec::new());
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let Some(value) = example_of(parameter) else { continue };
            match parameter["in"].as_str().unwrap() {
                "path" => address = address.replace(&format!("{{{name}}}"), &value),
                "query" => query.push(format!("{name}={value}")),
                _ => headers.push((name.to_owned(), value)),
            }
        }
        assert!(!address.contains('{'), "{id}: a path parameter has no example");
        if !query.is_empty() {
            address = format!("{address}?{}", query.join("&"));
        }
        let schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
        let body = schema.map(|name| {
            let schema = &document["components"]["schemas"][name.trim_start_matches("#/components/schemas/")];
            let example = schema.get("example").or_else(|| schema["examples"].get(0));
            example.unwrap_or_else(|| panic!("{id}: no example of the body")).to_string().into_bytes()
        });
        // Swagger UI lets people choose a file here.
        let is_picture = !operation["requestBody"]["content"]["image/jpeg"].is_null();
        let body = if is_picture {
            headers.push(("Content-Type".to_owned(), "image/jpeg".to_owned()));
            Some(fixture("good-1.jpg"))
        } else {
            body
        };
        let login = examples::find(id).map(|example| example.login).or(first);
        Self { id, login, method: method.clone(), address, headers, body }
    }

    fn send(&self, app: &TestApp, login: Option<&str>) -> Response {
        let client = login.map_or_else(|| app.anonymous(), |login| app.user(login));
        let client = self.headers.iter().fold(client, |client, (name, value)| client.with(name, value));
        client.send(&self.method, &self.address, self.body.clone())
    }
}

fn demo() -> (TestApp, Vec<(String, String, Value)>, Value) {
    let app = TestApp::spawn_with(&[("SWAGGER_PASSWORD_LOGIN", "true")]);
    demo::store_files(&app.storage_config()).unwrap();
    demo::load_filings(&mut app.conn(), &app.clock).unwrap();
    let document = beian::openapi::document();
    (app, operations(&document), document)
}

/// The pool's count of statements, once what an operation leaves to a task of its own has been done too.
fn settled(app: &TestApp) -> u64 {
    loop {
        let count = app.app.db.statements();
        // On a busy machine a task may be this late.
        std::thread::sleep(std::time::Duration::from_millis(60));
        if app.app.db.statements() == count {
            return count;
        }
    }
}

/// What each operation costs the database, BEGIN and COMMIT included, beside what is written down: a loop of queries shows.
/// Three more or less are let pass, since a task that comes late is counted for the next operation.
fn compare_statements(now: &BTreeMap<String, u64>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/snapshots/statements.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, serde_json::to_string_pretty(now).unwrap() + "\n").unwrap();
    }
    let known: BTreeMap<String, u64> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap_or_default()).unwrap_or_default();
    let differ = |id: &&String| match (known.get(*id), now.get(*id)) {
        (Some(known), Some(now)) => known.abs_diff(*now) > 3,
        _ => true,
    };
    let ids: BTreeSet<&String> = known.keys().chain(now.keys()).collect();
    let changed: Vec<String> = ids
        .into_iter()
        .filter(differ)
        .map(|id| format!("{id}: {:?} were written down, {:?} were sent", known.get(id), now.get(id)))
        .collect();
    assert!(
        changed.is_empty(),
        "the statements of some operations changed; read why, then renew the file with UPDATE_DOCS=1:\n{}",
        changed.join("\n")
    );
}

#[test]
fn every_example_executes_as_it_stands() {
    let (app, all, document) = demo();
    let mut faults = Vec::new();
    let mut statements = BTreeMap::new();
    // The catalogue's rows are remembered for some seconds as well; here the clock stands still.
    app.user("demo-admin").get("/v1/filings").expect_status(200);
    for id in in_order() {
        let request = Request::of(id, &all, &document);
        if let Some(login) = request.login {
            // A remembered session, as that of everybody who works.
            app.user(login).get("/v1/me");
        }
        let before = settled(&app);
        let reply = request.send(&app, request.login);
        statements.insert(id.to_owned(), settled(&app) - before);
        let is_fine = if NEEDS_A_SECRET.contains(&id) { reply.status < 500 } else { reply.status < 300 };
        if !is_fine {
            let (method, address) = (&request.method, &request.address);
            faults.push(format!(
                "{id}: {method} {address}: {} {}",
                reply.status,
                String::from_utf8_lossy(&reply.body)
            ));
        }
    }
    assert!(faults.is_empty(), "{} examples fail:\n{}", faults.len(), faults.join("\n"));
    app.run_jobs();
    compare_statements(&statements);
}

/// The order in which every example works.
fn in_order() -> Vec<&'static str> {
    let mut order: Vec<&str> = examples::EXAMPLES.iter().map(|example| example.operation_id).collect();
    let named: BTreeSet<&str> = order.iter().copied().collect();
    order.extend(OPERATIONS.iter().map(|row| row.id).filter(|id| !named.contains(id) && !LAST.contains(id)));
    order.extend(LAST);
    order
}

/// What else the document says of headers: `If-None-Match` is heeded, and a repeat with an `Idempotency-Key` says that it is
/// one. (Each reply is compared with the document anyway, see `support/documented.rs`.)
#[test]
fn every_read_that_says_so_is_conditional_and_every_repeat_says_that_it_is_one() {
    let (mut app, all, document) = demo();
    app.may_leave_jobs();
    let (mut reads, mut repeats) = (0, 0);
    for id in in_order().into_iter().filter(|id| !NEEDS_A_SECRET.contains(id)) {
        let (_, _, operation) = all.iter().find(|(_, _, operation)| operation["operationId"] == id).unwrap();
        let takes = |name: &str| {
            let parameters = operation["parameters"].as_array();
            parameters.into_iter().flatten().any(|parameter| parameter["name"] == name)
        };
        let mut request = Request::of(id, &all, &document);
        if takes("Idempotency-Key") {
            request.headers.push(("Idempotency-Key".to_owned(), format!("twice-{id}")));
            let first = request.send(&app, request.login);
            let second = request.send(&app, request.login);
            assert!(first.status < 300, "{id}: {}", first.status);
            assert_eq!(first.header("idempotency-replayed"), None, "{id}");
            assert_eq!(second.header("idempotency-replayed").as_deref(), Some("true"), "{id}");
            for header in ["etag", "location"] {
                assert_eq!(first.header(header), second.header(header), "{id}");
            }
            assert_eq!(first.status, second.status, "{id}");
            repeats += 1;
        }
        let is_conditional = !operation["responses"]["304"].is_null();
        assert_eq!(is_conditional, takes("If-None-Match"), "{id}");
        if is_conditional {
            let etag = request.send(&app, request.login).header("etag").unwrap();
            request.headers.push(("If-None-Match".to_owned(), etag));
            assert_eq!(request.send(&app, request.login).status, 304, "{id}");
            request.headers.push(("If-None-Match".to_owned(), "\"0.00000000\"".to_owned()));
            request.headers.remove(request.headers.len() - 2);
            assert_eq!(request.send(&app, request.login).status, 200, "{id}");
            reads += 1;
        }
    }
    assert!(reads >= 20 && repeats >= 50, "{reads} reads and {repeats} repeats were tried");
}

#[test]
fn what_belongs_to_somebody_else_does_not_exist() {
    let (mut app, all, document) = demo();
    // The demo's two dead jobs stay: they are the examples of the overseers.
    app.may_leave_jobs();
    let mut seen = 0;
    // One's own password is nobody else's object.
    let owned = examples::EXAMPLES.iter().filter(|example| {
        example.login.starts_with("demo-applicant") && example.operation_id != "changePassword"
    });
    for example in owned {
        let request = Request::of(example.operation_id, &all, &document);
        let stranger =
            if example.login == "demo-applicant-2" { "demo-applicant" } else { "demo-applicant-2" };
        let reply = request.send(&app, Some(stranger));
        assert_eq!(reply.status, 404, "{}: {}", request.id, String::from_utf8_lossy(&reply.body));
        assert_eq!(reply.at("/code"), "not_found", "{}", request.id);
        seen += 1;
    }
    for id in ["getSubject", "getWebsite", "listWebsiteVersions", "readNotification"] {
        let request = Request::of(id, &all, &document);
        assert_eq!(request.send(&app, Some("demo-applicant-2")).status, 404, "{id}");
        seen += 1;
    }
    assert!(seen >= 29, "only {seen} operations were tried");
    // And the owner still can: nothing was changed by the stranger.
    let request = Request::of("submitFiling", &all, &document);
    request.send(&app, request.login).expect_status(200);
    app.run_jobs();
}

/// Logs in as the demo partner instead of the owner.
const PARTNER: &str = "client/demo-partner";

/// The owner's examples that are open to partners.
fn owner_examples() -> impl Iterator<Item = &'static examples::Example> {
    examples::EXAMPLES.iter().filter(|example| {
        let row = OPERATIONS.iter().find(|row| row.id == example.operation_id).unwrap();
        example.login.starts_with("demo-applicant") && row.is_open_to(&[Role::Partner])
    })
}

#[test]
fn to_a_partner_what_belongs_to_other_peoples_customers_does_not_exist() {
    let (mut app, all, document) = demo();
    app.may_leave_jobs();
    let mut seen = 0;
    for example in owner_examples() {
        let request = Request::of(example.operation_id, &all, &document);
        let reply = request.send(&app, Some(PARTNER));
        assert_eq!(reply.status, 404, "{}: {}", request.id, String::from_utf8_lossy(&reply.body));
        seen += 1;
    }
    for id in ["getSubject", "getWebsite", "listWebsiteVersions", "getAccount", "updateAccount"] {
        let request = Request::of(id, &all, &document);
        assert_eq!(request.send(&app, Some(PARTNER)).status, 404, "{id}");
        seen += 1;
    }
    assert!(seen >= 30, "only {seen} operations were tried");
}

#[test]
fn a_partner_executes_every_example_of_an_owner_for_its_own_customers() {
    use beian::schema::{accounts, filing_batches, filings};
    let (mut app, all, document) = demo();
    app.may_leave_jobs();
    // All customers become the partner's.
    let partner = demo::ids::partner(1);
    diesel::update(accounts::table).set(accounts::partner_id.eq(partner)).execute(&mut app.conn()).unwrap();
    diesel::update(filings::table).set(filings::partner_id.eq(partner)).execute(&mut app.conn()).unwrap();
    diesel::update(filing_batches::table)
        .set(filing_batches::partner_id.eq(partner))
        .execute(&mut app.conn())
        .unwrap();
    let mut faults = Vec::new();
    for example in owner_examples() {
        let request = Request::of(example.operation_id, &all, &document);
        let reply = request.send(&app, Some(PARTNER));
        if reply.status >= 300 {
            faults.push(format!("{}: {} {}", request.id, reply.status, String::from_utf8_lossy(&reply.body)));
        }
    }
    for id in [
        "getMe",
        "getOverview",
        "listFilings",
        "createFilingBatch",
        "listFilingBatches",
        "listWebsites",
        "getSubject",
        "getWebsite",
        "listAccounts",
        "createAccount",
        "getAccount",
        "updateAccount",
        "createImport",
        "listWebhookEndpoints",
        "createWebhookEndpoint",
        "getWebhookEndpoint",
        "updateWebhookEndpoint",
        "rotateWebhookSecret",
        "testWebhookEndpoint",
        "recoverWebhookDeliveries",
        "listWebhookDeliveries",
        "getWebhookDelivery",
        "redeliverWebhook",
        "deleteWebhookEndpoint",
        "listEvents",
    ] {
        let reply = Request::of(id, &all, &document).send(&app, Some(PARTNER));
        if reply.status >= 300 {
            faults.push(format!("{id}: {} {}", reply.status, String::from_utf8_lossy(&reply.body)));
        }
    }
    assert!(faults.is_empty(), "{} examples fail:\n{}", faults.len(), faults.join("\n"));
    app.run_jobs();
}

#[test]
fn a_partner_executes_the_examples_with_the_ids_that_their_descriptions_name() {
    let (mut app, all, document) = demo();
    app.may_leave_jobs();
    let mut faults = Vec::new();
    for (id, name, value) in examples::PARTNER_EXAMPLES {
        let (path, _, operation) =
            all.iter().find(|(_, _, operation)| operation["operationId"] == *id).unwrap();
        let text = operation["description"].as_str().unwrap();
        assert!(text.contains(&format!("As `demo-partner`: `{name}` is `{value}`.")), "{id}: {text}");
        let mut request = Request::of(id, &all, &document);
        if *name == "id" {
            request.address = path.replace("{id}", &value.to_string());
        } else {
            let mut body: Value = serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
            body[*name] = value.to_string().into();
            request.body = Some(body.to_string().into_bytes());
        }
        let reply = request.send(&app, Some(PARTNER));
        if reply.status >= 300 {
            faults.push(format!("{id}: {} {}", reply.status, String::from_utf8_lossy(&reply.body)));
        }
    }
    assert!(faults.is_empty(), "{} examples fail:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_examples_of_uploads_declare_the_files_that_their_descriptions_send() {
    use base64::Engine;
    use sha2::{Digest, Sha256};
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let all = operations(&document);
    for (id, schema) in
        [("createAttachment", "NewAttachment"), ("createPhotoVerification", "NewPhotoVerification")]
    {
        let (_, _, operation) = all.iter().find(|(_, _, operation)| operation["operationId"] == id).unwrap();
        let text = operation["description"].as_str().unwrap();
        let line = text.split("```").nth(1).unwrap();
        let file = line.split('@').nth(1).unwrap().split(' ').next().unwrap();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/files");
        let content = std::fs::read(folder.join(file)).unwrap();
        // Readers have no source tree: the file is served.
        let address = format!("/docs/files/{file}");
        assert!(text.contains(&format!("]({address})")), "{id}");
        assert_eq!(app.anonymous().get(&address).expect_status(200).body, content, "{id}");
        let digest = Sha256::digest(&content);
        let example = &document["components"]["schemas"][schema]["example"];
        assert_eq!(example["size_bytes"], content.len(), "{id}");
        assert_eq!(example["sha256"], hex::encode(digest), "{id}");
        let header = format!(
            "-H 'x-amz-checksum-sha256: {}'",
            base64::engine::general_purpose::STANDARD.encode(digest)
        );
        assert!(line.contains(&header), "{id}: {line}");
    }
}
