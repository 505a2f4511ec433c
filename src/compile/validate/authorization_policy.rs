//! `AuthorizationPolicy` (istiod's `ValidateAuthorizationPolicy`).

use super::{
    metadata, names,
    place::{Findings, Place, missing, text},
    policy_target,
    wording::shown,
};
use crate::{
    compile::authorization::{Attribute, BadKey, DRY_RUN, Twin, dry_run, of_operation, of_source},
    config::{
        Diagnostic, Resource, Spanned,
        resources::{
            AuthorizationAction, AuthorizationCondition, AuthorizationPolicy, AuthorizationRule,
            AuthorizationSource,
        },
    },
    filter::authorization::{PathTemplate, is_template},
};

#[cfg(test)]
mod tests;

/// Service accounts of one source, and the longest of them, as in the custom resource's schema.
const ACCOUNTS_MAX: usize = 16;
const ACCOUNT_BYTES_MAX: usize = 320;

/// Checks one object.
pub(super) fn check(resource: &Resource<AuthorizationPolicy>, findings: &Findings<'_>) {
    metadata::check_annotations_but(DRY_RUN, &resource.meta, findings);
    let policy = &resource.spec;
    check_dry_run(resource, findings);
    let spec = findings.root("spec", resource.span);
    let targets = (policy.target_ref.as_ref(), policy.target_refs.as_slice());
    policy_target::check(&spec, policy.selector.as_ref(), targets, &resource.meta.namespace);
    check_action(policy, &spec);
    for (at, rule) in spec.items("rules", policy.rules.as_ref().map_or(&[], |rules| rules)) {
        check_rule(rule, &at);
    }
}

fn check_dry_run(resource: &Resource<AuthorizationPolicy>, findings: &Findings<'_>) {
    let Some(Err(value)) = dry_run(&resource.meta) else { return };
    let message = format!("`{}` is neither true nor false", shown(value));
    let at = findings.root("metadata", resource.meta.name.span);
    let problem = Diagnostic::error("bad-annotation", message);
    at.absent("annotations").pointing_at(value.span).report(problem.help("write \"true\" or \"false\""));
}

fn check_action(policy: &AuthorizationPolicy, at: &Place<'_>) {
    let place = policy.action.as_ref().map_or(at.span(), |action| action.span);
    let action = policy.action.as_ref().map(|action| action.value).unwrap_or_default();
    let has_rules = policy.rules.as_ref().is_some_and(|rules| !rules.is_empty());
    if !has_rules && matches!(action, AuthorizationAction::Deny | AuthorizationAction::Custom) {
        let message = format!("{} without `rules` is never triggered", action.name());
        let problem = Diagnostic::error("missing-field", message);
        at.absent("rules").pointing_at(place).report(problem.help("write `rules: [{}]` for every request"));
    }
    let name = policy.provider.as_ref().and_then(|provider| text(&provider.name));
    match (&policy.provider, action) {
        (Some(provider), AuthorizationAction::Custom) if name.is_none() => {
            at.field("provider", provider).absent("name").report(missing("name"));
        }
        (None, AuthorizationAction::Custom) => {
            at.absent("provider").pointing_at(place).report(missing("provider"))
        }
        (_, AuthorizationAction::Custom) | (None, _) => {}
        (Some(provider), action) => {
            let message = format!("`provider` is for CUSTOM only; the action is {}", action.name());
            at.field("provider", provider).report(Diagnostic::error("conflicting-fields", message));
        }
    }
}

fn check_rule(rule: &AuthorizationRule, at: &Place<'_>) {
    if let Some(list) = rule.from.as_ref().filter(|list| list.is_empty()) {
        at.field("from", list).report(empty("from", "leave it out to mean any source"));
    }
    if let Some(list) = rule.to.as_ref().filter(|list| list.is_empty()) {
        at.field("to", list).report(empty("to", "leave it out to mean any operation"));
    }
    for (at, from) in at.items("from", rule.from.as_ref().map_or(&[], |list| list)) {
        let help = "leave `from` out to mean any source";
        let Some(source) = at.require("source", &from.source, help) else { continue };
        let at = at.field("source", source);
        let fields = of_source(source);
        if fields.iter().all(Twin::is_absent) {
            at.report(empty("source", help));
        }
        fields.iter().for_each(|field| check_twin(field, &at));
        check_accounts(source, &at);
    }
    for (at, to) in at.items("to", rule.to.as_ref().map_or(&[], |list| list)) {
        let help = "leave `to` out to mean any operation";
        let Some(operation) = at.require("operation", &to.operation, help) else { continue };
        let at = at.field("operation", operation);
        let fields = of_operation(operation);
        if fields.iter().all(Twin::is_absent) {
            at.report(empty("operation", help));
        }
        fields.iter().for_each(|field| check_twin(field, &at));
    }
    for (at, condition) in at.items("when", &rule.when) {
        check_condition(condition, &at);
    }
}

fn empty(name: &str, help: &str) -> Diagnostic {
    Diagnostic::error("missing-field", format!("`{name}` is empty")).help(help)
}

