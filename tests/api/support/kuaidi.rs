//! Kuaidi100's service, as its public documents describe it: checks the signature and every field of each call, and remembers
//! what was wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::Client;
use super::client::Response;
use super::restartable_server::{Answer, HttpServer, Request};

const CUSTOMER: &str = "C0FFEE";
const KEY: &str = "testkey";
const SALT: &str = "testsalt";

#[derive(Default)]
struct State {
    /// Number → answer of the query interface.
    parcels: HashMap<String, Value>,
    queries: Vec<String>,
    subscriptions: Vec<(String, String)>,
    refusal: Option<Value>,
    faults: Vec<String>,
}

/// The running service.
pub struct Kuaidi {
    server: HttpServer,
    state: Arc<Mutex<State>>,
}

impl Kuaidi {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let own = state.clone();
        Self { server: HttpServer::start(move |request| own.lock().unwrap().serve(&request)), state }
    }

    /// Settings of a server that talks to it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("KUAIDI100_URL", self.server.url("")),
            ("KUAIDI100_CUSTOMER", CUSTOMER.to_owned()),
            ("KUAIDI100_KEY", KEY.to_owned()),
            ("KUAIDI100_SALT", SALT.to_owned()),
        ]
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What a query of this number answers: state and lines (time in Shanghai, text).
    pub fn knows(&self, number: &str, state: &str, lines: &[(&str, &str)]) {
        let answer = result(number, state, lines);
        self.state().parcels.insert(number.to_owned(), answer);
    }

    /// Answers everything with this until told otherwise.
    pub fn refuses(&self, answer: Option<Value>) {
        self.state().refusal = answer;
    }

    pub fn queries(&self) -> Vec<String> {
        self.state().queries.clone()
    }

    /// Numbers with the addresses at which news are wanted.
    pub fn subscriptions(&self) -> Vec<(String, String)> {
        self.state().subscriptions.clone()
    }

    /// Tells the server under test, as the service does by itself.
    pub fn push(&self, client: &Client, number: &str, state: &str, lines: &[(&str, &str)]) -> Response {
        let param = json!({ "status": "polling", "message": "", "lastResult": result(number, state, lines) })
            .to_string();
        push_signed(client, &param, &md5(&format!("{param}{SALT}")))
    }
}

/// A push with any signature.
pub fn push_signed(client: &Client, param: &str, sign: &str) -> Response {
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("sign", sign)
        .append_pair("param", param)
        .finish();
    client.with("Content-Type", "application/x-www-form-urlencoded").send(
        "POST",
        "/v1/carrier-callbacks/kuaidi100",
        Some(body.into_bytes()),
    )
}

fn result(number: &str, state: &str, lines: &[(&str, &str)]) -> Value {
    let data: Vec<Value> = lines
        .iter()
        .map(|(at, text)| json!({ "time": at, "ftime": at, "context": text, "areaName": "北京,朝阳区" }))
        .collect();
    json!({ "message": "ok", "nu": number, "com": "shunfeng", "ischeck": "0", "status": "200", "state": state, "data": data })
}

fn md5(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect()
}

impl Drop for Kuaidi {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.state().faults.is_empty(), "{:#?}", self.state().faults);
        }
    }
}

impl State {
    fn serve(&mut self, request: &Request) -> Answer {
        let is_form = request.header("content-type").starts_with("application/x-www-form-urlencoded");
        if request.method != "POST" || !is_form {
            self.faults.push(format!("{} with {}", request.method, request.header("content-type")));
        }
        let fields: HashMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let param: Value = serde_json::from_str(&get("param")).unwrap_or_default();
        let answer = match request.path.as_str() {
            "/poll/query.do" => {
                if get("customer") != CUSTOMER
                    || get("sign") != md5(&format!("{}{KEY}{CUSTOMER}", get("param")))
                {
                    self.faults.push("customer or signature of a query".to_owned());
                }
                if param["com"] != "shunfeng" || param["phone"] != "8000" {
                    self.faults.push(format!("a query for {param}"));
                }
                let number = param["num"].as_str().unwrap_or_default().to_owned();
                let known = self.parcels.get(&number).cloned();
                self.queries.push(number);
                known.unwrap_or(
                    json!({ "result": false, "returnCode": "500", "message": "查询无结果，请隔段时间再查" }),
                )
            }
            "/poll" => {
                let own = &param["parameters"];
                if get("schema") != "json"
                    || param["key"] != KEY
                    || own["salt"] != SALT
                    || own["phone"] != "8000"
                {
                    self.faults.push(format!("a subscription with {fields:?}"));
                }
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let wanted = (text(&param["number"]), text(&own["callbackurl"]));
                let code = if self.subscriptions.contains(&wanted) { "501" } else { "200" };
                self.subscriptions.push(wanted);
                json!({ "result": code == "200", "returnCode": code, "message": "提交成功" })
            }
            other => {
                self.faults.push(format!("no service at {other}"));
                Value::Null
            }
        };
        let answer = self.refusal.clone().unwrap_or(answer);
        Answer::Reply(200, "application/json;charset=UTF-8", answer.to_string().into_bytes())
    }
}
