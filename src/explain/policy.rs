//! The policies that a request meets, and where each is written: what is decided before the action, and what holds on the
//! way to a destination.

use super::{
    action::{Percent, Way},
    grpc,
    story::{Detail, GrpcStatus, Outcome, Reply, Step},
    walk::{Arrived, lossy},
};
use crate::{
    filter::{Abort, Fault, RequestKey, cors},
    grpc::STATUS_NAMES,
    http::BodyLength,
    proxy,
    table::{
        Checks, Cluster, CorsPolicy, Forward, Mirror, PolicyField, PolicyPlace, RetryOn, RetryPolicy, Route,
        Settings, Source,
    },
    telemetry::Flag,
};

/// What is decided before a route's action, in the order in which it is decided; and what the client gets if that ends it.
/// What is left to chance, or to the requests before this one, is told and not decided.
pub(super) fn checks(way: Way<'_>, arrived: &Arrived<'_>) -> (Vec<Step>, Option<Outcome>) {
    let Some(checks) = &way.route.checks else { return (Vec::new(), None) };
    let told = Told { route: way.route };
    let mut steps = Vec::new();
    let mut ended = told.networks(checks, &way.snapshot.settings, arrived, &mut steps);
    if ended.is_none()
        && let Some(fault) = &checks.fault
    {
        ended = told.fault(fault, &mut steps);
    }
    if ended.is_none()
        && let Some(policy) = &checks.cors
    {
        ended = told.cors(policy, arrived, &mut steps);
    }
    if ended.is_none() {
        told.rate_limits(checks, &mut steps);
        ended = told.body(checks, arrived, &mut steps);
    }
    if ended.is_none()
        && let Some(split) = &checks.split
    {
        let text = format!(
            "the destination is chosen by {}, not by chance, where a request has it",
            key(&split.key)
        );
        steps.push(told.step("sticky split", text, PolicyField::StickySplit));
    }
    // What the configuration asks for stays as it is.
    let is_asked_for = |reply: &Reply| reply.details == PREFLIGHT || reply.grpc.is_some();
    let outcome = ended.map(|reply| match is_asked_for(&reply) {
        true => Outcome::Reply(reply),
        false => Outcome::Reply(grpc::answer(&arrived.request, reply)),
    });
    (steps, outcome)
}

/// What the access log says of preflights that are answered here.
const PREFLIGHT: &str = "cors_response";

/// What holds while a request is on its way to its destinations: how long it may take, what is tried again, and who gets
/// copies.
pub(super) fn delivery(way: Way<'_>, forward: &Forward) -> Vec<Step> {
    let told = Told { route: way.route };
    let settings = &way.snapshot.settings;
    let mut steps = Vec::new();
    if let Some(timeout) = forward.timeout {
        let text = format!("{} s for the whole exchange with all its tries, then 504", timeout.as_secs_f64());
        steps.push(told.step("timeout", text, PolicyField::Timeout));
    }
    steps.push(match &forward.retry {
        Some(policy) => told.step("retries", retries(policy), PolicyField::Retries),
        None if settings.retry == RetryPolicy::default() => {
            Step::new("retries", format!("{} (Istio's default)", retries(&settings.retry)))
        }
        None => Step::new("retries", retries(&settings.retry))
            .from(&Source::built_in("meshConfig.defaultHttpRetryPolicy")),
    });
    let mut places = told.places(PolicyField::Mirror);
    for mirror in &forward.mirrors {
        let step = Step::new("mirror", self::mirror(mirror));
        steps.push(places.next().iter().fold(step, |step, source| step.from(source)));
    }
    steps
}

fn mirror(mirror: &Mirror) -> String {
    let share = match mirror.percent {
        all if all >= 100.0 => "a copy of each request goes".to_owned(),
        percent => format!("copies of {} of the requests go", Percent(percent)),
    };
    let fate = match mirror.cluster {
        Some(_) => "; its answers are dropped",
        None => ", which does not exist: none is sent",
    };
    format!("{share} to {}{fate}", mirror.cluster_name)
}

/// Which DestinationRules hold for a cluster, and where each block of its policy is.
pub(super) fn of_cluster(cluster: &Cluster) -> Vec<Detail> {
    let Some(policy) = &cluster.policy else { return Vec::new() };
    let mut details: Vec<Detail> = policy
        .blocks
        .iter()
        .map(|block| Detail::new(format!("by {}", block.path)).from(&block.source))
        .collect();
    let says_nothing = policy
        .rules
        .iter()
        .filter(|rule| policy.blocks.iter().all(|block| block.source.object != rule.object));
    details.extend(says_nothing.map(|rule| Detail::new("a rule that says nothing for it").from(rule)));
    details
}

fn retries(policy: &RetryPolicy) -> String {
    if policy.attempts == 0 {
        return "none".to_owned();
    }
    const CONDITIONS: [&str; 13] = [
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "envoy-ratelimited",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    ];
    let is_on = |name: &&&str| RetryOn::of(name).is_some_and(|condition| policy.on.has_any(condition));
    let mut on: Vec<String> = CONDITIONS.iter().filter(is_on).map(|name| (*name).to_owned()).collect();
    if policy.on.has_any(RetryOn::STATUS_CODES) {
        on.extend(policy.statuses.iter().map(u16::to_string));
    }
    let tries = if policy.attempts == 1 {
        "one more try".to_owned()
    } else {
        format!("up to {} more tries", policy.attempts)
    };
    let each = policy
        .per_try_timeout
        .map_or(String::new(), |timeout| format!(", each within {} s", timeout.as_secs_f64()));
    format!("{tries} on {}{each}, with pauses from {} ms", on.join(", "), policy.backoff.as_millis())
}

