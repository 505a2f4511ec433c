//! `RequestAuthentication` (istiod's `ValidateRequestAuthentication`).

use super::{
    place::{Findings, Place, conflicting, text, without_effect},
    policy_target,
    wording::shown,
};
use crate::{
    config::{
        Diagnostic, Resource, Spanned,
        resources::{JwtHeader, JwtRule, RequestAuthentication},
    },
    http::is_token_byte,
    jwt::{KeySet, SharedSecrets},
};
use std::{collections::HashSet, time::Duration};

/// Rules of one policy, as in the custom resource's schema.
const RULES_MAX: usize = 4096;

/// Checks one object.
pub(super) fn check(resource: &Resource<RequestAuthentication>, findings: &Findings<'_>) {
    let policy = &resource.spec;
    let spec = findings.root("spec", resource.span);
    let targets = (policy.target_ref.as_ref(), policy.target_refs.as_slice());
    policy_target::check(&spec, policy.selector.as_ref(), targets, &resource.meta.namespace);
    if policy.jwt_rules.len() > RULES_MAX {
        let message = format!("there are {} `jwtRules`; at most {RULES_MAX} can be", policy.jwt_rules.len());
        spec.absent("jwtRules").report(Diagnostic::error("too-many-items", message));
    }
    if policy.jwt_rules.is_empty() {
        let problem = Diagnostic::warning("no-effect", "there are no `jwtRules`: no token is verified");
        spec.absent("jwtRules").report(problem);
    }
    for (at, rule) in spec.items("jwtRules", &policy.jwt_rules) {
        check_rule(rule, &at);
    }
}

fn check_rule(rule: &JwtRule, at: &Place<'_>) {
    at.require_text("issuer", &rule.issuer, "what `iss` of the tokens is");
    for (at, audience) in at.items("audiences", &rule.audiences) {
        if audience.is_empty() {
            at.report(Diagnostic::error("empty-value", "the audience is empty"));
        }
    }
    check_keys(rule, at);
    for (at, header) in at.items("fromHeaders", &rule.from_headers) {
        check_header(header, &at);
    }
    for (list, what, items) in [
        ("fromParams", "query parameter", &rule.from_params),
        ("fromCookies", "cookie", &rule.from_cookies),
        ("spaceDelimitedClaims", "claim", &rule.space_delimited_claims),
    ] {
        for (at, name) in at.items(list, items) {
            if name.is_empty() {
                at.report(Diagnostic::error("empty-value", format!("the name of the {what} is empty")));
            }
        }
    }
    check_outputs(rule, at);
}

fn check_header(header: &JwtHeader, at: &Place<'_>) {
    let help = "the field that has the token, such as `x-jwt-assertion`";
    if let Some(name) = at.require_text("name", &header.name, help) {
        check_name(name, &at.field("name", name));
    }
}

fn check_name(name: &Spanned<String>, at: &Place<'_>) {
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        let message = format!("`{}` is not the name of a header field", shown(name));
        let problem = Diagnostic::error("bad-header-name", message);
        at.report(problem.help("expected letters, digits and dashes (RFC 9110, section 5.6.2)"));
    }
}

/// `jwks`, `jwksUri`, and neither.
fn check_keys(rule: &JwtRule, at: &Place<'_>) {
    let (jwks, url) = (text(&rule.jwks), text(&rule.jwks_uri));
    if let Some(jwks) = jwks {
        let place = at.field("jwks", jwks);
        if url.is_some() {
            place.report(conflicting("jwks", "jwksUri"));
        }
        match KeySet::parse(jwks.as_bytes(), SharedSecrets::Used) {
            Ok(keys) if keys.skipped() > 0 => {
                let message = format!("{} of the keys can't be used and are left out", keys.skipped());
                place.report(Diagnostic::warning("unusable-key", message).help(KEYS_HELP));
            }
            Ok(_) => {}
            Err(error) => place.report(
                Diagnostic::error("bad-jwks", format!("this is no JSON Web Key Set: {error}"))
                    .help(KEYS_HELP),
            ),
        }
    }
    if let Some(url) = url {
        check_url(url, &at.field("jwksUri", url), "the keys");
    }
    if let (None, None, Some(issuer)) = (jwks, url, text(&rule.issuer)) {
        check_url(
            issuer,
            &at.field("issuer", issuer),
            "the keys, which are found by it where there is no `jwksUri`,",
        );
    }
    let Some(timeout) = &rule.timeout else { return };
    let place = at.field("timeout", timeout);
    if jwks.is_some() {
        place.report(without_effect("timeout", "nothing is fetched where there is `jwks`"));
    } else if timeout.value < Duration::from_millis(1) {
        place.report(Diagnostic::error("bad-duration", "a timeout is 1 ms at least"));
    }
}

