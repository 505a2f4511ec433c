//! From start to end: readiness, names, drain.

use super::{
    Command, Gateway, Loader, Outcome, Signal, Signals, State,
    credentials::Found,
    drain::Ending,
    handover::{self, Upgrading},
    health::{self, Checks},
    jwks::{Fetched, KeyWatch},
    log,
    names::{Answer, Names},
    notify,
    otlp::Exporter,
    reload::{Reloads, Request, Served},
    resolver::Resolver,
    unix,
    watch::{Due, Keeper},
};
use crate::{
    driver::{Driver, LadderStep},
    shard::{Message, Report, ResolvedEndpoints, ShardId},
    table::Endpoint,
};
use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_local,
    time::{Instant, sleep, sleep_until, timeout},
};

/// Reports that may wait. A shard makes two in its life.
const REPORTS_MAX: usize = 64;
/// A shard looks at its drain ten times a second; one that is this late is stuck.
pub(super) const DRAIN_GRACE: Duration = Duration::from_secs(5);
/// How long the start waits for the first answers of names. One that nobody answers for must not hold up the others.
pub(super) const FIRST_ANSWERS: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the last lines of the access log, whose target may be stuck.
const LOG_GRACE: Duration = Duration::from_secs(2);

/// How long the end of the process waits for the last spans, whose collector may be gone.
const EXPORT_GRACE: Duration = Duration::from_secs(2);

/// How a gateway ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As somebody asked for.
    Asked,
    /// Because something went wrong, which has been said.
    Failed,
}

/// Reports of shards, on their way from the shards' threads into the control thread's runtime.
pub struct Reports(mpsc::Receiver<Report>);

