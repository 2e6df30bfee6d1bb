//! A filing's events as they happen. The streams look each second by the real clock, so these tests wait a little.

use std::time::{Duration, Instant};

use beian::kernel::ids::{SessionId, UserId};
use diesel::prelude::*;
use serde_json::json;

use crate::support::make::Filing;
use crate::support::{Client, TestApp};

fn path(filing: &Filing) -> String {
    filing.path("/stream")
}

/// Ids of the timeline.
fn timeline(client: &Client, filing: &Filing) -> Vec<String> {
    let events = client.get(&filing.path("/events")).expect_status(200).at("/items");
    events.as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_event_arrives_as_the_object_of_the_timeline() {
    let app = TestApp::spawn();
    let filing = app.make().edited();
    let applicant = app.applicant();
    let stream = applicant.with("Accept-Encoding", "gzip").follow(&path(&filing));
    let opened = stream.expect("stream.opened");
    assert_eq!(opened.id, Some(timeline(&applicant, &filing)[0].clone()), "the position");
    assert_eq!(opened.data, json!({ "filing_id": filing.id, "version": 2 }));
    let other = app.user("demo-applicant").with("Accept-Language", "en").follow(&path(&filing));
    other.expect("stream.opened");

    let start = Instant::now();
    app.make().submit(&filing);
    let told = stream.expect("filing.submitted");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let events = applicant.get(&filing.path("/events")).expect_status(200);
    assert_eq!(told.data, events.at("/items/1"));
    assert_eq!(told.id, Some(events.text("/items/1/id")));
    assert_eq!(
        other.expect("filing.submitted").data["label"],
        "Filing submitted",
        "in the reader's language"
    );
    applicant.act(&filing.path("/withdraw")).expect_status(200);
    let told = stream.expect("filing.withdrawn");
    assert_eq!(told.data["status"], "draft");
    app.run_jobs();
}

#[test]
fn a_client_that_was_away_gets_what_it_missed_and_nothing_twice() {
    let app = TestApp::spawn();
    let filing = app.make().submitted();
    let applicant = app.applicant();
    applicant.act(&filing.path("/withdraw")).expect_status(200);
    let ids = timeline(&applicant, &filing);
    assert_eq!(ids.len(), 3);
    let stream = applicant.with("Last-Event-ID", &ids[0]).follow(&path(&filing));
    assert_eq!(stream.expect("stream.opened").id.as_ref(), Some(&ids[0]));
    assert_eq!(stream.expect("filing.submitted").id.as_ref(), Some(&ids[1]));
    let last = stream.expect("filing.withdrawn");
    assert_eq!(last.id.as_ref(), Some(&ids[2]));
    app.make().submit(&filing);
    assert_eq!(stream.expect("filing.submitted").data["version"], json!(5));
    // From the end on, nothing old comes.
    let stream = applicant.with("Last-Event-ID", &ids[2]).follow(&path(&filing));
    assert_eq!(stream.expect("stream.opened").id.as_ref(), Some(&ids[2]));
    stream.expect("filing.submitted");
    applicant.act(&filing.path("/withdraw")).expect_status(200);
    stream.expect("filing.withdrawn");

    for unknown in ["x", "", "0193a000-0000-7000-8000-00000000e001"] {
        let refused = applicant.with("Last-Event-ID", unknown).get(&path(&filing));
        let refused = refused.expect_problem(400, "invalid_header");
        assert_eq!(refused.faults(), ["Last-Event-ID not_found"]);
    }
    app.run_jobs();
}

#[test]
fn only_the_owner_may_follow() {
    let app = TestApp::spawn();
    let filing = app.make().submitted();
    app.anonymous().get(&path(&filing)).expect_problem(401, "unauthenticated");
    app.other_applicant().get(&path(&filing)).expect_problem(404, "not_found");
    app.partner().get(&path(&filing)).expect_problem(404, "not_found");
    for staff in [app.reviewer(), app.logistics(), app.admin()] {
        staff.get(&path(&filing)).expect_problem(403, "forbidden");
    }
    let body = json!({ "kind": "website_change", "website_id": "0193a000-0000-7000-8000-000000014027" });
    let partner = app.partner();
    let own = partner.post("/v1/filings", body).expect_status(201).text("/id");
    let own = format!("/v1/filings/{own}/stream");
    app.partner_with_scope("accounts:read").get(&own).expect_problem(403, "insufficient_scope");
    let stream = app.partner_with_scope("filings:read").follow(&own);
    stream.expect("stream.opened");
    // A scope that is taken back ends it.
    app.admin()
        .with("If-Match", "*")
        .patch("/v1/api-clients/0193a000-0000-7000-8000-000000027001", json!({ "scopes": ["accounts:read"] }))
        .expect_status(200);
    assert_eq!(stream.expect("stream.end").data["reason"], "unauthenticated");
    assert!(stream.next().is_none());
    app.run_jobs();
}

#[test]
fn a_log_out_ends_the_stream_within_ten_seconds() {
    let app = TestApp::spawn();
    let filing = app.make().submitted();
    let body = json!({ "login": "demo-applicant", "password": "demo-password-2026" });
    let session = app.anonymous().post("/v1/auth/login", body).expect_status(200);
    let stream = Client::new(&app.base, Some(session.text("/access_token"))).follow(&path(&filing));
    let other = app.applicant().follow(&path(&filing));
    let start = Instant::now();
    let token = json!({ "refresh_token": session.text("/refresh_token") });
    app.anonymous().post("/v1/auth/logout", token).expect_status(204);
    stream.expect("stream.opened");
    let end = stream.expect("stream.end");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!((end.id, &end.data), (None, &json!({ "reason": "unauthenticated" })));
    assert!(stream.next().is_none());
    // The other session goes on, until its user is disabled.
    other.expect("stream.opened");
    applicant_acts(&app, &filing);
    other.expect("filing.withdrawn");
    app.admin().act("/v1/users/0193a000-0000-7000-8000-000000011001/disable").expect_status(200);
    assert_eq!(other.expect("stream.end").data["reason"], "unauthenticated");
    app.run_jobs();
}

fn applicant_acts(app: &TestApp, filing: &Filing) {
    app.applicant().act(&filing.path("/withdraw")).expect_status(200);
}

#[test]
fn a_stream_ends_with_its_token() {
    let app = TestApp::spawn();
    let filing = app.make().submitted();
    use beian::schema::{sessions, users};
    let user: UserId = users::table
        .filter(users::login.eq("demo-applicant"))
        .select(users::id)
        .first(&mut app.conn())
        .unwrap();
    let session: SessionId = sessions::table
        .filter(sessions::user_id.eq(user))
        .select(sessions::id)
        .first(&mut app.conn())
        .unwrap();
    let token = app.app.tokens.sign(user, session, app.now(), chrono::Duration::minutes(15)).unwrap();
    let stream = Client::new(&app.base, Some(token)).follow(&path(&filing));
    let longer = app.applicant().follow(&path(&filing));
    stream.expect("stream.opened");
    longer.expect("stream.opened");
    app.advance(chrono::Duration::minutes(16));
    assert_eq!(stream.expect("stream.end").data["reason"], "token_expired");
    assert!(stream.next().is_none());
    applicant_acts(&app, &filing);
    longer.expect("filing.withdrawn");
    app.run_jobs();
}

#[test]
fn streams_end_when_the_server_stops() {
    let app = TestApp::spawn();
    let filing = app.make().submitted();
    let applicant = app.applicant();
    let stream = applicant.follow(&path(&filing));
    stream.expect("stream.opened");
    app.app.streams.close();
    assert_eq!(stream.expect("stream.end").data["reason"], "shutdown");
    assert!(stream.next().is_none());
    let refused = applicant.get(&path(&filing)).expect_problem(503, "unavailable");
    assert!(refused.header("retry-after").is_some());
    app.run_jobs();
}

#[test]
fn a_silent_stream_beats_and_holds_no_connection_and_a_caller_has_twenty() {
    // Four connections in the pool.
    let app = TestApp::spawn();
    let filing = app.make().submitted();
    let applicant = app.applicant();
    let streams: Vec<_> = (0..20).map(|_| applicant.follow(&path(&filing))).collect();
    let refused = applicant.get(&path(&filing)).expect_problem(429, "too_many_requests");
    assert_eq!(refused.header("retry-after").as_deref(), Some("30"));
    // Another caller has twenty of their own, and requests go on.
    app.reviewer().get("/v1/reviews").expect_status(200);
    let start = Instant::now();
    assert_eq!(streams[7].comment(), ": heartbeat");
    let silence = start.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(20)).contains(&silence), "{silence:?}");
    applicant_acts(&app, &filing);
    for (number, stream) in streams.iter().enumerate() {
        // Looking for the comment has passed over the beginning.
        if number != 7 {
            stream.expect("stream.opened");
        }
        stream.expect("filing.withdrawn");
    }
    app.run_jobs();
}
