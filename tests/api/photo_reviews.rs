//! The review of a photo (seed pictures 17 and 18).

use beian::filings::{self, Action, Ctx, Input};
use beian::kernel::ids::{FilingId, PhotoVerificationId};
use beian::schema::{filing_revisions, photo_verifications};
use diesel::prelude::*;
use serde_json::json;

use crate::reviews::{INITIAL, name_item, status_of, task_of, waiting};
use crate::support::TestApp;

const PHOTO: [&str; 5] =
    ["same_person", "centred_upper_body", "whole_backdrop", "season_clothes", "authentic"];

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
    let claimed = reviewer.act(&format!("{task}/claim")).expect_status(200).expect("/stage", "photo_review");
    assert_eq!(claimed.at("/photo_verification/id"), photo.to_string());
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
    // A decided task still shows what was decided on.
    app.other_reviewer().get(&task).expect_status(200).expect("/photo_verification/state", "cancelled");
    app.run_jobs();
}
