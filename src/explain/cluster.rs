//! How a destination is reached.

use super::{health, secure::Health, story::Detail};
use crate::{
    filter::HashKey,
    grpc::Kind,
    http::Version,
    table::{
        Balance, Cluster, DnsKind, Endpoints, HashAlgorithm, IdleTime, LoadBalancing, Placement,
        ProxyVersion, STREAMS_MAX, ServerName, Snapshot, TunnelMethod, UpstreamProtocol, UpstreamTls,
    },
    tls::{AuthoritySource, CertificateSource, NameRule, ServerVerification},
};

/// Endpoints that are named at most.
const ENDPOINTS_MAX: usize = 8;

/// What is said of a destination that does not exist.
pub(super) const UNKNOWN: &str =
    "no ServiceEntry or Service that this gateway sees has this host, port and subset";

/// What else decides how a destination is reached.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) health: &'a Health,
    /// What is sent as SNI if nothing is fixed: `the request's host`, `none`.
    pub(super) traffic: &'static str,
    /// Who sends the request; nothing for connections that are not HTTP.
    pub(super) client: Option<Client>,
}

/// What of a request decides how its destination is spoken to.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub(super) version: Version,
    /// The protocol of gRPC that its content type says.
    pub(super) grpc: Option<Kind>,
}

/// How a cluster is reached.
pub(super) fn details(cluster: &Cluster, reach: Reach<'_>) -> Vec<Detail> {
    let endpoints = endpoints(cluster);
    let resolved = match cluster.endpoints {
        Endpoints::Static(_) => "",
        Endpoints::Dns { kind: DnsKind::Strict, .. } => ", all addresses of these names",
        Endpoints::Dns { kind: DnsKind::Logical, .. } => ", the first address of this name",
    };
    let how = format!(
        "{}, connect timeout {} s",
        balancing(&cluster.balance),
        cluster.connect_timeout.as_secs_f64()
    );
    let how = match reach.client {
        None => how,
        Some(client) => format!("{}, {how}", protocol(cluster.protocol, client.version)),
    };
    let list = match endpoints.len() {
        0 => "no endpoints".to_owned(),
        count if count > ENDPOINTS_MAX => {
            let shown = endpoints.get(..ENDPOINTS_MAX).unwrap_or_default().join(", ");
            format!("endpoints {shown} and {} more{resolved}", count - ENDPOINTS_MAX)
        }
        1 => format!("endpoint {}{resolved}", endpoints.join(", ")),
        _ => format!("endpoints {}{resolved}", endpoints.join(", ")),
    };
    let mut details = vec![Detail::new(list), Detail::new(how)];
    details.extend(reach.client.iter().filter_map(|client| grpc_detail(cluster, *client)));
    details.extend(reach.client.iter().flat_map(|client| http2_details(cluster, *client)));
    details.extend(health::details(cluster));
    details.extend(cluster.tls.iter().flat_map(|tls| reach.tls(tls)));
    details.extend(cluster.proxy_protocol.map(|version| {
        let version = match version {
            ProxyVersion::V1 => 1,
            ProxyVersion::V2 => 2,
        };
        Detail::new(format!("a PROXY header, version {version}, comes first, with the client's address"))
    }));
    details.extend(limit_details(cluster, reach.client.is_some()));
    details
}

