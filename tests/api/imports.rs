//! Imports of filed data: all or nothing, every fault by row and field.

use diesel::{QueryDsl, RunQueryDsl};
use serde_json::{Value, json};

use crate::support::TestApp;

fn person(name: &str, number: &str, mobile: &str) -> Value {
    json!({ "name": name, "certificate_type": "resident_identity_card", "certificate_number": number,
        "certificate_valid_from": "2016-05-01", "certificate_valid_to": "2036-05-01", "certificate_long_term": false,
        "mobile": mobile, "emergency_phone": "13500135001", "office_phone": null, "email": format!("{mobile}@example.com") })
}

/// One subject with one website, for an account of its own.
pub fn row(number: &str, domain: &str) -> Value {
    json!({
        "account": { "name": "导入客户" },
        "subject": {
            "icp_number": number, "name": "上海示例书店有限公司", "nature": "enterprise",
            "certificate": { "type": "business_licence", "number": "9144030071526726XG", "address": "示例路1号", "long_term": true },
            "responsible_person": person("王五", "440301199001010012", "13600136001"),
            "province_code": "310000", "city_code": "310100", "district_code": "310101",
            "correspondence_address": "上海市黄浦区示例路1号"
        },
        "websites": [{
            "icp_number": format!("{number}-1"), "service_kind": "website",
            "access": [{ "methods": ["cloud_server"], "server_locations": ["310000"], "ip_ranges": ["203.0.113.0/24"] }],
            "content": {
                "name": "示例书店在线", "home_url": format!("https://www.{domain}"),
                "domains": [{ "name": domain, "unicode_name": null, "expires_on": "2028-08-31" }],
                "service_content": ["online_shopping"], "languages": ["zh-Hans"], "pre_approvals": [],
                "responsible_person": person("赵六", "11010519491231002X", "13600136002"),
                "same_as_subject_responsible_person": false, "remark": null
            }
        }]
    })
}

fn count_of_subjects(app: &TestApp) -> i64 {
    beian::schema::subjects::table.count().get_result(&mut app.conn()).unwrap()
}

#[test]
fn an_import_creates_repeats_and_updates() {
    let app = TestApp::spawn();
    let mut body = json!({ "rows": [row("沪ICP备87654321号", "shilishudian.com")] });
    app.applicant().post("/v1/imports", body.clone()).expect_problem(403, "forbidden");
    let first = app.admin().post("/v1/imports", body.clone()).expect_status(200);
    let account = first.text("/rows/0/account_id");
    let website = first.text("/rows/0/websites/0/website_id");
    first
        .expect("/accounts_created", 1)
        .expect("/subjects_created", 1)
        .expect("/websites_created", 1)
        .expect("/rows/0/websites/0/outcome", "created");

    // The same once more, now for the account: nothing differs.
    body["rows"][0].as_object_mut().unwrap().remove("account");
    body["rows"][0]["account_id"] = json!(account);
    app.admin()
        .post("/v1/imports", body.clone())
        .expect_status(200)
        .expect("/websites_unchanged", 1)
        .expect("/subjects_updated", 0)
        .expect("/subjects_unchanged", 1)
        .expect("/rows/0/websites/0/filed_version", 1);

    body["rows"][0]["websites"][0]["content"]["name"] = json!("示例书店新版");
    body["rows"][0]["subject"]["responsible_person"]["mobile"] = json!("13600136009");
    app.admin()
        .post("/v1/imports", body)
        .expect_status(200)
        .expect("/websites_updated", 1)
        .expect("/subjects_updated", 1)
        .expect("/rows/0/websites/0/filed_version", 2)
        .expect("/rows/0/websites/0/website_id", website.as_str());
    let shown = app.reviewer().get(&format!("/v1/websites/{website}")).expect_status(200);
    shown
        .expect("/content/name", "示例书店新版")
        .expect("/content/domains/0/unicode_name", "shilishudian.com")
        .expect("/content/responsible_person/mobile", "136****6002");
}

#[test]
fn every_fault_is_named_and_nothing_is_written() {
    let app = TestApp::spawn();
    let before = count_of_subjects(&app);
    let mut second = row("京ICP备20260001号", "zweite-shili.com");
    second["subject"]["certificate"]["number"] = json!("9144030071526726XA");
    second["websites"][0]["content"]["responsible_person"]["mobile"] = json!("123");
    let mut third = row("沪ICP备87654322号", "yunshanghuadian.com");
    third["account"] = Value::Null;
    third["account_id"] = json!("0193a000-0000-7000-8000-000000010001");
    let body = json!({ "rows": [row("沪ICP备87654321号", "shilishudian.com"), second, third] });
    let refused = app.admin().post("/v1/imports", body).expect_problem(422, "validation_failed");
    assert_eq!(
        refused.faults(),
        [
            "/rows/1/subject/certificate/number social_credit_code_checksum",
            "/rows/1/subject/icp_number filed_for_account",
            "/rows/1/websites/0/content/responsible_person/mobile mobile_format",
            "/rows/2/account_id account_has_other_subject",
            "/rows/2/websites/0/content/domains/0/name duplicate",
        ]
    );
    assert_eq!(count_of_subjects(&app), before);
}

