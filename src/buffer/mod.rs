//! A shard's pool of buffers.
//!
//! - `pool`: size classes, leasing, giving back

mod pool;

pub use pool::{Buffer, Class, Lease, Pool};
