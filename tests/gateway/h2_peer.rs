//! An HTTP/2 client that sends what it is told, keeps every frame that comes, and finds fault with frames that the other
//! side may never send, whatever it was sent: beyond a window, on a stream that nobody opened, with a block that can't be
//! decoded.

use super::{
    client::Client,
    h2_frames::*,
    h2_hpack::{Decoder, TABLE_SIZE},
};
use std::collections::{BTreeMap, VecDeque};

/// The host of every request that has a right one.
pub(crate) const AUTHORITY: &str = "web.test";

/// The stream of the request that shows that a connection goes on.
pub(crate) const PROBE: u32 = 2_000_001;

/// Windows and frames before anybody says anything (RFC 9113 section 6.5.2).
const WINDOW: i64 = 65_535;
const FRAME: usize = 16_384;

/// Fields that no HTTP/2 message has (RFC 9113 section 8.2.2).
const OF_CONNECTIONS: [&str; 5] =
    ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"];

/// One side of a connection.
pub(crate) struct Peer {
    client: Client,
    is_tls: bool,
    case: String,
    /// Every frame that came.
    pub(crate) seen: Vec<Frame>,
    /// The other side has ended the connection.
    pub(crate) is_over: bool,
    /// What the other side did that it may not do.
    pub(crate) faults: Vec<String>,
    /// The other side's settings.
    pub(crate) settings: BTreeMap<u16, u32>,
    /// A block of fields has begun, or a frame: nothing else can be sent.
    pub(crate) is_mid_block: bool,
    /// Streams up to this one may be reset.
    pub(crate) forgiven: u32,
    decoder: Decoder,
    /// Settings that were sent and not acknowledged yet.
    announced: VecDeque<Vec<(u16, u32)>>,
    /// What the other side may send: on the connection, on each stream that was opened, and on new ones.
    credit: i64,
    credits: BTreeMap<u32, i64>,
    initial: i64,
    frame_max: usize,
    /// What the other side has given with WINDOW_UPDATE, and what was used of it and of the first windows.
    given: BTreeMap<u32, i64>,
    used: BTreeMap<u32, i64>,
}

impl Peer {
    /// On a connection that is there; the name tells the origin whose requests it gets.
    pub(crate) fn new(client: Client, is_tls: bool, case: String) -> Peer {
        Peer {
            client,
            is_tls,
            case,
            seen: Vec::new(),
            is_over: false,
            faults: Vec::new(),
            settings: BTreeMap::new(),
            is_mid_block: false,
            forgiven: 0,
            decoder: Decoder::new(),
            announced: VecDeque::new(),
            credit: WINDOW,
            credits: BTreeMap::new(),
            initial: WINDOW,
            frame_max: FRAME,
            given: BTreeMap::new(),
            used: BTreeMap::new(),
        }
    }

    /// Whether it speaks TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Sends the preface and these settings, and waits until they are acknowledged.
    pub(crate) fn handshake(&mut self, own: &[(u16, u32)]) {
        self.begin(&settings(own));
        self.until_acknowledged();
    }

    /// Sends the preface and these frames at once.
    pub(crate) fn begin(&mut self, frames: &[u8]) {
        self.note_all(frames);
        self.raw(&[PREFACE, frames].concat());
    }

    /// Sends octets as they are, and takes no notice of what they mean.
    pub(crate) fn raw(&mut self, octets: &[u8]) {
        // That the other side has closed is seen when it is read.
        let _ = self.client.try_send(octets);
    }

    /// Sends whole frames.
    pub(crate) fn send(&mut self, frames: &[u8]) {
        self.note_all(frames);
        self.raw(frames);
    }

