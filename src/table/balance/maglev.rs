//! Maglev's table, as Envoy fills it (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer",
//! section 3.4).
//!
//! Every endpoint has an order of its own in which it would like the places of the table. They take turns, as often as
//! their shares say, and each takes the first place of its order that is free.

use super::HashEntry;
use crate::filter::hash_text;

/// Maglev's table.
#[derive(Clone, Debug)]
pub struct Maglev(Owners);

/// Whose the places are. Few clusters have more endpoints than two bytes can tell apart.
#[derive(Clone, Debug)]
enum Owners {
    Narrow(Box<[u16]>),
    Wide(Box<[u32]>),
}

/// An endpoint while the table is filled.
struct Candidate {
    /// Its index.
    owner: u32,
    share: f64,
    /// The place that it would like next.
    next: usize,
    /// From there to the one after.
    step: usize,
    /// It has had as much as this.
    had: f64,
}

impl Maglev {
    /// A table with so many places, which must be a prime.
    pub(super) fn new(entries: &[HashEntry], places: u32) -> Maglev {
        let largest = entries.iter().map(|entry| entry.share).fold(0.0, f64::max);
        if entries.is_empty() || largest <= 0.0 || places < 2 {
            return Maglev(Owners::Narrow(Box::default()));
        }
        let owners = fill(candidates(entries, u64::from(places)), largest, places as usize);
        Maglev(match u16::try_from(entries.len()) {
            Ok(_) => Owners::Narrow(owners.into_iter().map(|owner| owner as u16).collect()),
            Err(_) => Owners::Wide(owners.into()),
        })
    }

    /// Whose a hash is. Every further attempt changes its upper bits.
    pub(super) fn find(&self, hash: u64, attempt: u32) -> Option<usize> {
        let hash = match attempt {
            0 => hash,
            _ => hash ^ (u64::MAX - u64::from(attempt) + 1),
        };
        let place = |places: usize| hash.checked_rem(places as u64).map(|place| place as usize);
        match &self.0 {
            Owners::Narrow(owners) => owners.get(place(owners.len())?).map(|owner| usize::from(*owner)),
            Owners::Wide(owners) => owners.get(place(owners.len())?).map(|owner| *owner as usize),
        }
    }
}

/// In the order of their addresses, so that the order in which endpoints come does not matter.
fn candidates(entries: &[HashEntry], places: u64) -> Vec<Candidate> {
    let mut sorted: Vec<(u32, &HashEntry)> = (0..).zip(entries).collect();
    sorted.sort_by(|(_, one), (_, other)| one.text.as_bytes().cmp(other.text.as_bytes()));
    let candidate = |(owner, entry): (u32, &HashEntry)| Candidate {
        owner,
        share: entry.share,
        next: (hash_text(entry.text.as_bytes(), 0) % places) as usize,
        step: (hash_text(entry.text.as_bytes(), 1) % (places - 1) + 1) as usize,
        had: 0.0,
    };
    sorted.into_iter().map(candidate).collect()
}

fn fill(mut candidates: Vec<Candidate>, largest: f64, places: usize) -> Vec<u32> {
    const FREE: u32 = u32::MAX;
    let mut owners = vec![FREE; places];
    let (mut taken, mut round) = (0, 0u32);
    while taken < places {
        round += 1;
        for candidate in &mut candidates {
            // Who has the largest share has a turn in every round, who has half of it in every second.
            if taken == places || f64::from(round) * candidate.share < candidate.had {
                continue;
            }
            candidate.had += largest;
            // The number of places is a prime, so every step leads to all of them, and one is free.
            while let Some(owner) = owners.get_mut(candidate.next) {
                candidate.next += candidate.step;
                if candidate.next >= places {
                    candidate.next -= places;
                }
                if *owner == FREE {
                    *owner = candidate.owner;
                    taken += 1;
                    break;
                }
            }
        }
    }
    owners
}
