//! Accounts and partners, by the admin.

use serde_json::json;

use crate::support::TestApp;

const ACCOUNT: &str = "0193a000-0000-7000-8000-000000010001";

#[test]
fn a_partners_key_for_an_account_is_its_own() {
    let app = TestApp::spawn();
    let admin = app.admin();
    let partner =
        |name: &str| admin.post("/v1/partners", json!({ "name": name })).expect_status(201).text("/id");
    let (one, two) = (partner("代理一"), partner("代理二"));
    let create = |partner: &str, reference: &str| {
        let body = json!({ "name": "客户", "partner_id": partner, "external_reference": reference });
        admin.post("/v1/accounts", body)
    };
    let account = create(&one, "C-1").expect_status(201);
    let path = format!("/v1/accounts/{}", account.text("/id"));
    assert_eq!(account.header("location").as_deref(), Some(&*path));
    let taken = create(&one, "C-1").expect_problem(409, "duplicate");
    assert_eq!(taken.faults(), ["/external_reference duplicate"]);
    let other = create(&two, "C-1").expect_status(201).text("/id");
    let nobody = create("0193a000-0000-7000-8000-000000019999", "C-2").expect_status(422);
    assert_eq!(nobody.faults(), ["/partner_id not_found"]);
    let own =
        admin.post("/v1/accounts", json!({ "name": "直客", "external_reference": "C-3" })).expect_status(422);
    assert_eq!(own.faults(), ["/external_reference needs_partner"]);
    let found =
        admin.get(&format!("/v1/accounts?partner_id={one}&external_reference=C-1")).expect_status(200);
    assert_eq!(found.at("/items").as_array().unwrap().len(), 1);
    // Null removes the key; leaving it out keeps it.
    let admin = admin.with("If-Match", "*");
    create(&two, "C-9").expect_status(201);
    let taken = admin.patch(&format!("/v1/accounts/{other}"), json!({ "external_reference": "C-9" }));
    assert_eq!(taken.expect_problem(409, "duplicate").faults(), ["/external_reference duplicate"]);
    admin.patch(&path, json!({ "name": "新名" })).expect_status(200).expect("/external_reference", "C-1");
    admin
        .patch(&path, json!({ "external_reference": null }))
        .expect_status(200)
        .expect("/external_reference", json!(null));
}

#[test]
fn disabling_an_account_ends_the_sessions_of_its_users() {
    let app = TestApp::spawn();
    let (admin, applicant, other) =
        (app.admin().with("If-Match", "*"), app.applicant(), app.other_applicant());
    applicant.get("/v1/me").expect_status(200);
    let path = format!("/v1/accounts/{ACCOUNT}");
    admin.patch(&path, json!({ "is_disabled": true })).expect_status(200).expect("/is_disabled", true);
    applicant.get("/v1/me").expect_problem(401, "unauthenticated");
    other.get("/v1/me").expect_status(200);
    let log_in = json!({ "login": "demo-applicant", "password": "demo-password-2026" });
    app.anonymous().post("/v1/auth/login", log_in.clone()).expect_problem(401, "invalid_credentials");
    let body = json!({ "login": "colleague", "display_name": "同事", "account_id": ACCOUNT, "password": "a sentence is good" });
    admin.post("/v1/users", body).expect_problem(422, "validation_failed");
    admin
        .patch(&path, json!({ "is_disabled": false }))
        .expect_status(200)
        .expect("/disabled_at", json!(null));
    applicant.get("/v1/me").expect_status(401);
    app.anonymous().post("/v1/auth/login", log_in).expect_status(200);
}

#[test]
fn an_account_is_changed_only_as_it_was_seen_and_only_by_the_admin() {
    let app = TestApp::spawn();
    let path = format!("/v1/accounts/{ACCOUNT}");
    let admin = app.admin();
    let tag = admin.get(&path).expect_status(200).header("etag").unwrap();
    admin.with("If-None-Match", &*tag).get(&path).expect_status(304);
    admin.patch(&path, json!({ "name": "新名" })).expect_problem(428, "precondition_required");
    let seen = admin.with("If-Match", tag);
    seen.patch(&path, json!({ "name": "新名" })).expect_status(200);
    seen.patch(&path, json!({ "name": "又一名" })).expect_problem(412, "precondition_failed");
    for stranger in [app.applicant(), app.reviewer(), app.user("demo-support")] {
        stranger.get(&path).expect_problem(403, "forbidden");
        stranger.get("/v1/partners").expect_problem(403, "forbidden");
    }
}

#[test]
fn a_partner_is_paused_and_goes_on() {
    let app = TestApp::spawn();
    let admin = app.admin();
    let created =
        admin.post("/v1/partners", json!({ "name": " 代理 " })).expect_status(201).expect("/name", "代理");
    let path = format!("/v1/partners/{}", created.text("/id"));
    let tag = admin.get(&path).expect_status(200).header("etag").unwrap();
    let seen = admin.with("If-Match", tag);
    seen.patch(&path, json!({ "is_paused": true })).expect_status(200).expect("/is_paused", true);
    seen.patch(&path, json!({ "is_paused": false })).expect_problem(412, "precondition_failed");
    let admin = admin.with("If-Match", "*");
    admin.patch(&path, json!({ "is_paused": false })).expect_status(200).expect("/paused_at", json!(null));
    admin.patch(&path, json!({ "name": " " })).expect_problem(422, "validation_failed");
    let all = admin.get("/v1/partners?limit=1").expect_status(200);
    assert_eq!(all.at("/items").as_array().unwrap().len(), 1);
}
