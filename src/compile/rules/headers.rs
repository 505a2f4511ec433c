//! How a rule changes heads: `headers` of a route and of its destinations.

use super::{Report, Rule};
use crate::{
    config::{
        Diagnostic, Spanned,
        resources::{HeaderOperations, Headers, Map},
    },
    filter::{HeaderOps, Template},
};

/// The operations of one level: on requests and on responses. `None`: the route is left out, and it is reported why.
pub(super) fn of_level(
    rule: &Rule<'_, '_>,
    headers: Option<&Spanned<Headers>>,
    below: &str,
    report: &mut Report,
) -> Option<(HeaderOps, HeaderOps)> {
    let Some(headers) = headers else { return Some((HeaderOps::default(), HeaderOps::default())) };
    let request = operations(rule, headers.request.as_ref(), below, report)?;
    let response = operations(rule, headers.response.as_ref(), below, report)?;
    Some((request, response))
}

/// `Host` among the request's operations is the authority (specification section 3.4). It is literal, as in Istio.
pub(super) fn authority(headers: Option<&Spanned<Headers>>) -> Option<Box<[u8]>> {
    let request = headers?.request.as_ref()?;
    let mut all = request.set.iter().chain(request.add.iter());
    all.find(|(name, _)| is_authority(name)).map(|(_, value)| value.as_bytes().into())
}

fn operations(
    rule: &Rule<'_, '_>,
    operations: Option<&Spanned<HeaderOperations>>,
    below: &str,
    report: &mut Report,
) -> Option<HeaderOps> {
    let Some(operations) = operations else { return Some(HeaderOps::default()) };
    let set = values(rule, &operations.set, below, report)?;
    let add = values(rule, &operations.add, below, report)?;
    Some(HeaderOps::new(operations.remove.iter().map(|name| name.as_str()), set, add))
}

fn values<'a>(
    rule: &Rule<'_, '_>,
    map: &'a Map<String>,
    below: &str,
    report: &mut Report,
) -> Option<Vec<(&'a str, Template)>> {
    let fields = map.iter().filter(|(name, _)| !is_authority(name));
    let parsed = fields.map(|(name, value)| match Template::parse(value) {
        Ok(template) => Some((name.as_str(), template)),
        Err(error) => {
            report.add("bad-header-value", value.span, || {
                let (object, field) = rule.whose(value.span, below);
                Diagnostic::error("bad-header-value", format!("the value of `{}` {error}", name.value))
                    .about(object)
                    .field(field)
            });
            None
        }
    });
    parsed.collect()
}

fn is_authority(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority")
}
