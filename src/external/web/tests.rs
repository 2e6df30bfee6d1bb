//! The client against real sockets on the loopback, with a resolver that lies.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const LOOSE: Policy = Policy { allow_loopback: true };

/// Gives one list of addresses after the other, the last one again and again.
struct Scripted(Mutex<Vec<Vec<SocketAddr>>>);

#[async_trait]
impl Resolver for Scripted {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        let mut lists = self.0.lock().expect("not poisoned");
        Ok(if lists.len() > 1 { lists.remove(0) } else { lists[0].clone() })
    }
}

fn scripted(policy: Policy, lists: &[&[&str]]) -> WebClient {
    let parse = |list: &&[&str]| list.iter().map(|text| text.parse().expect("an address")).collect();
    WebClient::with_resolver(policy, Arc::new(Scripted(Mutex::new(lists.iter().map(parse).collect()))))
}

/// A receiver that reads a request, answers these bytes and closes; its address, and the request once it came.
async fn receiver(answer: Vec<u8>) -> (SocketAddr, tokio::sync::oneshot::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (send, receive) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let mut seen = Vec::new();
        let mut piece = [0_u8; 4096];
        while !seen.ends_with(b"{}") {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(count) => seen.extend_from_slice(&piece[..count]),
            }
        }
        let _ = stream.write_all(&answer).await;
        let _ = send.send(String::from_utf8_lossy(&seen).into_owned());
    });
    (address, receive)
}

#[tokio::test]
async fn a_call_carries_headers_and_body_to_the_address_that_was_checked() {
    let (address, seen) = receiver(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood".to_vec()).await;
    let client = WebClient::new(LOOSE);
    let url = format!("http://{address}/hook?a=1");
    let answer = client.post(&url, &[("webhook-id", "x".to_owned())], "{}").await;
    assert_eq!(answer, Ok(Answer { status: 200, body: "good".to_owned() }));
    let seen = seen.await.expect("a request");
    assert!(seen.starts_with("POST /hook?a=1 HTTP/1.1\r\n"), "{seen}");
    for line in [&format!("host: {address}"), "webhook-id: x", "content-type: application/json"] {
        assert!(seen.contains(&format!("{line}\r\n")), "{line} in {seen}");
    }
}

#[tokio::test]
async fn a_name_that_turns_inwards_after_it_was_checked_is_not_followed() {
    // Public when the endpoint is made, the loopback when it is called.
    let (address, mut seen) = receiver(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()).await;
    let inside = address.to_string();
    let client = scripted(Policy::default(), &[&["8.8.8.8:443"], &[&inside]]);
    assert_eq!(client.check("https://rebind.example.com/").await, Ok(()));
    assert_eq!(client.post("https://rebind.example.com/", &[], "{}").await, Err(WebError::NotPublic));
    assert!(seen.try_recv().is_err(), "somebody called");
    // And one bad address among good ones spoils all.
    let client = scripted(Policy::default(), &[&["8.8.8.8:443", "10.0.0.1:443"]]);
    assert_eq!(client.check("https://mixed.example.com/").await, Err(UrlFault::NotPublic));
    assert_eq!(client.post("https://mixed.example.com/", &[], "{}").await, Err(WebError::NotPublic));
    let literal = WebClient::new(Policy::default());
    assert_eq!(literal.post("https://127.0.0.1/", &[], "{}").await, Err(WebError::NotAllowed));
}

#[tokio::test]
async fn redirects_are_answers_and_long_answers_are_cut() {
    let moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
    let (address, _seen) = receiver(moved).await;
    let answer = WebClient::new(LOOSE).post(&format!("http://{address}/"), &[], "{}").await;
    assert_eq!(answer.map(|answer| answer.status), Ok(302));
    let mut long = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n".to_vec();
    long.resize(long.len() + 200_000, b'x');
    let (address, _seen) = receiver(long).await;
    let answer = WebClient::new(LOOSE).post(&format!("http://{address}/"), &[], "{}").await;
    assert_eq!(answer.map(|answer| answer.body.len()), Ok(MAX_ANSWER));
}

#[tokio::test]
async fn faults_of_the_other_side_are_told_apart() {
    let (address, _seen) = receiver(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()).await;
    let client = WebClient::new(LOOSE);
    assert_eq!(client.post(&format!("http://{address}/"), &[], "{}").await, Err(WebError::BadAnswer));
    // Somebody who speaks first, and not TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let answer = client.post(&format!("https://{address}/"), &[], "{}").await;
    assert!(matches!(answer, Err(WebError::Tls(_))), "{answer:?}");
    // Nobody listens on a port that was just given back.
    let free = TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr());
    let answer = client.post(&format!("http://{}/", free.expect("a port")), &[], "{}").await;
    assert_eq!(answer, Err(WebError::NoConnection(io::ErrorKind::ConnectionRefused)));
}
