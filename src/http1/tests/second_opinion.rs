//! A second parser, as plain as can be, reads the same: it knows nothing but the grammar, and splits text at what
//! separates its parts.

use super::invariants::{request, response};
use super::{CLIENT_CASES, ORIGIN_CASES, cases, expand, text};
use crate::http::{Fields, Upgrade};
use crate::http1::decode::{BadFields, BadRequest, BadResponse, Decoded};

#[test]
fn a_plain_parser_reads_the_same() {
    for case in cases(CLIENT_CASES) {
        check_request(&expand(text(&case, "request")));
    }
    for case in cases(ORIGIN_CASES) {
        check_response(&expand(text(&case, "response")));
    }
}

pub(super) fn check_request(bytes: &[u8]) {
    let text = latin1(bytes);
    let skipped = (0..4).take_while(|count| text[2 * count..].starts_with("\r\n")).count() * 2;
    let plain = Plain::read(&text[skipped..], is_request_line);
    let (result, head) = request(bytes);
    let len = match result {
        Ok(Decoded::Head { len }) => len,
        result => return assert!(plain.is_none() || !breaks_grammar(result), "{}", bytes.escape_ascii()),
    };
    let plain = plain.unwrap_or_else(|| panic!("no request: {}", bytes.escape_ascii()));
    assert_eq!(skipped + plain.len, len);
    let mut parts = plain.start.split(' ');
    assert_eq!(parts.next().unwrap_or_default(), latin1(&head.method));
    assert_eq!(path_and_query(parts.next().unwrap_or_default()), latin1(&head.target));
    check_fields(&plain.lines, &head.fields, &latin1(&head.authority));
}

pub(super) fn check_response(bytes: &[u8]) {
    let text = latin1(bytes);
    let plain = Plain::read(&text, is_status_line);
    let (result, head) = response(bytes);
    let len = match result {
        Ok(Decoded::Head { len }) => len,
        result => return assert!(plain.is_none() || !is_no_response(result), "{}", bytes.escape_ascii()),
    };
    let plain = plain.unwrap_or_else(|| panic!("no response: {}", bytes.escape_ascii()));
    assert_eq!(plain.len, len);
    assert_eq!(plain.start[9..12], head.status.to_string());
    assert!(head.upgrade != Upgrade::WebSocket || head.status == 101);
    check_fields(&plain.lines, &head.fields, "");
}

/// Whether we say that this does not follow the grammar, or is not whole.
fn breaks_grammar(result: Result<Decoded, BadRequest>) -> bool {
    use BadRequest as Bad;
    match result {
        Ok(_) | Err(Bad::RequestLine | Bad::Method | Bad::Version) => true,
        Err(Bad::Fields(bad)) => breaks_line(bad),
        Err(_) => false,
    }
}

fn is_no_response(result: Result<Decoded, BadResponse>) -> bool {
    use BadResponse as Bad;
    match result {
        Ok(_) | Err(Bad::StatusLine | Bad::Version | Bad::Status) => true,
        Err(Bad::Fields(bad)) => breaks_line(bad),
        Err(_) => false,
    }
}

fn breaks_line(bad: BadFields) -> bool {
    matches!(bad, BadFields::Name | BadFields::Value | BadFields::End)
}

/// A head that follows the grammar.
struct Plain<'a> {
    start: &'a str,
    lines: Vec<(&'a str, &'a str)>,
    len: usize,
}

impl<'a> Plain<'a> {
    /// Text of which every character stands for a byte.
    fn read(text: &'a str, is_start: fn(&str) -> bool) -> Option<Plain<'a>> {
        let (head, _) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next().filter(|line| is_start(line))?;
        let lines = lines.map(field).collect::<Option<_>>()?;
        Some(Plain { start, lines, len: head.chars().count() + 4 })
    }
}

fn is_request_line(line: &str) -> bool {
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = parts[..] else { return false };
    let version: Vec<char> = version.chars().collect();
    is_token(method)
        && !target.is_empty()
        && target.chars().all(|c| c.is_ascii_graphic())
        && matches!(version[..], ['H', 'T', 'T', 'P', '/', '0'..='9', '.', '0'..='9'])
}

fn is_status_line(line: &str) -> bool {
    let mut parts = line.splitn(3, ' ');
    let version = parts.next().and_then(|version| version.strip_prefix("HTTP/1."));
    let status: Vec<char> = parts.next().unwrap_or_default().chars().collect();
    version.is_some_and(|minor| minor.len() == 1 && minor.chars().all(|c| c.is_ascii_digit()))
        && matches!(status[..], ['1'..='9', '0'..='9', '0'..='9'])
        && is_text(parts.next().unwrap_or_default())
}

fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    (is_token(name) && is_text(value)).then(|| (name, value.trim_matches([' ', '\t'])))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

fn is_text(text: &str) -> bool {
    text.chars().all(|c| c == '\t' || c >= ' ' && c != '\u{7f}')
}

fn path_and_query(target: &str) -> String {
    let target = target.split('#').next().unwrap_or_default();
    if target.starts_with(['/', '*']) {
        return target.to_owned();
    }
    let (_, rest) = target.split_once("://").unwrap_or_default();
    let path = &rest[rest.find(['/', '?']).unwrap_or(rest.len())..];
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Ours are theirs in the same order, but for what we drop.
fn check_fields(theirs: &[(&str, &str)], ours: &Fields, authority: &str) {
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
    let mut ours = ours.iter().map(|field| (latin1(field.text), latin1(field.value))).peekable();
    for (name, value) in theirs {
        let name = name.to_ascii_lowercase();
        if ours.next_if(|(our_name, our_value)| *our_name == name && our_value == value).is_some() {
            continue;
        }
        let nominates =
            |value: &str| value.split(',').any(|member| member.trim().eq_ignore_ascii_case(&name));
        let is_nominated =
            theirs.iter().any(|(name, value)| name.eq_ignore_ascii_case("connection") && nominates(value));
        assert!(is_nominated || DROPPED.contains(&&name[..]), "lost {name}");
        if name == "host" {
            // An absolute target's authority may be spelled in another way.
            let first = |text: &str| text.chars().next().map(|c| c.to_ascii_lowercase());
            assert_eq!(first(value), first(authority));
        }
    }
    assert_eq!(ours.next(), None, "a field that is not there");
}
