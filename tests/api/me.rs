//! The caller's own data: contacts, password, preferences.

use beian::schema::{contact_verifications, sms_messages};
use chrono::Duration;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Client, Response, TestApp};

/// The code that was sent last.
fn code(app: &TestApp) -> String {
    let id: Uuid = contact_verifications::table
        .order((contact_verifications::created_at.desc(), contact_verifications::id.desc()))
        .select(contact_verifications::id)
        .first(&mut app.conn())
        .unwrap();
    beian::auth::contact_code(id)
}

fn other_than(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

fn confirm(client: &Client, channel: &str, code: &str) -> Response {
    client.post("/v1/me/contact-verifications/confirm", json!({ "channel": channel, "code": code }))
}

#[test]
fn everybody_reads_and_changes_their_own_data() {
    let app = TestApp::spawn();
    let client = app.reviewer();
    let me = client
        .get("/v1/me")
        .expect_status(200)
        .expect("/roles", json!(["reviewer"]))
        .expect("/account_id", json!(null));
    let tag = me.header("etag").unwrap();
    client.with("If-None-Match", &*tag).get("/v1/me").expect_status(304);
    client.patch("/v1/me", json!({ "display_name": "李审核" })).expect_problem(428, "precondition_required");
    let seen = client.with("If-Match", &*tag);
    seen.patch("/v1/me", json!({ "display_name": " 李审核 ", "locale": "en" }))
        .expect_status(200)
        .expect("/display_name", "李审核")
        .expect("/locale", "en");
    seen.patch("/v1/me", json!({ "locale": "en" })).expect_problem(412, "precondition_failed");
    let faults =
        client.with("If-Match", "*").patch("/v1/me", json!({ "display_name": null, "roles": ["admin"] }));
    assert_eq!(faults.expect_status(422).faults(), ["/display_name wrong_type", "/roles unknown_field"]);
}

#[test]
fn a_new_mobile_counts_when_its_code_comes_back() {
    let app = TestApp::spawn();
    let client = app.applicant().with("If-Match", "*");
    let old = client.get("/v1/me").text("/mobile");
    let changed = client.patch("/v1/me", json!({ "mobile": "13912345678" })).expect_status(200);
    assert_eq!(changed.text("/mobile"), old);
    changed
        .expect("/pending_contacts/0/channel", "mobile")
        .expect("/pending_contacts/0/contact", "139****5678");
    app.run_jobs();
    let texts: Vec<String> = sms_messages::table.select(sms_messages::text).load(&mut app.conn()).unwrap();
    assert!(texts[0].contains(&code(&app)), "{texts:?}");
    let wrong = confirm(&client, "mobile", other_than(&code(&app))).expect_status(422);
    assert_eq!(wrong.faults(), ["/code wrong_code"]);
    confirm(&client, "email", &code(&app)).expect_problem(409, "verification_not_pending");
    confirm(&client, "mobile", &code(&app))
        .expect_status(200)
        .expect("/mobile", "139****5678")
        .expect("/pending_contacts", json!([]));
    confirm(&client, "mobile", &code(&app)).expect_problem(409, "verification_not_pending");
}

#[test]
fn five_wrong_codes_end_a_verification_and_so_does_time() {
    let app = TestApp::spawn();
    let client = app.applicant().with("If-Match", "*");
    client.patch("/v1/me", json!({ "email": "new@example.com" })).expect_status(200);
    for _ in 0..5 {
        confirm(&client, "email", other_than(&code(&app))).expect_status(422);
    }
    confirm(&client, "email", &code(&app)).expect_problem(409, "verification_not_pending");
    client.patch("/v1/me", json!({ "email": "new@example.com" })).expect_status(200);
    app.advance(Duration::minutes(15));
    confirm(&client, "email", &code(&app)).expect_problem(409, "verification_not_pending");
    app.run_jobs();
}

#[test]
fn a_new_code_ends_the_one_before_and_codes_are_not_sent_without_end() {
    let app = TestApp::spawn();
    let client = app.applicant().with("If-Match", "*");
    client.patch("/v1/me", json!({ "email": "one@example.com" })).expect_status(200);
    let first = code(&app);
    client.patch("/v1/me", json!({ "email": "two@example.com" })).expect_status(200);
    if first != code(&app) {
        confirm(&client, "email", &first).expect_status(422);
    }
    confirm(&client, "email", &code(&app)).expect_status(200).expect("/email", "t***@example.com");
    for _ in 0..3 {
        client.patch("/v1/me", json!({ "email": "three@example.com" })).expect_status(200);
    }
    client.patch("/v1/me", json!({ "email": "three@example.com" })).expect_problem(429, "too_many_requests");
    app.run_jobs();
}

#[test]
fn a_mask_or_nonsense_is_not_a_contact() {
    let app = TestApp::spawn();
    let client = app.applicant().with("If-Match", "*");
    let faults = |body| client.patch("/v1/me", body).expect_status(422).faults();
    assert_eq!(faults(json!({ "email": "z***@example.com" })), ["/email masked_value"]);
    assert_eq!(faults(json!({ "mobile": "138****8000" })), ["/mobile masked_value"]);
    assert_eq!(faults(json!({ "mobile": "12345678901" })), ["/mobile invalid_format"]);
    assert_eq!(faults(json!({ "email": "a@b@c" })), ["/email invalid_format"]);
}

#[test]
fn a_changed_password_ends_the_other_sessions() {
    let app = TestApp::spawn();
    let log_in = |password: &str| {
        let body = json!({ "login": "demo-applicant", "password": password });
        app.anonymous().post("/v1/auth/login", body)
    };
    let session = |reply: &Response| Client::new(&app.base, Some(reply.text("/access_token")));
    let (here, there) = (session(&log_in("demo-password-2026")), session(&log_in("demo-password-2026")));
    let change = |current: &str, new: &str| {
        here.post("/v1/me/password", json!({ "current_password": current, "new_password": new }))
    };
    assert_eq!(
        change("wrong", "a sentence is good").expect_status(422).faults(),
        ["/current_password wrong_password"]
    );
    assert_eq!(
        change("demo-password-2026", "short").expect_status(422).faults(),
        ["/new_password too_short"]
    );
    assert_eq!(
        change("demo-password-2026", "demo-password-2026").expect_status(422).faults(),
        ["/new_password unchanged"]
    );
    change("demo-password-2026", "a sentence is good").expect_status(204);
    here.get("/v1/me").expect_status(200);
    there.get("/v1/me").expect_problem(401, "unauthenticated");
    log_in("demo-password-2026").expect_status(401);
    log_in("a sentence is good").expect_status(200);
    app.run_jobs();
}

#[test]
fn messages_can_be_switched_off_but_not_the_bureaus_decision() {
    let app = TestApp::spawn();
    let client = app.applicant();
    let path = "/v1/me/notification-preferences";
    let all = client.get(path).expect_status(200).json();
    let items = all["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["is_enabled"] == true));
    assert!(items.iter().any(|item| item["event_type"] == "bureau.approved" && item["is_mandatory"] == true));
    let set = |items| client.put(path, json!({ "items": items }));
    let off =
        |event: &str, channel: &str| json!({ "event_type": event, "channel": channel, "is_enabled": false });
    let reply = set(json!([off("initial_review.passed", "sms")])).expect_status(200).json();
    let is_off: Vec<_> =
        reply["items"].as_array().unwrap().iter().filter(|item| item["is_enabled"] == false).collect();
    assert_eq!(is_off.len(), 1);
    let faults = set(json!([
        off("bureau.approved", "sms"),
        off("nonsense", "sms"),
        off("filing.submitted", "sms"),
        off("filing.submitted", "sms"),
    ]));
    assert_eq!(
        faults.expect_status(422).faults(),
        ["/items/0/is_enabled mandatory", "/items/1/event_type not_in_list", "/items/3 duplicate_items"]
    );
    set(json!([off("bureau.rejected", "email")])).expect_status(422);
    let reply = set(json!([])).expect_status(200).json();
    assert!(reply["items"].as_array().unwrap().iter().all(|item| item["is_enabled"] == true));
}
