//! The OpenAPI document: what generated clients need, and that it is the committed one.

use std::collections::{BTreeMap, BTreeSet};

use beian::auth::permissions::OPERATIONS;
use serde_json::Value;

use crate::support::TestApp;

fn document() -> Value {
    beian::openapi::document()
}

/// Every operation with its path and method.
pub fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut list = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            list.push((path.clone(), method.to_uppercase(), operation.clone()));
        }
    }
    list
}

#[test]
fn the_committed_document_is_the_one_that_the_program_makes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file, beian::openapi::text()).unwrap();
        return;
    }
    assert!(
        beian::openapi::committed_text().unwrap() == beian::openapi::text(),
        "openapi/openapi.json, which the server serves, is not what handlers and tables say; run: \
         UPDATE_DOCS=1 cargo test --test api -- the_committed_document"
    );
}

#[test]
fn the_table_of_permissions_and_the_document_name_the_same_operations() {
    let document = document();
    let documented: BTreeSet<String> = operations(&document)
        .into_iter()
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    let known: BTreeSet<String> = OPERATIONS.iter().map(|operation| operation.id.to_owned()).collect();
    assert_eq!(documented, known);
    assert_eq!(documented.len(), operations(&document).len(), "an operationId is used twice");
}

#[test]
fn every_operation_is_described() {
    for (path, method, operation) in operations(&document()) {
        let name = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(
            id.chars().next().unwrap().is_ascii_lowercase() && id.chars().all(char::is_alphanumeric),
            "{id}"
        );
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && summary.chars().count() <= 60, "{name}: summary {summary:?}");
        assert!(
            operation["description"].as_str().is_some_and(|text| text.len() > 20),
            "{name} has no description"
        );
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}: one tag");
        assert!(operation["security"].is_array(), "{name}: security");
        for (status, reply) in operation["responses"].as_object().unwrap() {
            assert!(
                !reply["description"].as_str().unwrap_or_default().is_empty(),
                "{name} {status}: no description"
            );
            if status.starts_with('4') || status.starts_with('5') {
                let problem = &reply["content"]["application/problem+json"];
                assert!(
                    problem["examples"].as_object().is_some_and(|list| !list.is_empty()),
                    "{name} {status}: no example"
                );
            }
        }
    }
}

#[test]
fn tags_of_operations_are_declared() {
    let document = document();
    let declared: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    for (path, method, operation) in operations(&document) {
        let tag = operation["tags"][0].as_str().unwrap();
        assert!(declared.contains(tag), "{method} {path}: {tag}");
    }
}

#[test]
fn references_resolve_and_nothing_is_left_over() {
    let document = document();
    let mut referred = BTreeSet::new();
    walk(&document, "", &mut |_, node| {
        if let Some(target) = node["$ref"].as_str() {
            referred.insert(target.trim_start_matches("#/components/schemas/").to_owned());
        }
    });
    let schemas: BTreeSet<String> =
        document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(referred.difference(&schemas).collect::<Vec<_>>(), Vec::<&String>::new(), "dangling");
    assert_eq!(schemas.difference(&referred).collect::<Vec<_>>(), Vec::<&String>::new(), "unused");
}

/// utoipa silently lets the last of two types with one name win, and clients then refuse the other's values.
#[test]
fn no_two_types_have_one_schema_name() {
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in sources(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let (mut is_schema, mut alias) = (false, None);
        for line in text.lines().map(str::trim) {
            is_schema |=
                line.contains("ToSchema") && !line.starts_with("use ") || line.ends_with("text_enum! {");
            if let Some(name) = line.strip_prefix("#[schema(as = ") {
                alias = Some(name.trim_end_matches(")]").to_owned());
            }
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let at = words.iter().take(3).position(|word| matches!(*word, "struct" | "enum"));
            if let (true, Some(at)) = (is_schema, at) {
                let name = alias.take().unwrap_or_else(|| words[at + 1].to_owned());
                owners.entry(name).or_default().push(file.clone());
                is_schema = false;
            }
        }
    }
    assert!(owners.len() > 150, "the types of the document were not found: {}", owners.len());
    // Some words are only the database's.
    let document = document();
    owners.retain(|name, files| files.len() > 1 && document["components"]["schemas"].get(name).is_some());
    assert!(owners.is_empty(), "{owners:#?}");
}

