//! Starting a shard, its tick, its drain.

use super::{
    drain::{DRAIN_QUIET, Drain, begin_drain, hand_over},
    listeners::Listeners,
    mailbox::{self, Inbox, Mailbox, Message},
    update::Members,
};
use crate::{
    driver::{self, Bells, Driver, DriverChoice, LadderStep, RuntimeError, Ticker},
    listener::Balance,
    proxy::{Environment, Limits, Remains, Routing},
    table::{BindAddress, Chain, Snapshot},
    telemetry::{AccessLog, Counters, LogSet, SpanSink, Spans, bump},
    tls::{ClientContext, Contexts, ServerContext},
    upstream::Place,
};
use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::{Arc, atomic::Ordering, mpsc::Sender},
    thread,
    time::{Duration, Instant},
};

/// A shard that takes sockets over from another process accepts anew at so many ticks: five seconds, in which the other one is
/// told that it is no longer needed, and stops.
const NUDGES: u32 = 50;

/// Idle upstream connections are looked at every so many ticks.
const SWEEP_TICKS: u64 = 10;

/// Series that are not used any more are looked for every so many ticks: every hour.
const SERIES_TICKS: u64 = 36_000;

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
    /// Its access logs.
    pub log: LogSet,
    /// Where spans go.
    pub spans: Option<SpanSink>,
    /// Where its reports go.
    pub reports: Sender<Report>,
    /// The bells of all shards.
    pub bells: Arc<Bells>,
    /// Its part in the balance of shards; nothing if it serves what it accepts.
    pub balance: Option<Balance>,
    /// How long connections of a listener may take that a reload has removed.
    pub reload_drain_time: Duration,
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
    plan.balance.iter().for_each(|balance| balance.begin(&counters));
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
    let log = AccessLog::new(plan.log, Arc::clone(&counters), plan.id.0 as u64 + 1);
    let spans = Spans::new(plan.spans, Arc::clone(&counters));
    let tls = Contexts::new(plan.tls.servers, &plan.tls.clients, None);
    let place = Place { shard: plan.id.0, bells: plan.bells };
    let remains = Rc::new(Remains::default());
    let routing = Routing::new(plan.snapshot, tls, &place, &remains);
    let env = Rc::new(Environment::new(routing, counters, log, spans, plan.limits, plan.hostname, plan.id.0));
    let listeners = Rc::new(Listeners::new(plan.balance));
    plan.listeners.into_iter().for_each(|listener| listeners.add(listener, &env));
    let drain = Drain {
        left: Cell::new(None),
        within: Cell::new(0),
        closes_in: Cell::new(0),
        listeners: Rc::clone(&listeners),
    };
    let members = Rc::new(Members {
        id: plan.id,
        env: Rc::clone(&env),
        place,
        remains,
        listeners,
        drain: Rc::new(drain),
        reports: plan.reports.clone(),
        is_updating: Cell::new(false),
        waiting: RefCell::default(),
        ending_time: plan.reload_drain_time,
        nudges_left: Cell::new(0),
    });
    driver::spawn(hear(inbox, Rc::clone(&members)));
    let exact = Rc::clone(&env.deadlines).serve_exact();
    // Without it, what is exact is as exact as the tick.
    driver::spawn(async { drop(exact.await) });
    let _ = plan.reports.send(started);
    let cut = tick(&members).await;
    env.log.flush();
    env.spans.flush();
    let _ = plan.reports.send(Report::Ended { id: plan.id, cut });
    // The process ends, and with it the ring: to drop it here, with operations in flight, would free their buffers.
    std::future::pending::<()>().await;
}

async fn hear(inbox: Inbox, members: Rc<Members>) {
    let Inbox { messages, bell } = inbox;
    let heard = || {
        messages.try_iter().for_each(|message| members.hear(message));
        members.listeners.take_handed_over(&members.env);
        look_at_limits(&members.env);
    };
    // It ends only if its descriptor breaks; the shard goes on with what it has.
    let _ = bell.listen(heard).await;
}

