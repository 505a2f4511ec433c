//! The detector, with a clock that is handed in.

use super::*;
use std::thread;

/// One endpoint of some, and the time.
struct Site {
    endpoints: Vec<Arc<EndpointHealth>>,
    now: Instant,
}

fn all_may_go() -> OutlierDetection {
    OutlierDetection { consecutive_5xx: 3, max_ejection_percent: 100, ..OutlierDetection::default() }
}

fn site(outlier: OutlierDetection, endpoints: usize) -> Site {
    let now = Instant::now();
    let cluster = ClusterHealth::new(Some(&outlier), now);
    let endpoints = (0..endpoints).map(|_| EndpointHealth::new(&cluster, false)).collect();
    Site { endpoints, now }
}

impl Site {
    fn learn(&self, at: usize, all: &[Evidence]) {
        for evidence in all {
            self.endpoints[at].learn(*evidence, self.endpoints.len(), self.now);
        }
    }

    fn is_out(&self, at: usize) -> bool {
        self.endpoints[at].is_ejected()
    }

    fn cluster(&self) -> &ClusterHealth {
        &self.endpoints[0].cluster
    }

    /// Sweeps every ten seconds for so long.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds / 10 {
            self.now += Duration::from_secs(10);
            for endpoint in &self.endpoints {
                endpoint.sweep(self.now);
            }
        }
    }
}

const GOOD: Evidence = Evidence::Answered(200);
const BAD: Evidence = Evidence::Answered(500);

#[test]
fn so_many_in_a_row_and_not_one_less() {
    let site = site(all_may_go(), 1);
    site.learn(0, &[BAD, BAD, GOOD, BAD, BAD]);
    assert!(!site.is_out(0));
    site.learn(0, &[BAD]);
    assert!(site.is_out(0));
    assert_eq!((site.cluster().ejected(), site.cluster().ejections(Reason::Errors)), (1, 1));
    let (reason, time) = site.endpoints[0].ejection().unwrap();
    assert_eq!((reason, time), (Reason::Errors, Duration::from_secs(30)));
    assert_eq!(site.cluster().changes(), 1);
}

#[test]
fn what_is_left_of_an_ejection() {
    let mut site = site(all_may_go(), 1);
    let left = |site: &Site| site.endpoints[0].ejection_left(site.now).map(|left| left.as_secs());
    assert_eq!(left(&site), None);
    site.learn(0, &[BAD; 3]);
    assert_eq!(left(&site), Some(30));
    site.pass(20);
    assert_eq!(left(&site), Some(10));
    site.pass(10);
    assert_eq!(left(&site), None);
}

#[test]
fn what_fails_here_counts_as_an_answer() {
    let site = site(all_may_go(), 2);
    site.learn(0, &[Evidence::Failed, Evidence::TimedOut, Evidence::Answered(503)]);
    assert!(site.is_out(0));
    site.learn(1, &[Evidence::Failed, Evidence::Failed, Evidence::Connected, Evidence::Failed]);
    assert!(!site.is_out(1));
}

#[test]
fn what_fails_here_can_be_counted_apart() {
    let split = OutlierDetection { consecutive_local: Some(2), ..all_may_go() };
    let site = site(split, 3);
    // Neither kind interrupts the other, but any answer shows that the endpoint can be reached.
    site.learn(0, &[BAD, Evidence::Failed, BAD, Evidence::Failed]);
    assert!(!site.is_out(0));
    site.learn(0, &[Evidence::TimedOut]);
    assert!(site.is_out(0));
    assert_eq!(site.cluster().ejections(Reason::LocalFailures), 1);
    site.learn(1, &[Evidence::Failed, Evidence::Connected, Evidence::Failed]);
    assert!(!site.is_out(1));
    site.learn(2, &[BAD, BAD, Evidence::Failed, BAD]);
    assert!(site.is_out(2));
    assert_eq!(site.cluster().ejections(Reason::Errors), 1);
}

#[test]
fn gateway_errors_have_a_counter_that_other_errors_interrupt() {
    let gateway = OutlierDetection { consecutive_5xx: 0, consecutive_gateway: 2, ..all_may_go() };
    let site = site(gateway, 1);
    site.learn(0, &[Evidence::Answered(502), BAD, Evidence::Answered(504), BAD, BAD, BAD, BAD]);
    assert!(!site.is_out(0));
    site.learn(0, &[Evidence::Answered(503), Evidence::Failed]);
    assert!(site.is_out(0));
    assert_eq!(site.cluster().ejections(Reason::GatewayErrors), 1);
}

