//! Header blocks to fields (RFC 7541 section 6).

use super::dynamic_table::{DynamicTable, Facts};
use super::static_table::{self, STATIC_ENTRIES};
use super::validity::{is_valid_name, is_valid_value};
use super::{Header, HpackError, huffman, integer};
use crate::http::Name;

/// How many bytes a buffer for decoded strings keeps between blocks. Strings of ordinary requests fit, and one huge
/// string does not cost memory for as long as its connection lives.
const ROOM_KEPT_BYTES: usize = 4096;

/// How many changes of the table's size may open a block: down and up again (RFC 7541 section 4.2).
const SIZE_UPDATES_MAX: u32 = 2;

/// The decoder of one connection: it has to see every header block that the peer sends, in order.
pub struct Decoder {
    table: DynamicTable,
    /// The largest size of the table that the peer may choose.
    table_bytes_max: usize,
    /// Where a Huffman-coded name is decoded to.
    name_room: Vec<u8>,
    /// Where a Huffman-coded value is decoded to.
    value_room: Vec<u8>,
}

/// A name from a literal or from one of the tables.
#[derive(Clone, Copy)]
struct NameText<'a> {
    text: &'a [u8],
    name: Name,
    is_valid: bool,
}

impl Decoder {
    /// A decoder with an empty table. `table_bytes_max` is the `SETTINGS_HEADER_TABLE_SIZE` that we announce, 4096 if
    /// we announce none (RFC 9113 section 6.5.2).
    pub fn new(table_bytes_max: u32) -> Decoder {
        let table_bytes_max = table_bytes_max as usize;
        Decoder {
            table: DynamicTable::new(table_bytes_max),
            table_bytes_max,
            name_room: Vec::new(),
            value_room: Vec::new(),
        }
    }

    /// Decodes one whole header block, and calls `take` for each of its fields in order. The state stays right even
    /// where the caller ignores fields. An error is a connection error of type `COMPRESSION_ERROR`, and nothing more
    /// may be decoded after it.
    ///
    /// A short block can stand for many long fields. It is for the caller to count what it is given.
    pub fn decode(&mut self, block: &[u8], mut take: impl FnMut(Header<'_>)) -> Result<(), HpackError> {
        let mut rest = self.sizes(block)?;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            match first {
                0x80.. => take(self.indexed(integer::read(first, 7, &mut rest)?)?),
                0x40..0x80 => self.remembered(first, &mut rest, &mut take)?,
                0x20..0x40 => return Err(HpackError::SizeTooLate),
                0x00..0x20 => self.passing(first, &mut rest, &mut take)?,
            }
        }
        for room in [&mut self.name_room, &mut self.value_room] {
            if room.len() > ROOM_KEPT_BYTES {
                *room = Vec::new();
            }
        }
        Ok(())
    }

    /// The size of the table, for tests.
    #[cfg(test)]
    pub(super) fn table_bytes(&self) -> usize {
        self.table.size()
    }

    /// Applies the changes of the table's size that open a block, and returns what follows them (section 6.3).
    fn sizes<'b>(&mut self, block: &'b [u8]) -> Result<&'b [u8], HpackError> {
        let mut rest = block;
        let mut count = 0;
        while let Some((&first @ 0x20..0x40, after)) = rest.split_first() {
            rest = after;
            let size = integer::read(first, 5, &mut rest)?;
            if size > self.table_bytes_max {
                return Err(HpackError::SizeTooLarge);
            }
            count += 1;
            if count > SIZE_UPDATES_MAX {
                return Err(HpackError::TooManySizes);
            }
            self.table.set_limit(size);
        }
        Ok(rest)
    }

    /// A field from one of the tables (section 6.1).
    #[inline]
    fn indexed(&self, index: usize) -> Result<Header<'_>, HpackError> {
        if let Some(known) = static_table::field(index) {
            let (text, value, name) = (known.text, known.value, known.name);
            return Ok(Header { text, value, name, is_valid: true, never_indexed: false });
        }
        let field = self.table.get(index).ok_or(HpackError::BadIndex)?;
        Ok(Header {
            text: field.text,
            value: field.value,
            name: field.facts.name,
            is_valid: field.facts.is_valid,
            never_indexed: false,
        })
    }

    /// A literal that both sides remember (section 6.2.1).
    fn remembered(
        &mut self,
        first: u8,
        rest: &mut &[u8],
        take: &mut impl FnMut(Header<'_>),
    ) -> Result<(), HpackError> {
        let index = integer::read(first, 6, rest)?;
        if index > STATIC_ENTRIES {
            let name = table_name(&self.table, index)?;
            let value = string(rest, &mut self.value_room)?;
            let header = header(name, value, false);
            take(header);
            let facts = facts(name, header);
            self.table.insert_with_name_of(index, value, facts);
        } else {
            let name = fresh_name(index, rest, &mut self.name_room)?;
            let value = string(rest, &mut self.value_room)?;
            let header = header(name, value, false);
            take(header);
            self.table.insert(name.text, value, facts(name, header));
        }
        Ok(())
    }

    /// A literal that is not remembered (sections 6.2.2 and 6.2.3).
    fn passing(
        &mut self,
        first: u8,
        rest: &mut &[u8],
        take: &mut impl FnMut(Header<'_>),
    ) -> Result<(), HpackError> {
        let index = integer::read(first, 4, rest)?;
        let name = match index {
            0..=STATIC_ENTRIES => fresh_name(index, rest, &mut self.name_room)?,
            _ => table_name(&self.table, index)?,
        };
        let value = string(rest, &mut self.value_room)?;
        take(header(name, value, first & 0x10 != 0));
        Ok(())
    }
}

fn header<'a>(name: NameText<'a>, value: &'a [u8], never_indexed: bool) -> Header<'a> {
    let is_valid = name.is_valid && is_valid_value(value);
    Header { text: name.text, value, name: name.name, is_valid, never_indexed }
}

fn facts(name: NameText<'_>, header: Header<'_>) -> Facts {
    Facts { name: name.name, is_name_valid: name.is_valid, is_valid: header.is_valid }
}

/// The name of a field of the static table, or a string if the index is 0.
#[inline]
fn fresh_name<'a, 'b: 'a>(
    index: usize,
    rest: &mut &'b [u8],
    room: &'a mut Vec<u8>,
) -> Result<NameText<'a>, HpackError> {
    if let Some(known) = static_table::field(index) {
        return Ok(NameText { text: known.text, name: known.name, is_valid: true });
    }
    let text = string(rest, room)?;
    Ok(NameText { text, name: Name::of(text), is_valid: is_valid_name(text) })
}

/// The name of a field of the dynamic table.
#[inline]
fn table_name(table: &DynamicTable, index: usize) -> Result<NameText<'_>, HpackError> {
    let field = table.get(index).ok_or(HpackError::BadIndex)?;
    Ok(NameText { text: field.text, name: field.facts.name, is_valid: field.facts.is_name_valid })
}

/// A string: in place, or decoded into `room` (section 5.2).
#[inline]
fn string<'a, 'b: 'a>(rest: &mut &'b [u8], room: &'a mut Vec<u8>) -> Result<&'a [u8], HpackError> {
    let Some((&first, after)) = rest.split_first() else { return Err(HpackError::Truncated) };
    *rest = after;
    let len = integer::read(first, 7, rest)?;
    let (string, after) = rest.split_at_checked(len).ok_or(HpackError::Truncated)?;
    *rest = after;
    if first & 0x80 == 0 { Ok(string) } else { huffman::decode(string, room) }
}
