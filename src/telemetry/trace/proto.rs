//! Messages of Protocol Buffers (<https://protobuf.dev/programming-guides/encoding/>), written: the four wire types that
//! OTLP needs, and no more. Fields that have their default are written all the same, which every parser takes.

/// A message that is being written to the end of some bytes.
pub struct Message<'o>(&'o mut Vec<u8>);

/// The wire types (section "Message Structure").
const VARINT: u32 = 0;
const I64: u32 = 1;
const LEN: u32 = 2;
const I32: u32 = 5;

impl<'o> Message<'o> {
    /// A message that begins at the end of these bytes.
    pub fn new(out: &'o mut Vec<u8>) -> Message<'o> {
        Message(out)
    }

    /// The same message, for somebody who writes some of it.
    pub fn again(&mut self) -> Message<'_> {
        Message(self.0)
    }

    /// A field with a number: `int64`, `uint32`, `bool`, an enum.
    pub fn number(&mut self, field: u32, number: u64) {
        self.tag(field, VARINT);
        varint(self.0, number);
    }

    /// A `fixed64`.
    pub fn fixed64(&mut self, field: u32, number: u64) {
        self.tag(field, I64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A `fixed32`.
    pub fn fixed32(&mut self, field: u32, number: u32) {
        self.tag(field, I32);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A `bytes`.
    pub fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, LEN);
        varint(self.0, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A `string`: at most so many bytes of it, and what is no UTF-8 as U+FFFD, for parsers refuse the whole message
    /// otherwise.
    pub fn text(&mut self, field: u32, text: &[u8], max: usize) {
        let text = text.get(..max).unwrap_or(text);
        match std::str::from_utf8(text) {
            Ok(_) => self.bytes(field, text),
            // It was cut within a character.
            Err(error) if error.error_len().is_none() => {
                self.bytes(field, text.get(..error.valid_up_to()).unwrap_or_default());
            }
            Err(_) => self.bytes(field, String::from_utf8_lossy(text).as_bytes()),
        }
    }

    /// A message within this one.
    pub fn message(&mut self, field: u32, write: impl FnOnce(&mut Message<'_>)) {
        self.tag(field, LEN);
        let begin = self.0.len();
        write(&mut Message(self.0));
        let len = self.0.len() - begin;
        // Its length stands before it and is known only now. Moving some hundred bytes up is cheaper than measuring first.
        let mut prefix = [0; VARINT_MAX];
        let prefix = encoded(len as u64, &mut prefix);
        self.0.extend_from_slice(prefix);
        self.0[begin..].rotate_right(prefix.len());
    }

    /// Fields that have been written elsewhere.
    pub fn raw(&mut self, fields: &[u8]) {
        self.0.extend_from_slice(fields);
    }

    fn tag(&mut self, field: u32, wire_type: u32) {
        varint(self.0, u64::from(field << 3 | wire_type));
    }
}

/// Bytes of the largest number.
const VARINT_MAX: usize = 10;

fn varint(out: &mut Vec<u8>, number: u64) {
    let mut bytes = [0; VARINT_MAX];
    out.extend_from_slice(encoded(number, &mut bytes));
}

/// Seven bits a byte, the lowest first; all but the last have the highest bit set.
fn encoded(mut number: u64, bytes: &mut [u8; VARINT_MAX]) -> &[u8] {
    let mut len = 0;
    for byte in bytes.iter_mut() {
        len += 1;
        *byte = number as u8 & 0x7f;
        number >>= 7;
        if number == 0 {
            break;
        }
        *byte |= 0x80;
    }
    &bytes[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification.
    #[test]
    fn fields_are_written_as_the_specification_shows() {
        let mut out = Vec::new();
        Message::new(&mut out).number(1, 150);
        assert_eq!(out, [0x08, 0x96, 0x01]);
        out.clear();
        Message::new(&mut out).text(2, b"testing", 99);
        assert_eq!(out, b"\x12\x07testing");
        out.clear();
        Message::new(&mut out).message(3, |inner| inner.number(1, 150));
        assert_eq!(out, [0x1a, 0x03, 0x08, 0x96, 0x01]);
        out.clear();
        let mut message = Message::new(&mut out);
        message.fixed64(7, 1);
        message.fixed32(16, 2);
        message.number(1, u64::MAX);
        assert_eq!(
            out,
            b"\x39\x01\0\0\0\0\0\0\0\x85\x01\x02\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
        );
    }

    #[test]
    fn a_long_message_within_another_has_a_length_of_two_bytes() {
        let mut out = Vec::new();
        Message::new(&mut out).message(1, |inner| inner.bytes(2, &[b'x'; 300]));
        assert_eq!(out[..6], [0x0a, 0xaf, 0x02, 0x12, 0xac, 0x02]);
        assert_eq!((out.len(), &out[303..]), (306, &b"xxx"[..]));
    }

    #[test]
    fn texts_are_always_utf8() {
        let text = |bytes: &[u8], max: usize| {
            let mut out = Vec::new();
            Message::new(&mut out).text(1, bytes, max);
            String::from_utf8(out[2..].to_vec()).unwrap()
        };
        assert_eq!(text("a\u{e9}b".as_bytes(), 99), "a\u{e9}b");
        assert_eq!(text("a\u{e9}b".as_bytes(), 2), "a");
        assert_eq!(text(b"a\xffb", 99), "a\u{fffd}b");
        assert_eq!(text(b"abc", 2), "ab");
    }
}
