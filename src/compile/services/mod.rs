//! The services that destinations may name: ServiceEntries and Kubernetes Services, with their endpoints.
//!
//! - `entries`: ServiceEntries and WorkloadEntries
//! - `kubernetes`: Services, Endpoints, EndpointSlices
//! - `pool`: endpoints as the table has them
//! - `site`: where an endpoint is, and what labels it has

mod entries;
mod kubernetes;
mod pool;
mod site;

pub(super) use pool::Pool;
pub(super) use site::{LOCALITY_LABEL, Near, REGION_LABEL, SUBZONE_LABEL, Site, ZONE_LABEL};

use super::{
    Workload, host_name::ClusterDomain, mesh::Mesh, origin::Title, report::Report, validate::Protocol,
};
use crate::config::{
    ObjectRef, Resource, Resources, Span, Spanned,
    resources::{self, KubernetesServicePort, Map, ServiceEntry},
};
use std::collections::HashMap;

/// A position in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ServiceId(u32);

/// All services.
pub(super) struct Registry<'r> {
    services: Vec<Service<'r>>,
    /// In order of preference: Kubernetes Services, then ServiceEntries in creation order.
    by_host: HashMap<String, Vec<ServiceId>>,
    sources: EndpointSources<'r>,
}

/// A host that requests can be sent to.
pub(super) struct Service<'r> {
    /// Full and normalized.
    pub(super) host: String,
    pub(super) namespace: &'r str,
    /// The Service, or the first ServiceEntry.
    pub(super) object: &'r ObjectRef,
    pub(super) title: Title,
    /// Where its name is.
    pub(super) span: Span,
    pub(super) kind: Kind<'r>,
    /// It is exported to the gateway's namespace.
    pub(super) is_visible: bool,
    /// In the order of the files; a number occurs once.
    pub(super) ports: Vec<ServicePort<'r>>,
}

#[derive(Clone, Copy)]
pub(super) enum Kind<'r> {
    Kubernetes(&'r Resource<resources::Service>),
    /// Its ports know their ServiceEntries.
    Entries,
}

/// A port of a service.
pub(super) struct ServicePort<'r> {
    pub(super) number: u16,
    pub(super) name: &'r str,
    /// `None`: it does not say, so HTTP/1.1 is spoken.
    pub(super) protocol: Option<Protocol>,
    pub(super) span: Span,
    definitions: Definitions<'r>,
}

enum Definitions<'r> {
    Kubernetes(&'r KubernetesServicePort),
    /// One or more ServiceEntries of a namespace that have the host and port; the first decides.
    Entries(Vec<Definition<'r>>),
}

/// A port in a ServiceEntry.
#[derive(Clone, Copy)]
struct Definition<'r> {
    entry: &'r Resource<ServiceEntry>,
    port: &'r Spanned<resources::ServicePort>,
}

/// Where endpoints are looked up.
struct EndpointSources<'r> {
    /// By namespace and one of their labels.
    workloads: HashMap<(&'r str, &'r str, &'r str), Vec<&'r Resource<resources::WorkloadEntry>>>,
    /// By namespace and name of the Service.
    slices: HashMap<(&'r str, &'r str), Vec<&'r Resource<resources::EndpointSlice>>>,
    /// By namespace and name.
    endpoints: HashMap<(&'r str, &'r str), &'r Resource<resources::Endpoints>>,
}

/// What a host is.
pub(super) enum Found {
    Service(ServiceId),
    /// There is one, but it is not exported to the gateway's namespace.
    Hidden(ServiceId),
    Unknown,
}

impl<'r> Registry<'r> {
    pub(super) fn new(
        resources: &'r Resources,
        workload: &Workload,
        mesh: &Mesh<'_>,
        report: &mut Report,
    ) -> Registry<'r> {
        let domain = ClusterDomain(&workload.cluster_domain);
        let export_to = mesh.service_export_to();
        let mut services = kubernetes::services(resources, domain, &workload.namespace, report);
        let of_kubernetes = services.len();
        services.extend(entries::services(resources, &workload.namespace, export_to, report));
        let mut by_host: HashMap<String, Vec<ServiceId>> = HashMap::with_capacity(services.len());
        for (position, service) in services.iter().enumerate() {
            by_host.entry(service.host.clone()).or_default().push(ServiceId(position as u32));
        }
        let registry = Registry { services, by_host, sources: EndpointSources::new(resources, report) };
        entries::report_hidden(&registry, of_kubernetes, report);
        registry
    }

    pub(super) fn service(&self, id: ServiceId) -> Option<&Service<'r>> {
        self.services.get(id.0 as usize)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (ServiceId, &Service<'r>)> {
        (0..).map(ServiceId).zip(&self.services)
    }

    /// All services with this host, which is full and normalized, in order of preference.
    pub(super) fn with_host(&self, host: &str) -> &[ServiceId] {
        self.by_host.get(host).map_or(&[], Vec::as_slice)
    }

    /// The service that a destination means: one in the namespace of the VirtualService, else any (specification
    /// section 3.4).
    pub(super) fn find(&self, host: &str, namespace: &str) -> Found {
        let all = self.with_host(host);
        let is_visible = |id: &&ServiceId| self.service(**id).is_some_and(|service| service.is_visible);
        let is_near = |id: &&ServiceId| self.service(**id).is_some_and(|s| s.namespace == namespace);
        let near = all.iter().find(|id| is_visible(id) && is_near(id));
        match (near.or_else(|| all.iter().find(is_visible)), all.first()) {
            (Some(id), _) => Found::Service(*id),
            (None, Some(hidden)) => Found::Hidden(*hidden),
            (None, None) => Found::Unknown,
        }
    }

    /// The endpoints of a port that have all labels of a subset.
    pub(super) fn pool(
        &self,
        service: &Service<'r>,
        port: &ServicePort<'r>,
        subset: &Map<String>,
    ) -> Pool<'r> {
        match (&service.kind, &port.definitions) {
            (Kind::Kubernetes(resource), Definitions::Kubernetes(definition)) => {
                kubernetes::pool(resource, definition, subset, &self.sources)
            }
            (_, Definitions::Entries(definitions)) => {
                entries::pool(&service.host, definitions, subset, &self.sources)
            }
            (Kind::Entries, Definitions::Kubernetes(_)) => Pool::empty("it has no definition"),
        }
    }
}

