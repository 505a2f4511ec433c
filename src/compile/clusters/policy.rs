//! Which DestinationRule applies to a service, and what it says for a port and a subset (specification sections 4.1
//! and 4.2).

use crate::{
    compile::{
        Workload,
        host_name::{ClusterDomain, HostSet, full_name},
        origin::{Origins, title},
        report::Report,
        scope::{Owner, Visibility, in_creation_order, selects, visibility},
        services::Service,
    },
    config::{
        Resource, Resources, Span, Spanned,
        resources::{
            ClientTlsSettings, ConnectionPoolSettings, DestinationRule, LoadBalancerSettings,
            OutlierDetection, PortTrafficPolicy, ProxyProtocol, RetryBudget, Subset, TrafficPolicy,
            TunnelSettings,
        },
    },
    table::{AppliedPolicy, PolicyBlock, Source},
};
use std::collections::{BTreeSet, HashMap};

/// All DestinationRules, found by the service that they are about.
pub(in crate::compile) struct Policies<'r> {
    by_namespace: HashMap<&'r str, HostSet<Candidate<'r>>>,
    workload: Workload,
    /// What the mesh says for rules that say nothing.
    export_to: &'r [Spanned<String>],
}

#[derive(Clone, Copy)]
struct Candidate<'r> {
    rule: &'r Resource<DestinationRule>,
    visibility: Visibility,
}

/// The DestinationRules that apply to a service: usually one; several of one namespace with the same host are taken
/// together.
#[derive(Default)]
pub(in crate::compile) struct ServicePolicy<'r> {
    pub(in crate::compile) rules: Vec<&'r Resource<DestinationRule>>,
}

/// What holds for one cluster.
#[derive(Clone, Copy, Default)]
pub(in crate::compile) struct Policy<'r> {
    pub(in crate::compile) load_balancer: Option<&'r Spanned<LoadBalancerSettings>>,
    pub(in crate::compile) connection_pool: Option<&'r Spanned<ConnectionPoolSettings>>,
    pub(in crate::compile) tls: Option<&'r Spanned<ClientTlsSettings>>,
    pub(in crate::compile) proxy_protocol: Option<&'r Spanned<ProxyProtocol>>,
    pub(in crate::compile) outlier: Option<&'r Spanned<OutlierDetection>>,
    pub(in crate::compile) tunnel: Option<&'r Spanned<TunnelSettings>>,
    pub(in crate::compile) retry_budget: Option<&'r Spanned<RetryBudget>>,
}

/// Where a block of a policy is written.
#[derive(Clone)]
pub(in crate::compile) struct PolicyPlace<'r> {
    pub(in crate::compile) rule: &'r Resource<DestinationRule>,
    /// The path to it, such as `spec.trafficPolicy.tls`.
    pub(in crate::compile) path: String,
}

/// Which namespaces are looked at, in this order; the first with a rule wins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::compile) enum Step {
    /// That of the gateway workload.
    Workload,
    /// That of the service.
    Service,
    /// The root namespace.
    Root,
}

impl<'r> Policies<'r> {
    pub(in crate::compile) fn new(
        resources: &'r Resources,
        workload: &Workload,
        export_to: &'r [Spanned<String>],
        report: &Report,
    ) -> Policies<'r> {
        let good = resources.destination_rules.iter().filter(|rule| !report.is_broken(&rule.object));
        let mut lists: HashMap<&str, Vec<(String, Candidate<'r>)>> = HashMap::new();
        for rule in in_creation_order(good) {
            let Some(host) = &rule.spec.host else { continue };
            let namespace = rule.meta.namespace.as_str();
            let host = full_name(host, namespace, ClusterDomain(&workload.cluster_domain));
            let how = visibility(&rule.spec.export_to, export_to, Owner(namespace), &workload.namespace);
            lists.entry(namespace).or_default().push((host, Candidate { rule, visibility: how }));
        }
        let by_namespace = lists.into_iter().map(|(name, list)| (name, HostSet::new(list))).collect();
        Policies { by_namespace, workload: workload.clone(), export_to }
    }

