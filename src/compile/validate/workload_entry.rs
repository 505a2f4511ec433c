//! `WorkloadEntry`, by itself and as an endpoint of a ServiceEntry.

use super::{
    names,
    place::{Findings, Place, text},
    scalars::{check_dns_label, check_labels, check_port},
    wording::{list, shown},
};
use crate::config::{Diagnostic, Resource, resources::WorkloadEntry};
use std::collections::BTreeSet;

#[cfg(test)]
mod tests;

/// What an endpoint's address may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addresses {
    /// IP addresses and Unix sockets.
    Static,
    /// IP addresses and names to resolve.
    Names,
    /// All of these: it is not known yet which ServiceEntry selects it.
    Any,
}

pub(super) fn check(entry: &Resource<WorkloadEntry>, findings: &Findings<'_>) {
    check_endpoint(&entry.spec, Addresses::Any, None, &findings.root("spec", entry.span));
}

/// `ports`: the names of the service's ports, if they are known.
pub(super) fn check_endpoint(
    entry: &WorkloadEntry,
    addresses: Addresses,
    ports: Option<&BTreeSet<&str>>,
    at: &Place<'_>,
) {
    check_address(entry, addresses, ports, at);
    for (at, name, number) in at.entries("ports", &entry.ports) {
        check_port(**number, &at);
        let at = at.pointing_at(name.span);
        if ports.is_some_and(|ports| !ports.contains(name.as_str())) {
            let problem =
                Diagnostic::error("unknown-port", format!("the service has no port `{}`", shown(name)));
            let help =
                format!("its ports are {}", ports.map_or(String::new(), |ports| list(ports.iter().copied())));
            at.report(problem.help(help));
        } else {
            check_dns_label(name, "the name of a port", "bad-name", &at);
        }
    }
    check_labels("labels", &entry.labels, at);
}

fn check_address(
    entry: &WorkloadEntry,
    addresses: Addresses,
    ports: Option<&BTreeSet<&str>>,
    at: &Place<'_>,
) {
    let Some(address) = text(&entry.address) else {
        return match text(&entry.network) {
            None => {
                let problem = super::place::missing("address");
                at.absent("address")
                    .report(problem.help("write an IP address, or a name with resolution DNS"));
            }
            Some(_) => {
                let problem =
                    Diagnostic::warning("no-address", "without `address` the endpoint can't be reached");
                at.absent("address").report(problem.help("gateways between networks are not supported here"));
            }
        };
    };
    let at_address = at.field("address", address);
    let written = shown(address);
    if let Some(path) = address.strip_prefix("unix://") {
        if addresses == Addresses::Names {
            let problem = Diagnostic::error("bad-address", "a Unix socket can't be resolved");
            at_address.report(problem.help("write `resolution: STATIC`"));
        } else if !names::is_socket_path(path) {
            let problem =
                Diagnostic::error("bad-address", format!("`{}` is not the path of a socket", shown(path)));
            at_address.report(problem.help("expected an absolute path as in `unix:///run/app.sock`"));
        }
        if let Some((name, _)) = entry.ports.first() {
            let problem = Diagnostic::error("conflicting-fields", "a Unix socket has no ports");
            at.absent("ports")
                .pointing_at(name.span)
                .report(problem.label(address.span, "the socket").help("remove `ports`"));
        }
        if ports.is_some_and(|ports| ports.len() != 1) {
            let problem =
                Diagnostic::error("conflicting-fields", "a service with a Unix socket has exactly one port");
            at_address.report(problem.help("make a ServiceEntry for each port"));
        }
        return;
    }
    let checked = names::check_domain(address);
    let problem = match checked {
        _ if names::is_ip(address) => return,
        Ok(()) if addresses != Addresses::Static => return,
        Ok(()) => Diagnostic::error("bad-address", format!("`{written}` is not an IP address"))
            .help("write an IP address, or `resolution: DNS`"),
        Err(_) if addresses == Addresses::Static => {
            Diagnostic::error("bad-address", format!("`{written}` is not an IP address"))
                .help("expected an IP address without a port: that is in `ports`")
        }
        Err(error) => Diagnostic::error(
            "bad-address",
            format!("`{written}` is neither an IP address nor a name: {error}"),
        )
        .help("expected an IP address or a full domain name, without a port: that is in `ports`"),
    };
    at_address.report(problem);
}
