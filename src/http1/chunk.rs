//! The chunked coding (RFC 9112 section 7.1), resumable at any byte.
//!
//! ```text
//!            digits            CRLF                data          CRLF
//! Size ─────────────> Digits ────────> DataLeft ──────────> DataEnd ───> Size
//!                       │  ▲ size > 0
//!                       │ ';' extensions (checked, dropped)
//!                       │
//!                       └ size = 0, CRLF ──> TrailerStart ──CRLF──> Done
//!                                              │  ▲ name ':' value CRLF (checked, dropped)
//!                                              └──┘
//! ```
//!
//! Line ends are CRLF only: a proxy that ends a line at LF and an origin that does not see different chunks. White
//! space has no place in a chunk's line, for the same reason.

use std::ops::Range;

use crate::http::is_token_byte;

/// Takes the chunked coding off a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkDecoder {
    state: State,
    /// What is left of the present chunk; while its size is read, the size so far.
    left: u64,
    /// Digits of the present size.
    digits: u8,
    /// Bytes of extensions, in this chunk and in all.
    chunk_extension_bytes: u16,
    extension_bytes: u16,
    trailer_bytes: u16,
}

/// What one look at the input gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunked {
    /// Where the data lie in the input; empty if there are none yet.
    pub data: Range<usize>,
    /// Bytes of the input that are done with once the data are taken.
    pub consumed: usize,
    /// Whether that was the end of the body.
    pub is_end: bool,
}

/// Why a chunked body is refused. The connection cannot be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadChunk {
    /// The size is not `1*HEXDIG`.
    Size,
    /// The size has more digits than 64 bits need.
    SizeTooLong,
    /// An extension is not `;` name, or `;` name `=` token or quoted string.
    Extension,
    /// More extensions than the limit.
    ExtensionsTooLong,
    /// A line does not end in CRLF, or the data are longer or shorter than the size.
    LineEnd,
    /// A trailer is no field line.
    Trailer,
    /// More trailers than the limit.
    TrailersTooLong,
}

/// Digits of a 64-bit number: with more, some parser wraps.
const SIZE_DIGITS_MAX: u8 = 16;
/// Extensions of one chunk. Nobody uses any; a signature (the one use known) fits.
const CHUNK_EXTENSION_BYTES_MAX: u16 = 1024;
/// Extensions of one body: else a sender can make us read 100 bytes for each it sends on (CVE-2023-39326).
const EXTENSION_BYTES_MAX: u16 = 16 * 1024;
/// All trailers of one body: they are dropped, so this only bounds the work.
const TRAILER_BYTES_MAX: u16 = 8 * 1024;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    #[default]
    Size,
    /// Among the digits.
    Digits,
    /// After `;`, before the name.
    ExtensionStart,
    /// In the name.
    ExtensionName,
    /// After `=`.
    ExtensionValueStart,
    /// In a token.
    ExtensionToken,
    /// In a quoted string.
    ExtensionQuoted,
    /// After a backslash in a quoted string.
    ExtensionEscaped,
    /// After the closing quote.
    ExtensionQuotedEnd,
    /// After the CR of a chunk's line.
    LineCr,
    /// In the data.
    Data,
    /// After the data.
    DataEnd,
    /// After the CR behind the data.
    DataCr,
    /// Where a trailer or the last CRLF may begin.
    TrailerStart,
    /// In a trailer's name.
    TrailerName,
    /// In a trailer's value.
    TrailerValue,
    /// After the CR of a trailer's line.
    TrailerCr,
    /// After the CR of the empty line.
    EndCr,
    /// After the end.
    Done,
}

impl ChunkDecoder {
    /// Looks at the input, which follows what was consumed before, for the next data. Everything but data is consumed
    /// at once, also behind the data. No data and no end: there is nothing in the input, more is needed.
    pub fn decode(&mut self, input: &[u8]) -> Result<Chunked, BadChunk> {
        let mut at = self.skip_framing(input, 0)?;
        let data_len = match self.state {
            State::Data => (input.len() - at).min(usize::try_from(self.left).unwrap_or(usize::MAX)),
            _ => 0,
        };
        let data = at..at + data_len;
        if data_len > 0 {
            at = data.end;
            self.left -= data_len as u64;
            if self.left == 0 {
                self.state = State::DataEnd;
                at = self.skip_framing(input, at)?;
            }
        }
        Ok(Chunked { data, consumed: at, is_end: self.state == State::Done })
    }

