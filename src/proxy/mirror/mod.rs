//! Copies of requests: gathered as the request passes, sent beside it, and forgotten (`mirror` and `mirrors`,
//! specification section 3.4).
//!
//! - `send`: one copy on its way to one destination
//!
//! The client's own request never waits for a copy. A request without a body is copied at once; one with a body when the
//! last byte of it has passed, so that a destination of copies never gets half of one. A copy is a task of the shard with
//! a connection of its destination's pool; what it gets for an answer is dropped, and that it failed is only counted.

mod send;

use super::{ConnectionInfo, Environment, Routing, client::Incoming, exchange::Exchange};
use crate::{
    http::{BodyLength, Name, RequestHead, Upgrade},
    http1::body::{BodyDecoder, Next},
    table::{ClusterId, Forward, Mirror},
    telemetry::bump,
    upstream::Random,
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

/// Copies that one shard has under way at a time, from the request's head to the end of the answer. A destination of copies
/// that hangs holds them for as long as they may take; more than this would only be more connections to it.
const IN_FLIGHT_MAX: usize = 1024;

/// The bytes of bodies that one shard keeps for copies: some hundreds of usual bodies, or sixteen of the largest.
const BYTES_MAX: usize = 16 << 20;

/// The largest body that is copied; a request with a larger one is not. As much as Envoy keeps of a body for its copies
/// (`per_connection_buffer_limit_bytes`, 1 MiB).
const BODY_BYTES_MAX: usize = 1 << 20;

/// How long a copy may take where the rule has no `timeout`: whoever answers later is not worth a connection.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What the copies of a shard take at this moment.
#[derive(Default)]
pub(super) struct Mirrors {
    in_flight: Cell<usize>,
    bytes: Cell<usize>,
}

/// The copies of one request, until all of it has passed.
pub(super) struct Copies {
    env: Rc<Environment>,
    gathered: RefCell<Option<Gathered>>,
}

/// What has passed of it.
struct Gathered {
    copy: Copy,
    to: Vec<ClusterId>,
}

/// A request as it is sent again, with all that sending takes.
struct Copy {
    head: RequestHead,
    body: Vec<u8>,
    timeout: Duration,
    info: Rc<ConnectionInfo>,
    routing: Rc<Routing>,
    env: Rc<Environment>,
}

impl Drop for Copy {
    fn drop(&mut self) {
        let bytes = &self.env.mirrors.bytes;
        bytes.set(bytes.get().saturating_sub(self.body.len()));
    }
}

/// One copy that is under way; counts as one as long as it lives.
struct Ticket(Rc<Environment>);

impl Ticket {
    fn new(env: &Rc<Environment>) -> Ticket {
        let in_flight = &env.mirrors.in_flight;
        in_flight.set(in_flight.get() + 1);
        bump(&env.counters.mirrors_active, 1);
        Ticket(Rc::clone(env))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let in_flight = &self.0.mirrors.in_flight;
        in_flight.set(in_flight.get().saturating_sub(1));
        bump(&self.0.counters.mirrors_active, 1u64.wrapping_neg());
    }
}

impl Exchange<'_> {
    /// Begins the copies of the request, which is as its destination is to get it. Nothing where the dice say so, or a limit
    /// is reached. What has come of the body already goes into them.
    pub(super) fn begin_copies(&mut self, routing: &Rc<Routing>, forward: &Forward) {
        let request = &self.answer.scratch.request;
        // A tunnel is no request that could be sent twice.
        if request.upgrade != Upgrade::None {
            return;
        }
        let to = chosen(&forward.mirrors, &self.env.random);
        if to.is_empty() {
            return;
        }
        let is_too_large =
            matches!(request.body, BodyLength::Sized(length) if length > BODY_BYTES_MAX as u64);
        if is_too_large || self.env.mirrors.in_flight.get() + to.len() > IN_FLIGHT_MAX {
            bump(&self.env.counters.mirrors_overflow, to.len() as u64);
            return;
        }
        let settings = &routing.snapshot.settings;
        let copy = Copy {
            head: copied(request, settings.attempt_count),
            body: Vec::new(),
            timeout: forward.timeout.unwrap_or(TIMEOUT),
            info: Rc::clone(&self.answer.info),
            routing: Rc::clone(routing),
            env: Rc::clone(&self.env),
        };
        let length = copy.head.body;
        let gathered = RefCell::new(Some(Gathered { copy, to }));
        let copies = Rc::new(Copies { env: Rc::clone(&self.env), gathered });
        match &mut self.incoming {
            _ if length == BodyLength::None => copies.end(),
            Incoming::Http1(inbound) => copies.look_at(length, inbound.buffer.bytes()),
            Incoming::Http2(body) => body.copy_to(&copies),
        }
        self.copies = (!copies.is_over()).then_some(copies);
    }
}

