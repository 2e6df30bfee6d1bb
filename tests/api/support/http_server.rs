//! A small HTTP server for tests that stands for somebody else's: keeps every request as it came, and answers what the
//! test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use super::listener::Listener;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// In order, names as sent.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    /// A header's value; fails the test when it is absent or there twice.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut all = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        match (all.next(), all.next()) {
            (Some((_, value)), None) => value,
            other => panic!("{name}: {other:?}"),
        }
    }
}

type Answer = Box<dyn Fn(&Request) -> (u16, String) + Send + Sync>;

/// A running server.
pub struct HttpServer {
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    requests: Mutex<Vec<Request>>,
    answer: Mutex<Answer>,
}

impl HttpServer {
    /// Answers each request as `answer` says: status and JSON body.
    pub fn start(answer: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static) -> Self {
        let answer: Answer = Box::new(answer);
        let shared = Arc::new(Shared { requests: Mutex::default(), answer: Mutex::new(answer) });
        let own = shared.clone();
        Self { listener: Listener::start(move |stream| converse(stream, &own)), shared }
    }

    /// `host:port`
    pub fn host(&self) -> String {
        self.listener.address().to_string()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// From now on, answers like this.
    pub fn answer(&self, answer: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static) {
        *self.shared.answer.lock().unwrap() = Box::new(answer);
    }

    /// Everything that came in.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }
}

/// Requests of one connection, until the client leaves.
fn converse(stream: TcpStream, shared: &Shared) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        shared.requests.lock().unwrap().push(request.clone());
        let (status, body) = (shared.answer.lock().unwrap())(&request);
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if writer.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body: String::from_utf8(body).unwrap() })
}
