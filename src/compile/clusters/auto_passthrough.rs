//! Destinations that a client names itself, in its SNI: `outbound_.<port>_.<subset>_.<host>` (specification section 1.6,
//! `AUTO_PASSTHROUGH`).

use super::{Clusters, Purpose};
use crate::{
    compile::host_name::{ServerHost, covers},
    config::Spanned,
    table::ClusterId,
};
use std::rc::Rc;

/// A port of a service of the mesh, or a subset of it.
pub(in crate::compile) struct NamedByClient {
    /// Its server name, which is the cluster's name too.
    pub(in crate::compile) name: String,
    pub(in crate::compile) cluster: ClusterId,
}

impl<'r> Clusters<'r, '_> {
    /// All ports of the mesh's services, and their subsets, whose host is covered by one of a server.
    pub(in crate::compile) fn named_by_clients(&mut self, hosts: &[ServerHost]) -> Vec<NamedByClient> {
        let registry = self.registry;
        let mut found = Vec::new();
        for (id, service) in registry.all() {
            let is_covered = || hosts.iter().any(|host| covers(&host.host, &service.host));
            if !service.is_visible || !service.is_in_mesh() || !is_covered() {
                continue;
            }
            let policy = Rc::clone(&self.service_policy(id, service));
            for port in &service.ports {
                let subsets = policy.subsets().map(|(_, subset)| Some(&subset.value));
                for subset in std::iter::once(None).chain(subsets) {
                    let subset_name = subset.and_then(|subset| subset.name.as_ref());
                    let purpose = (subset, Purpose::AutoPassthrough);
                    found.push(NamedByClient {
                        name: name(port.number, subset_name, &service.host),
                        cluster: self.cluster(id, (service, port), &policy, purpose),
                    });
                }
            }
        }
        found
    }
}

/// As Istio writes it into the SNI.
pub(super) fn name(port: u16, subset: Option<&Spanned<String>>, host: &str) -> String {
    let subset = subset.map_or("", |subset| subset.value.as_str());
    format!("outbound_.{port}_.{subset}_.{host}")
}
