//! The owner's side of a filing: seed pictures 3 to 8.

use serde_json::json;

use crate::support::TestApp;

#[test]
fn picture_3_a_change_starts_as_a_copy_of_the_filed_data() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let website = applicant.get("/v1/websites").expect_status(200);
    assert_eq!(website.at("/items/0/next_actions/0/action"), "start_website_change");
    let body = json!({ "kind": "website_change", "website_id": website.at("/items/0/id") });
    let filing = applicant.post("/v1/filings", body.clone()).expect_status(201);
    assert_eq!(filing.at("/status"), "draft");
    assert_eq!(filing.at("/website/name"), "云上花店");
    assert_eq!(filing.at("/prompt/title"), "请填写变更信息");
    assert_eq!(filing.at("/next_actions/0/action"), "submit");
    assert_eq!(filing.at("/next_actions/0/is_enabled"), false);
    let mobile = filing.text("/website/responsible_person/mobile");
    assert!(mobile.contains("****"), "{mobile}");
    assert_eq!(filing.header("location"), Some(format!("/v1/filings/{}", filing.text("/id"))));
    // A second one for the same subject is refused, by the database.
    let problem = applicant.post("/v1/filings", body).expect_problem(409, "live_filing_exists");
    assert_eq!(problem.at("/existing_id"), filing.at("/id"));
    let website = applicant.get("/v1/websites").expect_status(200);
    let actions = website.at("/items/0/next_actions");
    let start =
        actions.as_array().unwrap().iter().find(|action| action["action"] == "start_website_change").unwrap();
    assert_eq!(start["is_enabled"], false);
    assert_eq!(website.at("/items/0/live_filing_id"), filing.at("/id"));
    app.run_jobs();
}

#[test]
fn picture_4_edits_are_merged_and_nothing_is_lost() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().draft();
    let path = format!("/v1/filings/{}", filing.id);
    let before = applicant.get(&path).expect_status(200);
    let tag = before.header("etag").unwrap();
    // Without If-Match, and with a stale one.
    let patch = json!({ "website": { "name": "云上花店之家" } });
    applicant.patch(&path, patch.clone()).expect_problem(428, "precondition_required");
    let after = applicant.with("If-Match", &tag).patch(&path, patch.clone()).expect_status(200);
    assert_eq!(after.at("/website/name"), "云上花店之家");
    assert_eq!(after.at("/website/home_url"), before.at("/website/home_url"));
    assert_eq!(after.at("/next_actions/0/is_enabled"), true);
    applicant.with("If-Match", &tag).patch(&path, patch).expect_problem(412, "precondition_failed");
    // A mask that comes back, an unknown field and a wrong type, all told at once.
    let tag = after.header("etag").unwrap();
    let bad = json!({ "website": { "nme": "x", "remark": 5, "responsible_person": { "mobile": 7 } } });
    let reply = applicant.with("If-Match", &tag).patch(&path, bad).expect_problem(422, "validation_failed");
    assert_eq!(
        reply.faults(),
        [
            "/website/nme unknown_field",
            "/website/remark wrong_type",
            "/website/responsible_person/mobile wrong_type"
        ]
    );
    let masked = json!({ "website": { "responsible_person": { "mobile": "139****2001" } } });
    let reply =
        applicant.with("If-Match", &tag).patch(&path, masked).expect_problem(422, "validation_failed");
    assert_eq!(reply.faults(), ["/website/responsible_person/mobile masked_value"]);
    // The diff shows exactly what was changed.
    let diff = applicant.get(&format!("{path}/diff")).expect_status(200);
    assert_eq!(diff.at("/changes/0/pointer"), "/website/name");
    assert_eq!(diff.at("/changes/1"), serde_json::Value::Null);
    app.run_jobs();
}

#[test]
fn picture_6_check_tells_every_problem_at_once_and_submit_refuses_the_same() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().draft();
    let path = format!("/v1/filings/{}", filing.id);
    let bad = json!({ "website": {
        "name": "123",
        "home_url": "https://www.elsewhere.com",
        "same_as_subject_responsible_person": false,
        "responsible_person": { "name": "钱多", "certificate_number": "110105194912310021", "mobile": "12345" },
    } });
    let tag = filing.tag(&applicant);
    let edited = applicant.with("If-Match", &tag).patch(&path, bad).expect_status(200);
    let check = applicant.act(&format!("{path}/check")).expect_status(200);
    assert_eq!(check.at("/can_submit"), false);
    let findings = check.at("/findings");
    let has = |pointer: &str| {
        findings
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["pointer"] == pointer && finding["severity"] == "error")
    };
    for pointer in [
        "/website/name",
        "/website/home_url",
        "/website/responsible_person/certificate_number",
        "/website/responsible_person/mobile",
        "/materials/identity_card_front",
        "/materials/identity_card_back",
        "/materials/authorisation_letter",
    ] {
        assert!(has(pointer), "{pointer} is missing in {findings:#}");
    }
    let submit = applicant
        .with("If-Match", edited.header("etag").unwrap())
        .post(&format!("{path}/submit"), app.make().acceptance())
        .expect_problem(422, "check_failed");
    assert!(submit.faults().iter().any(|fault| fault.starts_with("/materials/identity_card_front")));
    // Nothing was half-written.
    applicant.get(&path).expect_status(200).expect("/status", "draft").expect("/revision_no", 0);
    app.run_jobs();
}

