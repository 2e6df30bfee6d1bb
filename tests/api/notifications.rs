//! Applicants are told by e-mail, SMS and inbox (issue 2, point 9): over a real SMTP exchange, with the worker stepped.

use beian::kernel::ids::{FilingId, JobId};
use beian::kernel::jobs;
use beian::kernel::pii::{Email, Phone, Sensitive};
use beian::notifications;
use beian::schema::contact_verifications;
use chrono::Duration;
use diesel::prelude::*;
use diesel::sql_types;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::office::Office;

#[test]
fn an_event_reaches_inbox_mail_and_sms_in_the_readers_language() {
    let office = Office::open();
    office.record("filing.submitted", "initial_review", json!({}));
    office.app.run_jobs();
    for channel in ["inbox", "email", "sms"] {
        assert_eq!(office.state(channel), "sent");
    }
    let mails = office.smtp.mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.recipients, ["demo-applicant@example.com"]);
    assert!(mail.header("Subject").contains("（BA-2026-990123）"), "{}", mail.header("Subject"));
    assert_eq!(mail.header("Message-ID"), format!("<{}@example.com>", office.email_id()));
    assert_eq!(mail.from(), ("备案".to_owned(), "icp@example.com".to_owned()));
    assert_eq!(mail.header("Date"), "Wed, 11 Mar 2026 02:00:00 +0000");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert!(mail.header("Content-Type").starts_with("multipart/alternative"));
    let parts = mail.parts();
    let kinds: Vec<_> = parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["text/plain", "text/html"]);
    let link = format!("{}/filings/{}", office.app.base, office.filing);
    for (kind, text) in &parts {
        for words in ["山间书屋", "初审中", "2026年3月11日 24:00", &link] {
            assert!(text.contains(words), "{kind} without {words}: {text}");
        }
    }
    assert!(parts[1].1.contains(&format!("<a href=\"{link}\">")));
    let sms = office.sms_texts();
    assert!(
        sms.len() == 1 && sms[0].starts_with("【示例云】") && sms[0].contains("BA-2026-990123"),
        "{sms:?}"
    );

    office.set_user("locale = 'en'");
    office.record("bureau.approved", "approved", json!({}));
    office.app.run_jobs();
    let subject = office.smtp.mails()[1].header("Subject");
    assert!(subject.is_ascii() && subject.contains("BA-2026-990123"), "{subject}");
}

