//! Materials (seed picture 5): declared, sent straight to the store, looked at, and only then they count.

use std::io::{Read, Write};
use std::net::TcpListener;

use beian::external::storage::StorageError;
use chrono::Duration;
use serde_json::json;

use crate::support::files::{attach, declaration, jpeg, pdf, png, upload_attachment};
use crate::support::{Client, TestApp};

/// Whether the store has an object.
fn is_stored(app: &TestApp, key: &str) -> bool {
    match app.block_on(app.app.storage.head(key)) {
        Ok(_) => true,
        Err(StorageError::NotFound) => false,
        Err(error) => panic!("{error}"),
    }
}

fn upload_key(app: &TestApp, id: &str) -> String {
    use chrono::Datelike;
    format!("uploads/{}/{id}", app.now().year())
}

#[test]
fn picture_5_a_material_is_uploaded_completed_shown_and_downloaded() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().draft();
    let bytes = jpeg(400, 300, 1);
    let mut body = declaration(&bytes, "image/jpeg");
    body["purpose"] = json!("identity_card_front");
    body["file_name"] = json!("身份证 人像面.jpg");
    let tag = filing.tag(&applicant);
    let made =
        applicant.post(&filing.path("/attachments"), body).expect_status(201).expect("/state", "pending");
    let id = made.text("/id");
    let path = format!("/v1/attachments/{id}");
    assert_eq!(made.header("location").unwrap(), path);
    assert_eq!(made.at("/purpose_label"), "网站负责人身份证人像面");
    assert_ne!(filing.tag(&applicant), tag, "what belongs to a filing raises its version");
    // Nothing is there yet.
    applicant.act(&format!("{path}/complete")).expect_problem(409, "upload_missing");
    applicant.act(&format!("{path}/download-url")).expect_problem(409, "upload_missing");
    Client::upload(&made.at("/upload"), &bytes).expect_status(200);
    let done = applicant.act(&format!("{path}/complete")).expect_status(200).expect("/state", "ready");
    assert_eq!(done.at("/upload"), json!(null));
    // A second completion changes nothing.
    let again = applicant.act(&format!("{path}/complete")).expect_status(200);
    assert_eq!(again.json(), done.json());
    let shown = applicant.get(&path).expect_status(200);
    assert_eq!(shown.json(), done.json());
    let tag = shown.header("etag").unwrap();
    applicant.with("If-None-Match", &tag).get(&path).expect_status(304);
    applicant.get(&filing.path("/attachments")).expect_status(200).expect("/items/0/id", id.clone());
    // The object that counts is not the one that could be written to.
    assert!(is_stored(&app, &upload_key(&app, &id)));
    app.run_jobs();
    assert!(!is_stored(&app, &upload_key(&app, &id)));
    assert!(is_stored(&app, &format!("attachments/{id}")));
    let download = applicant.act(&format!("{path}/download-url")).expect_status(200);
    let file = Client::new("", None).get(&download.text("/url")).expect_status(200);
    assert_eq!(file.body, bytes);
    let disposition = file.header("content-disposition").unwrap();
    assert!(
        disposition.starts_with("attachment; ") && disposition.contains("filename*=UTF-8''"),
        "{disposition}"
    );
}

#[test]
fn the_store_refuses_another_content_than_the_signed_one() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().draft();
    let bytes = jpeg(200, 200, 1);
    let mut body = declaration(&bytes, "image/jpeg");
    body["purpose"] = json!("other");
    let made = applicant.post(&filing.path("/attachments"), body).expect_status(201);
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    assert!(Client::upload(&made.at("/upload"), &other).status >= 400);
    assert!(Client::upload(&made.at("/upload"), &bytes[..100]).status >= 400);
    let id = made.text("/id");
    applicant.act(&format!("/v1/attachments/{id}/complete")).expect_problem(409, "upload_missing");
    app.run_jobs();
}

