//! The reviewers' side: queue, claims, decisions (seed pictures 7, 8, 17 and 18).

use beian::filings::{self, Action, Ctx, Input};
use beian::kernel::ids::{FilingId, PhotoVerificationId};
use beian::schema::{filing_participants, filing_revisions, photo_verifications, review_task_holders, users};
use chrono::Duration;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::support::{Client, Response, TestApp};

const INITIAL: [&str; 9] = [
    "changes_consistent",
    "site_name",
    "service_content",
    "domains",
    "site_reachable",
    "person_identity",
    "person_contact",
    "pre_approvals",
    "materials",
];
const PHOTO: [&str; 5] =
    ["same_person", "centred_upper_body", "whole_backdrop", "season_clothes", "authentic"];

/// A filing in initial review and the address of its task.
fn waiting(app: &TestApp) -> (String, String) {
    let filing = app.make().submitted().id;
    let task = task_of(app, &filing);
    (filing, task)
}

/// Address of the open task of a filing.
fn task_of(app: &TestApp, filing: &str) -> String {
    let queue = app.reviewer().get("/v1/reviews?limit=100").expect_status(200).json();
    let items = queue["items"].as_array().unwrap();
    let task = items.iter().find(|task| task["filing_id"] == filing).expect("an open task");
    format!("/v1/reviews/{}", task["id"].as_str().unwrap())
}

/// Another account's filing, submitted.
fn submitted_by(app: &TestApp, number: u32) -> String {
    let applicant = app.user(&format!("demo-applicant-{number}"));
    let website = format!("0193a000-0000-7000-8000-0000000140{number:02}");
    let body = json!({ "kind": "website_change", "website_id": website });
    let filing = applicant.post("/v1/filings", body).expect_status(201);
    let path = format!("/v1/filings/{}", filing.text("/id"));
    let change = json!({ "website": { "remark": "备注有变" } });
    let edited =
        applicant.with("If-Match", filing.header("etag").unwrap()).patch(&path, change).expect_status(200);
    applicant
        .with("If-Match", edited.header("etag").unwrap())
        .post(&format!("{path}/submit"), app.make().acceptance())
        .expect_status(200);
    filing.text("/id")
}

fn name_item() -> Value {
    json!({ "target_kind": "field", "pointer": "/website/name", "code": "SITE_NAME_INVALID", "reason": "含有禁用词语" })
}

fn at_once<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap(), other)
    })
}

/// The one that won and the one that lost.
fn by_outcome((one, other): (Response, Response)) -> (Response, Response) {
    if one.status == 200 { (one, other) } else { (other, one) }
}

fn status_of(app: &TestApp, filing: &str) -> String {
    app.applicant().get(&format!("/v1/filings/{filing}")).expect_status(200).text("/status")
}

