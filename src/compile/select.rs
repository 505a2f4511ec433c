//! Which Gateways apply to this workload, and which VirtualServices are bound to them.

use super::{
    Workload,
    host_name::{ClusterDomain, full_name},
    origin::{Title, title},
    report::Report,
    scope::{Owner, Visibility, in_creation_order, labels_text, selects, visibility},
};
use crate::config::{
    Diagnostic, Resource, Resources, Spanned,
    resources::{Gateway, VirtualService},
};
use std::collections::HashMap;

/// A position in [`Selection::gateways`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct GatewayId(pub(super) u32);

/// A position in [`Selection::virtual_services`]: earlier ones come first in virtual hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RuleSetId(pub(super) u32);

/// What applies to this workload.
pub(super) struct Selection<'r> {
    /// In merge order.
    pub(super) gateways: Vec<SelectedGateway<'r>>,
    /// Those that are bound to one of the Gateways, in the order in which their routes are tried.
    pub(super) virtual_services: Vec<BoundService<'r>>,
}

pub(super) struct SelectedGateway<'r> {
    pub(super) resource: &'r Resource<Gateway>,
    pub(super) title: Title,
    /// The VirtualServices that are bound to it, in order.
    pub(super) bound: Vec<RuleSetId>,
}

/// A VirtualService that is bound to a Gateway.
pub(super) struct BoundService<'r> {
    pub(super) resource: &'r Resource<VirtualService>,
    pub(super) title: Title,
    /// Full and normalized.
    pub(super) hosts: Vec<String>,
}

impl<'r> Selection<'r> {
    pub(super) fn gateway(&self, id: GatewayId) -> Option<&SelectedGateway<'r>> {
        self.gateways.get(id.0 as usize)
    }

    pub(super) fn virtual_service(&self, id: RuleSetId) -> Option<&BoundService<'r>> {
        self.virtual_services.get(id.0 as usize)
    }
}

/// A name in `gateways` of a VirtualService, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GatewayName<'a> {
    /// The reserved word `mesh`: sidecars, not gateways.
    Mesh,
    Named {
        namespace: &'a str,
        name: &'a str,
    },
}

impl<'a> GatewayName<'a> {
    /// Reads `ns/name`, `name`, `./name`, and the old `name.ns` and `name.ns.svc.cluster.local` (specification
    /// section 3.1). `own` is the namespace of the VirtualService.
    pub(super) fn parse(text: &'a str, own: &'a str) -> GatewayName<'a> {
        if text == "mesh" {
            return GatewayName::Mesh;
        }
        let (namespace, name) = match text.split_once('/') {
            Some((".", name)) => (own, name),
            Some((namespace, name)) => (namespace, name),
            None => match text.split_once('.') {
                Some((name, rest)) => (rest.split('.').next().unwrap_or(rest), name),
                None => (own, text),
            },
        };
        GatewayName::Named { namespace, name }
    }
}

/// Selects what applies.
pub(super) fn select<'r>(
    resources: &'r Resources,
    workload: &Workload,
    default_export_to: &[Spanned<String>],
    report: &mut Report,
) -> Selection<'r> {
    let gateways = select_gateways(resources, workload, report);
    let mut binder = Binder {
        resources,
        workload,
        by_name: gateways
            .iter()
            .zip(0..)
            .map(|(gateway, id)| (names(gateway.resource), GatewayId(id)))
            .collect(),
        others: resources.gateways.iter().map(|gateway| (names(gateway), gateway)).collect(),
        selection: Selection { gateways, virtual_services: Vec::new() },
        report,
    };
    let good: Vec<_> = resources
        .virtual_services
        .iter()
        .filter(|service| !binder.report.is_broken(&service.object))
        .collect();
    let mut ordered: Vec<_> = in_creation_order(good.into_iter())
        .into_iter()
        .map(|service| {
            let owner = Owner(&service.meta.namespace);
            let how = visibility(&service.spec.export_to, default_export_to, owner, &workload.namespace);
            (how, service)
        })
        .collect();
    // Stable: creation order holds inside each kind.
    ordered.sort_by_key(|(how, _)| *how);
    for (how, service) in ordered {
        binder.bind(service, how);
    }
    binder.selection
}

fn names<T>(resource: &Resource<T>) -> (&str, &str) {
    (&resource.meta.namespace, &resource.meta.name)
}

