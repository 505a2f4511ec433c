//! Bind, accept, admit: from a listening socket to a connection that is served.
//!
//! - `secure`: TLS: from an accepted connection to one that is served
//! - `refusal`: why a TLS connection was not served
//! - `accept`: the accept loop of one listener on one shard, with the limit of connections
//! - `balance`: accepted connections are served by the worker that has fewest
//! - `greet`: the PROXY header that a connection begins with
//! - `bind`: the sockets of one listener for all shards

mod accept;
mod balance;
mod bind;
mod greet;
mod refusal;
mod secure;

pub use accept::{Listening, admit_handed_over, place, run};
pub use balance::{Balance, HandedOver};
pub use bind::{BindError, bind, bind_beside, first_word};
