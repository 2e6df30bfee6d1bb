//! Channels that fail, recipients who get many messages, contacts that nothing reaches.

use beian::schema::{contact_verifications, jobs, notifications as rows};
use chrono::Duration;
use diesel::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::http_server::HttpServer;
use crate::support::office::Office;
use crate::support::{Client, Response};

/// Tries that the jobs which send have used up.
fn tries(office: &Office) -> Vec<i32> {
    jobs::table
        .filter(jobs::kind.eq(beian::notifications::jobs::SEND))
        .filter(jobs::state.ne("done"))
        .select(jobs::attempts)
        .load(&mut office.app.conn())
        .unwrap()
}

fn submitted(office: &Office) {
    office.record("filing.submitted", "initial_review", json!({}));
    office.app.run_jobs();
}

/// States of all mails about events.
fn mails(office: &Office) -> Vec<String> {
    office.told("email").into_iter().map(|(state, ..)| state).collect()
}

#[test]
fn a_channel_that_is_down_for_days_is_paused_and_loses_nothing() {
    let office = Office::open_with(&[("CHANNEL_BREAKER_FAILURES", "2")]);
    for _ in 0..500 {
        office.smtp.refuse_next("421 4.7.0 shutting down");
    }
    for _ in 0..3 {
        submitted(&office);
    }
    assert_eq!(office.smtp.offers(), 2, "after the second failure nobody tries any more");
    assert_eq!(tries(&office), [0, 0, 0], "no message is at fault");
    let admin = office.app.admin();
    let alarms = admin.get("/v1/admin/alarms").expect_status(200).expect("/items/0/code", "channel_paused");
    assert!(alarms.text("/items/0/detail").contains("email"), "{}", alarms.json());
    alarms.expect("/items/0/count", 3);
    office.app.advance(Duration::seconds(59));
    office.app.run_jobs();
    assert_eq!(office.smtp.offers(), 2);
    office.app.advance(Duration::seconds(1));
    office.app.run_jobs();
    assert_eq!(office.smtp.offers(), 3, "one message is tried, the others wait");
    assert_eq!(office.state_of("sms"), ["sent"; 3], "the other channel works");

    for _ in 0..3 * 48 {
        office.app.advance(Duration::minutes(30));
        office.app.run_jobs();
    }
    let offers = office.smtp.offers();
    assert!((100..=160).contains(&offers), "one try each half hour, not {offers}");
    assert!(mails(&office).iter().all(|state| ["failed", "queued"].contains(&state.as_str())));
    assert_eq!(tries(&office), [0, 0, 0]);

    office.smtp.accept_all();
    office.app.advance(Duration::minutes(31));
    office.app.run_jobs();
    office.app.advance(Duration::minutes(31));
    office.app.run_jobs();
    assert_eq!(mails(&office), ["sent"; 3]);
    assert_eq!(office.smtp.mails().len(), 3, "each once");
    let alarms = admin.get("/v1/admin/alarms").expect_status(200).json();
    let codes: Vec<_> = alarms["items"].as_array().unwrap().iter().map(|item| &item["code"]).collect();
    assert_eq!(codes, ["overdue"], "only the filing, which nobody reviewed for three days");
    submitted(&office);
    assert_eq!(office.smtp.mails().len(), 4, "and goes at once again");
}

#[test]
fn a_mail_that_is_refused_shows_that_the_channel_works() {
    let mut office = Office::open_with(&[("CHANNEL_BREAKER_FAILURES", "2")]);
    office.app.may_leave_jobs();
    for reply in ["421 4.7.0 busy", "550 5.7.1 no", "421 4.7.0 busy", "450 4.2.1 later", "421 4.7.0 busy"] {
        office.smtp.refuse_next(reply);
        submitted(&office);
    }
    assert_eq!(office.smtp.offers(), 5, "never two failures in a row");
    office.app.admin().get("/v1/admin/alarms").expect_status(200).expect("/items", json!([]));
}

