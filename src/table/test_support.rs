//! What the tests of the table make their tables and requests with.

use super::*;
use crate::{
    filter::HeaderOps,
    http::{RequestHead, Scheme},
};
use std::sync::Arc;

pub(super) fn route(name: &str, matcher: RouteMatch) -> Route {
    Route {
        name: name.into(),
        matcher,
        action: Action::Direct(DirectResponse { status: 200, body: Box::default() }),
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        checks: None,
        log: Default::default(),
        source: Source::built_in(name),
        root: None,
        places: Box::default(),
    }
}

pub(super) fn at_path(path: PathMatch) -> RouteMatch {
    RouteMatch { path, ..RouteMatch::default() }
}

pub(super) fn host(name: &str, routes: Vec<Route>) -> VirtualHost {
    VirtualHost::new(name, false, routes.into_iter().map(Arc::new).collect(), Source::built_in(name))
}

/// A request for a URL without scheme: `b.example:80/a?q`.
pub(crate) fn get(url: &str) -> RequestHead {
    let (authority, _) = url.split_once('/').unwrap_or((url, ""));
    let target = match &url[authority.len()..] {
        "" => "/",
        target => target,
    };
    RequestHead {
        method: b"GET".to_vec(),
        authority: authority.as_bytes().to_vec(),
        target: target.as_bytes().to_vec(),
        path_len: target.find('?').unwrap_or(target.len()),
        ..RequestHead::default()
    }
}

pub(super) fn with_fields(mut request: RequestHead, fields: &[(&str, &str)]) -> RequestHead {
    for (name, value) in fields {
        request.fields.push(name.as_bytes(), value.as_bytes());
    }
    request
}

/// What a look-up found, in one word or two.
pub(super) fn found(table: &RouteTable, request: &RequestHead) -> String {
    match table.find(request, Scheme::Http) {
        Lookup::NoHost => "no host".to_owned(),
        Lookup::HttpsRedirect(host) => format!("{} https", host.host),
        Lookup::NoRoute(host) => format!("{} -", host.host),
        Lookup::Route(host, route) => format!("{} {}", host.host, route.name),
    }
}

/// A small generator of numbers that are the same in every run (xorshift64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    pub(super) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    pub(super) fn text(&mut self, pieces: &[&str], count_max: usize) -> String {
        (0..self.below(count_max + 1)).map(|_| self.pick(pieces)).collect()
    }
}

impl super::Cluster {
    /// One without endpoints and without a policy, to be changed by a test.
    pub(crate) fn any() -> super::Cluster {
        super::Cluster {
            name: "c".into(),
            endpoints: super::Endpoints::Static(Vec::new()),
            balance: super::Balance::default(),
            outlier: None,
            health_check: None,
            health: None,
            limits: None,
            protocol: super::UpstreamProtocol::default(),
            connect_timeout: std::time::Duration::from_secs(10),
            tls: None,
            proxy_protocol: None,
            tcp_idle_timeout: Some(std::time::Duration::from_secs(3600)),
            max_concurrent_streams: super::STREAMS_MAX,
            http2_keepalive: None,
            tunnel: None,
            policy: None,
            source: super::Source::built_in("test"),
        }
    }
}

impl super::Endpoint {
    /// One at the discard port, to be changed by a test.
    pub(crate) fn any() -> super::Endpoint {
        super::Endpoint {
            address: super::EndpointAddress::Tcp(([127, 0, 0, 1], 9).into()),
            weight: 1,
            placement: super::Placement::default(),
            health: super::SharedHealth::default(),
        }
    }
}