impl Members {
    /// Looks again at what may wait, while the process before this one may still be about to stop accepting.
    fn nudge(&self) {
        if let Some(left) = self.nudges_left.get().checked_sub(1) {
            self.nudges_left.set(left);
            self.listeners.sockets().iter().for_each(|socket| socket.nudge());
        }
    }

    fn hear(self: &Rc<Self>, message: Message) {
        match message {
            Message::Drain(within) => begin_drain(&self.env, &self.drain, within),
            Message::Stop => begin_drain(&self.env, &self.drain, Duration::ZERO),
            Message::Open => {
                self.listeners.sockets().iter().for_each(|socket| socket.open());
                self.nudges_left.set(NUDGES);
            }
            Message::HandOver(within) => hand_over(&self.env, &self.drain, within),
            Message::Look(look) => self.look(&look),
            // It may be said of what the update brings.
            message if self.is_updating.get() => self.waiting.borrow_mut().push_back(message),
            Message::Resolved(answer) => self.env.routing.borrow().clusters.resolved(&answer),
            Message::ServerTls(id, context) => self.env.routing.borrow().tls.set_server(id.0, context),
            Message::ClientTls(id, context) => self.env.routing.borrow().tls.set_client(id.0, context),
            Message::TokenKeys(source, keys) => self.env.routing.borrow().set_keys(source, keys),
            Message::Log(logs) => self.env.log.replace(logs),
            Message::Update(update) => self.begin_update(*update),
        }
    }

    /// Hears what has come during an update, up to the next one.
    pub(super) fn follow_waiting(self: &Rc<Self>) {
        while !self.is_updating.get() {
            let next = self.waiting.borrow_mut().pop_front();
            let Some(message) = next else { return };
            self.hear(message);
        }
    }
}

/// Another shard may have given a connection's place to this one, or may wait for one. Its bell says so at once; the tick
/// only makes sure.
fn look_at_limits(env: &Environment) {
    let closed = env.routing.borrow().clusters.look_at_limits() as u64;
    bump(&env.counters.upstream_connections_active, closed.wrapping_neg());
}

/// Ticks until drained. Returns how many connections had to be cut.
async fn tick(members: &Rc<Members>) -> usize {
    let (env, drain) = (&members.env, &members.drain);
    let Ok(mut ticker) = Ticker::new() else { return 0 };
    let mut count: u64 = 0;
    let mut before = Instant::now();
    while ticker.next().await.is_ok() {
        count += 1;
        bump(&env.counters.ticks, 1);
        let now = Instant::now();
        let delay = now.duration_since(before).saturating_sub(driver::TICK);
        env.counters.free_buffer_bytes.store(env.buffers.free_bytes() as u64, Ordering::Relaxed);
        env.counters.tick_delays.record(delay.as_micros() as u64);
        before = now;
        env.clock.adjust();
        env.deadlines.tick();
        env.log.flush();
        env.spans.flush();
        members.remains.free();
        members.nudge();
        members.listeners.take_handed_over(env);
        members.listeners.forget_early();
        for state in members.listeners.tick() {
            let members = Rc::clone(members);
            driver::spawn(async move { members.cut(&state).await });
        }
        if count.is_multiple_of(SWEEP_TICKS) {
            let closed = env.routing.borrow().clusters.sweep() as u64;
            bump(&env.counters.upstream_idle_closed, closed);
            bump(&env.counters.upstream_connections_active, closed.wrapping_neg());
            look_at_limits(env);
        }
        if count.is_multiple_of(SERIES_TICKS) {
            env.traffic.sweep();
        }
        let Some(left) = drain.left.get() else { continue };
        // A handshake under way becomes a connection.
        let active = env.counters.connections_active() as usize + env.handshakes.get();
        // So does what another shard has accepted for this one.
        let active = active + members.listeners.coming();
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
        drain.end_tunnels(env, left);
    }
    0
}
