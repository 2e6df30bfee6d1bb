//! Hand-over to the bureau: seed pictures 18 to 21, both gateways, and everything that a reply can do wrong.

use std::io::Read;

use beian::filings::{Action, Side};
use chrono::Duration;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::shortcuts::{self, act, owner, queue, queued, submission, submit};
use crate::support::{Response, TestApp};

fn manual() -> TestApp {
    TestApp::spawn_with(&[("BUREAU_GATEWAY", "manual")])
}

fn remark(text: &str) -> Value {
    json!({ "remark": text })
}

fn path(app: &TestApp, filing: &str) -> String {
    format!("/v1/bureau-submissions/{}", submission(app, filing))
}

fn filing(app: &TestApp, account: u32, id: &str) -> Response {
    owner(app, account).get(&format!("/v1/filings/{id}")).expect_status(200)
}

fn decision(app: &TestApp, path: &str, reference: &str, result: &str, code: Value) -> Value {
    let seen = app.bureau().get(path).expect_status(200);
    json!({
        "external_reference": reference, "order_no": seen.text("/order_no"), "icp_number": seen.text("/icp_number"),
        "result": result, "result_code": code, "result_text": null, "items": []
    })
}

#[test]
fn pictures_18_to_21_the_simulated_bureau_takes_it_and_approves() {
    let app = TestApp::spawn();
    let id = queued(&app, 1, remark("补充说明"));
    filing(&app, 1, &id).expect("/status", "bureau_queued").expect("/bureau/name", "北京市通信管理局");
    app.run_jobs();
    let path = path(&app, &id);
    let seen = app.bureau().get(&path).expect_status(200);
    let seen = seen.expect("/state", "accepted").expect("/sequence_no", 1).expect("/attempt_no", 1);
    assert_eq!(seen.at("/events/0/kind"), "accepted");
    filing(&app, 1, &id).expect("/status", "bureau_review");
    app.advance(Duration::seconds(6));
    app.run_jobs();
    app.bureau().get(&path).expect_status(200).expect("/state", "approved").expect("/result_code", "1001");
    let done = filing(&app, 1, &id).expect("/status", "approved");
    assert_eq!(done.at("/bureau/result_code"), "1001");
    let (version, remark): (i32, Option<String>) = {
        use beian::schema::{website_contents, websites};
        websites::table
            .inner_join(website_contents::table)
            .filter(websites::id.eq(beian::demo::ids::website(1)))
            .select((websites::filed_version, website_contents::remark))
            .first(&mut app.conn())
            .unwrap()
    };
    assert_eq!((version, remark.as_deref()), (2, Some("补充说明")));
}

#[test]
fn picture_20_a_refusal_points_at_the_field_and_the_next_round_goes_through() {
    let app = TestApp::spawn();
    let id = queued(&app, 1, json!({ "name": "待驳回花店" }));
    app.run_jobs();
    app.advance(Duration::seconds(6));
    app.run_jobs();
    let refused = filing(&app, 1, &id).expect("/status", "bureau_rejected");
    let refused =
        refused.expect("/rejection/source", "bureau").expect("/rejection/items/0/pointer", "/website/name");
    assert_eq!(refused.at("/rejection/items/0/code"), "SITE_NAME_INVALID");
    let owner = owner(&app, 1);
    let at = format!("/v1/filings/{id}");
    let changed = owner
        .with("If-Match", refused.header("etag").unwrap())
        .patch(&at, json!({ "website": { "name": "云上新花店" } }))
        .expect_status(200);
    submit(&owner, &at, &changed.header("etag").unwrap());
    queue(&app, &id);
    app.run_jobs();
    app.advance(Duration::seconds(6));
    app.run_jobs();
    filing(&app, 1, &id).expect("/status", "approved");
    // Each package has the next number of its bureau.
    let list = app.bureau().get(&format!("/v1/bureau-submissions?filing_id={id}")).expect_status(200);
    assert_eq!((list.at("/items/0/sequence_no"), list.at("/items/1/sequence_no")), (json!(1), json!(2)));
}

