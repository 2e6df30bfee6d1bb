//! The OpenAPI document: collected from the handlers, then completed from the tables that also drive the checks, so that
//! security, problems and limits cannot differ between document and code.

pub mod compatibility;
mod headers;
mod pages;

use std::collections::{BTreeSet, HashMap};

use actix_web::App as ActixApp;
use serde_json::{Map, Value, json};
use utoipa_actix_web::AppExt;

use crate::auth::permissions::{OPERATIONS, Role, partner_scopes};
use crate::error_codes;
use crate::kernel::i18n::Locale;
use crate::routes;

/// Released version of the API, and of this crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Most characters of a text that stands in a list of a request body.
const MAX_LIST_TEXT: u32 = 200;

/// Most characters of a query parameter that says nothing else: fifty ids with their commas fit.
const MAX_QUERY_TEXT: u32 = 2000;
/// Most characters of a code in an address.
const MAX_PATH_TEXT: u32 = 100;

/// Filters that take a comma separated list of the values of a schema: operation, parameter, schema. (Not an array with
/// `explode: false`: generated Python clients repeat the parameter all the same.)
const COMMA_LISTS: [(&str, &str, &str); 10] = [
    ("listFilings", "status", "Status"),
    ("listReviews", "stage", "Stage"),
    ("listReviews", "state", "ReviewState"),
    ("listBackdropShipments", "state", "ShipmentState"),
    ("exportShippingLabels", "state", "ShipmentState"),
    ("listBureauSubmissions", "state", "SubmissionState"),
    ("listMessageDeliveries", "state", "NotificationState"),
    ("listMessageDeliveries", "receipt", "ReceiptState"),
    ("listWebhookDeliveries", "state", "DeliveryState"),
    ("listJobs", "state", "JobState"),
];

/// What properties say that have the same meaning wherever they stand, unless their own comment says it better.
const KNOWN_PROPERTIES: [(&str, &str); 13] = [
    ("account_id", "The account."),
    ("created_at", "When it was made."),
    ("disabled_at", "When it was disabled; null while it is not."),
    ("display_name", "Name that others see."),
    ("filing_id", "The filing."),
    ("has_more", "Whether there is a next page."),
    ("id", "Its id."),
    ("items", "The rows."),
    ("name", "Its name."),
    ("partner_id", "The partner."),
    ("updated_at", "When it was changed last."),
    ("user_id", "The user."),
    ("version", "Rises with every change."),
];

pub use pages::routes;

const DESCRIPTION: &str = include_str!("../openapi/description.md");

/// The document as it is committed and served, packed by `build.rs`. A test holds it to be [`text`], and renews it.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));

/// The committed document.
///
/// # Errors
/// When it is damaged, which the tests rule out.
pub fn committed_text() -> std::io::Result<String> {
    String::from_utf8(pages::unpacked(PACKED)?).map_err(std::io::Error::other)
}

/// The committed document as a tree.
///
/// # Errors
/// When it is damaged or not JSON, which the tests rule out.
pub fn committed() -> std::io::Result<Value> {
    Ok(serde_json::from_str(&committed_text()?)?)
}

/// The document as handlers and tables say it. Only the tests collect it: what utoipa makes for that is several megabytes of
/// program and memory that a server has no use for.
pub fn document() -> Value {
    let (_, api) = ActixApp::new().into_utoipa_app().configure(|cfg| routes::all(cfg)).split_for_parts();
    let mut document = serde_json::to_value(api).unwrap_or_default();
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": "Beian",
        "summary": "China's ICP filing (备案) as an open API",
        "description": DESCRIPTION,
        "version": VERSION,
        "contact": { "name": "Beian maintainers", "url": "https://github.com/beian-api/beian" },
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    document["servers"] = json!([{ "url": "/", "description": "The server that served this document" }]);
    add_problem_schema(&mut document);
    inline_scalars(&mut document);
    complete_properties(&mut document);
    complete_operations(&mut document);
    headers::complete(&mut document);
    complete_parameters(&mut document);
    let in_requests = request_schemas(&document);
    require_reply_fields(&mut document, &in_requests);
    add_problem_members(&mut document);
    limit_list_texts(&mut document, &in_requests);
    limit_parameter_texts(&mut document);
    document["tags"] = routes::tags();
    document["components"]["securitySchemes"] = security_schemes();
    document["webhooks"] = crate::webhooks::webhooks_document();
    order(document)
}

