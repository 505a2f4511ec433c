//! sluicegate: an ingress gateway that reads Istio resources and serves them from one io_uring per core.

// Control plane: one thread, may allocate, block and fail.
pub mod admin;
pub mod cli;
pub mod compile;
pub mod config;
pub mod control;

// What both planes share: immutable.
pub mod table;

// Data plane, in the order in which a byte meets it.
pub mod driver;
pub mod shard;
pub mod listener;
pub mod proxy;
pub mod filter;
pub mod upstream;
pub mod relay;

// Leaves: no I/O, no clock, no knowledge of who calls.
pub mod http;
pub mod http1;
pub mod buffer;
pub mod telemetry;
