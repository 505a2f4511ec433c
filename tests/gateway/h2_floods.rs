//! What the tests of floods share: a gateway with one worker, an origin that holds requests and counts them, an attacker,
//! good clients that share the worker with it, and what the process's memory grew by.
//!
//! A flood is told apart from what is allowed by order, not by time: a PING goes behind the frames that have to be too many,
//! and its answer must not come. And a good client is unharmed if all its requests are answered while floods come one after
//! another, and if few floods passed by during each.

use super::{
    certificates::Authority,
    client::Client,
    h2_floods_origin::{Holding, Nowhere},
    h2_frames::{
        ACK, DATA, END, END_HEADERS, ENHANCE_YOUR_CALM, Fields, Frame, GOAWAY, HEADERS,
        MAX_CONCURRENT_STREAMS, PING, PREFACE, RST_STREAM, SETTINGS, code_name, frame, headers, ping,
        settings, window_update,
    },
    h2_hpack::Decoder,
    harness::{Gateway, service_entry, virtual_service},
    tls_client::{believing, connection},
    tls_files::secret,
};
use rustls::ClientConfig;
use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Requests of each good client while floods come, at least.
const REQUESTS: usize = 25;
/// Floods that come meanwhile, at least.
const ROUNDS_MIN: usize = 6;
/// Floods in which the good clients must be done: each takes the gateway longer than a request does.
const ROUNDS_MAX: usize = 2000;
/// Floods that may pass by during one request of a good client, for most of its requests.
const ROUNDS_PER_REQUEST: usize = 10;
/// Frames of one attack where no budget ends it.
const FRAMES: u32 = 6000;
/// What the process may grow by while it is attacked, beside a hundred times what is sent: one hundred is the rule of Envoy's
/// threat model.
const GROWTH_BYTES: usize = 16 << 20;
/// No flood is a reason to grow by more than this, whatever it sends.
const GROWTH_BYTES_MAX: usize = 48 << 20;

/// What the PING says that goes behind everything else.
const BARRIER: &[u8; 8] = b"barrier.";

/// How a client comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// In plain text, with prior knowledge.
    Plain,
    /// In TLS, with ALPN.
    Tls,
}

/// A gateway with one worker, so that all clients share it, and its origin.
pub(crate) struct Site {
    pub(crate) gateway: Gateway,
    pub(crate) origin: Holding,
    _nowhere: Nowhere,
    tls: Arc<ClientConfig>,
}

