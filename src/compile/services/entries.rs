//! ServiceEntries and WorkloadEntries (specification section 4.7).

use super::{
    Definition, Definitions, EndpointSources, Kind, Registry, Report, Service, ServiceId, ServicePort, Site,
    has_labels,
    pool::{Pool, tcp_endpoint},
};
use crate::{
    compile::{
        host_name::normalized,
        origin::title,
        scope::{Owner, Visibility, in_creation_order, visibility},
        validate::Protocol,
    },
    config::{
        Diagnostic, Resource, Resources, Spanned,
        resources::{Map, Resolution, ServiceEntry, WorkloadEntry},
    },
    table::{DnsKind, DnsName, Endpoint, EndpointAddress, Placement},
};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

/// One service for each host and namespace. ServiceEntries that share both are merged: endpoints of a port are put
/// together, and the first decides everything else.
pub(super) fn services<'r>(
    resources: &'r Resources,
    viewer: &str,
    export_to: &[Spanned<String>],
    report: &mut Report,
) -> Vec<Service<'r>> {
    let good: Vec<_> = resources.service_entries.iter().filter(|e| !report.is_broken(&e.object)).collect();
    let mut services: Vec<Service<'r>> = Vec::new();
    let mut positions: HashMap<(String, &str, bool), usize> = HashMap::new();
    for entry in in_creation_order(good.into_iter()) {
        let namespace = entry.meta.namespace.as_str();
        let how = visibility(&entry.spec.export_to, export_to, Owner(namespace), viewer);
        let is_visible = how != Visibility::Hidden;
        let title = title(&entry.object);
        for host in &entry.spec.hosts {
            let host = normalized(host);
            let key = (host.clone(), namespace, is_visible);
            let position = *positions.entry(key).or_insert_with(|| {
                services.push(Service {
                    host,
                    namespace,
                    object: &entry.object,
                    title: title.clone(),
                    span: entry.meta.name.span,
                    kind: Kind::Entries,
                    is_visible,
                    ports: Vec::new(),
                });
                services.len() - 1
            });
            if let Some(service) = services.get_mut(position) {
                add_ports(service, entry, report);
            }
        }
    }
    services
}

fn add_ports<'r>(service: &mut Service<'r>, entry: &'r Resource<ServiceEntry>, report: &mut Report) {
    for port in &entry.spec.ports {
        let Some(number) = port.number.as_ref().and_then(|number| u16::try_from(number.value).ok()) else {
            continue;
        };
        let protocol = port.protocol.as_ref().and_then(|protocol| Protocol::parse(protocol));
        let definition = Definition { entry, port };
        let Some(known) = service.ports.iter_mut().find(|known| known.number == number) else {
            service.ports.push(ServicePort {
                number,
                name: port.name.as_ref().map_or("", |name| &name.value),
                protocol,
                span: port.span,
                definitions: Definitions::Entries(vec![definition]),
            });
            continue;
        };
        let Definitions::Entries(definitions) = &mut known.definitions else { continue };
        if let Some(first) = definitions.first().copied() {
            report_differences(&service.host, first, definition, (known.protocol, protocol), report);
        }
        definitions.push(definition);
    }
}

fn report_differences(
    host: &str,
    first: Definition<'_>,
    second: Definition<'_>,
    (first_protocol, second_protocol): (Option<Protocol>, Option<Protocol>),
    report: &mut Report,
) {
    let resolution = |definition: Definition<'_>| {
        definition.entry.spec.resolution.as_ref().map(|r| r.value).unwrap_or_default()
    };
    let number = second.port.number.as_ref().map_or(0, |number| number.value);
    let message = if resolution(first) != resolution(second) {
        format!(
            "the endpoints of `{host}`, port {number}, here are not used: its resolution is {}, and {} has {}",
            resolution(second).name(),
            first.entry.object,
            resolution(first).name()
        )
    } else if first_protocol != second_protocol {
        format!(
            "the protocol of `{host}`, port {number}, here is not used: {} has another one",
            first.entry.object
        )
    } else {
        return;
    };
    report.add("service-conflict", second.port.span, || {
        Diagnostic::warning("service-conflict", message)
            .about(&second.entry.object)
            .field("spec.ports")
            .label(first.port.span, "this one comes first and decides")
    });
}

/// Reports ServiceEntries that no destination can mean, because a Service of Kubernetes has their host and namespace.
pub(super) fn report_hidden(registry: &Registry<'_>, of_kubernetes: usize, report: &mut Report) {
    for loser in registry.services.iter().skip(of_kubernetes) {
        let same = |id: &&ServiceId| {
            let winner = registry.service(**id);
            winner.is_some_and(|w| matches!(w.kind, Kind::Kubernetes(_)) && w.namespace == loser.namespace)
        };
        let winner = registry.with_host(&loser.host).iter().find(same).and_then(|id| registry.service(*id));
        let Some(winner) = winner else { continue };
        report.add("service-conflict", loser.span, || {
            let message = format!("`{}` is not used: {} has the same host", loser.host, winner.object);
            Diagnostic::warning("service-conflict", message)
                .about(loser.object)
                .field("spec.hosts")
                .label(winner.span, "a Service of Kubernetes comes first")
        });
    }
}

