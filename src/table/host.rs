//! Route tables and virtual hosts, and how a request finds its route (specification section 2.4).

use super::{ConnectionAge, Route, Source, host_index::HostIndex, route_index::RouteIndex};
use crate::{
    http::{RequestHead, Scheme},
    jwt::Claims,
};
use std::sync::Arc;

#[cfg(test)]
mod tests;

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
    /// How old its clients' connections may become; the least that one of its servers says.
    pub connection_age: Option<ConnectionAge>,
    index: HostIndex,
}

/// One host's routes.
#[derive(Debug)]
pub struct VirtualHost {
    /// In lower case, without port: a name, `*.suffix`, an IP address (IPv6 in brackets), or `*`.
    pub host: Box<str>,
    /// Some server of the table says `httpsRedirect` for this host: everything that is not `https` gets 301.
    pub require_tls: bool,
    /// The first that matches is taken. Hosts of one VirtualService share its routes.
    pub routes: Vec<Arc<Route>>,
    /// The server (Gateway) that gave it.
    pub source: Source,
    index: RouteIndex,
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

impl RouteTable {
    /// Builds the indexes. If a host occurs twice, the first one is found.
    pub fn new(name: String, virtual_hosts: Vec<VirtualHost>) -> RouteTable {
        let index = HostIndex::new(virtual_hosts.iter().map(|v| v.host.as_ref()));
        RouteTable { name, virtual_hosts, connection_age: None, index }
    }

    /// Finds the virtual host of the authority and its first route that matches a request without a token. `scheme` is the
    /// effective one: that of a trusted `x-forwarded-proto`, else that of the downstream connection.
    pub fn find(&self, request: &RequestHead, scheme: Scheme) -> Lookup<'_> {
        self.find_with(request, scheme, None)
    }

    /// The same for a request whose token says this.
    pub fn find_with(&self, request: &RequestHead, scheme: Scheme, claims: Option<&Claims>) -> Lookup<'_> {
        let Some(host) = self.virtual_host(&request.authority) else { return Lookup::NoHost };
        if host.require_tls && scheme != Scheme::Https {
            return Lookup::HttpsRedirect(host);
        }
        match host.route_with(request, scheme, claims) {
            Some(route) => Lookup::Route(host, route),
            None => Lookup::NoRoute(host),
        }
    }

    /// The virtual host of an authority: the exact name, else the longest `*.suffix`, else `*`. The port and the case
    /// do not count, nor does a dot at the end of a name. An exact host hides all wildcards.
    pub fn virtual_host(&self, authority: &[u8]) -> Option<&VirtualHost> {
        self.virtual_hosts.get(self.index.find(host_of(authority))?)
    }
}

impl VirtualHost {
    /// Builds the index of the routes. `host` may be in any case.
    pub fn new(host: &str, require_tls: bool, routes: Vec<Arc<Route>>, source: Source) -> VirtualHost {
        let index = RouteIndex::new(&routes);
        VirtualHost { host: host.to_ascii_lowercase().into(), require_tls, routes, source, index }
    }

    /// The first route that matches a request without a token.
    pub fn route(&self, request: &RequestHead, scheme: Scheme) -> Option<&Route> {
        self.route_with(request, scheme, None)
    }

    /// The first route that matches a request whose token says this.
    pub fn route_with(
        &self,
        request: &RequestHead,
        scheme: Scheme,
        claims: Option<&Claims>,
    ) -> Option<&Route> {
        let route_matches = |route: &Route| route.matcher.matches_with(request, scheme, claims);
        let matches = |at: usize| self.routes.get(at).is_some_and(|route| route_matches(route));
        let first = self.index.first(request.path(), matches);
        first.and_then(|position| self.routes.get(position)).map(|route| &**route)
    }
}

/// The host of an authority, without the port and a dot at the end.
pub(super) fn host_of(authority: &[u8]) -> &[u8] {
    let host = match authority {
        // The brackets belong to an IPv6 address; only what follows them can be a port.
        [b'[', ..] => {
            let end = authority.iter().position(|&b| b == b']').map_or(authority.len(), |at| at + 1);
            authority.get(..end).unwrap_or(authority)
        }
        _ => authority.split(|&b| b == b':').next().unwrap_or(authority),
    };
    host.strip_suffix(b".").unwrap_or(host)
}
