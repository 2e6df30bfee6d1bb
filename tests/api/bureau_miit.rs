//! The ministry's interface: continuous numbers, lost replies, gaps, refused passwords, maintenance, files that repeat, and
//! processes that are killed in the middle. No filing is lost, sent under two numbers, or decided twice.

use std::process::{Command, Stdio};
use std::time::{Duration as StdDuration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use beian::filings::{Action, Side};
use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::shortcuts::{act, queued, submission};
use crate::support::miit::{Ministry, Trouble};
use crate::support::{Response, TestApp, secrets};

fn spawn(ministry: &Ministry) -> TestApp {
    let settings = ministry.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    TestApp::spawn_with(&settings)
}

fn remark(text: &str) -> Value {
    json!({ "remark": text })
}

fn seen(app: &TestApp, filing: &str) -> Response {
    app.bureau().get(&format!("/v1/bureau-submissions/{}", submission(app, filing))).expect_status(200)
}

fn state(app: &TestApp, filing: &str) -> String {
    seen(app, filing).text("/state")
}

/// Order and ICP number, for results.
fn numbers(app: &TestApp, filing: &str) -> (String, String) {
    let seen = seen(app, filing);
    (seen.text("/order_no"), seen.text("/icp_number"))
}

/// Lets some minutes pass with everything that is due, periodic jobs included.
fn pass_minutes(app: &TestApp, minutes: i64) {
    app.schedule_periodic();
    app.advance(Duration::minutes(minutes));
    app.run_jobs();
}

fn lay_decision(app: &TestApp, ministry: &Ministry, name: &str, decisions: &[(&String, &str)]) {
    let numbers: Vec<(String, String)> = decisions.iter().map(|(id, _)| numbers(app, id)).collect();
    let references: Vec<String> = (0..decisions.len()).map(|at| format!("{name}-{at}")).collect();
    let rows: Vec<(&str, &str, &str, &str, &str)> = decisions
        .iter()
        .zip(&numbers)
        .zip(&references)
        .map(|(((_, code), (order, icp)), reference)| {
            (order.as_str(), icp.as_str(), *code, "管局意见", reference.as_str())
        })
        .collect();
    ministry.lay_ready(name, &rows);
}

/// How often each event of this filing was written.
fn events(app: &TestApp, filing: &str, kind: &str) -> i64 {
    use beian::schema::filing_events::dsl::*;
    filing_events
        .filter(filing_id.eq(filing.parse::<uuid::Uuid>().unwrap()))
        .filter(type_.eq(kind))
        .count()
        .get_result(&mut app.conn())
        .unwrap()
}

#[test]
fn files_go_in_order_and_results_come_back_once() {
    for ministry in [Ministry::start(), Ministry::start_plain()] {
        let app = spawn(&ministry);
        let ids: Vec<String> = [1, 2, 3].map(|n| queued(&app, n, remark("补充 & <说明> 𠮷"))).to_vec();
        app.run_jobs();
        let orders: Vec<String> = ids.iter().map(|id| numbers(&app, id).0).collect();
        let files = ministry.files();
        assert_eq!(files.iter().map(|file| file.order_no.clone()).collect::<Vec<_>>(), orders);
        for (at, id) in ids.iter().enumerate() {
            let seen = seen(&app, id).expect("/state", "accepted").expect("/data_sequence", at as i64 + 1);
            assert_eq!(seen.text("/external_reference"), format!("miit:110000123/{}", at + 1));
        }
        // Clear, complete, and safe in XML; what GBK cannot write is a character reference.
        let xml = &files[0].xml;
        assert!(xml.contains("<remark>补充 &amp; &lt;说明&gt; &#134071;</remark>"), "{xml}");
        let photo = STANDARD.encode(b"a picture");
        assert!(xml.contains(&format!("<content>{photo}</content>")) && !xml.contains("****"), "{xml}");

        lay_decision(&app, &ministry, "r1", &[(&ids[0], "1001"), (&ids[1], "1020")]);
        lay_decision(&app, &ministry, "r2", &[(&ids[2], "5003")]);
        pass_minutes(&app, 6);
        assert_eq!(ministry.acknowledged(), ["r1", "r2"]);
        assert_eq!(
            [&ids[0], &ids[1], &ids[2]].map(|id| state(&app, id)),
            ["approved", "rejected", "rejected"]
        );
        let refused =
            crate::shortcuts::owner(&app, 2).get(&format!("/v1/filings/{}", ids[1])).expect_status(200);
        refused.expect("/status", "bureau_rejected").expect("/rejection/items/0/pointer", "/website/name");
        pass_minutes(&app, 6);
        ministry.assert_in_order();
    }
}

#[test]
fn a_lost_reply_is_found_in_the_record_and_a_lost_package_goes_again_under_its_number() {
    for (trouble, uploads) in
        [(Trouble::LoseReply, 1), (Trouble::Garbage, 1), (Trouble::LosePackage, 2), (Trouble::Http(503), 2)]
    {
        let ministry = Ministry::start();
        let app = spawn(&ministry);
        ministry.trouble("isp_upload", &[trouble]);
        let first = queued(&app, 1, remark("一"));
        app.run_jobs();
        let second = queued(&app, 2, remark("二"));
        assert_eq!(state(&app, &first), "unconfirmed", "{trouble:?}");
        app.run_jobs();
        if uploads == 2 {
            // It may still be on its way. The next one waits: its number must not go out before that is known.
            assert_eq!([state(&app, &first), state(&app, &second)], ["unconfirmed", "queued"], "{trouble:?}");
            assert_eq!(seen(&app, &second).at("/data_sequence"), Value::Null);
        }
        app.advance(Duration::minutes(3));
        app.run_jobs();
        assert_eq!([state(&app, &first), state(&app, &second)], ["accepted", "accepted"], "{trouble:?}");
        assert_eq!(seen(&app, &first).at("/data_sequence"), 1);
        let calls = ministry.calls();
        assert_eq!(
            calls.iter().filter(|call| *call == "isp_upload").count(),
            uploads + 1,
            "{trouble:?} {calls:?}"
        );
        ministry.assert_in_order();
    }
}

#[test]
fn the_record_itself_may_be_silent_for_hours() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    ministry.trouble("isp_upload", &[Trouble::LoseReply]);
    let first = queued(&app, 1, remark("一"));
    app.run_jobs();
    ministry.trouble("isp_querypreviousupload", &[Trouble::LoseReply; 30]);
    let second = queued(&app, 2, remark("二"));
    for _ in 0..30 {
        pass_minutes(&app, 65);
    }
    app.run_jobs();
    // Tried out long ago, and still somebody asks.
    pass_minutes(&app, 65);
    pass_minutes(&app, 65);
    assert_eq!([state(&app, &first), state(&app, &second)], ["accepted", "accepted"]);
    ministry.assert_in_order();
    assert_eq!(ministry.files().len(), 2);
    discard_dead(&app);
}

