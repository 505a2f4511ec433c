//! Clusters that the gateway itself sends to: collectors of spans.

use super::{Clusters, Purpose};
use crate::{
    compile::{
        host_name::{ClusterDomain, full_name},
        services::Found,
    },
    table::ClusterId,
};
use std::rc::Rc;

/// What a provider's service and port are.
pub(in crate::compile) enum FoundCollector {
    /// This cluster.
    Cluster(ClusterId),
    /// The service has no such port.
    NoPort,
    /// No service in the files has this host.
    Unknown,
}

impl Clusters<'_, '_> {
    /// The cluster of a host and a port that `meshConfig` names. As in istiod, any namespace's service will do.
    pub(in crate::compile) fn collector(&mut self, host: &str, port: u16) -> FoundCollector {
        let namespace = &self.workload.namespace;
        let host = full_name(host, namespace, ClusterDomain(&self.workload.cluster_domain));
        let registry = self.registry;
        let (Found::Service(id) | Found::Hidden(id)) = registry.find(&host, namespace) else {
            return FoundCollector::Unknown;
        };
        let Some(service) = registry.service(id) else { return FoundCollector::Unknown };
        let (id, service) = self.behind_alias(id, service);
        let Some(port) = service.port(port) else { return FoundCollector::NoPort };
        let policy = Rc::clone(&self.service_policy(id, service));
        FoundCollector::Cluster(self.cluster(id, (service, port), &policy, (None, Purpose::Rules)))
    }
}
