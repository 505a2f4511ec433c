//! Changes of header fields, on a rule or on one of its destinations.

use super::super::{
    place::{Place, text, without_effect},
    wording::shown,
};
use crate::{
    config::{
        Diagnostic, Span, Spanned,
        resources::{HeaderOperations, Headers, HttpRoute, Map},
    },
    filter::Template,
    http::{is_authority, is_token_byte},
};
use std::collections::HashMap;

/// Fields that say how a message is framed or what becomes of its connection. They belong to each connection and not
/// to what is passed on (RFC 9110 section 7.6.1, RFC 9112 section 6), so nobody but the gateway can know them.
const CONNECTION_FIELDS: &[&str] = &[
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

pub(super) fn check(headers: &Headers, at: &Place<'_>) {
    if let Some(operations) = &headers.request {
        check_operations(operations, Side::Request, &at.field("request", operations));
    }
    if let Some(operations) = &headers.response {
        check_operations(operations, Side::Response, &at.field("response", operations));
    }
}

/// The authority is rewritten at most once on each level, and that of the rule beats that of a destination.
pub(super) fn check_authority(route: &HttpRoute, at: &Place<'_>) {
    let rewrite = route.rewrite.as_ref().and_then(|rewrite| text(&rewrite.authority));
    let rewrite = rewrite.map(|authority| ("rewrite.authority".to_owned(), authority.span));
    let of_route = route.headers.as_ref().map_or(Vec::new(), |headers| authorities(headers));
    let of_route: Vec<_> = rewrite.into_iter().chain(of_route).collect();
    report_all_but_first(&of_route, at);
    for (at, destination) in at.items("route", &route.route) {
        let of_destination = destination.headers.as_ref().map_or(Vec::new(), |headers| authorities(headers));
        report_all_but_first(&of_destination, &at);
        if let (Some((name, span)), Some((_, winner))) = (of_destination.first(), of_route.first()) {
            let problem = without_effect(name, "the rule sets the host for all destinations");
            let problem = problem.label(*winner, "this is used").help("remove one of the two");
            at.absent("headers").pointing_at(*span).report(problem);
        }
    }
}

fn report_all_but_first(authorities: &[(String, Span)], at: &Place<'_>) {
    let Some(((_, first), others)) = authorities.split_first() else { return };
    for (name, span) in others {
        let problem =
            Diagnostic::error("duplicate-authority", format!("`{name}` sets the host a second time"));
        let problem = problem
            .label(*first, "it is set here already")
            .help("the host can be set once: remove one of the two");
        at.absent(if name.starts_with("rewrite") { "rewrite" } else { "headers" })
            .pointing_at(*span)
            .report(problem);
    }
}

/// Where a level sets the host.
fn authorities(headers: &Headers) -> Vec<(String, Span)> {
    let Some(request) = &headers.request else { return Vec::new() };
    let fields = [("set", &request.set), ("add", &request.add)];
    let entries = fields.into_iter().flat_map(|(name, map)| map.iter().map(move |(key, _)| (name, key)));
    entries
        .filter(|(_, key)| is_authority_name(key))
        .map(|(name, key)| (format!("headers.request.{name}.{}", key.value), key.span))
        .collect()
}

fn is_authority_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}

fn check_operations(operations: &HeaderOperations, side: Side, at: &Place<'_>) {
    check_values("set", &operations.set, side, at);
    check_values("add", &operations.add, side, at);
    for (at, name) in at.items("remove", &operations.remove) {
        if is_authority_name(name) {
            at.report(
                bad_name(name, "the host can't be removed").help("every request has one; `set` changes it"),
            );
        } else {
            check_name(name, &at);
        }
    }
}

fn check_values(field: &'static str, values: &Map<String>, side: Side, at: &Place<'_>) {
    let mut seen: HashMap<String, Span> = HashMap::new();
    for (at, key, value) in at.entries(field, values) {
        let sets_host = side == Side::Request && is_authority_name(key);
        check_value(value, sets_host, &at);
        let at = at.pointing_at(key.span);
        if is_authority_name(key) {
            if side == Side::Response {
                at.report(bad_name(key, "a response has no host"));
            }
        } else if CONNECTION_FIELDS.iter().any(|name| name.eq_ignore_ascii_case(key)) {
            let problem = bad_name(key, "it is about the connection, and the gateway sets it as needed");
            at.report(problem.help("remove it"));
        } else {
            check_name(key, &at);
        }
        if let Some(first) = seen.insert(key.to_ascii_lowercase(), key.span) {
            let message = format!("`{}` is the same field as one before", shown(key));
            let problem = Diagnostic::warning("duplicate-header", message);
            at.report(problem.label(first, "the first one").help("the case of a name does not matter"));
        }
    }
}

fn check_value(value: &Spanned<String>, sets_host: bool, at: &Place<'_>) {
    if sets_host {
        return check_authority_value(value, at);
    }
    if value.is_empty() {
        let problem = Diagnostic::warning("empty-value", "an empty value changes nothing");
        at.report(problem.help("to remove the field, name it under `remove`"));
    } else if let Err(error) = Template::parse(value) {
        let problem = Diagnostic::error("bad-header-value", format!("the value {error}"));
        at.report(problem);
    }
}

/// A host, perhaps with a port, as it is sent on.
pub(super) fn check_authority_value(value: &str, at: &Place<'_>) {
    if !is_authority(value.as_bytes()) {
        let problem = Diagnostic::error("bad-authority", format!("`{}` is not a host", shown(value)));
        at.report(problem.help("expected a host as in `example.com` or `example.com:8080`"));
    }
}

fn check_name(name: &str, at: &Place<'_>) {
    if name.starts_with(':') {
        at.report(bad_name(name, "a name that begins with `:` is not a header field"));
    } else if name.is_empty() || !name.bytes().all(is_token_byte) {
        let problem = bad_name(name, "it is not the name of a header field");
        at.report(problem.help("expected letters, digits and dashes (RFC 9110, section 5.6.2)"));
    }
}

fn bad_name(name: &str, why: &str) -> Diagnostic {
    Diagnostic::error("bad-header-name", format!("`{}`: {why}", shown(name)))
}
