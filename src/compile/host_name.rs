//! Names of hosts: their one spelling, which covers which, and sets of them that answer without being searched.

use crate::config::Spanned;
use std::{collections::HashMap, net::Ipv6Addr};

/// A host in its one spelling: lower case, no dot at the end, IPv6 addresses in brackets.
pub(super) fn normalized(host: &str) -> String {
    let mut host = host.to_ascii_lowercase();
    if host.len() > 1 && host.ends_with('.') {
        host.pop();
    }
    if host.contains(':') && host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host }
}

/// The full, normalized name of a host that may be short: a name without a dot is a Kubernetes Service of `namespace`.
pub(super) fn full_name(host: &str, namespace: &str, ClusterDomain(domain): ClusterDomain<'_>) -> String {
    let is_short = !host.contains('.') && !host.contains(':') && host != "*";
    let host = normalized(host);
    if is_short { format!("{host}.{namespace}.svc.{domain}") } else { host }
}

/// The domain behind the full names of Kubernetes Services.
#[derive(Clone, Copy)]
pub(super) struct ClusterDomain<'a>(pub(super) &'a str);

/// Whether every host that `narrow` stands for is one that `wide` stands for. Both normalized.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    match (wide.strip_prefix('*'), narrow.strip_prefix('*')) {
        (Some(suffix), Some(narrow)) => narrow.ends_with(suffix),
        (Some(suffix), None) => narrow.ends_with(suffix),
        (None, _) => wide == narrow,
    }
}

/// A host of a Gateway's server: `[namespace/]host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerHost {
    /// The only namespace whose VirtualServices may use it; nothing: any.
    pub(super) namespace: Option<String>,
    /// Normalized.
    pub(super) host: String,
    /// Its position in `hosts`.
    pub(super) position: usize,
}

impl ServerHost {
    /// Reads the hosts of a server of a Gateway in `namespace`. One `*/*` makes `*` of the whole list (specification
    /// section 1.5).
    pub(super) fn list(hosts: &[Spanned<String>], namespace: &str) -> Vec<ServerHost> {
        let read = |(position, written): (usize, &Spanned<String>)| {
            let (namespace, host) = match written.split_once('/') {
                None | Some(("*", _)) => (None, written.rsplit('/').next().unwrap_or("")),
                Some((".", host)) => (Some(namespace.to_owned()), host),
                Some((other, host)) => (Some(other.to_owned()), host),
            };
            ServerHost { namespace, host: normalized(host), position }
        };
        match hosts.iter().position(|host| host.value == "*/*") {
            Some(position) => vec![ServerHost { namespace: None, host: "*".to_owned(), position }],
            None => hosts.iter().enumerate().map(read).collect(),
        }
    }

    /// Whether a VirtualService of this namespace may use it.
    pub(super) fn admits(&self, namespace: &str) -> bool {
        self.namespace.as_deref().is_none_or(|only| only == namespace)
    }
}

/// Hosts with a value each, found by the hosts that they overlap with: a hash for each length of a wildcard, not a
/// search.
pub(super) struct HostSet<T> {
    items: Vec<(String, T)>,
    exact: HashMap<String, Vec<u32>>,
    /// By what stands behind the `*`.
    wildcards: HashMap<String, Vec<u32>>,
    /// The lengths that occur in `wildcards`, the longest first.
    lengths: Vec<usize>,
    /// What stands behind a `*`, or the whole name, backwards: hosts with one suffix are neighbours.
    backwards: Vec<(Vec<u8>, u32)>,
}

impl<T> HostSet<T> {
    /// The hosts are normalized.
    pub(super) fn new(items: Vec<(String, T)>) -> HostSet<T> {
        let mut set = HostSet {
            exact: HashMap::new(),
            wildcards: HashMap::new(),
            lengths: Vec::new(),
            backwards: Vec::with_capacity(items.len()),
            items: Vec::new(),
        };
        for (position, (host, _)) in (0_u32..).zip(&items) {
            match host.strip_prefix('*') {
                Some(suffix) => set.wildcards.entry(suffix.to_owned()).or_default().push(position),
                None => set.exact.entry(host.clone()).or_default().push(position),
            }
            let literal = host.strip_prefix('*').unwrap_or(host);
            set.backwards.push((literal.bytes().rev().collect(), position));
        }
        set.lengths = set.wildcards.keys().map(String::len).collect();
        set.lengths.sort_unstable_by(|a, b| b.cmp(a));
        set.lengths.dedup();
        set.backwards.sort();
        set.items = items;
        set
    }

