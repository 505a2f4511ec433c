//! What a rule does: `route` with `rewrite`, `redirect`, `directResponse`.

use super::{Report, Rule, RuleCompiler, headers, retries};
use crate::{
    compile::clusters::{Traffic, Wanted},
    config::{
        Diagnostic, Spanned,
        resources::{
            HttpDirectResponse, HttpRedirect, HttpRewrite, HttpRouteDestination, RedirectPortSelection,
        },
    },
    filter::HeaderOps,
    http::Scheme,
    table::{
        Action, Destination, DirectResponse, Forward, PathRewrite, Redirect, RedirectPath, RedirectPort,
    },
};

impl<'r> RuleCompiler<'r, '_> {
    /// `None`: the rule does nothing here: it has an error.
    pub(super) fn action(&mut self, rule: &Rule<'_, 'r>, report: &mut Report) -> Option<Action> {
        let route = &rule.route.value;
        if let Some(redirect) = &route.redirect {
            return Some(Action::Redirect(self::redirect(rule, redirect)?));
        }
        if let Some(direct) = &route.direct_response {
            return Some(Action::Direct(direct_response(direct)?));
        }
        if route.route.is_empty() {
            return None;
        }
        self.forward(rule, report).map(Action::Forward)
    }

    fn forward(&mut self, rule: &Rule<'_, 'r>, report: &mut Report) -> Option<Forward> {
        let list = &rule.route.route;
        // The weight of an only destination says nothing.
        let only_weight = (list.len() == 1).then_some(1);
        let mut destinations = Vec::with_capacity(list.len());
        for (position, entry) in list.iter().enumerate() {
            let written = entry.weight.as_ref().map_or(0, |weight| weight.value);
            let weight = only_weight.or(u32::try_from(written).ok()).unwrap_or(0);
            if weight > 0 {
                destinations.push(self.destination(rule, position, (entry, weight), report)?);
            }
        }
        let total_weight = destinations.iter().map(|d| u64::from(d.weight)).sum();
        if total_weight == 0 {
            report_no_weight(rule, report);
            return None;
        }
        let rewrite = rule.route.rewrite.as_ref();
        let authority = rewrite.and_then(|rewrite| rewrite.authority.as_ref());
        let authority = authority.filter(|authority| !authority.is_empty());
        Some(Forward {
            destinations,
            total_weight,
            path_rewrite: match rewrite {
                Some(rewrite) => path_rewrite(rule, rewrite, report)?,
                None => None,
            },
            authority: match authority {
                Some(authority) => Some(authority.as_bytes().into()),
                None => headers::authority(rule.route.headers.as_deref()),
            },
            timeout: retries::timeout(rule.route),
            retry: retries::policy(rule.route),
            mirrors: self.mirrors(rule, report),
        })
    }

    fn destination(
        &mut self,
        rule: &Rule<'_, 'r>,
        position: usize,
        (entry, weight): (&'r Spanned<HttpRouteDestination>, u32),
        report: &mut Report,
    ) -> Option<Destination> {
        let field = || rule.field(&format!(".route[{position}].destination"));
        let wanted = Wanted {
            destination: entry.destination.as_ref()?,
            object: &rule.service.resource.object,
            field: &field,
            server_port: rule.port,
            traffic: if rule.is_grpc { Traffic::Calls } else { Traffic::Requests },
        };
        let resolved = self.clusters.resolve(&wanted, report);
        let (request_headers, response_headers): (HeaderOps, HeaderOps) =
            headers::of_level(rule, entry.headers.as_deref(), ".route", report)?;
        Some(Destination {
            cluster: resolved.cluster,
            cluster_name: resolved.name,
            weight,
            request_headers,
            response_headers,
            authority: headers::authority(entry.headers.as_deref()),
        })
    }
}

/// How much of the path the match took: all of it, or a prefix of this length.
enum Matched {
    Whole,
    Prefix(usize),
}

