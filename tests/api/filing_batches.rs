//! Many filings ordered in one request: each row by itself, once, whatever happens meanwhile.

use chrono::Duration;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::support::{Client, Response, TestApp};

const BATCHES: &str = "/v1/filing-batches";

/// Website of the n-th demo customer; the demo partner acts for 27, 28 and 32.
fn website(number: u32) -> String {
    format!("0193a000-0000-7000-8000-000000014{number:03}")
}

fn row(number: u32) -> Value {
    json!({ "kind": "website_change", "website_id": website(number), "external_reference": format!("ORDER-{number}"),
        "website": { "remark": "联系方式更新" } })
}

fn order(client: &Client, rows: &[Value]) -> Response {
    client.post(BATCHES, json!({ "filings": rows }))
}

/// Orders, has the jobs run, and reads the batch.
fn done(app: &TestApp, client: &Client, rows: &[Value]) -> Response {
    let ordered = order(client, rows).expect_status(202).expect("/state", "processing");
    app.run_jobs();
    client.get(&ordered.header("location").unwrap()).expect_status(200).expect("/state", "completed")
}

fn count_of_filings(app: &TestApp) -> i64 {
    beian::schema::filings::table.count().get_result(&mut app.conn()).unwrap()
}

/// Codes of the problem of a row with their places.
fn faults(reply: &Response, number: usize) -> Vec<String> {
    let errors = reply.at(&format!("/rows/{number}/problem/errors"));
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    let fault = |error: &Value| format!("{} {}", text(error, "pointer"), text(error, "code"));
    errors.as_array().unwrap().iter().map(fault).collect()
}

#[test]
fn a_program_orders_drafts_for_its_customers_and_reads_what_became_of_each() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let ordered = order(&partner, &[row(27), row(28), row(32)]).expect_status(202);
    assert_eq!(ordered.header("retry-after").as_deref(), Some("1"));
    let path = ordered.header("location").unwrap();
    assert_eq!(path, format!("{BATCHES}/{}", ordered.text("/id")));
    let ordered = ordered.expect("/state", "processing").expect("/row_count", 3).expect("/created_count", 0);
    ordered.expect("/rows/1/state", "pending").expect("/rows/1/website_id", website(28));
    let before = partner.get(&path).expect_status(200);
    assert_eq!(before.header("retry-after").as_deref(), Some("1"));
    app.run_jobs();
    let after = partner.with("If-None-Match", before.header("etag").unwrap()).get(&path).expect_status(200);
    assert_eq!(after.header("retry-after"), None);
    partner.with("If-None-Match", after.header("etag").unwrap()).get(&path).expect_status(304);
    let after = after.expect("/state", "completed").expect("/created_count", 3).expect("/failed_count", 0);
    for (at, number) in [27, 28, 32].into_iter().enumerate() {
        let at = |name: &str| after.at(&format!("/rows/{at}/{name}"));
        assert_eq!((at("state"), at("problem")), (json!("created"), Value::Null));
        let filing = partner.get(&format!("/v1/filings/{}", at("filing_id").as_str().unwrap()));
        let filing =
            filing.expect_status(200).expect("/status", "draft").expect("/website/remark", "联系方式更新");
        assert_eq!(
            (filing.at("/order_no"), filing.at("/website_id")),
            (at("order_no"), json!(website(number)))
        );
        assert_eq!(filing.at("/external_reference"), at("external_reference"));
        assert_eq!(filing.at("/version"), 2);
        // The check is that of the operation.
        let check = partner.act(&format!("/v1/filings/{}/check", filing.text("/id"))).expect_status(200);
        assert_eq!(check.json(), at("check"));
    }
    // Timeline, webhooks and audit trail name the client that ordered it.
    let id = after.text("/rows/0/filing_id");
    let events = partner.get(&format!("/v1/events?filing_id={id}")).expect_status(200);
    events.expect("/items/0/type", "filing.created").expect("/items/0/actor_role", "partner");
    let audit = app.user("demo-auditor").get(&format!("/v1/audit-events?filing_id={id}")).expect_status(200);
    assert_eq!(audit.at("/items/0/actor_api_client_id"), "0193a000-0000-7000-8000-000000027001");
    assert_eq!(audit.at("/items/0/request_id"), audit.at("/items/1/request_id"));
    // What was sent is not kept.
    use beian::schema::filing_batch_rows as rows;
    let kept: i64 =
        rows::table.filter(rows::request.is_not_null()).count().get_result(&mut app.conn()).unwrap();
    assert_eq!(kept, 0);
    app.run_jobs();
}

