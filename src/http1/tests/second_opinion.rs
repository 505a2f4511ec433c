//! httparse reads the same: what we accept it accepts, and finds the same parts in.

use super::invariants::{request, response};
use super::{CLIENT_CASES, ORIGIN_CASES, cases, expand, text};
use crate::http::{Fields, Upgrade};
use crate::http1::decode::Decoded;

#[test]
fn httparse_reads_the_same() {
    for case in cases(CLIENT_CASES) {
        check_request(&expand(text(&case, "request")));
    }
    for case in cases(ORIGIN_CASES) {
        check_response(&expand(text(&case, "response")));
    }
}

pub(super) fn check_request(bytes: &[u8]) {
    let (Ok(Decoded::Head { len }), head) = request(bytes) else { return };
    let mut lines = [httparse::EMPTY_HEADER; 100];
    let mut other = httparse::Request::new(&mut lines);
    let status = match other.parse(bytes) {
        Err(httparse::Error::Version) => return, // It knows 1.0 and 1.1 only.
        status => status,
    };
    assert_eq!(status, Ok(httparse::Status::Complete(len)), "{}", bytes.escape_ascii());
    assert_eq!(other.method.map(str::as_bytes), Some(&head.method[..]));
    let target = other.path.unwrap_or_default().as_bytes();
    let path_at = target.len() - target.len().min(head.target.len());
    let cut_at = memchr::memchr(b'#', target).unwrap_or(target.len());
    assert!(
        target.starts_with(&head.target)
            || target[path_at.min(cut_at)..cut_at].ends_with(&head.target)
            || has_no_path(target, &head.target)
    );
    check_fields(other.headers, &head.fields, &head.authority);
}

pub(super) fn check_response(bytes: &[u8]) {
    let (Ok(Decoded::Head { len }), head) = response(bytes) else { return };
    let mut lines = [httparse::EMPTY_HEADER; 100];
    let mut other = httparse::Response::new(&mut lines);
    let status = match other.parse(bytes) {
        Err(httparse::Error::Version) => return,
        status => status,
    };
    assert_eq!(status, Ok(httparse::Status::Complete(len)), "{}", bytes.escape_ascii());
    assert_eq!(other.code, Some(head.status));
    assert!(head.upgrade != Upgrade::WebSocket || head.status == 101);
    check_fields(other.headers, &head.fields, b"");
}

/// An absolute target without a path, or with a fragment, does not end in what we made of it.
fn has_no_path(target: &[u8], ours: &[u8]) -> bool {
    target.windows(3).any(|part| part == b"://")
        && (ours == b"/" || ours.starts_with(b"/?") || target.contains(&b'#'))
}

/// Ours are theirs in the same order, but for what we drop.
fn check_fields(theirs: &[httparse::Header<'_>], ours: &Fields, authority: &[u8]) {
    const DROPPED: [&str; 11] = [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "te",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "http2-settings",
        "trailer",
        "expect",
    ];
    let mut ours = ours.iter().peekable();
    for line in theirs {
        let is_ours = |name: &[u8], value: &[u8]| {
            line.name.as_bytes().eq_ignore_ascii_case(name) && line.value == value
        };
        if ours.peek().is_some_and(|field| is_ours(field.text, field.value)) {
            ours.next();
            continue;
        }
        let is_nominated = theirs.iter().any(|other| {
            other.name.eq_ignore_ascii_case("connection")
                && other
                    .value
                    .split(|b| *b == b',')
                    .any(|member| member.trim_ascii().eq_ignore_ascii_case(line.name.as_bytes()))
        });
        assert!(
            is_nominated || DROPPED.iter().any(|name| line.name.eq_ignore_ascii_case(name)),
            "lost {}",
            line.name
        );
        if line.name.eq_ignore_ascii_case("host") {
            // An absolute target's authority may be spelled in another way.
            assert_eq!(
                line.value.first().map(u8::to_ascii_lowercase),
                authority.first().map(u8::to_ascii_lowercase)
            );
        }
    }
    assert!(ours.next().is_none(), "a field that httparse does not see");
}
