//! Rules as data: read by everybody, set by the admin row by row, in force from a day on.

use beian::kernel::ids::FilingId;
use chrono::{DateTime, Duration, Utc};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use serde_json::{Value, json};

use crate::support::TestApp;

fn audit_actions(app: &TestApp) -> Vec<String> {
    use beian::schema::audit_events;
    audit_events::table.select(audit_events::action).order_by(audit_events::id).load(&mut app.conn()).unwrap()
}

#[test]
fn terms_are_immutable_versions_with_a_time() {
    let app = TestApp::spawn();
    let current = app.applicant().get("/v1/terms/current").expect_status(200);
    let version = current.text("/service_terms/version");
    assert!(current.text("/service_terms/text").contains("协助更改备案信息服务在线服务条款"));
    assert_eq!(current.text("/personal_information_consent/sha256").len(), 64);
    let tag = current.header("etag").unwrap();
    app.applicant().with("If-None-Match", tag).get("/v1/terms/current").expect_status(304);

    let new = |version: &str, at: Value| json!({ "kind": "service_terms", "version": version, "text_zh": "新条款", "text_en": "New terms", "effective_at": at });
    app.applicant().post("/v1/terms", new("2026-04", Value::Null)).expect_problem(403, "forbidden");
    let early = app.admin().post("/v1/terms", new("2026-04", json!("2026-03-01T00:00:00Z")));
    assert_eq!(early.expect_problem(422, "validation_failed").faults(), ["/effective_at in_the_past"]);
    app.admin().post("/v1/terms", new(&version, Value::Null)).expect_problem(409, "duplicate");
    app.admin().post("/v1/terms", new("2026-04", json!("2026-04-01T00:00:00Z"))).expect_status(201);
    app.applicant().get("/v1/terms/current").expect("/service_terms/version", version);
    app.advance(Duration::days(30));
    app.applicant().get("/v1/terms/current").expect("/service_terms/version", "2026-04");
    assert!(audit_actions(&app).contains(&"terms.published".to_owned()));
}

#[test]
fn picture_10_the_photo_guide_has_demands_and_an_example_picture() {
    let app = TestApp::spawn();
    let guide = app.applicant().get("/v1/photo-guide").expect_status(200);
    guide.expect("/items/0/kind", "demand").expect("/example_image_url", "/v1/photo-guide/example.jpg");
    let whole = app.applicant().get("/v1/photo-guide").json().to_string();
    assert!(!whole.contains("{provider}"));
    let picture = app.anonymous().get("/v1/photo-guide/example.jpg").expect_status(200);
    assert_eq!(picture.header("content-type").as_deref(), Some("image/jpeg"));
    assert_eq!(picture.header("cache-control").as_deref(), Some("public, max-age=86400"));
    assert!(picture.body.starts_with(&[0xff, 0xd8]));
    let sentence = json!({ "kind": "tip", "text_zh": "请在白天拍照。", "text_en": "Take it by day.",
        "effective_from": "2026-03-11", "source": "test" });
    app.admin()
        .put("/v1/photo-guide/items/daylight", sentence)
        .expect_status(200)
        .expect("/text", "请在白天拍照。");
    assert!(app.applicant().get("/v1/photo-guide").json().to_string().contains("daylight"));
}