#[test]
fn a_mail_that_can_be_switched_off_says_how_and_one_click_does_it() {
    let office = Office::open();
    office.record("filing.submitted", "initial_review", json!({}));
    office.record("bureau.approved", "approved", json!({}));
    office.app.run_jobs();
    let mails = office.smtp.mails();
    let of = |words: &str| mails.iter().find(|mail| mail.header("Subject").contains(words)).unwrap();
    let result = of("管局审核通过");
    assert_eq!(
        (result.header("List-Unsubscribe"), result.header("List-Unsubscribe-Post")),
        Default::default()
    );
    let mail = of("提交");
    assert_eq!(mail.header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    let header = mail.header("List-Unsubscribe");
    let link = header.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap().to_owned();
    assert!(link.starts_with(&format!("{}/v1/unsubscribe?token=", office.app.base)), "{link}");

    // A scanner that follows the link changes nothing.
    let nobody = office.app.anonymous();
    let page = nobody.get(&link).expect_status(200);
    assert_eq!(page.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
    assert!(String::from_utf8_lossy(&page.body).contains("<form method=\"post\">"));
    let applicant = office.app.applicant();
    let switches = |channel: &str| {
        let all = applicant.get("/v1/me/notification-preferences").expect_status(200).json();
        let list = all["items"].as_array().unwrap().clone();
        list.into_iter()
            .find(|row| row["event_type"] == "filing.submitted" && row["channel"] == channel)
            .unwrap()["is_enabled"]
            .clone()
    };
    assert_eq!(switches("email"), true);
    // As a mail program posts it: a form, no token, no cookie.
    let form = nobody.with("Content-Type", "application/x-www-form-urlencoded");
    let version = applicant.get("/v1/me").at("/version").as_i64().unwrap();
    for _ in 0..2 {
        form.send("POST", &link, Some(b"List-Unsubscribe=One-Click".to_vec())).expect_status(200);
    }
    assert_eq!((switches("email"), switches("sms")), (json!(false), json!(true)));
    applicant.get("/v1/me").expect("/version", version + 1);
    office.app.advance(Duration::minutes(1));
    office.record("filing.submitted", "initial_review", json!({}));
    office.record("bureau.rejected", "bureau_rejected", json!({}));
    office.app.run_jobs();
    let subjects: Vec<_> = office.smtp.mails()[2..].iter().map(|mail| mail.header("Subject")).collect();
    assert!(subjects.len() == 1 && subjects[0].contains("未通过"), "{subjects:?}");
    let deeds = office.app.user("demo-auditor").get("/v1/audit-events?action=user.preferences_updated");
    let deeds = deeds.expect_status(200).expect("/items/0/actor_role", "system");
    assert_eq!(deeds.at("/items").as_array().unwrap().len(), 1);

    let forged = |token: &str| format!("/v1/unsubscribe?token={token}");
    let mut wrong = link.rsplit_once('=').unwrap().1.to_owned();
    wrong.replace_range(30..31, if &wrong[30..31] == "A" { "B" } else { "A" });
    nobody.get(&forged(&wrong)).expect_problem(404, "not_found");
    nobody.act(&forged(&wrong)).expect_problem(404, "not_found");
    let mandatory = beian::auth::unsubscribe_token(office.user, "bureau.approved");
    nobody.act(&forged(&mandatory)).expect_problem(404, "not_found");
    nobody.act("/v1/unsubscribe").expect_problem(400, "invalid_parameter");
}

#[test]
fn nobody_switches_the_bureaus_results_off() {
    let office = Office::open();
    let applicant = office.app.applicant();
    for event in ["bureau.approved", "bureau.rejected"] {
        for channel in ["email", "sms"] {
            let off = json!({ "items": [{ "event_type": event, "channel": channel, "is_enabled": false }] });
            let refused = applicant.put("/v1/me/notification-preferences", off).expect_status(422);
            assert_eq!(refused.faults(), ["/items/0/is_enabled mandatory"]);
        }
    }
    let off = json!({ "items": [
        { "event_type": "filing.submitted", "channel": "email", "is_enabled": false },
        { "event_type": "filing.submitted", "channel": "sms", "is_enabled": false },
    ] });
    applicant.put("/v1/me/notification-preferences", off).expect_status(200);
    office.record("filing.submitted", "initial_review", json!({}));
    office.record("bureau.rejected", "bureau_rejected", json!({}));
    office.app.run_jobs();
    assert_eq!((office.smtp.mails().len(), office.sms_texts().len()), (1, 1), "only the result goes out");
}

#[test]
fn a_server_that_is_busy_is_asked_again_later_and_the_mail_goes_once() {
    let office = Office::open();
    office.smtp.refuse_next("451 4.3.0 <demo-applicant@example.com> try later");
    office.record("filing.submitted", "initial_review", json!({}));
    office.app.run_jobs();
    assert_eq!(office.told("email")[0].0, "failed");
    let reason = office.told("email")[0].1.clone().unwrap();
    assert!(reason.contains("451 4.3.0") && !reason.contains("@example"), "no address in {reason}");
    assert_eq!(office.state("sms"), "sent", "a failing channel does not block another");
    assert!(office.smtp.mails().is_empty());
    office.app.run_jobs();
    assert_eq!(office.smtp.offers(), 1, "not before its time");
    office.app.advance(Duration::seconds(10));
    office.app.run_jobs();
    assert_eq!(office.state("email"), "sent");
    assert_eq!(office.told("email")[0].2, Some(office.app.now()));
    assert_eq!(office.smtp.mails().len(), 1);
}

#[test]
fn a_refused_mail_is_dead_at_once_and_goes_when_an_admin_retries_it() {
    let mut office = Office::open();
    office.app.may_leave_jobs();
    office.smtp.refuse_next("550 5.1.1 <demo-applicant@example.com> no such user");
    office.record("filing.submitted", "initial_review", json!({}));
    office.app.run_jobs();
    let (state, reason, sent_at) = office.told("email").remove(0);
    assert_eq!((state.as_str(), sent_at), ("dead", None));
    assert!(reason.as_deref().is_some_and(|text| text.contains("550 5.1.1") && !text.contains("@example")));
    for _ in 0..12 {
        office.app.advance(Duration::hours(2));
        office.app.run_jobs();
    }
    assert_eq!(office.smtp.offers(), 1, "nobody is asked again after a final no");
    let (job, state, _) = office.send_jobs().remove(0);
    assert_eq!(state, "dead");
    assert!(jobs::retry(&mut office.app.conn(), JobId(job), office.app.now()).unwrap());
    office.app.run_jobs();
    assert_eq!(office.state("email"), "sent");
    assert_eq!(office.smtp.mails().len(), 1);
    assert_eq!(office.send_jobs()[0].1, "done");
}

#[test]
fn after_the_last_try_a_notification_is_dead_with_its_job() {
    let mut office = Office::open();
    office.app.may_leave_jobs();
    for _ in 0..10 {
        office.smtp.refuse_next("450 4.2.1 mailbox busy");
    }
    office.record("filing.submitted", "initial_review", json!({}));
    for _ in 0..12 {
        office.app.run_jobs();
        office.app.advance(Duration::hours(2));
    }
    assert_eq!(office.smtp.offers(), 10);
    assert_eq!(office.state("email"), "dead");
    assert_eq!(office.send_jobs()[0].1, "dead");
}

#[test]
fn jobs_that_run_twice_tell_once() {
    let office = Office::open();
    let event = office.record("filing.submitted", "initial_review", json!({}));
    office.app.run_jobs();
    office.enqueue(notifications::jobs::FAN_OUT, json!({ "event_id": event }));
    office.enqueue(notifications::jobs::SEND, json!({ "notification_id": office.email_id() }));
    office.app.run_jobs();
    for channel in ["inbox", "email", "sms"] {
        assert_eq!(office.state(channel), "sent");
    }
    assert_eq!((office.smtp.offers(), office.sms_texts().len()), (1, 1));
}

#[test]
fn wishes_and_unverified_contacts_are_obeyed_but_the_bureaus_decision_is_always_told() {
    let office = Office::open();
    office.set_user("mobile_verified_at = NULL");
    diesel::sql_query(
        "INSERT INTO notification_preferences (user_id, event_type, channel, is_enabled)
         VALUES ($1, 'filing.submitted', 'email', false), ($1, 'bureau.rejected', 'email', false)",
    )
    .bind::<sql_types::Uuid, _>(office.user)
    .execute(&mut office.app.conn())
    .unwrap();
    office.record("filing.submitted", "initial_review", json!({}));
    office.app.run_jobs();
    assert_eq!(office.told("email"), [("suppressed".into(), Some("switched_off".into()), None)]);
    assert_eq!(office.told("sms"), [("suppressed".into(), Some("contact_not_verified".into()), None)]);
    assert_eq!(office.state("inbox"), "sent");
    office.record("bureau.rejected", "bureau_rejected", json!({}));
    office.app.run_jobs();
    assert_eq!(office.smtp.mails().len(), 1);

    office.set_user("disabled_at = created_at");
    office.record("bureau.approved", "approved", json!({}));
    office.app.run_jobs();
    assert_eq!(office.told("inbox").len(), 2, "nobody is left to tell");
}

#[test]
fn account_mails_and_codes_carry_what_their_row_allows() {
    let office = Office::open();
    let (reset, mobile, email) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let now = office.app.now();
    diesel::sql_query(
        "INSERT INTO password_resets (id, user_id, token_hash, created_at, expires_at)
         VALUES ($1, $3, '', $2, $2 + interval '1 hour')",
    )
    .bind::<sql_types::Uuid, _>(reset)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Uuid, _>(office.user)
    .execute(&mut office.app.conn())
    .unwrap();
    use contact_verifications as codes;
    let row = |id: Uuid, channel: &'static str| {
        (
            codes::id.eq(id),
            codes::user_id.eq(office.user),
            codes::channel.eq(channel),
            codes::code_hash.eq(Vec::new()),
            codes::created_at.eq(now),
            codes::expires_at.eq(now + Duration::minutes(10)),
        )
    };
    diesel::insert_into(codes::table)
        .values((row(mobile, "mobile"), codes::contact.eq(Sensitive::<Phone>::new("13900139000"))))
        .execute(&mut office.app.conn())
        .unwrap();
    diesel::insert_into(codes::table)
        .values((row(email, "email"), codes::contact.eq(Sensitive::<Email>::new("new@example.com"))))
        .execute(&mut office.app.conn())
        .unwrap();
    let account = notifications::jobs::ACCOUNT_EMAIL;
    office.enqueue(
        account,
        json!({ "template": "password_reset", "user_id": office.user, "password_reset_id": reset }),
    );
    office.enqueue(account, json!({ "template": "password_changed", "user_id": office.user }));
    office.enqueue(
        account,
        json!({ "template": "email_verification", "user_id": office.user, "contact_verification_id": email }),
    );
    office.enqueue(notifications::jobs::CONTACT_CODE, json!({ "contact_verification_id": mobile }));
    office.app.run_jobs();
    let mails = office.smtp.mails();
    let text = |to: &str, words: &str| {
        let mut all = mails.iter().filter(|mail| mail.recipients == [to]).flat_map(|mail| mail.parts());
        all.any(|(kind, text)| kind == "text/plain" && text.contains(words))
    };
    assert_eq!(mails.len(), 3);
    assert!(text("demo-applicant@example.com", &beian::auth::password_reset_token(reset)));
    assert!(text("demo-applicant@example.com", "60 分钟"));
    assert!(text("new@example.com", &beian::auth::contact_code(email)));
    let sms = office.sms_texts();
    assert!(sms.len() == 1 && sms[0].contains(&beian::auth::contact_code(mobile)), "{sms:?}");

    office.app.advance(Duration::hours(2));
    office.enqueue(
        account,
        json!({ "template": "password_reset", "user_id": office.user, "password_reset_id": reset }),
    );
    office.enqueue(notifications::jobs::CONTACT_CODE, json!({ "contact_verification_id": mobile }));
    office.app.run_jobs();
    assert_eq!((office.smtp.mails().len(), office.sms_texts().len()), (3, 1), "expired secrets are not sent");
}

#[test]
fn the_inbox_is_ones_own_and_read_marks_stay() {
    let office = Office::open();
    for (event, status) in
        [("filing.created", "draft"), ("filing.submitted", "initial_review"), ("bureau.approved", "approved")]
    {
        office.record(event, status, json!({}));
        office.app.run_jobs();
        office.app.advance(Duration::minutes(1));
    }
    let applicant = office.app.applicant();
    let page = applicant.get("/v1/notifications?limit=2").expect_status(200);
    let page = page
        .expect("/unread_count", 3)
        .expect("/has_more", true)
        .expect("/items/0/event_type", "bureau.approved");
    let page = page.expect("/items/0/order_no", "BA-2026-990123").expect("/items/0/read_at", Value::Null);
    assert_eq!(page.text("/items/0/filing_id"), office.filing.to_string());
    let (id, cursor) = (page.text("/items/0/id"), page.text("/next_cursor"));
    let last = applicant.get(&format!("/v1/notifications?limit=2&cursor={cursor}")).expect_status(200);
    last.expect("/items/0/event_type", "filing.created").expect("/has_more", false);
    applicant
        .get(&format!("/v1/notifications?limit=2&is_unread=true&cursor={cursor}"))
        .expect_problem(400, "invalid_cursor");
    applicant.get("/v1/notifications?colour=red").expect_problem(400, "invalid_parameter");

    let read = applicant.act(&format!("/v1/notifications/{id}/read")).expect_status(200).text("/read_at");
    office.app.advance(Duration::minutes(1));
    applicant.act(&format!("/v1/notifications/{id}/read")).expect_status(200).expect("/read_at", read);
    applicant.get("/v1/notifications?is_unread=false").expect_status(200).expect("/items/0/id", id.as_str());
    let other = FilingId::new();
    let none = applicant.get(&format!("/v1/notifications?filing_id={other}")).expect_status(200);
    none.expect("/items", json!([])).expect("/unread_count", 2);

    let stranger = office.app.other_applicant();
    stranger.get("/v1/notifications").expect_status(200).expect("/items", json!([]));
    stranger.act(&format!("/v1/notifications/{id}/read")).expect_problem(404, "not_found");
    stranger.act("/v1/notifications/read-all").expect_status(200).expect("/marked_count", 0);
    office.app.reviewer().get("/v1/notifications").expect_problem(403, "forbidden");
    office.app.anonymous().get("/v1/notifications").expect_problem(401, "unauthenticated");

    let keyed = applicant.with("Idempotency-Key", "read-1");
    let all = keyed.act("/v1/notifications/read-all").expect_status(200).expect("/marked_count", 2);
    all.expect("/unread_count", 0);
    let again = keyed.act("/v1/notifications/read-all").expect_status(200).expect("/marked_count", 2);
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
}

#[test]
fn a_rejection_names_its_reasons_and_a_parcel_its_courier() {
    let office = Office::open();
    let (rejection, photo, shipment) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    diesel::connection::SimpleConnection::batch_execute(
        &mut *office.app.conn(),
        &format!(
            "INSERT INTO terms (id, kind, version, text_zh, text_en, sha256, effective_at, created_at)
             VALUES ('{rejection}', 'service_terms', 'test', '', '', '', now(), now());
             INSERT INTO filing_revisions (id, filing_id, revision_no, content_id, submitted_by, submitted_at, terms_id,
                 consent_id, accepted_client, person_hash)
             SELECT '{rejection}', id, 1, content_id, created_by, created_at, '{rejection}', '{rejection}', 'app', ''
             FROM filings WHERE id = '{filing}';
             INSERT INTO rejections (id, filing_id, revision_id, round, source, created_at)
             SELECT '{rejection}', id, '{rejection}', 1, 'initial_review', created_at FROM filings WHERE id = '{filing}';
             INSERT INTO rejection_items (id, rejection_id, filing_id, position, target_kind, pointer, code, reason,
                 is_repeated)
             VALUES ('{rejection}', '{rejection}', '{filing}', 0, 'field', '/website/name', 'SITE_NAME_INVALID', 'r', false),
                    ('{photo}', '{rejection}', '{filing}', 1, 'field', '/website/remark', 'SITE_CONTENT_INVALID', 'r', false),
                    ('{shipment}', '{rejection}', '{filing}', 2, 'field', '/website/home_url', 'SITE_NAME_INVALID', 'r', false);
             INSERT INTO photo_verifications (id, filing_id, account_id, attempt_no, state, file_name, content_type,
                 size_bytes, sha256, upload_key, upload_expires_at, person_hash, findings, created_by, created_at)
             SELECT '{photo}', id, account_id, 1, 'precheck_failed', 'a.jpg', 'image/jpeg', 1, '', 'k', created_at, '',
                 '[{{\"code\": \"PHOTO_TOO_SMALL\", \"severity\": \"error\"}},
                   {{\"code\": \"PHOTO_BLURRED\", \"severity\": \"warning\"}}]', created_by, created_at
             FROM filings WHERE id = '{filing}';
             INSERT INTO backdrop_shipments (id, filing_id, account_id, state, recipient_name, phone, province_code,
                 city_code, street_address, charged_to, carrier_code, tracking_number, created_by, requested_at, updated_at)
             SELECT '{shipment}', id, account_id, 'shipped', '', '', '110000', '110100', '', 'provider', 'shunfeng',
                 'SF1234567890123', created_by, created_at, created_at FROM filings WHERE id = '{filing}'",
            filing = office.filing
        ),
    )
    .unwrap();
    office.record("initial_review.rejected", "initial_rejected", json!({ "rejection_id": rejection }));
    office.record("photo.precheck_failed", "photo_required", json!({ "photo_verification_id": photo }));
    office.record("backdrop.shipped", "photo_required", json!({ "shipment_id": shipment }));
    office.app.run_jobs();
    let mails = office.smtp.mails();
    let holds = |words: &str| mails.iter().any(|mail| mail.parts()[0].1.contains(words));
    let title = |code: &str| beian::catalogue::data::rejection_reason(code).unwrap().title.zh.clone();
    assert!(holds(&format!("1. {}", title("SITE_NAME_INVALID"))));
    assert!(holds(&format!("2. {}", title("SITE_CONTENT_INVALID"))));
    assert!(!holds("3. "), "the same reason twice is said once");
    assert!(holds(&format!("1. {}", title("PHOTO_TOO_SMALL"))));
    assert!(!holds(&title("PHOTO_BLURRED")), "warnings are for the reviewer");
    assert!(office.sms_texts().iter().any(|sms| sms.contains("顺丰速运") && sms.contains("SF1234567890123")));
}
