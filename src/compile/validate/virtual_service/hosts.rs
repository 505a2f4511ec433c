//! The hosts of a VirtualService.

use super::{
    super::{names, place::Place},
    Scope,
};
use crate::config::{Diagnostic, Spanned, resources::VirtualService};
use std::collections::HashMap;

pub(super) fn check(spec: &VirtualService, scope: &Scope<'_>, at: &Place<'_>) {
    let allows_sni = spec.tls.iter().flat_map(|route| &route.r#match).any(|m| !m.sni_hosts.is_empty());
    let mut all_are_good = true;
    for (at, host) in at.items("hosts", &spec.hosts) {
        let shown = host.escape_debug();
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
        check_overlaps(&spec.hosts, at);
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
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        is_number && (subset.is_empty() || names::is_dns_label(subset)) && names::check_domain(host).is_ok()
    })
}

/// No host may be the same as another one, or be covered by it.
fn check_overlaps(hosts: &[Spanned<String>], at: &Place<'_>) {
    // What follows the `*`, which the names that it covers end with.
    let mut wildcards: HashMap<String, &Spanned<String>> = HashMap::new();
    let mut exact: HashMap<String, &Spanned<String>> = HashMap::new();
    for (at, host) in at.items("hosts", hosts) {
        let name = host.to_ascii_lowercase();
        let same = match name.strip_prefix('*') {
            Some(suffix) => wildcards.insert(suffix.to_owned(), host),
            None => exact.insert(name, host),
        };
        if let Some(first) = same {
            let problem =
                Diagnostic::error("duplicate-host", format!("the host `{}` is listed twice", **host));
            at.report(problem.label(first.span, "the first one"));
        }
    }
    for (at, host) in at.items("hosts", hosts) {
        let name = host.to_ascii_lowercase();
        let (begin, covered) = match name.strip_prefix('*') {
            Some(suffix) => (1, suffix),
            None => (0, name.as_str()),
        };
        let suffixes = (begin..=covered.len()).filter_map(|at| covered.get(at..));
        if let Some(wider) = suffixes.filter_map(|suffix| wildcards.get(suffix)).next() {
            let problem = Diagnostic::error(
                "duplicate-host",
                format!("the host `{}` is covered by `{}`", **host, ***wider),
            );
            let problem = problem.label(wider.span, "this covers it");
            at.report(problem.help("remove one of the two, or put it into a VirtualService of its own"));
        }
    }
}
