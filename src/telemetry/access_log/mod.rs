//! The access log: what a line says, which requests and connections have one, and the way to whoever writes it.
//!
//! - `record`: everything a line can say
//! - `value`: what an operator of a format string stands for
//! - `format`: format strings and JSON objects, compiled once and run for each line
//! - `json`: a JSON object with operators in its values
//! - `escape`: text that somebody else chose, made harmless
//! - `presets`: formats with a name, which others' programs read
//! - `condition`: which requests and connections are logged (CEL)
//! - `choice`: which of them a route leaves out
//! - `target`: where lines go, as users write it
//! - `log`: lines, gathered per shard and handed over in chunks

mod choice;
mod condition;
mod escape;
mod format;
mod json;
mod log;
mod presets;
mod record;
mod target;
#[cfg(test)]
mod tests;
mod value;

pub use choice::{LogChoice, Share};
pub use condition::{Condition, ConditionError};
pub use format::{Format, FormatError};
pub use json::JsonValue;
pub use log::{AccessLog, LogSet, LogSink, ShardLog};
pub use presets::{ISTIO_TEXT, Preset};
pub use record::{Facts, Record};
pub use target::{LogTarget, SyslogAddress};
