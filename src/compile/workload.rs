//! What this gateway process is: its labels, its namespace, and where declared ports listen.

use super::{
    Locality, Options, Workload,
    mesh::Mesh,
    report::{Report, one_of},
    scope::{in_creation_order, selects},
    services::{LOCALITY_LABEL, REGION_LABEL, SUBZONE_LABEL, ZONE_LABEL},
};
use crate::config::{
    Diagnostic, Resource, Resources, Span, Spanned,
    resources::{GatewayComponent, IntOrString, IstioOperator, OperatorService, Service},
};
use std::collections::{BTreeMap, HashMap};

/// A deployment of a gateway in an IstioOperator.
pub(super) struct Deployment<'r> {
    pub(super) operator: &'r Resource<IstioOperator>,
    pub(super) component: &'r Spanned<GatewayComponent>,
    kind: DeploymentKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DeploymentKind {
    Ingress,
    Egress,
}

/// Finds the deployment that `--gateway` names.
pub(super) fn deployment<'r>(
    resources: &'r Resources,
    options: &Options,
    report: &mut Report,
) -> Option<Deployment<'r>> {
    let wanted = options.gateway.as_deref()?;
    let all = all_deployments(resources, report);
    let name = |d: &Deployment<'_>| d.component.name.as_ref().map(|name| name.value.clone());
    let in_namespace = |d: &&Deployment<'_>| match &options.namespace {
        Some(namespace) => d.namespace() == namespace,
        None => true,
    };
    let named = || all.iter().filter(|d| name(d).as_deref() == Some(wanted));
    let Some(found) = named().find(in_namespace).or_else(|| named().next()) else {
        let message = format!("no IstioOperator has a gateway `{wanted}`, which --gateway names");
        let names = one_of(all.iter().filter_map(name));
        let help = match names.is_empty() {
            true => "no IstioOperator among the files has a gateway with a name".to_owned(),
            false => format!("there are: {names}"),
        };
        report.add_without_place(Diagnostic::error("unknown-deployment", message).help(help));
        return None;
    };
    if found.component.enabled.as_ref().is_some_and(|enabled| !enabled.value) {
        report.add("disabled-deployment", found.component.span, || {
            Diagnostic::warning("disabled-deployment", format!("the gateway `{wanted}` is not enabled"))
                .about(&found.operator.object)
                .help("it is taken all the same, because --gateway names it")
        });
    }
    Some(Deployment { operator: found.operator, component: found.component, kind: found.kind })
}

fn all_deployments<'r>(resources: &'r Resources, report: &Report) -> Vec<Deployment<'r>> {
    let good = resources.istio_operators.iter().filter(|operator| !report.is_broken(&operator.object));
    let mut all = Vec::new();
    for operator in in_creation_order(good) {
        let Some(components) = &operator.spec.components else { continue };
        for (list, kind) in [
            (&components.ingress_gateways, DeploymentKind::Ingress),
            (&components.egress_gateways, DeploymentKind::Egress),
        ] {
            all.extend(list.iter().map(|component| Deployment { operator, component, kind }));
        }
    }
    all
}

impl<'r> Deployment<'r> {
    /// Its namespace; that of the mesh if it says none.
    pub(super) fn namespace(&self) -> &'r str {
        let of_mesh = self.operator.spec.namespace.as_ref();
        self.component.namespace.as_ref().or(of_mesh).map_or("istio-system", |namespace| &namespace.value)
    }

    /// The labels of its pods; those of the charts if it says none.
    fn labels(&self) -> BTreeMap<String, String> {
        if !self.component.label.is_empty() {
            let pairs = self.component.label.iter();
            return pairs.map(|(key, value)| (key.value.clone(), value.value.clone())).collect();
        }
        let role = match self.kind {
            DeploymentKind::Ingress => "ingressgateway",
            DeploymentKind::Egress => "egressgateway",
        };
        [("app", format!("istio-{role}")), ("istio", role.to_owned())]
            .map(|(key, value)| (key.to_owned(), value))
            .into()
    }

    fn service(&self) -> Option<&'r OperatorService> {
        self.component.k8s.as_ref()?.service.as_ref().map(|service| &service.value)
    }
}

/// Puts together what the options and the files say.
pub(super) fn workload(options: &Options, deployment: Option<&Deployment<'_>>, mesh: &Mesh<'_>) -> Workload {
    let or_else =
        |option: &Option<String>, otherwise: &str| option.as_deref().unwrap_or(otherwise).to_owned();
    let labels = options.labels.clone().or_else(|| deployment.map(Deployment::labels));
    Workload {
        locality: options.locality.clone().unwrap_or_else(|| locality_of(labels.as_ref())),
        labels,
        namespace: or_else(&options.namespace, deployment.map_or("default", Deployment::namespace)),
        root_namespace: or_else(&options.root_namespace, mesh.root_namespace().unwrap_or("istio-system")),
        cluster_domain: or_else(&options.cluster_domain, "cluster.local"),
    }
}