/// The destinations that get a copy of this request: each has dice of its own.
fn chosen(mirrors: &[Mirror], random: &Random) -> Vec<ClusterId> {
    // 53 bits, as many as a float has: from 0 to just below 100.
    let dice = || (random.next() >> 11) as f64 / (1_u64 << 53) as f64 * 100.0;
    mirrors.iter().filter(|mirror| dice() < mirror.percent).filter_map(|mirror| mirror.cluster).collect()
}

/// The head of a copy. It does not ask for leave to send its body, and it is a first attempt.
fn copied(request: &RequestHead, attempt_count: bool) -> RequestHead {
    let mut head = request.clone();
    head.fields.remove(Name::Expect);
    head.expects_continue = false;
    if attempt_count {
        head.fields.remove_text(b"x-envoy-attempt-count");
        head.fields.push_known(Name::XEnvoy, "x-envoy-attempt-count", b"1");
    }
    head
}

impl Copies {
    /// Whether nothing more of the request is wanted.
    pub(super) fn is_over(&self) -> bool {
        self.gathered.borrow().is_none()
    }

    /// Takes data of the body that passes, which begin at this byte of it. A request that is tried again passes again: what
    /// is known already is not taken twice.
    pub(super) fn take(&self, at: u64, data: &[u8]) {
        let mut gathered = self.gathered.borrow_mut();
        let Some(Gathered { copy, to }) = &mut *gathered else { return };
        let known = (copy.body.len() as u64).saturating_sub(at);
        let fresh = usize::try_from(known).ok().and_then(|known| data.get(known..)).unwrap_or_default();
        if fresh.is_empty() {
            return;
        }
        let bytes = &self.env.mirrors.bytes;
        let is_too_much = copy.body.len() + fresh.len() > BODY_BYTES_MAX
            || bytes.get() + fresh.len() > BYTES_MAX
            || at > copy.body.len() as u64;
        if is_too_much {
            bump(&self.env.counters.mirrors_overflow, to.len() as u64);
            *gathered = None;
            return;
        }
        copy.body.extend_from_slice(fresh);
        bytes.set(bytes.get() + fresh.len());
    }

    /// All of the body has passed: the copies go out.
    pub(super) fn end(&self) {
        let Some(Gathered { mut copy, to }) = self.gathered.take() else { return };
        if copy.head.body != BodyLength::None {
            copy.head.body = match copy.body.len() as u64 {
                0 => BodyLength::None,
                length => BodyLength::Sized(length),
            };
        }
        let copy = Rc::new(copy);
        for cluster in to {
            send::begin(Rc::clone(&copy), cluster, Ticket::new(&self.env));
        }
    }

    /// Takes what there is of the body in the client's buffer, where it stays.
    fn look_at(&self, length: BodyLength, bytes: &[u8]) {
        let mut decoder = BodyDecoder::new(length);
        let (mut at, mut taken) = (0, 0);
        while !decoder.is_over() {
            let rest = bytes.get(at..).unwrap_or_default();
            // What is broken is found, and answered, by who sends the request.
            let Ok(piece) = decoder.next(rest) else { return };
            let data = rest.get(piece.data).unwrap_or_default();
            self.take(taken, data);
            taken += data.len() as u64;
            at += piece.consumed;
            match piece.next {
                Next::Look => {}
                Next::Read => return,
                Next::End => break,
            }
        }
        self.end();
    }
}