#[test]
fn shapes_are_refused_with_their_place() {
    let app = TestApp::spawn();
    let mut body = json!({ "rows": [row("沪ICP备87654321号", "shilishudian.com")] });
    body["rows"][0]["subject"]["colour"] = json!("red");
    body["rows"][0]["websites"][0]["content"]["name"] = json!("长".repeat(61));
    assert_eq!(
        app.admin().post("/v1/imports", body.clone()).expect_problem(422, "validation_failed").faults(),
        ["/rows/0/subject/colour unknown_field", "/rows/0/websites/0/content/name too_long"]
    );
    let mut masked = json!({ "rows": [row("沪ICP备87654321号", "shilishudian.com")] });
    masked["rows"][0]["websites"][0]["content"]["responsible_person"]["mobile"] = json!("136****6002");
    assert_eq!(
        app.admin().post("/v1/imports", masked).expect_problem(422, "validation_failed").faults(),
        ["/rows/0/websites/0/content/responsible_person/mobile masked_value"]
    );
    let empty = json!({ "rows": [] });
    assert_eq!(
        app.admin().post("/v1/imports", empty).expect_problem(422, "validation_failed").faults(),
        ["/rows too_few_items"]
    );
}

#[test]
fn a_live_filing_blocks_the_import_of_its_subject() {
    let app = TestApp::spawn();
    let mut body = json!({ "rows": [row("沪ICP备87654321号", "shilishudian.com")] });
    let first = app.admin().post("/v1/imports", body.clone()).expect_status(200);
    body["rows"][0].as_object_mut().unwrap().remove("account");
    body["rows"][0]["account_id"] = json!(first.text("/rows/0/account_id"));
    crate::websites::filing_row(&app, &first.text("/rows/0/websites/0/website_id"), "draft");
    let refused = app.admin().post("/v1/imports", body.clone()).expect_problem(422, "validation_failed");
    assert_eq!(refused.faults(), ["/rows/0/websites/0/icp_number live_filing_blocks_import"]);
    // The same answer beside another fault.
    body["rows"][0]["subject"]["nature"] = json!("guild");
    let refused = app.admin().post("/v1/imports", body).expect_problem(422, "validation_failed");
    assert_eq!(
        refused.faults(),
        ["/rows/0/subject/nature code_unknown", "/rows/0/websites/0/icp_number live_filing_blocks_import"]
    );
}

/// A row for an account by the partner's own key.
fn keyed(key: &str, number: &str, domain: &str) -> Value {
    let mut row = row(number, domain);
    row["account"] = json!({ "name": "导入客户", "external_reference": key });
    row
}

