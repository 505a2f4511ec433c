//! Both directions of a WebSocket of which at least one side is a stream of HTTP/2: its DATA frames carry what a
//! connection of HTTP/1.1 carries as it is (RFC 8441 section 5).

use super::{
    Environment,
    downstream::{Downstream, Inbound},
    record::Summary,
    websocket::{GOING_AWAY, GOING_AWAY_MASKED},
};
use crate::{
    buffer::{Buffer, Class},
    driver::{Deadline, Phase},
    http2::{ErrorCode, Received, Then},
    mux::Stream,
    tls::{ReadHalf, WriteHalf},
    upstream::Connection,
};
use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

/// A client's stream, and an origin's connection. `early` is what the origin has said already.
pub(super) async fn to_connection(
    client: &Stream,
    connection: &mut Connection,
    early: Buffer,
    summary: &mut Summary,
    env: &Environment,
) {
    let Connection { reader, write, deadline, .. } = connection;
    let Some(mut read) = reader.take_half() else { return };
    let idle = env.limits.stream_idle_timeout;
    let deadline = &*deadline;
    let _tie = deadline.tie(deadline);
    let up = pump(From::Stream(client), To::Connection(write), Some(deadline), idle);
    let down = pump(From::Connection(&mut read, early), To::Stream(client, GOING_AWAY), Some(deadline), idle);
    let cut = || {
        deadline.end_now();
        client.reset(ErrorCode::Cancel);
    };
    count(summary, both(up, down, cut).await);
}

/// A client's connection, and an origin's stream.
pub(super) async fn from_connection(
    downstream: &mut Downstream,
    inbound: &mut Inbound,
    origin: &Stream,
    summary: &mut Summary,
    env: &Environment,
) {
    let Downstream { write, deadline, .. } = downstream;
    let Inbound { read, buffer } = inbound;
    let first = std::mem::replace(buffer, env.buffers.empty());
    let idle = env.limits.stream_idle_timeout;
    let deadline = &*deadline;
    let _tie = deadline.tie(deadline);
    let up = pump(From::Connection(read, first), To::Stream(origin, GOING_AWAY_MASKED), Some(deadline), idle);
    let down = pump(From::Stream(origin), To::Connection(write), Some(deadline), idle);
    let cut = || {
        deadline.end_now();
        origin.reset(ErrorCode::Cancel);
    };
    count(summary, both(up, down, cut).await);
}

/// Two streams.
pub(super) async fn across(client: &Stream, origin: &Stream, summary: &mut Summary, env: &Environment) {
    let idle = env.limits.stream_idle_timeout;
    let up = pump(From::Stream(client), To::Stream(origin, &[]), None, idle);
    let down = pump(From::Stream(origin), To::Stream(client, &[]), None, idle);
    let cut = || {
        client.reset(ErrorCode::Cancel);
        origin.reset(ErrorCode::Cancel);
    };
    count(summary, both(up, down, cut).await);
}

fn count(summary: &mut Summary, (up, down): (u64, u64)) {
    summary.details = "via_upstream";
    (summary.bytes_received, summary.bytes_sent) = (up, down);
}

enum From<'a> {
    /// Its half, and what it has given already.
    Connection(&'a mut ReadHalf, Buffer),
    Stream(&'a Stream),
}

enum To<'a> {
    Connection(&'a mut WriteHalf),
    /// And what it is told if the gateway ends the other side.
    Stream(&'a Stream, &'static [u8]),
}

/// How a direction has ended.
struct Flow {
    bytes: u64,
    /// Not by its sender's word.
    is_broken: bool,
}

/// Both directions, each to its own end. When one breaks, `cut` ends the other.
async fn both(
    up: impl Future<Output = Flow>,
    down: impl Future<Output = Flow>,
    cut: impl Fn(),
) -> (u64, u64) {
    let (mut up, mut down) = (pin!(up), pin!(down));
    let (mut up_bytes, mut down_bytes) = (None, None);
    poll_fn(|context| {
        if up_bytes.is_none()
            && let Poll::Ready(flow) = up.as_mut().poll(context)
        {
            up_bytes = Some(flow.bytes);
            if flow.is_broken {
                cut();
            }
        }
        if down_bytes.is_none()
            && let Poll::Ready(flow) = down.as_mut().poll(context)
        {
            down_bytes = Some(flow.bytes);
            if flow.is_broken {
                cut();
            }
        }
        match (up_bytes, down_bytes) {
            (Some(up), Some(down)) => Poll::Ready((up, down)),
            // The other was cut just now, perhaps after its turn to be looked at.
            (None, Some(_)) => up.as_mut().poll(context).map(|flow| (flow.bytes, down_bytes.unwrap_or(0))),
            _ => Poll::Pending,
        }
    })
    .await
}

async fn pump(mut from: From<'_>, mut to: To<'_>, deadline: Option<&Deadline>, idle: Duration) -> Flow {
    let mut bytes = 0;
    loop {
        if let Some(deadline) = deadline {
            deadline.arm(Phase::Both, Some(idle));
        }
        let data = match from.next(idle).await {
            Ok(Some(data)) => data,
            Ok(None) => {
                to.take_leave(deadline, idle).await;
                break;
            }
            Err(()) => return Flow { bytes, is_broken: true },
        };
        let len = data.len();
        if to.send(data, idle).await.is_err() {
            return Flow { bytes, is_broken: true };
        }
        bytes += len as u64;
        from.release(len);
    }
    let is_broken = to.end(idle).await.is_err();
    Flow { bytes, is_broken }
}

impl From<'_> {
    /// What comes next; nothing at the end.
    async fn next(&mut self, idle: Duration) -> Result<Option<Buffer>, ()> {
        match self {
            From::Connection(read, first) => {
                let mut buffer = first.sibling(Class::Medium);
                std::mem::swap(first, &mut buffer);
                if !buffer.is_empty() {
                    *first = first.nothing();
                    return Ok(Some(buffer));
                }
                let empty = std::mem::replace(first, buffer.nothing());
                let (result, filled) = read.read(empty).await;
                match result {
                    Ok(0) => Ok(None),
                    Ok(_) => Ok(Some(filled)),
                    Err(_) => Err(()),
                }
            }
            From::Stream(stream) => match stream.receive(idle).await {
                Ok(Received::Data(data)) => Ok(Some(data)),
                Ok(Received::End | Received::Trailers(_)) => Ok(None),
                Err(_) => Err(()),
            },
        }
    }

    fn release(&self, bytes: usize) {
        if let From::Stream(stream) = self {
            stream.release(bytes);
        }
    }
}

impl To<'_> {
    async fn send(&mut self, data: Buffer, idle: Duration) -> Result<(), ()> {
        match self {
            To::Connection(write) => write.send(data).await.0.map_err(drop),
            To::Stream(stream, _) => stream.send(data.bytes(), Then::More, idle).await.map_err(drop),
        }
    }

    /// Says why the end comes, if it comes because the gateway drains: as in a relay of two connections.
    async fn take_leave(&mut self, deadline: Option<&Deadline>, idle: Duration) {
        if let (To::Stream(stream, farewell), Some(deadline)) = (self, deadline)
            && deadline.is_quietly_asked()
        {
            // Whoever does not take it learns from the end of the stream.
            let _ = stream.send(farewell, Then::More, idle).await;
        }
    }

    async fn end(&mut self, idle: Duration) -> Result<(), ()> {
        match self {
            To::Connection(write) => {
                write.shutdown().await;
                Ok(())
            }
            To::Stream(stream, _) => stream.send(b"", Then::End, idle).await.map_err(drop),
        }
    }
}
