//! Webhooks: signed, tried again, logged, recovered; and the same events for catching up.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{Duration, Utc};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Client, TestApp};

/// A website of the demo partner's customer 32, and its account.
const WEBSITE: &str = "0193a000-0000-7000-8000-000000014032";
const ACCOUNT: &str = "0193a000-0000-7000-8000-000000010032";
const PARTNER: &str = "0193a000-0000-7000-8000-000000012001";

/// What a receiver does with a request.
#[derive(Clone)]
enum Answer {
    Status(u16, String),
    HangUp,
}

/// A request that came.
#[derive(Clone)]
struct Request {
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Verifies as a receiver does: one of the signatures must be that of the secret.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(self.header("webhook-id").as_bytes());
        mac.update(b".");
        mac.update(self.header("webhook-timestamp").as_bytes());
        mac.update(b".");
        mac.update(self.body.as_bytes());
        let wanted = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').any(|signature| signature == wanted)
    }
}

/// An HTTP server on the loopback that keeps what it gets.
struct Receiver {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
    answer: Arc<Mutex<Answer>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let answer = Arc::new(Mutex::new(Answer::Status(204, String::new())));
        let (keep, say) = (seen.clone(), answer.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&mut stream) else { continue };
                keep.lock().unwrap().push(request);
                if let Answer::Status(status, body) = say.lock().unwrap().clone() {
                    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
                    let _ =
                        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
                }
            }
        });
        Self { url, seen, answer }
    }

    fn answers(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = Answer::Status(status, body.to_owned());
    }

    fn hangs_up(&self) {
        *self.answer.lock().unwrap() = Answer::HangUp;
    }

    /// The requests since the last look.
    fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn read(stream: &mut std::net::TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut piece = [0_u8; 8192];
    let (head, length) = loop {
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        break (head, end + 4 + length.unwrap_or(0));
    };
    while bytes.len() < length {
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
    }
    let start = bytes.len() - (length - head.len() - 4);
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    Some(Request {
        headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
        body: String::from_utf8(bytes[start..].to_vec()).unwrap(),
    })
}

fn spawn() -> TestApp {
    TestApp::spawn_with(&[("WEBHOOK_ALLOW_LOOPBACK", "true")])
}

/// An endpoint for all events: its path and secret.
fn endpoint(partner: &Client, url: &str, more: Value) -> (String, String) {
    let mut body = json!({ "url": url });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let reply = partner.post("/v1/webhook-endpoints", body).expect_status(201);
    assert_eq!(
        reply.header("location").unwrap(),
        format!("/v1/webhook-endpoints/{}", reply.text("/endpoint/id"))
    );
    (reply.header("location").unwrap(), reply.text("/secret"))
}

/// Starts a filing for the customer, and gives it up again, which makes room for the next. Two events.
fn two_events(partner: &Client, reference: &str) -> String {
    let body = json!({ "kind": "website_change", "website_id": WEBSITE, "external_reference": reference });
    let id = partner.post("/v1/filings", body).expect_status(201).text("/id");
    partner.act(&format!("/v1/filings/{id}/abandon")).expect_status(200);
    id
}

fn types(requests: &[Request]) -> Vec<String> {
    let mut types: Vec<String> =
        requests.iter().map(|request| request.json()["type"].as_str().unwrap().to_owned()).collect();
    types.sort();
    types
}

