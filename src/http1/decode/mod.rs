//! Bytes to request and response heads.
//!
//! - `policy`: the limits, and the choices that configuration makes
//! - `error`: every reason to refuse a head
//! - `request`, `response`: the two heads
//! - `target`: what a request target may be
//! - `fields`: the field section that both share
//! - `control`: what the fields say that are about the message or the connection
//! - `scan`: where runs of allowed bytes end
//!
//! The parser is our own because the rules are stricter than any general one's (no bare LF, no folds, HTTP/1.2 is
//! 1.1), and because a line that is in canonical form goes into [`crate::http::Fields`] in one copy.
//! The tests hold it against httparse.

mod control;
mod error;
mod fields;
mod policy;
mod request;
mod response;
mod scan;
mod target;

pub use error::{BadFields, BadRequest, BadResponse};
pub use policy::{Http10, Limits, OtherUpgrades, Policy, Underscores};
pub use request::request;
pub use response::response;
pub(super) use scan::is_text;

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

#[cfg(test)]
mod tests;
