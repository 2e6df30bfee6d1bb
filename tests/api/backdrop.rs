//! The backdrop: seed pictures 12 to 16, and what goes wrong with parcels.

use beian::filings::{Action, Side};
use chrono::Duration;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::shortcuts::{act, owner, photo_required, submitted};
use crate::support::TestApp;

fn order() -> Value {
    json!({
        "recipient_name": "张三丰", "phone": "13800138000", "province_code": "110000", "city_code": "110100",
        "district_code": "110105", "street_address": "建国路 88 号 1 号楼 101 室", "postcode": "100022"
    })
}

fn handover() -> Value {
    json!({ "carrier_code": "shunfeng", "tracking_number": "SF1234567890123" })
}

/// Orders a backdrop for the filing; its path.
fn ordered(app: &TestApp, account: u32, filing: &str) -> String {
    let made = owner(app, account)
        .post(&format!("/v1/filings/{filing}/backdrop-shipments"), order())
        .expect_status(201);
    app.run_jobs();
    format!("/v1/backdrop-shipments/{}", made.text("/id"))
}

fn shipped(app: &TestApp, path: &str) {
    app.logistics().act(&format!("{path}/pack")).expect_status(200);
    app.logistics().post(&format!("{path}/ship"), handover()).expect_status(200);
    app.run_jobs();
}

#[test]
fn pictures_12_to_16_a_backdrop_is_ordered_shipped_and_arrives() {
    let app = TestApp::spawn();
    let filing = photo_required(&app, 1);
    let list = format!("/v1/filings/{filing}/backdrop-shipments");
    let made = app.applicant().post(&list, order()).expect_status(201);
    made.expect("/state", "requested").expect("/charged_to", "provider").expect("/region", "北京市 朝阳区");
    let path = ordered_path(&app, &filing);

    // Nobody sees more than the mask, logistics included, until the label is printed.
    for client in [app.applicant(), app.logistics()] {
        let text = String::from_utf8(client.get(&path).expect_status(200).body).unwrap();
        assert!(
            !text.contains("13800138000") && !text.contains("张三丰") && !text.contains("101 室"),
            "{text}"
        );
    }
    let queue = app.logistics().get("/v1/backdrop-shipments?state=requested").expect_status(200);
    queue.expect("/items/0/filing_id", filing.as_str()).expect("/has_more", false);
    let label = app.logistics().get(&format!("{path}/label")).expect_status(200);
    label.expect("/phone", "13800138000").expect("/recipient_name", "张三丰");
    app.applicant().get(&format!("{path}/label")).expect_problem(403, "forbidden");
    let reads: i64 = {
        use beian::schema::audit_events::dsl::*;
        audit_events.filter(action.eq("backdrop.label_read")).count().get_result(&mut app.conn()).unwrap()
    };
    assert_eq!(reads, 1);

    app.logistics().post(&format!("{path}/ship"), handover()).expect_problem(409, "invalid_transition");
    app.logistics().act(&format!("{path}/pack")).expect_status(200).expect("/state", "packed");
    app.applicant().act(&format!("{path}/cancel")).expect_problem(409, "invalid_transition");
    let reply = app.logistics().post(&format!("{path}/ship"), handover()).expect_status(200);
    reply
        .expect("/state", "shipped")
        .expect("/carrier_name", "顺丰速运")
        .expect("/tracker_status", "pending");
    app.run_jobs();
    app.applicant()
        .get(&format!("/v1/filings/{filing}"))
        .expect_status(200)
        .expect("/current_shipment/state", "shipped")
        .expect("/current_shipment/tracking_number", "SF1234567890123");

    let event = json!({ "at": app.now(), "raw_code": "1", "text": "已揽收", "place": "北京" });
    let events = format!("{path}/tracking-events");
    app.logistics().post(&events, event.clone()).expect_status(200).expect("/tracker_status", "picked_up");
    let again = app.logistics().post(&events, event).expect_status(200);
    assert_eq!(again.at("/tracking_events").as_array().unwrap().len(), 1);
    // A late report of something earlier does not turn the tracker back.
    let earlier = json!({ "at": app.now() - Duration::hours(1), "status": "pending", "text": "已下单", "raw_code": null });
    app.logistics().post(&events, earlier).expect_status(200).expect("/tracker_status", "picked_up");
    let unknown = json!({ "at": app.now(), "text": "?", "raw_code": "99" });
    assert_eq!(app.logistics().post(&events, unknown).expect_status(422).faults(), ["/status required"]);

    app.logistics().act(&format!("{path}/mark-delivered")).expect_status(200).expect("/state", "delivered");
    app.run_jobs();
    let told: Vec<String> = {
        use beian::schema::filing_events::dsl::*;
        filing_events.filter(type_.like("backdrop.%")).order(id).select(type_).load(&mut app.conn()).unwrap()
    };
    assert_eq!(told, ["backdrop.requested", "backdrop.shipped", "backdrop.delivered"]);
}