/// The document as it is committed: two spaces, a final line end.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

fn add_problem_schema(document: &mut Value) {
    use utoipa::{PartialSchema, ToSchema};
    let mut schemas = vec![("Problem".to_owned(), crate::error::Problem::schema())];
    crate::error::Problem::schemas(&mut schemas);
    for (name, schema) in schemas {
        document["components"]["schemas"][name] = serde_json::to_value(schema).unwrap_or_default();
    }
}

/// What only some problems have. After [`require_reply_fields`]: these are left out where they say nothing.
fn add_problem_members(document: &mut Value) {
    if let Some(properties) = document["components"]["schemas"]["Problem"]["properties"].as_object_mut() {
        properties.extend(crate::error::members::properties());
    }
}

/// Typed ids and sealed texts are components to utoipa; to a client they are plain strings, nullable ones included.
fn inline_scalars(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let scalars: HashMap<String, Value> = schemas
        .iter()
        .filter(|(_, schema)| schema["type"] == "string" && schema.get("enum").is_none())
        .map(|(name, schema)| (format!("#/components/schemas/{name}"), schema.clone()))
        .collect();
    schemas.retain(|name, _| !scalars.contains_key(&format!("#/components/schemas/{name}")));
    replace_scalars(document, &scalars);
}

/// No defaults: `#[serde(default)]` is Rust's way to read an absent member, not a promise. In a patch an absent member changes
/// nothing, and a generated client that sends "defaults" would empty the website. And a description for everything.
fn complete_properties(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for schema in schemas.values_mut() {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            let Some(property) = property.as_object_mut() else { continue };
            property.remove("default");
            if let Some((_, meaning)) = KNOWN_PROPERTIES.iter().find(|(known, _)| known == name) {
                property.entry("description").or_insert(json!(meaning));
            }
        }
    }
}

fn replace_scalars(node: &mut Value, scalars: &HashMap<String, Value>) {
    match node {
        Value::Object(map) => {
            optional_reference(map, scalars);
            if let Some(Value::Object(schema)) =
                map.get("$ref").and_then(Value::as_str).and_then(|name| scalars.get(name))
            {
                map.remove("$ref");
                for (name, value) in schema {
                    map.entry(name).or_insert(value.clone());
                }
            }
            map.values_mut().for_each(|value| replace_scalars(value, scalars));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| replace_scalars(value, scalars)),
        _ => {}
    }
}

/// An optional struct is written as null or a reference, in this order, described outside: the one form of `oneOf` that
/// client generators cope with. An optional scalar becomes a nullable one.
fn optional_reference(map: &mut Map<String, Value>, scalars: &HashMap<String, Value>) {
    let Some([one, other]) = map.get("oneOf").and_then(Value::as_array).map(Vec::as_slice) else { return };
    let target = match (one["type"] == "null", other["type"] == "null") {
        (true, false) => other.clone(),
        (false, true) => one.clone(),
        _ => return,
    };
    let Some(name) = target["$ref"].as_str() else { return };
    let description = target.get("description").cloned();
    match scalars.get(name) {
        Some(Value::Object(schema)) => {
            map.remove("oneOf");
            for (name, value) in schema {
                map.entry(name).or_insert(value.clone());
            }
            map.insert("type".to_owned(), json!(["string", "null"]));
        }
        _ => {
            map.insert("oneOf".to_owned(), json!([{ "type": "null" }, { "$ref": name }]));
        }
    }
    if let Some(description) = description {
        map.insert("description".to_owned(), description);
    }
}

/// The scopes of all operations that a role may call.
fn scopes_of(role: Role) -> BTreeSet<&'static str> {
    OPERATIONS
        .iter()
        .filter(|operation| operation.is_open_to(&[role]))
        .map(|operation| operation.scope)
        .collect()
}

