//! Reading a header from a connection.

use super::{Behind, Decoded, HEADER_MAX, decode};
use crate::{buffer::Buffer, driver::ReadHalf};

/// Why there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The connection ended, or its deadline passed, before the header was whole.
    Ended,
    /// It begins with something else, or with a header that breaks the rules.
    Broken,
}

/// Reads the header that a connection begins with. Gives whom it speaks for, if for anybody, and the buffer with the bytes
/// that came behind it. The buffer must have room for [`HEADER_MAX`] bytes; the time it may take is the caller's to limit.
///
/// # Errors
/// There is no header, or none that can be read.
pub async fn read(half: &mut ReadHalf, mut buffer: Buffer) -> Result<(Option<Behind>, Buffer), Unread> {
    debug_assert!(buffer.len() + buffer.room() >= HEADER_MAX);
    loop {
        match decode(buffer.bytes()) {
            Decoded::Header { len, behind } => {
                buffer.consume(len);
                return Ok((behind, buffer));
            }
            Decoded::Broken => return Err(Unread::Broken),
            Decoded::Incomplete => {}
        }
        let (result, filled) = half.read(buffer).await;
        buffer = filled;
        if !matches!(result, Ok(1..)) {
            return Err(Unread::Ended);
        }
    }
}
