//! MongoDB's wire protocol, as far as counting needs it: where messages begin, what they ask and whether they failed.
//!
//! Nothing is changed or held back, and no body is parsed beyond the names of a command and its database (and `ok` in an
//! answer). What can't be read ends the looking, never the connection.
//!
//! - `framer`: where messages begin in a stream of bytes
//! - `message`: headers, and what a message says
//! - `bson`: the elements of a document, one level deep
//! - `pending`: requests that wait for their answers

mod bson;
mod framer;
mod message;
mod pending;
#[cfg(test)]
mod tests;

pub use framer::{Framer, NotMongo};
pub use message::{Answer, Call, Header, Message};
pub use pending::Pending;
