//! Two shards on one thread that share a cluster's numbers.

use super::*;
use crate::table::BreakerLimits;
use std::{
    pin::{Pin, pin},
    sync::atomic::{AtomicU32, Ordering},
    task::Wake,
};

/// A cluster on two shards, with these limits.
fn shards(limits: BreakerLimits) -> [Cluster; 2] {
    let pool = PoolLimits { breaker: Some(Arc::new(Breaker::new(limits))), ..PoolLimits::default() };
    let compiled = table::Cluster { limits: Some(Box::new(pool)), ..table::Cluster::any() };
    [0, 1].map(|shard| Cluster::new(&compiled, &Place { shard, bells: Arc::default() }))
}

fn of_connections(most: u32) -> [Cluster; 2] {
    shards(BreakerLimits { connections: Some(most), ..BreakerLimits::default() })
}

fn limits(cluster: &Cluster) -> &Rc<Limits> {
    cluster.limits.as_ref().unwrap()
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Waiting<'a> = Pin<&'a mut dyn Future<Output = Result<Turn<()>, NoConnection>>>;

/// Waits for a connection's place; there never is anything that makes it needless.
async fn wait(cluster: &Cluster, counters: &Counters) -> Result<Turn<()>, NoConnection> {
    limits(cluster).turn(cluster, counters, || Ok(None), |_| false).await
}

fn poll(waiting: &mut Waiting<'_>) -> Option<Ticket> {
    match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => None,
        Poll::Ready(Ok(Turn::Open(ticket))) => Some(ticket),
        Poll::Ready(_) => panic!("refused"),
    }
}

#[test]
fn who_waits_longest_is_next_and_newcomers_wait_behind() {
    let [cluster, _] = of_connections(1);
    let counters = Counters::default();
    let held = limits(&cluster).slot().unwrap();
    let (mut first, mut second) = (pin!(wait(&cluster, &counters)), pin!(wait(&cluster, &counters)));
    let (mut first, mut second): (Waiting<'_>, Waiting<'_>) = (first.as_mut(), second.as_mut());
    assert!(poll(&mut first).is_none() && poll(&mut second).is_none());
    drop(held);
    assert!(Ticket::at_once(&cluster).is_err() && poll(&mut second).is_none());
    let ticket = poll(&mut first).unwrap();
    assert!(poll(&mut second).is_none());
    drop(ticket);
    assert!(poll(&mut second).is_some_and(|ticket| ticket.slot.is_some()));
}

#[test]
fn who_leaves_the_line_has_the_next_one_look() {
    let [cluster, _] = of_connections(1);
    let counters = Counters::default();
    let held = limits(&cluster).slot().unwrap();
    let woken = Arc::new(Woken::default());
    let mut second = pin!(wait(&cluster, &counters));
    {
        let mut first = pin!(wait(&cluster, &counters));
        assert!(poll(&mut (first.as_mut() as Waiting<'_>)).is_none());
        let waker = Waker::from(Arc::clone(&woken));
        assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(held);
        // The place is meant for the first, which leaves.
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    }
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(poll(&mut (second.as_mut() as Waiting<'_>)).is_some());
}

#[test]
fn a_place_that_nobody_wants_here_goes_to_the_shard_that_waits() {
    let [one, other] = of_connections(1);
    let counters = Counters::default();
    let held = limits(&one).slot().unwrap();
    let mut waiting = pin!(wait(&other, &counters));
    let mut waiting: Waiting<'_> = waiting.as_mut();
    assert!(poll(&mut waiting).is_none());
    assert!(!limits(&one).may_rest(), "it is to close what has no work");
    drop(held);
    assert!(limits(&one).slot().is_err(), "it is the other shard's");
    limits(&other).look(|| false);
    let ticket = poll(&mut waiting).unwrap();
    drop(ticket);
    assert!(limits(&one).may_rest() && limits(&one).slot().is_ok());
}

#[test]
fn a_place_that_comes_too_late_goes_back() {
    let [one, other] = of_connections(1);
    let counters = Counters::default();
    let held = limits(&one).slot().unwrap();
    {
        let mut waiting = pin!(wait(&other, &counters));
        assert!(poll(&mut (waiting.as_mut() as Waiting<'_>)).is_none());
        drop(held);
    }
    // It was taken and given up as the request left, and before the bell was heard.
    limits(&other).look(|| false);
    assert!(limits(&one).slot().is_ok());
}

#[test]
fn a_shard_without_connections_has_its_turn_though_the_other_has_a_line() {
    let [one, other] = of_connections(1);
    let counters = Counters::default();
    let mut slot = limits(&one).slot().unwrap();
    let mut starving = pin!(wait(&other, &counters));
    let mut starving: Waiting<'_> = starving.as_mut();
    assert!(poll(&mut starving).is_none());
    let mut served = 0;
    loop {
        let mut next = pin!(wait(&one, &counters));
        let mut next: Waiting<'_> = next.as_mut();
        assert!(poll(&mut next).is_none());
        drop(slot);
        limits(&other).look(|| false);
        let Some(ticket) = poll(&mut next) else { break };
        slot = ticket.slot;
        served += 1;
        assert!(served <= TURNS_MAX);
    }
    assert_eq!(served, TURNS_MAX);
    assert!(poll(&mut starving).is_some());
}

#[test]
fn as_many_may_be_pending_as_the_limit_says_on_all_shards() {
    let [one, other] =
        shards(BreakerLimits { connections: Some(1), pending: Some(2), ..BreakerLimits::default() });
    let counters = Counters::default();
    let _held = limits(&one).slot().unwrap();
    let (mut first, mut second) = (pin!(wait(&one, &counters)), pin!(wait(&other, &counters)));
    assert!(poll(&mut (first.as_mut() as Waiting<'_>)).is_none());
    assert!(poll(&mut (second.as_mut() as Waiting<'_>)).is_none());
    let mut third = pin!(wait(&other, &counters));
    let polled = third.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(NoConnection::Full))));
    let breaker = limits(&one).breaker().unwrap();
    assert_eq!(breaker.overflows(Resource::Pending), 1);
    assert_eq!((breaker.overflows(Resource::Connections), breaker.in_use(Resource::Pending)), (2, 2));
}

#[test]
fn idle_connections_close_for_others_as_many_as_wait() {
    let [one, other] = of_connections(3);
    let counters = Counters::default();
    let held: Vec<_> = (0..3).map(|_| limits(&one).slot().unwrap()).collect();
    let (mut first, mut second) = (pin!(wait(&other, &counters)), pin!(wait(&other, &counters)));
    assert!(poll(&mut (first.as_mut() as Waiting<'_>)).is_none());
    assert!(poll(&mut (second.as_mut() as Waiting<'_>)).is_none());
    let mut idle = held.len();
    limits(&one).look(|| {
        idle -= 1;
        true
    });
    assert_eq!(idle, 1);
}
