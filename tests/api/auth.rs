//! Log-in, sessions, throttling, forgotten passwords.

use beian::schema::{
    contact_verifications, password_resets, refresh_tokens, sessions, throttle_counters, users,
};
use chrono::Duration;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, Response, TestApp};

const PASSWORD: &str = "demo-password-2026";

fn log_in(app: &TestApp, login: &str, password: &str) -> Response {
    app.anonymous().post("/v1/auth/login", json!({ "login": login, "password": password }))
}

fn refresh(app: &TestApp, token: &str) -> Response {
    app.anonymous().post("/v1/auth/refresh", json!({ "refresh_token": token }))
}

fn with_token(app: &TestApp, token: &str) -> Client {
    Client::new(&app.base, Some(token.to_owned()))
}

/// What a problem says, without what belongs to the single request.
fn answer(reply: &Response) -> (u16, Value) {
    let mut body = reply.json();
    body["request_id"] = Value::Null;
    (reply.status, body)
}

#[test]
fn pictures_1_and_2_an_applicant_logs_in() {
    let app = TestApp::spawn();
    let reply = log_in(&app, " Demo-Applicant ", PASSWORD).expect_status(200);
    reply
        .expect("/token_type", "Bearer")
        .expect("/expires_in", 900)
        .expect("/refresh_expires_in", 30 * 86_400);
    let reply = log_in(&app, "demo-applicant", PASSWORD);
    let me = with_token(&app, &reply.text("/access_token")).get("/v1/me").expect_status(200);
    let me = me.expect("/login", "demo-applicant").expect("/roles", json!(["applicant"]));
    assert!(me.text("/email").contains("***"));
    // The access token ends after a quarter of an hour, and the refresh token brings another.
    app.advance(Duration::minutes(15));
    with_token(&app, &reply.text("/access_token")).get("/v1/me").expect_problem(401, "token_expired");
    let next = refresh(&app, &reply.text("/refresh_token")).expect_status(200);
    with_token(&app, &next.text("/access_token")).get("/v1/me").expect_status(200);
}

#[test]
fn unknown_wrong_and_disabled_get_the_same_answer() {
    let app = TestApp::spawn();
    let id = "0193a000-0000-7000-8000-000000011004";
    app.admin().act(&format!("/v1/users/{id}/disable")).expect_status(200);
    let wrong = log_in(&app, "demo-applicant", "not-the-password").expect_problem(401, "invalid_credentials");
    let unknown = log_in(&app, "nobody-at-all", "not-the-password");
    let disabled = log_in(&app, "demo-reviewer-2", PASSWORD);
    assert_eq!(answer(&unknown), answer(&wrong));
    assert_eq!(answer(&disabled), answer(&wrong));
    assert!(wrong.header("www-authenticate").is_some());
}

#[test]
fn a_log_in_with_faults_names_all_of_them() {
    let app = TestApp::spawn();
    let reply =
        app.anonymous().post("/v1/auth/login", json!({ "login": "", "pasword": "x" })).expect_status(422);
    assert_eq!(reply.faults(), ["/login too_short", "/password required", "/pasword unknown_field"]);
    let long = "x".repeat(129);
    log_in(&app, "demo-applicant", &long).expect_problem(422, "validation_failed");
}

#[test]
fn a_refresh_token_used_again_ends_the_session() {
    let app = TestApp::spawn();
    let first = log_in(&app, "demo-applicant", PASSWORD).text("/refresh_token");
    let other_session = log_in(&app, "demo-applicant", PASSWORD).text("/refresh_token");
    let second = refresh(&app, &first).expect_status(200);
    let third = refresh(&app, &second.text("/refresh_token")).expect_status(200);
    // The first one's successor was used: somebody has a copy.
    refresh(&app, &first).expect_problem(401, "invalid_refresh_token");
    refresh(&app, &third.text("/refresh_token")).expect_problem(401, "invalid_refresh_token");
    with_token(&app, &third.text("/access_token")).get("/v1/me").expect_problem(401, "unauthenticated");
    // The same person's other session goes on.
    refresh(&app, &other_session).expect_status(200);
    let deeds = app.user("demo-auditor").get("/v1/audit-events?action=session.ended").expect_status(200);
    deeds.expect("/items/0/actor_role", "system").expect("/items/0/details/0/value", "refresh_token_reused");
}

