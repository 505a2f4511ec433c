//! `Telemetry` (istiod's `ValidateTelemetry`).

use super::{
    place::{Findings, Place, missing},
    policy_target,
    wording::shown,
};
use crate::{
    config::{
        Diagnostic, Resource, Spanned,
        resources::{
            AccessLoggingRule, CustomTag, MetricsRule, NamedTag, ProviderRef, TagOperation, Telemetry,
            TracingRule,
        },
    },
    http::is_token_byte,
};

/// Checks one object.
pub(super) fn check(resource: &Resource<Telemetry>, findings: &Findings<'_>) {
    let telemetry = &resource.spec;
    let spec = findings.root("spec", resource.span);
    let targets = (telemetry.target_ref.as_ref(), telemetry.target_refs.as_slice());
    policy_target::check(&spec, telemetry.selector.as_ref(), targets, &resource.meta.namespace);
    for (at, rule) in spec.items("tracing", &telemetry.tracing) {
        check_tracing(rule, &at);
    }
    for (at, rule) in spec.items("metrics", &telemetry.metrics) {
        check_metrics(rule, &at);
    }
    for (at, rule) in spec.items("accessLogging", &telemetry.access_logging) {
        check_access_logging(rule, &at);
    }
}

fn check_providers(providers: &[Spanned<ProviderRef>], at: &Place<'_>) {
    for (at, provider) in at.items("providers", providers) {
        at.require_text(
            "name",
            &provider.name,
            "a name of `meshConfig.extensionProviders`, or `envoy` or `prometheus`",
        );
    }
}

fn check_tracing(rule: &TracingRule, at: &Place<'_>) {
    check_providers(&rule.providers, at);
    if let Some(second) = rule.providers.get(1) {
        let problem = Diagnostic::error("too-many-items", "spans go to one provider, and there are more");
        at.field("providers", second).report(problem.help("name one"));
    }
    if let Some(percent) = &rule.random_sampling_percentage
        && !(0.0..=100.0).contains(&percent.value)
    {
        let problem = Diagnostic::error("bad-number", format!("{} is no percentage", percent.value));
        at.field("randomSamplingPercentage", percent).report(problem.help("expected 0 to 100"));
    }
    for (at, name, tag) in at.entries("customTags", &rule.custom_tags) {
        if name.is_empty() {
            at.report(Diagnostic::error("empty-value", "the name of the tag is empty"));
        }
        check_tag(tag, &at);
    }
}

fn check_tag(tag: &CustomTag, at: &Place<'_>) {
    let named = |field: &'static str, of: &Spanned<NamedTag>, what: &str| {
        let at = at.field(field, of);
        let name = at.require_text("name", &of.name, what)?;
        Some((at.field("name", name).span(), name.value.clone()))
    };
    if let Some(literal) = &tag.literal {
        at.field("literal", literal).require_text("value", &literal.value.value, "the value of the tag");
    } else if let Some(environment) = &tag.environment {
        named("environment", environment, "the name of the variable");
    } else if let Some(header) = &tag.header {
        let found = named("header", header, "the name of the header field");
        if let Some((span, name)) = found.filter(|(_, name)| !name.bytes().all(is_token_byte)) {
            let message = format!("`{}` is not the name of a header field", shown(&name));
            at.field("header", header).report(Diagnostic::error("bad-header-name", message).at(span));
        }
    } else if let Some(formatter) = &tag.formatter {
        at.field("formatter", formatter).require_text("value", &formatter.value.value, "a format string");
    } else {
        at.report(missing("literal").help("set one of: literal, environment, header, formatter"));
    }
}

fn check_metrics(rule: &MetricsRule, at: &Place<'_>) {
    check_providers(&rule.providers, at);
    for (at, change) in at.items("overrides", &rule.overrides) {
        for (at, name, tag) in at.entries("tagOverrides", &change.tag_overrides) {
            let is_removed = tag.operation.as_ref().is_some_and(|o| o.value == TagOperation::Remove);
            let value = tag.value.value.as_ref().filter(|value| !value.is_empty());
            let name = shown(name);
            match (is_removed, value) {
                (true, Some(value)) => {
                    let message = format!("`{name}` is removed, so it has no value");
                    at.field("value", value).report(Diagnostic::error("conflicting-fields", message));
                }
                (false, None) => {
                    at.absent("value").report(
                        missing("value")
                            .help("a CEL expression, such as `request.host`, or `operation: REMOVE`"),
                    );
                }
                _ => {}
            }
        }
    }
}

fn check_access_logging(rule: &AccessLoggingRule, at: &Place<'_>) {
    check_providers(&rule.providers, at);
    if let Some(filter) = &rule.filter {
        let at = at.field("filter", filter);
        at.require_text("expression", &filter.expression, "a CEL expression, such as `response.code >= 400`");
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::validate::testing::expect;

    /// An object with this `spec`, whose first line is line 5.
    fn telemetry(spec: &str, expected: &[&str]) {
        let spec: Vec<String> = spec.lines().map(|line| format!("  {line}")).collect();
        let head = "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {name: x, namespace: app}\nspec:\n";
        expect(&format!("{head}{}\n", spec.join("\n")), expected);
    }

    #[test]
    fn spans() {
        let rule = |fields: &str, expected: &[&str]| {
            let found: Vec<String> =
                expected.iter().map(|text| text.replace("AT", "spec.tracing[0]")).collect();
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            telemetry(&format!("tracing:\n- {fields}"), &found);
        };
        rule("{randomSamplingPercentage: 12.5, providers: [{name: a}]}", &[]);
        rule("{randomSamplingPercentage: 100.5}", &["error bad-number 6 AT.randomSamplingPercentage"]);
        rule("{randomSamplingPercentage: -1}", &["error bad-number 6 AT.randomSamplingPercentage"]);
        rule("{providers: [{name: a}, {name: b}]}", &["error too-many-items 6 AT.providers"]);
        rule("{providers: [{}]}", &["error missing-field 6 AT.providers[0].name"]);
        rule("{customTags: {a: {literal: {value: x}}, b: {formatter: {value: y}}}}", &[]);
        rule("{customTags: {a: {}}}", &["error missing-field 6 AT.customTags.a"]);
        rule("{customTags: {a: {literal: {}}}}", &["error missing-field 6 AT.customTags.a.literal.value"]);
        rule(
            "{customTags: {a: {header: {name: 'x y'}}}}",
            &["error bad-header-name 6 AT.customTags.a.header"],
        );
        rule(
            "{customTags: {a: {environment: {}}}}",
            &["error missing-field 6 AT.customTags.a.environment.name"],
        );
    }

    #[test]
    fn metrics_and_logs() {
        let tags = "metrics:\n- overrides:\n  - tagOverrides:\n      ";
        telemetry(&format!("{tags}a: {{value: request.host}}"), &[]);
        telemetry(
            &format!("{tags}a: {{operation: REMOVE, value: b}}"),
            &["error conflicting-fields 8 spec.metrics[0].overrides[0].tagOverrides.a.value"],
        );
        telemetry(
            &format!("{tags}a: {{}}"),
            &["error missing-field 8 spec.metrics[0].overrides[0].tagOverrides.a.value"],
        );
        telemetry(
            "accessLogging:\n- {filter: {}}",
            &["error missing-field 6 spec.accessLogging[0].filter.expression"],
        );
        telemetry("accessLogging:\n- {providers: [{name: envoy}], disabled: true}", &[]);
        telemetry(
            "selector: {matchLabels: {a: b}}\ntargetRefs: [{kind: Gateway, name: g}]",
            &["error conflicting-fields 5 spec.selector"],
        );
    }
}
