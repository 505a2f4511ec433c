//! `ServiceEntry` (specification section 4.7).

use super::{
    health_check, names,
    place::{Findings, Place, missing, text, without_effect},
    protocol::Protocol,
    scalars::{check_dns_label, check_export_to, check_port, check_selector},
    wording::shown,
    workload_entry::{self, Addresses},
};
use crate::config::{
    Diagnostic, Resource, Spanned,
    resources::{Resolution, ServiceEntry, ServicePort},
};
use std::collections::{BTreeSet, HashMap};

#[cfg(test)]
mod tests;

pub(super) fn check(entry: &Resource<ServiceEntry>, findings: &Findings<'_>) {
    let spec = &entry.spec;
    health_check::check(&entry.meta, findings);
    let at = findings.root("spec", entry.span);
    let resolution = resolution(spec);
    check_hosts(spec, &at);
    check_addresses(spec, &at);
    check_ports(spec, &at);
    match resolution {
        Resolution::None => check_none(spec, &at),
        Resolution::Static => check_static(spec, &at),
        Resolution::Dns | Resolution::DnsRoundRobin => check_dns(spec, resolution, &at),
        Resolution::DynamicDns => check_dynamic(spec, &at),
    }
    check_one_protocol(spec, &at);
    check_workloads(spec, resolution, &at);
    check_export_to("exportTo", &spec.export_to, &entry.meta.namespace, true, &at);
}

fn resolution(spec: &ServiceEntry) -> Resolution {
    spec.resolution.as_ref().map(|resolution| **resolution).unwrap_or_default()
}

fn check_hosts(spec: &ServiceEntry, at: &Place<'_>) {
    if spec.hosts.is_empty() {
        at.absent("hosts").report(missing("hosts").help("write at least one: destinations name it"));
    }
    for (at, host) in at.items("hosts", &spec.hosts) {
        let shown = shown(host);
        let problem = if **host == "*" {
            Diagnostic::error("bad-host", "`*` can't be a service")
                .help("name the host, or write `*.example.com`")
        } else if names::is_ip(host) {
            Diagnostic::error("bad-host", format!("the address `{shown}` can't be a service"))
                .help("choose a name, and write the address under `endpoints`")
        } else if let Err(error) = names::check_wildcard_domain(host) {
            Diagnostic::error("bad-host", format!("`{shown}` is not a host: {error}"))
                .help("expected a domain name, or `*.` and one; ports go into `ports`")
        } else if names::is_partial_wildcard(host) {
            Diagnostic::warning("partial-wildcard", format!("`*` in `{shown}` is not its whole first part"))
                .help("write `*.example.com`, or list the hosts")
        } else {
            continue;
        };
        at.report(problem);
    }
}

fn check_addresses(spec: &ServiceEntry, at: &Place<'_>) {
    let resolution = resolution(spec);
    for (at, address) in at.items("addresses", &spec.addresses) {
        let shown = shown(address);
        if !names::is_subnet(address) {
            let problem =
                Diagnostic::error("bad-subnet", format!("`{shown}` is not an address or a range of them"));
            at.report(
                problem.help("expected an IP address, or one with the length of its prefix as in 10.0.0.0/8"),
            );
        } else if address.contains('/') && !matches!(resolution, Resolution::None | Resolution::Static) {
            let message = format!("a range of addresses can't go with resolution {}", resolution.name());
            at.report(
                Diagnostic::error("conflicting-fields", message).help("write single addresses, or none"),
            );
        }
    }
}

