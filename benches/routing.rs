//! What finding a route costs: nanoseconds per look-up, and the time to build the indexes.
//!
//! `cargo bench --bench routing`. Every figure is the best of several rounds, each over many different requests, so
//! that caches and branch predictors meet variety; requests are made before the clock runs.

#[path = "common/routes.rs"]
mod routes;

use routes::{expression, get, host, hosts, paths, scatter, table, ten_routes};
use sluicegate::{
    filter::{Context, HeaderOps, Template},
    http::{Fields, PathNormalization, RequestHead, Scheme, normalize_path},
    table::{Lookup, PathMatch, RouteTable},
};
use std::{hint::black_box, time::Instant};

const REQUESTS: usize = 4096;
const ROUNDS: usize = 25;

fn main() {
    println!("{:<44} {:>12}", "look-up", "ns");
    one_host();
    many_hosts();
    many_paths();
    paths_and_headers();
    println!("\n{:<44} {:>12}", "build", "ms");
    build();
}

fn one_host() {
    let table = table(vec![host("www.example.com", ten_routes(0))]);
    look_ups("1 host, first of 10 routes", &table, |_| get("www.example.com", "/service-0/items?id=4711"));
    look_ups("1 host, last of 10 routes", &table, |_| get("www.example.com", "/elsewhere"));
}

fn many_hosts() {
    let exact = hosts(10_000, |n| format!("h{n}.example.com"));
    look_ups("10,000 hosts, exact", &exact, |n| {
        let number = scatter(n) % 10_000;
        get(&format!("h{number}.example.com:8080"), &format!("/service-{}/x", scatter(n) % 10))
    });
    look_ups("10,000 hosts, the same one each time", &exact, |_| get("h77.example.com", "/service-3/x"));
    look_ups("10,000 hosts, unknown", &exact, |n| get(&format!("x{n}.example.com"), "/"));
    let suffixes = hosts(10_000, |n| format!("*.h{n}.example.com"));
    look_ups("10,000 suffixes", &suffixes, |n| {
        get(&format!("www.h{}.example.com", scatter(n) % 10_000), "/service-3/x")
    });
}

fn many_paths() {
    let request = |n: usize| get("a", &format!("/api/v1/resource-{}/items", scatter(n) % 1000));
    let exact = paths(1000, |n| PathMatch::exact(&format!("/api/v1/resource-{n}/items"), false));
    look_ups("1,000 exact paths", &exact, request);
    look_ups("1,000 exact paths, none matches", &exact, |n| get("a", &format!("/api/v1/resource-{n}/other")));
    let prefixes = paths(1000, |n| PathMatch::prefix(&format!("/api/v1/resource-{n}/"), false));
    look_ups("1,000 prefixes", &prefixes, request);
    let expressions = paths(1000, expression);
    look_ups("1,000 expressions with literal beginnings", &expressions, request);
    let ignoring = paths(1000, |n| PathMatch::prefix(&format!("/api/v1/resource-{n}/"), true));
    look_ups("1,000 prefixes ignoring case (a scan)", &ignoring, request);
}

fn paths_and_headers() {
    let targets = ["/api/v1/resource-7/items?id=4711", "/static/css/site.min.css", "/"];
    measure("normalize: nothing to do", |n| {
        let mut target = targets.get(n % targets.len()).map(|t| t.as_bytes().to_vec()).unwrap_or_default();
        let mut path_len = target.iter().position(|&b| b == b'?').unwrap_or(target.len());
        let mode = PathNormalization::MergeSlashes;
        black_box(normalize_path(black_box(&mut target), &mut path_len, mode)).ok();
    });
    measure("(of that, to copy the target)", |n| {
        let mut target = targets.get(n % targets.len()).map(|t| t.as_bytes().to_vec()).unwrap_or_default();
        black_box(target.iter().position(|&b| b == b'?').unwrap_or(target.len()));
        black_box(&mut target);
    });
    let mut fields = Fields::default();
    let template = |text| Template::parse(text).unwrap_or_default();
    let literal = HeaderOps::new(["x-gone"], [("x-set", template("1"))], [("x-add", template("2"))]);
    let commands = HeaderOps::new([], [("x-set", template("%PROTOCOL% %REQ(x-a):8%"))], []);
    let context = Context::default();
    for (name, ops) in
        [("headers: remove, set, add", &literal), ("headers: set with two commands", &commands)]
    {
        measure(name, |_| {
            fields.clear();
            fields.push(b"x-a", b"some value");
            fields.push(b"x-gone", b"0");
            ops.apply_to_request(black_box(&mut fields), &context);
        });
    }
}

fn build() {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let hosts: Vec<_> = (0..10_000).map(|n| (format!("h{n}.example.com"), ten_routes(n))).collect();
        let begin = Instant::now();
        let hosts = hosts.into_iter().map(|(name, routes)| host(&name, routes)).collect();
        black_box(table(hosts));
        best = best.min(begin.elapsed().as_secs_f64() * 1e3);
    }
    println!("{:<44} {best:>12.1}", "indexes of 10,000 hosts with 10 routes");
    let begin = Instant::now();
    for n in 0..1000 {
        black_box(expression(n));
    }
    println!("{:<44} {:>12.1}", "1,000 expressions", begin.elapsed().as_secs_f64() * 1e3);
}

fn look_ups(name: &str, table: &RouteTable, request: impl Fn(usize) -> RequestHead) {
    let requests: Vec<RequestHead> = (0..REQUESTS).map(request).collect();
    measure(name, |n| {
        let Some(request) = requests.get(n) else { return };
        let found = table.find(black_box(request), Scheme::Http);
        black_box(matches!(found, Lookup::Route(..)));
    });
}

fn measure(name: &str, mut once: impl FnMut(usize)) {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        (0..REQUESTS).for_each(&mut once);
        best = best.min(begin.elapsed().as_secs_f64() * 1e9 / REQUESTS as f64);
    }
    println!("{name:<44} {best:>12.1}");
}
