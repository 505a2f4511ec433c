//! Heads and bodies of HTTP/1.1 as they come.

use sluicegate::http::BodyLength;
use sluicegate::http1::body::{BodyDecoder, Next};
use sluicegate::http1::encode;

/// What wrk sends.
pub(crate) const WRK: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// What curl sends, with a token.
pub(crate) const CURL: &[u8] = b"GET /api/v1/items?page=2 HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    User-Agent: curl/7.88.1\r\n\
    Accept: */*\r\n\
    Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n\r\n";

/// What a browser sends for a page.
pub(crate) const BROWSER: &[u8] = b"GET /products/shoes?size=42&color=black HTTP/1.1\r\n\
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

/// A small answer of nginx's.
pub(crate) const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: nginx\r\n\
    Date: Mon, 23 Nov 2026 16:00:00 GMT\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 12\r\n\
    Connection: keep-alive\r\n\r\n";

/// A body of 64 KiB in chunks of this size.
pub(crate) fn chunked_64k(chunk_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..65536 / chunk_bytes {
        encode::chunk_head(chunk_bytes, &mut bytes);
        bytes.resize(bytes.len() + chunk_bytes, b'x');
        bytes.extend_from_slice(encode::CHUNK_END);
    }
    bytes.extend_from_slice(encode::LAST_CHUNK);
    bytes
}

/// Decodes a chunked body that is there as a whole, and gives the number of its bytes.
pub(crate) fn decode_chunked(bytes: &[u8]) -> usize {
    let mut body = BodyDecoder::new(BodyLength::Unknown);
    let (mut at, mut data) = (0, 0);
    while let Ok(piece) = body.next(&bytes[at..]) {
        at += piece.consumed;
        data += piece.data.len();
        if piece.next != Next::Look {
            break;
        }
    }
    data
}
