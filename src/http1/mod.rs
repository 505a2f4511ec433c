//! HTTP/1.1: bytes to heads and body pieces, and back.
//!
//! - `decode`: bytes to request and response heads
//! - `body`: where the pieces of a body lie in the bytes, whatever frames it
//! - `chunk`: the chunked coding, resumable at any byte
//! - `encode`: heads and chunk framing to bytes
//! - `reason`: the standard reason phrases
//!
//! It is strict where RFC 9112 leaves a choice: what two parsers may read differently is refused, because a gateway
//! stands between two parsers. Nothing here does I/O or keeps time. Once its buffers have grown, nothing allocates.

pub mod body;
pub mod decode;
pub mod encode;

mod chunk;
mod reason;

#[cfg(test)]
mod tests;
