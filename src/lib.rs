//! sluicegate: an ingress gateway that reads Istio resources and serves them from one io_uring per core.
//!
//! # In one minute
//!
//! Text becomes resources ([`config`]), resources become one immutable [`table::Snapshot`] ([`compile`]), and the snapshot
//! goes to every shard ([`shard`]). A shard is one thread with its own ring, its own `SO_REUSEPORT` sockets, its own
//! connections to upstreams and its own counters. It shares nothing mutable with any other thread but what a policy
//! counts for the whole process: snapshots and the resolver's answers come in through a mailbox, access log lines and
//! counters go out.
//!
//! ```text
//! files -> config::load -> compile::compile -> table::Snapshot -> control::start -> shard, shard, ...
//!
//! a request on a shard:
//!   listener::run       accept, admit; on TLS ports choose a filter chain by SNI, shake hands        tls
//!   proxy::serve        wait (no buffer, a small future), read a head               http1::decode
//!   mux::run            or HTTP/2: each stream is an exchange, a turn one send  http2
//!   Exchange::run       normalize, standard headers, find the route             table::RouteTable::find
//!   Exchange::attempt   choose an endpoint, reuse or open a connection, send    upstream, http1::encode
//!   Answer::respond     read the head, change it, move the body down            http1, filter
//!   Upload::pump        move the body up, at the same time
//!   Summary::write      count, one line of the access log                       telemetry
//!
//! a connection that is not HTTP:
//!   proxy::serve_tcp    a destination by weight, an endpoint that answers       upstream
//!   relay::both         bytes both ways: copied, or through pipes               driver, mongo
//! ```
//!
//! # The map
//!
//! The modules below are in the order of the planes: what prepares, what both planes read, what moves bytes (in the
//! order in which a byte meets it), and the leaves. Each `mod.rs` opens with one sentence and the list of its files.
//!
//! # What holds everywhere
//!
//! - **Nothing in the data plane knows YAML.** [`compile`] alone sees both [`config`] and [`table`].
//! - **Codecs, filters and the table do no I/O and ask no time**: bytes and `now` in, values out. They can be fuzzed and
//!   benched without a runtime.
//! - **Shards share nothing mutable** but the numbers that a policy of the user's cannot do without: what is in use where a
//!   cluster has limits ([`table::Breaker`]), how endpoints do where there is `outlierDetection` or a health check, rate limits,
//!   and connections on their way to a worker with fewer (`--balance`): a limit of 100 connections is no limit if every shard has its own. These are atomics, touched only where there is
//!   such a policy; `tests/tidy` has the list of files that may do so. No lock and no reference count is touched by two
//!   threads for a request.
//! - **A buffer belongs to the operation it was given to** until that completes. No future that may have moved bytes is
//!   ever dropped: deadlines shut the socket down, and the operation ends by itself ([`driver`]).
//! - **Errors flow to one place.** A leaf returns its own small enum; `proxy/failure.rs` alone decides status, flag, detail
//!   and retry.
//! - **Whatever grows has a named limit with its reason**, beside the code that holds it.
//! - `tests/tidy` holds the layers, the sizes, the list of files with `unsafe`, and the calls that no shard may make.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | downstream, upstream | the side of the client; the side of the origin |
//! | resource | one Istio or Kubernetes object as the user wrote it |
//! | snapshot | everything compiled from the resources: immutable, one generation number |
//! | listener | one (bind address, port) with its filter chains |
//! | virtual host, route, cluster, endpoint | a host's routes; one rule; one destination's endpoints and policy; one address |
//! | session, stream | one HTTP/2 connection; the place of one exchange on it |
//! | exchange, attempt | one request and its response; one try of it at one endpoint |
//! | shard | one thread, its ring, and all that is mutable on it |
//! | local reply | a response made here; it has a response flag or a reason, and a detail string |
//! | drain | to stop taking new work and let the present work end |

// Control plane: one thread, may allocate, block and fail.
pub mod admin;
pub mod cli;
pub mod compile;
pub mod config;
pub mod control;
pub mod explain;

// What both planes share: immutable.
pub mod table;

// Data plane, in the order in which a byte meets it.
pub mod driver;
pub mod shard;
pub mod listener;
pub mod proxy_protocol;
pub mod tls;
pub mod proxy;
pub mod filter;
pub mod upstream;
pub mod relay;
pub mod mux;

// Leaves: no I/O, no clock, no knowledge of who calls.
pub mod http;
pub mod http1;
pub mod http2;
pub mod grpc;
pub mod jwt;
pub mod mongo;
pub mod buffer;
pub mod telemetry;
