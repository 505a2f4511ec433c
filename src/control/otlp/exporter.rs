//! Gathers what shards hand over, and sends it in batches.
//!
//! Two tasks of the control thread: one empties the shards' channel into a queue of bounded size, whatever the collector does;
//! the other sends the queue's head, waits and tries again where the collector says so, and gives a batch up at last. So a
//! collector that is slow or gone costs spans, which are counted, and nothing else.

use super::{
    message, send,
    send::{Sender, Sent},
    status::ExportStatus,
};
use crate::{
    control::{Gateway, log, resolver::Resolver},
    telemetry::SpanChunk,
};
use hyper::body::Bytes;
use std::{
    cell::RefCell,
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    rc::Rc,
    sync::mpsc::Receiver,
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::spawn_local,
    time::{sleep, timeout},
};

/// The shards' channel is emptied so often: it has room for what comes in the meantime.
const GATHER_EVERY: Duration = Duration::from_millis(200);
/// The same while there is no tracing, and so nothing in it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Spans wait at most so long for others to go with them, unless a batch is full: who looks for a trace wants it soon.
const BATCH_EVERY: Duration = Duration::from_secs(1);
/// A batch is full with so many bytes of spans: some hundred requests, and far below what collectors take (4 MiB).
const BATCH_BYTES: usize = 512 << 10;
/// Bytes of spans that wait while a collector is slow: a minute of some hundred requests a second.
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// A batch is sent so often before it is given up, with pauses between of a second, two, four and so on.
const TRIES: u32 = 6;
/// The first pause.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// At most this much is added to a pause, so that many gateways do not come back at once.
const JITTER_MS: u64 = 500;

/// What waits, and who is told when there is something.
#[derive(Default)]
struct Queue {
    chunks: RefCell<VecDeque<SpanChunk>>,
    bytes: std::cell::Cell<usize>,
    is_full: Notify,
}

/// The exporter of a gateway.
pub(in crate::control) struct Exporter {
    gateway: Rc<Gateway>,
    resolver: Rc<Resolver>,
    queue: Rc<Queue>,
    chunks: Rc<Option<Receiver<SpanChunk>>>,
}

impl Exporter {
    /// Begins to export what the gateway's shards hand over.
    pub(in crate::control) fn start(gateway: &Rc<Gateway>, resolver: &Rc<Resolver>) -> Exporter {
        let exporter = Exporter {
            gateway: Rc::clone(gateway),
            resolver: Rc::clone(resolver),
            queue: Rc::default(),
            chunks: Rc::new(gateway.spans.take()),
        };
        spawn_local(exporter.again().gather());
        spawn_local(exporter.again().send());
        exporter
    }

    fn again(&self) -> Exporter {
        Exporter {
            gateway: Rc::clone(&self.gateway),
            resolver: Rc::clone(&self.resolver),
            queue: Rc::clone(&self.queue),
            chunks: Rc::clone(&self.chunks),
        }
    }

    /// Sends what there is, once. Call it when all shards have ended, within a time limit.
    pub(in crate::control) async fn end(&self) {
        self.take_all();
        let mut sender = Sender::default();
        while let Some(batch) = self.queue.next() {
            let collector = self.gateway.snapshot();
            let Some(policy) = &collector.tracing else { return };
            let body = batch.body(&policy.collector.resource);
            let sent = sender.send(&policy.collector, &body, &self.gateway, &self.resolver).await;
            self.note(&batch, sent, true);
        }
    }

    async fn gather(self) {
        loop {
            let is_on = self.gateway.snapshot().tracing.is_some();
            sleep(if is_on { GATHER_EVERY } else { LOOK_EVERY }).await;
            self.take_all();
        }
    }

    fn take_all(&self) {
        let Some(chunks) = &*self.chunks else { return };
        let status = &self.gateway.exports;
        for chunk in chunks.try_iter() {
            let bytes = self.queue.bytes.get() + chunk.bytes.len();
            if bytes > QUEUE_BYTES_MAX {
                ExportStatus::add(&status.dropped, chunk.spans);
                continue;
            }
            self.queue.bytes.set(bytes);
            self.queue.chunks.borrow_mut().push_back(chunk);
        }
        status.waiting.set(self.queue.bytes.get() as u64);
        if self.queue.bytes.get() >= BATCH_BYTES {
            self.queue.is_full.notify_one();
        }
    }

