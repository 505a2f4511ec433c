//! A TCP connection whose bytes are the bodies of a request and its answer (`tunnel.protocol: POST`).

use crate::{
    buffer::{Buffer, Class},
    driver::{Deadline, Phase},
    http1::{
        body::{BodyDecoder, Next},
        encode,
    },
    relay::{End, Ended, Relayed, Terms},
    telemetry::{Counter, bump},
    tls::{ReadHalf, WriteHalf},
};
use std::{cell::Cell, future::poll_fn, io, pin::pin, task::Poll, time::Duration};

/// What one direction came to.
enum Over {
    /// Its sender has ended.
    InOrder,
    /// Its sender's connection broke, or what it said can't be understood.
    SenderBroke,
    /// Its receiver's connection broke.
    ReceiverBroke,
}

/// What both directions note.
struct Activity<'a> {
    ends: [&'a Deadline; 2],
    idle: Option<Duration>,
}

impl Activity<'_> {
    fn happened(&self) {
        self.ends.iter().for_each(|deadline| deadline.arm(Phase::Both, self.idle));
    }

    fn moved(&self, count: usize, total: &Cell<u64>, counters: [&Counter; 2]) {
        total.set(total.get() + count as u64);
        counters.iter().for_each(|counter| bump(counter, count as u64));
        self.happened();
    }
}

/// Moves bytes both ways until both directions have ended, as [`relay::both`](crate::relay::both), but in chunks upwards and out
/// of a body downwards. `kept` is what of the client's bytes was read already, `early` what of the answer's body.
pub(super) async fn both(
    (client, upstream): (End<'_>, End<'_>),
    kept: Buffer,
    answer: (Buffer, BodyDecoder),
    terms: &Terms<'_>,
) -> Relayed {
    let (sent_up, sent_down) = (Cell::new(0), Cell::new(0));
    let ends = [client.deadline, upstream.deadline];
    let activity = Activity { ends, idle: terms.idle_timeout };
    activity.happened();
    let mut upward = pin!(up((client.read, kept), upstream.write, &activity, (&sent_up, terms)));
    let mut downward = pin!(down((upstream.read, answer), client.write, &activity, (&sent_down, terms)));
    let (mut is_up_over, mut is_down_over, mut broke) = (false, false, None);
    let mut lifetime = terms.lifetime;
    poll_fn(|context| {
        let mut end = |how: Ended| {
            broke.get_or_insert(how);
            ends.iter().for_each(|deadline| deadline.end_now());
        };
        if lifetime.is_some_and(|lifetime| lifetime.watch(context.waker())) {
            lifetime = None;
            end(Ended::TooOld);
        }
        if !is_up_over && let Poll::Ready(over) = upward.as_mut().poll(context) {
            is_up_over = true;
            over.ended(Ended::DownstreamBroke, Ended::UpstreamBroke).into_iter().for_each(&mut end);
        }
        if !is_down_over && let Poll::Ready(over) = downward.as_mut().poll(context) {
            is_down_over = true;
            over.ended(Ended::UpstreamBroke, Ended::DownstreamBroke).into_iter().for_each(&mut end);
        }
        if is_up_over && is_down_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let fired = ends.iter().any(|deadline| deadline.fired()).then_some(Ended::Idle);
    let ended = fired.or(broke).unwrap_or(Ended::InOrder);
    Relayed { up: sent_up.get(), down: sent_down.get(), ended }
}

impl Over {
    fn ended(self, sender: Ended, receiver: Ended) -> Option<Ended> {
        match self {
            Over::InOrder => None,
            Over::SenderBroke => Some(sender),
            Over::ReceiverBroke => Some(receiver),
        }
    }
}

/// Every read becomes a chunk, and the end of the stream the last one.
async fn up(
    (read, kept): (&mut ReadHalf, Buffer),
    write: &mut WriteHalf,
    activity: &Activity<'_>,
    (total, terms): (&Cell<u64>, &Terms<'_>),
) -> Over {
    let mut out = Vec::new();
    let mut buffer = kept;
    let mut is_over = false;
    loop {
        let count = buffer.len();
        if count > 0 || is_over {
            chunk(buffer.bytes(), &mut out);
            drop(buffer);
            let (result, emptied) = write.send_all(out).await;
            out = emptied;
            if result.is_err() {
                return Over::ReceiverBroke;
            }
            activity.moved(count, total, terms.up_bytes);
        }
        if is_over {
            return Over::InOrder;
        }
        let (result, filled) = read.read(terms.buffers.lease(Class::Medium)).await;
        buffer = filled;
        match result {
            Ok(count) => is_over = count == 0,
            // Many peers end TLS by ending the connection, and mean nothing by it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => is_over = true,
            Err(_) => return Over::SenderBroke,
        }
    }
}

/// Appends these bytes as a chunk; the last chunk where there are none.
fn chunk(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.is_empty() {
        return out.extend_from_slice(encode::LAST_CHUNK);
    }
    encode::chunk_head(bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(encode::CHUNK_END);
}

/// The data of the answer's body, and the end of the stream after it.
async fn down(
    (read, (mut buffer, mut body)): (&mut ReadHalf, (Buffer, BodyDecoder)),
    write: &mut WriteHalf,
    activity: &Activity<'_>,
    (total, terms): (&Cell<u64>, &Terms<'_>),
) -> Over {
    let mut out = Vec::new();
    while !body.is_over() {
        let Ok(piece) = body.next(buffer.bytes()) else { return Over::SenderBroke };
        out.extend_from_slice(buffer.bytes().get(piece.data).unwrap_or_default());
        buffer.consume(piece.consumed);
        if piece.next == Next::Look {
            continue;
        }
        let count = out.len();
        let (result, emptied) = write.send_all(out).await;
        out = emptied;
        if result.is_err() {
            return Over::ReceiverBroke;
        }
        activity.moved(count, total, terms.down_bytes);
        if piece.next == Next::End {
            break;
        }
        if buffer.room() == 0 {
            buffer = terms.buffers.lease(Class::Medium);
        }
        let (result, filled) = read.read(buffer).await;
        buffer = filled;
        match result {
            Ok(0) if body.close().is_ok() => break,
            Ok(0) | Err(_) => return Over::SenderBroke,
            Ok(_) => {}
        }
    }
    write.shutdown().await;
    Over::InOrder
}
