//! What a route asks of a request (`HTTPMatchRequest`, specification section 3.4).

use regex::bytes::Regex;

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
    Regex(Regex),
}

impl Default for PathMatch {
    fn default() -> Self {
        PathMatch::Prefix { path: Box::from(*b"/"), ignore_case: false }
    }
}

/// `StringMatch`; always case-sensitive.
#[derive(Clone, Debug)]
pub enum StringMatch {
    /// The whole value.
    Exact(Box<[u8]>),
    /// Its beginning.
    Prefix(Box<[u8]>),
    /// The whole value must match: the expression is anchored at both ends when it is compiled.
    Regex(Regex),
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
