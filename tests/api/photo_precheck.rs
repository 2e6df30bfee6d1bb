//! What the program sees in a photo before any human looks: findings with numbers, the admin's switches, trying a photo
//! before it is sent, the drawing of what was seen, and what happens to the original file.

use chrono::Duration;
use serde_json::{Value, json};

use crate::photo_verifications::{path, photo_required};
use crate::support::files::{fixture, good_photo, submit_photo};
use crate::support::{Client, TestApp};

fn codes(shown: &Value) -> Vec<String> {
    let findings = shown["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// Tries a photo as the SPA does before sending it.
fn try_photo(client: &Client, bytes: &[u8], content_type: &str) -> crate::support::Response {
    client.with("Content-Type", content_type).send("POST", "/v1/photo-guide/check", Some(bytes.to_vec()))
}

#[test]
fn each_fault_is_told_with_numbers_and_advice() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    for (file, code, severity) in [
        ("no-face.jpg", "PHOTO_NO_FACE", "block"),
        ("two-faces.jpg", "PHOTO_SEVERAL_FACES", "block"),
        ("no-backdrop.jpg", "PHOTO_BACKDROP_MISSING", "block"),
        ("red-top.jpg", "PHOTO_CLOTHES_COLOUR", "warn"),
        ("blurred.jpg", "PHOTO_BLURRED", "warn"),
    ] {
        let shown = try_photo(&applicant, &fixture(file), "image/jpeg").expect_status(200).json();
        let findings = shown["findings"].as_array().unwrap();
        let finding = findings
            .iter()
            .find(|finding| finding["code"] == code)
            .unwrap_or_else(|| panic!("{file}: {shown}"));
        assert_eq!(finding["severity"], severity, "{file}");
        assert_eq!(shown["is_acceptable"], severity == "warn", "{file}: {shown}");
        for member in ["measured", "limit", "message", "suggestion"] {
            assert!(finding[member].as_str().is_some_and(|text| !text.is_empty()), "{file}: {finding}");
        }
    }
    let two = try_photo(&applicant, &fixture("two-faces.jpg"), "image/jpeg").json();
    let region = &two["findings"][0]["region"];
    assert!(region["width"].as_u64().unwrap() > 20, "{two}");
    let good = try_photo(&applicant, &good_photo(1), "image/jpeg").expect_status(200);
    assert_eq!(good.at("/findings"), json!([]));
    assert_eq!(good.at("/is_acceptable"), true);
    let english = try_photo(&applicant.with("Accept-Language", "en"), &fixture("no-face.jpg"), "image/jpeg");
    assert_eq!(english.at("/findings/0/message"), "No face was found in the photo");
}

#[test]
fn a_photo_that_lies_on_its_side_is_turned_first() {
    let app = TestApp::spawn();
    let shown =
        try_photo(&app.applicant(), &fixture("rotated-exif-6.jpg"), "image/jpeg").expect_status(200).json();
    assert_eq!(codes(&shown), [""; 0], "{shown}");
    assert!(shown["height"].as_u64() > shown["width"].as_u64(), "{shown}");
}

#[test]
fn a_trial_is_for_people_who_are_signed_in_and_stores_nothing() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let good = good_photo(1);
    try_photo(&app.anonymous(), &good, "image/jpeg").expect_problem(401, "unauthenticated");
    try_photo(&applicant, &good, "application/json").expect_problem(415, "unsupported_media_type");
    try_photo(&applicant, &vec![0; 10 * 1024 * 1024 + 1], "image/jpeg").expect_problem(413, "body_too_large");
    // A picture that is on file already: not a word about it.
    let filing = photo_required(&app);
    submit_photo(&applicant, &filing.id, &good, "image/jpeg");
    app.run_jobs();
    for client in [app.other_applicant(), app.reviewer(), app.admin()] {
        try_photo(&client, &good, "image/jpeg").expect_status(200).expect("/findings", json!([]));
    }
    // What cannot be opened is a finding here too.
    let broken = try_photo(&applicant, b"no picture", "image/png").expect_status(200);
    assert_eq!(broken.at("/findings/0/code"), "PHOTO_UNREADABLE");
    assert_eq!((broken.at("/width"), broken.at("/is_acceptable")), (json!(null), json!(false)));
    // The limit is each user's own.
    let refused = (0..25).find_map(|_| {
        let reply = try_photo(&applicant, b"no picture", "image/png");
        (reply.status == 429).then_some(reply)
    });
    let refused = refused.expect("a limit").expect_problem(429, "too_many_requests");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    try_photo(&app.reviewer(), b"no picture", "image/png").expect_status(200);
}