#[test]
fn more_messages_than_a_user_wants_in_an_hour_wait_for_the_next() {
    let office = Office::open_with(&[("EMAILS_PER_HOUR", "2"), ("SMS_PER_HOUR", "3")]);
    for _ in 0..5 {
        submitted(&office);
        office.app.advance(Duration::minutes(1));
    }
    assert_eq!((office.smtp.mails().len(), office.sms_texts().len()), (2, 3));
    assert_eq!(mails(&office), ["sent", "sent", "queued", "queued", "queued"]);
    assert_eq!(tries(&office), [0; 5], "waiting is no failure");
    office.app.advance(Duration::minutes(54));
    office.app.run_jobs();
    assert_eq!(office.smtp.mails().len(), 2);
    for (minutes, count) in [(1, 3), (1, 4), (58, 4), (2, 5)] {
        office.app.advance(Duration::minutes(minutes));
        office.app.run_jobs();
        assert_eq!(office.smtp.mails().len(), count);
    }
    assert_eq!((mails(&office), office.sms_texts().len()), (vec!["sent".to_owned(); 5], 5));
    assert_eq!(office.smtp.offers(), 5);

    // What is switched off while it waits does not go any more.
    office.app.advance(Duration::hours(2));
    for _ in 0..3 {
        submitted(&office);
    }
    let off =
        json!({ "items": [{ "event_type": "filing.submitted", "channel": "email", "is_enabled": false }] });
    office.app.applicant().put("/v1/me/notification-preferences", off).expect_status(200);
    office.app.advance(Duration::hours(1));
    office.app.run_jobs();
    assert_eq!(office.smtp.mails().len(), 7);
    assert_eq!(mails(&office).iter().filter(|state| *state == "suppressed").count(), 1);
}

#[test]
fn workers_share_the_limits_and_the_breaker() {
    let mut office = Office::open_with(&[("EMAILS_PER_HOUR", "3"), ("CHANNEL_BREAKER_FAILURES", "1")]);
    office.app.may_leave_jobs();
    for _ in 0..8 {
        office.record("filing.submitted", "initial_review", json!({}));
    }
    office.app.run_jobs_by(4);
    assert_eq!(office.smtp.mails().len(), 3, "not one more, whoever was faster");
    office.app.advance(Duration::minutes(61));
    for _ in 0..100 {
        office.smtp.refuse_next("421 4.7.0 shutting down");
    }
    office.app.run_jobs_by(4);
    let offers = office.smtp.offers() - 3;
    assert!((1..=4).contains(&offers), "each worker had at most one under way, not {offers}");
    for (pause, total) in [(1, 1), (2, 2), (4, 3)] {
        office.app.advance(Duration::minutes(pause));
        office.app.run_jobs_by(4);
        assert_eq!(office.smtp.offers() - 3 - offers, total, "one worker tries one message");
    }
    assert_eq!(office.smtp.mails().len(), 3);
}

/// The code that was made last.
fn code(office: &Office) -> String {
    let id: Uuid = contact_verifications::table
        .order((contact_verifications::created_at.desc(), contact_verifications::id.desc()))
        .select(contact_verifications::id)
        .first(&mut office.app.conn())
        .unwrap();
    beian::auth::contact_code(id)
}

fn list(client: &Client, query: &str) -> Response {
    client.get(&format!("/v1/admin/undeliverable-contacts{query}")).expect_status(200)
}