fn security_schemes() -> Value {
    let scopes: BTreeSet<&str> =
        OPERATIONS.iter().map(|operation| operation.scope).filter(|s| !s.is_empty()).collect();
    let described: Map<String, Value> = scopes
        .iter()
        .map(|scope| {
            let roles: Vec<&str> = Role::ALL
                .iter()
                .filter(|role| scopes_of(**role).contains(scope))
                .map(|role| role.as_str())
                .collect();
            ((*scope).to_owned(), json!(format!("Roles: {}", roles.join(", "))))
        })
        .collect();
    let offered = partner_scopes();
    let for_partners: Map<String, Value> = described
        .iter()
        .filter(|(scope, _)| offered.contains(scope.as_str()))
        .map(|(scope, text)| (scope.clone(), text.clone()))
        .collect();
    // One flow for each scheme: Swagger UI keeps one token slot per scheme.
    json!({
        "bearer": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "Paste the `access_token` of `POST /v1/auth/login`."
        },
        "password": {
            "type": "oauth2",
            "description": "Log in here with a user name and password (embedded mode, or by setting).",
            "flows": { "password": { "tokenUrl": "/oauth/token", "scopes": described } }
        },
        "clientCredentials": {
            "type": "oauth2",
            "description": "For a partner's program. In embedded mode: client_id `demo-partner`, client_secret \
                `demo-partner-secret-2026`.",
            "flows": { "clientCredentials": { "tokenUrl": "/oauth/token", "scopes": for_partners } }
        }
    })
}

/// Adds security and every status that an operation can return to each operation.
fn complete_operations(document: &mut Value) {
    let table: HashMap<&str, _> = OPERATIONS.iter().map(|operation| (operation.id, *operation)).collect();
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (path, item) in paths {
        let Some(methods) = item.as_object_mut() else { continue };
        for (method, operation) in methods {
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            let row = table.get(id.as_str());
            let is_public = row.is_none_or(|row| row.is_public());
            operation["security"] = match row {
                Some(row) if row.is_open_to(&[Role::Partner]) => {
                    json!([{ "bearer": [] }, { "password": [row.scope] }, { "clientCredentials": [row.scope] }])
                }
                Some(row) if !is_public => json!([{ "bearer": [] }, { "password": [row.scope] }]),
                _ => json!([]),
            };
            if let Some(row) = row.filter(|_| !is_public) {
                let roles: Vec<&str> = row.roles.iter().map(|role| role.as_str()).collect();
                let text = operation["description"].as_str().unwrap_or_default();
                operation["description"] =
                    json!(format!("{text}\n\nRoles: `{}`", roles.join("`, `")).trim_start());
            }
            if let Some(example) = crate::demo::examples::find(&id) {
                let text = operation["description"].as_str().unwrap_or_default();
                operation["description"] =
                    json!(format!("{text}\n\nExample: log in as `{}`.", example.login));
                let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
                for parameter in parameters.into_iter().flatten() {
                    if parameter["in"] == "path" {
                        parameter["example"] = json!(example.id);
                    }
                }
            }
            if let Some((name, example)) = crate::demo::examples::find_for_partner(&id) {
                let text = operation["description"].as_str().unwrap_or_default();
                operation["description"] =
                    json!(format!("{text}\n\nAs `demo-partner`: `{name}` is `{example}`."));
            }
            // Whatever the version is: the example must execute as it stands. (Not by index: that would add the member
            // where it is missing.)
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                if parameter["name"] == "If-Match" {
                    parameter["example"] = json!("*");
                }
            }
            let mut codes: Vec<&str> = Vec::new();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let is_in = |place: &str| parameters.iter().any(|parameter| parameter["in"] == place);
            let names = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
            let has_body = !operation["requestBody"].is_null();
            if is_in("path") || is_in("query") {
                codes.push("invalid_parameter");
            }
            if names("cursor") {
                codes.push("invalid_cursor");
            }
            if !is_public {
                codes.extend(["unauthenticated", "token_expired", "forbidden"]);
            }
            if row.is_some_and(|row| row.is_open_to(&[Role::Partner])) {
                codes.extend(["insufficient_scope", "address_not_allowed"]);
            }
            if path.contains('{') {
                codes.push("not_found");
            }
            if names("If-Match") {
                codes.extend(["invalid_header", "precondition_failed"]);
                let if_match = parameters.iter().find(|parameter| parameter["name"] == "If-Match");
                if if_match.is_some_and(|parameter| parameter["required"] == true) {
                    codes.push("precondition_required");
                }
            }
            if has_body {
                codes.extend(["body_too_large", "unsupported_media_type"]);
                if !operation["requestBody"]["content"]["application/json"].is_null() {
                    codes.extend(["malformed_json", "validation_failed"]);
                }
            }
            if names("Idempotency-Key") {
                codes.extend(["invalid_header", "idempotency_in_flight", "idempotency_key_reused"]);
            }
            // The limit of requests for each address counts every one.
            codes.push("too_many_requests");
            if method != "get" || !is_public {
                codes.push("internal");
                codes.push("unavailable");
            }
            complete_responses(operation, codes);
        }
    }
}