#[test]
fn a_faulty_row_stops_no_other_and_tells_its_fault_at_its_place() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let with = |mut row: Value, pointer: &str, value: Value| {
        *row.pointer_mut(pointer).unwrap() = value;
        row
    };
    let rows = [
        with(row(27), "/website/remark", json!("字".repeat(501))),
        // Somebody else's, and one that does not exist: the same answer.
        row(1),
        row(999),
        with(row(28), "/website_id", json!("no-uuid")),
        row(28),
        with(row(28), "/external_reference", json!("ORDER-28-AGAIN")),
        json!("a text"),
        with(
            row(32),
            "/website",
            json!({ "name": "示例", "zzz": 1, "responsible_person": { "mobile": "138****8000" } }),
        ),
        with(row(32), "/kind", json!("something")),
        with(row(32), "/external_reference", json!("ORDER-28")),
        with(row(32), "/website", json!({ "name": "12345" })),
    ];
    let batch = done(&app, &partner, &rows);
    let states: Vec<Value> = (0..rows.len()).map(|at| batch.at(&format!("/rows/{at}/state"))).collect();
    let (failed, created) = (json!("failed"), json!("created"));
    let expected: Vec<Value> =
        (0..rows.len()).map(|at| if [4, 10].contains(&at) { &created } else { &failed }.clone()).collect();
    assert_eq!(states, expected, "{}", batch.json());
    let batch = batch.expect("/created_count", 2).expect("/failed_count", 9);
    assert_eq!(faults(&batch, 0), ["/filings/0/website/remark too_long"]);
    for number in [1, 2] {
        assert_eq!(batch.at(&format!("/rows/{number}/problem/code")), "not_found");
        assert_eq!(faults(&batch, number), [format!("/filings/{number}/website_id not_found")]);
    }
    assert_eq!(faults(&batch, 3), ["/filings/3/website_id invalid_format"]);
    assert_eq!(batch.at("/rows/3/website_id"), Value::Null);
    assert_eq!(batch.at("/rows/3/external_reference"), "ORDER-28");
    assert_eq!(batch.at("/rows/5/problem/code"), "live_filing_exists");
    assert_eq!(faults(&batch, 5), ["/filings/5/website_id duplicate_items"]);
    assert_eq!(faults(&batch, 6), ["/filings/6 wrong_type"]);
    assert!(faults(&batch, 7).contains(&"/filings/7/website/zzz unknown_field".to_owned()));
    assert_eq!(faults(&batch, 8), ["/filings/8/kind not_in_list"]);
    assert_eq!(faults(&batch, 9), ["/filings/9/external_reference duplicate"]);
    // A row that can be stored and not be submitted is made: its check tells.
    assert_eq!(batch.at("/rows/10/check/can_submit"), false);
    assert_eq!(batch.at("/rows/10/check/findings/0/pointer"), "/website/name");
    assert_eq!(count_of_filings(&app), 2);
    // In the other language, with the request's own id.
    let english = partner.with("Accept-Language", "en").get(&format!("{BATCHES}/{}", batch.text("/id")));
    assert_eq!(english.at("/rows/1/problem/title"), "Not found");
    assert_eq!(batch.at("/rows/1/problem/title"), "未找到");
    assert_eq!(english.at("/rows/0/problem/request_id"), english.at("/rows/1/problem/request_id"));

    // A mask that comes back, alone: the other faults of its row are told before.
    let masked = with(row(27), "/website", json!({ "responsible_person": { "mobile": "138****8000" } }));
    let batch = done(&app, &partner, &[masked]);
    assert_eq!(faults(&batch, 0), ["/filings/0/website/responsible_person/mobile masked_value"]);
}

