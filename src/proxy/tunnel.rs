//! Both directions of a WebSocket, after the origin has agreed to it.

use super::{
    Environment,
    downstream::{Downstream, Inbound},
    record::Summary,
};
use crate::{
    buffer::{Buffer, Class},
    driver::{Deadline, Phase},
    tls::WriteHalf,
    upstream::Connection,
};
use std::{cell::Cell, future::poll_fn, pin::pin, task::Poll};

/// The client's side of a tunnel.
pub(super) struct Ends<'a> {
    pub(super) downstream: &'a mut Downstream,
    pub(super) inbound: &'a mut Inbound,
}

/// Moves bytes both ways until both directions have ended, or nothing moves for too long. Each direction ends on its own:
/// what one side has still to say is delivered after the other has stopped.
pub(super) async fn run(
    ends: Ends<'_>,
    connection: &mut Connection,
    early: Buffer,
    summary: &mut Summary,
    env: &Environment,
) {
    let (up, down) = (Cell::new(0), Cell::new(0));
    let Ends { downstream, inbound } = ends;
    let Connection { reader, write, deadline, .. } = connection;
    let idle = Idle { ends: [&downstream.deadline, deadline], env };
    idle.moved();
    let upward = async {
        loop {
            let bytes = std::mem::replace(&mut inbound.buffer, env.buffers.lease(Class::Medium));
            let Some(bytes) = send(write, bytes, &up).await else { break };
            inbound.buffer = bytes.grow(Class::Medium);
            idle.moved();
            if !matches!(inbound.fill(env).await, Ok(1..)) {
                break;
            }
        }
        write.shutdown().await;
    };
    let downward = async {
        let mut bytes = early;
        loop {
            let Some(empty) = send(&mut downstream.write, bytes, &down).await else { break };
            reader.put_back(empty.grow(Class::Medium));
            idle.moved();
            match reader.receive().await {
                Ok(more) if !more.is_empty() => bytes = more,
                _ => break,
            }
        }
        downstream.write.shutdown().await;
    };
    let (mut upward, mut downward) = (pin!(upward), pin!(downward));
    let (mut up_ended, mut down_ended) = (false, false);
    poll_fn(|context| {
        up_ended = up_ended || upward.as_mut().poll(context).is_ready();
        down_ended = down_ended || downward.as_mut().poll(context).is_ready();
        if up_ended && down_ended { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (summary.bytes_received, summary.bytes_sent) = (up.get(), down.get());
    (summary.details, summary.service_ms) = ("via_upstream", summary.service_ms);
}

async fn send(write: &mut WriteHalf, bytes: Buffer, count: &Cell<u64>) -> Option<Buffer> {
    let len = bytes.len() as u64;
    let (result, bytes) = write.send(bytes).await;
    count.set(count.get() + len);
    result.is_ok().then_some(bytes)
}

struct Idle<'a> {
    ends: [&'a Deadline; 2],
    env: &'a Environment,
}

impl Idle<'_> {
    fn moved(&self) {
        let idle = Some(self.env.limits.stream_idle_timeout);
        self.ends.iter().for_each(|deadline| deadline.arm(Phase::Both, idle));
    }
}
