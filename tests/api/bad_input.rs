//! Bad input for every operation of the document: it is refused with a problem that names the place, and never a 5xx.

use std::collections::BTreeMap;

use beian::auth::permissions::{OPERATIONS, Role};
use serde_json::{Value, json};

use crate::authorization::{concrete, row};
use crate::document::operations;
use crate::limits::{Step, pointer};
use crate::support::{Client, Response, TestApp};

/// Largest body in bytes, by the document's words: 256 KiB, a batch of filings 1 MiB, an import 16 MiB.
fn max_body(path: &str) -> usize {
    match path {
        "/v1/imports" => 16 * 1024 * 1024,
        "/v1/filing-batches" => 1024 * 1024,
        _ => 256 * 1024,
    }
}

/// Faults of a request, and of the first row of one whose rows fail alone.
pub fn faults_of(reply: &Response) -> Vec<String> {
    if reply.status != 202 {
        return if reply.body.is_empty() { Vec::new() } else { reply.faults() };
    }
    let errors = reply.at("/rows/0/problem/errors");
    let fault =
        |error: &Value| format!("{} {}", error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap());
    errors.as_array().into_iter().flatten().map(fault).collect()
}

/// A demo user for each role that has one.
fn people(app: &TestApp) -> Vec<(Role, Client)> {
    vec![
        (Role::Applicant, app.applicant()),
        (Role::Reviewer, app.reviewer()),
        (Role::SeniorReviewer, app.senior_reviewer()),
        (Role::Logistics, app.logistics()),
        (Role::BureauOperator, app.bureau()),
        (Role::Support, app.user("demo-support")),
        (Role::Auditor, app.user("demo-auditor")),
        (Role::Admin, app.admin()),
    ]
}

/// An operation with somebody who may call it.
pub struct Call {
    pub name: String,
    pub method: String,
    pub path: String,
    pub operation: Value,
    pub client: Client,
}

impl Call {
    fn send(&self, body: Option<Vec<u8>>) -> Response {
        self.client.send(&self.method, &concrete(&self.path), body)
    }

    pub fn send_json(&self, body: &Value) -> Response {
        self.send(Some(body.to_string().into_bytes()))
    }

    fn has_parameter(&self, place: &str, name: &str) -> bool {
        self.parameters(place).iter().any(|parameter| parameter["name"] == name)
    }

    pub fn parameters(&self, place: &str) -> Vec<Value> {
        let all = self.operation["parameters"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|parameter| parameter["in"] == place).collect()
    }

    pub fn body_schema(&self) -> Option<&Value> {
        self.operation.pointer("/requestBody/content/application~1json/schema")
    }

    /// The example that the document gives for the body; nothing for operations without one.
    pub fn example(&self, document: &Value) -> Option<Value> {
        let media = self.operation.pointer("/requestBody/content/application~1json")?;
        let schema = resolve(document, &media["schema"]);
        let found = [media.get("example"), schema.get("example"), schema.pointer("/examples/0")];
        Some(
            found.into_iter().flatten().next().unwrap_or_else(|| panic!("{}: no example", self.name)).clone(),
        )
    }

    pub fn example_bytes(&self, document: &Value) -> Option<Vec<u8>> {
        self.example(document).map(|example| example.to_string().into_bytes())
    }
}

/// Every operation, called by somebody of the first of its roles that a demo user has.
pub fn calls(app: &TestApp, document: &Value) -> Vec<Call> {
    let people = people(app);
    let nobody = app.anonymous();
    let list: Vec<Call> = operations(document)
        .into_iter()
        .map(|(path, method, operation)| {
            let row = row(&operation);
            let client = if row.is_public() {
                nobody.clone()
            } else {
                let known = row.roles.iter().find_map(|role| people.iter().find(|(known, _)| known == role));
                known.unwrap_or_else(|| panic!("nobody may {}", row.id)).1.clone()
            };
            Call { name: format!("{method} {path}"), method, path, operation, client }
        })
        .collect();
    assert_eq!(list.len(), OPERATIONS.len());
    list
}

pub fn with_body(calls: &[Call]) -> impl Iterator<Item = &Call> {
    calls.iter().filter(|call| call.body_schema().is_some())
}

/// Collects what is wrong, so that one run shows every operation that misbehaves.
#[derive(Default)]
pub struct Faults(pub BTreeMap<String, String>);

