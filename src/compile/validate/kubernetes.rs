//! Kubernetes' own kinds: what the API server would refuse, as far as a gateway looks at it.

use super::{
    names,
    place::{Findings, Place, missing, text},
    scalars::{check_dns_label, check_port},
    wording::shown,
};
use crate::config::{
    Diagnostic, Resource, Span, Spanned,
    resources::{
        AddressType, Bytes, ConfigMap, EndpointAddress, EndpointPort, EndpointSlice, Endpoints, IntOrString,
        KubernetesServicePort, Map, Secret, Service, ServiceType, SliceEndpoint, TransportProtocol,
    },
};
use std::{collections::HashMap, net::IpAddr};

#[cfg(test)]
mod tests;

/// The label by which an EndpointSlice belongs to a Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The annotation with the namespaces that a Service is for.
const EXPORT_TO: &str = "networking.istio.io/exportTo";
/// The longest key of a Secret or ConfigMap, in bytes.
const KEY_BYTES_MAX: usize = 253;
/// The most addresses of one endpoint of an EndpointSlice.
const SLICE_ADDRESSES_MAX: usize = 100;

pub(super) fn check_service(service: &Resource<Service>, findings: &Findings<'_>) {
    let name = &service.meta.name;
    if name.contains('.') {
        let problem =
            Diagnostic::error("bad-name", format!("`{}` can't be the name of a Service", shown(name)));
        let help = "it is one label of the Service's host, so it has no dots";
        findings.root("metadata", name.span).field("name", name).report(problem.help(help));
    }
    check_export_annotation(service, findings);
    let spec = &service.spec;
    let at = findings.root("spec", service.span);
    let is_external = spec.r#type.as_ref().is_some_and(|kind| **kind == ServiceType::ExternalName);
    if is_external {
        check_external_name(spec, &at);
    }
    let is_headless = text(&spec.cluster_ip).is_some_and(|address| **address == "None");
    if spec.ports.is_empty() && !is_external && !is_headless {
        at.absent("ports")
            .report(missing("ports").help("only a headless Service (`clusterIP: None`) may have none"));
    }
    check_service_ports(&spec.ports, &at);
    let check_address = |address: &str, at: &Place<'_>| {
        if !address.is_empty() && address != "None" && !names::is_ip(address) {
            let problem =
                Diagnostic::error("bad-address", format!("`{}` is not an IP address", shown(address)));
            at.report(problem.help("expected an IP address, or `None` for a headless Service"));
        }
    };
    if let Some(address) = &spec.cluster_ip {
        check_address(address, &at.field("clusterIP", address));
    }
    for (at, address) in at.items("clusterIPs", &spec.cluster_ips) {
        check_address(address, &at);
    }
}

fn check_external_name(spec: &Service, at: &Place<'_>) {
    let help = "a Service of type ExternalName stands for another name";
    let Some(name) = at.require_text("externalName", &spec.external_name, help) else { return };
    if !names::is_ip(name)
        && let Err(error) = names::check_domain(name)
    {
        let problem = Diagnostic::error("bad-host", format!("`{}` is not a host: {error}", shown(name)));
        at.field("externalName", name).report(problem.help("expected a full domain name"));
    }
}

fn check_export_annotation(service: &Resource<Service>, findings: &Findings<'_>) {
    let at = findings.root("metadata", service.meta.name.span);
    let annotations = at.entries("annotations", &service.meta.annotations);
    for (at, _, value) in annotations.filter(|(_, key, _)| ***key == EXPORT_TO) {
        let is_known = |entry: &str| matches!(entry, "*" | "." | "~") || names::is_dns_label(entry);
        if let Some(bad) = value.split(',').map(str::trim).find(|entry| !is_known(entry)) {
            let problem =
                Diagnostic::warning("bad-export-to", format!("`{}` is not a namespace", shown(bad)));
            at.report(
                problem.help("expected `*`, `.`, `~` or names of namespaces, with commas between them"),
            );
        }
    }
}

