//! AuthorizationPolicies to the rules by which requests and connections are let in (specification section 5).
//!
//! A policy that can't be enforced must not open the gateway. It has an error, so nothing is served by a configuration
//! with it; and in what is compiled all the same, for those who explain, it denies: one that is broken denies everything,
//! and one whose action is CUSTOM, for which there is nobody to ask, denies what its rules match, as in istiod.
//!
//! - `attribute`: what rules look at
//! - `conditions`: fields and conditions of a rule, and the sets of what they name
//! - `review`: what is right by itself but does not do what it seems to

mod attribute;
mod conditions;
mod review;
#[cfg(test)]
mod tests;

pub(super) use attribute::{Attribute, BadKey, Twin, of_operation, of_source};

use super::{
    Workload,
    merge::Merged,
    mesh::Mesh,
    origin::{Origins, title},
    policy_selection::{PolicySelection, Targeted, named_targets},
    report::Report,
};
use crate::{
    config::{
        Diagnostic, ObjectRef, Resource, Resources, Span, Spanned,
        resources::{
            AuthorizationAction, AuthorizationPolicy, AuthorizationRule, Metadata, PolicySelector,
            PolicyTargetReference,
        },
    },
    filter::authorization::{Action, Condition, Policies, Rule},
    table::{self, Authorization, Listener, Settings},
    tls::ServerSpec,
};
use conditions::Scope;
use review::Surroundings;

impl Targeted for AuthorizationPolicy {
    fn selector(&self) -> Option<&Spanned<PolicySelector>> {
        self.selector.as_ref()
    }

    fn target_refs(&self) -> Vec<&Spanned<PolicyTargetReference>> {
        named_targets(&self.target_refs, &self.target_ref)
    }
}

/// The annotation of a policy that is only tried out.
pub(super) const DRY_RUN: &str = "istio.io/dry-run";

/// Whether a policy says that it is only tried out, or the value that says neither (Go's `strconv.ParseBool`).
pub(super) fn dry_run(meta: &Metadata) -> Option<Result<bool, &Spanned<String>>> {
    meta.annotations.get(DRY_RUN).map(|value| match value.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(value),
    })
}

/// What the policies are compiled with.
pub(super) struct Inputs<'i> {
    pub(super) resources: &'i Resources,
    pub(super) policies: &'i PolicySelection<'i>,
    /// The mesh and the gateway as a whole, and the servers that the Gateways declare.
    pub(super) around: (Mesh<'i>, &'i Settings, &'i Merged<'i>),
    /// What they became.
    pub(super) servers: (&'i [Listener], &'i [ServerSpec]),
}

/// Compiles the policies that apply. Nothing: there are none.
pub(super) fn authorization(
    inputs: &Inputs<'_>,
    origins: &Origins,
    report: &mut Report,
) -> Option<Box<Authorization>> {
    let applying = inputs.policies.applying(&inputs.resources.authorization_policies, report);
    let surroundings = Surroundings::new(inputs);
    let mut compiler = Compiler { origins, surroundings: &surroundings, report, made: Made::default() };
    applying.into_iter().for_each(|policy| compiler.policy(policy));
    let is_here = |object: &&ObjectRef| {
        let Workload { namespace, root_namespace, .. } = inputs.policies.workload();
        [namespace.as_str(), root_namespace].contains(&&*object.namespace)
    };
    let mut broken: Vec<&ObjectRef> =
        inputs.resources.broken("AuthorizationPolicy").filter(is_here).collect();
    broken.sort_by_key(|object| (&object.namespace, &object.name));
    broken.into_iter().for_each(|object| compiler.broken(object));
    let Made { policies, http, tcp, allows, dry_allows } = compiler.made;
    (!policies.is_empty()).then(|| {
        Box::new(Authorization {
            http: Policies::new(http, (allows, dry_allows)),
            tcp: Policies::new(tcp, (allows, dry_allows)),
            policies: policies.into(),
        })
    })
}

struct Compiler<'c> {
    origins: &'c Origins,
    surroundings: &'c Surroundings<'c>,
    report: &'c mut Report,
    made: Made,
}

#[derive(Default)]
struct Made {
    policies: Vec<table::AuthorizationPolicy>,
    http: Vec<(Action, bool, Rule)>,
    tcp: Vec<(Action, bool, Rule)>,
    /// Some policy allows, or is tried out for it.
    allows: bool,
    dry_allows: bool,
}

