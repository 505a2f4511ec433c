//! Counters and access records.
//!
//! - `authorization`: how often each policy has matched
//! - `access_log`: one line a request, in Istio's default text format, gathered per shard
//! - `counters`: numbers that one shard writes and the admin thread reads
//! - `histogram`: how long things took, counted in buckets
//! - `mongo`: what MongoDB's clients ask, for each command and database
//! - `flag`: Envoy's response flags
//! - `trace`: contexts of traces and spans
//! - `time`: dates as HTTP and the access log write them; pure arithmetic

mod access_log;
mod authorization;
mod counters;
mod flag;
mod histogram;
mod mongo;
mod time;
mod trace;

pub use access_log::{AccessLog, LogSink, Record};
pub use authorization::{PolicyCounts, PolicyTable};
pub use counters::{Counter, CounterKind, Counters, DESCRIPTIONS, Description, Floods, bump};
pub use flag::Flag;
pub use histogram::{BOUNDS_MICROS, Durations, Histogram};
pub use mongo::{MongoCounts, MongoPair, MongoSlot, MongoTable};
pub(crate) use time::{Civil, civil};
pub use time::{DateCache, TimestampCache, http_date};
pub use trace::{
    Attributes, B3, B3Ids, B3Sampling, Message, Span, SpanChunk, SpanKind, SpanSink, Spans, TEXT_MAX,
    TRACEPARENT_LEN, TraceContext, is_tracestate, span_id_text, trace_id_text,
};