#[test]
fn an_event_is_signed_and_is_the_object_that_the_list_of_events_shows() {
    let app = spawn();
    let (partner, receiver, other) = (app.partner(), Receiver::start(), Receiver::start());
    let (path, secret) = endpoint(&partner, &receiver.url, json!({}));
    let (_, other_secret) = endpoint(&partner, &other.url, json!({ "event_types": ["filing.abandoned"] }));
    let filing = two_events(&partner, "ORDER-1");
    assert!(receiver.take().is_empty(), "nothing is sent while the request runs");
    app.run_jobs();
    let seen = receiver.take();
    assert_eq!(types(&seen), ["filing.abandoned", "filing.created"]);
    assert_eq!(types(&other.take()), ["filing.abandoned"]);
    let events = partner.get(&format!("/v1/events?filing_id={filing}")).expect_status(200);
    for request in &seen {
        assert!(request.is_signed_with(&secret) && !request.is_signed_with(&other_secret));
        let mut forged = request.clone();
        forged.body = forged.body.replace("ORDER-1", "ORDER-2");
        assert!(!forged.is_signed_with(&secret), "an altered body passes");
        assert_eq!(request.header("webhook-timestamp"), app.now().timestamp().to_string());
        assert_eq!(request.header("content-type"), "application/json");
        let event = request.json();
        assert_eq!(event["id"], request.header("webhook-id"));
        assert_eq!(event["account_id"], ACCOUNT);
        assert_eq!(event["external_reference"], "ORDER-1");
        assert_eq!(event["actor_role"], "partner");
        assert!(event["version"].as_i64().unwrap() >= 1);
        let listed = events.at("/items");
        let listed = listed.as_array().unwrap().iter().find(|item| item["id"] == event["id"]).unwrap();
        assert_eq!(*listed, event);
    }
    // Nobody is told of other people's customers.
    app.make().draft();
    app.run_jobs();
    assert!(receiver.take().is_empty());
    let log = partner.get(&format!("{path}/deliveries")).expect_status(200);
    assert_eq!(log.at("/items").as_array().map(Vec::len), Some(2));
    assert_eq!(log.at("/items/0/state"), "delivered");
    // The same event once more changes nothing.
    for request in &seen {
        let id = request.header("webhook-id").parse().unwrap();
        app.app
            .db
            .connection()
            .map(|mut conn| beian::webhooks::publish(&mut conn, app.now(), id))
            .unwrap()
            .unwrap();
    }
    assert_eq!(app.run_jobs(), 0);
}

#[test]
fn a_failing_receiver_is_tried_again_and_everything_is_logged() {
    let app = spawn();
    let (partner, receiver) = (app.partner(), Receiver::start());
    let (path, secret) = endpoint(&partner, &receiver.url, json!({ "event_types": ["filing.created"] }));
    two_events(&partner, "ORDER-1");
    receiver.answers(500, &"长".repeat(40_000));
    app.run_jobs();
    let delivery = || partner.get(&format!("{path}/deliveries")).expect_status(200);
    let first = delivery().expect("/items/0/state", "failed").expect("/items/0/last_status", 500);
    let failing = partner.get(&path).expect_status(200);
    assert!(failing.at("/failing_since").is_string());
    app.advance(Duration::seconds(4));
    assert_eq!(app.run_jobs(), 0, "not before five seconds");
    app.advance(Duration::seconds(3));
    // A redirect is not followed: 302 is just not a 2xx.
    receiver.answers(302, "");
    app.run_jobs();
    delivery().expect("/items/0/tries", 2).expect("/items/0/last_status", 302);
    receiver.hangs_up();
    app.advance(Duration::seconds(80));
    app.run_jobs();
    let broken = delivery().expect("/items/0/tries", 3).expect("/items/0/last_status", Value::Null);
    assert_eq!(broken.at("/items/0/last_error"), "the answer could not be read");
    receiver.answers(200, "thanks");
    app.advance(Duration::seconds(400));
    app.run_jobs();
    delivery().expect("/items/0/state", "delivered").expect("/items/0/next_try_at", Value::Null);
    partner.get(&path).expect_status(200).expect("/failing_since", Value::Null);
    let seen = receiver.take();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|request| request.is_signed_with(&secret) && request.body == seen[0].body));
    assert!(seen.iter().all(|request| request.header("webhook-id") == seen[0].header("webhook-id")));
    let log = format!("{path}/deliveries/{}", first.text("/items/0/id"));
    let log = partner.get(&log).expect_status(200).expect("/request_body", seen[0].body.as_str());
    let statuses: Vec<Value> = log
        .at("/attempts")
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["response_status"].clone())
        .collect();
    assert_eq!(statuses, [json!(200), Value::Null, json!(302), json!(500)]);
    assert_eq!(log.at("/attempts/0/response_body"), "thanks");
    assert_eq!(log.at("/attempts/0/url"), receiver.url);
    assert!((60_000..=65_536).contains(&log.text("/attempts/3/response_body").len()), "cut at 64 KiB");
    let again = format!("{path}/deliveries/{}/redeliver", first.text("/items/0/id"));
    partner.act(&again).expect_status(202).expect("/state", "pending").expect("/tries", 0);
    app.run_jobs();
    assert_eq!(receiver.take()[0].body, seen[0].body);
}

