//! Real clients and an origin around a relay on a thread of its own.

use super::*;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// Sends back what comes, to the end.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut other = stream.try_clone().unwrap();
                // An error is that of a client that has gone.
                let _gone = io::copy(&mut stream, &mut other);
                let _gone = other.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

/// A relay to that port, and how many pairs it has ever had at once; none where the kernel has no such ring.
fn relay(upstream: u16) -> Option<(Vec<SocketAddr>, Arc<AtomicUsize>)> {
    let pairs = Arc::new(AtomicUsize::new(0));
    let (send, receive) = channel();
    let most = Arc::clone(&pairs);
    // The ring is for the thread that made it alone.
    thread::spawn(move || {
        let mut relay = match Relay::new(&RelayArgs { listen: 0, upstream, core: 0, bulk: Some(0) }) {
            Ok(relay) => relay,
            Err(error) => return send.send(Err(error)).unwrap(),
        };
        let ports = relay.listeners.iter().map(|(listener, _)| listener.local_addr().unwrap());
        send.send(Ok(ports.collect())).unwrap();
        loop {
            relay.turn().unwrap();
            most.store(relay.pairs.len(), Ordering::Relaxed);
        }
    });
    match receive.recv().unwrap() {
        Ok(addresses) => Some((addresses, pairs)),
        Err(error) => {
            println!("skipped: no ring can be made here: {error}");
            None
        }
    }
}

#[test]
fn bytes_pass_as_they_are_in_both_ways_and_an_end_is_passed_on() {
    let Some((addresses, _)) = relay(echo().port()) else { return };
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    for address in addresses {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut sending = stream.try_clone().unwrap();
        let sent = bytes.clone();
        let sender = thread::spawn(move || {
            sending.write_all(&sent).unwrap();
            sending.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        sender.join().unwrap();
        assert!(back == bytes, "{} bytes came back of {}", back.len(), bytes.len());
    }
}

#[test]
fn connections_that_end_in_whatever_way_leave_nothing_behind() {
    let Some((addresses, pairs)) = relay(echo().port()) else { return };
    for number in 0..40 {
        let mut stream = TcpStream::connect(addresses[0]).unwrap();
        stream.write_all(b"hello").unwrap();
        if number % 2 == 0 {
            // Closed with an answer on its way or unread, which resets it.
            let mut one = [0];
            stream.read_exact(&mut one).unwrap();
            continue;
        }
        stream.shutdown(Shutdown::Write).unwrap();
        let mut back = String::new();
        stream.read_to_string(&mut back).unwrap();
        assert_eq!(back, "hello");
    }
    let most = pairs.load(Ordering::Relaxed);
    assert!((1..10).contains(&most), "{most} pairs for one connection at a time");
}

#[test]
fn an_origin_that_is_not_there_costs_the_client_its_connection_alone() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    // A connection keeps the port when nobody listens there any more: nobody else is given it.
    let _client = TcpStream::connect(address).unwrap();
    let _held = listener.accept().unwrap();
    drop(listener);
    let Some((addresses, _)) = relay(address.port()) else { return };
    for _ in 0..3 {
        let mut stream = TcpStream::connect(addresses[0]).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(stream.read(&mut buffer).unwrap_or(0), 0);
    }
}

#[test]
fn a_tag_tells_what_it_was_made_of() {
    for tag in [Tag::Accept(1), Tag::Receive(5000, 1), Tag::Send(0, 0), Tag::Send(77, 1)] {
        assert_eq!(Tag::of(tag.number()), tag);
    }
}
