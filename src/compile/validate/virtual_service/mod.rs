//! `VirtualService` (specification sections 3.1 and 3.4 to 3.6).
//!
//! - `hosts`: the hosts, and that no two of them overlap
//! - `gateways`: references to Gateways
//! - `http`: one rule for HTTP: which actions and policies go together
//! - `matches`: what a rule asks of a request
//! - `destinations`, `headers`: where requests go, and what is changed on the way
//! - `actions`: redirect, direct response, rewrite, delegate
//! - `policies`: timeout, retries, faults, mirrors, CORS
//! - `layer4`: rules for TLS and TCP
//! - `reach`, `coverage`: rules that no request reaches

mod actions;
mod coverage;
mod destinations;
mod gateways;
mod headers;
mod hosts;
mod http;
mod layer4;
mod matches;
mod policies;
mod reach;
#[cfg(test)]
mod tests;

pub(super) use policies::check_retries;

use super::{
    annotations,
    place::{Findings, Place},
    scalars::check_export_to,
};
use crate::config::{
    Diagnostic, Resource,
    resources::{StringMatch, VirtualService},
};
use hosts::HostIndex;
use std::collections::BTreeSet;

/// What a rule must know of the VirtualService that it is in.
struct Scope<'v> {
    namespace: &'v str,
    hosts: HostIndex<'v>,
    /// The Gateways it is bound to, resolved: `namespace/name`, or `mesh`. In order, for messages.
    gateways: BTreeSet<String>,
    /// It has no hosts: its rules belong to another one's rules.
    is_delegate: bool,
}

pub(super) fn check(service: &Resource<VirtualService>, findings: &Findings<'_>) {
    let spec = &service.spec;
    annotations::check_virtual_service(service, findings);
    let at = findings.root("spec", service.span);
    let scope = Scope::new(service);
    if scope.is_delegate {
        check_delegate(spec, &at);
    }
    gateways::check(&spec.gateways, &at);
    hosts::check(spec, &scope, &at);
    if spec.http.is_empty() && spec.tls.is_empty() && spec.tcp.is_empty() {
        let problem = Diagnostic::error("missing-field", "there are no rules");
        at.absent("http").report(problem.help("write `http`, `tls` or `tcp` with at least one rule"));
    }
    for (at, route) in at.items("http", &spec.http) {
        http::check(route, &scope, &at);
    }
    for (at, route) in at.items("tls", &spec.tls) {
        layer4::check_tls(route, &scope, &at);
    }
    for (at, route) in at.items("tcp", &spec.tcp) {
        layer4::check_tcp(route, &scope, &at);
    }
    check_export_to("exportTo", &spec.export_to, scope.namespace, false, &at);
    reach::check(spec, &at);
}

impl<'v> Scope<'v> {
    fn new(service: &'v Resource<VirtualService>) -> Self {
        let namespace = &service.meta.namespace;
        let gateways = &service.spec.gateways;
        let is_delegate = service.spec.hosts.is_empty();
        let gateways = match gateways.is_empty() {
            true => BTreeSet::from([gateways::MESH.to_owned()]),
            false => gateways.iter().map(|gateway| gateways::resolve(gateway, namespace)).collect(),
        };
        Scope { namespace, hosts: HostIndex::new(&service.spec), gateways, is_delegate }
    }

    /// Whether it applies to sidecars as well.
    fn has_mesh(&self) -> bool {
        self.gateways.contains(gateways::MESH)
    }
}

/// A VirtualService without hosts holds rules for another one's rules: HTTP only, and bound to nothing itself.
fn check_delegate(spec: &VirtualService, at: &Place<'_>) {
    let fields = [
        ("gateways", spec.gateways.first().map(|gateway| gateway.span)),
        ("tls", spec.tls.first().map(|route| route.span)),
        ("tcp", spec.tcp.first().map(|route| route.span)),
    ];
    for (name, span) in fields.into_iter().filter_map(|(name, span)| Some((name, span?))) {
        let message = format!("a VirtualService without `hosts` is a delegate, which can't have `{name}`");
        let problem = Diagnostic::error("conflicting-fields", message);
        at.absent(name).pointing_at(span).report(problem.help("write `hosts`, or remove the field"));
    }
}

/// Whether a match asks for presence alone: `{}` or `regex: "*"`.
fn is_presence(matcher: &StringMatch) -> bool {
    let StringMatch { exact, prefix, regex } = matcher;
    exact.is_none() && prefix.is_none() && regex.as_ref().is_none_or(|regex| **regex == "*")
}
