//! Move bytes between two ends.
