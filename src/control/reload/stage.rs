//! How far a reload is.

use super::{
    prepare::{Failed, Prepared, WasRead},
    sockets::{CLOSED_AFTER, REVIVE_WITHIN},
    worker::{Coming, Worker},
};
use crate::{
    control::{Bound, Load, Loader, Outcome, Served},
    shard::ShardId,
    table::{BindAddress, Snapshot},
};
use std::{collections::BTreeSet, io, sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

/// Old snapshots are looked at so often, whether the last exchange that began with one has ended.
const LOOK_AT_RETIRED: Duration = Duration::from_secs(1);

/// A reload that is asked for.
#[derive(Debug)]
pub(in crate::control) struct Request {
    /// Who asks: see [`Load::why`].
    pub(in crate::control) why: &'static str,
    /// Who wants to know what becomes of it.
    pub(in crate::control) answers: Vec<oneshot::Sender<Outcome>>,
    /// Also if the files are as they were.
    pub(in crate::control) in_any_case: bool,
}

impl Request {
    /// One more for the same.
    fn join(&mut self, other: Request) {
        if other.in_any_case && !self.in_any_case {
            (self.why, self.in_any_case) = (other.why, true);
        }
        self.answers.extend(other.answers);
    }

    /// Tells those who asked.
    pub(super) fn answer(self, outcome: &Outcome) {
        for answer in self.answers {
            // Whoever asked may have left.
            let _ = answer.send(outcome.clone());
        }
    }
}

/// A shard takes another configuration between two turns. One that has not after so long is said to be late.
const SHARDS_LATE: Duration = Duration::from_secs(10);

/// How far the present reload is.
pub(super) enum Stage {
    /// There is none.
    Idle,
    /// Files are read, compiled, and so on.
    Preparing(Request, Coming),
    /// New names and keys have not all had an answer; they have until then.
    Resolving(Request, Box<Prepared>, Instant),
    /// It is what is served; shards are still to say that they have it.
    Spreading(Request, Box<Spreading>),
}

/// A reload that was committed.
pub(super) struct Spreading {
    pub(super) missing: BTreeSet<ShardId>,
    /// When the shards were told.
    pub(super) told: Instant,
    pub(super) load: Load,
    pub(super) text: String,
    /// What was served before.
    pub(super) before: Arc<Snapshot>,
    /// Where it listens no more.
    pub(super) removed: Vec<Bound>,
    /// Where it listens again, just after it was to end.
    pub(super) revived: Vec<BindAddress>,
}

/// A listener that was removed.
pub(super) struct Removed {
    pub(super) bound: Bound,
    /// When the shards were told: the first one counts from then on.
    pub(super) told: Instant,
    /// When all had heard of it, or were late: the last one counts from then on.
    pub(super) heard: Instant,
}

/// Something that a reload has waited for.
pub(in crate::control) enum Step {
    /// Files were read, compiled, and so on; nothing: the thread that does it is gone.
    Prepared(Option<Result<Box<Prepared>, Box<Failed>>>),
    /// The time is over.
    Late,
    /// What was served before is to be looked at.
    Retired,
}

/// Reloads of this process.
pub(in crate::control) struct Reloads {
    pub(super) loader: Arc<Loader>,
    pub(super) worker: Worker,
    pub(super) stage: Stage,
    /// What was asked for meanwhile.
    pub(super) waiting: Option<Request>,
    /// What is served was made of these files.
    pub(super) read: Arc<WasRead>,
    /// What was found to have errors last: its digest.
    pub(super) refused: Option<u64>,
    /// Snapshots that were served, as long as shards use them: they are large, and no shard is to be the last who lets go.
    pub(super) retired: Vec<Arc<Snapshot>>,
    /// Listeners that were removed, as long as a shard may not have closed them.
    pub(super) removed: Vec<Removed>,
    pub(super) look_at_retired: Instant,
}

impl Reloads {
    /// None yet.
    ///
    /// # Errors
    /// No thread to be had.
    pub(in crate::control) fn new(loader: Loader, served: &Served) -> io::Result<Reloads> {
        Ok(Reloads {
            loader: Arc::new(loader),
            worker: Worker::start()?,
            stage: Stage::Idle,
            waiting: None,
            read: Arc::clone(&served.read),
            refused: None,
            retired: Vec::new(),
            removed: Vec::new(),
            look_at_retired: Instant::now(),
        })
    }

    /// Waits for what the present reload waits for. May be dropped and called again: nothing is lost.
    pub(in crate::control) async fn step(&mut self) -> Step {
        let has_retired = !self.retired.is_empty() || !self.removed.is_empty();
        let look = self.look_at_retired;
        let retired = async {
            match has_retired {
                true => sleep_until(look).await,
                false => std::future::pending().await,
            }
        };
        let stage = async {
            match &mut self.stage {
                Stage::Idle => std::future::pending().await,
                Stage::Preparing(_, coming) => Step::Prepared(coming.await.ok()),
                Stage::Resolving(_, _, until) => {
                    sleep_until(*until).await;
                    Step::Late
                }
                Stage::Spreading(_, spreading) => {
                    sleep_until(spreading.told + SHARDS_LATE).await;
                    Step::Late
                }
            }
        };
        tokio::select! {
            step = stage => step,
            () = retired => Step::Retired,
        }
    }

    /// Notes what is to be done next.
    pub(super) fn wait(&mut self, request: Request) {
        match &mut self.waiting {
            Some(waiting) => waiting.join(request),
            None => self.waiting = Some(request),
        }
    }

    /// Whether none is under way.
    pub(in crate::control) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    /// Takes the present reload away.
    pub(super) fn take(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Idle)
    }

    /// A snapshot that was served is kept until no shard uses it.
    pub(super) fn retire(&mut self, snapshot: Arc<Snapshot>) {
        self.retired.push(snapshot);
        self.free_retired();
    }

    /// Frees the old snapshots that no shard uses any more.
    pub(super) fn free_retired(&mut self) {
        self.look_at_retired = Instant::now() + LOOK_AT_RETIRED;
        let is_over = |snapshot: &mut Arc<Snapshot>| Arc::strong_count(snapshot) == 1;
        for snapshot in self.retired.extract_if(.., is_over) {
            self.worker.free(snapshot);
        }
    }

    /// Listeners that were removed and can still go on.
    pub(super) fn ending(&self) -> Vec<BindAddress> {
        self.removed_where(|removed| removed.told.elapsed() < REVIVE_WITHIN)
    }

    /// Listeners that were removed and that some shard may not have closed.
    pub(super) fn closing(&self) -> Vec<BindAddress> {
        self.removed_where(|removed| removed.heard.elapsed() < CLOSED_AFTER)
    }

    fn removed_where(&self, is_meant: impl Fn(&Removed) -> bool) -> Vec<BindAddress> {
        let meant = self.removed.iter().filter(|removed| is_meant(removed));
        meant.map(|removed| removed.bound.listener.bind.clone()).collect()
    }
}
