//! What a rule for HTTP asks of a request.

use super::{
    super::{
        place::{Place, without_effect},
        scalars::{check_dns_label, check_labels, check_port},
        wording::{list, shown},
    },
    Scope, gateways, is_presence,
};
use crate::{
    compile::claim::claim_path,
    config::{
        Diagnostic, Spanned,
        resources::{HttpMatchRequest, Map, StringMatch},
    },
    http::is_token_byte,
    table::Pattern,
};

/// Pseudo headers, which may be matched as if they were header fields.
const PSEUDO_HEADERS: &[&str] = &[":method", ":scheme", ":authority", ":path"];

pub(super) fn check(matcher: &HttpMatchRequest, scope: &Scope<'_>, at: &Place<'_>) {
    if is_empty(matcher) {
        let problem =
            Diagnostic::warning("empty-match", "the match has no conditions, so every request matches");
        at.report(problem.help("remove `match` if that is meant; then no other rule may follow"));
    }
    check_pseudo(matcher, at);
    check_ignore_case(matcher, at);
    check_fields("headers", &matcher.headers, scope, at);
    check_fields("withoutHeaders", &matcher.without_headers, scope, at);
    for (at, key, value) in at.entries("queryParams", &matcher.query_params) {
        if key.is_empty() {
            let problem = Diagnostic::error("bad-name", "a parameter of a query has a name");
            at.pointing_at(key.span).report(problem);
        } else if !is_presence(value) {
            check_text(value, &at);
        }
    }
    if let Some(port) = &matcher.port {
        check_port(**port, &at.field("port", port));
    }
    check_source(matcher, at);
    gateways::check(&matcher.gateways, at);
    check_listed(&matcher.gateways, scope, at);
}

/// Checks the conditions of a text, whose regular expression or prefix may not be empty.
pub(super) fn check_text(matcher: &StringMatch, at: &Place<'_>) {
    if let Some(prefix) = matcher.prefix.as_ref().filter(|prefix| prefix.is_empty()) {
        let problem = Diagnostic::error("empty-value", "the prefix is empty");
        at.field("prefix", prefix).report(problem.help("write `{}` to ask for presence alone"));
    }
    check_regex(&matcher.regex, at);
}

fn check_regex(regex: &Option<Spanned<String>>, at: &Place<'_>) {
    let Some(regex) = regex else { return };
    let at = at.field("regex", regex);
    if regex.is_empty() {
        let problem = Diagnostic::error("empty-value", "the regular expression is empty");
        at.report(problem.help("write `.*` for every value"));
    } else if let Err(error) = Pattern::new(regex) {
        let problem = Diagnostic::error("bad-regex", error.to_string());
        at.report(
            problem.help(
                "the syntax is RE2's: no look-around, no back-references; it must match the whole value",
            ),
        );
    }
}

/// The names of the conditions that are given, so that a match without any is noticed.
fn is_empty(matcher: &HttpMatchRequest) -> bool {
    let HttpMatchRequest { uri, scheme, method, authority, headers, port, source_labels, .. } = matcher;
    let HttpMatchRequest { gateways, query_params, without_headers, source_namespace, .. } = matcher;
    let has_text = [uri, scheme, method, authority].into_iter().any(Option::is_some);
    let has_map = !(headers.is_empty() && without_headers.is_empty() && query_params.is_empty());
    let has_source = !source_labels.is_empty() || source_namespace.is_some();
    !(has_text || has_map || has_source || port.is_some() || !gateways.is_empty())
}

fn check_pseudo(matcher: &HttpMatchRequest, at: &Place<'_>) {
    let fields = [
        ("uri", &matcher.uri),
        ("scheme", &matcher.scheme),
        ("method", &matcher.method),
        ("authority", &matcher.authority),
    ];
    for (name, field) in fields {
        let Some(field) = field else { continue };
        let at = at.field(name, field);
        let StringMatch { exact, prefix, regex } = &field.value;
        if exact.is_none() && prefix.is_none() && regex.is_none() {
            let problem = Diagnostic::warning(
                "empty-match",
                format!("`{name}` has no condition, so everything matches"),
            );
            at.report(problem.help("write `exact`, `prefix` or `regex`, or remove it"));
        } else if name == "uri" {
            check_regex(regex, &at);
            check_path("exact", exact, &at);
            check_path("prefix", prefix, &at);
        } else {
            check_text(field, &at);
        }
    }
    warn_of_values_that_never_are(matcher, at);
}

/// A path begins with `/`, and has neither query nor fragment.
fn check_path(name: &'static str, path: &Option<Spanned<String>>, at: &Place<'_>) {
    let Some(path) = path else { return };
    let is_all = name == "prefix" && path.is_empty();
    // `*` is the target of a request that is about the whole server (OPTIONS).
    let problem = if !is_all && !path.starts_with('/') && **path != "*" {
        never(format!("`{}` can't be a path: it does not begin with `/`", shown(path)))
            .help(format!("write `/{}`", shown(path)))
    } else if path.contains('?') {
        never("a path has no query".to_owned()).help("match parameters with `queryParams`")
    } else if path.contains('#') {
        never("a path has no fragment: it is cut off before".to_owned()).help("remove what begins with `#`")
    } else {
        return;
    };
    at.field(name, path).report(problem);
}