/// No `uri` at all is the prefix `/`.
fn matched(rule: &Rule<'_, '_>) -> Matched {
    match rule.matched.and_then(|matched| matched.uri.as_ref()) {
        Some(uri) if uri.exact.is_some() || uri.regex.is_some() => Matched::Whole,
        Some(uri) => Matched::Prefix(uri.prefix.as_ref().map_or(1, |prefix| prefix.len())),
        None => Matched::Prefix(1),
    }
}

fn path_rewrite(
    rule: &Rule<'_, '_>,
    rewrite: &Spanned<HttpRewrite>,
    report: &mut Report,
) -> Option<Option<PathRewrite>> {
    if let Some(regex) = &rewrite.uri_regex_rewrite {
        let text =
            |text: &'_ Option<Spanned<String>>| text.as_ref().map_or(String::new(), |t| t.value.clone());
        return match PathRewrite::regex(&text(&regex.r#match), &text(&regex.rewrite)) {
            Ok(rewrite) => Some(Some(rewrite)),
            Err(error) => {
                report.add("bad-regex", regex.span, || {
                    let (object, field) = rule.whose(regex.span, ".rewrite.uriRegexRewrite");
                    Diagnostic::error("bad-regex", format!("the substitution is not usable: {error}"))
                        .about(object)
                        .field(field)
                });
                None
            }
        };
    }
    // An empty `uri` is as none.
    let Some(uri) = rewrite.uri.as_ref().filter(|uri| !uri.is_empty()) else { return Some(None) };
    let replacement = uri.as_bytes().into();
    Some(Some(match matched(rule) {
        Matched::Whole => PathRewrite::Full(replacement),
        Matched::Prefix(matched) => PathRewrite::Prefix { matched, replacement },
    }))
}

fn redirect(rule: &Rule<'_, '_>, redirect: &Spanned<HttpRedirect>) -> Option<Redirect> {
    let text = |text: &Option<Spanned<String>>| -> Option<Box<[u8]>> {
        text.as_ref().filter(|text| !text.is_empty()).map(|text| text.as_bytes().into())
    };
    let path = match (text(&redirect.uri), text(&redirect.prefix_rewrite), matched(rule)) {
        (Some(uri), ..) => RedirectPath::Full(uri),
        (None, Some(replacement), Matched::Prefix(matched)) => RedirectPath::Prefix { matched, replacement },
        (None, Some(replacement), Matched::Whole) => RedirectPath::Full(replacement),
        (None, None, _) => RedirectPath::Keep,
    };
    let from_request =
        redirect.derive_port.as_ref().map(|port| port.value) == Some(RedirectPortSelection::FromRequestPort);
    let port = match redirect.port.as_ref().map(|port| u16::try_from(port.value)) {
        Some(Ok(port)) => RedirectPort::Set(port),
        Some(Err(_)) => return None,
        None if from_request => RedirectPort::Set(rule.port),
        None => RedirectPort::Keep,
    };
    let scheme = redirect.scheme.as_ref().map(|scheme| scheme.value.as_str());
    let code = redirect.redirect_code.as_ref().map_or(0, |code| code.value);
    Some(Redirect {
        // 0 is what a proto has where nothing is written.
        status: if code == 0 { 301 } else { u16::try_from(code).ok()? },
        path,
        authority: text(&redirect.authority),
        scheme: match scheme {
            Some("https") => Some(Scheme::Https),
            Some("http") => Some(Scheme::Http),
            _ => None,
        },
        port,
    })
}

fn direct_response(direct: &HttpDirectResponse) -> Option<DirectResponse> {
    let body = direct.body.as_ref();
    let text = body.and_then(|body| body.string.as_ref()).map(|text| text.as_bytes());
    let bytes = body.and_then(|body| body.bytes.as_ref()).map(|bytes| bytes.value.0.as_slice());
    Some(DirectResponse {
        status: u16::try_from(direct.status.as_ref()?.value).ok()?,
        body: text.or(bytes).unwrap_or_default().into(),
    })
}

fn report_no_weight(rule: &Rule<'_, '_>, report: &mut Report) {
    report.add("no-weight", rule.route.span, || {
        Diagnostic::error("no-weight", "all destinations have the weight 0, so no request could go anywhere")
            .about(&rule.service.resource.object)
            .field(rule.field(".route"))
    });
}
