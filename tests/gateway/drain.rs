//! How it ends while there is work.

use super::{
    client::Client,
    harness::{Gateway, PATIENCE, answering, routed},
    origin::Origin,
};
use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// An origin whose answers wait until the test lets them go, and say when a request has come.
fn held_origin() -> (Origin, Receiver<()>, Arc<Gate>) {
    let (came, comes) = channel();
    let gate = Arc::new(Gate::default());
    let (held, came) = (Arc::clone(&gate), came);
    let origin = Origin::serve(move |_, stream| {
        let _ = came.send(());
        held.wait();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").is_ok()
    });
    (origin, comes, gate)
}

/// Opened once.
#[derive(Default)]
struct Gate {
    state: std::sync::OnceLock<()>,
}

impl Gate {
    fn open(&self) {
        let _ = self.state.set(());
    }

    fn wait(&self) {
        self.state.wait();
    }
}

fn start(origin: &Origin, options: &[&str]) -> Gateway {
    let route = "  - route: [{destination: {host: a.test}}]";
    Gateway::start_with(&[80], &routed(route, &[origin.port()]), options)
}

#[test]
fn a_request_in_flight_is_answered_and_the_connection_ends_after_it() {
    let (origin, comes, gate) = held_origin();
    let gateway = start(&origin, &[]);
    let mut client = gateway.connect(80);
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    comes.recv_timeout(PATIENCE).unwrap();
    gateway.signal("TERM");
    gateway.said("draining for at most 30 s");
    assert_eq!(gateway.status_page("/healthz/ready").status, 503);
    assert_eq!(gateway.status_page("/healthz/ready").text(), "draining\n");
    assert_eq!(gateway.status_page("/healthz/live").status, 200);
    gateway.until_doors_are_closed(80);
    gate.open();
    let answer = client.answer("GET");
    assert_eq!((answer.status, answer.text()), (200, "done"));
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(client.is_closed());
    let ended = gateway.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.said.contains("no connection was cut"), "{}", ended.said);
}

#[test]
fn a_second_signal_stops_at_once() {
    let (origin, comes, gate) = held_origin();
    let gateway = start(&origin, &[]);
    let mut client = gateway.connect(80);
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    comes.recv_timeout(PATIENCE).unwrap();
    gateway.signal("INT");
    gateway.said("draining");
    gateway.signal("TERM");
    let ended = gateway.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.said.contains("stopping at once"), "{}", ended.said);
    assert!(ended.said.contains("1 connection cut"), "{}", ended.said);
    assert!(client.is_closed());
    gate.open();
}

#[test]
fn a_drain_ends_with_its_time() {
    let (origin, comes, gate) = held_origin();
    let gateway = start(&origin, &["--drain-time", "300ms"]);
    let mut client = gateway.connect(80);
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    comes.recv_timeout(PATIENCE).unwrap();
    gateway.signal("QUIT");
    let ended = gateway.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.said.contains("1 connection cut"), "{}", ended.said);
    gate.open();
}

#[test]
fn a_page_asks_for_the_drain() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let mut admin = Client::connect(gateway.admin());
    admin.send(b"GET /quitquitquit HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let refused = admin.answer("GET");
    assert_eq!((refused.status, refused.field("allow")), (405, Some("POST")));
    admin.send(b"POST /quitquitquit HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(admin.answer("POST").status, 200);
    assert_eq!(gateway.end().code, Some(0));
}

/// Clients that work without pause.
const CLIENTS: usize = 16;
/// Answers before the signal, so that it comes in the midst of work.
const ANSWERS_BEFORE: usize = 2_000;

#[test]
fn no_request_fails_when_it_drains_under_load() {
    let origin = Origin::echo();
    let gateway = start(&origin, &["--access-log", "off"]);
    let port = gateway.port(80);
    let answers = Arc::new(AtomicUsize::new(0));
    let (enough, wait_for_enough) = channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (answers, enough) = (Arc::clone(&answers), enough.clone());
            thread::spawn(move || work(number, port, &answers, &enough))
        })
        .collect();
    wait_for_enough.recv_timeout(PATIENCE).unwrap();
    gateway.signal("TERM");
    let failures: Vec<String> =
        clients.into_iter().filter_map(|client| client.join().unwrap().err()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
    let ended = gateway.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.said.contains("no connection was cut"), "{}", ended.said);
}

/// Sends requests until nobody listens any more. An error is a request that was not answered on a connection that was
/// accepted and that the gateway had not said it would close.
pub(super) fn work(
    number: usize,
    port: u16,
    answers: &AtomicUsize,
    enough: &Sender<()>,
) -> Result<(), String> {
    loop {
        let mut client = match Client::try_connect(port) {
            Ok(client) => client,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(()),
            Err(error) => return Err(format!("client {number} can't connect: {error}")),
        };
        // A client that keeps its connection for ever and one that opens many are both at work.
        for turn in 0..if number.is_multiple_of(2) { usize::MAX } else { 5 } {
            let request = format!("GET /{number}/{turn} HTTP/1.1\r\nhost: web.test\r\n\r\n");
            let is_sent = client.try_send(request.as_bytes());
            let answer = client.next("GET").filter(|_| is_sent);
            let answer = answer.ok_or_else(|| format!("client {number}, request {turn}: no answer"))?;
            if answer.status != 200 {
                return Err(format!("client {number}, request {turn}: {answer:?}"));
            }
            if answers.fetch_add(1, Ordering::Relaxed) == ANSWERS_BEFORE {
                let _ = enough.send(());
            }
            if answer.field("connection") == Some("close") {
                break;
            }
        }
    }
}
