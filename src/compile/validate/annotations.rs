//! The gateway's own annotations of VirtualServices and Gateways: values, and the rules and servers that they name.

use super::{
    names,
    place::{Findings, Place, conflicting, missing, without_effect},
    scalars::check_duration,
    wording::{list, shown},
};
use crate::{
    config::{
        Diagnostic, Resource, Spanned,
        resources::{
            AccessLogLines, BodyLimit, ConnectionAge, Gateway, HttpRoute, IssuedCookie, Networks, OneOrMore,
            RateLimit, RequestKey, StickySplit, VirtualService,
        },
    },
    filter::KEYED_RATE_MAX,
    http::is_token_byte,
    telemetry::LogChoice,
};
use std::{collections::HashMap, time::Duration};

#[cfg(test)]
mod tests;

/// The most limits on the rate of one VirtualService: a request is counted by every one that is for its rule.
const RATE_LIMITS_MAX: usize = 32;
/// The highest rate, in requests per second. The time between two of them is kept in whole nanoseconds, and up to here
/// that is exact to a thousandth.
const RATE_MAX: f64 = 1_000_000.0;
/// The longest time in which requests are counted, and the longest that a burst may take to be allowed again: the counts
/// do not outlive the process, so longer ones would promise too much.
const PERIOD_MAX: Duration = Duration::from_secs(24 * 3600);
/// The longest age of a connection that is any: a year is longer than any process lives.
const AGE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

pub(super) fn check_virtual_service(service: &Resource<VirtualService>, findings: &Findings<'_>) {
    let Some(own) = &service.meta.own else { return };
    let at = findings.root("metadata", service.meta.name.span);
    let names: Vec<&str> =
        service.spec.http.iter().filter_map(|rule| rule.name.as_ref()).map(|name| name.as_str()).collect();
    let at = Annotation { at: &at, names: &names };
    at.each(
        "sluicegate.io/rate-limit",
        &own.rate_limit,
        |limit| &limit.route,
        Several::Add,
        check_rate_limit,
    );
    at.each(
        "sluicegate.io/networks",
        &own.networks,
        |networks| &networks.route,
        Several::Exclude,
        check_networks,
    );
    at.each(
        "sluicegate.io/body-limit",
        &own.body_limit,
        |limit| &limit.route,
        Several::Exclude,
        check_body_limit,
    );
    at.each(
        "sluicegate.io/access-log",
        &own.access_log,
        |lines| &lines.route,
        Several::Exclude,
        check_access_log,
    );
    at.each(
        "sluicegate.io/sticky-split",
        &own.sticky_split,
        |split| &split.route,
        Several::Exclude,
        check_split,
    );
    report_useless_splits(service, at.at);
    if let Some(limit) = own.rate_limit.get(RATE_LIMITS_MAX) {
        let message = format!("there are {} limits", own.rate_limit.len());
        let problem = Diagnostic::error("too-many-limits", message).at(limit.span);
        let at = at.at.entry("annotations", "sluicegate.io/rate-limit", limit.span);
        at.report(problem.help(format!("expected at most {RATE_LIMITS_MAX}")));
    }
}

/// Where there is only one destination there is nothing to stay at. A rule that delegates may have more.
fn report_useless_splits(service: &Resource<VirtualService>, at: &Place<'_>) {
    let splits = service.meta.own.iter().flat_map(|own| own.sticky_split.iter());
    for split in splits {
        let name = split.route.as_ref().map(|route| route.as_str());
        let is_for = |rule: &HttpRoute| name.is_none() || rule.name.as_ref().map(|own| own.as_str()) == name;
        let mut rules = service.spec.http.iter().filter(|rule| is_for(rule)).peekable();
        let is_split = |rule: &Spanned<HttpRoute>| rule.route.len() > 1 || rule.delegate.is_some();
        if rules.peek().is_some() && !rules.any(is_split) {
            let problem = without_effect(
                "sluicegate.io/sticky-split",
                "no rule that it is for has several destinations",
            );
            at.entry("annotations", "sluicegate.io/sticky-split", split.span).report(problem);
        }
    }
}

/// What it means that several entries are for the same rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Several {
    /// All of them hold.
    Add,
    /// Nobody could say which.
    Exclude,
}

/// The annotations of one VirtualService.
struct Annotation<'a> {
    at: &'a Place<'a>,
    /// Of its rules.
    names: &'a [&'a str],
}

