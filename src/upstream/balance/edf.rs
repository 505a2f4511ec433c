//! Turns by weight: whose next turn is due first has it.

use super::Random;
use std::{cmp::Reverse, collections::BinaryHeap};

/// A line in which everybody comes again after 1 / weight (Envoy's EDF scheduler). So turns are spread out, not in runs,
/// and a weight may be another one each time.
#[derive(Debug, Default)]
pub(super) struct Edf {
    line: BinaryHeap<Reverse<Turn>>,
    /// The time of the last turn.
    now: f64,
    /// Turns that were put in line.
    count: u64,
}

/// When (the bits of a number that is not negative have its order), which came first, and who.
type Turn = (u64, u64, u32);

impl Edf {
    /// A line of those with these weights, which are above 0. Each begins anywhere in its first round, so that shards that
    /// start together do not all begin with the same one.
    pub(super) fn new(weights: impl Iterator<Item = f64>, random: &Random) -> Edf {
        let turn = |(who, weight): (u32, f64)| {
            Reverse(((random.fraction() / weight).to_bits(), u64::from(who), who))
        };
        let line: BinaryHeap<_> = (0..).zip(weights).map(turn).collect();
        Edf { count: line.len() as u64, line, now: 0.0 }
    }

    /// Who is next. `weight` is asked for its present weight, above 0.
    pub(super) fn next(&mut self, weight: impl FnOnce(usize) -> f64) -> Option<usize> {
        let mut first = self.line.peek_mut()?;
        let Reverse((due, _, who)) = *first;
        self.now = f64::from_bits(due);
        *first = Reverse(((self.now + 1.0 / weight(who as usize)).to_bits(), self.count, who));
        self.count += 1;
        Some(who as usize)
    }
}
