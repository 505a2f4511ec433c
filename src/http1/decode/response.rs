//! The response head (RFC 9112 section 4).

use super::control::{Coding, Control};
use super::{BadFields, BadResponse, Decoded, Limits, Stop, Window, fields, scan};
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

fn parse(
    bytes: &[u8],
    limits: &Limits,
    request_method: &[u8],
    upgrade_asked: Upgrade,
    head: &mut ResponseHead,
) -> Result<usize, Stop<BadResponse>> {
    let line_end = status_line(bytes, head)?;
    let mut control = Control::default();
    let end = fields::decode(bytes, line_end, limits.fields, &mut head.fields, |line| {
        control.note(&line).map_err(BadResponse::from)
    })?;
    finish(&control, request_method, upgrade_asked, head).map_err(Stop::Bad)?;
    control.remove_nominated(&bytes[line_end..end], &mut head.fields);
    Ok(end)
}

/// `HTTP/1.1 200`
const STATUS_BYTES: usize = 12;

/// Reads `HTTP-version SP status-code SP reason-phrase CRLF` and returns where it ends. The reason is dropped; many
/// origins leave out the space before one that is empty.
fn status_line(bytes: &[u8], head: &mut ResponseHead) -> Result<usize, Stop<BadResponse>> {
    let Some(start) = bytes.first_chunk::<STATUS_BYTES>() else {
        let may_become_one = b"HTTP/1.".iter().zip(bytes).all(|(wanted, byte)| wanted == byte);
        return Err(if may_become_one { Stop::Short } else { Stop::Bad(BadResponse::StatusLine) });
    };
    let [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, b' ', status @ ..] = start else {
        return Err(Stop::Bad(BadResponse::StatusLine));
    };
    head.version = match (major, minor) {
        (b'1', b'0') => Version::Http10,
        (b'1', b'1'..=b'9') => Version::Http11,
        _ => return Err(Stop::Bad(BadResponse::Version)),
    };
    head.status = match status {
        [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => {
            status.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
        }
        _ => return Err(Stop::Bad(BadResponse::Status)),
    };
    let reason_end = match bytes.get(STATUS_BYTES) {
        Some(b' ') => scan::value_end(bytes, STATUS_BYTES + 1),
        _ => STATUS_BYTES,
    };
    match bytes.get(reason_end..) {
        None | Some([]) | Some([b'\r']) => Err(Stop::Short),
        Some([b'\r', b'\n', ..]) => Ok(reason_end + 2),
        Some([b'0'..=b'9', ..]) => Err(Stop::Bad(BadResponse::Status)),
        Some(_) => Err(Stop::Bad(BadResponse::StatusLine)),
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
