//! Which endpoint is asked: what of the request decides, and what was tried already.

use super::{
    exchange::{Exchange, Way},
    standard,
};
use crate::{
    filter::{Asking, HashKey, hash_text},
    upstream::{Cluster, Endpoint, Pick},
};
use std::{net::IpAddr, rc::Rc};

impl Exchange<'_> {
    /// Chooses an endpoint for an attempt, by the request as it leaves. Endpoints that were tried are left out while there are
    /// others, unless a hash decides: there the key belongs (specification section 2.7).
    pub(super) fn choose_endpoint(&mut self, way: &Way<'_>, tried: &[Rc<Endpoint>]) -> Option<Rc<Endpoint>> {
        let key = way.cluster.hash_key();
        let hash = key.and_then(|key| self.hash(key, way, tried.is_empty()));
        way.cluster.choose(&Pick {
            hash,
            tried,
            avoids_tried: way.retry.ignore_previous_hosts.unwrap_or(key.is_none()),
            leaves_priorities: way.retry.remote_localities,
            ..Pick::first(&self.env.random, self.answer.summary.started)
        })
    }

    /// The hash of the request's key. A client without the cookie that decides is given one, at the first attempt.
    fn hash(&mut self, key: &HashKey, way: &Way<'_>, is_first: bool) -> Option<u64> {
        let info = &self.answer.info;
        let request = &self.answer.scratch.request;
        let client = match key {
            HashKey::SourceIp => standard::client_address(request, way.settings, info),
            HashKey::Header(_) | HashKey::Cookie(_) | HashKey::QueryParameter(_) => None,
        };
        let ip = client.map(text).unwrap_or_default();
        let (peer, local) = (info.peer_text.as_bytes(), info.local_text.as_bytes());
        let hashed = key.of(request, Asking { ip: ip.as_bytes(), peer, local });
        if let (HashKey::Cookie(cookie), Some(given), true) = (key, hashed.given, is_first) {
            let mut line = Vec::new();
            cookie.set_cookie(given, &mut line);
            self.answer.issued.push(line.into());
        }
        hashed.hash
    }
}

/// The hash of a connection that is not HTTP: only `useSourceIp` means anything there.
pub(super) fn hash_of_connection(cluster: &Cluster, client: Option<IpAddr>) -> Option<u64> {
    match cluster.hash_key()? {
        HashKey::SourceIp => client.map(|client| hash_text(text(client).as_bytes(), 0)),
        HashKey::Header(_) | HashKey::Cookie(_) | HashKey::QueryParameter(_) => None,
    }
}

/// As Envoy writes it: an IPv4 address that came over IPv6 is one of IPv4.
fn text(address: IpAddr) -> String {
    address.to_canonical().to_string()
}