#[test]
fn a_partner_sends_its_import_again_with_its_own_key() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let mut body = json!({ "rows": [keyed("CUSTOMER-1", "沪ICP备87654321号", "shilishudian.com")] });
    let first = partner.post("/v1/imports", body.clone()).expect_status(200).expect("/accounts_created", 1);
    let account = first.text("/rows/0/account_id");
    partner
        .post("/v1/imports", body.clone())
        .expect_status(200)
        .expect("/accounts_created", 0)
        .expect("/subjects_created", 0)
        .expect("/websites_unchanged", 1)
        .expect("/rows/0/account_id", account.as_str());
    body["rows"][0]["websites"][0]["content"]["name"] = json!("示例书店新版");
    // Another name of the account is no reason to make another account, nor to rename it.
    body["rows"][0]["account"]["name"] = json!("改名客户");
    partner
        .post("/v1/imports", body.clone())
        .expect_status(200)
        .expect("/accounts_created", 0)
        .expect("/websites_updated", 1)
        .expect("/rows/0/websites/0/filed_version", 2)
        .expect("/rows/0/account_id", account.as_str());
    partner.get(&format!("/v1/accounts/{account}")).expect_status(200).expect("/name", "导入客户");
    // An account that was made before, without a subject, is found by its key too.
    let empty = json!({ "name": "客户二", "external_reference": "CUSTOMER-2" });
    let second = partner.post("/v1/accounts", empty).expect_status(201).text("/id");
    let import = json!({ "rows": [keyed("CUSTOMER-2", "沪ICP备87654322号", "shilishudian2.com")] });
    partner
        .post("/v1/imports", import)
        .expect_status(200)
        .expect("/accounts_created", 0)
        .expect("/subjects_created", 1)
        .expect("/rows/0/account_id", second.as_str());

    // Without the key it is said which account is meant, to those who may know.
    let bare = json!({ "rows": [row("沪ICP备87654321号", "shilishudian.com")] });
    for (caller, wanted) in [(&partner, "filed_for_account"), (&app.admin(), "filed_for_account")] {
        let refused = caller.with("Accept-Language", "en").post("/v1/imports", bare.clone());
        let refused = refused.expect_problem(422, "validation_failed");
        assert_eq!(refused.faults(), [format!("/rows/0/subject/icp_number {wanted}")]);
        assert!(refused.text("/errors/0/detail").contains(&account), "{}", refused.json());
    }
    // Somebody else's subject stays somebody else's.
    let foreign = json!({ "rows": [keyed("CUSTOMER-3", "京ICP备20260001号", "zweite-shili.com")] });
    let refused = partner.post("/v1/imports", foreign).expect_problem(422, "validation_failed");
    assert_eq!(refused.faults(), ["/rows/0/subject/icp_number duplicate"]);
    // A disabled account takes nothing, by whatever it is named.
    let admin = app.admin().with("If-Match", "*");
    admin.patch(&format!("/v1/accounts/{account}"), json!({ "is_disabled": true })).expect_status(200);
    let refused = partner.post("/v1/imports", body).expect_problem(422, "validation_failed");
    assert_eq!(refused.faults(), ["/rows/0/account/external_reference account_disabled"]);
}

#[test]
fn a_second_subject_of_one_account_is_told_to_be_one_too_many() {
    let app = TestApp::spawn();
    let partner = app.partner().with("Accept-Language", "en");
    let two = json!({ "rows": [
        keyed("CUSTOMER-1", "沪ICP备87654321号", "shilishudian.com"),
        keyed("CUSTOMER-1", "沪ICP备87654322号", "shilishudian2.com"),
    ]});
    let refused = partner.post("/v1/imports", two).expect_problem(422, "validation_failed");
    assert_eq!(refused.faults(), ["/rows/1/account/external_reference account_has_other_subject"]);
    assert!(refused.text("/errors/0/detail").contains("an account has one subject"), "{}", refused.json());

    // One account named in both ways is still one.
    let empty = json!({ "name": "客户二", "external_reference": "CUSTOMER-2" });
    let account = partner.post("/v1/accounts", empty).expect_status(201).text("/id");
    let mut by_id = row("沪ICP备87654322号", "shilishudian2.com");
    by_id.as_object_mut().unwrap().remove("account");
    by_id["account_id"] = json!(account);
    let both = json!({ "rows": [keyed("CUSTOMER-2", "沪ICP备87654321号", "shilishudian.com"), by_id] });
    let refused = partner.post("/v1/imports", both).expect_problem(422, "validation_failed");
    assert_eq!(refused.faults(), ["/rows/1/account_id account_has_other_subject"]);

    // And so it is against what was imported before.
    let one = json!({ "rows": [keyed("CUSTOMER-2", "沪ICP备87654321号", "shilishudian.com")] });
    partner.post("/v1/imports", one).expect_status(200);
    let other = json!({ "rows": [keyed("CUSTOMER-2", "沪ICP备87654322号", "shilishudian2.com")] });
    let refused = partner.post("/v1/imports", other).expect_problem(422, "validation_failed");
    assert_eq!(refused.faults(), ["/rows/0/account/external_reference account_has_other_subject"]);
}

#[test]
fn the_same_key_imports_once() {
    let app = TestApp::spawn();
    let body = json!({ "rows": [row("沪ICP备87654321号", "shilishudian.com")] });
    let admin = app.admin().with("Idempotency-Key", "import-1");
    let first = admin.post("/v1/imports", body.clone()).expect_status(200).text("/rows/0/subject_id");
    let again = admin.post("/v1/imports", body).expect_status(200);
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    assert_eq!(again.text("/rows/0/subject_id"), first);
}

#[test]
fn five_hundred_rows_fit_in_one_request() {
    let app = TestApp::spawn();
    let rows: Vec<Value> =
        (0..500).map(|n| row(&format!("沪ICP备8{n:07}号"), &format!("shili{n}.com"))).collect();
    let done = app.admin().post("/v1/imports", json!({ "rows": rows })).expect_status(200);
    done.expect("/websites_created", 500);
}