#[test]
fn a_lost_reply_is_honoured_once_and_only_for_a_moment() {
    let app = TestApp::spawn();
    let first = log_in(&app, "demo-applicant", PASSWORD).text("/refresh_token");
    refresh(&app, &first).expect_status(200);
    app.advance(Duration::seconds(30));
    let again = refresh(&app, &first).expect_status(200).text("/refresh_token");
    refresh(&app, &first).expect_problem(401, "invalid_refresh_token");
    refresh(&app, &again).expect_problem(401, "invalid_refresh_token");

    let first = log_in(&app, "demo-applicant", PASSWORD).text("/refresh_token");
    refresh(&app, &first).expect_status(200);
    app.advance(Duration::seconds(31));
    refresh(&app, &first).expect_problem(401, "invalid_refresh_token");
}

#[test]
fn two_refreshes_at_once_leave_one_current_token() {
    let app = TestApp::spawn();
    let first = log_in(&app, "demo-applicant", PASSWORD).text("/refresh_token");
    let replies: Vec<Response> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| refresh(&app, &first))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(replies.iter().all(|reply| reply.status == 200));
    let current: i64 = refresh_tokens::table
        .filter(refresh_tokens::used_at.is_null())
        .count()
        .get_result(&mut app.conn())
        .unwrap();
    assert_eq!(current, 1);
}

#[test]
fn logging_out_ends_the_session_at_once() {
    let app = TestApp::spawn();
    let tokens = log_in(&app, "demo-applicant", PASSWORD);
    let client = with_token(&app, &tokens.text("/access_token"));
    client.get("/v1/me").expect_status(200);
    let body = json!({ "refresh_token": tokens.text("/refresh_token") });
    app.anonymous().post("/v1/auth/logout", body.clone()).expect_status(204);
    client.get("/v1/me").expect_problem(401, "unauthenticated");
    refresh(&app, &tokens.text("/refresh_token")).expect_problem(401, "invalid_refresh_token");
    app.anonymous().post("/v1/auth/logout", body).expect_status(204);
    app.anonymous().post("/v1/auth/logout", json!({ "refresh_token": "unknown" })).expect_status(204);
}

#[test]
fn guessing_closes_the_login_to_the_guesser_and_to_nobody_else() {
    let app = TestApp::spawn_with(&[("TRUSTED_PROXIES", "127.0.0.1/32")]);
    let from = |address: &str, login: &str, password: &str| {
        let client = app.anonymous().with("X-Forwarded-For", address);
        client.post("/v1/auth/login", json!({ "login": login, "password": password }))
    };
    let guess = |login: &str| {
        for _ in 0..10 {
            from("203.0.113.7", login, "guess guess guess").expect_problem(401, "invalid_credentials");
        }
        from("203.0.113.7", login, PASSWORD).expect_problem(429, "too_many_requests")
    };
    let refused = guess("demo-applicant");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=901).contains(&wait), "{wait}");
    // An unknown login is throttled alike.
    assert_eq!(answer(&guess("nobody-at-all")), answer(&refused));
    // The victim at home, and other users behind the guesser's address, still get in.
    from("198.51.100.4", "demo-applicant", PASSWORD).expect_status(200);
    from("203.0.113.7", "demo-applicant-2", PASSWORD).expect_status(200);
    app.advance(Duration::minutes(15) + Duration::seconds(1));
    from("203.0.113.7", "demo-applicant", PASSWORD).expect_status(200);
    // What was typed as a login may be a password: the counters do not keep it.
    let keys: Vec<String> =
        throttle_counters::table.select(throttle_counters::key).load(&mut app.conn()).unwrap();
    assert!(
        !keys.is_empty() && keys.iter().all(|key| !key.contains("demo") && !key.contains("203.0")),
        "{keys:?}"
    );
}