fn check_ports(spec: &ServiceEntry, at: &Place<'_>) {
    if spec.ports.is_empty() {
        let problem =
            Diagnostic::warning("no-ports", "the service has no ports, so nothing can be sent to it");
        at.absent("ports").report(problem.help("write `ports: [{number: 80, name: http, protocol: HTTP}]`"));
    }
    let mut names: HashMap<&str, &Spanned<String>> = HashMap::new();
    let mut numbers: HashMap<u32, &Spanned<u32>> = HashMap::new();
    for (at, port) in at.items("ports", &spec.ports) {
        if let Some(name) =
            at.require_text("name", &port.name, "every port has a name, unique in the ServiceEntry")
        {
            let at = at.field("name", name);
            check_dns_label(name, "the name of a port", "bad-name", &at);
            if let Some(first) = names.insert(name, name) {
                let problem = Diagnostic::error(
                    "duplicate-port-name",
                    format!("two ports are named `{}`", shown(name)),
                );
                at.report(problem.label(first.span, "the first one").help("give each port its own name"));
            }
        }
        if let Some(number) = at.require("number", &port.number, "expected 1 to 65535") {
            let at = at.field("number", number);
            check_port(**number, &at);
            if let Some(first) = numbers.insert(**number, number) {
                let problem =
                    Diagnostic::error("duplicate-port", format!("two ports have the number {}", **number));
                at.report(problem.label(first.span, "the first one").help("give each port its own number"));
            }
        }
        check_port_target(port, resolution(spec), &at);
        check_port_protocol(port, &at);
    }
}

fn check_port_target(port: &ServicePort, resolution: Resolution, at: &Place<'_>) {
    let Some(target) = port.target_port.as_ref().filter(|target| ***target != 0) else { return };
    let at = at.field("targetPort", target);
    check_port(**target, &at);
    if resolution == Resolution::None {
        at.report(without_effect("targetPort", "with resolution NONE there are no endpoints"));
    }
}

fn check_port_protocol(port: &ServicePort, at: &Place<'_>) {
    let Some(protocol) = text(&port.protocol) else { return };
    let at = at.field("protocol", protocol);
    match Protocol::parse(protocol) {
        None => {
            let problem =
                Diagnostic::error("bad-protocol", format!("`{}` is not a protocol", shown(protocol)));
            at.report(problem.help(format!("expected {}", Protocol::NAMES)));
        }
        Some(Protocol::Udp) => {
            let problem = Diagnostic::warning(
                "no-effect",
                "a gateway does not carry UDP: nothing is sent to this port",
            );
            at.report(problem.help(format!("the others are {}", Protocol::NAMES)));
        }
        Some(_) => {}
    }
}

fn check_none(spec: &ServiceEntry, at: &Place<'_>) {
    if let Some(first) = spec.endpoints.first() {
        let message = match &spec.resolution {
            Some(_) => "resolution NONE has no endpoints",
            None => "without `resolution` it is NONE, which has no endpoints",
        };
        let problem = Diagnostic::error("conflicting-fields", message);
        at.absent("endpoints")
            .pointing_at(first.span)
            .report(problem.help("write `resolution: STATIC` or DNS"));
    }
}

fn check_static(spec: &ServiceEntry, at: &Place<'_>) {
    check_endpoints(spec, Addresses::Static, at);
    if spec.endpoints.is_empty() && spec.workload_selector.is_none() {
        let problem =
            Diagnostic::warning("no-endpoints", "the service has no endpoints: every request gets 503");
        at.absent("endpoints")
            .report(problem.help("write `endpoints` or `workloadSelector`, or `resolution: DNS`"));
    }
}

fn check_dns(spec: &ServiceEntry, resolution: Resolution, at: &Place<'_>) {
    if spec.endpoints.is_empty() {
        for (at, host) in at.items("hosts", &spec.hosts) {
            if host.contains('*') && names::check_wildcard_domain(host).is_ok() {
                let problem = Diagnostic::error("bad-host", format!("`{}` can't be resolved", shown(host)));
                at.report(problem.help("write a full domain name, or `endpoints` with names to resolve"));
            }
        }
    }
    if let Some(second) = spec.endpoints.get(1)
        && resolution == Resolution::DnsRoundRobin
    {
        let problem = Diagnostic::error("too-many-items", "DNS_ROUND_ROBIN has one name to resolve");
        at.absent("endpoints")
            .pointing_at(second.span)
            .report(problem.help("remove the others, or write `resolution: DNS`"));
    }
    check_endpoints(spec, Addresses::Names, at);
}