const SERVERS: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: ['*']}
  - port: {number: 443, name: https, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: ['*']
    tls: {mode: SIMPLE, credentialName: web}
---
";

const ROUTES: &str = "  \
  - match: [{uri: {prefix: /nowhere}}]
    route: [{destination: {host: nowhere.internal}}]
  - route: [{destination: {host: web.internal}}]";

impl Site {
    pub(crate) fn new() -> Site {
        Site::with(&[])
    }

    /// With more arguments for the gateway.
    pub(crate) fn with(arguments: &[&str]) -> Site {
        let authority = Authority::new("servers");
        let (origin, nowhere) = (Holding::new(), Nowhere::new());
        let yaml = [
            SERVERS,
            &virtual_service(ROUTES),
            &service_entry("web.internal", origin.port()),
            &service_entry("nowhere.internal", nowhere.port()),
            &secret("web", &authority.leaf(&["web.test"]), None),
        ];
        let arguments = [&["--workers", "1", "--access-log", "off"], arguments].concat();
        let gateway = Gateway::start_with(&[80, 443], &yaml.concat(), &arguments);
        let mut tls = believing(&[&authority], None);
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let site = Site { gateway, origin, _nowhere: nowhere, tls: Arc::new(tls) };
        // Pools are filled before anybody looks at memory.
        site.beside(|| assert_eq!(site.gateway.get(80, "web.test", "/quick/0").status, 200));
        site
    }

    /// A connection that speaks no HTTP yet.
    pub(crate) fn connect(&self, way: Way) -> Client {
        match way {
            Way::Plain => self.gateway.connect(80),
            Way::Tls => self.gateway.connect(443).handshake(connection(&self.tls, "web.test")).unwrap(),
        }
    }

    /// A connection that speaks HTTP/2, with these settings.
    pub(crate) fn attacker(&self, way: Way, settings: &[(u16, u32)]) -> Attacker {
        Attacker::new(self.connect(way), settings)
    }

    /// Floods that the gateway has counted.
    pub(crate) fn floods(&self, kind: &str) -> f64 {
        let page = self.gateway.admin_page("/stats/prometheus");
        let begin = format!("sluicegate_http2_floods_total{{kind=\"{kind}\"}} ");
        page.text()
            .lines()
            .find_map(|line| line.strip_prefix(&begin))
            .map_or(0.0, |count| count.parse().unwrap())
    }

    /// The most memory that the process has had so far, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.gateway.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// Fails if the process had much more than `before` after these bytes were sent to it.
    pub(crate) fn assert_memory(&self, before: usize, sent: usize) {
        let grown = self.memory().saturating_sub(before);
        let most = (GROWTH_BYTES + 100 * sent).min(GROWTH_BYTES_MAX);
        assert!(grown <= most, "{grown} bytes more, at most {most}; {sent} were sent");
    }

    /// Attacks with batches of 100 of these frames, for which no budget is needed, beside good clients; `judge` looks at each
    /// attacker, and at whether its connection was alive when all was sent.
    pub(crate) fn tolerates(
        &self,
        opening: &[u8],
        frame: &dyn Fn(u32) -> Vec<u8>,
        judge: &dyn Fn(&mut Attacker, bool),
    ) {
        let (memory, mut sent) = (self.memory(), 0);
        self.beside(|| {
            let mut attacker = self.attacker(Way::Plain, &[]);
            attacker.send(opening);
            for begin in (0..FRAMES).step_by(100) {
                if !attacker.send(&(begin..begin + 100).flat_map(frame).collect::<Vec<_>>()) {
                    break;
                }
            }
            let is_alive = attacker.is_alive();
            judge(&mut attacker, is_alive);
            sent += attacker.sent;
        });
        self.assert_memory(memory, sent);
        self.until_gone();
    }

    /// Calls `round`, which is to attack, again and again until good clients of both versions have had all their requests
    /// answered; how often it was.
    pub(crate) fn beside(&self, mut round: impl FnMut()) -> usize {
        let count = AtomicUsize::new(0);
        let rounds = &count;
        let http1 = Http1(self.connect(Way::Plain));
        let [plain, tls] = [Way::Plain, Way::Tls].map(|way| self.attacker(way, &[]));
        thread::scope(|scope| {
            let good = [
                scope.spawn(move || requests(rounds, http1)),
                scope.spawn(move || requests(rounds, plain)),
                scope.spawn(move || requests(rounds, tls)),
            ];
            // Whatever becomes of the attacker, the good clients end.
            let _over = Over(rounds);
            while !good.iter().all(|client| client.is_finished()) {
                round();
                let count = rounds.fetch_add(1, Ordering::SeqCst);
                assert!(count < ROUNDS_MAX, "the good clients are starved");
            }
            for client in good {
                let passed = client.join().expect("a good client was harmed");
                assert!(passed <= ROUNDS_PER_REQUEST, "{passed} floods passed by during one request");
            }
        });
        count.into_inner()
    }

    /// Waits until no connection is left, neither to clients nor for them.
    pub(crate) fn until_gone(&self) {
        self.gateway.until("all clients are gone", || {
            self.gateway.metric("envoy_http_downstream_cx_active") == 0.0
                && self.gateway.metric("envoy_http_downstream_rq_active") == 0.0
        });
    }
}

/// Counts enough rounds for good clients to end when it is dropped, as it is when an attacker fails.
struct Over<'a>(&'a AtomicUsize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.fetch_max(ROUNDS_MIN, Ordering::SeqCst);
    }
}

/// A client that keeps to the rules.
trait Good {
    /// `GET` of this path: the body of a 200.
    fn get(&mut self, turn: usize) -> String;
}

/// Asks again and again; returns the median of how many rounds passed by during a request.
fn requests(rounds: &AtomicUsize, mut client: impl Good) -> usize {
    let mut passed = Vec::new();
    while passed.len() < REQUESTS || rounds.load(Ordering::SeqCst) < ROUNDS_MIN {
        let before = rounds.load(Ordering::SeqCst);
        assert_eq!(client.get(passed.len()), format!("quick {}", passed.len()));
        passed.push(rounds.load(Ordering::SeqCst) - before);
    }
    passed.sort_unstable();
    passed[passed.len() / 2]
}

struct Http1(Client);

