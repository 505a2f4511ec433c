//! The two tasks of a connection: one reads, one sends.

use super::Session;
use crate::{
    buffer::{Buffer, Class},
    driver::{self, Deadline, Phase},
    http2::{Connection, ConnectionError, ErrorCode, WARNED_TIME},
    tls::{ReadHalf, WriteHalf},
};
use std::{future::poll_fn, io, pin::pin, rc::Rc, task::Context, time::Duration};

/// Bytes that are read and thrown away after the last word of a connection, before it is closed regardless: closing with
/// unread bytes would reset the connection and could destroy the word on its way.
const LINGER_BYTES: usize = 1 << 20;

/// Room for what is read next that is worth a system call.
const ROOM_MIN: usize = 256;

/// A socket's two directions.
pub struct Halves {
    /// The half that reads.
    pub read: ReadHalf,
    /// The half that sends.
    pub write: WriteHalf,
}

/// What a connection is granted.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Without a stream it ends after so long.
    pub idle: Duration,
    /// With streams, nothing may come and nothing be taken for so long.
    pub stream_idle: Duration,
    /// A header block, and the preface, must be whole so long after they began.
    pub head: Duration,
    /// The peer must take something of what is sent within this time.
    pub send: Duration,
    /// After the last word, so long for the peer to read it.
    pub linger: Duration,
    /// When it is so old it begins to leave.
    pub age: Option<Duration>,
}

/// Runs a connection to its end. `came` is what has been read of it already. `each_turn` is called whenever something has
/// come, before what it leads to is sent; it is told what the peer did if that is why the connection ends.
pub async fn run(
    session: &Rc<Session>,
    halves: Halves,
    came: Buffer,
    mut each_turn: impl FnMut(Option<ConnectionError>),
) {
    let Halves { mut read, write } = halves;
    driver::spawn(send(Rc::clone(session), write));
    let mut ends = Ends { age: session.terms().age.map(|age| session.deadlines.timer(age)), warned: None };
    let mut last_read = 0;
    let mut buffer = came;
    loop {
        if !buffer.is_empty() {
            let mut failure = None;
            match session.receive(buffer.bytes()) {
                Ok(taken) => buffer.consume(taken),
                Err(error) => failure = Some(error),
            }
            each_turn(failure);
            session.flush();
        }
        poll_fn(|context| {
            let is_free = || session.with(|connection| connection.is_over() || !connection.is_clogged());
            session.poll_reader(context, is_free)
        })
        .await;
        if session.with(|connection| connection.is_over()) {
            break;
        }
        session.arm_waiting();
        let (result, filled) = read_more(&mut read, make_room(buffer, last_read), &mut ends, session).await;
        buffer = filled;
        match result {
            Ok(count @ 1..) => last_read = count,
            _ => {
                end_of_socket(session);
                break;
            }
        }
    }
    each_turn(None);
    finish(session, &mut read, buffer).await;
}

/// The socket gives nothing any more: the peer has ended, or it took too long.
fn end_of_socket(session: &Session) {
    let has_streams = session.with(|connection| connection.streams() > 0);
    if session.has_fired() && session.is_within_head() {
        session.abort(ErrorCode::NoError, "header_timeout");
    } else if session.has_fired() && !has_streams {
        session.leave_now();
    } else {
        session.ended();
    }
}

async fn read_more(
    read: &mut ReadHalf,
    buffer: Buffer,
    ends: &mut Ends,
    session: &Session,
) -> (io::Result<usize>, Buffer) {
    let mut reading = pin!(read.read(buffer));
    poll_fn(|context| {
        ends.look(session, context);
        session.watch_leaving(context.waker());
        reading.as_mut().poll(context)
    })
    .await
}

/// When a connection has to leave.
struct Ends {
    /// It becomes too old.
    age: Option<Deadline>,
    /// The peer was warned, and has had the time to hear it, whether it says so or not.
    warned: Option<Deadline>,
}

impl Ends {
    fn look(&mut self, session: &Session, context: &Context<'_>) {
        if self.age.as_ref().is_some_and(|age| age.watch(context.waker())) {
            self.age = None;
            session.leave();
            if session.with(|connection| connection.streams() == 0) {
                session.leave_now();
            }
        }
        if self.warned.is_none() && session.with(|connection| connection.is_warned()) {
            self.warned = Some(session.deadlines.timer(WARNED_TIME));
        }
        if self.warned.as_ref().is_some_and(|warned| warned.watch(context.waker())) {
            session.leave_now();
        }
    }
}

/// Makes room behind what is not whole. An empty buffer becomes as large as what came last makes likely, so that a
/// connection on which little happens holds little.
fn make_room(mut buffer: Buffer, last_read: usize) -> Buffer {
    if buffer.is_empty() {
        let class = Class::for_bytes(last_read * 2);
        if buffer.class() != class || buffer.room() == 0 {
            return buffer.sibling(class);
        }
        buffer.reset(0);
        return buffer;
    }
    if buffer.room() < ROOM_MIN {
        buffer.compact();
        let class = buffer.class();
        if buffer.room() < class.bytes() / 2 {
            return buffer.grow(class.larger());
        }
    }
    buffer
}

/// The task that sends. It runs behind everything that is ready when it is woken, so what a turn makes leaves at once.
async fn send(session: Rc<Session>, mut write: WriteHalf) {
    let mut memory = Vec::new();
    loop {
        let next = poll_fn(|context| {
            let polled = session.poll_out(&mut memory, context);
            if polled.is_pending() && session.is_quiet(context.waker()) {
                // What serves speed is not worth keeping while nothing happens.
                memory = Vec::new();
                session.with(Connection::shrink);
            }
            polled
        })
        .await;
        let Some(out) = next else { break };
        let (is_sent, back) = send_one(&session, &mut write, out).await;
        memory = back;
        if !is_sent {
            session.ended();
            break;
        }
        session.wake_reader();
    }
    session.is_sending.set(true);
    session.arm(Phase::Both, session.terms().send);
    write.shutdown().await;
    // The reader may wait for a peer that has nothing more to say, and that does not end its direction either.
    session.arm(Phase::Both, session.terms().linger);
    session.has_sent.set(true);
    session.wake_reader();
}

/// Sends what was taken. Mostly the socket takes it at once, and no deadline is needed.
async fn send_one(session: &Session, write: &mut WriteHalf, out: Vec<u8>) -> (bool, Vec<u8>) {
    let mut sending = pin!(write.send_all(out));
    let (result, memory) = poll_fn(|context| {
        let polled = sending.as_mut().poll(context);
        if polled.is_pending() && !session.is_sending.replace(true) {
            session.arm(Phase::Both, session.terms().send);
        }
        polled
    })
    .await;
    session.is_sending.set(false);
    // What goes out shows that the connection lives, as what comes in does.
    session.arm_waiting();
    (result.is_ok(), memory)
}

/// Waits until the last word is out, and lets the peer read it.
async fn finish(session: &Session, read: &mut ReadHalf, mut buffer: Buffer) {
    session.flush();
    poll_fn(|context| session.poll_reader(context, || session.has_sent.get())).await;
    session.arm(Phase::Both, session.terms().linger);
    let mut left = LINGER_BYTES;
    loop {
        let unread = buffer.len();
        buffer.consume(unread);
        if buffer.room() == 0 {
            buffer = buffer.sibling(Class::Small);
        }
        let (result, filled) = read.read(buffer).await;
        buffer = filled;
        match result {
            Ok(count @ 1..) if count < left => left -= count,
            _ => break,
        }
    }
    session.drop_deadline();
}
