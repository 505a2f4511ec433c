//! Counters and access records.
//!
//! - `authorization`: how often each policy has matched
//! - `access_log`: one line a request, in any format, gathered per shard
//! - `counters`: numbers that one shard writes and the admin thread reads
//! - `distribution`: numbers counted in the buckets of Istio's metrics
//! - `histogram`: how long things took, counted in buckets
//! - `latency`: how long things took, in buckets so narrow that percentiles can be told
//! - `mongo`: what MongoDB's clients ask, for each command and database
//! - `flag`: Envoy's response flags
//! - `operator`: the grammar of format strings
//! - `published`: lists that one thread makes longer and others read
//! - `traffic`: what was asked of each route and cluster, and how it ended
//! - `trace`: contexts of traces and spans
//! - `time`, `time_format`: dates as HTTP and the access log write them, and by formats; pure arithmetic

mod access_log;
mod authorization;
mod counters;
mod distribution;
mod flag;
mod histogram;
mod latency;
mod mongo;
pub(crate) mod operator;
mod published;
mod time;
mod time_format;
mod traffic;
mod trace;

pub use access_log::{
    AccessLog, Condition, ConditionError, Facts, Format, FormatError, ISTIO_TEXT, JsonValue, LogChoice,
    LogSet, LogSink, LogTarget, Preset, Record, ShardLog, Share, SyslogAddress,
};
pub use authorization::{PolicyCounts, PolicyTable};
pub use counters::{Counter, CounterKind, Counters, DESCRIPTIONS, Description, Floods, bump};
pub use distribution::{BOUNDS_THOUSANDTHS, Distributed, Distribution};
pub use flag::Flag;
pub use histogram::{BOUNDS_MICROS, Durations, Histogram};
pub use latency::{Latencies, Latency};
pub use mongo::{MongoCounts, MongoPair, MongoSlot, MongoTable};
pub use operator::{TlsFact, ValidityEnd};
pub use published::Published;
pub(crate) use time::{Civil, civil};
pub use time::{DateCache, TimestampCache, http_date};
pub(crate) use time_format::TimeFormat;
pub use trace::{
    Attributes, B3, B3Ids, B3Sampling, Message, Span, SpanChunk, SpanKind, SpanSink, Spans, TEXT_MAX,
    TRACEPARENT_LEN, TraceContext, is_tracestate, span_id_text, trace_id_text,
};
pub use traffic::{
    CLUSTERS_MAX, ClusterSeries, ClusterTraffic, ENDS_MAX, End, Ended, Flags, HttpSeries, ListenerSeries,
    ROUTES_MAX, RouteHandle, RoutePlace, RouteSeries, RouteTraffic, Spoken, Sums, TCP_ENDS_MAX, TcpSeries,
    Traffic, TrafficCounts, TrafficTable,
};