#[test]
fn both_secrets_sign_during_a_rotation() {
    let app = spawn();
    let (partner, receiver) = (app.partner(), Receiver::start());
    let (path, old) = endpoint(&partner, &receiver.url, json!({}));
    let rotate = |body: Value| partner.post(&format!("{path}/rotate-secret"), body).expect_status(200);
    let reply = rotate(json!({ "overlap_hours": 2 }));
    let new = reply.text("/secret");
    assert!(old != new && reply.at("/endpoint/previous_secret_ends_at").is_string());
    let test = || {
        partner.act(&format!("{path}/test")).expect_status(202).expect("/event_type", "webhook.test");
        app.run_jobs();
        receiver.take().remove(0)
    };
    let request = test();
    assert!(request.is_signed_with(&old) && request.is_signed_with(&new));
    assert_eq!(request.header("webhook-signature").split(' ').count(), 2);
    assert_eq!(request.json()["type"], "webhook.test");
    app.advance(Duration::hours(2));
    let request = test();
    assert!(!request.is_signed_with(&old) && request.is_signed_with(&new));
    let newest = rotate(json!({ "overlap_hours": 0 })).text("/secret");
    let request = test();
    assert!(request.is_signed_with(&newest) && !request.is_signed_with(&new));
    // Shown when it is made, and in no other reply.
    let shown = partner.get(&path).expect_status(200);
    assert!(!String::from_utf8_lossy(&shown.body).contains("whsec_"));
    use beian::schema::webhook_endpoints;
    use diesel::{QueryDsl, RunQueryDsl};
    let sealed: Vec<u8> =
        webhook_endpoints::table.select(webhook_endpoints::secret).first(&mut app.conn()).unwrap();
    assert!(!sealed.windows(6).any(|six| six == b"whsec_"), "the secret lies open in the database");
}

#[test]
fn an_endpoint_that_fails_for_days_is_disabled_and_recovers_what_it_missed() {
    let app = spawn();
    let (partner, receiver) = (app.partner(), Receiver::start());
    let more = json!({ "contact_email": "ops@example.com", "event_types": ["filing.created"] });
    let (path, _) = endpoint(&partner, &receiver.url, more);
    receiver.answers(503, "");
    let days = |count: i32, reference: &str| {
        two_events(&partner, reference);
        // An hour at a time, as the tries fall due.
        for _ in 0..count * 24 {
            app.run_jobs();
            app.advance(Duration::hours(1));
        }
        app.run_jobs();
    };
    let begin = app.now();
    days(2, "ORDER-1");
    let log = partner.get(&format!("{path}/deliveries?state=dead")).expect_status(200);
    log.expect("/items/0/tries", 9).expect("/items/0/next_try_at", Value::Null);
    partner.get(&path).expect_status(200).expect("/is_disabled", false);
    assert_eq!(receiver.take().len(), 9);
    days(2, "ORDER-2");
    let disabled = partner.get(&path).expect_status(200).expect("/is_disabled", true);
    assert_eq!(disabled.at("/disabled_reason"), "failing");
    let list = app.admin().get("/v1/webhook-endpoints?is_disabled=true").expect_status(200);
    assert_eq!(list.at("/items/0/url"), receiver.url);
    let mails = std::fs::read_dir(app.app.config.data_dir.join("mail")).unwrap();
    let mails: Vec<String> =
        mails.map(|mail| std::fs::read_to_string(mail.unwrap().path()).unwrap()).collect();
    let told: Vec<&String> = mails.iter().filter(|mail| mail.contains("To: ops@example.com")).collect();
    assert_eq!(told.len(), 1);
    // The contact has no language here.
    let mail = mail_parser::MessageParser::default().parse(told[0].as_bytes()).unwrap();
    let (subject, text) = (mail.subject().unwrap(), mail.body_text(0).unwrap());
    assert!(subject.contains("已停用") && subject.contains("was disabled"), "{subject}");
    assert!(text.contains("您好") && text.contains("Hello "), "{text}");

    // Nothing is sent meanwhile, and nothing is lost.
    receiver.take();
    two_events(&partner, "ORDER-3");
    app.run_jobs();
    assert!(receiver.take().is_empty());
    for step in ["test", "recover"] {
        partner.post(&format!("{path}/{step}"), json!({})).expect_problem(409, "endpoint_disabled");
    }
    receiver.answers(204, "");
    partner
        .with("If-Match", "*")
        .patch(&path, json!({ "is_disabled": false }))
        .expect_status(200)
        .expect("/disabled_reason", Value::Null)
        .expect("/failing_since", Value::Null);
    let since = (begin - Duration::minutes(1)).to_rfc3339();
    for (count, what) in [(3, "what it missed"), (0, "and not again")] {
        partner.post(&format!("{path}/recover"), json!({ "since": since })).expect_status(202);
        app.run_jobs();
        let mut references: Vec<Value> =
            receiver.take().iter().map(|request| request.json()["external_reference"].clone()).collect();
        references.sort_by_key(Value::to_string);
        assert_eq!(references.len(), count, "{what}: {references:?}");
    }
    let old = (app.now() - Duration::days(31)).to_rfc3339();
    let refused = partner.post(&format!("{path}/recover"), json!({ "since": old })).expect_status(422);
    assert_eq!(refused.faults(), ["/since out_of_range"]);
    // 410 says: never again.
    receiver.answers(410, "");
    two_events(&partner, "ORDER-4");
    app.run_jobs();
    partner.get(&path).expect_status(200).expect("/disabled_reason", "gone");
    // What is old goes.
    app.advance(Duration::days(31));
    app.schedule_periodic();
    app.run_jobs();
    assert_eq!(partner.get(&format!("{path}/deliveries")).expect_status(200).at("/items"), json!([]));
}

