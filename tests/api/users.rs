//! Users, by the admin.

use beian::schema::{password_resets, users};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Client, TestApp};

const ADMIN: &str = "0193a000-0000-7000-8000-000000011010";
const REVIEWER: &str = "0193a000-0000-7000-8000-000000011003";
const ACCOUNT: &str = "0193a000-0000-7000-8000-000000010001";

#[test]
fn an_invited_user_sets_a_password_and_so_verifies_the_address() {
    let app = TestApp::spawn();
    let admin = app.admin();
    let body = json!({ "login": "new-reviewer", "display_name": "新审核员", "roles": ["reviewer", "reviewer"],
        "email": "new-reviewer@example.com" });
    let created = admin.post("/v1/users", body.clone()).expect_status(201);
    let user = format!("/v1/users/{}", created.text("/id"));
    assert_eq!(created.header("location").as_deref(), Some(&*user));
    let created = created.expect("/roles", json!(["reviewer"])).expect("/email", "n***@example.com");
    created.expect("/email_verified_at", json!(null)).expect("/is_disabled", false);
    admin.post("/v1/users", body).expect_problem(409, "duplicate");
    assert_eq!(app.run_jobs(), 1);
    let reset: Uuid = password_resets::table.select(password_resets::id).first(&mut app.conn()).unwrap();
    let token = beian::auth::password_reset_token(reset);
    let log_in = || {
        let body = json!({ "login": "new-reviewer", "password": "a sentence is good" });
        app.anonymous().post("/v1/auth/login", body)
    };
    log_in().expect_status(401);
    app.anonymous()
        .post(
            "/v1/auth/password-resets/confirm",
            json!({ "token": token, "new_password": "a sentence is good" }),
        )
        .expect_status(204);
    log_in().expect_status(200);
    assert_ne!(admin.get(&user).expect_status(200).at("/email_verified_at"), json!(null));
    app.run_jobs();
}