/// The endpoints of a port. The first definition decides where they come from.
pub(super) fn pool<'r>(
    host: &str,
    definitions: &[Definition<'r>],
    subset: &Map<String>,
    sources: &EndpointSources<'r>,
) -> Pool<'r> {
    let Some(first) = definitions.first() else { return Pool::empty("it has no definition") };
    let resolution_of = |definition: &Definition<'_>| {
        definition.entry.spec.resolution.as_ref().map(|r| r.value).unwrap_or_default()
    };
    let resolution = resolution_of(first);
    let same = definitions.iter().filter(|definition| resolution_of(definition) == resolution);
    let why = || why_empty(first, subset);
    match resolution {
        Resolution::None => Pool::empty(
            "its resolution is NONE: the client's own destination address is used, which a gateway does not know",
        ),
        Resolution::DynamicDns => Pool::empty("resolution DYNAMIC_DNS is not supported on a gateway"),
        Resolution::Static => {
            let endpoints = same.flat_map(|definition| {
                written(definition, subset, sources).filter_map(|endpoint| fixed(definition, &endpoint))
            });
            Pool::fixed(endpoints.collect(), why)
        }
        Resolution::Dns | Resolution::DnsRoundRobin => {
            let kind = if resolution == Resolution::Dns { DnsKind::Strict } else { DnsKind::Logical };
            let names = same.flat_map(|definition| names(host, definition, subset, sources));
            let mut names: Vec<_> = names.collect();
            if kind == DnsKind::Logical {
                names.truncate(1);
            }
            Pool::named(kind, names, why)
        }
    }
}

fn why_empty(first: &Definition<'_>, subset: &Map<String>) -> String {
    let name = &first.entry.object;
    if !subset.is_empty() {
        return format!("no endpoint of {name} has the labels of the subset");
    }
    match &first.entry.spec.workload_selector {
        Some(_) => format!("no WorkloadEntry in its namespace has the labels that {name} selects"),
        None => format!("{name} has no `endpoints`"),
    }
}

/// An endpoint as written, in the ServiceEntry itself or as an object of its own.
struct Written<'r> {
    entry: &'r WorkloadEntry,
    site: Site<'r>,
}

fn written<'a, 'r>(
    definition: &'a Definition<'r>,
    subset: &'a Map<String>,
    sources: &'a EndpointSources<'r>,
) -> impl Iterator<Item = Written<'r>> + use<'a, 'r> {
    let spec = &definition.entry.spec;
    let inline = spec.endpoints.iter().filter(|endpoint| {
        let has = |(key, value): &(Spanned<String>, Spanned<String>)| {
            endpoint.labels.get(key).is_some_and(|label| label.value == value.value)
        };
        subset.iter().all(has)
    });
    let selected = spec.workload_selector.iter().flat_map(|selector| {
        let workloads = sources.selected(&definition.entry.meta.namespace, &selector.labels);
        workloads.into_iter().filter(|workload| has_labels(workload, subset))
    });
    let inline = inline.map(|e| Written { entry: &e.value, site: Site::Inline(&e.value) });
    inline.chain(selected.map(|w| Written { entry: &w.spec, site: Site::Object(w) }))
}

/// `ports` of the endpoint, then `targetPort`, then the number itself.
fn port_of(definition: &Definition<'_>, endpoint: &WorkloadEntry) -> Option<u16> {
    let name = definition.port.name.as_ref().map_or("", |name| &name.value);
    let target = definition.port.target_port.as_ref().filter(|target| target.value != 0);
    let number = endpoint.ports.get(name).or(target).or(definition.port.number.as_ref())?;
    u16::try_from(number.value).ok()
}

fn weight(endpoint: &WorkloadEntry) -> u32 {
    endpoint.weight.as_ref().map_or(1, |weight| weight.value).max(1)
}

fn fixed<'r>(definition: &Definition<'_>, written: &Written<'r>) -> Option<(Endpoint, Site<'r>)> {
    let endpoint = written.entry;
    let address = endpoint.address.as_ref()?.as_str();
    if let Some(path) = address.strip_prefix("unix://") {
        let address = EndpointAddress::Unix(path.into());
        let placement = Placement::default();
        return Some((
            Endpoint { address, weight: weight(endpoint), placement, health: Default::default() },
            written.site,
        ));
    }
    let address: IpAddr = address.parse().ok()?;
    let address = SocketAddr::new(address, port_of(definition, endpoint)?);
    Some((tcp_endpoint(address, weight(endpoint)), written.site))
}

/// The names of the endpoints; without endpoints, the host itself, which no label selects.
fn names<'r>(
    host: &str,
    definition: &Definition<'r>,
    subset: &Map<String>,
    sources: &EndpointSources<'r>,
) -> Vec<(DnsName, Site<'r>)> {
    let spec = &definition.entry.spec;
    let named = |host: &str, port, weight| DnsName {
        host: host.into(),
        port,
        weight,
        placement: Placement::default(),
    };
    if spec.endpoints.is_empty() && spec.workload_selector.is_none() {
        let port = port_of(definition, &WorkloadEntry::default()).filter(|_| subset.is_empty());
        return port.map(|port| (named(host, port, 1), Site::Unknown)).into_iter().collect();
    }
    let name = |written: Written<'r>| {
        let address = normalized(written.entry.address.as_ref()?);
        let host = address.trim_start_matches('[').trim_end_matches(']');
        let port = port_of(definition, written.entry)?;
        Some((named(host, port, weight(written.entry)), written.site))
    };
    written(definition, subset, sources).filter_map(name).collect()
}
