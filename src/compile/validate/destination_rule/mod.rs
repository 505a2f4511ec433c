//! `DestinationRule` (specification sections 4.2 to 4.6).
//!
//! - `policy`: a traffic policy, and what its ports lose
//! - `load_balancer`, `locality`: how an endpoint is chosen
//! - `connection_pool`: limits and timeouts, and when an endpoint is left out
//! - `client_tls`: TLS to the endpoints

mod client_tls;
mod connection_pool;
mod load_balancer;
mod locality;
mod policy;
#[cfg(test)]
mod tests;

pub(super) use connection_pool::{check_keepalive, check_outlier_detection, check_pool};
pub(super) use locality::check_locality;

use super::{
    health_check, names,
    place::{Findings, Place},
    scalars::{check_dns_label, check_export_to, check_labels, check_selector},
    wording::shown,
};
use crate::config::{Diagnostic, Resource, Spanned, resources::DestinationRule};
use std::collections::HashMap;

pub(super) fn check(rule: &Resource<DestinationRule>, findings: &Findings<'_>) {
    let spec = &rule.spec;
    let namespace = &rule.meta.namespace;
    health_check::check(&rule.meta, findings);
    let at = findings.root("spec", rule.span);
    if let Some(host) = at.require_text("host", &spec.host, "name the service that the rule is for")
        && let Err(error) = names::check_wildcard_domain(host)
    {
        let problem = Diagnostic::error("bad-host", format!("`{}` is not a host: {error}", shown(host)));
        let help = "expected the host of a ServiceEntry, the name of a Service, or a wildcard of them";
        at.field("host", host).report(problem.help(help));
    }
    if let Some(policy) = &spec.traffic_policy {
        policy::check(policy, None, namespace, &at.field("trafficPolicy", policy));
    }
    check_subsets(rule, &at);
    check_export_to("exportTo", &spec.export_to, namespace, false, &at);
    if let Some(selector) = &spec.workload_selector {
        check_selector("matchLabels", &selector.match_labels, &at.field("workloadSelector", selector));
        check_exports_with_selector(&spec.export_to, namespace, &at);
    }
}

fn check_subsets(rule: &Resource<DestinationRule>, at: &Place<'_>) {
    let whole = rule.spec.traffic_policy.as_ref().map(|policy| &policy.value);
    let mut names: HashMap<&str, &Spanned<String>> = HashMap::new();
    for (at, subset) in at.items("subsets", &rule.spec.subsets) {
        if let Some(name) = at.require_text("name", &subset.name, "destinations name the subset by it") {
            let at = at.field("name", name);
            check_dns_label(name, "the name of a subset", "bad-subset-name", &at);
            if let Some(first) = names.insert(name, name) {
                let problem =
                    Diagnostic::error("duplicate-subset", format!("two subsets are named `{}`", shown(name)));
                at.report(
                    problem.label(first.span, "the first one").help("only one of them could ever be used"),
                );
            }
        }
        check_labels("labels", &subset.labels, &at);
        if let Some(policy) = &subset.traffic_policy {
            policy::check(policy, whole, &rule.meta.namespace, &at.field("trafficPolicy", policy));
        }
    }
}

/// A rule for some workloads of its namespace is for nobody elsewhere.
fn check_exports_with_selector(export_to: &[Spanned<String>], namespace: &str, at: &Place<'_>) {
    for (at, entry) in at.items("exportTo", export_to) {
        if **entry != "." && **entry != namespace {
            let message = "a rule with `workloadSelector` is for its own namespace alone";
            let problem = Diagnostic::error("bad-export-to", message);
            at.report(problem.help(format!(
                "write `exportTo: [\".\"]`, or remove one of the two (the namespace is {namespace})"
            )));
        }
    }
}
