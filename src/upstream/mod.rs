//! Balance, pool, connect: a shard's own state for each cluster of the snapshot.
//!
//! - `cluster`: a cluster's endpoints on this shard, and how they follow the snapshot and the resolver
//! - `balance`: choosing an endpoint
//! - `outlier`: which endpoints are good
//! - `connection`: one connection to an endpoint
//! - `outcome`: what a try has shown of its endpoint
//! - `stream`: opening a connection, whatever is spoken on it
//! - `pool`: idle connections, kept alive and watched
//! - `http2`: connections that carry many requests at a time

mod balance;
mod cluster;
mod connection;
mod http2;
mod outlier;
mod outcome;
mod pool;
mod stream;

pub use balance::{Pick, Random};
pub use cluster::{Active, Ailment, Cluster, Clusters, Endpoint, ResolvedEndpoints};
pub use connection::{Connection, HEADROOM, Reader};
pub use http2::{Http2Terms, OriginStream};
pub use outcome::Outcome;
pub use pool::IDLE_TIMEOUT;
pub use stream::{Dial, Stream, open_stream};
