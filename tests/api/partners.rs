//! Partners' programs: tokens for client secrets, and what they open.

use base64::{Engine, engine::general_purpose::STANDARD};
use beian::demo::{CLIENT_ID, CLIENT_SECRET};
use chrono::Duration;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use serde_json::{Value, json};

use crate::imports::row;
use crate::support::{Client, Response, TestApp};

const DEMO_CLIENT: &str = "0193a000-0000-7000-8000-000000027001";
const DEMO_PARTNER: &str = "0193a000-0000-7000-8000-000000012001";
/// An account of the demo partner, and one of nobody's.
const OWN_ACCOUNT: &str = "0193a000-0000-7000-8000-000000010032";
const FOREIGN_ACCOUNT: &str = "0193a000-0000-7000-8000-000000010001";

/// A token request as a form, with a Basic header if there is one.
fn ask(app: &TestApp, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> Response {
    let mut client = app.anonymous().with("Content-Type", "application/x-www-form-urlencoded");
    if let Some((id, secret)) = basic {
        client = client.with("Authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
    }
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("grant_type", "client_credentials").extend_pairs(form);
    client.send("POST", "/oauth/token", Some(body.finish().into_bytes()))
}

fn with_basic(app: &TestApp, id: &str, secret: &str) -> Response {
    ask(app, Some((id, secret)), &[])
}

/// A caller with the token of a reply.
fn bearer(app: &TestApp, reply: Response) -> Client {
    Client::new(&app.base, Some(reply.expect_status(200).text("/access_token")))
}

/// A client with these settings and one secret: its id, its `client_id` and the secret.
fn make_client(app: &TestApp, partner: &str, client_id: &str, more: Value) -> (String, String) {
    let mut body = json!({ "partner_id": partner, "client_id": client_id, "name": "程序",
        "scopes": ["accounts:read", "accounts:write", "me:read"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let id = app.admin().post("/v1/api-clients", body).expect_status(201).text("/id");
    let secret = app.admin().post(&format!("/v1/api-clients/{id}/secrets"), json!({})).expect_status(201);
    (id, secret.text("/secret"))
}

#[test]
fn a_program_gets_a_token_by_header_or_form_and_by_nothing_else() {
    let app = TestApp::spawn();
    let reply = with_basic(&app, CLIENT_ID, CLIENT_SECRET).expect_status(200);
    assert_eq!(reply.at("/token_type"), "Bearer");
    assert_eq!(reply.at("/expires_in"), 900);
    assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"));
    assert!(reply.text("/scope").split(' ').any(|scope| scope == "filings:write"));
    let me = bearer(&app, reply).get("/v1/me").expect_status(200);
    me.expect("/roles", json!(["partner"])).expect("/partner_id", DEMO_PARTNER).expect("/id", DEMO_CLIENT);

    let form = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    bearer(&app, ask(&app, None, &form)).get("/v1/me").expect_status(200);
    let both = ask(&app, Some((CLIENT_ID, CLIENT_SECRET)), &form).expect_problem(400, "invalid_parameter");
    assert_eq!(both.at("/error"), "invalid_request");
    for (id, secret) in
        [(CLIENT_ID, "wrong"), (CLIENT_ID, ""), ("nobody", CLIENT_SECRET), ("swagger-ui", ""), ("", "")]
    {
        let refused = with_basic(&app, id, secret).expect_problem(401, "invalid_client");
        assert_eq!(refused.at("/error"), "invalid_client");
        assert_eq!(refused.header("www-authenticate").as_deref(), Some("Basic realm=\"beian\""));
    }
    ask(&app, None, &[]).expect_problem(401, "invalid_client");
}

#[test]
fn a_page_is_not_kept_waiting_by_the_browsers_own_log_in_dialog() {
    let app = TestApp::spawn();
    let page =
        app.anonymous().with("Origin", &app.base).with("Content-Type", "application/x-www-form-urlencoded");
    let body = b"grant_type=client_credentials&client_id=demo-partner&client_secret=wrong".to_vec();
    let refused = page.send("POST", "/oauth/token", Some(body)).expect_problem(401, "invalid_client");
    assert_eq!(refused.header("www-authenticate").as_deref(), Some("Bearer realm=\"beian\""));
}

#[test]
fn the_service_user_of_a_program_is_nobody_who_logs_in_or_is_administered() {
    let app = TestApp::spawn();
    for password in ["!", CLIENT_SECRET] {
        let body = json!({ "login": "client/demo-partner", "password": password });
        app.anonymous().post("/v1/auth/login", body).expect_problem(401, "invalid_credentials");
    }
    let (admin, path) = (app.admin().with("If-Match", "*"), format!("/v1/users/{DEMO_CLIENT}"));
    admin.get(&path).expect_status(404);
    admin.patch(&path, json!({ "roles": ["admin"] })).expect_status(404);
    admin.act(&format!("{path}/disable")).expect_status(404);
    let found = admin.get("/v1/users?q=client").expect_status(200);
    assert_eq!(found.at("/items"), json!([]));
}

#[test]
fn a_request_narrows_the_scopes_and_a_grant_taken_back_is_gone_from_tokens_too() {
    let app = TestApp::spawn();
    let basic = Some((CLIENT_ID, CLIENT_SECRET));
    let reply = ask(&app, basic, &[("scope", "accounts:read me:read")]).expect_status(200);
    assert_eq!(reply.at("/scope"), "accounts:read me:read");
    let client = bearer(&app, reply);
    client.get("/v1/accounts").expect_status(200);
    client
        .get("/v1/filings")
        .expect_problem(403, "insufficient_scope")
        .expect("/required_scope", "filings:read");
    client.post("/v1/accounts", json!({ "name": "客户" })).expect_problem(403, "insufficient_scope");
    for scope in ["accounts:read users:write", "everything", "reviews:decide"] {
        let refused = ask(&app, basic, &[("scope", scope)]).expect_problem(400, "invalid_scope");
        assert_eq!(refused.at("/error"), "invalid_scope");
    }
    let path = format!("/v1/api-clients/{DEMO_CLIENT}");
    let admin = app.admin().with("If-Match", "*");
    admin
        .patch(&path, json!({ "scopes": ["me:read"] }))
        .expect_status(200)
        .expect("/scopes", json!(["me:read"]));
    client.get("/v1/accounts").expect_problem(403, "insufficient_scope");
    client.get("/v1/me").expect_status(200).expect("/scopes", json!(["me:read"]));
    let refused = admin.patch(&path, json!({ "scopes": ["me:read", "users:write"] })).expect_status(422);
    assert_eq!(refused.faults(), ["/scopes/1 not_in_list"]);
}

#[test]
fn secrets_follow_one_another_without_a_gap_and_are_shown_once() {
    let app = TestApp::spawn();
    let (id, first) = make_client(&app, DEMO_PARTNER, "shop", json!({}));
    let (admin, path) = (app.admin(), format!("/v1/api-clients/{id}/secrets"));
    let token = bearer(&app, with_basic(&app, "shop", &first));
    app.advance(Duration::minutes(1));
    // The next one; the first goes on for two days.
    let end = (app.now() + Duration::days(2)).to_rfc3339();
    let second = admin.post(&path, json!({ "others_expire_at": end })).expect_status(201).text("/secret");
    for secret in [&first, &second] {
        with_basic(&app, "shop", secret).expect_status(200);
    }
    let list = admin.get(&path).expect_status(200);
    let text = String::from_utf8_lossy(&list.body).into_owned();
    assert!(!text.contains(&first) && !text.contains(&second), "a secret is shown again");
    assert_eq!(list.at("/items").as_array().map(Vec::len), Some(2));
    assert!(list.at("/items/1/last_used_at").is_string() && list.at("/items/1/expires_at").is_string());
    assert_eq!(list.at("/items/0/hint"), second[second.len() - 4..]);
    app.advance(Duration::days(2) - Duration::minutes(5));
    // A token does not outlive its secret.
    assert_eq!(with_basic(&app, "shop", &first).expect_status(200).at("/expires_in"), 300);
    app.advance(Duration::minutes(5));
    with_basic(&app, "shop", &first).expect_problem(401, "invalid_client");
    let token_of_second = bearer(&app, with_basic(&app, "shop", &second));
    token_of_second.get("/v1/me").expect_status(200);
    token.get("/v1/me").expect_problem(401, "token_expired");

    // Revoking ends the tokens of this secret, and works once and again.
    let secret_id = list.text("/items/0/id");
    for _ in 0..2 {
        admin.delete(&format!("{path}/{secret_id}")).expect_status(204);
    }
    token_of_second.get("/v1/me").expect_problem(401, "unauthenticated");
    with_basic(&app, "shop", &second).expect_problem(401, "invalid_client");
    admin.delete(&format!("/v1/api-clients/{DEMO_CLIENT}/secrets/{secret_id}")).expect_status(404);
    let past = (app.now() - Duration::hours(1)).to_rfc3339();
    let refused = admin.post(&path, json!({ "expires_at": past })).expect_status(422);
    assert_eq!(refused.faults(), ["/expires_at out_of_range"]);
    for _ in 0..5 {
        admin.post(&path, json!({})).expect_status(201);
    }
    admin.post(&path, json!({})).expect_problem(409, "limit_reached");
}

#[test]
fn a_program_calls_only_from_the_addresses_of_its_list() {
    let app = TestApp::spawn();
    let (id, secret) =
        make_client(&app, DEMO_PARTNER, "near", json!({ "allowed_addresses": ["127.0.0.0/8"] }));
    let token = bearer(&app, with_basic(&app, "near", &secret));
    token.get("/v1/accounts").expect_status(200);
    let admin = app.admin().with("If-Match", "*");
    let path = format!("/v1/api-clients/{id}");
    let far = json!({ "allowed_addresses": ["203.0.113.7", "2001:db8::/32"] });
    admin.patch(&path, far).expect_status(200).expect("/allowed_addresses/0", "2001:db8::/32");
    token.get("/v1/accounts").expect_problem(403, "address_not_allowed");
    with_basic(&app, "near", &secret).expect_problem(403, "address_not_allowed");
    // A wrong secret learns nothing about the list.
    with_basic(&app, "near", "wrong").expect_problem(401, "invalid_client");
    let refused = admin.patch(&path, json!({ "allowed_addresses": ["10.0.0.0/33", "x"] })).expect_status(422);
    assert_eq!(
        refused.faults(),
        ["/allowed_addresses/0 invalid_format", "/allowed_addresses/1 invalid_format"]
    );
}

#[test]
fn pausing_the_client_or_the_partner_stops_tokens_until_it_goes_on() {
    let app = TestApp::spawn();
    let admin = app.admin().with("If-Match", "*");
    let token = bearer(&app, with_basic(&app, CLIENT_ID, CLIENT_SECRET));
    token.get("/v1/me").expect_status(200);
    let client = format!("/v1/api-clients/{DEMO_CLIENT}");
    let partner = format!("/v1/partners/{DEMO_PARTNER}");
    let pause_client = |paused: bool| {
        let step = if paused { "pause" } else { "resume" };
        admin.act(&format!("{client}/{step}")).expect_status(200).expect("/is_paused", paused);
    };
    let pause_partner = |paused: bool| {
        admin.patch(&partner, json!({ "is_paused": paused })).expect_status(200);
    };
    for pause in [&pause_client as &dyn Fn(bool), &pause_partner] {
        pause(true);
        token.get("/v1/me").expect_problem(401, "unauthenticated");
        with_basic(&app, CLIENT_ID, CLIENT_SECRET).expect_problem(403, "client_paused");
        pause(false);
        token.get("/v1/me").expect_status(200);
    }
    // Another process learns of it from the database, within ten seconds.
    use beian::schema::api_clients;
    diesel::update(api_clients::table)
        .set(api_clients::paused_at.eq(app.now()))
        .execute(&mut app.conn())
        .unwrap();
    app.advance(Duration::seconds(10));
    token.get("/v1/me").expect_problem(401, "unauthenticated");
}

#[test]
fn guessing_secrets_is_slowed_down_and_ends() {
    let app = TestApp::spawn();
    for _ in 0..10 {
        with_basic(&app, CLIENT_ID, "guess").expect_problem(401, "invalid_client");
    }
    let refused = with_basic(&app, CLIENT_ID, CLIENT_SECRET).expect_problem(429, "too_many_requests");
    assert!(refused.header("retry-after").is_some());
    app.advance(Duration::minutes(16));
    with_basic(&app, CLIENT_ID, CLIENT_SECRET).expect_status(200);
}

#[test]
fn a_partner_files_for_its_customer_from_the_account_to_the_submission() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let customer = json!({ "name": "上海示例书店", "external_reference": "SHOP-1" });
    let account = partner.post("/v1/accounts", customer.clone()).expect_status(201).text("/id");
    partner.post("/v1/accounts", customer).expect_problem(409, "duplicate");
    let mut filed = row("沪ICP备87654321号", "shilishudian.com");
    filed.as_object_mut().unwrap().remove("account");
    filed["account_id"] = json!(account);
    let imported = partner.post("/v1/imports", json!({ "rows": [filed] })).expect_status(200);
    let website = imported.text("/rows/0/websites/0/website_id");
    let body = json!({ "kind": "website_change", "website_id": website, "external_reference": "ORDER-1" });
    let filing = partner.post("/v1/filings", body).expect_status(201);
    let path = format!("/v1/filings/{}", filing.text("/id"));
    let with_tag = |client: &Client| {
        client.with("If-Match", client.get(&path).expect_status(200).header("etag").unwrap())
    };
    let change = json!({ "website": { "name": "示例书店之家", "remark": "更名" } });
    with_tag(&partner).patch(&path, change).expect_status(200);
    let found = partner.get("/v1/filings?external_reference=ORDER-1").expect_status(200);
    assert_eq!(found.at("/items/0/id"), filing.at("/id"));
    // Another customer's filing with the same key: the partner is told which one has it.
    let other = row("沪ICP备87654322号", "shili-other.com");
    let imported = partner.post("/v1/imports", json!({ "rows": [other] })).expect_status(200);
    let website = imported.text("/rows/0/websites/0/website_id");
    let body = json!({ "kind": "website_change", "website_id": website, "external_reference": "ORDER-1" });
    let taken = partner.post("/v1/filings", body).expect_problem(409, "duplicate");
    assert_eq!(taken.faults(), ["/external_reference duplicate"]);
    assert_eq!(taken.at("/existing_id"), filing.at("/id"));

    // The program says who accepted.
    let mut acceptance = app.make().acceptance();
    let submit = format!("{path}/submit");
    let refused =
        with_tag(&partner).post(&submit, acceptance.clone()).expect_problem(422, "validation_failed");
    assert_eq!(refused.faults(), ["/accepted_by_name required"]);
    acceptance["accepted_by_name"] = json!("王五");
    with_tag(&partner)
        .post(&submit, acceptance)
        .expect_status(200)
        .expect("/status", "initial_review")
        .expect("/accepted_terms/accepted_by_name", "王五");
    use beian::schema::filing_revisions;
    let accepted: (String, Option<String>) = filing_revisions::table
        .select((filing_revisions::accepted_client, filing_revisions::accepted_by_name))
        .first(&mut app.conn())
        .unwrap();
    assert_eq!(accepted, (DEMO_CLIENT.to_owned(), Some("王五".to_owned())));
    let audit = app.user("demo-auditor").get(&format!("/v1/audit-events?filing_id={}", filing.text("/id")));
    assert_eq!(audit.at("/items/0/actor_api_client_id"), DEMO_CLIENT);
    assert_eq!(audit.at("/items/0/actor_role"), "partner");
    // Others neither see the customer nor its filing.
    app.applicant().get(&path).expect_status(404);
    let (_, secret) = make_other_partner(&app);
    let other = bearer(&app, with_basic(&app, "other", &secret));
    other.get(&path).expect_status(404);
    other.get(&format!("/v1/accounts/{account}")).expect_status(404);
    app.run_jobs();
}

/// A client of another partner, with every scope: its id and secret.
fn make_other_partner(app: &TestApp) -> (String, String) {
    let partner =
        app.admin().post("/v1/partners", json!({ "name": "另一伙伴" })).expect_status(201).text("/id");
    let scopes: Vec<&str> = beian::auth::permissions::partner_scopes().into_iter().collect();
    make_client(app, &partner, "other", json!({ "scopes": scopes }))
}

#[test]
fn a_partner_has_its_own_accounts_and_keys_of_its_own() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let names = partner.get("/v1/accounts").expect_status(200);
    assert_eq!(names.at("/items").as_array().map(Vec::len), Some(3));
    partner
        .get(&format!("/v1/accounts/{OWN_ACCOUNT}"))
        .expect_status(200)
        .expect("/external_reference", "SHOP-32");
    partner.get(&format!("/v1/accounts/{FOREIGN_ACCOUNT}")).expect_problem(404, "not_found");
    partner
        .with("If-Match", "*")
        .patch(&format!("/v1/accounts/{FOREIGN_ACCOUNT}"), json!({ "name": "x" }))
        .expect_problem(404, "not_found");
    let mut foreign = row("沪ICP备87654321号", "shilishudian.com");
    foreign.as_object_mut().unwrap().remove("account");
    foreign["account_id"] = json!(FOREIGN_ACCOUNT);
    let refused = partner.post("/v1/imports", json!({ "rows": [foreign] })).expect_status(422);
    assert_eq!(refused.faults(), ["/rows/0/account_id not_found"]);

    // The same key of two clients is two keys.
    let (_, secret) = make_other_partner(&app);
    let other = bearer(&app, with_basic(&app, "other", &secret));
    assert_eq!(other.get("/v1/accounts").expect_status(200).at("/items"), json!([]));
    let create = |client: &Client| {
        client.with("Idempotency-Key", "K").post("/v1/accounts", json!({ "name": "客户" })).expect_status(201)
    };
    let (one, two) = (create(&partner), create(&other));
    assert_ne!(one.text("/id"), two.text("/id"));
    assert_eq!(create(&partner).header("idempotency-replayed").as_deref(), Some("true"));
    let admin = app.admin();
    let body =
        json!({ "partner_id": DEMO_PARTNER, "client_id": "other", "name": "程序", "scopes": ["me:read"] });
    admin.post("/v1/api-clients", body).expect_problem(409, "duplicate");
    let body = json!({ "partner_id": DEMO_PARTNER, "client_id": "swagger-ui", "name": "程序", "scopes": ["me:read"] });
    admin.post("/v1/api-clients", body).expect_problem(409, "duplicate");
    let mine = admin.get(&format!("/v1/api-clients?partner_id={DEMO_PARTNER}")).expect_status(200);
    assert_eq!(mine.at("/items").as_array().map(Vec::len), Some(1));
}
