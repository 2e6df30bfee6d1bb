//! A small SMTP server for tests: keeps every mail, and can be told to refuse the next ones. Speaks just enough of
//! RFC 5321 for a real client.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A mail as it came in.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Addresses of the envelope.
    pub recipients: Vec<String>,
    /// The message, dots undone.
    pub data: String,
}

/// A running server.
pub struct SmtpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    refusals: Mutex<VecDeque<String>>,
    /// How many recipients were offered, refused ones included.
    offers: Mutex<usize>,
    stop: AtomicBool,
}

impl SmtpServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let accept = move || {
            for stream in listener.incoming() {
                if own.stop.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, shared) = (stream.unwrap(), own.clone());
                // Ends with its connection.
                std::thread::spawn(move || converse(stream, &shared));
            }
        };
        Self { address, shared, listener: Some(std::thread::spawn(accept)) }
    }

    /// For `SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Answers the next recipient with this line, such as `451 4.3.0 try later`; several queue up.
    pub fn refuse_next(&self, reply: &str) {
        self.shared.refusals.lock().unwrap().push_back(reply.to_owned());
    }

    /// Everything that was accepted.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap().clone()
    }

    /// How often a client tried.
    pub fn offers(&self) -> usize {
        *self.shared.offers.lock().unwrap()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees the flag.
        drop(TcpStream::connect(self.address));
        if let Some(listener) = self.listener.take() {
            listener.join().unwrap();
        }
    }
}

/// One connection, until the client leaves.
fn converse(stream: TcpStream, shared: &Shared) {
    let mut writer = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut say = move |text: &str| writer.write_all(format!("{text}\r\n").as_bytes()).is_ok();
    let mut recipients = Vec::new();
    say("220 test ESMTP");
    while let Some(Ok(line)) = lines.next() {
        let verb: String = line.chars().take(4).collect::<String>().to_ascii_uppercase();
        let is_heard = match verb.as_str() {
            "EHLO" => say("250-test\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES"),
            "MAIL" => {
                recipients.clear();
                say("250 2.1.0 ok")
            }
            "RCPT" => {
                *shared.offers.lock().unwrap() += 1;
                match shared.refusals.lock().unwrap().pop_front() {
                    Some(reply) => say(&reply),
                    None => {
                        let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                        recipients.push(address.to_owned());
                        say("250 2.1.5 ok")
                    }
                }
            }
            "DATA" => {
                say("354 go on");
                let mut data = String::new();
                for line in lines.by_ref().map_while(Result::ok).take_while(|line| line != ".") {
                    data.push_str(line.strip_prefix('.').unwrap_or(&line));
                    data.push_str("\r\n");
                }
                shared.mails.lock().unwrap().push(Mail { recipients: std::mem::take(&mut recipients), data });
                say("250 2.0.0 queued")
            }
            "NOOP" | "RSET" => say("250 2.0.0 ok"),
            "QUIT" => {
                say("221 2.0.0 bye");
                return;
            }
            _ => say("502 5.5.1 unknown"),
        };
        if !is_heard {
            return;
        }
    }
}

impl Mail {
    /// A header's value, unfolded and decoded; empty when it is absent.
    pub fn header(&self, name: &str) -> String {
        header(&self.data, name).map(|value| decode_words(&value)).unwrap_or_default()
    }

    /// Media type and decoded text of each part of a multipart message, in order.
    pub fn parts(&self) -> Vec<(String, String)> {
        let kind = header(&self.data, "Content-Type").unwrap_or_default();
        let boundary =
            kind.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let body = self.data.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let mark = format!("--{boundary}");
        let pieces = body.split(&mark).skip(1).filter(|piece| !piece.starts_with("--"));
        pieces
            .map(|piece| {
                let piece = piece.trim_start_matches("\r\n");
                let kind = header(piece, "Content-Type").unwrap_or_default();
                let encoding = header(piece, "Content-Transfer-Encoding").unwrap_or_default();
                let text = piece.split_once("\r\n\r\n").map_or("", |(_, text)| text);
                let bytes = match encoding.as_str() {
                    "base64" => STANDARD.decode(text.split_whitespace().collect::<String>()).unwrap(),
                    "quoted-printable" => quoted_printable(&text.replace("=\r\n", "")),
                    _ => text.as_bytes().to_vec(),
                };
                (kind.split(';').next().unwrap_or_default().to_owned(), String::from_utf8(bytes).unwrap())
            })
            .collect()
    }
}

fn header(text: &str, name: &str) -> Option<String> {
    let head = text.split("\r\n\r\n").next()?.replace("\r\n ", " ").replace("\r\n\t", " ");
    let prefix = format!("{}:", name.to_ascii_lowercase());
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&prefix))?;
    Some(line[prefix.len()..].trim().to_owned())
}

/// RFC 2047: `=?utf-8?b?…?=`; spaces between two such words do not count.
fn decode_words(value: &str) -> String {
    let mut text = String::new();
    let mut was_encoded = false;
    for word in value.split(' ') {
        let fields: Vec<&str> = word.split('?').collect();
        let decoded = match fields[..] {
            ["=", charset, kind, content, "="] if charset.eq_ignore_ascii_case("utf-8") => match kind {
                "b" | "B" => STANDARD.decode(content).ok(),
                _ => Some(quoted_printable(&content.replace('_', " "))),
            },
            _ => None,
        };
        let is_encoded = decoded.is_some();
        if !(text.is_empty() || was_encoded && is_encoded) {
            text.push(' ');
        }
        match decoded {
            Some(bytes) => text.push_str(&String::from_utf8(bytes).unwrap()),
            None => text.push_str(word),
        }
        was_encoded = is_encoded;
    }
    text
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let mut pieces = text.split('=');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    bytes
}