#[test]
fn a_file_that_is_not_what_was_declared_is_refused_with_the_reason() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().draft();
    let bytes = pdf("good");
    let declare = |content_type: &str| {
        let mut body = declaration(&bytes, content_type);
        body["purpose"] = json!("name_proof");
        applicant.post(&filing.path("/attachments"), body).expect_status(201)
    };
    // A store that does not enforce what was signed: put behind its back.
    let mut longer = bytes.clone();
    longer.push(b'\n');
    let mut other = bytes.clone();
    other[10] ^= 1;
    for (content, content_type, code) in [
        (&longer, "application/pdf", "size_mismatch"),
        (&other, "application/pdf", "checksum_mismatch"),
        (&bytes, "image/jpeg", "type_mismatch"),
    ] {
        let id = declare(content_type).text("/id");
        let key = upload_key(&app, &id);
        app.block_on(app.app.storage.put_bytes(&key, content.clone(), content_type)).unwrap();
        let path = format!("/v1/attachments/{id}");
        let reply = applicant.act(&format!("{path}/complete")).expect_status(200).expect("/state", "refused");
        assert_eq!(reply.at("/refused_code"), code);
        assert!(reply.text("/refused_text").chars().count() > 5);
        // Still refused when asked again, never counted, never to be downloaded.
        applicant.act(&format!("{path}/complete")).expect_status(200).expect("/state", "refused");
        applicant.act(&format!("{path}/download-url")).expect_problem(409, "upload_missing");
        app.run_jobs();
        assert!(!is_stored(&app, &key) && !is_stored(&app, &format!("attachments/{id}")));
    }
}

#[test]
fn a_declaration_is_checked_field_by_field() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().draft();
    let path = filing.path("/attachments");
    let bad = json!({ "purpose": "other", "file_name": "../a/b", "content_type": "image/gif", "size_bytes": 10_485_761,
        "sha256": "abc", "key": "x" });
    let reply = applicant.post(&path, bad).expect_problem(422, "validation_failed");
    assert_eq!(
        reply.faults(),
        [
            "/content_type not_in_list",
            "/file_name invalid_format",
            "/key unknown_field",
            "/sha256 invalid_format",
            "/sha256 too_short",
            "/size_bytes out_of_range"
        ]
    );
    let mut good = declaration(b"x", "application/pdf");
    good["purpose"] = json!("nonsense");
    let reply = applicant.post(&path, good.clone()).expect_problem(422, "validation_failed");
    assert_eq!(reply.faults(), ["/purpose not_in_list"]);
    // An identity card is a picture.
    good["purpose"] = json!("identity_card_front");
    let reply = applicant.post(&path, good.clone()).expect_problem(422, "validation_failed");
    assert_eq!(reply.faults(), ["/content_type not_in_list"]);
    good["purpose"] = json!("other");
    good["size_bytes"] = json!(0);
    applicant.post(&path, good).expect_problem(422, "validation_failed");
    app.run_jobs();
}

#[test]
fn a_new_card_replaces_the_old_one_and_other_material_adds_up() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().draft();
    let first = attach(&applicant, &filing.id, "identity_card_front", &jpeg(300, 200, 1), "image/jpeg");
    let second = attach(&applicant, &filing.id, "identity_card_front", &png(300, 200, 2), "image/png");
    attach(&applicant, &filing.id, "other", &pdf("a"), "application/pdf");
    attach(&applicant, &filing.id, "other", &pdf("b"), "application/pdf");
    let list = applicant.get(&filing.path("/attachments?purpose=identity_card_front")).expect_status(200);
    assert_eq!(list.at("/items/0/id"), second.clone());
    assert_eq!(list.at("/items/1"), json!(null));
    applicant.get(&format!("/v1/attachments/{first}")).expect_problem(404, "not_found");
    let list =
        applicant.get(&filing.path("/attachments?limit=2")).expect_status(200).expect("/has_more", true);
    let next = list.text("/next_cursor");
    let rest = applicant.get(&filing.path(&format!("/attachments?limit=2&cursor={next}"))).expect_status(200);
    assert_eq!(rest.at("/items/0/purpose"), "other");
    assert_eq!(rest.at("/has_more"), false);
    applicant
        .get(&filing.path(&format!("/attachments?purpose=other&cursor={next}")))
        .expect_problem(400, "invalid_cursor");
    app.run_jobs();
    assert!(!is_stored(&app, &format!("attachments/{first}")));
    assert!(is_stored(&app, &format!("attachments/{second}")));
}

