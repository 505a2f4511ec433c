//! One source of keys: fetched again and again, with the last good keys kept while there are no better ones.

use super::fetch;
use crate::{
    control::resolver::Resolver,
    filter::{Authentication, KeySource, KeySourceId},
    jwt::{KeySet, SharedSecrets},
};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    task::{AbortHandle, spawn_local},
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
    place: Rc<Place>,
    /// The keys, or what went wrong.
    pub(in crate::control) keys: Result<Arc<KeySet>, String>,
}

impl Fetched {
    /// Where the keys are, or what says where they are.
    pub(in crate::control) fn url(&self) -> &str {
        &self.place.url
    }
}

/// A place that keys are fetched from.
struct Known {
    /// The sources of the snapshot that mean it.
    sources: Vec<KeySourceId>,
    is_answered: bool,
    /// The last good ones.
    keys: Option<Arc<KeySet>>,
    task: AbortHandle,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All sources that are fetched.
pub(in crate::control) struct KeyWatch {
    known: HashMap<Rc<Place>, Known>,
    resolver: Rc<Resolver>,
    news: mpsc::Sender<Fetched>,
    again: Rc<Notify>,
}

impl KeyWatch {
    /// Nothing is fetched yet. What is comes to the receiver.
    pub(in crate::control) fn new(resolver: &Rc<Resolver>) -> (KeyWatch, mpsc::Receiver<Fetched>) {
        let (news, fetched) = mpsc::channel(FETCHED_MAX);
        let resolver = Rc::clone(resolver);
        (KeyWatch { known: HashMap::new(), resolver, news, again: Rc::default() }, fetched)
    }

    /// Begins to fetch for rules that may come, beside those that there are. Call it within the runtime.
    pub(in crate::control) fn want(&mut self, authentication: Option<&Authentication>) {
        for (_, place) in places(authentication) {
            if self.known.contains_key(&place) {
                continue;
            }
            let place = Rc::new(place);
            let follow = follow(
                Rc::clone(&place),
                Rc::clone(&self.resolver),
                self.news.clone(),
                Rc::clone(&self.again),
            );
            let task = spawn_local(follow).abort_handle();
            self.known.insert(place, Known { sources: Vec::new(), is_answered: false, keys: None, task });
        }
    }

    /// These are the rules from now on. What other rules needed is fetched no more. Returns the keys that are known.
    pub(in crate::control) fn follow(
        &mut self,
        authentication: Option<&Authentication>,
    ) -> Vec<(KeySourceId, Arc<KeySet>)> {
        self.known.values_mut().for_each(|known| known.sources.clear());
        for (id, place) in places(authentication) {
            if let Some(known) = self.known.get_mut(&place) {
                known.sources.push(id);
            }
        }
        self.known.retain(|_, known| !known.sources.is_empty());
        let keys = self.known.values().filter_map(|known| Some((&known.sources, known.keys.as_ref()?)));
        keys.flat_map(|(sources, keys)| sources.iter().map(|id| (*id, Arc::clone(keys)))).collect()
    }

    /// Places that were not fetched yet, well or badly.
    pub(in crate::control) fn unanswered(&self) -> usize {
        self.known.values().filter(|known| !known.is_answered).count()
    }

    /// Takes an answer over, good or bad. Returns the sources that it is for.
    pub(in crate::control) fn take(&mut self, fetched: &Fetched) -> Vec<KeySourceId> {
        let Some(known) = self.known.get_mut(&fetched.place) else { return Vec::new() };
        known.is_answered = true;
        if let Ok(keys) = &fetched.keys {
            known.keys = Some(Arc::clone(keys));
        }
        known.sources.clone()
    }

    /// Fetches all of them now.
    pub(in crate::control) fn fetch_now(&self) {
        self.again.notify_waiters();
    }
}

/// The sources of rules that are fetched, with where they are.
fn places(authentication: Option<&Authentication>) -> impl Iterator<Item = (KeySourceId, Place)> {
    let sources = authentication.into_iter().flat_map(|authentication| authentication.sources.iter());
    (0..).map(KeySourceId).zip(sources).filter_map(|(id, source)| Some((id, Place::of(source)?)))
}

/// Where keys are, and how long a fetch may take.
#[derive(PartialEq, Eq, Hash)]
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

async fn follow(place: Rc<Place>, resolver: Rc<Resolver>, news: mpsc::Sender<Fetched>, again: Rc<Notify>) {
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
        if news.send(Fetched { place: Rc::clone(&place), keys }).await.is_err() {
            return;
        }
        let jitter = Duration::from_millis(RandomState::new().hash_one(&place.url) % JITTER_MS);
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