impl Compiler<'_> {
    fn policy(&mut self, policy: &Resource<AuthorizationPolicy>) {
        if self.report.is_broken(&policy.object) {
            return self.deny_all(&policy.object, policy.span);
        }
        review::policy(policy, self.surroundings, self.report);
        let action = policy.spec.action.as_ref().map(|action| action.value).unwrap_or_default();
        let is_dry_run = dry_run(&policy.meta) == Some(Ok(true));
        let action = match action {
            AuthorizationAction::Allow => Action::Allow,
            AuthorizationAction::Deny => Action::Deny,
            AuthorizationAction::Audit => Action::Audit,
            AuthorizationAction::Custom => {
                self.report_custom(policy);
                Action::Deny
            }
        };
        match (action, is_dry_run) {
            (Action::Allow, false) => self.made.allows = true,
            (Action::Allow, true) => self.made.dry_allows = true,
            _ => {}
        }
        let rules = policy.spec.rules.as_ref().map_or(&[][..], |rules| rules);
        let spans = rules.iter().map(|rule| rule.span);
        let position = self.add(&policy.object, policy.span, spans, (action, is_dry_run));
        let scope =
            Scope { namespace: &policy.meta.namespace, trust_domains: &self.surroundings.trust_domains };
        for (rule, number) in rules.iter().zip(0..) {
            let rule = scope.rule(rule, &policy.object, (position, number));
            let tcp = without_http(&rule, action).map(|rule| (action, is_dry_run, rule));
            self.made.tcp.extend(tcp);
            self.made.http.push((action, is_dry_run, rule));
        }
    }

    fn report_custom(&mut self, policy: &Resource<AuthorizationPolicy>) {
        let place = policy.spec.action.as_ref().map_or(policy.span, |action| action.span);
        self.report.add("unsupported-action", place, || {
            let message = "CUSTOM is not supported: there is nobody to ask, so the policy can't be enforced";
            Diagnostic::error("unsupported-action", message)
                .about(&policy.object)
                .field("spec.action")
                .help("say what is allowed with ALLOW and DENY, or put what decides in front of the gateway")
        });
    }

    /// An object that could not be read completely; nobody knows what it says.
    fn broken(&mut self, object: &ObjectRef) {
        self.deny_all(object, Span::default());
    }

    fn deny_all(&mut self, object: &ObjectRef, span: Span) {
        let position = self.add(object, span, std::iter::empty(), (Action::Deny, false));
        let everything = Rule {
            sources: Box::default(),
            operations: Box::default(),
            when: Box::default(),
            ..named(object, (position, 0))
        };
        self.made.tcp.push((Action::Deny, false, everything.clone()));
        self.made.http.push((Action::Deny, false, everything));
    }

    fn add(
        &mut self,
        object: &ObjectRef,
        span: Span,
        rules: impl Iterator<Item = Span>,
        (action, is_dry_run): (Action, bool),
    ) -> u32 {
        let origins = self.origins;
        let title = title(object);
        let position = self.made.policies.len() as u32;
        let name = format!("{}/{}", object.namespace, object.name);
        let mode = if is_dry_run { "dry_run" } else { "enforced" };
        let labels = format!("policy=\"{}\",action=\"{action}\",mode=\"{mode}\"", name.escape_default());
        self.made.policies.push(table::AuthorizationPolicy {
            name: name.into(),
            labels: labels.into(),
            action,
            is_dry_run,
            source: origins.source(&title, span),
            rules: rules.map(|span| origins.source(&title, span)).collect(),
        });
        position
    }
}

/// A rule without conditions, by its name: Istio's, with what would not fit into the access log replaced.
fn named(object: &ObjectRef, (policy, number): (u32, u32)) -> Rule {
    let name = format!("ns[{}]-policy[{}]-rule[{number}]", object.namespace, object.name);
    let name = name.replace(|c: char| c.is_whitespace() || c.is_control(), "_");
    Rule {
        details: format!("rbac_access_denied_matched_policy[{name}]").into(),
        name: name.into(),
        policy,
        number,
        sources: Box::default(),
        operations: Box::default(),
        when: Box::default(),
    }
}

impl Scope<'_> {
    fn rule(self, rule: &AuthorizationRule, object: &ObjectRef, place: (u32, u32)) -> Rule {
        let sources = rule.from.as_ref().map_or(&[][..], |list| list).iter();
        let operations = rule.to.as_ref().map_or(&[][..], |list| list).iter();
        Rule {
            sources: sources.map(|f| f.source.as_ref().map_or(Box::default(), |s| self.source(s))).collect(),
            operations: operations
                .map(|to| to.operation.as_ref().map_or(Box::default(), |o| self.operation(o)))
                .collect(),
            when: self.when(&rule.when),
            ..named(object, place)
        }
    }
}

/// What a rule is for connections that are not HTTP. What denies or notes loses the conditions that can't be asked there
/// and so matches more; what allows and has one matches nothing at all (istiod's `checkError`).
fn without_http(rule: &Rule, action: Action) -> Option<Rule> {
    let lists = || rule.sources.iter().chain(&rule.operations).chain(std::iter::once(&rule.when));
    if action == Action::Allow && lists().flatten().any(Condition::is_about_http) {
        return None;
    }
    let rest = |list: &[Condition]| -> Box<[Condition]> {
        list.iter().filter(|condition| !condition.is_about_http()).cloned().collect()
    };
    Some(Rule {
        sources: rule.sources.iter().map(|list| rest(list)).collect(),
        operations: rule.operations.iter().map(|list| rest(list)).collect(),
        when: rest(&rule.when),
        ..rule.clone()
    })
}
