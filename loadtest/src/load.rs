//! What all load generators have in common: where and for how long they are let loose, and what they report.

use std::time::Duration;

/// What a load generator may take beyond the time that it is told, to connect and to end its last requests.
pub(crate) const GRACE: Duration = Duration::from_secs(15);

/// Where and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shot {
    /// The proxy's port on 127.0.0.1.
    pub(crate) port: u16,
    /// For this long.
    pub(crate) secs: u64,
    /// The core that the load generator runs on.
    pub(crate) core: usize,
}

/// What the load generator saw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    /// Answers in full.
    pub(crate) requests: u64,
    /// 99 of 100 answers came within this, if the generator tells it.
    pub(crate) p99_ms: Option<f64>,
    /// What it has to complain of.
    pub(crate) errors: Option<String>,
    /// From its start to its end.
    pub(crate) wall: Duration,
}
