//! Finding a virtual host: one hash for an exact name, a short walk of hashes for the suffixes.

use foldhash::fast::RandomState;
use std::collections::HashMap;

/// The longest name that is looked up. DNS names have at most 255 characters (istiod's limit too), so a longer one can
/// only meet `*`; the limit keeps the walk over suffixes short, whatever a client sends.
const NAME_LENGTH_MAX: usize = 255;

/// Positions of hosts in the list that the index was made of.
#[derive(Debug, Default)]
pub(super) struct HostIndex {
    exact: HashMap<Box<[u8]>, u32, RandomState>,
    /// What stands behind the `*`.
    suffixes: HashMap<Box<[u8]>, u32, RandomState>,
    /// The lengths that occur in `suffixes`, longest first.
    suffix_lengths: Vec<SuffixLength>,
    any: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SuffixLength {
    length: usize,
    /// All suffixes of this length begin with a dot, so there is no need to hash what does not.
    dotted: bool,
}

impl HostIndex {
    /// `hosts` are names, `*.suffix` (also `*-suffix.com`, which Istio has for VirtualServices) and `*`, all in lower
    /// case. If one occurs twice, the first counts.
    pub(super) fn new<'a>(hosts: impl Iterator<Item = &'a str>) -> HostIndex {
        let mut index = HostIndex::default();
        for (position, host) in (0_u32..).zip(hosts) {
            let host = host.as_bytes();
            match host.strip_suffix(b".").unwrap_or(host) {
                b"*" => index.any = index.any.or(Some(position)),
                [b'*', suffix @ ..] => {
                    index.suffixes.entry(suffix.into()).or_insert(position);
                    index.note_length(suffix);
                }
                name => {
                    index.exact.entry(name.into()).or_insert(position);
                }
            }
        }
        index.suffix_lengths.sort_by_key(|s| std::cmp::Reverse(s.length));
        index
    }

    fn note_length(&mut self, suffix: &[u8]) {
        let dotted = suffix.starts_with(b".");
        match self.suffix_lengths.iter_mut().find(|s| s.length == suffix.len()) {
            Some(known) => known.dotted &= dotted,
            None => self.suffix_lengths.push(SuffixLength { length: suffix.len(), dotted }),
        }
    }

    /// Finds a host, given without port and dot at the end, in any case.
    pub(super) fn find(&self, host: &[u8]) -> Option<usize> {
        let mut lower = [0; NAME_LENGTH_MAX];
        let found = lower.get_mut(..host.len()).and_then(|lower| {
            lower.copy_from_slice(host);
            lower.make_ascii_lowercase();
            self.exact.get(&*lower).or_else(|| self.find_suffix(lower))
        });
        found.copied().or(self.any).map(|position| position as usize)
    }

    /// The longest suffix wins; it has at least one character in front of it.
    fn find_suffix(&self, lower: &[u8]) -> Option<&u32> {
        self.suffix_lengths.iter().find_map(|candidate| {
            let at = lower.len().checked_sub(candidate.length).filter(|&at| at > 0)?;
            let suffix = lower.get(at..)?;
            if candidate.dotted && !suffix.starts_with(b".") {
                return None;
            }
            self.suffixes.get(suffix)
        })
    }
}