impl Annotation<'_> {
    fn each<T>(
        &self,
        name: &'static str,
        entries: &OneOrMore<T>,
        route: impl Fn(&T) -> &Option<Spanned<String>>,
        several: Several,
        check: impl Fn(&T, &Place<'_>),
    ) {
        let mut seen: HashMap<Option<&str>, &Spanned<T>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let whole = self.at.entry("annotations", name, entry.span);
            let element = whole.element(index, entry);
            let at = if entries.is_list { &element } else { &whole };
            check(entry, at);
            let route = route(entry).as_ref();
            if let Some(route) = route {
                self.check_route(route, &at.field("route", route));
            }
            let first = seen.insert(route.map(|route| route.as_str()), entry);
            if let (Some(first), Several::Exclude) = (first, several) {
                let message = match route {
                    Some(route) => format!("two entries are for the rules named `{}`", shown(route)),
                    None => "two entries are for all rules".to_owned(),
                };
                let problem =
                    Diagnostic::error("conflicting-entries", message).label(first.span, "the other one");
                at.report(problem.help("give each a `route` of its own, or remove one"));
            }
        }
    }

    fn check_route(&self, route: &Spanned<String>, at: &Place<'_>) {
        if self.names.contains(&route.as_str()) {
            return;
        }
        let message = format!("no rule in `http` has the name `{}`", shown(route));
        let help = match self.names {
            [] => "name the rules (`http: [{name: ...}]`), or leave `route` out".to_owned(),
            names => format!("the rules' names are: {}", list(names.iter().copied())),
        };
        at.report(Diagnostic::error("unknown-route", message).help(help));
    }
}

fn check_rate_limit(limit: &RateLimit, at: &Place<'_>) {
    let requests =
        at.require("requests", &limit.requests, "write how many requests may pass, as `requests: 100`");
    let per = at.require("per", &limit.per, "write the time in which they are counted, as `per: 1s`");
    if let Some(zero) = requests.filter(|requests| requests.value == 0) {
        let problem = Diagnostic::error("bad-rate", "no request would ever pass");
        at.field("requests", zero)
            .report(problem.help("expected 1 or more; `directResponse` refuses all requests"));
    }
    if let Some(per) = per {
        let at = at.field("per", per);
        check_duration(per.value, &at, "the least is 1ms");
        if per.value > PERIOD_MAX {
            let problem = Diagnostic::error("bad-duration", format!("{:?} is too long", per.value));
            at.report(problem.help("counts do not outlive the process; the longest is 24h"));
        }
    }
    if let Some(zero) = limit.burst.as_ref().filter(|burst| burst.value == 0) {
        let problem =
            Diagnostic::error("bad-rate", "without a burst of at least 1 no request would ever pass");
        at.field("burst", zero).report(problem.help("expected 1 or more"));
    }
    let (Some(requests), Some(per)) = (requests.filter(|n| n.value > 0), per.filter(|per| !per.is_zero()))
    else {
        return;
    };
    let rate = f64::from(requests.value) / per.as_secs_f64();
    // A key's place in the table counts more coarsely.
    let is_keyed = limit.key.as_ref().is_some_and(|key| key.value != RequestKey::None);
    let max = if is_keyed { KEYED_RATE_MAX } else { RATE_MAX };
    if rate > max {
        let problem =
            Diagnostic::error("bad-rate", format!("{rate:.0} requests per second are too many to count"));
        at.field("requests", requests)
            .report(problem.help(format!("the highest rate is {max:.0} per second")));
    }
    if let Some(burst) = &limit.burst
        && f64::from(burst.value) / rate > PERIOD_MAX.as_secs_f64()
    {
        let message = format!("a burst of {} would take longer than 24h to be allowed again", burst.value);
        at.field("burst", burst)
            .report(Diagnostic::error("bad-rate", message).help("expected a smaller one"));
    }
    if let Some(key) = &limit.key {
        check_key(key, &at.field("key", key));
    }
}

fn check_key(key: &RequestKey, at: &Place<'_>) {
    let (name, what) = match key {
        RequestKey::None | RequestKey::ClientAddress => return,
        RequestKey::Header(name) => (name, "header"),
        RequestKey::Cookie(name) => (name, "cookie"),
        RequestKey::Query(name) => (name, "query"),
        RequestKey::Claim(name) => (name, "claim"),
    };
    let is_name = match what {
        "claim" => !name.is_empty(),
        "query" => !name.is_empty() && !name.contains(['&', '=', '#', '%', '+']),
        _ => !name.is_empty() && name.bytes().all(is_token_byte),
    };
    if !is_name {
        let message = format!(
            "`{}` can't be the name of a {}",
            shown(name),
            if what == "query" { "parameter" } else { what }
        );
        at.field(what, name)
            .report(Diagnostic::error("bad-key", message).help("expected letters, digits, `-` and `_`"));
    }
}

fn check_access_log(lines: &AccessLogLines, at: &Place<'_>) {
    let help = "expected on, off, errors, or a share such as `sample 10%`";
    let Some(text) = at.require_text("lines", &lines.lines, help) else { return };
    if LogChoice::parse(text).is_none() {
        let message = format!("`{}` does not say which requests have a line", shown(text));
        at.field("lines", text).report(Diagnostic::error("unknown-value", message).help(help));
    }
}

