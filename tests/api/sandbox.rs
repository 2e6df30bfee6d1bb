//! In embedded mode a partner's program walks every branch alone: words in the remark steer simulated people.

use std::collections::BTreeSet;

use chrono::Duration;
use serde_json::{Value, json};

use crate::support::files::{jpeg, submit_photo};
use crate::support::{Client, Response, TestApp};

/// Website of the n-th demo customer; the demo partner acts for 27, 28 and 32.
fn website(number: u32) -> String {
    format!("0193a000-0000-7000-8000-000000014{number:03}")
}

fn path(id: &str) -> String {
    format!("/v1/filings/{id}")
}

fn tagged(client: &Client, id: &str) -> Client {
    client.with("If-Match", client.get(&path(id)).expect_status(200).header("etag").unwrap())
}

/// Submits as a program does.
fn submit(app: &TestApp, client: &Client, id: &str) -> Response {
    let mut acceptance = app.make().acceptance();
    acceptance["accepted_by_name"] = json!("王五");
    tagged(client, id).post(&format!("{}/submit", path(id)), acceptance).expect_status(200)
}

/// A submitted filing of the demo partner with this content.
fn submitted(app: &TestApp, number: u32, content: Value) -> String {
    let partner = app.partner();
    let body = json!({ "kind": "website_change", "website_id": website(number) });
    let id = partner.post("/v1/filings", body).expect_status(201).text("/id");
    tagged(&partner, &id).patch(&path(&id), json!({ "website": content })).expect_status(200);
    submit(app, &partner, &id);
    id
}

fn remark(words: &str) -> Value {
    json!({ "remark": format!("更新，{words}") })
}

/// Lets the simulated people and the bureau look round.
fn wait(app: &TestApp) {
    app.run_jobs();
    app.advance(Duration::seconds(3));
    app.schedule_periodic();
    app.run_jobs();
}

fn status(app: &TestApp, id: &str) -> String {
    app.partner().get(&path(id)).expect_status(200).text("/status")
}

/// Waits until the filing is there.
#[track_caller]
fn reaches(app: &TestApp, id: &str, wanted: &str) {
    for _ in 0..20 {
        if status(app, id) == wanted {
            return;
        }
        wait(app);
    }
    assert_eq!(status(app, id), wanted);
}

#[track_caller]
fn parcel_reaches(app: &TestApp, id: &str, wanted: &str) -> Response {
    for _ in 0..20 {
        let list = app.partner().get(&format!("{}/backdrop-shipments", path(id))).expect_status(200);
        if list.text("/items/0/state") == wanted {
            return list;
        }
        wait(app);
    }
    panic!("the parcel of {id} does not become {wanted}");
}

fn order_backdrop(app: &TestApp, id: &str) {
    let body = json!({
        "recipient_name": "王五", "phone": "13800138000", "province_code": "110000", "city_code": "110100",
        "district_code": "110105", "street_address": "建国路 88 号 1 号楼 101 室", "postcode": null
    });
    app.partner().post(&format!("{}/backdrop-shipments", path(id)), body).expect_status(201);
}

#[test]
fn a_program_takes_a_filing_to_the_approval_alone() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let id = submitted(&app, 27, remark("sim:review sim:parcel-delivered sim:photo-pass"));
    reaches(&app, &id, "photo_required");
    order_backdrop(&app, &id);
    let parcel = parcel_reaches(&app, &id, "delivered");
    assert!(parcel.json().to_string().contains("SIM-DELIVERED-"), "{}", parcel.json());
    assert_eq!(tracked(&parcel), ["picked_up", "in_transit", "out_for_delivery", "delivered"]);
    parcel.expect("/items/0/tracker_status", "delivered");
    // Nobody is on this picture.
    submit_photo(&partner, &id, &jpeg(600, 800, 1), "image/jpeg");
    reaches(&app, &id, "approved");
    // The simulated people stand in the timeline as people do.
    let events = partner.get(&format!("{}/events?limit=100", path(&id))).expect_status(200);
    let told: Vec<(String, String)> = events
        .at("/items")
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            (event["type"].as_str().unwrap().to_owned(), event["actor_role"].as_str().unwrap().to_owned())
        })
        .collect();
    for wanted in [
        ("initial_review.passed", "senior_reviewer"),
        ("backdrop.shipped", "logistics"),
        ("photo.passed", "senior_reviewer"),
    ] {
        assert!(
            told.iter().any(|(kind, role)| (kind.as_str(), role.as_str()) == wanted),
            "{wanted:?}: {told:?}"
        );
    }
    let audit = app.user("demo-auditor").get(&format!("/v1/audit-events?filing_id={id}&limit=100"));
    assert!(audit.expect_status(200).json().to_string().contains("review.claimed"));
}

