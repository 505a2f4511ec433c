//! The threads that write the access logs, one for each target.
//!
//! Shards hand over whole chunks through one bounded channel and never wait for such a thread. It wakes up for a chunk,
//! writes it with one system call where the target takes it so, and gives the memory back to whichever shard has least of
//! it. A target that is broken, stuck or gone costs lines, which are counted, and nothing else; it is tried again.
//!
//! - `output`: an opened target
//! - `writing`: the thread
//! - `plan`: which logs there are, by the command line and the files
//! - `logs`: all of them, from one configuration to the next

mod logs;
mod output;
mod plan;
#[cfg(test)]
mod tests;
mod writing;

pub use logs::Logs;
pub use plan::{LogOptions, LogPlan, PlannedLog};
pub use writing::LogStatus;
