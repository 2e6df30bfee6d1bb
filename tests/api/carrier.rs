//! Parcels followed by a machine: asked for, told, repeated, forged; and by hand without a key.

use beian::filings::{Action, Side};
use chrono::Duration;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::shortcuts::{act, owner, photo_required};
use crate::support::TestApp;
use crate::support::kuaidi::{Kuaidi, push_signed};

const NUMBER: &str = "SF1234567890123";

fn spawn(kuaidi: &Kuaidi) -> TestApp {
    let settings = kuaidi.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    TestApp::spawn_with(&settings)
}

/// A shipped parcel of this account: its path and its filing.
fn shipped(app: &TestApp, account: u32, number: &str) -> (String, String) {
    let filing = photo_required(app, account);
    let order = json!({
        "recipient_name": "张三丰", "phone": "13800138000", "province_code": "110000", "city_code": "110100",
        "district_code": "110105", "street_address": "建国路 88 号 1 号楼 101 室", "postcode": "100022"
    });
    let made = owner(app, account)
        .post(&format!("/v1/filings/{filing}/backdrop-shipments"), order)
        .expect_status(201);
    let path = format!("/v1/backdrop-shipments/{}", made.text("/id"));
    app.logistics().act(&format!("{path}/pack")).expect_status(200);
    let handover = json!({ "carrier_code": "shunfeng", "tracking_number": number });
    app.logistics().post(&format!("{path}/ship"), handover).expect_status(200);
    app.run_jobs();
    (path, filing)
}

/// How often the applicant was told.
fn told(app: &TestApp, kind: &str) -> i64 {
    use beian::schema::filing_events::dsl::*;
    filing_events.filter(type_.eq(kind)).count().get_result(&mut app.conn()).unwrap()
}

fn events(app: &TestApp, path: &str) -> Vec<(String, String)> {
    let seen = app.logistics().get(path).expect_status(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = seen.at("/tracking_events");
    list.as_array().unwrap().iter().map(|event| (text(&event["status"]), text(&event["text"]))).collect()
}

#[test]
fn a_shipped_parcel_is_subscribed_and_what_the_company_tells_moves_it_once() {
    let kuaidi = Kuaidi::start();
    let app = spawn(&kuaidi);
    let (path, _) = shipped(&app, 1, NUMBER);
    let callback = format!("{}/v1/carrier-callbacks/kuaidi100", app.base);
    assert_eq!(kuaidi.subscriptions(), [(NUMBER.to_owned(), callback)]);

    let first = ("2026-03-11 12:00:00", "已揽收");
    let answer = kuaidi.push(&app.anonymous(), NUMBER, "1", &[first]).expect_status(200);
    assert_eq!(answer.json(), json!({ "result": true, "returnCode": "200", "message": "成功" }));
    app.logistics().get(&path).expect_status(200).expect("/tracker_status", "picked_up");
    let second = ("2026-03-11 18:30:00", "快件已到达【北京朝阳集散中心】");
    for _ in 0..2 {
        kuaidi.push(&app.anonymous(), NUMBER, "0", &[second, first]).expect_status(200);
    }
    let seen = app.logistics().get(&path).expect_status(200).expect("/tracker_status", "in_transit");
    seen.expect("/tracking_events/1/at", "2026-03-11T10:30:00Z")
        .expect("/tracking_events/1/place", "北京,朝阳区");
    assert_eq!(events(&app, &path).len(), 2);
    let third = ("2026-03-12 09:00:00", "已签收");
    for _ in 0..2 {
        kuaidi.push(&app.anonymous(), NUMBER, "3", &[third, second, first]).expect_status(200);
    }
    app.run_jobs();
    app.logistics()
        .get(&path)
        .expect_status(200)
        .expect("/state", "delivered")
        .expect("/tracker_status", "delivered");
    assert_eq!(told(&app, "backdrop.delivered"), 1);
    let statuses: Vec<String> = events(&app, &path).into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses, ["picked_up", "in_transit", "delivered"]);
}

#[test]
fn forged_and_unknown_pushes_change_nothing() {
    let kuaidi = Kuaidi::start();
    let app = spawn(&kuaidi);
    let (path, _) = shipped(&app, 1, NUMBER);
    let before = app.logistics().get(&path).header("etag");
    let nobody = app.anonymous();
    let param = json!({ "status": "polling", "lastResult": { "nu": NUMBER, "com": "shunfeng", "state": "3", "data": [] } });
    push_signed(&nobody, &param.to_string(), "00000000000000000000000000000000")
        .expect_problem(403, "forbidden");
    push_signed(&nobody, &param.to_string(), "").expect_problem(403, "forbidden");
    nobody.post("/v1/carrier-callbacks/kuaidi100", json!({})).expect_problem(403, "forbidden");
    kuaidi.push(&nobody, "SF0000000000000", "3", &[("2026-03-12 09:00:00", "已签收")]).expect_status(200);
    assert_eq!(app.logistics().get(&path).header("etag"), before);
    // Another company's number.
    kuaidi.push(&nobody, "x", "3", &[]).expect_status(200);
    let without = TestApp::spawn();
    kuaidi.push(&without.anonymous(), NUMBER, "3", &[]).expect_problem(404, "not_found");
}

