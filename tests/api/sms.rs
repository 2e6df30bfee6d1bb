//! The two carriers of SMS, against servers that check every byte they get; and their delivery receipts.

use beian::external::sms::jdcloud_signature::{Algorithm, Unsigned, authorization, content_sha256};
use beian::schema::notifications as rows;
use chrono::Duration;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::support::http_server::{HttpServer, Request};
use crate::support::office::Office;

const TEMPLATES: &str = r#"{"bureau.approved": {"template_id": "T1", "params": ["order_no", "website_name"]},
    "bureau.rejected": {"template_id": "T2", "params": ["order_no"]},
    "filing.submitted": {"template_id": "T3", "params": ["order_no", "due_at"]},
    "filing.submitted@en": {"template_id": "T4", "params": ["due_at"]},
    "account.contact_code": {"template_id": "T5", "params": ["code", "valid_minutes"]}}"#;

/// What the record says of the one SMS: state, error, provider, number, recipient, receipt, its code.
type Record =
    (String, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

fn record(office: &Office, event: &str) -> Record {
    rows::table
        .filter(rows::channel.eq("sms"))
        .filter(rows::event_type.eq(event))
        .select((
            rows::state,
            rows::last_error,
            rows::provider,
            rows::provider_reference,
            rows::recipient_masked,
            rows::receipt,
            rows::receipt_code,
        ))
        .first(&mut office.app.conn())
        .unwrap()
}

fn open(server: &HttpServer) -> Office {
    Office::open_with(&[
        ("SMS_PROVIDER", "jdcloud"),
        ("JDCLOUD_ACCESS_KEY_ID", "JDC_1"),
        ("JDCLOUD_SECRET_ACCESS_KEY", "sk-秘密"),
        ("JDCLOUD_SMS_SIGN_ID", "S1"),
        ("JDCLOUD_SMS_ENDPOINT", &server.url()),
        ("JDCLOUD_SMS_TEMPLATES", TEMPLATES),
    ])
}

/// Fails unless the request is signed for this path, region and time.
fn check_signature(request: &Request, host: &str, path: &str, date: &str) {
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", path));
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("host"), host);
    assert_eq!(request.header("x-jdcloud-date"), date);
    assert_eq!(request.header("x-jdcloud-content-sha256"), content_sha256(request.body.as_bytes()));
    let unsigned = Unsigned {
        host,
        path,
        region: "cn-north-1",
        date,
        nonce: request.header("x-jdcloud-nonce"),
        body: request.body.as_bytes(),
    };
    let expected = authorization(Algorithm::V2, &unsigned, "JDC_1", "sk-秘密");
    assert_eq!(request.header("authorization"), expected);
}

fn taken(number: &str) -> (u16, String) {
    (200, json!({ "requestId": "r", "result": { "status": true, "code": "200", "data": { "sequenceNumber": number } } }).to_string())
}

fn report(status: Value, code: &str) -> (u16, String) {
    let part = json!({ "phoneNum": "13800138001", "sequenceNumber": "seq-1", "status": status, "code": code, "splitNum": 1 });
    (200, json!({ "requestId": "r", "result": { "status": true, "data": [part] } }).to_string())
}

