//! Every limit that the document publishes for bodies and parameters is enforced: the operation's own example is sent with one
//! thing changed, and the problem must name that place. What is just within a limit is not refused for it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::authorization::concrete;
use crate::bad_input::{Call, Faults, calls, faults_of, resolve, with_body};
use crate::document::operations;
use crate::support::{Response, TestApp};

/// A step into a body.
#[derive(Clone, Debug)]
pub enum Step {
    Field(String),
    FirstItem,
}

/// The JSON pointer of a place.
pub fn pointer(steps: &[Step]) -> String {
    steps
        .iter()
        .map(|step| match step {
            Step::Field(name) => format!("/{name}"),
            Step::FirstItem => "/0".to_owned(),
        })
        .collect()
}

/// Puts a value there; objects and lists on the way are made where the example has none.
fn put(node: &mut Value, steps: &[Step], value: Value) {
    match steps {
        [] => *node = value,
        [Step::Field(name), rest @ ..] => {
            if !node.is_object() {
                *node = json!({});
            }
            put(&mut node[name.as_str()], rest, value);
        }
        [Step::FirstItem, rest @ ..] => {
            if node.as_array().is_none_or(Vec::is_empty) {
                *node = json!([null]);
            }
            put(&mut node[0], rest, value);
        }
    }
}

/// A change of one place of a body.
struct Probe {
    /// Which limit it tries.
    limit: &'static str,
    steps: Vec<Step>,
    change: Change,
    /// `"/place code"` that must be told, or, within the limit, must not.
    fault: String,
    is_within: bool,
}

enum Change {
    Put(Value),
    Remove(String),
    Add(&'static str),
}

impl Probe {
    fn apply(&self, body: &mut Value) {
        match &self.change {
            Change::Put(value) => put(body, &self.steps, value.clone()),
            Change::Remove(name) => self.object(body, |object| drop(object.remove(name))),
            Change::Add(name) => {
                self.object(body, |object| drop(object.insert((*name).to_owned(), json!(true))))
            }
        }
    }

    /// Changes the object there; an empty one where the example has none.
    fn object(&self, body: &mut Value, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
        let mut object = body.pointer(&pointer(&self.steps)).filter(|there| there.is_object()).cloned();
        let mut object = object.take().unwrap_or_else(|| json!({}));
        change(object.as_object_mut().unwrap());
        put(body, &self.steps, object);
    }
}

/// Collects the probes of a schema.
struct Walk<'a> {
    document: &'a Value,
    steps: Vec<Step>,
    probes: Vec<Probe>,
}

