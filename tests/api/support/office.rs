//! What tests of messages stand on: a mail server, and an application whose demo applicant has a filing.

use beian::kernel::ids::{EventId, FilingId, UserId};
use beian::kernel::jobs::{self, NewJob};
use beian::notifications;
use beian::schema::{jobs as jobs_table, notifications as rows, sms_messages, users};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use serde_json::{Value, json};
use uuid::Uuid;

use super::TestApp;
use super::smtp::SmtpServer;

/// A mail server, and an application whose demo applicant has a filing.
pub struct Office {
    pub smtp: SmtpServer,
    pub app: TestApp,
    pub filing: FilingId,
    pub user: UserId,
}

impl Office {
    pub fn open() -> Office {
        Self::open_with(&[])
    }

    /// With settings of its own.
    pub fn open_with(settings: &[(&str, &str)]) -> Office {
        let smtp = SmtpServer::start();
        let url = smtp.url();
        let mut all = vec![("SMTP_URL", url.as_str()), ("MAIL_FROM", "备案 <icp@example.com>")];
        all.extend(settings);
        let app = TestApp::spawn_with(&all);
        let user = users::table
            .filter(users::login.eq("demo-applicant"))
            .select(users::id)
            .first(&mut app.conn())
            .unwrap();
        let office = Office { smtp, app, filing: FilingId::new(), user };
        diesel::sql_query(
            "INSERT INTO filings (id, order_no, account_id, subject_id, website_id, kind, status, status_changed_at,
                 province_code, base_version, base_content_id, content_id, website_name, due_at, created_by, created_at,
                 updated_at)
             SELECT $1, 'BA-2026-990123', w.account_id, w.subject_id, w.id, 'website_change', 'initial_review', $3,
                 '110000', 1, w.content_id, w.content_id, '山间书屋', $3 + interval '14 hours', u.id, $3, $3
             FROM users u JOIN websites w ON w.account_id = u.account_id WHERE u.id = $2 LIMIT 1",
        )
        .bind::<sql_types::Uuid, _>(office.filing)
        .bind::<sql_types::Uuid, _>(office.user)
        .bind::<sql_types::Timestamptz, _>(office.app.now())
        .execute(&mut office.app.conn())
        .unwrap();
        office
    }

    pub fn set_user(&self, assignment: &str) {
        diesel::sql_query(format!("UPDATE users SET {assignment} WHERE id = $1"))
            .bind::<sql_types::Uuid, _>(self.user)
            .execute(&mut self.app.conn())
            .unwrap();
    }

    /// Records an event and announces it, in one transaction as a filing's change does.
    pub fn record(&self, event_type: &str, status: &str, data: Value) -> EventId {
        let (id, now) = (EventId::new(), self.app.now());
        self.app
            .conn()
            .transaction(|conn| {
                diesel::sql_query(
                    "INSERT INTO filing_events (id, filing_id, account_id, type, visibility, at, actor_role, status,
                         filing_version, data)
                     SELECT $1, id, account_id, $2, 'applicant', $3, 'system', $4, 1, $5 FROM filings WHERE id = $6",
                )
                .bind::<sql_types::Uuid, _>(id)
                .bind::<sql_types::Text, _>(event_type)
                .bind::<sql_types::Timestamptz, _>(now)
                .bind::<sql_types::Text, _>(status)
                .bind::<sql_types::Jsonb, _>(data)
                .bind::<sql_types::Uuid, _>(self.filing)
                .execute(conn)?;
                notifications::announce(conn, now, id)
            })
            .unwrap();
        id
    }

    pub fn enqueue(&self, kind: &'static str, payload: Value) {
        jobs::enqueue(&mut self.app.conn(), self.app.now(), NewJob::new(kind, payload)).unwrap();
    }

    /// State, reason and time of the reader's notification over a channel.
    pub fn told(&self, channel: &str) -> Vec<(String, Option<String>, Option<DateTime<Utc>>)> {
        rows::table
            .filter(rows::channel.eq(channel))
            .order(rows::created_at)
            .select((rows::state, rows::last_error, rows::sent_at))
            .load(&mut self.app.conn())
            .unwrap()
    }

    pub fn state(&self, channel: &str) -> String {
        let told = self.told(channel);
        assert_eq!(told.len(), 1, "{channel}: {told:?}");
        told[0].0.clone()
    }

    /// States of all notifications over a channel.
    pub fn state_of(&self, channel: &str) -> Vec<String> {
        self.told(channel).into_iter().map(|(state, ..)| state).collect()
    }

    /// States of the jobs that send, with how often each ran.
    pub fn send_jobs(&self) -> Vec<(Uuid, String, i32)> {
        jobs_table::table
            .filter(jobs_table::kind.eq(notifications::jobs::SEND))
            .filter(jobs_table::payload.eq(json!({ "notification_id": self.email_id() })))
            .select((jobs_table::id, jobs_table::state, jobs_table::attempts))
            .load(&mut self.app.conn())
            .unwrap()
    }

    pub fn email_id(&self) -> Uuid {
        rows::table.filter(rows::channel.eq("email")).select(rows::id).first(&mut self.app.conn()).unwrap()
    }

    pub fn sms_texts(&self) -> Vec<String> {
        sms_messages::table.select(sms_messages::text).load(&mut self.app.conn()).unwrap()
    }
}
