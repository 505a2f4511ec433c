//! Both directions, the idle time, and how it ended.

use super::{
    Pipes, Tap,
    direction::{Broken, Direction, Meter},
};
use crate::{
    buffer::Pool,
    driver::{Deadline, Phase},
    telemetry::Counter,
    tls::{ReadHalf, WriteHalf},
};
use std::{cell::Cell, future::poll_fn, pin::pin, task::Poll, time::Duration};

/// One end of a relay: a connection.
pub struct End<'a> {
    /// The half that reads.
    pub read: &'a mut ReadHalf,
    /// The half that sends.
    pub write: &'a mut WriteHalf,
    /// Its deadline.
    pub deadline: &'a Deadline,
}

/// What a relay goes by, and what it works with.
pub struct Terms<'a> {
    /// It ends when nothing has moved in either direction for so long; never, if nothing is given.
    pub idle_timeout: Option<Duration>,
    /// It ends when this [timer](crate::driver::Deadlines::timer) fires, whatever moves; never, if nothing is given.
    pub lifetime: Option<&'a Deadline>,
    /// What a side is told before its connection ends because the gateway drains, and nothing is on its way to it: the client,
    /// and the upstream. Nothing where the protocol is not known.
    pub farewells: Option<[&'static [u8]; 2]>,
    /// Buffers.
    pub buffers: &'a Pool,
    /// Pipes.
    pub pipes: &'a Pipes,
    /// Bytes that went up: over all connections, and of those to one cluster.
    pub up_bytes: [&'a Counter; 2],
    /// The same of those that went down.
    pub down_bytes: [&'a Counter; 2],
}

/// What a relay came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// Bytes from the client that the upstream's socket has taken.
    pub up: u64,
    /// Bytes from the upstream that the client's socket has taken.
    pub down: u64,
    /// How it ended.
    pub ended: Ended,
}

/// How a relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Both sides have said all they had to say.
    InOrder,
    /// Nothing moved for too long, or its time was up.
    Idle,
    /// It was as old as it may become.
    TooOld,
    /// The client's connection broke.
    DownstreamBroke,
    /// The upstream's connection broke.
    UpstreamBroke,
}

/// Moves bytes both ways until both directions have ended. Each ends on its own: what one side has still to say is
/// delivered after the other has stopped. If one connection breaks both end.
pub async fn both<U: Tap, D: Tap>(
    downstream: End<'_>,
    upstream: End<'_>,
    taps: (U, D),
    terms: &Terms<'_>,
) -> Relayed {
    let (up, down) = (Cell::new(0), Cell::new(0));
    let ends = [downstream.deadline, upstream.deadline];
    let activity = Activity { ends, idle_timeout: terms.idle_timeout };
    activity.happened();
    let _tie = downstream.deadline.tie(upstream.deadline);
    let [to_client, to_upstream] = terms.farewells.unwrap_or_default();
    let Terms { buffers, pipes, .. } = *terms;
    let mut upward = pin!(
        Direction {
            read: downstream.read,
            write: upstream.write,
            tap: taps.0,
            farewell: to_upstream,
            buffers,
            pipes,
            meter: Meter { activity: &activity, total: &up, counters: terms.up_bytes },
        }
        .run()
    );
    let mut downward = pin!(
        Direction {
            read: upstream.read,
            write: downstream.write,
            tap: taps.1,
            farewell: to_client,
            buffers,
            pipes,
            meter: Meter { activity: &activity, total: &down, counters: terms.down_bytes },
        }
        .run()
    );
    let (mut up_ended, mut down_ended, mut broke) = (false, false, None);
    let mut lifetime = terms.lifetime;
    poll_fn(|context| {
        if lifetime.is_some_and(|lifetime| lifetime.watch(context.waker())) {
            lifetime = None;
            broke.get_or_insert(Ended::TooOld);
            ends.iter().for_each(|deadline| deadline.end_now());
        }
        if !up_ended && let Poll::Ready(result) = upward.as_mut().poll(context) {
            up_ended = true;
            activity.note(result, Ended::DownstreamBroke, Ended::UpstreamBroke, &mut broke);
        }
        if !down_ended && let Poll::Ready(result) = downward.as_mut().poll(context) {
            down_ended = true;
            activity.note(result, Ended::UpstreamBroke, Ended::DownstreamBroke, &mut broke);
        }
        if up_ended && down_ended { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let ended = if ends.iter().any(|deadline| deadline.fired()) { Some(Ended::Idle) } else { broke };
    Relayed { up: up.get(), down: down.get(), ended: ended.unwrap_or(Ended::InOrder) }
}

/// What keeps a relay from being idle.
pub(super) struct Activity<'a> {
    ends: [&'a Deadline; 2],
    idle_timeout: Option<Duration>,
}

impl Activity<'_> {
    /// The tunnel was asked to end, and both sides had said nothing for a while.
    pub(super) fn is_quietly_asked(&self) -> bool {
        self.ends.iter().all(|deadline| deadline.is_quietly_asked())
    }

    /// Something moved.
    pub(super) fn happened(&self) {
        self.ends.iter().for_each(|deadline| deadline.arm(Phase::Both, self.idle_timeout));
    }

    /// A direction has ended. If it broke, the other ends too: nobody is left to talk to.
    fn note(&self, result: Result<(), Broken>, reading: Ended, sending: Ended, broke: &mut Option<Ended>) {
        if let Err(broken) = result {
            let side = if broken == Broken::Reading { reading } else { sending };
            broke.get_or_insert(side);
            self.ends.iter().for_each(|deadline| deadline.end_now());
        }
    }
}
