//! What the gateway's own annotations of VirtualServices and Gateways say about traffic.

use super::ByteSize;
use crate::config::{
    Diagnostic, Spanned,
    decode::{Decode, Decoder, object, suggestion},
    yaml::{Node, Value},
};
use std::time::Duration;

object! {
    /// `sluicegate.io/rate-limit`: how many requests may pass (a bucket of tokens).
    pub struct RateLimit {
        /// How many requests are allowed in `per`.
        requests: Option<Spanned<u32>> = "requests",
        /// The time in which they are counted.
        per: Option<Spanned<Duration>> = "per",
        /// How many may come at once; absent: as many as `requests`.
        burst: Option<Spanned<u32>> = "burst",
        /// What is counted by itself; absent: all requests of the rule together.
        key: Option<Spanned<RequestKey>> = "key",
        /// The name of the rules that it is for; absent: all.
        route: Option<Spanned<String>> = "route",
    }
}

object! {
    /// `sluicegate.io/networks`: from which addresses requests may come.
    pub struct Networks {
        /// Only from these, if there are any.
        allow: Vec<Spanned<String>> = "allow",
        /// Not from these, also where `allow` has them.
        deny: Vec<Spanned<String>> = "deny",
        /// The name of the rules that it is for; absent: those that no other entry names.
        route: Option<Spanned<String>> = "route",
    }
}

object! {
    /// `sluicegate.io/body-limit` written as a mapping.
    pub struct BodyLimit {
        /// The most bytes of a request's body.
        max: Option<Spanned<ByteSize>> = "max",
        /// The name of the rules that it is for; absent: those that no other entry names.
        route: Option<Spanned<String>> = "route",
    }
    or_just max
}

object! {
    /// `sluicegate.io/access-log` written as a mapping.
    pub struct AccessLogLines {
        /// Which lines there are: `on`, `off`, `errors`, or `sample 10%`.
        lines: Option<Spanned<String>> = "lines",
        /// The name of the rules that it is for; absent: those that no other entry names.
        route: Option<Spanned<String>> = "route",
    }
    or_just lines
}

object! {
    /// `sluicegate.io/sticky-split`: what decides on which side of a weighted split a request goes, instead of chance.
    pub struct StickySplit {
        /// What of the request.
        key: Option<Spanned<RequestKey>> = "key",
        /// A request without the cookie gets one. Only where the key is a cookie.
        issue: Option<Spanned<IssuedCookie>> = "issue",
        /// The name of the rules that it is for; absent: those that no other entry names.
        route: Option<Spanned<String>> = "route",
    }
}

object! {
    /// The cookie that keeps a client on one side of a split.
    pub struct IssuedCookie {
        /// `Max-Age`; absent: until the browser is closed.
        max_age: Option<Spanned<Duration>> = "maxAge",
        /// `Path`; absent: `/`.
        path: Option<Spanned<String>> = "path",
    }
}

object! {
    /// `sluicegate.io/max-connection-age` written as a mapping.
    pub struct ConnectionAge {
        /// How old a connection may become before it is drained.
        age: Option<Spanned<Duration>> = "age",
        /// By how much more, at random, in percent of the age; absent: 10.
        jitter_percent: Option<Spanned<u32>> = "jitterPercent",
        /// The port of the servers that it is for; absent: those that no other entry names.
        port: Option<Spanned<u32>> = "port",
    }
    or_just age
}

/// Something of a request that tells clients apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RequestKey {
    /// `none`: nothing.
    #[default]
    None,
    /// `client-address`: the trusted address of the client.
    ClientAddress,
    /// `{header: name}`
    Header(Spanned<String>),
    /// `{cookie: name}`
    Cookie(Spanned<String>),
    /// `{query: name}`: a parameter of the query.
    Query(Spanned<String>),
    /// `{claim: name}`: a claim of the verified token.
    Claim(Spanned<String>),
}

object! {
    /// A [`RequestKey`] that has a name.
    pub struct NamedKey {
        /// A header field.
        header: Option<Spanned<String>> = "header",
        /// A cookie.
        cookie: Option<Spanned<String>> = "cookie",
        /// A parameter of the query.
        query: Option<Spanned<String>> = "query",
        /// A claim of the token that a RequestAuthentication has verified.
        claim: Option<Spanned<String>> = "claim",
    }
    one_of ["header", "cookie", "query", "claim"]
}

impl Decode for RequestKey {
    const EXPECTED: &'static str =
        "none, client-address, or one of {header: name}, {cookie: name}, {query: name}, {claim: name}";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        if let Value::Map(_) = node.value() {
            let NamedKey { header, cookie, query, claim } = NamedKey::decode(node, decoder)?;
            let header = header.map(RequestKey::Header);
            let key = header.or(cookie.map(RequestKey::Cookie)).or(query.map(RequestKey::Query));
            let key = key.or(claim.map(RequestKey::Claim));
            if key.is_none() {
                decoder.mismatch(node, Self::EXPECTED);
            }
            return key;
        }
        match node.text() {
            Some("none") => Some(RequestKey::None),
            Some("client-address") => Some(RequestKey::ClientAddress),
            written => {
                let message = format!("expected {}; found {}", Self::EXPECTED, decoder.describe(node));
                let mut problem = Diagnostic::error("unknown-value", message).at(node.span);
                problem.help = written
                    .and_then(|written| suggestion(written, &["none", "client-address"]))
                    .map(|meant| format!("did you mean {meant}?"));
                decoder.report(problem);
                None
            }
        }
    }
}
