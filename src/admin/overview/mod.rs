//! Everything live in one JSON document: what the dashboard and `sluicegate top` show, and what they ask for once a second.
//!
//! `GET /api/overview`, with these parameters, each of which may be left out:
//!
//! * `routes=TEXT`, `clusters=TEXT`: only rows whose name, host or source has this in it, whatever the case
//! * `history=1`: the last five minutes, second by second
//! * `loads_since=MS`: only loads of the configuration that began after this moment (Unix time in milliseconds)
//!
//! Numbers that are said to be sums only grow while the process lives: who wants a rate takes the difference of two answers and
//! divides it by that of their `uptime_ms`. Another `process.id` or `process.started_ms` is another process, whose sums
//! begin anew. Times that end in `_ms` and have no `uptime` or `took` in their name are Unix time in milliseconds. Lists have a limit, and
//! `total` and `matching` beside them say how much more there is. New members may come at any time; one that is there stays.
//!
//! ```text
//! schema                1
//! now_ms
//! process               id, version, started_ms, uptime_ms, memory_bytes or null
//! state                 starting, ready, draining, ended
//! not_ready_because     text, or null
//! configuration         generation, inputs, listeners, routes, clusters: what is served, and how much of it
//!   .serving_since_ms   when the generation that is served was loaded; null if that is not known any more
//!   .failing_since_ms   the first failed load after that; null if the last load was good
//!   .loads[]            at_ms, why, generation or null, took_ms, errors, warnings, diagnostics[]; latest last
//! totals                sums, but for those that end in _active: see `totals`
//! history               if asked for: at[] (uptime_ms), requests[], client_errors[], server_errors[], connections[]: sums
//! flags[]               flag, meaning, requests (a sum); the most frequent first
//! latency               sum over all routes, as `latency` of a route
//! workers[]             id, cpu or null, driver or null, ended, connections (now), accepted, requests, cpu_ms or null (sums)
//! routes                total, matching, rows[]: those with the most requests first
//!   .rows[]             name, host, requests, client_errors, server_errors, latency; name and host are empty for no route
//!     .latency[]        [microseconds, requests], ascending: sums over what took about so long, 7 % off at most
//! clusters              total, matching, rows[]: those with bad endpoints first, then those with the most requests
//!   .rows[]             name, source, protocol, requests, client_errors, server_errors, latency;
//!                       good: how many endpoints may be used
//!     .outlier          ejected (now), ejections, prevented (sums), or null
//!     .checks           good, bad (sums), or null
//!     .limits           connections, pending, requests, retries: in_use, most, refused (a sum), or null; or null
//!     .endpoints        total, rows[]: address, weight, good, failing_checks, ejected: reason, left_ms; ejections (a sum); bad ones first
//! certificates          total, failures (a sum), rows[]: those that end first
//!   .rows[]             name, state (good, kept, failed), problems[], subject or null, names[], not_after_ms or null
//! ```
//!
//! - `certificates`: until when they hold
//! - `clusters`: destinations, and their endpoints' health
//! - `configuration`: what is served, and the last loads
//! - `flags`: response flags in plain words
//! - `query`: what a request asks for
//! - `traffic`: routes, flags and latencies
//! - `workers`: what each worker does

mod certificates;
mod clusters;
mod configuration;
mod flags;
mod query;
mod traffic;
mod workers;

