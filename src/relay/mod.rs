//! Move bytes between two ends, both ways at the same time, until both directions have ended.
//!
//! - `both`: both directions, the idle time, and how it ended
//! - `direction`: one direction: when it copies and when it splices
//! - `copy`: one direction by buffers
//! - `splice`: one direction through a pipe
//! - `sized`: so many bytes one way, through a pipe
//! - `pipes`: the pipes of one shard
//! - `tap`: who looks at the bytes as they pass

mod both;
mod copy;
mod direction;
mod pipes;
mod sized;
mod splice;
mod tap;
#[cfg(test)]
mod tests;

pub use both::{End, Ended, Relayed, Terms, both};
pub use pipes::Pipes;
pub use sized::{Stopped, sized};
pub use tap::{Blind, Tap};
