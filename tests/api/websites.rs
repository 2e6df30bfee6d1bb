//! Filed data: who sees what, and what an owner can do next. Seed, pictures 3 and 21.

use beian::kernel::ids::{ContentId, FilingId, WebsiteId};
use beian::websites;
use chrono::Duration;
use diesel::{QueryDsl, RunQueryDsl, sql_types};
use serde_json::json;

use crate::support::TestApp;

const WEBSITE: &str = "0193a000-0000-7000-8000-000000014001";
const OTHER_WEBSITE: &str = "0193a000-0000-7000-8000-000000014002";
const SUBJECT: &str = "0193a000-0000-7000-8000-000000013001";

fn website_id(text: &str) -> WebsiteId {
    text.parse().unwrap()
}

/// Puts a filing of a website straight into the table, in a status; for tests that are not about how it got there.
pub fn filing_row(app: &TestApp, website: &str, status: &str) -> FilingId {
    let id = FilingId::new();
    diesel::sql_query(
        "INSERT INTO filings (id, order_no, account_id, subject_id, website_id, kind, status, status_changed_at, province_code,
                base_version, base_content_id, content_id, website_name, created_by, created_at, updated_at)
         SELECT $1, 'BA-TEST-' || right($1::text, 12), w.account_id, w.subject_id, w.id, 'website_change', $3, $4, '110000',
                w.filed_version, w.content_id, w.content_id, '测试', u.id, $4, $4
         FROM websites w, users u WHERE w.id = $2 AND u.login = 'demo-applicant'",
    )
    .bind::<sql_types::Uuid, _>(id.0)
    .bind::<sql_types::Uuid, _>(website_id(website).0)
    .bind::<sql_types::Text, _>(status)
    .bind::<sql_types::Timestamptz, _>(app.now())
    .execute(&mut app.conn())
    .unwrap();
    id
}

#[test]
fn picture_3_an_owner_sees_own_websites_and_can_start_a_change() {
    let app = TestApp::spawn();
    let list = app.applicant().get("/v1/websites").expect_status(200);
    assert_eq!(list.at("/items").as_array().unwrap().len(), 1);
    list.expect("/items/0/id", WEBSITE)
        .expect("/items/0/service_kind_label", "网站")
        .expect("/items/0/next_actions/0/action", "start_website_change")
        .expect("/items/0/next_actions/0/operation_id", "createFiling")
        .expect("/items/0/next_actions/0/is_enabled", true)
        .expect("/has_more", false);
    let one = app.applicant().get(&format!("/v1/websites/{WEBSITE}")).expect_status(200);
    assert!(one.text("/content/responsible_person/certificate_number").contains("***"));
    assert!(one.text("/content/responsible_person/mobile").contains("****"));
    one.expect("/filed_version", 1).expect("/live_filing_id", serde_json::Value::Null);
    app.applicant().get(&format!("/v1/subjects/{SUBJECT}")).expect_status(200).expect("/version", 1);
}

#[test]
fn somebody_elses_filed_data_do_not_exist() {
    let app = TestApp::spawn();
    let owner = app.applicant();
    owner.get(&format!("/v1/websites/{OTHER_WEBSITE}")).expect_problem(404, "not_found");
    owner.get(&format!("/v1/websites/{OTHER_WEBSITE}/versions")).expect_problem(404, "not_found");
    owner.get("/v1/subjects/0193a000-0000-7000-8000-000000013002").expect_problem(404, "not_found");
    let other = "/v1/websites?account_id=0193a000-0000-7000-8000-000000010002";
    assert_eq!(owner.get(other).expect_status(200).at("/items").as_array().unwrap().len(), 0);
    app.logistics().get("/v1/websites").expect_problem(403, "forbidden");
    app.anonymous().get("/v1/websites").expect_problem(401, "unauthenticated");
}

