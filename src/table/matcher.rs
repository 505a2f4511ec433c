//! What a route asks of a request (`HTTPMatchRequest`, specification section 3.4).

use super::{ClaimMatch, Pattern, PatternError};
use crate::{
    http::{BodyLength, RequestHead, Scheme, Upgrade, Version},
    jwt::Claims,
};

#[cfg(test)]
mod tests;

/// All conditions of one match; they hold together. One that is absent holds for every request.
#[derive(Clone, Debug, Default)]
pub struct RouteMatch {
    /// `uri` and `ignoreUriCase`
    pub path: PathMatch,
    /// `scheme`
    pub scheme: Option<StringMatch>,
    /// `method`
    pub method: Option<StringMatch>,
    /// `authority`: sees the port that the client sent.
    pub authority: Option<StringMatch>,
    /// `headers` and `withoutHeaders`
    pub headers: Vec<HeaderMatch>,
    /// `queryParams`
    pub query: Vec<QueryMatch>,
    /// Those of `headers` and `withoutHeaders` that are about claims; nothing for nearly every route.
    pub claims: Option<Box<[ClaimMatch]>>,
}

/// `uri`, on the normalized path without the query.
#[derive(Clone, Debug)]
pub enum PathMatch {
    /// The whole path.
    Exact {
        /// In lower case if `ignore_case`.
        path: Box<[u8]>,
        /// `ignoreUriCase`
        ignore_case: bool,
    },
    /// The beginning of the path, as plain text: `/foo` matches `/foobar`. No `uri` at all is the prefix `/`.
    Prefix {
        /// In lower case if `ignore_case`.
        path: Box<[u8]>,
        /// `ignoreUriCase`
        ignore_case: bool,
    },
    /// The whole path must match.
    Regex(Pattern),
}

/// `StringMatch`; always case-sensitive.
#[derive(Clone, Debug)]
pub enum StringMatch {
    /// The whole value.
    Exact(Box<[u8]>),
    /// Its beginning.
    Prefix(Box<[u8]>),
    /// The whole value must match.
    Regex(Pattern),
}

/// What a header or query parameter must be.
#[derive(Clone, Debug)]
pub enum ValueMatch {
    /// `{}` or `regex: "*"`: it is there, whatever its value.
    Present,
    /// Its value matches.
    Is(StringMatch),
}

/// One entry of `headers`, or of `withoutHeaders`.
#[derive(Clone, Debug)]
pub struct HeaderMatch {
    /// Which header.
    pub name: HeaderName,
    /// What it must be. Several values are joined by `,` before they are compared.
    pub value: ValueMatch,
    /// From `withoutHeaders`: the condition must not hold, and a header that is absent counts as empty.
    pub negate: bool,
}

/// A header name of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderName {
    /// A field, in lower case.
    Field(Box<[u8]>),
    /// `:method`
    Method,
    /// `:scheme`
    Scheme,
    /// `:authority`, and `host`
    Authority,
    /// `:path`: with the query
    Path,
}

/// One entry of `queryParams`.
#[derive(Clone, Debug)]
pub struct QueryMatch {
    /// The parameter, case-sensitive.
    pub name: Box<[u8]>,
    /// What its first value must be.
    pub value: ValueMatch,
}

impl RouteMatch {
    /// Whether every condition holds for a request without a token. `scheme` is the effective one: that of a trusted
    /// `x-forwarded-proto`, else that of the downstream connection.
    pub fn matches(&self, request: &RequestHead, scheme: Scheme) -> bool {
        self.matches_with(request, scheme, None)
    }

    /// The same for a request whose token says this.
    pub fn matches_with(&self, request: &RequestHead, scheme: Scheme, claims: Option<&Claims>) -> bool {
        self.path.matches(request.path())
            && self.matches_besides_path(request, scheme)
            && self.claims.as_ref().is_none_or(|wanted| wanted.iter().all(|claim| claim.matches(claims)))
    }

