//! Balance, pool, connect: a shard's own state for each cluster of the snapshot.
//!
//! - `clusters`: all of a snapshot's, and how they go on from one snapshot to the next
//! - `cluster`: a cluster's endpoints on this shard, and how they follow the snapshot and the resolver
//! - `endpoint`: one of them
//! - `balance`: choosing an endpoint
//! - `outlier`: which endpoints are good
//! - `connection`: one connection to an endpoint
//! - `limits`: who may have a connection, who waits for one, and who is next
//! - `counted`: connections as they are counted for their cluster
//! - `outcome`: what a try has shown of its endpoint
//! - `stream`: opening a connection, whatever is spoken on it
//! - `tunnel`: asking an HTTP proxy for a tunnel
//! - `pool`: idle connections, kept alive and watched
//! - `http2`: connections that carry many requests at a time

mod balance;
mod cluster;
mod clusters;
mod connection;
mod endpoint;
mod counted;
mod http2;
mod outlier;
mod limits;
mod outcome;
mod pool;
mod stream;
mod tunnel;

pub use balance::{Pick, Random};
pub use cluster::Cluster;
pub use clusters::{Clusters, Ended, ResolvedEndpoints, Succession};
pub use connection::{Connection, HEADROOM, Offer, Reader};
pub use counted::Counted;
pub use endpoint::{Active, Ailment, Endpoint, EndpointUse};
pub use http2::{Http2Terms, OriginStream};
pub use limits::{Limits, NoConnection, Permit, Place, Slot, Ticket, WAITING_MAX};
pub use outcome::Outcome;
pub use pool::IDLE_TIMEOUT;
use stream::open_stream;
pub use stream::{Dial, Stream};
pub use tunnel::Tunneled;
