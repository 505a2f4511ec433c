//! `DestinationRule`: how an endpoint is chosen.

use crate::config::{
    Spanned,
    decode::{Map, choice, object},
};
use std::time::Duration;

object! {
    /// How an endpoint is chosen.
    pub struct LoadBalancerSettings {
        /// By a method without settings.
        simple: Option<Spanned<SimpleLb>> = "simple",
        /// By something in the request, so that the same goes to the same endpoint.
        consistent_hash: Option<Spanned<ConsistentHashLb>> = "consistentHash",
        /// Which places are preferred.
        locality_lb_setting: Option<Spanned<LocalityLbSetting>> = "localityLbSetting",
        /// The gateway's own place is preferred.
        zone_aware_lb_setting: Option<Spanned<ZoneAwareLbSetting>> = "zoneAwareLbSetting",
        /// Deprecated: the time in which a new endpoint's share grows.
        warmup_duration_secs: Option<Spanned<Duration>> = "warmupDurationSecs",
        /// How a new endpoint's share grows.
        warmup: Option<Spanned<WarmupConfiguration>> = "warmup",
    }
    one_of ["simple", "consistentHash"]
}

choice! {
    /// `LoadBalancerSettings.SimpleLB`.
    pub enum SimpleLb {
        /// As `LEAST_REQUEST`.
        Unspecified = "UNSPECIFIED" (0),
        /// Deprecated: as `LEAST_REQUEST`.
        LeastConn = "LEAST_CONN" (1),
        /// By chance.
        Random = "RANDOM" (2),
        /// The address that the client asked for, which a gateway does not know.
        Passthrough = "PASSTHROUGH" (3),
        /// One after another.
        RoundRobin = "ROUND_ROBIN" (4),
        /// Two by chance, of these the one with fewer requests.
        LeastRequest = "LEAST_REQUEST" (5),
    }
}

object! {
    /// The same goes to the same endpoint (`LoadBalancerSettings.ConsistentHashLB`).
    pub struct ConsistentHashLb {
        /// The header field that decides.
        http_header_name: Option<Spanned<String>> = "httpHeaderName",
        /// The cookie that decides.
        http_cookie: Option<Spanned<HttpCookie>> = "httpCookie",
        /// The client's address decides.
        use_source_ip: Option<Spanned<bool>> = "useSourceIp",
        /// The parameter of the query that decides.
        http_query_parameter_name: Option<Spanned<String>> = "httpQueryParameterName",
        /// By a ring of hashes.
        ring_hash: Option<Spanned<RingHash>> = "ringHash",
        /// By Maglev's table.
        maglev: Option<Spanned<Maglev>> = "maglev",
        /// Deprecated: `ringHash.minimumRingSize`.
        minimum_ring_size: Option<Spanned<u64>> = "minimumRingSize",
    }
    one_of ["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"]
    one_of ["ringHash", "maglev"]
}

object! {
    /// A cookie that decides, which is made where it is missing.
    pub struct HttpCookie {
        /// Its name.
        name: Option<Spanned<String>> = "name",
        /// Its `Path`.
        path: Option<Spanned<String>> = "path",
        /// Its `Max-Age`; 0: until the browser is closed; absent: no cookie is made.
        ttl: Option<Spanned<Duration>> = "ttl",
        /// More attributes of it.
        attributes: Vec<Spanned<CookieAttribute>> = "attributes",
    }
}

object! {
    /// An attribute of a cookie.
    pub struct CookieAttribute {
        /// Its name.
        name: Option<Spanned<String>> = "name",
        /// Its value.
        value: Option<Spanned<String>> = "value",
    }
}

object! {
    /// A ring of hashes.
    pub struct RingHash {
        /// The fewest places on the ring; absent: 1024.
        minimum_ring_size: Option<Spanned<u64>> = "minimumRingSize",
    }
}

object! {
    /// Maglev's table.
    pub struct Maglev {
        /// Its places, a prime; absent: 65537.
        table_size: Option<Spanned<u64>> = "tableSize",
    }
}

object! {
    /// Which places are preferred (`LocalityLoadBalancerSetting`).
    pub struct LocalityLbSetting {
        /// Shares, by where the gateway is.
        distribute: Vec<Spanned<LocalityDistribute>> = "distribute",
        /// Where to go instead, by where the gateway is.
        failover: Vec<Spanned<LocalityFailover>> = "failover",
        /// The labels that make an endpoint near, the most important first.
        failover_priority: Vec<Spanned<String>> = "failoverPriority",
        /// Whether it is used at all.
        enabled: Option<Spanned<bool>> = "enabled",
    }
}

object! {
    /// Shares by place.
    pub struct LocalityDistribute {
        /// Where the gateway is: `region/zone/subzone`, with `*`.
        from: Option<Spanned<String>> = "from",
        /// The share of each place, in percent.
        to: Map<u32> = "to",
    }
}

object! {
    /// A region to go to instead.
    pub struct LocalityFailover {
        /// The region that failed.
        from: Option<Spanned<String>> = "from",
        /// The region to go to.
        to: Option<Spanned<String>> = "to",
    }
}

object! {
    /// The gateway's own place is preferred.
    pub struct ZoneAwareLbSetting {
        /// Whether it is used at all.
        enabled: Option<Spanned<bool>> = "enabled",
        /// Where to go instead, by where the gateway is.
        failover: Vec<Spanned<LocalityFailover>> = "failover",
        /// The labels that make an endpoint near, the most important first.
        failover_priority: Vec<Spanned<String>> = "failoverPriority",
        /// The fewest endpoints for it; absent: 6.
        min_cluster_size: Option<Spanned<u64>> = "minClusterSize",
    }
}

object! {
    /// How a new endpoint's share grows (`WarmupConfiguration`).
    pub struct WarmupConfiguration {
        /// How long it grows.
        duration: Option<Spanned<Duration>> = "duration",
        /// Where it begins, in percent; absent: 10.
        minimum_percent: Option<Spanned<f64>> = "minimumPercent",
        /// How fast it grows at first; absent: 1.
        aggression: Option<Spanned<f64>> = "aggression",
    }
}
