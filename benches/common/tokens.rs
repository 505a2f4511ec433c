//! An issuer's rule, and requests that show its tokens.

use sluicegate::{
    filter::{Authentication, KeySource, KeySourceId, Location, TokenRule},
    http::RequestHead,
    jwt::{KeySet, SharedSecrets, Terms},
};
use std::sync::Arc;

/// When tokens are looked at, in seconds since 1970.
pub(crate) const NOW: u64 = 1_800_000_000;

/// A request without a token.
pub(crate) fn bare() -> RequestHead {
    RequestHead { method: b"GET".to_vec(), target: b"/".to_vec(), path_len: 1, ..RequestHead::default() }
}

/// A request that shows a token.
pub(crate) fn request(token: &str) -> RequestHead {
    let mut request = bare();
    request.fields.push(b"user-agent", b"bench");
    request.fields.push(b"authorization", format!("Bearer {token}").as_bytes());
    request
}

/// One issuer, whose keys are these.
pub(crate) fn authentication(set: &str) -> Authentication {
    let keys = KeySet::parse(set.as_bytes(), SharedSecrets::Skipped).unwrap();
    let mut authentication =
        Authentication { sources: vec![KeySource::Local(Arc::new(keys))], ..Authentication::default() };
    let rule = TokenRule {
        name: "bench".into(),
        terms: Terms::new("https://issuer.example", ["api"]),
        keys: KeySourceId(0),
        forwards: false,
        payload_field: None,
        claim_fields: Vec::new(),
        lists: vec!["scope".into()],
    };
    let places = [
        Location::Header { name: b"authorization"[..].into(), prefix: b"Bearer "[..].into() },
        Location::Param(b"access_token"[..].into()),
    ];
    authentication.add(rule, places);
    authentication
}