#[test]
fn pictures_7_and_8_a_task_is_claimed_rejected_with_reasons_and_comes_back_with_what_changed() {
    let app = TestApp::spawn();
    let (filing, task) = waiting(&app);
    let reviewer = app.reviewer();
    let seen = reviewer.get(&task).expect_status(200);
    assert_eq!(seen.at("/state"), "open");
    assert_eq!(seen.at("/next_actions/0/action"), "claim");
    assert_eq!(seen.at("/changes_against_filed/0/pointer"), "/website/name");
    assert_eq!(seen.at("/changes_against_last_revision"), Value::Null);
    let claimed = reviewer.act(&format!("{task}/claim")).expect_status(200);
    claimed
        .expect("/state", "claimed")
        .expect("/claimed_by/display_name", "审核员一")
        .expect("/next_actions/0/action", "approve");
    let filing_seen = reviewer.get(&format!("/v1/filings/{filing}")).expect_status(200);
    assert_eq!(filing_seen.at("/next_actions/0/operation_id"), "approveReview");
    let body = json!({ "items": [name_item()], "note": "请修改后重新提交" });
    let rejected = reviewer.post(&format!("{task}/reject"), body.clone()).expect_status(200);
    rejected
        .expect("/state", "rejected")
        .expect("/next_actions", json!([]))
        .expect("/filing/status", "initial_rejected");
    // The applicant reads each reason, and no name of anybody.
    let applicant = app.applicant();
    let path = format!("/v1/filings/{filing}");
    let shown = applicant.get(&path).expect_status(200);
    assert_eq!(shown.at("/rejection/items/0/label"), "网站名称");
    assert_eq!(shown.at("/rejection/source"), "initial_review");
    assert!(!shown.json().to_string().contains("审核员一"));
    // Corrected and answered; the second round shows both to the reviewer.
    let resubmit = |name: &str| {
        let shown = applicant.get(&path).expect_status(200);
        let item = shown.at("/rejection/items/0/id");
        let change = json!({
            "website": { "name": name },
            "rejection_replies": [{ "item_id": item, "reply": "已改名" }],
        });
        let edited =
            applicant.with("If-Match", shown.header("etag").unwrap()).patch(&path, change).expect_status(200);
        applicant
            .with("If-Match", edited.header("etag").unwrap())
            .post(&format!("{path}/submit"), app.make().acceptance())
            .expect_status(200);
        task_of(&app, &filing)
    };
    let task = resubmit("云上花店花艺馆");
    let seen = reviewer.act(&format!("{task}/claim")).expect_status(200);
    assert_eq!(seen.at("/round"), 2);
    assert_eq!(seen.at("/changes_against_last_revision/0/before"), "云上花店之家");
    assert_eq!(seen.at("/rejections/0/items/0/applicant_reply"), "已改名");
    let rejected = reviewer.post(&format!("{task}/reject"), body).expect_status(200);
    assert_eq!(rejected.at("/rejections/1/items/0/is_repeated"), true);
    // The same reason on the same field twice: the third round is for a senior reviewer.
    let task = resubmit("云上花店花艺之家");
    reviewer
        .get(&task)
        .expect_status(200)
        .expect("/is_escalated", true)
        .expect("/next_actions/0/is_enabled", false);
    reviewer.act(&format!("{task}/claim")).expect_problem(403, "escalated");
    reviewer.post("/v1/reviews/claim-next", json!({})).expect_problem(409, "nothing_to_claim");
    let senior = app.senior_reviewer();
    senior.post("/v1/reviews/claim-next", json!({})).expect_status(200).expect("/is_escalated", true);
    app.run_jobs();
}

#[test]
fn an_approval_needs_the_whole_checklist_and_is_done_once_per_key() {
    let app = TestApp::spawn();
    let (filing, task) = waiting(&app);
    let reviewer = app.reviewer();
    let approve = format!("{task}/approve");
    reviewer.post(&approve, json!({ "checklist": INITIAL })).expect_problem(409, "not_claimed");
    reviewer.act(&format!("{task}/claim")).expect_status(200);
    let reply = reviewer.post(&approve, json!({ "checklist": ["site_name", "same_person"] }));
    let reply = reply.expect_problem(422, "validation_failed");
    assert_eq!(reply.faults(), ["/checklist checklist_incomplete", "/checklist/1 not_in_list"]);
    assert_eq!(status_of(&app, &filing), "initial_review");
    reviewer
        .with("If-Match", "\"1.x\"")
        .post(&approve, json!({ "checklist": INITIAL }))
        .expect_problem(412, "precondition_failed");
    let keyed = reviewer.with("Idempotency-Key", "one");
    let first = keyed.post(&approve, json!({ "checklist": INITIAL })).expect_status(200);
    assert_eq!(first.at("/checklist/0/checked"), true);
    assert_eq!(first.at("/decided_by/display_name"), "审核员一");
    let again = keyed.post(&approve, json!({ "checklist": INITIAL })).expect_status(200);
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    assert_eq!(status_of(&app, &filing), "photo_required");
    let closed =
        reviewer.post(&approve, json!({ "checklist": INITIAL })).expect_problem(409, "invalid_transition");
    assert_eq!(closed.at("/current_status"), "approved");
    let audit = app.user("demo-auditor").get("/v1/audit-events?action=review.approved").expect_status(200);
    assert_eq!(audit.at("/items/0/filing_id"), filing.as_str());
    app.run_jobs();
}

