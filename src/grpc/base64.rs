//! The text form of gRPC-Web bodies: base64 (RFC 4648 section 4) in parts that are padded each.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// In [`VALUES`], for bytes that are none of the alphabet. Values have six bits, so its highest bit tells it from them.
const NO_VALUE: u8 = 0x80;

/// What each byte stands for.
static VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let mut values = [NO_VALUE; 256];
    let mut at = 0;
    while at < ALPHABET.len() {
        values[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    values
}

/// A request body that says it is base64 and is not, or ends within a group of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadBase64;

/// Decodes a body that comes in pieces.
///
/// Padding may end any group of four, not only the last: a client may encode, pad and send parts of the body one
/// after another (`PROTOCOL-WEB.md`). Anything else is held strictly: no other alphabet, no line ends, and no bits in
/// the last character that no byte has (RFC 4648 sections 3.3 and 3.5), as Envoy does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Decoder {
    /// The values of the unfinished group's characters, six bits each.
    bits: u32,
    /// How many characters the unfinished group has, padding included: 0 to 3.
    characters: u8,
    /// Whether the unfinished group has had padding.
    is_padded: bool,
}

impl Decoder {
    /// Appends what this piece says to `out`.
    pub(super) fn push(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), BadBase64> {
        out.reserve(data.len() / 4 * 3 + 3);
        // The rest of the group that the last piece began, then whole groups.
        let begun = if self.characters == 0 { 0 } else { usize::from(4 - self.characters).min(data.len()) };
        let (begun, data) = data.split_at(begun);
        self.push_slowly(begun, out)?;
        let (groups, rest) = data.as_chunks::<4>();
        for group in groups {
            let [a, b, c, d] = group.map(|byte| VALUES[usize::from(byte)]);
            if (a | b | c | d) & NO_VALUE != 0 {
                self.push_slowly(group, out)?;
                continue;
            }
            let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
            let [_, bytes @ ..] = bits.to_be_bytes();
            out.extend_from_slice(&bytes);
        }
        self.push_slowly(rest, out)
    }

    /// Whether the body may end here.
    pub(super) fn end(&self) -> Result<(), BadBase64> {
        if self.characters == 0 { Ok(()) } else { Err(BadBase64) }
    }

    /// Takes characters one by one: those of groups that are padded, or in two pieces.
    fn push_slowly(&mut self, characters: &[u8], out: &mut Vec<u8>) -> Result<(), BadBase64> {
        for character in characters {
            match VALUES[usize::from(*character)] {
                NO_VALUE if *character == b'=' => self.pad(out)?,
                NO_VALUE => return Err(BadBase64),
                _ if self.is_padded => return Err(BadBase64),
                value => self.bits = self.bits << 6 | u32::from(value),
            }
            self.characters += 1;
            if self.characters == 4 {
                if !self.is_padded {
                    let [_, bytes @ ..] = self.bits.to_be_bytes();
                    out.extend_from_slice(&bytes);
                }
                *self = Decoder::default();
            }
        }
        Ok(())
    }

    /// A padding character. The first of a group says how many bytes the group has, so they leave with it.
    fn pad(&mut self, out: &mut Vec<u8>) -> Result<(), BadBase64> {
        if self.is_padded {
            return Ok(());
        }
        self.is_padded = true;
        // Two characters have 12 bits, the last 4 of no byte; three have 18, the last 2 of no byte.
        match (self.characters, self.bits & 0xf, self.bits & 3) {
            (2, 0, _) => out.push((self.bits >> 4) as u8),
            (3, _, 0) => out.extend([(self.bits >> 10) as u8, (self.bits >> 2) as u8]),
            _ => return Err(BadBase64),
        }
        Ok(())
    }
}

/// Encodes a body of length-prefixed messages that comes in pieces: each message by itself, padded at its end, as
/// Envoy does. So a client can decode a message as soon as it is there, and a client that takes the body for one
/// base64 text per message is right too.
///
/// Within a message up to two bytes wait for the next piece. Nobody could use them earlier, for the message is not
/// whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Encoder {
    /// Bytes that wait for their group of three.
    waiting: [u8; 2],
    waiting_len: usize,
    /// Where in its messages the body is.
    place: Place,
}

/// A place in a body of messages: a byte of flags, the message's length in four bytes, the message
/// (`PROTOCOL-HTTP2.md`, `Length-Prefixed-Message`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the prefix: how many bytes of it there were, fewer than five, and the length as far as it is known.
    Prefix(u8, u32),
    /// In the message: how many bytes of it are to come, at least one.
    Message(u32),
}

/// How many bytes are before each message.
const PREFIX_BYTES: u8 = 5;

impl Default for Place {
    fn default() -> Self {
        Place::Prefix(0, 0)
    }
}

impl Encoder {
    /// Appends this piece of the body to `out`, as far as it can be encoded yet.
    pub(super) fn push(&mut self, mut data: &[u8], out: &mut Vec<u8>) {
        out.reserve((data.len() / 3 + 2) * 4);
        while !data.is_empty() {
            let part;
            (part, data) = data.split_at(self.place.pass(data));
            self.encode(part, out);
            if self.place == Place::default() {
                self.flush(out);
            }
        }
    }

    /// Appends what waits, padded.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        let [a, b] = self.waiting;
        match self.waiting_len {
            1 => {
                let [first, second, ..] = encoded([a, 0, 0]);
                out.extend([first, second, b'=', b'=']);
            }
            2 => {
                let [first, second, third, _] = encoded([a, b, 0]);
                out.extend([first, second, third, b'=']);
            }
            _ => {}
        }
        self.waiting_len = 0;
    }

    fn encode(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let mut data = data;
        while self.waiting_len > 0 {
            let [first, rest @ ..] = data else { return };
            data = rest;
            let [a, b] = self.waiting;
            if self.waiting_len == 1 {
                self.waiting = [a, *first];
                self.waiting_len = 2;
            } else {
                out.extend(encoded([a, b, *first]));
                self.waiting_len = 0;
            }
        }
        let (groups, rest) = data.as_chunks::<3>();
        for group in groups {
            out.extend_from_slice(&encoded(*group));
        }
        for (place, byte) in self.waiting.iter_mut().zip(rest) {
            *place = *byte;
        }
        self.waiting_len = rest.len();
    }
}

impl Place {
    /// Passes over bytes up to the end of the message, or as many as there are, and returns how many.
    fn pass(&mut self, data: &[u8]) -> usize {
        let mut passed = 0;
        while let (Place::Prefix(seen, length), Some(byte)) = (*self, data.get(passed)) {
            passed += 1;
            // The flags are shifted out by the four bytes behind them.
            let length = length << 8 | u32::from(*byte);
            *self = match (seen + 1, length) {
                (PREFIX_BYTES, 0) => Place::default(),
                (PREFIX_BYTES, length) => Place::Message(length),
                (seen, length) => Place::Prefix(seen, length),
            };
            if *self == Place::default() {
                return passed;
            }
        }
        if let Place::Message(left) = *self {
            let here = data.len() - passed;
            match u32::try_from(here).ok().and_then(|here| left.checked_sub(here)).filter(|left| *left > 0) {
                Some(left) => {
                    *self = Place::Message(left);
                    passed = data.len();
                }
                None => {
                    *self = Place::default();
                    passed += left as usize;
                }
            }
        }
        passed
    }
}

/// The four characters for three bytes.
fn encoded([a, b, c]: [u8; 3]) -> [u8; 4] {
    let bits = u32::from_be_bytes([0, a, b, c]);
    [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift & 63) as usize])
}
