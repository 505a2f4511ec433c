//! The request head (RFC 9112 section 3).

use std::mem::MaybeUninit;

use httparse::Status;

use super::control::{Coding, Control};
use super::fields::{self, Fate};
use super::target::{self, Form};
use super::{
    BadFields, BadRequest, Decoded, FIELDS_MAX, Http10, OtherUpgrades, Policy, Stop, Window, as_http11,
};
use crate::http::{
    BodyLength, Name, RequestHead, SectionLine, UnderscoreVerdict, Underscores, Upgrade, Version,
    is_authority, is_in_any_case, is_token_byte,
};

/// Decodes the request head at the beginning of `bytes` into `head`, whose memory is used again; `head.scheme` must be
/// that of the connection and stays.
///
/// `bytes` are all that came since the last message, from its first byte on at each call. With `head_bytes` of them
/// or more the answer is never [`Decoded::Incomplete`].
pub fn request(bytes: &[u8], policy: &Policy, head: &mut RequestHead) -> Result<Decoded, BadRequest> {
    head.clear();
    let skipped = empty_lines(bytes);
    let window = Window::new(&bytes[skipped..], policy.limits.head_bytes);
    if !window.is_worth_parsing() {
        return Ok(Decoded::Incomplete);
    }
    match parse(window.bytes, policy, head) {
        Ok(len) => {
            head.wire_len = (skipped + len) as u32;
            Ok(Decoded::Head { len: skipped + len })
        }
        Err(Stop::Bad(bad)) => Err(bad),
        Err(Stop::Short) if !window.is_full => Ok(Decoded::Incomplete),
        Err(Stop::Short) if head.target.is_empty() => Err(BadRequest::TargetTooLong),
        Err(Stop::Short) => Err(BadRequest::Fields(BadFields::TooLarge)),
    }
}

/// Longer than any registered method; a longer one is refused before it is looked for (RFC 9112 section 3).
const METHOD_BYTES_MAX: usize = 32;
/// Empty lines that are passed over before a request line: some clients send one after a body (RFC 9112 section 2.2).
const EMPTY_LINES_MAX: usize = 4;

impl From<BadFields> for BadRequest {
    fn from(bad: BadFields) -> Self {
        BadRequest::Fields(bad)
    }
}

/// How many bytes of empty lines there are before the request line.
fn empty_lines(bytes: &[u8]) -> usize {
    let mut skipped = 0;
    while skipped < 2 * EMPTY_LINES_MAX && bytes[skipped..].starts_with(b"\r\n") {
        skipped += 2;
    }
    skipped
}

/// httparse finds the parts; the rules about them are ours.
fn parse(bytes: &[u8], policy: &Policy, head: &mut RequestHead) -> Result<usize, Stop<BadRequest>> {
    match bytes {
        // A lone CR may be the first half of an empty line.
        b"\r" => return Err(Stop::Short),
        // httparse passes over any number of empty lines, bare LF too.
        [b'\r' | b'\n', ..] => return Err(Stop::Bad(BadRequest::RequestLine)),
        _ => {}
    }
    let mut lines = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let outcome = parsed.parse_with_uninit_headers(bytes, &mut lines[..policy.limits.fields.min(FIELDS_MAX)]);
    let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
        let version_at = unfinished_line(bytes, parsed.method, parsed.path)?;
        return parse(&as_http11(bytes, version_at), policy, head);
    };
    let line = RequestLine { method: method.as_bytes(), target: target.as_bytes(), minor };
    let fields_at = request_line(bytes, &line, policy, head)?;
    let form = target::decode(line.target, head).map_err(Stop::Bad)?;
    let section = match outcome {
        Ok(Status::Complete(end)) => &bytes[fields_at..end],
        Ok(Status::Partial) => return Err(fields::stop(&bytes[fields_at..], Ok(()))),
        Err(error) => return Err(fields::stop(&bytes[fields_at..], Err(error))),
    };
    let mut notes = Notes::default();
    fields::take(section, parsed.headers, &mut head.fields, |line| notes.take(line, policy.underscores))
        .map_err(Stop::Bad)?;
    finish(&notes, form, policy, head).map_err(Stop::Bad)?;
    notes.control.remove_nominated(section, &mut head.fields);
    Ok(fields_at + section.len())
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    minor: u8,
}

