//! One connection that is not HTTP: a destination by weight, an endpoint that answers, then bytes both ways.

use super::{
    ConnectionInfo, Environment, ListenerState, Routing, Served, authorize, choosing::hash_of_connection,
    counting::TcpCount, listener_state::Known, log_facts::LogFacts, mongo, tcp_post,
};
use crate::{
    buffer::Buffer,
    driver::Deadline,
    relay::{self, Blind, End, Ended, Relayed, Tap, Terms},
    table::{TcpDestination, TcpProtocol, TcpRoute},
    telemetry::{Flag, Record, bump},
    tls::{ReadHalf, WriteHalf},
    upstream::{Cluster, Endpoint, NoConnection, Pick, Random, Stream, Tunneled},
};
use std::{pin::Pin, rc::Rc, sync::Arc, time::Instant};

/// Endpoints that are tried for one connection, each once: as many as Istio's default lets an HTTP request try. Each may
/// take the whole connect timeout, and a client that has waited for three of them waits for no fourth.
const ENDPOINTS_MAX: usize = 3;

/// A connection that is not HTTP, as far as it has come.
pub struct TcpConnection {
    /// Declared before the halves, for it must be dropped before the socket is closed.
    pub deadline: Deadline,
    /// The half that reads.
    pub read: ReadHalf,
    /// The half that sends.
    pub write: WriteHalf,
    /// What is known of it.
    pub info: ConnectionInfo,
    /// What was read of it already; it goes to the upstream first.
    pub kept: Buffer,
}

/// Serves a connection of a listener to its end. The destination is chosen now, of what is `served`.
pub fn serve_tcp(
    connection: TcpConnection,
    (listener, served): (&Rc<ListenerState>, &Served),
    (route, protocol): (&TcpRoute, TcpProtocol),
    env: &Rc<Environment>,
) -> impl Future<Output = ()> + use<> {
    let routing = &served.routing;
    bump(&env.counters.tcp_connections, 1);
    bump(&env.counters.tcp_connections_active, 1);
    let target = match denial(&connection.info, routing, env) {
        Some(denial) => Target::Denied(denial),
        None => target(route, routing, env),
    };
    let known = listener.know_bytes(&connection.deadline);
    let session = Session { _known: known, connection, started: Instant::now(), env: Rc::clone(env) };
    session.live(target, protocol)
}

/// Why the connection may not go anywhere.
fn denial(info: &ConnectionInfo, routing: &Routing, env: &Environment) -> Option<Arc<str>> {
    let authorization = routing.snapshot.authorization.as_ref()?;
    authorize::connection(authorization, info, env)
}

fn target(route: &TcpRoute, routing: &Routing, env: &Environment) -> Target {
    choose(route, &env.random).map_or(Target::Missing("".into()), |destination| {
        let cluster = destination.cluster.and_then(|id| routing.clusters.get(id).cloned());
        cluster.map_or_else(|| Target::Missing(Arc::clone(&destination.cluster_name)), Target::Cluster)
    })
}

/// One of the destinations, by weight.
fn choose<'r>(route: &'r TcpRoute, random: &Random) -> Option<&'r TcpDestination> {
    if let [only] = route.destinations.as_slice() {
        return Some(only);
    }
    let mut place = random.below(route.total_weight);
    for destination in &route.destinations {
        let weight = u64::from(destination.weight);
        if place < weight {
            return Some(destination);
        }
        place -= weight;
    }
    route.destinations.last()
}

enum Target {
    Cluster(Rc<Cluster>),
    /// There is no such cluster; its name.
    Missing(Arc<str>),
    /// An AuthorizationPolicy keeps it out, or none lets it in; for the access log.
    Denied(Arc<str>),
}

struct Session {
    /// Declared before the connection, whose deadline must be there for it.
    _known: Known,
    connection: TcpConnection,
    started: Instant,
    env: Rc<Environment>,
}

/// What the access log says in the end.
#[derive(Default)]
struct Summary {
    flag: Option<Flag>,
    /// Why it was ended, where nobody asked for it.
    termination: &'static str,
    /// What is said of that in place of it, of a connection that an AuthorizationPolicy denies.
    denial: Option<Arc<str>>,
    transport_failure: String,
    up: u64,
    down: u64,
    upstream: Option<(Rc<Endpoint>, Rc<str>)>,
}

/// No endpoint took the connection.
struct Unreachable {
    flag: Flag,
    error: String,
    last: Option<Rc<Endpoint>>,
}