fn ordered_path(app: &TestApp, filing: &str) -> String {
    let list = app.applicant().get(&format!("/v1/filings/{filing}/backdrop-shipments")).expect_status(200);
    app.run_jobs();
    format!("/v1/backdrop-shipments/{}", list.text("/items/0/id"))
}

#[test]
fn one_can_be_open_and_only_in_its_statuses_and_only_for_oneself() {
    let app = TestApp::spawn();
    let draft = app
        .applicant()
        .post(
            "/v1/filings",
            json!({ "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014001" }),
        )
        .expect_status(201)
        .text("/id");
    let path = format!("/v1/filings/{draft}/backdrop-shipments");
    app.applicant()
        .post(&path, order())
        .expect_problem(409, "invalid_transition")
        .expect("/current_status", "draft");
    app.run_jobs();

    let filing = submitted(&app, 2, json!({ "remark": "补充" }));
    let path = format!("/v1/filings/{filing}/backdrop-shipments");
    app.applicant().post(&path, order()).expect_problem(404, "not_found");
    let client = app.other_applicant().with("Idempotency-Key", "order-1");
    let first = client.post(&path, order()).expect_status(201);
    let again = client.post(&path, order()).expect_status(201);
    assert_eq!(first.text("/id"), again.text("/id"));
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    app.other_applicant().post(&path, order()).expect_problem(409, "open_shipment_exists");
    let shipment = format!("/v1/backdrop-shipments/{}", first.text("/id"));
    app.applicant().get(&shipment).expect_problem(404, "not_found");
    app.applicant().act(&format!("{shipment}/cancel")).expect_problem(404, "not_found");
    app.other_applicant().act(&format!("{shipment}/cancel")).expect_status(200).expect("/state", "cancelled");
    app.other_applicant().post(&path, order()).expect_status(201).expect("/charged_to", "provider");
    app.run_jobs();
}

#[test]
fn every_fault_of_an_address_is_told_at_once() {
    let app = TestApp::spawn();
    let filing = photo_required(&app, 1);
    let path = format!("/v1/filings/{filing}/backdrop-shipments");
    let mut bad = order();
    bad["phone"] = json!("12345");
    bad["province_code"] = json!("810000");
    bad["street_address"] = json!("   ");
    assert_eq!(
        app.applicant().post(&path, bad).expect_problem(422, "validation_failed").faults(),
        ["/phone invalid_format", "/province_code region_not_mainland", "/street_address required"]
    );
    let mut masked = order();
    masked["phone"] = json!("138****8000");
    assert_eq!(app.applicant().post(&path, masked).expect_status(422).faults(), ["/phone masked_value"]);
    let mut elsewhere = order();
    elsewhere["district_code"] = json!(null);
    assert_eq!(
        app.applicant().post(&path, elsewhere).expect_status(422).faults(),
        ["/district_code district_required"]
    );
}

