//! What of a request's body is kept for another attempt.

use super::Environment;
use std::rc::Rc;

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
    env: Option<Rc<Environment>>,
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

    /// Keeps bytes that were taken from the client. If they are too many, all of it is lost, and false.
    pub(super) fn keep(&mut self, bytes: &[u8], env: &Rc<Environment>) -> bool {
        if bytes.is_empty() || self.is_lost {
            return !self.is_lost;
        }
        let all = env.kept_bytes.get() + bytes.len();
        if self.bytes.len() + bytes.len() > self.limit || all > KEPT_BYTES_OF_SHARD {
            self.lose();
            return false;
        }
        env.kept_bytes.set(all);
        self.env.get_or_insert_with(|| Rc::clone(env));
        self.bytes.extend_from_slice(bytes);
        true
    }

    /// There will be no other attempt: its memory is given back.
    pub(super) fn lose(&mut self) {
        self.is_lost = true;
        self.give_back();
    }

    fn give_back(&mut self) {
        if let Some(env) = self.env.take() {
            env.kept_bytes.set(env.kept_bytes.get().saturating_sub(self.bytes.len()));
        }
        self.bytes = Vec::new();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.give_back();
    }
}