    /// Whether there is a condition besides that on the path.
    pub(super) fn asks_besides_path(&self) -> bool {
        self.method.is_some()
            || self.scheme.is_some()
            || self.authority.is_some()
            || !self.headers.is_empty()
            || !self.query.is_empty()
            || self.claims.is_some()
    }

    fn matches_besides_path(&self, request: &RequestHead, scheme: Scheme) -> bool {
        let holds =
            |wanted: &Option<StringMatch>, value: &[u8]| wanted.as_ref().is_none_or(|m| m.matches(value));
        holds(&self.method, &request.method)
            && holds(&self.scheme, scheme.as_str().as_bytes())
            && holds(&self.authority, &request.authority)
            && self.headers.iter().all(|h| h.matches(request, scheme))
            && self.query.iter().all(|q| q.matches(request.query()))
    }

    /// Whether this is a catch-all, which goes to the end of its virtual host (specification section 3.3): the prefix
    /// `/` or the expression `.*`, and no condition on headers (the method, scheme and authority are headers too) or
    /// query parameters.
    pub fn is_catch_all(&self) -> bool {
        let any_path = match &self.path {
            PathMatch::Exact { .. } => false,
            PathMatch::Prefix { path, .. } => path.as_ref() == b"/",
            PathMatch::Regex(pattern) => pattern.text() == ".*",
        };
        any_path && !self.asks_besides_path()
    }
}

impl PathMatch {
    /// `exact`
    pub fn exact(path: &str, ignore_case: bool) -> PathMatch {
        PathMatch::Exact { path: bytes(path, ignore_case), ignore_case }
    }

    /// `prefix`; empty matches every path.
    pub fn prefix(path: &str, ignore_case: bool) -> PathMatch {
        PathMatch::Prefix { path: bytes(path, ignore_case), ignore_case }
    }

    /// `regex`; `ignoreUriCase` has no effect on it.
    pub fn regex(text: &str) -> Result<PathMatch, PatternError> {
        Pattern::new(text).map(PathMatch::Regex)
    }

    /// Whether a path, without the query, matches.
    pub fn matches(&self, path: &[u8]) -> bool {
        match self {
            PathMatch::Exact { path: wanted, ignore_case: false } => path == wanted.as_ref(),
            PathMatch::Exact { path: wanted, ignore_case: true } => path.eq_ignore_ascii_case(wanted),
            PathMatch::Prefix { path: wanted, ignore_case: false } => path.starts_with(wanted),
            PathMatch::Prefix { path: wanted, ignore_case: true } => {
                path.get(..wanted.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(wanted))
            }
            PathMatch::Regex(pattern) => pattern.is_match(path),
        }
    }
}

impl Default for PathMatch {
    fn default() -> Self {
        PathMatch::prefix("/", false)
    }
}

impl StringMatch {
    /// `exact`
    pub fn exact(text: &str) -> StringMatch {
        StringMatch::Exact(text.as_bytes().into())
    }

    /// `prefix`
    pub fn prefix(text: &str) -> StringMatch {
        StringMatch::Prefix(text.as_bytes().into())
    }

    /// `regex`
    pub fn regex(text: &str) -> Result<StringMatch, PatternError> {
        Pattern::new(text).map(StringMatch::Regex)
    }

    /// Whether a value matches.
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            StringMatch::Exact(wanted) => value == wanted.as_ref(),
            StringMatch::Prefix(wanted) => value.starts_with(wanted),
            StringMatch::Regex(pattern) => pattern.is_match(value),
        }
    }
}

impl HeaderName {
    /// A name as it is written in `headers`, in any case. Whether it is a token is for the caller to see to.
    pub fn new(text: &str) -> HeaderName {
        match text.to_ascii_lowercase().as_str() {
            ":method" => HeaderName::Method,
            ":scheme" => HeaderName::Scheme,
            ":authority" | "host" => HeaderName::Authority,
            ":path" => HeaderName::Path,
            lower => HeaderName::Field(lower.as_bytes().into()),
        }
    }

