//! What was exported, for metrics.

use std::cell::{Cell, RefCell};

/// What the exporter has done.
#[derive(Debug, Default)]
pub struct ExportStatus {
    /// Spans that a collector has taken.
    pub exported: Cell<u64>,
    /// Spans that it has refused, or that nobody took in time.
    pub failed: Cell<u64>,
    /// Spans for which there was no room while they waited.
    pub dropped: Cell<u64>,
    /// Bytes of spans that wait.
    pub waiting: Cell<u64>,
    /// What went wrong with the last request; nothing if nothing did.
    pub error: RefCell<Option<String>>,
}

impl ExportStatus {
    /// Adds to a number.
    pub(super) fn add(number: &Cell<u64>, by: u64) {
        number.set(number.get().saturating_add(by));
    }
}
