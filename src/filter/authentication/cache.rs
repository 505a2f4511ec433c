//! Tokens that were verified before: clients send the same token with every request for minutes, and a signature costs
//! more than everything else about a request.

use super::Verified;
use foldhash::fast::RandomState;
use std::{collections::HashMap, mem, rc::Rc};

/// Tokens that one shard remembers in each of its two halves. Behind it stand as many users at a time; one more costs one
/// signature.
pub const CACHE_TOKENS_MAX: usize = 4096;
/// The same in bytes of tokens, whose claims take about three times as much beside them.
pub const CACHE_BYTES_MAX: usize = 8 << 20;

/// Tokens by their whole text: two texts can't be taken for one another, whatever they hash to.
///
/// It has two halves. New tokens go into the young one; when that is full it becomes the old one, whose tokens are
/// forgotten unless they were used meanwhile. So what is in use stays, and nothing has to be sorted.
#[derive(Default)]
pub struct TokenCache {
    young: Half,
    old: Half,
}

#[derive(Default)]
struct Half {
    tokens: HashMap<Box<[u8]>, Rc<Verified>, RandomState>,
    bytes: usize,
}

impl Half {
    fn is_full(&self) -> bool {
        self.tokens.len() >= CACHE_TOKENS_MAX || self.bytes >= CACHE_BYTES_MAX
    }
}

impl TokenCache {
    /// What a token says, if it was verified before. Whether it is still good is for the caller to see to.
    pub(super) fn get(&mut self, token: &[u8]) -> Option<Rc<Verified>> {
        if let Some(known) = self.young.tokens.get(token) {
            return Some(Rc::clone(known));
        }
        let (token, known) = self.old.tokens.remove_entry(token)?;
        self.old.bytes -= token.len();
        self.insert(token, Rc::clone(&known));
        Some(known)
    }

    /// Remembers a token.
    pub(super) fn insert(&mut self, token: Box<[u8]>, verified: Rc<Verified>) {
        if self.young.is_full() {
            self.old = mem::take(&mut self.young);
        }
        let len = token.len();
        if self.young.tokens.insert(token, verified).is_none() {
            self.young.bytes += len;
        }
    }

    /// Forgets a token that is no longer good.
    pub(super) fn remove(&mut self, token: &[u8]) {
        for half in [&mut self.young, &mut self.old] {
            if let Some((token, _)) = half.tokens.remove_entry(token) {
                half.bytes -= token.len();
            }
        }
    }

    /// How many tokens are remembered.
    pub fn count(&self) -> usize {
        self.young.tokens.len() + self.old.tokens.len()
    }

    /// Forgets all: they were verified with other keys.
    pub fn clear(&mut self) {
        *self = TokenCache::default();
    }
}