#[test]
fn by_hand_the_operator_carries_the_package_and_records_the_decision_once() {
    let app = manual();
    let id = queued(&app, 1, remark("手工提交"));
    app.run_jobs();
    let path = path(&app, &id);
    let bureau = app.bureau();
    bureau.get(&path).expect_status(200).expect("/state", "queued");

    let package = bureau.act(&format!("{path}/package")).expect_status(200);
    let zip = app.anonymous().get(&package.text("/url")).expect_status(200).body;
    assert_eq!(package.at("/size_bytes"), zip.len());
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let mut read = |name: &str| {
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let data: Value = serde_json::from_str(&read("data.json")).unwrap();
    assert_eq!(data["website"]["content"]["remark"], "手工提交");
    assert_eq!(data["changed_fields"], json!(["/website/remark"]));
    assert!(!data.to_string().contains('*'), "the bureau gets clear text");
    assert!(read("data.xml").contains("<remark>手工提交</remark>"));
    assert_eq!(read("photo.jpg"), "a picture");
    let manifest: Value = serde_json::from_str(&read("manifest.json")).unwrap();
    assert_eq!(manifest["entries"].as_array().unwrap().len(), 3);

    bureau
        .act(&format!("{path}/dispatch"))
        .expect_status(200)
        .expect("/state", "sending")
        .expect("/attempt_no", 1);
    owner(&app, 1).act(&format!("/v1/filings/{id}/withdraw")).expect_problem(409, "invalid_transition");
    let acceptance = json!({ "external_reference": "GJ-1", "accepted_at": app.now() });
    bureau
        .post(&format!("{path}/accept"), acceptance.clone())
        .expect_status(200)
        .expect("/state", "accepted");
    // The reply got lost, the operator enters it again.
    bureau.post(&format!("{path}/accept"), acceptance).expect_status(200).expect("/sequence_no", 1);
    bureau
        .post(
            &format!("{path}/accept"),
            json!({ "external_reference": "GJ-1", "accepted_at": app.now() - Duration::hours(1) }),
        )
        .expect_problem(409, "contradiction");

    let right = decision(&app, &path, "GJ-1", "approved", json!("1001"));
    let mut wrong = right.clone();
    wrong["order_no"] = json!("BA-2026-999999");
    wrong["icp_number"] = json!("京ICP备99999999号-1");
    assert_eq!(
        bureau.post(&format!("{path}/decide"), wrong).expect_problem(422, "validation_failed").faults(),
        ["/icp_number mismatch", "/order_no mismatch"]
    );
    bureau.post(&format!("{path}/decide"), right.clone()).expect_status(200).expect("/state", "approved");
    bureau.post(&format!("{path}/decide"), right.clone()).expect_status(200).expect("/state", "approved");
    let mut other = right.clone();
    other["result"] = json!("rejected");
    other["result_code"] = json!("1020");
    bureau.post(&format!("{path}/decide"), other.clone()).expect_problem(409, "contradiction");
    other["external_reference"] = json!("GJ-2");
    bureau
        .post(&format!("{path}/decide"), other)
        .expect_problem(409, "late_event")
        .expect("/current_status", "approved");
    app.run_jobs();
    let seen = bureau.get(&path).expect_status(200).expect("/state", "approved");
    let events: Vec<(Value, Value)> = seen
        .at("/events")
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["external_reference"].clone(), e["outcome"].clone()))
        .collect();
    assert_eq!(
        events,
        [
            (json!("GJ-1"), json!("applied")),
            (json!("GJ-1"), json!("applied")),
            (json!("GJ-2"), json!("late"))
        ]
    );
    filing(&app, 1, &id).expect("/status", "approved");
    bureau.act(&format!("{path}/package")).expect_problem(409, "invalid_transition");
}