impl Session {
    async fn live(mut self, target: Target, protocol: TcpProtocol) {
        match target {
            // Closed with what has come of it unread.
            Target::Denied(denial) => {
                let count = TcpCount::begin(&self.env, &self.env.traffic.cluster(""));
                count.end(&self.env, None);
                self.record("", &Summary { denial: Some(denial), ..Summary::default() })
            }
            Target::Missing(name) => {
                bump(&self.env.counters.tcp_no_route, 1);
                let count = TcpCount::begin(&self.env, &self.env.traffic.cluster(&name));
                count.end(&self.env, Some(Flag::NoCluster));
                self.record(&name, &Summary { flag: Some(Flag::NoCluster), ..Summary::default() });
            }
            Target::Cluster(cluster) => {
                let count = TcpCount::begin(&self.env, cluster.count_in(&self.env.traffic));
                let summary = match self.connect(&cluster).await {
                    Ok(stream) => self.relay(stream, &cluster, protocol, &count).await,
                    Err(Unreachable { flag, error, last }) => Summary {
                        flag: Some(flag),
                        transport_failure: error,
                        upstream: last.map(|endpoint| (endpoint, "".into())),
                        ..Summary::default()
                    },
                };
                count.end(&self.env, summary.flag);
                self.record(&cluster.name, &summary);
            }
        }
        bump(&self.env.counters.tcp_connections_active, 1u64.wrapping_neg());
    }

