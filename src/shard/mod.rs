//! Owns a thread and everything mutable on it: its ring, listeners, connections, pools and counters.
//!
//! - `mailbox`: what the control thread tells a shard
//! - `shard`: starting a shard, its tick, its drain

mod mailbox;
#[allow(clippy::module_inception)]
mod shard;

pub use mailbox::{Mailbox, Message};
// What its plan and its messages are made of, for the control thread, which knows no other part of the data plane.
pub use crate::{proxy::Limits, upstream::ResolvedEndpoints};
pub use shard::{Handle, InitialTls, Plan, Report, ShardId, ShardListener, start};
