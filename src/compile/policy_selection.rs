//! Which policies of security.istio.io apply to this gateway workload (specification section 5): those in its own
//! namespace and in the root namespace whose selector its labels have, and those attached to one of its Gateways.

use super::{
    Workload,
    report::Report,
    scope::{in_creation_order, labels_text, selects},
    select::Selection,
};
use crate::config::{
    Diagnostic, Resource, Spanned,
    resources::{Map, PolicySelector, PolicyTargetReference},
};
use std::collections::HashSet;

/// The label by which the pods of a Gateway of the Kubernetes Gateway API tell whose they are.
const GATEWAY_NAME_LABEL: &str = "gateway.networking.k8s.io/gateway-name";
/// The API group of the Gateways that `sluicegate` reads.
const ISTIO_GROUP: &str = "networking.istio.io";
/// The API group of the Gateways of the Kubernetes Gateway API.
const KUBERNETES_GROUP: &str = "gateway.networking.k8s.io";

/// A kind of policy that says which workloads it is for.
pub(super) trait Targeted {
    /// `selector`
    fn selector(&self) -> Option<&Spanned<PolicySelector>>;
    /// `targetRefs`, or the old `targetRef` where there are none.
    fn target_refs(&self) -> Vec<&Spanned<PolicyTargetReference>>;
}

/// `targetRefs`, or the old `targetRef` where there are none.
pub(super) fn named_targets<'p>(
    list: &'p [Spanned<PolicyTargetReference>],
    old: &'p Option<Spanned<PolicyTargetReference>>,
) -> Vec<&'p Spanned<PolicyTargetReference>> {
    if list.is_empty() { old.iter().collect() } else { list.iter().collect() }
}

/// What is known about this gateway workload, for those who look for its policies.
pub(super) struct PolicySelection<'w> {
    workload: &'w Workload,
    /// Namespace and name of the Gateways that apply to the workload.
    gateways: HashSet<(&'w str, &'w str)>,
    /// Where the workload's labels are unknown: those by which the Gateways find it.
    implied: HashSet<(&'w str, &'w str)>,
}

/// Why a policy is not for this workload.
enum Elsewhere<'p> {
    /// It is in a namespace that is neither the workload's nor the root.
    Namespace,
    /// As above, but its selector names this workload.
    NamespaceOnly,
    /// The labels are not those of the workload.
    Labels(&'p Map<String>),
    /// It is attached to objects, none of which is a Gateway of this workload.
    Targets,
}

