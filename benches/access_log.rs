//! What a line of the access log costs: Istio's text by its own code and by its format string, JSON, other presets, and none.

use divan::Bencher;
use sluicegate::telemetry::{
    AccessLog, Condition, Counters, Format, ISTIO_TEXT, LogChoice, LogSet, LogSink, Preset, Record, ShardLog,
    Share,
};
use std::sync::{Arc, mpsc::sync_channel};

fn main() {
    divan::main();
}

/// A log whose chunks nobody takes, so that its memory is used again at once.
fn log(format: Option<Format>, condition: Option<&str>) -> AccessLog {
    let (full, _chunks) = sync_channel(1);
    let (_back, empty) = sync_channel(1);
    let condition = condition.and_then(|text| Condition::parse(text).ok()).map(Arc::new);
    let logs = format.map(|format| ShardLog { sink: 1, format, condition, share: Share::ALL });
    let set = LogSet { sinks: vec![(1, LogSink { full, empty })], logs: logs.into_iter().collect() };
    AccessLog::new(set, Arc::new(Counters::default()), 1)
}

fn record() -> Record<'static> {
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

fn run(bencher: Bencher<'_, '_>, format: Option<Format>, condition: Option<&str>, choice: LogChoice) {
    let log = log(format, condition);
    let record = Record { choice, ..record() };
    bencher.bench_local(|| {
        // As the data path asks it.
        if log.is_on() {
            log.write(divan::black_box(&record), &());
        }
    });
}

#[divan::bench]
fn istio_by_its_own_code(bencher: Bencher<'_, '_>) {
    run(bencher, Some(Format::istio()), None, LogChoice::Usual);
}

#[divan::bench]
fn istio_by_its_format_string(bencher: Bencher<'_, '_>) {
    run(bencher, Format::text(ISTIO_TEXT, false).ok(), None, LogChoice::Usual);
}

#[divan::bench]
fn json(bencher: Bencher<'_, '_>) {
    run(bencher, Some(Preset::Json.format()), None, LogChoice::Usual);
}

#[divan::bench]
fn combined(bencher: Bencher<'_, '_>) {
    run(bencher, Some(Preset::Combined.format()), None, LogChoice::Usual);
}

#[divan::bench]
fn httplog(bencher: Bencher<'_, '_>) {
    run(bencher, Some(Preset::Httplog.format()), None, LogChoice::Usual);
}

#[divan::bench]
fn left_out_by_a_condition(bencher: Bencher<'_, '_>) {
    let condition = "response.code >= 400 || request.headers['x-debug'] == '1'";
    run(bencher, Some(Format::istio()), Some(condition), LogChoice::Usual);
}

#[divan::bench]
fn left_out_by_the_route(bencher: Bencher<'_, '_>) {
    run(bencher, Some(Format::istio()), None, LogChoice::Off);
}

#[divan::bench]
fn off(bencher: Bencher<'_, '_>) {
    run(bencher, None, None, LogChoice::Usual);
}