#[test]
fn the_address_is_corrected_until_it_is_packed_and_the_number_while_it_travels() {
    let app = TestApp::spawn();
    let filing = photo_required(&app, 1);
    let path = ordered(&app, 1, &filing);
    let applicant = app.applicant();
    applicant.patch(&path, json!({ "postcode": null })).expect_problem(428, "precondition_required");
    let seen = applicant.get(&path).header("etag").unwrap();
    let seen = applicant.with("If-Match", seen);
    seen.patch(&path, json!({ "street_address": "光华路 1 号", "postcode": null }))
        .expect_status(200)
        .expect("/postcode", Value::Null);
    seen.patch(&path, json!({ "street_address": "光华路 2 号" })).expect_problem(412, "precondition_failed");
    let any = applicant.with("If-Match", "*");
    assert_eq!(
        any.patch(&path, json!({ "city_code": "310100", "carrier_code": "shunfeng" }))
            .expect_status(422)
            .faults(),
        ["/carrier_code not_editable"]
    );
    assert_eq!(
        any.patch(&path, json!({ "city_code": "310100" })).expect_status(422).faults(),
        ["/city_code region_wrong_parent"]
    );
    app.logistics().get(&format!("{path}/label")).expect_status(200).expect("/street_address", "光华路 1 号");

    shipped(&app, &path);
    any.patch(&path, json!({ "postcode": "100020" })).expect_problem(409, "invalid_transition");
    let logistics = app.logistics().with("If-Match", "*");
    logistics
        .patch(&path, json!({ "tracking_number": "SF9876543210123" }))
        .expect_status(200)
        .expect("/tracking_number", "SF9876543210123");
    assert_eq!(
        logistics.patch(&path, json!({ "carrier_code": "pigeon" })).expect_status(422).faults(),
        ["/carrier_code not_in_list"]
    );
    assert_eq!(
        logistics.patch(&path, json!({ "phone": "13900139000" })).expect_status(422).faults(),
        ["/phone not_editable"]
    );
    app.run_jobs();
}

#[test]
fn a_replacement_costs_unless_the_parcel_was_lost_or_the_provider_is_to_blame() {
    let app = TestApp::spawn();
    let filing = photo_required(&app, 1);
    let list = format!("/v1/filings/{filing}/backdrop-shipments");

    let path = ordered(&app, 1, &filing);
    shipped(&app, &path);
    app.logistics()
        .post(&format!("{path}/mark-returned"), json!({ "reason": "收件人电话无法接通" }))
        .expect_status(200)
        .expect("/state", "returned")
        .expect("/tracking_events/0/text", "收件人电话无法接通");
    app.run_jobs();
    let second = app.applicant().post(&list, order()).expect_status(201);
    let path = format!("/v1/backdrop-shipments/{}", second.expect("/charged_to", "applicant").text("/id"));
    shipped(&app, &path);
    app.logistics()
        .post(&format!("{path}/mark-returned"), json!({ "reason": "标签打印错误", "fault": "provider" }))
        .expect_status(200);
    app.run_jobs();
    let third = app.applicant().post(&list, order()).expect_status(201);
    let path = format!("/v1/backdrop-shipments/{}", third.expect("/charged_to", "provider").text("/id"));
    shipped(&app, &path);
    app.logistics().act(&format!("{path}/mark-delivered")).expect_status(200);
    let lost = json!({ "reason": "他人签收" });
    app.advance(Duration::days(31));
    app.logistics()
        .post(&format!("{path}/report-lost"), lost.clone())
        .expect_problem(409, "invalid_transition");
    app.advance(Duration::days(-2));
    app.logistics().post(&format!("{path}/report-lost"), lost).expect_status(200).expect("/state", "lost");
    app.applicant().post(&list, order()).expect_status(201).expect("/charged_to", "provider");
    app.run_jobs();
}

#[test]
fn the_end_of_the_filing_calls_off_what_has_not_left() {
    let app = TestApp::spawn();
    let filing = photo_required(&app, 1);
    let path = ordered(&app, 1, &filing);
    app.logistics().act(&format!("{path}/pack")).expect_status(200);
    act(&app, &filing, Action::Abandon, Side::Owner);
    app.logistics()
        .post(&format!("{path}/ship"), handover())
        .expect_problem(409, "invalid_transition")
        .expect("/current_status", "cancelled");

    // A withdrawal leaves it alone.
    let filing = photo_required(&app, 2);
    let path = ordered(&app, 2, &filing);
    act(&app, &filing, Action::Withdraw, Side::Owner);
    shipped(&app, &path);
}

