//! Tests of connections as a whole, and what they share.

mod against_h2;
mod endings;
mod exchanges;
mod flow;
mod frames;
mod heads;
mod memory;
mod mutation;
mod waiting;

use super::{
    Config, Connection, ConnectionError, Key, Received, StreamEnd, Then, Verdict,
    frame::{self, FrameHeader, HEADER_BYTES, PREFACE},
    hpack,
};
use crate::{
    buffer::Pool,
    http::{BodyLength, Fields, Name, RequestHead, ResponseHead, Scheme, Underscores},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Wake, Waker},
};

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waker, and how often it was woken.
struct Bell {
    count: Arc<Count>,
    waker: Waker,
}

impl Bell {
    fn new() -> Bell {
        let count = Arc::new(Count::default());
        Bell { waker: Waker::from(Arc::clone(&count)), count }
    }

    /// How often it was woken since the last time that this was asked.
    fn rung(&self) -> usize {
        self.count.0.swap(0, Ordering::Relaxed)
    }
}

/// The same numbers in each run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// A body that tells when bytes are lost or in the wrong order.
    fn body(&mut self, len: usize) -> Vec<u8> {
        (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(len).collect()
    }
}

/// A connection, and what came for it that it has not taken.
struct End {
    connection: Connection,
    came: Vec<u8>,
}

impl End {
    fn new(config: Config) -> End {
        let connection = Connection::new(config, Underscores::Allow, Pool::new(), 0);
        End { connection, came: Vec::new() }
    }

    fn receive(&mut self, bytes: &[u8], now_ms: u64) -> Result<(), ConnectionError> {
        self.came.extend_from_slice(bytes);
        let taken = self.connection.receive(&self.came, now_ms)?;
        self.came.drain(..taken);
        Ok(())
    }
}

/// A client and a server.
struct Pair {
    client: End,
    server: End,
    now_ms: u64,
}

/// Which side sends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl Pair {
    fn new() -> Pair {
        Pair::with(|_| {}, |_| {})
    }

    /// With other configurations of the client and of the server.
    fn with(client: impl FnOnce(&mut Config), server: impl FnOnce(&mut Config)) -> Pair {
        let (mut for_client, mut for_server) = (Config::client(), Config::server());
        client(&mut for_client);
        server(&mut for_server);
        let mut pair = Pair { client: End::new(for_client), server: End::new(for_server), now_ms: 0 };
        pair.pass();
        pair
    }

    /// Both with windows of so many bytes for a stream.
    fn narrow(window: u32) -> Pair {
        Pair::with(|config| config.stream_window = window, |config| config.stream_window = window)
    }

    /// Hands over what both have to send, until neither has anything.
    fn pass(&mut self) {
        self.try_pass().unwrap();
    }

    fn try_pass(&mut self) -> Result<(), ConnectionError> {
        while self.client.connection.has_out() || self.server.connection.has_out() {
            let up = self.client.connection.take_out(Vec::new());
            self.server.receive(&up, self.now_ms)?;
            let down = self.server.connection.take_out(Vec::new());
            self.client.receive(&down, self.now_ms)?;
        }
        Ok(())
    }

    /// A request arrives: its stream on both sides.
    fn request(&mut self, head: &RequestHead) -> (Key, Key, RequestHead) {
        let here = self.client.connection.send_request(head, self.now_ms);
        self.pass();
        let arrival = self.server.connection.next_arrival().unwrap();
        assert_eq!(arrival.verdict, Verdict::Serve);
        (here, arrival.stream.unwrap(), *arrival.head)
    }

    fn ends(&mut self, way: Way) -> (&mut Connection, &mut Connection) {
        let Pair { client: End { connection: client, .. }, server: End { connection: server, .. }, .. } =
            self;
        if way == Way::Up { (client, server) } else { (server, client) }
    }

    /// Sends a body in pieces as large as the windows allow, and gives what arrived of it.
    fn send(&mut self, way: Way, keys: (Key, Key), body: &[u8], then: Then) -> Vec<u8> {
        let (from, to) = if way == Way::Up { keys } else { (keys.1, keys.0) };
        let mut rest = body;
        let mut arrived = Vec::new();
        loop {
            let (sender, _) = self.ends(way);
            let mut is_done = false;
            if let Poll::Ready(sent) = sender.send_data(from, rest, then, Waker::noop()) {
                rest = &rest[sent.unwrap()..];
                is_done = rest.is_empty();
            }
            self.pass();
            let (_, receiver) = self.ends(way);
            let before = arrived.len();
            arrived.extend(take_all(receiver, to).0);
            if is_done {
                return arrived;
            }
            self.pass();
            assert!(arrived.len() > before || !rest.is_empty());
        }
    }

    /// Lets go of a stream on both sides.
    fn abandon(&mut self, (here, there): (Key, Key)) {
        self.client.connection.abandon(here);
        self.server.connection.abandon(there);
        self.pass();
    }

    /// When all streams are gone, the windows of the connection are whole, whatever has happened.
    fn assert_whole(&mut self) {
        self.pass();
        for (one, other) in [(&self.client, &self.server), (&self.server, &self.client)] {
            let (sends, takes) = (&one.connection, &other.connection);
            assert_eq!((sends.streams(), sends.streams.open(), sends.waiting.len()), (0, 0, 0));
            assert_whole_alone(takes);
            assert_eq!(sends.send_window, takes.receive_window);
        }
    }
}