impl Good for Http1 {
    fn get(&mut self, turn: usize) -> String {
        self.0.send(format!("GET /quick/{turn} HTTP/1.1\r\nHost: web.test\r\n\r\n").as_bytes());
        let answer = self.0.answer("GET");
        assert_eq!(answer.status, 200);
        answer.text().to_owned()
    }
}

impl Good for Attacker {
    fn get(&mut self, turn: usize) -> String {
        let stream = 1 + 2 * u32::try_from(turn).unwrap();
        self.send(&get(stream, &format!("/quick/{turn}")));
        assert!(self.until(|seen| seen.complete == Some(stream)), "{:?}", self.seen);
        assert_eq!(self.seen.statuses[&stream], 200);
        let body = self.seen.bodies.remove(&stream).unwrap();
        // What was taken may come again.
        self.send(&window_update(0, body.len().try_into().unwrap()));
        String::from_utf8(body).unwrap()
    }
}

/// What an attacker has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How many streams it may have open.
    pub(crate) limit: Option<u32>,
    /// The last GOAWAY.
    pub(crate) goaway: Option<Frame>,
    /// RST_STREAM frames, by their codes.
    pub(crate) resets: BTreeMap<u32, usize>,
    /// Statuses of streams.
    pub(crate) statuses: BTreeMap<u32, u16>,
    /// What came in DATA frames.
    pub(crate) bodies: BTreeMap<u32, Vec<u8>>,
    /// The stream that was ended last.
    pub(crate) complete: Option<u32>,
    /// Answers to the PING of `is_alive`.
    pub(crate) pongs: usize,
    /// Answers to SETTINGS.
    pub(crate) acks: usize,
    /// The gateway has ended its direction.
    pub(crate) has_ended: bool,
}

impl Seen {
    /// What GOAWAY said.
    pub(crate) fn code(&self) -> Option<u32> {
        self.goaway.as_ref().map(Frame::code)
    }

    /// How it ended, in words.
    pub(crate) fn end(&self) -> String {
        let goaway = self.goaway.as_ref();
        let debug = goaway.map_or_else(String::new, |frame| {
            String::from_utf8_lossy(frame.payload.get(8..).unwrap_or_default()).into_owned()
        });
        format!("GOAWAY {:?} ({debug}), ended: {}", self.code().map(code_name), self.has_ended)
    }
}

/// A client that sends frames as they are and counts what comes.
pub(crate) struct Attacker {
    client: Client,
    decoder: Decoder,
    pub(crate) seen: Seen,
    /// Bytes that were sent.
    pub(crate) sent: usize,
}

impl Attacker {
    /// On a connection on which a client has said all that it has to say.
    pub(crate) fn listening(client: Client) -> Attacker {
        Attacker { client, decoder: Decoder::new(), seen: Seen::default(), sent: 0 }
    }

    /// Says what a client says first, and waits for what the gateway says first.
    fn new(client: Client, ours: &[(u16, u32)]) -> Attacker {
        let mut attacker = Attacker::listening(client);
        assert!(attacker.send(&[PREFACE, &settings(ours)].concat()));
        assert!(attacker.until(|seen| seen.limit.is_some()), "no SETTINGS: {:?}", attacker.seen);
        attacker
    }

