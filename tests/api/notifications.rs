//! Applicants are told by e-mail, SMS and inbox (issue 2, point 9): over a real SMTP exchange, with the worker stepped.

use beian::app::{self, App, Means};
use beian::config::{Config, Secrets, StorageConfig};
use beian::embedded::data_dir::DataDir;
use beian::embedded::postgres::{self, EmbeddedPostgres, PostgresOptions};
use beian::kernel::clock::Clock;
use beian::kernel::ids::{EventId, FilingId, UserId};
use beian::kernel::jobs::{self, NewJob, Registry, Worker};
use beian::kernel::pii::{Email, Phone, Sensitive};
use beian::notifications;
use beian::schema::{jobs as jobs_table, notifications as rows, sms_messages, users};
use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::smtp::SmtpServer;

/// A database of its own, a mail server, and a worker that only the test moves.
struct Office {
    smtp: SmtpServer,
    app: App,
    worker: Worker,
    runtime: tokio::runtime::Runtime,
    folder: std::path::PathBuf,
    /// Stopped last but for the folder.
    postgres: Option<EmbeddedPostgres>,
    filing: FilingId,
    user: UserId,
}

impl Drop for Office {
    fn drop(&mut self) {
        if let Some(server) = self.postgres.take() {
            server.stop();
        }
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

impl Office {
    fn open() -> Office {
        let folder = nix::unistd::mkdtemp(&std::env::temp_dir().join("beian-notify-XXXXXX")).unwrap();
        std::os::unix::fs::PermissionsExt::set_mode(&mut std::fs::metadata(&folder).unwrap().permissions(), 0o711);
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let postgres = postgres::start(&PostgresOptions {
            bin_dir: None,
            data_dir: folder.join("postgres"),
            password: "test-password".into(),
            durable: false,
            max_connections: 20,
        })
        .unwrap();
        postgres.create_database("beian").unwrap();
        let database_url = postgres.database_url("beian");
        let clock = Clock::fixed("2026-03-02T01:00:00Z".parse().unwrap());
        app::prepare_database(&database_url, &clock).unwrap();
        let smtp = SmtpServer::start();
        let settings = [("SMTP_URL", smtp.url()), ("DATA_DIR", folder.join("data").display().to_string())];
        let config =
            Config::load(&|name| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))
                .unwrap();
        let storage = StorageConfig {
            bucket: "unused".into(),
            endpoint: Some("http://127.0.0.1:1".into()),
            public_endpoint: None,
            region: "us-east-1".into(),
            access_key_id: "unused".into(),
            secret_access_key: "unused".into(),
        };
        let means = Means {
            database_url: database_url.clone(),
            storage,
            secrets: secrets(),
            public_url: "https://beian.example.com".into(),
            clock,
        };
        let app = app::open(config, means).unwrap();
        let mut registry = Registry::default();
        notifications::register(&mut registry, &app);
        let worker = Worker::new(app.db.clone(), app.clock.clone(), registry, app.waker.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (filing, user) = (FilingId::new(), UserId::new());
        let office = Office { smtp, app, worker, runtime, folder, postgres: Some(postgres), filing, user };
        office.furnish();
        office
    }

    fn conn(&self) -> impl std::ops::DerefMut<Target = PgConnection> + use<> {
        self.app.db.connection().unwrap()
    }

    /// An account with one user, a website and a filing.
    fn furnish(&self) {
        let conn = &mut *self.conn();
        let now = self.app.clock.now();
        let account = Uuid::now_v7();
        diesel::sql_query("INSERT INTO accounts (id, name, created_at, updated_at) VALUES ($1, 'A', $2, $2)")
            .bind::<diesel::sql_types::Uuid, _>(account)
            .bind::<diesel::sql_types::Timestamptz, _>(now)
            .execute(conn)
            .unwrap();
        diesel::insert_into(users::table)
            .values((
                users::id.eq(self.user),
                users::login.eq("reader"),
                users::display_name.eq("张三"),
                users::password_hash.eq("-"),
                users::account_id.eq(account),
                users::email.eq(Sensitive::<Email>::new("reader@example.com")),
                users::email_verified_at.eq(now),
                users::mobile.eq(Sensitive::<Phone>::new("13800138000")),
                users::mobile_verified_at.eq(now),
                users::created_at.eq(now),
                users::updated_at.eq(now),
            ))
            .execute(conn)
            .unwrap();
        let statements = [
            "INSERT INTO subjects (id, account_id, icp_number, name, nature, certificate_type, certificate_number,
                 certificate_address, person_name, person_certificate_type, person_certificate_number, person_mobile,
                 person_emergency_phone, person_email, province_code, city_code, correspondence_address, created_at,
                 updated_at)
             SELECT id, id, '京ICP备12345678号', 'S', 'individual', 'resident_id', '', '', 'P', 'resident_id', '', '', '',
                 '', '110000', '110100', '', created_at, created_at FROM accounts",
            "INSERT INTO website_contents (id, domains, service_content, languages)
             SELECT id, '[]', '[]', '[]' FROM accounts",
            "INSERT INTO websites (id, account_id, subject_id, icp_number, service_kind, access, filed_version,
                 content_id, created_at, updated_at)
             SELECT id, id, id, '京ICP备12345678号-1', 'website', '[]', 1, id, created_at, created_at FROM accounts",
        ];
        for statement in statements {
            diesel::sql_query(statement).execute(conn).unwrap();
        }
        diesel::sql_query(
            "INSERT INTO filings (id, order_no, account_id, subject_id, website_id, kind, status, status_changed_at,
                 province_code, base_version, base_content_id, content_id, website_name, due_at, created_by, created_at,
                 updated_at)
             SELECT $1, 'BA-2026-000123', id, id, id, 'website_change', 'initial_review', created_at, '110000', 1, id, id,
                 '山间书屋', '2026-03-03T16:00:00Z', $2, created_at, created_at FROM accounts",
        )
        .bind::<diesel::sql_types::Uuid, _>(self.filing)
        .bind::<diesel::sql_types::Uuid, _>(self.user)
        .execute(conn)
        .unwrap();
    }

    fn set_user(&self, assignment: &str) {
        diesel::sql_query(format!("UPDATE users SET {assignment}")).execute(&mut *self.conn()).unwrap();
    }

    /// Records an event and announces it, in one transaction as a filing's change does.
    fn record(&self, event_type: &str, status: &str, data: Value) -> EventId {
        let (id, now) = (EventId::new(), self.app.clock.now());
        self.conn()
            .transaction(|conn| {
                diesel::sql_query(
                    "INSERT INTO filing_events (id, filing_id, account_id, type, visibility, at, actor_role, status,
                         filing_version, data)
                     SELECT $1, id, account_id, $2, 'applicant', $3, 'system', $4, 1, $5 FROM filings",
                )
                .bind::<diesel::sql_types::Uuid, _>(id)
                .bind::<diesel::sql_types::Text, _>(event_type)
                .bind::<diesel::sql_types::Timestamptz, _>(now)
                .bind::<diesel::sql_types::Text, _>(status)
                .bind::<diesel::sql_types::Jsonb, _>(data)
                .execute(conn)?;
                notifications::announce(conn, now, id)
            })
            .unwrap();
        id
    }

    fn enqueue(&self, kind: &'static str, payload: Value) {
        jobs::enqueue(&mut self.conn(), self.app.clock.now(), NewJob::new(kind, payload)).unwrap();
    }

    /// Runs whatever is due now.
    fn run_jobs(&self) {
        while self.runtime.block_on(self.worker.step()).unwrap() {}
    }

    /// State, reason and time of the reader's notification over a channel.
    fn told(&self, channel: &str) -> Vec<(String, Option<String>, Option<DateTime<Utc>>)> {
        rows::table
            .filter(rows::channel.eq(channel))
            .order(rows::created_at)
            .select((rows::state, rows::last_error, rows::sent_at))
            .load(&mut *self.conn())
            .unwrap()
    }

    fn state(&self, channel: &str) -> String {
        let told = self.told(channel);
        assert_eq!(told.len(), 1, "{channel}: {told:?}");
        told[0].0.clone()
    }

    /// States of the jobs that send, with how often each ran.
    fn send_jobs(&self) -> Vec<(Uuid, String, i32)> {
        jobs_table::table
            .filter(jobs_table::kind.eq(notifications::jobs::SEND))
            .filter(jobs_table::payload.eq(json!({ "notification_id": self.email_id() })))
            .select((jobs_table::id, jobs_table::state, jobs_table::attempts))
            .load(&mut *self.conn())
            .unwrap()
    }

    fn email_id(&self) -> Uuid {
        rows::table.filter(rows::channel.eq("email")).select(rows::id).first(&mut *self.conn()).unwrap()
    }

    fn sms_texts(&self) -> Vec<String> {
        sms_messages::table.select(sms_messages::text).load(&mut *self.conn()).unwrap()
    }
}

