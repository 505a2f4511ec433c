//! The ring: set-up flags, fallback to epoll, and the few socket operations the proxy uses. All use of the runtime
//! (monoio) is in this folder, so that another one is a change to one folder.
//!
//! - `runtime`: the ladder of ring flags down to epoll; running a shard's main future; spawning
//! - `stream`: a connected socket in two halves that own their buffers while they work
//! - `connect`: opening a connection to an endpoint
//! - `listen`: binding with `SO_REUSEPORT`, sockets from outside, accepting
//! - `handed`: accepted connections on their way from one shard to another
//! - `inherited`: descriptors that were open when the program began
//! - `deadline`: one deadline a connection, swept by a tick
//! - `alarm`: deadlines that are exact to the millisecond
//! - `memory`: how the process's memory is mapped, and given back
//! - `splice`: moving bytes between two sockets through a pipe
//! - `tick`: the shard's 100 ms tick and the bell that other threads ring

mod alarm;
mod connect;
mod deadline;
mod inherited;
mod handed;
mod listen;
mod memory;
mod runtime;
mod splice;
mod stream;
mod tick;

pub use connect::{Keepalive, connect};
pub use deadline::{Deadline, Deadlines, Phase, Remote, TICK, Tie, pause};
pub use handed::Handed;
pub use inherited::{close_inherited, passed_descriptors};
pub use listen::{Accepted, FirstWord, Listener, Peer, unix_address};
pub use memory::{give_memory_back, without_huge_pages};
pub use runtime::{Driver, DriverChoice, LadderStep, RuntimeError, run, spawn};
pub use splice::{PIPE_BYTES, Pipe};
pub use stream::{ReadHalf, SendError, WriteHalf};
pub use tick::{Bell, Bells, Ticker};
