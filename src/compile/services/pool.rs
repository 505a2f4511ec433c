//! Endpoints as the table has them.

use crate::table::{DnsKind, DnsName, Endpoint, EndpointAddress, Endpoints, Placement};
use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
};

/// The endpoints of a cluster, and if there are none, why.
pub(in crate::compile) struct Pool {
    pub(in crate::compile) endpoints: Endpoints,
    /// For a message: "... has no endpoints: {this}".
    pub(in crate::compile) why_empty: Option<String>,
}

impl Pool {
    pub(in crate::compile) fn empty(why: impl Into<String>) -> Pool {
        Pool { endpoints: Endpoints::Static(Vec::new()), why_empty: Some(why.into()) }
    }

    /// The same address twice counts once.
    pub(super) fn fixed(endpoints: Vec<Endpoint>, why_empty: impl FnOnce() -> String) -> Pool {
        let mut seen = HashSet::new();
        let endpoints: Vec<_> =
            endpoints.into_iter().filter(|endpoint| seen.insert(endpoint.address.clone())).collect();
        let why_empty = endpoints.is_empty().then(why_empty);
        Pool { endpoints: Endpoints::Static(endpoints), why_empty }
    }

    /// Names to resolve. If all are addresses there is nothing to resolve.
    pub(in crate::compile) fn named(
        kind: DnsKind,
        names: Vec<DnsName>,
        why_empty: impl FnOnce() -> String,
    ) -> Pool {
        let mut seen = HashSet::new();
        let names: Vec<_> =
            names.into_iter().filter(|name| seen.insert((name.host.clone(), name.port))).collect();
        let fixed = names.iter().map(|name| {
            let address = name.host.parse::<IpAddr>().ok()?;
            Some(tcp_endpoint(SocketAddr::new(address, name.port), name.weight))
        });
        if let Some(fixed) = fixed.collect::<Option<Vec<_>>>() {
            return Pool::fixed(fixed, why_empty);
        }
        Pool { endpoints: Endpoints::Dns { kind, names }, why_empty: None }
    }
}

/// A weight of 0 counts as 1, like one that is absent.
pub(super) fn tcp_endpoint(address: SocketAddr, weight: u32) -> Endpoint {
    Endpoint {
        address: EndpointAddress::Tcp(address),
        weight: weight.max(1),
        placement: Placement::default(),
    }
}
