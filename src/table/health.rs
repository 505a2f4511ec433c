//! Which endpoints are good, for all shards together (specification section 4.5).
//!
//! This is the part of a cluster that changes while it is served. It is here, beside the compiled form, because shards write
//! it and the control thread reads it, and neither may know the other. A cluster without `outlierDetection` and without a
//! health check has none of it.
//!
//! Failures are counted for the process, not for a shard: five in a row are five in a row, whichever shards saw them. There is
//! no lock. A counter is a shared atomic that a success writes only if it is not zero already, so an endpoint that works
//! is only ever read. An ejection is one compare-and-exchange, by the shard that saw the last failure, after it has taken its
//! place below `maxEjectionPercent` by another; so the limit is exact whatever the shards do at the same time. The control
//! thread alone lets endpoints back in, once in every `interval`, as Envoy's main thread does.

use super::{OutlierDetection, outlier::Verdict};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// What one attempt says about its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The head of an answer came, with this status; for gRPC's answers that have a `grpc-status` in their head, the status of
    /// HTTP that it stands for.
    Answered(u16),
    /// It took a connection that is not HTTP.
    Connected,
    /// It took no connection, or the connection ended before the answer began.
    Failed,
    /// It did not answer in the time it had.
    TimedOut,
}

/// Why an endpoint was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `consecutive5xxErrors`
    Errors,
    /// `consecutiveGatewayErrors`
    GatewayErrors,
    /// `consecutiveLocalOriginFailures`
    LocalFailures,
}

/// What the endpoints of one cluster have in common.
#[derive(Debug)]
pub struct ClusterHealth {
    outlier: Option<OutlierDetection>,
    /// Times are counted from here.
    began: Instant,
    /// Goes up whenever an endpoint becomes good or bad.
    changes: AtomicU64,
    ejected: AtomicU32,
    enforced: [AtomicU64; Reason::ALL.len()],
    overflow: AtomicU64,
    checks: [AtomicU64; 2],
}

/// Whether one endpoint is good.
///
/// It lives as long as the endpoint is one of its cluster's, through every answer of the resolver that still has its address.
#[derive(Debug)]
pub struct EndpointHealth {
    cluster: Arc<ClusterHealth>,
    /// Failures in a row, by [`Reason`].
    in_a_row: [AtomicU32; Reason::ALL.len()],
    /// An [`Ejection`].
    ejection: AtomicU64,
    /// When it was let back in, in milliseconds; 0: never. Only the control thread touches it.
    returned: AtomicU64,
    ejections: AtomicU64,
    reason: AtomicU32,
    is_failing_checks: AtomicBool,
}

impl ClusterHealth {
    /// Of a cluster with this policy. `now` is what times are counted from.
    pub fn new(outlier: Option<&OutlierDetection>, now: Instant) -> Arc<ClusterHealth> {
        Arc::new(ClusterHealth {
            outlier: outlier.cloned(),
            began: now,
            changes: AtomicU64::new(0),
            ejected: AtomicU32::new(0),
            enforced: Default::default(),
            overflow: AtomicU64::new(0),
            checks: Default::default(),
        })
    }

    /// A number that is another one after every change. Who has seen it needs to look at the endpoints only when it differs.
    pub fn changes(&self) -> u64 {
        self.changes.load(SeqCst)
    }

    /// Endpoints that are out at present.
    pub fn ejected(&self) -> u32 {
        self.ejected.load(Relaxed)
    }

    /// Ejections so far, for one reason.
    pub fn ejections(&self, reason: Reason) -> u64 {
        self.enforced.get(reason as usize).map_or(0, |count| count.load(Relaxed))
    }

    /// Ejections that did not happen because of `maxEjectionPercent`.
    pub fn overflow(&self) -> u64 {
        self.overflow.load(Relaxed)
    }

    /// Health checks of its endpoints so far: those that succeeded, and those that failed.
    pub fn checks(&self) -> [u64; 2] {
        self.checks.each_ref().map(|count| count.load(Relaxed))
    }

    fn ms(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.began).as_millis().min(u128::from(Ejection::LAST)) as u64
    }

    fn changed(&self) {
        self.changes.fetch_add(1, SeqCst);
    }
}

impl EndpointHealth {
    /// A new endpoint. One that `waits` is not used until its first check has succeeded.
    pub fn new(cluster: &Arc<ClusterHealth>, waits: bool) -> Arc<EndpointHealth> {
        Arc::new(EndpointHealth {
            cluster: Arc::clone(cluster),
            in_a_row: Default::default(),
            ejection: AtomicU64::new(Ejection::default().pack()),
            returned: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
            reason: AtomicU32::new(0),
            is_failing_checks: AtomicBool::new(waits),
        })
    }

    /// What it has in common with its cluster's other endpoints.
    pub fn cluster(&self) -> &Arc<ClusterHealth> {
        &self.cluster
    }

    /// Whether it may be used.
    pub fn is_good(&self) -> bool {
        !self.is_failing_checks() && !self.is_ejected()
    }