#[test]
fn of_two_claims_at_once_one_wins_and_the_other_learns_who_holds_it() {
    let app = TestApp::spawn();
    let (_, task) = waiting(&app);
    let path = format!("{task}/claim");
    let (one, other) = (app.reviewer(), app.other_reviewer());
    let (won, lost) = by_outcome(at_once(|| one.act(&path), || other.act(&path)));
    let won = won.expect_status(200);
    let lost = lost.expect_problem(409, "claimed_by_another");
    assert_eq!(lost.at("/claimed_by"), won.at("/claimed_by/display_name"));
    assert_eq!(lost.at("/lease_expires_at"), won.at("/lease_expires_at"));
    app.run_jobs();
}

#[test]
fn claim_next_gives_two_reviewers_two_tasks_due_first() {
    let app = TestApp::spawn();
    let (first, second) = (submitted_by(&app, 2), submitted_by(&app, 3));
    let (one, other) = (app.reviewer(), app.other_reviewer());
    let next = |client: &Client| client.post("/v1/reviews/claim-next", json!({ "stage": "initial_review" }));
    let (a, b) = at_once(|| next(&one), || next(&other));
    let mut got = [a.expect_status(200).text("/filing_id"), b.expect_status(200).text("/filing_id")];
    got.sort();
    let mut expected = [first, second];
    expected.sort();
    assert_eq!(got, expected);
    next(&one).expect_problem(409, "nothing_to_claim");
    app.run_jobs();
}

#[test]
fn of_two_decisions_at_once_exactly_one_counts() {
    let app = TestApp::spawn();
    let (filing, task) = waiting(&app);
    let reviewer = app.reviewer();
    reviewer.act(&format!("{task}/claim")).expect_status(200);
    let (approved, rejected) = at_once(
        || reviewer.post(&format!("{task}/approve"), json!({ "checklist": INITIAL })),
        || reviewer.post(&format!("{task}/reject"), json!({ "items": [name_item()] })),
    );
    let expected = if approved.status == 200 { "photo_required" } else { "initial_rejected" };
    let (_, lost) = by_outcome((approved, rejected));
    let lost = lost.expect_problem(409, "invalid_transition");
    assert_eq!(lost.at("/decided_by"), "审核员一");
    assert_eq!(status_of(&app, &filing), expected);
    app.run_jobs();
}

#[test]
fn a_lapsed_lease_still_decides_unless_another_took_the_task_and_the_draft_survives() {
    let app = TestApp::spawn();
    let (filing, task) = waiting(&app);
    let (one, other) = (app.reviewer(), app.other_reviewer());
    one.act(&format!("{task}/claim")).expect_status(200);
    let draft =
        json!({ "checklist": ["site_name"], "items": [{ "code": "SITE_NAME_INVALID" }], "note": "待核对" });
    one.put(&format!("{task}/draft"), draft.clone()).expect_status(200).expect("/draft/note", "待核对");
    other.put(&format!("{task}/draft"), draft).expect_problem(409, "claimed_by_another");
    one.put(&format!("{task}/draft"), json!({ "checklist": ["nonsense"] }))
        .expect_problem(422, "validation_failed");
    app.advance(Duration::minutes(29));
    one.act(&format!("{task}/renew")).expect_status(200);
    app.advance(Duration::minutes(29));
    other.act(&format!("{task}/claim")).expect_problem(409, "claimed_by_another");
    let before = other.get(&task).expect_status(200);
    app.advance(Duration::minutes(1));
    // Nothing but time has passed, and yet there is something new to be done.
    let tag = before.header("etag").unwrap();
    let after = other.with("If-None-Match", tag).get(&task).expect_status(200);
    assert_eq!(after.at("/next_actions/0/is_enabled"), true);
    let taken = other.act(&format!("{task}/claim")).expect_status(200);
    assert_eq!(taken.at("/draft/items/0/code"), "SITE_NAME_INVALID");
    assert_eq!(taken.at("/checklist/1/checked"), true);
    let late = one.post(&format!("{task}/approve"), json!({ "checklist": INITIAL }));
    late.expect_problem(409, "claimed_by_another").expect("/claimed_by", "审核员二");
    one.act(&format!("{task}/release")).expect_problem(409, "claimed_by_another");
    app.advance(Duration::hours(3));
    other
        .post(&format!("{task}/approve"), json!({ "checklist": INITIAL }))
        .expect_status(200)
        .expect("/draft", Value::Null);
    assert_eq!(status_of(&app, &filing), "photo_required");
    // Both may open the files from now on.
    let holders: i64 = review_task_holders::table.count().get_result(&mut app.conn()).unwrap();
    assert_eq!(holders, 2);
    app.run_jobs();
}

