//! The fields that both sides of a connection remember, newest first (RFC 7541 section 2.3.2).

use std::collections::VecDeque;

use super::static_table::STATIC_ENTRIES;
use crate::http::Name;

/// What an entry counts beside its name and value (section 4.1).
pub(super) const ENTRY_OVERHEAD: usize = 32;

/// A table: its entries, and their bytes in one arena.
///
/// The bytes of a new entry go to the arena's end. Those of evicted entries stay at its start until the arena would
/// have to grow and at least half of it is evicted; only then the rest moves to the front. So an insertion copies its
/// bytes about twice, whatever the size of the table, and the arena holds at most four times the table's limit.
pub(super) struct DynamicTable {
    /// The oldest entry first.
    entries: VecDeque<Entry>,
    arena: Vec<u8>,
    /// The place of the arena's first byte among all bytes that were ever added.
    base: usize,
    /// The sizes of all entries, as section 4.1 counts them.
    size: usize,
    /// What `size` may be at most.
    limit: usize,
    /// How many entries were ever inserted.
    inserted: u32,
}

/// Where an entry is in the arena, and what was found out when it was inserted.
#[derive(Clone, Copy)]
struct Entry {
    /// The place of the name's first byte among all bytes that were ever added. The value follows the name.
    start: usize,
    name_len: u32,
    value_len: u32,
    facts: Facts,
}

/// What is known of a field beside its bytes.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub(super) name: Name,
    pub(super) is_name_valid: bool,
    /// Whether the field as a whole is valid.
    pub(super) is_valid: bool,
}

/// A field of the table.
#[derive(Clone, Copy)]
pub(super) struct Remembered<'a> {
    pub(super) text: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) facts: Facts,
}

impl DynamicTable {
    /// An empty table that may hold `limit` bytes. It allocates as it fills.
    pub(super) fn new(limit: usize) -> DynamicTable {
        DynamicTable { entries: VecDeque::new(), arena: Vec::new(), base: 0, size: 0, limit, inserted: 0 }
    }

    /// How many bytes the table may hold.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The sizes of all entries, for tests.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How many bytes the arena has, for tests.
    #[cfg(test)]
    pub(super) fn arena_bytes(&self) -> usize {
        self.arena.capacity()
    }

    /// Changes how many bytes the table may hold, and evicts what is too much (section 4.3).
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.make_room(0);
    }

    /// How many entries were ever inserted, from 0 again after 2^32: the number of the next one.
    pub(super) fn inserted(&self) -> u32 {
        self.inserted
    }

    /// The field with an index of the whole address space, which is above [`STATIC_ENTRIES`].
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<Remembered<'_>> {
        let age = index.checked_sub(STATIC_ENTRIES + 1)?;
        self.entries.get(self.entries.len().checked_sub(age + 1)?).and_then(|entry| self.remembered(entry))
    }

    /// The index of the entry with a number, and its field, if it was not evicted.
    #[inline]
    pub(super) fn numbered(&self, number: u32) -> Option<(usize, Remembered<'_>)> {
        let age = self.inserted.wrapping_sub(number).wrapping_sub(1) as usize;
        let index = STATIC_ENTRIES.checked_add(1)?.checked_add(age)?;
        Some((index, self.get(index)?))
    }

    #[inline]
    fn remembered(&self, entry: &Entry) -> Option<Remembered<'_>> {
        let start = entry.start.wrapping_sub(self.base);
        let both = self.arena.get(start..start + (entry.name_len + entry.value_len) as usize)?;
        let (text, value) = both.split_at_checked(entry.name_len as usize)?;
        Some(Remembered { text, value, facts: entry.facts })
    }

    /// Inserts a field, which evicts the oldest ones. One that is larger than the table leaves it empty (section 4.4).
    pub(super) fn insert(&mut self, text: &[u8], value: &[u8], facts: Facts) {
        self.free_arena(text.len() + value.len());
        if self.make_room(ENTRY_OVERHEAD + text.len() + value.len()) {
            let start = self.arena.len();
            self.arena.extend_from_slice(text);
            self.finish(start, value, facts);
        }
    }

    /// Inserts a field with the name of the one at `index`, even if that one is evicted for it (section 4.4).
    pub(super) fn insert_with_name_of(&mut self, index: usize, value: &[u8], facts: Facts) {
        let Some(name_len) = self.get(index).map(|named| named.text.len()) else { return };
        self.free_arena(name_len + value.len());
        let age = index.saturating_sub(STATIC_ENTRIES + 1);
        let named = self.entries.len().checked_sub(age + 1).and_then(|place| self.entries.get(place));
        let Some(from) = named.map(|named| named.start.wrapping_sub(self.base)) else { return };
        // The arena keeps the bytes of evicted entries until the next insertion at least.
        if self.make_room(ENTRY_OVERHEAD + name_len + value.len()) {
            let start = self.arena.len();
            self.arena.extend_from_within(from..from + name_len);
            self.finish(start, value, facts);
        }
    }

    /// Adds the value and the entry after the name, which begins at `start` in the arena.
    fn finish(&mut self, start: usize, value: &[u8], facts: Facts) {
        let name_len = self.arena.len() - start;
        self.arena.extend_from_slice(value);
        self.size += ENTRY_OVERHEAD + name_len + value.len();
        self.inserted = self.inserted.wrapping_add(1);
        self.entries.push_back(Entry {
            start: self.base.wrapping_add(start),
            name_len: name_len as u32,
            value_len: value.len() as u32,
            facts,
        });
    }

    /// Evicts the oldest entries until there is room for one of `size` more; false if the table is too small for it.
    fn make_room(&mut self, size: usize) -> bool {
        while self.size + size > self.limit {
            let Some(oldest) = self.entries.pop_front() else { return false };
            self.size -= ENTRY_OVERHEAD + (oldest.name_len + oldest.value_len) as usize;
        }
        true
    }

    /// Drops the bytes of evicted entries, if the arena would have to grow for `len` more and they are half of it.
    #[inline]
    fn free_arena(&mut self, len: usize) {
        if self.arena.len() + len > self.arena.capacity() {
            let evicted = match self.entries.front() {
                Some(oldest) => oldest.start.wrapping_sub(self.base),
                None => self.arena.len(),
            };
            if evicted >= self.arena.len() / 2 {
                self.arena.drain(..evicted);
                self.base = self.base.wrapping_add(evicted);
            }
        }
    }
}
