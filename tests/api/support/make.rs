//! Brings things into a state, over HTTP, as people would.

use serde_json::{Value, json};

use super::app::TestApp;
use super::client::Client;

/// Entry to the makers. Everything belongs to `demo-applicant` and the website 云上花店.
pub struct Make<'a> {
    app: &'a TestApp,
}

/// A filing that was made.
pub struct Filing {
    pub id: String,
    pub website_id: String,
}

impl Filing {
    /// Its current ETag, as a caller sees it.
    pub fn tag(&self, client: &Client) -> String {
        client.get(&format!("/v1/filings/{}", self.id)).expect_status(200).header("etag").unwrap()
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/v1/filings/{}{rest}", self.id)
    }
}

impl<'a> Make<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        Self { app }
    }

    /// A draft as it begins.
    pub fn draft(&self) -> Filing {
        let website_id = "0193a000-0000-7000-8000-000000014001".to_owned();
        let body = json!({ "kind": "website_change", "website_id": website_id });
        let reply = self.app.applicant().post("/v1/filings", body).expect_status(201);
        Filing { id: reply.text("/id"), website_id }
    }

    /// A draft with a change that needs no material.
    pub fn edited(&self) -> Filing {
        let filing = self.draft();
        let applicant = self.app.applicant();
        let change = json!({ "website": { "name": "云上花店之家", "remark": "更名" } });
        applicant.with("If-Match", filing.tag(&applicant)).patch(&filing.path(""), change).expect_status(200);
        filing
    }

    /// Acceptance of the terms in force.
    pub fn acceptance(&self) -> Value {
        let terms = self.app.applicant().get("/v1/terms/current").expect_status(200);
        json!({
            "terms_version": terms.at("/service_terms/version"),
            "personal_information_consent_version": terms.at("/personal_information_consent/version"),
        })
    }

    /// In `initial_review`.
    pub fn submitted(&self) -> Filing {
        let filing = self.edited();
        self.submit(&filing);
        filing
    }

    /// Submits a filing that is ready.
    pub fn submit(&self, filing: &Filing) {
        let applicant = self.app.applicant();
        applicant
            .with("If-Match", filing.tag(&applicant))
            .post(&filing.path("/submit"), self.acceptance())
            .expect_status(200);
    }
}
