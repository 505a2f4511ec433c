//! Where a rule sends requests or connections, and with what weights.

use super::{
    super::{
        names,
        place::{Place, missing, text},
        scalars::{check_dns_label, check_port},
        wording::shown,
    },
    headers,
};
use crate::config::{
    Diagnostic, Spanned,
    resources::{Destination, HttpRouteDestination, RouteDestination},
};

/// `route` of a rule for HTTP.
pub(super) fn check_http(route: &[Spanned<HttpRouteDestination>], at: &Place<'_>) {
    for (at, entry) in at.items("route", route) {
        check_entry(&entry.destination, &at);
        if let Some(headers) = &entry.headers {
            headers::check(headers, &at.field("headers", headers));
        }
    }
    check_weights(route, |entry| entry.weight.as_ref(), at);
}

/// `route` of a rule for TLS or TCP, which must not be empty.
pub(super) fn check_layer4(route: &[Spanned<RouteDestination>], at: &Place<'_>) {
    if route.is_empty() {
        at.absent("route").report(missing("route").help("write at least one destination"));
    }
    for (at, entry) in at.items("route", route) {
        check_entry(&entry.destination, &at);
    }
    check_weights(route, |entry| entry.weight.as_ref(), at);
}

pub(super) fn check(destination: &Destination, at: &Place<'_>) {
    const EXPECTED: &str = "write the host of a ServiceEntry, or the name of a Service";
    if let Some(host) = at.require_text("host", &destination.host, EXPECTED) {
        check_host(host, &at.field("host", host));
    }
    if let Some(subset) = text(&destination.subset) {
        check_dns_label(subset, "the name of a subset", "bad-subset-name", &at.field("subset", subset));
    }
    if let Some(port) = &destination.port {
        let at = at.field("port", port);
        if let Some(number) = at.require("number", &port.number, "write `port: {number: 80}`") {
            check_port(**number, &at.field("number", number));
        }
    }
}

fn check_entry(destination: &Option<Spanned<Destination>>, at: &Place<'_>) {
    const EXPECTED: &str = "write `destination: {host: ...}`";
    if let Some(destination) = at.require("destination", destination, EXPECTED) {
        check(destination, &at.field("destination", destination));
    }
}

fn check_host(host: &str, at: &Place<'_>) {
    let shown = shown(host);
    let problem = if names::is_ip(host) {
        Diagnostic::error("bad-host", format!("the address `{shown}` can't be a destination"))
            .help("write a ServiceEntry with the address as its endpoint, and its host here")
    } else if host == "*" {
        Diagnostic::error("bad-host", "`*` can't be a destination").help("name one service")
    } else if let Err(error) = names::check_wildcard_domain(host) {
        Diagnostic::error("bad-host", format!("`{shown}` is not a host: {error}")).help(
            "expected the host of a ServiceEntry, or the name of a Service; the port goes into `port.number`",
        )
    } else {
        return;
    };
    at.report(problem);
}

/// Weights are relative to their sum, which must fit into 32 bits (a limit of Envoy's, and so of what Istio accepts).
fn check_weights<T>(route: &[Spanned<T>], weight: impl Fn(&T) -> Option<&Spanned<i32>>, at: &Place<'_>) {
    let mut sum: i64 = 0;
    for (at, entry) in at.items("route", route) {
        let Some(weight) = weight(entry) else { continue };
        if **weight < 0 {
            let problem = Diagnostic::error("bad-weight", format!("the weight {} is negative", **weight));
            at.field("weight", weight)
                .report(problem.help("weights are relative to their sum, and 0 is none"));
        }
        sum = sum.saturating_add(i64::from(**weight));
    }
    let Some(first) = route.get(1).and(route.first()) else { return };
    let at = at.absent("route").pointing_at(first.span);
    if sum == 0 {
        let problem =
            Diagnostic::error("bad-weight", "the weights of all destinations are 0, so none is used");
        at.report(problem.help("give each a `weight`; their sum need not be 100"));
    } else if sum > i64::from(u32::MAX) {
        let problem =
            Diagnostic::error("bad-weight", format!("the sum of the weights, {sum}, is above {}", u32::MAX));
        at.report(problem.help("weights are relative: divide them all"));
    }
}