    async fn send(self) {
        let mut sender = Sender::default();
        loop {
            // Either is a reason to look.
            let _ = timeout(BATCH_EVERY, self.queue.is_full.notified()).await;
            while let Some(batch) = self.queue.next() {
                self.deliver(&mut sender, &batch).await;
                if self.queue.bytes.get() < BATCH_BYTES {
                    break;
                }
            }
        }
    }

    /// Sends a batch, and again where that may help.
    async fn deliver(&self, sender: &mut Sender, batch: &Batch) {
        let (mut pause, random) = (PAUSE_FIRST, RandomState::new());
        for tried in 1..=TRIES {
            // Another configuration may have another collector.
            let snapshot = self.gateway.snapshot();
            let Some(policy) = &snapshot.tracing else {
                return ExportStatus::add(&self.gateway.exports.dropped, batch.spans);
            };
            let collector = &policy.collector;
            let body = batch.body(&collector.resource);
            let sending = sender.send(collector, &body, &self.gateway, &self.resolver);
            let sent = timeout(collector.timeout, sending).await;
            let sent = sent.unwrap_or_else(|_| {
                send::Sent::Later(format!("no answer within {} s", collector.timeout.as_secs_f64()), None)
            });
            let Some(wait) = self.note(batch, sent, tried == TRIES) else { return };
            let jitter = Duration::from_millis(random.hash_one(tried) % JITTER_MS);
            sleep(wait.unwrap_or(pause) + jitter).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Notes what became of a batch. Says how long to wait, if it is to be sent again: as long as the collector says.
    fn note(&self, batch: &Batch, sent: Sent, is_last: bool) -> Option<Option<Duration>> {
        let status = &self.gateway.exports;
        let (why, wait) = match sent {
            Sent::Taken(answer) => {
                let refused = message::refused(&answer);
                let count = refused.as_ref().map_or(0, |(count, _)| (*count).min(batch.spans));
                ExportStatus::add(&status.exported, batch.spans - count);
                ExportStatus::add(&status.failed, count);
                let error = refused.map(|(count, why)| format!("it refuses {count} spans: {why}"));
                self.say(error);
                return None;
            }
            Sent::Later(why, wait) => (why, Some(wait)),
            Sent::Refused(why) => (why, None),
        };
        self.say(Some(why));
        if is_last || wait.is_none() {
            ExportStatus::add(&status.failed, batch.spans);
            return None;
        }
        wait
    }

    /// Says once that something is wrong, and once that it is well again.
    fn say(&self, error: Option<String>) {
        let before = self.gateway.exports.error.replace(error.clone());
        let snapshot = self.gateway.snapshot();
        let Some(collector) = snapshot.tracing.as_ref().map(|policy| &policy.collector) else { return };
        match (before, error) {
            (None, Some(why)) => log::warn(format_args!(
                "spans can't be sent to {collector}: {why}; traffic goes on, and spans are lost if it lasts"
            )),
            (Some(_), None) => log::info(format_args!("spans can be sent again to {collector}")),
            (Some(_), Some(why)) => log::debug(format_args!("spans to {collector}: {why}")),
            (None, None) => {}
        }
    }
}

impl Queue {
    /// What goes into one request.
    fn next(&self) -> Option<Batch> {
        let mut chunks = self.chunks.borrow_mut();
        let mut batch = Batch { chunks: Vec::new(), spans: 0 };
        let mut bytes = 0;
        while bytes < BATCH_BYTES
            && let Some(chunk) = chunks.pop_front()
        {
            bytes += chunk.bytes.len();
            batch.spans += chunk.spans;
            batch.chunks.push(chunk.bytes);
        }
        self.bytes.set(self.bytes.get() - bytes);
        (batch.spans > 0).then_some(batch)
    }
}

/// Spans of one request.
struct Batch {
    chunks: Vec<Vec<u8>>,
    spans: u64,
}

impl Batch {
    fn body(&self, resource: &[(Box<str>, Box<str>)]) -> Bytes {
        let resource = resource.iter().map(|(key, value)| (&**key, &**value));
        message::request(resource, self.chunks.iter().map(Vec::as_slice)).into()
    }
}
