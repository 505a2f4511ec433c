//! Random fields and limits from the encoder to the decoder, and blocks with bytes changed.

use super::super::{Decoder, Encoder};
use super::huffman::encode;
use super::{Numbers, Pair, fields};
use crate::http::Name;

const TEXTS: [&str; 16] = [
    "accept",
    "accept-encoding",
    "authorization",
    "cache-control",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "location",
    "server",
    "user-agent",
    "x-b3-spanid",
    "x-custom",
    "x-forwarded-for",
    "x-other",
    "x-request-id",
];

const VALUES: [&[u8]; 7] =
    [b"", b"gzip, deflate", b"text/plain", b"12", b"a value of some length", &[b'l'; 130], &[0xff; 300]];

/// One random field: written by the encoder, and what it has to become.
fn field(numbers: &mut Numbers, encoder: &mut Encoder, out: &mut Vec<u8>) -> Pair {
    let number = numbers.below(40).to_string();
    let value = match numbers.below(3) {
        0 => VALUES[numbers.below(VALUES.len())],
        _ => number.as_bytes(),
    };
    let text = match numbers.below(20) {
        0 => {
            encoder.method(value, out);
            ":method"
        }
        1 => {
            encoder.path(value, out);
            ":path"
        }
        2 => {
            encoder.scheme(value, out);
            ":scheme"
        }
        3 | 4 => {
            encoder.authority(value, out);
            ":authority"
        }
        5 => {
            let status = 200 + numbers.below(310);
            encoder.status(status as u16, out);
            return (b":status".to_vec(), status.to_string().into_bytes());
        }
        _ => {
            let text = TEXTS[numbers.below(TEXTS.len())];
            encoder.field(Name::of(text.as_bytes()), text.as_bytes(), value, out);
            text
        }
    };
    (text.as_bytes().to_vec(), value.to_vec())
}

#[test]
fn what_is_encoded_is_decoded() {
    for seed in 1..=60 {
        let mut numbers = Numbers(seed);
        let limit_max = [50, 100, 300, 5000][numbers.below(4)];
        let mut encoder = Encoder::new();
        let mut decoder = Decoder::new(4096);
        for _ in 0..200 {
            while numbers.below(10) < 2 {
                encoder.set_limit(numbers.below(limit_max) as u32);
            }
            let mut block = Vec::new();
            encoder.begin(&mut block);
            let expected: Vec<Pair> =
                (0..numbers.below(12)).map(|_| field(&mut numbers, &mut encoder, &mut block)).collect();
            assert_eq!(fields(&mut decoder, &block), Ok(expected), "seed {seed}");
            assert_eq!(decoder.table_bytes(), encoder.table_bytes(), "seed {seed}");
        }
    }
}

/// Sequences of blocks with bytes changed, cut off or random. Whatever comes of it, nothing panics, and the table keeps
/// to its limit.
#[test]
fn changed_blocks_do_not_panic() {
    let mut errors = 0;
    for seed in 1..=4000 {
        let mut numbers = Numbers(seed);
        let mut encoder = Encoder::new();
        let mut decoder = Decoder::new(200);
        encoder.set_limit(200);
        for _ in 0..6 {
            let mut block = Vec::new();
            encoder.begin(&mut block);
            for _ in 0..numbers.below(6) {
                field(&mut numbers, &mut encoder, &mut block);
                if numbers.below(3) == 0 {
                    let coded = encode(TEXTS[numbers.below(TEXTS.len())].as_bytes());
                    block.extend([0x40, 0x80 | coded.len() as u8]);
                    block.extend_from_slice(&coded);
                    block.extend([0x80 | coded.len() as u8]);
                    block.extend_from_slice(&coded);
                }
            }
            for _ in 0..numbers.below(3) {
                if !block.is_empty() {
                    let place = numbers.below(block.len());
                    block[place] = numbers.below(256) as u8;
                }
            }
            if numbers.below(4) == 0 {
                block.truncate(numbers.below(block.len() + 1));
            }
            // The decoder goes on after an error here, which a connection does not.
            errors += u32::from(fields(&mut decoder, &block).is_err());
            assert!(decoder.table_bytes() <= 200);
        }
    }
    assert!(errors > 1000, "{errors}");
}
