//! Endpoints as the table has them.

use super::Site;
use crate::table::{DnsKind, DnsName, Endpoint, EndpointAddress, Endpoints, Placement};
use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
};

/// The endpoints of a cluster, and if there are none, why.
pub(in crate::compile) struct Pool<'r> {
    pub(in crate::compile) endpoints: Endpoints,
    /// For a message: "... has no endpoints: {this}".
    pub(in crate::compile) why_empty: Option<String>,
    /// What is known of each endpoint, or of each name.
    pub(in crate::compile) sites: Vec<Site<'r>>,
}

impl<'r> Pool<'r> {
    pub(in crate::compile) fn empty(why: impl Into<String>) -> Pool<'r> {
        Pool { endpoints: Endpoints::Static(Vec::new()), why_empty: Some(why.into()), sites: Vec::new() }
    }

    /// The same address twice counts once.
    pub(super) fn fixed(
        endpoints: Vec<(Endpoint, Site<'r>)>,
        why_empty: impl FnOnce() -> String,
    ) -> Pool<'r> {
        let mut seen = HashSet::new();
        let once = endpoints.into_iter().filter(|(endpoint, _)| seen.insert(endpoint.address.clone()));
        let (endpoints, sites): (Vec<_>, Vec<_>) = once.unzip();
        let why_empty = endpoints.is_empty().then(why_empty);
        Pool { endpoints: Endpoints::Static(endpoints), why_empty, sites }
    }

    /// Names to resolve. If all are addresses there is nothing to resolve.
    pub(in crate::compile) fn named(
        kind: DnsKind,
        names: Vec<(DnsName, Site<'r>)>,
        why_empty: impl FnOnce() -> String,
    ) -> Pool<'r> {
        let mut seen = HashSet::new();
        let once = names.into_iter().filter(|(name, _)| seen.insert((name.host.clone(), name.port)));
        let (names, sites): (Vec<DnsName>, Vec<_>) = once.unzip();
        let fixed = names.iter().zip(&sites).map(|(name, site)| {
            let address = name.host.parse::<IpAddr>().ok()?;
            Some((tcp_endpoint(SocketAddr::new(address, name.port), name.weight), *site))
        });
        if let Some(fixed) = fixed.collect::<Option<Vec<_>>>() {
            return Pool::fixed(fixed, why_empty);
        }
        Pool { endpoints: Endpoints::Dns { kind, names }, why_empty: None, sites }
    }

    /// The weight of each endpoint, or of each name.
    pub(in crate::compile) fn weights(&self) -> impl Iterator<Item = u32> {
        let (fixed, names): (&[Endpoint], &[DnsName]) = match &self.endpoints {
            Endpoints::Static(list) => (list, &[]),
            Endpoints::Dns { names, .. } => (&[], names),
        };
        fixed.iter().map(|endpoint| endpoint.weight).chain(names.iter().map(|name| name.weight))
    }

    /// Puts each endpoint where it is; those that are nowhere are taken out. Where nobody is left then, that is why.
    pub(in crate::compile) fn place(
        &mut self,
        placements: &[Option<Placement>],
        why_empty: impl FnOnce() -> String,
    ) {
        let had_any = !self.sites.is_empty();
        let placed = |at: usize| placements.get(at).copied().flatten();
        match &mut self.endpoints {
            Endpoints::Static(list) => {
                let mut at = 0..;
                list.retain_mut(|endpoint| {
                    let placement = at.next().and_then(placed);
                    endpoint.placement = placement.unwrap_or_default();
                    placement.is_some()
                });
            }
            Endpoints::Dns { names, .. } => {
                let mut at = 0..;
                names.retain_mut(|name| {
                    let placement = at.next().and_then(placed);
                    name.placement = placement.unwrap_or_default();
                    placement.is_some()
                });
            }
        }
        let mut at = 0..;
        self.sites.retain(|_| at.next().and_then(placed).is_some());
        if had_any && self.sites.is_empty() {
            self.why_empty = Some(why_empty());
        }
    }
}

/// A weight of 0 counts as 1, like one that is absent.
pub(super) fn tcp_endpoint(address: SocketAddr, weight: u32) -> Endpoint {
    Endpoint {
        address: EndpointAddress::Tcp(address),
        weight: weight.max(1),
        placement: Placement::default(),
        health: Default::default(),
    }
}
