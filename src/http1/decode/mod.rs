//! Bytes to request and response heads.
//!
//! - `policy`: the limits, and the choices that configuration makes
//! - `error`: every reason to refuse a head
//! - `request`, `response`: the two heads
//! - `target`: what a request target may be
//! - `fields`: the field section that both share
//! - `control`: what the fields say that are about the message or the connection
//!
//! httparse finds the parts of a head and the bytes that may not be in them. It is more lenient than a gateway may
//! be, so what it found must account for every byte of the head in the strict grammar: no bare LF, single spaces in
//! the start line, no empty lines but the few before a request. The field section goes into [`crate::http::Fields`]
//! in one copy.

mod control;
mod error;
mod fields;
mod policy;
mod request;
mod response;
mod target;

pub use crate::http::Underscores;
pub use error::{BadFields, BadRequest, BadResponse};
use policy::FIELDS_MAX;
pub use policy::{Http10, Limits, OtherUpgrades, Policy};
pub use request::request;
pub use response::response;

/// What came of looking at bytes that hold no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The head goes on after these bytes. What the head holds so far means nothing.
    Incomplete,
    /// The head is decoded.
    Head {
        /// Bytes it took, empty lines before it included. What follows them is the body.
        len: usize,
    },
}

/// Why a parser stopped before the end of a head.
enum Stop<E> {
    /// The bytes ran out, and those there are may be the beginning of a good head.
    Short,
    /// No more bytes can make it good.
    Bad(E),
}

/// The bytes that may belong to the head, and whether more could be added to them.
struct Window<'a> {
    bytes: &'a [u8],
    is_full: bool,
}

/// Up to this length an incomplete head is parsed anew with every read, so that what is not HTTP is refused at once.
/// Beyond, the end of the head is looked for first, so that a slow sender costs a scan a read and not a parse.
const REPARSED_BYTES_MAX: usize = 2048;

impl<'a> Window<'a> {
    /// At most `limit` of these bytes.
    fn new(bytes: &'a [u8], limit: usize) -> Self {
        match bytes.get(..limit) {
            Some(bytes) => Window { bytes, is_full: true },
            None => Window { bytes, is_full: false },
        }
    }

    /// Whether parsing is worth its cost: always, but for a long head whose end has not come yet.
    fn is_worth_parsing(&self) -> bool {
        self.is_full
            || self.bytes.len() <= REPARSED_BYTES_MAX
            || memchr::memmem::find(self.bytes, b"\r\n\r\n").is_some()
    }
}

/// A copy of a head in which the version at `version_at`, `HTTP/1.` and a higher digit, is HTTP/1.1: httparse knows
/// none above. Nobody sends one in earnest, so this may allocate.
#[cold]
fn as_http11(bytes: &[u8], version_at: usize) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    if let Some(version) = copy.get_mut(version_at..).and_then(<[u8]>::first_chunk_mut) {
        *version = *b"HTTP/1.1";
    }
    copy
}

#[cfg(test)]
mod tests;