#[test]
fn the_queue_is_filtered_and_paged() {
    let app = TestApp::spawn();
    let mut paths = Vec::new();
    for account in 1..=3 {
        let filing = photo_required(&app, account);
        paths.push(ordered(&app, account, &filing));
        app.advance(Duration::minutes(1));
    }
    let first =
        app.logistics().get("/v1/backdrop-shipments?limit=2").expect_status(200).expect("/has_more", true);
    assert!(paths[0].ends_with(&first.text("/items/0/id")));
    let cursor = first.text("/next_cursor");
    let second =
        app.logistics().get(&format!("/v1/backdrop-shipments?limit=2&cursor={cursor}")).expect_status(200);
    assert!(paths[2].ends_with(&second.expect("/has_more", false).text("/items/0/id")));
    app.logistics()
        .get(&format!("/v1/backdrop-shipments?state=packed&cursor={cursor}"))
        .expect_problem(400, "invalid_cursor");
    app.logistics().get("/v1/backdrop-shipments?colour=blue").expect_problem(400, "invalid_parameter");
    let none = app.logistics().get("/v1/backdrop-shipments?province_code=310000").expect_status(200);
    assert_eq!(none.at("/items"), json!([]));
    let order_no = first.text("/items/1/order_no");
    let found = app.logistics().get(&format!("/v1/backdrop-shipments?q={order_no}")).expect_status(200);
    assert_eq!(found.at("/items").as_array().unwrap().len(), 1);
    shipped(&app, &paths[0]);
    let found = app.logistics().get("/v1/backdrop-shipments?q=SF1234567890123").expect_status(200);
    assert!(paths[0].ends_with(&found.text("/items/0/id")));
    assert_eq!(found.at("/items").as_array().unwrap().len(), 1);
    app.applicant().get("/v1/backdrop-shipments").expect_problem(403, "forbidden");
}

fn row(path: &str, number: &str) -> Value {
    let id = path.rsplit('/').next().unwrap();
    json!({ "shipment_id": id, "carrier_code": "shunfeng", "tracking_number": number })
}

#[test]
fn many_parcels_are_shipped_in_one_request_and_a_bad_row_stops_no_other() {
    let app = TestApp::spawn();
    let paths: Vec<String> =
        [1, 2, 3].map(|account| ordered(&app, account, &photo_required(&app, account))).to_vec();
    let logistics = app.logistics();
    for path in [&paths[0], &paths[2]] {
        logistics.act(&format!("{path}/pack")).expect_status(200);
    }
    let mut bad_carrier = row(&paths[2], "SF0000000003");
    bad_carrier["carrier_code"] = json!("pigeon");
    let nobody = row("0193a000-0000-7000-8000-0000000ff999", "SF0000000009");
    let rows = json!({ "rows": [row(&paths[0], "sf0000000001"), row(&paths[1], "SF0000000002"), bad_carrier, nobody] });
    let batch = "/v1/backdrop-shipments/handovers";
    let keyed = logistics.with("Idempotency-Key", "batch-1");
    let first = keyed.post(batch, rows.clone()).expect_status(200).expect("/done", 1).expect("/refused", 3);
    first.expect("/items/0/is_done", true).expect("/items/0/problem", Value::Null);
    let again = keyed.post(batch, rows.clone()).expect_status(200);
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    let codes: Vec<Value> =
        again.at("/items").as_array().unwrap().iter().map(|item| item["problem"]["code"].clone()).collect();
    assert_eq!(
        codes,
        [Value::Null, json!("invalid_transition"), json!("validation_failed"), json!("not_found")]
    );
    again.expect("/items/2/problem/errors/0/pointer", "/rows/2/carrier_code");
    keyed
        .post(batch, json!({ "rows": [row(&paths[0], "SF0000000001")] }))
        .expect_problem(422, "idempotency_key_reused");
    app.run_jobs();
    let seen = logistics.get(&paths[0]).expect_status(200).expect("/state", "shipped");
    seen.expect("/tracking_number", "SF0000000001");
    logistics.get(&paths[2]).expect_status(200).expect("/state", "packed");

    // The same parcel twice, and nothing at all, are faults of the request.
    let twice = json!({ "rows": [row(&paths[2], "SF0000000003"), row(&paths[2], "SF0000000004")] });
    assert_eq!(
        logistics.post(batch, twice).expect_problem(422, "validation_failed").faults(),
        ["/rows/1/shipment_id duplicate_items"]
    );
    assert_eq!(
        logistics.post(batch, json!({ "rows": [] })).expect_status(422).faults(),
        ["/rows too_few_items"]
    );
    app.applicant().post(batch, rows).expect_problem(403, "forbidden");
    // Each shipped parcel told its applicant once.
    let told: i64 = {
        use beian::schema::filing_events::dsl::*;
        filing_events.filter(type_.eq("backdrop.shipped")).count().get_result(&mut app.conn()).unwrap()
    };
    assert_eq!(told, 1);
}

