//! Finding a route. Requests differ, so that how a table's random hash happens to spread names does not show.

use crate::harness::Harness;
use routes::{expression, get, host, hosts, paths, scatter, table, ten_routes};
use sluicegate::{
    http::{RequestHead, Scheme},
    table::{Lookup, PathMatch, RouteTable},
};
use std::hint::black_box;

#[path = "../../common/routes.rs"]
mod routes;

const REQUESTS: usize = 1000;

pub(crate) fn run(harness: &Harness) {
    let one = table(vec![host("www.example.com", ten_routes(0))]);
    let first = |_| get("www.example.com", "/service-0/items?id=4711");
    look_ups(harness, "routing.one_host.first", || &one, first);
    look_ups(harness, "routing.one_host.last", || &one, |_| get("www.example.com", "/elsewhere"));
    look_ups(harness, "routing.one_host.unknown", || &one, |_| get("www.example.org", "/"));
    many_hosts(harness);
    let request = |n: usize| get("a", &format!("/api/v1/resource-{}/items", scatter(n) % 1000));
    let exact = |n| PathMatch::exact(&format!("/api/v1/resource-{n}/items"), false);
    let prefix = |n| PathMatch::prefix(&format!("/api/v1/resource-{n}/"), false);
    let ignoring = |n| PathMatch::prefix(&format!("/api/v1/resource-{n}/"), true);
    look_ups(harness, "routing.1000_exact", || paths(1000, exact), request);
    let none = |n| get("a", &format!("/api/v1/resource-{n}/other"));
    look_ups(harness, "routing.1000_exact.none", || paths(1000, exact), none);
    look_ups(harness, "routing.1000_prefixes", || paths(1000, prefix), request);
    look_ups(harness, "routing.1000_expressions", || paths(1000, expression), request);
    look_ups(harness, "routing.1000_prefixes_ignoring_case", || paths(1000, ignoring), request);
}

fn many_hosts(harness: &Harness) {
    if !harness.has("routing.10000_hosts") {
        return;
    }
    let exact = hosts(10_000, |n| format!("h{n}.example.com"));
    let request = |n: usize| {
        let path = format!("/service-{}/x", scatter(n) % 10);
        get(&format!("h{}.example.com:8080", scatter(n) % 10_000), &path)
    };
    look_ups(harness, "routing.10000_hosts", || &exact, request);
    look_ups(harness, "routing.10000_hosts.unknown", || &exact, |n| get(&format!("x{n}.example.com"), "/"));
    let suffixes = hosts(10_000, |n| format!("*.h{n}.example.com"));
    let request = |n| get(&format!("www.h{}.example.com", scatter(n) % 10_000), "/service-3/x");
    look_ups(harness, "routing.10000_hosts.suffixes", || &suffixes, request);
}

fn look_ups<T: std::borrow::Borrow<RouteTable>>(
    harness: &Harness,
    name: &str,
    table: impl Fn() -> T,
    request: impl Fn(usize) -> RequestHead,
) {
    if !harness.has(name) {
        return;
    }
    let table = table();
    let requests: Vec<RequestHead> = (0..REQUESTS).map(request).collect();
    harness.case(name, REQUESTS, |n| {
        let found = table.borrow().find(black_box(&requests[n]), Scheme::Http);
        black_box(matches!(found, Lookup::Route(..)));
    });
}