#[test]
fn a_copy_of_a_used_picture_is_refused_even_when_it_was_saved_anew() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = photo_required(&app);
    let used = submit_photo(&applicant, &filing.id, &good_photo(3), "image/jpeg");
    app.run_jobs();
    applicant.get(&path(&used)).expect_status(200).expect("/state", "in_review");

    let other = app.other_applicant();
    let theirs = crate::photo_verifications::photo_required_of(&app, &other);
    // Other bytes, other size, the same picture.
    let copy = image::load_from_memory(&good_photo(3)).unwrap();
    let (width, height) = (copy.width() * 9 / 10, copy.height() * 9 / 10);
    let copy = copy.resize_exact(width.max(600), height.max(800), image::imageops::FilterType::Triangle);
    let mut bytes = std::io::Cursor::new(Vec::new());
    copy.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    let id = submit_photo(&other, &theirs.id, bytes.get_ref(), "image/jpeg");
    app.run_jobs();
    let shown = other.get(&path(&id)).expect_status(200).expect("/state", "precheck_failed").json();
    assert!(codes(&shown).contains(&"PHOTO_REUSED".to_owned()), "{shown}");
    assert!(!shown.to_string().contains(&used), "it is never told whose photo it was: {shown}");
    // Another person before the same cloth is not a copy.
    let id = submit_photo(&other, &theirs.id, &good_photo(4), "image/jpeg");
    app.run_jobs();
    other.get(&path(&id)).expect_status(200).expect("/state", "in_review").expect("/findings", json!([]));
}

#[test]
fn the_admin_decides_what_a_finding_does() {
    let app = TestApp::spawn();
    let (admin, applicant) = (app.admin(), app.applicant());
    let list = admin.get("/v1/admin/photo-precheck-settings").expect_status(200).json();
    let blurred = |list: &Value| {
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["code"] == "PHOTO_BLURRED").unwrap()
    };
    assert_eq!(blurred(&list)["mode"], "warn");
    assert_eq!(blurred(&list)["changed_by"], json!(null));
    let photo = fixture("blurred.jpg");
    try_photo(&applicant, &photo, "image/jpeg").expect("/is_acceptable", true);
    let setting = "/v1/admin/photo-precheck-settings/PHOTO_BLURRED";
    let stored = admin.put(setting, json!({ "mode": "block" })).expect_status(200).expect("/mode", "block");
    assert_eq!(stored.at("/changed_by"), "0193a000-0000-7000-8000-000000011010", "{}", stored.json());
    assert!(stored.at("/changed_at").is_string() && stored.at("/changed_by_name").is_string());
    try_photo(&applicant, &photo, "image/jpeg").expect("/is_acceptable", false);
    admin.put(setting, json!({ "mode": "off" })).expect_status(200);
    let shown = try_photo(&applicant, &photo, "image/jpeg").json();
    assert!(!codes(&shown).contains(&"PHOTO_BLURRED".to_owned()), "{shown}");
    let list = admin.get("/v1/admin/photo-precheck-settings").expect_status(200).json();
    assert_eq!(blurred(&list)["mode"], "off");
    // What was chosen before stands in the audit trail.
    let trail = app.user("demo-auditor").get("/v1/audit-events?action=photo_precheck.setting_changed").json();
    let details = trail["items"][0]["details"].as_array().unwrap();
    assert!(details.contains(&json!({ "name": "previous", "value": "block" })), "{trail}");

    admin.put(setting, json!({ "mode": "maybe" })).expect_problem(422, "validation_failed");
    for unknown in ["PHOTO_UNREADABLE", "PHOTO_NOT_PERSON", "nonsense"] {
        let path = format!("/v1/admin/photo-precheck-settings/{unknown}");
        admin.put(&path, json!({ "mode": "off" })).expect_problem(404, "not_found");
    }
    applicant.put(setting, json!({ "mode": "off" })).expect_problem(403, "forbidden");
}

#[test]
fn a_province_may_have_another_cloth() {
    let app = TestApp::spawn();
    let (admin, applicant) = (app.admin(), app.applicant());
    let list = admin.get("/v1/backdrop-profiles").expect_status(200).json();
    let mut green = list["items"][0]["profile"].clone();
    assert_eq!(list["items"][0]["code"], "default");
    green["hue_from"] = json!(90);
    green["hue_to"] = json!(150);
    let today = app.now().date_naive().to_string();
    let row = json!({ "profile": green, "effective_from": today, "source": "a test" });
    admin.put("/v1/backdrop-profiles/330000", row.clone()).expect_status(200).expect("/code", "330000");
    let check = |province: &str| {
        let path = format!("/v1/photo-guide/check{province}");
        let client = applicant.with("Content-Type", "image/jpeg");
        codes(&client.send("POST", &path, Some(good_photo(1))).expect_status(200).json())
    };
    assert_eq!(check(""), [""; 0]);
    assert_eq!(check("?province_code=110000"), [""; 0]);
    assert!(check("?province_code=330000").contains(&"PHOTO_BACKDROP_MISSING".to_owned()));
    admin.put("/v1/backdrop-profiles/810000", row.clone()).expect_problem(404, "not_found");
    let mut wrong = row;
    wrong["profile"]["hue_from"] = json!(400);
    wrong["profile"]["hue"] = json!(1);
    let reply = admin.put("/v1/backdrop-profiles/330000", wrong).expect_problem(422, "validation_failed");
    assert_eq!(reply.faults(), ["/profile/hue unknown_field", "/profile/hue_from out_of_range"]);
}