#[test]
fn a_file_that_is_slow_to_arrive_is_not_sent_twice() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    // The bureau is still busy with it when its record is asked.
    ministry.trouble("isp_upload", &[Trouble::Slow]);
    let id = queued(&app, 1, remark("慢"));
    app.run_jobs();
    app.advance(Duration::seconds(30));
    app.run_jobs();
    assert_eq!(state(&app, &id), "unconfirmed");
    ministry.finish_slow();
    app.advance(Duration::minutes(3));
    app.run_jobs();
    seen(&app, &id).expect("/state", "accepted").expect("/data_sequence", 1).expect("/attempt_no", 1);
    ministry.assert_in_order();
}

/// Jobs that used up their tries while others took over.
fn discard_dead(app: &TestApp) {
    use beian::schema::jobs::dsl::*;
    diesel::update(jobs.filter(state.eq("dead"))).set(state.eq("done")).execute(&mut app.conn()).unwrap();
}

#[test]
fn files_that_the_bureau_has_lost_go_again_under_their_own_numbers() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    let ids: Vec<String> = [1, 2, 3].map(|n| queued(&app, n, remark("缺"))).to_vec();
    app.run_jobs();
    ministry.lose_files_from(2);
    let fourth = queued(&app, 10, remark("四"));
    app.run_jobs();
    assert_eq!(state(&app, &fourth), "accepted");
    assert_eq!(seen(&app, &fourth).at("/data_sequence"), 4);
    let orders: Vec<String> = ids.iter().chain([&fourth]).map(|id| numbers(&app, id).0).collect();
    assert_eq!(ministry.files().iter().map(|file| file.order_no.clone()).collect::<Vec<_>>(), orders);
    ministry.assert_in_order();
}

