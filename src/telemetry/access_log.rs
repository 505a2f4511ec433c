//! One line a request, in Istio's default text format, gathered per shard and written elsewhere.
//!
//! The shard only appends bytes to its own buffer. A buffer that is full, or a tick old, goes to the writer's thread
//! through a bounded channel; when the writer can't keep up, lines are dropped and counted, never waited for.

use super::{Counters, Flag, TimestampCache, bump};
use std::{
    cell::RefCell,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError},
    },
};

/// Bytes that a shard gathers before it hands them over: about 180 lines.
const CHUNK_BYTES: usize = 64 << 10;

/// Everything a line says. Fields that are not known are empty, and written as `-`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    /// When the first byte of the request came, Unix time in milliseconds.
    pub start_ms: u64,
    /// The method.
    pub method: &'a [u8],
    /// The path before any rewrite, with the query.
    pub path: &'a [u8],
    /// `HTTP/1.1`
    pub protocol: &'static str,
    /// The status sent to the client; 0 if none was.
    pub status: u16,
    /// Why it ended as it did.
    pub flag: Option<Flag>,
    /// Why there was no other attempt, where one was wanted (`URX`, `UO`); written before the other, as `URX,UF`.
    pub retry_flag: Option<Flag>,
    /// It was made to wait: `DI`, beside the flag.
    pub is_delayed: bool,
    /// Envoy's response code details, such as `via_upstream`.
    pub details: &'a str,
    /// Why a connection was ended, where neither side asked for it (`%CONNECTION_TERMINATION_DETAILS%`).
    pub termination: &'a str,
    /// What the operating system said when connecting failed.
    pub transport_failure: &'a str,
    /// Body bytes from the client.
    pub bytes_received: u64,
    /// Body bytes to the client.
    pub bytes_sent: u64,
    /// From the first byte of the request to the last of the answer, in milliseconds.
    pub duration_ms: u64,
    /// Until the response head came, in milliseconds.
    pub upstream_service_ms: Option<u64>,
    /// `x-forwarded-for` as the upstream saw it.
    pub forwarded_for: &'a [u8],
    /// `user-agent`
    pub user_agent: &'a [u8],
    /// `x-request-id`
    pub request_id: &'a [u8],
    /// The authority as the upstream saw it.
    pub authority: &'a [u8],
    /// The endpoint's address.
    pub upstream_host: &'a [u8],
    /// The cluster's name.
    pub upstream_cluster: &'a [u8],
    /// Our address on the upstream connection.
    pub upstream_local: &'a [u8],
    /// Our address on the downstream connection.
    pub downstream_local: &'a [u8],
    /// The client's address.
    pub downstream_remote: &'a [u8],
    /// The SNI.
    pub server_name: &'a [u8],
    /// The route's name.
    pub route_name: &'a [u8],
}

/// Where full chunks go, and where empty ones come back from.
pub struct LogSink {
    /// To the writer; bounded.
    pub full: SyncSender<Vec<u8>>,
    /// From the writer.
    pub empty: Receiver<Vec<u8>>,
}

struct State {
    chunk: Vec<u8>,
    lines: u64,
    timestamps: TimestampCache,
}

/// The access log of one shard. Without a sink it does nothing.
pub struct AccessLog {
    sink: Option<LogSink>,
    state: RefCell<State>,
    counters: Arc<Counters>,
}

impl AccessLog {
    /// A log that writes to this sink.
    pub fn new(sink: Option<LogSink>, counters: Arc<Counters>) -> AccessLog {
        let chunk = Vec::with_capacity(if sink.is_some() { CHUNK_BYTES } else { 0 });
        AccessLog {
            sink,
            state: RefCell::new(State { chunk, lines: 0, timestamps: TimestampCache::default() }),
            counters,
        }
    }

    /// Whether anything is written at all.
    pub fn is_on(&self) -> bool {
        self.sink.is_some()
    }

    /// Appends a line.
    pub fn write(&self, record: &Record<'_>) {
        if self.sink.is_none() {
            return;
        }
        let mut state = self.state.borrow_mut();
        let State { chunk, lines, timestamps } = &mut *state;
        append(record, timestamps, chunk);
        *lines += 1;
        let full = chunk.len() >= CHUNK_BYTES - 4096;
        drop(state);
        if full {
            self.flush();
        }
    }

    /// Hands over what has gathered. Called at every tick.
    pub fn flush(&self) {
        let Some(sink) = &self.sink else { return };
        let mut state = self.state.borrow_mut();
        if state.chunk.is_empty() {
            return;
        }
        let next = sink.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(CHUNK_BYTES));
        let chunk = std::mem::replace(&mut state.chunk, next);
        let lines = std::mem::take(&mut state.lines);
        if let Err(TrySendError::Full(mut chunk) | TrySendError::Disconnected(mut chunk)) =
            sink.full.try_send(chunk)
        {
            bump(&self.counters.log_lines_dropped, lines);
            chunk.clear();
            state.chunk = chunk;
        }
    }
}

