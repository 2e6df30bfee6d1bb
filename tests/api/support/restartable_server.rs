//! A small HTTP server for tests: one handler, which may also let a connection die, and which can be restarted on its port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What came in.
pub struct Request {
    pub method: String,
    pub path: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

/// What goes out.
pub enum Answer {
    /// Status, content type, body.
    Reply(u16, &'static str, Vec<u8>),
    /// The connection dies without a word.
    Nothing,
    /// Silence, until the server stops.
    Hang,
}

type Handler = dyn Fn(Request) -> Answer + Send + Sync;

/// A server that can be stopped and started again.
pub struct HttpServer {
    address: SocketAddr,
    handler: Arc<Handler>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: Arc<AtomicBool>,
    listener: JoinHandle<()>,
}

impl HttpServer {
    pub fn start(handler: impl Fn(Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            handler: Arc::new(handler),
            running: Mutex::default(),
        };
        server.run(listener);
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on nobody listens.
    pub fn stop(&self) {
        let running = self.running.lock().unwrap().take();
        if let Some(Running { stop, listener }) = running {
            stop.store(true, Ordering::SeqCst);
            // Wakes the listener, so that it sees the flag.
            drop(TcpStream::connect(self.address));
            listener.join().unwrap();
        }
    }

    /// Listens again, on the same port.
    pub fn start_again(&self) {
        self.run(TcpListener::bind(self.address).unwrap());
    }

    fn run(&self, listener: TcpListener) {
        let stop = Arc::new(AtomicBool::new(false));
        let (flag, handler) = (stop.clone(), self.handler.clone());
        let accept = move || {
            for stream in listener.incoming() {
                if flag.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, handler, flag) = (stream.unwrap(), handler.clone(), flag.clone());
                // Ends with its connection.
                std::thread::spawn(move || converse(stream, &*handler, &flag));
            }
        };
        *self.running.lock().unwrap() = Some(Running { stop, listener: std::thread::spawn(accept) });
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn converse(mut stream: TcpStream, handler: &Handler, stop: &AtomicBool) {
    let Some(request) = read(&stream) else { return };
    match handler(request) {
        Answer::Reply(status, content_type, body) => {
            let head = format!(
                "HTTP/1.1 {status} Answer\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
        Answer::Nothing => {}
        Answer::Hang => {
            while !stop.load(Ordering::SeqCst) {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new() };
    request.body.resize(request.header("content-length").parse().unwrap_or(0), 0);
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}