#[test]
fn a_silent_receiver_does_not_hold_up_the_work_of_others() {
    let app = spawn();
    let (partner, silent) = (app.partner(), Receiver::start());
    let (path, _) = endpoint(&partner, &silent.url, json!({}));
    silent.hangs_up();
    for n in 0..5 {
        two_events(&partner, &format!("ORDER-{n}"));
    }
    app.run_jobs();
    assert_eq!(silent.take().len(), 1, "one call, then it is left in peace");
    app.advance(Duration::seconds(11));
    silent.answers(204, "");
    app.run_jobs();
    assert_eq!(silent.take().len(), 10);
    let log = partner.get(&format!("{path}/deliveries?state=delivered&limit=100")).expect_status(200);
    assert_eq!(log.at("/items").as_array().map(Vec::len), Some(10));
}

#[test]
fn receivers_inside_are_refused() {
    let app = TestApp::spawn();
    let partner = app.partner();
    for (url, code) in [
        ("https://127.0.0.1/x", "not_public"),
        ("https://localhost/x", "not_public"),
        ("https://10.0.0.8/x", "not_public"),
        ("https://100.64.0.1/x", "not_public"),
        ("https://169.254.169.254/latest/meta-data", "not_public"),
        ("https://[::ffff:192.168.0.1]/x", "not_public"),
        ("https://[fe80::1]/x", "not_public"),
        ("https://2130706433/x", "not_public"),
        ("https://metadata.internal/x", "not_public"),
        ("http://hooks.example.com/x", "not_https"),
        ("https://user:word@hooks.example.com/x", "invalid_format"),
        ("mailto:ops@example.com", "invalid_format"),
    ] {
        let refused = partner.post("/v1/webhook-endpoints", json!({ "url": url })).expect_status(422);
        assert_eq!(refused.faults(), [format!("/url {code}")], "{url}");
    }
    let body = json!({ "url": "https://8.8.8.8/x", "event_types": ["filing.created", "nothing"] });
    let refused = partner.post("/v1/webhook-endpoints", body).expect_status(422);
    assert_eq!(refused.faults(), ["/event_types/1 not_in_list"]);
    // An address that was let in while the loopback was allowed is refused when it is called.
    let loose = spawn();
    let receiver = Receiver::start();
    let (path, _) = endpoint(&loose.partner(), &receiver.url, json!({}));
    use beian::schema::webhook_endpoints;
    use diesel::{ExpressionMethods, RunQueryDsl};
    diesel::update(webhook_endpoints::table)
        .set(webhook_endpoints::url.eq(receiver.url.replace("127.0.0.1", "169.254.169.254")))
        .execute(&mut loose.conn())
        .unwrap();
    loose.partner().act(&format!("{path}/test")).expect_status(202);
    loose.run_jobs();
    let log = loose.partner().get(&format!("{path}/deliveries")).expect_status(200);
    log.expect("/items/0/last_error", "the address is not allowed");
    assert!(receiver.take().is_empty());
}