impl Faults {
    /// Whatever comes back must be documented, and a problem when it refuses.
    pub fn judge(&mut self, call: &Call, what: &str, reply: &Response) {
        let documented = call.operation["responses"].get(reply.status.to_string()).is_some();
        let body = String::from_utf8_lossy(&reply.body);
        let mut complain = |fault: &str| {
            self.0.insert(format!("{} {what}", call.name), format!("{} {fault}: {body:.400}", reply.status));
        };
        if reply.status >= 500 {
            complain("is a fault of the server");
        } else if !documented {
            complain("is not documented");
        } else if reply.status >= 400
            && reply.header("content-type").as_deref() != Some("application/problem+json")
        {
            complain("is not a problem");
        }
    }

    /// As `judge`, and it must be this refusal.
    fn expect(
        &mut self,
        call: &Call,
        what: &str,
        reply: &Response,
        status: u16,
        code: &str,
        faults: Option<&[&str]>,
    ) {
        self.judge(call, what, reply);
        let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let is_right = reply.status == status
            && problem["code"] == code
            && faults
                .is_none_or(|faults| reply.faults().iter().map(String::as_str).eq(faults.iter().copied()));
        if !is_right {
            let key = format!("{} {what}", call.name);
            self.0
                .entry(key)
                .or_insert(format!("expected {status} {code} {faults:?}, got {} {problem}", reply.status));
        }
    }

    #[track_caller]
    pub fn finish(self) {
        let lines: Vec<String> = self.0.iter().map(|(what, fault)| format!("{what}\n    {fault}")).collect();
        assert!(lines.is_empty(), "{} faults:\n  {}", lines.len(), lines.join("\n  "));
    }
}

#[test]
fn bodies_that_cannot_be_read_are_refused_in_the_same_way_everywhere() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let calls = calls(&app, &document);
    let mut faults = Faults::default();
    let mut count = 0;
    for call in with_body(&calls) {
        count += 1;
        for (what, body) in [
            ("cut off", &b"{\"a\":"[..]),
            ("empty", b""),
            ("two values", b"{} {}"),
            ("not UTF-8", b"{\"a\": \"\xff\"}"),
            ("U+0000", b"{\"a\": \"x\\u0000\"}"),
            ("deep", "[".repeat(5000).as_bytes()),
        ] {
            let reply = call.send(Some(body.to_vec()));
            faults.expect(call, what, &reply, 400, "malformed_json", None);
        }
        let example = call.example_bytes(&document);
        for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
            let client = call.client.with("Content-Type", media_type);
            let reply = client.send(&call.method, &concrete(&call.path), example.clone());
            faults.expect(call, &format!("as {media_type:?}"), &reply, 415, "unsupported_media_type", None);
        }
        for (what, body) in
            [("an array", json!([])), ("null", Value::Null), ("a text", json!("x")), ("a number", json!(1))]
        {
            faults.expect(
                call,
                what,
                &call.send_json(&body),
                422,
                "validation_failed",
                Some(&[" wrong_type"]),
            );
        }
        let mut padded = b"{\"zzz\": \"".to_vec();
        padded.resize(max_body(&call.path) - 1, b'x');
        padded.extend(b"\"}");
        faults.expect(
            call,
            "one byte too much",
            &call.send(Some(padded.clone())),
            413,
            "body_too_large",
            None,
        );
        padded.remove(20);
        faults.expect(call, "as large as allowed", &call.send(Some(padded)), 422, "validation_failed", None);
    }
    assert!(count > 40, "the test has looked at only {count} operations");
    faults.finish();
}

#[test]
fn an_unknown_field_is_named_and_the_documented_example_has_no_other_fault() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let calls = calls(&app, &document);
    let mut faults = Faults::default();
    for call in with_body(&calls) {
        let mut body = call.example(&document).unwrap();
        body["zzz_unknown"] = json!(true);
        let reply = call.send_json(&body);
        faults.expect(
            call,
            "unknown field",
            &reply,
            422,
            "validation_failed",
            Some(&["/zzz_unknown unknown_field"]),
        );
        // A name that must be escaped in a pointer.
        let mut body = call.example(&document).unwrap();
        body["a/b~c"] = Value::Null;
        let reply = call.send_json(&body);
        faults.expect(
            call,
            "escaped field",
            &reply,
            422,
            "validation_failed",
            Some(&["/a~1b~0c unknown_field"]),
        );
    }
    faults.finish();
}