impl Walk<'_> {
    fn probe(&mut self, limit: &'static str, value: Value, code: &str, is_within: bool) {
        let fault = format!("{} {code}", pointer(&self.steps));
        self.probes.push(Probe {
            limit,
            steps: self.steps.clone(),
            change: Change::Put(value),
            fault,
            is_within,
        });
    }

    fn refuse(&mut self, limit: &'static str, value: Value, code: &str) {
        self.probe(limit, value, code, false);
    }

    fn schema(&mut self, schema: &Value, may_be_null: bool) {
        assert!(self.steps.len() < 20, "the schema refers to itself at {}", pointer(&self.steps));
        let schema = resolve(self.document, schema);
        if let Some(forms) = schema["oneOf"].as_array() {
            let may_be_null = may_be_null || forms.iter().any(|form| form["type"] == "null");
            for form in forms.iter().filter(|form| form["type"] != "null") {
                self.schema(form, may_be_null);
            }
            return;
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(many) => many.iter().map(|kind| kind.as_str().unwrap()).collect(),
            other => panic!("{}: no type but {other}", pointer(&self.steps)),
        };
        if !self.steps.is_empty() {
            let other = if types.contains(&"object") { json!("x") } else { json!({ "x": 1 }) };
            self.refuse("type", other, "wrong_type");
            if !may_be_null && !types.contains(&"null") {
                self.refuse("null", Value::Null, "wrong_type");
            }
        }
        for kind in types {
            match kind {
                "string" => self.text(schema),
                "integer" | "number" => self.number(schema, kind),
                "array" => self.list(schema),
                "object" => self.object(schema),
                "boolean" | "null" => {}
                other => panic!("{}: the test does not know the type {other}", pointer(&self.steps)),
            }
        }
    }

    fn text(&mut self, schema: &Value) {
        let (min, max) = (schema["minLength"].as_u64(), schema["maxLength"].as_u64());
        // Characters, not bytes: each of these has three.
        let long = |length: u64| json!("字".repeat(usize::try_from(length).unwrap()));
        if let Some(max) = max {
            self.refuse("maxLength", long(max + 1), "too_long");
            self.probe("maxLength", long(max), "too_long", true);
        }
        if let Some(min) = min.filter(|min| *min > 0) {
            self.refuse("minLength", long(min - 1), "too_short");
            self.probe("minLength", long(min), "too_short", true);
        }
        if schema["enum"].is_array() {
            self.refuse("enum", json!("zzz_no_such_value"), "not_in_list");
        }
        if let Some(pattern) = schema["pattern"].as_str() {
            let is_bad = |text: &String| {
                !jsonschema::is_valid(&json!({ "pattern": pattern }), &json!(text))
                    && min.is_none_or(|min| text.chars().count() as u64 >= min)
                    && max.is_none_or(|max| text.chars().count() as u64 <= max)
            };
            let length = usize::try_from(min.unwrap_or(1).max(1)).unwrap();
            let bad = ["!", " ", "/", "字", "Z"].map(|one| one.repeat(length)).into_iter().find(is_bad);
            let bad = bad.unwrap_or_else(|| panic!("the test finds no text that {pattern} refuses"));
            self.refuse("pattern", json!(bad), "invalid_format");
        }
        let bad_format = match schema["format"].as_str() {
            Some("uuid") => "0193a000-0000-7000-8000-00000001400x",
            Some("date") => "2026-02-30",
            Some("date-time") => "2026-01-01T00:00:00",
            None | Some("password") => return,
            Some(other) => panic!("the test does not know the format {other}"),
        };
        self.refuse("format", json!(bad_format), "invalid_format");
    }

    fn number(&mut self, schema: &Value, kind: &str) {
        if kind == "integer" {
            self.refuse("type", json!(1.5), "wrong_type");
            let beyond = match schema["format"].as_str() {
                Some("int32") => json!(i64::from(i32::MAX) + 1),
                Some("int64") => json!(i64::MAX as u64 + 1),
                other => panic!("the test does not know the format {other:?}"),
            };
            // Which code is told depends on whether a maximum lies below.
            let code = if schema.get("maximum").is_some() { "out_of_range" } else { "invalid_format" };
            self.refuse("format", beyond, code);
        }
        for (word, by) in [("maximum", 1), ("minimum", -1)] {
            if let Some(limit) = schema[word].as_i64() {
                self.refuse(word, json!(limit + by), "out_of_range");
                self.probe(word, json!(limit), "out_of_range", true);
            } else if let Some(limit) = schema[word].as_f64() {
                self.refuse(word, json!(limit + f64::from(by as i32)), "out_of_range");
            }
        }
        for word in ["exclusiveMaximum", "exclusiveMinimum"] {
            if let Some(limit) = schema.get(word) {
                self.refuse(word, limit.clone(), "out_of_range");
            }
        }
    }

    fn list(&mut self, schema: &Value) {
        let nulls = |count: u64| json!(vec![Value::Null; usize::try_from(count).unwrap()]);
        if let Some(max) = schema["maxItems"].as_u64() {
            self.refuse("maxItems", nulls(max + 1), "too_many_items");
            self.probe("maxItems", nulls(max), "too_many_items", true);
        }
        if let Some(min) = schema["minItems"].as_u64().filter(|min| *min > 0) {
            self.refuse("minItems", nulls(min - 1), "too_few_items");
            self.probe("minItems", nulls(min), "too_few_items", true);
        }
        if schema["uniqueItems"] == true {
            self.refuse("uniqueItems", nulls(2), "duplicate_items");
        }
        self.steps.push(Step::FirstItem);
        self.schema(&schema["items"], false);
        self.steps.pop();
    }

    fn object(&mut self, schema: &Value) {
        let place = pointer(&self.steps);
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let fault = format!("{place}/{name} required");
            let change = Change::Remove(name.to_owned());
            self.probes.push(Probe {
                limit: "required",
                steps: self.steps.clone(),
                change,
                fault,
                is_within: false,
            });
        }
        assert_eq!(schema["additionalProperties"], false, "{place} takes unknown fields");
        let fault = format!("{place}/zzz_unknown unknown_field");
        let change = Change::Add("zzz_unknown");
        self.probes.push(Probe {
            limit: "additionalProperties",
            steps: self.steps.clone(),
            change,
            fault,
            is_within: false,
        });
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            self.steps.push(Step::Field(name.clone()));
            self.schema(property, false);
            self.steps.pop();
        }
    }
}

/// Words that limit values. A schema with another one must not go untested.
const TRIED: [&str; 18] = [
    "$ref",
    "oneOf",
    "type",
    "enum",
    "pattern",
    "format",
    "maxLength",
    "minLength",
    "maximum",
    "minimum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxItems",
    "minItems",
    "uniqueItems",
    "required",
    "properties",
    "additionalProperties",
];
const EXPLAINING: [&str; 6] = ["description", "title", "example", "examples", "default", "deprecated"];