const KEYS_HELP: &str = "expected `{\"keys\": [...]}` with keys of RSA (2048 bits or more), EC (P-256, P-384, P-521), \
                         Ed25519 or oct, for signatures (RFC 7517)";

fn check_url(url: &Spanned<String>, at: &Place<'_>, what: &str) {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let is_plain = url.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
    if host.is_empty() || host.contains('@') || !is_plain {
        let problem = Diagnostic::error("bad-url", format!("{what} can't be fetched from `{}`", shown(url)));
        at.report(problem.help("expected https://host/path, or http://"));
    } else if url.starts_with("http://") {
        let message =
            "the keys are fetched without TLS: who is on the way can replace them and sign any token";
        at.report(
            Diagnostic::warning("insecure-url", message).help("use https:// where that network is not yours"),
        );
    }
}

/// Fields that are not for rules to make: they say where a message ends, where it goes, and what its connection is for.
const RESERVED: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];

/// The name of a field that a rule makes.
fn check_made(name: &Spanned<String>, at: &Place<'_>) {
    check_name(name, at);
    if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        let message = format!("`{}` is a field of the gateway's own", shown(name));
        at.report(
            Diagnostic::error("bad-header-name", message)
                .help("choose another name, such as `x-jwt-payload`"),
        );
    }
}