#[test]
fn ids_that_are_none_are_named() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let calls = calls(&app, &document);
    let mut faults = Faults::default();
    let mut count = 0;
    for call in calls.iter().filter(|call| call.path.contains("{id}")) {
        count += 1;
        for bad in
            ["not-a-uuid", "0", "0193a000-0000-7000-8000-00000001400x", "%00", "%ff", "%2e%2e", "'", "字"]
        {
            let bad = bad.replace('字', "%E5%AD%97");
            let path = concrete(&call.path.replace("{id}", &bad));
            let reply = call.client.send(&call.method, &path, call.example_bytes(&document));
            faults.expect(
                call,
                &format!("id {bad}"),
                &reply,
                400,
                "invalid_parameter",
                Some(&["id invalid_format"]),
            );
        }
    }
    assert!(count > 50, "the test has looked at only {count} operations");
    faults.finish();
}

#[test]
fn odd_codes_and_years_in_paths_do_no_harm() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let mut faults = Faults::default();
    for call in
        calls(&app, &document).iter().filter(|call| call.path.contains('{') && !call.path.contains("{id}"))
    {
        for parameter in call.parameters("path") {
            let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
            let long = "x".repeat(3000);
            for bad in [
                "%00",
                "%ff",
                "a%00b",
                "%E5%AD%97",
                "'",
                "-1",
                "99999999999999999999",
                "0",
                "%2F",
                long.as_str(),
            ] {
                let path = concrete(&call.path.replace(&name, bad));
                let reply = call.client.send(&call.method, &path, call.example_bytes(&document));
                faults.judge(call, &format!("{name} {bad:.20}"), &reply);
            }
        }
    }
    app.run_jobs();
    faults.finish();
}

#[test]
fn query_parameters_are_checked() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let calls = calls(&app, &document);
    let mut faults = Faults::default();
    // Lists below a filing look for it first: a cursor is bound to what it was made for.
    let filing = app.make().submitted();
    app.run_jobs();
    for call in calls.iter().filter(|call| !call.parameters("query").is_empty()) {
        let get = |query: &str| {
            let below = call.path.replace("/v1/filings/{id}", &filing.path(""));
            let path = format!("{}?{query}", concrete(&below));
            call.client.send(&call.method, &path, call.example_bytes(&document))
        };
        let unknown = get("zzz_unknown=1");
        faults.expect(
            call,
            "unknown",
            &unknown,
            400,
            "invalid_parameter",
            Some(&["zzz_unknown unknown_parameter"]),
        );
        if call.has_parameter("query", "limit") {
            for bad in ["0", "101", "-1", "x", "", "1.5", "999999999999"] {
                faults.expect(
                    call,
                    &format!("limit {bad:?}"),
                    &get(&format!("limit={bad}")),
                    400,
                    "invalid_parameter",
                    None,
                );
            }
        }
        if call.has_parameter("query", "cursor") {
            for bad in ["x", "e30", "AAAA", "%E5%AD%97"] {
                faults.expect(
                    call,
                    &format!("cursor {bad}"),
                    &get(&format!("cursor={bad}")),
                    400,
                    "invalid_cursor",
                    None,
                );
            }
        }
        for parameter in call.parameters("query") {
            let name = parameter["name"].as_str().unwrap();
            // PostgreSQL knows no such text.
            let place = format!("{name} invalid_format");
            let nul = get(&format!("{name}=a%00b"));
            faults.expect(
                call,
                &format!("{name} with U+0000"),
                &nul,
                400,
                "invalid_parameter",
                Some(&[place.as_str()]),
            );
            let long = "9".repeat(3000);
            for bad in [
                "",
                "%00",
                "%ff",
                "%25",
                "'",
                "_",
                ",",
                "-1",
                "9999-99-99",
                "2026-01-01T00:00:00",
                long.as_str(),
            ] {
                faults.judge(call, &format!("{name}={bad:.20}"), &get(&format!("{name}={bad}")));
            }
            if let Some(most) = parameter["schema"]["maxLength"].as_u64() {
                let longer = "9".repeat(most as usize + 1);
                let reply = get(&format!("{name}={longer}"));
                let place = format!("{name} too_long");
                // A token that is too long is not known, as any other that is wrong.
                if name != "token" || reply.status != 404 {
                    faults.expect(
                        call,
                        "too long",
                        &reply,
                        400,
                        "invalid_parameter",
                        Some(&[place.as_str()]),
                    );
                }
            }
            let twice = get(&format!("{name}=1&{name}=1"));
            faults.judge(call, &format!("{name} twice"), &twice);
        }
    }
    faults.finish();
}

