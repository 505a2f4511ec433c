//! HTTP/1.1: heads in, heads out, and where the pieces of a chunked body lie.

use crate::harness::Harness;
use heads::{ANSWER, BROWSER, CURL, WRK};
use sluicegate::http::{RequestHead, ResponseHead, Upgrade, Version};
use sluicegate::http1::decode::{self, Limits, Policy};
use sluicegate::http1::encode::{self, KeepAlive, Recipient};
use std::hint::black_box;

#[path = "../../common/heads.rs"]
mod heads;

const ROUNDS: usize = 200;

pub(crate) fn run(harness: &Harness) {
    for (name, bytes) in [("wrk", WRK), ("curl", CURL), ("browser", BROWSER)] {
        request(harness, name, bytes);
    }
    response(harness);
    for chunk_bytes in [16, 1024, 16384] {
        let bytes = heads::chunked_64k(chunk_bytes);
        harness.case(&format!("http1.body.chunked_64k.{chunk_bytes}"), 4, |_| {
            black_box(heads::decode_chunked(black_box(&bytes)));
        });
    }
}

fn request(harness: &Harness, name: &str, bytes: &[u8]) {
    let policy = Policy::default();
    let (mut head, mut out) = (RequestHead::default(), Vec::new());
    harness.case(&format!("http1.decode.request.{name}"), ROUNDS, |_| {
        assert!(decode::request(black_box(bytes), &policy, &mut head).is_ok());
    });
    assert!(decode::request(bytes, &policy, &mut head).is_ok());
    harness.case(&format!("http1.encode.request.{name}"), ROUNDS, |_| {
        out.clear();
        let head = black_box(&head);
        encode::request(head, head.body, &mut out);
        black_box(&out);
    });
}

fn response(harness: &Harness) {
    let limits = Limits::default();
    let (mut head, mut out) = (ResponseHead::default(), Vec::new());
    let decode = move |head: &mut ResponseHead| {
        assert!(decode::response(black_box(ANSWER), &limits, b"GET", Upgrade::None, head).is_ok());
    };
    harness.case("http1.decode.response", ROUNDS, |_| decode(&mut head));
    decode(&mut head);
    harness.case("http1.encode.response", ROUNDS, |_| {
        out.clear();
        let head = black_box(&head);
        let recipient = Recipient { method: b"GET", version: Version::Http11, connection: KeepAlive::Keep };
        encode::response(head, head.body, recipient, &mut out);
        black_box(&out);
    });
}