/// The flags in the order in which Envoy has written them since 1.30, that in which things happened: it was made to wait, no
/// try was left, and why it ended.
fn append_flags(r: &Record<'_>, out: &mut Vec<u8>) {
    let delayed = if r.is_delayed { "DI" } else { "" };
    let [retry, flag] = [r.retry_flag, r.flag].map(|flag| flag.map_or("", Flag::as_str));
    let begin = out.len();
    for flag in [delayed, retry, flag].into_iter().filter(|flag| !flag.is_empty()) {
        if out.len() > begin {
            out.push(b',');
        }
        out.extend_from_slice(flag.as_bytes());
    }
    if out.len() == begin {
        out.push(b'-');
    }
}

fn append(r: &Record<'_>, timestamps: &mut TimestampCache, out: &mut Vec<u8>) {
    let mut number = itoa::Buffer::new();
    out.push(b'[');
    timestamps.append(r.start_ms, out);
    out.extend_from_slice(b"] \"");
    bare(r.method, out);
    out.push(b' ');
    escaped(r.path, out);
    out.push(b' ');
    bare(r.protocol.as_bytes(), out);
    out.extend_from_slice(b"\" ");
    out.extend_from_slice(number.format(r.status).as_bytes());
    out.push(b' ');
    append_flags(r, out);
    out.push(b' ');
    bare(r.details.as_bytes(), out);
    out.push(b' ');
    bare(r.termination.as_bytes(), out);
    out.extend_from_slice(b" \"");
    escaped(r.transport_failure.as_bytes(), out);
    out.extend_from_slice(b"\" ");
    for value in [r.bytes_received, r.bytes_sent, r.duration_ms] {
        out.extend_from_slice(number.format(value).as_bytes());
        out.push(b' ');
    }
    match r.upstream_service_ms {
        Some(value) => out.extend_from_slice(number.format(value).as_bytes()),
        None => out.push(b'-'),
    }
    for value in [r.forwarded_for, r.user_agent, r.request_id, r.authority, r.upstream_host] {
        out.extend_from_slice(b" \"");
        escaped(value, out);
        out.push(b'"');
    }
    for value in [
        r.upstream_cluster,
        r.upstream_local,
        r.downstream_local,
        r.downstream_remote,
        r.server_name,
        r.route_name,
    ] {
        out.push(b' ');
        bare(value, out);
    }
    out.push(b'\n');
}

fn bare(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(if value.is_empty() { b"-" } else { value });
}

/// A value that a client chose, within quotes: a quote, a backslash or a control character in it is written as `\x22`,
/// so that no client can forge a field.
fn escaped(value: &[u8], out: &mut Vec<u8>) {
    let odd = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=31 | 127);
    // Without an early end the compiler looks at many bytes at a time, and nearly always all of them are plain.
    if !value.iter().fold(false, |any, byte| any | odd(byte)) {
        return bare(value, out);
    }
    for byte in value {
        if odd(byte) {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0') as u8;
            out.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
        } else {
            out.push(*byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(record: &Record<'_>) -> String {
        let mut out = Vec::new();
        append(record, &mut TimestampCache::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_has_istios_fields_in_istios_order() {
        let record = Record {
            start_ms: 784_111_777_042,
            method: b"GET",
            path: b"/a?b",
            protocol: "HTTP/1.1",
            status: 200,
            details: "via_upstream",
            bytes_sent: 12,
            duration_ms: 3,
            upstream_service_ms: Some(2),
            forwarded_for: b"10.0.0.1",
            user_agent: b"curl/8",
            request_id: b"id",
            authority: b"a.example",
            upstream_host: b"10.0.0.2:80",
            upstream_cluster: b"outbound|80||b",
            upstream_local: b"10.0.0.3:4000",
            downstream_local: b"10.0.0.3:80",
            downstream_remote: b"10.0.0.1:5000",
            route_name: b"default",
            ..Record::default()
        };
        assert_eq!(
            line(&record),
            "[1994-11-06T08:49:37.042Z] \"GET /a?b HTTP/1.1\" 200 - via_upstream - \"-\" 0 12 3 2 \"10.0.0.1\" \
             \"curl/8\" \"id\" \"a.example\" \"10.0.0.2:80\" outbound|80||b 10.0.0.3:4000 10.0.0.3:80 10.0.0.1:5000 - \
             default\n"
        );
    }

    #[test]
    fn a_client_cannot_forge_a_field() {
        let record = Record { user_agent: b"x\" \"y\\", ..Record::default() };
        assert!(line(&record).contains(r#""x\x22 \x22y\x5c""#));
    }
}