#[test]
fn nobody_reviews_a_filing_that_they_worked_on() {
    let app = TestApp::spawn();
    let (filing, task) = waiting(&app);
    let (one, other) = (app.reviewer(), app.other_reviewer());
    let involve = |login: &str| {
        let user: uuid::Uuid =
            users::table.filter(users::login.eq(login)).select(users::id).first(&mut app.conn()).unwrap();
        diesel::insert_into(filing_participants::table)
            .values((
                filing_participants::filing_id.eq(filing.parse::<uuid::Uuid>().unwrap()),
                filing_participants::user_id.eq(user),
            ))
            .execute(&mut app.conn())
            .unwrap();
    };
    involve("demo-reviewer");
    one.act(&format!("{task}/claim")).expect_problem(403, "separation_of_duties");
    one.post("/v1/reviews/claim-next", json!({})).expect_problem(409, "nothing_to_claim");
    one.get(&task).expect_status(200).expect("/next_actions/0/blocked_by/0/code", "own_filing");
    let assign = json!({ "user_id": "0193a000-0000-7000-8000-000000011003" });
    let reply = app
        .senior_reviewer()
        .post(&format!("{task}/assign"), assign)
        .expect_problem(422, "validation_failed");
    assert_eq!(reply.faults(), ["/user_id separation_of_duties"]);
    // And at the decision again.
    other.act(&format!("{task}/claim")).expect_status(200);
    involve("demo-reviewer-2");
    other
        .post(&format!("{task}/approve"), json!({ "checklist": INITIAL }))
        .expect_problem(403, "separation_of_duties");
    assert_eq!(status_of(&app, &filing), "initial_review");
    app.run_jobs();
}

#[test]
fn a_senior_assigns_and_releases() {
    let app = TestApp::spawn();
    let (_, task) = waiting(&app);
    let (one, other, senior) = (app.reviewer(), app.other_reviewer(), app.senior_reviewer());
    let assign = format!("{task}/assign");
    let to_other = json!({ "user_id": "0193a000-0000-7000-8000-000000011004" });
    one.act(&format!("{task}/claim")).expect_status(200);
    one.post(&assign, to_other.clone()).expect_problem(403, "forbidden");
    let logistics = json!({ "user_id": "0193a000-0000-7000-8000-000000011006" });
    let reply = senior.post(&assign, logistics).expect_problem(422, "validation_failed");
    assert_eq!(reply.faults(), ["/user_id not_a_reviewer"]);
    senior
        .post(&assign, to_other)
        .expect_status(200)
        .expect("/state", "open")
        .expect("/assigned_to/display_name", "审核员二");
    one.act(&format!("{task}/claim"))
        .expect_problem(409, "assigned_to_another")
        .expect("/assigned_to", "审核员二");
    one.post("/v1/reviews/claim-next", json!({})).expect_problem(409, "nothing_to_claim");
    other.post("/v1/reviews/claim-next", json!({})).expect_status(200);
    let released = senior.act(&format!("{task}/release")).expect_status(200);
    released.expect("/state", "open").expect("/claimed_by", Value::Null).expect("/assigned_to", Value::Null);
    one.act(&format!("{task}/claim")).expect_status(200);
    one.act(&format!("{task}/release")).expect_status(200);
    one.act(&format!("{task}/release")).expect_problem(409, "not_claimed");
    app.run_jobs();
}

