//! Route tables, virtual hosts, routes, and what a route does.

use super::{ClusterId, RouteMatch, Source};
use crate::filter::HeaderOps;
use regex::bytes::Regex;

/// An index into [`Snapshot::route_tables`](super::Snapshot::route_tables).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableId(pub u32);

/// The virtual hosts of one listener (all HTTP servers of a port share one) or of one HTTPS server.
#[derive(Debug)]
pub struct RouteTable {
    /// As istiod names it: `http.8080`, `https.443.https.public.infra`.
    pub name: String,
    /// In the order in which they were made; a host occurs once.
    pub virtual_hosts: Vec<VirtualHost>,
}

/// One host's routes.
#[derive(Debug)]
pub struct VirtualHost {
    /// In lower case, without port: a name, `*.suffix`, an IP address (IPv6 in brackets), or `*`.
    pub host: Box<str>,
    /// Some server of the table says `httpsRedirect` for this host: everything that is not `https` gets 301.
    pub require_tls: bool,
    /// The first that matches is taken.
    pub routes: Vec<Route>,
    /// The server (Gateway) that gave it.
    pub source: Source,
}

/// One rule: what it asks and what it does.
#[derive(Debug)]
pub struct Route {
    /// For the access log: `<route name>.<match name>`, or empty.
    pub name: Box<str>,
    /// What it asks of a request.
    pub matcher: RouteMatch,
    /// What it does with the request.
    pub action: Action,
    /// `headers.request` of the route. Route level first, then that of the destination.
    pub request_headers: HeaderOps,
    /// `headers.response` of the route; also applies to local replies.
    pub response_headers: HeaderOps,
    /// The rule (VirtualService, file, line).
    pub source: Source,
}

/// What a route does with a request.
#[derive(Debug)]
pub enum Action {
    /// Sends it to an upstream.
    Forward(Forward),
    /// Answers with `location`.
    Redirect(Redirect),
    /// Answers with a fixed response.
    Direct(DirectResponse),
}

/// `route[]` with `rewrite`.
#[derive(Debug)]
pub struct Forward {
    /// At least one; weights sum to more than zero, and one with weight 0 is not in the list.
    pub destinations: Vec<Destination>,
    /// Sum of the weights.
    pub total_weight: u64,
    /// `rewrite.uri` or `rewrite.uriRegexRewrite`
    pub path_rewrite: Option<PathRewrite>,
    /// `rewrite.authority`, or `Host` in `headers.request.set`; beats that of the destination.
    pub authority: Option<Box<[u8]>>,
}

/// One entry of `route[]`.
#[derive(Debug)]
pub struct Destination {
    /// The cluster, or nothing where host, port or subset is unknown: 503 `NC`.
    pub cluster: Option<ClusterId>,
    /// The cluster's name, also where it does not exist.
    pub cluster_name: Box<str>,
    /// Never 0.
    pub weight: u32,
    /// `headers.request` of the destination.
    pub request_headers: HeaderOps,
    /// `headers.response` of the destination.
    pub response_headers: HeaderOps,
    /// `Host` in `headers.request.set` of the destination.
    pub authority: Option<Box<[u8]>>,
}

/// How the path changes; the query stays.
#[derive(Clone, Debug)]
pub enum PathRewrite {
    /// The first `matched` bytes of the path are replaced.
    Prefix {
        /// Length of the prefix that the route matched.
        matched: usize,
        /// What stands there instead.
        replacement: Box<[u8]>,
    },
    /// The whole path is replaced.
    Full(Box<[u8]>),
    /// Every match of the expression is replaced. `\1` is the first group, `\0` all that matched, `\\` a backslash.
    Regex {
        /// RE2 syntax, not anchored.
        pattern: Regex,
        /// With groups as `\1`.
        replacement: Box<[u8]>,
    },
}

/// `redirect` (specification section 3.4).
#[derive(Clone, Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// `uri` or `prefixRewrite`
    pub path: RedirectPath,
    /// `authority`; the request's host otherwise.
    pub authority: Option<Box<[u8]>>,
    /// `scheme`; the request's scheme otherwise.
    pub scheme: Option<crate::http::Scheme>,
    /// `port`, or what `derivePort` makes of the gateway's declared port.
    pub port: RedirectPort,
}

/// The path of a redirect; the query of the request is kept.
#[derive(Clone, Debug)]
pub enum RedirectPath {
    /// The request's own.
    Keep,
    /// `uri`
    Full(Box<[u8]>),
    /// `prefixRewrite`
    Prefix {
        /// Length of the prefix that the route matched.
        matched: usize,
        /// What stands there instead.
        replacement: Box<[u8]>,
    },
}

/// The port of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectPort {
    /// Neither `port` nor `derivePort: FROM_REQUEST_PORT`: that of the Host, unless the scheme changes and it was the
    /// default port of the old scheme.
    Keep,
    /// This one; left out of the location where it is the default port of the scheme.
    Set(u16),
}

/// `directResponse`
#[derive(Clone, Debug)]
pub struct DirectResponse {
    /// 200 to 599.
    pub status: u16,
    /// The body; at most 1 MiB.
    pub body: Box<[u8]>,
}

/// What a look-up found.
#[derive(Debug)]
pub enum Lookup<'a> {
    /// No virtual host for the authority: 404 `NR`.
    NoHost,
    /// The virtual host wants TLS and the request came without: 301.
    HttpsRedirect(&'a VirtualHost),
    /// The virtual host has no route that matches: 404 `NR`.
    NoRoute(&'a VirtualHost),
    /// The first route that matches.
    Route(&'a VirtualHost, &'a Route),
}