#[test]
fn request_schemas_have_no_limit_that_is_not_tried_here() {
    fn walk(document: &Value, schema: &Value, seen: &mut Vec<String>) {
        let Some(map) = schema.as_object() else { return };
        for word in map.keys().map(String::as_str) {
            let is_known = TRIED.contains(&word) || EXPLAINING.contains(&word) || word == "items";
            assert!(is_known, "the test does not try `{word}`: {schema}");
        }
        if let Some(target) = map.get("$ref").and_then(Value::as_str)
            && !seen.contains(&target.to_owned())
        {
            seen.push(target.to_owned());
            walk(document, resolve(document, schema), seen);
        }
        let forms = map.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let properties =
            map.get("properties").and_then(Value::as_object).into_iter().flat_map(|map| map.values());
        forms.chain(properties).chain(map.get("items")).for_each(|part| walk(document, part, seen));
    }
    let document = beian::openapi::document();
    let mut seen = Vec::new();
    for (_, _, operation) in operations(&document) {
        walk(
            &document,
            operation.pointer("/requestBody/content/application~1json/schema").unwrap_or(&Value::Null),
            &mut seen,
        );
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            walk(&document, &parameter["schema"], &mut seen);
        }
    }
    assert!(seen.len() > 40, "only {} schemas were looked at", seen.len());
}

#[test]
fn every_limit_of_a_body_is_enforced_at_its_place() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let calls = calls(&app, &document);
    let mut faults = Faults::default();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in with_body(&calls) {
        let mut walk = Walk { document: &document, steps: Vec::new(), probes: Vec::new() };
        walk.schema(call.body_schema().unwrap(), false);
        let example = call.example(&document).unwrap();
        for probe in walk.probes {
            *counts.entry(probe.limit).or_default() += 1;
            let mut body = example.clone();
            probe.apply(&mut body);
            let reply = call.send_json(&body);
            let within = if probe.is_within { "just within" } else { "beyond" };
            let what = format!("{} {within} {}", pointer(&probe.steps), probe.limit);
            faults.judge(call, &what, &reply);
            let told = if matches!(reply.status, 202 | 422) { faults_of(&reply) } else { Vec::new() };
            let is_right = told.contains(&probe.fault) != probe.is_within
                && (probe.is_within || reply.status == 202 || reply.at("/code") == "validation_failed");
            if reply.status == 202 {
                // An owner can have only so many batches under way.
                app.run_jobs();
            }
            if !is_right {
                let words = if probe.is_within { "must not be told" } else { "must be told" };
                faults.0.insert(
                    format!("{} {what}", call.name),
                    format!("{}: {} {words}, got {told:?}", reply.status, probe.fault),
                );
            }
        }
    }
    app.run_jobs();
    println!("bodies: {} probes: {counts:?}", counts.values().sum::<usize>());
    assert!(counts.values().sum::<usize>() > 1500, "the test has tried only {counts:?}");
    for limit in
        ["type", "null", "required", "additionalProperties", "maxLength", "minLength", "pattern", "enum"]
    {
        assert!(counts.get(limit).is_some_and(|count| *count >= 20), "{limit}: {counts:?}");
    }
    faults.finish();
}

/// Values of a parameter beyond its limits, and just within.
fn parameter_values(document: &Value, parameter: &Value) -> Vec<(&'static str, String, bool)> {
    let schema = resolve(document, &parameter["schema"]);
    let mut values = Vec::new();
    let long = |length: u64| "%E5%AD%97".repeat(usize::try_from(length).unwrap());
    if let Some(max) = schema["maxLength"].as_u64() {
        values.push(("maxLength", long(max + 1), false));
        values.push(("maxLength", long(max), true));
    }
    if let Some(min) = schema["minLength"].as_u64().filter(|min| *min > 0) {
        values.push(("minLength", long(min - 1), false));
    }
    for (word, by) in [("maximum", 1), ("minimum", -1)] {
        if let Some(limit) = schema[word].as_i64() {
            values.push((word, (limit + by).to_string(), false));
            values.push((word, limit.to_string(), true));
        }
    }
    if schema["enum"].is_array() {
        values.push(("enum", "zzz_no_such_value".to_owned(), false));
    }
    let bad: &[&str] = match (schema["type"].as_str().unwrap_or_default(), schema["format"].as_str()) {
        ("integer", _) => &["x", "1.5", "", "99999999999999999999"],
        ("boolean", _) => &["maybe", "1", "TRUE", ""],
        ("string", Some("uuid")) => &["x", "0193a000-0000-7000-8000-00000001400x", ""],
        ("string", Some("date")) => &["x", "2026-02-30", "2026-1-1", ""],
        ("string", Some("date-time")) => &[
            "x",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-1-1T00:00:00Z",
            "2026-01-01T00:00Z",
            "2026-02-30T00:00:00Z",
            "",
        ],
        ("string", None) => &[],
        other => panic!("the test does not know {other:?}"),
    };
    values.extend(bad.iter().map(|bad| ("type", (*bad).to_owned(), false)));
    values
}

