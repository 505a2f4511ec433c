//! Contexts, by handshakes in memory.

mod servers;
#[allow(dead_code, unused_imports)]
mod support;