    fn note_all(&mut self, mut rest: &[u8]) {
        while let Some((head, behind)) = rest.split_at_checked(9) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & WINDOW_MAX;
            let Some((payload, behind)) = behind.split_at_checked(length) else { break };
            let (kind, flags, payload) = (head[3], head[4], payload.to_vec());
            self.note(&Frame { kind, flags, stream, payload, fields: Vec::new() });
            rest = behind;
        }
    }

    /// Says no more: a frame or a block was left unfinished.
    pub(crate) fn cut(&mut self, octets: &[u8]) {
        self.raw(octets);
        self.is_mid_block = true;
    }

    fn note(&mut self, sent: &Frame) {
        match sent.kind {
            HEADERS | CONTINUATION => {
                self.is_mid_block = !sent.has(END_HEADERS);
                self.credits.entry(sent.stream).or_insert(self.initial);
            }
            DATA => {
                *self.used.entry(sent.stream).or_default() += sent.payload.len() as i64;
                *self.used.entry(0).or_default() += sent.payload.len() as i64;
            }
            SETTINGS if !sent.has(ACK) => self.announced.push_back(pairs(&sent.payload)),
            WINDOW_UPDATE => {
                let more = i64::from(sent.number(0) & WINDOW_MAX);
                match self.credits.get_mut(&sent.stream) {
                    Some(credit) => *credit += more,
                    None if sent.stream == 0 => self.credit += more,
                    None => {}
                }
            }
            _ => {}
        }
    }

    /// Reads one frame; false at the end of the connection.
    pub(crate) fn read(&mut self) -> bool {
        let head = self.client.raw(9);
        self.is_over = head.len() < 9;
        if self.is_over {
            if !head.is_empty() {
                self.faults.push(format!("ended with {:?}", String::from_utf8_lossy(&head)));
            }
            return false;
        }
        if head.starts_with(b"HTTP/1.1 ") {
            // An answer of another protocol is for those who did not speak this one.
            while !self.client.is_closed() {
                self.client.raw(1 << 16);
            }
            self.is_over = true;
            return false;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.client.raw(length);
        self.is_over = payload.len() < length;
        if self.is_over || length > self.frame_max {
            self.faults.push(format!("a frame of {length} octets, and {} came", payload.len()));
        }
        self.take(Frame { kind: head[3], flags: head[4], stream, payload, fields: Vec::new() });
        !self.is_over
    }

    fn take(&mut self, mut frame: Frame) {
        let is_first = self.seen.is_empty();
        if is_first && (frame.kind != SETTINGS || frame.has(ACK)) {
            self.faults.push(format!("begins with {}", frame.tell()));
        }
        let is_on_stream = matches!(frame.kind, DATA | HEADERS | RST_STREAM | CONTINUATION);
        if frame.kind > CONTINUATION || matches!(frame.kind, PUSH_PROMISE | PRIORITY) {
            self.faults.push(format!("sent {}", frame.tell()));
        } else if is_on_stream != (frame.stream != 0) && frame.kind != WINDOW_UPDATE {
            self.faults.push(format!("on that stream: {}", frame.tell()));
        } else if frame.stream != 0 && !self.credits.contains_key(&frame.stream) {
            self.faults.push(format!("on an idle stream: {}", frame.tell()));
        }
        let is_ended = |seen: &Frame| seen.stream == frame.stream && seen.ends_stream();
        if matches!(frame.kind, DATA | HEADERS) && self.seen.iter().any(is_ended) {
            self.faults.push(format!("after the end of the stream: {}", frame.tell()));
        }
        match frame.kind {
            DATA => self.spend(&frame),
            SETTINGS if frame.has(ACK) => self.acknowledged(),
            SETTINGS => {
                self.settings.extend(pairs(&frame.payload));
                self.raw(&head(0, SETTINGS, ACK, 0));
            }
            HEADERS => self.decode(&mut frame),
            WINDOW_UPDATE => *self.given.entry(frame.stream).or_default() += i64::from(frame.number(0)),
            _ => {}
        }
        self.seen.push(frame);
    }

    fn spend(&mut self, frame: &Frame) {
        let length = frame.payload.len() as i64;
        self.credit -= length;
        let credit = self.credits.entry(frame.stream).or_default();
        *credit -= length;
        if length > 0 && (*credit < 0 || self.credit < 0) {
            let text = format!("beyond the window ({credit}, {}): {}", self.credit, frame.tell());
            self.faults.push(text);
        }
    }

    fn acknowledged(&mut self) {
        let Some(settings) = self.announced.pop_front() else {
            self.faults.push("acknowledged settings that nobody sent".into());
            return;
        };
        for (setting, value) in settings {
            match setting {
                HEADER_TABLE_SIZE => self.decoder.allow(value as usize),
                INITIAL_WINDOW_SIZE => {
                    let more = i64::from(value) - self.initial;
                    self.initial += more;
                    self.credits.values_mut().for_each(|credit| *credit += more);
                }
                MAX_FRAME_SIZE => self.frame_max = value as usize,
                _ => {}
            }
        }
    }

    /// The fields of a block, with what CONTINUATION has of it.
    fn decode(&mut self, frame: &mut Frame) {
        let mut block = frame.payload.clone();
        if frame.has(PADDED | WITH_PRIORITY) {
            self.faults.push(format!("with padding or priority: {}", frame.tell()));
        }
        let mut is_whole = frame.has(END_HEADERS);
        while !is_whole {
            let head = self.client.raw(9);
            if head.len() < 9 || head[3] != CONTINUATION {
                self.faults.push("a block that does not end".into());
                return;
            }
            block.extend(self.client.raw(u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize));
            is_whole = head[4] & END_HEADERS != 0;
        }
        match self.decoder.decode(&block) {
            Ok(fields) => frame.fields = fields,
            Err(error) => self.faults.push(format!("a block that is none: {error}")),
        }
        let is_head = frame.fields.first().is_some_and(|(name, _)| name == ":status");
        for (name, value) in &frame.fields[usize::from(is_head)..] {
            let is_lower = !name.starts_with(':') && !name.bytes().any(|octet| octet.is_ascii_uppercase());
            let is_plain = !value.contains(['\0', '\r', '\n']);
            if !is_lower || !is_plain || OF_CONNECTIONS.contains(&name.as_str()) {
                self.faults.push(format!("a field {name:?}: {value:?}"));
            }
        }
    }

    /// Reads until this holds; false if the connection ends before that.
    pub(crate) fn until(&mut self, holds: impl Fn(&Peer) -> bool) -> bool {
        while !holds(self) {
            if self.is_over || !self.read() {
                return false;
            }
        }
        true
    }

    /// Reads until the other side has said its settings and has acknowledged all that it got.
    pub(crate) fn until_acknowledged(&mut self) {
        self.until(|peer| !peer.seen.is_empty() && peer.announced.is_empty());
    }

    /// Reads until the other side has ended this stream.
    pub(crate) fn until_end_of(&mut self, stream: u32) {
        self.until(|peer| peer.seen.iter().any(|frame| frame.stream == stream && frame.ends_stream()));
    }

    /// Reads until so many octets of this stream's body are there.
    pub(crate) fn until_body(&mut self, stream: u32, length: usize) {
        self.until(|peer| peer.body(stream).len() >= length);
    }

    /// Sends a PING and waits for its answer: all that was sent before has been looked at.
    pub(crate) fn synchronize(&mut self) {
        let number = self.seen.len() as u64;
        self.send(&ping(0, &number.to_be_bytes()));
        self.until(|peer| peer.has_pong(&number.to_be_bytes()));
    }

    /// Whether this PING was answered.
    pub(crate) fn has_pong(&self, octets: &[u8; 8]) -> bool {
        self.seen.iter().rev().any(|frame| frame.is(PING, 0) && frame.has(ACK) && frame.payload == octets)
    }

    /// The body that came on a stream.
    pub(crate) fn body(&self, stream: u32) -> Vec<u8> {
        let all = self.seen.iter().filter(|frame| frame.is(DATA, stream));
        all.flat_map(|frame| frame.payload.iter().copied()).collect()
    }

    /// The final head that came on a stream.
    pub(crate) fn answer(&self, stream: u32) -> Option<&Frame> {
        let mut heads = self.seen.iter().filter(|frame| frame.is(HEADERS, stream));
        heads.find(|frame| frame.status().is_some_and(|status| status >= 200))
    }

    /// The other side's limit on frames.
    pub(crate) fn frame_max(&self) -> usize {
        self.settings.get(&MAX_FRAME_SIZE).map_or(FRAME, |size| *size as usize)
    }

    /// The other side's limit on the dynamic table.
    pub(crate) fn table_max(&self) -> usize {
        self.settings.get(&HEADER_TABLE_SIZE).map_or(TABLE_SIZE, |size| *size as usize)
    }

    /// How many octets of DATA the other side takes on this stream, or on the connection as a whole (0).
    pub(crate) fn room(&self, stream: u32) -> i64 {
        let first = match self.settings.get(&INITIAL_WINDOW_SIZE) {
            Some(size) if stream != 0 => i64::from(*size),
            _ => WINDOW,
        };
        let of = |all: &BTreeMap<u32, i64>| all.get(&stream).copied().unwrap_or_default();
        let own = first + of(&self.given) - of(&self.used);
        if stream == 0 { own } else { own.min(self.room(0)) }
    }

    /// How many octets of DATA were sent on this stream.
    pub(crate) fn sent(&self, stream: u32) -> usize {
        self.used.get(&stream).map_or(0, |used| usize::try_from(*used).unwrap())
    }

    /// Waits for room, and sends DATA.
    pub(crate) fn upload(&mut self, stream: u32, frame: &[u8]) {
        let length = frame.len() as i64 - 9;
        self.until(|peer| peer.room(stream) >= length);
        self.send(frame);
    }

    /// The fields of a request for `/`.
    pub(crate) fn fields(&self, method: &str) -> Fields {
        let scheme = if self.is_tls { "https" } else { "http" };
        let all = [
            (":method", method),
            (":scheme", scheme),
            (":path", "/"),
            (":authority", AUTHORITY),
            ("x-case", &self.case),
        ];
        Fields(all.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }

    /// A whole request without a body.
    pub(crate) fn get(&mut self, stream: u32) {
        let block = self.fields("GET").block();
        self.send(&headers(stream, END, &block));
    }

    /// A request whose body is to come.
    pub(crate) fn post(&mut self, stream: u32) {
        let block = self.fields("POST").block();
        self.send(&headers(stream, END_HEADERS, &block));
    }

    /// A whole request on stream 1 with these fields.
    pub(crate) fn ask(&mut self, fields: &Fields) {
        self.send(&headers(1, END, &fields.block()));
    }

    /// Requests on streams 1, 3, 5, ..., each of them whole and malformed: all are reset with PROTOCOL_ERROR.
    pub(crate) fn each_malformed(&mut self, requests: &[Fields]) {
        self.each(requests, b"", |end| end.kind == RST_STREAM && end.code() == PROTOCOL_ERROR);
    }

    /// Requests on streams 1, 3, 5, ...: all are answered with 200.
    pub(crate) fn each_answered(&mut self, requests: &[Fields]) {
        self.each(requests, b"", |head| head.status() == Some(200));
    }

    /// Requests on streams 1, 3, 5, ...: all are reset with PROTOCOL_ERROR, or answered with a status that says no.
    pub(crate) fn each_refused(&mut self, requests: &[Fields]) {
        self.each(requests, b"", Frame::refuses);
    }

    /// The same with a body.
    pub(crate) fn each_refused_with(&mut self, body: &[u8], requests: &[Fields]) {
        self.each(requests, body, Frame::refuses);
    }

    fn each(&mut self, requests: &[Fields], body: &[u8], is_right: impl Fn(&Frame) -> bool) {
        let mut wrong = Vec::new();
        for (fields, stream) in requests.iter().zip((1..).step_by(2)) {
            let block = fields.block();
            self.send(&match body {
                b"" => headers(stream, END, &block),
                body => [headers(stream, END_HEADERS, &block), data(stream, END_STREAM, body)].concat(),
            });
            self.until_end_of(stream);
            let mut own = self.seen.iter().filter(|frame| frame.stream == stream);
            if !own.any(&is_right) {
                wrong.push(format!("{:?}", fields.0));
            }
        }
        assert!(wrong.is_empty(), "not so with {}", wrong.join("\n      and "));
    }

    /// The block of a `GET`, and this behind it: a whole request on stream 1.
    pub(crate) fn get_with(&mut self, before: &[u8], behind: &[u8]) {
        let block = [before, &self.fields("GET").block(), behind].concat();
        self.send(&headers(1, END, &block));
    }

    /// A request that shows that the connection goes on, behind a PING: whether both are answered.
    pub(crate) fn probe(&mut self) -> bool {
        const PAYLOAD: &[u8; 8] = b"go on...";
        let fields = self.fields("GET").set(":path", "/probe").set("x-case", "probe");
        self.send(&[ping(0, PAYLOAD), headers(PROBE, END, &fields.block())].concat());
        let is_answered = |peer: &Peer| {
            let on_probe =
                |frame: &Frame| matches!(frame.kind, HEADERS | RST_STREAM) && frame.stream == PROBE;
            peer.has_pong(PAYLOAD) && peer.seen.iter().any(on_probe)
        };
        self.until(is_answered) && self.answer(PROBE).and_then(Frame::status) == Some(200)
    }

    /// All that came, as short as it can be told.
    pub(crate) fn tell(&self) -> String {
        let mut all: Vec<String> = self.seen.iter().map(Frame::tell).collect();
        let end = format!("{:?}", self.client.end());
        all.push(if self.is_over { format!("the end ({end})") } else { "nothing more".into() });
        all.join(", ")
    }
}

fn pairs(payload: &[u8]) -> Vec<(u16, u32)> {
    let pairs = payload.chunks_exact(6);
    pairs.map(|p| (u16::from_be_bytes([p[0], p[1]]), u32::from_be_bytes([p[2], p[3], p[4], p[5]]))).collect()
}
