//! What goes on at this moment: connections, workers, memory.

use crate::{
    admin::{endpoint::Later, look, metrics, overview, reply::Reply, request::Asked},
    control::Gateway,
    shard::{Client, Seen},
};
use serde_json::{Value, json};
use std::{fmt::Write, fs, rc::Rc};

/// Connections that are listed where nobody says how many.
const CONNECTIONS_LISTED: usize = 200;

pub(super) fn connections(gateway: Rc<Gateway>, asked: Asked) -> Later {
    Box::pin(async move {
        let limit = asked.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(CONNECTIONS_LISTED);
        let seen = look::shards(&gateway, limit, 0..0).await;
        let total: usize = seen.iter().map(|seen| seen.open).sum();
        let all =
            || seen.iter().flat_map(|seen| seen.clients.iter().map(move |client| (seen, client))).take(limit);
        let value = || {
            let rows: Vec<Value> =
                all().map(|(seen, (listener, client))| connection(seen, listener, client)).collect();
            json!({ "total": total, "connections": rows })
        };
        let text = || {
            let mut text = format!("{total} connections, {} of them here\n", all().count());
            all().for_each(|(seen, (listener, client))| connection_line(seen, listener, client, &mut text));
            text
        };
        Reply::either(200, asked.format, value, text)
    })
}

fn connection(seen: &Seen, listener: &str, client: &Client) -> Value {
    json!({
        "worker": seen.id.0,
        "listener": listener,
        "peer": client.peer.map(|peer| peer.to_string()),
        "protocol": client.protocol,
        "tls": client.tls.as_ref().map(|(version, suite)| json!({"version": version, "cipher": suite})),
        "server_name": client.server_name,
        "state": client.state,
        "streams": client.streams,
        "leaving": client.is_leaving,
        "age_seconds": client.age.map(|age| age.as_secs_f64()),
    })
}

fn connection_line(seen: &Seen, listener: &str, client: &Client, text: &mut String) {
    let peer = client.peer.map_or_else(|| "a socket".to_owned(), |peer| peer.to_string());
    // Writing to memory can't fail, here and below.
    let _ = write!(text, "worker {} {listener} from {peer}: {}", seen.id.0, client.protocol);
    if let Some((version, suite)) = &client.tls {
        let _ = write!(text, ", {version} {suite}");
    }
    if let Some(name) = &client.server_name {
        let _ = write!(text, ", for {name}");
    }
    let _ = write!(text, ", {}", client.state);
    if let Some(streams) = client.streams {
        let _ = write!(text, " with {streams} requests");
    }
    if client.is_leaving {
        text.push_str(", to end");
    }
    if let Some(age) = client.age {
        let _ = write!(text, ", open for {:.1} s", age.as_secs_f64());
    }
    text.push('\n');
}

pub(super) fn workers(gateway: &Gateway, asked: &Asked) -> Reply {
    Reply::value(asked.format, json!({ "workers": overview::workers(gateway) }))
}

/// What the kernel says of this process (proc(5)).
pub(super) fn memory(gateway: &Gateway, asked: &Asked) -> Reply {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kib << 10)
    };
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse::<u64>().ok());
    let known = gateway.known();
    Reply::value(
        asked.format,
        json!({
            "resident_bytes": bytes("VmRSS"),
            "resident_most_bytes": bytes("VmHWM"),
            "virtual_bytes": bytes("VmSize"),
            "swapped_bytes": bytes("VmSwap"),
            "locked_bytes": bytes("VmLck"),
            "threads": threads,
            "open_files": metrics::open_files(),
            "open_files_max": gateway.descriptors.limit,
            "configuration_text_bytes": known.sources.iter().map(|file| file.text.len()).sum::<usize>(),
        }),
    )
}
