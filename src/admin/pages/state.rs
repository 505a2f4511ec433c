//! How the gateway is.

use crate::admin::endpoint::{Format, Later};
use crate::{
    admin::{metrics, overview, reply::Reply, request::Asked},
    control::{Gateway, Load, LogStatus, log},
    telemetry::{LogTarget, TimestampCache},
};
use serde_json::{Value, json};
use std::{
    fmt::Write,
    rc::Rc,
    sync::atomic::Ordering,
    time::{SystemTime, UNIX_EPOCH},
};

pub(super) fn ready(gateway: &Gateway, asked: &Asked) -> Reply {
    let reason = gateway.not_ready();
    let status = if reason.is_none() { 200 } else { 503 };
    let state = gateway.state().to_string();
    let value = || json!({ "ready": reason.is_none(), "state": state, "because": reason });
    Reply::either(status, asked.format, value, || match &reason {
        None => "ready\n".to_owned(),
        Some(reason) => format!("{reason}\n"),
    })
}

/// Everything live.
pub(super) fn overview(gateway: &Gateway, asked: &Asked) -> Reply {
    Reply::whole(200, Format::Json, overview::overview(gateway, asked))
}

pub(super) fn live(_: &Gateway, asked: &Asked) -> Reply {
    Reply::either(200, asked.format, || json!({ "live": true }), || "live\n".to_owned())
}

pub(super) fn server_info(gateway: &Gateway, asked: &Asked) -> Reply {
    let workers = gateway.shards.iter().map(|shard| {
        json!({
            "id": shard.handle.id.0,
            "cpu": shard.cpu,
            "driver": shard.driver.get().map(ToString::to_string),
            "ended": shard.ended.get(),
        })
    });
    let info = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": gateway.state().to_string(),
        "not_ready_because": gateway.not_ready(),
        "process_id": std::process::id(),
        "started_unix_seconds": unix_seconds(gateway.started_at),
        "uptime_seconds": gateway.started.elapsed().as_secs(),
        "configuration": gateway.inputs,
        "generation": gateway.snapshot().generation,
        "workers": workers.collect::<Vec<_>>(),
        "connections_per_worker_max": gateway.connections_per_worker,
        "open_files_max": gateway.descriptors.limit,
        "access_log": gateway.logs.borrow().plan().to_string(),
        "access_logs": access_logs(gateway),
        "drain_seconds": gateway.drain_time.as_secs_f64(),
    });
    Reply::value(asked.format, info)
}

/// Where the access logs go, and whether they arrive there.
fn access_logs(gateway: &Gateway) -> Vec<Value> {
    let logs = gateway.logs.borrow();
    let log = |(target, status): (&LogTarget, &LogStatus)| {
        json!({
            "target": target.to_string(),
            "is_broken": status.is_broken.load(Ordering::Relaxed),
            "bytes": status.bytes.load(Ordering::Relaxed),
            "write_failures": status.failures.load(Ordering::Relaxed),
            "lines_lost": status.lost.load(Ordering::Relaxed),
        })
    };
    logs.statuses().map(log).collect()
}

/// The last loads of the configuration, the latest one first.
pub(super) fn loads(gateway: &Gateway, asked: &Asked) -> Reply {
    let loads = gateway.loads.borrow();
    let limit = asked.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let value = || {
        json!({
            "generation": gateway.snapshot().generation,
            "loads": loads.iter().rev().take(limit).map(load).collect::<Vec<_>>(),
        })
    };
    let text = || {
        let mut text = format!("generation {} is served\n", gateway.snapshot().generation);
        for load in loads.iter().rev().take(limit) {
            let became = load.generation.map_or("failed: the one before stays".to_owned(), |generation| {
                format!("generation {generation}")
            });
            // Writing to memory can't fail, here and below.
            let _ = writeln!(
                text,
                "\n{} {}: {became}, {} errors, {} warnings, in {} ms",
                timestamp(load.at),
                load.why,
                load.errors,
                load.warnings,
                load.took.as_millis()
            );
            for diagnostic in load.without_pieces() {
                diagnostic.lines().for_each(|line| {
                    let _ = writeln!(text, "  {line}");
                });
            }
        }
        text
    };
    Reply::either(200, asked.format, value, text)
}

fn load(load: &Load) -> Value {
    json!({
        "at": timestamp(load.at),
        "at_unix_seconds": unix_seconds(load.at),
        "why": load.why,
        "succeeded": load.generation.is_some(),
        "generation": load.generation,
        "took_seconds": load.took.as_secs_f64(),
        "errors": load.errors,
        "warnings": load.warnings,
        "diagnostics": load.without_pieces(),
    })
}

/// Whole seconds since 1970.
pub(in crate::admin) fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn timestamp(at: SystemTime) -> String {
    let mut text = Vec::new();
    let unix_ms = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    TimestampCache::default().append(u64::try_from(unix_ms).unwrap_or(u64::MAX), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

pub(super) fn stats(gateway: Rc<Gateway>, asked: Asked) -> Later {
    Box::pin(async move {
        // Text for thousands of routes takes longer than the control thread may be away.
        let text = metrics::text(&gateway).await;
        stats_of(text, &asked)
    })
}

fn stats_of(mut text: String, asked: &Asked) -> Reply {
    if let Some(part) = asked.get("filter") {
        text = text.lines().filter(|line| line.contains(part)).map(|line| format!("{line}\n")).collect();
    }
    if asked.format != Format::Json {
        return Reply::text(200, text);
    }
    let number = |line: &str| {
        let (name, number) = line.rsplit_once(": ")?;
        Some(json!({ "name": name, "value": number.parse::<f64>().ok()? }))
    };
    let stats: Vec<Value> = text.lines().filter_map(number).collect();
    Reply::whole(200, asked.format, format!("{}\n", json!({ "stats": stats })).into_bytes())
}

pub(super) fn prometheus(gateway: &Gateway, _: &Asked) -> Reply {
    metrics::prometheus(gateway)
}

pub(super) fn logging(_: &Gateway, asked: &Asked) -> Reply {
    level(asked)
}

/// The level at present.
pub(super) fn level(asked: &Asked) -> Reply {
    let level = log::level().to_string();
    Reply::either(200, asked.format, || json!({ "level": level }), || format!("level: {level}\n"))
}