impl Reports {
    /// A sender for the shards, and the receiver.
    ///
    /// # Errors
    /// No thread to be had.
    pub fn new() -> io::Result<(Sender<Report>, Reports)> {
        let (sender, from_shards): (_, Receiver<Report>) = channel();
        let (into, reports) = mpsc::channel(REPORTS_MAX);
        let forward = move || {
            for report in from_shards {
                if into.blocking_send(report).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("reports".into()).spawn(forward)?;
        Ok((sender, Reports(reports)))
    }
}

/// What a gateway needs while it lives.
pub struct Living {
    /// Reports of its shards.
    pub reports: Reports,
    /// What pages ask for.
    pub commands: mpsc::Receiver<Command>,
    /// What the operating system asks for.
    pub signals: Signals,
    /// The DNS server to ask, instead of those of the machine.
    pub resolver: Option<SocketAddr>,
    /// How the configuration is loaded.
    pub loader: Loader,
    /// What is remembered of the load that is served.
    pub served: Served,
    /// The configuration is loaded again when its files change.
    pub watches: bool,
}

/// Lives through the life of a gateway that has been started.
///
/// # Errors
/// No thread to be had.
pub async fn supervise(gateway: Rc<Gateway>, living: Living) -> io::Result<End> {
    let Living { mut reports, mut commands, mut signals, resolver, loader, served, watches } = living;
    let loader_inputs = loader.inputs().to_vec();
    let reloads = Reloads::new(loader, &served)?;
    let resolver = Rc::new(Resolver::new(resolver));
    let snapshot = gateway.snapshot();
    let (mut names, mut answers) = Names::new(&resolver);
    names.want(&snapshot.clusters);
    names.follow(&snapshot.clusters);
    let (mut keys, mut fetched) = KeyWatch::new(&resolver);
    keys.want(snapshot.authentication.as_deref());
    keys.follow(snapshot.authentication.as_deref());
    drop(snapshot);
    gateway.unanswered.set(names.unanswered() + keys.unanswered());
    let answers_due = sleep(FIRST_ANSWERS);
    tokio::pin!(answers_due);
    let inputs = if watches { loader_inputs } else { Vec::new() };
    let keeper = Keeper::new(inputs, served.signature);
    let checks = Checks::start(&gateway);
    spawn_local(health::sweep(Rc::clone(&gateway)));
    spawn_local(notify::watchdog(Rc::clone(&gateway)));
    let exporter = Exporter::start(&gateway, &resolver);
    let (is_due, give_up, cut, end) = (false, None, 0, End::Asked);
    let (upgrading, ending) = (Upgrading::none(), Ending::default());
    let mut life =
        Life { gateway, names, keys, checks, keeper, reloads, upgrading, ending, is_due, give_up, cut, end };
    while life.gateway.state() != State::Ended {
        let give_up = life.give_up;
        let too_late = async {
            match give_up {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(report) = reports.0.recv() => life.hear(report),
            signal = signals.next() => life.obey(signal),
            Some(command) = commands.recv() => life.follow(command),
            event = life.upgrading.next() => life.upgraded(event),
            step = life.ending.due() => life.end_further(&step),
            Some(answer) = answers.recv() => life.learn(answer),
            Some(fetched) = fetched.recv() => life.take_keys(&fetched),
            step = life.reloads.step() => life.step(step),
            due = life.keeper.due() => life.keep(due),
            () = &mut answers_due, if !life.is_due => life.go_without_answers(),
            () = too_late => life.abandon(),
        }
    }
    // After the shards: their last spans are there.
    if timeout(EXPORT_GRACE, exporter.end()).await.is_err() {
        log::warn("the last spans could not be sent");
    }
    Ok(life.finish().await)
}

pub(super) struct Life {
    pub(super) gateway: Rc<Gateway>,
    pub(super) names: Names,
    pub(super) keys: KeyWatch,
    pub(super) checks: Checks,
    pub(super) keeper: Keeper,
    pub(super) reloads: Reloads,
    pub(super) upgrading: Upgrading,
    pub(super) ending: Ending,
    /// Names have had the time that the start waits for them.
    is_due: bool,
    /// When shards that do not end are left behind.
    pub(super) give_up: Option<Instant>,
    /// Connections that had to be cut.
    cut: usize,
    pub(super) end: End,
}

impl Life {
    fn hear(&mut self, report: Report) {
        match report {
            Report::Started { id, driver, failed } => self.started(id, driver, &failed),
            Report::Failed { id, error } => {
                log::error(format_args!("worker {} can't run: {error}", id.0));
                self.end = End::Failed;
                self.ended(id, 0);
                self.stop();
            }
            Report::Updated { id, generation } => {
                log::debug(format_args!("worker {} serves generation {generation}", id.0));
                self.updated(id, Some(generation));
            }
            Report::Ended { id, cut } => {
                if self.gateway.state() != State::Draining {
                    log::error(format_args!("worker {} ended by itself", id.0));
                    self.end = End::Failed;
                    self.drain("the end of a worker");
                }
                self.ended(id, cut);
            }
        }
    }

    fn started(&mut self, id: ShardId, driver: Driver, failed: &[LadderStep]) {
        let Some(shard) = self.gateway.shards.iter().find(|shard| shard.handle.id == id) else { return };
        let is_first = self.gateway.shards.iter().all(|shard| shard.driver.get().is_none());
        // A shard reports its start once.
        let _ = shard.driver.set(driver);
        // What one shard gets, all get: one of them is enough to read about.
        if is_first {
            for step in failed {
                log::warn(format_args!("driver: {step}"));
            }
            let with = if failed.is_empty() { "" } else { "continuing with " };
            log::info(format_args!("driver: {with}{driver}"));
        }
        self.become_ready();
    }

    fn follow(&mut self, command: Command) {
        match command {
            Command::Drain => self.drain("/quitquitquit"),
            Command::Reload(answer) => self.reload_all("sluicegate reload", vec![answer]),
            Command::Upgrade(answer) => self.upgrade(Some(answer)),
        }
    }

    /// Has everything looked at that may have changed.
    fn reload_all(&mut self, why: &'static str, answers: Vec<oneshot::Sender<Outcome>>) {
        self.keys.fetch_now();
        self.reload(Request { why, answers, in_any_case: true });
    }

    fn learn(&mut self, answer: Answer) {
        let gateway = &self.gateway;
        let snapshot = gateway.snapshot();
        for id in self.names.take(answer) {
            let cluster = snapshot.clusters.get(id.0 as usize);
            let Some(cluster) = cluster else { continue };
            let Some(mut endpoints) = self.names.endpoints(cluster) else { continue };
            let before = gateway.resolved(id);
            if before.as_deref() != Some(&endpoints) {
                health::follow(cluster, before.as_deref().unwrap_or_default(), &mut endpoints);
                let endpoints: Arc<[Endpoint]> = endpoints.into();
                gateway.resolved.borrow_mut().insert(id.0, Arc::clone(&endpoints));
                self.checks.follow(id, &endpoints);
                let resolved = || ResolvedEndpoints {
                    generation: snapshot.generation,
                    cluster: id,
                    endpoints: Arc::clone(&endpoints),
                };
                gateway.tell_all(|| Message::Resolved(resolved()));
            }
        }
        self.count_answers();
    }

    fn count_answers(&mut self) {
        if !self.is_due {
            self.gateway.unanswered.set(self.names.unanswered() + self.keys.unanswered());
            self.become_ready();
        }
        self.look_at_answers();
    }

    /// Gives the shards the keys of an issuer. Those that they have stay where there are no others.
    fn take_keys(&mut self, fetched: &Fetched) {
        let sources = self.keys.take(fetched);
        let gateway = Rc::clone(&self.gateway);
        let mut states = gateway.token_keys.borrow_mut();
        let first = sources.first().and_then(|source| states.get(source.0 as usize));
        let (is_first, before) = first.map_or((true, 0), |state| (state.fetched.is_none(), state.keys));
        let url = fetched.url();
        match &fetched.keys {
            Ok(keys) if is_first || keys.count() != before => {
                log::info(format_args!("{} for tokens from {url}", count(keys.count(), "key")));
            }
            Ok(_) => {}
            Err(error) => {
                let so = if is_first { "its tokens are refused until then" } else { "the old keys stay" };
                log::warn(format_args!("the keys for tokens can't be fetched from {url}: {error}; {so}"));
            }
        }
        for source in sources {
            let Some(state) = states.get_mut(source.0 as usize) else { continue };
            match &fetched.keys {
                Ok(keys) => {
                    state.fetched = Some(std::time::Instant::now());
                    state.keys = keys.count();
                    gateway.tell_all(|| Message::TokenKeys(source, Arc::clone(keys)));
                }
                Err(_) => state.failures += 1,
            }
        }
        drop(states);
        self.count_answers();
    }

    fn go_without_answers(&mut self) {
        self.is_due = true;
        let unanswered = self.gateway.unanswered.replace(0);
        if unanswered > 0 {
            log::warn(format_args!("{} had no answer yet; going on without", count(unanswered, "name")));
        }
        self.become_ready();
    }

    fn become_ready(&mut self) {
        let gateway = &self.gateway;
        let all_run = gateway.shards.iter().all(|shard| shard.driver.get().is_some());
        if gateway.state() != State::Starting || !all_run || gateway.unanswered.get() > 0 {
            return;
        }
        gateway.state.set(State::Ready);
        handover::begin(gateway);
        log::info(format_args!(
            "ready: {} on {} after {} ms",
            count(gateway.listeners().len(), "listener"),
            count(gateway.shards.len(), "worker"),
            gateway.started.elapsed().as_millis()
        ));
        self.reload_next();
    }

    fn obey(&mut self, signal: Signal) {
        match signal {
            Signal::Terminate => self.terminate(),
            Signal::Quit => self.drain("SIGQUIT"),
            Signal::Reopen => self.gateway.logs.borrow().reopen(),
            Signal::Reload => self.reload_all("SIGHUP", Vec::new()),
            Signal::Upgrade => self.upgrade(None),
        }
    }

    /// Looks after certificates, keys and authorities.
    fn keep(&mut self, due: Due) {
        if due == Due::Reload {
            return self.reload(Request { why: "files changed", answers: Vec::new(), in_any_case: false });
        }
        let found = {
            let mut credentials = self.gateway.credentials.borrow_mut();
            match due {
                Due::Look | Due::Reload => self.keeper.look(&mut credentials),
                Due::Tickets => match credentials.rotate_tickets() {
                    Ok(changes) => Found { changes, ..Found::default() },
                    Err(error) => {
                        log::error(format_args!("the keys of session tickets stay: {error}"));
                        return;
                    }
                },
            }
        };
        self.tell(&found);
        for change in &found.changes {
            self.gateway.tell_all(|| change.message());
        }
    }

    pub(super) fn stop(&mut self) {
        if self.gateway.state() != State::Ended {
            self.gateway.state.set(State::Draining);
            self.give_up = Some(Instant::now() + DRAIN_GRACE);
            self.gateway.tell_all(|| Message::Stop);
        }
    }

    fn ended(&mut self, id: ShardId, cut: usize) {
        self.cut += cut;
        self.gateway
            .shards
            .iter()
            .filter(|shard| shard.handle.id == id)
            .for_each(|shard| shard.ended.set(true));
        self.updated(id, None);
        if self.gateway.shards.iter().all(|shard| shard.ended.get()) {
            self.gateway.state.set(State::Ended);
        }
    }

    fn abandon(&mut self) {
        let stuck = self.gateway.shards.iter().filter(|shard| !shard.ended.get()).count();
        log::error(format_args!("{} did not end in time and are left behind", count(stuck, "worker")));
        self.end = End::Failed;
        self.gateway.state.set(State::Ended);
    }

    async fn finish(self) -> End {
        let ends = self.gateway.logs.borrow().end();
        let until = Instant::now() + LOG_GRACE;
        for (target, end) in ends {
            if tokio::time::timeout_at(until, end).await.is_err() {
                log::warn(format_args!("the last lines of the access log could not be written to {target}"));
            }
        }
        unix::remove(&self.gateway.listeners(), &self.gateway.sockets);
        self.gateway.handover.end();
        match self.cut {
            0 => log::info("ended; no connection was cut"),
            cut => log::warn(format_args!("ended; {} cut", count(cut, "connection"))),
        }
        self.end
    }
}

/// `1 worker`, `2 workers`
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