    /// Whether the last chunk and its trailers have come.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Consumes bytes that are not data. Returns where it stopped.
    fn skip_framing(&mut self, input: &[u8], mut at: usize) -> Result<usize, BadChunk> {
        while !matches!(self.state, State::Data | State::Done) {
            let Some(&byte) = input.get(at) else { break };
            at += 1;
            self.state = match self.state {
                State::Size | State::Digits => self.size(byte)?,
                State::LineCr => self.line_end(byte)?,
                State::DataEnd => expect(byte, b'\r', State::DataCr)?,
                State::DataCr => expect(byte, b'\n', State::Size)?,
                State::TrailerStart
                | State::TrailerName
                | State::TrailerValue
                | State::TrailerCr
                | State::EndCr => self.trailer(byte)?,
                _ => self.extension(byte)?,
            };
        }
        Ok(at)
    }

    fn size(&mut self, byte: u8) -> Result<State, BadChunk> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if self.digits > 0 => return Ok(State::LineCr),
            b';' if self.digits > 0 => {
                self.chunk_extension_bytes = 0;
                return Ok(State::ExtensionStart);
            }
            _ => return Err(BadChunk::Size),
        };
        self.digits += 1;
        if self.digits > SIZE_DIGITS_MAX {
            return Err(BadChunk::SizeTooLong);
        }
        self.left = self.left << 4 | u64::from(digit);
        Ok(State::Digits)
    }

    /// `*( ";" chunk-ext-name [ "=" ( token / quoted-string ) ] )`
    fn extension(&mut self, byte: u8) -> Result<State, BadChunk> {
        self.chunk_extension_bytes += 1;
        self.extension_bytes += 1;
        if self.chunk_extension_bytes > CHUNK_EXTENSION_BYTES_MAX
            || self.extension_bytes > EXTENSION_BYTES_MAX
        {
            return Err(BadChunk::ExtensionsTooLong);
        }
        match (self.state, byte) {
            (State::ExtensionName | State::ExtensionToken | State::ExtensionQuotedEnd, b'\r') => {
                Ok(State::LineCr)
            }
            (State::ExtensionName | State::ExtensionToken | State::ExtensionQuotedEnd, b';') => {
                Ok(State::ExtensionStart)
            }
            (State::ExtensionName, b'=') => Ok(State::ExtensionValueStart),
            (State::ExtensionValueStart, b'"') => Ok(State::ExtensionQuoted),
            (State::ExtensionStart | State::ExtensionName, _) if is_token_byte(byte) => {
                Ok(State::ExtensionName)
            }
            (State::ExtensionValueStart | State::ExtensionToken, _) if is_token_byte(byte) => {
                Ok(State::ExtensionToken)
            }
            (State::ExtensionQuoted, b'"') => Ok(State::ExtensionQuotedEnd),
            (State::ExtensionQuoted, b'\\') => Ok(State::ExtensionEscaped),
            (State::ExtensionQuoted | State::ExtensionEscaped, _) if is_text(byte) => {
                Ok(State::ExtensionQuoted)
            }
            _ => Err(BadChunk::Extension),
        }
    }

    fn line_end(&mut self, byte: u8) -> Result<State, BadChunk> {
        self.digits = 0;
        expect(byte, b'\n', if self.left == 0 { State::TrailerStart } else { State::Data })
    }

    /// `*( field-line CRLF ) CRLF`
    fn trailer(&mut self, byte: u8) -> Result<State, BadChunk> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(BadChunk::TrailersTooLong);
        }
        match (self.state, byte) {
            (State::TrailerStart, b'\r') => Ok(State::EndCr),
            (State::EndCr, _) => expect(byte, b'\n', State::Done),
            (State::TrailerCr, _) => expect(byte, b'\n', State::TrailerStart),
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => Ok(State::TrailerName),
            (State::TrailerValue, b'\r') => Ok(State::TrailerCr),
            (State::TrailerValue, _) if is_text(byte) => Ok(State::TrailerValue),
            _ => Err(BadChunk::Trailer),
        }
    }
}

fn expect(byte: u8, wanted: u8, next: State) -> Result<State, BadChunk> {
    if byte == wanted { Ok(next) } else { Err(BadChunk::LineEnd) }
}

/// Whether a byte may be in a value: HTAB, SP, VCHAR and obs-text (RFC 9110 section 5.5).
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}

#[cfg(test)]
mod tests;