fn warn_of_values_that_never_are(matcher: &HttpMatchRequest, at: &Place<'_>) {
    let method = matcher.method.as_ref().and_then(|method| Some((method, method.exact.as_ref()?)));
    if let Some((method, exact)) = method
        && exact.bytes().any(|byte| byte.is_ascii_lowercase())
    {
        let problem = never(format!("no client sends the method `{}`", shown(exact)));
        let help = format!("methods are in upper case: write `{}`", shown(&exact.to_ascii_uppercase()));
        at.field("method", method).field("exact", exact).report(problem.help(help));
    }
    let scheme = matcher.scheme.as_ref().and_then(|scheme| Some((scheme, scheme.exact.as_ref()?)));
    if let Some((scheme, exact)) = scheme
        && !["http", "https"].contains(&exact.as_str())
    {
        let problem = never(format!("no request has the scheme `{}`", shown(exact)));
        at.field("scheme", scheme).field("exact", exact).report(problem.help("expected http or https"));
    }
}

fn never(why: String) -> Diagnostic {
    Diagnostic::warning("never-matches", format!("this never matches: {why}"))
}

fn check_ignore_case(matcher: &HttpMatchRequest, at: &Place<'_>) {
    let Some(ignore) = matcher.ignore_uri_case.as_ref().filter(|ignore| ***ignore) else { return };
    let is_literal = matcher.uri.as_ref().is_some_and(|uri| uri.exact.is_some() || uri.prefix.is_some());
    if !is_literal {
        let problem = without_effect("ignoreUriCase", "it is about `uri.exact` and `uri.prefix`");
        at.field("ignoreUriCase", ignore)
            .report(problem.help("in a regular expression write `(?i)` at the beginning"));
    }
}

/// `headers` and `withoutHeaders`.
fn check_fields(field: &'static str, fields: &Map<StringMatch>, scope: &Scope<'_>, at: &Place<'_>) {
    for (at, key, value) in at.entries(field, fields) {
        if !is_presence(value) {
            check_text(value, &at);
        }
        let at = at.pointing_at(key.span);
        let shown = shown(key);
        if claim_path(key).is_some() {
            if scope.has_mesh() {
                let problem = Diagnostic::error(
                    "claim-without-gateway",
                    format!("`{shown}` can be matched at gateways only"),
                );
                let help =
                    "bind the VirtualService to Gateways alone: `gateways: [namespace/name]`, without `mesh`";
                at.report(problem.help(help));
            }
        } else if key.starts_with('@') {
            let problem =
                Diagnostic::error("bad-header-name", format!("`{shown}` is not the name of a claim"));
            at.report(
                problem.help("write `@request.auth.claims.name` or `@request.auth.claims[name][inner]`"),
            );
        } else if key.starts_with(':') {
            if !PSEUDO_HEADERS.contains(&key.as_str()) {
                let problem =
                    Diagnostic::error("bad-header-name", format!("`{shown}` is not a pseudo header"));
                at.report(problem.help(format!("expected one of {}", PSEUDO_HEADERS.join(", "))));
            }
        } else if key.is_empty() || !key.bytes().all(is_token_byte) {
            let problem =
                Diagnostic::error("bad-header-name", format!("`{shown}` is not the name of a header field"));
            at.report(problem.help("expected letters, digits and dashes (RFC 9110, section 5.6.2)"));
        }
    }
}

fn check_source(matcher: &HttpMatchRequest, at: &Place<'_>) {
    check_labels("sourceLabels", &matcher.source_labels, at);
    if let Some(namespace) = super::super::place::text(&matcher.source_namespace) {
        check_dns_label(namespace, "a namespace", "bad-name", &at.field("sourceNamespace", namespace));
    }
    if matcher.gateways.is_empty() {
        return;
    }
    let labels = matcher.source_labels.first().map(|(key, _)| key.span);
    let namespace = matcher.source_namespace.as_ref().map(|namespace| namespace.span);
    for (name, span) in [("sourceLabels", labels), ("sourceNamespace", namespace)] {
        if let Some(span) = span {
            let problem = without_effect(name, "it is not looked at where `gateways` is set");
            at.absent(name).pointing_at(span).report(problem.help("remove one of the two"));
        }
    }
}

/// A match for Gateways that the VirtualService is not bound to says nothing. A delegate is bound where its root is.
pub(super) fn check_listed(gateways: &[Spanned<String>], scope: &Scope<'_>, at: &Place<'_>) {
    if scope.is_delegate {
        return;
    }
    for (at, entry) in at.items("gateways", gateways) {
        let resolved = gateways::resolve(entry, scope.namespace);
        if !scope.gateways.contains(&resolved) {
            let message = format!("the VirtualService is not bound to `{}`", shown(&resolved));
            let problem = Diagnostic::warning("unlisted-gateway", message);
            at.report(
                problem.help(format!("it is bound to {}", list(scope.gateways.iter().map(String::as_str)))),
            );
        }
    }
}