/// What of its connections is limited, and whether they go through a proxy.
fn limit_details(cluster: &Cluster, is_http: bool) -> Vec<Detail> {
    let mut texts = Vec::new();
    if let Some(tunnel) = cluster.tunnel.as_ref().filter(|_| !is_http) {
        let method = match tunnel.method {
            TunnelMethod::Connect => "CONNECT",
            TunnelMethod::Post => "POST",
        };
        texts.push(format!(
            "through a tunnel to {}, which the endpoint is asked for by {method}",
            tunnel.target
        ));
    }
    let Some(limits) = &cluster.limits else { return texts.into_iter().map(Detail::new).collect() };
    let count = |most: Option<u32>, what: &str| most.map(|most| format!("at most {most} {what}"));
    if let Some(breaker) = &limits.breaker {
        let most = breaker.limits();
        let budget = most.retry_budget.map(|budget| {
            format!("retries at most {} % of the requests in flight, or {}", budget.percent, budget.min)
        });
        let retries = most.retries.filter(|_| budget.is_none());
        let of_http = [
            count(most.pending, "requests that wait for a connection"),
            count(most.requests, "requests at a time"),
            count(retries, "retries at a time"),
            budget,
        ];
        texts.extend(count(most.connections, "connections, of all workers together"));
        texts.extend(of_http.into_iter().flatten().filter(|_| is_http));
    }
    if let Some(most) = limits.requests_per_connection.filter(|_| is_http) {
        texts.push(format!("a connection carries at most {most} requests"));
    }
    if let Some(age) = limits.connection_age_max {
        texts.push(format!("a connection lives for {} s", age.as_secs_f64()));
    }
    match limits.idle {
        IdleTime::After(time) if is_http => {
            texts.push(format!("a connection without a request is kept for {} s", time.as_secs_f64()));
        }
        IdleTime::Never if is_http => {
            texts.push("a connection without a request is kept for ever".to_owned())
        }
        _ => {}
    }
    if limits.keepalive.is_some() {
        texts.push("silent connections are probed (SO_KEEPALIVE)".to_owned());
    }
    texts.into_iter().map(Detail::new).collect()
}

/// How an endpoint is chosen.
fn balancing(balance: &Balance) -> String {
    let mut text = match (&balance.hash, balance.method) {
        (Some(hash), _) => {
            let key = match &hash.key {
                HashKey::Header(name) => format!("header `{name}`"),
                HashKey::Cookie(cookie) => format!("cookie `{}`", cookie.name),
                HashKey::SourceIp => "the client's address".to_owned(),
                HashKey::QueryParameter(name) => format!("query parameter `{name}`"),
            };
            match hash.algorithm {
                HashAlgorithm::Ring(places) => format!("by {key}, on a ring of {places} places or more"),
                HashAlgorithm::Maglev(places) => format!("by {key}, in Maglev's table of {places} places"),
            }
        }
        (None, LoadBalancing::LeastRequest) => "LEAST_REQUEST".to_owned(),
        (None, LoadBalancing::RoundRobin) => "ROUND_ROBIN".to_owned(),
        (None, LoadBalancing::Random) => "RANDOM".to_owned(),
    };
    if let Some(warmup) = &balance.warmup {
        let seconds = warmup.duration.as_secs_f64();
        text += &format!(", a new endpoint's share grows for {seconds} s");
    }
    if !balance.place_weights.is_empty() {
        let weights: Vec<String> = balance.place_weights.iter().map(u32::to_string).collect();
        text += &format!(", places by weight {}", weights.join(":"));
    }
    text
}

fn protocol(protocol: UpstreamProtocol, client: Version) -> String {
    match (protocol, protocol.is_http2_for(client)) {
        (UpstreamProtocol::Client, true) => format!("{protocol}, which is HTTP/2"),
        (UpstreamProtocol::Client, false) => format!("{protocol}, which is HTTP/1.1"),
        _ => protocol.to_string(),
    }
}

/// What becomes of gRPC-Web, and what gRPC would miss.
fn grpc_detail(cluster: &Cluster, client: Client) -> Option<Detail> {
    const REMEDY: &str =
        "its port should say `grpc` or `http2`, or its DestinationRule `h2UpgradePolicy: UPGRADE`";
    let text = match (client.grpc?, cluster.protocol.is_http2_for(client.version)) {
        (Kind::Grpc, true) => return None,
        (Kind::Grpc, false) => {
            format!("gRPC needs HTTP/2, which this destination does not get: {REMEDY}")
        }
        (Kind::Web | Kind::WebText, true) => "gRPC-Web is translated to gRPC".to_owned(),
        (Kind::Web | Kind::WebText, false) => format!(
            "gRPC-Web is not translated to gRPC, which needs HTTP/2, for this destination gets HTTP/1.1; to have it translated, {REMEDY}"
        ),
    };
    Some(Detail::new(text))
}