#[test]
fn zero_switches_it_off() {
    let off = OutlierDetection { consecutive_5xx: 0, ..all_may_go() };
    let site = site(off, 1);
    site.learn(0, &[BAD; 100]);
    site.learn(0, &[Evidence::Failed; 100]);
    assert!(!site.is_out(0));
}

#[test]
fn no_more_than_the_percentage_are_out() {
    let half = OutlierDetection { max_ejection_percent: 50, ..all_may_go() };
    let site = site(half, 5);
    (0..5).for_each(|at| site.learn(at, &[BAD; 3]));
    let out: Vec<bool> = (0..5).map(|at| site.is_out(at)).collect();
    assert_eq!(out, [true, true, false, false, false]);
    assert_eq!((site.cluster().ejected(), site.cluster().overflow()), (2, 3));
    // Three more, not one more: its counter began anew.
    site.endpoints[0].retire();
    site.learn(2, &[BAD; 2]);
    assert!(!site.is_out(2));
    site.learn(2, &[BAD]);
    assert!(site.is_out(2));
}

#[test]
fn it_comes_back_after_its_time_with_clean_hands() {
    let mut site = site(all_may_go(), 1);
    site.learn(0, &[BAD; 3]);
    site.pass(20);
    assert!(site.is_out(0));
    // Requests that were on their way change nothing.
    site.learn(0, &[GOOD, BAD, BAD]);
    site.pass(10);
    assert!(!site.is_out(0));
    assert_eq!((site.cluster().ejected(), site.cluster().changes()), (0, 2));
    site.learn(0, &[BAD, BAD]);
    assert!(!site.is_out(0));
}

#[test]
fn every_ejection_is_longer_and_every_good_interval_forgives_one() {
    let mut site = site(all_may_go(), 1);
    let lasts = |site: &mut Site| {
        site.learn(0, &[BAD; 3]);
        let mut seconds = 0;
        while site.is_out(0) {
            site.pass(10);
            seconds += 10;
        }
        seconds
    };
    assert_eq!([(); 4].map(|()| lasts(&mut site)), [30, 60, 90, 120]);
    // The interval in which it came back does not count.
    site.pass(20);
    assert_eq!(lasts(&mut site), 90);
    site.pass(1000);
    assert_eq!(lasts(&mut site), 30);
    let longest = (0..20).map(|_| lasts(&mut site)).max();
    assert_eq!(longest, Some(300));
}

#[test]
fn an_endpoint_that_is_gone_is_not_counted() {
    let site = site(all_may_go(), 2);
    site.learn(0, &[BAD; 3]);
    assert_eq!(site.cluster().ejected(), 1);
    site.endpoints[0].retire();
    assert_eq!(site.cluster().ejected(), 0);
    site.learn(0, &[BAD; 9]);
    assert!(!site.endpoints[0].sweep(site.now + Duration::from_secs(9999)));
    assert_eq!((site.cluster().ejected(), site.cluster().ejections(Reason::Errors)), (0, 1));
}

#[test]
fn a_check_that_succeeds_ends_an_ejection_and_one_that_fails_begins_none() {
    let site = site(all_may_go(), 1);
    let endpoint = &site.endpoints[0];
    endpoint.checked(false, site.now);
    endpoint.checked(false, site.now);
    assert_eq!((endpoint.is_good(), endpoint.is_ejected(), site.cluster().changes()), (false, false, 1));
    site.learn(0, &[BAD; 3]);
    endpoint.checked(true, site.now);
    assert!(endpoint.is_good());
    let waiting = EndpointHealth::new(&endpoint.cluster, true);
    assert!(!waiting.is_good());
    waiting.checked(true, site.now);
    assert!(waiting.is_good());
}

#[test]
fn shards_count_together_and_eject_once() {
    for _ in 0..50 {
        let all = OutlierDetection { consecutive_5xx: 400, max_ejection_percent: 50, ..all_may_go() };
        let site = site(all, 4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..4).for_each(|at| site.learn(at, &[BAD; 100])));
            }
        });
        let out = (0..4).filter(|at| site.is_out(*at)).count();
        assert_eq!((out, site.cluster().ejected()), (2, 2));
        assert_eq!((site.cluster().ejections(Reason::Errors), site.cluster().overflow()), (2, 2));
    }
}

#[test]
fn an_ejection_is_one_number() {
    for since in [None, Some(0), Some(1), Some(Ejection::LAST), Some(Ejection::GONE)] {
        for times in [0, 1, 300_001] {
            let ejection = Ejection { since, times };
            assert_eq!(Ejection::unpack(ejection.pack()), ejection);
        }
    }
    assert!(!Ejection::unpack(Ejection { since: Some(Ejection::GONE), times: 0 }.pack()).is_out());
}