    /// Sends bytes; false if the gateway takes no more. What it said before is then still to be read.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.sent += bytes.len();
        self.client.try_send(bytes)
    }

    /// Reads until something is so; false if the connection ends before.
    pub(crate) fn until(&mut self, holds: impl Fn(&Seen) -> bool) -> bool {
        while !holds(&self.seen) {
            if !self.hear() {
                return holds(&self.seen);
            }
        }
        true
    }

    /// Whether the connection is alive when everything so far has been taken in: a PING is answered.
    pub(crate) fn is_alive(&mut self) -> bool {
        let pongs = self.seen.pongs;
        self.send(&ping(0, BARRIER));
        self.until(|seen| seen.pongs > pongs || seen.goaway.is_some());
        self.seen.pongs > pongs
    }

    /// Reads until the gateway has ended its direction, as it does soon after a GOAWAY.
    pub(crate) fn read_to_end(&mut self) {
        while self.hear() {}
    }

    /// Takes in one frame; false at the end.
    fn hear(&mut self) -> bool {
        let head = self.client.raw(9);
        let length = head.first_chunk().map(|[a, b, c]| u32::from_be_bytes([0, *a, *b, *c]) as usize);
        let payload = self.client.raw(length.unwrap_or(0));
        let Ok::<[u8; 9], _>([_, _, _, kind, flags, s1, s2, s3, s4]) = head.try_into() else {
            self.seen.has_ended = true;
            return false;
        };
        let stream = u32::from_be_bytes([s1, s2, s3, s4]);
        let mut frame = Frame { kind, flags, stream, payload, ..Frame::default() };
        if kind == HEADERS {
            frame.fields = self.decoder.decode(&frame.payload).unwrap();
        }
        self.take(frame);
        true
    }

    fn take(&mut self, frame: Frame) {
        let seen = &mut self.seen;
        match frame.kind {
            GOAWAY => seen.goaway = Some(frame),
            SETTINGS if frame.has(ACK) => seen.acks += 1,
            SETTINGS => {
                let limit =
                    frame.payload.chunks(6).find(|entry| entry[..2] == MAX_CONCURRENT_STREAMS.to_be_bytes());
                let limit = limit.map(|entry| u32::from_be_bytes(entry[2..].try_into().unwrap()));
                seen.limit = Some(limit.expect("a limit of streams in SETTINGS"));
                let _ = self.client.try_send(&self::frame(SETTINGS, ACK, 0, b""));
            }
            PING if frame.has(ACK) => seen.pongs += usize::from(frame.payload == BARRIER),
            RST_STREAM => *seen.resets.entry(frame.code()).or_default() += 1,
            HEADERS => {
                frame.status().map(|status| seen.statuses.insert(frame.stream, status));
                seen.complete = frame.ends_stream().then_some(frame.stream).or(seen.complete);
            }
            DATA => {
                seen.bodies.entry(frame.stream).or_default().extend(&frame.payload);
                seen.complete = frame.ends_stream().then_some(frame.stream).or(seen.complete);
            }
            _ => {}
        }
    }
}

/// A flood of one kind.
pub(crate) struct Flood<'a> {
    /// The label under which it is counted.
    pub(crate) kind: &'a str,
    /// What comes before it, such as a request.
    pub(crate) opening: Vec<u8>,
    /// Its frames, numbered from 0.
    pub(crate) frame: &'a dyn Fn(u32) -> Vec<u8>,
    /// So many of them are too many.
    pub(crate) many: u32,
}

impl Flood<'_> {
    /// Attacks once: the gateway has to end the connection with ENHANCE_YOUR_CALM. Returns the bytes that were sent.
    pub(crate) fn strike(&self, site: &Site, way: Way) -> usize {
        let mut attacker = site.attacker(way, &[]);
        let frames = (0..self.many).flat_map(self.frame);
        let bytes: Vec<u8> = self.opening.iter().copied().chain(frames).collect();
        attacker.send(&bytes);
        assert!(!attacker.is_alive(), "{}: {} of them are allowed", self.kind, self.many);
        attacker.read_to_end();
        assert_eq!(attacker.seen.code(), Some(ENHANCE_YOUR_CALM), "{}: {}", self.kind, attacker.seen.end());
        attacker.sent
    }

    /// Attacks again and again, beside good clients: each attack is counted, memory is bounded, the origin never has more to
    /// do than one connection may ask for, and nothing is left.
    pub(crate) fn judge(&self, site: &Site, way: Way) {
        let (memory, counted) = (site.memory(), site.floods(self.kind));
        let limit = site.attacker(way, &[]).seen.limit.unwrap();
        let mut sent = 0;
        let rounds = site.beside(|| sent += self.strike(site, way));
        site.assert_memory(memory, sent);
        let (peak, held) = (site.origin.peak(), site.origin.held());
        assert!(
            peak <= limit as usize,
            "{}: {peak} of {held} were held at a time, {limit} are allowed",
            self.kind
        );
        let now = || site.floods(self.kind) - counted;
        site.gateway.until("all of them are counted", || now() >= rounds as f64);
        assert_eq!(now(), rounds as f64, "{}", self.kind);
        site.until_gone();
    }
}

/// A request for this path, without a body.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    headers(stream, END, &fields("GET", path).block())
}

/// A request whose body is still to come.
pub(crate) fn post(stream: u32, path: &str) -> Vec<u8> {
    headers(stream, END_HEADERS, &fields("POST", path).block())
}

/// The fields of a request.
pub(crate) fn fields(method: &str, path: &str) -> Fields {
    let fields = [(":method", method), (":scheme", "http"), (":authority", "web.test"), (":path", path)];
    Fields(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

/// The nth stream of a client, counted from 0.
pub(crate) fn nth(number: u32) -> u32 {
    1 + 2 * number
}
