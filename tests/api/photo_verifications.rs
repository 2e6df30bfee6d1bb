//! The responsible person before the backdrop (seed pictures 9, 10, 11 and 17): upload, automatic check, review.

use beian::audit::Actor;
use beian::filings::{self, Action, Ctx, Input, Side};
use beian::kernel::ids::{FilingId, PhotoVerificationId, ReviewId};
use beian::photo_verifications;
use beian::schema::review_tasks;
use chrono::Duration;
use diesel::{Connection, ExpressionMethods, QueryDsl, RunQueryDsl, sql_types};
use serde_json::json;

use crate::support::files::{declaration, good_photo, jpeg, png, submit_photo, upload_photo};
use crate::support::make::Filing;
use crate::support::{Client, TestApp};

/// A filing of `demo-applicant` that waits for the photo.
pub fn photo_required(app: &TestApp) -> Filing {
    let filing = app.make().submitted();
    pass_initial_review(app, &filing.id);
    filing
}

/// The reviewer's decision by itself: reviews have tests of their own.
fn pass_initial_review(app: &TestApp, filing: &str) {
    let id: FilingId = filing.parse().unwrap();
    let ctx = Ctx::new(app.now(), Actor::system(), Side::Reviewer);
    app.conn()
        .transaction(|conn| {
            let filing = filings::lock(conn, id)?;
            let review: ReviewId = review_tasks::table
                .filter(review_tasks::filing_id.eq(id))
                .order(review_tasks::round.desc())
                .select(review_tasks::id)
                .first(conn)?;
            let input = Input { data: json!({ "review_id": review }), ..Input::default() };
            filings::act(conn, &ctx, filing, Action::ApproveInitialReview, input)
        })
        .unwrap();
    app.run_jobs();
}

/// A filing of another applicant that waits for the photo.
pub fn photo_required_of(app: &TestApp, applicant: &Client) -> Filing {
    let website = applicant.get("/v1/websites").expect_status(200).text("/items/0/id");
    let made = applicant
        .post("/v1/filings", json!({ "kind": "website_change", "website_id": website }))
        .expect_status(201);
    let filing = Filing { id: made.text("/id"), website_id: website };
    let change = json!({ "website": { "remark": "联系方式更新" } });
    applicant.with("If-Match", filing.tag(applicant)).patch(&filing.path(""), change).expect_status(200);
    let acceptance = app.make().acceptance();
    let submit = applicant.with("If-Match", filing.tag(applicant)).post(&filing.path("/submit"), acceptance);
    submit.expect_status(200);
    pass_initial_review(app, &filing.id);
    filing
}

pub fn path(id: &str) -> String {
    format!("/v1/photo-verifications/{id}")
}

