//! What is known of every source of keys, for metrics.

use crate::filter::{Authentication, KeySource};
use std::{sync::Arc, time::Instant};

/// What is known of one source.
#[derive(Clone, Debug)]
pub struct KeyState {
    /// Where the keys come from: a URL.
    pub url: Arc<str>,
    /// When they were fetched last; nothing: never, and all their tokens are refused.
    pub fetched: Option<Instant>,
    /// Keys that are in use.
    pub keys: usize,
    /// Fetches that failed.
    pub failures: u64,
}

impl KeyState {
    /// One for every source, in order; those that are part of the configuration have no URL. What is known `before` of a URL
    /// stays known.
    pub(in crate::control) fn all(
        authentication: Option<&Authentication>,
        before: &[KeyState],
    ) -> Vec<KeyState> {
        let of = |source: &KeySource| {
            let (url, keys): (&str, usize) = match source {
                KeySource::Local(keys) => ("", keys.count()),
                KeySource::Remote { url, .. } => (url, 0),
                KeySource::Discovered { issuer, .. } => (issuer, 0),
            };
            let known = before.iter().find(|state| !url.is_empty() && *state.url == *url);
            known.cloned().unwrap_or_else(|| KeyState { url: url.into(), fetched: None, keys, failures: 0 })
        };
        authentication.iter().flat_map(|authentication| authentication.sources.iter().map(of)).collect()
    }
}
