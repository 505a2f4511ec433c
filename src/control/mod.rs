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
//! - `log_writer`: the threads that write the access logs
//! - `signals`: what the operating system asks for
//! - `unix`: the files of Unix sockets
//! - `reload`: another configuration in the place of the one that is served
//! - `start`: sockets, shards, log: from a snapshot to a running gateway
//! - `gateway`: the running gateway as its control thread and its pages see it
//! - `supervise`: from start to end: readiness, names, drain

mod cpus;
mod credentials;
mod descriptors;
mod gateway;
mod fetch;
mod history;
mod jwks;
mod health;
pub mod log;
mod log_writer;
mod names;
mod otlp;
mod ports;
mod reload;
mod resolver;
mod runtime;
mod signals;
mod start;
mod supervise;
#[cfg(test)]
mod testing;
mod unix;

pub use cpus::{CpuError, CpuList, Workers};
pub use credentials::{Condition, Credentials, Reread, Signature, View};
pub use descriptors::Descriptors;
pub use gateway::{
    Bound, Command, DIAGNOSTICS_KEPT, Gateway, LOADS_KEPT, Load, LoadCounts, Outcome, Shard, State,
};
pub use history::{History, SAMPLES_KEPT, Sample, keep_history};
pub use jwks::KeyState;
pub use log_writer::{LogOptions, LogPlan, LogStatus, Logs, PlannedLog};
pub use otlp::ExportStatus;
pub use ports::{PortMap, PortMapError, Reservation};
pub use reload::{Loaded, Loader, Served};
pub use runtime::block_on;
pub use signals::{Signal, Signals};
pub use start::{Setup, StartError, start};
pub use supervise::{End, Living, Reports, supervise};
