//! Every reply that a test gets is held against the OpenAPI document: what it carries must be written there, and what is
//! promised there must be carried.

use std::sync::LazyLock;

use serde_json::Value;

use super::client::Response;

static DOCUMENT: LazyLock<Value> = LazyLock::new(beian::openapi::document);

/// Headers that the document lists, and some that it would have to list if they were sent.
const HEADERS: [&str; 12] = [
    "Content-Location",
    "ETag",
    "Idempotency-Replayed",
    "Last-Modified",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-RateLimit-Remaining",
];

/// The operation at an address: one without path parameters goes before one with.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |template: &str| {
        let parts = || template.split('/').zip(path.split('/'));
        template.split('/').count() == path.split('/').count()
            && parts().all(|(known, part)| known == part || known.starts_with('{'))
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let item = paths
        .get(path)
        .or_else(|| paths.iter().filter(|(template, _)| fits(template)).map(|(_, item)| item).next())?;
    item.get(method.to_lowercase())
}

/// Fails the test when the reply and the document differ.
#[track_caller]
pub fn compare(method: &str, path: &str, reply: &Response) {
    let Some(operation) = operation(method, path) else { return };
    let id = operation["operationId"].as_str().unwrap();
    let name = format!("{id} {}", reply.status);
    let documented = &operation["responses"][reply.status.to_string()];
    compare_headers(&name, &documented["headers"], reply);
    if let Some(body) = reply.try_json() {
        if reply.header("content-type").as_deref() == Some("application/problem+json") {
            compare_problem(&name, &body);
        }
        if matches!(id, "listEvents" | "listFilingEvents") && reply.status == 200 {
            body["items"].as_array().unwrap().iter().for_each(compare_event);
        }
    }
}

fn compare_headers(name: &str, documented: &Value, reply: &Response) {
    let documented = documented.as_object();
    for header in HEADERS {
        let entry = documented.and_then(|entries| entries.get(header));
        match reply.header(header) {
            Some(value) => assert!(entry.is_some(), "{name}: the document does not list {header}: {value}"),
            None => assert!(
                entry.is_none_or(|entry| entry["required"] != true),
                "{name}: the document promises {header}, which is missing"
            ),
        }
    }
    let unknown: Vec<&String> = documented
        .into_iter()
        .flat_map(|entries| entries.keys())
        .filter(|key| !HEADERS.contains(&key.as_str()))
        .collect();
    assert!(unknown.is_empty(), "{name}: {unknown:?} would never be compared: add it to HEADERS");
}

/// Each member of a problem stands in the schema.
fn compare_problem(name: &str, problem: &Value) {
    let schema = &DOCUMENT["components"]["schemas"]["Problem"];
    for (member, value) in problem.as_object().unwrap() {
        let property = &schema["properties"][member];
        assert!(!property.is_null(), "{name}: the schema Problem has no {member}");
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let is_fine = match &property["type"] {
            Value::Array(kinds) => kinds.iter().any(|known| known == kind),
            known => known == kind,
        };
        assert!(is_fine, "{name}: {member} is {value}, the schema says {}", property["type"]);
    }
}

/// What stands in an event's `data` is what is described with its type. (The demo's own filings took short cuts.)
fn compare_event(event: &Value) {
    let kind = event["type"].as_str().unwrap();
    let Some(trigger) = beian::webhooks::TRIGGERS.iter().find(|trigger| trigger.event_type == kind) else {
        return;
    };
    let mut described: Vec<&str> = trigger.data.iter().map(|(name, _)| *name).collect();
    let mut sent: Vec<&str> = event["data"].as_object().unwrap().keys().map(String::as_str).collect();
    if event["filing_id"].as_str().unwrap().starts_with("0193a000-") {
        described.retain(|name| sent.contains(name));
    }
    described.sort_unstable();
    sent.sort_unstable();
    assert_eq!(sent, described, "{kind}: what is in `data`, and what is described");
}
