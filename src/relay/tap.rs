//! Who looks at the bytes as they pass, without changing them.

/// Looks at one direction. It says how much of what comes next it need not see, so that large messages whose first bytes
/// are all that matters can still pass without being copied.
pub trait Tap {
    /// Looks at bytes that pass. They follow what was seen or skipped before.
    fn see(&mut self, bytes: &[u8]);

    /// So many of the bytes that come next need not be seen.
    fn blind(&self) -> u64;

    /// So many bytes have passed unseen; at most what `blind` said.
    fn skip(&mut self, count: u64);
}

/// Looks at nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blind;

impl Tap for Blind {
    fn see(&mut self, _bytes: &[u8]) {}

    fn blind(&self) -> u64 {
        u64::MAX
    }

    fn skip(&mut self, _count: u64) {}
}