/// The window that a peer has, with what it will be told of, is the one that it is to have.
fn assert_whole_alone(connection: &Connection) {
    let whole = i64::from(connection.receive_target);
    assert_eq!(connection.receive_window + i64::from(connection.released), whole);
}

/// Takes and releases what has come on a stream: the data, and what was behind them if that is known.
fn take_all(connection: &mut Connection, key: Key) -> (Vec<u8>, Option<Result<Option<Fields>, StreamEnd>>) {
    let mut data = Vec::new();
    loop {
        match connection.receive_body(key, Waker::noop()) {
            Poll::Ready(Ok(Received::Data(buffer))) => {
                data.extend_from_slice(buffer.bytes());
                connection.release(key, buffer.len());
            }
            Poll::Ready(Ok(Received::Trailers(trailers))) => return (data, Some(Ok(Some(*trailers)))),
            Poll::Ready(Ok(Received::End)) => return (data, Some(Ok(None))),
            Poll::Ready(Err(end)) => return (data, Some(Err(end))),
            Poll::Pending => return (data, None),
        }
    }
}

/// A request for `/` without a body.
fn get() -> RequestHead {
    request(b"GET", BodyLength::None)
}

/// A request for `/` with a body.
fn post() -> RequestHead {
    request(b"POST", BodyLength::Unknown)
}

fn request(method: &[u8], body: BodyLength) -> RequestHead {
    let mut head = RequestHead { scheme: Scheme::Https, body, ..RequestHead::default() };
    head.method.extend_from_slice(method);
    head.authority.extend_from_slice(b"a.example");
    head.set_target(b"/").unwrap();
    head
}

fn response(status: u16) -> ResponseHead {
    ResponseHead { status, ..ResponseHead::default() }
}

fn fields(of: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    of.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
    fields
}

/// The next response head that a client has.
fn next_response(connection: &mut Connection, key: Key) -> Option<Result<ResponseHead, StreamEnd>> {
    let mut head = ResponseHead::default();
    match connection.receive_response(key, &mut head, Waker::noop()) {
        Poll::Ready(result) => Some(result.map(|()| head)),
        Poll::Pending => None,
    }
}

/// A frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame::header(payload.len(), kind, flags, stream).to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block whose fields are all literals.
fn block(of: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in of {
        block.push(0);
        for text in [name, value] {
            string(text.as_bytes(), &mut block);
        }
    }
    block
}

/// A string literal without Huffman's code.
fn string(text: &[u8], out: &mut Vec<u8>) {
    match text.len() {
        len @ ..127 => out.push(len as u8),
        len => {
            out.push(127);
            let mut left = len - 127;
            while left >= 128 {
                out.push(left as u8 | 0x80);
                left >>= 7;
            }
            out.push(left as u8);
        }
    }
    out.extend_from_slice(text);
}

/// What every good request has.
const PSEUDO: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "a.example")];

/// HEADERS of a good request.
fn headers(stream: u32, flags: u8) -> Vec<u8> {
    frame(frame::HEADERS, flags | frame::END_HEADERS, stream, &block(&PSEUDO))
}

/// A client that says what it is told to.
struct Raw {
    server: End,
}

impl Raw {
    /// A server that a client has introduced itself to.
    fn new(config: impl FnOnce(&mut Config)) -> Raw {
        let mut for_server = Config::server();
        config(&mut for_server);
        let mut raw = Raw { server: End::new(for_server) };
        raw.server.receive(PREFACE, 0).unwrap();
        raw.say(&frame(frame::SETTINGS, 0, 0, &[])).unwrap();
        raw.answers();
        raw
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), ConnectionError> {
        self.server.receive(bytes, 0)
    }

    /// What the server has sent: kind, flags, stream and payload of each frame.
    fn answers(&mut self) -> Vec<(FrameHeader, Vec<u8>)> {
        frames(&self.server.connection.take_out(Vec::new()))
    }

    fn arrival(&mut self) -> Key {
        self.server.connection.next_arrival().unwrap().stream.unwrap()
    }
}

/// All frames of what was sent.
fn frames(mut bytes: &[u8]) -> Vec<(FrameHeader, Vec<u8>)> {
    bytes = bytes.strip_prefix(PREFACE).unwrap_or(bytes);
    let mut frames = Vec::new();
    while let Some(header) = FrameHeader::parse(bytes) {
        let (payload, rest) = bytes[HEADER_BYTES..].split_at(header.len);
        frames.push((header, payload.to_vec()));
        bytes = rest;
    }
    assert!(bytes.is_empty());
    frames
}
