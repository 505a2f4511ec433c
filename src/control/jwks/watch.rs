//! One source of keys: fetched again and again, with the last good keys kept while there are no better ones.

use super::fetch;
use crate::{
    control::resolver::Resolver,
    filter::{Authentication, KeySource, KeySourceId},
    jwt::{KeySet, SharedSecrets},
};
use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    task::spawn_local,
    time::{sleep, timeout},
};

/// Good keys are fetched again after so long (istiod's `PILOT_JWT_PUB_KEY_REFRESH_INTERVAL`).
const REFRESH: Duration = Duration::from_secs(20 * 60);
/// After a failure it is tried again after this long, then twice as long, and so on.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest time between two tries.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// At most this much is added to every wait, so that a hundred gateways do not ask an issuer at once.
const JITTER_MS: u64 = 1000;
/// What was fetched and waits for the control thread.
const FETCHED_MAX: usize = 16;

/// What came of one fetch.
pub(in crate::control) struct Fetched {
    /// For which source.
    pub(in crate::control) source: KeySourceId,
    /// The keys, or what went wrong.
    pub(in crate::control) keys: Result<Arc<KeySet>, String>,
}

/// All sources that are fetched.
pub(in crate::control) struct KeyWatch {
    unanswered: BTreeSet<KeySourceId>,
    again: Rc<Notify>,
}

impl KeyWatch {
    /// Fetches all of them, for as long as somebody listens.
    pub(in crate::control) fn start(
        authentication: Option<&Authentication>,
        resolver: &Rc<Resolver>,
    ) -> (KeyWatch, mpsc::Receiver<Fetched>) {
        let (sender, fetched) = mpsc::channel(FETCHED_MAX);
        let mut watch = KeyWatch { unanswered: BTreeSet::new(), again: Rc::default() };
        let sources = authentication.iter().flat_map(|authentication| authentication.sources.iter());
        for (id, source) in (0..).map(KeySourceId).zip(sources) {
            let Some(place) = Place::of(source) else { continue };
            watch.unanswered.insert(id);
            spawn_local(follow(id, place, Rc::clone(resolver), sender.clone(), Rc::clone(&watch.again)));
        }
        (watch, fetched)
    }

    /// Sources that were not fetched yet, well or badly.
    pub(in crate::control) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// There was an answer from a source, good or bad.
    pub(in crate::control) fn answered(&mut self, source: KeySourceId) {
        self.unanswered.remove(&source);
    }

    /// Fetches all of them now.
    pub(in crate::control) fn fetch_now(&self) {
        self.again.notify_waiters();
    }
}

/// Where keys are, and how long a fetch may take.
struct Place {
    url: Box<str>,
    is_discovered: bool,
    within: Duration,
}

impl Place {
    fn of(source: &KeySource) -> Option<Place> {
        match source {
            KeySource::Local(_) => None,
            KeySource::Remote { url, timeout } => {
                Some(Place { url: url.clone(), is_discovered: false, within: *timeout })
            }
            KeySource::Discovered { issuer, timeout } => {
                // OpenID Connect Discovery 1.0, section 4: one slash, whatever the issuer ends with.
                let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
                Some(Place { url: url.into(), is_discovered: true, within: *timeout })
            }
        }
    }

    async fn fetch(&self, resolver: &Resolver) -> Result<Arc<KeySet>, String> {
        let within = |what| timeout(self.within, what);
        let late = |_| format!("there is no answer within {} s", self.within.as_secs_f64());
        let keys = match self.is_discovered {
            false => within(fetch::get(&self.url, resolver)).await.map_err(late)??,
            true => {
                let found = within(fetch::get(&self.url, resolver)).await.map_err(late)??;
                let url = discovered(&self.url, &found)?;
                within(fetch::get(&url, resolver)).await.map_err(late)??
            }
        };
        KeySet::parse(&keys, SharedSecrets::Skipped).map(Arc::new).map_err(|error| error.to_string())
    }
}

/// The `jwks_uri` of an issuer's metadata. An issuer with TLS has its keys behind TLS.
fn discovered(from: &str, metadata: &[u8]) -> Result<String, String> {
    let metadata: serde_json::Value =
        serde_json::from_slice(metadata).map_err(|error| format!("{from}: {error}"))?;
    let url = metadata.get("jwks_uri").and_then(|url| url.as_str());
    let url = url.ok_or_else(|| format!("{from} has no `jwks_uri`"))?;
    let is_safe = url.starts_with("https://") || (from.starts_with("http://") && url.starts_with("http://"));
    if is_safe { Ok(url.to_owned()) } else { Err(format!("{from} names keys that are not behind HTTPS")) }
}

async fn follow(
    source: KeySourceId,
    place: Place,
    resolver: Rc<Resolver>,
    news: mpsc::Sender<Fetched>,
    again: Rc<Notify>,
) {
    let mut pause = RETRY_FIRST;
    loop {
        let keys = place.fetch(&resolver).await;
        let wait = match keys {
            Ok(_) => {
                pause = RETRY_FIRST;
                REFRESH
            }
            Err(_) => {
                let wait = pause;
                pause = (pause * 2).min(RETRY_MAX);
                wait
            }
        };
        if news.send(Fetched { source, keys }).await.is_err() {
            return;
        }
        let jitter = Duration::from_millis(RandomState::new().hash_one(source.0) % JITTER_MS);
        tokio::select! {
            () = sleep(wait + jitter) => {}
            () = again.notified() => pause = RETRY_FIRST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_with_tls_has_its_keys_behind_tls() {
        let found =
            |from: &str, url: &str| discovered(from, format!("{{\"jwks_uri\": \"{url}\"}}").as_bytes());
        assert_eq!(found("https://a/x", "https://b/k"), Ok("https://b/k".to_owned()));
        assert_eq!(found("http://a/x", "http://b/k"), Ok("http://b/k".to_owned()));
        assert!(found("https://a/x", "http://b/k").is_err());
        assert!(found("https://a/x", "file:///k").is_err());
        assert!(discovered("https://a/x", b"{}").is_err());
        assert!(discovered("https://a/x", b"<html>").is_err());
    }
}
