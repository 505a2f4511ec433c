//! Fields to header blocks (RFC 7541 section 6).
//!
//! Strings are written as they are, without the Huffman code. It would save about a quarter of the bytes of those
//! fields that are not remembered, which is nothing within a host or a data centre, and cost more processor time, here
//! and at the peer, than all the rest of the encoding.

use super::dynamic_table::{DynamicTable, ENTRY_OVERHEAD, Facts};
use super::integer;
use super::known_names::{self, Known, Use};
use crate::http::Name;

/// The size of the table before the peer's settings, and the most that is used of whatever they allow: it holds some
/// sixty ordinary fields, and each connection pays for it.
const TABLE_BYTES_MAX: usize = 4096;

/// How long a name or value may be to be remembered. Longer ones rarely come again and evict many others.
const REMEMBERED_BYTES_MAX: usize = 256;

/// How many fields can be found. An entry has some sixty bytes or more, so a full table is found half of this.
const SLOTS: usize = 128;

/// The index of the first field of the static table with a name.
const AUTHORITY: u8 = 1;
const METHOD: u8 = 2;
const PATH: u8 = 4;
const SCHEME: u8 = 6;
const STATUS: u8 = 8;
/// `accept-encoding: gzip, deflate`: beside pseudo-headers, the only field of the static table with a value.
const ACCEPT_ENCODING: u8 = 16;

/// The pattern of a field from a table (section 6.1), with an index of 7 bits.
const INDEXED: u8 = 0x80;
/// The pattern of a literal that is remembered (section 6.2.1), with an index of 6 bits.
const REMEMBERED: u8 = 0x40;
/// The pattern of a literal that is not remembered (section 6.2.2), with an index of 4 bits.
const PASSING: u8 = 0x00;
/// The pattern of a literal that nobody may ever remember (section 6.2.3), with an index of 4 bits.
const NEVER: u8 = 0x10;
/// The pattern of a change of the table's size (section 6.3), with a size of 5 bits.
const SIZE: u8 = 0x20;

/// The encoder of one connection: the peer has to be sent every block that it writes, in order.
pub struct Encoder {
    table: DynamicTable,
    /// For each hash of a field, which one was seen with it last.
    slots: Box<[Slot; SLOTS]>,
    /// The changes of the peer's limit since the last block, if any.
    change: Option<Change>,
}

/// A field that was seen. Only a field that comes again is remembered, so that those that come once evict nothing.
#[derive(Clone, Copy)]
struct Slot {
    /// The hash of the field, 0 if there was none.
    hash: u32,
    /// Its number in the table, if it was inserted. Whatever else this is, names and values are compared.
    number: u32,
}

/// What the peer's limit became since the last block.
#[derive(Clone, Copy)]
struct Change {
    lowest: usize,
    last: usize,
}

/// A field with what is known of its name.
#[derive(Clone, Copy)]
struct Encoded<'a> {
    text: &'a [u8],
    value: &'a [u8],
    /// The index of its name in the static table, or 0.
    index: u8,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

impl Encoder {
    /// An encoder with an empty table of 4096 bytes, which is what every peer allows before its settings are there
    /// (RFC 9113 section 6.5.2), and the most that is used whatever the peer allows.
    pub fn new() -> Encoder {
        Encoder {
            table: DynamicTable::new(TABLE_BYTES_MAX),
            slots: Box::new([Slot { hash: 0, number: 0 }; SLOTS]),
            change: None,
        }
    }

    /// The peer's `SETTINGS_HEADER_TABLE_SIZE`, in bytes. The next block begins with the changes of the table's size
    /// that RFC 7541 section 4.2 and RFC 9113 section 4.3.1 ask for.
    pub fn set_limit(&mut self, bytes: u32) {
        let last = TABLE_BYTES_MAX.min(bytes as usize);
        let lowest = self.change.map_or(last, |change| change.lowest.min(last));
        self.change = Some(Change { lowest, last });
    }