#[test]
fn headers_are_checked() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let calls = calls(&app, &document);
    let mut faults = Faults::default();
    let long = "k".repeat(256);
    for call in &calls {
        for (name, values) in [
            (
                "If-Match",
                &["x", "", "\"\"", "99999999999999", "\"1", "1\"", "-1", "+1", "\"1.a b\"", "\"1\", \"2\""][..],
            ),
            ("Idempotency-Key", &["", "a b", long.as_str()]),
        ] {
            if !call.has_parameter("header", name) {
                continue;
            }
            for value in values {
                let client = call.client.with(name, *value);
                let reply = client.send(&call.method, &concrete(&call.path), call.example_bytes(&document));
                let place = format!("{name} invalid_format");
                faults.expect(
                    call,
                    &format!("{name}: {value:.20}"),
                    &reply,
                    400,
                    "invalid_header",
                    Some(&[place.as_str()]),
                );
            }
        }
    }
    faults.finish();
}

#[test]
fn the_token_form_refuses_what_it_cannot_read() {
    let app = TestApp::spawn_with(&[("SWAGGER_PASSWORD_LOGIN", "true")]);
    let form = app.anonymous().with("Content-Type", "application/x-www-form-urlencoded");
    let post =
        |client: &Client, body: &str| client.send("POST", "/oauth/token", Some(body.as_bytes().to_vec()));
    post(&app.anonymous(), "{}").expect_problem(415, "unsupported_media_type");
    for body in ["", "grant_type", "%ff=%ff", "grant_type=password", "grant_type=password&username=a"] {
        post(&form, body).expect_problem(
            400,
            if body == "grant_type" { "unsupported_grant_type" } else { "invalid_parameter" },
        );
    }
    post(&form, "grant_type=password&username=demo-applicant&password=wrong")
        .expect_problem(400, "invalid_grant");
    let long = format!("grant_type=password&username={}&password=x", "u".repeat(65));
    post(&form, &long).expect_problem(400, "invalid_parameter");
    let long = format!("grant_type=client_credentials&password={}", "x".repeat(129));
    let reply = post(&form, &long).expect_problem(400, "invalid_parameter");
    assert_eq!(reply.faults(), ["password too_long"]);
    let huge = format!("grant_type=password&username=a&password={}", "x".repeat(300_000));
    post(&form, &huge).expect_problem(413, "body_too_large");
}

#[test]
fn the_token_form_refuses_u_0000() {
    let app = TestApp::spawn_with(&[("SWAGGER_PASSWORD_LOGIN", "true")]);
    let form = app.anonymous().with("Content-Type", "application/x-www-form-urlencoded");
    let body = b"grant_type=password&username=a%00&password=x".to_vec();
    let reply = form.send("POST", "/oauth/token", Some(body));
    assert_eq!(reply.status, 400, "{}", String::from_utf8_lossy(&reply.body));
}

pub fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(name) => document.pointer(&format!("/{}", name.trim_start_matches("#/"))).unwrap(),
        None => schema,
    }
}

/// A text without a limit is one that a client can fill with the whole body.
#[test]
fn every_text_of_a_request_has_a_limit() {
    let document = beian::openapi::document();
    let mut unlimited = Vec::new();
    for (path, method, operation) in operations(&document) {
        if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
            let mut found = Vec::new();
            unbounded(&document, schema, &mut Vec::new(), &mut found);
            unlimited.extend(found.into_iter().map(|place| format!("{method} {path} {place}")));
        }
    }
    assert!(unlimited.is_empty(), "{} texts without a limit:\n  {}", unlimited.len(), unlimited.join("\n  "));
}

fn unbounded(document: &Value, schema: &Value, steps: &mut Vec<Step>, into: &mut Vec<String>) {
    let schema = resolve(document, schema);
    for form in schema["oneOf"].as_array().into_iter().flatten() {
        unbounded(document, form, steps, into);
    }
    let is_text = schema["type"] == "string"
        || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("string")));
    let is_fixed_format =
        schema["format"].as_str().is_some_and(|format| ["uuid", "date", "date-time"].contains(&format));
    // A pattern from end to end without a repetition that is open upwards says how long a text can be.
    let is_closed_pattern = schema["pattern"].as_str().is_some_and(|pattern| {
        pattern.starts_with('^')
            && pattern.ends_with('$')
            && !pattern.contains(['+', '.', ','])
            && !pattern.replace("*]", "").contains('*')
    });
    if is_text
        && schema.get("maxLength").is_none()
        && schema.get("enum").is_none()
        && !is_fixed_format
        && !is_closed_pattern
    {
        into.push(pointer(steps));
    }
    if let Some(items) = schema.get("items") {
        steps.push(Step::FirstItem);
        unbounded(document, items, steps, into);
        steps.pop();
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        steps.push(Step::Field(name.clone()));
        unbounded(document, property, steps, into);
        steps.pop();
    }
}