#[test]
fn a_lane_that_others_used_before_goes_on_after_them_and_one_that_others_use_now_is_stopped() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    ministry.take_foreign_file();
    let first = queued(&app, 1, remark("一"));
    app.run_jobs();
    assert_eq!(seen(&app, &first).expect("/state", "accepted").at("/data_sequence"), 2);
    // Somebody takes the number while our reply is lost.
    ministry.trouble("isp_upload", &[Trouble::LosePackage]);
    let second = queued(&app, 2, remark("二"));
    app.run_jobs();
    ministry.take_foreign_file();
    app.advance(Duration::minutes(1));
    app.run_jobs();
    assert_eq!(state(&app, &second), "unconfirmed");
    let bureau = app.bureau().get("/v1/bureaus/110000").expect_status(200);
    bureau.expect("/is_paused", true);
}

#[test]
fn a_refused_password_stops_everything_until_a_person_resumes() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    ministry.change_password(true);
    let ids: Vec<String> = [1, 10, 7].map(|n| queued(&app, n, remark("口令"))).to_vec();
    app.run_jobs();
    assert_eq!(ministry.calls(), ["isp_querypreviousupload"], "accounts get locked: one try is enough");
    let bureau = app.bureau();
    for code in ["110000", "510000"] {
        let paused = bureau.get(&format!("/v1/bureaus/{code}")).expect_status(200).expect("/is_paused", true);
        assert!(paused.text("/pause_reason").contains("接口"));
        assert!(paused.text("/gateway_error").contains("code 5"));
    }
    crate::shortcuts::owner(&app, 1)
        .get(&format!("/v1/filings/{}", ids[0]))
        .expect_status(200)
        .expect("/bureau/is_paused", true);
    for _ in 0..3 {
        pass_minutes(&app, 30);
    }
    assert_eq!(ministry.calls().len(), 1, "nothing is asked or fetched meanwhile");
    // One is kept closed by a person, for a reason of its own.
    bureau.post("/v1/bureaus/510000/pause", json!({ "reason": "春节放假" })).expect_status(200);
    ministry.change_password(false);
    bureau.act("/v1/bureaus/110000/resume").expect_status(200).expect("/is_paused", false);
    bureau.get("/v1/bureaus/310000").expect_status(200).expect("/is_paused", false);
    bureau.get("/v1/bureaus/510000").expect_status(200).expect("/is_paused", true);
    app.run_jobs();
    assert_eq!([&ids[0], &ids[1], &ids[2]].map(|id| state(&app, id)), ["accepted", "accepted", "queued"]);
    bureau.act("/v1/bureaus/510000/resume").expect_status(200);
    app.run_jobs();
    let numbers: Vec<Value> = ids.iter().map(|id| seen(&app, id).at("/data_sequence")).collect();
    assert_eq!(numbers, [1, 2, 3]);
    ministry.assert_in_order();

    // In the middle of sending, too: the number stays with its filing.
    ministry.trouble("isp_upload", &[Trouble::Code(7)]);
    let fourth = queued(&app, 2, remark("四"));
    app.run_jobs();
    seen(&app, &fourth).expect("/state", "queued").expect("/data_sequence", 4);
    bureau.get("/v1/bureaus/110000").expect_status(200).expect("/is_paused", true);
    bureau.act("/v1/bureaus/110000/resume").expect_status(200);
    app.run_jobs();
    seen(&app, &fourth).expect("/state", "accepted").expect("/data_sequence", 4);
    ministry.assert_in_order();
}