impl<'r> Service<'r> {
    pub(super) fn port(&self, number: u16) -> Option<&ServicePort<'r>> {
        self.ports.iter().find(|port| port.number == number)
    }

    /// Whether it is part of the mesh: a Service of Kubernetes, or a ServiceEntry that says so. A wildcard stands for no
    /// service.
    pub(super) fn is_in_mesh(&self) -> bool {
        if self.host.starts_with('*') {
            return false;
        }
        let first = self.ports.first().map(|port| &port.definitions);
        match (self.kind, first) {
            (Kind::Kubernetes(_), _) => self.external_name().is_none(),
            (Kind::Entries, Some(Definitions::Entries(list))) => {
                let location = list.first().and_then(|first| first.entry.spec.location.as_ref());
                location.is_some_and(|location| location.value == resources::Location::MeshInternal)
            }
            (Kind::Entries, _) => false,
        }
    }

    /// The name that an `ExternalName` Service stands for.
    pub(super) fn external_name(&self) -> Option<&'r Spanned<String>> {
        match self.kind {
            Kind::Kubernetes(resource)
                if resource.spec.r#type.as_ref().map(|t| t.value)
                    == Some(resources::ServiceType::ExternalName) =>
            {
                resource.spec.external_name.as_ref()
            }
            _ => None,
        }
    }
}

impl<'r> ServicePort<'r> {
    /// How its endpoints are asked whether they are well: the first of its ServiceEntries that says it.
    pub(super) fn health_check(&self) -> Option<&'r Spanned<resources::HealthCheck>> {
        let Definitions::Entries(list) = &self.definitions else { return None };
        list.iter().find_map(|definition| definition.entry.meta.own.as_ref()?.health_check.as_ref())
    }

    /// `subjectAltNames` of its ServiceEntry: what certificates of its endpoints are called.
    pub(super) fn subject_alt_names(&self) -> &'r [Spanned<String>] {
        match &self.definitions {
            Definitions::Kubernetes(_) => &[],
            Definitions::Entries(list) => {
                list.first().map_or(&[], |first| &first.entry.spec.subject_alt_names)
            }
        }
    }
}

impl<'r> EndpointSources<'r> {
    fn new(resources: &'r Resources, report: &Report) -> EndpointSources<'r> {
        const SERVICE_NAME: &str = "kubernetes.io/service-name";
        let mut sources =
            EndpointSources { workloads: HashMap::new(), slices: HashMap::new(), endpoints: HashMap::new() };
        for workload in resources.workload_entries.iter().filter(|w| !report.is_broken(&w.object)) {
            let namespace = workload.meta.namespace.as_str();
            let of_meta = workload.meta.labels.iter();
            let unlike_meta = |(key, _): &&(Spanned<String>, _)| workload.meta.labels.get(key).is_none();
            for (key, value) in of_meta.chain(workload.spec.labels.iter().filter(unlike_meta)) {
                sources.workloads.entry((namespace, key, value)).or_default().push(workload);
            }
        }
        for slice in resources.endpoint_slices.iter().filter(|slice| !report.is_broken(&slice.object)) {
            if let Some(service) = slice.meta.labels.get(SERVICE_NAME) {
                sources.slices.entry((&slice.meta.namespace, service)).or_default().push(slice);
            }
        }
        for endpoints in resources.endpoints.iter().filter(|e| !report.is_broken(&e.object)) {
            sources.endpoints.insert((&endpoints.meta.namespace, &endpoints.meta.name), endpoints);
        }
        sources
    }

    /// The WorkloadEntries of a namespace that have all labels of a selector; none if the selector is empty.
    fn selected(
        &self,
        namespace: &str,
        selector: &Map<String>,
    ) -> Vec<&'r Resource<resources::WorkloadEntry>> {
        let first = selector.first().and_then(|(key, value)| {
            self.workloads.get(&(namespace, key.value.as_str(), value.value.as_str()))
        });
        first.into_iter().flatten().filter(|workload| has_labels(workload, selector)).copied().collect()
    }
}

fn has_labels(workload: &Resource<resources::WorkloadEntry>, labels: &Map<String>) -> bool {
    labels.iter().all(|(key, value)| workload_label(workload, key) == Some(value.value.as_str()))
}

/// A label of a WorkloadEntry: those of its metadata are stronger, as in istiod.
fn workload_label<'r>(workload: &'r Resource<resources::WorkloadEntry>, key: &str) -> Option<&'r str> {
    let label = workload.meta.labels.get(key).or_else(|| workload.spec.labels.get(key));
    label.map(|label| label.value.as_str())
}
