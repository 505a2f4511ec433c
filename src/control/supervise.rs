//! From start to end: readiness, names, drain.

use super::{
    Command, Gateway, Outcome, Reread, Signal, Signals, State,
    credentials::{Due, Found, Keeper, News},
    handover::{self, Event, Upgraded, Upgrading},
    health::{self, Checks},
    jwks::{Fetched, KeyWatch},
    log,
    names::{Answer, Names},
    notify,
    resolver::Resolver,
    unix,
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
const DRAIN_GRACE: Duration = Duration::from_secs(5);
/// How long the start waits for the first answers of names. One that nobody answers for must not hold up the others.
const FIRST_ANSWERS: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the last lines of the access log, whose target may be stuck.
const LOG_GRACE: Duration = Duration::from_secs(2);

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

/// Lives through the life of a gateway that has been started.
pub async fn supervise(
    gateway: Rc<Gateway>,
    mut reports: Reports,
    mut commands: mpsc::Receiver<Command>,
    mut signals: Signals,
    resolver: Option<SocketAddr>,
    reread: Option<Reread>,
) -> End {
    let names = Names::of(&gateway.snapshot().clusters);
    let resolver = Rc::new(Resolver::new(resolver));
    let mut answers = names.watch(&resolver);
    let (keys, mut fetched) = KeyWatch::start(gateway.snapshot().authentication.as_deref(), &resolver);
    gateway.unanswered.set(names.unanswered() + keys.unanswered());
    let answers_due = sleep(FIRST_ANSWERS);
    tokio::pin!(answers_due);
    let keeper = Keeper::new(reread);
    let checks = Checks::start(&gateway);
    spawn_local(health::sweep(Rc::clone(&gateway)));
    spawn_local(notify::watchdog(Rc::clone(&gateway)));
    let mut life = Life {
        gateway,
        names,
        keys,
        checks,
        keeper,
        upgrading: Upgrading::none(),
        is_due: false,
        give_up: None,
        cut: 0,
        end: End::Asked,
    };
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
            Some(answer) = answers.recv() => life.learn(answer),
            Some(fetched) = fetched.recv() => life.take_keys(fetched),
            due = life.keeper.due() => life.keep(due),
            () = &mut answers_due, if !life.is_due => life.go_without_answers(),
            () = too_late => life.abandon(),
        }
    }
    life.finish().await
}

struct Life {
    gateway: Rc<Gateway>,
    names: Names,
    keys: KeyWatch,
    checks: Checks,
    keeper: Keeper,
    upgrading: Upgrading,
    /// Names have had the time that the start waits for them.
    is_due: bool,
    /// When shards that do not end are left behind.
    give_up: Option<Instant>,
    /// Connections that had to be cut.
    cut: usize,
    end: End,
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
            Command::Reload(answer) => self.reload("sluicegate reload", Some(answer)),
            Command::Upgrade(answer) => self.upgrade(Some(answer)),
        }
    }

    fn reload(&mut self, why: &'static str, answer: Option<oneshot::Sender<Outcome>>) {
        log::info(format_args!("{why}: looking for changes of certificates and Secrets"));
        notify::reloading();
        self.keys.fetch_now();
        self.keep(Due::Look);
        notify::reloaded("serving");
        tell(
            answer,
            Outcome { is_done: true, text: "looked for changes of certificates and Secrets".into() },
        );
    }

    fn upgrade(&mut self, answer: Option<oneshot::Sender<Outcome>>) {
        self.upgrading.begin(&self.gateway, answer);
    }

    fn upgraded(&mut self, event: Event) {
        if self.upgrading.take(&self.gateway, event) == Upgraded::Yes {
            let within = handover::hand_over(&self.gateway);
            self.give_up = Some(Instant::now() + within + DRAIN_GRACE);
        }
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
    }

    /// Gives the shards the keys of an issuer. Those that they have stay where there are no others.
    fn take_keys(&mut self, fetched: Fetched) {
        let Fetched { source, keys } = fetched;
        self.keys.answered(source);
        let gateway = Rc::clone(&self.gateway);
        if let Some(state) = gateway.token_keys.borrow_mut().get_mut(source.0 as usize) {
            let is_first = state.fetched.is_none();
            match keys {
                Ok(keys) => {
                    if is_first || keys.count() != state.keys {
                        log::info(format_args!(
                            "{} for tokens from {}",
                            count(keys.count(), "key"),
                            state.url
                        ));
                    }
                    state.fetched = Some(std::time::Instant::now());
                    state.keys = keys.count();
                    gateway.tell_all(|| Message::TokenKeys(source, Arc::clone(&keys)));
                }
                Err(error) => {
                    state.failures += 1;
                    let so = if is_first { "its tokens are refused until then" } else { "the old keys stay" };
                    log::warn(format_args!(
                        "the keys for tokens can't be fetched from {}: {error}; {so}",
                        state.url
                    ));
                }
            }
        }
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
    }

    fn obey(&mut self, signal: Signal) {
        match signal {
            Signal::Terminate if self.gateway.state() == State::Draining => {
                log::info("stopping at once");
                self.stop();
            }
            Signal::Terminate => self.drain("a signal"),
            Signal::Quit => self.drain("SIGQUIT"),
            Signal::Reopen => match &self.gateway.log {
                Some(log) => log.reopen(),
                None => log::info("SIGUSR1: the access log is off, so there is nothing to open again"),
            },
            Signal::Reload => self.reload("SIGHUP", None),
            Signal::Upgrade => self.upgrade(None),
        }
    }

    /// Looks after certificates, keys and authorities.
    fn keep(&mut self, due: Due) {
        let found = {
            let mut credentials = self.gateway.credentials.borrow_mut();
            match due {
                Due::Look => self.keeper.look(&mut credentials),
                Due::Tickets => match credentials.rotate_tickets() {
                    Ok(changes) => Found { changes, ..Found::default() },
                    Err(error) => {
                        log::error(format_args!("the keys of session tickets stay: {error}"));
                        return;
                    }
                },
            }
        };
        for news in &found.news {
            match news {
                News::Good(text) => log::info(text),
                News::Bad(text) => log::warn(text),
            }
        }
        if found.untold > 0 {
            log::warn(format_args!("{} more of the same kind: see /certs", found.untold));
        }
        for change in &found.changes {
            self.gateway.tell_all(|| change.message());
        }
    }

    fn drain(&mut self, why: &str) {
        if self.gateway.state() == State::Draining {
            return;
        }
        let within = self.gateway.drain_time;
        self.gateway.state.set(State::Draining);
        notify::stopping("draining");
        self.upgrading.give_up();
        log::info(format_args!("draining for at most {} s, asked for by {why}", within.as_secs_f64()));
        self.give_up = Some(Instant::now() + within + DRAIN_GRACE);
        self.gateway.tell_all(|| Message::Drain(within));
    }

    fn stop(&mut self) {
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
        if let Some(writer) = &self.gateway.log
            && timeout(LOG_GRACE, writer.end()).await.is_err()
        {
            log::warn(format_args!(
                "the last lines of the access log could not be written to {}",
                self.gateway.log_target
            ));
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

/// Tells whoever asked for something what became of it, if anybody still waits.
fn tell(answer: Option<oneshot::Sender<Outcome>>, outcome: Outcome) {
    if let Some(answer) = answer {
        // Whoever asked may have left.
        let _ = answer.send(outcome);
    }
}

/// `1 worker`, `2 workers`
fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