/// Takes what httparse found in the request line, `method SP request-target SP HTTP-version CRLF`, and returns where
/// the line ends.
fn request_line(
    bytes: &[u8],
    line: &RequestLine<'_>,
    policy: &Policy,
    head: &mut RequestHead,
) -> Result<usize, Stop<BadRequest>> {
    if line.method.len() > METHOD_BYTES_MAX {
        return Err(Stop::Bad(BadRequest::MethodTooLong));
    }
    // httparse lets obs-text pass if it is UTF-8.
    if !line.target.is_ascii() {
        return Err(Stop::Bad(BadRequest::Target));
    }
    let end = line.method.len() + line.target.len() + b"  HTTP/1.1".len();
    match &bytes[end..] {
        [] | [b'\r'] => return Err(Stop::Short),
        [b'\r', b'\n', ..] => {}
        _ => return Err(Stop::Bad(BadRequest::Version)),
    }
    head.method.extend_from_slice(line.method);
    head.version = if line.minor == 0 { Version::Http10 } else { Version::Http11 };
    check_line(policy, head).map_err(Stop::Bad)?;
    Ok(end + 2)
}

/// Why httparse stopped within the request line, or where in it is a version that it does not know and we do.
#[cold]
fn unfinished_line(
    bytes: &[u8],
    method: Option<&str>,
    target: Option<&str>,
) -> Result<usize, Stop<BadRequest>> {
    let end_of = |bytes: &[u8], is_part: fn(u8) -> bool| bytes.iter().position(|byte| !is_part(*byte));
    let method_len = method.map_or_else(|| end_of(bytes, is_token_byte).unwrap_or(bytes.len()), str::len);
    if method_len > METHOD_BYTES_MAX {
        return Err(Stop::Bad(BadRequest::MethodTooLong));
    }
    match bytes.get(method_len) {
        None => return Err(Stop::Short),
        Some(b' ') if method_len > 0 => {}
        Some(_) if method_len > 0 => return Err(Stop::Bad(BadRequest::Method)),
        Some(_) => return Err(Stop::Bad(BadRequest::RequestLine)),
    }
    let rest = &bytes[method_len + 1..];
    let target_len = end_of(rest, |byte| byte.is_ascii_graphic()).unwrap_or(rest.len());
    match rest.get(target_len) {
        None => return Err(Stop::Short),
        Some(b' ') if target_len > 0 && target.is_some() => {}
        Some(b' ' | b'\r' | b'\n') => return Err(Stop::Bad(BadRequest::RequestLine)),
        Some(_) => return Err(Stop::Bad(BadRequest::Target)),
    }
    let version_at = method_len + 1 + target_len + 1;
    check_version(&bytes[version_at..])?;
    Ok(version_at)
}

/// Judges a version that httparse does not know. A higher minor version of HTTP/1 is read as HTTP/1.1 (RFC 9110
/// section 2.5).
fn check_version(bytes: &[u8]) -> Result<(), Stop<BadRequest>> {
    let Some(line) = bytes.first_chunk::<{ b"HTTP/1.1\r\n".len() }>() else {
        let may_become_one = b"HTTP/".iter().zip(bytes).all(|(wanted, byte)| wanted == byte);
        return Err(if may_become_one { Stop::Short } else { Stop::Bad(BadRequest::Version) });
    };
    match line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9', b'\r', b'\n'] => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b'\r', b'\n'] => {
            Err(Stop::Bad(BadRequest::VersionUnknown))
        }
        _ => Err(Stop::Bad(BadRequest::Version)),
    }
}

/// What is refused whatever the fields say.
fn check_line(policy: &Policy, head: &RequestHead) -> Result<(), BadRequest> {
    if head.version == Version::Http10 && policy.http10 == Http10::Refuse {
        return Err(BadRequest::Http10);
    }
    match head.method.as_slice() {
        b"CONNECT" => Err(BadRequest::Connect),
        b"TRACE" => Err(BadRequest::Trace),
        _ => Ok(()),
    }
}

/// What the fields of a request said that are not for the next hop.
#[derive(Default)]
struct Notes<'a> {
    control: Control,
    host: Option<&'a [u8]>,
    expectation: Expectation,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Expectation {
    #[default]
    None,
    Continue,
    Unknown,
}

