//! What the streams of a connection share: its state machine, and who waits for what.

use super::{Stream, Terms};
use crate::{
    buffer::Pool,
    driver::{Deadline, Deadlines, Phase},
    http::{RequestHead, Underscores},
    http2::{Arrival, Config, Connection, ConnectionError, ErrorCode, Key},
};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// One connection, shared by its two tasks and its streams. All are on one shard.
pub struct Session {
    connection: RefCell<Connection>,
    /// The socket's deadline, as long as the socket is open.
    deadline: RefCell<Option<Deadline>>,
    pub(super) deadlines: Rc<Deadlines>,
    terms: Terms,
    began: Instant,
    /// Since when a header block, or the preface, is not whole.
    head_began: Cell<Option<Instant>>,
    /// The deadline is that of a connection without streams: whatever comes, it stays until there is a stream.
    is_idle: Cell<bool>,
    /// Who waits for the peer's settings.
    strangers: RefCell<Vec<Waker>>,
    sender: RefCell<Option<Waker>>,
    reader: RefCell<Option<Waker>>,
    /// Who reads, to be woken when it is told to leave: what follows has its time.
    leaver: RefCell<Option<Waker>>,
    /// The sender has sent all that there was to be sent, or can't.
    pub(super) has_sent: Cell<bool>,
    /// A send is under way that the socket did not take at once.
    pub(super) is_sending: Cell<bool>,
    sends: Cell<u64>,
}

impl Session {
    /// A connection that begins now, over a socket with this deadline.
    pub fn new(
        config: Config,
        underscores: Underscores,
        pool: &Pool,
        deadlines: &Rc<Deadlines>,
        deadline: Deadline,
        terms: Terms,
    ) -> Rc<Session> {
        let connection = Connection::new(config, underscores, pool.clone(), 0);
        Rc::new(Session {
            connection: RefCell::new(connection),
            deadline: RefCell::new(Some(deadline)),
            deadlines: Rc::clone(deadlines),
            terms,
            began: Instant::now(),
            head_began: Cell::new(None),
            is_idle: Cell::new(false),
            strangers: RefCell::default(),
            sender: RefCell::default(),
            reader: RefCell::default(),
            leaver: RefCell::default(),
            has_sent: Cell::new(false),
            is_sending: Cell::new(false),
            sends: Cell::new(0),
        })
    }

    /// Looks at the state machine, or changes it. Whoever made something to be sent [flushes](Self::flush) then.
    pub fn with<R>(&self, look: impl FnOnce(&mut Connection) -> R) -> R {
        look(&mut self.connection.borrow_mut())
    }

    /// Has what was made sent, at the end of this turn: the sender is put behind all tasks that are ready to run now, so
    /// that what they make leaves with it.
    pub fn flush(&self) {
        let is_due = self.with(|connection| connection.has_out() || connection.is_over());
        if is_due && let Some(sender) = self.sender.borrow_mut().take() {
            sender.wake();
        }
    }

    /// The next request of a client, with the stream that answers it.
    pub fn next_arrival(self: &Rc<Self>) -> Option<(Arrival, Option<Stream>)> {
        let arrival = self.with(Connection::next_arrival)?;
        let stream = arrival.stream.map(|key| Stream::new(self, key));
        Some((arrival, stream))
    }

    /// Begins a stream with a request, if there may be another one.
    pub fn open(self: &Rc<Self>, head: &RequestHead, streams_max: u32) -> Option<Stream> {
        let now_ms = self.now_ms();
        let open = |connection: &mut Connection| -> Option<Key> {
            connection.can_open(streams_max).then(|| connection.send_request(head, now_ms))
        };
        let key = self.with(open)?;
        // It may have been idle until now.
        self.arm_waiting();
        self.flush();
        Some(Stream::new(self, key))
    }

    /// Begins to leave (RFC 9113 section 6.8): the peer is warned, and what it has begun is served.
    pub fn leave(&self) {
        let now_ms = self.now_ms();
        self.with(|connection| connection.leave(now_ms));
        self.flush();
        if let Some(leaver) = &*self.leaver.borrow() {
            leaver.wake_by_ref();
        }
    }