/// Says of parameters what the types of Rust cannot: of headers, cursors, codes and comma separated lists.
fn complete_parameters(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            let list = COMMA_LISTS.iter().find(|list| list.0 == id && list.1 == name);
            let is_code = parameter["in"] == "path" && parameter["schema"].get("format").is_none();
            let limits = match (name, list) {
                _ if is_code && parameter["schema"]["type"] == "string" => {
                    json!({ "maxLength": 60, "pattern": "^[A-Za-z0-9_-]+$" })
                }
                ("Idempotency-Key", _) => json!({ "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" }),
                ("If-Match", _) => {
                    let tag = r"[0-9]{1,10}(\.[0-9A-Za-z-]*)?";
                    json!({ "pattern": format!("^(\\*|(W/)?(\"{tag}\"|{tag}))$") })
                }
                ("cursor", _) => json!({ "pattern": "^[A-Za-z0-9_-]+$" }),
                (_, Some((.., schema))) => {
                    let values: Vec<&str> = schemas[schema]["enum"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str)
                        .collect();
                    let value = values.join("|");
                    json!({ "pattern": format!("^({value})(,({value}))*$") })
                }
                _ => continue,
            };
            for (word, limit) in limits.as_object().into_iter().flatten() {
                parameter["schema"][word] = limit.clone();
            }
        }
    }
}

/// Fills error responses: those the handler names (its description lists codes in backticks) and the general ones.
fn complete_responses(operation: &mut Value, general: Vec<&str>) {
    let mut by_status: HashMap<String, BTreeSet<String>> = HashMap::new();
    for code in general {
        if let Some(known) = error_codes::find(code) {
            by_status.entry(known.status.to_string()).or_default().insert(code.to_owned());
        }
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, response) in responses.iter() {
        if status.starts_with('4') || status.starts_with('5') {
            let text = response["description"].as_str().unwrap_or_default();
            let named = text.split('`').skip(1).step_by(2).map(str::to_owned);
            by_status.entry(status.clone()).or_default().extend(named);
        }
    }
    for (status, codes) in by_status {
        let known: Vec<_> = codes.iter().filter_map(|code| error_codes::find(code)).collect();
        let description: Vec<String> =
            known.iter().map(|code| format!("`{}`: {}", code.code, code.detail(Locale::En))).collect();
        let examples: Map<String, Value> = known
            .iter()
            .map(|code| {
                let value = json!({
                    "type": format!("/problems/{}", code.code),
                    "title": code.title(Locale::ZhCn),
                    "status": code.status,
                    "detail": code.detail(Locale::ZhCn),
                    "code": code.code,
                    "request_id": "01935b1e-7c00-7000-8000-000000000000",
                    "errors": [],
                });
                (code.code.to_owned(), json!({ "value": value }))
            })
            .collect();
        let response = json!({
            "description": description.join("\n\n"),
            "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" },
                "examples": examples,
            } },
        });
        responses.insert(status, response);
    }
    responses.sort_keys();
}