impl<'a> Notes<'a> {
    #[inline(always)]
    fn take(&mut self, line: &SectionLine<'a>, underscores: Underscores) -> Result<Fate, BadRequest> {
        match line.name {
            // No name that is known whole has one.
            Name::Other | Name::XEnvoy if line.text.has_underscore() => judge(line.text.bytes(), underscores),
            Name::Host if self.host.is_some() => Err(BadRequest::HostRepeated),
            Name::Host => {
                self.host = Some(line.value);
                Ok(Fate::Drop)
            }
            Name::Expect => {
                self.note_expectation(line.value);
                Ok(Fate::Keep)
            }
            _ => Ok(self.control.note(line)?),
        }
    }

    fn note_expectation(&mut self, value: &[u8]) {
        self.expectation = match self.expectation {
            Expectation::None if is_in_any_case(value, b"100-continue") => Expectation::Continue,
            _ => Expectation::Unknown,
        };
    }
}

/// What becomes of a field whose name has an underscore.
fn judge(text: &[u8], underscores: Underscores) -> Result<Fate, BadRequest> {
    match underscores.judge(text) {
        UnderscoreVerdict::Keep => Ok(Fate::Keep),
        UnderscoreVerdict::Drop => Ok(Fate::Drop),
        UnderscoreVerdict::Refuse => Err(BadRequest::Underscore),
    }
}

/// Sets what the fields decide together, and refuses what they may not say together.
fn finish(
    notes: &Notes<'_>,
    form: Form<'_>,
    policy: &Policy,
    head: &mut RequestHead,
) -> Result<(), BadRequest> {
    let control = &notes.control;
    let host = notes.host.ok_or(BadRequest::HostMissing)?;
    if !is_authority(host) {
        return Err(BadRequest::Authority);
    }
    head.authority.extend_from_slice(host);
    if let Form::Absolute(authority) = form {
        target::check_host(authority, head)?;
        head.authority.clear();
        head.authority.extend_from_slice(authority);
    }
    control.check_framing()?;
    if control.nominates_framing {
        return Err(BadRequest::FramingNominated);
    }
    head.body = body(control, head)?;
    head.keep_alive = match head.version {
        Version::Http10 => control.keep_alive && !control.close,
        _ => !control.close,
    };
    head.upgrade = upgrade(control, policy, head)?;
    expect(notes.expectation, head)
}

/// RFC 9112 section 6.3, for requests.
fn body(control: &Control, head: &RequestHead) -> Result<BodyLength, BadRequest> {
    let is_old = head.version == Version::Http10;
    match (control.coding, control.content_length) {
        // HTTP/1.0 has no transfer codings: whoever sent one is not to be trusted with framing (section 6.1).
        (Some(Coding::Chunked), _) if !is_old => Ok(BodyLength::Unknown),
        (Some(_), _) => Err(BadRequest::TransferCoding),
        (None, None) if is_old && matches!(head.method.as_slice(), b"POST" | b"PUT" | b"PATCH") => {
            Err(BadRequest::LengthRequired)
        }
        (None, None | Some(0)) => Ok(BodyLength::None),
        (None, Some(length)) => Ok(BodyLength::Sized(length)),
    }
}

/// Websocket begins with a GET that has no body (RFC 6455 section 4.1); with any other request, and in HTTP/1.0
/// (RFC 9110 section 7.8), `upgrade` says nothing.
fn upgrade(control: &Control, policy: &Policy, head: &RequestHead) -> Result<Upgrade, BadRequest> {
    match control.upgrade_asked() {
        _ if head.version == Version::Http10 => Ok(Upgrade::None),
        Upgrade::WebSocket if head.method == b"GET" && head.body == BodyLength::None => {
            Ok(Upgrade::WebSocket)
        }
        Upgrade::Other if policy.other_upgrades == OtherUpgrades::Refuse => Err(BadRequest::Upgrade),
        _ => Ok(Upgrade::None),
    }
}

/// An expectation without a body, or in HTTP/1.0, is dropped: nobody waits (RFC 9110 section 10.1.1).
fn expect(expectation: Expectation, head: &mut RequestHead) -> Result<(), BadRequest> {
    match expectation {
        Expectation::None => {}
        Expectation::Unknown => return Err(BadRequest::Expectation),
        Expectation::Continue if head.body == BodyLength::None || head.version == Version::Http10 => {
            head.fields.remove(Name::Expect);
        }
        Expectation::Continue => head.expects_continue = true,
    }
    Ok(())
}