impl<'w> PolicySelection<'w> {
    pub(super) fn new(workload: &'w Workload, selection: &Selection<'w>) -> PolicySelection<'w> {
        let resources = || selection.gateways.iter().map(|gateway| gateway.resource);
        let pairs = resources().flat_map(|gateway| gateway.spec.selector.iter());
        let mut implied: HashSet<(&str, &str)> =
            pairs.map(|(key, value)| (key.value.as_str(), value.value.as_str())).collect();
        for [one, other] in CHART_LABELS {
            if implied.contains(&one) || implied.contains(&other) {
                implied.extend([one, other]);
            }
        }
        PolicySelection {
            workload,
            gateways: resources().map(|g| (g.meta.namespace.as_str(), g.meta.name.as_str())).collect(),
            implied,
        }
    }

    /// The policies that apply: those of the root namespace, then those of the workload's own, each in creation order,
    /// as in istiod. One that has an error is among them, so that whoever enforces it can fail closed. What is said
    /// about the others depends on how likely it is that this gateway was meant.
    pub(super) fn applying<'p, P: Targeted>(
        &self,
        list: &'p [Resource<P>],
        report: &mut Report,
    ) -> Vec<&'p Resource<P>> {
        let (mut of_root, mut others) = (Vec::new(), Vec::new());
        for policy in in_creation_order(list.iter()) {
            self.report_partial_target(policy, report);
            match self.why_not(policy) {
                Some(why) => self.report(policy, &why, report),
                None if policy.meta.namespace.value == self.workload.root_namespace => of_root.push(policy),
                None => others.push(policy),
            }
        }
        of_root.append(&mut others);
        of_root
    }

    /// A policy is enforced for the whole workload. One that is attached to some of its Gateways only would hold for the
    /// others, too: an ALLOW for one would let requests into another.
    fn report_partial_target<P: Targeted>(&self, policy: &Resource<P>, report: &mut Report) {
        let namespace = policy.meta.namespace.as_str();
        let is_of_istio = |target: &&Spanned<PolicyTargetReference>| {
            target.group.as_ref().is_some_and(|group| group.value == ISTIO_GROUP)
        };
        // A ServiceEntry may have the name of a Gateway.
        let is_one = |target: &&Spanned<PolicyTargetReference>| {
            is_of_istio(target) && self.is_target(target, namespace)
        };
        let targets: Vec<_> = policy.spec.target_refs().into_iter().filter(is_one).collect();
        let is_named = |gateway: &str| {
            targets.iter().any(|target| target.name.as_ref().is_some_and(|name| name.value == gateway))
        };
        let is_whole = self.gateways.iter().all(|(of, name)| *of == namespace && is_named(name));
        let Some(first) = targets.first().filter(|_| !is_whole && self.why_not(policy).is_none()) else {
            return;
        };
        report.add("partial-target", first.span, || {
            let message = "a policy is enforced for the whole workload, and this names only some of its Gateways";
            Diagnostic::error("partial-target", message)
                .about(&policy.object)
                .field("spec.targetRefs")
                .help("write `selector` in place of `targetRefs`; in an AuthorizationPolicy, `to.operation.ports` or `hosts` say for which of them")
        });
    }

    /// What this gateway process is.
    pub(super) fn workload(&self) -> &'w Workload {
        self.workload
    }

    /// Whether a policy is for this workload, for those who say themselves what is to be said if it is not.
    pub(super) fn is_for_workload<P: Targeted>(&self, policy: &Resource<P>) -> bool {
        self.why_not(policy).is_none()
    }

    /// Whether any of these applies.
    pub(super) fn has_any<P: Targeted>(&self, list: &[Resource<P>]) -> bool {
        list.iter().any(|policy| self.why_not(policy).is_none())
    }

    fn why_not<'p, P: Targeted>(&self, policy: &'p Resource<P>) -> Option<Elsewhere<'p>> {
        let targets = policy.spec.target_refs();
        let namespace = policy.meta.namespace.as_str();
        if !targets.is_empty() {
            let is_here = targets.iter().any(|target| self.is_target(target, namespace));
            return (!is_here).then_some(Elsewhere::Targets);
        }
        let labels = policy.spec.selector().map(|selector| &selector.value.match_labels);
        let labels = labels.filter(|labels| !labels.is_empty());
        let is_selected = labels.is_none_or(|labels| self.has(labels));
        if namespace != self.workload.namespace && namespace != self.workload.root_namespace {
            let is_meant = labels.is_some() && is_selected;
            return Some(if is_meant { Elsewhere::NamespaceOnly } else { Elsewhere::Namespace });
        }
        labels.filter(|_| !is_selected).map(Elsewhere::Labels)
    }

    fn has(&self, labels: &Map<String>) -> bool {
        match &self.workload.labels {
            Some(own) => selects(labels, own),
            None => labels.iter().all(|(key, value)| self.implied.contains(&(key.as_str(), value.as_str()))),
        }
    }

    /// Whether the object is one of the workload's Gateways. A policy and its target are in one namespace.
    fn is_target(&self, target: &PolicyTargetReference, namespace: &str) -> bool {
        fn text(field: &Option<Spanned<String>>) -> &str {
            field.as_ref().map_or("", |text| text.value.as_str())
        }
        if text(&target.kind) != "Gateway" || !["", namespace].contains(&text(&target.namespace)) {
            return false;
        }
        let name = text(&target.name);
        match text(&target.group) {
            ISTIO_GROUP => self.gateways.contains(&(namespace, name)),
            KUBERNETES_GROUP => {
                let own = self.workload.labels.as_ref().and_then(|labels| labels.get(GATEWAY_NAME_LABEL));
                namespace == self.workload.namespace && own.is_some_and(|own| own == name)
            }
            _ => false,
        }
    }

    fn report<P: Targeted>(&self, policy: &Resource<P>, why: &Elsewhere<'_>, report: &mut Report) {
        let own = &self.workload.namespace;
        let root = &self.workload.root_namespace;
        let kind = &policy.object.kind;
        let (place, field) = match (why, policy.spec.selector(), policy.spec.target_refs().first()) {
            (Elsewhere::Labels(_), Some(selector), _) => (selector.span, "spec.selector"),
            (Elsewhere::Targets, _, Some(first)) => (first.span, "spec.targetRefs"),
            _ => (policy.meta.namespace.span, "metadata.namespace"),
        };
        let unknown = self.workload.labels.is_none();
        report.add("policy-not-selected", place, || {
            let about = |diagnostic: Diagnostic| diagnostic.about(&policy.object).field(field);
            match why {
                // It may be for this gateway, so nothing is served rather than everything.
                Elsewhere::Labels(labels) if unknown => about(Diagnostic::error(
                    "policy-not-selected",
                    format!("the {kind} is not enforced: no Gateway selects the labels {}", text_of(labels)),
                ))
                .help("what labels this gateway workload has is unknown; say it with --labels or --gateway"),
                Elsewhere::Labels(labels) => about(Diagnostic::note(
                    "policy-not-selected",
                    format!("the {kind} is for other workloads: its selector is {}", text_of(labels)),
                ))
                .help(format!("this workload has {}", self.labels_text())),
                Elsewhere::NamespaceOnly => about(Diagnostic::warning(
                    "policy-not-selected",
                    format!("the {kind} is not enforced: its selector fits, but it is in another namespace"),
                ))
                .help(format!(
                    "a policy is for the workloads of its own namespace, one in {root} for all; this workload is in {own}, see --namespace"
                )),
                Elsewhere::Namespace if self.has_gateway_in(&policy.meta.namespace) => about(Diagnostic::warning(
                    "policy-not-selected",
                    format!("the {kind} is not enforced: Gateways of this workload are in its namespace, but the workload is not"),
                ))
                .help(format!("this workload is in {own}; say --namespace {}", policy.meta.namespace.value)),
                Elsewhere::Namespace => about(Diagnostic::note(
                    "policy-not-selected",
                    format!("the {kind} is for the workloads of namespace {}", policy.meta.namespace.value),
                ))
                .help(format!("this workload is in {own}, and {root} is for all; see --namespace")),
                Elsewhere::Targets if unknown && names_kubernetes_gateway(policy) => about(Diagnostic::error(
                    "policy-not-selected",
                    format!("the {kind} is not enforced: whether its Gateway is this workload is unknown"),
                ))
                .help(format!("say it with --labels {GATEWAY_NAME_LABEL}=NAME")),
                Elsewhere::Targets => about(Diagnostic::note(
                    "policy-not-selected",
                    format!("the {kind} is attached to no Gateway of this workload"),
                ))
                .help(format!(
                    "`targetRefs` can name a Gateway of `{ISTIO_GROUP}` in the policy's namespace that this workload serves; else use `selector`"
                )),
            }
        });
    }

    fn has_gateway_in(&self, namespace: &str) -> bool {
        self.gateways.iter().any(|(of, _)| *of == namespace)
    }

    fn labels_text(&self) -> String {
        labels_text(self.workload.labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())))
    }
}

