//! The document against the released ones: what breaks clients is found, and what does not is left in peace. The rules in
//! words: docs/compatibility.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use beian::openapi::compatibility::breaks;
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/released");
const ACCEPTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/accepted-breaks.txt");

/// Released documents by version, the oldest first.
fn released() -> Vec<(Vec<u64>, PathBuf)> {
    let mut list: Vec<(Vec<u64>, PathBuf)> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let version =
                name.split('.').map(|part| part.parse().expect("a version, such as 0.1.0")).collect();
            (version, path)
        })
        .collect();
    list.sort();
    list
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Lines of the list of accepted breaks, without the comments that give their reasons.
fn accepted() -> BTreeSet<String> {
    let text = std::fs::read_to_string(ACCEPTED).unwrap();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_document_breaks_no_client_of_the_newest_release() {
    let (_, newest) = released().pop().expect("a released document");
    let found: BTreeSet<String> =
        breaks(&read(&newest), &beian::openapi::document()).iter().map(ToString::to_string).collect();
    let accepted = accepted();
    let new: Vec<&str> = found.difference(&accepted).map(String::as_str).collect();
    assert!(
        new.is_empty(),
        "{} changes break clients of {}; docs/compatibility.md says what to do:\n  {}",
        new.len(),
        newest.display(),
        new.join("\n  ")
    );
    let stale: Vec<&str> = accepted.difference(&found).map(String::as_str).collect();
    assert!(
        stale.is_empty(),
        "openapi/accepted-breaks.txt accepts what is no break any more:\n  {}",
        stale.join("\n  ")
    );
}

#[test]
fn released_documents_name_their_own_version() {
    for (version, path) in released() {
        let version: Vec<String> = version.iter().map(ToString::to_string).collect();
        assert_eq!(read(&path)["info"]["version"], version.join("."), "{}", path.display());
    }
}

/// The real document with one change.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let released = beian::openapi::document();
    let mut current = released.clone();
    change(&mut current);
    assert_ne!(released, current, "the change has changed nothing");
    breaks(&released, &current).iter().map(ToString::to_string).collect()
}

fn at<'a>(document: &'a mut Value, pointer: &str) -> &'a mut Value {
    document.pointer_mut(pointer).unwrap_or_else(|| panic!("the document has nothing at {pointer}"))
}

fn remove(document: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = at(document, parent);
    let name = name.replace("~1", "/");
    let gone = match parent {
        Value::Array(list) => Some(list.remove(name.parse().unwrap())),
        parent => parent.as_object_mut().unwrap().shift_remove(&name),
    };
    assert!(gone.is_some(), "the document has nothing at {pointer}");
}

/// Takes a name out of a list of names.
fn strike(list: &mut Value, name: &str) {
    let list = list.as_array_mut().unwrap();
    let before = list.len();
    list.retain(|entry| entry != name);
    assert_eq!(list.len() + 1, before, "{name} is not in the list");
}

fn parameter<'a>(document: &'a mut Value, operation: &str, name: &str) -> &'a mut Value {
    let list = at(document, &format!("{operation}/parameters")).as_array_mut().unwrap();
    list.iter_mut().find(|parameter| parameter["name"] == name).expect("the parameter")
}

const FILINGS: &str = "/paths/~1v1~1filings";
const FILING: &str = "/paths/~1v1~1filings~1{id}";
const SCHEMAS: &str = "/components/schemas";

/// Something done to the document.
type Change = fn(&mut Value);