#[test]
fn outdated_terms_are_refused() {
    let app = TestApp::spawn();
    let filing = app.make().edited();
    let applicant = app.applicant();
    let body = json!({ "terms_version": "1999-1", "personal_information_consent_version": "1999-1" });
    let reply = applicant
        .with("If-Match", filing.tag(&applicant))
        .post(&format!("/v1/filings/{}/submit", filing.id), body)
        .expect_problem(422, "validation_failed");
    assert_eq!(
        reply.faults(),
        ["/personal_information_consent_version terms_outdated", "/terms_version terms_outdated"]
    );
    app.run_jobs();
}

#[test]
fn picture_7_a_submitted_filing_waits_for_its_review_with_a_date() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().submitted();
    let shown = applicant.get(&format!("/v1/filings/{}", filing.id)).expect_status(200);
    assert_eq!(shown.at("/status"), "initial_review");
    assert_eq!(shown.at("/revision_no"), 1);
    // Wednesday, ten in the morning: the end of Thursday in Shanghai.
    assert_eq!(shown.at("/due_at"), "2026-03-12T16:00:00Z");
    assert_eq!(shown.at("/prompt/title"), "备案信息已提交，等待初审");
    assert_eq!(shown.at("/editable_fields"), json!([]));
    let events = applicant.get(&format!("/v1/filings/{}/events", filing.id)).expect_status(200);
    assert_eq!(events.at("/items/0/type"), "filing.created");
    assert_eq!(events.at("/items/1/type"), "filing.submitted");
    // Not editable now, and the refusal says what is possible.
    let refused = applicant
        .with("If-Match", filing.tag(&applicant))
        .patch(&format!("/v1/filings/{}", filing.id), json!({ "website": { "remark": "x" } }))
        .expect_problem(409, "invalid_transition");
    assert_eq!(refused.at("/current_status"), "initial_review");
    assert!(refused.at("/allowed_actions").as_array().unwrap().contains(&json!("withdraw")));
    app.run_jobs();
}

#[test]
fn a_withdrawn_filing_is_a_draft_again_and_can_be_given_up() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().submitted();
    let path = format!("/v1/filings/{}", filing.id);
    applicant.act(&format!("{path}/withdraw")).expect_status(200).expect("/status", "draft");
    applicant.act(&format!("{path}/withdraw")).expect_problem(409, "invalid_transition");
    applicant.act(&format!("{path}/abandon")).expect_status(200).expect("/status", "abandoned");
    // The place is free again.
    let website = filing.website_id.clone();
    applicant
        .post("/v1/filings", json!({ "kind": "website_change", "website_id": website }))
        .expect_status(201);
    app.run_jobs();
}

#[test]
fn a_step_expires_after_45_days_with_three_reminders_and_can_be_reopened() {
    let app = TestApp::spawn();

    let filing = app.make().edited();
    let path = format!("/v1/filings/{}", filing.id);
    app.schedule_periodic();
    for _ in 0..44 {
        app.advance(chrono::Duration::days(1));
        app.run_jobs();
    }
    // Sessions end after 30 days: the applicant comes back.
    let applicant = app.applicant();
    applicant.get(&path).expect_status(200).expect("/status", "draft");
    app.advance(chrono::Duration::days(2));
    app.run_jobs();
    applicant.get(&path).expect_status(200).expect("/status", "expired");
    let types: Vec<String> = applicant
        .get(&format!("{path}/events"))
        .at("/items")
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types.iter().filter(|event| *event == "step.reminder").count(), 3, "{types:?}");
    // Another one was begun meanwhile: the refusal names it.
    let body = json!({ "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014001" });
    let other = applicant.post("/v1/filings", body).expect_status(201).text("/id");
    let refused = applicant.act(&format!("{path}/reopen")).expect_problem(409, "live_filing_exists");
    assert_eq!(refused.at("/existing_id"), other.as_str());
    applicant.act(&format!("/v1/filings/{other}/abandon")).expect_status(200);
    let again = applicant.act(&format!("{path}/reopen")).expect_status(200);
    assert_eq!(again.at("/status"), "draft");
    assert_eq!(again.at("/website/name"), "云上花店之家", "own changes are reapplied");
    assert_eq!(again.at("/prompt/title"), "备案已重新打开");
    app.run_jobs();
}

