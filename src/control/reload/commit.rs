//! From a request to the last shard.

use super::{
    carry::Carried,
    prepare::{Before, Failed, Prepared},
    sockets::{CLOSED_AFTER, Present, Sockets},
    stage::{Removed, Request, Spreading, Stage, Step},
};
use crate::{
    control::{
        Bound, Gateway, KeyState, Load, Outcome, State,
        credentials::{Found, News},
        health, log, notify,
        supervise::{FIRST_ANSWERS, Life, count},
        unix,
    },
    driver,
    filter::{Authentication, KeySourceId},
    jwt::KeySet,
    shard::{Message, ResolvedEndpoints, ShardId, Update},
    table::{BindAddress, Cluster, ClusterId, Endpoint, Endpoints, Snapshot},
};
use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

impl Life {
    /// Has the configuration read again, now or after what is being done.
    pub(in crate::control) fn reload(&mut self, request: Request) {
        match (self.gateway.state(), &self.reloads.stage) {
            (State::Draining | State::Ended, _) => refuse(request),
            // The other process has the sockets that there are now, and reads the configuration itself.
            (State::Ready, Stage::Idle) if !self.upgrading.is_under_way() => self.begin(request),
            _ => self.reloads.wait(request),
        }
    }

    /// Does what was asked for meanwhile.
    pub(in crate::control) fn reload_next(&mut self) {
        self.upgrade_next();
        if let Some(request) = self.reloads.waiting.take() {
            self.reload(request);
        }
    }

    fn begin(&mut self, request: Request) {
        let gateway = &self.gateway;
        log::debug(format_args!("{}: the configuration is read", request.why));
        notify::reloading();
        let before = Before {
            why: request.why,
            at: SystemTime::now(),
            snapshot: gateway.snapshot(),
            credentials: gateway.credentials.borrow().known(),
            present: Present {
                open: gateway.listeners().iter().map(|bound| bound.listener.bind.clone()).collect(),
                ending: self.reloads.ending(),
                closing: self.reloads.closing(),
            },
            workers: gateway.shards.len(),
            read: Arc::clone(&self.reloads.read),
            refused: self.reloads.refused,
            in_any_case: request.in_any_case,
        };
        let coming = self.reloads.worker.prepare(&self.reloads.loader, before);
        self.reloads.stage = Stage::Preparing(request, coming);
    }

    /// Something has come that a reload has waited for.
    pub(in crate::control) fn step(&mut self, step: Step) {
        match (self.reloads.take(), step) {
            (stage, Step::Retired) => {
                self.reloads.stage = stage;
                self.reloads.free_retired();
                self.forget_removed();
            }
            (Stage::Preparing(request, _) | Stage::Resolving(request, ..), _)
                if self.gateway.state() != State::Ready =>
            {
                refuse(request);
                self.reload_next();
            }
            (Stage::Preparing(request, _), Step::Prepared(Some(Ok(prepared)))) => {
                self.names.want(&prepared.snapshot.clusters);
                self.keys.want(prepared.snapshot.authentication.as_deref());
                self.reloads.stage = Stage::Resolving(request, prepared, Instant::now() + FIRST_ANSWERS);
                self.look_at_answers();
            }
            (Stage::Preparing(request, _), Step::Prepared(Some(Err(failed)))) => self.fail(request, *failed),
            (Stage::Preparing(request, _), _) => {
                let text = "the thread for reloads is gone: only a restart helps".to_owned();
                log::error(&text);
                request.answer(&Outcome { is_done: false, text });
                notify::reloaded();
                self.reload_next();
            }
            (Stage::Resolving(request, prepared, _), _) => {
                let unanswered = self.names.unanswered() + self.keys.unanswered();
                log::warn(format_args!("{} had no answer yet; going on without", count(unanswered, "name")));
                self.commit(request, *prepared);
            }
            (Stage::Spreading(request, spreading), _) => {
                let late: Vec<String> = spreading.missing.iter().map(|id| id.0.to_string()).collect();
                log::error(format_args!("late to take the configuration: worker {}", late.join(", ")));
                self.finish_reload(request, *spreading);
            }
            (Stage::Idle, _) => {}
        }
    }