    /// Begins a block: writes the changes of the table's size, if there are any. Called once for each block, before its
    /// first field.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        let Some(Change { lowest, last }) = self.change.take() else { return };
        if lowest < last && lowest < self.table.limit() {
            self.table.set_limit(lowest);
            integer::write(SIZE, 5, lowest, out);
        }
        if last != self.table.limit() {
            self.table.set_limit(last);
            integer::write(SIZE, 5, last, out);
        }
    }

    /// Writes `:status`, a number of three digits.
    pub fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        debug_assert!((100..1000).contains(&status));
        let index = match status {
            200 => 8,
            204 => 9,
            206 => 10,
            304 => 11,
            400 => 12,
            404 => 13,
            500 => 14,
            _ => {
                let digits = [100, 10, 1].map(|unit| b'0' + (status / unit % 10) as u8);
                return self.repeating(Encoded { text: b":status", value: &digits, index: STATUS }, out);
            }
        };
        out.push(INDEXED | index);
    }

    /// Writes `:method`.
    pub fn method(&mut self, method: &[u8], out: &mut Vec<u8>) {
        match method {
            b"GET" => out.push(INDEXED | METHOD),
            b"POST" => out.push(INDEXED | (METHOD + 1)),
            _ => self.repeating(Encoded { text: b":method", value: method, index: METHOD }, out),
        }
    }

    /// Writes `:path`, which is never remembered: there are too many of them.
    pub fn path(&mut self, path: &[u8], out: &mut Vec<u8>) {
        match path {
            b"/" => out.push(INDEXED | PATH),
            b"/index.html" => out.push(INDEXED | (PATH + 1)),
            _ => literal(PASSING, Encoded { text: b":path", value: path, index: PATH }, out),
        }
    }

    /// Writes `:scheme`.
    pub fn scheme(&mut self, scheme: &[u8], out: &mut Vec<u8>) {
        match scheme {
            b"http" => out.push(INDEXED | SCHEME),
            b"https" => out.push(INDEXED | (SCHEME + 1)),
            _ => self.repeating(Encoded { text: b":scheme", value: scheme, index: SCHEME }, out),
        }
    }

    /// Writes `:authority`, which is remembered at once: a connection to an upstream has few of them.
    pub fn authority(&mut self, authority: &[u8], out: &mut Vec<u8>) {
        let field = Encoded { text: b":authority", value: authority, index: AUTHORITY };
        let hash = hash(field);
        if !self.found(field, hash, out) {
            self.insert(field, hash, out);
        }
    }

    /// Writes any field. `text` is its name in lower case, and `name` what [`Name::of`] says of it.
    pub fn field(&mut self, name: Name, text: &[u8], value: &[u8], out: &mut Vec<u8>) {
        debug_assert!(name == Name::of(text) && !text.iter().any(u8::is_ascii_uppercase));
        let Known { index, use_of } = known(name, text);
        let field = Encoded { text, value, index };
        match use_of {
            Use::Secret => literal(NEVER, field, out),
            Use::Varies => literal(PASSING, field, out),
            Use::Repeats if index == ACCEPT_ENCODING && value == b"gzip, deflate" => {
                out.push(INDEXED | index)
            }
            Use::Repeats => self.repeating(field, out),
        }
    }

    /// The size of the table, for tests.
    #[cfg(test)]
    pub(super) fn table_bytes(&self) -> usize {
        self.table.size()
    }

    /// Writes a field whose value is likely to come again: by its index if it is in the table, into the table if it was
    /// seen before, and as a literal at first.
    fn repeating(&mut self, field: Encoded<'_>, out: &mut Vec<u8>) {
        let hash = hash(field);
        if self.found(field, hash, out) {
            return;
        }
        let slot = self.slot(hash);
        if slot.hash == hash {
            self.insert(field, hash, out);
        } else {
            *slot = Slot { hash, number: slot.number };
            literal(PASSING, field, out);
        }
    }

    #[inline]
    fn slot(&mut self, hash: u32) -> &mut Slot {
        &mut self.slots[hash as usize % SLOTS]
    }

    /// Writes a field by its index, if it is in the table.
    #[inline]
    fn found(&mut self, field: Encoded<'_>, hash: u32, out: &mut Vec<u8>) -> bool {
        let slot = *self.slot(hash);
        if slot.hash != hash {
            return false;
        }
        match self.table.numbered(slot.number) {
            Some((index, entry)) if entry.text == field.text && entry.value == field.value => {
                integer::write(INDEXED, 7, index, out);
                true
            }
            _ => false,
        }
    }

    /// Writes a field and inserts it, on both sides, unless it is too large for that.
    fn insert(&mut self, field: Encoded<'_>, hash: u32, out: &mut Vec<u8>) {
        let Encoded { text, value, .. } = field;
        let is_short = text.len().max(value.len()) <= REMEMBERED_BYTES_MAX;
        if !is_short || ENTRY_OVERHEAD + text.len() + value.len() > self.table.limit() {
            return literal(PASSING, field, out);
        }
        literal(REMEMBERED, field, out);
        *self.slot(hash) = Slot { hash, number: self.table.inserted() };
        // Nobody asks the encoder's table for these.
        self.table.insert(text, value, Facts { name: Name::Other, is_name_valid: true, is_valid: true });
    }
}

/// What is known of a name. Those with a variant need no look at their bytes.
#[inline]
fn known(name: Name, text: &[u8]) -> Known {
    let repeats = |index| Known { index, use_of: Use::Repeats };
    let varies = |index| Known { index, use_of: Use::Varies };
    match name {
        Name::ContentLength => varies(28),
        Name::ContentType => repeats(31),
        Name::Date => repeats(33),
        Name::Location => varies(46),
        Name::Server => repeats(54),
        Name::UserAgent => repeats(58),
        Name::XForwardedFor | Name::XForwardedProto => repeats(0),
        Name::XRequestId => varies(0),
        _ => known_names::of(text),
    }
}

/// Writes a literal with a pattern: its name by index if there is one, and its value.
#[inline]
fn literal(pattern: u8, field: Encoded<'_>, out: &mut Vec<u8>) {
    let index_bits = if pattern == REMEMBERED { 6 } else { 4 };
    out.reserve(field.text.len() + field.value.len() + 16);
    integer::write(pattern, index_bits, usize::from(field.index), out);
    if field.index == 0 {
        string(field.text, out);
    }
    string(field.value, out);
}

#[inline]
fn string(string: &[u8], out: &mut Vec<u8>) {
    integer::write(0, 7, string.len(), out);
    out.extend_from_slice(string);
}

/// A cheap hash of both lengths and of the ends of both strings; never 0. Fields that differ between these share a
/// slot, which costs bytes and nothing else.
#[inline]
fn hash(field: Encoded<'_>) -> u32 {
    let lens = (field.text.len() as u64) << 32 | field.value.len() as u64;
    let mut hash = lens;
    for word in ends(field.text).into_iter().chain(ends(field.value)) {
        hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    (hash >> 32) as u32 | 1 << 31
}

/// Words from the start and the end of a string; they overlap if it is short.
#[inline]
fn ends(string: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (string.first_chunk(), string.last_chunk()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    if let (Some(first), Some(last)) = (string.first_chunk(), string.last_chunk()) {
        return [u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last))];
    }
    let short = string.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    [short, 0]
}
