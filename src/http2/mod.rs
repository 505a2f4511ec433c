//! HTTP/2 (RFC 9113) as a state machine without sockets: bytes to requests, responses and data, and back.
//!
//! - `connection`: one connection: what goes in, what comes out, and how it ends
//! - `block`: header blocks, put together and decoded
//! - `receive`: everything else that comes
//! - `send`: what streams send
//! - `stream`: the streams of a connection
//! - `request`, `response`: header lists become heads and trailers, or are refused
//! - `queue`: a line that mostly has one in it
//! - `settings`: what both sides say of themselves
//! - `flood`: budgets for what costs a peer little and us more
//! - `frame`: how frames are laid out
//! - `error`: error codes, and what ends a connection or a stream
//! - `hpack`: header compression (RFC 7541)

mod block;
mod connection;
mod error;
mod flood;
mod frame;
pub mod hpack;
mod queue;
mod receive;
mod request;
mod response;
mod send;
mod settings;
mod stream;
#[cfg(test)]
mod tests;

pub use connection::{Arrival, Connection, Tally, Verdict, WARNED_TIME};
pub use error::{ConnectionError, ErrorCode, StreamEnd};
pub use flood::Flood;
pub use frame::{FRAME_BYTES_MAX, PREFACE};
pub use receive::Received;
pub use request::Refused;
pub use send::Then;
pub use settings::{CONNECTION_WINDOW_FIRST, Config, PeerSettings, Role};
pub use stream::Key;
