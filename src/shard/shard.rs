//! Starting a shard, its tick, its drain.

use super::{
    drain::{DRAIN_QUIET, Drain, begin_drain, hand_over},
    mailbox::{self, Inbox, Mailbox, Message},
};
use crate::{
    driver::{self, Bells, Driver, DriverChoice, LadderStep, RuntimeError, Ticker},
    listener::{self, Listening},
    proxy::{Environment, Limits, Routing},
    table::{BindAddress, Chain, Snapshot},
    telemetry::{AccessLog, Counters, LogSink, bump},
    tls::{ClientContext, Contexts, ServerContext},
    upstream::Place,
};
use std::{
    cell::Cell,
    io,
    rc::Rc,
    sync::{Arc, mpsc::Sender},
    thread,
    time::Duration,
};

/// Idle upstream connections are looked at every so many ticks.
const SWEEP_TICKS: u64 = 10;

/// Which shard, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub usize);

/// A listener's socket on one shard.
pub struct ShardListener {
    /// Bound, and this shard's own.
    pub socket: driver::Listener,
    /// Where it listens.
    pub bind: BindAddress,
    /// What happens to its connections.
    pub chain: Chain,
}

/// Everything a shard starts with.
pub struct Plan {
    /// Which shard.
    pub id: ShardId,
    /// The CPU it is pinned to; where it may run, if nothing.
    pub cpu: Option<usize>,
    /// What it is to run on.
    pub driver: DriverChoice,
    /// The configuration.
    pub snapshot: Arc<Snapshot>,
    /// The snapshot's TLS, as it is at the start.
    pub tls: InitialTls,
    /// Its listeners.
    pub listeners: Vec<ShardListener>,
    /// Limits.
    pub limits: Limits,
    /// The name of this host, for `%HOSTNAME%`.
    pub hostname: Box<str>,
    /// Where access log lines go.
    pub log: Option<LogSink>,
    /// Where its reports go.
    pub reports: Sender<Report>,
    /// The bells of all shards.
    pub bells: Arc<Bells>,
}

/// The contexts of a snapshot's specs, in their order, as they are at the start: nothing where what a spec names is
/// missing or broken.
#[derive(Clone, Debug, Default)]
pub struct InitialTls {
    /// Of servers.
    pub servers: Vec<Option<Arc<ServerContext>>>,
    /// Of upstreams.
    pub clients: Vec<Option<Arc<ClientContext>>>,
}

/// What a shard tells the control thread.
#[derive(Debug)]
pub enum Report {
    /// It serves.
    Started {
        /// Which.
        id: ShardId,
        /// What it runs on.
        driver: Driver,
        /// What was tried before and did not hold.
        failed: Vec<LadderStep>,
    },
    /// It can't start.
    Failed {
        /// Which.
        id: ShardId,
        /// Why.
        error: RuntimeError,
    },
    /// It serves another configuration.
    Updated {
        /// Which.
        id: ShardId,
        /// That of the configuration.
        generation: u64,
    },
    /// It has drained, or was stopped.
    Ended {
        /// Which.
        id: ShardId,
        /// Connections that had to be cut.
        cut: usize,
    },
}

/// A running shard, as the control thread sees it.
pub struct Handle {
    /// Which.
    pub id: ShardId,
    /// To tell it something.
    pub mailbox: Mailbox,
    /// Its numbers.
    pub counters: Arc<Counters>,
}

/// Starts a shard on a thread of its own. It reports whether it came up.
///
/// # Errors
/// No thread or descriptor to be had.
pub fn start(plan: Plan) -> io::Result<Handle> {
    let (mailbox, inbox) = mailbox::pair()?;
    plan.bells.put(plan.id.0, mailbox.bell()?);
    let counters = Arc::new(Counters::default());
    let handle = Handle { id: plan.id, mailbox, counters: Arc::clone(&counters) };
    thread::Builder::new().name(format!("shard-{}", plan.id.0)).spawn(move || live(plan, inbox, counters))?;
    Ok(handle)
}

fn live(plan: Plan, inbox: Inbox, counters: Arc<Counters>) {
    if let Some(id) = plan.cpu {
        // A mask that forbids it was noticed when the list of CPUs was made; not being pinned is no failure.
        core_affinity::set_for_current(core_affinity::CoreId { id });
    }
    let (id, reports) = (plan.id, plan.reports.clone());
    let ran = driver::run(plan.driver, move |driver, failed| {
        let started = Report::Started { id: plan.id, driver, failed };
        serve(plan, inbox, counters, started)
    });
    if let Err(error) = ran {
        // Nobody listens any more when the control thread has ended; then nobody needs to know.
        let _ = reports.send(Report::Failed { id, error });
    }
}