#[test]
fn maintenance_closed_hours_and_a_dead_server_only_cost_time() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    ministry.trouble("isp_querypreviousupload", &[Trouble::Code(901)]);
    let troubles: Vec<Trouble> = [901, 902, 20, 902, 901, 901, 20].map(Trouble::Code).to_vec();
    ministry.trouble("isp_upload", &troubles);
    let id = queued(&app, 1, remark("维护"));
    let other = queued(&app, 2, remark("等待"));
    for round in 0..20 {
        app.run_jobs();
        if state(&app, &other) == "accepted" {
            break;
        }
        // However often it is tried, neither fails, and nothing overtakes.
        assert_eq!([state(&app, &id), state(&app, &other)], ["queued", "queued"]);
        if round == 3 {
            ministry.stop();
            app.advance(Duration::minutes(6));
            app.run_jobs();
            seen(&app, &id).expect("/state", "queued");
            ministry.start_again();
        }
        app.advance(Duration::minutes(6));
    }
    seen(&app, &id).expect("/state", "accepted").expect("/data_sequence", 1);
    seen(&app, &other).expect("/state", "accepted").expect("/data_sequence", 2);
    // One call each time: waiting does not multiply.
    let uploads = ministry.calls().iter().filter(|call| *call == "isp_upload").count();
    assert_eq!(uploads, 7 + 2);
    ministry.assert_in_order();
}

#[test]
fn a_file_that_the_bureau_does_not_take_calls_an_operator_and_holds_up_nobody() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    ministry.trouble("isp_upload", &[Trouble::Code(9); 5]);
    let bad = queued(&app, 1, remark("坏"));
    let good = queued(&app, 2, remark("好"));
    for _ in 0..6 {
        app.run_jobs();
        app.advance(Duration::minutes(5));
    }
    app.run_jobs();
    let failed = seen(&app, &bad).expect("/state", "failed").expect("/data_sequence", Value::Null);
    assert!(failed.text("/last_error").contains("code 9"));
    seen(&app, &good).expect("/state", "accepted").expect("/data_sequence", 1);
    let path = format!("/v1/bureau-submissions/{}", submission(&app, &bad));
    app.bureau().post(&format!("{path}/restart-step"), json!({})).expect_status(200);
    app.run_jobs();
    seen(&app, &bad).expect("/state", "accepted").expect("/data_sequence", 2);
    assert_eq!(ministry.files().len(), 2);
}

#[test]
fn a_number_is_free_again_when_its_filing_is_withdrawn_or_its_bureau_closes() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    ministry.trouble("isp_upload", &[Trouble::Code(901)]);
    let first = queued(&app, 1, remark("撤"));
    let second = queued(&app, 7, remark("四川"));
    let third = queued(&app, 2, remark("三"));
    app.run_jobs();
    seen(&app, &first).expect("/data_sequence", 1);
    ministry.trouble("isp_upload", &[Trouble::Code(901)]);
    act(&app, &first, Action::Withdraw, Side::Owner);
    seen(&app, &first).expect("/state", "cancelled").expect("/data_sequence", Value::Null);
    app.run_jobs();
    seen(&app, &second).expect("/state", "queued").expect("/data_sequence", 1);
    app.bureau().post("/v1/bureaus/510000/pause", json!({ "reason": "放假" })).expect_status(200);
    app.advance(Duration::minutes(6));
    app.run_jobs();
    seen(&app, &third).expect("/state", "accepted").expect("/data_sequence", 1);
    app.bureau().act("/v1/bureaus/510000/resume").expect_status(200);
    app.run_jobs();
    seen(&app, &second).expect("/state", "accepted").expect("/data_sequence", 2);
}

