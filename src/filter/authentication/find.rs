//! The tokens of a request.

use super::Location;
use crate::http::RequestHead;
use std::borrow::Cow;

/// Calls `found` with every token at a place, until it fails. A field, parameter or cookie that is there twice has two
/// tokens: an origin may take either, so both must be good.
pub(super) fn tokens<'r, E>(
    location: &Location,
    request: &'r RequestHead,
    mut found: impl FnMut(Cow<'r, [u8]>) -> Result<(), E>,
) -> Result<(), E> {
    match location {
        Location::Header { name, prefix } => {
            let fields = request.fields.iter().filter(|field| field.text == name.as_ref());
            fields.filter_map(|field| of_value(field.value, prefix)).try_for_each(|token| found(token.into()))
        }
        Location::Param(name) => {
            let pairs = pairs(request.query());
            pairs.filter(|pair| is_named(pair, name)).try_for_each(|pair| found(decoded(value_of(pair))))
        }
        Location::Cookie(name) => {
            let fields = request.fields.iter().filter(|field| field.text == b"cookie");
            let cookies = fields.flat_map(|field| field.value.split(|byte| *byte == b';'));
            cookies.filter_map(|cookie| of_cookie(cookie, name)).try_for_each(|token| found(token.into()))
        }
    }
}

/// The token in a field's value: with a prefix, what follows its first occurrence, from the first character that a token
/// can have.
fn of_value<'v>(value: &'v [u8], prefix: &[u8]) -> Option<&'v [u8]> {
    if prefix.is_empty() {
        return Some(value);
    }
    let at = memchr::memmem::find(value, prefix)?;
    let rest = value.get(at + prefix.len()..)?;
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    // Where there is none Envoy takes the whole value, which is refused as any other text that is no token.
    rest.iter().position(is_of_token).map_or(Some(value), |at| rest.get(at..))
}

/// The value of a cookie with this name, without its quotes (RFC 6265 section 4.1.1).
fn of_cookie<'v>(cookie: &'v [u8], name: &[u8]) -> Option<&'v [u8]> {
    let value = cookie.trim_ascii().strip_prefix(name)?.strip_prefix(b"=")?;
    let bare = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some(bare.unwrap_or(value))
}

/// The pairs of a query that may begin with `?`.
pub(super) fn pairs(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    query.strip_prefix(b"?").unwrap_or(query).split(|byte| *byte == b'&')
}

/// Whether a pair of a query has this name. Escapes count as what they stand for: an origin decodes them too.
pub(super) fn is_named(pair: &[u8], name: &[u8]) -> bool {
    let written = pair.split(|byte| *byte == b'=').next().unwrap_or(pair);
    *decoded(written) == *name
}

fn value_of(pair: &[u8]) -> &[u8] {
    memchr::memchr(b'=', pair).and_then(|at| pair.get(at + 1..)).unwrap_or_default()
}

/// Percent-decoded; what is no escape stays.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let digit = |byte: Option<&u8>| (*byte? as char).to_digit(16).map(|digit| digit as u8);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, digit(tail.first()), digit(tail.get(1))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}
