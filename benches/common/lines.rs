//! A log that keeps nothing, and what it is given to write.

use sluicegate::telemetry::{
    AccessLog, Condition, Counters, Format, LogSet, LogSink, Record, ShardLog, Share,
};
use std::sync::{Arc, mpsc::sync_channel};

/// A log whose chunks nobody takes, so that its memory is used again at once.
pub(crate) fn log(format: Option<Format>, condition: Option<&str>) -> AccessLog {
    let (full, _chunks) = sync_channel(1);
    let (_back, empty) = sync_channel(1);
    let condition = condition.and_then(|text| Condition::parse(text).ok()).map(Arc::new);
    let logs = format.map(|format| ShardLog { sink: 1, format, condition, share: Share::ALL });
    let set = LogSet { sinks: vec![(1, LogSink { full, empty })], logs: logs.into_iter().collect() };
    AccessLog::new(set, Arc::new(Counters::default()), 1)
}

/// A request as a shop has them.
pub(crate) fn record() -> Record<'static> {
    Record {
        start_ms: 1_764_000_000_123,
        method: b"GET",
        path: b"/products/42?currency=EUR",
        protocol: "HTTP/1.1",
        status: 200,
        details: "via_upstream",
        bytes_sent: 4821,
        duration_ms: 3,
        upstream_service_ms: Some(2),
        forwarded_for: b"203.0.113.7",
        user_agent: b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        request_id: b"7f3c2b9e-4a0d-4f5e-9b1c-0d2f6a7e8c91",
        authority: b"shop.example.com",
        upstream_host: b"10.0.12.7:8080",
        upstream_cluster: b"outbound|80||shop.shop.svc.cluster.local",
        upstream_local: b"10.0.1.5:41022",
        downstream_local: b"10.0.1.5:8443",
        downstream_remote: b"203.0.113.7:51034",
        server_name: b"shop.example.com",
        route_name: b"products",
        ..Record::default()
    }
}
