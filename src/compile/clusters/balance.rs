//! `loadBalancer` of a DestinationRule to what the table has (specification section 4.3).

use super::policy::Policy;
use crate::{
    compile::mesh::Mesh,
    config::{
        Spanned,
        resources::{ConsistentHashLb, CookieAttribute, HttpCookie, LoadBalancerSettings, SimpleLb},
    },
    filter::{HashCookie, HashKey},
    table::{Balance, ConsistentHash, HashAlgorithm, LoadBalancing, PANIC_PERCENT, Warmup},
};
use std::sync::{Arc, OnceLock};

/// How an endpoint is chosen.
pub(super) fn balance(policy: Policy<'_>, mesh: Mesh<'_>, place_weights: Vec<u32>) -> Balance {
    let settings = policy.load_balancer.map(|settings| &settings.value);
    let simple = settings.and_then(|lb| lb.simple.as_ref()).map(|simple| simple.value);
    let written = settings.and_then(|lb| lb.consistent_hash.as_ref()).map(|hash| &hash.value);
    let hash = written.and_then(consistent_hash);
    let method = match (written, &hash) {
        // Without a key the ring chooses by chance.
        (Some(_), None) => LoadBalancing::Random,
        _ => load_balancing(simple),
    };
    let warms_up = hash.is_none() && method != LoadBalancing::Random;
    Balance {
        method,
        hash: hash.map(Arc::new),
        warmup: settings.filter(|_| warms_up).and_then(warmup).map(Box::new),
        panic_percent: panic_percent(policy, mesh),
        place_weights: place_weights.into(),
    }
}

/// Envoy's own threshold, unless endpoints are left out when they fail: then `minHealthPercent`.
fn panic_percent(policy: Policy<'_>, mesh: Mesh<'_>) -> u8 {
    let Some(outlier) = policy.outlier.or_else(|| mesh.outlier_detection()) else { return PANIC_PERCENT };
    let percent = outlier.min_health_percent.as_ref().map_or(0, |percent| percent.value);
    u8::try_from(percent).map_or(PANIC_PERCENT, |percent| percent.min(100))
}

fn consistent_hash(settings: &ConsistentHashLb) -> Option<ConsistentHash> {
    let key = if let Some(name) = &settings.http_header_name {
        HashKey::Header(name.to_ascii_lowercase().into())
    } else if let Some(cookie) = &settings.http_cookie {
        HashKey::Cookie(Box::new(cookie_key(cookie)))
    } else if let Some(name) = &settings.http_query_parameter_name {
        HashKey::QueryParameter(name.as_str().into())
    } else if settings.use_source_ip.as_ref().is_some_and(|by| by.value) {
        HashKey::SourceIp
    } else {
        return None;
    };
    Some(ConsistentHash { key, algorithm: algorithm(settings), shared: OnceLock::new() })
}

fn cookie_key(cookie: &HttpCookie) -> HashCookie {
    let text = |text: &Option<Spanned<String>>| text.as_ref().map_or("", |text| text.as_str()).into();
    let attribute = |attribute: &Spanned<CookieAttribute>| {
        let CookieAttribute { name, value } = &attribute.value;
        (text(name), text(value))
    };
    HashCookie {
        name: text(&cookie.name),
        ttl: cookie.ttl.as_ref().map(|ttl| ttl.value.as_secs()),
        path: text(&cookie.path),
        attributes: cookie.attributes.iter().map(attribute).collect(),
    }
}

/// A ring, if nothing else is said. 0 is as if it were absent.
fn algorithm(settings: &ConsistentHashLb) -> HashAlgorithm {
    let given = |size: Option<&Spanned<u64>>| size.map(|size| size.value).filter(|size| *size != 0);
    if let Some(maglev) = &settings.maglev {
        let size = given(maglev.table_size.as_ref()).and_then(|size| u32::try_from(size).ok());
        return HashAlgorithm::Maglev(size.unwrap_or(65_537));
    }
    let ring = settings.ring_hash.as_ref().and_then(|ring| ring.minimum_ring_size.as_ref());
    HashAlgorithm::Ring(given(ring.or(settings.minimum_ring_size.as_ref())).unwrap_or(1024))
}

fn warmup(settings: &LoadBalancerSettings) -> Option<Warmup> {
    let warmup = settings.warmup.as_ref();
    let given = warmup.map_or(settings.warmup_duration_secs.as_ref(), |warmup| warmup.duration.as_ref());
    let minimum = warmup.and_then(|warmup| warmup.minimum_percent.as_ref());
    let aggression = warmup.and_then(|warmup| warmup.aggression.as_ref());
    Some(Warmup {
        duration: given.map(|duration| duration.value).filter(|duration| !duration.is_zero())?,
        minimum: minimum.map_or(10.0, |percent| percent.value) / 100.0,
        aggression: aggression.map_or(1.0, |aggression| aggression.value),
    })
}

fn load_balancing(simple: Option<SimpleLb>) -> LoadBalancing {
    match simple {
        Some(SimpleLb::RoundRobin) => LoadBalancing::RoundRobin,
        Some(SimpleLb::Random) => LoadBalancing::Random,
        None
        | Some(
            SimpleLb::Unspecified | SimpleLb::LeastConn | SimpleLb::LeastRequest | SimpleLb::Passthrough,
        ) => LoadBalancing::LeastRequest,
    }
}