#[test]
fn a_package_carried_by_hand_leaves_no_hole_in_the_numbers() {
    for arrived in [true, false] {
        let ministry = Ministry::start();
        let app = spawn(&ministry);
        ministry.trouble("isp_upload", &[if arrived { Trouble::LoseReply } else { Trouble::LosePackage }]);
        let first = queued(&app, 1, remark("手工"));
        app.run_jobs();
        let path = format!("/v1/bureau-submissions/{}", submission(&app, &first));
        app.bureau()
            .post(&format!("{path}/accept"), json!({ "external_reference": "GJ-1" }))
            .expect_status(200);
        let second = queued(&app, 2, remark("二"));
        app.run_jobs();
        app.advance(Duration::minutes(3));
        app.run_jobs();
        let number = if arrived { 2 } else { 1 };
        seen(&app, &second).expect("/state", "accepted").expect("/data_sequence", number);
        assert_eq!(ministry.files().len() as i64, number);
    }
}

#[test]
fn a_file_of_results_repeats_until_it_is_acknowledged_and_decides_once() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    let ids: Vec<String> = [1, 2].map(|n| queued(&app, n, remark("结果"))).to_vec();
    app.run_jobs();
    lay_decision(&app, &ministry, "r1", &[(&ids[0], "1001"), (&ids[1], "1007")]);
    // The acknowledgement gets lost on its way there, then on its way back, then the bureau is restarted.
    ministry.trouble("isp_downloadack", &[Trouble::LosePackage, Trouble::Code(901), Trouble::LoseReply]);
    pass_minutes(&app, 6);
    assert_eq!([state(&app, &ids[0]), state(&app, &ids[1])], ["approved", "rejected"]);
    assert!(ministry.acknowledged().is_empty());
    pass_minutes(&app, 6);
    ministry.stop();
    pass_minutes(&app, 6);
    ministry.start_again();
    for _ in 0..4 {
        pass_minutes(&app, 6);
    }
    assert_eq!(ministry.acknowledged(), ["r1"]);
    assert_eq!(events(&app, &ids[0], "bureau.approved"), 1);
    assert_eq!(events(&app, &ids[1], "bureau.rejected"), 1);
    assert_eq!(seen(&app, &ids[0]).at("/events").as_array().unwrap().len(), 2);
    let (version,): (i32,) = {
        use beian::schema::websites;
        let row = websites::table.find(beian::demo::ids::website(1));
        row.select((websites::filed_version,)).first(&mut app.conn()).unwrap()
    };
    assert_eq!(version, 2, "the filed data changed once");
}