async fn serve(plan: Plan, inbox: Inbox, counters: Arc<Counters>, started: Report) {
    let log = AccessLog::new(plan.log, Arc::clone(&counters));
    let tls = Contexts::new(plan.tls.servers, &plan.tls.clients);
    let routing = Routing::new(plan.snapshot, Place { shard: plan.id.0, bells: plan.bells });
    let env = Rc::new(Environment::new(routing, tls, counters, log, plan.limits, plan.hostname));
    let mut sockets = Vec::new();
    for listener in plan.listeners {
        let socket = Rc::new(listener.socket);
        sockets.push(Rc::clone(&socket));
        let listening = Listening { socket, bind: listener.bind, chain: listener.chain };
        driver::spawn(listener::run(listening, Rc::clone(&env)));
    }
    let drain = Rc::new(Drain { left: Cell::new(None), closes_in: Cell::new(0), sockets });
    driver::spawn(hear(inbox, Rc::clone(&env), Rc::clone(&drain)));
    let exact = Rc::clone(&env.deadlines).serve_exact();
    // Without it, what is exact is as exact as the tick.
    driver::spawn(async { drop(exact.await) });
    let _ = plan.reports.send(started);
    let cut = tick(&env, &drain).await;
    env.log.flush();
    let _ = plan.reports.send(Report::Ended { id: plan.id, cut });
    // The process ends, and with it the ring: to drop it here, with operations in flight, would free their buffers.
    std::future::pending::<()>().await;
}

async fn hear(inbox: Inbox, env: Rc<Environment>, drain: Rc<Drain>) {
    let Inbox { messages, bell } = inbox;
    let heard = || {
        for message in messages.try_iter() {
            match message {
                Message::Resolved(answer) => env.routing.borrow().clusters.resolved(&answer),
                Message::ServerTls(id, context) => env.tls.set_server(id.0, context),
                Message::ClientTls(id, context) => env.tls.set_client(id.0, context.as_deref()),
                Message::TokenKeys(source, keys) => env.routing.borrow().set_keys(source, keys),
                Message::Update(_) => {}
                Message::Open => drain.sockets.iter().for_each(|socket| socket.open()),
                Message::HandOver(within) => hand_over(&env, &drain, within),
                Message::Drain(within) => begin_drain(&env, &drain, within),
                Message::Stop => begin_drain(&env, &drain, Duration::ZERO),
            }
        }
        look_at_limits(&env);
    };
    // It ends only if its descriptor breaks; the shard goes on with what it has.
    let _ = bell.listen(heard).await;
}

/// Another shard may have given a connection's place to this one, or may wait for one. Its bell says so at once; the tick
/// only makes sure.
fn look_at_limits(env: &Environment) {
    let closed = env.routing.borrow().clusters.look_at_limits() as u64;
    bump(&env.counters.upstream_connections_active, closed.wrapping_neg());
}

/// Ticks until drained. Returns how many connections had to be cut.
async fn tick(env: &Environment, drain: &Drain) -> usize {
    let Ok(mut ticker) = Ticker::new() else { return 0 };
    let mut count: u64 = 0;
    while ticker.next().await.is_ok() {
        count += 1;
        bump(&env.counters.ticks, 1);
        env.clock.adjust();
        env.deadlines.tick();
        env.log.flush();
        if count.is_multiple_of(SWEEP_TICKS) {
            let closed = env.routing.borrow().clusters.sweep() as u64;
            bump(&env.counters.upstream_idle_closed, closed);
            bump(&env.counters.upstream_connections_active, closed.wrapping_neg());
            look_at_limits(env);
        }
        let Some(left) = drain.left.get() else { continue };
        // A handshake under way becomes a connection.
        let active = env.counters.connections_active() as usize + env.handshakes.get();
        let is_closed = drain.is_closed();
        if active == 0 && is_closed {
            return 0;
        }
        if left == 0 {
            env.deadlines.end_all();
            // What was cut still has its line of the access log to write.
            let _ = ticker.next().await;
            return active;
        }
        drain.left.set(Some(left - 1));
        env.deadlines.end_idle(DRAIN_QUIET);
    }
    0
}
