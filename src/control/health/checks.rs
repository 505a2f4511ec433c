//! Which endpoints are checked, and what becomes of what is found.
//!
//! An endpoint is asked once for the process, however many shards there are, and once for all clusters that would ask the
//! same of it: a host with ten subsets gets one check and not ten.

use super::{probe, standing::Standing};
use crate::{
    control::{Gateway, log},
    table::{
        ClientTlsId, Cluster, ClusterId, DnsKind, Endpoint, EndpointAddress, EndpointHealth, Endpoints,
        HealthCheck, Probe, ProxyVersion, Snapshot, UpstreamProtocol, UpstreamTls,
    },
    tls::ClientSpec,
};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::Semaphore,
    task::{AbortHandle, spawn_local},
    time::{sleep, timeout},
};

/// Checks that are under way at a time: each may take a socket and a handshake, on a thread that has more to do. With more
/// endpoints than can be asked in an interval, checks are late, and say nothing wrong.
const CHECKS_MAX: usize = 64;

/// What is asked of whom.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    pub(super) check: Box<HealthCheck>,
    /// With the port of the check.
    pub(super) address: EndpointAddress,
    pub(super) tls: Option<UpstreamTls>,
    pub(super) proxy_protocol: Option<ProxyVersion>,
    /// HTTP/2 is spoken.
    pub(super) is_http2: bool,
}

/// All checks.
pub(in crate::control) struct Checks {
    gateway: Rc<Gateway>,
    running: HashMap<Rc<Target>, Running>,
    turns: Rc<Semaphore>,
}

struct Running {
    members: Rc<Members>,
    task: AbortHandle,
}

impl Drop for Running {
    /// Nobody is told any more.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Who is told.
struct Members {
    list: RefCell<Vec<Member>>,
    /// How TLS begins, in the present snapshot.
    context: Cell<Option<ClientTlsId>>,
    /// What was found so far, for who joins later; nothing while nothing was found.
    is_good: Cell<Option<bool>>,
}

struct Member {
    cluster: ClusterId,
    health: Arc<EndpointHealth>,
}

impl Checks {
    /// Begins to check the endpoints that are known. Call it within the control thread's runtime.
    pub(in crate::control) fn start(gateway: &Rc<Gateway>) -> Checks {
        let mut checks = Checks {
            gateway: Rc::clone(gateway),
            running: HashMap::new(),
            turns: Rc::new(Semaphore::new(CHECKS_MAX)),
        };
        for (id, cluster) in (0..).map(ClusterId).zip(&gateway.snapshot().clusters) {
            if let Endpoints::Static(list) = &cluster.endpoints {
                checks.follow(id, list);
            }
        }
        checks
    }

    /// The gateway's snapshot is another one than `before`. Checks that go on keep what they have found.
    pub(in crate::control) fn replace(&mut self, before: &Snapshot) {
        let gateway = Rc::clone(&self.gateway);
        let snapshot = gateway.snapshot();
        let numbered = || snapshot.client_tls.iter().zip((0..).map(ClientTlsId));
        let same: HashMap<&ClientSpec, ClientTlsId> = numbered().collect();
        let alike: HashMap<_, ClientTlsId> = numbered().map(|(spec, id)| (spec.terms(), id)).collect();
        // Those of the same place first: two may ask for the same, and each has checks of its own. Of two that are the same
        // in everything each keeps its number.
        let moved = |id: ClientTlsId| {
            let spec = before.client_tls.get(id.0 as usize)?;
            let stays = (snapshot.client_tls.get(id.0 as usize) == Some(spec)).then_some(id);
            stays.or_else(|| same.get(spec).or_else(|| alike.get(&spec.terms())).copied())
        };
        let mut kept = HashMap::with_capacity(self.running.len());
        for (target, running) in self.running.drain() {
            running.members.list.borrow_mut().clear();
            let context = target.tls.as_ref().map(|tls| moved(tls.context));
            if context == Some(None) {
                continue;
            }
            let mut target = Target::clone(&target);
            if let (Some(tls), Some(Some(context))) = (&mut target.tls, context) {
                tls.context = context;
            }
            running.members.context.set(context.flatten());
            kept.insert(Rc::new(target), running);
        }
        self.running = kept;
        for (id, cluster) in (0..).map(ClusterId).zip(&snapshot.clusters) {
            gateway.with_endpoints(id, |endpoints| self.add(id, cluster, endpoints));
        }
        self.end_unwanted();
    }

    /// These are a cluster's endpoints from now on.
    pub(in crate::control) fn follow(&mut self, id: ClusterId, endpoints: &[Endpoint]) {
        let gateway = Rc::clone(&self.gateway);
        let snapshot = gateway.snapshot();
        let Some(cluster) = snapshot.clusters.get(id.0 as usize) else { return };
        if cluster.health_check.is_none() {
            return;
        }
        for running in self.running.values() {
            running.members.list.borrow_mut().retain(|member| member.cluster != id);
        }
        self.add(id, cluster, endpoints);
        self.end_unwanted();
    }