#[test]
fn what_cannot_be_applied_waits_for_an_operator_and_holds_up_nothing() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    let id = queued(&app, 1, remark("结果"));
    app.run_jobs();
    let (order, icp) = numbers(&app, &id);
    ministry.lay_ready(
        "odd",
        &[
            ("BA-2026-999999", "京ICP备99999999号-1", "1001", "", "odd-1"),
            (&order, "京ICP备99999999号-1", "1001", "", "odd-2"),
            (&order, &icp, "7777", "", "odd-3"),
            (&order, &icp, "1001", "通过", "odd-4"),
            (&order, &icp, "1020", "反悔", "odd-5"),
        ],
    );
    pass_minutes(&app, 6);
    assert_eq!(ministry.acknowledged(), ["odd"]);
    seen(&app, &id).expect("/state", "approved");
    let bureau = app.bureau();
    let open = bureau.get("/v1/bureau-results").expect_status(200);
    let reasons: Vec<(Value, Value)> = open
        .at("/items")
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["external_reference"].clone(), item["reason"].clone()))
        .collect();
    let expected = [("odd-1", "unknown_order"), ("odd-2", "validation_failed"), ("odd-3", "unknown_code")];
    assert_eq!(reasons, expected.map(|(reference, reason)| (json!(reference), json!(reason))));
    // The change of mind came too late and stands with the submission.
    assert_eq!(seen(&app, &id).at("/events/2/outcome"), "late");
    let path = format!("/v1/bureau-results/{}/resolve", open.text("/items/0/id"));
    app.admin()
        .post(&path, json!({ "resolution": "已与管局核对，非本系统订单" }))
        .expect_problem(403, "forbidden");
    bureau.post(&path, json!({ "resolution": "  " })).expect_problem(422, "validation_failed");
    let note = json!({ "resolution": "已与管局核对，非本系统订单" });
    bureau.post(&path, note.clone()).expect_status(200).expect("/resolution", "已与管局核对，非本系统订单");
    bureau.post(&path, note).expect_problem(409, "invalid_transition");
    let left = bureau.get("/v1/bureau-results").expect_status(200);
    assert_eq!(left.at("/items").as_array().unwrap().len(), 2);
    let all = bureau.get("/v1/bureau-results?is_resolved=true&limit=1").expect_status(200);
    assert_eq!(all.text("/items/0/external_reference"), "odd-1");
    let first = bureau.get("/v1/bureau-results?limit=1").expect_status(200).expect("/has_more", true);
    let next = bureau.get(&format!("/v1/bureau-results?limit=1&cursor={}", first.text("/next_cursor")));
    next.expect_status(200).expect("/items/0/external_reference", "odd-3").expect("/has_more", false);
}

#[test]
fn a_file_that_cannot_be_read_is_not_acknowledged_and_comes_again() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    let id = queued(&app, 1, remark("结果"));
    app.run_jobs();
    let (order, icp) = numbers(&app, &id);
    ministry.lay_file_ready("bad", "<?xml version=\"1.0\" encoding=\"GBK\"?><somethingElse/>");
    pass_minutes(&app, 6);
    assert!(ministry.acknowledged().is_empty());
    seen(&app, &id).expect("/state", "accepted");
    ministry.replace_ready(&format!(
        "<?xml version=\"1.0\" encoding=\"GBK\"?><r><result><orderNo>{order}</orderNo><icpNumber>{icp}</icpNumber>\
         <resultCode>1001</resultCode><dataSequence>1</dataSequence></result></r>"
    ));
    pass_minutes(&app, 6);
    assert_eq!(ministry.acknowledged(), ["bad"]);
    seen(&app, &id).expect("/state", "approved").expect("/events/1/external_reference", "bad#1");
}

#[test]
fn the_public_record_can_be_asked() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    let id = queued(&app, 1, remark("查询"));
    app.run_jobs();
    let path = format!("/v1/bureau-submissions/{}/filed-status", submission(&app, &id));
    let status = app.bureau().get(&path).expect_status(200);
    assert_eq!(status.at("/is_filed"), false);
    assert!(status.text("/domain").contains('.'));
    ministry.trouble("isp_querybeianstatus", &[Trouble::Code(901)]);
    app.bureau().get(&path).expect_problem(503, "unavailable");
    app.applicant().get(&path).expect_problem(403, "forbidden");
}

