//! An origin of HTTP/2 that says, frame by frame, what the test tells it to: connections are handed to the test, which reads
//! what the gateway sends and answers when it likes.

use super::{
    h2_frames::*,
    h2_hpack::{Decoder, integer},
    harness::{GATEWAY, Gateway, PATIENCE, service_entry, virtual_service},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};

/// `:status: 200` in the static table (RFC 7541 appendix A).
const STATUS_200: usize = 8;

/// An origin on a port of this host.
pub(crate) struct H2Origin {
    port: u16,
    connections: Receiver<TcpStream>,
}

impl H2Origin {
    /// Nobody has connected yet.
    pub(crate) fn new() -> H2Origin {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, connections) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if sender.send(stream).is_err() {
                    break;
                }
            }
        });
        H2Origin { port, connections }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A gateway that sends everything to it, by HTTP/2, with this beside `h2UpgradePolicy` under
    /// `connectionPool.http`.
    pub(crate) fn gateway(&self, pool: &str) -> Gateway {
        let pool = format!("h2UpgradePolicy: UPGRADE{pool}");
        launch(&to_origin(self.port, &pool, ""))
    }

    /// The next connection that the gateway has made, after both sides have begun.
    pub(crate) fn accept(&self) -> Connection {
        self.accept_with(&[])
    }

    /// The same with these settings.
    pub(crate) fn accept_with(&self, own: &[(u16, u32)]) -> Connection {
        let stream = self.connections.recv_timeout(PATIENCE).expect("a connection to the origin");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut connection = Connection::new(Box::new(stream));
        connection.begin(own);
        connection
    }

    /// Whether there is a connection that was not accepted.
    pub(crate) fn has_another(&self) -> bool {
        self.connections.try_recv().is_ok()
    }
}

/// A gateway with this configuration, a port 80, and one worker, so that all clients share what it has with origins. It drains
/// for no time: tests end it when nothing is left to be waited for.
pub(crate) fn launch(yaml: &str) -> Gateway {
    Gateway::start_with(&[80], yaml, &["--workers", "1", "--drain-time", "0s"])
}

/// A Gateway on port 80 that sends everything to `a.test` on this port of this host, with this under `connectionPool.http` and
/// this under `tls`, where there is something.
pub(crate) fn to_origin(port: u16, pool: &str, tls: &str) -> String {
    let mut policy = String::new();
    if !pool.is_empty() {
        policy.push_str(&format!("    connectionPool: {{http: {{{pool}}}}}\n"));
    }
    if !tls.is_empty() {
        policy.push_str(&format!("    tls: {{{tls}}}\n"));
    }
    let mut yaml = format!(
        "{GATEWAY}---\n{}{}",
        virtual_service("  - route: [{destination: {host: a.test}}]"),
        service_entry("a.test", port)
    );
    if !policy.is_empty() {
        yaml.push_str(&format!(
            "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: a}}\nspec:\n  host: \
             a.test\n  trafficPolicy:\n{policy}"
        ));
    }
    yaml
}

/// What a connection is read from and written to.
pub(crate) trait Socket: Read + Write {}

impl<S: Read + Write> Socket for S {}

/// One connection of the gateway's, seen from the origin. Settings are acknowledged; pings are for the test.
pub(crate) struct Connection {
    socket: Box<dyn Socket>,
    decoder: Decoder,
    /// Every frame that came.
    pub(crate) seen: Vec<Frame>,
    /// How many of `seen` were handed out.
    told: usize,
}

impl Connection {
    /// On which nothing was read.
    pub(crate) fn new(socket: Box<dyn Socket>) -> Connection {
        Connection { socket, decoder: Decoder::new(), seen: Vec::new(), told: 0 }
    }

    /// Reads the preface, which has to be right, and sends these settings.
    pub(crate) fn begin(&mut self, own: &[(u16, u32)]) {
        assert_eq!(self.octets(PREFACE.len()).as_deref(), Some(PREFACE));
        self.send(&settings(own));
    }

    fn octets(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut octets = vec![0; count];
        match self.socket.read_exact(&mut octets) {
            Ok(()) => Some(octets),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                None
            }
            Err(error) => panic!("nothing came: {error}; before that {}", self.tell()),
        }
    }

    fn read(&mut self) -> Option<()> {
        let head = self.octets(9)?;
        let payload = self.octets(u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut frame = Frame { kind: head[3], flags: head[4], stream, payload, fields: Vec::new() };
        match frame.kind {
            HEADERS => {
                assert!(frame.has(END_HEADERS), "no test has so many fields");
                frame.fields = self.decoder.decode(&frame.payload).unwrap();
            }
            SETTINGS if !frame.has(ACK) => self.send(&head_of_acknowledgement()),
            _ => {}
        }
        self.seen.push(frame);
        Some(())
    }

    /// Sends frames.
    pub(crate) fn send(&mut self, frames: &[u8]) {
        // What the other side has closed is seen when it is read.
        let _ = self.socket.write_all(frames);
        let _ = self.socket.flush();
    }

    /// The next frame of those that were not looked at for which this holds; nothing if the connection ends before it.
    pub(crate) fn find(&mut self, holds: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            while let Some(frame) = self.seen.get(self.told) {
                self.told += 1;
                if holds(frame) {
                    return Some(frame.clone());
                }
            }
            self.read()?;
        }
    }

    /// As `find`, where there has to be one.
    pub(crate) fn next(&mut self, holds: impl Fn(&Frame) -> bool) -> Frame {
        self.find(holds).unwrap_or_else(|| panic!("it ended with {}", self.tell()))
    }

    /// The head of the next request.
    pub(crate) fn request(&mut self) -> Frame {
        self.next(|frame| frame.kind == HEADERS && frame.field(":method").is_some())
    }

    /// Answers with 200 and nothing else.
    pub(crate) fn answer(&mut self, stream: u32) {
        self.send(&ok(stream, END));
    }

    /// Whether the gateway ends the connection, after whatever it still sends.
    pub(crate) fn ends(&mut self) -> bool {
        self.find(|_| false).is_none()
    }

    /// What has come on a stream as a body so far.
    pub(crate) fn body(&self, stream: u32) -> Vec<u8> {
        let all = self.seen.iter().filter(|frame| frame.is(DATA, stream));
        all.flat_map(|frame| frame.payload.iter().copied()).collect()
    }

    /// All that came, as short as it can be told.
    pub(crate) fn tell(&self) -> String {
        self.seen.iter().map(Frame::tell).collect::<Vec<_>>().join(", ")
    }
}

/// A head with status 200.
pub(crate) fn ok(stream: u32, flags: u8) -> Vec<u8> {
    headers(stream, flags, &integer(0x80, 7, STATUS_200))
}

/// A head with this status, and other fields.
pub(crate) fn respond(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    headers(stream, flags, &Fields(fields).block())
}

fn head_of_acknowledgement() -> Vec<u8> {
    head(0, SETTINGS, ACK, 0)
}
