//! Resources of the process, shards, names, signals: the only place that starts and stops the data plane.
//!
//! Everything here runs on the process's first thread, in a runtime of its own that may block a little; the writer of
//! the access log has a thread of its own, for a disk may block for long.
//!
//! - `runtime`: what the control thread runs on
//! - `log`: what the process says about itself, on standard error
//! - `cpus`: how many workers, and where they run
//! - `credentials`: certificates, keys and authorities, kept as fresh as the files they are in
//! - `descriptors`: how many files may be open, and what that means for connections
//! - `fetch`: connections to servers that a URL names
//! - `jwks`: the keys that tokens are verified with, fetched and kept fresh
//! - `health`: which endpoints are good, and asking them
//! - `otlp`: spans to a collector
//! - `names`: the names of clusters, kept resolved
//! - `resolver`: names to addresses
//! - `ports`: declared ports to listening ports
//! - `history`: what the whole gateway did in each of the last seconds
//! - `sockets`: listening sockets from outside, of our own, and for the next process
//! - `handover`: another process of the program takes over
//! - `notify`: what the service manager is told
//! - `log_writer`: the thread that writes the access log
//! - `signals`: what the operating system asks for
//! - `watch`: files that change
//! - `unix`: the files of Unix sockets
//! - `reload`: another configuration in the place of the one that is served
//! - `start`: sockets, shards, log: from a snapshot to a running gateway
//! - `gateway`: the running gateway as its control thread and its pages see it
//! - `drain`: the end of the process, step by step
//! - `supervise`: from start to end: readiness, names, drain

mod cpus;
mod credentials;
mod descriptors;
mod drain;
mod gateway;
mod fetch;
mod history;
mod handover;
mod jwks;
mod health;
pub mod log;
mod log_writer;
mod names;
mod otlp;
mod notify;
mod ports;
mod reload;
mod resolver;
mod runtime;
mod signals;
mod sockets;
mod start;
mod supervise;
#[cfg(test)]
mod testing;
mod unix;
mod watch;

pub use cpus::{CpuError, CpuList, Workers};
pub use credentials::{Condition, Credentials, View};
pub use descriptors::Descriptors;
pub use gateway::{
    Bound, Command, DIAGNOSTICS_KEPT, DurationUnits, Gateway, LOADS_KEPT, Load, LoadCounts, MetricsWorkload,
    Outcome, Shard, State,
};
pub use handover::{Handover, PidFile, Program};
pub use history::{History, SAMPLES_KEPT, Sample, keep_history};
pub use jwks::KeyState;
pub use log_writer::{LogStatus, LogTarget};
pub use otlp::ExportStatus;
pub use ports::{PortMap, PortMapError, Reservation};
pub use reload::{Known, Loaded, Loader, Served};
pub use runtime::block_on;
pub use signals::{Signal, Signals};
pub use sockets::Sockets;
pub use start::{Setup, StartError, start};
pub use supervise::{End, Living, Reports, supervise};
pub use unix::remove_stale_file;
