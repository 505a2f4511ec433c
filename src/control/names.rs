//! The names of clusters, kept resolved: asked for again when an answer is no longer good, with the last good answer
//! kept while there is no better one.

use super::{log, resolver::Resolver};
use crate::table::{
    Cluster, ClusterId, DnsKind, Endpoint, EndpointAddress, Endpoints, Placement, SharedHealth,
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, spawn_local},
    time::sleep,
};

/// After a failure a name is asked for again after this long, then twice as long, and so on.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest time between two tries: what Istio's proxies always wait.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// At most this much is added to every wait, so that names with the same time to live are not asked for at once.
const JITTER_MS: u64 = 100;
/// Answers that may wait for the control thread.
const ANSWERS_MAX: usize = 64;

/// What was found for a name.
pub(super) struct Answer {
    host: Rc<str>,
    /// Its addresses; nothing if it could not be resolved.
    addresses: Option<Vec<IpAddr>>,
}

/// A name, and what is known of it.
struct Known {
    clusters: Vec<ClusterId>,
    is_answered: bool,
    /// Of the last good answer.
    addresses: Vec<IpAddr>,
    /// Who asks for it.
    task: Option<AbortHandle>,
}

impl Drop for Known {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// All names of a snapshot.
pub(super) struct Names {
    known: BTreeMap<Rc<str>, Known>,
    resolver: Rc<Resolver>,
    answers: mpsc::Sender<Answer>,
}

impl Names {
    /// No names yet. What is found comes to the receiver.
    pub(super) fn new(resolver: &Rc<Resolver>) -> (Names, mpsc::Receiver<Answer>) {
        let (answers, found) = mpsc::channel(ANSWERS_MAX);
        (Names { known: BTreeMap::new(), resolver: Rc::clone(resolver), answers }, found)
    }

    /// Begins to ask for the names of clusters that may come, beside those that are known. Call it within the runtime.
    pub(super) fn want(&mut self, clusters: &[Cluster]) {
        for host in hosts(clusters) {
            if !self.known.contains_key(&*host) {
                let host: Rc<str> = host.into();
                let watch = watch(Rc::clone(&host), Rc::clone(&self.resolver), self.answers.clone());
                let task = Some(spawn_local(watch).abort_handle());
                self.add(host, task);
            }
        }
    }

    fn add(&mut self, host: Rc<str>, task: Option<AbortHandle>) {
        let (clusters, addresses) = (Vec::new(), Vec::new());
        self.known.insert(host, Known { clusters, is_answered: false, addresses, task });
    }

    /// These are the clusters from now on. What other clusters asked for is asked for no more.
    pub(super) fn follow(&mut self, clusters: &[Cluster]) {
        self.known.values_mut().for_each(|known| known.clusters.clear());
        for (id, cluster) in (0..).map(ClusterId).zip(clusters) {
            for host in hosts(std::slice::from_ref(cluster)) {
                if let Some(known) = self.known.get_mut(&*host)
                    && known.clusters.last() != Some(&id)
                {
                    known.clusters.push(id);
                }
            }
        }
        self.known.retain(|_, known| !known.clusters.is_empty());
    }

    /// Names that have not had an answer, good or bad.
    pub(super) fn unanswered(&self) -> usize {
        self.known.values().filter(|known| !known.is_answered).count()
    }

    /// Takes an answer over. Returns the clusters whose endpoints may be others now.
    pub(super) fn take(&mut self, answer: Answer) -> Vec<ClusterId> {
        let Some(known) = self.known.get_mut(&answer.host) else { return Vec::new() };
        known.is_answered = true;
        match answer.addresses {
            Some(addresses) if known.addresses != addresses => {
                known.addresses = addresses;
                known.clusters.clone()
            }
            _ => Vec::new(),
        }
    }