    /// The rules for a service.
    pub(in crate::compile) fn of(&self, service: &Service<'r>) -> ServicePolicy<'r> {
        self.of_host(&service.host, service.namespace)
            .map_or_else(ServicePolicy::default, |(policy, _)| policy)
    }

    /// The rules for a host of a namespace, and the step in which they were found.
    pub(in crate::compile) fn of_host(
        &self,
        host: &str,
        namespace: &str,
    ) -> Option<(ServicePolicy<'r>, Step)> {
        [Step::Workload, Step::Service, Step::Root].into_iter().find_map(|step| {
            let candidates = self.candidates(step, host, namespace);
            Some((ServicePolicy::merge(&candidates, self.export_to)?, step))
        })
    }

    /// The rules of the most specific host in the namespace of one step.
    fn candidates(&self, step: Step, host: &str, of_service: &str) -> Vec<&'r Resource<DestinationRule>> {
        let Workload { namespace: own, root_namespace: root, .. } = &self.workload;
        let (namespace, counts): (&str, fn(Visibility) -> bool) = match step {
            // The root namespace's rules are for everybody and come last, but for those that it keeps to itself.
            Step::Workload if own == root => (own, |how| how == Visibility::Private),
            Step::Workload => (own, |_| true),
            Step::Service => (of_service, |how| how != Visibility::Hidden),
            Step::Root => (root, |how| how != Visibility::Hidden),
        };
        let Some(rules) = self.by_namespace.get(namespace) else { return Vec::new() };
        let matching = rules
            .covering(host)
            .filter(|(_, candidate)| counts(candidate.visibility) && self.selects_workload(candidate.rule));
        let mut found: Vec<&'r Resource<DestinationRule>> = Vec::new();
        let mut most_specific: Option<&str> = None;
        for (host, candidate) in matching {
            if most_specific.is_some_and(|known| known != host) {
                break;
            }
            most_specific = Some(host);
            found.push(candidate.rule);
        }
        // Stable: creation order holds inside each kind.
        found.sort_by_key(|rule| rule.spec.workload_selector.is_none());
        found
    }

    /// A rule with `workloadSelector` is for workloads of its own namespace. Where the workload's labels are not known
    /// it does not apply; `review` says so.
    pub(in crate::compile) fn selects_workload(&self, rule: &Resource<DestinationRule>) -> bool {
        let Some(selector) = &rule.spec.workload_selector else { return true };
        let has_labels =
            self.workload.labels.as_ref().is_some_and(|labels| selects(&selector.match_labels, labels));
        has_labels && rule.meta.namespace.value == self.workload.namespace
    }
}

impl<'r> ServicePolicy<'r> {
    /// Rules of one host and namespace are taken together if they are for the same namespaces and workloads as the
    /// first.
    fn merge(
        candidates: &[&'r Resource<DestinationRule>],
        export_to: &[Spanned<String>],
    ) -> Option<ServicePolicy<'r>> {
        let first = candidates.first()?;
        let is_alike = |rule: &&&'r Resource<DestinationRule>| {
            exported_to(rule, export_to) == exported_to(first, export_to) && selected(rule) == selected(first)
        };
        Some(ServicePolicy { rules: candidates.iter().filter(is_alike).copied().collect() })
    }

    /// The first with a name counts.
    pub(in crate::compile) fn subset(
        &self,
        name: &str,
    ) -> Option<(&'r Resource<DestinationRule>, &'r Spanned<Subset>)> {
        self.subsets().find(|(_, subset)| subset.name.as_ref().is_some_and(|own| own.value == name))
    }

    pub(in crate::compile) fn subsets(
        &self,
    ) -> impl Iterator<Item = (&'r Resource<DestinationRule>, &'r Spanned<Subset>)> {
        self.rules.iter().flat_map(|rule| rule.spec.subsets.iter().map(|subset| (*rule, subset)))
    }

    /// Where a block is written that `policy` has found. `name` is the block's, `is_it` knows it.
    pub(in crate::compile) fn place(
        &self,
        name: &str,
        is_it: impl Fn(&Policy<'r>) -> bool,
    ) -> Option<PolicyPlace<'r>> {
        self.rules.iter().find_map(|rule| {
            // The path within one policy, before `name`.
            let within = |policy: &'r TrafficPolicy| {
                if is_it(&blocks(policy)) {
                    return Some(String::new());
                }
                let mut ports = policy.port_level_settings.iter();
                let position = ports.position(|port| is_it(&of_settings(port)))?;
                Some(format!(".portLevelSettings[{position}]"))
            };
            let whole = rule.spec.traffic_policy.as_ref().and_then(|policy| within(policy));
            let path = whole.map(|path| format!("spec.trafficPolicy{path}.{name}")).or_else(|| {
                rule.spec.subsets.iter().enumerate().find_map(|(position, subset)| {
                    let path = within(subset.traffic_policy.as_ref()?)?;
                    Some(format!("spec.subsets[{position}].trafficPolicy{path}.{name}"))
                })
            });
            Some(PolicyPlace { rule, path: path? })
        })
    }

    /// Where everything is written that `policy` has found; `mesh_pool` tells that the mesh has a connection pool for rules
    /// that have none. Nothing where nobody says anything.
    pub(in crate::compile) fn applied(
        &self,
        policy: &Policy<'r>,
        mesh_pool: bool,
        origins: &Origins,
    ) -> Option<Box<AppliedPolicy>> {
        let rules = self.rules.iter().map(|rule| origins.source(&title(&rule.object), rule.meta.name.span));
        let block = |(name, span): (&'static str, Option<Span>)| {
            let span = span?;
            let is_it = |other: &Policy<'r>| spans(other).contains(&(name, Some(span)));
            let place = self.place(name, is_it)?;
            let source = origins.source(&title(&place.rule.object), span);
            Some(PolicyBlock { name, path: place.path.into(), source })
        };
        let mut blocks: Vec<PolicyBlock> = spans(policy).into_iter().filter_map(block).collect();
        if mesh_pool && policy.connection_pool.is_none() {
            blocks.push(PolicyBlock {
                name: "connectionPool",
                path: "meshConfig.defaultTrafficPolicy.connectionPool".into(),
                source: Source::built_in("meshConfig"),
            });
        }
        let applied = AppliedPolicy { rules: rules.collect(), blocks };
        (applied != AppliedPolicy::default()).then(|| Box::new(applied))
    }

    /// What holds for a port, and for a subset of it.
    pub(in crate::compile) fn policy(&self, port: u16, subset: Option<&'r Subset>) -> Policy<'r> {
        let of_service = self.rules.iter().find_map(|rule| rule.spec.traffic_policy.as_ref());
        let base = of_service
            .map_or_else(Policy::default, |policy| of_port(policy, port).unwrap_or_else(|| blocks(policy)));
        let Some(policy) = subset.and_then(|subset| subset.traffic_policy.as_ref()) else { return base };
        let own = blocks(policy);
        let merged = Policy {
            load_balancer: own.load_balancer.or(base.load_balancer),
            connection_pool: own.connection_pool.or(base.connection_pool),
            tls: own.tls.or(base.tls),
            proxy_protocol: own.proxy_protocol.or(base.proxy_protocol),
            outlier: own.outlier.or(base.outlier),
            tunnel: own.tunnel.or(base.tunnel),
            retry_budget: own.retry_budget.or(base.retry_budget),
        };
        of_port(policy, port).unwrap_or(merged)
    }
}