    /// Whoever reads is woken by [`leave`](Self::leave) from now on.
    pub(super) fn watch_leaving(&self, waker: &Waker) {
        let mut leaver = self.leaver.borrow_mut();
        if !leaver.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *leaver = Some(waker.clone());
        }
    }

    /// Takes no further streams; ends when those that are there have.
    pub fn leave_now(&self) {
        self.with(Connection::leave_now);
        self.flush();
    }

    /// Ends now, with GOAWAY.
    pub fn abort(&self, code: ErrorCode, reason: &'static str) {
        self.with(|connection| connection.abort(code, reason));
        self.flush();
    }

    /// How often something was sent.
    pub fn sends(&self) -> u64 {
        self.sends.get()
    }

    /// How old it is.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Milliseconds since it began.
    pub(super) fn now_ms(&self) -> u64 {
        self.age().as_millis() as u64
    }

    /// As [`Connection::receive`].
    pub(super) fn receive(&self, bytes: &[u8]) -> Result<usize, ConnectionError> {
        let now_ms = self.now_ms();
        let received = self.with(|connection| connection.receive(bytes, now_ms));
        if self.with(|connection| connection.is_introduced()) {
            self.strangers.take().into_iter().for_each(Waker::wake);
        }
        received
    }

    /// Waits until the peer's settings have come, for so long. False if they don't.
    pub async fn introduced(&self, limit: Duration) -> bool {
        let timer = self.deadlines.timer(limit);
        poll_fn(|context| {
            let state = self.with(|connection| (connection.is_introduced(), connection.is_dead()));
            match state {
                (_, true) => Poll::Ready(false),
                (true, false) => Poll::Ready(true),
                _ if timer.watch(context.waker()) => Poll::Ready(false),
                _ => {
                    self.strangers.borrow_mut().push(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Something to be sent, in the place of `memory`, or nothing when there will be nothing any more.
    pub(super) fn poll_out(&self, memory: &mut Vec<u8>, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut connection = self.connection.borrow_mut();
        if connection.has_out() {
            self.sends.set(self.sends.get() + 1);
            return Poll::Ready(Some(connection.take_out(std::mem::take(memory))));
        }
        if connection.is_over() {
            return Poll::Ready(None);
        }
        *self.sender.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }

    /// The socket takes or gives nothing any more.
    pub(super) fn ended(&self) {
        self.with(Connection::ended);
        self.strangers.take().into_iter().for_each(Waker::wake);
        if let Some(sender) = self.sender.borrow_mut().take() {
            sender.wake();
        }
        self.wake_reader();
    }

    pub(super) fn wake_reader(&self) {
        if let Some(reader) = self.reader.borrow_mut().take() {
            reader.wake();
        }
    }

    /// Ready when `is_ready` says so; looked at again when something was sent.
    pub(super) fn poll_reader(&self, context: &mut Context<'_>, is_ready: impl FnOnce() -> bool) -> Poll<()> {
        if is_ready() {
            return Poll::Ready(());
        }
        *self.reader.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }

    /// What it is granted.
    pub(super) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Whether a header block, or the preface, has begun and is not whole.
    pub(super) fn is_within_head(&self) -> bool {
        self.head_began.get().is_some()
    }

    /// Sets the socket's deadline by what is waited for.
    pub(super) fn arm_waiting(&self) {
        let look = |connection: &mut Connection| (connection.is_within_head(), connection.streams());
        let (is_within_head, streams) = self.with(look);
        if is_within_head {
            let began = self.head_began.get().unwrap_or_else(Instant::now);
            self.head_began.set(Some(began));
            self.is_idle.set(false);
            return self.arm(Phase::Reading, self.terms.head.saturating_sub(began.elapsed()));
        }
        self.head_began.set(None);
        match streams {
            // What is under way to a peer that takes nothing has less time; the sender has set it.
            _ if self.is_sending.get() => self.is_idle.set(false),
            0 if self.is_idle.replace(true) => {}
            0 => self.arm(Phase::Idle, self.terms.idle),
            _ => {
                self.is_idle.set(false);
                self.arm(Phase::Both, self.terms.stream_idle);
            }
        }
    }

    /// Whether it has had no stream for a while; if it has none, but not for long, `waker` is called then.
    pub(super) fn is_quiet(&self, waker: &Waker) -> bool {
        self.is_idle.get() && self.deadline.borrow().as_ref().is_some_and(|deadline| deadline.is_quiet(waker))
    }

    /// Sets the socket's deadline.
    pub(super) fn arm(&self, phase: Phase, after: Duration) {
        if let Some(deadline) = &*self.deadline.borrow() {
            deadline.arm(phase, Some(after));
        }
    }

    /// Whether the socket's deadline has passed.
    pub(super) fn has_fired(&self) -> bool {
        self.deadline.borrow().as_ref().is_some_and(Deadline::fired)
    }

    /// Takes the deadline away, before the socket is closed.
    pub(super) fn drop_deadline(&self) {
        self.deadline.borrow_mut().take();
    }

    /// Ends both directions of the socket now.
    pub fn cut(&self) {
        if let Some(deadline) = &*self.deadline.borrow() {
            deadline.end_now();
        }
    }
}
