//! Deadlines in working days, over HTTP with the clock stepped: holidays, make-up days, the end of the loaded calendar.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::TestApp;

/// Steps the clock to a moment in Shanghai: `2026-09-30T10:00`.
fn go(app: &TestApp, local: &str) {
    let to: DateTime<Utc> = format!("{local}:00+08:00").parse().unwrap();
    assert!(to > app.now(), "the clock goes forward only");
    app.advance(to - app.now());
}

/// Due time, whether it is provisional, working days left and whether it is overdue, as the lists show the one filing.
fn shown(app: &TestApp) -> (String, i64, bool) {
    let filings = app.applicant().get("/v1/filings").expect_status(200);
    let reviews = app.reviewer().get("/v1/reviews").expect_status(200);
    for name in ["due_at", "working_days_left", "overdue"] {
        let (one, other) = (filings.at(&format!("/items/0/{name}")), reviews.at(&format!("/items/0/{name}")));
        assert_eq!(one, other, "{name}: the queue and the owner's list tell the same");
    }
    let left = filings.at("/items/0/working_days_left").as_i64().unwrap();
    (filings.text("/items/0/due_at"), left, filings.at("/items/0/overdue") == true)
}

#[test]
fn the_days_of_national_day_do_not_count_and_lists_say_how_many_are_left() {
    let app = TestApp::spawn();
    go(&app, "2026-09-30T10:00");
    let filing = app.make().submitted();
    app.run_jobs();
    // The holiday lasts from Thursday 1 to Wednesday 7 October.
    let due = "2026-10-08T16:00:00Z".to_owned();
    assert_eq!(shown(&app), (due.clone(), 1, false));
    let applicant = app.applicant();
    let tag = filing.tag(&applicant);
    for (local, left, is_overdue) in [
        ("2026-09-30T23:59", 1, false),
        ("2026-10-03T10:00", 1, false),
        ("2026-10-07T23:59", 1, false),
        ("2026-10-08T00:01", 0, false),
        ("2026-10-08T23:59", 0, false),
        ("2026-10-09T00:01", 0, true),
        ("2026-10-12T10:00", 0, true),
    ] {
        go(&app, local);
        assert_eq!(shown(&app), (due.clone(), left, is_overdue), "{local}");
        // Time alone changes nothing in the resource itself.
        applicant.with("If-None-Match", tag.as_str()).get(&filing.path("")).expect_status(304);
    }
    let admin = app.admin();
    let alarm = admin.get("/v1/admin/alarms").expect_status(200).expect("/items/0/code", "overdue");
    let alarm = alarm.expect("/items/0/count", 1).expect("/items/0/since", due.as_str());
    let listed = app.user("demo-support").get(&alarm.text("/items/0/href")).expect_status(200);
    listed.expect("/items/0/id", filing.id.as_str()).expect("/items/0/overdue", true);
    app.bureau().get("/v1/admin/alarms").expect_status(200).expect("/items/0/code", "overdue");
    app.applicant().get("/v1/admin/alarms").expect_problem(403, "forbidden");
}

#[test]
fn a_saturday_that_is_worked_counts() {
    let app = TestApp::spawn();
    // Friday 9 October 2026; Saturday the 10th makes up for the holiday.
    go(&app, "2026-10-09T17:00");
    app.make().submitted();
    app.run_jobs();
    assert_eq!(shown(&app), ("2026-10-10T16:00:00Z".to_owned(), 1, false));
}

/// A year as a notice might give it: New Year until Sunday the 3rd; Spring Festival from 5 to 11 February, Sunday the 14th is
/// worked.
fn year_2027() -> Value {
    let day = |on: String, zh: &str, en: &str| json!({ "on": on, "name_zh": zh, "name_en": en });
    let mut off: Vec<Value> = (1..=3).map(|d| day(format!("2027-01-{d:02}"), "元旦", "New Year")).collect();
    off.extend((5..=11).map(|d| day(format!("2027-02-{d:02}"), "春节", "Spring Festival")));
    json!({
        "days_off": off,
        "working_weekend_days": [day("2027-02-14".to_owned(), "春节", "Spring Festival")],
        "effective_from": "2026-12-01", "source": "notice", "source_url": "https://www.gov.cn/",
    })
}

#[test]
fn the_end_of_the_calendar_alarms_sixty_days_before_and_stalls_nothing() {
    let app = TestApp::spawn();
    let admin = app.admin();
    go(&app, "2026-11-01T23:59");
    admin.get("/v1/admin/alarms").expect_status(200).expect("/items", json!([]));
    go(&app, "2026-11-02T00:01");
    let alarm = admin.get("/v1/admin/alarms").expect_status(200).expect("/items/0/code", "calendar_ends");
    alarm.expect("/items/0/count", 60).expect("/items/0/href", "/v1/calendars/2027");
    let english = admin.with("Accept-Language", "en").get("/v1/admin/alarms").expect_status(200);
    assert!(english.text("/items/0/detail").contains("Load the year 2027"), "{}", english.json());

    // The last day of the year: nobody knows the next one's holidays, and the filing moves all the same.
    go(&app, "2026-12-31T10:00");
    let filing = app.make().submitted();
    app.run_jobs();
    assert_eq!(shown(&app), ("2027-01-01T16:00:00Z".to_owned(), 1, false));
    let applicant = app.applicant();
    applicant.get(&filing.path("")).expect_status(200).expect("/due_is_provisional", true);
    let tag = filing.tag(&applicant);
    let task = app.reviewer().get("/v1/reviews").text("/items/0/id");
    app.reviewer().act(&format!("/v1/reviews/{task}/claim")).expect_status(200);

    admin.put("/v1/calendars/2027", year_2027()).expect_status(200);
    app.run_jobs();
    assert_eq!(shown(&app), ("2027-01-04T16:00:00Z".to_owned(), 1, false));
    let now = applicant.with("If-None-Match", tag).get(&filing.path("")).expect_status(200);
    now.expect("/due_is_provisional", false).expect("/due_at", "2027-01-04T16:00:00Z");
    admin.get("/v1/admin/alarms").expect_status(200).expect("/items", json!([]));
}

#[test]
fn spring_festival_and_its_make_up_sunday_count_as_the_notice_says() {
    let app = TestApp::spawn();
    go(&app, "2026-12-31T10:00");
    app.admin().put("/v1/calendars/2027", year_2027()).expect_status(200);
    app.run_jobs();
    go(&app, "2027-02-04T10:00");
    let filing = app.make().submitted();
    app.run_jobs();
    assert_eq!(shown(&app), ("2027-02-12T16:00:00Z".to_owned(), 1, false));
    app.applicant().act(&filing.path("/withdraw")).expect_status(200);
    app.applicant().act(&filing.path("/abandon")).expect_status(200);
    // Friday the 12th is worked, Saturday is not, Sunday the 14th is.
    go(&app, "2027-02-12T10:00");
    app.make().submitted();
    app.run_jobs();
    let filings = app.applicant().get("/v1/filings?status=initial_review").expect_status(200);
    filings.expect("/items/0/due_at", "2027-02-14T16:00:00Z").expect("/items/0/working_days_left", 1);
}