#[test]
fn people_see_what_the_check_saw() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = photo_required(&app);
    let id = submit_photo(&applicant, &filing.id, &good_photo(1), "image/jpeg");
    let preview = format!("{}/preview-url", path(&id));
    applicant.get(&path(&id)).expect_status(200).expect("/has_preview", false);
    applicant.act(&preview).expect_problem(409, "upload_missing");
    app.run_jobs();
    applicant.get(&path(&id)).expect_status(200).expect("/has_preview", true);
    let reviewer = app.reviewer();
    reviewer.act(&preview).expect_problem(403, "forbidden");
    app.other_applicant().act(&preview).expect_problem(404, "not_found");
    // The reviewer who takes the task finds it there, and opening it leaves a trace.
    let queue = reviewer.get("/v1/reviews?stage=photo_review").expect_status(200);
    let task = queue.text("/items/0/id");
    let task = reviewer.act(&format!("/v1/reviews/{task}/claim")).expect_status(200).json();
    assert_eq!(task["photo_verification"]["has_preview"], true);
    let actions = task["next_actions"].as_array().unwrap();
    let action = actions.iter().find(|action| action["action"] == "open_photo_preview").expect("the action");
    assert_eq!(action["operation_id"], "createPhotoPreview");
    for client in [&applicant, &reviewer] {
        let url = client.act(action["href"].as_str().unwrap()).expect_status(200).text("/url");
        let picture = Client::new("", None).get(&url).expect_status(200);
        assert_eq!(picture.header("content-type").as_deref(), Some("image/jpeg"));
        let picture = image::load_from_memory(&picture.body).unwrap();
        assert!(picture.width().max(picture.height()) <= 1280);
    }
    let trail = app.user("demo-auditor").get("/v1/audit-events?action=photo.preview_opened").json();
    assert_eq!(trail["items"].as_array().unwrap().len(), 1, "{trail}");
}

#[test]
fn place_and_serial_numbers_stay_in_the_original_which_dies_in_time() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = photo_required(&app);
    let bytes = fixture("gps-and-serial-number.jpg");
    let serial = b"SN-0123456789";
    let has = |bytes: &[u8]| bytes.windows(serial.len()).any(|window| window == serial);
    assert!(has(&bytes), "the file of the test must have a serial number");
    let id = submit_photo(&applicant, &filing.id, &bytes, "image/jpeg");
    app.run_jobs();
    let url = applicant.act(&format!("{}/download-url", path(&id))).expect_status(200).text("/url");
    let shown = Client::new("", None).get(&url).expect_status(200).body;
    assert!(!has(&shown));
    let (before, after) =
        (image::load_from_memory(&bytes).unwrap(), image::load_from_memory(&shown).unwrap());
    assert_eq!(before.into_rgb8(), after.into_rgb8(), "not a pixel may change");

    let key = format!("photo-originals/{id}");
    let is_there = || app.block_on(app.app.storage.head(&key)).is_ok();
    app.schedule_periodic();
    app.advance(Duration::days(31));
    app.run_jobs();
    assert!(is_there(), "the filing still needs it");
    applicant.act(&filing.path("/abandon")).expect_status(200);
    app.advance(Duration::days(29));
    app.schedule_periodic();
    app.run_jobs();
    assert!(is_there());
    app.advance(Duration::days(2));
    app.schedule_periodic();
    app.run_jobs();
    assert!(!is_there());
    let trail = app.user("demo-auditor").get("/v1/audit-events?action=photo.original_deleted").json();
    assert_eq!(trail["items"][0]["object_id"], id);
    assert_eq!(trail["items"].as_array().unwrap().len(), 1);
    // What reviewers saw is not concerned.
    applicant.act(&format!("{}/download-url", path(&id))).expect_status(200);
}

#[test]
fn hostile_files_end_in_a_finding_and_the_worker_goes_on() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = photo_required(&app);
    let good = good_photo(1);
    let mut huge = good_png();
    huge[16..24].copy_from_slice(&[0, 0, 0x4E, 0x20, 0, 0, 0x4E, 0x20]);
    let crc = crc32(&huge[12..29]).to_be_bytes();
    huge[29..33].copy_from_slice(&crc);
    let truncated = good[..good.len() / 2].to_vec();
    let png = good_png();
    let cut_png = png[..png.len() - 400].to_vec();
    for (bytes, content_type) in [
        (truncated, "image/jpeg"),
        (huge, "image/png"),
        (cut_png, "image/png"),
        (b"\xFF\xD8\xFF\xE0".to_vec(), "image/jpeg"),
    ] {
        let id = submit_photo(&applicant, &filing.id, &bytes, content_type);
        app.run_jobs();
        let shown = applicant.get(&path(&id)).expect_status(200).expect("/state", "precheck_failed");
        assert_eq!(shown.at("/findings/0/code"), "PHOTO_UNREADABLE");
        assert_eq!(shown.at("/has_preview"), false);
    }
    let id = submit_photo(&applicant, &filing.id, &good, "image/jpeg");
    app.run_jobs();
    applicant.get(&path(&id)).expect_status(200).expect("/state", "in_review").expect("/attempt_no", 5);
}

/// A PNG whose content does not matter.
fn good_png() -> Vec<u8> {
    crate::support::files::png(600, 800, 1)
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}
