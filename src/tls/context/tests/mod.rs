//! Contexts, by handshakes in memory.

mod clients;
mod material;
mod servers;
mod support;
mod tickets;
mod upstreams;
