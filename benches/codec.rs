//! What the HTTP/1.1 codec costs for heads as they come, with memory warm: `cargo bench --bench codec`.

#[path = "common/heads.rs"]
mod heads;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use heads::{ANSWER, BROWSER, CURL, WRK};
use sluicegate::http::{RequestHead, ResponseHead, Upgrade, Version};
use sluicegate::http1::decode::{self, Limits, Policy};
use sluicegate::http1::encode::{self, KeepAlive, Recipient};

fn main() {
    divan::main();
}

#[divan::bench(args = [("wrk", WRK), ("curl", CURL), ("browser", BROWSER)].map(|(name, bytes)| Sample { name, bytes }))]
fn request_in(bencher: Bencher<'_, '_>, sample: &Sample) {
    let policy = Policy::default();
    let mut head = RequestHead::default();
    bencher
        .counter(BytesCount::new(sample.bytes.len()))
        .bench_local(|| decode::request(black_box(sample.bytes), &policy, &mut head).map(drop));
}

#[divan::bench(args = [("wrk", WRK), ("curl", CURL), ("browser", BROWSER)].map(|(name, bytes)| Sample { name, bytes }))]
fn request_in_and_out(bencher: Bencher<'_, '_>, sample: &Sample) {
    let policy = Policy::default();
    let mut head = RequestHead::default();
    let mut out = Vec::new();
    bencher.counter(BytesCount::new(sample.bytes.len())).bench_local(|| {
        out.clear();
        let decoded = decode::request(black_box(sample.bytes), &policy, &mut head);
        encode::request(&head, head.body, &mut out);
        decoded.is_ok() && !black_box(&out).is_empty()
    });
}

#[divan::bench]
fn response_in_and_out(bencher: Bencher<'_, '_>) {
    let limits = Limits::default();
    let mut head = ResponseHead::default();
    let mut out = Vec::new();
    let recipient = Recipient { method: b"GET", version: Version::Http11, connection: KeepAlive::Keep };
    bencher.counter(BytesCount::new(ANSWER.len())).bench_local(|| {
        out.clear();
        let decoded = decode::response(black_box(ANSWER), &limits, b"GET", Upgrade::None, &mut head);
        encode::response(&head, head.body, recipient, &mut out);
        decoded.is_ok() && !black_box(&out).is_empty()
    });
}

#[divan::bench(args = [16, 1024, 16384])]
fn chunked_64k(bencher: Bencher<'_, '_>, chunk_bytes: usize) {
    let bytes = heads::chunked_64k(chunk_bytes);
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| heads::decode_chunked(black_box(&bytes)));
}

/// A head to decode, shown by its name.
struct Sample {
    name: &'static str,
    bytes: &'static [u8],
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
