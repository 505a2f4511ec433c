//! An upgrade as the supervisor sees it.

use super::{
    PidFile, Program, Role,
    parent::{self, Event, Order, UnderWay},
};
use crate::{
    control::{Gateway, Outcome, State, log, notify},
    table::BindAddress,
};
use std::{cell::Cell, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

/// Events that may wait. An upgrade has two.
const EVENTS_MAX: usize = 16;

/// Who has the sockets of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// The process before this one.
    Before,
    Here,
    /// The process after this one.
    After,
}

/// What the gateway knows of its predecessor and its successor.
pub struct Handover {
    program: Program,
    pid_file: Option<PidFile>,
    /// A new process must serve within this time.
    timeout: Duration,
    /// How long connections may go on after another process has taken over.
    pub(in crate::control) drain_time: Duration,
    stage: watch::Sender<Stage>,
    /// New processes that have taken over, since the first one was started.
    pub done: Cell<u64>,
    /// Those that did not come to that.
    pub failed: Cell<u64>,
}

impl Handover {
    /// For this process, which may have a predecessor that serves until this one does; `predecessor` is how many upgrades were
    /// done and how many failed until then.
    pub fn new(
        program: Program,
        pid_file: Option<PidFile>,
        (timeout, drain_time): (Duration, Duration),
        predecessor: Option<(u64, u64)>,
    ) -> Handover {
        let stage = watch::Sender::new(if predecessor.is_some() { Stage::Before } else { Stage::Here });
        // This one is counted already: whoever sees the number sees a process that has taken over.
        let (done, failed) = predecessor.map_or((0, 0), |(done, failed)| (done + 1, failed));
        let (done, failed) = (Cell::new(done), Cell::new(failed));
        Handover { program, pid_file, timeout, drain_time, stage, done, failed }
    }

    /// This process serves from now on.
    pub(in crate::control) fn begin(&self) {
        self.stage.send_replace(Stage::Here);
        if let Some(file) = &self.pid_file
            && let Err(error) = file.write()
        {
            log::error(format_args!("{} can't be written: {error}", file.path().display()));
        }
    }

    /// Another process serves from now on.
    pub(in crate::control) fn leave(&self) {
        self.stage.send_replace(Stage::After);
    }

    /// This process ends.
    pub(in crate::control) fn end(&self) {
        if let Some(file) = &self.pid_file {
            file.remove();
        }
    }

    /// Comes when pages are answered here, and not by the process before this one.
    pub async fn here(&self) {
        self.at_least(Stage::Here).await;
    }

    /// Comes when pages are answered by the process after this one.
    pub async fn left(&self) {
        self.at_least(Stage::After).await;
    }

    async fn at_least(&self, stage: Stage) {
        // The sender is in `self`, so that it is there as long as anybody asks.
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }
}

/// What follows for the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Upgraded {
    /// This process serves: the one that asks drains, and then says so ([`Upgrading::handed_over`]).
    Yes(u32),
    /// Nothing.
    No,
}

/// The upgrade that is under way, if one is.
pub(in crate::control) struct Upgrading {
    sender: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
    under_way: Option<(UnderWay, Option<oneshot::Sender<Outcome>>)>,
    /// One that was asked for during a reload.
    waiting: Option<Option<oneshot::Sender<Outcome>>>,
}

impl Upgrading {
    pub(in crate::control) fn none() -> Upgrading {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        Upgrading { sender, events, under_way: None, waiting: None }
    }

    /// Whether another process is about to take over.
    pub(in crate::control) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// One is to begin when the reload that is under way has ended.
    pub(in crate::control) fn wait(&mut self, answer: Option<oneshot::Sender<Outcome>>) {
        log::info("upgrade: it begins when the reload has ended");
        if let Some(before) = self.waiting.replace(answer) {
            tell(before, false, "refused: somebody else has asked for the same".into());
        }
    }

    pub(in crate::control) fn take_waiting(&mut self) -> Option<Option<oneshot::Sender<Outcome>>> {
        self.waiting.take()
    }

    /// What happens next. May be dropped and called again.
    pub(in crate::control) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            // Not while a sender is in `self`.
            None => std::future::pending().await,
        }
    }

    /// Begins one; refused with a reason where that can't be.
    pub(in crate::control) fn begin(&mut self, gateway: &Gateway, answer: Option<oneshot::Sender<Outcome>>) {
        match self.start(gateway) {
            Ok(under_way) => {
                log::info("upgrade: another process is started to take over");
                self.under_way = Some((under_way, answer));
            }
            Err(why) => {
                log::error(format_args!("upgrade refused: {why}"));
                tell(answer, false, format!("refused: {why}"));
            }
        }
    }

    fn start(&self, gateway: &Gateway) -> Result<UnderWay, String> {
        if self.under_way.is_some() {
            return Err("another one is under way".into());
        }
        if gateway.state() != State::Ready {
            return Err(format!("this process is {}", gateway.state()));
        }
        let handover = &gateway.handover;
        if let Some(why) = handover.program.refusal() {
            return Err(why.into());
        }
        let failed = |error| format!("the sockets can't be handed over: {error}");
        let (mut gifts, ports) = gateway.sockets.gifts().map_err(failed)?;
        // Those of listeners that a reload has just removed take nobody any more.
        let listeners = gateway.listeners();
        let is_open = |at: &BindAddress| listeners.iter().any(|bound| bound.listener.bind == *at);
        gifts.retain(|gift| gift.role != Role::Listener || is_open(&gift.at));
        let (program, within) = (handover.program.clone(), handover.timeout);
        let before = (handover.done.get(), handover.failed.get());
        let order = Order { program, ports, gifts, before, within };
        parent::start(order, self.sender.clone()).map_err(failed)
    }

    /// The new process ends, unless it serves already.
    pub(in crate::control) fn give_up(&self) {
        if let Some((under_way, _)) = &self.under_way {
            under_way.give_up();
        }
    }

    /// Says what has become of it.
    pub(in crate::control) fn take(&mut self, gateway: &Gateway, event: Event) -> Upgraded {
        let handover = &gateway.handover;
        let mut answer = || self.under_way.take().and_then(|(_, answer)| answer);
        match event {
            Event::Serves(process) => {
                handover.done.set(handover.done.get() + 1);
                Upgraded::Yes(process)
            }
            Event::Failed(why) => {
                handover.failed.set(handover.failed.get() + 1);
                log::error(format_args!("upgrade failed, this process goes on: {why}"));
                notify::status(&format!("serving; the last upgrade failed: {why}"));
                tell(answer(), false, format!("failed, the old process goes on: {why}"));
                Upgraded::No
            }
            // It has handed over in its turn, or was told to end.
            Event::Ended(status) if status.success() => Upgraded::No,
            Event::Ended(status) => {
                log::error(format_args!("the process that took over has ended ({status})"));
                Upgraded::No
            }
        }
    }

    /// Says that this process, which has taken over, serves: when all that follows here has been done.
    pub(in crate::control) fn handed_over(&mut self, process: u32) {
        log::info(format_args!("upgrade: process {process} serves, this one ends with its connections"));
        let answer = self.under_way.take().and_then(|(_, answer)| answer);
        tell(answer, true, format!("process {process} serves"));
    }
}

fn tell(answer: Option<oneshot::Sender<Outcome>>, is_done: bool, text: String) {
    if let Some(answer) = answer {
        // Whoever asked may have left.
        let _ = answer.send(Outcome { is_done, text });
    }
}