    /// Goes on with a reload that has waited for answers, if all are there.
    pub(in crate::control) fn look_at_answers(&mut self) {
        let is_waiting = matches!(self.reloads.stage, Stage::Resolving(..));
        if is_waiting
            && self.names.unanswered() + self.keys.unanswered() == 0
            && let Stage::Resolving(request, prepared, _) = self.reloads.take()
        {
            self.commit(request, *prepared);
        }
    }

    fn fail(&mut self, request: Request, failed: Failed) {
        let generation = self.gateway.snapshot().generation;
        let outcome = match failed {
            Failed::Same { signature, is_served } => {
                self.keeper.has_read(signature);
                if is_served {
                    self.mended(request.why);
                }
                let text = format!("the files are what they were: generation {generation} stays in use");
                log::debug(format_args!("{}: {text}", request.why));
                Outcome { is_done: true, text }
            }
            Failed::Errors { load, served, lines, more } => {
                self.keeper.has_read(served.signature);
                self.reloads.refused = Some(served.read.digest);
                for line in &lines {
                    log::error(line);
                }
                if more > 0 {
                    log::error(format_args!(
                        "and {}; `sluicegate check` shows all",
                        count(more, "more error")
                    ));
                }
                let text = format!(
                    "{}: the configuration has {}: generation {generation} stays in use",
                    request.why,
                    count(load.errors, "error")
                );
                log::error(&text);
                let text = format!("{}\n\n{text}", load.diagnostics.join("\n\n"));
                self.gateway.record(load);
                Outcome { is_done: false, text }
            }
        };
        request.answer(&outcome);
        notify::reloaded();
        self.reload_next();
    }

    /// The files are what is served. If they were not, and had errors, that is over.
    fn mended(&mut self, why: &'static str) {
        if self.reloads.refused.take().is_none() {
            return;
        }
        let generation = self.gateway.snapshot().generation;
        let text = format!("the files are again what is served, generation {generation}");
        log::info(format_args!("{why}: {text}"));
        self.gateway.record(Load {
            at: SystemTime::now(),
            why,
            generation: Some(generation),
            took: Duration::ZERO,
            diagnostics: vec![text],
            errors: 0,
            warnings: 0,
        });
    }

    /// From here on nothing can fail.
    fn commit(&mut self, request: Request, prepared: Prepared) {
        let ending = self.reloads.ending();
        if prepared.sockets.revived.iter().any(|bind| !ending.contains(bind)) {
            // Names took so long that listeners have closed that were to go on.
            return self.begin(request);
        }
        let gateway = Rc::clone(&self.gateway);
        let before = gateway.snapshot();
        let Prepared { snapshot, carried, mut credentials, found, sockets, changes, .. } = prepared;
        let snapshot = Arc::new(Snapshot { generation: before.generation + 1, ..snapshot });
        self.names.follow(&snapshot.clusters);
        let authentication = snapshot.authentication.as_deref();
        let token_keys = self.keys.follow(authentication);
        let resolved = self.resolved_after(&before, &snapshot, &carried);
        credentials.follow(&gateway.credentials.borrow());
        self.reloads.worker.free(gateway.credentials.replace(credentials));
        sockets.hold_in(&gateway.sockets);
        let revived = sockets.revived.clone();
        self.reloads.removed.retain(|removed| !revived.contains(&removed.bound.listener.bind));
        let listeners = listeners(&gateway, &snapshot, &sockets);
        let removed = removed(&gateway, &listeners);
        *gateway.listeners.borrow_mut() = listeners.into();
        let states = key_states(authentication, &gateway.token_keys.borrow(), &token_keys);
        *gateway.token_keys.borrow_mut() = states;
        *gateway.resolved.borrow_mut() =
            resolved.iter().map(|found| (found.cluster.0, Arc::clone(&found.endpoints))).collect();
        *gateway.snapshot.borrow_mut() = Arc::clone(&snapshot);
        *gateway.known.borrow_mut() = prepared.served.known;
        gateway.replaced.notify_one();
        self.checks.replace(&before);
        carried.gone.iter().for_each(|gone| gone.retire());
        spread(&gateway, &snapshot, sockets, &|snapshot, listeners| Update {
            snapshot: Arc::clone(snapshot),
            tls: gateway.credentials.borrow().initial(),
            goes_on: carried.goes_on.clone(),
            resolved: resolved.clone(),
            token_keys: token_keys.clone(),
            listeners,
        });
        self.keeper.has_read(prepared.served.signature);
        self.tell(&found);
        self.reloads.read = prepared.served.read;
        self.reloads.refused = None;
        let logs = gateway.logs.borrow_mut().replace(&snapshot.telemetry.access_log);
        for (shard, logs) in gateway.shards.iter().zip(logs.into_iter().flatten()) {
            shard.handle.mailbox.send(Message::Log(logs));
        }
        let [compiled, taken, certified, bound] = prepared.took.map(|took| took.as_millis());
        log::debug(format_args!(
            "reload: {compiled} ms to read and compile, {taken} ms to take over what is known, {certified} ms for certificates, \
             {bound} ms for sockets"
        ));
        let running = gateway.shards.iter().filter(|shard| !shard.ended.get());
        let load = Load { generation: Some(snapshot.generation), ..prepared.load };
        let spreading = Spreading {
            missing: running.map(|shard| shard.handle.id).collect(),
            told: Instant::now(),
            load,
            text: changes.to_string(),
            before,
            removed,
            revived,
        };
        self.reloads.stage = Stage::Spreading(request, Box::new(spreading));
    }

