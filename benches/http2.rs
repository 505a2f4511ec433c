//! What HTTP/2's state machine costs, with memory warm: `cargo bench --bench http2`.

#[path = "common/pair.rs"]
mod pair;

use divan::{Bencher, black_box};
use pair::{Pair, exchange, request, response};
use sluicegate::http::ResponseHead;

fn main() {
    divan::main();
}

#[divan::bench]
fn request_and_answer_both_ends(bencher: Bencher<'_, '_>) {
    let (mut pair, request, answer) = (Pair::new(), request(), response());
    let mut got = ResponseHead::default();
    bencher.bench_local(|| {
        exchange(&mut pair, black_box(&request), black_box(&answer), &mut got);
        black_box(got.status)
    });
}