fn event_types(client: &Client, filing: &Filing) -> Vec<String> {
    let events = client.get(&filing.path("/events")).expect_status(200).at("/items");
    events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_photo_that_failed_before_the_filing_was_withdrawn_is_history() {
    let app = TestApp::spawn();
    let filing = photo_required(&app);
    let applicant = app.applicant();
    submit_photo(&applicant, &filing.id, &jpeg(100, 100, 1), "image/jpeg");
    app.run_jobs();
    let prompt = || applicant.get(&filing.path("")).expect_status(200).text("/prompt/title");
    assert_eq!(prompt(), "照片未通过检查，请重新拍摄");
    app.advance(Duration::hours(1));
    applicant.act(&filing.path("/withdraw")).expect_status(200).expect("/prompt/title", "备案已撤销");
    app.make().submit(&filing);
    pass_initial_review(&app, &filing.id);
    assert_eq!(prompt(), "初审已通过，请办理网站负责人拍照核验");
    submit_photo(&applicant, &filing.id, &jpeg(100, 100, 2), "image/jpeg");
    app.run_jobs();
    assert_eq!(prompt(), "照片未通过检查，请重新拍摄");
}

#[test]
fn picture_17_a_good_photo_goes_to_review_within_seconds() {
    let app = TestApp::spawn();
    let filing = photo_required(&app);
    let applicant = app.applicant();
    let bytes = good_photo(1);
    let made = applicant
        .post(&filing.path("/photo-verifications"), declaration(&bytes, "image/jpeg"))
        .expect_status(201)
        .expect("/state", "awaiting_upload")
        .expect("/attempt_no", 1)
        .expect("/next_actions/0/action", "submit_photo");
    let id = made.text("/id");
    assert_eq!(made.header("location").unwrap(), path(&id));
    applicant.act(&format!("{}/submit", path(&id))).expect_problem(409, "upload_missing");
    Client::upload(&made.at("/upload"), &bytes).expect_status(200);
    let tag = applicant.get(&path(&id)).expect_status(200).header("etag").unwrap();
    let sent =
        applicant.act(&format!("{}/submit", path(&id))).expect_status(202).expect("/state", "checking");
    assert_eq!(sent.at("/upload"), json!(null));
    // While it is checked the filing stands still, and a second click is harmless.
    applicant.get(&filing.path("")).expect_status(200).expect("/status", "photo_required");
    applicant.act(&format!("{}/submit", path(&id))).expect_status(202).expect("/state", "checking");
    let another = declaration(&good_photo(2), "image/jpeg");
    applicant
        .post(&filing.path("/photo-verifications"), another.clone())
        .expect_problem(409, "live_attempt_exists");
    app.run_jobs();
    let shown = applicant
        .with("If-None-Match", &tag)
        .get(&path(&id))
        .expect_status(200)
        .expect("/state", "in_review");
    assert_eq!(shown.at("/findings"), json!([]));
    assert_eq!(shown.at("/next_actions"), json!([]));
    let after = applicant.get(&filing.path("")).expect_status(200).expect("/status", "photo_review");
    assert_eq!(after.at("/current_photo_verification/id"), id.clone());
    assert_eq!(event_types(&applicant, &filing).iter().filter(|kind| *kind == "photo.received").count(), 1);
    applicant.post(&filing.path("/photo-verifications"), another).expect_problem(409, "invalid_transition");
    // The upload is gone, what was checked is kept.
    let download = applicant.act(&format!("{}/download-url", path(&id))).expect_status(200);
    assert_eq!(Client::new("", None).get(&download.text("/url")).expect_status(200).body, bytes);
    // A reviewer sees the attempt; the picture needs a task.
    let reviewer = app.reviewer();
    reviewer.get(&path(&id)).expect_status(200).expect("/state", "in_review");
    reviewer.act(&format!("{}/download-url", path(&id))).expect_problem(403, "forbidden");
    app.other_applicant().get(&path(&id)).expect_problem(404, "not_found");
    app.other_applicant().act(&format!("{}/submit", path(&id))).expect_problem(404, "not_found");
    app.other_applicant().act(&format!("{}/download-url", path(&id))).expect_problem(404, "not_found");
    app.bureau().get(&path(&id)).expect_problem(403, "forbidden");
    app.run_jobs();
}

#[test]
fn a_photo_that_fails_the_check_is_retaken_at_once() {
    let app = TestApp::spawn();
    let filing = photo_required(&app);
    let applicant = app.applicant();
    let small = submit_photo(&applicant, &filing.id, &jpeg(400, 500, 1), "image/jpeg");
    app.run_jobs();
    let shown = applicant.get(&path(&small)).expect_status(200).expect("/state", "precheck_failed");
    assert_eq!(shown.at("/findings/0/code"), "PHOTO_TOO_SMALL");
    assert_eq!(shown.at("/findings/0/severity"), "block");
    assert_eq!(shown.at("/findings/0/measured"), "400×500 px");
    assert_eq!(shown.at("/findings/0/limit"), "600×800 px");
    assert_eq!(shown.at("/findings/0/message"), "照片尺寸过小");
    assert_eq!(shown.at("/next_actions/0/action"), "upload_photo");
    let english = applicant.with("Accept-Language", "en").get(&path(&small)).expect_status(200);
    assert_eq!(english.at("/findings/0/message"), "The photo is too small");
    assert!(event_types(&applicant, &filing).contains(&"photo.precheck_failed".to_owned()));
    let page = applicant.get(&filing.path("")).expect_status(200).expect("/status", "photo_required");
    assert_eq!(page.at("/current_photo_verification/state"), "precheck_failed");
    // As PNG is fine.
    let mut good = std::io::Cursor::new(Vec::new());
    let picture = image::load_from_memory(&good_photo(2)).unwrap();
    picture.write_to(&mut good, image::ImageFormat::Png).unwrap();
    let good = submit_photo(&applicant, &filing.id, good.get_ref(), "image/png");
    app.run_jobs();
    applicant.get(&path(&good)).expect_status(200).expect("/state", "in_review").expect("/attempt_no", 2);
    let list = applicant.get(&filing.path("/photo-verifications")).expect_status(200);
    assert_eq!((list.at("/items/0/id"), list.at("/items/1/id")), (json!(good), json!(small)));
}

#[test]
fn what_is_no_picture_is_told_and_never_breaks_the_worker() {
    let app = TestApp::spawn();
    let filing = photo_required(&app);
    let applicant = app.applicant();
    // Not even its first bytes: known while it is submitted.
    let text = b"this is no picture".to_vec();
    let id = upload_photo(&applicant, &filing.id, &text, "image/jpeg");
    let reply = applicant
        .act(&format!("{}/submit", path(&id)))
        .expect_status(202)
        .expect("/state", "precheck_failed");
    assert_eq!(reply.at("/findings/0/code"), "PHOTO_UNREADABLE");
    // A picture's head on a body of noise, and half a picture.
    let mut garbled = good_photo(1);
    garbled.truncate(60);
    garbled.extend((0..40_000_u32).map(|n| ((n * 7919) >> 3) as u8));
    let png = png(900, 1200, 1);
    for (bytes, content_type) in [(&garbled[..], "image/jpeg"), (&png[..png.len() / 3], "image/png")] {
        let id = submit_photo(&applicant, &filing.id, bytes, content_type);
        app.run_jobs();
        let shown = applicant.get(&path(&id)).expect_status(200).expect("/state", "precheck_failed");
        assert_eq!(shown.at("/findings/0/code"), "PHOTO_UNREADABLE");
    }
    let good = submit_photo(&applicant, &filing.id, &good_photo(3), "image/jpeg");
    app.run_jobs();
    applicant.get(&path(&good)).expect_status(200).expect("/state", "in_review").expect("/attempt_no", 4);
}

#[test]
fn a_broken_transfer_can_be_repeated_to_the_same_address() {
    let app = TestApp::spawn();
    let filing = photo_required(&app);
    let applicant = app.applicant();
    let bytes = good_photo(1);
    let made = applicant
        .post(&filing.path("/photo-verifications"), declaration(&bytes, "image/jpeg"))
        .expect_status(201);
    let id = made.text("/id");
    // A store that does not enforce what was signed: put behind its back.
    use chrono::Datelike;
    let key = format!("uploads/{}/{id}", app.now().year());
    app.block_on(app.app.storage.put_bytes(&key, bytes[..500].to_vec(), "image/jpeg")).unwrap();
    applicant
        .act(&format!("{}/submit", path(&id)))
        .expect_problem(409, "upload_refused")
        .expect("/reason", "size_mismatch");
    Client::upload(&made.at("/upload"), &bytes).expect_status(200);
    applicant.act(&format!("{}/submit", path(&id))).expect_status(202);
    app.run_jobs();
    applicant.get(&path(&id)).expect_status(200).expect("/state", "in_review");
}

#[test]
fn the_same_file_is_not_taken_for_another_filing_or_twice() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = photo_required(&app);
    let bytes = good_photo(7);
    let used = submit_photo(&applicant, &filing.id, &bytes, "image/jpeg");
    app.run_jobs();
    // Rejected by a reviewer: not that one again.
    let (filing_id, photo_id): (FilingId, PhotoVerificationId) =
        (filing.id.parse().unwrap(), used.parse().unwrap());
    let ctx = Ctx::new(app.now(), Actor::system(), Side::Reviewer);
    app.conn()
        .transaction(|conn| {
            let filing = filings::lock(conn, filing_id)?;
            photo_verifications::decide(conn, ctx.now, photo_id, false)?;
            filings::act(conn, &ctx, filing, Action::RejectPhoto, Input::default())
        })
        .unwrap();
    app.run_jobs();
    applicant.get(&path(&used)).expect_status(200).expect("/next_actions/0/action", "upload_photo");
    let again = submit_photo(&applicant, &filing.id, &bytes, "image/jpeg");
    app.run_jobs();
    let shown = applicant.get(&path(&again)).expect_status(200).expect("/state", "precheck_failed");
    assert_eq!(shown.at("/findings/0/code"), "PHOTO_REUSED");
    assert_eq!(shown.at("/findings/0/measured"), json!(null), "it is never told whose photo it was");

    let other = app.other_applicant();
    let theirs = photo_required_of(&app, &other);
    let id = submit_photo(&other, &theirs.id, &bytes, "image/jpeg");
    app.run_jobs();
    other.get(&path(&id)).expect_status(200).expect("/findings/0/code", "PHOTO_REUSED");
}

