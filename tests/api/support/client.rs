//! A caller of the API over HTTP, and what came back.

use std::io::{BufRead, BufReader};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// Somebody with (or without) a token.
#[derive(Clone)]
pub struct Client {
    base: String,
    token: Option<String>,
    headers: Vec<(String, String)>,
}

impl Client {
    pub fn new(base: &str, token: Option<String>) -> Self {
        Self { base: base.to_owned(), token, headers: Vec::new() }
    }

    /// The same caller with one more header on each request.
    pub fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.headers.push((name.to_owned(), value.into()));
        other
    }

    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, None)
    }

    pub fn delete(&self, path: &str) -> Response {
        self.send("DELETE", path, None)
    }

    pub fn post(&self, path: &str, body: Value) -> Response {
        self.send("POST", path, Some(body.to_string().into_bytes()))
    }

    /// A POST without a body.
    pub fn act(&self, path: &str) -> Response {
        self.send("POST", path, None)
    }

    pub fn patch(&self, path: &str, body: Value) -> Response {
        self.send("PATCH", path, Some(body.to_string().into_bytes()))
    }

    pub fn put(&self, path: &str, body: Value) -> Response {
        self.send("PUT", path, Some(body.to_string().into_bytes()))
    }

    /// Any request. A body is sent as `application/json` unless a header says otherwise.
    pub fn send(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Response {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(std::time::Duration::from_secs(30)))
            .build()
            .into();
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if body.is_some() && !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("Content-Type", "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let result = match body {
            Some(body) => agent.run(request.body(body).unwrap()),
            None => agent.run(request.body(()).unwrap()),
        };
        let mut reply = result.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let headers = reply
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let is_stream = reply.headers().get("content-type").is_some_and(|kind| kind == EVENT_STREAM);
        let body = if is_stream {
            // It has no end: its first message will do here, see `follow`.
            let lines = BufReader::new(reply.body_mut().as_reader()).lines().map(Result::unwrap);
            lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n").into_bytes()
        } else {
            reply.body_mut().read_to_vec().unwrap()
        };
        let reply =
            Response { status: reply.status().as_u16(), what: format!("{method} {path}"), headers, body };
        if !path.starts_with("http") {
            super::documented::compare(method, path, &reply);
        }
        reply
    }

    /// Opens a stream of events and follows it.
    #[track_caller]
    pub fn follow(&self, path: &str) -> Events {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        let mut request = ureq::http::Request::builder().uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut reply = agent.run(request.body(()).unwrap()).unwrap();
        assert_eq!(reply.status(), 200, "{path}: {:?}", reply.body_mut().read_to_string());
        assert_eq!(reply.headers()["content-type"], EVENT_STREAM);
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let reader = BufReader::new(reply.into_body().into_reader());
            for line in reader.lines() {
                // The reader has gone, or the connection has broken off.
                let Ok(line) = line else { return };
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Events(receive)
    }

    /// Uploads bytes as the API's `upload` object says.
    pub fn upload(upload: &Value, bytes: &[u8]) -> Response {
        let mut client = Self::new("", None);
        for (name, value) in upload["headers"].as_object().expect("upload.headers") {
            if !name.eq_ignore_ascii_case("content-length") && !name.eq_ignore_ascii_case("host") {
                client = client.with(name, value.as_str().unwrap());
            }
        }
        client.send(upload["method"].as_str().unwrap(), upload["url"].as_str().unwrap(), Some(bytes.to_vec()))
    }
}

/// Media type of server-sent events.
const EVENT_STREAM: &str = "text/event-stream";
/// Longest wait for a message; far more than needed, for busy machines.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stream of server-sent events, read by the rules of the HTML standard.
pub struct Events(mpsc::Receiver<String>);

/// A message of a stream.
#[derive(Debug)]
pub struct Event {
    pub id: Option<String>,
    pub kind: String,
    pub data: Value,
}

impl Events {
    /// The next message; none when the stream has ended. Comments are skipped.
    #[track_caller]
    pub fn next(&self) -> Option<Event> {
        let (mut id, mut kind, mut data) = (None, String::from("message"), String::new());
        loop {
            let line = match self.0.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("no message came"),
            };
            match line.split_once(':').map(|(name, value)| (name, value.strip_prefix(' ').unwrap_or(value))) {
                None if line.is_empty() && !data.is_empty() => {
                    let data = serde_json::from_str(&data).unwrap_or_else(|_| panic!("not JSON: {data}"));
                    return Some(Event { id, kind, data });
                }
                Some(("id", value)) => id = Some(value.to_owned()),
                Some(("event", value)) => kind = value.to_owned(),
                Some(("data", value)) => data.push_str(value),
                Some(("retry", value)) => assert!(value.parse::<u32>().is_ok(), "{line}"),
                Some(("", _)) | None => {}
                Some(_) => panic!("not a line of a stream: {line}"),
            }
        }
    }

    /// The next message must be of this kind.
    #[track_caller]
    pub fn expect(&self, kind: &str) -> Event {
        let event = self.next().unwrap_or_else(|| panic!("the stream ended before {kind}"));
        assert_eq!(event.kind, kind, "{event:?}");
        event
    }

    /// The next line that is a comment.
    #[track_caller]
    pub fn comment(&self) -> String {
        let next = || self.0.recv_timeout(PATIENCE).expect("a line");
        std::iter::repeat_with(next).find(|line| line.starts_with(':')).unwrap()
    }
}

/// What came back.
pub struct Response {
    pub status: u16,
    what: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// Fails the test unless the status is this one.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, String::from_utf8_lossy(&self.body));
        self
    }

    /// Fails the test unless it is a problem with this status and code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let reply = self.expect_status(status);
        assert_eq!(
            reply.header("content-type").as_deref(),
            Some("application/problem+json"),
            "{}",
            reply.what
        );
        assert_eq!(reply.at("/code"), code, "{}: {}", reply.what, reply.json());
        reply
    }

    /// Fails the test unless the value at the pointer is this one.
    #[track_caller]
    pub fn expect(self, pointer: &str, value: impl Into<Value>) -> Self {
        assert_eq!(self.at(pointer), value.into(), "{} at {pointer}: {}", self.what, self.json());
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}: not JSON: {}", self.what, String::from_utf8_lossy(&self.body)))
    }

    /// The body, if it is JSON.
    pub fn try_json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The value at a JSON pointer; null when absent.
    #[track_caller]
    pub fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// The text at a JSON pointer.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> String {
        match self.at(pointer) {
            Value::String(text) => text,
            other => panic!("{}: no text at {pointer} but {other}: {}", self.what, self.json()),
        }
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
    }

    /// Every value of a header that may come several times.
    pub fn header_values(&self, name: &str) -> Vec<String> {
        let of_name = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.clone()).collect()
    }

    /// Codes of `errors[]` with their places: `"/website/name required"`.
    #[track_caller]
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self
            .at("/errors")
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| {
                let place = ["pointer", "parameter", "header"]
                    .iter()
                    .find_map(|name| error[*name].as_str())
                    .unwrap_or("");
                format!("{place} {}", error["code"].as_str().unwrap_or(""))
            })
            .collect();
        faults.sort();
        faults
    }
}
