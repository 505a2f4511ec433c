//! Relays between real sockets: `client` and `origin` are what the two sides hold in their hands.

use super::*;
use crate::{
    buffer::Pool,
    driver::{self, Deadlines, DriverChoice, Ticker},
    telemetry::{Counter, Counters},
    tls::{ReadHalf, WriteHalf},
};
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

/// Nothing here takes so long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// More bytes than four sockets hold, and what is between them.
const SOCKETS_HOLD_MAX: u64 = 1 << 30;

/// So often a test that has to be in time begins again.
const ATTEMPTS_MAX: usize = 20;

async fn serve(to: [SocketAddr; 2], idle_timeout: Option<Duration>, counters: &Counters) -> Relayed {
    let deadlines = Deadlines::new();
    let swept = Rc::clone(&deadlines);
    driver::spawn(async move {
        let mut ticker = Ticker::new().unwrap();
        while ticker.next().await.is_ok() {
            swept.tick();
        }
    });
    let open = |address: SocketAddr| {
        let deadlines = Rc::clone(&deadlines);
        async move { driver::connect(&address.into(), PATIENCE, None, None, &deadlines).await.unwrap() }
    };
    let (read, write, deadline, _) = open(to[0]).await;
    let (mut read, mut write) = (ReadHalf::Plain(read), WriteHalf::Plain(write));
    let (up_read, up_write, up_deadline, _) = open(to[1]).await;
    let (mut up_read, mut up_write) = (ReadHalf::Plain(up_read), WriteHalf::Plain(up_write));
    let of_cluster = crate::telemetry::Counter::default();
    let terms = Terms {
        idle_timeout,
        lifetime: None,
        farewells: None,
        buffers: &Pool::new(),
        pipes: &Pipes::default(),
        up_bytes: [&counters.tcp_bytes_received, &of_cluster],
        down_bytes: [&counters.tcp_bytes_sent, &of_cluster],
    };
    let downstream = End { read: &mut read, write: &mut write, deadline: &deadline };
    let upstream = End { read: &mut up_read, write: &mut up_write, deadline: &up_deadline };
    let relayed = both(downstream, upstream, (Blind, Blind), &terms).await;
    // Before their sockets.
    drop((deadline, up_deadline));
    relayed
}

/// Runs a relay, on a ring and on epoll, and gives its ends to `talk`.
fn relayed(idle: Option<Duration>, talk: impl Fn(TcpStream, TcpStream, &Counters)) -> Relayed {
    let first = relayed_on(DriverChoice::Auto, idle, &talk).0;
    assert_eq!(relayed_on(DriverChoice::Epoll, idle, &talk).0.ended, first.ended);
    first
}

/// Runs a relay, and gives its ends to `talk`; returns what that returns, too.
fn relayed_on<T>(
    choice: DriverChoice,
    idle: Option<Duration>,
    talk: impl Fn(TcpStream, TcpStream, &Counters) -> T,
) -> (Relayed, T) {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let to = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let counters = Arc::new(Counters::default());
    let counted = Arc::clone(&counters);
    let relay =
        thread::spawn(move || driver::run(choice, |_, _| async move { serve(to, idle, &counted).await }));
    let [client, origin] = listeners.map(|listener| {
        let socket = listener.accept().unwrap().0;
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket
    });
    let talked = talk(client, origin, &counters);
    let relayed = relay.join().unwrap().unwrap();
    let moved = |counter: &Counter| counter.load(Ordering::Relaxed);
    assert_eq!(moved(&counters.tcp_bytes_received), relayed.up);
    assert_eq!(moved(&counters.tcp_bytes_sent), relayed.down);
    (relayed, talked)
}

/// As `relayed` with an idle time, where `talk` has to say something each time before that is over: it returns whether it
/// could. It begins again where it could not, or the relay ended otherwise, for on a busy machine it may be itself that is late.
fn relayed_in_time(
    idle: Duration,
    ended: Ended,
    talk: impl Fn(TcpStream, TcpStream) -> bool,
) -> [Relayed; 2] {
    [DriverChoice::Auto, DriverChoice::Epoll].map(|choice| {
        let attempt = |_| {
            let (relayed, is_in_time) =
                relayed_on(choice, Some(idle), |client, origin, _| talk(client, origin));
            (is_in_time && relayed.ended == ended).then_some(relayed)
        };
        (0..ATTEMPTS_MAX).find_map(attempt).expect("a relay that lives as long as it is not idle")
    })
}

/// Bytes that show where they belong.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// Sends in the background, then ends that direction.
fn send(to: &TcpStream, bytes: Vec<u8>) -> thread::JoinHandle<()> {
    let mut to = to.try_clone().unwrap();
    thread::spawn(move || {
        to.write_all(&bytes).unwrap();
        to.shutdown(Shutdown::Write).unwrap();
    })
}

