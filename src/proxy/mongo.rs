//! Counts what MongoDB's clients ask and how they are answered, as the bytes pass.

use super::Environment;
use crate::{
    mongo::{Answer, Framer, Message, NotMongo, Pending},
    relay::Tap,
    telemetry::{MongoPair, bump},
};
use std::{
    cell::{Cell, RefCell},
    time::Instant,
};

/// Both directions of one connection.
pub(super) struct Watch<'e> {
    env: &'e Environment,
    pending: RefCell<Pending<Sent>>,
    /// The bytes are not MongoDB's; they pass all the same.
    is_off: Cell<bool>,
}

/// A request that waits for its answer.
struct Sent {
    pair: MongoPair,
    at: Instant,
}

impl<'e> Watch<'e> {
    pub(super) fn new(env: &'e Environment) -> Watch<'e> {
        Watch { env, pending: RefCell::default(), is_off: Cell::new(false) }
    }

    /// What looks at the requests, and what looks at the answers.
    pub(super) fn taps(&self) -> (Eye<'_>, Eye<'_>) {
        let eye = |says| Eye { framer: Framer::default(), watch: self, says };
        (eye(Says::Requests), eye(Says::Answers))
    }

    fn request(&self, message: &Message<'_>, now: Instant) {
        let call = message.call();
        let pair = self.env.mongo.sent(call.command, call.database);
        if call.is_answered {
            self.pending.borrow_mut().sent(message.header.id, Sent { pair, at: now });
        }
    }

    fn answer(&self, message: &Message<'_>, now: Instant) {
        let Some(sent) = self.pending.borrow_mut().answered(message.header.response_to) else { return };
        let micros = now.saturating_duration_since(sent.at).as_micros() as u64;
        self.env.mongo.answered(sent.pair, message.answer() == Answer::Failed, micros);
    }
}

/// Looks at one direction.
pub(super) struct Eye<'w> {
    framer: Framer,
    watch: &'w Watch<'w>,
    says: Says,
}

/// What is said in a direction.
#[derive(Clone, Copy)]
enum Says {
    Requests,
    Answers,
}

impl Tap for Eye<'_> {
    fn see(&mut self, bytes: &[u8]) {
        let watch = self.watch;
        if watch.is_off.get() {
            return self.framer.turn_off();
        }
        let mut now = None;
        let seen = self.framer.see(bytes, |message| {
            let now = *now.get_or_insert_with(Instant::now);
            match self.says {
                Says::Requests => watch.request(message, now),
                Says::Answers => watch.answer(message, now),
            }
        });
        if seen == Err(NotMongo) {
            watch.is_off.set(true);
            bump(&watch.env.counters.mongo_not_understood, 1);
        }
    }

    fn blind(&self) -> u64 {
        if self.watch.is_off.get() { u64::MAX } else { self.framer.blind() }
    }

    fn skip(&mut self, count: u64) {
        if !self.watch.is_off.get() {
            self.framer.skip(count);
        }
    }
}