    /// Whether its health check has failed.
    pub fn is_failing_checks(&self) -> bool {
        self.is_failing_checks.load(SeqCst)
    }

    /// Whether outlier detection has put it out.
    pub fn is_ejected(&self) -> bool {
        Ejection::unpack(self.ejection.load(SeqCst)).is_out()
    }

    /// How often it has been ejected.
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Relaxed)
    }

    /// Why and for how long it is out, if it is.
    pub fn ejection(&self) -> Option<(Reason, Duration)> {
        let outlier = self.cluster.outlier.as_ref()?;
        let ejection = Ejection::unpack(self.ejection.load(SeqCst));
        let reason = *Reason::ALL.get(self.reason.load(Relaxed) as usize)?;
        ejection.is_out().then(|| (reason, outlier.ejection_time(ejection.times)))
    }

    /// How much of its ejection is left, if it is out. It comes back with the first look of `interval` after that.
    pub fn ejection_left(&self, now: Instant) -> Option<Duration> {
        let outlier = self.cluster.outlier.as_ref()?;
        let ejection = Ejection::unpack(self.ejection.load(SeqCst));
        let since = ejection.since.filter(|_| ejection.is_out())?;
        let out = Duration::from_millis(self.cluster.ms(now).saturating_sub(since));
        Some(outlier.ejection_time(ejection.times).saturating_sub(out))
    }

    /// Learns from an attempt. `endpoints` is how many the cluster has.
    pub fn learn(&self, evidence: Evidence, endpoints: usize, now: Instant) {
        let Some(outlier) = &self.cluster.outlier else { return };
        let at = Learning { outlier, endpoints, now };
        match (evidence, outlier.consecutive_local) {
            (Evidence::Answered(status), split) => {
                if split.is_some() {
                    self.clear(Reason::LocalFailures);
                }
                self.answered(outlier.verdict(status), at);
            }
            (Evidence::Connected, Some(_)) => self.clear(Reason::LocalFailures),
            (Evidence::Connected, None) => self.answered(Verdict::Good, at),
            (Evidence::Failed | Evidence::TimedOut, Some(most)) => {
                self.count(Reason::LocalFailures, most, at);
            }
            // As an answer of 503 or 504.
            (Evidence::Failed | Evidence::TimedOut, None) => self.answered(Verdict::GatewayError, at),
        }
    }

    /// Counts a health check.
    pub fn count_check(&self, succeeded: bool) {
        let [successes, failures] = &self.cluster.checks;
        if succeeded { successes } else { failures }.fetch_add(1, Relaxed);
    }

    /// Whether health checks find it good, at present. Only the control thread says so. An endpoint that answers its checks is let
    /// back in before its time, as in Envoy (`successful_active_health_check_uneject_host`).
    pub fn checked(&self, is_good: bool, now: Instant) {
        if self.is_failing_checks.swap(!is_good, SeqCst) == is_good {
            self.cluster.changed();
        }
        if is_good {
            self.let_in(now);
        }
    }

    /// The look of every `interval`: lets it back in when its time has passed, and forgets one ejection for every interval
    /// that it has been in again. Only the control thread does this. Returns whether it came back.
    pub fn sweep(&self, now: Instant) -> bool {
        let Some(outlier) = &self.cluster.outlier else { return false };
        let ejection = Ejection::unpack(self.ejection.load(SeqCst));
        let now_ms = self.cluster.ms(now);
        match ejection.since {
            Some(since) => {
                let time = outlier.ejection_time(ejection.times).as_millis();
                u128::from(now_ms.saturating_sub(since)) >= time && self.let_in(now)
            }
            None => {
                let returned = self.returned.load(Relaxed);
                let interval = outlier.interval.as_millis();
                if returned > 0 && ejection.times > 0 && u128::from(now_ms - returned.min(now_ms)) >= interval
                {
                    let fewer = Ejection { since: None, times: ejection.times - 1 };
                    // If a shard ejects it at the same time, that counts.
                    let _ = self.ejection.compare_exchange(ejection.pack(), fewer.pack(), SeqCst, SeqCst);
                }
                false
            }
        }
    }

    /// It is no endpoint of its cluster any more: an ejection of it counts no longer, and there will be no other.
    pub fn retire(&self) {
        let gone = Ejection { since: Some(Ejection::GONE), times: 0 };
        let before = Ejection::unpack(self.ejection.swap(gone.pack(), SeqCst));
        if before.is_out() {
            self.cluster.ejected.fetch_sub(1, SeqCst);
        }
    }

    fn answered(&self, verdict: Verdict, at: Learning<'_>) {
        match verdict {
            Verdict::Good => {
                self.clear(Reason::Errors);
                self.clear(Reason::GatewayErrors);
                return;
            }
            Verdict::Error => self.clear(Reason::GatewayErrors),
            Verdict::GatewayError => {
                self.count(Reason::GatewayErrors, at.outlier.consecutive_gateway, at);
            }
        }
        self.count(Reason::Errors, at.outlier.consecutive_5xx, at);
    }

    /// One failure more. Every number is seen by one shard only, so that one ejects.
    fn count(&self, reason: Reason, most: u32, at: Learning<'_>) {
        let Some(counter) = self.in_a_row.get(reason as usize).filter(|_| most > 0) else { return };
        if counter.fetch_add(1, SeqCst).wrapping_add(1) != most || self.is_ejected() {
            return;
        }
        self.eject(reason, at);
        // As many more have to fail until it is tried again.
        counter.store(0, SeqCst);
    }

    fn clear(&self, reason: Reason) {
        if let Some(counter) = self.in_a_row.get(reason as usize)
            && counter.load(Relaxed) != 0
        {
            counter.store(0, SeqCst);
        }
    }

    fn eject(&self, reason: Reason, Learning { outlier, endpoints, now }: Learning<'_>) {
        let cluster = &*self.cluster;
        let one_more = |ejected: u32| outlier.may_eject(ejected, endpoints).then(|| ejected + 1);
        if cluster.ejected.fetch_update(SeqCst, SeqCst, one_more).is_err() {
            cluster.overflow.fetch_add(1, Relaxed);
            return;
        }
        let since = Some(cluster.ms(now));
        let out = |packed: u64| {
            let ejection = Ejection::unpack(packed);
            let lasts = outlier.base_ejection_time.saturating_mul(ejection.times);
            let may_grow = lasts < outlier.ejection_time_max().saturating_add(outlier.base_ejection_time);
            let times = ejection.times + u32::from(may_grow);
            ejection.since.is_none().then(|| Ejection { since, times }.pack())
        };
        self.reason.store(reason as u32, Relaxed);
        if self.ejection.fetch_update(SeqCst, SeqCst, out).is_err() {
            // Another counter was full at the same time, or the endpoint is gone.
            cluster.ejected.fetch_sub(1, SeqCst);
            return;
        }
        self.ejections.fetch_add(1, Relaxed);
        if let Some(count) = cluster.enforced.get(reason as usize) {
            count.fetch_add(1, Relaxed);
        }
        cluster.changed();
    }

    fn let_in(&self, now: Instant) -> bool {
        let ejection = Ejection::unpack(self.ejection.load(SeqCst));
        if !ejection.is_out() {
            return false;
        }
        // So that it is not out again after one failure more.
        self.in_a_row.iter().for_each(|counter| counter.store(0, SeqCst));
        self.returned.store(self.cluster.ms(now).max(1), Relaxed);
        self.ejection.store(Ejection { since: None, times: ejection.times }.pack(), SeqCst);
        self.cluster.ejected.fetch_sub(1, SeqCst);
        self.cluster.changed();
        true
    }
}