#[test]
fn endpoints_deliveries_and_events_belong_to_their_partner() {
    let app = spawn();
    let (partner, admin, receiver) = (app.partner(), app.admin(), Receiver::start());
    let (path, _) = endpoint(&partner, &receiver.url, json!({ "description": "一" }));
    partner.post("/v1/webhook-endpoints", json!({ "url": receiver.url })).expect_problem(409, "duplicate");
    let filing = two_events(&partner, "ORDER-1");
    app.run_jobs();
    let delivery = partner.get(&format!("{path}/deliveries")).text("/items/0/id");

    let id = admin.post("/v1/partners", json!({ "name": "另一伙伴" })).expect_status(201).text("/id");
    let body = json!({ "partner_id": id, "client_id": "other", "name": "程序",
        "scopes": ["webhooks:read", "webhooks:write", "events:read"] });
    admin.post("/v1/api-clients", body).expect_status(201);
    let other = app.user("client/other");
    for address in [path.clone(), format!("{path}/deliveries"), format!("{path}/deliveries/{delivery}")] {
        other.get(&address).expect_problem(404, "not_found");
        admin.get(&address).expect_status(200);
    }
    let step = |name: &str| other.post(&format!("{path}/{name}"), json!({}));
    for name in ["rotate-secret", "recover", "test", &format!("deliveries/{delivery}/redeliver")] {
        step(name).expect_problem(404, "not_found");
    }
    other.with("If-Match", "*").patch(&path, json!({ "is_disabled": true })).expect_problem(404, "not_found");
    other.delete(&path).expect_problem(404, "not_found");
    assert_eq!(other.get("/v1/webhook-endpoints").expect_status(200).at("/items"), json!([]));
    assert_eq!(other.get("/v1/events").expect_status(200).at("/items"), json!([]));
    let foreign = format!("/v1/webhook-endpoints?partner_id={PARTNER}");
    assert_eq!(other.get(&foreign).expect_status(200).at("/items"), json!([]));
    let body = json!({ "url": "https://8.8.8.8/", "partner_id": PARTNER });
    assert_eq!(
        other.post("/v1/webhook-endpoints", body).expect_status(422).faults(),
        ["/partner_id not_found"]
    );
    let body = json!({ "url": "https://8.8.8.8/" });
    assert_eq!(
        admin.post("/v1/webhook-endpoints", body).expect_status(422).faults(),
        ["/partner_id required"]
    );

    // Catching up: page by page, and after the last one seen.
    let page = partner.get("/v1/events?limit=1").expect_status(200).expect("/items/0/type", "filing.created");
    let next =
        partner.get(&format!("/v1/events?limit=1&cursor={}", page.text("/next_cursor"))).expect_status(200);
    next.expect("/items/0/type", "filing.abandoned").expect("/has_more", false);
    let seen = page.text("/items/0/id");
    let rest = partner.get(&format!("/v1/events?after={seen}")).expect_status(200);
    assert_eq!(rest.at("/items").as_array().map(Vec::len), Some(1));
    rest.expect("/items/0/filing_id", filing.as_str());
    other.get(&format!("/v1/events?after={seen}")).expect_problem(400, "invalid_parameter");
    let some = partner.get("/v1/events?type=filing.abandoned,bureau.approved").expect_status(200);
    assert_eq!(some.at("/items").as_array().map(Vec::len), Some(1));
    let later = (app.now() + Duration::seconds(1)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    assert_eq!(partner.get(&format!("/v1/events?since={later}")).expect_status(200).at("/items"), json!([]));
    assert_eq!(admin.get("/v1/events").expect_status(200).at("/items").as_array().map(Vec::len), Some(2));

    // Changing and deleting.
    let tag = partner.get(&path).expect_status(200).header("etag").unwrap();
    let mine = partner.with("If-Match", tag);
    mine.patch(&path, json!({ "description": null })).expect_status(200).expect("/description", Value::Null);
    mine.patch(&path, json!({ "description": "二" })).expect_problem(412, "precondition_failed");
    partner.delete(&path).expect_status(204);
    partner.get(&path).expect_status(404);
    two_events(&partner, "ORDER-2");
    app.run_jobs();
}

/// For somebody else's verifier: secrets, headers and body of one signed request as JSON, which `tests/standardwebhooks/run`
/// gives to the published libraries.
#[test]
fn a_signed_request_is_written_down_for_the_published_libraries() {
    let app = spawn();
    // The libraries compare the time with the system's.
    #[allow(clippy::disallowed_methods, reason = "the published libraries look at the real clock")]
    let real = Utc::now();
    app.advance(real - app.now());
    let (partner, receiver) = (app.partner(), Receiver::start());
    let (path, old) = endpoint(&partner, &receiver.url, json!({}));
    let new = partner.post(&format!("{path}/rotate-secret"), json!({})).expect_status(200).text("/secret");
    two_events(&partner, "订单-1");
    app.run_jobs();
    let request = receiver.take().remove(0);
    let headers: serde_json::Map<String, Value> = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .iter()
        .map(|name| ((*name).to_owned(), json!(request.header(name))))
        .collect();
    assert!(headers.values().all(|value| value.as_str().is_some_and(|text| !text.is_empty())), "{headers:?}");
    let signed = json!({ "secrets": [old, new], "headers": headers, "body": request.body });
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/signed-webhook.json"), signed.to_string()).unwrap();
}