    /// Opens a connection to an endpoint that takes one. Nothing has been sent yet, so any will do. In an allocation of
    /// its own, so that a connection that only waits has no room for it set aside.
    fn connect<'s>(
        &'s self,
        cluster: &'s Cluster,
    ) -> Pin<Box<impl Future<Output = Result<Stream, Unreachable>> + use<'s>>> {
        Box::pin(self.try_endpoints(cluster))
    }

    async fn try_endpoints(&self, cluster: &Cluster) -> Result<Stream, Unreachable> {
        let env = &self.env;
        let mut tried: Vec<Rc<Endpoint>> = Vec::new();
        let mut error = String::new();
        let hash = hash_of_connection(cluster, self.connection.info.peer_ip());
        while tried.len() < ENDPOINTS_MAX {
            let first = Pick::first(&env.random, self.started);
            let chosen = cluster.choose(&Pick { hash, tried: &tried, ..first });
            let is_new = |endpoint: &Rc<Endpoint>| !tried.iter().any(|other| Rc::ptr_eq(other, endpoint));
            let Some(endpoint) = chosen.filter(is_new) else { break };
            let opened = Stream::open(cluster, &endpoint, &env.dial(&self.connection.info, None)).await;
            if cluster.keeps_health() && !matches!(opened, Err(NoConnection::Full | NoConnection::Left)) {
                cluster.learn_connected(&endpoint, opened.is_ok(), Instant::now());
            }
            match opened {
                Ok(stream) => {
                    bump(&env.counters.upstream_connections, 1);
                    bump(&env.counters.upstream_connections_active, 1);
                    return Ok(stream);
                }
                // Another endpoint would be refused as well.
                Err(NoConnection::Full | NoConnection::Left) => {
                    let (flag, last) = (Flag::UpstreamOverflow, tried.pop());
                    return Err(Unreachable { flag, error: String::new(), last });
                }
                Err(NoConnection::Failed(failed)) => error = failed.to_string(),
            }
            bump(&env.counters.upstream_connect_failures, 1);
            tried.push(endpoint);
        }
        let flag = if tried.is_empty() { Flag::NoHealthyUpstream } else { Flag::ConnectAttemptsExceeded };
        Err(Unreachable { flag, error, last: tried.pop() })
    }

    async fn relay(
        &mut self,
        stream: Stream,
        cluster: &Cluster,
        protocol: TcpProtocol,
        count: &TcpCount,
    ) -> Summary {
        let Stream { deadline, read, write, endpoint, active, local, tunneled, counted, slot, .. } = stream;
        let mut upstream = Ends { deadline, read, write };
        let tunneled = tunneled.map(|tunneled| *tunneled);
        let env = Rc::clone(&self.env);
        let relayed = match protocol {
            TcpProtocol::Opaque => self.pass(&mut upstream, (Blind, Blind), (cluster, count), tunneled).await,
            TcpProtocol::Mongo => {
                let watch = mongo::Watch::new(&env);
                self.pass(&mut upstream, watch.taps(), (cluster, count), tunneled).await
            }
        };
        drop((active, upstream));
        // The connection is closed by now; the next may be opened.
        drop((counted, slot));
        bump(&env.counters.upstream_connections_active, 1u64.wrapping_neg());
        let termination = self.termination(relayed.ended);
        let upstream = Some((endpoint, local));
        let flag = (relayed.ended == Ended::TooOld).then_some(Flag::DurationTimeout);
        Summary { flag, upstream, up: relayed.up, down: relayed.down, termination, ..Summary::default() }
    }

    /// Sends what was read already on both sides, then moves bytes both ways.
    async fn pass<T: Tap>(
        &mut self,
        upstream: &mut Ends,
        mut taps: (T, T),
        (cluster, count): (&Cluster, &TcpCount),
        tunneled: Option<Tunneled>,
    ) -> Relayed {
        let (env, TcpConnection { deadline, read, write, kept, .. }) = (&self.env, &mut self.connection);
        let kept = std::mem::replace(kept, env.buffers.empty());
        let age = cluster.limits.as_ref().and_then(|limits| limits.connection_age_max());
        let lifetime = age.map(|age| env.deadlines.timer(age));
        let terms = Terms {
            idle_timeout: cluster.tcp_idle_timeout,
            lifetime: lifetime.as_ref(),
            farewells: None,
            buffers: &env.buffers,
            pipes: &env.pipes,
            up_bytes: [&env.counters.tcp_bytes_received, &count.open.received],
            down_bytes: [&env.counters.tcp_bytes_sent, &count.open.sent],
        };
        let early = match tunneled {
            None => env.buffers.empty(),
            Some(Tunneled { early, body: None }) => early,
            Some(Tunneled { early, body: Some(body) }) => {
                let ends = (End { read, write, deadline }, upstream.end());
                return Box::pin(tcp_post::both(ends, kept, (early, body), &terms)).await;
            }
        };
        let (up, down) = (kept.len() as u64, early.len() as u64);
        taps.0.see(kept.bytes());
        taps.1.see(early.bytes());
        if upstream.write.send(kept).await.0.is_err() {
            return Relayed { up: 0, down: 0, ended: Ended::UpstreamBroke };
        }
        if down > 0 && write.send(early).await.0.is_err() {
            return Relayed { up, down: 0, ended: Ended::DownstreamBroke };
        }
        terms.up_bytes.iter().for_each(|counter| bump(counter, up));
        terms.down_bytes.iter().for_each(|counter| bump(counter, down));
        let client = End { read, write, deadline };
        let relayed = relay::both(client, upstream.end(), taps, &terms).await;
        Relayed { up: relayed.up + up, down: relayed.down + down, ..relayed }
    }

    fn termination(&self, ended: Ended) -> &'static str {
        match ended {
            Ended::InOrder => "",
            Ended::Idle if self.env.draining.get() => "drain_timeout",
            Ended::Idle => {
                bump(&self.env.counters.tcp_idle_timeouts, 1);
                "tcp_session_idle_timeout"
            }
            Ended::TooOld => "max_connection_duration",
            Ended::DownstreamBroke => "downstream_reset",
            Ended::UpstreamBroke => "upstream_reset",
        }
    }

    fn record(&self, cluster: &str, summary: &Summary) {
        let (env, info) = (&self.env, &self.connection.info);
        if !env.log.is_on() {
            return;
        }
        let upstream = summary.upstream.as_ref();
        let record = Record {
            start_ms: env.clock.unix_ms(self.started),
            flag: summary.flag,
            termination: summary.denial.as_deref().unwrap_or(summary.termination),
            transport_failure: &summary.transport_failure,
            bytes_received: summary.up,
            bytes_sent: summary.down,
            duration_ms: self.started.elapsed().as_millis() as u64,
            upstream_host: upstream.map_or(b"", |(endpoint, _)| endpoint.display.as_bytes()),
            upstream_cluster: cluster.as_bytes(),
            upstream_local: upstream.map_or(b"", |(_, local)| local.as_bytes()),
            downstream_local: info.local_text.as_bytes(),
            downstream_remote: info.peer_text.as_bytes(),
            server_name: info.server_name.as_deref().unwrap_or_default().as_bytes(),
            connection_id: info.id,
            ..Record::default()
        };
        env.log.write(&record, &LogFacts::of_connection(info));
    }
}

/// The upstream's connection.
struct Ends {
    /// Declared before the halves, for it must be dropped before the socket is closed.
    deadline: Deadline,
    read: ReadHalf,
    write: WriteHalf,
}

impl Ends {
    fn end(&mut self) -> End<'_> {
        End { read: &mut self.read, write: &mut self.write, deadline: &self.deadline }
    }
}
