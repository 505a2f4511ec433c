//! RequestAuthentication: the tokens of a request are verified before its route is looked for (specification section 5).

use super::{Environment, Routing};
use crate::{
    filter::Verified,
    http::{RequestHead, Scheme},
    jwt::Refusal,
    telemetry::bump,
};
use std::{rc::Rc, time::Instant};

/// So much of a target is repeated to a client whose token is refused, in bytes (Envoy's `MaximumUriLength`).
const REALM_TARGET_MAX: usize = 256;

/// Verifies the tokens of a request that came in at this time, where some policy asks for it. Returns what they say.
///
/// # Errors
/// A token is not good.
pub(super) fn authenticate(
    routing: &Routing,
    request: &mut RequestHead,
    env: &Environment,
    started: Instant,
) -> Result<Option<Rc<Verified>>, Refusal> {
    let (Some(rules), Some(keys)) = (&routing.snapshot.authentication, &routing.keys) else {
        return Ok(None);
    };
    let verified = rules.apply(request, keys, env.clock.unix_ms(started) / 1000);
    let counter = if verified.is_ok() { &env.counters.tokens_allowed } else { &env.counters.tokens_denied };
    bump(counter, 1);
    verified
}

/// Writes what a client whose token is refused is told (RFC 6750 section 3), as Envoy does: the realm is the URL.
pub(super) fn challenge(request: &RequestHead, scheme: Scheme, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(b"Bearer realm=\"");
    out.extend_from_slice(scheme.as_str().as_bytes());
    out.extend_from_slice(b"://");
    let target = request.target.get(..REALM_TARGET_MAX).unwrap_or(&request.target);
    for byte in request.authority.iter().chain(target) {
        match byte {
            // These would end the quoted text.
            b'"' => out.extend_from_slice(b"%22"),
            b'\\' => out.extend_from_slice(b"%5C"),
            byte => out.push(*byte),
        }
    }
    out.extend_from_slice(b"\", error=\"invalid_token\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_stays_within_its_quotes() {
        let request = RequestHead {
            authority: b"a.com:80".to_vec(),
            target: b"/p?q=\"\\".to_vec(),
            ..RequestHead::default()
        };
        let mut out = b"before".to_vec();
        challenge(&request, Scheme::Https, &mut out);
        let expected = "Bearer realm=\"https://a.com:80/p?q=%22%5C\", error=\"invalid_token\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let long = RequestHead { target: vec![b'/'; 9000], ..RequestHead::default() };
        let mut out = Vec::new();
        challenge(&long, Scheme::Http, &mut out);
        assert!(out.len() < 320, "{}", out.len());
    }
}
