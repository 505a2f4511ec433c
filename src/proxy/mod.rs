//! Serve one downstream connection, and run each exchange: the spine.
//!
//! - `passage`: what a request is made before a route is looked for, and for its destination
//! - `authorize`: requests and connections are held against AuthorizationPolicies
//! - `environment`: what a shard lends to every exchange: routing, buffers, clock, log, counters
//! - `listener_state`: what a listener does at present, and how its connections follow when that changes
//! - `routing`: a snapshot with this shard's connections, and how it is made from the one before
//! - `remains`: what is left of snapshots that were replaced
//! - `downstream`: one HTTP/1.1 connection of a client: waiting, reading heads, answering, ending
//! - `serve_http2`: one HTTP/2 connection of a client
//! - `worker`: tasks that serve one stream after another
//! - `clock`: what time it is, for logs and headers
//! - `client`: the client's side of an exchange, whatever version it speaks
//! - `exchange`: one request and its response, from a decoded head to a delivered answer
//! - `authenticate`: whether the tokens of a request are good
//! - `checks`: what is decided between a request's route and its action
//! - `answer`: an exchange without the client's body: the request as it is, and the way back
//! - `admission`: what limits of a cluster mean for a request
//! - `tries`: its attempts: which endpoint is asked, what is learned of it, whether another is asked
//! - `retrying`: whether a request is tried again, from what came of an attempt
//! - `choosing`: what of a request decides which endpoint that is
//! - `learning`: what is learned of an endpoint from the heads of its answers
//! - `timing`: when an exchange and its attempts have to be over
//! - `attempt`: one try of it at one endpoint
//! - `attempt_stream`: one try where either side speaks HTTP/2
//! - `upload`: the request's body on its way up
//! - `kept`: what of it is kept for another attempt
//! - `stream_body`, `upload_stream`: a body that came on a stream, and its way up
//! - `download`: the response's body on its way down
//! - `download_stream`: the same where either side speaks HTTP/2
//! - `tunnel`: both directions of a WebSocket
//! - `tunnel_stream`, `websocket`: the same over HTTP/2, and between its way of asking for one and HTTP/1.1's
//! - `calls`: what is done for gRPC and gRPC-Web
//! - `mirror`: copies of requests
//! - `mongo`: counts what MongoDB's clients ask
//! - `tcp`: a connection that is not HTTP
//! - `tcp_post`: the same in the bodies of a request and its answer
//! - `failure`: what can go wrong, and the one place that says what follows from it
//! - `reply`: answers made here
//! - `standard`: the header fields that every gateway adds, sets and removes
//! - `client_cert`: what origins are told of the client's certificate
//! - `tracing`: an exchange's place in a trace
//! - `trace_record`: the spans of an exchange
//! - `counting`: what an exchange, or a connection, counts for its route and its cluster
//! - `record`: the access log's line of an exchange

mod admission;
mod answer;
mod attempt;
mod attempt_stream;
mod authenticate;
mod authorize;
mod calls;
mod checks;
mod choosing;
mod client;
mod clock;
mod client_cert;
mod counting;
mod download;
mod download_stream;
mod downstream;
mod environment;
mod exchange;
mod failure;
mod kept;
mod mirror;
mod learning;
mod listener_state;
mod mongo;
mod passage;
mod record;
mod remains;
mod reply;
mod retrying;
mod routing;
mod serve_http2;
mod standard;
mod stream_body;
mod tcp;
mod tcp_post;
mod timing;
mod trace_record;
mod tracing;
mod tries;
mod tunnel;
mod tunnel_stream;
mod upload;
mod upload_stream;
mod websocket;
mod worker;

pub use authorize::{AuthorizationRequest, NOT_ALLOWED, facts_of_connection, with_facts};
pub use clock::Clock;
pub use downstream::{Socket, serve};
pub use environment::{ConnectionInfo, Environment, Limits, TlsInfo};
pub use listener_state::{Client, ListenerState, Served, Standing};
pub use passage::{arrive, depart, head_policy};
pub use remains::Remains;
pub use reply::refusal;
pub use routing::{NextRouting, Routing};
pub use standard::client_address;
pub use tcp::{TcpConnection, serve_tcp};