#[test]
fn a_batch_without_a_row_that_could_be_made_is_completed_at_once() {
    let app = TestApp::spawn();
    let batch = order(&app.partner(), &[json!({}), json!(7)]).expect_status(202);
    let batch = batch.expect("/state", "completed").expect("/failed_count", 2);
    assert_eq!(batch.header("retry-after"), None);
    assert_eq!(faults(&batch, 0), ["/filings/0/kind required", "/filings/0/website_id required"]);
    assert_eq!(app.run_jobs(), 0);
}

#[test]
fn what_is_wrong_with_the_request_itself_refuses_it() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let many: Vec<Value> = (0..101).map(|_| row(27)).collect();
    let refused = order(&partner, &many).expect_problem(422, "validation_failed");
    assert_eq!(refused.faults(), ["/filings too_many_items"]);
    assert_eq!(
        order(&partner, &[]).expect_problem(422, "validation_failed").faults(),
        ["/filings too_few_items"]
    );
    let refused = partner.post(BATCHES, json!({ "filings": [{ "kind": 1 }], "zzz": 1 }));
    let refused = refused.expect_problem(422, "validation_failed");
    assert!(refused.faults().contains(&"/zzz unknown_field".to_owned()), "{:?}", refused.faults());
    assert!(refused.faults().contains(&"/filings/0/kind wrong_type".to_owned()), "{:?}", refused.faults());
    assert_eq!(partner.get(BATCHES).expect_status(200).at("/items"), json!([]));
    // A hundred are not too many.
    let batch = done(&app, &partner, &many[..100]);
    batch.expect("/row_count", 100).expect("/created_count", 1).expect("/failed_count", 99);
}

#[test]
fn a_second_click_orders_nothing_new() {
    let app = TestApp::spawn();
    let partner = app.partner().with("Idempotency-Key", "batch-1");
    let first = order(&partner, &[row(27), row(28)]).expect_status(202);
    let again = order(&partner, &[row(27), row(28)]).expect_status(202);
    assert_eq!(again.header("idempotency-replayed").as_deref(), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("retry-after").as_deref(), Some("1"));
    order(&partner, &[row(27)]).expect_problem(422, "idempotency_key_reused");
    app.run_jobs();
    assert_eq!(count_of_filings(&app), 2);
    // Later too.
    let again = order(&partner, &[row(27), row(28)]).expect_status(202);
    assert_eq!(again.text("/id"), first.text("/id"));
    app.run_jobs();
    assert_eq!(count_of_filings(&app), 2);
}

#[test]
fn a_batch_is_seen_by_its_owner_alone() {
    let app = TestApp::spawn();
    let (partner, applicant) = (app.partner(), app.applicant());
    let of_partner = done(&app, &partner, &[row(27)]).text("/id");
    app.advance(Duration::seconds(1));
    let of_applicant = done(&app, &applicant, &[row(1)]).text("/id");
    for (client, id) in [
        (&applicant, &of_partner),
        (&partner, &of_applicant),
        (&app.other_applicant(), &of_applicant),
        // A user of an account of the partner sees what the account has ordered, not what the partner has.
        (&app.user("demo-applicant-27"), &of_partner),
    ] {
        client.get(&format!("{BATCHES}/{id}")).expect_problem(404, "not_found");
    }
    app.reviewer().get(&format!("{BATCHES}/{of_partner}")).expect_problem(403, "forbidden");
    order(&app.partner_with_scope("filings:read"), &[row(32)]).expect_problem(403, "insufficient_scope");
    // What a customer of the partner orders, the partner sees, as it sees the filing.
    app.advance(Duration::seconds(1));
    let of_customer = done(&app, &app.user("demo-applicant-28"), &[row(28)]).text("/id");
    partner.get(&format!("{BATCHES}/{of_customer}")).expect_status(200);
    let page =
        partner.get(&format!("{BATCHES}?limit=1")).expect_status(200).expect("/items/0/id", of_customer);
    let cursor = page.text("/next_cursor");
    let page = partner.get(&format!("{BATCHES}?limit=1&cursor={cursor}")).expect_status(200);
    page.expect("/items/0/id", of_partner).expect("/has_more", false);
    assert_eq!(
        partner.get(&format!("{BATCHES}?state=processing")).expect_status(200).at("/items"),
        json!([])
    );
    let own = applicant.get(BATCHES).expect_status(200);
    assert_eq!(own.at("/items").as_array().map(Vec::len), Some(1));
}

