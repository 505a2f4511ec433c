//! Owns a thread and everything mutable on it.