fn check_outputs(rule: &JwtRule, at: &Place<'_>) {
    let mut made = HashSet::new();
    if let Some(name) = text(&rule.output_payload_to_header) {
        check_made(name, &at.field("outputPayloadToHeader", name));
        made.insert(name.to_ascii_lowercase());
    }
    for (at, output) in at.items("outputClaimToHeaders", &rule.output_claim_to_headers) {
        at.require_text("claim", &output.claim, "the claim, with dots between it and its members");
        let Some(header) = at.require_text("header", &output.header, "the field that gets the claim") else {
            continue;
        };
        let place = at.field("header", header);
        check_made(header, &place);
        if !made.insert(header.to_ascii_lowercase()) {
            let message = format!("`{}` gets two values", shown(header));
            place.report(Diagnostic::error("duplicate-header", message).help("give each its own field"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::validate::testing::expect;

    /// A policy with this `spec`, whose first line is line 5.
    fn policy(spec: &str) -> String {
        let spec: Vec<String> = spec.lines().map(|line| format!("  {line}")).collect();
        format!(
            "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: x, namespace: app}}\nspec:\n{}\n",
            spec.join("\n")
        )
    }

    fn rule(fields: &str, expected: &[&str]) {
        let found: Vec<String> = expected.iter().map(|text| text.replace("AT", "spec.jwtRules[0]")).collect();
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        expect(&policy(&format!("jwtRules:\n- {fields}")), &found);
    }

    const SECRET: &str = r#"{"keys": [{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]}"#;

    #[test]
    fn keys() {
        rule("{issuer: a, jwksUri: 'https://a.b/c'}", &[]);
        rule("{issuer: 'https://a.b'}", &[]);
        rule(&format!("{{issuer: a, jwks: '{SECRET}'}}"), &[]);
        rule("{jwksUri: 'https://a'}", &["error missing-field 6 AT.issuer"]);
        rule("{issuer: '', jwksUri: 'https://a'}", &["error missing-field 6 AT.issuer"]);
        rule("{issuer: me@example.com}", &["error bad-url 6 AT.issuer"]);
        for bad in ["a.b", "ftp://a", "https://", "https://a@b", "https://a b", "https:///a"] {
            rule(&format!("{{issuer: a, jwksUri: '{bad}'}}"), &["error bad-url 6 AT.jwksUri"]);
        }
        rule("{issuer: a, jwksUri: 'http://a'}", &["warning insecure-url 6 AT.jwksUri"]);
        rule("{issuer: a, jwks: '{}'}", &["error bad-jwks 6 AT.jwks"]);
        let some = SECRET.replace("[{", "[{}, {");
        rule(&format!("{{issuer: a, jwks: '{some}'}}"), &["warning unusable-key 6 AT.jwks"]);
        rule(
            &format!("{{issuer: a, jwks: '{SECRET}', jwksUri: 'https://a'}}"),
            &["error conflicting-fields 6 AT.jwks"],
        );
        rule(&format!("{{issuer: a, jwks: '{SECRET}', timeout: 1s}}"), &["warning no-effect 6 AT.timeout"]);
        rule("{issuer: a, jwksUri: 'https://a', timeout: 0s}", &["error bad-duration 6 AT.timeout"]);
    }

    #[test]
    fn places_and_outputs() {
        let with =
            |more: &str, expected: &[&str]| rule(&format!("{{issuer: 'https://a', {more}}}"), expected);
        with("fromHeaders: [{name: x-a, prefix: 'T '}], fromParams: [t], fromCookies: [c]", &[]);
        with("fromHeaders: [{prefix: a}]", &["error missing-field 6 AT.fromHeaders[0].name"]);
        with("fromHeaders: [{name: 'a b'}]", &["error bad-header-name 6 AT.fromHeaders[0].name"]);
        with("fromParams: [a, '']", &["error empty-value 6 AT.fromParams[1]"]);
        with("fromCookies: ['']", &["error empty-value 6 AT.fromCookies[0]"]);
        with("audiences: ['']", &["error empty-value 6 AT.audiences[0]"]);
        with("outputPayloadToHeader: x-a, outputClaimToHeaders: [{header: x-b, claim: a.b}]", &[]);
        with("outputPayloadToHeader: Host", &["error bad-header-name 6 AT.outputPayloadToHeader"]);
        with(
            "outputClaimToHeaders: [{header: x}]",
            &["error missing-field 6 AT.outputClaimToHeaders[0].claim"],
        );
        with(
            "outputClaimToHeaders: [{claim: x}]",
            &["error missing-field 6 AT.outputClaimToHeaders[0].header"],
        );
        with(
            "outputPayloadToHeader: x-a, outputClaimToHeaders: [{header: X-A, claim: a}]",
            &["error duplicate-header 6 AT.outputClaimToHeaders[0].header"],
        );
    }

    #[test]
    fn what_it_is_for() {
        let with = |target: &str, expected: &[&str]| {
            expect(&policy(&format!("{target}\njwtRules: [{{issuer: 'https://a'}}]")), expected);
        };
        with("selector: {matchLabels: {app: a}}", &[]);
        with("selector: {}", &["warning empty-selector 5 spec.selector"]);
        with(
            "selector: {matchLabels: {app: 'a*'}}",
            &["error invalid-label 5 spec.selector.matchLabels.app"],
        );
        with("targetRefs: [{group: networking.istio.io, kind: Gateway, name: g}]", &[]);
        with("targetRefs: [{kind: Gateway}]", &["error missing-field 5 spec.targetRefs[0].name"]);
        with("targetRefs: [{name: g}]", &["error missing-field 5 spec.targetRefs[0].kind"]);
        with(
            "targetRefs: [{kind: Gateway, name: g, namespace: other}]",
            &["error wrong-namespace 5 spec.targetRefs[0].namespace"],
        );
        with(
            "selector: {matchLabels: {a: b}}\ntargetRefs: [{kind: Gateway, name: g}]",
            &["error conflicting-fields 5 spec.selector"],
        );
        expect(&policy("jwtRules: []"), &["warning no-effect 1 spec.jwtRules"]);
    }
}