#[test]
fn a_batch_that_was_cut_off_goes_on_where_it_stopped() {
    let app = TestApp::spawn();
    let paths: Vec<String> =
        [1, 2].map(|account| ordered(&app, account, &photo_required(&app, account))).to_vec();
    let logistics = app.logistics().with("Idempotency-Key", "cut-off");
    for path in &paths {
        app.logistics().act(&format!("{path}/pack")).expect_status(200);
    }
    let rows = json!({ "rows": [row(&paths[0], "SF0000000001"), row(&paths[1], "SF0000000002")] });
    logistics.post("/v1/backdrop-shipments/handovers", rows.clone()).expect_status(200).expect("/done", 2);
    {
        // As if the process had died after the first row: neither the second row nor the answer was committed.
        use beian::schema::{backdrop_shipments as shipments, idempotency_keys as keys};
        let mut conn = app.conn();
        let second: uuid::Uuid = paths[1].rsplit('/').next().unwrap().parse().unwrap();
        diesel::update(shipments::table.find(beian::kernel::ids::ShipmentId(second)))
            .set(shipments::state.eq("packed"))
            .execute(&mut conn)
            .unwrap();
        diesel::delete(keys::table.filter(keys::key.eq("cut-off\u{1}1"))).execute(&mut conn).unwrap();
        diesel::update(keys::table.filter(keys::key.eq("cut-off")))
            .set(keys::status.eq(102))
            .execute(&mut conn)
            .unwrap();
    }
    let again =
        logistics.post("/v1/backdrop-shipments/handovers", rows).expect_status(200).expect("/done", 2);
    assert_eq!(again.header("idempotency-replayed"), None);
    app.run_jobs();
    app.logistics().get(&paths[1]).expect_status(200).expect("/state", "shipped");
}

#[test]
fn labels_come_as_a_table_and_each_is_audited() {
    let app = TestApp::spawn();
    let first = photo_required(&app, 1);
    let mut odd = order();
    odd["recipient_name"] = json!("=HYPERLINK(\"http://x\")");
    odd["street_address"] = json!("建国路 \"88\" 号, 1 层");
    owner(&app, 1).post(&format!("/v1/filings/{first}/backdrop-shipments"), odd).expect_status(201);
    app.advance(Duration::minutes(1));
    let second = ordered(&app, 2, &photo_required(&app, 2));
    app.logistics().act(&format!("{second}/pack")).expect_status(200);
    let labels = app.logistics().get("/v1/backdrop-shipments/labels.csv").expect_status(200);
    assert_eq!(labels.header("content-type").as_deref(), Some("text/csv; charset=utf-8"));
    assert_eq!(labels.header("cache-control").as_deref(), Some("no-store"));
    let text = String::from_utf8(labels.body).unwrap();
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').expect("a byte order mark").split("\r\n").collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].starts_with("shipment_id,order_no,state,requested_at,recipient_name,phone,"));
    assert!(
        lines[1].contains(",requested,") && lines[1].contains("\"'=HYPERLINK(\"\"http://x\"\")\""),
        "{text}"
    );
    assert!(lines[1].contains("\"建国路 \"\"88\"\" 号, 1 层\""), "{text}");
    assert!(lines[2].contains(",packed,") && lines[2].contains("张三丰,13800138000,"), "{text}");
    let packed =
        app.logistics().get("/v1/backdrop-shipments/labels.csv?state=packed&limit=1").expect_status(200);
    assert_eq!(String::from_utf8(packed.body).unwrap().lines().count(), 2);
    let reads: i64 = {
        use beian::schema::audit_events::dsl::*;
        audit_events.filter(action.eq("backdrop.label_read")).count().get_result(&mut app.conn()).unwrap()
    };
    assert_eq!(reads, 3);
    let faults = app.logistics().get("/v1/backdrop-shipments/labels.csv?state=shipped").expect_status(400);
    assert_eq!(faults.faults(), ["state not_in_list"]);
    app.applicant().get("/v1/backdrop-shipments/labels.csv").expect_problem(403, "forbidden");
    app.run_jobs();
}