#[test]
fn staff_read_masked_and_have_nothing_to_do_there() {
    let app = TestApp::spawn();
    let path = format!("/v1/websites/{WEBSITE}");
    let reviewer = app.reviewer().get(&path).expect_status(200);
    assert_eq!(reviewer.at("/next_actions").as_array().unwrap().len(), 0);
    assert!(!reviewer.text("/content/responsible_person/name").contains('*'));
    assert!(reviewer.text("/content/responsible_person/email").contains('*'));
    // No personal data for the admin: not even the name.
    let admin = app.admin().get(&path).expect_status(200);
    assert!(admin.text("/content/responsible_person/name").contains('*'));
    let person = app.admin().get("/v1/subjects/0193a000-0000-7000-8000-000000013002").expect_status(200);
    assert!(person.text("/name").contains('*'), "the second demo subject is a natural person");
    assert_ne!(reviewer.header("etag"), admin.header("etag"));
}

#[test]
fn a_live_filing_blocks_a_change_and_is_named() {
    let app = TestApp::spawn();
    let path = format!("/v1/websites/{WEBSITE}");
    let before = app.applicant().get(&path).expect_status(200).header("etag").unwrap();
    let same = app.applicant().with("If-None-Match", before.clone()).get(&path);
    same.expect_status(304);
    let filing = filing_row(&app, WEBSITE, "initial_rejected").to_string();
    let blocked = app.applicant().with("If-None-Match", before).get(&path).expect_status(200);
    blocked
        .expect("/live_filing_id", filing.as_str())
        .expect("/next_actions/0/action", "view_filing")
        .expect("/next_actions/1/action", "start_website_change")
        .expect("/next_actions/1/is_enabled", false)
        .expect("/next_actions/1/blocked_by/0/code", "live_filing_exists")
        .expect("/next_actions/1/blocked_by/0/filing_id", filing.as_str());
    // The home page says what to do.
    app.applicant()
        .get("/v1/overview")
        .expect_status(200)
        .expect("/live_filings/0/id", filing.as_str())
        .expect("/live_filings/0/status_label", "初审驳回")
        .expect("/live_filings/0/waits_for_owner", true)
        .expect("/next_steps/0/filing_id", filing.as_str())
        .expect("/next_steps/0/title", "初审未通过")
        .expect("/unread_notifications", 0)
        .expect("/websites/0/id", WEBSITE);
}

#[test]
fn picture_21_an_ended_filing_blocks_nothing() {
    let app = TestApp::spawn();
    filing_row(&app, WEBSITE, "approved");
    app.applicant()
        .get("/v1/overview")
        .expect_status(200)
        .expect("/live_filings", serde_json::json!([]))
        .expect("/next_steps", serde_json::json!([]))
        .expect("/websites/0/next_actions/0/is_enabled", true);
}

#[test]
fn the_list_is_walked_by_cursor_and_searched_by_prefix() {
    let app = TestApp::spawn();
    let admin = app.admin();
    let (mut seen, mut path) = (Vec::new(), "/v1/websites?limit=10".to_owned());
    loop {
        let page = admin.get(&path).expect_status(200);
        seen.extend(page.at("/items").as_array().unwrap().iter().map(|item| item["id"].to_string()));
        if page.at("/has_more") == false {
            break;
        }
        path = format!("/v1/websites?limit=10&cursor={}", page.text("/next_cursor"));
    }
    assert_eq!(seen.len(), 32);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 32);
    let cursor = admin.get("/v1/websites?limit=1").expect_status(200).text("/next_cursor");
    admin.get(&format!("/v1/websites?q=x&cursor={cursor}")).expect_problem(400, "invalid_cursor");
    admin.get(&format!("/v1/subjects?cursor={cursor}")).expect_problem(400, "invalid_cursor");
    for q in ["yunshang", "%E4%BA%91%E4%B8%8A", "%E4%BA%ACICP%E5%A4%8720260001"] {
        let found = admin.get(&format!("/v1/websites?q={q}")).expect_status(200);
        assert_eq!(found.at("/items").as_array().unwrap().len(), 1, "{q}");
        found.expect("/items/0/id", WEBSITE);
    }
    // Signs with a meaning in a pattern or a search are ordinary characters.
    for q in ["%25", "_", "%27", "%5C", "yunshang%20%7C%20x", "yunshang%3A*"] {
        assert_eq!(
            admin.get(&format!("/v1/websites?q={q}")).expect_status(200).at("/items"),
            json!([]),
            "{q}"
        );
    }
    admin.get("/v1/websites?nonsense=1").expect_problem(400, "invalid_parameter");
    admin.get("/v1/websites?limit=101").expect_problem(400, "invalid_parameter");
    let subjects = admin.get("/v1/subjects?limit=100").expect_status(200);
    assert_eq!(subjects.at("/items").as_array().unwrap().len(), 32);
}