#[test]
fn many_guesses_at_once_get_no_further_than_one_after_the_other() {
    let app = TestApp::spawn();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let guess = || log_in(&app, "demo-applicant", "guess guess guess").status;
        let threads: Vec<_> = (0..30).map(|_| scope.spawn(guess)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let compared = statuses.iter().filter(|status| **status == 401).count();
    assert!((10..=12).contains(&compared), "{statuses:?}");
}

#[test]
fn a_forgotten_password_is_reset_by_mail() {
    let app = TestApp::spawn();
    let ask = |who: &str| app.anonymous().post("/v1/auth/password-resets", json!({ "login_or_email": who }));
    let old = log_in(&app, "demo-applicant", PASSWORD);
    let started = std::time::Instant::now();
    let known = ask("Demo-Applicant").expect_status(202);
    let took_known = started.elapsed();
    let started = std::time::Instant::now();
    let unknown = ask("nobody-at-all").expect_status(202);
    let took_unknown = started.elapsed();
    assert_eq!(known.json(), unknown.json());
    assert!(took_known.abs_diff(took_unknown).as_millis() < 200, "{took_known:?} {took_unknown:?}");

    let resets: Vec<(Uuid, Vec<u8>)> = password_resets::table
        .select((password_resets::id, password_resets::token_hash))
        .load(&mut app.conn())
        .unwrap();
    let [(id, _)] = &resets[..] else { panic!("one reset: {resets:?}") };
    let token = beian::auth::password_reset_token(*id);
    let jobs = app.admin().get("/v1/admin/jobs?kind=notifications.account_email").expect_status(200);
    assert!(!String::from_utf8_lossy(&jobs.body).contains(&token), "the token stands in no job");
    assert_eq!(app.run_jobs(), 1);
    let mails = std::fs::read_dir(app.app.config.data_dir.join("mail")).unwrap().count();
    assert_eq!(mails, 1);

    let confirm = |token: &str, password: &str| {
        let body = json!({ "token": token, "new_password": password });
        app.anonymous().post("/v1/auth/password-resets/confirm", body)
    };
    assert_eq!(confirm("wrong", "a sentence is good").expect_status(422).faults(), ["/token invalid_token"]);
    assert_eq!(
        confirm(&token, "Password123").expect_status(422).faults(),
        ["/new_password password_too_common"]
    );
    confirm(&token, "a sentence is good").expect_status(204);
    assert_eq!(confirm(&token, "another sentence").expect_status(422).faults(), ["/token invalid_token"]);
    with_token(&app, &old.text("/access_token")).get("/v1/me").expect_problem(401, "unauthenticated");
    refresh(&app, &old.text("/refresh_token")).expect_status(401);
    log_in(&app, "demo-applicant", PASSWORD).expect_status(401);
    log_in(&app, "demo-applicant", "a sentence is good").expect_status(200);
    app.run_jobs();
}

#[test]
fn a_reset_expires_and_goes_only_to_a_verified_address() {
    let app = TestApp::spawn();
    let ask = |who: &str| {
        app.anonymous().post("/v1/auth/password-resets", json!({ "login_or_email": who })).expect_status(202);
        password_resets::table.count().get_result::<i64>(&mut app.conn()).unwrap()
    };
    assert_eq!(ask("Demo-Applicant@Example.com"), 1);
    diesel::update(users::table.filter(users::login.eq("demo-applicant-2")))
        .set(users::email_verified_at.eq(None::<chrono::DateTime<chrono::Utc>>))
        .execute(&mut app.conn())
        .unwrap();
    assert_eq!(ask("demo-applicant-2@example.com"), 1);
    let id: Uuid = password_resets::table.select(password_resets::id).first(&mut app.conn()).unwrap();
    app.advance(Duration::minutes(60));
    let body =
        json!({ "token": beian::auth::password_reset_token(id), "new_password": "a sentence is good" });
    app.anonymous().post("/v1/auth/password-resets/confirm", body).expect_status(422);
    app.run_jobs();
}

fn token(app: &TestApp, form: &str) -> Response {
    app.anonymous()
        .with("Content-Type", "application/x-www-form-urlencoded")
        .with("Authorization", "Basic c3dhZ2dlci11aTo=")
        .send("POST", "/oauth/token", Some(form.as_bytes().to_vec()))
}

#[test]
fn swagger_ui_logs_in_with_a_password() {
    let app = TestApp::spawn();
    let form = format!("grant_type=password&username=demo-reviewer&password={PASSWORD}");
    let reply =
        token(&app, &form).expect_status(200).expect("/token_type", "Bearer").expect("/expires_in", 3600);
    assert!(reply.text("/scope").split(' ').any(|scope| scope == "reviews:decide"));
    let client = with_token(&app, &reply.text("/access_token"));
    app.advance(Duration::minutes(59));
    client.get("/v1/me").expect_status(200).expect("/login", "demo-reviewer");
    // Asking with a scope, and with the client in the form, works too.
    let form = format!("{form}&scope=reviews%3Aread&client_id=swagger-ui&client_secret=");
    let plain = app.anonymous().with("Content-Type", "application/x-www-form-urlencoded");
    plain.send("POST", "/oauth/token", Some(form.into_bytes())).expect_status(200);
}

#[test]
fn the_token_endpoint_refuses_what_it_does_not_offer() {
    let app = TestApp::spawn();
    let wrong = token(&app, "grant_type=password&username=demo-reviewer&password=wrong");
    wrong.expect_problem(400, "invalid_grant").expect("/error", "invalid_grant");
    token(&app, "grant_type=authorization_code").expect_problem(400, "unsupported_grant_type");
    // The docs page has no secret, so it is no partner's program.
    token(&app, "grant_type=client_credentials").expect_problem(401, "invalid_client");
    token(&app, "grant_type=password&username=demo-reviewer").expect_problem(400, "invalid_parameter");
    token(&app, "").expect_problem(400, "invalid_parameter");
    app.anonymous().post("/oauth/token", json!({})).expect_problem(415, "unsupported_media_type");
    let stranger = app
        .anonymous()
        .with("Content-Type", "application/x-www-form-urlencoded")
        .with("Authorization", "Basic c29tZWJvZHk6c2VjcmV0");
    let form = format!("grant_type=password&username=demo-reviewer&password={PASSWORD}");
    stranger
        .send("POST", "/oauth/token", Some(form.clone().into_bytes()))
        .expect_problem(401, "invalid_client");
    let app = TestApp::spawn_with(&[("SWAGGER_PASSWORD_LOGIN", "false")]);
    token(&app, &form).expect_problem(400, "unsupported_grant_type");
}

#[test]
fn what_log_ins_leave_behind_is_tidied_away() {
    let app = TestApp::spawn();
    log_in(&app, "demo-applicant", PASSWORD).expect_status(200);
    log_in(&app, "demo-applicant", "wrong password").expect_status(401);
    let applicant = app.applicant().with("If-Match", "*");
    let tag = applicant
        .patch("/v1/me", json!({ "mobile": "13912345678" }))
        .expect_status(200)
        .header("etag")
        .unwrap();
    app.schedule_periodic();
    app.run_jobs();
    let count = || {
        let mut conn = app.conn();
        let tokens: i64 = refresh_tokens::table.count().get_result(&mut conn).unwrap();
        let sessions: i64 = sessions::table.count().get_result(&mut conn).unwrap();
        let counters: i64 = throttle_counters::table.count().get_result(&mut conn).unwrap();
        let codes: i64 = contact_verifications::table.count().get_result(&mut conn).unwrap();
        (tokens, sessions, counters, codes)
    };
    assert_eq!(count(), (1, 2, 3, 1));
    app.advance(Duration::days(31));
    app.run_jobs();
    // The applicant's own session was made without a refresh token and stays.
    assert_eq!(count(), (0, 1, 0, 0));
    // What the user saw has changed, and so has its ETag.
    let me = app.applicant().with("If-None-Match", tag).get("/v1/me").expect_status(200);
    me.expect("/pending_contacts", json!([]));
}