    /// The endpoints of a cluster, of the last good answers; nothing for a cluster without names.
    pub(super) fn endpoints(&self, cluster: &Cluster) -> Option<Vec<Endpoint>> {
        let Endpoints::Dns { kind, names } = &cluster.endpoints else { return None };
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for name in names {
            let known = self.known.get(name.host.to_ascii_lowercase().as_str());
            let addresses = known.map_or(&[][..], |known| &known.addresses);
            let endpoint = |address: &IpAddr| Endpoint {
                address: EndpointAddress::Tcp(SocketAddr::new(*address, name.port)),
                weight: name.weight,
                placement: name.placement,
                health: SharedHealth::default(),
            };
            endpoints.extend(addresses.iter().map(endpoint));
        }
        if *kind == DnsKind::Strict {
            // Servers give their answers in another order each time; that is no change.
            endpoints.sort_by_key(key);
        }
        endpoints.dedup();
        Some(endpoints)
    }
}

/// The names of clusters, in lower case; one may come more than once.
fn hosts(clusters: &[Cluster]) -> impl Iterator<Item = String> {
    let names = clusters.iter().filter_map(|cluster| match &cluster.endpoints {
        Endpoints::Dns { names, .. } => Some(names),
        Endpoints::Static(_) => None,
    });
    names.flatten().map(|name| name.host.to_ascii_lowercase())
}

fn key(endpoint: &Endpoint) -> (Option<SocketAddr>, u32, Placement) {
    let address = match &endpoint.address {
        EndpointAddress::Tcp(address) => Some(*address),
        EndpointAddress::Unix(_) => None,
    };
    (address, endpoint.weight, endpoint.placement)
}

async fn watch(host: Rc<str>, resolver: Rc<Resolver>, answers: mpsc::Sender<Answer>) {
    let random = RandomState::new();
    let (mut failures, mut round) = (0, 0u64);
    loop {
        let (addresses, wait) = match resolver.find(&host).await {
            Ok(found) => {
                if failures > 0 {
                    log::info(format_args!("`{host}` resolves again: {}", list(&found.addresses)));
                }
                failures = 0;
                log::debug(format_args!(
                    "`{host}` is {} for {} s",
                    list(&found.addresses),
                    found.ttl.as_secs()
                ));
                (Some(found.addresses), found.ttl)
            }
            Err(error) => {
                let wait = retry_after(failures);
                failures = failures.saturating_add(1);
                let text =
                    format_args!("`{host}` can't be resolved: {error}; next try in {} s", wait.as_secs());
                // The first failure is news; that it goes on failing explains the rest.
                if failures == 1 {
                    log::warn(text)
                } else {
                    log::debug(text)
                }
                (None, wait)
            }
        };
        if answers.send(Answer { host: Rc::clone(&host), addresses }).await.is_err() {
            return;
        }
        round += 1;
        sleep(wait + Duration::from_millis(random.hash_one(round) % JITTER_MS)).await;
    }
}

/// 1, 2, 4, ... 60 s after so many failures in a row.
fn retry_after(failures: u32) -> Duration {
    RETRY_FIRST.saturating_mul(1 << failures.min(16)).min(RETRY_MAX)
}

fn list(addresses: &[IpAddr]) -> String {
    let mut text = String::new();
    for address in addresses {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to memory can't fail.
        let _ = write!(text, "{separator}{address}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::DnsName;

    fn cluster(kind: DnsKind, hosts: &[&str]) -> Cluster {
        let name = |host: &&str| DnsName {
            host: (*host).into(),
            port: 80,
            weight: 1,
            placement: Placement::default(),
        };
        let endpoints = Endpoints::Dns { kind, names: hosts.iter().map(name).collect() };
        Cluster { endpoints, ..Cluster::any() }
    }

    /// As after `want` and `follow`, but nobody asks.
    fn names(clusters: &[Cluster]) -> Names {
        let (mut names, _) = Names::new(&Rc::new(Resolver::new(None)));
        hosts(clusters).for_each(|host| names.add(host.into(), None));
        names.follow(clusters);
        names
    }

    fn found(host: &str, addresses: &[&str]) -> Answer {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Answer { host: host.into(), addresses: Some(addresses) }
    }

    fn text(endpoints: &[Endpoint]) -> Vec<String> {
        endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
    }

    #[test]
    fn clusters_share_the_answers_of_a_name() {
        let clusters =
            [cluster(DnsKind::Strict, &["a.example", "b.example"]), cluster(DnsKind::Strict, &["A.example"])];
        let mut names = names(&clusters);
        assert_eq!(names.unanswered(), 2);
        assert_eq!(names.take(found("a.example", &["192.0.2.2", "192.0.2.1"])), [ClusterId(0), ClusterId(1)]);
        assert_eq!(names.take(found("b.example", &["192.0.2.3"])), [ClusterId(0)]);
        assert_eq!(names.unanswered(), 0);
        let endpoints = names.endpoints(&clusters[0]).unwrap();
        assert_eq!(text(&endpoints), ["192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:80"]);
        assert_eq!(text(&names.endpoints(&clusters[1]).unwrap()), ["192.0.2.1:80", "192.0.2.2:80"]);
    }

    #[test]
    fn a_failure_keeps_the_last_good_answer() {
        let clusters = [cluster(DnsKind::Strict, &["a.example"])];
        let mut names = names(&clusters);
        names.take(found("a.example", &["192.0.2.1"]));
        assert_eq!(names.take(Answer { host: "a.example".into(), addresses: None }), []);
        assert_eq!(text(&names.endpoints(&clusters[0]).unwrap()), ["192.0.2.1:80"]);
    }

    #[test]
    fn a_logical_name_keeps_the_order_of_its_answer() {
        let clusters = [cluster(DnsKind::Logical, &["a.example"])];
        let mut names = names(&clusters);
        names.take(found("a.example", &["192.0.2.2", "192.0.2.1"]));
        assert_eq!(text(&names.endpoints(&clusters[0]).unwrap()), ["192.0.2.2:80", "192.0.2.1:80"]);
    }

    #[test]
    fn names_that_stay_keep_their_answers_and_others_are_forgotten() {
        let [a, b] = ["a.example", "b.example"].map(|host| cluster(DnsKind::Strict, &[host]));
        let mut names = names(&[a.clone(), b.clone()]);
        names.take(found("a.example", &["192.0.2.1"]));
        names.take(found("b.example", &["192.0.2.2"]));
        let plain = Cluster { endpoints: Endpoints::Static(Vec::new()), ..Cluster::any() };
        names.follow(&[plain, b.clone()]);
        assert_eq!(text(&names.endpoints(&b).unwrap()), ["192.0.2.2:80"]);
        assert!(names.endpoints(&a).unwrap().is_empty());
        assert_eq!(names.take(found("a.example", &["192.0.2.9"])), []);
        assert_eq!(names.take(found("b.example", &["192.0.2.3"])), [ClusterId(1)]);
    }

    #[test]
    fn failures_are_tried_again_later_and_later() {
        let seconds: Vec<u64> = (0..9).map(|failures| retry_after(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
