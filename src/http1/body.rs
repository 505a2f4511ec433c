//! Where the pieces of a body lie in the bytes, whatever frames it.

use std::ops::Range;

pub use super::chunk::BadChunk;
use super::chunk::ChunkDecoder;
use crate::http::BodyLength;

/// Finds a body's data in the bytes of a connection, without copying them.
///
/// ```text
/// loop {
///     let piece = body.next(&buffer[start..end])?;
///     send(&buffer[start..end][piece.data]);
///     start += piece.consumed;
///     match piece.next {
///         Next::Look => {}                // there may be more data in the buffer
///         Next::Read => read more, or at the end of the connection: body.close()?
///         Next::End => break,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyDecoder {
    /// There is no body, or no more of it.
    None,
    /// So many bytes are left.
    Sized(u64),
    /// The chunked coding.
    Chunked(ChunkDecoder),
    /// All that comes until the connection closes.
    UntilClose,
}

/// What one look at the bytes gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where the data lie in the input. May be empty.
    pub data: Range<usize>,
    /// Bytes of the input that are done with once the data are taken; at least `data.end`.
    pub consumed: usize,
    /// What to do then.
    pub next: Next,
}

/// What to do after a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The input is not used up: look at the rest of it.
    Look,
    /// The input is used up and the body goes on: read more.
    Read,
    /// The body is over. What is left of the input belongs to the next message.
    End,
}

/// Why a body is given up. The connection cannot be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadBody {
    /// The chunked coding is broken.
    Chunk(BadChunk),
    /// The connection closed before the end.
    Truncated,
}

impl BodyDecoder {
    /// For a body of this length.
    pub fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::None | BodyLength::Sized(0) => BodyDecoder::None,
            BodyLength::Sized(length) => BodyDecoder::Sized(length),
            BodyLength::Unknown => BodyDecoder::Chunked(ChunkDecoder::default()),
            BodyLength::UntilClose => BodyDecoder::UntilClose,
        }
    }

    /// So many bytes of a body of known length have passed elsewhere.
    pub fn skip(&mut self, count: u64) {
        if let BodyDecoder::Sized(left) = self {
            debug_assert!(count <= *left);
            *left = left.saturating_sub(count);
        }
    }

    /// Looks for data in `input`, which begins where the last piece ended.
    pub fn next(&mut self, input: &[u8]) -> Result<Piece, BadBody> {
        match self {
            BodyDecoder::None => Ok(Piece { data: 0..0, consumed: 0, next: Next::End }),
            BodyDecoder::UntilClose => {
                Ok(Piece { data: 0..input.len(), consumed: input.len(), next: Next::Read })
            }
            BodyDecoder::Sized(left) => {
                let len = input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= len as u64;
                let next = match *left {
                    0 => Next::End,
                    _ => Next::Read,
                };
                Ok(Piece { data: 0..len, consumed: len, next })
            }
            BodyDecoder::Chunked(chunks) => {
                let found = chunks.decode(input).map_err(BadBody::Chunk)?;
                let next = match found.consumed {
                    _ if found.is_end => Next::End,
                    all if all == input.len() => Next::Read,
                    _ => Next::Look,
                };
                Ok(Piece { data: found.data, consumed: found.consumed, next })
            }
        }
    }

    /// Whether the body is over, so that no call of [`BodyDecoder::next`] is needed.
    pub fn is_over(&self) -> bool {
        match self {
            BodyDecoder::None | BodyDecoder::Sized(0) => true,
            BodyDecoder::Chunked(chunks) => chunks.is_done(),
            BodyDecoder::Sized(_) | BodyDecoder::UntilClose => false,
        }
    }

    /// How many bytes of data are left, where that is known: for these a relay needs no decoder.
    pub fn sized_left(&self) -> Option<u64> {
        match self {
            BodyDecoder::None => Some(0),
            BodyDecoder::Sized(left) => Some(*left),
            BodyDecoder::Chunked(_) | BodyDecoder::UntilClose => None,
        }
    }

    /// The connection closed: that is the end of the body only where nothing else ends it.
    pub fn close(&self) -> Result<(), BadBody> {
        match self {
            BodyDecoder::UntilClose => Ok(()),
            _ if self.is_over() => Ok(()),
            _ => Err(BadBody::Truncated),
        }
    }
}

#[cfg(test)]
mod tests;
