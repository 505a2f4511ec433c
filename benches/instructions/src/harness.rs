//! What runs a case, and the two functions by whose names callgrind knows what to count.
//!
//! `tests/instructions` starts callgrind with `--toggle-collect=*harness::counted*` and `--dump-after=*harness::pass_ends*`:
//! only what [`counted`] calls is counted, and each pass ends with a file that has the counts of that pass alone. So one
//! process of valgrind does all cases, no set-up is in any count, and nothing here needs valgrind's header or `unsafe`.

use std::hint::black_box;

/// Which cases are run.
pub(crate) struct Harness {
    /// Part of their names; `None`: all of them.
    only: Option<String>,
}

impl Harness {
    /// Runs the cases that have this in their names.
    pub(crate) fn new(only: Option<String>) -> Harness {
        Harness { only }
    }

    /// Whether a case is run: what is dear to set up asks before it does.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    /// A case that is nothing but what is counted.
    pub(crate) fn case(&self, name: &str, rounds: usize, mut work: impl FnMut(usize)) {
        self.passes(name, rounds, || counted(black_box(&mut || (0..rounds).for_each(&mut work))));
    }

    /// A case that has something to do around what is counted: its rounds call [`counted`] themselves, once each.
    pub(crate) fn prepared(&self, name: &str, rounds: usize, mut round: impl FnMut(usize)) {
        self.passes(name, rounds, || (0..rounds).for_each(&mut round));
    }

    /// Two passes, as the first makes memory and tables warm. Says what the second one's file will be of.
    fn passes(&self, name: &str, rounds: usize, mut pass: impl FnMut()) {
        if self.has(name) {
            for _ in 0..2 {
                pass();
                pass_ends();
            }
            println!("{name} {rounds}");
        }
    }
}

/// What runs in here is counted. One function that is never inlined nor made once more for each caller.
#[inline(never)]
pub(crate) fn counted(work: &mut dyn FnMut()) {
    work();
    // Keeps the call from becoming a jump out of this function.
    black_box(());
}

/// Where callgrind writes a file of what was counted since the last.
#[inline(never)]
fn pass_ends() {
    black_box(());
}
