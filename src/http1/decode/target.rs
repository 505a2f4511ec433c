//! What a request target may be (RFC 9112 section 3.2).

use super::BadRequest;
use crate::http::{FragmentInQuery, RequestHead, Scheme, is_authority, same_authority};

/// What a target says besides the path.
pub(super) enum Form<'a> {
    /// `/path?query`, or `*`.
    Origin,
    /// `scheme://authority/path?query`; the authority is checked.
    Absolute(&'a [u8]),
}

/// Decodes a target of visible ASCII characters into `head.target` and `head.path_len`.
pub(super) fn decode<'a>(target: &'a [u8], head: &mut RequestHead) -> Result<Form<'a>, BadRequest> {
    match target {
        [b'/', ..] => {
            head.set_target(target)?;
            Ok(Form::Origin)
        }
        b"*" if head.method == b"OPTIONS" => {
            head.set_target(target)?;
            Ok(Form::Origin)
        }
        _ => absolute(target, head),
    }
}

/// Refuses a target whose authority is not the one in `host`: the RFC would have the target's win, but what stands
/// behind us may not agree.
pub(super) fn check_host(authority: &[u8], head: &RequestHead) -> Result<(), BadRequest> {
    let default_port: &[u8] = match head.scheme {
        Scheme::Http => b"80",
        Scheme::Https => b"443",
    };
    match same_authority(authority, &head.authority, default_port) {
        true => Ok(()),
        false => Err(BadRequest::AuthorityMismatch),
    }
}

fn absolute<'a>(target: &'a [u8], head: &mut RequestHead) -> Result<Form<'a>, BadRequest> {
    let Some(scheme_end) = memchr::memmem::find(target, b"://") else {
        return Err(BadRequest::Target);
    };
    match &target[..scheme_end] {
        scheme if scheme.eq_ignore_ascii_case(b"http") => {}
        // `https` over a connection that is not secure would be believed by what stands behind us.
        scheme if scheme.eq_ignore_ascii_case(b"https") && head.scheme == Scheme::Https => {}
        scheme if scheme.iter().all(u8::is_ascii_alphanumeric) => return Err(BadRequest::Scheme),
        _ => return Err(BadRequest::Target),
    }
    let rest = &target[scheme_end + 3..];
    let authority_len = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_len);
    if !is_authority(authority) {
        return Err(BadRequest::Authority);
    }
    head.set_target(path)?;
    Ok(Form::Absolute(authority))
}

impl From<FragmentInQuery> for BadRequest {
    fn from(_: FragmentInQuery) -> Self {
        BadRequest::Fragment
    }
}
