//! Bytes that look like HTTP but are wrong somewhere, the same in every run.

use super::invariants::{self, check_beginnings, check_cuts, request, response};
use super::{CLIENT_CASES, ORIGIN_CASES, Random, cases, expand, mutate, second_opinion, text};
use crate::http::BodyLength;
use crate::http1::decode::Decoded;

/// How many changed inputs each test looks at.
const ROUNDS: usize = 40_000;
/// Longer seeds only repeat what shorter ones hold.
const SEED_BYTES_MAX: usize = 2000;

fn seeds(cases: &[serde_json::Value], key: &str) -> Vec<Vec<u8>> {
    let seeds = cases.iter().map(|case| expand(text(case, key)));
    seeds.filter(|seed| seed.len() <= SEED_BYTES_MAX).collect()
}

#[test]
fn requests() {
    let seeds = seeds(&cases(CLIENT_CASES), "request");
    let mut random = Random(0x5eed);
    for round in 0..ROUNDS {
        let mut bytes = seeds[round % seeds.len()].clone();
        mutate(&mut bytes, &mut random);
        invariants::check_request_round_trip(&bytes);
        second_opinion::check_request(&bytes);
        if round % 50 == 0 {
            check_beginnings(&bytes, |bytes| request(bytes).0);
        }
        if let (Ok(Decoded::Head { len }), head) = request(&bytes)
            && round % 4 == 0
        {
            check_cuts(head.body, &bytes[len..]);
        }
    }
}

#[test]
fn responses() {
    let seeds = seeds(&cases(ORIGIN_CASES), "response");
    let mut random = Random(0x5eed5);
    for round in 0..ROUNDS {
        let mut bytes = seeds[round % seeds.len()].clone();
        mutate(&mut bytes, &mut random);
        invariants::check_response_round_trip(&bytes);
        second_opinion::check_response(&bytes);
        if round % 50 == 0 {
            check_beginnings(&bytes, |bytes| response(bytes).0);
        }
    }
}

#[test]
fn chunked_bodies() {
    const SEEDS: [&[u8]; 4] = [
        b"5\r\nhello\r\n0\r\n\r\n",
        b"1\r\na\r\n10\r\n0123456789abcdef\r\n0\r\nX-A: b\r\nC:\r\n\r\n",
        b"3;a;b=c;d=\"e\\\"f\"\r\nxyz\r\n0;last\r\n\r\n",
        b"ffffffffffffffff\r\nendless",
    ];
    let mut random = Random(0x5eed55);
    for round in 0..ROUNDS {
        let mut bytes = SEEDS[round % SEEDS.len()].to_vec();
        mutate(&mut bytes, &mut random);
        check_cuts(BodyLength::Unknown, &bytes);
    }
}