#[test]
fn jd_cloud_gets_a_signed_template_and_is_asked_for_the_receipt() {
    let server = HttpServer::start(|_| taken("seq-1"));
    let office = open(&server);
    office.record("filing.submitted", "initial_review", json!({}));
    office.app.run_jobs();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let (host, path) = (server.host(), "/v1/regions/cn-north-1/batchSend");
    check_signature(&requests[0], &host, path, "20260311T020000Z");
    let mobile = "13800138001";
    let body = r#"{"regionId":"cn-north-1","templateId":"T3","signId":"S1","phoneList":["#.to_owned()
        + &format!(r#""{mobile}"],"params":["BA-2026-990123","2026年3月11日 24:00（北京时间）"]}}"#);
    assert_eq!(requests[0].body, body);
    let (state, error, provider, reference, recipient, receipt, _) = record(&office, "filing.submitted");
    assert_eq!((state.as_str(), error, provider.as_deref()), ("sent", None, Some("jdcloud")));
    assert_eq!(reference.as_deref(), Some("seq-1"));
    assert_eq!((recipient.as_deref(), receipt.as_deref()), (Some("138****8001"), Some("pending")));

    // Not known yet after a minute, delivered some minutes later.
    server.answer(|_| report(json!(0), ""));
    office.app.run_jobs();
    assert_eq!(server.requests().len(), 1, "not before its time");
    office.app.advance(Duration::minutes(1));
    office.app.run_jobs();
    assert_eq!(record(&office, "filing.submitted").5.as_deref(), Some("pending"));
    server.answer(|_| report(json!(1), "DELIVRD"));
    office.app.advance(Duration::minutes(4));
    office.app.run_jobs();
    let requests = server.requests();
    let path = "/v1/regions/cn-north-1/statusReport";
    check_signature(&requests[1], &host, path, "20260311T020100Z");
    check_signature(&requests[2], &host, path, "20260311T020500Z");
    assert_eq!(
        requests[2].body,
        r#"{"regionId":"cn-north-1","sequenceNumber":"seq-1","phoneList":["13800138001"]}"#
    );
    let nonces: std::collections::BTreeSet<_> =
        requests.iter().map(|request| request.header("x-jdcloud-nonce").to_owned()).collect();
    assert_eq!(nonces.len(), 3, "a nonce is never used twice");
    let (.., receipt, code) = record(&office, "filing.submitted");
    assert_eq!((receipt.as_deref(), code.as_deref()), (Some("delivered"), Some("DELIVRD")));
    office.app.advance(Duration::days(4));
    office.app.run_jobs();
    assert_eq!(server.requests().len(), 3, "nobody is asked again");
}

#[test]
fn an_undelivered_sms_says_so_and_a_silent_network_is_asked_for_three_days() {
    let server = HttpServer::start(|_| taken("seq-1"));
    let office = open(&server);
    office.set_user("locale = 'en'");
    office.record("filing.submitted", "initial_review", json!({}));
    office.record("bureau.rejected", "bureau_rejected", json!({}));
    office.app.run_jobs();
    let sent: Vec<Value> =
        server.requests().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    let templates: Vec<_> = sent.iter().map(|body| body["templateId"].as_str().unwrap()).collect();
    assert_eq!(templates, ["T4", "T2"], "its own language where there is one");
    server.answer(|_| report(json!(2), "UNDELIV"));
    office.app.advance(Duration::minutes(1));
    office.app.run_jobs();
    for event in ["filing.submitted", "bureau.rejected"] {
        let (state, .., receipt, code) = record(&office, event);
        assert_eq!(state, "sent");
        assert_eq!((receipt.as_deref(), code.as_deref()), (Some("undelivered"), Some("UNDELIV")));
    }

    server.answer(|_| taken("seq-2"));
    office.record("bureau.approved", "approved", json!({}));
    office.app.run_jobs();
    let asked = server.requests().len();
    server.answer(|_| (200, json!({ "result": { "status": true, "data": null } }).to_string()));
    for _ in 0..90 {
        office.app.advance(Duration::hours(1));
        office.app.run_jobs();
    }
    assert_eq!(server.requests().len() - asked, 8);
    assert_eq!(record(&office, "bureau.approved").5.as_deref(), Some("unknown"));
}

#[test]
fn a_provider_that_is_away_is_asked_again_until_four_days_have_gone() {
    let server = HttpServer::start(|_| taken("seq-1"));
    let office = open(&server);
    office.record("bureau.approved", "approved", json!({}));
    office.app.run_jobs();
    server.answer(|_| (500, String::new()));
    for _ in 0..12 {
        office.app.advance(Duration::minutes(10));
        office.app.run_jobs();
    }
    assert_eq!(server.requests().len(), 13);
    server.answer(|_| report(json!(1), "DELIVRD"));
    office.app.advance(Duration::minutes(10));
    office.app.run_jobs();
    assert_eq!(record(&office, "bureau.approved").5.as_deref(), Some("delivered"));

    server.answer(|_| taken("seq-2"));
    office.record("bureau.rejected", "bureau_rejected", json!({}));
    office.app.run_jobs();
    server.answer(|_| (403, String::new()));
    for _ in 0..100 {
        office.app.advance(Duration::hours(1));
        office.app.run_jobs();
    }
    assert_eq!(record(&office, "bureau.rejected").5.as_deref(), Some("unknown"));
}

#[test]
fn what_has_no_template_is_not_sent_and_a_refusal_names_no_number() {
    let server = HttpServer::start(|_| {
        (
            200,
            json!({ "result": { "status": false, "code": "1007", "message": "13800138001 blocked" } })
                .to_string(),
        )
    });
    let mut office = open(&server);
    office.app.may_leave_jobs();
    office.record("filing.withdrawn", "draft", json!({}));
    office.app.run_jobs();
    let (state, error, ..) = record(&office, "filing.withdrawn");
    assert_eq!((state.as_str(), error.as_deref()), ("suppressed", Some("no_template")));
    assert!(server.requests().is_empty());
    office.record("bureau.approved", "approved", json!({}));
    office.app.run_jobs();
    let (state, error, ..) = record(&office, "bureau.approved");
    assert_eq!((state.as_str(), error.as_deref()), ("dead", Some("refused for good: JD Cloud: code 1007")));
}

#[test]
fn a_code_goes_by_its_own_template() {
    let server = HttpServer::start(|_| taken("seq-1"));
    let office = open(&server);
    let applicant = office.app.applicant().with("If-Match", "*");
    applicant.patch("/v1/me", json!({ "mobile": "13912345678" })).expect_status(200);
    office.app.run_jobs();
    let body: Value = serde_json::from_str(&server.requests()[0].body).unwrap();
    assert_eq!((&body["templateId"], &body["phoneList"]), (&json!("T5"), &json!(["13912345678"])));
    let code = body["params"][0].as_str().unwrap().to_owned();
    assert_eq!(body["params"][1], "15");
    let body = json!({ "channel": "mobile", "code": code });
    applicant.post("/v1/me/contact-verifications/confirm", body).expect_status(200);
}

fn gateway(server: &HttpServer, settings: &[(&str, &str)]) -> Office {
    let url = format!("{}/sms/{{{{ template|urlencode }}}}?uid={{{{ id }}}}", server.url());
    let mut all = vec![
        ("SMS_PROVIDER", "http"),
        ("SMS_HTTP_URL", url.as_str()),
        ("SMS_HTTP_HEADERS", r#"{"X-Api-Key": "{{ secret }}"}"#),
        (
            "SMS_HTTP_BODY",
            r#"{"mobile":{{ to|tojson }},"text":{{ text|tojson }},"no":{{ vars.order_no|tojson }}}"#,
        ),
        ("SMS_HTTP_SECRET", "k3y"),
        ("SMS_HTTP_SUCCESS", "json.code == 0"),
        ("SMS_HTTP_REFERENCE", "json.sid"),
        ("SMS_RECEIPT_SECRET", "a-shared-secret-0123"),
    ];
    all.extend(settings);
    Office::open_with(&all)
}

fn receipt(reference: &str, state: &str, code: &str) -> Value {
    json!({ "receipts": [{ "reference": reference, "state": state, "code": code }] })
}

#[test]
fn any_gateway_gets_what_its_template_says_and_tells_receipts() {
    let server = HttpServer::start(|_| (200, r#"{"code":0,"sid":4711}"#.to_owned()));
    let office = gateway(&server, &[]);
    office.record("filing.submitted", "initial_review", json!({}));
    office.app.run_jobs();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let (state, _, provider, reference, recipient, pending, _) = record(&office, "filing.submitted");
    assert_eq!(
        (state.as_str(), provider.as_deref(), reference.as_deref()),
        ("sent", Some("http"), Some("4711"))
    );
    assert_eq!((recipient.as_deref(), pending.as_deref()), (Some("138****8001"), Some("pending")));
    let id: uuid::Uuid =
        rows::table.filter(rows::channel.eq("sms")).select(rows::id).first(&mut office.app.conn()).unwrap();
    assert_eq!(requests[0].target, format!("/sms/filing.submitted?uid={id}"));
    assert_eq!(requests[0].header("x-api-key"), "k3y");
    let body: Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!((&body["mobile"], &body["no"]), (&json!("13800138001"), &json!("BA-2026-990123")));
    assert!(body["text"].as_str().unwrap().starts_with("【示例云】"));

    let nobody = office.app.anonymous();
    let told = receipt("4711", "undelivered", "UNDELIV");
    nobody.post("/v1/sms-receipts", told.clone()).expect_problem(401, "invalid_client");
    let liar = nobody.with("X-Receipt-Secret", "a-shared-secret-0124");
    liar.post("/v1/sms-receipts", told.clone()).expect_problem(401, "invalid_client");
    assert_eq!(record(&office, "filing.submitted").5.as_deref(), Some("pending"));
    let gateway = nobody.with("X-Receipt-Secret", "a-shared-secret-0123");
    let done = gateway.post("/v1/sms-receipts", told.clone()).expect_status(200);
    done.expect("/recorded_count", 1).expect("/repeated_count", 0).expect("/unknown_count", 0);
    gateway.post("/v1/sms-receipts", told).expect_status(200).expect("/repeated_count", 1);
    // By the id that we sent along; and the first one stays.
    let other = receipt(&id.to_string(), "delivered", "");
    gateway.post("/v1/sms-receipts", other).expect_status(200).expect("/repeated_count", 1);
    let (.., state, code) = record(&office, "filing.submitted");
    assert_eq!((state.as_deref(), code.as_deref()), (Some("undelivered"), Some("UNDELIV")));
    gateway
        .post("/v1/sms-receipts", receipt("4712", "delivered", ""))
        .expect_status(200)
        .expect("/unknown_count", 1);
    let faults =
        gateway.post("/v1/sms-receipts", receipt("", "lost", "no such <user>")).expect_status(422).faults();
    assert_eq!(
        faults,
        [
            "/receipts/0/code invalid_format",
            "/receipts/0/reference too_short",
            "/receipts/0/state not_in_list"
        ]
    );
}

#[test]
fn without_a_shared_secret_nobody_tells_receipts() {
    let office = Office::open();
    let client = office.app.anonymous();
    let told = receipt("4711", "delivered", "");
    client.post("/v1/sms-receipts", told.clone()).expect_problem(401, "invalid_client");
    client.with("X-Receipt-Secret", "").post("/v1/sms-receipts", told).expect_problem(401, "invalid_client");
}

#[test]
fn a_gateway_that_is_down_is_asked_again_with_the_same_id() {
    let server = HttpServer::start(|_| (503, String::new()));
    let office = gateway(&server, &[]);
    office.record("filing.submitted", "initial_review", json!({}));
    office.app.run_jobs();
    let (state, error, ..) = record(&office, "filing.submitted");
    assert_eq!((state.as_str(), error.as_deref()), ("failed", Some("the channel does not work: HTTP 503")));
    server.answer(|_| (200, r#"{"code":0}"#.to_owned()));
    office.app.advance(Duration::minutes(2));
    office.app.run_jobs();
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].target, requests[1].target);
    let (state, _, _, reference, ..) = record(&office, "filing.submitted");
    assert_eq!(state, "sent");
    assert!(requests[0].target.ends_with(&reference.unwrap()), "without a number of its own, ours counts");
}
