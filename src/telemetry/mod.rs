//! Counters and access records.