/// The real program as another process, killed while the ministry holds its call.
#[test]
fn a_worker_killed_in_the_middle_of_sending_neither_loses_nor_repeats_the_file() {
    for trouble in [Trouble::Hang, Trouble::HangUnread] {
        let ministry = Ministry::start();
        let app = spawn(&ministry);
        ministry.trouble("isp_upload", &[trouble]);
        let id = queued(&app, 1, remark("中断"));
        let mut child = worker(&app, &ministry);
        let start = Instant::now();
        while !ministry.calls().iter().any(|call| call == "isp_upload") {
            assert!(
                start.elapsed() < StdDuration::from_secs(60),
                "the worker never called: {:?}",
                ministry.calls()
            );
            assert!(child.try_wait().unwrap().is_none(), "the worker ended by itself");
            std::thread::sleep(StdDuration::from_millis(50));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // It was killed in what is now the past of this test's clock.
        #[allow(
            clippy::disallowed_methods,
            reason = "the worker was a process of its own, with the real clock"
        )]
        let now: DateTime<Utc> = SystemTime::now().into();
        app.advance(now - app.now());
        seen(&app, &id).expect("/state", "sending").expect("/data_sequence", 1);
        take_jobs_back(&app);
        app.advance(Duration::minutes(3));
        app.run_jobs();
        app.advance(Duration::minutes(1));
        app.run_jobs();
        seen(&app, &id).expect("/state", "accepted").expect("/data_sequence", 1);
        let uploads = ministry.calls().iter().filter(|call| *call == "isp_upload").count();
        assert_eq!(uploads, if trouble == Trouble::Hang { 1 } else { 2 });
        assert_eq!(ministry.files().len(), 1);
        ministry.assert_in_order();
    }
}

