//! Owns a thread and everything mutable on it: its ring, listeners, connections, pools and counters.
//!
//! - `look`: what it says about itself when somebody asks
//! - `mailbox`: what the control thread tells a shard
//! - `listeners`: which there are, and how one ends
//! - `update`: how a shard goes over to another configuration
//! - `drain`: how a shard drains
//! - `shard`: starting a shard, its tick, its drain

mod drain;
mod listeners;
mod look;
mod mailbox;
#[allow(clippy::module_inception)]
mod shard;
mod update;

pub use look::{Look, Seen};
pub use mailbox::{ListenerUpdate, Mailbox, Message, Update};
// What its plan and its messages are made of, for the control thread, which knows no other part of the data plane.
pub use crate::{
    proxy::{Client, Limits},
    upstream::{EndpointUse, ResolvedEndpoints},
};
pub use shard::{Handle, InitialTls, Plan, Report, ShardId, ShardListener, start};
