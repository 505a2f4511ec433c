//! Both directions of a WebSocket, after the origin has agreed to it.

use super::{
    Environment,
    downstream::{Downstream, Inbound},
    record::Summary,
    websocket::{GOING_AWAY, GOING_AWAY_MASKED},
};
use crate::{
    buffer::Buffer,
    relay::{self, Blind, End, Terms},
    telemetry::Counter,
    upstream::Connection,
};

/// The client's side of a tunnel.
pub(super) struct Ends<'a> {
    pub(super) downstream: &'a mut Downstream,
    pub(super) inbound: &'a mut Inbound,
}

/// Moves bytes both ways until both directions have ended, or nothing moves for too long. Each direction ends on its own:
/// what one side has still to say is delivered after the other has stopped. `early` is what the origin has said already.
pub(super) async fn run(
    ends: Ends<'_>,
    connection: &mut Connection,
    early: Buffer,
    summary: &mut Summary,
    env: &Environment,
) {
    let Ends { downstream, inbound } = ends;
    let Connection { reader, write, deadline, .. } = connection;
    summary.details = "via_upstream";
    let Some(mut read) = reader.take_half() else { return };
    let from_client = std::mem::replace(&mut inbound.buffer, env.buffers.empty());
    let (mut up, mut down) = (from_client.len() as u64, early.len() as u64);
    let is_open = write.send(from_client).await.0.is_ok() && downstream.write.send(early).await.0.is_ok();
    if is_open {
        // The exchange counts its bytes when it ends.
        let uncounted = Counter::default();
        let terms = Terms {
            idle_timeout: Some(env.limits.stream_idle_timeout),
            lifetime: None,
            farewells: Some([GOING_AWAY, GOING_AWAY_MASKED]),
            buffers: &env.buffers,
            pipes: &env.pipes,
            up_bytes: [&uncounted; 2],
            down_bytes: [&uncounted; 2],
        };
        let client =
            End { read: &mut inbound.read, write: &mut downstream.write, deadline: &downstream.deadline };
        let upstream = End { read: &mut read, write, deadline };
        let relayed = relay::both(client, upstream, (Blind, Blind), &terms).await;
        (up, down) = (up + relayed.up, down + relayed.down);
    }
    (summary.bytes_received, summary.bytes_sent) = (up, down);
}