#[test]
fn a_rejection_and_a_photo_that_is_refused_come_with_their_reasons() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let id = submitted(&app, 27, remark("sim:review-reject"));
    reaches(&app, &id, "initial_rejected");
    let refused = partner.get(&path(&id)).expect_status(200);
    let refused = refused.expect("/rejection/items/0/code", "SITE_NAME_INVALID");
    refused
        .expect("/rejection/items/0/pointer", "/website/name")
        .expect("/rejection/source", "initial_review");
    // The next round with other words: the program's check finds no face, then lets it pass, and the reviewer refuses it.
    let change =
        json!({ "website": { "name": "山间书屋之家", "remark": "sim:photo-reject sim:photo-fail" } });
    tagged(&partner, &id).patch(&path(&id), change).expect_status(200);
    submit(&app, &partner, &id);
    reaches(&app, &id, "photo_required");
    let photo = submit_photo(&partner, &id, &jpeg(600, 800, 1), "image/jpeg");
    app.run_jobs();
    let seen = partner.get(&format!("/v1/photo-verifications/{photo}")).expect_status(200);
    let seen = seen.expect("/state", "precheck_failed");
    let found = seen.at("/findings");
    let codes = found.as_array().unwrap().iter().filter(|finding| finding["code"] == "PHOTO_NO_FACE");
    assert_eq!(codes.count(), 1, "nobody is on this picture anyway, and that is said once: {found}");
}

#[test]
fn the_reviewer_refuses_the_photo() {
    let app = TestApp::spawn();
    // Nobody is on the picture, and no other word lets it through.
    let id = submitted(&app, 28, remark("sim:photo-reject"));
    reaches(&app, &id, "photo_required");
    submit_photo(&app.partner(), &id, &jpeg(600, 800, 1), "image/jpeg");
    reaches(&app, &id, "photo_rejected");
    let refused = app.partner().get(&path(&id)).expect_status(200);
    refused.expect("/rejection/items/0/code", "PHOTO_NOT_PERSON");
}

#[test]
fn parcels_come_back_or_are_lost() {
    let app = TestApp::spawn();
    let returned = submitted(&app, 27, remark("sim:review sim:parcel-returned"));
    let lost = submitted(&app, 28, remark("sim:review sim:parcel-lost"));
    for id in [&returned, &lost] {
        reaches(&app, id, "photo_required");
        order_backdrop(&app, id);
    }
    let parcel = parcel_reaches(&app, &returned, "returned");
    assert_eq!(tracked(&parcel), ["picked_up", "in_transit", "exception", "returning", "returned"]);
    let parcel = parcel_reaches(&app, &lost, "lost");
    assert_eq!(tracked(&parcel), ["picked_up", "in_transit", "exception", "exception"]);
}

/// What the courier has reported of the first parcel.
fn tracked(parcels: &Response) -> Vec<String> {
    let events = parcels.at("/items/0/tracking_events");
    events.as_array().unwrap().iter().map(|event| event["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_refusal_of_the_whole_website_leaves_every_field_to_be_mended() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let id = submitted(&app, 27, remark("sim:review sim:photo-pass sim:bureau-reject:1999"));
    reaches(&app, &id, "photo_required");
    submit_photo(&partner, &id, &jpeg(600, 800, 1), "image/jpeg");
    reaches(&app, &id, "bureau_rejected");
    let refused = partner.get(&path(&id)).expect_status(200).expect("/rejection/items/0/pointer", "/website");
    let form = partner.get("/v1/filing-kinds/website_change").expect_status(200).at("/sections");
    let fields: BTreeSet<String> = form
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|section| section["fields"].as_array().unwrap())
        .map(|field| field["pointer"].as_str().unwrap().to_owned())
        .collect();
    let editable = refused.at("/editable_fields");
    let editable = editable.as_array().unwrap().iter().map(|pointer| pointer.as_str().unwrap().to_owned());
    assert_eq!(editable.collect::<BTreeSet<_>>(), fields);
    let check = || partner.post(&format!("{}/check", path(&id)), json!({})).expect_status(200);
    assert!(check().json().to_string().contains("item_not_answered"));
    // Any of them answers the item.
    tagged(&partner, &id)
        .patch(&path(&id), json!({ "website": { "name": "山间书屋之家" } }))
        .expect_status(200);
    check().expect("/can_submit", true);
}

#[test]
fn a_word_that_is_misspelt_is_told_by_the_check() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let body = json!({ "kind": "website_change", "website_id": website(27) });
    let id = partner.post("/v1/filings", body).expect_status(201).text("/id");
    let check = |remark: &str| {
        tagged(&partner, &id)
            .patch(&path(&id), json!({ "website": { "remark": remark } }))
            .expect_status(200);
        let partner = partner.with("Accept-Language", "en");
        partner.post(&format!("{}/check", path(&id)), json!({})).expect_status(200)
    };
    let checked = check("更名，sim:reveiw sim:photo-pass，sim:bureau-reject:1001");
    let words: Vec<Value> = checked
        .at("/findings")
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["code"] == "sandbox_word_unknown")
        .cloned()
        .collect();
    assert_eq!(words.len(), 2, "{}", checked.json());
    assert_eq!(words[0]["pointer"], "/website/remark");
    assert_eq!(words[0]["severity"], "warning");
    assert!(words[0]["message"].as_str().unwrap().contains("\"sim:reveiw\""), "{}", words[0]);
    checked.expect("/can_submit", true);
    let known = check("更名，sim:review sim:photo-pass，sim:bureau-reject:1041 sim:sms-fail");
    assert!(!known.json().to_string().contains("sandbox_word_unknown"), "{}", known.json());

    // So does the check of a batch.
    let row = json!({ "kind": "website_change", "website_id": website(28),
        "website": { "remark": "sim:reveiw" } });
    let batch = partner.post("/v1/filing-batches", json!({ "filings": [row] })).expect_status(202);
    app.run_jobs();
    let batch = partner.get(&format!("/v1/filing-batches/{}", batch.text("/id"))).expect_status(200);
    assert!(batch.at("/rows/0/check").to_string().contains("sandbox_word_unknown"), "{}", batch.json());
}

