//! One stream, as its exchange holds it.

use super::Session;
use crate::{
    driver::Deadline,
    http::{BodyLength, Fields, ResponseHead},
    http2::{Connection, ErrorCode, Key, Received, StreamEnd, Then},
};
use std::{
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

/// One stream. Its two directions may be used at the same time; dropping it resets what has not ended.
///
/// Nothing here owns an operation of the ring, so every future may be dropped at any time without loss.
pub struct Stream {
    session: Rc<Session>,
    key: Key,
}

/// How long nothing may move on a stream, in either direction.
struct Patience {
    limit: Duration,
    timer: Option<(Deadline, u32)>,
}

impl Patience {
    fn new(limit: Duration) -> Patience {
        Patience { limit, timer: None }
    }

    /// Whether it has ended. The timer begins with the first wait, and again if something has moved meanwhile.
    fn is_over(&mut self, stream: &Stream, context: &Context<'_>) -> bool {
        loop {
            let moves = || stream.session.with(|connection| connection.moves(stream.key));
            let begin = || (stream.session.deadlines.timer(self.limit), moves());
            let (timer, before) = self.timer.get_or_insert_with(begin);
            if !timer.watch(context.waker()) {
                return false;
            }
            if moves() == *before {
                return true;
            }
            self.timer = None;
        }
    }
}

impl Stream {
    pub(super) fn new(session: &Rc<Session>, key: Key) -> Stream {
        Stream { session: Rc::clone(session), key }
    }

    /// Its connection.
    pub fn session(&self) -> &Rc<Session> {
        &self.session
    }

    /// Polls an operation; resets the stream when it takes too long.
    fn poll<R>(
        &self,
        context: &Context<'_>,
        patience: &mut Patience,
        operation: impl FnOnce(&mut Connection) -> Poll<Result<R, StreamEnd>>,
    ) -> Poll<Result<R, StreamEnd>> {
        let polled = self.session.with(operation);
        if polled.is_pending() && patience.is_over(self, context) {
            self.session.with(|connection| connection.time_out(self.key));
            self.session.flush();
            return Poll::Ready(Err(StreamEnd::TimedOut));
        }
        polled
    }

    /// Waits for what comes next on it, for so long.
    ///
    /// # Errors
    /// It ended early.
    pub async fn receive(&self, limit: Duration) -> Result<Received, StreamEnd> {
        let mut patience = Patience::new(limit);
        poll_fn(|context| {
            let waker = context.waker();
            self.poll(context, &mut patience, |connection| connection.receive_body(self.key, waker))
        })
        .await
    }

    /// Bytes that came on it have gone where they were to go.
    pub fn release(&self, bytes: usize) {
        self.session.with(|connection| connection.release(self.key, bytes));
        self.session.flush();
    }

    /// Waits for the next response head, interim or final, for so long.
    ///
    /// # Errors
    /// It ended early.
    pub async fn response(&self, head: &mut ResponseHead, limit: Duration) -> Result<(), StreamEnd> {
        let mut patience = Patience::new(limit);
        poll_fn(|context| {
            let waker = context.waker();
            let receive = |connection: &mut Connection| connection.receive_response(self.key, head, waker);
            self.poll(context, &mut patience, receive)
        })
        .await
    }

    /// Sends an interim or final response head.
    pub fn respond(&self, head: &ResponseHead, length: BodyLength, then: Then) {
        self.session.with(|connection| connection.send_response(self.key, head, length, then));
        self.session.flush();
    }

    /// Sends data, as fast as the peer takes them; it may take nothing for so long.
    ///
    /// # Errors
    /// It ended early, or the peer wants no more.
    pub async fn send(&self, data: &[u8], then: Then, limit: Duration) -> Result<(), StreamEnd> {
        let mut rest = data;
        loop {
            let mut patience = Patience::new(limit);
            let sent = poll_fn(|context| {
                let waker = context.waker();
                let send = |connection: &mut Connection| connection.send_data(self.key, rest, then, waker);
                self.poll(context, &mut patience, send)
            })
            .await?;
            self.session.flush();
            rest = rest.get(sent..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Waits until at least a byte could be sent, for so long: there is no use in having more at hand before.
    ///
    /// # Errors
    /// It ended early, or the peer wants no more.
    pub async fn window(&self, limit: Duration) -> Result<(), StreamEnd> {
        let mut patience = Patience::new(limit);
        poll_fn(|context| {
            let waker = context.waker();
            self.poll(context, &mut patience, |connection| connection.poll_window(self.key, waker))
        })
        .await
    }

    /// Sends trailers, and with them the end.
    pub fn send_trailers(&self, trailers: &Fields) {
        self.session.with(|connection| connection.send_trailers(self.key, trailers));
        self.session.flush();
    }

    /// Ends it early.
    pub fn reset(&self, code: ErrorCode) {
        self.session.with(|connection| connection.reset(self.key, code));
        self.session.flush();
    }

    /// Whether it has ended early, or the peer wants no more; if not, the task is woken when it has.
    pub fn poll_end(&self, context: &Context<'_>) -> Poll<StreamEnd> {
        let has_ended = self.session.with(|connection| connection.watch(self.key, context.waker()));
        match has_ended {
            true => Poll::Ready(self.end().unwrap_or(StreamEnd::Closed)),
            false => Poll::Pending,
        }
    }

    /// How it has ended early, if it has.
    pub fn end(&self) -> Option<StreamEnd> {
        self.session.with(|connection| connection.end_of(self.key))
    }

    /// Whether something has come that was not taken, or nothing will.
    pub fn has_come(&self) -> bool {
        self.session.with(|connection| connection.has_come(self.key))
    }

    /// Whether the peer has said all that it had to say, and all was taken.
    pub fn is_received(&self) -> bool {
        self.session.with(|connection| connection.is_received(self.key))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let left = self.session.with(|connection| {
            connection.abandon(self.key);
            connection.streams()
        });
        if left == 0 {
            self.session.arm_waiting();
        }
        self.session.flush();
    }
}
