//! The client's side: what of each case would reach an origin, and what is refused with which status.

use serde_json::Value;

use super::{CLIENT_CASES, cases, expand, numbers, text, texts};
use crate::http::{RequestHead, Upgrade};
use crate::http1::body::{BodyDecoder, Next};
use crate::http1::decode::{self, Decoded, Policy};
use crate::http1::encode;

/// What the codec makes of the bytes of one connection.
#[derive(Default)]
struct Connection {
    /// Requests that came whole.
    requests: Vec<Request>,
    /// The status with which the next one is refused; 0 if the bytes end within it, none if they end before it.
    end: Option<i64>,
}

struct Request {
    head: RequestHead,
    body: Vec<u8>,
}

impl Connection {
    fn read(mut bytes: &[u8]) -> Connection {
        let mut connection = Connection::default();
        while !bytes.is_empty() {
            let mut head = RequestHead::default();
            match decode::request(bytes, &Policy::default(), &mut head) {
                Ok(Decoded::Head { len }) => bytes = &bytes[len..],
                Ok(Decoded::Incomplete) => return connection.ended(0),
                Err(bad) => return connection.ended(i64::from(bad.status())),
            }
            let mut body = Vec::new();
            let mut decoder = BodyDecoder::new(head.body);
            loop {
                let Ok(piece) = decoder.next(bytes) else { return connection.ended(400) };
                body.extend_from_slice(&bytes[piece.data]);
                bytes = &bytes[piece.consumed..];
                match piece.next {
                    Next::Look => {}
                    Next::Read => return connection.ended(0),
                    Next::End => break,
                }
            }
            let keep_alive = head.keep_alive;
            connection.requests.push(Request { head, body });
            if !keep_alive {
                break;
            }
        }
        connection
    }

    fn ended(mut self, status: i64) -> Connection {
        self.end = Some(status);
        self
    }

    /// The status of the first answer: 200 for what an origin would see.
    fn status(&self) -> i64 {
        if self.requests.is_empty() { self.end.unwrap_or(0) } else { 200 }
    }
}

/// Cases whose `strict` choice cannot be had from the codec, and why.
const STRICT_ELSEWHERE: [(&str, &str); 2] = [
    ("hop-nominate-content-length", "ds-hop-cl and te-connection-nominated want the same refused"),
    ("cl-u32", "4 GiB is a length like any other: the connection waits for the body"),
];

#[test]
fn every_case_of_the_client_side() {
    let mut failed = Vec::new();
    let cases = cases(CLIENT_CASES);
    assert!(cases.len() > 300);
    for case in &cases {
        let connection = Connection::read(&expand(text(case, "request")));
        let problems = problems(case, &connection);
        if !problems.is_empty() {
            failed.push(format!("{}: {}", text(case, "id"), problems.join("; ")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn problems(case: &Value, connection: &Connection) -> Vec<String> {
    let mut problems = Vec::new();
    let status = connection.status();
    let allowed = numbers(&case["status"]);
    // A client that waits, or goes, without having said all is the connection's business.
    if status != 0 && !allowed.contains(&status) {
        problems.push(format!("status {status}, allowed {allowed:?}"));
    }
    let is_forwarded = status == 200;
    let is_strict_elsewhere = STRICT_ELSEWHERE.iter().any(|(id, _)| *id == text(case, "id"));
    match (text(case, "expect"), text(case, "strict")) {
        ("reject", _) if is_forwarded => problems.push("forwarded".to_owned()),
        ("forward", _) if status == 0 => problems.push("incomplete".to_owned()),
        ("either", "reject") if is_forwarded && !is_strict_elsewhere => {
            problems.push("forwarded; our choice is to refuse".to_owned())
        }
        ("either", "forward") if !is_forwarded && !is_strict_elsewhere => {
            problems.push(format!("status {status}; our choice is to forward"));
        }
        _ => {}
    }
    for target in texts(&case["never"]) {
        if connection.requests.iter().any(|request| request.head.target.starts_with(target.as_bytes())) {
            problems.push(format!("{target} was taken for a request"));
        }
    }
    if is_forwarded {
        problems.extend(upstream_problems(&case["upstream"], connection));
    }
    problems
}

fn upstream_problems(want: &Value, connection: &Connection) -> Vec<String> {
    let mut problems = Vec::new();
    let first = &connection.requests[0];
    if let Some(count) = want["n"].as_u64()
        && count != connection.requests.len() as u64
    {
        problems.push(format!("{} requests", connection.requests.len()));
    }
    for (key, is) in [("method", &first.head.method), ("target", &first.head.target), ("body", &first.body)] {
        if let Some(wanted) = want[key].as_str()
            && expand(wanted) != *is
        {
            problems.push(format!("{key} {}", is.escape_ascii()));
        }
    }
    if let Some(host) = want["host"].as_str()
        && !first.head.authority.eq_ignore_ascii_case(host.as_bytes())
    {
        problems.push(format!("host {}", first.head.authority.escape_ascii()));
    }
    let mut sent = Vec::new();
    encode::request(&first.head, first.head.body, &mut sent);
    for name in texts(&want["absent"]).into_iter().filter(|name| *name != "x-forwarded-client-cert") {
        if first.head.fields.get_text(name.as_bytes()).is_some()
            || sent.windows(name.len() + 3).any(|w| w == format!("\n{name}: ").as_bytes())
        {
            problems.push(format!("{name} got through"));
        }
    }
    for (name, value) in want["has"].as_object().into_iter().flatten() {
        let line = format!("\r\n{name}: {}\r\n", value.as_str().unwrap());
        if !String::from_utf8_lossy(&sent).to_ascii_lowercase().contains(&line) {
            problems.push(format!("no {name}"));
        }
    }
    problems
}

#[test]
fn websocket_is_asked_for_and_passed_on() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let connection = Connection::read(bytes);
    let head = &connection.requests[0].head;
    assert_eq!(head.upgrade, Upgrade::WebSocket);
    let mut sent = Vec::new();
    encode::request(head, head.body, &mut sent);
    let wanted = b"GET / HTTP/1.1\r\nhost: a\r\nsec-websocket-version: 13\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(sent.escape_ascii().to_string(), wanted.escape_ascii().to_string());
}
