//! The audit trail, background jobs and the outbox of SMS messages.

use beian::kernel::pii::{Phone, Sensitive};
use beian::schema::{jobs, sms_messages};
use diesel::{ExpressionMethods, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use crate::support::TestApp;

/// A job that gave up.
fn dead_job(app: &TestApp, dedup_key: Option<&str>) -> Uuid {
    let id = Uuid::now_v7();
    diesel::insert_into(jobs::table)
        .values((
            jobs::id.eq(id),
            jobs::kind.eq("auth.purge"),
            jobs::payload.eq(json!({ "filing_id": id })),
            jobs::dedup_key.eq(dedup_key),
            jobs::state.eq("dead"),
            jobs::run_at.eq(app.now()),
            jobs::attempts.eq(10),
            jobs::max_attempts.eq(10),
            jobs::last_error.eq("it did not work"),
            jobs::created_at.eq(app.now()),
            jobs::finished_at.eq(app.now()),
        ))
        .execute(&mut app.conn())
        .unwrap();
    id
}

#[test]
fn a_dead_job_is_retried_once() {
    let mut app = TestApp::spawn();
    app.may_leave_jobs();
    let admin = app.admin();
    let id = dead_job(&app, None);
    let dead = admin.get("/v1/admin/jobs?state=dead").expect_status(200);
    dead.expect("/items/0/id", id.to_string()).expect("/items/0/last_error", "it did not work");
    admin
        .act(&format!("/v1/admin/jobs/{id}/retry"))
        .expect_status(200)
        .expect("/state", "pending")
        .expect("/attempts", 0);
    let again = admin.act(&format!("/v1/admin/jobs/{id}/retry")).expect_problem(409, "invalid_transition");
    again.expect("/current_status", "pending");
    admin.act(&format!("/v1/admin/jobs/{}/retry", Uuid::now_v7())).expect_problem(404, "not_found");
    app.reviewer().get("/v1/admin/jobs").expect_problem(403, "forbidden");
    let none = admin.get("/v1/admin/jobs?state=dead,running&kind=auth.purge").expect_status(200);
    none.expect("/items", json!([]));
    admin.get("/v1/admin/jobs?state=sleeping").expect_problem(400, "invalid_parameter");
}

#[test]
fn a_job_whose_purpose_waits_already_is_not_retried() {
    let mut app = TestApp::spawn();
    app.may_leave_jobs();
    app.schedule_periodic();
    let id = dead_job(&app, Some("auth.purge"));
    app.admin().act(&format!("/v1/admin/jobs/{id}/retry")).expect_problem(409, "duplicate");
}

#[test]
fn a_dead_job_is_given_up_with_a_reason() {
    let app = TestApp::spawn();
    let admin = app.admin();
    let path = format!("/v1/admin/jobs/{}/discard", dead_job(&app, None));
    assert_eq!(
        admin.post(&path, json!({ "reason": "too short" })).expect_status(422).faults(),
        ["/reason too_short"]
    );
    admin.post(&path, json!({ "reason": "          x" })).expect_problem(422, "validation_failed");
    admin
        .post(&path, json!({ "reason": "The address is gone." }))
        .expect_status(200)
        .expect("/state", "done");
    admin.post(&path, json!({ "reason": "The address is gone." })).expect_problem(409, "invalid_transition");
    let deeds = app.user("demo-auditor").get("/v1/audit-events?action=job.discarded").expect_status(200);
    let deeds = deeds.expect("/items/0/actor_role", "admin");
    deeds
        .expect("/items/0/details/0/name", "reason")
        .expect("/items/0/details/0/value", "The address is gone.");
}

#[test]
fn the_outbox_of_sms_messages_masks_the_recipients() {
    let app = TestApp::spawn();
    for _ in 0..3 {
        diesel::insert_into(sms_messages::table)
            .values((
                sms_messages::id.eq(Uuid::now_v7()),
                sms_messages::recipient.eq(Sensitive::<Phone>::new("13800138000")),
                sms_messages::text.eq("【示例云】一条短信"),
                sms_messages::created_at.eq(app.now()),
            ))
            .execute(&mut app.conn())
            .unwrap();
    }
    let page = app.admin().get("/v1/admin/sms-messages?limit=2").expect_status(200).expect("/has_more", true);
    assert!(!String::from_utf8_lossy(&page.body).contains("13800138000"));
    let cursor = page.text("/next_cursor");
    let page = page.expect("/items/0/recipient", "138****8000");
    let next = app.admin().get(&format!("/v1/admin/sms-messages?limit=2&cursor={cursor}")).expect_status(200);
    assert_eq!(next.at("/items").as_array().unwrap().len(), 1);
    assert_ne!(next.at("/items/0/id"), page.at("/items/0/id"));
    app.user("demo-auditor").get("/v1/admin/sms-messages").expect_problem(403, "forbidden");
}

#[test]
fn the_auditor_finds_a_deed_by_who_what_and_when() {
    let app = TestApp::spawn();
    let admin = app.admin().with("X-Request-Id", "request-of-the-admin");
    let partner = admin.post("/v1/partners", json!({ "name": "代理" })).expect_status(201).text("/id");
    app.advance(chrono::Duration::hours(1));
    let auditor = app.user("demo-auditor");
    let find = |query: &str| {
        let reply = auditor.get(&format!("/v1/audit-events?{query}")).expect_status(200);
        reply.at("/items").as_array().unwrap().len()
    };
    let found = auditor.get(&format!("/v1/audit-events?object_id={partner}")).expect_status(200);
    let found = found.expect("/items/0/action", "partner.created").expect("/items/0/actor_role", "admin");
    found.expect("/items/0/request_id", "request-of-the-admin").expect("/items/0/address", "127.0.0.1");
    assert_eq!(find("object_type=partner&actor_user_id=0193a000-0000-7000-8000-000000011010"), 1);
    assert_eq!(find("object_type=partner&actor_user_id=0193a000-0000-7000-8000-000000011009"), 0);
    assert_eq!(find("object_type=partner&created_after=2026-03-11T02:30:00Z"), 0);
    assert_eq!(find("object_type=partner&created_before=2026-03-11T02:30:00Z"), 1);
    assert_eq!(find(&format!("filing_id={partner}")), 0);
    auditor.get("/v1/audit-events?created_after=yesterday").expect_problem(400, "invalid_parameter");
    app.admin().get("/v1/audit-events").expect_problem(403, "forbidden");
    app.applicant().get("/v1/audit-events").expect_problem(403, "forbidden");
}
