//! A small SMTP server for tests: keeps every mail, and can be told to refuse the next ones. Speaks just enough of
//! RFC 5321 for a real client.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

use super::listener::Listener;

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
    listener: Listener,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    refusals: Mutex<VecDeque<String>>,
    /// How many recipients were offered, refused ones included.
    offers: Mutex<usize>,
}

impl SmtpServer {
    pub fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        Self { listener: Listener::start(move |stream| converse(stream, &own)), shared }
    }

    /// For `SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.listener.address())
    }

    /// Answers the next recipient with this line, such as `451 4.3.0 try later`; several queue up.
    pub fn refuse_next(&self, reply: &str) {
        self.shared.refusals.lock().unwrap().push_back(reply.to_owned());
    }

    /// Forgets the refusals that are left.
    pub fn accept_all(&self) {
        self.shared.refusals.lock().unwrap().clear();
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
    /// The message as a mail program reads it.
    fn parsed(&self) -> Message<'_> {
        MessageParser::default().parse(&self.data).expect("a mail program can read it")
    }

    /// A header's value, unfolded and decoded; empty when it is absent. Fails the test when it is there twice.
    pub fn header(&self, name: &str) -> String {
        let mail = self.parsed();
        let count = mail.headers_raw().filter(|(known, _)| known.eq_ignore_ascii_case(name)).count();
        assert!(count <= 1, "{name} is there {count} times");
        if name.eq_ignore_ascii_case("subject") {
            return mail.subject().unwrap_or_default().to_owned();
        }
        let raw = mail.headers_raw().find(|(known, _)| known.eq_ignore_ascii_case(name));
        raw.map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default()
    }

    /// Name and address of the sender.
    pub fn from(&self) -> (String, String) {
        let mail = self.parsed();
        let sender = mail.from().and_then(|from| from.first()).expect("a sender");
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        (text(sender.name()), text(sender.address()))
    }

    /// Media type and decoded text of each part of a multipart message, in order.
    pub fn parts(&self) -> Vec<(String, String)> {
        let mail = self.parsed();
        let texts = mail.parts.iter().filter_map(|part| {
            let kind = part.content_type().expect("a content type");
            let text = match &part.body {
                PartType::Text(text) | PartType::Html(text) => text.to_string(),
                PartType::Multipart(_) => return None,
                other => panic!("a part that is no text: {other:?}"),
            };
            Some((format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()), text))
        });
        texts.collect()
    }
}