#[test]
fn a_silent_parcel_is_asked_about_and_a_return_moves_it_as_a_person_would() {
    let kuaidi = Kuaidi::start();
    let app = spawn(&kuaidi);
    let (path, filing) = shipped(&app, 1, NUMBER);
    let (quiet, _) = shipped(&app, 2, "SF9999999999999");
    app.schedule_periodic();
    app.advance(Duration::hours(5));
    app.run_jobs();
    assert_eq!(kuaidi.queries(), Vec::<String>::new(), "subscribed a moment ago");
    kuaidi.knows(NUMBER, "6", &[("2026-03-11 14:00:00", "拒收，退回中")]);
    app.advance(Duration::hours(2));
    app.run_jobs();
    assert_eq!(kuaidi.queries().len(), 2);
    app.logistics()
        .get(&path)
        .expect_status(200)
        .expect("/state", "shipped")
        .expect("/tracker_status", "returning");
    app.logistics().get(&quiet).expect_status(200).expect("/tracker_status", "pending");
    kuaidi.knows(
        NUMBER,
        "14",
        &[("2026-03-12 08:00:00", "已退回寄件人"), ("2026-03-11 14:00:00", "拒收，退回中")],
    );
    app.advance(Duration::hours(7));
    app.run_jobs();
    app.run_jobs();
    app.logistics()
        .get(&path)
        .expect_status(200)
        .expect("/state", "returned")
        .expect("/tracker_status", "returned");
    assert_eq!(told(&app, "backdrop.returned"), 1);
    let asked = kuaidi.queries().iter().filter(|number| *number == NUMBER).count();
    app.advance(Duration::hours(7));
    app.run_jobs();
    assert_eq!(
        kuaidi.queries().iter().filter(|number| *number == NUMBER).count(),
        asked,
        "its journey is over"
    );
    // The recipient is to blame as far as anybody knows: the next one is charged.
    let order = json!({
        "recipient_name": "张三丰", "phone": "13800138000", "province_code": "110000", "city_code": "110100",
        "district_code": "110105", "street_address": "建国路 88 号", "postcode": null
    });
    owner(&app, 1)
        .post(&format!("/v1/filings/{filing}/backdrop-shipments"), order)
        .expect_status(201)
        .expect("/charged_to", "applicant");
    app.run_jobs();
}

#[test]
fn a_corrected_number_is_subscribed_anew_and_the_old_one_no_longer_counts() {
    let kuaidi = Kuaidi::start();
    let app = spawn(&kuaidi);
    let (path, _) = shipped(&app, 1, NUMBER);
    let right = json!({ "tracking_number": "SF1111111111111" });
    app.logistics().with("If-Match", "*").patch(&path, right).expect_status(200);
    app.run_jobs();
    let numbers: Vec<String> = kuaidi.subscriptions().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [NUMBER, "SF1111111111111"]);
    kuaidi.push(&app.anonymous(), NUMBER, "3", &[("2026-03-12 09:00:00", "已签收")]).expect_status(200);
    app.logistics().get(&path).expect_status(200).expect("/state", "shipped");
    kuaidi
        .push(&app.anonymous(), "SF1111111111111", "3", &[("2026-03-12 09:00:00", "已签收")])
        .expect_status(200);
    app.logistics().get(&path).expect_status(200).expect("/state", "delivered");
    app.run_jobs();
}

#[test]
fn a_service_that_refuses_is_asked_again_later_and_hands_still_work() {
    let kuaidi = Kuaidi::start();
    let app = spawn(&kuaidi);
    kuaidi.refuses(Some(json!({ "result": false, "returnCode": "601", "message": "POLL:KEY已过期" })));
    let (path, filing) = shipped(&app, 1, NUMBER);
    let event = json!({ "at": app.now(), "raw_code": "1", "text": "已揽收", "place": "北京" });
    app.logistics().post(&format!("{path}/tracking-events"), event).expect_status(200);
    kuaidi.refuses(None);
    app.advance(Duration::minutes(1));
    app.run_jobs();
    assert_eq!(kuaidi.subscriptions().len(), 2, "the first one was refused");
    // A push after the end of the journey is kept and moves nothing.
    app.logistics().act(&format!("{path}/mark-delivered")).expect_status(200);
    kuaidi.push(&app.anonymous(), NUMBER, "4", &[("2026-03-12 09:00:00", "退签")]).expect_status(200);
    app.logistics().get(&path).expect_status(200).expect("/state", "delivered");
    act(&app, &filing, Action::Withdraw, Side::Owner);
    app.run_jobs();
}

#[test]
fn without_a_key_nothing_is_asked_and_logistics_enters_events_by_hand() {
    let app = TestApp::spawn();
    let (path, _) = shipped(&app, 1, NUMBER);
    app.schedule_periodic();
    app.advance(Duration::hours(8));
    app.run_jobs();
    app.logistics()
        .get(&path)
        .expect_status(200)
        .expect("/state", "shipped")
        .expect("/tracker_status", "pending");
    app.logistics().act(&format!("{path}/mark-delivered")).expect_status(200);
    app.run_jobs();
}
