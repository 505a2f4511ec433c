//! Another configuration in the place of the one that is served: prepare, then commit.
//!
//! All that can fail is before the commit, and on failure what is served stays as it is. Reading, compiling and binding
//! are on a thread of their own, with less of the CPU; new names and keys get the time that they get at the start; the control
//! thread goes on with its work meanwhile. One reload is made at a time: what is asked for meanwhile is one more.
//!
//! - `load`: files to a snapshot, with every diagnostic
//! - `worker`: the thread that reads, compiles and frees
//! - `prepare`: all that may fail, and all that takes time
//! - `carry`: what a new snapshot takes over from the one before
//! - `sockets`: the sockets of new listeners
//! - `changes`: what has changed, in one line
//! - `stage`: how far a reload is
//! - `commit`: from a request to the last shard

mod carry;
mod changes;
mod commit;
mod load;
mod prepare;
mod sockets;
mod stage;
mod worker;

pub use load::{Known, Loaded, Loader, Served};
pub(super) use stage::{Reloads, Request};
