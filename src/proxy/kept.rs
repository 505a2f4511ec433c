//! What of a request's body is kept for another attempt.

use std::{cell::Cell, rc::Rc};

/// The most of one body that is kept where its route may try a request again that a server has looked at: Envoy's
/// `per_connection_buffer_limit_bytes`, from which Istio's users know the limit.
pub(super) const KEPT_BYTES_MAX: usize = 1 << 20;

/// The most where it may not, for origins that refuse a request or end a connection as it comes: most calls of gRPC, and
/// no more than a client of HTTP/2 could have sent ahead in any case.
pub(super) const KEPT_BYTES_USUAL: usize = 64 << 10;

/// The most of all bodies that one shard keeps at a time: 64 uploads of the largest kind. Further ones are sent once, and
/// no attempt follows.
pub(super) const KEPT_BYTES_OF_SHARD: usize = 64 << 20;

/// The part of a body that has been taken from the client, as long as all of it is here: an attempt begins with it.
#[derive(Default)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    is_lost: bool,
    /// Where it is counted, while there is anything.
    shard: Option<Rc<Cell<usize>>>,
}

impl Kept {
    /// Keeps up to so many bytes from now on; of a body that will be longer nothing. Nothing may have been taken yet.
    pub(super) fn allow(&mut self, limit: usize, length: Option<u64>) {
        let fits = length.is_none_or(|length| length <= limit as u64);
        self.limit = if fits { limit } else { 0 };
    }

    /// Whether bytes that are taken may still be kept.
    pub(super) fn is_keeping(&self) -> bool {
        !self.is_lost && self.limit > 0
    }

    /// Whether an attempt can begin with the first byte.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether nothing was ever taken from the client.
    pub(super) fn is_untouched(&self) -> bool {
        !self.is_lost && self.bytes.is_empty()
    }

    /// What was kept.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Keeps bytes that were taken from the client. If they are too many, and need not be kept in any case (`must`), all of
    /// it is lost, and false. `shard`: what the shard keeps in all.
    pub(super) fn keep(&mut self, bytes: &[u8], shard: &Rc<Cell<usize>>, must: bool) -> bool {
        if bytes.is_empty() || self.is_lost {
            return !self.is_lost;
        }
        let all = shard.get() + bytes.len();
        if !must && (self.bytes.len() + bytes.len() > self.limit || all > KEPT_BYTES_OF_SHARD) {
            self.lose();
            return false;
        }
        shard.set(all);
        self.shard.get_or_insert_with(|| Rc::clone(shard));
        self.bytes.extend_from_slice(bytes);
        true
    }

    /// There will be no other attempt: its memory is given back.
    pub(super) fn lose(&mut self) {
        self.is_lost = true;
        self.give_back();
    }

    fn give_back(&mut self) {
        if let Some(shard) = self.shard.take() {
            shard.set(shard.get().saturating_sub(self.bytes.len()));
        }
        self.bytes = Vec::new();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(limit: usize, length: Option<u64>) -> Kept {
        let mut kept = Kept::default();
        kept.allow(limit, length);
        kept
    }

    #[test]
    fn what_is_kept_is_counted_until_it_is_gone() {
        let shard = Rc::default();
        let mut kept = allowed(10, None);
        assert!(
            kept.is_untouched() && kept.keep(b"12345", &shard, false) && kept.keep(b"67890", &shard, false)
        );
        assert_eq!((kept.bytes(), shard.get(), kept.is_untouched()), (&b"1234567890"[..], 10, false));
        let other = allowed(10, None);
        drop(kept);
        assert_eq!((shard.get(), other.is_lost()), (0, false));
    }

    #[test]
    fn what_is_too_much_is_lost_as_a_whole() {
        let shard = Rc::default();
        let mut kept = allowed(10, None);
        assert!(kept.keep(b"123456", &shard, false) && !kept.keep(b"789012", &shard, false));
        assert_eq!((kept.bytes(), kept.is_lost(), shard.get()), (&b""[..], true, 0));
        assert!(!kept.keep(b"1", &shard, false));
        // Of a body that says that it will be too much nothing is kept from the start.
        assert!(!allowed(10, Some(11)).is_keeping() && allowed(10, Some(10)).is_keeping());
    }

    #[test]
    fn all_bodies_of_a_shard_have_a_limit() {
        let shard = Rc::new(Cell::new(KEPT_BYTES_OF_SHARD - 4));
        let mut kept = allowed(10, None);
        assert!(kept.keep(b"1234", &shard, false) && !kept.keep(b"5", &shard, false));
        assert_eq!(shard.get(), KEPT_BYTES_OF_SHARD - 4);
    }
}