fn actions(reply: &Response) -> Vec<String> {
    let actions = reply.at("/next_actions");
    actions.as_array().unwrap().iter().map(|item| item["action"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_address_that_nobody_has_becomes_a_task_until_it_is_verified_anew() {
    let mut office = Office::open();
    office.app.may_leave_jobs();
    let (applicant, support) = (office.app.applicant(), office.app.user("demo-support"));
    let before = applicant.get("/v1/me").expect_status(200).expect("/next_actions", json!([]));
    let tag = before.header("etag").unwrap();
    let path = format!("/v1/filings/{}", office.filing);
    let filing_before = applicant.get(&path).expect_status(200);
    let seen = filing_before.header("etag").unwrap();
    office.smtp.refuse_next("550 5.1.1 <demo-applicant@example.com> no such user");
    submitted(&office);

    // The user is told where messages do arrive, and what to do.
    let inbox = applicant.get("/v1/notifications").expect_status(200);
    let inbox = inbox.expect("/items/0/event_type", "contact.undeliverable");
    assert!(inbox.text("/items/0/body").contains("d***@example.com"), "{}", inbox.json());
    let me = applicant.with("If-None-Match", tag).get("/v1/me").expect_status(200);
    assert_eq!(actions(&me), ["update_email"]);
    let me = me.expect("/next_actions/0/operation_id", "updateMe").expect("/next_actions/0/is_enabled", true);
    let me = me.expect("/undeliverable_contacts/0/channel", "email");
    me.expect("/undeliverable_contacts/0/code", "SMTP 550 5.1.1")
        .expect("/undeliverable_contacts/0/source", "refused");
    assert_eq!(actions(&applicant.get("/v1/overview").expect_status(200)), ["update_email"]);
    let filing = applicant.with("If-None-Match", seen).get(&path).expect_status(200);
    assert_eq!(actions(&filing).last().map(String::as_str), Some("update_email"));
    filing.expect("/version", filing_before.at("/version"));
    let support_sees = support.get(&path).expect_status(200);
    assert!(!actions(&support_sees).contains(&"update_email".to_owned()), "it is the caller's own step");
    office.app.other_applicant().get("/v1/me").expect_status(200).expect("/next_actions", json!([]));

    // Staff see it too, masked.
    let seen = list(&support, "")
        .expect("/items/0/channel", "email")
        .expect("/items/0/user_id", office.user.to_string());
    seen.expect("/items/0/contact", "d***@example.com").expect("/items/0/code", "SMTP 550 5.1.1");
    let admin = office.app.admin();
    admin
        .get("/v1/admin/alarms")
        .expect("/items/0/code", "undeliverable_contacts")
        .expect("/items/0/count", 1);
    let deliveries = support.get("/v1/admin/message-deliveries?channel=email").expect_status(200);
    deliveries
        .expect("/items/0/state", "dead")
        .expect("/items/0/last_error", "no such recipient: SMTP 550 5.1.1");
    applicant.get("/v1/admin/undeliverable-contacts").expect_problem(403, "forbidden");

    // Nothing more goes there but the bureau's results; a second failure is no second task.
    office.app.advance(Duration::minutes(1));
    submitted(&office);
    office.smtp.refuse_next("550 5.1.1 no such user");
    office.record("bureau.rejected", "bureau_rejected", json!({}));
    office.app.run_jobs();
    let reasons: Vec<_> =
        office.told("email").into_iter().map(|(state, reason, _)| (state, reason)).collect();
    assert_eq!(reasons[1], ("suppressed".into(), Some("contact_undeliverable".into())));
    assert_eq!((reasons[2].0.as_str(), office.smtp.offers()), ("dead", 2));
    assert_eq!(list(&support, "").at("/items").as_array().unwrap().len(), 1);
    let told = applicant.get("/v1/notifications").expect_status(200).json();
    let told = told["items"].as_array().unwrap().iter();
    assert_eq!(told.filter(|item| item["event_type"] == "contact.undeliverable").count(), 1);

    // The same address again, proved by a code.
    let editor = applicant.with("If-Match", "*");
    let email = json!({ "email": "demo-applicant@example.com" });
    editor.patch("/v1/me", email).expect_status(200).expect("/pending_contacts/0/channel", "email");
    office.app.run_jobs();
    assert_eq!(office.smtp.mails().len(), 1, "the code itself goes there");
    assert_eq!(actions(&applicant.get("/v1/me")), ["update_email"]);
    let body = json!({ "channel": "email", "code": code(&office) });
    let me = applicant.post("/v1/me/contact-verifications/confirm", body).expect_status(200);
    assert_eq!((actions(&me), me.at("/undeliverable_contacts")), (Vec::new(), json!([])));
    list(&support, "").expect("/items", json!([]));
    list(&support, "?is_open=false").expect("/items/0/cleared_because", "verified");
    office.app.advance(Duration::minutes(1));
    submitted(&office);
    assert_eq!(mails(&office).last().map(String::as_str), Some("sent"));
}

#[test]
fn an_undelivered_sms_is_a_task_and_one_that_arrives_ends_it() {
    let server = HttpServer::start(|request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        (200, json!({ "sid": body["id"] }).to_string())
    });
    let url = server.url();
    let office = Office::open_with(&[
        ("SMS_PROVIDER", "http"),
        ("SMS_HTTP_URL", &url),
        ("SMS_HTTP_BODY", "{\"id\": {{ id|tojson }}, \"to\": {{ to|tojson }}}"),
        ("SMS_RECEIPT_SECRET", "a-shared-secret-0123"),
    ]);
    let gateway = office.app.anonymous().with("X-Receipt-Secret", "a-shared-secret-0123");
    let (applicant, support) = (office.app.applicant(), office.app.user("demo-support"));
    let tell = |event: &str, state: &str| {
        let id: Uuid = rows::table
            .filter(rows::channel.eq("sms"))
            .filter(rows::event_type.eq(event))
            .select(rows::id)
            .first(&mut office.app.conn())
            .unwrap();
        let receipt = json!({ "receipts": [{ "reference": id, "state": state, "code": "MK:0001" }] });
        gateway.post("/v1/sms-receipts", receipt).expect_status(200).expect("/recorded_count", 1);
    };
    submitted(&office);
    tell("filing.submitted", "undelivered");
    let me = applicant.get("/v1/me").expect_status(200);
    assert_eq!(actions(&me), ["update_mobile"]);
    me.expect("/undeliverable_contacts/0/code", "MK:0001")
        .expect("/undeliverable_contacts/0/source", "receipt");
    list(&support, "?channel=mobile").expect("/items/0/contact", "138****8001");
    let delivery = support.get("/v1/admin/message-deliveries?receipt=undelivered").expect_status(200);
    delivery.expect("/items/0/receipt_code", "MK:0001").expect("/items/0/recipient_masked", "138****8001");

    office.record("bureau.approved", "approved", json!({}));
    office.app.run_jobs();
    tell("bureau.approved", "delivered");
    assert_eq!(actions(&applicant.get("/v1/me")), Vec::<String>::new());
    list(&support, "?is_open=false").expect("/items/0/cleared_because", "delivered");

    // A receipt that comes after the number was changed concerns nobody.
    office.record("filing.withdrawn", "draft", json!({}));
    office.app.run_jobs();
    let admin = office.app.admin().with("If-Match", "*");
    admin.patch(&format!("/v1/users/{}", office.user), json!({ "mobile": "13912345678" })).expect_status(200);
    tell("filing.withdrawn", "undelivered");
    assert_eq!(actions(&applicant.get("/v1/me")), Vec::<String>::new());
}

#[test]
fn a_contact_that_the_admin_replaces_is_no_task_any_more() {
    let mut office = Office::open();
    office.app.may_leave_jobs();
    office.smtp.refuse_next("550 no such user");
    // A first link that bounces is a task for the staff, although the address was never verified.
    office.set_user("email_verified_at = NULL");
    let now = office.app.now();
    let reset = Uuid::now_v7();
    diesel::sql_query(
        "INSERT INTO password_resets (id, user_id, token_hash, created_at, expires_at) VALUES ($1, $3, '', $2, $2 + interval '1 hour')",
    )
    .bind::<diesel::sql_types::Uuid, _>(reset)
    .bind::<diesel::sql_types::Timestamptz, _>(now)
    .bind::<diesel::sql_types::Uuid, _>(office.user)
    .execute(&mut office.app.conn())
    .unwrap();
    office.enqueue(
        beian::notifications::jobs::ACCOUNT_EMAIL,
        json!({ "template": "password_reset", "user_id": office.user, "password_reset_id": reset }),
    );
    office.app.run_jobs();
    let admin = office.app.admin().with("If-Match", "*");
    list(&admin, "").expect("/items/0/code", "SMTP 550");
    let path = format!("/v1/users/{}", office.user);
    admin.patch(&path, json!({ "display_name": "张三" })).expect_status(200);
    list(&admin, "").expect("/items/0/code", "SMTP 550");
    admin.patch(&path, json!({ "email": "new@example.com" })).expect_status(200);
    list(&admin, "").expect("/items", json!([]));
    list(&admin, "?is_open=false").expect("/items/0/cleared_because", "replaced");
}