/// The namespaces that a rule is exported to, however that is written.
fn exported_to<'r>(rule: &'r Resource<DestinationRule>, default: &'r [Spanned<String>]) -> BTreeSet<&'r str> {
    let list = if rule.spec.export_to.is_empty() { default } else { &rule.spec.export_to };
    let own = rule.meta.namespace.value.as_str();
    let all = list.iter().map(|name| if name.value == "." { own } else { name.value.as_str() });
    let all: BTreeSet<&str> = all.collect();
    if all.is_empty() { BTreeSet::from(["*"]) } else { all }
}

/// The labels that a rule selects workloads by; `None` if it is for all.
fn selected(rule: &Resource<DestinationRule>) -> Option<BTreeSet<(&str, &str)>> {
    let selector = rule.spec.workload_selector.as_ref()?;
    Some(
        selector.match_labels.iter().map(|(key, value)| (key.value.as_str(), value.value.as_str())).collect(),
    )
}

/// The blocks of a policy, by their names, and where they are.
fn spans(policy: &Policy<'_>) -> [(&'static str, Option<Span>); 7] {
    [
        ("loadBalancer", policy.load_balancer.map(|block| block.span)),
        ("connectionPool", policy.connection_pool.map(|block| block.span)),
        ("outlierDetection", policy.outlier.map(|block| block.span)),
        ("tls", policy.tls.map(|block| block.span)),
        ("proxyProtocol", policy.proxy_protocol.map(|block| block.span)),
        ("tunnel", policy.tunnel.map(|block| block.span)),
        ("retryBudget", policy.retry_budget.map(|block| block.span)),
    ]
}

fn blocks(policy: &TrafficPolicy) -> Policy<'_> {
    Policy {
        load_balancer: policy.load_balancer.as_ref(),
        connection_pool: policy.connection_pool.as_ref(),
        tls: policy.tls.as_ref(),
        proxy_protocol: policy.proxy_protocol.as_ref(),
        outlier: policy.outlier_detection.as_ref(),
        tunnel: policy.tunnel.as_ref(),
        retry_budget: policy.retry_budget.as_ref(),
    }
}

/// The settings of a port replace all others: what they leave out has its default.
fn of_port(policy: &TrafficPolicy, port: u16) -> Option<Policy<'_>> {
    let is_own = |number: Option<&Spanned<u32>>| number.is_some_and(|n| n.value == u32::from(port));
    let own = policy
        .port_level_settings
        .iter()
        .find(|settings| is_own(settings.port.as_ref().and_then(|port| port.number.as_ref())))?;
    Some(of_settings(own))
}

fn of_settings(settings: &PortTrafficPolicy) -> Policy<'_> {
    Policy {
        load_balancer: settings.load_balancer.as_ref(),
        connection_pool: settings.connection_pool.as_ref(),
        tls: settings.tls.as_ref(),
        outlier: settings.outlier_detection.as_ref(),
        // They have no place there.
        proxy_protocol: None,
        tunnel: None,
        retry_budget: None,
    }
}
