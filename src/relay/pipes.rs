//! The pipes of one shard, lent for as long as there is something in them.

use crate::driver::Pipe;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// Empty pipes that a shard keeps: about as many as move bytes at the same moment. Each is two descriptors.
const KEPT: usize = 32;

/// Pipes that may be lent at a time. A receiver that is slow keeps what is in one, up to 256 KiB of the kernel's memory,
/// and a user who is not root may have 64 MiB in pipes in all (`fs.pipe-user-pages-soft`). Who gets none copies.
const LENT_MAX: usize = 512;

/// The pipes of one shard.
#[derive(Clone, Default)]
pub struct Pipes(Rc<Shared>);

#[derive(Default)]
struct Shared {
    free: RefCell<Vec<Pipe>>,
    lent: Cell<usize>,
}

impl Pipes {
    /// An empty pipe; nothing if there is none to be had. It has to be given back.
    pub(super) fn lend(&self) -> Option<Pipe> {
        if self.0.lent.get() >= LENT_MAX {
            return None;
        }
        let pipe = self.0.free.borrow_mut().pop().or_else(|| Pipe::open().ok())?;
        debug_assert_eq!(pipe.held(), 0);
        self.0.lent.set(self.0.lent.get() + 1);
        Some(pipe)
    }

    /// Takes a pipe back; closes it if there is still something in it, or there are enough.
    pub(super) fn give_back(&self, pipe: Pipe) {
        self.0.lent.set(self.0.lent.get().saturating_sub(1));
        let mut free = self.0.free.borrow_mut();
        if pipe.held() == 0 && free.len() < KEPT {
            free.push(pipe);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_are_lent_again_and_bounded() {
        let pipes = Pipes::default();
        let first = pipes.lend().unwrap();
        pipes.give_back(first);
        assert_eq!(pipes.0.free.borrow().len(), 1);
        let lent = pipes.lend();
        assert!(lent.is_some() && pipes.0.free.borrow().is_empty());
        pipes.0.lent.set(LENT_MAX);
        assert!(pipes.lend().is_none());
    }
}