    /// The name, in lower case.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            HeaderName::Field(name) => name,
            HeaderName::Method => b":method",
            HeaderName::Scheme => b":scheme",
            HeaderName::Authority => b":authority",
            HeaderName::Path => b":path",
        }
    }
}

impl HeaderMatch {
    /// Whether the request has the header as it is wanted (or not, if `negate`).
    pub fn matches(&self, request: &RequestHead, scheme: Scheme) -> bool {
        let wanted = match &self.value {
            ValueMatch::Is(wanted) => wanted,
            ValueMatch::Present => {
                return with_value(&self.name, request, scheme, |value| value.is_some()) != self.negate;
            }
        };
        if self.negate {
            // A header that is absent counts as empty.
            !with_value(&self.name, request, scheme, |value| wanted.matches(value.unwrap_or(b"")))
        } else {
            with_value(&self.name, request, scheme, |value| value.is_some_and(|value| wanted.matches(value)))
        }
    }
}

impl QueryMatch {
    /// Whether the query (with its `?`, or empty) has the parameter as it is wanted. As in Envoy, the first of several
    /// counts, nothing is decoded, and a parameter without `=` is empty.
    pub fn matches(&self, query: &[u8]) -> bool {
        match (&self.value, query_value(query, &self.name)) {
            (_, None) => false,
            (ValueMatch::Present, Some(_)) => true,
            (ValueMatch::Is(wanted), Some(value)) => wanted.matches(value),
        }
    }
}

/// The first value of a parameter in a query that may begin with `?`.
pub(super) fn query_value<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let pairs = query.strip_prefix(b"?").unwrap_or(query);
    if pairs.is_empty() {
        return None;
    }
    pairs.split(|&b| b == b'&').find_map(|pair| match pair.strip_prefix(name)? {
        [] => Some(&b""[..]),
        [b'=', value @ ..] => Some(value),
        _ => None,
    })
}

/// Calls `look` with the value of a header: several are joined by `,`.
///
/// The decoder takes the fields that frame the message and those that belong to the connection out of the head and
/// keeps what they said. Routes ask for `upgrade` and the framing, so those are put together again here; the other
/// fields of a connection (`connection`, `keep-alive`, `te`, ...) are absent.
pub(super) fn with_value<T>(
    name: &HeaderName,
    request: &RequestHead,
    scheme: Scheme,
    look: impl FnOnce(Option<&[u8]>) -> T,
) -> T {
    let field = match name {
        HeaderName::Method => return look(Some(&request.method)),
        HeaderName::Scheme => return look(Some(scheme.as_str().as_bytes())),
        HeaderName::Authority => return look(Some(&request.authority)),
        HeaderName::Path => return look(Some(&request.target)),
        HeaderName::Field(field) => field.as_ref(),
    };
    let mut values = request.fields.get_all(field);
    let Some(first) = values.next() else {
        return match (field, request.body, request.upgrade) {
            (b"content-length", BodyLength::Sized(length), _) => {
                look(Some(itoa::Buffer::new().format(length).as_bytes()))
            }
            (b"transfer-encoding", BodyLength::Unknown, _) if request.version != Version::Http2 => {
                look(Some(b"chunked"))
            }
            (b"upgrade", _, Upgrade::WebSocket) => look(Some(b"websocket")),
            _ => look(None),
        };
    };
    let Some(second) = values.next() else { return look(Some(first)) };
    let mut joined = [first, second].join(&b',');
    for value in values {
        joined.push(b',');
        joined.extend_from_slice(value);
    }
    look(Some(&joined))
}

fn bytes(text: &str, lower: bool) -> Box<[u8]> {
    if lower { text.to_ascii_lowercase().into_bytes().into() } else { text.as_bytes().into() }
}