fn check_dynamic(spec: &ServiceEntry, at: &Place<'_>) {
    for (at, host) in at.items("hosts", &spec.hosts).filter(|(_, host)| !host.starts_with("*.")) {
        let problem = Diagnostic::error(
            "bad-host",
            format!("DYNAMIC_DNS is for wildcards, and `{}` is none", shown(host)),
        );
        at.report(problem.help("write `*.example.com`, or `resolution: DNS`"));
    }
    for (at, port) in at.items("ports", &spec.ports) {
        let Some(protocol) = text(&port.protocol) else { continue };
        let parsed = Protocol::parse(protocol);
        if parsed.is_some_and(|parsed| !parsed.is_http() && !parsed.is_tls()) {
            let problem =
                Diagnostic::error("conflicting-fields", format!("DYNAMIC_DNS can't go with {}", **protocol));
            at.field("protocol", protocol)
                .report(problem.help("the host is in the request for HTTP, and in the SNI for TLS only"));
        }
    }
    let lists = [
        ("addresses", spec.addresses.first().map(|address| address.span)),
        ("endpoints", spec.endpoints.first().map(|endpoint| endpoint.span)),
    ];
    for (name, span) in lists.into_iter().filter_map(|(name, span)| Some((name, span?))) {
        let problem = Diagnostic::error("conflicting-fields", format!("DYNAMIC_DNS has no `{name}`"));
        at.absent(name)
            .pointing_at(span)
            .report(problem.help("each request's own host is resolved: remove them"));
    }
}

fn check_endpoints(spec: &ServiceEntry, addresses: Addresses, at: &Place<'_>) {
    let ports: BTreeSet<&str> =
        spec.ports.iter().filter_map(|port| text(&port.name)).map(|name| name.as_str()).collect();
    for (at, endpoint) in at.items("endpoints", &spec.endpoints) {
        workload_entry::check_endpoint(endpoint, addresses, Some(&ports), &at);
    }
}

/// Without HTTP or TLS nothing in the bytes says which of several hosts is meant.
fn check_one_protocol(spec: &ServiceEntry, at: &Place<'_>) {
    if resolution(spec) == Resolution::None || spec.hosts.len() < 2 {
        return;
    }
    let names_host = |port: &ServicePort| {
        let protocol = text(&port.protocol).map(|protocol| Protocol::parse(protocol));
        protocol
            .is_some_and(|protocol| protocol.is_none_or(|protocol| protocol.is_http() || protocol.is_tls()))
    };
    if let Some((at, port)) = at.items("ports", &spec.ports).find(|(_, port)| !names_host(port)) {
        let message = "several hosts need a protocol that names the host: HTTP or TLS";
        let problem = Diagnostic::error("conflicting-fields", message)
            .help("write `protocol: HTTP`, or one ServiceEntry for each host");
        match text(&port.protocol) {
            Some(protocol) => at.field("protocol", protocol).report(problem),
            None => at.absent("protocol").report(problem),
        }
    }
}

fn check_workloads(spec: &ServiceEntry, resolution: Resolution, at: &Place<'_>) {
    let Some(selector) = &spec.workload_selector else { return };
    let at_selector = at.field("workloadSelector", selector);
    check_selector("labels", &selector.labels, &at_selector);
    if let Some(first) = spec.endpoints.first() {
        let problem =
            super::place::conflicting("workloadSelector", "endpoints").label(selector.span, "the other one");
        at.absent("endpoints").pointing_at(first.span).report(problem.help("remove one of the two"));
    }
    if resolution != Resolution::Static {
        let why = format!("with resolution {} no workloads are selected", resolution.name());
        at_selector.report(without_effect("workloadSelector", &why).help("write `resolution: STATIC`"));
    }
}