    /// The items that have a host in common with this one, in order: those that cover it, and those that it covers.
    pub(super) fn overlapping(&self, host: &str) -> impl Iterator<Item = &(String, T)> {
        let mut positions: Vec<u32> = Vec::new();
        let literal = host.strip_prefix('*').unwrap_or(host);
        for suffix in self
            .lengths
            .iter()
            .filter_map(|length| literal.len().checked_sub(*length).and_then(|at| literal.get(at..)))
        {
            positions.extend(self.wildcards.get(suffix).into_iter().flatten());
        }
        if host.starts_with('*') {
            let suffix: Vec<u8> = literal.bytes().rev().collect();
            let first = self.backwards.partition_point(|(text, _)| *text < suffix);
            let covered = self.backwards.iter().skip(first).take_while(|(text, _)| text.starts_with(&suffix));
            positions.extend(covered.map(|(_, position)| *position));
        } else {
            positions.extend(self.exact.get(host).into_iter().flatten());
        }
        positions.sort_unstable();
        positions.dedup();
        positions.into_iter().filter_map(|position| self.items.get(position as usize))
    }

    /// The items that cover a host, the most specific first: its own name, then the longest wildcard.
    pub(super) fn covering(&self, host: &str) -> impl Iterator<Item = &(String, T)> {
        let literal = host.strip_prefix('*').unwrap_or(host).to_owned();
        let exact = (!host.starts_with('*')).then(|| self.exact.get(host)).flatten();
        let wildcards = self.lengths.iter().filter_map(move |length| {
            let at = literal.len().checked_sub(*length)?;
            self.wildcards.get(literal.get(at..)?)
        });
        let positions = exact.into_iter().chain(wildcards).flatten();
        positions.filter_map(|position| self.items.get(*position as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        assert_eq!(normalized("WWW.Example.com."), "www.example.com");
        assert_eq!(normalized("::1"), "[::1]");
        assert_eq!(normalized("10.0.0.1"), "10.0.0.1");
        let full = |host| full_name(host, "ns", ClusterDomain("cluster.local"));
        assert_eq!(full("Reviews"), "reviews.ns.svc.cluster.local");
        assert_eq!(full("a.b"), "a.b");
        assert_eq!(full("*"), "*");
        assert_eq!(full("::1"), "[::1]");
    }

    #[test]
    fn namespaces_of_server_hosts() {
        let list = |hosts: &[&str]| {
            let hosts: Vec<_> =
                hosts.iter().map(|h| Spanned::new((*h).to_owned(), Default::default())).collect();
            let text = |h: ServerHost| format!("{}/{}", h.namespace.unwrap_or_default(), h.host);
            ServerHost::list(&hosts, "own").into_iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(list(&["A.com", "./b", "*/c", "ns/*"]), ["/a.com", "own/b", "/c", "ns/*"]);
        assert_eq!(list(&["ns/a", "*/*"]), ["/*"]);
    }

    #[test]
    fn what_overlaps() {
        let hosts = ["*", "*.example.com", "a.example.com", "*.b.example.com", "example.com", "c.org"];
        let set = HostSet::new(hosts.iter().map(|h| ((*h).to_owned(), ())).collect());
        let overlapping = |host| set.overlapping(host).map(|(h, ())| h.as_str()).collect::<Vec<_>>();
        assert_eq!(overlapping("a.example.com"), ["*", "*.example.com", "a.example.com"]);
        assert_eq!(overlapping("x.b.example.com"), ["*", "*.example.com", "*.b.example.com"]);
        assert_eq!(overlapping("*.example.com"), ["*", "*.example.com", "a.example.com", "*.b.example.com"]);
        assert_eq!(overlapping("*"), hosts);
        assert_eq!(overlapping("example.com"), ["*", "example.com"]);
        assert_eq!(
            overlapping("*e.com"),
            ["*", "*.example.com", "a.example.com", "*.b.example.com", "example.com"]
        );
        let covering = |host| set.covering(host).map(|(h, ())| h.as_str()).collect::<Vec<_>>();
        assert_eq!(covering("x.b.example.com"), ["*.b.example.com", "*.example.com", "*"]);
        assert_eq!(covering("c.org"), ["c.org", "*"]);
        assert_eq!(covering("*.example.com"), ["*.example.com", "*"]);
    }

    #[test]
    fn overlap_is_what_covers_says() {
        let hosts = ["*", "*.a", "a", "b.a", "*.b.a", "*a", "*-x.a", "y-x.a", "c.b.a"];
        let set = HostSet::new(hosts.iter().map(|h| ((*h).to_owned(), ())).collect());
        for host in hosts {
            let expected: Vec<_> =
                hosts.iter().filter(|h| covers(h, host) || covers(host, h)).copied().collect();
            let actual: Vec<_> = set.overlapping(host).map(|(h, ())| h.as_str()).collect();
            assert_eq!(actual, expected, "{host}");
        }
    }
}
