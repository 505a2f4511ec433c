//! Lets endpoints back in, and says who went and came.

use crate::{
    control::{Gateway, log},
    table::{ClusterHealth, ClusterId, Endpoint, Snapshot},
};
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// How long news of an ejection, which a shard makes, may take at most until it is in the log.
const LOOK: Duration = Duration::from_secs(1);
/// Sweeps are not more frequent, whatever `interval` says: each looks at every cluster.
const SWEEP_MIN: Duration = Duration::from_millis(10);

/// A cluster with `outlierDetection`.
struct Watched {
    id: ClusterId,
    health: Arc<ClusterHealth>,
    interval: Duration,
    due: Instant,
    seen: u64,
    /// Addresses that the log knows to be out.
    out: HashSet<String>,
}

/// Sweeps for as long as the process lives, whatever snapshot it has.
pub(in crate::control) async fn sweep(gateway: Rc<Gateway>) {
    let mut snapshot = gateway.snapshot();
    let mut watched = follow(&snapshot, Vec::new(), Instant::now());
    let mut next = Instant::now();
    loop {
        next = watched.iter().map(|one| one.due).fold(next + LOOK, Instant::min);
        let is_due = async {
            match watched.as_slice() {
                // Nobody asks for it.
                [] => std::future::pending().await,
                _ => sleep_until(next).await,
            }
        };
        tokio::select! {
            () = is_due => {}
            () = gateway.replaced.notified() => {}
        }
        let now = Instant::now();
        let present = gateway.snapshot();
        if !Arc::ptr_eq(&present, &snapshot) {
            watched = follow(&present, watched, now);
            snapshot = present;
        }
        watched.iter_mut().for_each(|one| one.look(&gateway, now));
        next = now;
    }
}

/// The clusters of a snapshot with `outlierDetection`; those that go on keep their time.
fn follow(snapshot: &Snapshot, before: Vec<Watched>, now: Instant) -> Vec<Watched> {
    let mut known: HashMap<*const ClusterHealth, Watched> =
        before.into_iter().map(|one| (Arc::as_ptr(&one.health), one)).collect();
    let with_ids = (0..).map(ClusterId).zip(&snapshot.clusters);
    with_ids
        .filter_map(|(id, cluster)| {
            let interval = cluster.outlier.as_ref()?.interval.max(SWEEP_MIN);
            let health = cluster.health.as_ref()?;
            Some(match known.remove(&Arc::as_ptr(health)) {
                Some(one) => Watched { id, ..one },
                None => {
                    let (health, due) = (Arc::clone(health), now + interval);
                    Watched { id, health, interval, due, seen: 0, out: HashSet::new() }
                }
            })
        })
        .collect()
}

impl Watched {
    fn look(&mut self, gateway: &Gateway, now: Instant) {
        // Who went since the last look and comes back now is told first.
        self.tell_changes(gateway);
        if self.due > now {
            return;
        }
        self.due = now + self.interval;
        gateway.with_endpoints(self.id, |endpoints| {
            for health in endpoints.iter().filter_map(Endpoint::health) {
                health.sweep(now.into_std());
            }
        });
        self.tell_changes(gateway);
    }

    fn tell_changes(&mut self, gateway: &Gateway) {
        let changes = self.health.changes();
        if self.seen != changes {
            self.seen = changes;
            gateway.with_endpoints(self.id, |endpoints| self.tell(gateway, endpoints));
        }
    }

    fn tell(&mut self, gateway: &Gateway, endpoints: &[Endpoint]) {
        let snapshot = gateway.snapshot();
        let name = snapshot.clusters.get(self.id.0 as usize).map_or("", |cluster| &*cluster.name);
        let mut out = HashSet::new();
        for endpoint in endpoints {
            let address = endpoint.address.to_string();
            let was_out = self.out.contains(&address);
            match endpoint.health().and_then(|health| health.ejection()) {
                Some((reason, time)) => {
                    if !was_out && !out.contains(&address) {
                        let seconds = time.as_secs_f64();
                        log::warn(format_args!("{address} of {name} is left out for {seconds} s: {reason}"));
                    }
                    out.insert(address);
                }
                None if was_out => {
                    let is_ill = endpoint.health().is_some_and(|health| health.is_failing_checks());
                    let now =
                        if is_ill { "is not left out, but fails its health check" } else { "is used again" };
                    log::info(format_args!("{address} of {name} {now}"));
                }
                None => {}
            }
        }
        self.out = out;
    }
}
