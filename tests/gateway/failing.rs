//! Origins of both versions that fail as a script says, one entry a request, and clients of both that ask them.

use super::{
    access_log::fields,
    client::Client,
    h2_frames::*,
    h2_origin::{Connection, respond},
    h2_peer::Peer,
    harness::{GATEWAY, Gateway, PATIENCE, virtual_service},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// A version of HTTP, of a client or an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    Http2,
}

/// All ways from a client to an origin.
pub(crate) const WAYS: [(Speaks, Speaks); 4] = [
    (Speaks::Http1, Speaks::Http1),
    (Speaks::Http2, Speaks::Http1),
    (Speaks::Http1, Speaks::Http2),
    (Speaks::Http2, Speaks::Http2),
];

/// What an origin does with one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Reads all of it and answers with this status; the body names the number of the request.
    Status(u16),
    /// The same with another field.
    Field(u16, &'static str, &'static str),
    /// Reads all of it and says nothing, until the gateway has had enough.
    Hang,
    /// Reads all of it and ends the connection, or resets the stream.
    Reset,
    /// Says that it did not look at it (HTTP/2 alone).
    Refuse,
    /// Answers with this status before it has read the body, and then ends the connection, or resets the stream.
    Early(u16),
    /// As `Status`, with a body of a million bytes.
    Large(u16),
}

/// What an origin got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Got {
    /// `x-envoy-attempt-count`
    pub(crate) attempt: String,
    /// `x-envoy-expected-rq-timeout-ms`
    pub(crate) expected: String,
    /// `grpc-timeout`
    pub(crate) grpc_timeout: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// An origin with a script; its last entry holds for ever.
pub(crate) struct Failing {
    pub(crate) port: u16,
    got: Receiver<Got>,
    connections: Arc<AtomicUsize>,
}

struct Script {
    acts: Vec<Act>,
    turn: AtomicUsize,
    got: Sender<Got>,
}

impl Script {
    fn next(&self) -> (usize, Act) {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        (turn + 1, self.acts[turn.min(self.acts.len() - 1)])
    }
}

impl Failing {
    pub(crate) fn new(speaks: Speaks, acts: &[Act]) -> Failing {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, got) = channel();
        let script = Arc::new(Script { acts: acts.to_vec(), turn: AtomicUsize::new(0), got: sender });
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                let script = Arc::clone(&script);
                thread::spawn(move || match speaks {
                    Speaks::Http1 => while http1(&stream, &script).is_some() {},
                    Speaks::Http2 => http2(stream, &script),
                });
            }
        });
        Failing { port, got, connections }
    }

    /// The next request that it got, as far as it looked at it.
    pub(crate) fn got(&self) -> Got {
        self.got.recv_timeout(PATIENCE).expect("a request at the origin")
    }

    /// Whether there is none that was not looked at.
    pub(crate) fn is_quiet(&self) -> bool {
        self.got.try_recv().is_err()
    }

    /// Connections that it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Serves one request; nothing when the connection has ended, or is to.
fn http1(mut stream: &TcpStream, script: &Script) -> Option<()> {
    // It never sends two requests at a time, so nothing is lost with the reader.
    let mut reader = BufReader::new(stream);
    let mut line = |text: &mut String| {
        text.clear();
        (reader.read_line(text).ok()? > 0).then_some(())
    };
    let (mut got, mut text, mut length) = (Got::default(), String::new(), None);
    line(&mut text)?;
    loop {
        line(&mut text)?;
        let Some((name, value)) = text.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "x-envoy-attempt-count" => got.attempt = value.to_owned(),
            "x-envoy-expected-rq-timeout-ms" => got.expected = value.to_owned(),
            "grpc-timeout" => got.grpc_timeout = value.to_owned(),
            "content-length" => length = Some(value.parse::<usize>().unwrap()),
            "transfer-encoding" => length = None,
            _ => continue,
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            length = Some(usize::MAX);
        }
    }
    let (number, act) = script.next();
    if !matches!(act, Act::Early(_)) {
        read_body(&mut reader, length.unwrap_or(0), &mut got.body)?;
    }
    let _ = script.got.send(got);
    let (status, field, body) = match act {
        Act::Status(status) => (status, String::new(), format!("answer {number}")),
        Act::Field(status, name, value) => {
            (status, format!("{name}: {value}\r\n"), format!("answer {number}"))
        }
        Act::Large(status) => (status, String::new(), "x".repeat(1_000_000)),
        Act::Early(status) => (status, String::new(), "early".to_owned()),
        Act::Hang => {
            let _ = stream.read(&mut [0; 1]);
            return None;
        }
        Act::Reset | Act::Refuse => return None,
    };
    let head = format!("HTTP/1.1 {status} X\r\n{field}content-length: {}\r\n\r\n", body.len());
    stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).ok()?;
    (!matches!(act, Act::Early(_))).then_some(())
}

