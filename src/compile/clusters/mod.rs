//! Destinations to clusters: only those that some route names.
//!
//! - `balance`: how an endpoint is chosen
//! - `outlier`: when one is left out
//! - `health_check`: how endpoints are asked whether they are well
//! - `pool`: limits of connections, requests and retries
//! - `place`: which endpoints are near
//! - `policy`: which DestinationRule applies
//! - `auto_passthrough`: destinations that a client names itself
//! - `collector`: where the gateway sends its spans
//! - `protocol`: what is spoken to a destination
//! - `missing`: what is said about destinations that do not exist or have no endpoints

mod auto_passthrough;
mod balance;
mod collector;
mod health_check;
mod missing;
mod outlier;
mod place;
mod policy;
mod pool;
mod protocol;

pub(super) use auto_passthrough::NamedByClient;
pub(super) use collector::FoundCollector;
pub(super) use place::report_unknown_place;
pub(super) use policy::{Policies, PolicyPlace};

use super::{
    Workload,
    host_name::{ClusterDomain, full_name},
    mesh::Mesh,
    origin::Origins,
    report::Report,
    services::{Found, Pool, Registry, Service, ServiceId, ServicePort, Site},
    tls::{ClientTls, SecretUse, TlsInputs, Upstream},
};
use crate::{
    config::{
        ObjectRef, Span, Spanned,
        resources::{
            ConnectionPoolSettings, Destination, Map, ProxyProtocol, ProxyProtocolVersion, SimpleLb, Subset,
        },
    },
    table::{Cluster, ClusterId, DnsKind, DnsName, Placement, ProxyVersion, UpstreamProtocol, UpstreamTls},
    tls::ClientSpec,
};
use missing::Missing;
use place::Nearness;
use policy::{Policy, ServicePolicy};
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// Makes the clusters that destinations need.
pub(super) struct Clusters<'r, 'w> {
    registry: &'w Registry<'r>,
    policies: &'w Policies<'r>,
    mesh: Mesh<'r>,
    workload: &'w Workload,
    origins: &'w Origins,
    made: Vec<Made<'r>>,
    by_key: HashMap<Key, ClusterId>,
    names: HashSet<Box<str>>,
    of_services: HashMap<ServiceId, Rc<ServicePolicy<'r>>>,
    tls: ClientTls<'r, 'w>,
}

/// What a cluster is made of.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    service: ServiceId,
    port: u16,
    subset: Option<String>,
    purpose: Purpose,
}

/// Who sends to a cluster.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Purpose {
    /// A rule of a VirtualService.
    Rules,
    /// `AUTO_PASSTHROUGH`: what passes is TLS already.
    AutoPassthrough,
}

struct Made<'r> {
    cluster: Cluster,
    /// The cluster's name, for all destinations that mean it.
    name: Arc<str>,
    /// What every destination that means it is told.
    missing: Option<Missing>,
    /// `tunnel`, which is for connections alone.
    tunnel: Option<(Span, PolicyPlace<'r>)>,
}

/// A destination as a rule names it.
pub(super) struct Wanted<'a> {
    pub(super) destination: &'a Spanned<Destination>,
    /// The VirtualService.
    pub(super) object: &'a ObjectRef,
    /// The path to the destination.
    pub(super) field: &'a dyn Fn() -> String,
    /// The declared port of the server, which stands in for a port that is not given.
    pub(super) server_port: u16,
    pub(super) traffic: Traffic,
}

/// What goes to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// Of HTTP.
    Requests,
    /// Of HTTP, through a server that says gRPC.
    Calls,
    /// Copies of requests, whose answers nobody reads.
    Copies,
    /// Bytes.
    Connections,
    /// TLS that passes through.
    Tls,
}

/// What a destination became.
pub(super) struct Resolved {
    /// Nothing where host, port or subset is unknown.
    pub(super) cluster: Option<ClusterId>,
    /// One copy for all destinations that mean the cluster: there may be a hundred thousand.
    pub(super) name: Arc<str>,
}

impl<'r, 'w> Clusters<'r, 'w> {
    pub(super) fn new(
        registry: &'w Registry<'r>,
        policies: &'w Policies<'r>,
        inputs: TlsInputs<'r, 'w>,
    ) -> Clusters<'r, 'w> {
        Clusters {
            registry,
            policies,
            mesh: inputs.mesh,
            workload: inputs.workload,
            origins: inputs.origins,
            tls: ClientTls::new(inputs),
            made: Vec::new(),
            by_key: HashMap::new(),
            names: HashSet::new(),
            of_services: HashMap::new(),
        }
    }