#[test]
fn a_deleted_material_is_gone_unless_a_revision_contains_it() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().edited();
    let loose = attach(&applicant, &filing.id, "other", &pdf("loose"), "application/pdf");
    let stale = "\"7.00000000\"";
    let path = format!("/v1/attachments/{loose}");
    applicant.with("If-Match", stale).delete(&path).expect_problem(412, "precondition_failed");
    applicant.delete(&path).expect_status(204);
    applicant.get(&path).expect_problem(404, "not_found");
    applicant.delete(&path).expect_problem(404, "not_found");
    applicant.act(&format!("{path}/complete")).expect_problem(404, "not_found");
    app.run_jobs();
    assert!(!is_stored(&app, &format!("attachments/{loose}")));

    let kept = attach(&applicant, &filing.id, "other", &pdf("kept"), "application/pdf");
    app.make().submit(&filing);
    let path = format!("/v1/attachments/{kept}");
    // While it is reviewed nothing moves.
    applicant
        .delete(&path)
        .expect_problem(409, "invalid_transition")
        .expect("/current_status", "initial_review");
    let mut body = declaration(b"%PDF-x", "application/pdf");
    body["purpose"] = json!("other");
    applicant.post(&filing.path("/attachments"), body).expect_problem(409, "invalid_transition");
    applicant.act(&filing.path("/withdraw")).expect_status(200);
    applicant.delete(&path).expect_status(204);
    applicant.get(&path).expect_status(200).expect("/state", "deleted");
    applicant.get(&filing.path("/attachments")).expect_status(200).expect("/items", json!([]));
    app.run_jobs();
    assert!(is_stored(&app, &format!("attachments/{kept}")), "a revision keeps it");
    applicant.act(&format!("{path}/download-url")).expect_status(200);
}

#[test]
fn somebody_elses_material_does_not_exist_and_staff_need_a_task() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().edited();
    let id = attach(&applicant, &filing.id, "other", &pdf("mine"), "application/pdf");
    app.make().submit(&filing);
    let other = app.other_applicant();
    let path = format!("/v1/attachments/{id}");
    other.get(&path).expect_problem(404, "not_found");
    other.delete(&path).expect_problem(404, "not_found");
    other.act(&format!("{path}/complete")).expect_problem(404, "not_found");
    other.act(&format!("{path}/download-url")).expect_problem(404, "not_found");
    other.get(&filing.path("/attachments")).expect_problem(404, "not_found");
    let mut body = declaration(b"%PDF-x", "application/pdf");
    body["purpose"] = json!("other");
    other.post(&filing.path("/attachments"), body).expect_problem(404, "not_found");
    let reviewer = app.reviewer();
    reviewer.get(&path).expect_problem(403, "forbidden");
    reviewer.get(&filing.path("/attachments")).expect_problem(403, "forbidden");
    reviewer.act(&format!("{path}/download-url")).expect_problem(403, "forbidden");
    reviewer.delete(&path).expect_problem(403, "forbidden");
    app.bureau().get(&path).expect_problem(404, "not_found");
    app.admin().get(&path).expect_problem(403, "forbidden");
    app.logistics().get(&path).expect_problem(403, "forbidden");
    app.anonymous().get(&path).expect_problem(401, "unauthenticated");
    app.run_jobs();
}