fn read_all(mut from: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

fn exchange(from: &TcpStream, to: &TcpStream, message: &[u8]) {
    try_exchange(from, to, message).unwrap();
}

/// As `exchange`, where the relay may have ended.
fn try_exchange(mut from: &TcpStream, mut to: &TcpStream, message: &[u8]) -> std::io::Result<()> {
    let mut got = vec![0; message.len()];
    from.write_all(message)?;
    to.read_exact(&mut got)?;
    assert_eq!(got, message);
    Ok(())
}

#[test]
fn small_messages_go_both_ways_and_each_direction_ends_on_its_own() {
    let relayed = relayed(None, |client, origin, _| {
        for len in [1, 511, 512, 513, 4095, 4096, 4097, 1, 1, 1, 600] {
            exchange(&client, &origin, &pattern(len));
            exchange(&origin, &client, &pattern(len));
        }
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&origin), b"");
        exchange(&origin, &client, b"still here");
        origin.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&client), b"");
    });
    assert_eq!(relayed.ended, Ended::InOrder);
    assert_eq!(relayed.up + 10, relayed.down);
}

#[test]
fn the_origin_may_end_first() {
    let relayed = relayed(None, |client, origin, _| {
        origin.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&client), b"");
        exchange(&client, &origin, &pattern(100_000));
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&origin), b"");
    });
    assert_eq!((relayed.up, relayed.down, relayed.ended), (100_000, 0, Ended::InOrder));
}

#[test]
fn much_passes_both_ways_at_once_unchanged() {
    let len = 20_000_000;
    let relayed = relayed(None, |client, origin, _| {
        let senders = [send(&client, pattern(len)), send(&origin, pattern(len))];
        let reader = {
            let client = client.try_clone().unwrap();
            thread::spawn(move || read_all(&client))
        };
        assert!(read_all(&origin) == pattern(len));
        assert!(reader.join().unwrap() == pattern(len));
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
    assert_eq!((relayed.up, relayed.down, relayed.ended), (len as u64, len as u64, Ended::InOrder));
}

#[test]
fn bulk_and_small_messages_take_turns() {
    relayed(None, |client, origin, _| {
        for _ in 0..20 {
            for len in [3_000_000, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 40_000] {
                let bytes = pattern(len);
                thread::scope(|scope| {
                    scope.spawn(|| (&origin).write_all(&bytes).unwrap());
                    let mut got = vec![0; len];
                    (&client).read_exact(&mut got).unwrap();
                    assert!(got == bytes);
                });
                exchange(&client, &origin, b"more");
            }
        }
        drop((client, origin));
    });
}

#[test]
fn a_receiver_that_does_not_read_stops_the_sender_and_nobody_else() {
    let relayed = relayed(None, |client, origin, counters| {
        origin.set_nonblocking(true).unwrap();
        let (mut sent, mut before) = (0u64, u64::MAX);
        let passed = || counters.tcp_bytes_sent.load(Ordering::Relaxed);
        loop {
            // Until all sockets on the way seem full: nothing has moved between two looks, and some of it has not passed.
            while before != sent || passed() >= sent {
                before = sent;
                for _ in 0..1000 {
                    match (&origin).write(&[7; 65536]) {
                        Ok(count) => sent += count as u64,
                        Err(_) => thread::yield_now(),
                    }
                }
            }
            assert!(sent < SOCKETS_HOLD_MAX, "{sent} bytes are on the way to somebody who does not read");
            // The other direction still moves.
            origin.set_nonblocking(false).unwrap();
            exchange(&client, &origin, &pattern(100_000));
            if passed() < sent {
                break;
            }
            // They were not: the relay was waiting for a processor.
            origin.set_nonblocking(true).unwrap();
        }
        // And all arrives in the end.
        let ended = send(&origin, Vec::new());
        assert_eq!(read_all(&client).len() as u64, sent);
        ended.join().unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&origin), b"");
    });
    assert_eq!(relayed.ended, Ended::InOrder);
}

#[test]
fn a_relay_on_which_nothing_moves_ends() {
    let relayed = relayed_in_time(Duration::from_millis(200), Ended::Idle, |client, origin| {
        let is_in_time = try_exchange(&client, &origin, b"one word").is_ok();
        if is_in_time {
            assert_eq!(read_all(&client), b"");
            assert_eq!(read_all(&origin), b"");
        }
        is_in_time
    });
    assert_eq!(relayed, [Relayed { up: 8, down: 0, ended: Ended::Idle }; 2]);
}

#[test]
fn idleness_is_counted_from_the_last_byte_either_way() {
    // Twelve messages with less than the idle time between two, and more than it in all.
    let pause = Duration::from_millis(100);
    let relayed = relayed_in_time(pause * 5, Ended::InOrder, |client, origin| {
        let is_in_time = (0..12).all(|_| {
            client.set_read_timeout(Some(pause)).unwrap();
            let is_open = (&client).read(&mut [0; 1]).is_err();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            is_open && try_exchange(&origin, &client, b"x").is_ok()
        });
        drop(client);
        if is_in_time {
            assert_eq!(read_all(&origin), b"");
        }
        is_in_time
    });
    assert_eq!(relayed.map(|relayed| relayed.down), [12, 12]);
}

#[test]
fn when_one_side_breaks_the_other_is_told() {
    let relayed = relayed(None, |client, origin, _| {
        // Closed with bytes unread: a reset.
        (&origin).write_all(&pattern(1000)).unwrap();
        client.peek(&mut [0; 1]).unwrap();
        drop(client);
        let mut rest = Vec::new();
        let _ = (&origin).read_to_end(&mut rest);
    });
    assert_eq!(relayed.ended, Ended::DownstreamBroke);
}
