//! Every operation's example executes as it stands, in a fresh demo, by the demo user that its description names.

use std::collections::BTreeSet;

use beian::auth::permissions::{OPERATIONS, Role};
use beian::demo::{self, examples};
use serde_json::Value;

use crate::document::operations;
use crate::support::TestApp;

/// Their examples cannot hold the secret that a mail or an earlier reply carries: they answer a documented refusal.
const NEEDS_A_SECRET: [&str; 5] =
    ["refreshSession", "logout", "confirmPasswordReset", "confirmContact", "issueToken"];
/// End the session or the log-in of the user whose example it is: they come last.
const LAST: [&str; 2] = ["changePassword", "disableUser"];

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

#[test]
fn every_example_executes_as_it_stands() {
    let app = TestApp::spawn_with(&[("SWAGGER_PASSWORD_LOGIN", "true")]);
    demo::store_files(&app.storage_config()).unwrap();
    demo::load_filings(&mut app.conn(), &app.clock).unwrap();
    let document = beian::openapi::document();
    let all = operations(&document);
    let mut order: Vec<&str> = examples::EXAMPLES.iter().map(|example| example.operation_id).collect();
    let named: BTreeSet<&str> = order.iter().copied().collect();
    order.extend(OPERATIONS.iter().map(|row| row.id).filter(|id| !named.contains(id) && !LAST.contains(id)));
    order.extend(LAST);
    let mut faults = Vec::new();
    for id in order {
        let (path, method, operation) =
            all.iter().find(|(_, _, operation)| operation["operationId"] == id).unwrap();
        let row = OPERATIONS.iter().find(|row| row.id == id).unwrap();
        let login = examples::find(id).map(|example| example.login).or(row
            .roles
            .iter()
            .find(|role| **role != Role::Partner)
            .map(|role| login_for(*role)));
        let mut client = login.map_or_else(|| app.anonymous(), |login| app.user(login));
        let mut address = path.clone();
        let mut query = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let Some(value) = example_of(parameter) else { continue };
            match parameter["in"].as_str().unwrap() {
                "path" => address = address.replace(&format!("{{{name}}}"), &value),
                "query" => query.push(format!("{name}={value}")),
                _ => client = client.with(name, value),
            }
        }
        assert!(!address.contains('{'), "{id}: a path parameter has no example");
        if !query.is_empty() {
            address = format!("{address}?{}", query.join("&"));
        }
        let body =
            operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().map(|name| {
                let schema =
                    &document["components"]["schemas"][name.trim_start_matches("#/components/schemas/")];
                let example = schema.get("example").or_else(|| schema["examples"].get(0));
                example.unwrap_or_else(|| panic!("{id}: no example of the body")).to_string().into_bytes()
            });
        let reply = client.send(method, &address, body);
        let is_fine = if NEEDS_A_SECRET.contains(&id) { reply.status < 500 } else { reply.status < 300 };
        if !is_fine {
            faults.push(format!(
                "{id}: {method} {address}: {} {}",
                reply.status,
                String::from_utf8_lossy(&reply.body)
            ));
        }
        // The bureau's simulator and the mails go on meanwhile, as they would.
    }
    assert!(faults.is_empty(), "{} examples fail:\n{}", faults.len(), faults.join("\n"));
    app.run_jobs();
}
