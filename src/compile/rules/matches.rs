//! What a rule asks of a request: `HTTPMatchRequest` to `RouteMatch`.

use super::{Report, Rule, RuleCompiler};
use crate::{
    compile::claim::claim_path,
    config::{
        Diagnostic, Spanned,
        resources::{Map, StringMatch as Written},
    },
    table::{
        ClaimMatch, HeaderMatch, HeaderName, PathMatch, PatternError, QueryMatch, RouteMatch, StringMatch,
        ValueMatch,
    },
};

impl RuleCompiler<'_, '_> {
    /// `None`: the route is left out, and it is reported why.
    pub(super) fn matcher(&mut self, rule: &Rule<'_, '_>, report: &mut Report) -> Option<RouteMatch> {
        let Some(matched) = rule.matched else { return Some(RouteMatch::default()) };
        let ignore_case = matched.ignore_uri_case.as_ref().is_some_and(|switch| switch.value);
        let path = match &matched.uri {
            None => PathMatch::default(),
            Some(uri) => self.path(rule, uri, ignore_case, report)?,
        };
        let (mut headers, mut claims) = (Vec::new(), Vec::new());
        for (map, negate) in [(&matched.headers, false), (&matched.without_headers, true)] {
            for (name, value) in map.iter() {
                let value = self.value(rule, value, report)?;
                if let Some(path) = claim_path(name) {
                    if !self.verifies_tokens {
                        report_claim(rule, name, report);
                        return None;
                    }
                    claims.push(ClaimMatch { path, value, negate });
                    continue;
                }
                headers.push(HeaderMatch { name: HeaderName::new(name), value, negate });
            }
        }
        Some(RouteMatch {
            path,
            scheme: self.text(rule, matched.scheme.as_deref(), report)?,
            method: self.text(rule, matched.method.as_deref(), report)?,
            authority: self.text(rule, matched.authority.as_deref(), report)?,
            headers,
            query: self.query(rule, &matched.query_params, report)?,
            claims: (!claims.is_empty()).then(|| claims.into()),
        })
    }

    fn path(
        &mut self,
        rule: &Rule<'_, '_>,
        uri: &Written,
        ignore_case: bool,
        report: &mut Report,
    ) -> Option<PathMatch> {
        if let Some(exact) = &uri.exact {
            return Some(PathMatch::exact(exact, ignore_case));
        }
        if let Some(regex) = &uri.regex {
            return self
                .pattern(regex)
                .map(PathMatch::Regex)
                .map_err(|e| refuse(rule, regex, &e, ".match", report))
                .ok();
        }
        Some(uri.prefix.as_ref().map_or_else(PathMatch::default, |p| PathMatch::prefix(p, ignore_case)))
    }

    /// `scheme`, `method`, `authority`: every request has them, so that they are there asks nothing.
    fn text(
        &mut self,
        rule: &Rule<'_, '_>,
        written: Option<&Spanned<Written>>,
        report: &mut Report,
    ) -> Option<Option<StringMatch>> {
        let Some(written) = written else { return Some(None) };
        match self.value(rule, written, report)? {
            ValueMatch::Present => Some(None),
            ValueMatch::Is(wanted) => Some(Some(wanted)),
        }
    }

    fn query(
        &mut self,
        rule: &Rule<'_, '_>,
        map: &Map<Written>,
        report: &mut Report,
    ) -> Option<Vec<QueryMatch>> {
        let one = |(name, value): &(Spanned<String>, Spanned<Written>)| {
            Some(QueryMatch { name: name.as_bytes().into(), value: self.value(rule, value, report)? })
        };
        map.iter().map(one).collect()
    }

    fn value(&mut self, rule: &Rule<'_, '_>, written: &Written, report: &mut Report) -> Option<ValueMatch> {
        if let Some(exact) = &written.exact {
            return Some(ValueMatch::Is(StringMatch::exact(exact)));
        }
        if let Some(prefix) = &written.prefix {
            return Some(ValueMatch::Is(StringMatch::prefix(prefix)));
        }
        let Some(regex) = written.regex.as_ref().filter(|regex| regex.value != "*") else {
            return Some(ValueMatch::Present);
        };
        let compiled = self.pattern(regex).map(|pattern| ValueMatch::Is(StringMatch::Regex(pattern)));
        compiled.map_err(|error| refuse(rule, regex, &error, ".match", report)).ok()
    }
}

/// Reports an expression that can't be used; `below` is the path to it from the rule.
pub(super) fn refuse(
    rule: &Rule<'_, '_>,
    regex: &Spanned<String>,
    error: &PatternError,
    below: &str,
    report: &mut Report,
) {
    report.add("bad-regex", regex.span, || {
        let (object, field) = rule.whose(regex.span, below);
        Diagnostic::error("bad-regex", format!("the regular expression is not usable: {error}"))
            .about(object)
            .field(field)
    });
}

/// Nobody verifies tokens at this gateway, so nobody has claims: a rule for those who have some must not be used, nor one
/// for those who have none, which may be what keeps others out (`istioctl analyze` says IST0149).
fn report_claim(rule: &Rule<'_, '_>, name: &Spanned<String>, report: &mut Report) {
    report.add("claim-without-authentication", name.span, || {
        let message = "no RequestAuthentication applies to this gateway, so that nobody has claims: the match is left out";
        let (object, field) = rule.whose(name.span, ".match");
        Diagnostic::error("claim-without-authentication", message)
            .about(object)
            .field(field)
            .help("add one for this gateway's workload, or look at the notes about those that are for others")
    });
}