fn sources(folder: &std::path::Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// A client that sends the "defaults" of a patch would empty what it did not mean to touch.
#[test]
fn no_property_claims_a_default() {
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(schema.get("default").is_none(), "{name}.{property}");
        }
    }
}

#[test]
fn schemas_have_only_the_forms_that_generated_clients_cope_with() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    walk(&document["components"]["schemas"], "", &mut |place, node| {
        for word in ["anyOf", "allOf"] {
            assert!(node.get(word).is_none(), "{place}: {word}");
        }
        if let Some(forms) = node.get("oneOf") {
            let is_optional_reference = forms.as_array().is_some_and(|forms| {
                forms.len() == 2 && forms[0]["type"] == "null" && forms[1].get("$ref").is_some()
            });
            assert!(is_optional_reference, "{place}: oneOf {forms}");
        }
        if node.get("type").is_some_and(|kind| kind == "object") && place.matches('/').count() > 1 {
            assert!(node.get("properties").is_none(), "{place}: an anonymous nested object");
        }
    });
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(name.chars().all(char::is_alphanumeric), "{name}");
        assert!(schema.as_object().is_some_and(|schema| !schema.is_empty()), "{name} is a bare {{}}");
    }
}

#[test]
fn request_bodies_refuse_unknown_fields_and_have_an_example() {
    let document = document();
    let mut missing = BTreeMap::new();
    for (path, method, operation) in operations(&document) {
        let Some(content) = operation["requestBody"]["content"].as_object() else { continue };
        let Some(body) = content.get("application/json") else { continue };
        let name = body["schema"]["$ref"].as_str().unwrap().trim_start_matches("#/components/schemas/");
        let schema = &document["components"]["schemas"][name];
        if schema["additionalProperties"] != false {
            missing.insert(format!("{method} {path}: {name}"), "takes unknown fields");
        }
        if schema.get("example").is_none()
            && schema.get("examples").is_none()
            && body.get("example").is_none()
        {
            missing.insert(format!("{method} {path} {name}"), "has no example");
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

fn walk(node: &Value, place: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(place, node);
    match node {
        Value::Object(map) => map.iter().for_each(|(name, value)| {
            // Examples are data, not schemas.
            if !matches!(name.as_str(), "example" | "examples") {
                walk(value, &format!("{place}/{name}"), visit);
            }
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| walk(value, &format!("{place}/{i}"), visit))
        }
        _ => {}
    }
}

#[test]
fn document_and_swagger_ui_are_sent_packed_to_who_takes_them_so() {
    let app = TestApp::spawn();
    for (path, inside) in [
        ("/openapi.json", "\"openapi\""),
        ("/swagger-ui/", "<div id=\"swagger-ui\">"),
        ("/swagger-ui/swagger-ui.css", ".swagger-ui"),
        ("/swagger-ui/swagger-initializer.js", "/openapi.json"),
    ] {
        let plain = app.anonymous().with("Accept-Encoding", "identity").get(path).expect_status(200);
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        let text = String::from_utf8(plain.body.clone()).unwrap();
        assert!(text.contains(inside), "{path}");
        let packed = app.anonymous().with("Accept-Encoding", "gzip, br").get(path).expect_status(200);
        assert_eq!(packed.header("content-encoding").as_deref(), Some("gzip"), "{path}");
        let mut unpacked = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed.body), &mut unpacked)
            .unwrap();
        assert!(unpacked == text, "{path}");
        assert_eq!(packed.header("content-type"), plain.header("content-type"), "{path}");
    }
    let document = app.anonymous().get("/openapi.json").expect_status(200).json();
    assert!(document == beian::openapi::document());
    app.anonymous().get("/swagger-ui/nothing").expect_problem(404, "not_found");
}
