//! Tracing: contexts as requests carry them, and spans as collectors read them.
//!
//! - `context`: W3C Trace Context: `traceparent` and `tracestate`
//! - `b3`: B3, the same in Zipkin's words
//! - `proto`: messages of Protocol Buffers, written
//! - `span`: a span in OTLP's form
//! - `sink`: spans of one shard on their way to the exporter

mod b3;
mod context;
mod proto;
mod sink;
mod span;

pub use b3::{B3, B3Ids, B3Sampling};
pub use context::{TRACEPARENT_LEN, TraceContext, is_tracestate, span_id_text, trace_id_text};
pub use proto::Message;
pub use sink::{SpanChunk, SpanSink, Spans};
pub use span::{Attributes, Span, SpanKind, TEXT_MAX};
