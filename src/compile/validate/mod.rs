//! The rules that one object keeps or breaks by itself: every problem with its place and what was expected.
//!
//! Names, types and the ranges of numbers are `config`'s; what several objects say together is the compiler's. An error
//! refuses the object, a warning says that part of it does not do what it seems to.
//!
//! - `place`: where in an object a rule looks, and where what it finds goes
//! - `names`, `protocol`, `scalars`: domains, addresses, protocols, ports, durations, shares, labels
//! - `wording`: what the user wrote, in messages
//! - `metadata`: what every object has
//! - `annotations`: what this gateway takes besides, in annotations of its own
//! - `health_check`: the annotation of that name
//! - `gateway`, `server_tls`, `tls_parameters`: `Gateway`
//! - `virtual_service`, `destination_rule`, `service_entry`, `workload_entry`: the kinds of these names
//! - `policy_target`, `request_authentication`, `authorization_policy`: what a policy is for, and the kinds of these names
//! - `kubernetes`: `Service`, `Endpoints`, `EndpointSlice`, `Secret`, `ConfigMap`
//! - `telemetry`: `Telemetry`
//! - `operator`, `mesh`, `extension_provider`: `IstioOperator` and its `meshConfig`

mod annotations;
mod authorization_policy;
mod destination_rule;
mod extension_provider;
mod gateway;
mod health_check;
mod kubernetes;
mod mesh;
mod metadata;
#[cfg(test)]
mod mutations;
mod names;
mod operator;
mod place;
mod policy_target;
mod protocol;
mod request_authentication;
mod scalars;
mod server_tls;
mod service_entry;
mod telemetry;
#[cfg(test)]
mod testing;
mod tls_parameters;
mod virtual_service;
mod wording;
mod workload_entry;

pub(super) use protocol::Protocol;

use crate::config::{Diagnostic, Resource, Resources};
use place::Findings;

/// Checks every object by itself. The order is that of the kinds, and of the files within each.
pub(super) fn validate(resources: &Resources) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    istio(&resources.gateways, gateway::check, &mut diagnostics);
    istio(&resources.virtual_services, virtual_service::check, &mut diagnostics);
    istio(&resources.destination_rules, destination_rule::check, &mut diagnostics);
    istio(&resources.service_entries, service_entry::check, &mut diagnostics);
    istio(&resources.workload_entries, workload_entry::check, &mut diagnostics);
    istio(&resources.request_authentications, request_authentication::check, &mut diagnostics);
    each(&resources.authorization_policies, authorization_policy::check, &mut diagnostics);
    istio(&resources.telemetries, telemetry::check, &mut diagnostics);
    each(&resources.istio_operators, operator::check, &mut diagnostics);
    each(&resources.services, kubernetes::check_service, &mut diagnostics);
    each(&resources.endpoints, kubernetes::check_endpoints, &mut diagnostics);
    each(&resources.endpoint_slices, kubernetes::check_endpoint_slice, &mut diagnostics);
    each(&resources.secrets, kubernetes::check_secret, &mut diagnostics);
    each(&resources.config_maps, kubernetes::check_config_map, &mut diagnostics);
    diagnostics
}

/// Checks all objects of one of Istio's networking kinds, which have annotations of their own.
fn istio<T>(
    list: &[Resource<T>],
    check: impl Fn(&Resource<T>, &Findings<'_>),
    diagnostics: &mut Vec<Diagnostic>,
) {
    let check = |resource: &Resource<T>, findings: &Findings<'_>| {
        metadata::check_annotations(&resource.meta, findings);
        check(resource, findings);
    };
    each(list, check, diagnostics);
}

/// Checks all objects of one kind.
fn each<T>(
    list: &[Resource<T>],
    check: impl Fn(&Resource<T>, &Findings<'_>),
    diagnostics: &mut Vec<Diagnostic>,
) {
    for resource in list {
        let findings = Findings::new(&resource.object);
        metadata::check(&resource.meta, &findings);
        check(resource, &findings);
        diagnostics.extend(findings.into_diagnostics());
    }
}