/// Whether a policy is attached to a Gateway of the Kubernetes Gateway API.
fn names_kubernetes_gateway<P: Targeted>(policy: &Resource<P>) -> bool {
    let is_it = |target: &&Spanned<PolicyTargetReference>| {
        target.group.as_ref().is_some_and(|group| group.value == KUBERNETES_GROUP)
    };
    policy.spec.target_refs().iter().any(is_it)
}

/// Istio's charts give each of their gateways both labels of a pair, and people use either in selectors.
const CHART_LABELS: [[(&str, &str); 2]; 2] = [
    [("istio", "ingressgateway"), ("app", "istio-ingressgateway")],
    [("istio", "egressgateway"), ("app", "istio-egressgateway")],
];

fn text_of(labels: &Map<String>) -> String {
    labels_text(labels.iter().map(|(key, value)| (key.value.as_str(), value.value.as_str())))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    fn policy(metadata: &str, target: &str) -> String {
        format!(
            "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{{metadata}}}\nspec: {{{target}}}\n---\n"
        )
    }

    /// The severity of what is said of a policy for the gateway of the acceptance cases; `applies` if nothing is.
    fn fate(labels: Option<&[(&str, &str)]>, namespace: &str, target: &str) -> String {
        let gateway = object(
            "Gateway",
            "name: g, namespace: istio-system",
            "{selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}",
        );
        let own = |labels: &[(&str, &str)]| {
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let options = super::super::Options {
            labels: labels.map(own),
            namespace: Some("ingress".to_owned()),
            ..Default::default()
        };
        let yaml = format!("{gateway}{}", policy(&format!("name: p, namespace: {namespace}"), target));
        let outcome = compiled_with(&options, &yaml);
        let said = outcome.0.diagnostics.iter().find(|d| d.code == "policy-not-selected");
        said.map_or("applies".to_owned(), |said| format!("{:?}", said.severity))
    }

    const INGRESS: Option<&[(&str, &str)]> = Some(&[("istio", "ingressgateway"), ("tier", "front")]);

    #[test]
    fn by_labels_and_namespace() {
        let labels = |pairs: &str| format!("selector: {{matchLabels: {{{pairs}}}}}");
        for (namespace, target, expected) in [
            ("ingress", labels("istio: ingressgateway"), "applies"),
            ("ingress", labels("istio: ingressgateway, tier: front"), "applies"),
            ("ingress", labels("istio: ingressgateway, tier: back"), "Note"),
            ("ingress", labels("app: web"), "Note"),
            ("ingress", labels(""), "applies"),
            ("ingress", String::new(), "applies"),
            ("istio-system", labels("istio: ingressgateway"), "applies"),
            ("istio-system", labels("app: web"), "Note"),
            ("istio-system", String::new(), "applies"),
            ("web", labels("istio: ingressgateway"), "Warning"),
            ("web", labels("app: web"), "Note"),
            ("web", String::new(), "Note"),
        ] {
            assert_eq!(fate(INGRESS, namespace, &target), expected, "{namespace} {target}");
        }
    }

    #[test]
    fn unknown_labels_are_those_of_the_gateways() {
        for (pairs, expected) in [
            ("istio: ingressgateway", "applies"),
            ("app: istio-ingressgateway", "applies"),
            ("app: istio-egressgateway", "Error"),
            ("app: web", "Error"),
        ] {
            let target = format!("selector: {{matchLabels: {{{pairs}}}}}");
            assert_eq!(fate(None, "ingress", &target), expected, "{pairs}");
        }
        assert_eq!(fate(None, "ingress", ""), "applies");
    }

    #[test]
    fn by_gateway() {
        let of = |group: &str, kind: &str, name: &str| {
            format!("targetRefs: [{{group: {group}, kind: {kind}, name: {name}}}]")
        };
        for (namespace, target, expected) in [
            ("istio-system", of("networking.istio.io", "Gateway", "g"), "applies"),
            ("istio-system", of("networking.istio.io", "Gateway", "h"), "Note"),
            ("ingress", of("networking.istio.io", "Gateway", "g"), "Note"),
            ("istio-system", of("networking.istio.io", "Service", "g"), "Note"),
            ("istio-system", of("gateway.networking.k8s.io", "Gateway", "g"), "Note"),
        ] {
            assert_eq!(fate(INGRESS, namespace, &target), expected, "{namespace} {target}");
        }
        let labels: &[(&str, &str)] = &[("gateway.networking.k8s.io/gateway-name", "k")];
        let kubernetes = of("gateway.networking.k8s.io", "Gateway", "k");
        assert_eq!(fate(Some(labels), "ingress", &kubernetes), "applies");
        assert_eq!(fate(Some(labels), "istio-system", &kubernetes), "Note");
    }

    /// Gateways `public` and `admin` in `istio-system`, and a policy there with these targets: whether it is told to be
    /// attached to a part of the workload, as the error that it has to be.
    fn is_partial(targets: &[(&str, &str)]) -> bool {
        let gateway = |name: &str, port: u16| {
            super::super::testing::gateway(
                &format!("name: {name}, namespace: istio-system"),
                &[("HTTP", port, "'*'", "")],
            )
        };
        let reference = |(kind, name): &(&str, &str)| {
            format!("{{group: networking.istio.io, kind: {kind}, name: {name}}}")
        };
        let targets: Vec<String> = targets.iter().map(reference).collect();
        let policy =
            policy("name: p, namespace: istio-system", &format!("targetRefs: [{}]", targets.join(", ")));
        let outcome =
            compiled_with(&ingress(), &format!("{}{}{policy}", gateway("public", 80), gateway("admin", 81)));
        let said = outcome.0.diagnostics.iter().find(|d| d.code == "partial-target");
        said.is_some_and(|said| {
            assert_eq!(said.severity, super::super::super::config::Severity::Error, "{said:?}");
            assert_eq!(said.field, "spec.targetRefs");
            true
        })
    }

    #[test]
    fn a_policy_for_some_gateways_would_hold_for_all() {
        let (public, admin) = (("Gateway", "public"), ("Gateway", "admin"));
        assert!(is_partial(&[public]) && is_partial(&[admin]) && is_partial(&[admin, ("Gateway", "other")]));
        assert!(is_partial(&[public, ("ServiceEntry", "admin")]));
        assert!(!is_partial(&[public, admin]) && !is_partial(&[admin, ("Gateway", "other"), public]));
        // Those for none of them are for nobody here.
        assert!(!is_partial(&[("Gateway", "other")]) && !is_partial(&[("ServiceEntry", "admin")]));
    }

    #[test]
    fn a_policy_beside_a_gateway_that_is_elsewhere_is_told() {
        // The workload is in `istio-system`.
        let gateway = object(
            "Gateway",
            "name: g, namespace: edge",
            "{selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}",
        );
        let said = |namespace: &str| {
            let yaml = format!("{gateway}{}", policy(&format!("name: p, namespace: {namespace}"), ""));
            let outcome = compiled_with(&ingress(), &yaml);
            let found = outcome.0.diagnostics.iter().find(|d| d.code == "policy-not-selected").cloned();
            found.map(|found| (format!("{:?}", found.severity), found.help.unwrap_or_default()))
        };
        let (severity, help) = said("edge").unwrap();
        assert_eq!(severity, "Warning");
        assert!(help.contains("--namespace edge"), "{help}");
        assert_eq!(said("web").unwrap().0, "Note");
        assert_eq!(said("istio-system"), None);
    }

    #[test]
    fn whose_kubernetes_gateway_it_is_must_be_known() {
        let target = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: k}]";
        assert_eq!(fate(None, "ingress", target), "Error");
        assert_eq!(fate(INGRESS, "ingress", target), "Note");
    }

    #[test]
    fn those_of_the_root_namespace_come_first() {
        let policies =
            ["name: b, namespace: own", "name: a, namespace: own", "name: c, namespace: istio-system"];
        let yaml: String = policies.iter().map(|metadata| policy(metadata, "")).collect();
        let (resources, problems) = crate::config::parse(vec![("a.yaml".to_owned(), yaml.into_bytes())]);
        assert_eq!(problems, []);
        let workload = super::Workload {
            labels: None,
            namespace: "own".to_owned(),
            root_namespace: "istio-system".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            locality: Default::default(),
        };
        let selection = super::Selection { gateways: Vec::new(), virtual_services: Vec::new() };
        let policies = super::PolicySelection::new(&workload, &selection);
        let mut report = super::Report::default();
        let found = policies.applying(&resources.request_authentications, &mut report);
        let names: Vec<&str> = found.iter().map(|policy| policy.meta.name.as_str()).collect();
        assert_eq!(names, ["c", "a", "b"]);
    }
}
