//! Headers, and what a message says (MongoDB's manual, "Wire Protocol").

use super::bson::{self, Element, elements, int32};

/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = 16;

/// The longest message: what servers tell their clients (`maxMessageSizeBytes`).
const MESSAGE_BYTES_MAX: u32 = 48_000_000;

const OP_REPLY: i32 = 1;
const OP_UPDATE: i32 = 2001;
const OP_INSERT: i32 = 2002;
const OP_QUERY: i32 = 2004;
const OP_GET_MORE: i32 = 2005;
const OP_DELETE: i32 = 2006;
const OP_KILL_CURSORS: i32 = 2007;
const OP_COMPRESSED: i32 = 2012;
const OP_MSG: i32 = 2013;

/// `OP_MSG`: nobody waits for an answer to this, or more answers follow.
const MORE_TO_COME: i32 = 1 << 1;

/// `OP_REPLY`: the query failed.
const QUERY_FAILURE: i32 = 1 << 1;

/// What every message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole message.
    pub len: u32,
    /// The sender's number for it.
    pub id: i32,
    /// The number of the request that it answers.
    pub response_to: i32,
    operation: i32,
}

impl Header {
    /// Reads a header. Nothing, if these bytes can't be one.
    pub(super) fn read(bytes: &[u8]) -> Option<Header> {
        let field = |at| int32(bytes, at);
        let header = Header {
            len: u32::try_from(field(0)?).ok()?,
            id: field(4)?,
            response_to: field(8)?,
            operation: field(12)?,
        };
        let is_known = matches!(
            header.operation,
            OP_REPLY | OP_UPDATE..=OP_INSERT | OP_QUERY..=OP_KILL_CURSORS | OP_COMPRESSED | OP_MSG
        );
        let is_long_enough = header.len as usize >= HEADER_BYTES && header.len <= MESSAGE_BYTES_MAX;
        (is_known && is_long_enough).then_some(header)
    }
}

/// A message, as far as its bytes are there.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its header.
    pub header: Header,
    /// What is behind the header: all of it, or its beginning.
    pub(super) body: &'a [u8],
}

/// What a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The command's name; empty if it can't be seen.
    pub command: &'a [u8],
    /// The database's name; empty if it can't be seen.
    pub database: &'a [u8],
    /// Whether there will be an answer.
    pub is_answered: bool,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It worked; or it did not, and that does not show in the first bytes.
    Done,
    /// It failed: `ok` is 0.
    Failed,
}

impl<'a> Message<'a> {
    /// Reads it as a request.
    pub fn call(&self) -> Call<'a> {
        let named = |command: &'static [u8], is_answered| {
            // All of these have a number, then the collection's full name.
            let name = self.body.get(4..).and_then(bson::text);
            Call { command, database: name.map_or(&[], |(name, _)| database(name)), is_answered }
        };
        match self.header.operation {
            OP_MSG => self.message_call(),
            OP_QUERY => self.query_call(),
            OP_GET_MORE => named(b"getMore", true),
            OP_INSERT => named(b"insert", false),
            OP_UPDATE => named(b"update", false),
            OP_DELETE => named(b"delete", false),
            OP_KILL_CURSORS => Call { command: b"killCursors", database: b"", is_answered: false },
            OP_COMPRESSED => Call { command: b"compressed", database: b"", is_answered: true },
            _ => Call { command: b"", database: b"", is_answered: false },
        }
    }

    /// Reads it as an answer.
    pub fn answer(&self) -> Answer {
        let document = match self.header.operation {
            OP_MSG => self.document(),
            OP_REPLY if self.flags() & QUERY_FAILURE != 0 => return Answer::Failed,
            // Flags, a cursor's id, where it begins and how many documents there are.
            OP_REPLY => self.body.get(20..),
            _ => None,
        };
        let ok = elements(document.unwrap_or_default()).find(|element| element.key == b"ok");
        if ok.is_some_and(|ok| is_zero(&ok)) { Answer::Failed } else { Answer::Done }
    }

    fn flags(&self) -> i32 {
        int32(self.body, 0).unwrap_or(0)
    }

    fn message_call(&self) -> Call<'a> {
        let is_answered = self.flags() & MORE_TO_COME == 0;
        let mut call = Call { command: b"", database: b"", is_answered };
        for (position, element) in elements(self.document().unwrap_or_default()).enumerate() {
            if position == 0 {
                call.command = element.key;
            } else if element.key == b"$db" {
                call.database = string(&element);
                break;
            }
        }
        call
    }

    /// The first section of kind 0, which is the command or the answer itself. Sections of kind 1 (documents to insert)
    /// may stand before it.
    fn document(&self) -> Option<&'a [u8]> {
        let mut rest = self.body.get(4..)?;
        loop {
            let (kind, section) = rest.split_first()?;
            match kind {
                0 => return Some(section),
                1 => rest = section.get(usize::try_from(int32(section, 0)?).ok()?.max(4)..)?,
                _ => return None,
            }
        }
    }

    fn query_call(&self) -> Call<'a> {
        let mut call = Call { command: b"query", database: b"", is_answered: true };
        let Some((name, rest)) = self.body.get(4..).and_then(bson::text) else { return call };
        call.database = database(name);
        if !name.ends_with(b".$cmd") {
            return call;
        }
        // How many to skip and to return, then the command, perhaps wrapped.
        let first = |document| elements(document).next();
        let Some(element) = rest.get(8..).and_then(first) else { return call };
        call.command = match element.key {
            b"$query" | b"query" => first(element.value).map_or(element.key, |inner| inner.key),
            key => key,
        };
        call
    }
}

/// The database of a collection's full name.
fn database(name: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'.', name).unwrap_or(name.len());
    name.get(..end).unwrap_or_default()
}

fn string<'a>(element: &Element<'a>) -> &'a [u8] {
    if element.kind != 2 {
        return b"";
    }
    // Its length, the text, a zero.
    element.value.get(4..).and_then(bson::text).map_or(b"", |(text, _)| text)
}

fn is_zero(element: &Element<'_>) -> bool {
    let is_number = matches!(element.kind, 0x01 | 0x08 | 0x10 | 0x12);
    is_number && !element.value.is_empty() && element.value.iter().all(|byte| *byte == 0)
}