#[test]
fn every_fault_of_a_rejection_is_told_with_its_place() {
    let app = TestApp::spawn();
    let (filing, task) = waiting(&app);
    let reviewer = app.reviewer();
    reviewer.act(&format!("{task}/claim")).expect_status(200);
    let reject = |items: Value| reviewer.post(&format!("{task}/reject"), json!({ "items": items }));
    assert_eq!(reject(json!([])).expect_problem(422, "validation_failed").faults(), ["/items too_few_items"]);
    let many: Vec<_> = (0..51).map(|_| name_item()).collect();
    assert_eq!(
        reject(json!(many)).expect_problem(422, "validation_failed").faults(),
        ["/items too_many_items"]
    );
    let bad = json!([
        { "target_kind": "field", "pointer": "/website/nonsense", "code": "NONSENSE", "reason": "x" },
        { "target_kind": "material", "material_code": "nonsense", "code": "SITE_NAME_INVALID", "reason": "x" },
        { "target_kind": "photo", "code": "PHOTO_BLURRED", "reason": "模糊" },
        { "target_kind": "field", "pointer": "/subject/certificate/number", "code": "OTHER", "reason": "太短" },
    ]);
    assert_eq!(
        reject(bad).expect_problem(422, "validation_failed").faults(),
        [
            "/items/0/code not_in_list",
            "/items/0/pointer not_in_list",
            "/items/1/code reason_does_not_fit",
            "/items/1/material_code not_in_list",
            "/items/2/target_kind not_allowed",
            "/items/3/reason too_short",
        ]
    );
    assert_eq!(status_of(&app, &filing), "initial_review");
    app.run_jobs();
}

#[test]
fn reviewers_see_masked_data_and_others_no_reviews_at_all() {
    let app = TestApp::spawn();
    let (filing, task) = waiting(&app);
    let text = app.reviewer().get(&task).expect_status(200).json().to_string();
    assert!(text.contains("139****0001"), "{text}");
    for clear in ["13912000001", "contact1@example.com", "示例大街1号"] {
        assert!(!text.contains(clear), "{clear} in {text}");
    }
    for stranger in [app.applicant(), app.logistics(), app.bureau(), app.admin(), app.user("demo-support")] {
        stranger.get(&task).expect_problem(403, "forbidden");
        stranger.get("/v1/reviews").expect_problem(403, "forbidden");
        stranger.act(&format!("{task}/claim")).expect_problem(403, "forbidden");
    }
    app.reviewer().get("/v1/reviews/0193a000-0000-7000-8000-000000017999").expect_problem(404, "not_found");
    app.reviewer()
        .act("/v1/reviews/0193a000-0000-7000-8000-000000017999/claim")
        .expect_problem(404, "not_found");
    // Notes stay among staff.
    let notes = format!("/v1/filings/{filing}/notes");
    let note = app.reviewer().post(&notes, json!({ "body": "已电话核实" })).expect_status(201);
    note.expect("/author_name", "审核员一");
    app.other_reviewer().get(&notes).expect_status(200).expect("/items/0/body", "已电话核实");
    app.applicant().get(&notes).expect_problem(403, "forbidden");
    app.bureau().get(&notes).expect_problem(404, "not_found");
    app.run_jobs();
}

