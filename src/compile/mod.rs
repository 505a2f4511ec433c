//! Resources to a snapshot, or every diagnostic at once: a pure function.