/// Where the labels say that the gateway is.
fn locality_of(labels: Option<&BTreeMap<String, String>>) -> Locality {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).cloned().unwrap_or_default();
    match label(LOCALITY_LABEL).as_str() {
        "" => {
            Locality { region: label(REGION_LABEL), zone: label(ZONE_LABEL), subzone: label(SUBZONE_LABEL) }
        }
        written => Locality::of_label(written),
    }
}

/// Where declared ports listen (specification section 2.2).
pub(super) struct PortMap {
    explicit: BTreeMap<u16, u16>,
    /// By the ports of the Service in front: the pods' port, and where that is written.
    of_services: HashMap<u16, Target>,
    /// Some Service or deployment says which ports there are.
    is_known: bool,
}

struct Target {
    port: TargetPort,
    span: Span,
}

enum TargetPort {
    Number(u16),
    /// Only the pods know its number.
    Name(String),
}

/// Where a declared port listens.
pub(super) enum Listening {
    /// Here.
    At(u16),
    /// At the same number, because the Service in front does not have this port.
    NotInService(u16),
    /// At the same number, because only the pods know what the name of the target port means.
    Named {
        /// The declared port.
        port: u16,
        /// The name of the target port.
        name: String,
        /// Where the name is written.
        span: Span,
    },
}

impl PortMap {
    pub(super) fn new(
        options: &Options,
        workload: &Workload,
        deployment: Option<&Deployment<'_>>,
        resources: &Resources,
    ) -> PortMap {
        let mut map =
            PortMap { explicit: options.port_map.clone(), of_services: HashMap::new(), is_known: false };
        if let Some(deployment) = deployment {
            map.add_deployment(deployment);
        }
        let in_front = resources.services.iter().filter(|service| is_in_front(service, workload));
        for service in in_creation_order(in_front) {
            map.is_known = true;
            for port in &service.spec.ports {
                map.add(port.port.as_ref(), port.target_port.as_ref(), port.span);
            }
        }
        map
    }

    /// The ports of a deployment replace the usual ones, which are those of the charts.
    fn add_deployment(&mut self, deployment: &Deployment<'_>) {
        match deployment.service().filter(|service| !service.ports.is_empty()) {
            Some(service) => {
                self.is_known = true;
                for port in &service.ports {
                    self.add(port.port.as_ref(), port.target_port.as_ref(), port.span);
                }
            }
            None => {
                let span = deployment.component.span;
                for (port, target) in [(80, 8080), (443, 8443)] {
                    self.of_services.insert(port, Target { port: TargetPort::Number(target), span });
                }
            }
        }
    }

    /// The first of several with one number counts.
    fn add(&mut self, port: Option<&Spanned<i32>>, target: Option<&Spanned<IntOrString>>, place: Span) {
        let Some(number) = port.and_then(|port| u16::try_from(port.value).ok()) else { return };
        let port = match target.map(|target| &target.value) {
            None | Some(IntOrString::Int(0)) => TargetPort::Number(number),
            Some(IntOrString::Int(target)) => match u16::try_from(*target) {
                Ok(target) => TargetPort::Number(target),
                Err(_) => return,
            },
            Some(IntOrString::String(name)) => match name.parse() {
                Ok(target) => TargetPort::Number(target),
                Err(_) => TargetPort::Name(name.clone()),
            },
        };
        let span = target.map_or(place, |target| target.span);
        self.of_services.entry(number).or_insert(Target { port, span });
    }

    pub(super) fn listening(&self, declared: u16) -> Listening {
        if let Some(port) = self.explicit.get(&declared) {
            return Listening::At(*port);
        }
        match self.of_services.get(&declared) {
            Some(Target { port: TargetPort::Number(port), .. }) => Listening::At(*port),
            Some(Target { port: TargetPort::Name(name), span }) => {
                Listening::Named { port: declared, name: name.clone(), span: *span }
            }
            None if self.is_known => Listening::NotInService(declared),
            None => Listening::At(declared),
        }
    }
}

/// Whether a Service selects this workload and may say where its ports are.
fn is_in_front(service: &Resource<Service>, workload: &Workload) -> bool {
    const NOT_TRANSLATED: &str = "experimental.istio.io/disable-gateway-port-translation";
    let Some(labels) = &workload.labels else { return false };
    service.meta.namespace.value == workload.namespace
        && !service.spec.selector.is_empty()
        && selects(&service.spec.selector, labels)
        && service.meta.labels.get(NOT_TRANSLATED).is_none()
}