    /// The clusters, how TLS is spoken to them, and the Secrets for that.
    pub(super) fn finish(self, report: &mut Report) -> (Vec<Cluster>, Vec<ClientSpec>, Vec<SecretUse>) {
        self.report_empty_subsets(report);
        let (specs, uses) = self.tls.finish(report);
        (self.made.into_iter().map(|made| made.cluster).collect(), specs, uses)
    }

    /// Finds or makes the cluster of a destination, and reports what is missing.
    pub(super) fn resolve(&mut self, wanted: &Wanted<'_>, report: &mut Report) -> Resolved {
        let destination = &wanted.destination.value;
        let namespace = &wanted.object.namespace;
        let subset = destination.subset.as_ref().filter(|subset| !subset.is_empty());
        let written = destination.host.as_ref().map_or("", |host| host.value.as_str());
        let host = full_name(written, namespace, ClusterDomain(&self.workload.cluster_domain));
        let number = destination.port.as_ref().and_then(|port| port.number.as_ref()).map(|n| n.value);
        let given = number.and_then(|number| u16::try_from(number).ok());
        let unresolved =
            |port: u16, host: &str| Resolved { cluster: None, name: cluster_name(port, subset, host).into() };

        let registry = self.registry;
        let (id, service) = match registry.find(&host, namespace) {
            Found::Service(id) => match registry.service(id) {
                Some(service) => (id, service),
                None => return unresolved(given.unwrap_or(wanted.server_port), &host),
            },
            Found::Hidden(id) => {
                missing::report_hidden(registry.service(id), wanted, self.workload, report);
                return unresolved(given.unwrap_or(wanted.server_port), &host);
            }
            Found::Unknown => {
                missing::report_unknown_host(&host, registry, wanted, report);
                return unresolved(given.unwrap_or(wanted.server_port), &host);
            }
        };
        let (id, service) = self.behind_alias(id, service);
        let number = match (given, service.ports.as_slice()) {
            (Some(number), _) => number,
            (None, [only]) => only.number,
            (None, _) => {
                missing::report_no_port(service, wanted, report);
                wanted.server_port
            }
        };
        let external = service.external_name().map(|name| name.value.as_str());
        let Some(port) = service.port(number) else {
            if given.is_some() {
                missing::report_unknown_port(service, number, wanted, report);
            }
            return unresolved(number, external.unwrap_or(&service.host));
        };
        let policy = self.service_policy(id, service);
        let subset = match subset {
            None => None,
            Some(name) => match policy.subset(name) {
                Some((_, subset)) => Some(&subset.value),
                None => {
                    missing::report_unknown_subset(service, &policy, name, wanted, report);
                    return unresolved(number, external.unwrap_or(&service.host));
                }
            },
        };
        let cluster = self.cluster(id, (service, port), &policy, (subset, Purpose::Rules));
        let Some(made) = self.made.get(cluster.0 as usize) else { return unresolved(number, &host) };
        self.report_use(made, (service, port), wanted, report);
        Resolved { cluster: Some(cluster), name: Arc::clone(&made.name) }
    }

    /// What every destination is told that means this cluster.
    fn report_use(
        &self,
        made: &Made<'r>,
        (service, port): (&Service<'r>, &ServicePort<'r>),
        wanted: &Wanted<'_>,
        report: &mut Report,
    ) {
        if let Some(missing) = &made.missing {
            missing.report(wanted, report);
        }
        match (wanted.traffic, &made.cluster.tls) {
            (Traffic::Requests | Traffic::Calls | Traffic::Copies, tls) => {
                if wanted.traffic == Traffic::Calls && made.cluster.protocol == UpstreamProtocol::Http1 {
                    missing::report_no_grpc((service, port), wanted, report);
                }
                if tls.is_none() {
                    missing::report_plain_text(service, port, report);
                }
                if let Some((span, place)) = &made.tunnel {
                    missing::report_useless_tunnel(*span, place, report);
                }
            }
            (Traffic::Connections, Some(tls)) if self.tls.needs_server_name(tls) => {
                missing::report_no_server_name(service, wanted, report);
            }
            (Traffic::Tls, Some(_)) => missing::report_tls_in_tls(service, wanted, report),
            (Traffic::Connections, _) | (Traffic::Tls, None) => {}
        }
    }

