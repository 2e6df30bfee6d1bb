//! Every operation of the document: without a token, and as each role that the table does not admit.

use beian::auth::permissions::{OPERATIONS, Operation, Role};
use serde_json::Value;

use crate::document::operations;
use crate::support::{Client, TestApp};

/// A path with ids that exist nowhere.
pub fn concrete(path: &str) -> String {
    let mut out = path.to_owned();
    for (name, value) in [
        ("{id}", "0193a000-0000-7000-8000-0000000ff999"),
        ("{secret_id}", "0193a000-0000-7000-8000-0000000ff998"),
        ("{delivery_id}", "0193a000-0000-7000-8000-0000000ff997"),
        ("{year}", "2026"),
        ("{code}", "nothing"),
        ("{kind}", "website_change"),
        ("{dictionary}", "language"),
        ("{province_code}", "110000"),
    ] {
        out = out.replace(name, value);
    }
    assert!(!out.contains('{'), "the test has no value for {out}");
    out
}

pub fn row(operation: &Value) -> &'static Operation {
    OPERATIONS.iter().find(|row| row.id == operation["operationId"]).unwrap()
}

fn call(client: &Client, method: &str, path: &str) -> u16 {
    // The token is judged before anything else of the request, so an empty object will do as a body.
    let body = (method != "GET" && method != "DELETE").then(|| b"{}".to_vec());
    client.send(method, &concrete(path), body).status
}

#[test]
fn no_token_opens_nothing_but_public_operations() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let (nobody, liar) = (app.anonymous(), Client::new(&app.base, Some("not.a.token".to_owned())));
    for (path, method, operation) in operations(&document) {
        let name = format!("{method} {path}");
        if row(&operation).is_public() {
            assert_ne!(call(&nobody, &method, &path), 401, "{name} is public");
            continue;
        }
        assert_eq!(call(&nobody, &method, &path), 401, "{name} without a token");
        assert_eq!(call(&liar, &method, &path), 401, "{name} with a made-up token");
        assert!(
            operation["responses"].get("401").is_some() && operation["responses"].get("403").is_some(),
            "{name}"
        );
    }
}

#[test]
fn each_role_opens_what_the_table_says_and_nothing_else() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let callers = [
        (Role::Applicant, app.applicant()),
        (Role::Partner, app.partner()),
        (Role::Reviewer, app.reviewer()),
        (Role::SeniorReviewer, app.senior_reviewer()),
        (Role::Logistics, app.logistics()),
        (Role::BureauOperator, app.bureau()),
        (Role::Support, app.user("demo-support")),
        (Role::Auditor, app.user("demo-auditor")),
        (Role::Admin, app.admin()),
    ];
    let mut refused = 0;
    for (path, method, operation) in operations(&document) {
        let row = row(&operation);
        if row.is_public() {
            continue;
        }
        for (role, client) in &callers {
            let status = call(client, &method, &path);
            let name = format!("{method} {path} as {role}");
            if row.is_open_to(&[*role]) {
                assert!(
                    ![401, 403].contains(&status) && status < 500,
                    "{name} is allowed, and answered {status}"
                );
            } else {
                assert_eq!(status, 403, "{name} is not allowed");
                refused += 1;
            }
        }
    }
    assert!(refused > 200, "the test has looked at only {refused} refusals");
}

/// While the session is looked up in the database, a faulty body, query or header is known to be faulty already.
#[test]
fn a_caller_who_may_not_is_told_so_before_the_request_is_judged() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let callers = [(Role::Auditor, app.user("demo-auditor")), (Role::Applicant, app.applicant())];
    let mut count = 0;
    for (path, method, operation) in operations(&document) {
        let row = row(&operation);
        let stranger = callers.iter().find(|(role, _)| !row.is_open_to(&[*role]));
        let Some((_, client)) = stranger.filter(|_| !row.is_public()) else { continue };
        let faulty = client.with("If-Match", "nonsense").with("Idempotency-Key", "two words");
        // Nobody remembers the session any more.
        app.advance(chrono::Duration::seconds(6));
        let body = (method != "GET" && method != "DELETE").then(|| b"{\"colour\": 1}".to_vec());
        let reply = faulty.send(&method, &format!("{}?colour=red", concrete(&path)), body);
        reply.expect_problem(403, "forbidden");
        count += 1;
    }
    assert!(count > 100, "the test has looked at only {count} operations");
    // And a session that has ended is told to be one.
    use beian::schema::sessions;
    use diesel::{ExpressionMethods, RunQueryDsl};
    diesel::update(sessions::table).set(sessions::revoked_at.eq(app.now())).execute(&mut app.conn()).unwrap();
    app.advance(chrono::Duration::seconds(6));
    let ended = callers[1].1.send("POST", "/v1/filings", Some(b"{\"colour\": 1}".to_vec()));
    ended.expect_problem(401, "unauthenticated");
}

#[test]
fn a_partners_token_opens_its_scopes_and_nothing_else() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let all = beian::auth::permissions::partner_scopes();
    let client_of = |scopes: Vec<&str>| {
        let client = app.partner_with_scope(&scopes.join(" "));
        // The session is known from here on, so that the token is judged before the body is read.
        client.get("/v1/me");
        client
    };
    // For each scope one token with it alone, and one with all others.
    let tokens: Vec<(&str, Client, Client)> = all
        .iter()
        .map(|scope| {
            let others = all.iter().copied().filter(|other| other != scope).collect();
            (*scope, client_of(vec![scope]), client_of(others))
        })
        .collect();
    let mut seen = 0;
    for (path, method, operation) in operations(&document) {
        let row = row(&operation);
        if !row.is_open_to(&[Role::Partner]) {
            continue;
        }
        let name = format!("{method} {path}");
        let (_, with, without) = tokens.iter().find(|(scope, ..)| *scope == row.scope).unwrap();
        let status = call(with, &method, &path);
        assert!(![401, 403].contains(&status) && status < 500, "{name} with {}: {status}", row.scope);
        let body = (method != "GET" && method != "DELETE").then(|| b"{}".to_vec());
        let refused = without.send(&method, &concrete(&path), body);
        let refused = refused.expect_problem(403, "insufficient_scope").expect("/required_scope", row.scope);
        let challenge = refused.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains("error=\"insufficient_scope\""), "{name}: {challenge:?}");
        let schemes = operation["security"].as_array().unwrap();
        assert!(
            schemes.iter().any(|scheme| scheme["clientCredentials"][0] == row.scope),
            "{name}: the document names the scope"
        );
        seen += 1;
    }
    assert!(seen > 40, "only {seen} operations are open to partners");
}

#[test]
fn a_disabled_user_is_out_within_ten_seconds() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    applicant.get("/v1/me").expect_status(200);
    app.admin().act("/v1/users/0193a000-0000-7000-8000-000000011001/disable").expect_status(200);
    app.advance(chrono::Duration::seconds(10));
    applicant.get("/v1/me").expect_problem(401, "unauthenticated");
    app.run_jobs();
}

#[test]
fn an_expired_token_says_so() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    app.advance(chrono::Duration::days(3651));
    let reply = applicant.get("/v1/me").expect_problem(401, "token_expired");
    assert!(reply.header("www-authenticate").is_some());
}