#[test]
fn a_new_declaration_takes_the_place_of_one_that_still_waits() {
    let app = TestApp::spawn();
    let filing = photo_required(&app);
    let applicant = app.applicant();
    let first = upload_photo(&applicant, &filing.id, &good_photo(1), "image/jpeg");
    let second = upload_photo(&applicant, &filing.id, &good_photo(2), "image/jpeg");
    applicant.get(&path(&first)).expect_status(200).expect("/state", "cancelled");
    applicant.act(&format!("{}/submit", path(&first))).expect_problem(409, "invalid_transition");
    applicant.act(&format!("{}/submit", path(&second))).expect_status(202);
    app.run_jobs();
    applicant.get(&path(&second)).expect_status(200).expect("/state", "in_review");
}

#[test]
fn a_late_check_changes_nothing_after_the_filing_moved() {
    let app = TestApp::spawn();
    let filing = photo_required(&app);
    let applicant = app.applicant();
    let id = submit_photo(&applicant, &filing.id, &good_photo(1), "image/jpeg");
    applicant.act(&filing.path("/withdraw")).expect_status(200);
    app.run_jobs();
    applicant.get(&path(&id)).expect_status(200).expect("/state", "cancelled");
    applicant.get(&filing.path("")).expect_status(200).expect("/status", "draft");
    assert!(!event_types(&applicant, &filing).contains(&"photo.received".to_owned()));

    // Should the filing ever move without ending the attempt, the check finds it void.
    app.make().submit(&filing);
    pass_initial_review(&app, &filing.id);
    let id = submit_photo(&applicant, &filing.id, &good_photo(1), "image/jpeg");
    let filing_id: FilingId = filing.id.parse().unwrap();
    diesel::sql_query("UPDATE filings SET status = 'draft' WHERE id = $1")
        .bind::<sql_types::Uuid, _>(filing_id)
        .execute(&mut app.conn())
        .unwrap();
    app.run_jobs();
    applicant.get(&path(&id)).expect_status(200).expect("/state", "void");
    applicant.get(&filing.path("")).expect_status(200).expect("/status", "draft");
}