fn key(key: &RequestKey) -> String {
    match key {
        RequestKey::ClientAddress => "the client's address".to_owned(),
        RequestKey::Header(name) => format!("header `{}`", lossy(name)),
        RequestKey::Cookie(name) => format!("cookie `{}`", lossy(name)),
        RequestKey::Query(name) => format!("query parameter `{}`", lossy(name)),
        RequestKey::Claim(name) => format!("claim `{name}`"),
    }
}

/// Tells of the policies of a route.
struct Told<'r> {
    route: &'r Route,
}

impl<'r> Told<'r> {
    /// Where a field is written; several of its kind in their order.
    fn places(&self, field: PolicyField) -> impl Iterator<Item = Source> + use<'r> {
        let route = self.route;
        let own = route.places.iter().filter(move |place| place.field == field);
        own.map(move |place: &PolicyPlace| {
            let base = route.root.as_deref().filter(|_| place.of_root).unwrap_or(&route.source);
            Source { line: place.line, column: place.column, ..base.clone() }
        })
    }

    fn step(&self, name: &'static str, text: impl Into<String>, field: PolicyField) -> Step {
        let step = Step::new(name, text);
        self.places(field).next().iter().fold(step, |step, source| step.from(source))
    }

    fn networks(
        &self,
        checks: &Checks,
        settings: &Settings,
        arrived: &Arrived<'_>,
        steps: &mut Vec<Step>,
    ) -> Option<Reply> {
        let client = proxy::client_address(&arrived.request, settings, &arrived.info);
        let mut places = self.places(PolicyField::Networks);
        for networks in &checks.networks {
            let permits = networks.permits(client);
            let client = client.map_or("a client without an address".to_owned(), |client| client.to_string());
            let text = if permits { format!("{client} may come") } else { format!("{client} may not come") };
            let step = Step::new("networks", text);
            steps.push(places.next().iter().fold(step, |step, source| step.from(source)));
            if !permits {
                return Some(reply(403, None, "network_denied", "network denied"));
            }
        }
        None
    }

    fn fault(&self, fault: &Fault, steps: &mut Vec<Step>) -> Option<Reply> {
        let mut texts = Vec::new();
        if let Some((share, duration)) = fault.delay {
            let share = Percent(share.as_percent());
            texts.push(format!("{share} of the requests wait for {} s", duration.as_secs_f64()));
        }
        let mut ended = None;
        if let Some((share, abort)) = fault.abort {
            let (how, aborted) = match abort {
                Abort::Http(status) => (
                    status.to_string(),
                    reply(status, Some(Flag::FaultInjected), ABORT, "fault filter abort"),
                ),
                Abort::Grpc(status) => {
                    let name = STATUS_NAMES.get(usize::from(status)).copied().unwrap_or_default();
                    let reply = Reply {
                        grpc: Some(GrpcStatus { code: status, name }),
                        ..reply(200, Some(Flag::FaultInjected), ABORT, "fault filter abort")
                    };
                    (format!("gRPC's {name}"), reply)
                }
            };
            texts.push(format!("{} of the requests are answered {how}", Percent(share.as_percent())));
            ended = (share.as_percent() >= 100.0).then_some(aborted);
        }
        steps.push(self.step("fault", texts.join("; "), PolicyField::Fault));
        ended
    }

    fn cors(&self, policy: &CorsPolicy, arrived: &Arrived<'_>, steps: &mut Vec<Step>) -> Option<Reply> {
        let origin = cors::origin(&arrived.request);
        let is_allowed = origin.is_some_and(|origin| policy.allows(origin));
        let is_preflight = cors::is_preflight(&arrived.request);
        let is_answered = is_preflight && policy.cors.answers(is_allowed);
        let text = match origin.map(lossy) {
            None => "no Origin is named, so nothing is added".to_owned(),
            Some(origin) if is_allowed => format!("`{origin}` is allowed"),
            Some(origin) => format!("`{origin}` is not allowed, so nothing is added"),
        };
        let step = self.step("CORS", text, PolicyField::Cors);
        let what = match (is_answered, is_allowed) {
            (true, _) => "a preflight: answered here, and the destination does not hear of it",
            (false, true) => "the answer gets Access-Control-Allow-Origin, and what else the policy says",
            (false, false) => "the request goes on as it is",
        };
        steps.push(step.with(Detail::new(what)));
        is_answered.then(|| reply(200, None, PREFLIGHT, ""))
    }

    fn rate_limits(&self, checks: &Checks, steps: &mut Vec<Step>) {
        let mut places = self.places(PolicyField::RateLimit);
        for limited in &checks.rate_limits {
            let by = match &limited.key {
                None => "all requests together".to_owned(),
                Some(key) => format!("counted by {}", self::key(key)),
            };
            let step = Step::new("rate limit", format!("{by}; more than it allows are answered 429 (RL)"));
            steps.push(places.next().iter().fold(step, |step, source| step.from(source)));
        }
    }

    fn body(&self, checks: &Checks, arrived: &Arrived<'_>, steps: &mut Vec<Step>) -> Option<Reply> {
        let max = checks.body_max?;
        steps.push(self.step("body limit", format!("at most {max} bytes, else 413"), PolicyField::BodyLimit));
        let is_larger = matches!(arrived.request.body, BodyLength::Sized(length) if length > max);
        let flag = Some(Flag::DownstreamProtocolError);
        is_larger.then(|| reply(413, flag, "request_payload_too_large", "Payload Too Large"))
    }
}

/// What the access log says of requests that a fault ends.
const ABORT: &str = "fault_filter_abort";

fn reply(status: u16, flag: Option<Flag>, details: &'static str, body: &str) -> Reply {
    Reply { body: body.to_owned(), ..Reply::new(status, flag.map(Flag::as_str), details) }
}
