//! What a reload has changed, in one line.

use super::carry::Carried;
use crate::table::{BindAddress, Chain, ChainAction, Listener, Snapshot};
use std::{collections::HashMap, fmt};

/// How many are new, are gone, and are others under the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Difference {
    added: usize,
    removed: usize,
    changed: usize,
}

/// What a reload has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    listeners: Difference,
    clusters: Difference,
    routes: [usize; 2],
    hosts: [usize; 2],
    certificates: usize,
}

impl Changes {
    pub(super) fn between(
        before: &Snapshot,
        after: &Snapshot,
        carried: &Carried,
        certificates: usize,
    ) -> Changes {
        let was = carried.was.iter().flatten().count();
        Changes {
            listeners: listeners(&before.listeners, &after.listeners),
            clusters: Difference {
                added: after.clusters.len() - was,
                removed: before.clusters.len().saturating_sub(was),
                changed: was - carried.goes_on.iter().flatten().count(),
            },
            routes: [routes(before), routes(after)],
            hosts: [hosts(before), hosts(after)],
            certificates,
        }
    }
}

fn hosts(snapshot: &Snapshot) -> usize {
    snapshot.route_tables.iter().map(|table| table.virtual_hosts.len()).sum()
}

fn routes(snapshot: &Snapshot) -> usize {
    let hosts = snapshot.route_tables.iter().flat_map(|table| &table.virtual_hosts);
    hosts.map(|host| host.routes.len()).sum()
}

fn listeners(before: &[Listener], after: &[Listener]) -> Difference {
    let known: HashMap<&BindAddress, &Listener> = before.iter().map(|l| (&l.bind, l)).collect();
    let mut difference = Difference::default();
    for listener in after {
        match known.get(&listener.bind) {
            None => difference.added += 1,
            Some(old) if !is_like(&old.chain, &listener.chain) => difference.changed += 1,
            Some(_) => {}
        }
    }
    difference.removed = (before.len() + difference.added).saturating_sub(after.len());
    difference
}

/// Whether connections are taken in the same way; where they go to is what routes say.
fn is_like(one: &Chain, other: &Chain) -> bool {
    let kind = |action: &ChainAction| std::mem::discriminant(action);
    match (one, other) {
        (Chain::Http(_), Chain::Http(_)) => true,
        (Chain::Tcp(one), Chain::Tcp(other)) => one.protocol == other.protocol,
        (Chain::Tls(one), Chain::Tls(other)) => {
            let (one, other) = (one.chains(), other.chains());
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| {
                    one.server_names == other.server_names
                        && one.alpn == other.alpn
                        && kind(&one.action) == kind(&other.action)
                })
        }
        _ => false,
    }
}

impl Difference {
    fn text(self, what: &str) -> Option<String> {
        let Difference { added, removed, changed } = self;
        let parts = [(added, '+'), (removed, '-'), (changed, '~')];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(number, sign)| format!("{sign}{number}")).collect();
        (!parts.is_empty()).then(|| format!("{what} {}", parts.join(" ")))
    }
}

impl fmt::Display for Changes {
    /// `listeners +1 -2 ~1, hosts 1 -> 2, routes 12 -> 13, clusters +1, certificates ~1`; what stays is not said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moved = |what: &str, [before, after]: [usize; 2]| {
            (before != after).then(|| format!("{what} {before} -> {after}"))
        };
        let certificates = Difference { changed: self.certificates, ..Difference::default() };
        let parts = [
            self.listeners.text("listeners"),
            moved("hosts", self.hosts),
            moved("routes", self.routes),
            self.clusters.text("clusters"),
            certificates.text("certificates"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match parts.as_slice() {
            [] => f.write_str("as many listeners, hosts, routes and clusters as before"),
            parts => f.write_str(&parts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Source, TableId};

    fn listener(port: u16) -> Listener {
        Listener {
            name: "l".into(),
            bind: BindAddress::Tcp(([127, 0, 0, 1], port).into()),
            chain: Chain::Http(TableId(0)),
            source: Source::built_in("Gateway a/b"),
        }
    }

    #[test]
    fn only_what_differs_is_said() {
        let before =
            Snapshot { listeners: vec![listener(1), listener(2), listener(3)], ..Snapshot::default() };
        let after = Snapshot { listeners: vec![listener(2), listener(4)], ..Snapshot::default() };
        let changes = Changes::between(&before, &after, &Carried::default(), 2);
        assert_eq!(changes.to_string(), "listeners +1 -2, certificates ~2");
        let none = Changes::between(&after, &after, &Carried::default(), 0);
        assert_eq!(none.to_string(), "as many listeners, hosts, routes and clusters as before");
    }
}