#[test]
fn a_decision_that_overtakes_its_acceptance_implies_it() {
    let app = manual();
    let id = queued(&app, 1, remark("超车"));
    app.run_jobs();
    let path = path(&app, &id);
    let mut body = decision(&app, &path, "GJ-9", "rejected", Value::Null);
    assert_eq!(
        app.bureau().post(&format!("{path}/decide"), body.clone()).expect_status(422).faults(),
        ["/result_code required"]
    );
    body["items"] = json!([
        { "target_kind": "photo", "code": "PHOTO_NOT_PERSON", "reason": "照片与证件不是同一人" },
        { "target_kind": "field", "pointer": "/website/remark", "code": "OTHER", "reason": "备注与网站内容无关，请删除" }
    ]);
    let seen =
        app.bureau().post(&format!("{path}/decide"), body).expect_status(200).expect("/state", "rejected");
    assert!(seen.at("/accepted_at").is_string() && seen.at("/sequence_no") == 1);
    app.run_jobs();
    let refused = filing(&app, 1, &id).expect("/status", "bureau_rejected");
    assert_eq!(refused.at("/rejection/items").as_array().unwrap().len(), 2);
    let state: String = {
        use beian::schema::photo_verifications as photos;
        photos::table.select(photos::state).first(&mut app.conn()).unwrap()
    };
    assert_eq!(state, "void", "an item on the photo voids it");
}

#[test]
fn where_the_province_asks_the_phones_are_verified_first() {
    let app = manual();
    let id = queued(&app, 7, remark("四川"));
    app.run_jobs();
    let path = path(&app, &id);
    let accepted =
        app.bureau().post(&format!("{path}/accept"), json!({ "external_reference": "A" })).expect_status(200);
    let accepted = accepted.expect("/sms/phones/0/state", "pending").expect("/bureau_due_at", Value::Null);
    assert!(accepted.text("/sms/phones/0/masked").contains('*'));
    app.run_jobs();
    let seen = filing(&app, 7, &id).expect("/status", "sms_verification");
    assert!(seen.text("/bureau/sms/phones/0/masked").contains('*'));
    let report = |state: &str, wrong: i32| json!({ "role": "website_responsible_person", "state": state, "wrong_attempts": wrong });
    let sms = format!("{path}/confirm-sms");
    app.bureau()
        .post(&sms, report("pending", 3))
        .expect_status(200)
        .expect("/sms/phones/0/wrong_attempts", 3);
    let unknown = json!({ "role": "subject_responsible_person", "state": "confirmed" });
    assert_eq!(app.bureau().post(&sms, unknown).expect_status(422).faults(), ["/role not_in_list"]);
    app.bureau().post(&sms, report("confirmed", 3)).expect_status(200);
    app.bureau().post(&sms, report("confirmed", 3)).expect_status(200);
    app.run_jobs();
    filing(&app, 7, &id).expect("/status", "bureau_review");
    assert!(app.bureau().get(&path).at("/bureau_due_at").is_string());
    app.advance(Duration::hours(25));
    app.schedule_periodic();
    app.run_jobs();
    filing(&app, 7, &id).expect("/status", "bureau_review");
}

