//! An origin that keeps its answers until it is told to give them, and that knows how many connections it has.

// Threads of a test may wait for each other.
#![allow(clippy::disallowed_types)]

use super::{harness::PATIENCE, origin::Origin};
use rustix::net::RecvFlags;
use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, mpsc::Sender},
    thread,
};

/// What it answers.
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The origin.
pub(crate) struct HeldOrigin {
    origin: Origin,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Default)]
struct Counts {
    /// Requests that wait for their answers.
    held: usize,
    /// Answers that may be given.
    allowed: usize,
    /// The most requests at a time.
    held_most: usize,
    /// The most connections at a time.
    connections_most: usize,
}

impl HeldOrigin {
    /// Answers 200 when it is told to.
    pub(crate) fn new() -> HeldOrigin {
        HeldOrigin::with(0)
    }

    /// The first so many answers are given at once.
    pub(crate) fn with(allowed: usize) -> HeldOrigin {
        let state = Arc::new(State {
            counts: Mutex::new(Counts { allowed, ..Counts::default() }),
            ..State::default()
        });
        let inner = Arc::clone(&state);
        let behind = Origin::serve(move |_, stream| {
            inner.hold();
            stream.write_all(OK).is_ok()
        });
        HeldOrigin { origin: behind, state }
    }

    /// Another origin, which answers 503 to first attempts, tells of each, and holds those that come again as this one does.
    pub(crate) fn failing_first(&self, failures: Sender<()>) -> Origin {
        let inner = Arc::clone(&self.state);
        Origin::serve(move |request, stream| {
            if request.field("x-envoy-attempt-count") == Some("1") {
                let _ = failures.send(());
                let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nfirst";
                return stream.write_all(answer).is_ok();
            }
            inner.hold();
            stream.write_all(OK).is_ok()
        })
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.origin.port()
    }

    /// Waits until so many requests wait for their answers.
    pub(crate) fn until_held(&self, count: usize) {
        self.state.until(|counts| counts.held == count);
    }

    /// Gives so many answers, to those who wait or to those who come.
    pub(crate) fn answer(&self, count: usize) {
        self.state.counts.lock().unwrap().allowed += count;
        self.state.changed.notify_all();
    }

    /// The most requests that it has had at a time.
    pub(crate) fn held_most(&self) -> usize {
        self.state.counts.lock().unwrap().held_most
    }
}

impl State {
    fn hold(&self) {
        let mut counts = self.counts.lock().unwrap();
        counts.held += 1;
        counts.held_most = counts.held_most.max(counts.held);
        self.changed.notify_all();
        while counts.allowed == 0 {
            counts = self.changed.wait(counts).unwrap();
        }
        counts.allowed -= 1;
        counts.held -= 1;
        self.changed.notify_all();
    }

    fn until(&self, holds: impl Fn(&Counts) -> bool) {
        let counts = self.counts.lock().unwrap();
        let waited = self.changed.wait_timeout_while(counts, PATIENCE, |counts| !holds(counts)).unwrap();
        assert!(!waited.1.timed_out(), "it holds {}", waited.0.held);
    }
}

/// A port in front of another one that counts the connections to it that are open: one whose end has come is not. Bytes go both
/// ways.
pub(crate) struct Counter {
    port: u16,
    state: Arc<State>,
}

impl Counter {
    pub(crate) fn before(port: u16) -> Counter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let inner = Arc::clone(&state);
        thread::spawn(move || {
            let mut open: Vec<TcpStream> = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                open.push(stream.try_clone().unwrap());
                // The end of a connection is here before the beginning of the next that took its place.
                open.retain(|stream| !has_ended(stream));
                let mut counts = inner.counts.lock().unwrap();
                counts.connections_most = counts.connections_most.max(open.len());
                drop(counts);
                let behind = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
                pass(stream.try_clone().unwrap(), behind.try_clone().unwrap());
                pass(behind, stream);
            }
        });
        Counter { port: own, state }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The most connections that were open at a time.
    pub(crate) fn most(&self) -> usize {
        self.state.counts.lock().unwrap().connections_most
    }
}

fn has_ended(stream: &TcpStream) -> bool {
    // The flag and not the socket says not to wait: another thread reads from it.
    match rustix::net::recv(stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((count, _)) => count == 0,
        Err(error) => error != rustix::io::Errno::AGAIN,
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}
