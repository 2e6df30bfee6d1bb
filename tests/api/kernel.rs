//! What every address has in common: problems, languages, request ids, limits.

use crate::support::TestApp;

#[test]
fn an_unknown_address_is_a_problem_in_the_language_asked_for() {
    let app = TestApp::spawn();
    let reply = app.anonymous().get("/v1/nothing").expect_problem(404, "route_not_found");
    assert_eq!(reply.text("/title"), "没有此地址");
    let reply = app.anonymous().with("Accept-Language", "en").get("/v1/nothing").expect_status(404);
    assert_eq!(reply.text("/title"), "No such address");
    assert_eq!(Some(reply.text("/request_id")), reply.header("x-request-id"));
}

#[test]
fn letters_may_be_written_as_numbers_in_an_address() {
    let app = TestApp::spawn();
    app.anonymous().get("/%6Civez").expect_status(200);
    app.applicant().get("/v1/web%73ites/0193a000-0000-7000-8000-00000001400%31").expect_status(200);
    app.applicant()
        .get("/v1/websites%2F0193a000-0000-7000-8000-000000014001")
        .expect_problem(404, "route_not_found");
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    let app = TestApp::spawn();
    let reply = app.anonymous().delete("/version").expect_problem(405, "method_not_allowed");
    assert_eq!(reply.header("allow").as_deref(), Some("GET"));
}

#[test]
fn a_sane_request_id_is_kept_and_another_replaced() {
    let app = TestApp::spawn();
    let reply = app.anonymous().with("X-Request-Id", "abc-123").get("/livez").expect_status(200);
    assert_eq!(reply.header("x-request-id").as_deref(), Some("abc-123"));
    let reply = app.anonymous().with("X-Request-Id", "a b\"c").get("/livez").expect_status(200);
    assert_ne!(reply.header("x-request-id").as_deref(), Some("a b\"c"));
}

#[test]
fn readiness_asks_database_and_storage() {
    let app = TestApp::spawn();
    app.anonymous().get("/readyz").expect_status(200).expect("/status", "ok");
}

#[test]
fn a_page_from_another_origin_can_read_that_it_asked_too_often() {
    let app = TestApp::spawn_with(&[("RATE_LIMIT_PER_SECOND", "1")]);
    // Probes are never told to come later, and count for nobody.
    for _ in 0..20 {
        app.anonymous().get("/livez").expect_status(200);
        app.anonymous().get("/readyz").expect_status(200);
    }
    let refused = |origin: &str| {
        let page = app.anonymous().with("Origin", origin);
        let mut replies = (0..50).map(|_| page.get("/version"));
        replies.find(|reply| reply.status == 429).expect("a limit").expect_problem(429, "too_many_requests")
    };
    let known = refused("http://localhost:5173");
    assert_eq!(known.header("access-control-allow-origin").as_deref(), Some("http://localhost:5173"));
    assert!(known.header("access-control-expose-headers").unwrap().contains("retry-after"));
    assert!(known.header("retry-after").is_some());
    assert_eq!(refused("https://elsewhere.example.com").header("access-control-allow-origin"), None);
}

#[test]
fn while_the_database_is_busy_requests_wait_up_to_a_limit_and_the_others_are_told_when_to_come_again() {
    let app = TestApp::spawn_with(&[("DATABASE_POOL_SIZE", "2")]);
    let applicant = app.applicant();
    applicant.get("/v1/filings").expect_status(200);
    let mut holder = app.conn();
    diesel::connection::SimpleConnection::batch_execute(
        &mut holder,
        "BEGIN; LOCK TABLE filings IN ACCESS EXCLUSIVE MODE",
    )
    .unwrap();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..100).map(|_| scope.spawn(|| applicant.get("/v1/filings?limit=1").status)).collect();
        let mut looks = 0;
        while app.app.db.admit().is_ok() {
            looks += 1;
            assert!(looks < 400, "the queue did not fill");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let refused = applicant.get("/v1/filings").expect_problem(503, "unavailable");
        assert_eq!(refused.header("retry-after").as_deref(), Some("2"));
        assert_eq!(refused.header("cache-control").as_deref(), Some("no-store"));
        // What needs no database goes on.
        app.anonymous().get("/livez").expect_status(200);
        app.anonymous().get("/docs").expect_status(200);
        app.anonymous().get("/openapi.json").expect_status(200);
        diesel::connection::SimpleConnection::batch_execute(&mut holder, "ROLLBACK").unwrap();
        drop(holder);
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let served = statuses.iter().filter(|status| **status == 200).count();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(served + refused, 100, "{statuses:?}");
    // Two at work and 16 waiting for each connection, give or take one that came when another had just been let in.
    assert!(served >= 32 && refused > 0, "{served} served, {refused} refused");
    applicant.get("/v1/filings").expect_status(200);
}
