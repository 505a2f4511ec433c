//! Spans of one shard on their way to the exporter, as lines of the access log go to their writer: gathered in a buffer of the
//! shard's own, handed over through a bounded channel, dropped and counted where nobody takes them.

use crate::telemetry::{Counters, bump};
use std::{
    cell::RefCell,
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError},
    },
};

/// Bytes of spans that a shard gathers before it hands them over: some 60 requests with a span for each side.
const CHUNK_BYTES: usize = 64 << 10;
/// A chunk is handed over when it has less room than this, which one request seldom needs.
const REQUEST_BYTES: usize = 4 << 10;

/// Spans in OTLP's form.
#[derive(Debug, Default)]
pub struct SpanChunk {
    /// Entries of a `ScopeSpans`, one after the other.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub spans: u64,
}

/// Where chunks go.
pub type SpanSink = SyncSender<SpanChunk>;

/// The spans of one shard. Without a sink nothing is kept.
pub struct Spans {
    sink: Option<SpanSink>,
    chunk: RefCell<SpanChunk>,
    counters: Arc<Counters>,
}

impl Spans {
    /// Spans that go to this sink.
    pub fn new(sink: Option<SpanSink>, counters: Arc<Counters>) -> Spans {
        Spans { sink, chunk: RefCell::default(), counters }
    }

    /// Appends what `write` appends to the bytes that it gets, and which is so many spans.
    pub fn append(&self, spans: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let mut chunk = self.chunk.borrow_mut();
        if chunk.bytes.capacity() == 0 {
            chunk.bytes.reserve_exact(CHUNK_BYTES);
        }
        write(&mut chunk.bytes);
        chunk.spans += spans;
        let is_full = chunk.bytes.len() > CHUNK_BYTES - REQUEST_BYTES;
        drop(chunk);
        if is_full {
            self.flush();
        }
    }

    /// Hands over what has gathered. Called at every tick.
    pub fn flush(&self) {
        let mut chunk = self.chunk.borrow_mut();
        if chunk.spans == 0 {
            return;
        }
        let spans = chunk.spans;
        // It goes with its memory, and the next is made when there is a span for it: there may be none for long.
        let full = std::mem::take(&mut *chunk);
        bump(&self.counters.spans, spans);
        let sent = self.sink.as_ref().map(|sink| sink.try_send(full));
        if let None | Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) = sent {
            bump(&self.counters.spans_dropped, spans);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{atomic::Ordering, mpsc::sync_channel};

    #[test]
    fn what_nobody_takes_is_dropped_and_counted() {
        let (sink, chunks) = sync_channel(1);
        let counters = Arc::new(Counters::default());
        let spans = Spans::new(Some(sink), Arc::clone(&counters));
        spans.flush();
        for _ in 0..3 {
            spans.append(2, |out| out.extend_from_slice(b"xx"));
            spans.flush();
        }
        let of = |counter: &crate::telemetry::Counter| counter.load(Ordering::Relaxed);
        assert_eq!((of(&counters.spans), of(&counters.spans_dropped)), (6, 4));
        let chunk = chunks.try_recv().unwrap();
        assert_eq!((chunk.spans, &chunk.bytes[..]), (2, &b"xx"[..]));
        spans.append(1, |out| out.resize(CHUNK_BYTES, 0));
        assert_eq!(chunks.try_recv().unwrap().spans, 1);
    }
}