fn worker(app: &TestApp, ministry: &Ministry) -> std::process::Child {
    let storage = app.storage_config();
    let keys = secrets();
    let key = |bytes: &beian::config::SecretBytes| STANDARD.encode(bytes.expose());
    Command::new(env!("CARGO_BIN_EXE_beian"))
        .arg("worker")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("DATABASE_URL", app.database_url().expose_secret())
        .env("DATABASE_POOL_SIZE", "2")
        .env("S3_BUCKET", storage.bucket)
        .env("S3_ENDPOINT", storage.endpoint.unwrap())
        .env("S3_ACCESS_KEY_ID", storage.access_key_id)
        .env("S3_SECRET_ACCESS_KEY", storage.secret_access_key.expose_secret())
        .env("JWT_KEYS", format!("{}:{}", keys.jwt_keys[0].kid, key(&keys.jwt_keys[0].secret)))
        .env("PII_KEYS", format!("{}:{}", keys.pii_keys[0].number, key(&keys.pii_keys[0].key)))
        .env("PII_HASH_KEY", key(&keys.pii_hash_key))
        .env("SMTP_URL", "smtp://127.0.0.1:9")
        .env("MAIL_FROM", "icp@example.com")
        .env("PUBLIC_URL", "http://localhost")
        .envs(ministry.settings())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a living worker does when a lease has lapsed.
fn take_jobs_back(app: &TestApp) {
    use beian::schema::jobs::dsl::*;
    diesel::update(jobs.filter(state.eq("running")))
        .set((state.eq("pending"), lease_token.eq(None::<uuid::Uuid>), lease_until.eq(None::<DateTime<Utc>>)))
        .execute(&mut app.conn())
        .unwrap();
    diesel::update(jobs.filter(state.eq("pending")))
        .set(run_at.eq(app.now()))
        .execute(&mut app.conn())
        .unwrap();
}

/// Everything at once, in an order that a small generator chooses: the numbers and the decisions must come out right.
#[test]
fn through_any_mixture_of_troubles_every_filing_arrives_once_and_is_decided_once() {
    for seed in [1_u64, 2026] {
        let mut random = seed;
        let mut next = move |below: u64| {
            // xorshift: the same troubles in each run.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let ministry = Ministry::start();
        let app = spawn(&ministry);
        let mut ids = Vec::new();
        for account in [1, 2, 3, 10, 12, 16] {
            let kinds = [
                Trouble::LosePackage,
                Trouble::LoseReply,
                Trouble::Code(901),
                Trouble::Code(20),
                Trouble::Http(502),
                Trouble::Garbage,
            ];
            for _ in 0..next(3) {
                ministry.trouble("isp_upload", &[kinds[next(6) as usize]]);
            }
            if next(3) == 0 {
                ministry.trouble("isp_querypreviousupload", &[kinds[next(6) as usize]]);
            }
            ids.push(queued(&app, account, remark("混合")));
            app.run_jobs();
            if next(3) == 0 {
                let taken = ministry.files().len() as i64;
                ministry.lose_files_from(taken.max(1));
            }
            if next(4) == 0 {
                ministry.stop();
                pass_minutes(&app, 2);
                ministry.start_again();
            }
        }
        let last = queued(&app, 17, remark("最后"));
        ids.push(last);
        for _ in 0..60 {
            if ids.iter().all(|id| state(&app, id) == "accepted") {
                break;
            }
            pass_minutes(&app, 6);
        }
        let left: Vec<String> = ids.iter().map(|id| state(&app, id)).collect();
        assert!(left.iter().all(|state| state == "accepted"), "seed {seed}: {left:?}");
        ministry.assert_in_order();
        assert_eq!(ministry.files().len(), ids.len(), "seed {seed}");
        for (at, id) in ids.iter().enumerate() {
            let code = if next(2) == 0 { "1001" } else { "1034" };
            lay_decision(&app, &ministry, &format!("f{at}"), &[(id, code)]);
            if next(2) == 0 {
                ministry.trouble(
                    "isp_downloadack",
                    &[[Trouble::LosePackage, Trouble::LoseReply][next(2) as usize]],
                );
            }
            if next(3) == 0 {
                ministry
                    .trouble("isp_download", &[[Trouble::LoseReply, Trouble::Code(902)][next(2) as usize]]);
            }
        }
        for _ in 0..40 {
            pass_minutes(&app, 6);
        }
        for id in &ids {
            let decided = events(&app, id, "bureau.approved") + events(&app, id, "bureau.rejected");
            assert_eq!(
                (decided, events(&app, id, "bureau.submitted")),
                (1, 1),
                "seed {seed}: {}",
                seen(&app, id).json()
            );
        }
        discard_dead(&app);
    }
}

#[test]
fn a_late_word_on_the_first_round_does_not_decide_the_second() {
    let ministry = Ministry::start();
    let app = spawn(&ministry);
    let id = queued(&app, 1, json!({ "name": "云上旧花店" }));
    app.run_jobs();
    let first = submission(&app, &id);
    lay_decision(&app, &ministry, "r1", &[(&id, "1020")]);
    pass_minutes(&app, 6);
    let owner = crate::shortcuts::owner(&app, 1);
    let at = format!("/v1/filings/{id}");
    let refused = owner.get(&at).expect_status(200).expect("/status", "bureau_rejected");
    let changed = owner
        .with("If-Match", refused.header("etag").unwrap())
        .patch(&at, json!({ "website": { "name": "云上新花店" } }))
        .expect_status(200);
    crate::shortcuts::submit(&owner, &at, &changed.header("etag").unwrap());
    ministry.trouble("isp_upload", &[Trouble::Code(901); 3]);
    crate::shortcuts::queue(&app, &id);
    app.run_jobs();
    seen(&app, &id).expect("/state", "queued").expect("/data_sequence", 2);
    // The bureau says something about the first round again, under another name.
    let (order, icp) = numbers(&app, &id);
    ministry.lay_ready("r2", &[(&order, &icp, "1001", "", "r2-0")]);
    pass_minutes(&app, 6);
    assert_eq!(ministry.acknowledged(), ["r1", "r2"]);
    owner.get(&at).expect_status(200).expect("/status", "bureau_queued");
    let old = app.bureau().get(&format!("/v1/bureau-submissions/{first}")).expect_status(200);
    old.expect("/state", "rejected").expect("/events/2/outcome", "late");
    pass_minutes(&app, 6);
    pass_minutes(&app, 6);
    seen(&app, &id).expect("/state", "accepted").expect("/data_sequence", 2);
    ministry.assert_in_order();
}
