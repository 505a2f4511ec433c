//! The request head (RFC 9112 section 3).

use super::control::{Coding, Control};
use super::fields::{self, Fate, Line};
use super::target::{self, Form};
use super::{BadFields, BadRequest, Decoded, Http10, OtherUpgrades, Policy, Stop, Underscores, Window, scan};
use crate::http::{BodyLength, Name, RequestHead, Upgrade, Version, is_authority};

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

fn parse(bytes: &[u8], policy: &Policy, head: &mut RequestHead) -> Result<usize, Stop<BadRequest>> {
    let line = request_line(bytes, head)?;
    head.version = line.version;
    check_line(&line, policy, head).map_err(Stop::Bad)?;
    let form = target::decode(line.target, head).map_err(Stop::Bad)?;
    let mut notes = Notes::default();
    let fields_max = policy.limits.fields;
    let end = fields::decode(bytes, line.end, fields_max, &mut head.fields, |line| {
        notes.take(&line, policy.underscores)
    })?;
    finish(&notes, form, policy, head).map_err(Stop::Bad)?;
    notes.control.remove_nominated(&bytes[line.end..end], &mut head.fields);
    Ok(end)
}

struct RequestLine<'a> {
    target: &'a [u8],
    version: Version,
    end: usize,
}

/// Splits `method SP request-target SP HTTP-version CRLF`: single spaces, no other white space.
fn request_line<'a>(bytes: &'a [u8], head: &mut RequestHead) -> Result<RequestLine<'a>, Stop<BadRequest>> {
    let method_end = scan::name_end(bytes, 0).at.min(METHOD_BYTES_MAX + 1);
    if method_end > METHOD_BYTES_MAX {
        return Err(Stop::Bad(BadRequest::MethodTooLong));
    }
    match bytes.get(method_end) {
        // A lone CR may be the first half of an empty line.
        None => return Err(Stop::Short),
        Some(b'\r') if bytes.len() == 1 => return Err(Stop::Short),
        Some(b' ') if method_end > 0 => {}
        Some(_) if method_end > 0 => return Err(Stop::Bad(BadRequest::Method)),
        Some(_) => return Err(Stop::Bad(BadRequest::RequestLine)),
    }
    let target_at = method_end + 1;
    let target_end = scan::visible_end(bytes, target_at);
    match bytes.get(target_end) {
        None => return Err(Stop::Short),
        Some(b' ') if target_end > target_at => {}
        Some(b' ' | b'\r' | b'\n') => return Err(Stop::Bad(BadRequest::RequestLine)),
        Some(_) => return Err(Stop::Bad(BadRequest::Target)),
    }
    head.method.extend_from_slice(&bytes[..method_end]);
    let version_at = target_end + 1;
    let version = version(&bytes[version_at..])?;
    Ok(RequestLine { target: &bytes[target_at..target_end], version, end: version_at + VERSION_LINE_BYTES })
}

/// `HTTP/1.1` and CRLF.
const VERSION_LINE_BYTES: usize = 10;

/// Reads the version at the beginning of `bytes` and the end of the line after it. A higher minor version of HTTP/1
/// is read as HTTP/1.1 (RFC 9110 section 2.5).
fn version(bytes: &[u8]) -> Result<Version, Stop<BadRequest>> {
    let Some(line) = bytes.first_chunk::<VERSION_LINE_BYTES>() else {
        let may_become_one = b"HTTP/".iter().zip(bytes).all(|(wanted, byte)| wanted == byte);
        return Err(if may_become_one { Stop::Short } else { Stop::Bad(BadRequest::Version) });
    };
    match line {
        b"HTTP/1.1\r\n" => Ok(Version::Http11),
        b"HTTP/1.0\r\n" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9', b'\r', b'\n'] => Ok(Version::Http11),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b'\r', b'\n'] => {
            Err(Stop::Bad(BadRequest::VersionUnknown))
        }
        _ => Err(Stop::Bad(BadRequest::Version)),
    }
}

/// What is refused whatever the fields say.
fn check_line(line: &RequestLine<'_>, policy: &Policy, head: &RequestHead) -> Result<(), BadRequest> {
    if line.version == Version::Http10 && policy.http10 == Http10::Refuse {
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
    fn take(&mut self, line: &Line<'a>, underscores: Underscores) -> Result<Fate, BadRequest> {
        if line.has_underscore {
            return underscored(line.text, underscores);
        }
        match line.name {
            Name::Host if self.host.is_some() => Err(BadRequest::HostRepeated),
            Name::Host => {
                self.host = Some(line.value);
                Ok(Fate::Drop)
            }
            Name::Expect => {
                self.expectation = match self.expectation {
                    Expectation::None if line.value.eq_ignore_ascii_case(b"100-continue") => {
                        Expectation::Continue
                    }
                    _ => Expectation::Unknown,
                };
                Ok(Fate::Keep)
            }
            _ => Ok(self.control.note(line)?),
        }
    }
}

/// Judges a name with an underscore.
fn underscored(text: &[u8], underscores: Underscores) -> Result<Fate, BadRequest> {
    let reads_as = |name: &[u8]| {
        text.len() == name.len()
            && text.iter().zip(name).all(|(byte, wanted)| {
                byte.to_ascii_lowercase() == *wanted || (*byte == b'_' && *wanted == b'-')
            })
    };
    if reads_as(b"content-length") || reads_as(b"transfer-encoding") {
        return Err(BadRequest::Underscore);
    }
    match underscores {
        Underscores::Allow => Ok(Fate::Keep),
        Underscores::Drop => Ok(Fate::Drop),
        Underscores::Reject => Err(BadRequest::Underscore),
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