#[test]
fn a_check_that_cannot_run_sends_the_photo_to_review_after_a_minute() {
    let app = TestApp::spawn();
    let filing = photo_required(&app);
    let applicant = app.applicant();
    let id = submit_photo(&applicant, &filing.id, &good_photo(1), "image/jpeg");
    app.block_on(app.app.storage.delete(&format!("photo-originals/{id}"))).unwrap();
    app.run_jobs();
    applicant.get(&path(&id)).expect_status(200).expect("/state", "checking");
    app.advance(Duration::seconds(61));
    app.schedule_periodic();
    app.run_jobs();
    let shown = applicant.get(&path(&id)).expect_status(200).expect("/state", "in_review");
    assert_eq!(shown.at("/findings/0/code"), "PRECHECK_UNAVAILABLE");
    assert_eq!(shown.at("/findings/0/severity"), "warn");
    applicant.get(&filing.path("")).expect_status(200).expect("/status", "photo_review");
    assert_eq!(event_types(&applicant, &filing).iter().filter(|kind| *kind == "photo.received").count(), 1);
}

#[test]
fn a_photo_that_never_comes_is_cancelled_with_its_object() {
    let app = TestApp::spawn();
    let filing = photo_required(&app);
    let applicant = app.applicant();
    let id = upload_photo(&applicant, &filing.id, &good_photo(1), "image/jpeg");
    app.schedule_periodic();
    app.advance(Duration::minutes(80));
    applicant.act(&format!("{}/submit", path(&id))).expect_problem(409, "upload_expired");
    app.run_jobs();
    applicant.get(&path(&id)).expect_status(200).expect("/state", "cancelled");
    use chrono::Datelike;
    let key = format!("uploads/{}/{id}", app.now().year());
    assert!(app.block_on(app.app.storage.head(&key)).is_err());
}

#[test]
fn photos_are_taken_only_in_their_steps() {
    let app = TestApp::spawn();
    let filing = app.make().submitted();
    let applicant = app.applicant();
    let body = declaration(&good_photo(1), "image/jpeg");
    applicant
        .post(&filing.path("/photo-verifications"), body.clone())
        .expect_problem(409, "invalid_transition")
        .expect("/current_status", "initial_review");
    let pdf = declaration(b"%PDF-1.7", "application/pdf");
    let reply =
        applicant.post(&filing.path("/photo-verifications"), pdf).expect_problem(422, "validation_failed");
    assert_eq!(reply.faults(), ["/content_type not_in_list"]);
    app.other_applicant().post(&filing.path("/photo-verifications"), body).expect_problem(404, "not_found");
    app.run_jobs();
}