#[test]
fn an_upload_that_never_completes_expires_with_its_object() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().draft();
    let id = upload_attachment(&applicant, &filing.id, "other", &pdf("slow"), "application/pdf").text("/id");
    let mut body = declaration(&pdf("never"), "application/pdf");
    body["purpose"] = json!("other");
    let never = applicant.post(&filing.path("/attachments"), body).expect_status(201).text("/id");
    app.schedule_periodic();
    app.run_jobs();
    applicant.get(&format!("/v1/attachments/{id}")).expect_status(200).expect("/state", "pending");
    app.advance(Duration::minutes(16));
    // What came in time may be completed a little later; what never came is over.
    applicant.act(&format!("/v1/attachments/{never}/complete")).expect_problem(409, "upload_expired");
    app.advance(Duration::minutes(60));
    applicant.act(&format!("/v1/attachments/{id}/complete")).expect_problem(409, "upload_expired");
    app.run_jobs();
    for id in [&id, &never] {
        applicant.get(&format!("/v1/attachments/{id}")).expect_status(200).expect("/state", "expired");
        applicant.act(&format!("/v1/attachments/{id}/complete")).expect_problem(409, "upload_expired");
        assert!(!is_stored(&app, &upload_key(&app, id)));
    }
    applicant.get(&filing.path("/attachments")).expect_status(200).expect("/items", json!([]));
}

#[test]
fn a_repeated_declaration_is_one_attachment_with_a_fresh_address() {
    let app = TestApp::spawn();
    let applicant = app.applicant().with("Idempotency-Key", "card-1");
    let filing = app.make().draft();
    let bytes = pdf("once");
    let mut body = declaration(&bytes, "application/pdf");
    body["purpose"] = json!("other");
    let first = applicant.post(&filing.path("/attachments"), body.clone()).expect_status(201);
    let again = applicant.post(&filing.path("/attachments"), body.clone()).expect_status(201);
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    assert_eq!(again.at("/id"), first.at("/id"));
    Client::upload(&again.at("/upload"), &bytes).expect_status(200);
    let complete = format!("/v1/attachments/{}/complete", first.text("/id"));
    let done = app.applicant().with("Idempotency-Key", "card-1").act(&complete).expect_status(200);
    done.expect("/state", "ready");
    // Once it is complete there is nothing to upload any more.
    let late = applicant.post(&filing.path("/attachments"), body).expect_status(201);
    assert_eq!(late.at("/upload"), json!(null));
    app.run_jobs();
}

#[test]
fn a_purpose_takes_twenty_files() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().draft();
    let mut body = declaration(b"%PDF-x", "application/pdf");
    body["purpose"] = json!("other");
    for _ in 0..20 {
        applicant.post(&filing.path("/attachments"), body.clone()).expect_status(201);
    }
    applicant.post(&filing.path("/attachments"), body.clone()).expect_problem(409, "too_many_attachments");
    // Those that never came give their place back.
    app.advance(Duration::minutes(16));
    applicant.post(&filing.path("/attachments"), body).expect_status(201);
    app.run_jobs();
}

#[test]
fn malware_is_refused_when_a_scanner_is_configured_and_nothing_counts_while_it_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let app = TestApp::spawn_with(&[("CLAMAV_ADDR", &address)]);
    // Answers once, as ClamAV would about a test virus.
    let daemon = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut received = Vec::new();
        let mut buffer = [0; 1024];
        while !received.ends_with(&[0, 0, 0, 0]) {
            let count = stream.read(&mut buffer).unwrap();
            received.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(b"stream: Eicar-Test-Signature FOUND\0").unwrap();
    });
    let applicant = app.applicant();
    let filing = app.make().draft();
    let id = upload_attachment(&applicant, &filing.id, "other", &pdf("EICAR"), "application/pdf").text("/id");
    let reply = applicant.act(&format!("/v1/attachments/{id}/complete")).expect_status(200);
    assert_eq!(reply.at("/refused_code"), "malware");
    daemon.join().unwrap();
    let id = upload_attachment(&applicant, &filing.id, "other", &pdf("fine"), "application/pdf").text("/id");
    applicant.act(&format!("/v1/attachments/{id}/complete")).expect_problem(503, "unavailable");
    applicant.get(&format!("/v1/attachments/{id}")).expect_status(200).expect("/state", "pending");
    app.run_jobs();
}