    fn add(&mut self, id: ClusterId, cluster: &Cluster, endpoints: &[Endpoint]) {
        let Some(check) = &cluster.health_check else { return };
        let used = match cluster.endpoints {
            Endpoints::Dns { kind: DnsKind::Logical, .. } => 1,
            Endpoints::Dns { .. } | Endpoints::Static(_) => endpoints.len(),
        };
        for endpoint in endpoints.iter().take(used) {
            let Some(health) = endpoint.health() else { continue };
            let member = Member { cluster: id, health: Arc::clone(health) };
            self.join(target(cluster, check, &endpoint.address), member);
        }
    }

    fn end_unwanted(&mut self) {
        self.running.retain(|_, running| !running.members.list.borrow().is_empty());
    }

    fn join(&mut self, target: Target, member: Member) {
        let target = Rc::new(target);
        if let Some(running) = self.running.get(&target) {
            if let Some(is_good) = running.members.is_good.get() {
                member.health.checked(is_good, Instant::now());
            }
            running.members.list.borrow_mut().push(member);
            return;
        }
        let members = Rc::new(Members {
            list: RefCell::new(vec![member]),
            context: Cell::new(target.tls.as_ref().map(|tls| tls.context)),
            is_good: Cell::new(None),
        });
        let watch =
            watch(Rc::clone(&target), Rc::clone(&members), Rc::clone(&self.gateway), Rc::clone(&self.turns));
        let task = spawn_local(watch).abort_handle();
        self.running.insert(target, Running { members, task });
    }
}

fn target(cluster: &Cluster, check: &HealthCheck, address: &EndpointAddress) -> Target {
    let mut address = address.clone();
    if let (EndpointAddress::Tcp(address), Some(port)) = (&mut address, check.port) {
        address.set_port(port);
    }
    let is_http2 = match check.probe {
        Probe::Grpc { .. } => true,
        Probe::Http(_) => cluster.protocol == UpstreamProtocol::Http2,
        Probe::Tcp => false,
    };
    Target {
        check: Box::new(check.clone()),
        address,
        tls: cluster.tls.clone(),
        proxy_protocol: cluster.proxy_protocol,
        is_http2,
    }
}

/// Checks one endpoint for as long as somebody wants to know.
async fn watch(target: Rc<Target>, members: Rc<Members>, gateway: Rc<Gateway>, turns: Rc<Semaphore>) {
    let (check, random) = (&target.check, RandomState::new());
    let mut standing = Standing::new(check);
    for round in 0u64.. {
        let result = {
            // It is never closed.
            let _turn = turns.acquire().await;
            let context = members.context.get().map(|context| gateway.credentials.borrow().client(context));
            let asked = timeout(check.timeout, probe::ask(&target, context)).await;
            asked.unwrap_or_else(|_| Err(format!("no answer within {} s", check.timeout.as_secs_f64())))
        };
        let is_news = standing.take(result.is_ok(), check);
        let is_good = standing.is_good();
        members.is_good.set(Some(is_good));
        for member in &*members.list.borrow() {
            member.health.count_check(result.is_ok());
            // Also when it is not news, for one that was ejected meanwhile.
            if is_news || (is_good && result.is_ok()) {
                member.health.checked(is_good, Instant::now());
            }
        }
        match result {
            Err(why) if is_news => {
                log::warn(format_args!(
                    "{} fails its health check: {why}",
                    describe(&target, &members, &gateway)
                ));
            }
            Ok(()) if is_news => {
                log::info(format_args!("{} answers its health check", describe(&target, &members, &gateway)));
            }
            Err(why) => log::debug(format_args!("health check of {}: {why}", target.address)),
            Ok(()) => {}
        }
        sleep(jittered(check.interval, random.hash_one(round))).await;
    }
}

/// A tenth more or less, so that checks that begin together do not stay together.
fn jittered(interval: Duration, random: u64) -> Duration {
    interval.mul_f64(0.9 + 0.2 * (random as f64 / u64::MAX as f64))
}

/// `127.0.0.1:80 of outbound|80||a.example and 2 more clusters`
fn describe(target: &Target, members: &Members, gateway: &Gateway) -> String {
    let list = members.list.borrow();
    let snapshot = gateway.snapshot();
    let name = |member: &Member| snapshot.clusters.get(member.cluster.0 as usize).map(|c| &*c.name);
    let first = list.first().and_then(name).unwrap_or_default();
    match list.len() {
        0 | 1 => format!("{} of {first}", target.address),
        2 => format!("{} of {first} and another cluster", target.address),
        more => format!("{} of {first} and {} more clusters", target.address, more - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_checks_varies_by_a_tenth() {
        let interval = Duration::from_secs(10);
        assert_eq!(jittered(interval, 0), Duration::from_secs(9));
        assert_eq!(jittered(interval, u64::MAX), Duration::from_secs(11));
    }
}