#[test]
fn the_queue_is_filtered_paged_and_counted() {
    let app = TestApp::spawn();
    waiting(&app);
    submitted_by(&app, 2);
    submitted_by(&app, 3);
    let reviewer = app.reviewer();
    let first = reviewer.get("/v1/reviews?limit=2").expect_status(200);
    assert_eq!((first.at("/has_more"), first.at("/items/0/overdue")), (json!(true), json!(false)));
    let cursor = first.text("/next_cursor");
    reviewer
        .get(&format!("/v1/reviews?limit=2&cursor={cursor}"))
        .expect_status(200)
        .expect("/items/1", Value::Null);
    reviewer
        .get(&format!("/v1/reviews?stage=photo_review&cursor={cursor}"))
        .expect_problem(400, "invalid_cursor");
    let count = |query: &str| {
        reviewer.get(&format!("/v1/reviews?{query}")).expect_status(200).json()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    reviewer.post("/v1/reviews/claim-next", json!({ "province_code": "310000" })).expect_status(200);
    assert_eq!(count("claimed_by=me"), 1);
    assert_eq!(count("claimed_by=none&state=open"), 2);
    assert_eq!(count("q=%E4%BA%91%E4%B8%8A"), 1);
    assert_eq!(count("q=BA-2026"), 3);
    assert_eq!(count("province_code=310000"), 1);
    assert_eq!(count("state=approved,rejected"), 0);
    assert_eq!(count("overdue=true"), 0);
    reviewer.get("/v1/reviews?claimed_by=somebody").expect_problem(400, "invalid_parameter");
    reviewer.get("/v1/reviews?sort=name").expect_problem(400, "invalid_parameter");
    app.advance(Duration::days(3));
    assert_eq!(count("overdue=true&sort=-due_at"), 3);
    let summary = reviewer.get("/v1/reviews/summary").expect_status(200);
    assert_eq!((summary.at("/mine"), summary.at("/overdue")), (json!(1), json!(3)));
    assert_eq!((summary.at("/counts/0/state"), summary.at("/counts/0/count")), (json!("open"), json!(2)));
    assert_eq!(summary.at("/oldest_due_at"), "2026-03-12T16:00:00Z");
    app.run_jobs();
}

/// A photo that passed its check, in review; its task is claimed by the reviewer.
fn photo_in_review(app: &TestApp) -> (String, String) {
    let (filing, task) = waiting(app);
    let reviewer = app.reviewer();
    reviewer.act(&format!("{task}/claim")).expect_status(200);
    reviewer.post(&format!("{task}/approve"), json!({ "checklist": INITIAL })).expect_status(200);
    let id: FilingId = filing.parse().unwrap();
    let photo = PhotoVerificationId::new();
    let conn = &mut app.conn();
    conn.transaction::<_, diesel::result::Error, _>(|conn| {
        let hash: Vec<u8> = filing_revisions::table
            .filter(filing_revisions::filing_id.eq(id))
            .select(filing_revisions::person_hash)
            .first(conn)?;
        let filing = filings::lock(conn, id).unwrap();
        diesel::insert_into(photo_verifications::table)
            .values((
                photo_verifications::id.eq(photo),
                photo_verifications::filing_id.eq(id),
                photo_verifications::account_id.eq(filing.account_id),
                photo_verifications::attempt_no.eq(1),
                photo_verifications::state.eq("in_review"),
                photo_verifications::file_name.eq("photo.jpg"),
                photo_verifications::content_type.eq("image/jpeg"),
                photo_verifications::size_bytes.eq(1000),
                photo_verifications::sha256.eq("0".repeat(64)),
                photo_verifications::upload_key.eq("uploads/1"),
                photo_verifications::upload_expires_at.eq(app.now()),
                photo_verifications::person_hash.eq(hash),
                photo_verifications::findings.eq(json!([])),
                photo_verifications::created_by.eq(filing.created_by),
                photo_verifications::created_at.eq(app.now()),
            ))
            .execute(conn)?;
        let input = Input { photo: Some(photo), ..Input::default() };
        filings::act(conn, &Ctx::system(app.now()), filing, Action::SendPhotoToReview, input).unwrap();
        Ok(())
    })
    .unwrap();
    let task = task_of(app, &filing);
    reviewer.act(&format!("{task}/claim")).expect_status(200).expect("/stage", "photo_review");
    (filing, task)
}

fn photo_state(app: &TestApp) -> String {
    photo_verifications::table.select(photo_verifications::state).first(&mut app.conn()).unwrap()
}

#[test]
fn pictures_17_and_18_a_good_photo_sends_the_filing_to_the_bureau() {
    let app = TestApp::spawn();
    let (filing, task) = photo_in_review(&app);
    app.reviewer().post(&format!("{task}/approve"), json!({ "checklist": PHOTO })).expect_status(200);
    assert_eq!(status_of(&app, &filing), "bureau_queued");
    assert_eq!(photo_state(&app), "passed");
    app.run_jobs();
}

#[test]
fn a_bad_photo_is_taken_again_and_wrong_data_go_back_to_the_form() {
    let blurred = json!({ "target_kind": "photo", "code": "PHOTO_BLURRED", "reason": "照片模糊" });
    let app = TestApp::spawn();
    let (filing, task) = photo_in_review(&app);
    app.reviewer().post(&format!("{task}/reject"), json!({ "items": [blurred] })).expect_status(200);
    assert_eq!(status_of(&app, &filing), "photo_rejected");
    assert_eq!(photo_state(&app), "rejected");
    app.run_jobs();
    drop(app);

    let app = TestApp::spawn();
    let (filing, task) = photo_in_review(&app);
    let body = json!({ "items": [blurred, name_item()] });
    app.reviewer()
        .post(&format!("{task}/reject"), body)
        .expect_status(200)
        .expect("/filing/status", "initial_rejected");
    assert_eq!(status_of(&app, &filing), "initial_rejected");
    assert_eq!(photo_state(&app), "cancelled");
    app.run_jobs();
}