/// A change that must be found: what it is, how it is made, and a part of each line that must be printed.
type Plant = (&'static str, Change, &'static [&'static str]);

#[rustfmt::skip]
const PLANTS: &[Plant] = &[
    ("an address is gone", |d| remove(d, FILING), &["/v1/filings/{id}: the address is gone"]),
    ("an operation is gone", |d| remove(d, &format!("{FILING}/patch")), &["PATCH /v1/filings/{id}: the operation is gone"]),
    ("the operationId is another", |d| *at(d, &format!("{FILING}/get/operationId")) = json!("readFiling"),
        &["GET /v1/filings/{id}: the operationId was \"getFiling\" and is \"readFiling\""]),
    ("the tag is another", |d| *at(d, &format!("{FILING}/get/tags/0")) = json!("orders"), &["GET /v1/filings/{id}: the tag"]),
    ("a path parameter has another name", |d| {
        let item = at(d, FILING).take();
        remove(d, FILING);
        d["paths"]["/v1/filings/{filing_id}"] = item;
    }, &["/v1/filings/{id}: the path parameters have other names now: /v1/filings/{filing_id}"]),
    ("a field of a reply is gone", |d| {
        remove(d, &format!("{SCHEMAS}/FilingBody/properties/order_no"));
        strike(at(d, &format!("{SCHEMAS}/FilingBody/required")), "order_no");
    }, &["FilingBody.order_no in replies: is gone"]),
    ("a field of a reply may be missing", |d| strike(at(d, &format!("{SCHEMAS}/FilingBody/required")), "order_no"),
        &["FilingBody.order_no in replies: may be missing now"]),
    ("a field of a reply may be null", |d| *at(d, &format!("{SCHEMAS}/FilingBody/properties/order_no/type")) = json!(["string", "null"]),
        &["FilingBody.order_no in replies: may be null now"]),
    ("a reference of a reply may be null", |d| {
        let whole = at(d, &format!("{SCHEMAS}/FilingBody/properties/status")).take();
        *at(d, &format!("{SCHEMAS}/FilingBody/properties/status")) = json!({ "oneOf": [{ "type": "null" }, whole] });
    }, &["FilingBody.status in replies: may be null now"]),
    ("a field of a reply has another type", |d| *at(d, &format!("{SCHEMAS}/FilingBody/properties/version/type")) = json!("string"),
        &["FilingBody.version in replies: the type was integer and is string"]),
    ("a field of a reply has lost its format", |d| remove(d, &format!("{SCHEMAS}/FilingBody/properties/created_at/format")),
        &["FilingBody.created_at in replies: the format was date-time and is none"]),
    ("a list of values of replies has grown", |d| at(d, &format!("{SCHEMAS}/Status/enum")).as_array_mut().unwrap().push(json!("parked")),
        &["Status in replies: the list of values has gained \"parked\""]),
    ("a list of values of requests has shrunk", |d| strike(at(d, &format!("{SCHEMAS}/Role/enum")), "auditor"),
        &["Role in requests: the list of values has lost \"auditor\""]),
    ("a request has a new mandatory field", |d| {
        d["components"]["schemas"]["CreateFiling"]["properties"]["urgency"] = json!({ "type": "string" });
        at(d, &format!("{SCHEMAS}/CreateFiling/required")).as_array_mut().unwrap().push(json!("urgency"));
    }, &["CreateFiling.urgency in requests: is new and must be sent"]),
    ("an optional field of a request is mandatory", |d| at(d, &format!("{SCHEMAS}/CreateFiling/required")).as_array_mut().unwrap().push(json!("external_reference")),
        &["CreateFiling.external_reference in requests: must be sent now"]),
    ("a field of a request is gone", |d| remove(d, &format!("{SCHEMAS}/CreateFiling/properties/external_reference")),
        &["CreateFiling.external_reference in requests: is no longer taken"]),
    ("a length is tightened", |d| *at(d, &format!("{SCHEMAS}/CreateFiling/properties/external_reference/maxLength")) = json!(3),
        &["CreateFiling.external_reference in requests: maxLength was", "and is 3: tightened"]),
    ("a length is new", |d| *at(d, &format!("{SCHEMAS}/CreateFiling/properties/external_reference")) = json!({ "type": ["string", "null"], "maxLength": 64, "minLength": 40 }),
        &["CreateFiling.external_reference in requests: minLength was", "and is 40: tightened"]),
    ("a pattern is new", |d| d["components"]["schemas"]["CreateFiling"]["properties"]["external_reference"]["pattern"] = json!("^[a-z]*$"),
        &["CreateFiling.external_reference in requests: must match the pattern ^[a-z]*$ now"]),
    ("null is refused", |d| *at(d, &format!("{SCHEMAS}/CreateFiling/properties/external_reference/type")) = json!("string"),
        &["CreateFiling.external_reference in requests: null is no longer taken"]),
    ("the greatest page is smaller", |d| *parameter(d, &format!("{FILINGS}/get"), "limit").pointer_mut("/schema/maximum").unwrap() = json!(50),
        &["GET /v1/filings, query parameter limit: maximum was 100 and is 50: tightened"]),
    ("a parameter is gone", |d| at(d, &format!("{FILINGS}/get/parameters")).as_array_mut().unwrap().retain(|p| p["name"] != "status"),
        &["GET /v1/filings, query parameter status: is gone"]),
    ("a parameter is mandatory", |d| parameter(d, &format!("{FILINGS}/get"), "status")["required"] = json!(true),
        &["GET /v1/filings, query parameter status: must be sent now"]),
    ("a new parameter is mandatory", |d| at(d, &format!("{FILINGS}/get/parameters")).as_array_mut().unwrap()
            .push(json!({ "name": "X-Tenant", "in": "header", "required": true, "schema": { "type": "string" } })),
        &["GET /v1/filings, header parameter X-Tenant: is new and must be sent"]),
    ("a scope is added", |d| at(d, &format!("{FILINGS}/get/security/1/password")).as_array_mut().unwrap().push(json!("audit:read")),
        &["GET /v1/filings: needs the scope audit:read with password now"]),
    ("a way to log in is gone", |d| remove(d, &format!("{FILINGS}/get/security/2")),
        &["GET /v1/filings: can no longer be called with clientCredentials"]),
    ("a public operation needs a token", |d| *at(d, "/paths/~1version/get/security") = json!([{ "bearer": [] }]),
        &["GET /version: needs a token now"]),
    ("a status is gone", |d| { let r = at(d, &format!("{FILINGS}/post/responses/201")).take(); remove(d, &format!("{FILINGS}/post/responses/201"));
            d["paths"]["/v1/filings"]["post"]["responses"]["202"] = r; },
        &["POST /v1/filings, reply 201: the status is gone"]),
    ("a media type of a reply is gone", |d| remove(d, &format!("{FILING}/get/responses/200/content/application~1json")),
        &["GET /v1/filings/{id}, reply 200: application/json is gone"]),
    ("a media type of a request is gone", |d| remove(d, &format!("{FILINGS}/post/requestBody/content/application~1json")),
        &["POST /v1/filings, body: application/json is no longer taken"]),
    ("a header is gone", |d| remove(d, &format!("{FILINGS}/post/responses/201/headers/Location")),
        &["POST /v1/filings, reply 201, header Location: is gone"]),
    ("an event is gone", |d| remove(d, "/webhooks/bureau.approved"), &["webhook bureau.approved: the event is gone"]),
    ("a field of an event is gone", |d| remove(d, &format!("{SCHEMAS}/FilingEvent/properties/order_no")), &["FilingEvent.order_no in replies: is gone"]),
    ("a header of an event is gone", |d| at(d, "/webhooks/bureau.approved/post/parameters").as_array_mut().unwrap().retain(|p| p["name"] != "webhook-id"),
        &["webhook bureau.approved, header webhook-id: is gone"]),
    ("a scope is gone", |d| remove(d, "/components/securitySchemes/clientCredentials/flows/clientCredentials/scopes/filings:write"),
        &["security scheme clientCredentials: the scope filings:write is gone"]),
    ("a word that the check does not know", |d| d["components"]["schemas"]["CreateFiling"]["not"] = json!({ "required": ["kind"] }),
        &["CreateFiling in requests: `not` was changed, and how cannot be compared"]),
];

#[test]
fn what_breaks_clients_is_found_and_told_at_its_place() {
    let mut faults = Vec::new();
    for (what, change, wanted) in PLANTS {
        let lines = changed(change);
        for part in *wanted {
            if !lines.iter().any(|line| line.contains(part)) {
                faults.push(format!("{what}: nothing says {part:?} but {lines:#?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), PLANTS.len(), faults.join("\n"));
}

#[test]
fn what_breaks_nobody_is_left_in_peace() {
    #[rustfmt::skip]
    let harmless: &[(&str, Change)] = &[
        ("a new optional field of a request", |d| d["components"]["schemas"]["CreateFiling"]["properties"]["note"] = json!({ "type": "string" })),
        ("a new field of a reply", |d| {
            d["components"]["schemas"]["FilingBody"]["properties"]["mood"] = json!({ "type": "string" });
            at(d, &format!("{SCHEMAS}/FilingBody/required")).as_array_mut().unwrap().push(json!("mood"));
        }),
        ("a new operation", |d| { let copy = at(d, &format!("{FILING}/get")).clone(); d["paths"]["/v1/copies/{id}"]["get"] = copy; }),
        ("a new event", |d| { let copy = at(d, "/webhooks/bureau.approved").clone(); d["webhooks"]["bureau.asked"] = copy; }),
        ("another description", |d| *at(d, &format!("{FILING}/get/description")) = json!("Better.")),
        ("another example", |d| d["components"]["schemas"]["CreateFiling"]["example"] = json!({})),
        ("a new optional parameter", |d| at(d, &format!("{FILINGS}/get/parameters")).as_array_mut().unwrap()
            .push(json!({ "name": "mood", "in": "query", "required": false, "schema": { "type": "string" } }))),
        ("a new header of a reply", |d| d["paths"]["/v1/filings/{id}"]["get"]["responses"]["200"]["headers"]["X-Mood"] = json!({ "schema": { "type": "string" } })),
        ("a new status of an error", |d| d["paths"]["/v1/filings/{id}"]["get"]["responses"]["418"] = json!({ "description": "Tea." })),
        ("a wider limit of a request", |d| *at(d, &format!("{SCHEMAS}/CreateFiling/properties/external_reference/maxLength")) = json!(1000)),
        ("a mandatory field of a request that is optional", |d| {
            at(d, &format!("{SCHEMAS}/CreateFiling/required")).as_array_mut().unwrap().remove(0);
        }),
        ("a narrower reply", |d| d["components"]["schemas"]["FilingBody"]["properties"]["order_no"]["maxLength"] = json!(20)),
        ("a scope less", |d| *at(d, &format!("{FILINGS}/get/security/1/password")) = json!([])),
        ("a reference written out", |d| {
            let status = at(d, &format!("{SCHEMAS}/Status")).clone();
            *at(d, &format!("{SCHEMAS}/FilingBody/properties/status")) = status;
        }),
        ("a reference below allOf", |d| {
            let status = at(d, &format!("{SCHEMAS}/FilingBody/properties/status")).take();
            *at(d, &format!("{SCHEMAS}/FilingBody/properties/status")) = json!({ "allOf": [status], "description": "Where it stands." });
        }),
        ("a schema with another name", |d| {
            let text = d.to_string().replace("schemas/Status\"", "schemas/FilingStatus\"");
            *d = serde_json::from_str(&text).unwrap();
            let status = at(d, &format!("{SCHEMAS}/Status")).take();
            remove(d, &format!("{SCHEMAS}/Status"));
            d["components"]["schemas"]["FilingStatus"] = status;
        }),
    ];
    for (what, change) in harmless {
        let lines = changed(change);
        assert!(lines.is_empty(), "{what}: {lines:#?}");
    }
}

/// A document with one operation that takes and gives this.
fn document(body: Value, reply: Value, schemas: Value) -> Value {
    json!({
        "paths": { "/x": { "post": {
            "operationId": "x", "tags": ["x"],
            "requestBody": { "content": { "application/json": { "schema": body } } },
            "responses": { "200": { "content": { "application/json": { "schema": reply } } } },
        } } },
        "components": { "schemas": schemas },
    })
}

fn compared(old: &Value, new: &Value) -> Vec<String> {
    breaks(old, new).iter().map(ToString::to_string).collect()
}

#[test]
fn schemas_that_refer_to_themselves_are_compared_to_the_end() {
    let tree = |leaf: Value| {
        json!({
            "Tree": { "type": "object", "required": ["leaf"], "properties": {
                "leaf": leaf,
                "parent": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Tree" }] },
                "children": { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } },
            } },
            "Circle": { "$ref": "#/components/schemas/Circle" },
            "Round": { "allOf": [{ "$ref": "#/components/schemas/Round" }, { "type": "object" }] },
        })
    };
    let to = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let of = |leaf: Value| document(to("Tree"), to("Tree"), tree(leaf));
    assert_eq!(
        compared(&of(json!({ "type": "integer" })), &of(json!({ "type": "string" }))),
        [
            "POST /x, body, Tree.leaf in requests: the type was integer and is string",
            "POST /x, reply 200, Tree.leaf in replies: the type was integer and is string",
        ]
    );
    let circle = document(to("Circle"), to("Round"), tree(json!({})));
    assert_eq!(compared(&circle, &circle), Vec::<String>::new());
}

#[test]
fn one_of_several_forms_may_grow_in_requests_and_shrink_in_replies() {
    let forms = |types: &[&str]| json!({ "oneOf": types.iter().map(|kind| json!({ "type": kind })).collect::<Vec<_>>() });
    let (two, three) = (["string", "integer"], ["string", "integer", "boolean"]);
    let body = |types: &[&str]| document(forms(types), json!({}), json!({}));
    let reply = |types: &[&str]| document(json!({}), forms(types), json!({}));
    assert_eq!(compared(&body(&two), &body(&three)), Vec::<String>::new());
    assert_eq!(compared(&body(&three), &body(&two)), ["POST /x, body: form 3 is no longer taken"]);
    assert_eq!(compared(&reply(&three), &reply(&two)), Vec::<String>::new());
    assert_eq!(compared(&reply(&two), &reply(&three)), ["POST /x, reply 200: form 3 is new"]);
}

#[test]
fn a_whole_number_is_a_number_and_a_small_one_fits_into_a_large_one() {
    let body = |schema: Value| document(schema, json!({}), json!({}));
    let reply = |schema: Value| document(json!({}), schema, json!({}));
    let (integer, number) = (json!({ "type": "integer" }), json!({ "type": "number" }));
    assert_eq!(compared(&body(integer.clone()), &body(number.clone())), Vec::<String>::new());
    assert_eq!(compared(&body(number.clone()), &body(integer.clone())).len(), 1);
    assert_eq!(compared(&reply(number.clone()), &reply(integer.clone())), Vec::<String>::new());
    assert_eq!(compared(&reply(integer), &reply(number)).len(), 1);
    let of = |format: &str| json!({ "type": "integer", "format": format });
    assert_eq!(compared(&body(of("int32")), &body(of("int64"))), Vec::<String>::new());
    assert_eq!(compared(&reply(of("int32")), &reply(of("int64"))).len(), 1);
}

#[test]
fn the_command_line_prints_breaks_and_fails() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let beian = |document: &Value, name: &str| {
        let file = folder.join(name);
        std::fs::write(&file, document.to_string()).unwrap();
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_beian"))
            .args(["openapi", "--against", file.to_str().unwrap()])
            .output()
            .unwrap();
        (run.status.success(), String::from_utf8(run.stdout).unwrap())
    };
    let mut document = beian::openapi::document();
    assert_eq!(beian(&document, "released-same.json"), (true, String::new()));
    document["paths"]["/v1/telegrams"]["get"] = json!({ "operationId": "listTelegrams" });
    assert_eq!(
        beian(&document, "released-other.json"),
        (false, "/v1/telegrams: the address is gone\n".to_owned())
    );
}