#[test]
fn a_user_has_an_account_or_roles_and_never_both() {
    let app = TestApp::spawn();
    let admin = app.admin();
    let create = |more: serde_json::Value| {
        let mut body =
            json!({ "login": "somebody", "display_name": "某人", "password": "a sentence is good" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.post("/v1/users", body)
    };
    assert_eq!(create(json!({})).expect_status(422).faults(), ["/roles account_or_roles"]);
    let both = create(json!({ "account_id": ACCOUNT, "roles": ["support"] }));
    assert_eq!(both.expect_status(422).faults(), ["/roles account_or_roles"]);
    let nowhere = create(json!({ "account_id": "0193a000-0000-7000-8000-000000019999" }));
    assert_eq!(nowhere.expect_status(422).faults(), ["/account_id not_found"]);
    assert_eq!(
        create(json!({ "roles": ["applicant"] })).expect_status(422).faults(),
        ["/roles/0 not_in_list"]
    );
    let silent = create(json!({ "roles": ["support"], "password": null }));
    assert_eq!(silent.expect_status(422).faults(), ["/email required"]);
    let weak = create(json!({ "roles": ["support"], "password": "password123" }));
    assert_eq!(weak.expect_status(422).faults(), ["/password password_too_common"]);
    let user =
        create(json!({ "account_id": ACCOUNT })).expect_status(201).expect("/roles", json!(["applicant"]));
    let path = format!("/v1/users/{}", user.text("/id"));
    let patched = admin.with("If-Match", "*").patch(&path, json!({ "roles": ["admin"] }));
    assert_eq!(patched.expect_status(422).faults(), ["/roles account_or_roles"]);
}

#[test]
fn the_admin_changes_others_but_not_their_own_roles() {
    let app = TestApp::spawn();
    let admin = app.admin().with("If-Match", "*");
    let own = format!("/v1/users/{ADMIN}");
    admin.patch(&own, json!({ "roles": ["admin", "auditor"] })).expect_problem(403, "forbidden");
    admin.patch(&own, json!({ "display_name": "总管" })).expect_status(200);
    admin.act(&format!("{own}/disable")).expect_problem(403, "forbidden");
    let reviewer = app.reviewer();
    reviewer.get("/v1/users").expect_problem(403, "forbidden");
    let path = format!("/v1/users/{REVIEWER}");
    let tag = admin.get(&path).header("etag").unwrap();
    let seen = app.admin().with("If-Match", tag);
    let body = json!({ "roles": ["admin"], "email": "moved@example.com", "mobile": "13912345678" });
    let patched = seen.patch(&path, body.clone()).expect_status(200).expect("/email", "m***@example.com");
    patched.expect("/email_verified_at", json!(null)).expect("/mobile", "139****5678");
    seen.patch(&path, body).expect_problem(412, "precondition_failed");
    // New roles count at once.
    reviewer.get("/v1/users").expect_status(200);
    let patched = admin.patch(&path, json!({ "email": "m***@example.com", "roles": [] })).expect_status(422);
    assert_eq!(patched.faults(), ["/roles too_few_items"]);
    admin.get("/v1/users/0193a000-0000-7000-8000-000000019999").expect_problem(404, "not_found");
    admin.get("/v1/users/nonsense").expect_problem(400, "invalid_parameter");
}

#[test]
fn a_disabled_user_is_out_at_once_and_back_when_enabled() {
    let app = TestApp::spawn();
    let (admin, reviewer) = (app.admin(), app.reviewer());
    reviewer.get("/v1/me").expect_status(200);
    let path = format!("/v1/users/{REVIEWER}");
    let once = admin.with("Idempotency-Key", "disable-1");
    once.act(&format!("{path}/disable")).expect_status(200).expect("/is_disabled", true);
    let again = once.act(&format!("{path}/disable")).expect_status(200);
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    reviewer.get("/v1/me").expect_problem(401, "unauthenticated");
    admin.act(&format!("{path}/disable")).expect_status(200);
    admin.act(&format!("{path}/enable")).expect_status(200).expect("/is_disabled", false);
    // The old sessions stay ended.
    reviewer.get("/v1/me").expect_problem(401, "unauthenticated");
    app.reviewer().get("/v1/me").expect_status(200);
    let deeds =
        app.user("demo-auditor").get(&format!("/v1/audit-events?object_id={REVIEWER}")).expect_status(200);
    deeds.expect("/items/0/action", "user.enabled").expect("/items/1/action", "user.disabled");
}

#[test]
fn the_list_is_filtered_and_paged() {
    let app = TestApp::spawn();
    let admin = app.admin();
    let logins = |query: &str| -> Vec<String> {
        let reply = admin.get(&format!("/v1/users?limit=100&{query}")).expect_status(200).json();
        let items = reply["items"].as_array().unwrap();
        items.iter().map(|item| item["login"].as_str().unwrap().to_owned()).collect()
    };
    let mut reviewers = logins("role=reviewer");
    reviewers.sort();
    assert_eq!(reviewers, ["demo-reviewer", "demo-reviewer-2"]);
    assert_eq!(logins(&format!("account_id={ACCOUNT}")), ["demo-applicant"]);
    assert_eq!(logins("q=DEMO-SENIOR"), ["demo-senior-reviewer"]);
    assert_eq!(logins("q=%25"), Vec::<String>::new());
    assert_eq!(logins("is_disabled=true"), Vec::<String>::new());
    assert!(logins("role=applicant").len() >= 2);
    let total: i64 =
        users::table.filter(users::api_client_id.is_null()).count().get_result(&mut app.conn()).unwrap();
    let mut seen = Vec::new();
    let mut path = "/v1/users?limit=3".to_owned();
    loop {
        let page = admin.get(&path).expect_status(200);
        seen.extend(page.at("/items").as_array().unwrap().iter().map(|item| item["id"].clone()));
        match page.at("/next_cursor").as_str() {
            Some(cursor) => path = format!("/v1/users?limit=3&cursor={cursor}"),
            None => break,
        }
        admin.get(&path.replace("limit=3", "limit=3&role=admin")).expect_problem(400, "invalid_cursor");
    }
    seen.dedup();
    assert_eq!(seen.len() as i64, total);
    admin.get("/v1/users?rol=admin").expect_problem(400, "invalid_parameter");
    admin.get("/v1/users?limit=101").expect_problem(400, "invalid_parameter");
}

#[test]
fn a_repeated_creation_is_replayed_and_its_password_is_not_kept() {
    let app = TestApp::spawn();
    let admin = app.admin().with("Idempotency-Key", "create-1");
    let body = json!({ "login": "new-support", "display_name": "新客服", "roles": ["support"],
        "password": "a sentence is good" });
    let first = admin.post("/v1/users", body.clone()).expect_status(201);
    let again = admin.post("/v1/users", body.clone()).expect_status(201);
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    use beian::schema::idempotency_keys as keys;
    use sha2::Digest;
    let kept: Vec<u8> = keys::table.select(keys::body_hash).first(&mut app.conn()).unwrap();
    assert_ne!(kept, sha2::Sha256::digest(body.to_string()).to_vec());
    let other = json!({ "login": "other", "display_name": "其他", "roles": ["support"], "password": "a sentence is good" });
    admin.post("/v1/users", other).expect_problem(422, "idempotency_key_reused");
    let client = Client::new(&app.base, None);
    client.post("/v1/users", body).expect_problem(401, "unauthenticated");
    let stored: String = users::table
        .filter(users::login.eq("new-support"))
        .select(users::password_hash)
        .first(&mut app.conn())
        .unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}