#[test]
fn an_approved_filing_becomes_the_next_version_once() {
    let app = TestApp::spawn();
    let filing = filing_row(&app, WEBSITE, "approved");
    let id = website_id(WEBSITE);
    let mut conn = app.conn();
    let (row, mut content) = websites::filed(&mut conn, id).unwrap();
    content.name = Some("云上花店新版".to_owned());
    content.domains.0[0].name = "xinban.example.com".to_owned();
    content.domains.0[0].unicode_name = Some("新版.example.com".to_owned());
    let new = ContentId::new();
    websites::model::insert(&mut conn, new.0, &content).unwrap();
    app.advance(Duration::hours(1));
    let mut apply =
        |expected| websites::apply_filing(&mut conn, app.now(), id, new, filing, expected).unwrap();
    assert!(!apply(row.filed_version + 7), "a base that is not in force changes nothing");
    assert!(apply(row.filed_version));
    assert!(!apply(row.filed_version), "the same base a second time");
    // The search looks at what is in force.
    for (q, found) in [("云上花店新", 1), ("XINBAN", 1), ("新版.ex", 1), ("yunshang", 0)] {
        let q: String = form_urlencoded::byte_serialize(q.as_bytes()).collect();
        let page = app.admin().get(&format!("/v1/websites?q={q}")).expect_status(200);
        assert_eq!(page.at("/items").as_array().unwrap().len(), found, "{q}");
    }
    let versions = app.applicant().get(&format!("/v1/websites/{WEBSITE}/versions")).expect_status(200);
    versions
        .expect("/items/0/version_no", 2)
        .expect("/items/0/is_current", true)
        .expect("/items/0/filing_id", filing.to_string())
        .expect("/items/0/content/name", "云上花店新版")
        .expect("/items/1/version_no", 1)
        .expect("/items/1/is_current", false)
        .expect("/items/1/filing_id", serde_json::Value::Null);
    let page = app.applicant().get(&format!("/v1/websites/{WEBSITE}/versions?limit=1")).expect_status(200);
    let next = format!("/v1/websites/{WEBSITE}/versions?limit=1&cursor={}", page.text("/next_cursor"));
    app.applicant().get(&next).expect_status(200).expect("/items/0/version_no", 1).expect("/has_more", false);
}

#[test]
fn contacts_filed_elsewhere_are_found() {
    use beian::kernel::ids::SubjectId;
    use beian::schema::websites as table;
    let app = TestApp::spawn();
    let mut conn = app.conn();
    let (_, of_other) = websites::filed(&mut conn, website_id(OTHER_WEBSITE)).unwrap();
    let (row, own) = websites::filed(&mut conn, website_id(WEBSITE)).unwrap();
    let subject: SubjectId = table::table.find(row.id).select(table::subject_id).first(&mut conn).unwrap();
    let found = websites::contact_use(&mut conn, subject, &own).unwrap();
    assert!(!found.mobile_used_by_other_subject && !found.email_used_by_other);
    let mut taken = own;
    taken.responsible_person.mobile = of_other.responsible_person.mobile;
    taken.responsible_person.email = of_other.responsible_person.email;
    let found = websites::contact_use(&mut conn, subject, &taken).unwrap();
    assert!(found.mobile_used_by_other_subject && found.email_used_by_other);
}

#[test]
fn picture_4_the_form_of_a_website_change_is_described() {
    let app = TestApp::spawn();
    let form = app.applicant().get("/v1/filing-kinds/website_change").expect_status(200);
    form.expect("/label", "变更网站信息")
        .expect("/sections/0/fields/0/pointer", "/website/name")
        .expect("/sections/0/fields/0/required", true)
        .expect("/sections/0/fields/0/max_length", 60);
    let english = app.applicant().with("Accept-Language", "en").get("/v1/filing-kinds/website_change");
    english.expect_status(200).expect("/sections/0/fields/0/label", "Website name");
    app.applicant().get("/v1/filing-kinds/nonsense").expect_problem(404, "not_found");
}
