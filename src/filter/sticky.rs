//! On which side of a weighted split a request goes, by a key of it instead of chance (`sluicegate.io/sticky-split`).
//!
//! Weighted rendezvous hashing: every side draws a number from the key and its own name, scaled by its weight, and the
//! highest wins. A key keeps its side for as long as the weights stay, on every shard and in every process; when a weight
//! changes, keys move only to a side that grew or away from one that shrank, and no more of them than they must.

/// A hash that is the same in every process, for whatever tells a side or a client apart. It need not resist who chooses
/// keys: they choose only their own side.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    // FNV-1a; its last bits are weak, which `mixed` mends.
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mixed(hash)
}

fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The position of the side of a key. Each side is the hash of its name, and its weight. `None`: there are no sides.
pub fn side_of(key: u64, sides: impl IntoIterator<Item = (u64, u32)>) -> Option<usize> {
    let scores = sides.into_iter().map(|(name, weight)| {
        // Even chance above 0 and up to 1, in the 53 bits that a float has.
        let draw = ((mixed(key ^ name) >> 11) + 1) as f64 / (1u64 << 53) as f64;
        // The exponential distribution: the lowest of several wins in proportion to its rate.
        -draw.ln() / f64::from(weight)
    });
    scores.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: u32 = 20_000;

    fn sides(weights: &[u32]) -> Vec<usize> {
        let names = [b"v1", b"v2", b"v3"].map(|name| stable_hash(name));
        let sides: Vec<(u64, u32)> = names.into_iter().zip(weights.iter().copied()).collect();
        (0..KEYS)
            .map(|n| side_of(stable_hash(n.to_string().as_bytes()), sides.iter().copied()).unwrap())
            .collect()
    }

    fn count(sides: &[usize], side: usize) -> f64 {
        sides.iter().filter(|of| **of == side).count() as f64
    }

    #[test]
    fn sides_get_their_weights() {
        let sides = sides(&[70, 25, 5]);
        for (side, share) in [(0, 0.7), (1, 0.25), (2, 0.05)] {
            let expected = f64::from(KEYS) * share;
            let error = (expected * (1.0 - share)).sqrt();
            assert!(
                (count(&sides, side) - expected).abs() <= 4.0 * error,
                "side {side}: {}",
                count(&sides, side)
            );
        }
    }

    #[test]
    fn only_keys_that_must_move() {
        let (before, after) = (sides(&[90, 10]), sides(&[80, 20]));
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after);
        assert!(moved.clone().all(|(before, after)| (*before, *after) == (0, 1)));
        let expected = f64::from(KEYS) * 0.1;
        assert!((moved.count() as f64 - expected).abs() < expected * 0.15);
        // All weights doubled are the same weights.
        assert_eq!(before, sides(&[180, 20]));
    }

    #[test]
    fn a_key_has_the_same_side_in_every_process() {
        assert_eq!(stable_hash(b"user-1"), stable_hash(b"user-1"));
        assert_eq!(sides(&[50, 50])[..8], [0, 0, 1, 0, 1, 1, 1, 0]);
        assert_eq!(side_of(1, []), None);
    }
}