#[derive(Clone, Copy)]
struct Learning<'a> {
    outlier: &'a OutlierDetection,
    endpoints: usize,
    now: Instant,
}

/// When an endpoint was ejected, and how often lately: together in one number, so that they change together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ejection {
    /// In milliseconds; `None`: it is in use.
    since: Option<u64>,
    /// What the base time is multiplied with.
    times: u32,
}

impl Ejection {
    /// 300 s in steps of 1 ms, the shortest base time, and one more, are below 2^20.
    const TIMES_BITS: u32 = 20;
    /// The time of an endpoint that is one no longer.
    const GONE: u64 = (1 << (u64::BITS - Ejection::TIMES_BITS)) - 2;
    /// The last time there is: 557 years after the start.
    const LAST: u64 = Ejection::GONE - 1;

    fn pack(self) -> u64 {
        let since = self.since.map_or(0, |since| since + 1);
        since << Ejection::TIMES_BITS | u64::from(self.times)
    }

    fn unpack(packed: u64) -> Ejection {
        let since = (packed >> Ejection::TIMES_BITS).checked_sub(1);
        Ejection { since, times: (packed & ((1 << Ejection::TIMES_BITS) - 1)) as u32 }
    }

    fn is_out(self) -> bool {
        self.since.is_some_and(|since| since != Ejection::GONE)
    }
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 3] = [Reason::Errors, Reason::GatewayErrors, Reason::LocalFailures];

    /// As Envoy's statistics name it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Errors => "consecutive_5xx",
            Reason::GatewayErrors => "consecutive_gateway_failure",
            Reason::LocalFailures => "consecutive_local_origin_failure",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Errors => "too many failures in a row",
            Reason::GatewayErrors => "too many failures in a row with 502, 503, 504 or no answer",
            Reason::LocalFailures => "too many failures in a row to connect or to get an answer",
        })
    }
}

/// An endpoint's health where it has any. It says nothing about which endpoint it is, so all of them are equal.
#[derive(Clone, Debug, Default)]
pub struct SharedHealth(pub Option<Arc<EndpointHealth>>);

impl PartialEq for SharedHealth {
    fn eq(&self, _: &SharedHealth) -> bool {
        true
    }
}

impl Eq for SharedHealth {}

impl std::hash::Hash for SharedHealth {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

#[cfg(test)]
#[path = "health/tests.rs"]
mod tests;