#[test]
fn who_is_stopped_after_the_order_gets_no_filings() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let path = order(&partner, &[row(27)]).expect_status(202).header("location").unwrap();
    let client = "/v1/api-clients/0193a000-0000-7000-8000-000000027001";
    app.admin().act(&format!("{client}/pause")).expect_status(200);
    app.run_jobs();
    app.admin().act(&format!("{client}/resume")).expect_status(200);
    let batch = partner.get(&path).expect_status(200).expect("/state", "completed");
    assert_eq!(batch.at("/rows/0/problem/code"), "forbidden");
    assert_eq!(count_of_filings(&app), 0);
}

#[test]
fn fifty_open_batches_of_an_owner_are_enough() {
    let app = TestApp::spawn();
    let partner = app.partner();
    for _ in 0..50 {
        order(&partner, &[row(999)]).expect_status(202);
    }
    let refused = order(&partner, &[row(999)]).expect_problem(429, "too_many_requests");
    assert!(refused.header("retry-after").is_some());
    order(&app.applicant(), &[row(999)]).expect_status(202);
    app.run_jobs();
    order(&partner, &[row(999)]).expect_status(202);
    app.run_jobs();
}

#[test]
fn two_orders_at_once_do_not_make_the_fifty_first_batch() {
    let app = TestApp::spawn();
    let partner = app.partner();
    for _ in 0..49 {
        order(&partner, &[row(999)]).expect_status(202);
    }
    let waiting = "SELECT count(*) AS count FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut conn = app.conn();
    let mut look = app.conn();
    let statuses = conn
        .transaction::<_, diesel::result::Error, _>(|conn| {
            // Whoever counts comes to stand behind this.
            use beian::schema::partners;
            partners::table.select(partners::id).for_update().execute(conn)?;
            let both: Vec<_> = (0..2)
                .map(|_| {
                    let partner = partner.clone();
                    std::thread::spawn(move || order(&partner, &[row(999)]).status)
                })
                .collect();
            for _ in 0..200 {
                let count: Count = diesel::sql_query(waiting).get_result(&mut look)?;
                if count.count == 2 || both.iter().all(|one| one.is_finished()) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            Ok(both)
        })
        .unwrap()
        .into_iter()
        .map(|one| one.join().unwrap());
    let mut statuses: Vec<u16> = statuses.collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 429]);
    app.run_jobs();
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

/// Makes the statement that creates a filing of a website fail in this way.
fn sabotage(app: &TestApp, number: u32, how: &str) {
    for statement in [
        format!(
            "CREATE FUNCTION sabotage() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF NEW.website_id = '{}' THEN {how}; END IF; RETURN NEW; END $$",
            website(number)
        ),
        "CREATE TRIGGER sabotage BEFORE INSERT ON filings FOR EACH ROW EXECUTE FUNCTION sabotage()"
            .to_owned(),
    ] {
        diesel::sql_query(statement).execute(&mut app.conn()).unwrap();
    }
}