#[test]
fn after_24_hours_or_the_sixth_wrong_try_the_same_revision_can_be_sent_again() {
    let app = manual();
    let id = queued(&app, 7, remark("四川"));
    app.run_jobs();
    let first = path(&app, &id);
    app.bureau().post(&format!("{first}/accept"), json!({ "external_reference": "A" })).expect_status(200);
    app.run_jobs();
    app.schedule_periodic();
    app.advance(Duration::hours(19));
    app.run_jobs();
    filing(&app, 7, &id).expect("/status", "sms_verification");
    app.advance(Duration::hours(6));
    app.run_jobs();
    let late = filing(&app, 7, &id);
    let late = late.expect("/status", "sms_failed").expect("/bureau/sms/phones/0/state", "failed");
    assert!(late.text("/prompt/text").contains("规定时间"), "{}", late.text("/prompt/text"));
    app.bureau()
        .get(&first)
        .expect_status(200)
        .expect("/state", "rejected")
        .expect("/result_code", "sms_failed");

    let again = owner(&app, 7)
        .act(&format!("/v1/filings/{id}/resend"))
        .expect_status(200)
        .expect("/status", "bureau_queued");
    // Nothing was verified anew, and nobody is told so.
    again.expect("/prompt/title", "已重新提交，等待提交管局");
    // The home page says the same as the filing's own.
    let home = owner(&app, 7).get("/v1/overview").expect_status(200);
    let shown =
        home.at("/live_filings").as_array().unwrap().iter().find(|row| row["id"] == id.as_str()).cloned();
    assert_eq!(shown.unwrap()["prompt_title"], "已重新提交，等待提交管局");
    app.run_jobs();
    let second = path(&app, &id);
    assert_ne!(first, second);
    app.bureau().post(&format!("{second}/accept"), json!({ "external_reference": "B" })).expect_status(200);
    let sixth = json!({ "role": "website_responsible_person", "state": "pending", "wrong_attempts": 6 });
    app.bureau()
        .post(&format!("{second}/confirm-sms"), sixth)
        .expect_status(200)
        .expect("/state", "rejected");
    app.run_jobs();
    let failed = filing(&app, 7, &id).expect("/status", "sms_failed");
    assert!(failed.text("/prompt/text").contains("输错 6 次"), "{}", failed.text("/prompt/text"));
    // The bureau's word on the first package comes too late.
    let late = decision(&app, &first, "A-D", "approved", json!("1001"));
    app.bureau().post(&format!("{first}/decide"), late).expect_problem(409, "late_event");
    filing(&app, 7, &id).expect("/status", "sms_failed");
}

#[test]
fn the_simulated_bureau_verifies_phones_too() {
    let app = TestApp::spawn();
    let good = queued(&app, 7, remark("四川"));
    let bad = queued(&app, 14, remark("sim:sms-fail"));
    for _ in 0..3 {
        app.run_jobs();
        app.advance(Duration::seconds(6));
    }
    app.run_jobs();
    filing(&app, 7, &good).expect("/status", "approved");
    filing(&app, 14, &bad).expect("/status", "sms_failed");
}

#[test]
fn without_a_reply_nothing_is_sent_again_before_the_bureaus_record_is_asked() {
    let mut app = TestApp::spawn();
    app.may_leave_jobs();
    let id = queued(&app, 1, remark("sim:timeout"));
    app.run_jobs();
    let path = path(&app, &id);
    app.bureau().get(&path).expect_status(200).expect("/state", "unconfirmed").expect("/attempt_no", 1);
    let reason = json!({ "reason": "管局一直没有回执，暂停办理" });
    app.bureau().post(&format!("{path}/give-up"), reason).expect_problem(409, "unconfirmed");
    owner(&app, 1).act(&format!("/v1/filings/{id}/withdraw")).expect_problem(409, "invalid_transition");
    for _ in 0..3 {
        app.advance(Duration::minutes(10));
        app.run_jobs();
    }
    app.bureau().get(&path).expect_status(200).expect("/state", "unconfirmed").expect("/attempt_no", 1);
    app.bureau().post(&format!("{path}/restart-step"), json!({})).expect_problem(409, "unconfirmed");
    app.bureau()
        .post(&format!("{path}/restart-step"), json!({ "is_absent_at_bureau": true }))
        .expect_status(200)
        .expect("/state", "queued");
    app.run_jobs();
    app.bureau().get(&path).expect_status(200).expect("/attempt_no", 2);
    // The operator finds it in the bureau's own system after all.
    app.bureau().post(&format!("{path}/accept"), json!({ "external_reference": "GJ" })).expect_status(200);
    filing(&app, 1, &id).expect("/status", "bureau_review");
}

#[test]
fn a_lost_reply_is_found_in_the_record_and_a_lost_package_is_sent_again() {
    let app = TestApp::spawn();
    let reply = queued(&app, 1, remark("sim:lost-reply"));
    let package = queued(&app, 2, remark("sim:lost-package"));
    app.run_jobs();
    for (account, id) in [(1, &reply), (2, &package)] {
        app.bureau().get(&path(&app, id)).expect_status(200).expect("/state", "unconfirmed");
        filing(&app, account, id).expect("/status", "bureau_queued");
    }
    app.advance(Duration::minutes(1));
    app.run_jobs();
    app.bureau()
        .get(&path(&app, &reply))
        .expect_status(200)
        .expect("/state", "accepted")
        .expect("/attempt_no", 1);
    app.bureau()
        .get(&path(&app, &package))
        .expect_status(200)
        .expect("/state", "accepted")
        .expect("/attempt_no", 2);
}