/// How HTTP/2 is spoken to it.
fn http2_details(cluster: &Cluster, client: Client) -> Vec<Detail> {
    if !cluster.protocol.is_http2_for(client.version) {
        return Vec::new();
    }
    let mut details = Vec::new();
    if cluster.max_concurrent_streams < STREAMS_MAX {
        let text = format!("at most {} requests at a time on a connection", cluster.max_concurrent_streams);
        details.push(Detail::new(text));
    }
    if let Some(pings) = cluster.http2_keepalive {
        let (interval, timeout) = (pings.interval.as_secs_f64(), pings.timeout.as_secs_f64());
        details.push(Detail::new(format!("a ping every {interval} s, to be answered within {timeout} s")));
    }
    details
}

/// Its addresses, as far as they are known without asking anybody.
pub(super) fn endpoints(cluster: &Cluster) -> Vec<String> {
    let shown = |address: String, weight: u32, placement: Placement| {
        let weight = (weight != 1).then(|| format!("weight {weight}"));
        let priority = (placement.priority != 0).then(|| format!("priority {}", placement.priority));
        let notes: Vec<String> = weight.into_iter().chain(priority).collect();
        if notes.is_empty() { address } else { format!("{address} ({})", notes.join(", ")) }
    };
    match &cluster.endpoints {
        Endpoints::Static(list) => {
            list.iter().map(|e| shown(e.address.to_string(), e.weight, e.placement)).collect()
        }
        Endpoints::Dns { names, .. } => names
            .iter()
            .map(|name| shown(format!("{}:{}", name.host, name.port), name.weight, name.placement))
            .collect(),
    }
}

impl Reach<'_> {
    fn tls(&self, tls: &UpstreamTls) -> Vec<Detail> {
        let Some(spec) = self.snapshot.client_tls.get(tls.context.0 as usize) else { return Vec::new() };
        let name = match &tls.server_name {
            ServerName::FromAuthority => self.traffic.to_owned(),
            ServerName::Fixed(name) => format!("`{name}`"),
        };
        let own = spec
            .certificate
            .as_ref()
            .map(|source| format!(", with the certificate of {}", certificate(source)));
        let begin = format!(
            "TLS by {} {}, server name: {name}{}",
            spec.name,
            spec.place.field,
            own.unwrap_or_default()
        );
        let mut details = vec![Detail::new(begin), Detail::new(verification(&spec.verify))];
        details.extend(self.health.of_client(tls.context).iter().map(Detail::new));
        details
    }
}

fn verification(verify: &ServerVerification) -> String {
    let ServerVerification::Chain { authorities, names } = verify else {
        return "its certificate is not verified".to_owned();
    };
    let by = authorities
        .as_ref()
        .map_or("of the operating system".to_owned(), |source| format!("in {}", authority(source)));
    let name = match names {
        NameRule::Listed(names) => format!("one of the names {}", names.join(", ")),
        NameRule::ServerName => "the server name".to_owned(),
        NameRule::Any => "any name".to_owned(),
    };
    format!("its certificate must be for {name}, by an authority {by}")
}

/// Where a certificate is, for people.
pub(super) fn certificate(source: &CertificateSource) -> String {
    match source {
        CertificateSource::Files { certificate, .. } => certificate.display().to_string(),
        CertificateSource::Secret(name) => format!("Secret {name}"),
    }
}

/// Where authorities are, for people.
pub(super) fn authority(source: &AuthoritySource) -> String {
    match source {
        AuthoritySource::Files { authorities, .. } => authorities.display().to_string(),
        AuthoritySource::Secret(name) => format!("Secret {name}-cacert or {name}"),
        AuthoritySource::Exactly(name) => format!("Secret {name}"),
    }
}
