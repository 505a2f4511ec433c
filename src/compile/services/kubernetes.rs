//! Kubernetes Services and their endpoints.

use super::{
    Definitions, EndpointSources, Kind, Report, Service, ServicePort, Site, has_labels,
    pool::{Pool, tcp_endpoint},
};
use crate::{
    compile::{
        host_name::{ClusterDomain, full_name},
        origin::title,
        scope::in_creation_order,
        validate::Protocol,
    },
    config::{
        Resource, Resources, Spanned,
        resources::{
            self, EndpointPort, EndpointSlice, IntOrString, KubernetesServicePort, Map, SliceEndpoint,
            TransportProtocol,
        },
    },
    table::Endpoint,
};
use std::net::{IpAddr, SocketAddr};

/// All Services.
pub(super) fn services<'r>(
    resources: &'r Resources,
    domain: ClusterDomain<'_>,
    viewer: &str,
    report: &Report,
) -> Vec<Service<'r>> {
    let good = resources.services.iter().filter(|service| !report.is_broken(&service.object));
    let service = |resource: &'r Resource<resources::Service>| {
        let namespace = resource.meta.namespace.as_str();
        Service {
            host: full_name(&resource.meta.name, namespace, domain),
            namespace,
            object: &resource.object,
            title: title(&resource.object),
            span: resource.meta.name.span,
            kind: Kind::Kubernetes(resource),
            is_visible: is_visible(resource, viewer),
            ports: resource.spec.ports.iter().filter_map(port).collect(),
        }
    };
    in_creation_order(good).into_iter().map(service).collect()
}

/// `networking.istio.io/exportTo`: names of namespaces with commas between them.
fn is_visible(resource: &Resource<resources::Service>, viewer: &str) -> bool {
    const EXPORT_TO: &str = "networking.istio.io/exportTo";
    let Some(list) = resource.meta.annotations.get(EXPORT_TO).filter(|list| !list.trim().is_empty()) else {
        return true;
    };
    list.split(',').map(str::trim).any(|name| match name {
        "*" => true,
        "." => resource.meta.namespace.value == viewer,
        name => name == viewer,
    })
}

/// Ports of other transports than TCP carry no requests.
fn port(port: &Spanned<KubernetesServicePort>) -> Option<ServicePort<'_>> {
    let transport = port.protocol.as_ref().map_or(TransportProtocol::Tcp, |protocol| protocol.value);
    if transport != TransportProtocol::Tcp {
        return None;
    }
    let name = port.name.as_ref().map_or("", |name| name.value.as_str());
    let app_protocol = port.app_protocol.as_ref().map(|protocol| protocol.value.as_str());
    Some(ServicePort {
        number: port.port.as_ref().and_then(|number| u16::try_from(number.value).ok())?,
        name,
        protocol: match app_protocol.filter(|protocol| !protocol.is_empty()) {
            Some(app_protocol) => protocol_of_app(app_protocol),
            None => protocol_of_name(name),
        },
        span: port.span,
        definitions: Definitions::Kubernetes(port),
    })
}

/// `appProtocol`, which is a name of Istio's or one of Kubernetes' own.
fn protocol_of_app(app_protocol: &str) -> Option<Protocol> {
    match app_protocol.to_ascii_lowercase().as_str() {
        "kubernetes.io/h2c" => Some(Protocol::Http2),
        "kubernetes.io/ws" => Some(Protocol::Http),
        "kubernetes.io/wss" => Some(Protocol::Https),
        other => Protocol::parse(other),
    }
}

/// What stands before the first `-` of a port's name.
fn protocol_of_name(name: &str) -> Option<Protocol> {
    let name = name.to_ascii_lowercase();
    if name == "grpc-web" || name.starts_with("grpc-web-") {
        return Some(Protocol::GrpcWeb);
    }
    Protocol::parse(name.split('-').next().unwrap_or(&name)).filter(|protocol| *protocol != Protocol::Udp)
}

