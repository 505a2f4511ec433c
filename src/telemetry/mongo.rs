//! What MongoDB's clients ask, counted for each command and database.
//!
//! A table has a fixed number of slots. The shard gives a slot its names once and then counts in it; the admin thread
//! reads what is there. Nobody waits for anybody.

use super::{Counter, Counters, Histogram, bump};
use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, OnceLock},
};

/// Pairs of a command and a database that one shard tells apart. Real clients use some dozens; but names come from
/// clients, and who makes them up must not fill our memory or the metrics page. What is beyond counts as `other`.
const PAIRS_MAX: usize = 256;

/// The longest name: MongoDB allows 63 bytes for a database.
const NAME_BYTES_MAX: usize = 64;

/// One pair's numbers.
#[derive(Debug, Default)]
pub struct MongoSlot {
    names: OnceLock<(Box<str>, Box<str>)>,
    /// Commands sent.
    pub commands: Counter,
    /// Commands that were answered with an error.
    pub errors: Counter,
    /// How long answers took.
    pub durations: Histogram,
}

/// One shard's numbers of all pairs. Without MongoDB it takes no memory.
#[derive(Debug, Default)]
pub struct MongoTable {
    slots: OnceLock<Box<[MongoSlot]>>,
}

impl MongoTable {
    /// Calls `with` with the command, the database and the numbers of each pair.
    pub fn each(&self, mut with: impl FnMut(&str, &str, &MongoSlot)) {
        for slot in self.slots.get().into_iter().flatten() {
            if let Some((command, database)) = slot.names.get() {
                with(command, database, slot);
            }
        }
    }

    fn slots(&self) -> &[MongoSlot] {
        self.slots.get_or_init(|| (0..=PAIRS_MAX).map(|_| MongoSlot::default()).collect())
    }
}

/// A slot of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MongoPair(usize);

/// The slot of what has none of its own.
const OTHER: MongoPair = MongoPair(0);

/// The shard's side of its table: finds the slot of a pair.
pub struct MongoCounts {
    counters: Arc<Counters>,
    /// By both names with a zero between them.
    known: RefCell<HashMap<Box<[u8]>, MongoPair, foldhash::fast::FixedState>>,
}

impl MongoCounts {
    /// Counts in this shard's table, as the only one.
    pub fn new(counters: Arc<Counters>) -> MongoCounts {
        MongoCounts { counters, known: RefCell::default() }
    }

    /// Counts a command; the names are as the client wrote them.
    pub fn sent(&self, command: &[u8], database: &[u8]) -> MongoPair {
        let pair = self.find(command, database);
        if let Some(slot) = self.counters.mongo.slots().get(pair.0) {
            bump(&slot.commands, 1);
        }
        pair
    }

    /// Counts an answer to a command, which took so long.
    pub fn answered(&self, pair: MongoPair, failed: bool, micros: u64) {
        if let Some(slot) = self.counters.mongo.slots().get(pair.0) {
            slot.durations.record(micros);
            bump(&slot.errors, u64::from(failed));
        }
    }

    fn find(&self, command: &[u8], database: &[u8]) -> MongoPair {
        // On the stack: this is done for every command.
        let mut key = [0; 2 * NAME_BYTES_MAX + 1];
        let len = command.len() + 1 + database.len();
        let Some(place) = key.get_mut(..len) else { return self.other() };
        let (first, rest) = place.split_at_mut(command.len());
        first.copy_from_slice(command);
        if let Some(second) = rest.get_mut(1..) {
            second.copy_from_slice(database);
        }
        let place: &[u8] = place;
        let known = self.known.borrow().get(place).copied();
        known.unwrap_or_else(|| match (label(command), label(database)) {
            (Some(command), Some(database)) => self.add(place, command, database),
            _ => self.other(),
        })
    }

    fn add(&self, key: &[u8], command: &str, database: &str) -> MongoPair {
        let mut known = self.known.borrow_mut();
        let pair = MongoPair(known.len() + 1);
        let slots = self.counters.mongo.slots();
        let Some(slot) = slots.get(pair.0) else { return self.other() };
        slot.names.get_or_init(|| (command.into(), database.into()));
        known.insert(key.into(), pair);
        pair
    }

    fn other(&self) -> MongoPair {
        let names = || ("other".into(), "other".into());
        self.counters.mongo.slots().first().map(|other| other.names.get_or_init(names));
        OTHER
    }
}

/// A name as the metrics page writes it. Nothing, for one that could not be a MongoDB name.
fn label(name: &[u8]) -> Option<&str> {
    let is_fit = |text: &&str| !text.contains(|c: char| c.is_control() || matches!(c, '"' | '\\'));
    match std::str::from_utf8(name).ok().filter(is_fit)? {
        "" => Some("unknown"),
        text => (text.len() <= NAME_BYTES_MAX).then_some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    fn all(table: &MongoTable) -> Vec<(String, String, u64, u64)> {
        let mut all = Vec::new();
        table.each(|command, database, slot| {
            let [commands, errors] = [&slot.commands, &slot.errors].map(|c| c.load(Ordering::Relaxed));
            all.push((command.to_owned(), database.to_owned(), commands, errors));
        });
        all
    }

    #[test]
    fn pairs_are_told_apart() {
        let counts = MongoCounts::new(Arc::default());
        let find = counts.sent(b"find", b"shop");
        counts.answered(find, true, 500);
        assert_eq!(counts.sent(b"find", b"shop"), find);
        counts.sent(b"fin", b"dshop");
        counts.sent(b"a\"b", &[b'x'; 65]);
        counts.sent(b"\xff", b"");
        let wanted = [("other", "other", 2, 0), ("find", "shop", 2, 1), ("fin", "dshop", 1, 0)];
        let wanted = wanted.map(|(command, database, commands, errors)| {
            (command.to_owned(), database.to_owned(), commands, errors)
        });
        assert_eq!(all(&counts.counters.mongo), wanted);
    }

    #[test]
    fn made_up_names_fill_nothing() {
        let counts = MongoCounts::new(Arc::default());
        for number in 0..10_000 {
            counts.sent(format!("c{number}").as_bytes(), b"d");
        }
        let all = all(&counts.counters.mongo);
        assert_eq!(all.len(), PAIRS_MAX + 1);
        assert_eq!(all[0], ("other".to_owned(), "other".to_owned(), 10_000 - PAIRS_MAX as u64, 0));
        assert_eq!(counts.known.borrow().len(), PAIRS_MAX);
    }
}
