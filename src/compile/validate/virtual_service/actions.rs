//! What a rule does by itself: redirect, direct response; and what it changes or leaves to another one: rewrite,
//! delegate.

use super::{
    super::{
        place::{Place, conflicting, missing, text},
        scalars::{check_dns_label, check_port},
        wording::shown,
    },
    headers::check_authority_value,
};
use crate::{
    config::{
        Diagnostic, Spanned,
        resources::{
            Delegate, HttpBody, HttpDirectResponse, HttpRedirect, HttpRewrite, HttpRoute, RegexRewrite,
        },
    },
    table::PathRewrite,
};

/// A body that is larger gets a warning: it is in memory as often as it is configured.
const LARGE_BODY_BYTES: usize = 100 << 10;
/// The largest body of a direct response (istiod's limit).
const BODY_BYTES_MAX: usize = 1 << 20;
/// The statuses of a redirect that clients follow.
const REDIRECT_CODES: &[u32] = &[301, 302, 303, 307, 308];

pub(super) fn check(route: &HttpRoute, at: &Place<'_>) {
    if let Some(redirect) = &route.redirect {
        check_redirect(redirect, route, &at.field("redirect", redirect));
    }
    if let Some(direct) = &route.direct_response {
        check_direct_response(direct, &at.field("directResponse", direct));
    }
    if let Some(rewrite) = &route.rewrite {
        check_rewrite(rewrite, &at.field("rewrite", rewrite));
    }
    if let Some(delegate) = &route.delegate {
        check_delegate(delegate, &at.field("delegate", delegate));
    }
}

fn check_redirect(redirect: &HttpRedirect, route: &HttpRoute, at: &Place<'_>) {
    let HttpRedirect { uri, prefix_rewrite, authority, port, derive_port, scheme, redirect_code } = redirect;
    let (uri, prefix) = (text(uri), text(prefix_rewrite));
    let has_port = port.is_some() || derive_port.is_some();
    if uri.or(prefix).or(text(authority)).or(text(scheme)).is_none() && !has_port {
        let problem = Diagnostic::error("missing-field", "the redirect leads to where it comes from");
        at.report(
            problem.help("write at least one of uri, prefixRewrite, authority, scheme, port, derivePort"),
        );
    }
    if let (Some(uri), Some(prefix)) = (uri, prefix) {
        let problem = conflicting("uri", "prefixRewrite").label(uri.span, "the other one");
        at.field("prefixRewrite", prefix)
            .report(problem.help("`uri` replaces the whole path, `prefixRewrite` its prefix"));
    }
    if let Some(prefix) = prefix {
        check_prefix_matches(prefix, route, at);
    }
    if let Some(authority) = text(authority) {
        check_authority_value(authority, &at.field("authority", authority));
    }
    if let Some(scheme) = text(scheme).filter(|scheme| !["http", "https"].contains(&scheme.as_str())) {
        let problem = Diagnostic::error("bad-scheme", format!("`{}` can't be redirected to", shown(scheme)));
        at.field("scheme", scheme).report(problem.help("expected http or https"));
    }
    if let Some(port) = port {
        check_port(**port, &at.field("port", port));
    }
    if let Some(code) = redirect_code.as_ref().filter(|code| !REDIRECT_CODES.contains(code)) {
        let problem = Diagnostic::error("bad-status", format!("{} is not the status of a redirect", **code));
        at.field("redirectCode", code)
            .report(problem.help("expected 301, 302, 303, 307 or 308; absent: 301"));
    }
}

/// `prefixRewrite` replaces the prefix that was matched, so there must be one.
fn check_prefix_matches(prefix: &Spanned<String>, route: &HttpRoute, at: &Place<'_>) {
    let mut uris = route.r#match.iter().filter_map(|matcher| matcher.uri.as_ref());
    if let Some(other) = uris.find(|uri| uri.exact.is_some() || uri.regex.is_some()) {
        let message = "`prefixRewrite` needs matches with `uri.prefix`, and there is another one";
        let problem =
            Diagnostic::error("prefix-without-match", message).label(other.span, "this matches no prefix");
        at.field("prefixRewrite", prefix)
            .report(problem.help("match with `uri.prefix`, or redirect with `uri`"));
    }
}