/// Names of the schemas that request bodies use, directly or not.
fn request_schemas(document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Some(paths) = document["paths"].as_object() {
        for operation in paths.values().filter_map(Value::as_object).flat_map(Map::values) {
            reachable(document, &operation["requestBody"], &mut names);
        }
    }
    names
}

/// Every reply field is always present: schemas that only replies use require all their properties.
fn require_reply_fields(document: &mut Value, in_requests: &BTreeSet<String>) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for (name, schema) in schemas {
        if in_requests.contains(name) {
            continue;
        }
        let Some(properties) = schema["properties"].as_object() else { continue };
        let names: Vec<Value> = properties.keys().cloned().map(Value::String).collect();
        schema["required"] = Value::Array(names);
    }
}

/// Texts in lists of requests (codes, pointers, addresses) get a limit of their own: utoipa has no attribute for items.
fn limit_list_texts(document: &mut Value, in_requests: &BTreeSet<String>) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for (_, schema) in schemas.iter_mut().filter(|(name, _)| in_requests.contains(*name)) {
        // Not by index: that would add the member where it is missing.
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for property in properties.into_iter().flat_map(Map::values_mut) {
            let Some(items) = property.get_mut("items").and_then(Value::as_object_mut) else { continue };
            let is_free = !["enum", "format", "maxLength"].iter().any(|word| items.contains_key(*word));
            if items.get("type").is_some_and(|kind| kind == "string") && is_free {
                items.insert("maxLength".to_owned(), json!(MAX_LIST_TEXT));
            }
        }
    }
}

/// Texts in addresses get a limit where they have none of their own.
fn limit_parameter_texts(document: &mut Value) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        // Not by index: that would add the member where it is missing.
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let max = match parameter["in"].as_str() {
                Some("query") => MAX_QUERY_TEXT,
                Some("path") => MAX_PATH_TEXT,
                _ => continue,
            };
            let Some(schema) = parameter.get_mut("schema").and_then(Value::as_object_mut) else { continue };
            let is_free = !["enum", "format", "maxLength"].iter().any(|word| schema.contains_key(*word));
            if schema.get("type").is_some_and(|kind| kind == "string") && is_free {
                schema.insert("maxLength".to_owned(), json!(max));
            }
        }
    }
}

fn reachable(document: &Value, node: &Value, into: &mut BTreeSet<String>) {
    match node {
        Value::Object(map) => {
            if let Some(name) =
                map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/components/schemas/"))
                && into.insert(name.to_owned())
            {
                reachable(document, &document["components"]["schemas"][name], into);
            }
            map.values().for_each(|value| reachable(document, value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| reachable(document, value, into)),
        _ => {}
    }
}

/// Operations in the order of the permissions table, which is that of the work: Swagger UI shows them so. An address
/// with several methods stands where its first one does.
fn order_paths(document: &mut Value) {
    let places: HashMap<&str, usize> =
        OPERATIONS.iter().enumerate().map(|(place, operation)| (operation.id, place)).collect();
    let place = |operation: &Value| {
        let id = operation["operationId"].as_str().unwrap_or_default();
        places.get(id).copied().unwrap_or(usize::MAX)
    };
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for item in paths.values_mut().filter_map(Value::as_object_mut) {
        *item = sorted_by(std::mem::take(item), place);
    }
    *paths = sorted_by(std::mem::take(paths), |item| {
        item.as_object().into_iter().flat_map(Map::values).map(place).min().unwrap_or(usize::MAX)
    });
}

fn sorted_by(map: Map<String, Value>, place: impl Fn(&Value) -> usize) -> Map<String, Value> {
    let mut members: Vec<(String, Value)> = map.into_iter().collect();
    members.sort_by_key(|(_, value)| place(value));
    members.into_iter().collect()
}

/// The members in the order that readers expect, schemas by name.
fn order(mut document: Value) -> Value {
    order_paths(&mut document);
    let mut sorted = Map::new();
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.sort_keys();
    }
    for name in ["openapi", "info", "servers", "tags", "paths", "webhooks", "components"] {
        if let Some(value) = document.get(name) {
            sorted.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(sorted)
}
