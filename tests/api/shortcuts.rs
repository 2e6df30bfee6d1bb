//! Ways into a state that leave out the steps of other features: the reviewers' decisions are taken by calling `act`.

use beian::audit::Actor;
use beian::filings::{self, Action, Ctx, Input, Side};
use beian::kernel::ids::{FilingId, PhotoVerificationId};
use diesel::Connection;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::support::{Client, TestApp};

/// The user of the n-th demo account.
pub fn owner(app: &TestApp, account: u32) -> Client {
    if account == 1 { app.applicant() } else { app.user(&format!("demo-applicant-{account}")) }
}

/// A filing of the n-th demo account with this change of its website, submitted over HTTP.
pub fn submitted(app: &TestApp, account: u32, change: Value) -> String {
    let owner = owner(app, account);
    let website = format!("0193a000-0000-7000-8000-0000000140{account:02}");
    let draft = owner
        .post("/v1/filings", json!({ "kind": "website_change", "website_id": website }))
        .expect_status(201);
    let path = format!("/v1/filings/{}", draft.text("/id"));
    let changed = owner
        .with("If-Match", draft.header("etag").unwrap())
        .patch(&path, json!({ "website": change }))
        .expect_status(200);
    submit(&owner, &path, &changed.header("etag").unwrap());
    draft.text("/id")
}

/// Submits what has the ETag.
pub fn submit(owner: &Client, path: &str, etag: &str) {
    owner
        .with("If-Match", etag)
        .post(
            &format!("{path}/submit"),
            json!({ "terms_version": "2026-01", "personal_information_consent_version": "2026-01" }),
        )
        .expect_status(200)
        .expect("/status", "initial_review");
}

/// The reviewer of the data approves.
pub fn approve_data(app: &TestApp, filing: &str) {
    close_task(app, filing);
    act(app, filing, Action::ApproveInitialReview, Side::Reviewer);
}

/// Anything that `act` can do.
pub fn act(app: &TestApp, filing: &str, action: Action, side: Side) {
    let id: FilingId = filing.parse().unwrap();
    let now = app.now();
    app.conn()
        .transaction(|conn| {
            let filing = filings::lock(conn, id)?;
            filings::act(conn, &Ctx::new(now, Actor::system(), side), filing, action, Input::default())
        })
        .unwrap_or_else(|error| panic!("{action}: {error}"));
    // What a worker would have been woken for.
    app.run_jobs();
}

/// A filing that waits for its photo.
pub fn photo_required(app: &TestApp, account: u32) -> String {
    let filing = submitted(app, account, json!({ "remark": "联系方式不变，补充备注" }));
    approve_data(app, &filing);
    filing
}

/// A filing that waits for the bureau, without running the jobs that hand it over.
pub fn queued(app: &TestApp, account: u32, change: Value) -> String {
    let filing = submitted(app, account, change);
    queue(app, &filing);
    filing
}

/// From the initial review to the bureau's queue, with a photo that passed a moment ago.
pub fn queue(app: &TestApp, filing: &str) {
    let id: FilingId = filing.parse().unwrap();
    pass_photo(app, id);
    close_task(app, filing);
    let now = app.now();
    app.conn()
        .transaction(|conn| {
            let filing = filings::lock(conn, id)?;
            let ctx = Ctx::new(now, Actor::system(), Side::Reviewer);
            filings::act(conn, &ctx, filing, Action::ApproveInitialReview, Input::default())
        })
        .unwrap_or_else(|error| panic!("approve: {error}"));
}

/// The live submission of a filing, as the operator's list finds it.
pub fn submission(app: &TestApp, filing: &str) -> String {
    let list =
        app.bureau().get(&format!("/v1/bureau-submissions?filing_id={filing}&limit=100")).expect_status(200);
    list.json()["items"].as_array().unwrap().last().expect("a submission")["id"].as_str().unwrap().to_owned()
}

fn pass_photo(app: &TestApp, filing: FilingId) {
    use beian::schema::{filing_revisions as revisions, filings as rows, photo_verifications as photos};
    let mut conn = app.conn();
    let has_one: i64 =
        photos::table.filter(photos::filing_id.eq(filing)).count().get_result(&mut conn).unwrap();
    if has_one > 0 {
        return;
    }
    let hash: Vec<u8> = revisions::table
        .filter(revisions::filing_id.eq(filing))
        .order(revisions::revision_no.desc())
        .select(revisions::person_hash)
        .first(&mut conn)
        .unwrap();
    let (account, user): (uuid::Uuid, uuid::Uuid) =
        rows::table.find(filing).select((rows::account_id, rows::created_by)).first(&mut conn).unwrap();
    let id = PhotoVerificationId::new();
    let key = format!("photos/{id}");
    app.block_on(app.app.storage.put_bytes(&key, b"a picture".to_vec(), "image/jpeg")).unwrap();
    diesel::insert_into(photos::table)
        .values((
            photos::id.eq(id),
            photos::filing_id.eq(filing),
            photos::account_id.eq(account),
            photos::attempt_no.eq(1),
            photos::state.eq("passed"),
            photos::file_name.eq("photo.jpg"),
            photos::content_type.eq("image/jpeg"),
            photos::size_bytes.eq(9),
            photos::sha256.eq("0".repeat(64)),
            photos::upload_key.eq(format!("uploads/{id}")),
            photos::upload_expires_at.eq(app.now()),
            photos::object_key.eq(key),
            photos::person_hash.eq(hash),
            photos::findings.eq(json!([])),
            photos::created_by.eq(user),
            photos::created_at.eq(app.now()),
            photos::decided_at.eq(app.now()),
        ))
        .execute(&mut conn)
        .unwrap();
}

/// What the reviews' own handler does beside `act`.
fn close_task(app: &TestApp, filing: &str) {
    use beian::schema::review_tasks as tasks;
    diesel::update(tasks::table.filter(tasks::filing_id.eq(filing.parse::<FilingId>().unwrap())))
        .set(tasks::state.eq("approved"))
        .execute(&mut app.conn())
        .unwrap();
}