fn check_service_ports(ports: &[Spanned<KubernetesServicePort>], at: &Place<'_>) {
    let mut seen = UniqueNames::new(ports.len());
    let mut numbers: HashMap<(i32, TransportProtocol), Span> = HashMap::new();
    for (at, port) in at.items("ports", ports) {
        seen.check(&port.name, &at);
        let Some(number) = at.require("port", &port.port, "expected 1 to 65535") else { continue };
        let at_number = at.field("port", number);
        check_port(**number, &at_number);
        let transport = port.protocol.as_ref().map(|protocol| **protocol).unwrap_or_default();
        if let Some(first) = numbers.insert((**number, transport), number.span) {
            let problem =
                Diagnostic::error("duplicate-port", format!("two ports have the number {}", **number));
            at_number.report(problem.label(first, "the first one").help("give each port its own number"));
        }
        if let Some(target) = &port.target_port {
            check_target_port(target, &at.field("targetPort", target));
        }
        if let Some(node) = port.node_port.as_ref().filter(|node| ***node != 0) {
            check_port(**node, &at.field("nodePort", node));
        }
    }
}

/// A number, or the name of a container's port.
pub(super) fn check_target_port(target: &IntOrString, at: &Place<'_>) {
    /// The longest name of a service in IANA's registry (RFC 6335 section 5.1).
    const NAME_BYTES_MAX: usize = 15;
    match target {
        IntOrString::Int(number) => check_port(*number, at),
        IntOrString::String(name) => {
            let has_letter = name.bytes().any(|byte| byte.is_ascii_alphabetic());
            if name.len() > NAME_BYTES_MAX || !has_letter || !names::is_dns_label(name) || name.contains("--")
            {
                let problem =
                    Diagnostic::error("bad-name", format!("`{}` can't be the name of a port", shown(name)));
                let help = "expected a number without quotes, or a name of at most 15 letters, digits and single dashes";
                at.report(problem.help(help));
            }
        }
    }
}

/// Names of ports in one list: every port has its own, and one port alone needs none.
struct UniqueNames<'n> {
    is_needed: bool,
    seen: HashMap<&'n str, Span>,
}

impl<'n> UniqueNames<'n> {
    fn new(ports: usize) -> Self {
        UniqueNames { is_needed: ports > 1, seen: HashMap::new() }
    }

    fn check(&mut self, name: &'n Option<Spanned<String>>, at: &Place<'_>) {
        let Some(name) = text(name) else {
            if self.is_needed {
                at.absent("name")
                    .report(missing("name").help("where there are several ports each has a name"));
            }
            return;
        };
        let at = at.field("name", name);
        check_dns_label(name, "the name of a port", "bad-name", &at);
        if let Some(first) = self.seen.insert(name, name.span) {
            let problem =
                Diagnostic::error("duplicate-port-name", format!("two ports are named `{}`", shown(name)));
            at.report(problem.label(first, "the first one").help("give each port its own name"));
        }
    }
}

pub(super) fn check_endpoints(endpoints: &Resource<Endpoints>, findings: &Findings<'_>) {
    let at = findings.object(endpoints.span);
    for (at, subset) in at.items("subsets", &endpoints.spec.subsets) {
        for (name, list) in
            [("addresses", &subset.addresses), ("notReadyAddresses", &subset.not_ready_addresses)]
        {
            for (at, address) in at.items(name, list) {
                check_endpoint_address(address, &at);
            }
        }
        for (at, port) in at.items("ports", &subset.ports) {
            at.require("port", &port.port, "expected 1 to 65535");
        }
        check_endpoint_ports(&subset.ports, &at);
    }
}

fn check_endpoint_address(address: &EndpointAddress, at: &Place<'_>) {
    if let Some(ip) = at.require_text("ip", &address.ip, "expected an IP address")
        && !names::is_ip(ip)
    {
        let problem = Diagnostic::error("bad-address", format!("`{}` is not an IP address", shown(ip)));
        at.field("ip", ip).report(problem.help("expected an IP address without a port: that is in `ports`"));
    }
}