#[test]
fn a_row_counts_from_its_day_on() {
    let app = TestApp::spawn();
    let title = |on: &str| {
        let list = app.reviewer().get(&format!("/v1/rejection-reasons{on}")).expect_status(200).json();
        let rows = list["items"].as_array().unwrap().clone();
        rows.iter().find(|row| row["code"] == "SITE_NAME_INVALID").unwrap()["title"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let before = title("");
    let body = |from: &str| {
        json!({ "group": "site", "target_kinds": ["field"], "title_zh": "网站名称须修改", "title_en": "Change the name",
            "suggestion_zh": "请修改。", "suggestion_en": "Change it.", "example_url": null,
            "effective_from": from, "source": "test" })
    };
    let put = |from: &str| app.admin().put("/v1/rejection-reasons/SITE_NAME_INVALID", body(from));
    assert_eq!(
        put("2026-03-10").expect_problem(422, "validation_failed").faults(),
        ["/effective_from in_the_past"]
    );
    put("2026-04-01").expect_status(200).expect("/title", "网站名称须修改");
    assert_eq!(title(""), before);
    assert_eq!(title("?on=2026-04-01"), "网站名称须修改");
    app.advance(Duration::days(21));
    assert_eq!(title(""), "网站名称须修改");
    assert_eq!(title("?on=2026-03-11"), before);
    // A new start changes nothing of it.
    beian::catalogue::seed(&mut app.conn(), app.now()).unwrap();
    assert_eq!(title(""), "网站名称须修改");
    assert!(audit_actions(&app).contains(&"catalogue.row_changed".to_owned()));
    app.reviewer()
        .put("/v1/rejection-reasons/SITE_NAME_INVALID", body("2026-05-01"))
        .expect_problem(403, "forbidden");
    app.admin()
        .put("/v1/rejection-reasons/a%20b", body("2026-05-01"))
        .expect_problem(400, "invalid_parameter");
}

#[test]
fn dictionaries_carriers_and_regions_feed_the_forms() {
    let app = TestApp::spawn();
    let user = app.applicant();
    let one = user.get("/v1/dictionaries?name=service_content").expect_status(200);
    one.expect("/items/0/name", "service_content")
        .expect("/items/0/entries/0/attributes/individual_allowed", false);
    assert!(user.get("/v1/dictionaries").expect_status(200).at("/items").as_array().unwrap().len() > 10);
    user.get("/v1/dictionaries?name=nonsense").expect_problem(400, "invalid_parameter");
    let entry = json!({ "label_zh": "藏文", "label_en": "Tibetan script", "effective_from": "2026-03-11", "source": "test" });
    app.admin()
        .put("/v1/dictionaries/language/bo-x", entry.clone())
        .expect_status(200)
        .expect("/label", "藏文");
    app.admin().put("/v1/dictionaries/nonsense/x", entry).expect_problem(404, "not_found");
    let languages = user.get("/v1/dictionaries?name=language").json().to_string();
    assert!(languages.contains("bo-x"));

    user.get("/v1/carriers").expect_status(200).expect("/items/0/code", "shunfeng");
    let carrier = json!({ "name_zh": "测试快递", "name_en": "Test", "phone": "1", "tracking_number_pattern": "^T[0-9]+$",
        "effective_from": "2026-03-11", "source": "test" });
    app.admin().put("/v1/carriers/test", carrier).expect_status(200).expect("/name", "测试快递");

    let provinces = user.get("/v1/regions").expect_status(200);
    provinces.expect("/items/0/code", "110000").expect("/items/0/is_mainland", true);
    let dongguan = user.get("/v1/regions?parent=440000").json();
    let city =
        dongguan["items"].as_array().unwrap().iter().find(|row| row["code"] == "441900").unwrap().clone();
    assert_eq!(city["has_children"], false);
    user.get("/v1/regions?parent=999999").expect_problem(400, "invalid_parameter");
}

#[test]
fn a_provinces_demands_name_known_materials_and_fields() {
    let app = TestApp::spawn();
    let rule = |material: &str, trigger: &str| {
        json!({ "sms_verification": true, "sms_subject_phone": false, "recheck_all": true,
            "proofs": [{ "material_code": material, "triggers": [trigger], "applies_to": "any", "why_zh": "因", "why_en": "so" }],
            "effective_from": "2026-03-11", "source": "test" })
    };
    let bad = app.admin().put("/v1/province-rules/110000", rule("nonsense", "colour"));
    assert_eq!(
        bad.expect_problem(422, "validation_failed").faults(),
        ["/proofs/0/material_code not_in_list", "/proofs/0/triggers/0 not_in_list"]
    );
    app.admin()
        .put("/v1/province-rules/810000", rule("identity_card_front", "name"))
        .expect_problem(404, "not_found");
    app.admin().put("/v1/province-rules/110000", rule("identity_card_front", "name")).expect_status(200);
    let list = app.applicant().get("/v1/province-rules").expect_status(200);
    list.expect("/items/0/province_code", "110000").expect("/items/0/recheck_all", true);
    let on = "2026-03-11".parse().unwrap();
    let mut conn = app.conn();
    assert!(beian::catalogue::province_rule(&mut conn, "110000", on).unwrap().sms_verification);
    let default =
        beian::catalogue::province_rule(&mut conn, "540000", "2000-01-01".parse().unwrap()).unwrap();
    assert!(!default.sms_verification && default.proofs.is_empty());
}

#[test]
fn loading_a_year_makes_provisional_deadlines_final() {
    use beian::schema::filings;
    let app = TestApp::spawn();
    let user = app.applicant();
    user.get("/v1/calendars/2026").expect_status(200).expect("/days_off/0/on", "2026-01-01");
    user.get("/v1/calendars/2027").expect_problem(404, "calendar_not_loaded");
    user.get("/v1/calendars/soon").expect_problem(400, "invalid_parameter");

    // 31 December 2026, a Thursday: one working day later is provisionally Friday, 1 January.
    app.advance("2026-12-31T02:00:00Z".parse::<DateTime<Utc>>().unwrap() - app.now());
    let filing: FilingId =
        crate::websites::filing_row(&app, "0193a000-0000-7000-8000-000000014001", "initial_review");
    let due: DateTime<Utc> = "2027-01-01T16:00:00Z".parse().unwrap();
    diesel::update(filings::table.find(filing))
        .set((filings::due_at.eq(due), filings::due_is_provisional.eq(true)))
        .execute(&mut app.conn())
        .unwrap();

    let year = |days: Value, from: &str| {
        json!({ "days_off": days, "working_weekend_days": [{ "on": "2027-01-03", "name_zh": "元旦", "name_en": "New Year" }],
            "effective_from": from, "source": "notice", "source_url": "https://www.gov.cn/" })
    };
    let bad = json!([{ "on": "2026-12-31", "name_zh": "元旦", "name_en": "New Year" }]);
    let refused = app.admin().put("/v1/calendars/2027", year(bad, "2026-12-01"));
    assert_eq!(refused.expect_problem(422, "validation_failed").faults(), ["/days_off/0/on out_of_range"]);
    let good = json!([
        { "on": "2027-01-01", "name_zh": "元旦", "name_en": "New Year" },
        { "on": "2027-01-02", "name_zh": "元旦", "name_en": "New Year" },
    ]);
    app.admin().put("/v1/calendars/2027", year(good.clone(), "2026-12-01")).expect_status(200);
    app.admin().put("/v1/calendars/2027", year(good, "2026-11-01")).expect_problem(422, "validation_failed");
    app.run_jobs();

    let (due, is_provisional, version): (Option<DateTime<Utc>>, bool, i32) = filings::table
        .find(filing)
        .select((filings::due_at, filings::due_is_provisional, filings::version))
        .first(&mut app.conn())
        .unwrap();
    // Sunday the 3rd is worked.
    assert_eq!(due, Some("2027-01-03T16:00:00Z".parse().unwrap()));
    assert!(!is_provisional);
    assert_eq!(version, 2);
    user.get("/v1/calendars/2027").expect_status(200).expect("/working_weekend_days/0/on", "2027-01-03");
}

#[test]
fn every_mainland_province_has_its_bureau() {
    use beian::schema::bureaus;
    let app = TestApp::spawn();
    let names: Vec<(String, String)> = bureaus::table
        .select((bureaus::code, bureaus::name_zh))
        .order_by(bureaus::code)
        .load(&mut app.conn())
        .unwrap();
    assert_eq!(names.len(), 31);
    assert_eq!(names[0], ("110000".to_owned(), "北京市通信管理局".to_owned()));
}