#[test]
fn the_bureau_refuses_with_the_code_that_is_asked_for() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let id = submitted(&app, 27, remark("sim:review sim:photo-pass sim:bureau-reject:1041"));
    reaches(&app, &id, "photo_required");
    submit_photo(&partner, &id, &jpeg(600, 800, 1), "image/jpeg");
    reaches(&app, &id, "bureau_rejected");
    let refused = partner.get(&path(&id)).expect_status(200).expect("/bureau/result_code", "1041");
    refused.expect("/rejection/items/0/pointer", "/website/home_url");
}

#[test]
fn without_a_word_everything_waits_for_people() {
    let app = TestApp::spawn();
    let id = submitted(&app, 27, remark("sim:offline，reviewed by sim"));
    for _ in 0..5 {
        wait(&app);
    }
    assert_eq!(status(&app, &id), "initial_review");
}

/// Settings of a server that runs outside embedded mode.
const EXTERNAL: &[(&str, &str)] = &[
    ("DATABASE_URL", "postgres://beian@localhost/beian"),
    ("S3_BUCKET", "beian"),
    ("S3_ENDPOINT", "http://localhost:9000"),
    ("S3_ACCESS_KEY_ID", "key"),
    ("S3_SECRET_ACCESS_KEY", "secret"),
    ("JWT_KEYS", "test:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="),
    ("PII_KEYS", "1:CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg="),
    ("PII_HASH_KEY", "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk="),
    ("SMTP_URL", "smtp://127.0.0.1:9"),
    ("MAIL_FROM", "icp@example.com"),
    ("PUBLIC_URL", "http://localhost"),
];

#[test]
fn outside_embedded_mode_the_words_are_nothing_but_words() {
    let mut app = TestApp::spawn_with(EXTERNAL);
    // Nobody takes the mails.
    app.may_leave_jobs();
    assert_eq!(app.app.config.mode, beian::config::Mode::External);
    let words = "sim:review sim:photo-pass sim:parcel-delivered sim:bureau-reject:1041 sim:reveiw";
    let id = submitted(&app, 27, remark(words));
    let checked = app.partner().post(&format!("{}/check", path(&id)), json!({})).expect_status(200);
    assert!(!checked.json().to_string().contains("sandbox"), "{}", checked.json());
    for _ in 0..5 {
        wait(&app);
    }
    assert_eq!(status(&app, &id), "initial_review");
    let jobs: Vec<String> = {
        use beian::schema::jobs;
        use diesel::prelude::*;
        jobs::table.select(jobs::kind).load(&mut app.conn()).unwrap()
    };
    assert!(jobs.iter().any(|kind| kind == "filings.remind"), "the periodic jobs are there: {jobs:?}");
    assert!(!jobs.iter().any(|kind| kind.starts_with("sandbox")), "{jobs:?}");

    // A person passes the review; the check of the photo looks at the photo.
    let review = app.reviewer().post("/v1/reviews/claim-next", json!({})).expect_status(200).text("/id");
    let checklist: Vec<String> = {
        let seen = app.reviewer().get(&format!("/v1/reviews/{review}")).expect_status(200).at("/checklist");
        seen.as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap().to_owned()).collect()
    };
    app.reviewer()
        .post(&format!("/v1/reviews/{review}/approve"), json!({ "checklist": checklist }))
        .expect_status(200);
    assert_eq!(status(&app, &id), "photo_required");
    order_backdrop(&app, &id);
    let photo = submit_photo(&app.partner(), &id, &jpeg(600, 800, 1), "image/jpeg");
    wait(&app);
    let seen = app.partner().get(&format!("/v1/photo-verifications/{photo}")).expect_status(200);
    seen.expect("/state", "precheck_failed");
    let list = app.partner().get(&format!("{}/backdrop-shipments", path(&id))).expect_status(200);
    list.expect("/items/0/state", "requested");
}