fn select_gateways<'r>(
    resources: &'r Resources,
    workload: &Workload,
    report: &mut Report,
) -> Vec<SelectedGateway<'r>> {
    let good: Vec<_> =
        resources.gateways.iter().filter(|gateway| !report.is_broken(&gateway.object)).collect();
    let mut selected = Vec::new();
    for resource in in_creation_order(good.iter().copied()) {
        match &workload.labels {
            Some(labels) if !selects(&resource.spec.selector, labels) => {
                report_not_selected(resource, workload, report);
            }
            _ => {
                selected.push(SelectedGateway { resource, title: title(&resource.object), bound: Vec::new() })
            }
        }
    }
    if selected.is_empty() && !good.is_empty() {
        let message = "no Gateway selects this gateway workload: nothing will listen";
        let help = format!("its labels are {}; see --labels", workload_labels(workload));
        report.add_without_place(Diagnostic::warning("no-gateway-selected", message).help(help));
    }
    selected
}

fn workload_labels(workload: &Workload) -> String {
    let labels = workload.labels.iter().flatten();
    labels_text(labels.map(|(key, value)| (key.as_str(), value.as_str())))
}

fn report_not_selected(resource: &Resource<Gateway>, workload: &Workload, report: &mut Report) {
    let selector = &resource.spec.selector;
    let place = selector.first().map_or(resource.meta.name.span, |(key, _)| key.span);
    report.add("gateway-not-selected", place, || {
        let wanted = labels_text(selector.iter().map(|(k, v)| (k.value.as_str(), v.value.as_str())));
        let message = format!("the Gateway is for other workloads: its selector is {wanted}");
        Diagnostic::note("gateway-not-selected", message)
            .about(&resource.object)
            .field("spec.selector")
            .help(format!("this workload has {}", workload_labels(workload)))
    });
}

/// In the names of Gateways that istiod makes of those of the Gateway API.
const OF_GATEWAY_API: &str = "istio-autogenerated-k8s-gateway";

/// Binds VirtualServices to Gateways.
struct Binder<'r, 'w> {
    resources: &'r Resources,
    workload: &'w Workload,
    by_name: HashMap<(&'r str, &'r str), GatewayId>,
    /// All Gateways, also those that do not apply.
    others: HashMap<(&'r str, &'r str), &'r Resource<Gateway>>,
    selection: Selection<'r>,
    report: &'w mut Report,
}

/// What is known about a name in `gateways`.
enum Binding<'r> {
    To(GatewayId),
    Mesh,
    /// It exists, but is not for this workload.
    NotSelected(&'r Resource<Gateway>),
    /// It is in the files, but has an error.
    Broken,
    Unknown,
}