/// The same keys for every test of the process: a process can have one set only.
fn secrets() -> Secrets {
    crate::support::secrets()
}

#[test]
fn an_event_reaches_inbox_mail_and_sms_in_the_readers_language() {
    let office = Office::open();
    office.record("filing.submitted", "initial_review", json!({}));
    office.run_jobs();
    for channel in ["inbox", "email", "sms"] {
        assert_eq!(office.state(channel), "sent");
    }
    let mails = office.smtp.mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.recipients, ["reader@example.com"]);
    assert!(mail.header("Subject").contains("（BA-2026-000123）"), "{}", mail.header("Subject"));
    assert_eq!(mail.header("Message-ID"), format!("<{}@localhost.localdomain>", office.email_id()));
    assert_eq!(mail.header("Date"), "Mon, 02 Mar 2026 01:00:00 +0000");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert!(mail.header("Content-Type").starts_with("multipart/alternative"));
    let parts = mail.parts();
    let kinds: Vec<_> = parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["text/plain", "text/html"]);
    let link = format!("https://beian.example.com/filings/{}", office.filing);
    for (kind, text) in &parts {
        for words in ["张三", "山间书屋", "初审中", "2026年3月3日 24:00", &link] {
            assert!(text.contains(words), "{kind} without {words}: {text}");
        }
    }
    assert!(parts[1].1.contains(&format!("<a href=\"{link}\">")));
    let sms = office.sms_texts();
    assert!(sms.len() == 1 && sms[0].starts_with("【示例云】") && sms[0].contains("BA-2026-000123"), "{sms:?}");

    office.set_user("locale = 'en'");
    office.record("bureau.approved", "approved", json!({}));
    office.run_jobs();
    let subject = office.smtp.mails()[1].header("Subject");
    assert!(subject.is_ascii() && subject.contains("BA-2026-000123"), "{subject}");
}