fn check_networks(networks: &Networks, at: &Place<'_>) {
    if networks.allow.is_empty() && networks.deny.is_empty() {
        at.report(
            missing("allow").help("write `allow` or `deny`, with addresses or networks such as 10.0.0.0/8"),
        );
    }
    for (name, list) in [("allow", &networks.allow), ("deny", &networks.deny)] {
        for (at, network) in at.items(name, list) {
            if !names::is_subnet(network) {
                let message = format!("`{}` is not a network", shown(network));
                let help = "expected an address, or one with the length of its prefix, such as 10.0.0.0/8";
                at.report(Diagnostic::error("bad-network", message).help(help));
            }
        }
    }
}

fn check_body_limit(limit: &BodyLimit, at: &Place<'_>) {
    at.require("max", &limit.max, "write `max: 10MiB`, or just the size");
}

fn check_split(split: &StickySplit, at: &Place<'_>) {
    let Some(key) = at.require("key", &split.key, "write what decides, as `key: {cookie: name}`") else {
        return;
    };
    check_key(key, &at.field("key", key));
    if **key == RequestKey::None {
        let problem = Diagnostic::error(
            "bad-key",
            "without a key it is chance that decides, as without the annotation",
        );
        at.field("key", key)
            .report(problem.help("expected client-address, or a header, a cookie or a parameter"));
    }
    if let RequestKey::Claim(claim) = &**key {
        let problem = Diagnostic::error("bad-key", "a split can't go by a claim");
        at.field("key", key)
            .field("claim", claim)
            .report(problem.help("expected client-address, or a header, a cookie or a parameter"));
    }
    let Some(issue) = &split.issue else { return };
    if !matches!(**key, RequestKey::Cookie(_)) {
        at.field("issue", issue).report(
            conflicting("issue", "key").help("only a cookie can be issued: write `key: {cookie: name}`"),
        );
    }
    check_cookie(issue, &at.field("issue", issue));
}

fn check_cookie(cookie: &IssuedCookie, at: &Place<'_>) {
    if let Some(age) = cookie.max_age.as_ref().filter(|age| age.is_zero() || age.subsec_nanos() != 0) {
        let problem =
            Diagnostic::error("bad-duration", format!("{:?} is not a number of seconds", age.value));
        at.field("maxAge", age).report(problem.help("expected whole seconds, at least one"));
    }
    let is_path =
        |path: &str| path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b';');
    if let Some(path) = cookie.path.as_ref().filter(|path| !is_path(path)) {
        let problem =
            Diagnostic::error("bad-path", format!("`{}` can't be the path of a cookie", shown(path)));
        at.field("path", path).report(problem.help("expected a path that begins with `/`"));
    }
}

pub(super) fn check_gateway(gateway: &Resource<Gateway>, findings: &Findings<'_>) {
    const NAME: &str = "sluicegate.io/max-connection-age";
    let Some(own) = &gateway.meta.own else { return };
    let at = findings.root("metadata", gateway.meta.name.span);
    let ages = &own.max_connection_age;
    let mut seen: HashMap<Option<u32>, &Spanned<ConnectionAge>> = HashMap::new();
    for (index, age) in ages.iter().enumerate() {
        let whole = at.entry("annotations", NAME, age.span);
        let element = whole.element(index, age);
        let at = if ages.is_list { &element } else { &whole };
        check_age(age, gateway, at);
        if let Some(first) = seen.insert(age.port.as_ref().map(|port| port.value), age) {
            let problem = Diagnostic::error("conflicting-entries", "two entries are for the same servers");
            let problem = problem.label(first.span, "the other one");
            at.report(problem.help("give each a `port` of its own, or remove one"));
        }
    }
}

fn check_age(age: &ConnectionAge, gateway: &Resource<Gateway>, at: &Place<'_>) {
    if let Some(age) = at.require("age", &age.age, "write `age: 1h`, or just the duration")
        && !(Duration::from_secs(1)..=AGE_MAX).contains(&age.value)
    {
        let problem =
            Diagnostic::error("bad-duration", format!("{:?} is not an age of a connection", age.value));
        at.field("age", age).report(problem.help("expected 1s to 8784h"));
    }
    if let Some(jitter) = age.jitter_percent.as_ref().filter(|jitter| jitter.value > 100) {
        let problem = Diagnostic::error("bad-percentage", format!("{} is not a percentage", jitter.value));
        at.field("jitterPercent", jitter).report(problem.help("expected 0 to 100"));
    }
    let Some(port) = &age.port else { return };
    let number = |server: &crate::config::resources::Server| {
        server.port.as_ref()?.number.as_ref().map(|number| number.value)
    };
    if !gateway.spec.servers.iter().any(|server| number(server) == Some(port.value)) {
        let problem = Diagnostic::error("unknown-port", format!("no server has the port {}", port.value));
        at.field("port", port).report(problem.help("expected the `port.number` of a server of this Gateway"));
    }
}