fn read_body(reader: &mut impl BufRead, length: usize, body: &mut Vec<u8>) -> Option<()> {
    if length < usize::MAX {
        body.resize(length, 0);
        return reader.read_exact(body).ok();
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim_end(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return Some(());
        }
    }
}

fn http2(stream: TcpStream, script: &Script) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut connection = Connection::new(Box::new(stream));
    connection.begin(&[(INITIAL_WINDOW_SIZE, WINDOW_MAX)]);
    connection.send(&window_update(0, WINDOW_MAX - 65_535));
    while let Some(head) = connection.find(|frame| frame.kind == HEADERS && frame.field(":method").is_some())
    {
        let field = |name: &str| head.field(name).unwrap_or_default().to_owned();
        let mut got = Got {
            attempt: field("x-envoy-attempt-count"),
            expected: field("x-envoy-expected-rq-timeout-ms"),
            grpc_timeout: field("grpc-timeout"),
            body: Vec::new(),
        };
        let id = head.stream;
        let (number, act) = script.next();
        if !head.has(END_STREAM) && !matches!(act, Act::Early(_)) {
            if connection
                .find(|frame| frame.stream == id && (frame.ends_stream() || frame.kind == RST_STREAM))
                .is_none()
            {
                return;
            }
            got.body = connection.body(id);
        }
        let _ = script.got.send(got);
        let mut say = |status: u16, more: Option<(&str, &str)>, body: &[u8]| {
            let status = status.to_string();
            let mut all = vec![(":status", status.as_str())];
            all.extend(more);
            connection.send(&respond(id, END_HEADERS, &all));
            let pieces = body.chunks(16_384).count();
            for (at, piece) in body.chunks(16_384).enumerate() {
                connection.send(&data(id, if at + 1 == pieces { END_STREAM } else { 0 }, piece));
            }
        };
        let text = format!("answer {number}");
        match act {
            Act::Status(status) => say(status, None, text.as_bytes()),
            Act::Field(status, name, value) => say(status, Some((name, value)), text.as_bytes()),
            Act::Large(status) => say(status, None, &vec![b'x'; 1_000_000]),
            Act::Early(status) => {
                say(status, None, b"early");
                connection.send(&rst_stream(id, NO_ERROR));
            }
            Act::Hang => {}
            Act::Reset => connection.send(&rst_stream(id, INTERNAL_ERROR)),
            Act::Refuse => connection.send(&rst_stream(id, REFUSED_STREAM)),
        }
    }
}

/// A gateway with one worker and this rule to `a.test`, which has an endpoint on each of these ports that speak this.
pub(crate) fn start(rule: &str, speaks: Speaks, ports: &[u16]) -> Gateway {
    start_with(rule, speaks, ports, "")
}

/// The same with other objects.
pub(crate) fn start_with(rule: &str, speaks: Speaks, ports: &[u16], more: &str) -> Gateway {
    let protocol = if speaks == Speaks::Http1 { "HTTP" } else { "HTTP2" };
    let endpoints: Vec<_> =
        ports.iter().map(|port| format!("{{address: 127.0.0.1, ports: {{x: {port}}}}}")).collect();
    let yaml = format!(
        "{GATEWAY}---\n{}---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: a}}\nspec:\n  \
         hosts: [a.test]\n  ports: [{{number: 80, name: x, protocol: {protocol}}}]\n  resolution: STATIC\n  \
         endpoints: [{}]\n{more}",
        virtual_service(&format!("  - {rule}\n    route: [{{destination: {{host: a.test}}}}]")),
        endpoints.join(", ")
    );
    Gateway::start_with(&[80], &yaml, &["--workers", "1", "--drain-time", "0s"])
}