#[test]
fn the_same_idempotency_key_creates_once() {
    let app = TestApp::spawn();
    let applicant = app.applicant().with("Idempotency-Key", "k-1");
    let body = json!({ "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014001" });
    let first = applicant.post("/v1/filings", body.clone()).expect_status(201);
    let second = applicant.post("/v1/filings", body).expect_status(201);
    assert_eq!(first.at("/id"), second.at("/id"));
    assert_eq!(second.header("idempotency-replayed").as_deref(), Some("true"));
    assert_eq!(first.header("etag"), second.header("etag"));
    let other = json!({ "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014002" });
    applicant.post("/v1/filings", other).expect_problem(422, "idempotency_key_reused");
    app.run_jobs();
}

#[test]
fn the_same_idempotency_key_twice_at_once_works_once() {
    let app = TestApp::spawn();
    let applicant = app.applicant().with("Idempotency-Key", "k-2");
    let body = json!({ "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014001" });
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..4).map(|_| scope.spawn(|| applicant.post("/v1/filings", body.clone()).status)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(statuses.contains(&201), "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let list = app.applicant().get("/v1/filings").expect_status(200);
    assert_eq!(list.at("/items").as_array().unwrap().len(), 1);
    app.run_jobs();
}

#[test]
fn two_submits_at_once_make_one_revision() {
    let app = TestApp::spawn();
    let filing = app.make().edited();
    let applicant = app.applicant();
    let client = applicant.with("If-Match", filing.tag(&applicant));
    let path = format!("/v1/filings/{}/submit", filing.id);
    let body = app.make().acceptance();
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..2).map(|_| scope.spawn(|| client.post(&path, body.clone()).status)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert!(statuses == [200, 412] || statuses == [200, 409], "{statuses:?}");
    applicant.get(&format!("/v1/filings/{}", filing.id)).expect("/revision_no", 1);
    app.run_jobs();
}

#[test]
fn somebody_elses_filing_does_not_exist() {
    let app = TestApp::spawn();
    let filing = app.make().draft();
    let other = app.other_applicant();
    let path = format!("/v1/filings/{}", filing.id);
    other.get(&path).expect_problem(404, "not_found");
    other.with("If-Match", "\"1.x\"").patch(&path, json!({ "website": {} })).expect_problem(404, "not_found");
    other.act(&format!("{path}/abandon")).expect_problem(404, "not_found");
    other.act(&format!("{path}/check")).expect_problem(404, "not_found");
    let reveal = json!({ "pointers": ["/website/responsible_person/mobile"], "purpose": "contact" });
    other.post(&format!("{path}/reveal"), reveal).expect_problem(404, "not_found");
    let website = json!({ "kind": "website_change", "website_id": filing.website_id });
    other.post("/v1/filings", website).expect_problem(404, "not_found");
    // A reviewer does not see a draft either.
    app.reviewer().get(&path).expect_problem(404, "not_found");
    app.run_jobs();
}

#[test]
fn reveal_gives_the_owner_clear_text_and_leaves_a_trace() {
    let app = TestApp::spawn();
    let filing = app.make().draft();
    let reveal = json!({ "pointers": ["/website/responsible_person/mobile"], "purpose": "edit" });
    let path = format!("/v1/filings/{}/reveal", filing.id);
    let clear = app.applicant().post(&path, reveal.clone()).expect_status(200);
    assert_eq!(clear.at("/values/0/value"), "13912000001");
    let bad = json!({ "pointers": ["/website/name"], "purpose": "curiosity" });
    let reply = app.applicant().post(&path, bad).expect_problem(422, "validation_failed");
    assert_eq!(reply.faults(), ["/pointers/0 not_in_list", "/purpose not_in_list"]);
    let audit = app.user("demo-auditor").get("/v1/audit-events?action=reveal").expect_status(200);
    assert_eq!(audit.at("/items/0/filing_id"), filing.id.as_str());
    app.run_jobs();
}

#[test]
fn a_list_is_paged_by_a_cursor_that_belongs_to_its_filter() {
    let app = TestApp::spawn();
    for number in 1..=3 {
        let login =
            if number == 1 { "demo-applicant".to_owned() } else { format!("demo-applicant-{number}") };
        app.advance(chrono::Duration::seconds(1));
        let website = format!("0193a000-0000-7000-8000-00000001400{number}");
        let body = json!({ "kind": "website_change", "website_id": website });
        app.user(&login).post("/v1/filings", body).expect_status(201);
    }
    let support = app.user("demo-support");
    let first = support.get("/v1/filings?limit=2").expect_status(200);
    assert_eq!(first.at("/has_more"), true);
    assert!(first.header("link").unwrap().contains("rel=\"next\""));
    let cursor = first.text("/next_cursor");
    let second = support.get(&format!("/v1/filings?limit=2&cursor={cursor}")).expect_status(200);
    assert_eq!(second.at("/has_more"), false);
    assert_ne!(first.at("/items/1/id"), second.at("/items/0/id"));
    support
        .get(&format!("/v1/filings?limit=2&status=draft&cursor={cursor}"))
        .expect_problem(400, "invalid_cursor");
    support.get("/v1/filings?nonsense=1").expect_problem(400, "invalid_parameter");
    support.get("/v1/filings?limit=0").expect_problem(400, "invalid_parameter");
    support.get("/v1/filings/nonsense").expect_problem(400, "invalid_parameter");
    let found = support.get("/v1/filings?q=Yunshang").expect_status(200);
    assert_eq!(found.at("/items").as_array().unwrap().len(), 1);
    for q in ["%25", "%27", "%5C", "yunshang%3A*"] {
        assert_eq!(
            support.get(&format!("/v1/filings?q={q}")).expect_status(200).at("/items"),
            json!([]),
            "{q}"
        );
    }
    app.run_jobs();
}

#[test]
fn a_read_with_the_current_etag_is_not_repeated() {
    let app = TestApp::spawn();
    let filing = app.make().draft();
    let applicant = app.applicant();
    let tag = filing.tag(&applicant);
    applicant.with("If-None-Match", &tag).get(&format!("/v1/filings/{}", filing.id)).expect_status(304);
    let english = applicant.with("Accept-Language", "en").with("If-None-Match", &tag);
    english.get(&format!("/v1/filings/{}", filing.id)).expect_status(200);
    app.run_jobs();
}

#[test]
fn pictures_9_and_11_the_photo_page_names_both_branches_and_a_valid_photo_skips_it() {
    let app = TestApp::spawn();
    let filing = crate::shortcuts::photo_required(&app, 1);
    let shown = app.applicant().get(&format!("/v1/filings/{filing}")).expect_status(200);
    assert_eq!(shown.at("/status"), "photo_required");
    assert_eq!(shown.at("/prompt/title"), "初审已通过，请办理网站负责人拍照核验");
    let actions: Vec<String> = shown
        .at("/next_actions")
        .as_array()
        .unwrap()
        .iter()
        .filter(|action| action["is_enabled"] == true)
        .map(|action| action["action"].as_str().unwrap().to_owned())
        .collect();
    assert!(actions.contains(&"upload_photo".to_owned()), "{actions:?}");
    assert!(actions.contains(&"request_backdrop".to_owned()), "{actions:?}");
    // Picture 11: with the photo passed, the hand-over is promised within one working day.
    let queued = crate::shortcuts::queued(&app, 3, json!({ "remark": "补充备注" }));
    let owner = app.user("demo-applicant-3");
    let shown = owner.get(&format!("/v1/filings/{queued}")).expect_status(200);
    assert_eq!(shown.at("/status"), "bureau_queued");
    assert_eq!(shown.at("/due_at"), "2026-03-12T16:00:00Z");
    app.run_jobs();
}

#[test]
fn support_sees_no_name_of_a_person_in_a_filing_its_revisions_and_its_changes() {
    let app = TestApp::spawn();
    let applicant = app.applicant();
    let filing = app.make().submitted();
    applicant.act(&filing.path("/withdraw")).expect_status(200);
    let change = json!({ "website": { "responsible_person": { "name": "欧阳明月" } } });
    applicant.with("If-Match", filing.tag(&applicant)).patch(&filing.path(""), change).expect_status(200);
    for login in ["demo-support", "demo-admin"] {
        let staff = app.user(login);
        for rest in ["", "/revisions", "/diff"] {
            let reply = staff.get(&filing.path(rest)).expect_status(200);
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(!text.contains("张伟") && !text.contains("欧阳明月"), "{login} {rest}: {text}");
        }
    }
    applicant.get(&filing.path("")).expect("/website/responsible_person/name", "欧阳明月");
    app.run_jobs();
}
