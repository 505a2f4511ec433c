//! HTTP/2's state machine: a head in, an answer out, and both ways at both ends.

use crate::harness::{Harness, counted};
use pair::{Pair, exchange, request, response};
use sluicegate::{
    http::{BodyLength, ResponseHead},
    http2::Then,
};
use std::{hint::black_box, task::Waker};

#[path = "../../common/pair.rs"]
mod pair;

const ROUNDS: usize = 200;

pub(crate) fn run(harness: &Harness) {
    let (request, answer) = (request(), response());
    let mut got = ResponseHead::default();
    let mut pair = Pair::new();
    harness.case("http2.exchange.both_ends", ROUNDS, |_| {
        exchange(&mut pair, black_box(&request), black_box(&answer), &mut got);
    });
    harness.prepared("http2.decode.request", ROUNDS, |_| one(&mut pair, Part::Decode));
    harness.prepared("http2.encode.response", ROUNDS, |_| one(&mut pair, Part::Encode));
}

/// What of an exchange is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Bytes of HEADERS become a request's head.
    Decode,
    /// An answer's head and its twelve bytes become frames.
    Encode,
}

fn one(pair: &mut Pair, part: Part) {
    let (request, answer) = (request(), response());
    let mut got = ResponseHead::default();
    let here = pair.client.send_request(&request, 0);
    let bytes = pair.client.take_out(Vec::new());
    let mut arrival = None;
    let server = &mut pair.server;
    count_if(part == Part::Decode, &mut || {
        assert!(server.receive(black_box(&bytes), 0).is_ok());
        arrival = server.next_arrival();
    });
    let Some(arrival) = arrival else { panic!("no request came") };
    let Some(there) = arrival.stream else { panic!("the request was refused") };
    server.return_head(arrival.head);
    let mut out = Vec::with_capacity(4096);
    count_if(part == Part::Encode, &mut || {
        server.send_response(there, black_box(&answer), BodyLength::Sized(12), Then::More);
        assert!(server.send_data(there, b"twelve bytes", Then::End, Waker::noop()).is_ready());
        out = server.take_out(std::mem::take(&mut out));
    });
    assert_eq!(pair.client.receive(&out, 0), Ok(out.len()));
    pair.pass();
    assert!(pair.client.receive_response(here, &mut got, Waker::noop()).is_ready());
    assert!(pair.client.receive_body(here, Waker::noop()).is_ready());
    pair.client.abandon(here);
    pair.server.abandon(there);
}

fn count_if(is_counted: bool, work: &mut dyn FnMut()) {
    if is_counted { counted(work) } else { work() }
}