#[test]
fn a_server_that_is_busy_is_asked_again_later_and_the_mail_goes_once() {
    let office = Office::open();
    office.smtp.refuse_next("451 4.3.0 <reader@example.com> try later");
    office.record("filing.submitted", "initial_review", json!({}));
    office.run_jobs();
    assert_eq!(office.told("email")[0].0, "failed");
    let reason = office.told("email")[0].1.clone().unwrap();
    assert!(reason.contains("451 4.3.0") && !reason.contains("reader@"), "no address in {reason}");
    assert_eq!(office.state("sms"), "sent", "a failing channel does not block another");
    assert!(office.smtp.mails().is_empty());
    office.run_jobs();
    assert_eq!(office.smtp.offers(), 1, "not before its time");
    office.app.clock.advance(Duration::seconds(10));
    office.run_jobs();
    assert_eq!(office.state("email"), "sent");
    assert_eq!(office.told("email")[0].2, Some(office.app.clock.now()));
    assert_eq!(office.smtp.mails().len(), 1);
}

#[test]
fn a_refused_mail_is_dead_at_once_and_goes_when_an_admin_retries_it() {
    let office = Office::open();
    office.smtp.refuse_next("550 5.1.1 <reader@example.com> no such user");
    office.record("filing.submitted", "initial_review", json!({}));
    office.run_jobs();
    let (state, reason, sent_at) = office.told("email").remove(0);
    assert_eq!((state.as_str(), sent_at), ("dead", None));
    assert!(reason.as_deref().is_some_and(|text| text.contains("550 5.1.1") && !text.contains("reader@")));
    for _ in 0..12 {
        office.app.clock.advance(Duration::hours(2));
        office.run_jobs();
    }
    assert_eq!(office.smtp.offers(), 1, "nobody is asked again after a final no");
    let (job, state, _) = office.send_jobs().remove(0);
    assert_eq!(state, "dead");
    assert!(jobs::retry(&mut office.conn(), beian::kernel::ids::JobId(job), office.app.clock.now()).unwrap());
    office.run_jobs();
    assert_eq!(office.state("email"), "sent");
    assert_eq!(office.smtp.mails().len(), 1);
    assert_eq!(office.send_jobs()[0].1, "done");
}