    /// An `ExternalName` Service stands for another host. If that is a service, it is meant.
    fn behind_alias(&self, id: ServiceId, service: &'w Service<'r>) -> (ServiceId, &'w Service<'r>) {
        let Some(name) = service.external_name() else { return (id, service) };
        let host = crate::compile::host_name::normalized(name);
        match self.registry.find(&host, service.namespace) {
            Found::Service(id) => self.registry.service(id).map_or((id, service), |behind| (id, behind)),
            Found::Hidden(_) | Found::Unknown => (id, service),
        }
    }

    fn service_policy(&mut self, id: ServiceId, service: &Service<'r>) -> Rc<ServicePolicy<'r>> {
        let policies = self.policies;
        Rc::clone(self.of_services.entry(id).or_insert_with(|| Rc::new(policies.of(service))))
    }

    fn cluster(
        &mut self,
        id: ServiceId,
        (service, port): (&Service<'r>, &ServicePort<'r>),
        policy: &ServicePolicy<'r>,
        (subset, purpose): (Option<&'r Subset>, Purpose),
    ) -> ClusterId {
        let subset_name = subset.and_then(|subset| subset.name.as_ref()).map(|name| name.value.clone());
        let key = Key { service: id, port: port.number, subset: subset_name, purpose };
        if let Some(known) = self.by_key.get(&key) {
            return *known;
        }
        let made = self.make((service, port), policy, (subset, purpose));
        let id = ClusterId(self.made.len() as u32);
        self.names.insert(made.cluster.name.clone());
        self.made.push(made);
        self.by_key.insert(key, id);
        id
    }

    fn make(
        &mut self,
        (service, port): (&Service<'r>, &ServicePort<'r>),
        service_policy: &ServicePolicy<'r>,
        (subset, purpose): (Option<&'r Subset>, Purpose),
    ) -> Made<'r> {
        let policy = service_policy.policy(port.number, subset);
        let all = Map::default();
        let labels = subset.map_or(&all, |subset| &subset.labels);
        let external = service.external_name();
        let host = external.map_or(service.host.as_str(), |name| name.value.as_str());
        let subset_name = subset.and_then(|subset| subset.name.as_ref());
        let tls = match purpose {
            Purpose::Rules => self.upstream_tls((service, port), service_policy, (policy, subset_name)),
            Purpose::AutoPassthrough => Ok(None),
        };
        let simple = policy.load_balancer.and_then(|lb| lb.simple.as_ref()).map(|simple| simple.value);
        let mut pool = if let Err(why) = &tls {
            // Plain text where the user asked for TLS would be a hole, so nothing is sent at all.
            Pool::empty(why)
        } else if simple == Some(SimpleLb::Passthrough) {
            Pool::empty(
                "its load balancer is PASSTHROUGH: the client's own destination address is used, which a gateway does not know",
            )
        } else if external.is_some() {
            let placement = Placement::default();
            let name = DnsName { host: host.into(), port: port.number, weight: 1, placement };
            let name = (name, Site::Unknown);
            Pool::named(DnsKind::Strict, vec![name], || missing::NO_EXTERNAL_NAME.to_owned())
        } else {
            self.registry.pool(service, port, labels)
        };
        let near = Nearness::new(policy, service, self.mesh);
        let place_weights = near.map_or_else(Vec::new, |near| near.place(&mut pool, self.workload));
        let tls_place = tls.is_err().then_some(policy.tls).flatten();
        let missing =
            pool.why_empty.map(|why| Missing::no_endpoints(service, port.number, subset, tls_place, why));
        let settings = self.connection_pool(policy);
        let check = health_check::health_check(service_policy, port, host, purpose);
        let outlier = outlier::outlier(policy.outlier.or(self.mesh.outlier_detection()));
        let balance = balance::balance(policy, self.mesh, place_weights);
        let cluster = Cluster {
            name: match purpose {
                Purpose::Rules => self.unique_name(port.number, subset_name, (host, service.namespace)),
                Purpose::AutoPassthrough => auto_passthrough::name(port.number, subset_name, host).into(),
            },
            endpoints: pool.endpoints,
            balance: health_check::with_panic(balance, check.as_deref(), outlier.is_some()),
            outlier,
            health_check: check,
            health: None,
            limits: pool::limits(policy, settings, self.mesh.tcp_keepalive()),
            protocol: protocol::protocol(port, settings, self.mesh.upgrades_to_http2()),
            connect_timeout: self.connect_timeout(policy),
            tls: tls.ok().flatten(),
            proxy_protocol: policy.proxy_protocol.map(|proxy| proxy_version(proxy)),
            tcp_idle_timeout: self.tcp_idle_timeout(policy),
            max_concurrent_streams: protocol::max_concurrent_streams(settings),
            http2_keepalive: protocol::keepalive(settings),
            tunnel: pool::tunnel(policy),
            source: self.origins.source(&service.title, service.span),
            policy: service_policy.applied(&policy, self.mesh.connection_pool().is_some(), self.origins),
        };
        let name = (&*cluster.name).into();
        Made { cluster, name, missing, tunnel: tunnel(service_policy, policy) }
    }

    fn upstream_tls(
        &mut self,
        (service, port): (&Service<'r>, &ServicePort<'r>),
        service_policy: &ServicePolicy<'r>,
        (policy, subset): (Policy<'r>, Option<&'r Spanned<String>>),
    ) -> Result<Option<UpstreamTls>, String> {
        let Some(tls) = policy.tls else { return Ok(None) };
        let is_it = |other: &Policy<'r>| other.tls.is_some_and(|other| std::ptr::eq(other, tls));
        let Some(place) = service_policy.place("tls", is_it) else { return Ok(None) };
        let subset = subset.map_or("", |name| name.as_str());
        self.tls.of(&Upstream { tls, place, service, port, subset })
    }

    /// As Istio names it. The same host can be a service of two namespaces; the later one gets its namespace behind
    /// the name, so that a name is one cluster.
    fn unique_name(
        &self,
        port: u16,
        subset: Option<&Spanned<String>>,
        (host, namespace): (&str, &str),
    ) -> Box<str> {
        let name = cluster_name(port, subset, host);
        if self.names.contains(&name) { format!("{name}@{namespace}").into() } else { name }
    }

    /// `connectionPool` of the DestinationRule, else that of the mesh.
    fn connection_pool(&self, policy: Policy<'r>) -> Option<&'r ConnectionPoolSettings> {
        policy.connection_pool.or_else(|| self.mesh.connection_pool()).map(|pool| &pool.value)
    }

    /// An hour if nobody says otherwise; 0 is never.
    fn tcp_idle_timeout(&self, policy: Policy<'r>) -> Option<Duration> {
        const DEFAULT: Duration = Duration::from_secs(3600);
        let pool = self.connection_pool(policy);
        let own = pool.and_then(|pool| pool.tcp.as_ref()).and_then(|tcp| tcp.idle_timeout.as_ref());
        Some(own.map_or(DEFAULT, |timeout| timeout.value)).filter(|timeout| !timeout.is_zero())
    }

    fn connect_timeout(&self, policy: Policy<'r>) -> Duration {
        let pool = self.connection_pool(policy);
        let own = pool.and_then(|pool| pool.tcp.as_ref()).and_then(|tcp| tcp.connect_timeout.as_ref());
        let own = own.map(|timeout| timeout.value).filter(|timeout| !timeout.is_zero());
        own.unwrap_or_else(|| self.mesh.connect_timeout())
    }
}

fn cluster_name(port: u16, subset: Option<&Spanned<String>>, host: &str) -> Box<str> {
    let subset = subset.map_or("", |subset| subset.value.as_str());
    format!("outbound|{port}|{subset}|{host}").into()
}

/// Where `tunnel` is written.
fn tunnel<'r>(rules: &ServicePolicy<'r>, policy: Policy<'r>) -> Option<(Span, PolicyPlace<'r>)> {
    let tunnel = policy.tunnel?;
    let is_it = |other: &Policy<'r>| other.tunnel.is_some_and(|other| std::ptr::eq(other, tunnel));
    Some((tunnel.span, rules.place("tunnel", is_it)?))
}

fn proxy_version(proxy: &ProxyProtocol) -> ProxyVersion {
    match proxy.version.as_ref().map(|version| version.value).unwrap_or_default() {
        ProxyProtocolVersion::V1 => ProxyVersion::V1,
        ProxyProtocolVersion::V2 => ProxyVersion::V2,
    }
}
