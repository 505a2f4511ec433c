//! What the HTTP/1.1 codec costs for heads as they come, with memory warm: `cargo bench --bench codec`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use sluicegate::http::{BodyLength, RequestHead, ResponseHead, Upgrade, Version};
use sluicegate::http1::body::{BodyDecoder, Next};
use sluicegate::http1::decode::{self, Limits, Policy};
use sluicegate::http1::encode::{self, KeepAlive, Recipient};

fn main() {
    divan::main();
}

const WRK: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

const CURL: &[u8] = b"GET /api/v1/items?page=2 HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    User-Agent: curl/7.88.1\r\n\
    Accept: */*\r\n\
    Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n\r\n";

const BROWSER: &[u8] = b"GET /products/shoes?size=42&color=black HTTP/1.1\r\n\
    Host: www.shop.example.com\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: max-age=0\r\n\
    sec-ch-ua: \"Chromium\";v=\"142\", \"Not A(Brand\";v=\"24\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Dest: document\r\n\
    Referer: https://www.shop.example.com/products\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; consent=yes; cart=a1b2c3d4e5f6\r\n\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: nginx\r\n\
    Date: Mon, 23 Nov 2026 16:00:00 GMT\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 12\r\n\
    Connection: keep-alive\r\n\r\n";

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
    let mut bytes = Vec::new();
    for _ in 0..65536 / chunk_bytes {
        encode::chunk_head(chunk_bytes, &mut bytes);
        bytes.resize(bytes.len() + chunk_bytes, b'x');
        bytes.extend_from_slice(encode::CHUNK_END);
    }
    bytes.extend_from_slice(encode::LAST_CHUNK);
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        let mut body = BodyDecoder::new(BodyLength::Unknown);
        let (mut at, mut data) = (0, 0);
        while let Ok(piece) = body.next(black_box(&bytes[at..])) {
            at += piece.consumed;
            data += piece.data.len();
            if piece.next != Next::Look {
                break;
            }
        }
        data
    });
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