    /// What is known of the names of the new clusters; endpoints that stay keep their health.
    fn resolved_after(
        &self,
        before: &Snapshot,
        after: &Snapshot,
        carried: &Carried,
    ) -> Vec<ResolvedEndpoints> {
        let mut all = Vec::new();
        for ((id, cluster), was) in (0..).map(ClusterId).zip(&after.clusters).zip(&carried.was) {
            let Some(mut endpoints) = self.names.endpoints(cluster) else { continue };
            let old = was.and_then(|id| Some((id, before.clusters.get(id.0 as usize)?)));
            let known = old.filter(|(_, old)| same_health(old, cluster));
            let known = known.map_or_else(|| Arc::from([]), |(id, old)| present(&self.gateway, id, old));
            let endpoints = match *known == *endpoints {
                true => known,
                false => {
                    health::follow(cluster, &known, &mut endpoints);
                    endpoints.into()
                }
            };
            if !endpoints.is_empty() {
                all.push(ResolvedEndpoints { generation: after.generation, cluster: id, endpoints });
            }
        }
        all
    }

    /// Tells people what is new about certificates.
    pub(in crate::control) fn tell(&self, found: &Found) {
        for news in &found.news {
            match news {
                News::Good(text) => log::info(text),
                News::Bad(text) => log::warn(text),
            }
        }
        if found.untold > 0 {
            log::warn(format_args!("{} more of the same kind: see /certs", found.untold));
        }
    }

    /// A shard serves this generation, or has ended.
    pub(in crate::control) fn updated(&mut self, id: ShardId, generation: Option<u64>) {
        let Stage::Spreading(_, spreading) = &mut self.reloads.stage else { return };
        if generation.is_none() || generation == spreading.load.generation {
            spreading.missing.remove(&id);
        }
        if spreading.missing.is_empty()
            && let Stage::Spreading(request, spreading) = self.reloads.take()
        {
            self.finish_reload(request, *spreading);
        }
    }

    fn finish_reload(&mut self, request: Request, spreading: Spreading) {
        let Spreading { told, load, text, before, removed, revived, .. } = spreading;
        unix::remove(&removed, &self.gateway.sockets);
        for bound in removed {
            log::info(format_args!("no longer listening on {}", bound.text()));
            match &bound.listener.bind {
                BindAddress::Tcp(_) => {
                    self.reloads.removed.push(Removed { bound, told, heard: Instant::now() });
                }
                bind => self.gateway.sockets.forget(bind),
            }
        }
        self.look_at_revived(&revived);
        let took = load.at.elapsed().unwrap_or_default();
        let warnings = match load.warnings {
            0 => String::new(),
            some => format!(", with {}", count(some, "warning")),
        };
        let generation = load.generation.unwrap_or_default();
        let text = format!("generation {generation}: {text}, in {} ms{warnings}", took.as_millis());
        log::info(format_args!("{}: {text}", request.why));
        self.gateway.record(Load { took, ..load });
        self.reloads.retire(before);
        request.answer(&Outcome { is_done: true, text });
        if self.gateway.state() == State::Ready {
            notify::reloaded();
        }
        self.reload_next();
    }