fn mend(app: &TestApp) {
    diesel::sql_query("DROP TRIGGER sabotage ON filings").execute(&mut app.conn()).unwrap();
}

#[test]
fn what_breaks_off_in_the_middle_goes_on_and_makes_nothing_twice() {
    let app = TestApp::spawn();
    let partner = app.partner();
    // The connection dies in the middle of the second row, as when the program or the database is killed.
    sabotage(&app, 28, "PERFORM pg_terminate_backend(pg_backend_pid())");
    let path = order(&partner, &[row(27), row(28), row(32)]).expect_status(202).header("location").unwrap();
    app.run_jobs();
    let first = {
        let batch = partner.get(&path).expect_status(200).expect("/state", "processing");
        let batch = batch.expect("/created_count", 1).expect("/rows/1/state", "pending");
        batch.expect("/rows/2/state", "pending").text("/rows/0/filing_id")
    };
    assert_eq!(count_of_filings(&app), 1);
    mend(&app);
    app.advance(Duration::minutes(10));
    app.run_jobs();
    let batch =
        partner.get(&path).expect_status(200).expect("/state", "completed").expect("/created_count", 3);
    assert_eq!(batch.text("/rows/0/filing_id"), first);
    assert_eq!(count_of_filings(&app), 3);
    // A worker that died after its work and before its record: the job runs again and finds nothing to do.
    use beian::schema::jobs;
    diesel::update(jobs::table.filter(jobs::kind.eq("filing_batches.process")))
        .set((jobs::state.eq("pending"), jobs::run_at.eq(app.now())))
        .execute(&mut app.conn())
        .unwrap();
    app.run_jobs();
    assert_eq!(count_of_filings(&app), 3);
    assert_eq!(partner.get(&path).expect_status(200).at("/rows/0/filing_id"), first);
}

#[test]
fn a_row_that_the_server_cannot_make_is_given_up_and_the_others_are_made() {
    let app = TestApp::spawn();
    let partner = app.partner();
    sabotage(&app, 28, "RAISE EXCEPTION 'broken'");
    let path = order(&partner, &[row(28), row(27), row(32)]).expect_status(202).header("location").unwrap();
    app.run_jobs();
    for _ in 0..3 {
        app.advance(Duration::minutes(10));
        app.run_jobs();
    }
    let batch =
        partner.get(&path).expect_status(200).expect("/state", "completed").expect("/created_count", 2);
    assert_eq!(batch.at("/rows/0/problem/code"), "internal");
    assert!(!batch.json().to_string().contains("broken"), "the reason stays in the log");
}

#[test]
fn two_workers_make_each_filing_once() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let one = order(&partner, &[row(27), row(28), row(32)]).expect_status(202).text("/id");
    // As when a lease has lapsed while its worker is still at it.
    diesel::sql_query(
        "INSERT INTO jobs (id, kind, payload, state, run_at, max_attempts, created_at)
         SELECT gen_random_uuid(), kind, payload, state, run_at, max_attempts, created_at FROM jobs
          WHERE kind = 'filing_batches.process'",
    )
    .execute(&mut app.conn())
    .unwrap();
    app.run_jobs_by(2);
    app.run_jobs();
    let batch = partner.get(&format!("{BATCHES}/{one}")).expect_status(200);
    batch.expect("/state", "completed").expect("/created_count", 3);
    assert_eq!(count_of_filings(&app), 3);
}

#[test]
fn a_batch_is_removed_a_month_later_and_its_filings_stay() {
    let app = TestApp::spawn();
    let partner = app.partner();
    let id = done(&app, &partner, &[row(27)]).text("/id");
    app.advance(Duration::days(29));
    app.schedule_periodic();
    app.run_jobs();
    partner.get(&format!("{BATCHES}/{id}")).expect_status(200);
    app.advance(Duration::days(2));
    app.run_jobs();
    partner.get(&format!("{BATCHES}/{id}")).expect_problem(404, "not_found");
    assert_eq!(count_of_filings(&app), 1);
}