impl<'r> Binder<'r, '_> {
    fn bind(&mut self, service: &'r Resource<VirtualService>, how: Visibility) {
        if service.spec.hosts.is_empty() {
            return; // A delegate: others refer to it.
        }
        let bindings: Vec<_> =
            service.spec.gateways.iter().map(|name| (name, self.binding(name, service))).collect();
        let mut bound: Vec<GatewayId> = Vec::new();
        for (position, (name, binding)) in bindings.iter().enumerate() {
            match binding {
                Binding::To(id) if !bound.contains(id) => bound.push(*id),
                Binding::Broken | Binding::Unknown => self.report_missing(service, position, name, binding),
                _ => {}
            }
        }
        if bound.is_empty() {
            return self.report_unbound(service, &bindings);
        }
        if how == Visibility::Hidden {
            return self.report_hidden(service);
        }
        let id = RuleSetId(self.selection.virtual_services.len() as u32);
        for gateway in bound {
            if let Some(gateway) = self.selection.gateways.get_mut(gateway.0 as usize) {
                gateway.bound.push(id);
            }
        }
        let domain = ClusterDomain(&self.workload.cluster_domain);
        let hosts = service.spec.hosts.iter();
        self.selection.virtual_services.push(BoundService {
            resource: service,
            title: title(&service.object),
            hosts: hosts.map(|host| full_name(host, &service.meta.namespace, domain)).collect(),
        });
    }

    fn binding(&self, text: &str, service: &Resource<VirtualService>) -> Binding<'r> {
        let (namespace, name) = match GatewayName::parse(text, &service.meta.namespace) {
            GatewayName::Mesh => return Binding::Mesh,
            GatewayName::Named { namespace, name } => (namespace, name),
        };
        if let Some(id) = self.by_name.get(&(namespace, name)) {
            return Binding::To(*id);
        }
        match self.others.get(&(namespace, name)) {
            Some(gateway) if self.report.is_broken(&gateway.object) => Binding::Broken,
            Some(gateway) => Binding::NotSelected(gateway),
            None if self.resources.is_broken("Gateway", namespace, name) => Binding::Broken,
            None => Binding::Unknown,
        }
    }

    fn report_missing(
        &mut self,
        service: &Resource<VirtualService>,
        position: usize,
        name: &Spanned<String>,
        binding: &Binding<'_>,
    ) {
        let resources = self.resources;
        self.report.add("unknown-gateway", name.span, || {
            let about = |message: String| {
                Diagnostic::warning("unknown-gateway", message)
                    .about(&service.object)
                    .field(format!("spec.gateways[{position}]"))
            };
            let own = &service.meta.namespace.value;
            let full = match GatewayName::parse(name, own) {
                GatewayName::Named { namespace, name } => format!("{namespace}/{name}"),
                GatewayName::Mesh => name.value.clone(),
            };
            if matches!(binding, Binding::Broken) {
                return about(format!("the Gateway `{full}` is left out because of its errors"));
            }
            let same_name = |gateway: &&Resource<Gateway>| {
                full.rsplit('/').next() == Some(gateway.meta.name.value.as_str())
            };
            let missing = about(format!("there is no Gateway `{full}`, so nothing is bound to it"));
            match resources.gateways.iter().find(same_name) {
                Some(other) => {
                    let (namespace, name) = names(other);
                    missing
                        .help(format!("did you mean `{namespace}/{name}`?"))
                        .label(other.meta.name.span, "this one has the name, in another namespace")
                }
                None if name.value.contains(OF_GATEWAY_API) => missing.help(
                    "Istio makes such Gateways from those of the Gateway API, and only HTTPRoutes may refer to them",
                ),
                None => missing,
            }
        });
    }

    fn report_unbound(
        &mut self,
        service: &Resource<VirtualService>,
        bindings: &[(&'r Spanned<String>, Binding<'r>)],
    ) {
        if bindings.iter().all(|(_, binding)| matches!(binding, Binding::Mesh)) {
            self.report.add("no-gateway", service.meta.name.span, || {
                let message = "the VirtualService is not bound to a Gateway, so it has no effect here";
                Diagnostic::warning("no-gateway", message).about(&service.object).field("spec.gateways").help(
                    "`gateways` names Gateways; without it a VirtualService is for sidecars (`mesh`) only",
                )
            });
            return;
        }
        let unselected = bindings.iter().find_map(|(name, binding)| match binding {
            Binding::NotSelected(gateway) => Some((*name, *gateway)),
            _ => None,
        });
        let Some((name, gateway)) = unselected else { return };
        self.report.add("gateway-not-bound", name.span, || {
            let message =
                "the VirtualService is bound only to Gateways for other workloads, so it has no effect here";
            Diagnostic::warning("gateway-not-bound", message)
                .about(&service.object)
                .field("spec.gateways")
                .label(gateway.meta.name.span, "this Gateway does not select this workload")
        });
    }

    fn report_hidden(&mut self, service: &Resource<VirtualService>) {
        let place = service.spec.export_to.first().map_or(service.meta.name.span, |first| first.span);
        let namespace = &self.workload.namespace;
        self.report.add("not-exported", place, || {
            let message = format!(
                "the VirtualService is not exported to namespace `{namespace}`, where this gateway runs, so it has no effect here"
            );
            Diagnostic::warning("not-exported", message)
                .about(&service.object)
                .field("spec.exportTo")
                .help(format!("add `{namespace}` or `*` to exportTo, or see --namespace"))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateway_names() {
        let named = |namespace, name| GatewayName::Named { namespace, name };
        for (text, expected) in [
            ("mesh", GatewayName::Mesh),
            ("public", named("own", "public")),
            ("./public", named("own", "public")),
            ("infra/public", named("infra", "public")),
            ("public.infra", named("infra", "public")),
            ("public.infra.svc.cluster.local", named("infra", "public")),
        ] {
            assert_eq!(GatewayName::parse(text, "own"), expected, "{text}");
        }
    }
}
