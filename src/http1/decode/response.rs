//! The response head (RFC 9112 section 4).

use std::mem::MaybeUninit;

use httparse::{ParserConfig, Status};

use super::control::{Coding, Control};
use super::{BadFields, BadResponse, Decoded, FIELDS_MAX, Limits, Stop, Window, as_http11, fields};
use crate::http::{BodyLength, ResponseHead, Upgrade, Version};

/// Decodes the response head at the beginning of `bytes` into `head`, whose memory is used again. It may be an interim
/// response (below 200): another head follows then.
///
/// The body depends on what was asked: nothing follows the answer to HEAD, and 101 is an answer only to
/// `upgrade_asked`. `bytes` are all that came since the last message, from its first byte on at each call. With
/// `head_bytes` of them or more the answer is never [`Decoded::Incomplete`].
pub fn response(
    bytes: &[u8],
    limits: &Limits,
    request_method: &[u8],
    upgrade_asked: Upgrade,
    head: &mut ResponseHead,
) -> Result<Decoded, BadResponse> {
    head.clear();
    let window = Window::new(bytes, limits.head_bytes);
    if !window.is_worth_parsing() {
        return Ok(Decoded::Incomplete);
    }
    match parse(window.bytes, limits, request_method, upgrade_asked, head) {
        Ok(len) => Ok(Decoded::Head { len }),
        Err(Stop::Bad(bad)) => Err(bad),
        Err(Stop::Short) if !window.is_full => Ok(Decoded::Incomplete),
        Err(Stop::Short) => Err(BadResponse::Fields(BadFields::TooLarge)),
    }
}

impl From<BadFields> for BadResponse {
    fn from(bad: BadFields) -> Self {
        BadResponse::Fields(bad)
    }
}

/// httparse finds the parts; the rules about them are ours.
fn parse(
    bytes: &[u8],
    limits: &Limits,
    request_method: &[u8],
    upgrade_asked: Upgrade,
    head: &mut ResponseHead,
) -> Result<usize, Stop<BadResponse>> {
    // httparse passes over any number of empty lines, bare LF too.
    if let Some(b'\r' | b'\n') = bytes.first() {
        return Err(Stop::Bad(BadResponse::StatusLine));
    }
    let mut lines = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let outcome = ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        bytes,
        &mut lines[..limits.fields.min(FIELDS_MAX)],
    );
    if outcome == Err(httparse::Error::Version) && is_newer(bytes) {
        let copy = as_http11(bytes, 0);
        return parse(&copy, limits, request_method, upgrade_asked, head);
    }
    let fields_at = status_line(bytes, &parsed, outcome, head)?;
    let section = match outcome {
        Ok(Status::Complete(end)) => &bytes[fields_at..end],
        Ok(Status::Partial) => return Err(fields::stop(&bytes[fields_at..], Ok(()))),
        Err(error) => return Err(fields::stop(&bytes[fields_at..], Err(error))),
    };
    let mut control = Control::default();
    fields::take(section, parsed.headers, &mut head.fields, |line| control.note(line))
        .map_err(|bad: BadFields| Stop::Bad(bad.into()))?;
    finish(&control, request_method, upgrade_asked, head).map_err(Stop::Bad)?;
    control.remove_nominated(section, &mut head.fields);
    Ok(fields_at + section.len())
}

/// Whether the head is of a higher minor version of HTTP/1, to be read as HTTP/1.1 (RFC 9110 section 2.5).
fn is_newer(bytes: &[u8]) -> bool {
    matches!(bytes, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9', ..])
}

/// `HTTP/1.1 200`
const STATUS_BYTES: usize = 12;

/// Takes what httparse found in the status line, `HTTP-version SP status-code SP reason-phrase CRLF`, and returns
/// where the line ends. The reason is dropped; many origins leave out the space before one that is empty.
fn status_line(
    bytes: &[u8],
    parsed: &httparse::Response<'_, '_>,
    outcome: httparse::Result<usize>,
    head: &mut ResponseHead,
) -> Result<usize, Stop<BadResponse>> {
    let stop = |bad| Err(if outcome.is_ok() { Stop::Short } else { Stop::Bad(bad) });
    let Some(minor) = parsed.version else { return stop(unknown_version(bytes)) };
    let Some(status) = parsed.code else {
        // There must be one space before the status.
        let bad = if bytes.get(8) == Some(&b' ') { BadResponse::Status } else { BadResponse::StatusLine };
        return stop(bad);
    };
    if status < 100 {
        return Err(Stop::Bad(BadResponse::Status));
    }
    head.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    head.status = status;
    let Some(reason) = parsed.reason else {
        let is_longer = bytes.get(STATUS_BYTES).is_some_and(u8::is_ascii_digit);
        return stop(if is_longer { BadResponse::Status } else { BadResponse::StatusLine });
    };
    // One that is not empty begins after one space, and has no line end in it.
    let reason_end = STATUS_BYTES + 1 + reason.len();
    if !reason.is_empty() && bytes.get(reason_end..reason_end + 2) == Some(b"\r\n") {
        return Ok(reason_end + 2);
    }
    // The length of one with obs-text is not to be had from httparse: it gives an empty one.
    match memchr::memchr(b'\n', bytes) {
        Some(end) if bytes[end - 1] == b'\r' => Ok(end + 1),
        _ => Err(Stop::Bad(BadResponse::StatusLine)),
    }
}

/// What to call a version that httparse does not know.
fn unknown_version(bytes: &[u8]) -> BadResponse {
    match bytes {
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', ..] => BadResponse::Version,
        _ => BadResponse::StatusLine,
    }
}

/// Sets what the fields decide together (RFC 9112 section 6.3), and refuses what they may not say together.
fn finish(
    control: &Control,
    request_method: &[u8],
    upgrade_asked: Upgrade,
    head: &mut ResponseHead,
) -> Result<(), BadResponse> {
    control.check_framing()?;
    if head.status == 101 {
        return switch(control, upgrade_asked, head);
    }
    if matches!(control.coding, Some(Coding::Other))
        || (control.coding.is_some() && head.version == Version::Http10)
    {
        return Err(BadResponse::TransferCoding);
    }
    head.keep_alive = match head.version {
        Version::Http10 => control.keep_alive && !control.close,
        _ => !control.close,
    };
    if matches!(head.status, 100..=199 | 204) {
        // These never have a body; an origin that announces one may send it all the same (section 6.1).
        head.keep_alive &= control.coding.is_none() && matches!(control.content_length, None | Some(0));
        return Ok(());
    }
    head.content_length = control.content_length;
    if head.status == 304 || request_method == b"HEAD" {
        return Ok(());
    }
    head.body = match (control.coding, control.content_length) {
        (Some(_), _) => BodyLength::Unknown,
        (None, Some(0)) => BodyLength::None,
        (None, Some(length)) => BodyLength::Sized(length),
        (None, None) => BodyLength::UntilClose,
    };
    head.keep_alive &= head.body != BodyLength::UntilClose;
    Ok(())
}

/// 101 is good only if it switches to what was asked for (RFC 9110 section 15.2.2).
fn switch(control: &Control, upgrade_asked: Upgrade, head: &mut ResponseHead) -> Result<(), BadResponse> {
    match (upgrade_asked, control.upgrade_asked()) {
        (Upgrade::WebSocket, Upgrade::WebSocket) => {
            head.upgrade = Upgrade::WebSocket;
            Ok(())
        }
        _ => Err(BadResponse::SwitchingUnasked),
    }
}