fn is_told(reply: &Response, name: &str) -> bool {
    let is_refusal = reply.status == 400
        && reply.header("content-type").as_deref() == Some("application/problem+json")
        && reply.at("/code") == "invalid_parameter";
    is_refusal && reply.faults().iter().any(|fault| fault.starts_with(&format!("{name} ")))
}

#[test]
fn every_limit_of_a_parameter_is_enforced_and_names_it() {
    let app = TestApp::spawn();
    let document = beian::openapi::document();
    let mut faults = Faults::default();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in &calls(&app, &document) {
        let send = |path: &str, query: &str| {
            let path = concrete(path);
            let path = if query.is_empty() { path } else { format!("{path}?{query}") };
            call.client.send(&call.method, &path, call.example_bytes(&document))
        };
        for part in ["path", "query"] {
            for parameter in call.parameters(part) {
                let name = parameter["name"].as_str().unwrap();
                for (limit, value, is_within) in parameter_values(&document, &parameter) {
                    // An empty part of a path is another address.
                    if part == "path" && value.is_empty() {
                        continue;
                    }
                    *counts.entry(format!("{part} {limit}")).or_default() += 1;
                    let reply = match part {
                        "path" => send(&call.path.replace(&format!("{{{name}}}"), &value), ""),
                        _ => send(&call.path, &format!("{name}={value}")),
                    };
                    expect(
                        &mut faults,
                        call,
                        &format!("{name}={value:.40} ({limit})"),
                        &reply,
                        name,
                        is_within,
                    );
                }
                if part == "query" && parameter["required"] == true {
                    *counts.entry("query required".to_owned()).or_default() += 1;
                    expect(&mut faults, call, &format!("{name} missing"), &send(&call.path, ""), name, false);
                }
            }
        }
    }
    app.run_jobs();
    println!("parameters: {} probes: {counts:?}", counts.values().sum::<usize>());
    assert!(counts.values().sum::<usize>() > 600, "the test has tried only {counts:?}");
    faults.finish();
}

fn expect(faults: &mut Faults, call: &Call, what: &str, reply: &Response, name: &str, is_within: bool) {
    faults.judge(call, what, reply);
    // Within the limits of length a text may still be no value of this filter.
    let is_too_long =
        reply.status == 400 && reply.faults().iter().any(|fault| fault == &format!("{name} too_long"));
    let is_right = if is_within { !is_too_long } else { is_told(reply, name) };
    if !is_right {
        let body = String::from_utf8_lossy(&reply.body);
        faults.0.entry(format!("{} {what}", call.name)).or_insert(format!("{}: {body:.300}", reply.status));
    }
}

/// A text without a limit is one that a client can fill an address with.
#[test]
fn every_text_of_an_address_has_a_limit() {
    let document = beian::openapi::document();
    for (path, method, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let schema = resolve(&document, &parameter["schema"]);
            let is_text = schema["type"] == "string" && parameter["in"] != "header";
            let is_limited = ["maxLength", "enum", "format"].iter().any(|word| schema.get(*word).is_some());
            assert!(!is_text || is_limited, "{method} {path}: {}", parameter["name"]);
        }
    }
}

#[test]
fn the_form_of_a_token_request_keeps_its_limits() {
    let app = TestApp::spawn_with(&[("SWAGGER_PASSWORD_LOGIN", "true")]);
    let document = beian::openapi::document();
    let form = app.anonymous().with("Content-Type", "application/x-www-form-urlencoded");
    let schema = &document["components"]["schemas"]["TokenRequest"];
    let mut tried = 0;
    for (name, property) in schema["properties"].as_object().unwrap() {
        let Some(max) = property["maxLength"].as_u64() else { continue };
        tried += 1;
        let fields = [("username", "u".to_owned()), ("password", "p".to_owned())].map(|(field, value)| {
            let value = if field == name { "x".repeat(usize::try_from(max).unwrap() + 1) } else { value };
            format!("{field}={value}")
        });
        let body = format!("grant_type=password&{}", fields.join("&"));
        let reply = form.send("POST", "/oauth/token", Some(body.into_bytes()));
        assert!(is_told(&reply, name), "{name}: {} {}", reply.status, String::from_utf8_lossy(&reply.body));
    }
    assert!(tried >= 2, "only {tried} fields have a limit");
}