use crate::{
    admin::{metrics::resident_bytes, request::Asked},
    control::{Gateway, Sample},
    telemetry::{Counter, Counters},
};
use query::Query;
use serde_json::{Value, json};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The document, for a request with this query.
pub(super) fn overview(gateway: &Gateway, asked: &Asked) -> Vec<u8> {
    let query = Query::of(asked);
    let now = Instant::now();
    let traffic = traffic::Traffic::of(gateway);
    let mut document = json!({
        "schema": 1,
        "now_ms": unix_ms(SystemTime::now()),
        "process": process(gateway, now),
        "state": gateway.state().to_string(),
        "not_ready_because": gateway.not_ready(),
        "configuration": configuration::of(gateway, &query),
        "totals": totals(gateway),
        "flags": traffic.flags(),
        "latency": traffic.latency(),
        "workers": workers::all(gateway),
        "routes": traffic.routes(query.routes.as_deref()),
        "clusters": clusters::all(gateway, &traffic, query.clusters.as_deref(), now),
        "certificates": certificates::all(gateway),
    });
    if query.history {
        document["history"] = history(gateway);
    }
    let mut text = document.to_string().into_bytes();
    text.push(b'\n');
    text
}

fn process(gateway: &Gateway, now: Instant) -> Value {
    json!({
        "id": std::process::id(),
        "version": env!("CARGO_PKG_VERSION"),
        "started_ms": unix_ms(gateway.started_at),
        "uptime_ms": milliseconds(now.saturating_duration_since(gateway.started)),
        "memory_bytes": resident_bytes(),
    })
}

/// What each worker does.
pub(super) fn workers(gateway: &Gateway) -> Vec<Value> {
    workers::all(gateway)
}

/// All workers together.
fn totals(gateway: &Gateway) -> Value {
    let sum = |of: fn(&Counters) -> &Counter| {
        let values = gateway.shards.iter().map(|shard| of(&shard.handle.counters).load(Ordering::Relaxed));
        values.fold(0, u64::wrapping_add)
    };
    let active = gateway.shards.iter().map(|shard| shard.handle.counters.connections_active());
    json!({
        "requests": sum(|c| &c.requests),
        "requests_active": sum(|c| &c.requests_active),
        "responses_1xx": sum(|c| &c.responses_1xx),
        "responses_2xx": sum(|c| &c.responses_2xx),
        "responses_3xx": sum(|c| &c.responses_3xx),
        "responses_4xx": sum(|c| &c.responses_4xx),
        "responses_5xx": sum(|c| &c.responses_5xx),
        "local_replies": sum(|c| &c.local_replies),
        "connections": sum(|c| &c.downstream_connections).wrapping_add(sum(|c| &c.tcp_connections)),
        "connections_active": active.sum::<u64>(),
        "connections_refused": sum(|c| &c.downstream_connections_overflow),
        "tls_handshakes": sum(|c| &c.tls_handshakes),
        "tls_failures": sum(|c| &c.tls_failures),
        "upstream_connections": sum(|c| &c.upstream_connections),
        "upstream_connections_active": sum(|c| &c.upstream_connections_active),
        "upstream_connect_failures": sum(|c| &c.upstream_connect_failures),
        "retries": sum(|c| &c.upstream_retries),
        "bytes_received": sum(|c| &c.bytes_received).wrapping_add(sum(|c| &c.tcp_bytes_received)),
        "bytes_sent": sum(|c| &c.bytes_sent).wrapping_add(sum(|c| &c.tcp_bytes_sent)),
        "log_lines_dropped": sum(|c| &c.log_lines_dropped),
    })
}

/// By column: half as long as by sample.
fn history(gateway: &Gateway) -> Value {
    let history = gateway.history.borrow();
    let column = |of: fn(&Sample) -> u64| history.samples().map(of).collect::<Vec<_>>();
    json!({
        "at": column(|sample| sample.uptime_ms),
        "requests": column(|sample| sample.requests),
        "client_errors": column(|sample| sample.client_errors),
        "server_errors": column(|sample| sample.server_errors),
        "connections": column(|sample| sample.connections),
    })
}

/// What is shown of a long list: how many there are, how many of them were asked for, and the first of those.
fn rows(total: usize, matching: usize, rows: Vec<Value>) -> Value {
    json!({"total": total, "matching": matching, "rows": rows})
}

fn unix_ms(at: SystemTime) -> u64 {
    milliseconds(at.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
