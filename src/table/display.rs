//! What a route asks and how it rewrites, in Istio's words, for `routes` and `explain`.

use super::{
    ClaimMatch, HeaderMatch, PathMatch, PathRewrite, QueryMatch, Redirect, RedirectPath, RedirectPort,
    RouteMatch, StringMatch, ValueMatch,
};
use crate::http::{REDACTED, is_secret_name};
use std::fmt::{Display, Formatter, Result, Write};

/// Bytes in back-quotes; controls and what is not UTF-8 are escaped.
pub(super) struct Quoted<'a>(pub(super) &'a [u8]);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "`{}`", Text(self.0))
    }
}

/// The same without the back-quotes.
struct Text<'a>(&'a [u8]);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

/// All conditions, joined by `, `: `uri prefix /api, method exact GET, header x-a exact 1`.
impl Display for RouteMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.path.fmt(f)?;
        for (name, wanted) in
            [("method", &self.method), ("scheme", &self.scheme), ("authority", &self.authority)]
        {
            if let Some(wanted) = wanted {
                write!(f, ", {name} {wanted}")?;
            }
        }
        self.headers.iter().try_for_each(|header| write!(f, ", {header}"))?;
        self.query.iter().try_for_each(|parameter| write!(f, ", {parameter}"))?;
        self.claims.iter().flatten().try_for_each(|claim| write!(f, ", {claim}"))
    }
}

/// `uri prefix /api`, `uri exact /Api (ignoring case)`, `uri regex /v[0-9]+`
impl Display for PathMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (kind, path, ignore_case) = match self {
            PathMatch::Exact { path, ignore_case } => ("exact", path, ignore_case),
            PathMatch::Prefix { path, ignore_case } => ("prefix", path, ignore_case),
            PathMatch::Regex(pattern) => return write!(f, "uri regex {}", pattern.text()),
        };
        write!(f, "uri {kind} {}", Text(path))?;
        f.write_str(if *ignore_case { " (ignoring case)" } else { "" })
    }
}

/// `exact GET`, `prefix v1`, `regex .*`
impl Display for StringMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            StringMatch::Exact(text) => write!(f, "exact {}", Text(text)),
            StringMatch::Prefix(text) => write!(f, "prefix {}", Text(text)),
            StringMatch::Regex(pattern) => write!(f, "regex {}", pattern.text()),
        }
    }
}

/// `present`, or as [`StringMatch`].
impl Display for ValueMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            ValueMatch::Present => f.write_str("present"),
            ValueMatch::Is(wanted) => wanted.fmt(f),
        }
    }
}

/// `header x-a exact 1`, `without header x-a present`
impl Display for HeaderMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let without = if self.negate { "without " } else { "" };
        let name = self.name.as_bytes();
        match is_secret_name(name) && matches!(self.value, ValueMatch::Is(_)) {
            true => write!(f, "{without}header {} {REDACTED}", Text(name)),
            false => write!(f, "{without}header {} {}", Text(name), self.value),
        }
    }
}

/// `claim groups exact admin`, `without claim realm_access[roles] present`
impl Display for ClaimMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.negate { "without claim " } else { "claim " })?;
        Text(self.name().as_bytes()).fmt(f)?;
        write!(f, " {}", self.value)
    }
}

/// `query q exact 1`
impl Display for QueryMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match is_secret_name(&self.name) && matches!(self.value, ValueMatch::Is(_)) {
            true => write!(f, "query {} {REDACTED}", Text(&self.name)),
            false => write!(f, "query {} {}", Text(&self.name), self.value),
        }
    }
}

/// What stands where: `first 4 bytes -> /new`, `whole path -> /new`, an expression and its replacement.
impl Display for PathRewrite {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            PathRewrite::Prefix { matched, replacement } => {
                write!(f, "first {matched} bytes -> {}", Text(replacement))
            }
            PathRewrite::Full(replacement) => write!(f, "whole path -> {}", Text(replacement)),
            PathRewrite::Regex(rewrite) => rewrite.fmt(f),
        }
    }
}

/// `301 https://new.example:8443/path`, with `*` for what is kept of the request.
impl Display for Redirect {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let scheme = self.scheme.map_or("*", |scheme| scheme.as_str());
        write!(f, "{} {scheme}://{}", self.status, Text(self.authority.as_deref().unwrap_or(b"*")))?;
        if let RedirectPort::Set(port) = self.port {
            write!(f, ":{port}")?;
        }
        match &self.path {
            RedirectPath::Keep => f.write_str("/*"),
            RedirectPath::Full(path) => Text(path).fmt(f),
            RedirectPath::Prefix { replacement, .. } => write!(f, "{}*", Text(replacement)),
        }
    }
}
