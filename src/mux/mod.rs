//! An HTTP/2 connection over a stream that it is given: what comes is handed to streams, and everything that they make in
//! one turn of the shard leaves in one send.
//!
//! - `session`: what the streams of a connection share
//! - `stream`: one stream, as its exchange holds it
//! - `run`: the two tasks of a connection: one reads, one sends

mod run;
mod session;
mod stream;

pub use run::{Halves, Terms, run};
pub use session::Session;
pub use stream::Stream;
