//! What the process says about itself, on standard error, one line a message.
//!
//! For the control thread only: a shard never waits for standard error.

use crate::telemetry::TimestampCache;
use std::{
    fmt,
    io::Write,
    str::FromStr,
    sync::atomic::{AtomicU8, Ordering},
    time::SystemTime,
};

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Only what went wrong and needs somebody.
    Error,
    /// And what somebody should know.
    Warn,
    /// And what happens in the life of the process.
    #[default]
    Info,
    /// And what explains the rest, such as every answer of the resolver.
    Debug,
}

const LEVELS: [Level; 4] = [Level::Error, Level::Warn, Level::Info, Level::Debug];

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// From now on, this much is said.
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// How much is said at present.
pub fn level() -> Level {
    let now = LEVEL.load(Ordering::Relaxed);
    LEVELS.into_iter().find(|level| *level as u8 == now).unwrap_or_default()
}

/// Says what went wrong and needs somebody.
pub fn error(message: impl fmt::Display) {
    write(Level::Error, &message);
}

/// Says what somebody should know.
pub fn warn(message: impl fmt::Display) {
    write(Level::Warn, &message);
}

/// Says what happens in the life of the process.
pub fn info(message: impl fmt::Display) {
    write(Level::Info, &message);
}

/// Says what explains the rest.
pub fn debug(message: impl fmt::Display) {
    write(Level::Debug, &message);
}

fn write(level: Level, message: &dyn fmt::Display) {
    if level as u8 > LEVEL.load(Ordering::Relaxed) {
        return;
    }
    let unix_ms = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64);
    let mut line = Vec::with_capacity(160);
    TimestampCache::default().append(unix_ms, &mut line);
    // One write, so that lines of several threads do not mix. Nobody can be told that standard error is gone.
    let _ = writeln!(line, " {:5} {message}", level.as_str());
    let _ = std::io::stderr().write_all(&line);
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = LEVELS.into_iter().find(|level| level.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not one of error, warn, info, debug"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_written_as_it_is_read() {
        for level in LEVELS {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert!("loud".parse::<Level>().is_err());
    }
}
