//! The hosts of a VirtualService.

use super::{
    super::{
        names,
        place::Place,
        wording::{list, shown},
    },
    Scope,
};
use crate::config::{Diagnostic, Spanned, resources::VirtualService};
use std::collections::HashMap;

pub(super) fn check(spec: &VirtualService, scope: &Scope<'_>, at: &Place<'_>) {
    let allows_sni = spec.tls.iter().flat_map(|route| &route.r#match).any(|m| !m.sni_hosts.is_empty());
    let mut all_are_good = true;
    for (at, host) in at.items("hosts", &spec.hosts) {
        let shown = shown(host);
        let is_sni = allows_sni && is_auto_passthrough(host);
        let checked = names::check_wildcard_domain(host).map_err(|error| error.to_string());
        match checked {
            _ if is_sni || names::is_ip(host) => {}
            Err(error) => {
                all_are_good = false;
                let problem = Diagnostic::error("bad-host", format!("`{shown}` is not a host: {error}"));
                at.report(problem.help("expected a domain name, `*.` and one, an IP address, or `*`"));
            }
            Ok(()) if **host == "*" && scope.has_mesh() => {
                all_are_good = false;
                let message = "the host `*` would take over every host for every sidecar of the mesh";
                let problem = Diagnostic::error("bad-host", message);
                let help =
                    "bind the VirtualService to Gateways alone: `gateways: [namespace/name]`, without `mesh`";
                at.report(problem.help(help));
            }
            Ok(()) => {}
        }
    }
    if all_are_good {
        scope.hosts.check_overlaps(at);
    }
}

/// The SNI by which east-west gateways find a destination: `outbound_.<port>_.<subset>_.<host>`.
pub(super) fn is_auto_passthrough(host: &str) -> bool {
    let parts = host.strip_prefix("outbound_.").and_then(|rest| {
        let (port, rest) = rest.split_once("_.")?;
        let (subset, host) = rest.split_once("_.")?;
        Some((port, subset, host))
    });
    parts.is_some_and(|(port, subset, host)| {
        port.parse::<u16>().is_ok_and(|port| port > 0)
            && (subset.is_empty() || names::is_dns_label(subset))
            && names::check_domain(host).is_ok()
    })
}

/// The hosts of a VirtualService, found by the names that they cover.
pub(super) struct HostIndex<'v> {
    hosts: &'v [Spanned<String>],
    exact: HashMap<String, &'v Spanned<String>>,
    /// By what stands behind the `*`, with which the names that it covers end.
    wildcards: HashMap<String, &'v Spanned<String>>,
}

impl<'v> HostIndex<'v> {
    /// Of hosts that are listed twice the first is kept.
    pub(super) fn new(spec: &'v VirtualService) -> Self {
        let mut index = HostIndex { hosts: &spec.hosts, exact: HashMap::new(), wildcards: HashMap::new() };
        for host in index.hosts {
            let name = host.to_ascii_lowercase();
            match name.strip_prefix('*') {
                Some(suffix) => index.wildcards.entry(suffix.to_owned()).or_insert(host),
                None => index.exact.entry(name).or_insert(host),
            };
        }
        index
    }

    /// Whether a name, which may be a wildcard, is one of the hosts or covered by one. It must be a good name, and so a
    /// short one.
    pub(super) fn covers(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        match name.strip_prefix('*') {
            Some(suffix) => self.wildcard_behind(suffix, 0).is_some(),
            None => self.exact.contains_key(&name) || self.wildcard_behind(&name, 0).is_some(),
        }
    }

    /// For messages.
    pub(super) fn list(&self) -> String {
        list(self.hosts.iter().map(|host| host.as_str()))
    }

    /// The longest wildcard that covers names with this ending, of which at least `from` bytes are in front of it.
    fn wildcard_behind(&self, ending: &str, from: usize) -> Option<&'v Spanned<String>> {
        let suffixes = (from..=ending.len()).filter_map(|at| ending.get(at..));
        suffixes.filter_map(|suffix| self.wildcards.get(suffix)).next().copied()
    }

    /// No host may be the same as another one, or be covered by it. All must be good names.
    fn check_overlaps(&self, at: &Place<'_>) {
        for (at, host) in at.items("hosts", self.hosts) {
            let name = host.to_ascii_lowercase();
            let (same, wider) = match name.strip_prefix('*') {
                Some(suffix) => (self.wildcards.get(suffix), self.wildcard_behind(suffix, 1)),
                None => (self.exact.get(&name), self.wildcard_behind(&name, 0)),
            };
            if let Some(first) = same.filter(|first| first.span != host.span) {
                let problem =
                    Diagnostic::error("duplicate-host", format!("the host `{}` is listed twice", **host));
                at.report(problem.label(first.span, "the first one"));
            } else if let Some(wider) = wider {
                let message = format!("the host `{}` is covered by `{}`", **host, **wider);
                let problem =
                    Diagnostic::error("duplicate-host", message).label(wider.span, "this covers it");
                at.report(problem.help("remove one of the two, or put it into a VirtualService of its own"));
            }
        }
    }
}