/// What a client got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) is_whole: bool,
}

impl Answered {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// How a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// With its length before it, all at once.
    AtOnce,
    /// With its length before it, the head on its own, which the gateway has passed on before more comes.
    Pieces,
    /// Without a length, in pieces.
    Chunks,
}

/// A request with this body and these fields, by a client of its own.
pub(crate) fn ask(
    gateway: &Gateway,
    speaks: Speaks,
    body: &[u8],
    sent: Sent,
    more: &[(&str, &str)],
) -> Answered {
    match speaks {
        Speaks::Http1 => ask_http1(&mut gateway.connect(80), body, sent, more),
        Speaks::Http2 => ask_http2(gateway, body, sent, more),
    }
}

/// The same without a body.
pub(crate) fn get(gateway: &Gateway, speaks: Speaks) -> Answered {
    ask(gateway, speaks, b"", Sent::AtOnce, &[])
}

fn ask_http1(client: &mut Client, body: &[u8], sent: Sent, more: &[(&str, &str)]) -> Answered {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let mut head = format!("{method} / HTTP/1.1\r\nHost: a\r\n");
    more.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    if sent == Sent::Chunks {
        head.push_str("Transfer-Encoding: chunked\r\n\r\n");
    } else if body.is_empty() {
        head.push_str("\r\n");
    } else {
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    }
    let mut all = head.into_bytes();
    match sent {
        Sent::AtOnce => {
            all.extend_from_slice(body);
            client.try_send(&all);
        }
        Sent::Pieces => {
            client.send(&all);
            for piece in body.chunks(body.len().div_ceil(5)) {
                client.try_send(piece);
            }
        }
        Sent::Chunks => {
            client.send(&all);
            for piece in body.chunks(body.len().div_ceil(5)) {
                client.try_send(format!("{:x}\r\n", piece.len()).as_bytes());
                client.try_send(piece);
                client.try_send(b"\r\n");
            }
            client.try_send(b"0\r\n\r\n");
        }
    }
    let answer = client.answer(method);
    Answered { status: answer.status, is_whole: answer.complete, body: answer.body }
}

fn ask_http2(gateway: &Gateway, body: &[u8], sent: Sent, more: &[(&str, &str)]) -> Answered {
    let mut peer = Peer::new(gateway.connect(80), false, "failing".into());
    peer.handshake(&[]);
    let mut all = peer.fields(if body.is_empty() { "GET" } else { "POST" });
    for (name, value) in more {
        all = all.add(name, value);
    }
    if sent != Sent::Chunks && !body.is_empty() {
        all = all.add("content-length", &body.len().to_string());
    }
    peer.send(&headers(1, if body.is_empty() { END } else { END_HEADERS }, &all.block()));
    let count = body.chunks(16_000).count();
    for (at, piece) in body.chunks(16_000).enumerate() {
        peer.upload(1, &data(1, if at + 1 == count { END_STREAM } else { 0 }, piece));
    }
    peer.until(|peer| {
        let ends = |frame: &Frame| frame.stream == 1 && (frame.ends_stream() || frame.kind == RST_STREAM);
        peer.seen.iter().any(ends)
    });
    let is_whole = !peer.seen.iter().any(|frame| frame.is(RST_STREAM, 1) && frame.code() != NO_ERROR);
    let status = peer.answer(1).and_then(Frame::status).unwrap_or(0);
    Answered { status, body: peer.body(1), is_whole }
}

/// The next line of the access log: status, flags, details.
pub(crate) fn logged(gateway: &Gateway) -> [String; 3] {
    let line = fields(&gateway.log_line());
    [line[2].clone(), line[3].clone(), line[4].clone()]
}