fn check_direct_response(direct: &HttpDirectResponse, at: &Place<'_>) {
    let body = direct.body.as_ref();
    let length = body.map_or(0, |body| body_length(body));
    if let Some(status) = at.require("status", &direct.status, "expected 200 to 599") {
        let at = at.field("status", status);
        check_status(i64::from(**status), &at);
        if matches!(**status, 204 | 304) && length > 0 {
            let problem = Diagnostic::warning("no-effect", format!("an answer {} has no body", **status));
            at.report(problem.help("remove the body, or choose another status"));
        }
    }
    let Some(body) = body else { return };
    let at = at.field("body", body);
    if length > BODY_BYTES_MAX {
        let problem = Diagnostic::error(
            "body-too-large",
            format!("the body has {length} bytes; at most 1 MiB is allowed"),
        );
        at.report(problem.help("serve it from an upstream"));
    } else if length > LARGE_BODY_BYTES {
        let problem =
            Diagnostic::warning("large-body", format!("the body has {length} bytes, and is kept in memory"));
        at.report(problem.help("what is larger than 100 KiB is better served from an upstream"));
    }
}

fn body_length(body: &HttpBody) -> usize {
    let string = body.string.as_ref().map_or(0, |text| text.len());
    let bytes = body.bytes.as_ref().map_or(0, |bytes| bytes.0.len());
    string.max(bytes)
}

/// The status of an answer made here.
pub(super) fn check_status(status: i64, at: &Place<'_>) {
    if !(200..=599).contains(&status) {
        let problem = Diagnostic::error("bad-status", format!("{status} can't be the status of an answer"));
        at.report(problem.help("expected 200 to 599"));
    }
}

fn check_rewrite(rewrite: &HttpRewrite, at: &Place<'_>) {
    let uri = text(&rewrite.uri);
    if uri.or(text(&rewrite.authority)).is_none() && rewrite.uri_regex_rewrite.is_none() {
        let problem = Diagnostic::error("missing-field", "the rewrite changes nothing");
        at.report(problem.help("write at least one of uri, uriRegexRewrite, authority"));
    }
    if let Some(authority) = text(&rewrite.authority) {
        check_authority_value(authority, &at.field("authority", authority));
    }
    let Some(regex) = &rewrite.uri_regex_rewrite else { return };
    let at_regex = at.field("uriRegexRewrite", regex);
    if let Some(uri) = uri {
        let problem = conflicting("uri", "uriRegexRewrite").label(uri.span, "the other one");
        at_regex.report(problem.help("remove one of the two"));
    }
    check_regex_rewrite(regex, &at_regex);
}

fn check_regex_rewrite(regex: &RegexRewrite, at: &Place<'_>) {
    let pattern = at.require_text("match", &regex.r#match, "write the regular expression (RE2) to look for");
    let replacement = at.require_text(
        "rewrite",
        &regex.rewrite,
        "write what stands in its place; `\\1` is the first group",
    );
    let (Some(pattern), Some(replacement)) = (pattern, replacement) else { return };
    match PathRewrite::regex(pattern, replacement) {
        Ok(_) => {}
        Err(error @ crate::table::RewriteError::Pattern(_)) => {
            let problem = Diagnostic::error("bad-regex", error.to_string());
            at.field("match", pattern)
                .report(problem.help("the syntax is RE2's: no look-around, no back-references"));
        }
        Err(error) => {
            let problem = Diagnostic::error("bad-replacement", error.to_string());
            at.field("rewrite", replacement).report(problem.label(pattern.span, "the expression"));
        }
    }
}

fn check_delegate(delegate: &Delegate, at: &Place<'_>) {
    if text(&delegate.name).is_none() {
        at.absent("name").report(missing("name").help("name a VirtualService without hosts"));
    }
    if let Some(namespace) = text(&delegate.namespace) {
        check_dns_label(namespace, "a namespace", "bad-name", &at.field("namespace", namespace));
    }
}