#[test]
fn an_attempt_cut_off_by_a_crash_is_treated_as_unconfirmed() {
    let app = TestApp::spawn();
    let id = queued(&app, 1, remark("崩溃"));
    {
        use beian::schema::bureau_submissions::dsl::*;
        diesel::update(bureau_submissions)
            .set((state.eq("sending"), attempt_no.eq(1), sent_at.eq(app.now())))
            .execute(&mut app.conn())
            .unwrap();
    }
    app.run_jobs();
    app.bureau().get(&path(&app, &id)).expect_status(200).expect("/state", "sending");
    app.advance(Duration::minutes(3));
    app.run_jobs();
    // The simulated bureau has never seen it, so it was sent again.
    app.bureau()
        .get(&path(&app, &id))
        .expect_status(200)
        .expect("/state", "accepted")
        .expect("/attempt_no", 2);
}

/// Names of the operator's steps, as the filing and as the submission shows them; the reviewers' list of an operator who is one
/// too is left out.
#[track_caller]
fn steps(app: &TestApp, id: &str) -> Vec<String> {
    let names = |path: &str| -> Vec<Value> {
        let seen = app.bureau().get(path).expect_status(200).at("/next_actions");
        seen.as_array().unwrap().clone()
    };
    let of_filing = names(&format!("/v1/filings/{id}"));
    assert_eq!(of_filing, names(&path(app, id)), "the two lists differ");
    of_filing.iter().map(|action| action["action"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_filing_offers_the_operator_what_its_submission_offers() {
    let app = manual();
    let id = queued(&app, 7, remark("四川"));
    assert_eq!(steps(&app, &id)[0], "dispatch");
    app.bureau().act(&format!("{}/dispatch", path(&app, &id))).expect_status(200);
    let sending = steps(&app, &id);
    assert!(sending[0] == "accept" && !sending.contains(&"dispatch".to_owned()), "{sending:?}");
    let accept = json!({ "external_reference": "A" });
    app.bureau().post(&format!("{}/accept", path(&app, &id)), accept).expect_status(200);
    app.run_jobs();
    assert_eq!(steps(&app, &id)[0], "record_sms");

    // An automatic one that has failed is restarted, not dispatched.
    let app = TestApp::spawn();
    let id = queued(&app, 1, remark("sim:offline"));
    assert!(!steps(&app, &id).is_empty());
    for _ in 0..6 {
        app.run_jobs();
        app.advance(Duration::minutes(5));
    }
    app.run_jobs();
    let failed = steps(&app, &id);
    assert!(failed[0] == "restart_step" && !failed.contains(&"dispatch".to_owned()), "{failed:?}");
}

#[test]
fn after_five_attempts_an_operator_decides() {
    let app = TestApp::spawn();
    let id = queued(&app, 1, remark("sim:offline"));
    for _ in 0..6 {
        app.run_jobs();
        app.advance(Duration::minutes(5));
    }
    app.run_jobs();
    let path = path(&app, &id);
    app.bureau().get(&path).expect_status(200).expect("/state", "failed").expect("/attempt_no", 5);
    let overdue = app.bureau().get("/v1/bureau-submissions?state=failed&overdue=false").expect_status(200);
    assert_eq!(overdue.at("/items").as_array().unwrap().len(), 1);
    app.bureau()
        .post(&format!("{path}/give-up"), json!({ "reason": "太短" }))
        .expect_problem(422, "validation_failed");
    let reason = json!({ "reason": "管局系统不接收该类数据，请核对后重新提交" });
    app.bureau().post(&format!("{path}/give-up"), reason).expect_status(200).expect("/state", "given_up");
    app.run_jobs();
    let refused = filing(&app, 1, &id).expect("/status", "bureau_rejected");
    assert_eq!(refused.at("/rejection/items/0/code"), "OTHER");
}

#[test]
fn a_package_that_the_bureau_does_not_take_comes_back() {
    let app = TestApp::spawn();
    let id = queued(&app, 1, remark("sim:refuse-package"));
    app.run_jobs();
    app.bureau()
        .get(&path(&app, &id))
        .expect_status(200)
        .expect("/state", "given_up")
        .expect("/result_code", "1055");
    filing(&app, 1, &id).expect("/status", "bureau_rejected");
}

#[test]
fn a_paused_bureau_keeps_the_order_of_its_queue() {
    let app = TestApp::spawn();
    let bureau = app.bureau();
    bureau
        .post("/v1/bureaus/110000/pause", json!({ "reason": "春节放假" }))
        .expect_status(200)
        .expect("/is_paused", true);
    let mut ids = Vec::new();
    for account in [10, 1, 16] {
        ids.push((account, queued(&app, account, remark("等待"))));
        app.advance(Duration::minutes(1));
        app.run_jobs();
    }
    let (account, id) = &ids[0];
    let seen = filing(&app, *account, id).expect("/status", "bureau_queued");
    let seen = seen.expect("/bureau/is_paused", true).expect("/bureau/pause_reason", "春节放假");
    bureau.act(&format!("{}/dispatch", path(&app, id))).expect_problem(409, "bureau_paused");
    bureau.act("/v1/bureaus/110000/resume").expect_status(200).expect("/is_paused", false);
    let resumed = filing(&app, *account, id);
    assert_ne!(seen.header("etag"), resumed.header("etag"), "what the filing shows has changed");
    app.run_jobs();
    let numbers: Vec<Value> =
        ids.iter().map(|(_, id)| bureau.get(&path(&app, id)).expect_status(200).at("/sequence_no")).collect();
    assert_eq!(numbers, [1, 2, 3]);
    bureau.act("/v1/bureaus/110000/resume").expect_problem(409, "invalid_transition");
    bureau.get("/v1/bureaus/999999").expect_problem(404, "not_found");
    assert_eq!(app.admin().get("/v1/bureaus").expect_status(200).at("/items").as_array().unwrap().len(), 31);
}

#[test]
fn nobody_decides_on_a_filing_of_their_own() {
    let app = manual();
    let id = queued(&app, 1, remark("回避"));
    app.run_jobs();
    {
        use beian::schema::{filing_participants as participants, users};
        let mut conn = app.conn();
        let user: uuid::Uuid =
            users::table.filter(users::login.eq("demo-bureau")).select(users::id).first(&mut conn).unwrap();
        diesel::insert_into(participants::table)
            .values((
                participants::filing_id.eq(id.parse::<uuid::Uuid>().unwrap()),
                participants::user_id.eq(user),
            ))
            .execute(&mut conn)
            .unwrap();
    }
    let path = path(&app, &id);
    let body = decision(&app, &path, "X", "approved", json!("1001"));
    app.bureau().post(&format!("{path}/decide"), body).expect_problem(403, "separation_of_duties");
    let reason = json!({ "reason": "管局系统不接收该类数据，请核对后重新提交" });
    app.bureau().post(&format!("{path}/give-up"), reason).expect_problem(403, "separation_of_duties");
    app.reviewer().get(&path).expect_problem(403, "forbidden");
}

#[test]
fn a_withdrawn_filing_is_not_handed_over_and_what_comes_for_it_is_late() {
    let app = manual();
    let id = queued(&app, 1, remark("撤销"));
    app.run_jobs();
    let path = path(&app, &id);
    act(&app, &id, Action::Withdraw, Side::Owner);
    app.bureau().get(&path).expect_status(200).expect("/state", "cancelled");
    app.bureau().act(&format!("{path}/dispatch")).expect_problem(409, "invalid_transition");
    app.bureau()
        .post(&format!("{path}/accept"), json!({ "external_reference": "GJ" }))
        .expect_problem(409, "late_event")
        .expect("/current_status", "cancelled");
    app.bureau().get(&path).expect_status(200).expect("/events/0/outcome", "late");
    filing(&app, 1, &id).expect("/status", "draft");
    assert_eq!(shortcuts::submission(&app, &id), path.rsplit('/').next().unwrap());
}

#[test]
fn of_two_decisions_at_once_one_is_applied() {
    let app = manual();
    let id = queued(&app, 1, remark("同时"));
    app.run_jobs();
    let path = path(&app, &id);
    app.bureau().post(&format!("{path}/accept"), json!({ "external_reference": "GJ" })).expect_status(200);
    let bodies = [
        decision(&app, &path, "GJ-J1", "approved", json!("1001")),
        decision(&app, &path, "GJ-J2", "rejected", json!("1020")),
    ];
    let mut outcomes: Vec<u16> = std::thread::scope(|scope| {
        let clicks: Vec<_> = bodies
            .into_iter()
            .map(|body| {
                let (client, path) = (app.bureau(), format!("{path}/decide"));
                scope.spawn(move || client.post(&path, body).status)
            })
            .collect();
        clicks.into_iter().map(|click| click.join().unwrap()).collect()
    });
    outcomes.sort_unstable();
    assert_eq!(outcomes, [200, 409]);
    app.run_jobs();
    let seen = app.bureau().get(&path).expect_status(200);
    let outcomes: Vec<Value> =
        seen.at("/events").as_array().unwrap().iter().map(|e| e["outcome"].clone()).collect();
    assert_eq!(outcomes, ["applied", "applied", "late"]);
}

#[test]
fn many_decisions_are_recorded_in_one_request_and_a_bad_row_stops_no_other() {
    let app = manual();
    let ids = [1, 2, 3].map(|account| queued(&app, account, remark("批量")));
    app.run_jobs();
    let paths = ids.each_ref().map(|id| path(&app, id));
    let row = |path: &str, decision: Value| json!({ "submission_id": path.rsplit('/').next().unwrap(), "decision": decision });
    let mut wrong = decision(&app, &paths[1], "B-2", "rejected", Value::Null);
    let right = decision(&app, &paths[0], "B-1", "approved", json!("1001"));
    let rows = json!({ "rows": [
        row(&paths[0], right.clone()),
        row(&paths[1], wrong.clone()),
        row(&paths[2], decision(&app, &paths[2], "B-3", "rejected", json!("1020"))),
        row("0193a000-0000-7000-8000-0000000ff999", right.clone()),
    ] });
    let many = "/v1/bureau-submissions/decisions";
    let keyed = app.bureau().with("Idempotency-Key", "results-1");
    let answer = keyed.post(many, rows.clone()).expect_status(200).expect("/done", 2).expect("/refused", 2);
    let answer = answer
        .expect("/items/1/problem/errors/0/pointer", "/rows/1/decision/result_code")
        .expect("/items/3/problem/code", "not_found");
    assert_eq!(answer.at("/items/0/version"), app.bureau().get(&paths[0]).at("/version"));
    let again = keyed.post(many, rows).expect_status(200);
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    filing(&app, 1, &ids[0]).expect("/status", "approved");
    filing(&app, 2, &ids[1]).expect("/status", "bureau_queued");
    filing(&app, 3, &ids[2]).expect("/status", "bureau_rejected");
    // Without a key: the same again changes nothing, a late one is recorded, the mended row goes through.
    wrong["result_code"] = json!("1020");
    let mut late = right.clone();
    late["external_reference"] = json!("B-9");
    let rows = json!({ "rows": [row(&paths[0], late), row(&paths[1], wrong)] });
    let answer = app.bureau().post(many, rows).expect_status(200).expect("/done", 1);
    answer.expect("/items/0/problem/code", "late_event");
    let again = json!({ "rows": [row(&paths[0], right)] });
    app.bureau().post(many, again.clone()).expect_status(200).expect("/done", 1);
    let seen = app.bureau().get(&paths[0]).expect_status(200).expect("/state", "approved");
    assert_eq!(seen.at("/events/1/outcome"), "late");
    app.reviewer().post(many, again).expect_problem(403, "forbidden");
    app.run_jobs();
}