fn check_endpoint_ports(ports: &[Spanned<EndpointPort>], at: &Place<'_>) {
    let mut seen = UniqueNames::new(ports.len());
    for (at, port) in at.items("ports", ports) {
        seen.check(&port.name, &at);
        // In a slice it may be absent: ports are then not restricted.
        if let Some(number) = &port.port {
            check_port(**number, &at.field("port", number));
        }
    }
}

pub(super) fn check_endpoint_slice(slice: &Resource<EndpointSlice>, findings: &Findings<'_>) {
    let at = findings.object(slice.span);
    if slice.meta.labels.get(SERVICE_NAME).is_none_or(|name| name.is_empty()) {
        let problem = Diagnostic::warning(
            "no-service",
            format!("without the label `{SERVICE_NAME}` the slice belongs to no Service"),
        );
        let at = findings.root("metadata", slice.meta.name.span);
        at.absent("labels").report(problem.help("write the name of the Service into the label"));
    }
    let kind =
        at.require("addressType", &slice.spec.address_type, "expected IPv4, IPv6 or FQDN").map(|kind| **kind);
    for (at, endpoint) in at.items("endpoints", &slice.spec.endpoints) {
        check_slice_endpoint(endpoint, kind, &at);
    }
    check_endpoint_ports(&slice.spec.ports, &at);
}

fn check_slice_endpoint(endpoint: &SliceEndpoint, kind: Option<AddressType>, at: &Place<'_>) {
    if endpoint.addresses.is_empty() {
        at.absent("addresses").report(missing("addresses").help("an endpoint has at least one address"));
    }
    if let Some(extra) = endpoint.addresses.get(SLICE_ADDRESSES_MAX) {
        let problem = Diagnostic::error(
            "too-many-items",
            format!("more than {SLICE_ADDRESSES_MAX} addresses of one endpoint"),
        );
        at.absent("addresses").pointing_at(extra.span).report(problem);
    }
    for (at, address) in at.items("addresses", &endpoint.addresses) {
        let parsed = address.parse::<IpAddr>();
        let (is_good, expected) = match kind {
            Some(AddressType::Ipv4) => (matches!(parsed, Ok(IpAddr::V4(_))), "an IPv4 address"),
            Some(AddressType::Ipv6) => (matches!(parsed, Ok(IpAddr::V6(_))), "an IPv6 address"),
            Some(AddressType::Fqdn) => (names::check_domain(address).is_ok(), "a domain name"),
            None => continue,
        };
        if !is_good {
            let problem = Diagnostic::error("bad-address", format!("`{}` is not {expected}", shown(address)));
            at.report(problem.help("the slice says so with `addressType`"));
        }
    }
}

pub(super) fn check_secret(secret: &Resource<Secret>, findings: &Findings<'_>) {
    let at = findings.object(secret.span);
    check_keys("data", &secret.spec.data, &at);
    check_keys("stringData", &secret.spec.string_data, &at);
}

pub(super) fn check_config_map(map: &Resource<ConfigMap>, findings: &Findings<'_>) {
    let at = findings.object(map.span);
    let spec = &map.spec;
    check_keys("data", &spec.data, &at);
    check_keys("binaryData", &spec.binary_data, &at);
    let texts: HashMap<&str, Span> = spec.data.iter().map(|(key, _)| (key.as_str(), key.span)).collect();
    for (at, key, _) in at.entries::<Bytes>("binaryData", &spec.binary_data) {
        if let Some(first) = texts.get(key.as_str()) {
            let problem =
                Diagnostic::error("duplicate-item", format!("`{}` is in `data` already", shown(key)));
            at.pointing_at(key.span)
                .report(problem.label(*first, "the first one").help("remove one of the two"));
        }
    }
}

/// Keys become names of files where a Secret or ConfigMap is mounted.
fn check_keys<T>(name: &'static str, entries: &Map<T>, at: &Place<'_>) {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    for (at, key, _) in at.entries(name, entries) {
        let is_good = (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(is_inner);
        if !is_good || matches!(key.as_str(), "." | "..") {
            let problem = Diagnostic::error("bad-name", format!("`{}` can't be a key", shown(key)));
            at.pointing_at(key.span)
                .report(problem.help("expected at most 253 letters, digits, `-`, `_` and `.`"));
        }
    }
}
