//! Spans to a collector: OTLP by HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>), in Protocol Buffers.
//!
//! Shards make spans in their final form (`telemetry`), so what is left is to put a head before them. The encoder is some
//! lines of our own: a tree of structures from a generator, and the crates that it needs, would be built only to be copied
//! from.
//!
//! - `exporter`: gathers what shards hand over, and sends it in batches
//! - `message`: the request around the spans, and what its answer says
//! - `send`: one request on a connection that is kept
//! - `status`: what was exported, for metrics

mod exporter;
mod message;
mod send;
mod status;

pub(super) use exporter::Exporter;
pub use status::ExportStatus;

use crate::telemetry::{SpanChunk, SpanSink};
use std::sync::mpsc::{Receiver, sync_channel};

/// Chunks per shard that may wait to be gathered, which is done several times a second. A shard hands over ten a second, or more
/// when it is busy; a chunk has 64 KiB at most.
const WAITING_MAX: usize = 16;

/// The way of spans from `shards` shards to the exporter.
pub(super) fn channel(shards: usize) -> (SpanSink, Receiver<SpanChunk>) {
    sync_channel(WAITING_MAX * shards)
}
