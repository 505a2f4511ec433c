//! `IstioOperator`: gateways as they are deployed (specification section 6.1).

use super::{
    kubernetes::check_target_port,
    mesh,
    place::{Findings, Place, text},
    scalars::{check_dns_label, check_labels, check_port},
    wording::shown,
};
use crate::config::{
    Diagnostic, Resource, Span, Spanned,
    resources::{GatewayComponent, IstioOperator, KubernetesResources, OperatorService},
};
use std::collections::HashMap;

#[cfg(test)]
mod tests;

/// The namespace of components that do not say theirs.
const DEFAULT_NAMESPACE: &str = "istio-system";

pub(super) fn check(operator: &Resource<IstioOperator>, findings: &Findings<'_>) {
    let spec = &operator.spec;
    let at = findings.root("spec", operator.span);
    if let Some(namespace) = text(&spec.namespace) {
        check_dns_label(namespace, "a namespace", "bad-name", &at.field("namespace", namespace));
    }
    if let Some(config) = &spec.mesh_config {
        mesh::check(config, &at.field("meshConfig", config));
    }
    if let Some(values) = &spec.values
        && let Some(config) = &values.mesh_config
    {
        mesh::check(config, &at.field("values", values).field("meshConfig", config));
    }
    let Some(components) = &spec.components else { return };
    let at = at.field("components", components);
    let mut seen: HashMap<(&str, &str), Span> = HashMap::new();
    let of_mesh = text(&spec.namespace).map_or(DEFAULT_NAMESPACE, |namespace| namespace.as_str());
    for (list, gateways) in
        [("ingressGateways", &components.ingress_gateways), ("egressGateways", &components.egress_gateways)]
    {
        for (at, gateway) in at.items(list, gateways) {
            check_gateway(gateway, &at);
            let Some(name) = text(&gateway.name) else { continue };
            let namespace = text(&gateway.namespace).map_or(of_mesh, |namespace| namespace.as_str());
            if let Some(first) = seen.insert((namespace, name), name.span) {
                let message = format!("there are two gateways `{}` in `{}`", shown(name), shown(namespace));
                let problem = Diagnostic::error("duplicate-gateway", message).label(first, "the first one");
                at.field("name", name).report(problem.help("give each its own name or namespace"));
            }
        }
    }
}

fn check_gateway(gateway: &GatewayComponent, at: &Place<'_>) {
    if let Some(name) =
        at.require_text("name", &gateway.name, "it names Deployment, Service and ServiceAccount")
    {
        check_dns_label(name, "the name of a gateway", "bad-name", &at.field("name", name));
    }
    if let Some(namespace) = text(&gateway.namespace) {
        check_dns_label(namespace, "a namespace", "bad-name", &at.field("namespace", namespace));
    }
    check_labels("label", &gateway.label, at);
    if let Some(k8s) = &gateway.k8s {
        check_resources(k8s, &at.field("k8s", k8s));
    }
}

fn check_resources(k8s: &KubernetesResources, at: &Place<'_>) {
    for (at, variable) in at.items("env", &k8s.env) {
        at.require_text("name", &variable.name, "name the variable");
    }
    if let Some(service) = &k8s.service {
        check_ports(service, &at.field("service", service));
    }
}

/// The ports that Gateways declare, and where they listen.
fn check_ports(service: &OperatorService, at: &Place<'_>) {
    let mut names: HashMap<&str, Span> = HashMap::new();
    let mut numbers: HashMap<(i32, String), Span> = HashMap::new();
    for (at, port) in at.items("ports", &service.ports) {
        if let Some(name) = text(&port.name) {
            let at = at.field("name", name);
            check_dns_label(name, "the name of a port", "bad-name", &at);
            if let Some(first) = names.insert(name, name.span) {
                let problem = Diagnostic::error(
                    "duplicate-port-name",
                    format!("two ports are named `{}`", shown(name)),
                );
                at.report(problem.label(first, "the first one").help("give each port its own name"));
            }
        }
        if let Some(target) = &port.target_port {
            check_target_port(target, &at.field("targetPort", target));
        }
        let Some(number) = at.require("port", &port.port, "expected 1 to 65535") else { continue };
        let at = at.field("port", number);
        check_port(**number, &at);
        let transport = transport(&port.protocol);
        if let Some(first) = numbers.insert((**number, transport), number.span) {
            let problem =
                Diagnostic::error("duplicate-port", format!("two ports have the number {}", **number));
            at.report(problem.label(first, "the first one").help("give each port its own number"));
        }
    }
}

fn transport(protocol: &Option<Spanned<String>>) -> String {
    text(protocol).map_or("TCP".to_owned(), |protocol| protocol.to_ascii_uppercase())
}
