//! Serve one downstream connection, and run each exchange: the spine.
//!
//! - `passage`: what a request is made before a route is looked for, and for its destination
//! - `environment`: what a shard lends to every exchange: routing, buffers, clock, log, counters
//! - `downstream`: one HTTP/1.1 connection of a client: waiting, reading heads, answering, ending
//! - `exchange`: one request and its response, from a decoded head to a delivered answer
//! - `answer`: an exchange without the client's body: the request as it is, and the way back
//! - `attempt`: one try of it at one endpoint
//! - `upload`: the request's body on its way up
//! - `download`: the response's body on its way down
//! - `tunnel`: both directions of a WebSocket
//! - `mongo`: counts what MongoDB's clients ask
//! - `tcp`: a connection that is not HTTP
//! - `failure`: what can go wrong, and the one place that says what follows from it
//! - `reply`: answers made here
//! - `standard`: the header fields that every gateway adds, sets and removes
//! - `client_cert`: what origins are told of the client's certificate
//! - `record`: the access log's line of an exchange

mod answer;
mod attempt;
mod client_cert;
mod download;
mod downstream;
mod environment;
mod exchange;
mod failure;
mod mongo;
mod passage;
mod record;
mod reply;
mod standard;
mod tcp;
mod tunnel;
mod upload;

pub use downstream::{Socket, serve};
pub use environment::{Clock, ConnectionInfo, Environment, Limits, Routing, TlsInfo};
pub use passage::{arrive, depart, head_policy};
pub use tcp::{TcpConnection, serve_tcp};