    /// Listeners that were to end and go on do so unless a shard was very late to hear of it. Where nobody listens after all
    /// they are bound anew.
    fn look_at_revived(&mut self, revived: &[BindAddress]) {
        let is_free = |bind: &&BindAddress| matches!(bind, BindAddress::Tcp(address) if driver::Listener::check_free(*address).is_ok());
        let lost: Vec<&BindAddress> = revived.iter().filter(is_free).collect();
        if let Some(first) = lost.first() {
            log::warn(format_args!("{first} was closed before it was to go on: it is bound again"));
            let listeners = self.gateway.listeners();
            let left = listeners.iter().filter(|bound| !lost.contains(&&bound.listener.bind)).cloned();
            *self.gateway.listeners.borrow_mut() = left.collect();
            self.reloads.wait(Request {
                why: "a listener was closed",
                answers: Vec::new(),
                in_any_case: true,
            });
        }
    }

    /// Listeners that were removed so long ago that every shard has closed them are forgotten.
    fn forget_removed(&mut self) {
        let is_closed = |removed: &mut Removed| removed.heard.elapsed() >= CLOSED_AFTER;
        for removed in self.reloads.removed.extract_if(.., is_closed) {
            let bind = &removed.bound.listener.bind;
            if !self.gateway.listeners().iter().any(|open| open.listener.bind == *bind) {
                self.gateway.sockets.forget(bind);
            }
        }
    }

    /// No reload is made any more: those who wait for one are told.
    pub(in crate::control) fn refuse_reloads(&mut self) {
        if let Some(request) = self.reloads.waiting.take() {
            refuse(request);
        }
    }
}

/// What is known of the issuers' keys, with those that are handed over already.
fn key_states(
    authentication: Option<&Authentication>,
    before: &[KeyState],
    handed_over: &[(KeySourceId, Arc<KeySet>)],
) -> Vec<KeyState> {
    let mut states = KeyState::all(authentication, before);
    for (source, keys) in handed_over {
        if let Some(state) = states.get_mut(source.0 as usize) {
            state.keys = keys.count();
            state.fetched.get_or_insert_with(std::time::Instant::now);
        }
    }
    states
}

fn refuse(request: Request) {
    let text = format!("{}: the gateway drains and takes no other configuration", request.why);
    log::warn(&text);
    request.answer(&Outcome { is_done: false, text });
}

fn spread(
    gateway: &Gateway,
    snapshot: &Arc<Snapshot>,
    mut sockets: Sockets,
    update: &dyn Fn(&Arc<Snapshot>, Vec<crate::shard::ListenerUpdate>) -> Update,
) {
    for shard in &gateway.shards {
        let listeners = sockets.next(snapshot);
        shard.handle.mailbox.send(Message::Update(Box::new(update(snapshot, listeners))));
    }
}

/// Where it listens from now on.
fn listeners(gateway: &Gateway, snapshot: &Snapshot, sockets: &Sockets) -> Vec<Bound> {
    let before = gateway.listeners();
    let known: BTreeMap<String, &Bound> =
        before.iter().map(|bound| (bound.listener.bind.to_string(), bound)).collect();
    let bound = |(position, listener): (usize, &crate::table::Listener)| {
        let known = known.get(&listener.bind.to_string());
        let address = known.map_or_else(|| sockets.address(position, listener), |bound| bound.address);
        if known.is_none() {
            let bound = Bound { listener: listener.clone(), address };
            log::info(format_args!("listening on {} for {}", bound.text(), listener.source));
        }
        Bound { listener: listener.clone(), address }
    };
    snapshot.listeners.iter().enumerate().map(bound).collect()
}

/// Where it listens no more.
fn removed(gateway: &Gateway, after: &[Bound]) -> Vec<Bound> {
    let stays = |bind: &BindAddress| after.iter().any(|bound| bound.listener.bind == *bind);
    gateway.listeners().iter().filter(|bound| !stays(&bound.listener.bind)).cloned().collect()
}

/// Whether the endpoints of both are judged together.
fn same_health(old: &Cluster, new: &Cluster) -> bool {
    match (&old.health, &new.health) {
        (None, None) => true,
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        _ => false,
    }
}

/// The endpoints of an old cluster.
fn present(gateway: &Gateway, id: ClusterId, old: &Cluster) -> Arc<[Endpoint]> {
    match &old.endpoints {
        Endpoints::Static(list) => list.as_slice().into(),
        Endpoints::Dns { .. } => gateway.resolved(id).unwrap_or_default(),
    }
}
