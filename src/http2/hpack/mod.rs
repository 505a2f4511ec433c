//! HPACK, the compression of HTTP/2's header fields (RFC 7541).
//!
//! - `decoder`: header blocks to fields
//! - `dynamic_table`: the fields that both sides of a connection remember, newest first
//! - `encoder`: fields to header blocks
//! - `huffman`: the code of string literals, decoded
//! - `huffman_codes`: the code itself, and the table it is decoded with
//! - `integer`: integers with a prefix
//! - `known_names`: which names the encoder knows, and whether their fields are remembered
//! - `static_table`: the 61 fields that every peer knows
//! - `validity`: which names and values HTTP/2 lets a field have
//!
//! Nothing here does I/O or keeps time. Once a table and the buffers have grown, nothing allocates. What a peer can
//! make this hold is bounded by the table's size that we announce (decoder) and by 4096 bytes (encoder).

mod decoder;
mod dynamic_table;
mod encoder;
mod huffman;
mod huffman_codes;
mod integer;
mod known_names;
mod static_table;
mod validity;

#[cfg(test)]
mod tests;

use crate::http::Name;

pub use decoder::Decoder;
pub use encoder::Encoder;

/// A decoded field as the connection sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name's bytes as the peer sent them, with the leading `:` of a pseudo-header.
    pub text: &'a [u8],
    /// The value's bytes as the peer sent them.
    pub value: &'a [u8],
    /// What the proxy knows the name as. A pseudo-header is [`Name::Other`].
    pub name: Name,
    /// Whether name and value obey RFC 9113 section 8.2.1. A field that does not makes its message malformed.
    pub is_valid: bool,
    /// Whether the sender asked that no intermediary ever remembers this field (RFC 7541 section 7.1.3).
    pub never_indexed: bool,
}

/// Why a header block cannot be decoded. After any of them the two sides' tables differ, so the connection is over
/// with `COMPRESSION_ERROR` (RFC 9113 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HpackError {
    /// The block ends within an integer or a string, or a string is longer than the rest of the block.
    Truncated,
    /// An integer above 2^31, or one with more than five bytes after its prefix (RFC 7541 section 5.1).
    IntegerTooLarge,
    /// Index 0 as a field, or an index beyond both tables (sections 2.3.3 and 6.1).
    BadIndex,
    /// The end-of-string symbol within a Huffman-coded string (section 5.2).
    HuffmanEos,
    /// Huffman padding of more than seven bits, or of anything but ones (section 5.2).
    HuffmanPadding,
    /// A table size above the one that we announced (section 6.3).
    SizeTooLarge,
    /// A change of the table's size after the first field of a block (section 4.2).
    SizeTooLate,
    /// More than two changes of the table's size in one block. An encoder needs two at most (section 4.2).
    TooManySizes,
}

impl HpackError {
    /// A few words for logs and for the debug data of `GOAWAY`.
    pub fn detail(&self) -> &'static str {
        match self {
            HpackError::Truncated => "a header block ends within a field",
            HpackError::IntegerTooLarge => "an integer of a header block is too large",
            HpackError::BadIndex => "a header block refers to a field that does not exist",
            HpackError::HuffmanEos => "the end of string symbol in a Huffman-coded string",
            HpackError::HuffmanPadding => "a Huffman-coded string with bad padding",
            HpackError::SizeTooLarge => "a dynamic table size above the announced one",
            HpackError::SizeTooLate => "a dynamic table size update after a field",
            HpackError::TooManySizes => "more than two dynamic table size updates in a header block",
        }
    }
}