fn check_twin(field: &Twin<'_>, at: &Place<'_>) {
    for (name, values) in [(field.name, field.values), (field.not_name, field.not_values)] {
        at.items(name, values).for_each(|(at, value)| check_value(field.attribute, value, &at));
    }
}

fn check_condition(condition: &AuthorizationCondition, at: &Place<'_>) {
    let help = "such as `request.headers[x-token]` or `remote.ip`";
    let Some(key) = at.require_text("key", &condition.key, help) else { return };
    if condition.values.is_empty() && condition.not_values.is_empty() {
        let problem = Diagnostic::error("missing-field", "there are neither `values` nor `notValues`");
        at.absent("values").report(problem);
    }
    let attribute = match Attribute::of_key(key) {
        Ok(attribute) => attribute,
        Err(why) => return at.field("key", key).report(bad_key(key, why)),
    };
    for (name, values) in [("values", &condition.values), ("notValues", &condition.not_values)] {
        at.items(name, values).for_each(|(at, value)| check_value(attribute, value, &at));
    }
}

fn bad_key(key: &Spanned<String>, why: BadKey) -> Diagnostic {
    let key = shown(key);
    match why {
        BadKey::Unknown => Diagnostic::error("unknown-attribute", format!("there is no attribute `{key}`")).help(
            "there are: request.headers[x], request.auth.principal, request.auth.audiences, request.auth.presenter, \
             request.auth.claims[x], source.ip, remote.ip, source.namespace, source.serviceAccount, source.principal, \
             destination.ip, destination.port, connection.sni",
        ),
        BadKey::NoName => {
            let message = format!("`{key}` has no name in brackets");
            Diagnostic::error("unknown-attribute", message).help("write it as in `request.headers[x-token]`")
        }
        BadKey::EnvoyFilter => Diagnostic::error(
            "unsupported-attribute",
            format!("`{key}` is about a filter of Envoy, which is not there: the policy can't be enforced"),
        ),
        BadKey::HopByHop => Diagnostic::error(
            "unsupported-attribute",
            format!("`{key}` concerns one connection only, and is not looked at: the policy can't be enforced"),
        )
        .help("of such fields only `upgrade` and `content-length` can be asked for"),
    }
}

fn check_value(attribute: Attribute<'_>, value: &Spanned<String>, at: &Place<'_>) {
    let written = shown(value);
    if value.is_empty() {
        return at.report(Diagnostic::error("empty-value", "the value is empty").help("`*` is any value"));
    }
    let problem = match attribute {
        _ if attribute.is_address() && !names::is_subnet(value) => {
            Diagnostic::error("bad-address", format!("`{written}` is not an IP address or network"))
                .help("such as 203.0.113.4 or 203.0.113.0/24")
        }
        Attribute::Port if !is_port(value) => {
            Diagnostic::error("bad-port", format!("`{written}` is not a port number"))
                .help("expected 0 to 65535")
        }
        Attribute::Path if is_template(value) => match PathTemplate::parse(value) {
            Ok(_) => return,
            Err(why) => {
                Diagnostic::error("bad-path-template", format!("`{written}` is not a path template: {why}"))
                    .help("such as `/orders/{*}/items` or `/static/{**}`")
            }
        },
        Attribute::ServiceAccount => match bad_account(value) {
            Some(why) => Diagnostic::error(
                "bad-service-account",
                format!("`{written}` is not a service account: {why}"),
            )
            .help("write `<namespace>/<name>`, or `<name>` for one in the namespace of the policy"),
            None => return,
        },
        _ => return,
    };
    at.report(problem);
}

/// As istiod reads it: without a sign.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn bad_account(text: &str) -> Option<&'static str> {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        _ if text.len() > ACCOUNT_BYTES_MAX => Some("it is longer than 320 characters"),
        _ if text.contains('*') => Some("wildcards are not supported"),
        [_] => None,
        [namespace, name] if !namespace.is_empty() && !name.is_empty() => None,
        [_, _] => Some("there is nothing before or behind the slash"),
        _ => Some("there is more than one slash"),
    }
}

fn check_accounts(source: &AuthorizationSource, at: &Place<'_>) {
    let accounts =
        [("serviceAccounts", &source.service_accounts), ("notServiceAccounts", &source.not_service_accounts)];
    for (name, list) in accounts {
        let Some(first) = list.first() else { continue };
        let others = [
            ("principals", &source.principals),
            ("notPrincipals", &source.not_principals),
            ("namespaces", &source.namespaces),
            ("notNamespaces", &source.not_namespaces),
        ];
        if let Some((other, _)) = others.iter().find(|(_, values)| !values.is_empty()) {
            let message = format!("`{name}` and `{other}` exclude each other");
            at.field(name, first).report(Diagnostic::error("conflicting-fields", message));
        }
        if list.len() > ACCOUNTS_MAX {
            let message = format!("there are {} `{name}`; at most {ACCOUNTS_MAX} can be", list.len());
            at.field(name, first).report(Diagnostic::error("too-many-items", message));
        }
    }
}
