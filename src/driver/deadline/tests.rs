//! Deadlines by hand: nothing here waits.

use super::*;
use std::{io::Read, os::fd::AsRawFd, os::unix::net::UnixStream};

#[test]
fn a_due_socket_is_shut_down_and_others_are_not() {
    let (mut due, _peer) = UnixStream::pair().unwrap();
    let (other, _peer2) = UnixStream::pair().unwrap();
    let deadlines = Deadlines::new();
    let first = deadlines.register(due.as_raw_fd());
    let second = deadlines.register(other.as_raw_fd());
    first.arm(Phase::Reading, Some(TICK));
    second.arm(Phase::Reading, Some(TICK * 10));
    assert_eq!(deadlines.tick() + deadlines.tick(), 1);
    assert!(first.fired() && !second.fired());
    assert_eq!(due.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_freed_slot_is_used_again() {
    let (socket, _peer) = UnixStream::pair().unwrap();
    let deadlines = Deadlines::new();
    drop(deadlines.register(socket.as_raw_fd()));
    assert_eq!(deadlines.register(socket.as_raw_fd()).index, 0);
    assert_eq!(deadlines.slots.borrow().len(), 1);
}

#[test]
fn a_timer_wakes_who_watches_it() {
    let deadlines = Deadlines::new();
    let timer = deadlines.timer(TICK);
    assert!(!timer.watch(Waker::noop()));
    deadlines.tick();
    deadlines.tick();
    assert!(timer.watch(Waker::noop()));
}

#[test]
fn what_is_due_exactly_ends_both_directions_and_leaves_nothing_behind() {
    let (mut due, _peer) = UnixStream::pair().unwrap();
    let (other, _peer2) = UnixStream::pair().unwrap();
    let deadlines = Deadlines::new();
    let first = deadlines.register(due.as_raw_fd());
    let second = deadlines.register(other.as_raw_fd());
    first.due_at(Some(Instant::now()));
    first.arm(Phase::Reading, Some(TICK * 100));
    second.due_at(Some(Instant::now() + TICK * 1000));
    while deadlines.end_exact() == 0 {}
    assert!(first.fired() && !second.fired());
    assert_eq!(due.read(&mut [0; 1]).unwrap(), 0);
    drop((first, second));
    assert_eq!(deadlines.alarms.len(), 0);
}

#[test]
fn an_exact_timer_can_be_set_again() {
    let deadlines = Deadlines::new();
    let timer = deadlines.timer_at(Instant::now());
    assert!(!timer.watch(Waker::noop()));
    while !timer.fired() {
        deadlines.end_exact();
    }
    assert!(timer.watch(Waker::noop()));
    timer.due_at(Some(Instant::now() + TICK * 1000));
    assert!(!timer.watch(Waker::noop()));
}

#[test]
fn tunnels_end_a_few_at_a_time_with_both_ends() {
    let deadlines = Deadlines::new();
    let pairs: Vec<_> = (0..6).map(|_| UnixStream::pair().unwrap()).collect();
    let slots: Vec<_> = pairs.iter().map(|(one, _)| deadlines.register(one.as_raw_fd())).collect();
    slots.iter().for_each(|slot| slot.arm(Phase::Both, None));
    let mut ties = vec![slots[0].tie(&slots[1]), slots[2].tie(&slots[3]), slots[4].tie(&slots[4])];
    let fired = || slots.iter().map(Deadline::fired).collect::<Vec<_>>();
    (0..3).for_each(|_| {
        deadlines.tick();
    });
    deadlines.end_tunnels(2);
    assert_eq!(fired(), [true, true, true, true, false, false]);
    assert!(slots[0].is_quietly_asked() && slots[1].is_quietly_asked());
    slots[0].arm(Phase::Both, None);
    assert!(!slots[0].is_quietly_asked(), "something has moved since");
    ties.pop();
    deadlines.end_tunnels(1);
    assert!(!slots[4].fired(), "no tunnel any more");
    let _tie = slots[5].tie(&slots[5]);
    slots[5].arm(Phase::Both, None);
    deadlines.end_tunnels(9);
    assert!(slots[5].fired() && !slots[5].is_quietly_asked(), "it was busy");
}

#[test]
fn draining_ends_only_the_idle() {
    let (idle, _a) = UnixStream::pair().unwrap();
    let (busy, _b) = UnixStream::pair().unwrap();
    let deadlines = Deadlines::new();
    let idle_one = deadlines.register(idle.as_raw_fd());
    let busy_one = deadlines.register(busy.as_raw_fd());
    idle_one.arm(Phase::Idle, None);
    busy_one.arm(Phase::Both, None);
    assert_eq!(deadlines.end_idle(Duration::ZERO), 1);
    assert!(idle_one.fired() && !busy_one.fired());
}