#[test]
fn after_the_last_try_a_notification_is_dead_with_its_job() {
    let office = Office::open();
    for _ in 0..10 {
        office.smtp.refuse_next("421 4.7.0 too busy");
    }
    office.record("filing.submitted", "initial_review", json!({}));
    for _ in 0..12 {
        office.run_jobs();
        office.app.clock.advance(Duration::hours(2));
    }
    assert_eq!(office.smtp.offers(), 10);
    assert_eq!(office.state("email"), "dead");
    assert_eq!(office.send_jobs()[0].1, "dead");
}

#[test]
fn jobs_that_run_twice_tell_once() {
    let office = Office::open();
    let event = office.record("filing.submitted", "initial_review", json!({}));
    office.run_jobs();
    office.enqueue(notifications::jobs::FAN_OUT, json!({ "event_id": event }));
    office.enqueue(notifications::jobs::SEND, json!({ "notification_id": office.email_id() }));
    office.run_jobs();
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
         SELECT id, unnest(ARRAY['filing.submitted', 'bureau.rejected']), 'email', false FROM users",
    )
    .execute(&mut *office.conn())
    .unwrap();
    office.record("filing.submitted", "initial_review", json!({}));
    office.run_jobs();
    assert_eq!(office.told("email"), [("suppressed".into(), Some("switched_off".into()), None)]);
    assert_eq!(office.told("sms"), [("suppressed".into(), Some("contact_not_verified".into()), None)]);
    assert_eq!(office.state("inbox"), "sent");
    office.record("bureau.rejected", "bureau_rejected", json!({}));
    office.run_jobs();
    assert_eq!(office.smtp.mails().len(), 1);

    office.set_user("disabled_at = created_at");
    office.record("bureau.approved", "approved", json!({}));
    office.run_jobs();
    assert_eq!(office.told("inbox").len(), 2, "nobody is left to tell");
}

#[test]
fn account_mails_and_codes_carry_what_their_row_allows() {
    let office = Office::open();
    let (reset, mobile, email) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let now = office.app.clock.now();
    diesel::sql_query(
        "INSERT INTO password_resets (id, user_id, token_hash, created_at, expires_at)
         SELECT $1, id, '', $2, $2 + interval '1 hour' FROM users",
    )
    .bind::<diesel::sql_types::Uuid, _>(reset)
    .bind::<diesel::sql_types::Timestamptz, _>(now)
    .execute(&mut *office.conn())
    .unwrap();
    use beian::schema::contact_verifications as codes;
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
        .execute(&mut *office.conn())
        .unwrap();
    diesel::insert_into(codes::table)
        .values((row(email, "email"), codes::contact.eq(Sensitive::<Email>::new("new@example.com"))))
        .execute(&mut *office.conn())
        .unwrap();
    let account = notifications::jobs::ACCOUNT_EMAIL;
    office.enqueue(account, json!({ "template": "password_reset", "user_id": office.user, "password_reset_id": reset }));
    office.enqueue(account, json!({ "template": "password_changed", "user_id": office.user }));
    office.enqueue(
        account,
        json!({ "template": "email_verification", "user_id": office.user, "contact_verification_id": email }),
    );
    office.enqueue(notifications::jobs::CONTACT_CODE, json!({ "contact_verification_id": mobile }));
    office.run_jobs();
    let mails = office.smtp.mails();
    let text = |to: &str, words: &str| {
        let mut all = mails.iter().filter(|mail| mail.recipients == [to]).flat_map(|mail| mail.parts());
        all.any(|(kind, text)| kind == "text/plain" && text.contains(words))
    };
    assert_eq!(mails.len(), 3);
    assert!(text("reader@example.com", &beian::auth::password_reset_token(reset)));
    assert!(text("reader@example.com", "60 分钟"));
    assert!(text("new@example.com", &beian::auth::contact_code(email)));
    let sms = office.sms_texts();
    assert!(sms.len() == 1 && sms[0].contains(&beian::auth::contact_code(mobile)), "{sms:?}");

    office.app.clock.advance(Duration::hours(2));
    office.enqueue(account, json!({ "template": "password_reset", "user_id": office.user, "password_reset_id": reset }));
    office.enqueue(notifications::jobs::CONTACT_CODE, json!({ "contact_verification_id": mobile }));
    office.run_jobs();
    assert_eq!((office.smtp.mails().len(), office.sms_texts().len()), (3, 1), "expired secrets are not sent");
}