/// The endpoints of a port: those of the EndpointSlices, else those of the Endpoints, and the WorkloadEntries that the
/// Service selects. What labels pods have is not in any of the first two, so a subset with labels selects none of them.
pub(super) fn pool<'r>(
    service: &Resource<resources::Service>,
    port: &KubernetesServicePort,
    subset: &Map<String>,
    sources: &EndpointSources<'r>,
) -> Pool<'r> {
    let key = (service.meta.namespace.as_str(), service.meta.name.as_str());
    let takes_all = service.spec.publish_not_ready_addresses.as_ref().is_some_and(|switch| switch.value);
    let port_name = port.name.as_ref().map_or("", |name| name.value.as_str());
    let slices = sources.slices.get(&key);
    let endpoints = sources.endpoints.get(&key);
    let mut pool: Vec<(Endpoint, Site<'r>)> = Vec::new();
    if let Some(slices) = slices {
        pool.extend(slices.iter().flat_map(|slice| of_slice(slice, port_name, takes_all)));
    } else if let Some(endpoints) = endpoints {
        pool.extend(of_endpoints(endpoints, port_name, takes_all));
    }
    let has_pods = !pool.is_empty();
    if !subset.is_empty() {
        pool.clear();
    }
    let selected = sources.selected(key.0, &service.spec.selector);
    let workloads = selected.iter().filter(|workload| has_labels(workload, subset));
    pool.extend(workloads.filter_map(|workload| {
        Some((of_workload(&workload.spec, port, port_name)?, Site::Object(workload)))
    }));
    Pool::fixed(pool, || {
        match (slices.is_some() || endpoints.is_some(), has_pods) {
        (_, true) => "which labels the pods have is not in Endpoints and EndpointSlices, so the subset selects none; a ServiceEntry with labels on its endpoints can".to_owned(),
        (true, false) => format!("no ready address in its Endpoints or EndpointSlices has the port `{port_name}`"),
        (false, false) => format!(
            "there is no EndpointSlice or Endpoints of {}/{} among the files; add one, or use a ServiceEntry",
            key.0, key.1
        ),
    }
    })
}

fn of_slice<'r>(
    slice: &'r Resource<EndpointSlice>,
    port_name: &str,
    takes_all: bool,
) -> impl Iterator<Item = (Endpoint, Site<'r>)> + use<'r> {
    let number = number_of(&slice.spec.ports, port_name);
    let is_ready = move |endpoint: &&Spanned<SliceEndpoint>| {
        let ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready.as_ref());
        takes_all || ready.is_none_or(|ready| ready.value)
    };
    // All addresses of one endpoint are of the same pod: the first one is for everybody.
    slice.spec.endpoints.iter().filter(is_ready).filter_map(move |endpoint| {
        let address: IpAddr = endpoint.addresses.first()?.parse().ok()?;
        let site = Site::Pod(text(&endpoint.zone), text(&endpoint.node_name));
        Some((tcp_endpoint(SocketAddr::new(address, number?), 1), site))
    })
}

fn of_endpoints<'r>(
    endpoints: &'r Resource<resources::Endpoints>,
    port_name: &str,
    takes_all: bool,
) -> impl Iterator<Item = (Endpoint, Site<'r>)> {
    endpoints.spec.subsets.iter().flat_map(move |subset| {
        let number = number_of(&subset.ports, port_name);
        let unready = subset.not_ready_addresses.iter().filter(move |_| takes_all);
        subset.addresses.iter().chain(unready).filter_map(move |address| {
            let site = Site::Pod(None, text(&address.node_name));
            let address: IpAddr = address.ip.as_ref()?.parse().ok()?;
            Some((tcp_endpoint(SocketAddr::new(address, number?), 1), site))
        })
    })
}

fn text(field: &Option<Spanned<String>>) -> Option<&str> {
    field.as_ref().map(|text| text.as_str()).filter(|text| !text.is_empty())
}

/// Ports of endpoints are known by the name of the Service's port.
fn number_of(ports: &[Spanned<EndpointPort>], name: &str) -> Option<u16> {
    let port = ports.iter().find(|port| port.name.as_ref().map_or("", |name| name.value.as_str()) == name)?;
    u16::try_from(port.port.as_ref()?.value).ok()
}

fn of_workload(
    workload: &resources::WorkloadEntry,
    port: &KubernetesServicePort,
    port_name: &str,
) -> Option<Endpoint> {
    let address: IpAddr = workload.address.as_ref()?.parse().ok()?;
    let target = match port.target_port.as_ref().map(|target| &target.value) {
        Some(IntOrString::Int(number)) if *number != 0 => u16::try_from(*number).ok(),
        Some(IntOrString::String(name)) => {
            workload.ports.get(name).and_then(|number| u16::try_from(number.value).ok())
        }
        _ => u16::try_from(port.port.as_ref()?.value).ok(),
    };
    let own = workload.ports.get(port_name).and_then(|number| u16::try_from(number.value).ok());
    let weight = workload.weight.as_ref().map_or(1, |weight| weight.value);
    Some(tcp_endpoint(SocketAddr::new(address, own.or(target)?), weight))
}
