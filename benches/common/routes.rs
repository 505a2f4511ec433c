//! Tables of routes, and requests that look for them.

use sluicegate::{
    filter::HeaderOps,
    http::RequestHead,
    table::{
        Action, DirectResponse, PathMatch, Route, RouteMatch, RouteTable, Source, StringMatch, VirtualHost,
    },
};
use std::sync::Arc;

/// The same number for the same `n`, and no order in them.
pub(crate) fn scatter(n: usize) -> usize {
    (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) ^ n
}

/// Eight prefixes, one of them for a method too, and the rest.
pub(crate) fn ten_routes(host: usize) -> Vec<Route> {
    let prefix = |n: usize| RouteMatch {
        path: PathMatch::prefix(&format!("/service-{n}/"), false),
        ..RouteMatch::default()
    };
    let mut routes: Vec<Route> = (0..8).map(|n| route(prefix(n))).collect();
    let post = RouteMatch { method: Some(StringMatch::exact("POST")), ..prefix(host % 10) };
    routes.push(route(post));
    routes.push(route(RouteMatch::default()));
    routes
}

/// A route that answers by itself.
pub(crate) fn route(matcher: RouteMatch) -> Route {
    Route {
        name: "".into(),
        matcher,
        action: Action::Direct(DirectResponse { status: 200, body: Box::default() }),
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        checks: None,
        source: Source::built_in("bench"),
        root: None,
        log: Default::default(),
        places: Box::default(),
    }
}

/// A virtual host.
pub(crate) fn host(name: &str, routes: Vec<Route>) -> VirtualHost {
    let routes = routes.into_iter().map(Arc::new).collect();
    VirtualHost::new(name, false, routes, Source::built_in("bench"))
}

/// Virtual hosts with their indexes.
pub(crate) fn table(hosts: Vec<VirtualHost>) -> RouteTable {
    RouteTable::new("http.80".to_owned(), hosts)
}

/// A request without fields.
pub(crate) fn get(authority: &str, target: &str) -> RequestHead {
    RequestHead {
        method: b"GET".to_vec(),
        authority: authority.as_bytes().to_vec(),
        target: target.as_bytes().to_vec(),
        path_len: target.find('?').unwrap_or(target.len()),
        ..RequestHead::default()
    }
}

/// As many virtual hosts of this name, each with ten routes.
pub(crate) fn hosts(count: usize, name: impl Fn(usize) -> String) -> RouteTable {
    table((0..count).map(|n| host(&name(n), ten_routes(n))).collect())
}

/// One virtual host with as many routes of this path.
pub(crate) fn paths(count: usize, path: impl Fn(usize) -> PathMatch) -> RouteTable {
    let routes = (0..count).map(|n| route(RouteMatch { path: path(n), ..RouteMatch::default() }));
    table(vec![host("*", routes.collect())])
}

/// An expression that begins with what only it has.
pub(crate) fn expression(n: usize) -> PathMatch {
    PathMatch::regex(&format!("/api/v1/resource-{n}/[a-z]+(/[0-9]+)?")).unwrap_or_default()
}
