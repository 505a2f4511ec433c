//! What a route does with the request.

use super::{
    cluster::{self, Client, Reach},
    grpc, policy,
    secure::Health,
    story::{Detail, Failure, Outcome, Reply, Step, Target},
    walk::{Arrived, lossy},
};
use crate::{
    filter::{Address, Context, HeaderOps},
    grpc::{Kind, Translation},
    http::{Name, RequestHead, Version},
    proxy,
    table::{Action, Cluster, Destination, DirectResponse, Forward, Redirect, Route, Settings, Snapshot},
    telemetry::Flag,
};
use std::{fmt, fs, time::SystemTime};

/// Characters of a body that are shown.
const BODY_SHOWN_MAX: usize = 200;

/// Where the request has come to.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) health: &'a Health,
    pub(super) route: &'a Route,
}

/// What happens from the route on.
pub(super) fn follow(way: Way<'_>, arrived: &Arrived<'_>) -> (Vec<Step>, Outcome) {
    let (mut steps, ended) = policy::checks(way, arrived);
    if let Some(outcome) = ended {
        return (steps, outcome);
    }
    let (rest, outcome) = match &way.route.action {
        Action::Forward(forward) => way.forward(forward, arrived),
        Action::Redirect(redirect) => way.redirect(redirect, arrived),
        Action::Direct(direct) => way.direct(direct),
    };
    steps.extend(rest);
    (steps, outcome)
}

/// A request as a destination that exists gets it.
struct Departed<'a> {
    cluster: &'a Cluster,
    request: RequestHead,
    is_http2: bool,
    /// The protocol of gRPC, before gRPC-Web was translated.
    grpc: Option<Kind>,
}

impl<'a> Way<'a> {
    fn reach(&self, version: Version, grpc: Option<Kind>) -> Reach<'a> {
        let client = Client { version, grpc };
        Reach {
            snapshot: self.snapshot,
            health: self.health,
            traffic: "the request's host",
            client: Some(client),
        }
    }

    fn redirect(&self, redirect: &Redirect, arrived: &Arrived<'_>) -> (Vec<Step>, Outcome) {
        let mut location = Vec::new();
        redirect.location(&arrived.request, arrived.scheme, &mut location);
        let steps = [
            Some(Step::new("redirect", redirect.to_string())),
            headers_step("response headers", &self.route.response_headers),
        ];
        let reply = Reply {
            location: Some(lossy(&location)),
            ..Reply::new(redirect.status, None, "direct_response")
        };
        (steps.into_iter().flatten().collect(), Outcome::Reply(reply))
    }

    fn direct(&self, direct: &DirectResponse) -> (Vec<Step>, Outcome) {
        let text = format!("answered here with {}, {} bytes", direct.status, direct.body.len());
        let steps = [
            Some(Step::new("direct response", text)),
            headers_step("response headers", &self.route.response_headers),
        ];
        let body = String::from_utf8_lossy(&direct.body);
        let shown: String = body.chars().take(BODY_SHOWN_MAX).flat_map(char::escape_debug).collect();
        let more = if body.chars().count() > BODY_SHOWN_MAX { "..." } else { "" };
        let reply =
            Reply { body: format!("{shown}{more}"), ..Reply::new(direct.status, None, "direct_response") };
        (steps.into_iter().flatten().collect(), Outcome::Reply(reply))
    }

    fn forward(&self, forward: &Forward, arrived: &Arrived<'_>) -> (Vec<Step>, Outcome) {
        let mut steps = Vec::new();
        // What is not there gets nothing.
        let depart = |destination| self.depart(forward, destination, arrived);
        let sent: Vec<_> = forward.destinations.iter().map(depart).collect();
        let first = sent.iter().flatten().next();
        if let (Some(first), Some(rewrite)) = (first, &forward.path_rewrite) {
            let (old, new) = (lossy(&arrived.request.target), lossy(&first.request.target));
            steps.push(Step::new("rewrite", format!("`{old}` becomes `{new}` ({rewrite})")));
        }
        steps.extend(headers_step("request headers", &self.route.request_headers));
        let mut targets = Vec::new();
        for (destination, sent) in forward.destinations.iter().zip(&sent) {
            let percent = f64::from(destination.weight) * 100.0 / forward.total_weight.max(1) as f64;
            let (step, target) = self.destination(destination, percent, sent.as_ref(), arrived);
            steps.push(step);
            targets.push(target);
        }
        steps.extend(policy::delivery(*self, forward));
        steps.extend(headers_step("response headers", &self.route.response_headers));
        if let Some(first) = first {
            let whose = if targets.len() > 1 { " (the first destination that exists)" } else { "" };
            let lines = head_lines(first, &arrived.request, &self.snapshot.settings);
            let step = Step::new("origin gets", format!("{}{whose}", lines.first().map_or("", |line| line)));
            steps.push(step.with_all(lines.into_iter().skip(1).map(Detail::new)));
        }
        // One that is sure to fail is an answer made here.
        if let [Target { failure, .. }] = targets.as_mut_slice()
            && let Some(Failure::Reply(reply)) = failure.take()
        {
            return (steps, Outcome::Reply(reply));
        }
        (steps, Outcome::Forward(targets))
    }

    fn destination(
        &self,
        destination: &Destination,
        percent: f64,
        sent: Option<&Departed<'a>>,
        arrived: &Arrived<'_>,
    ) -> (Step, Target) {
        let name = &destination.cluster_name;
        let text = if percent < 100.0 { format!("{} {name}", Percent(percent)) } else { name.to_string() };
        let step = Step::new("destination", text);
        let endpoints = sent.map(|sent| cluster::endpoints(sent.cluster)).unwrap_or_default();
        let failure = match sent {
            None => {
                let reply = Reply::new(503, Some(Flag::NoCluster.as_str()), "cluster_not_found");
                Some(grpc::answer(&arrived.request, reply))
            }
            Some(sent) if endpoints.is_empty() => {
                let reply = Reply {
                    body: "no healthy upstream".to_owned(),
                    ..Reply::new(503, Some(Flag::NoHealthyUpstream.as_str()), "no_healthy_upstream")
                };
                Some(grpc::answer(&sent.request, reply))
            }
            Some(_) => None,
        };
        let step = match sent {
            Some(Departed { cluster, grpc, .. }) => {
                let reach = self.reach(arrived.request.version, *grpc);
                let step = step.from(&cluster.source).with_all(cluster::details(cluster, reach));
                step.with_all(policy::of_cluster(cluster))
            }
            None => step.with(Detail::new(cluster::UNKNOWN)),
        };
        let headers =
            [("request", &destination.request_headers), ("response", &destination.response_headers)];
        let headers = headers.into_iter().filter(|(_, ops)| !ops.is_empty());
        let step = step.with_all(headers.map(|(what, ops)| Detail::new(format!("{what} headers: {ops}"))));
        let failure = failure.map(Failure::Reply);
        (step, Target { cluster: name.to_string(), percent, endpoints, failure })
    }

    /// The request as a destination gets it; nothing where there is no such destination.
    fn depart(
        &self,
        forward: &Forward,
        destination: &Destination,
        arrived: &Arrived<'_>,
    ) -> Option<Departed<'a>> {
        let cluster = self.snapshot.clusters.get(destination.cluster?.0 as usize)?;
        let settings = &self.snapshot.settings;
        let mut request = arrived.request.clone();
        let hostname = hostname();
        let mut fields = std::mem::take(&mut request.fields);
        for ops in [&self.route.request_headers, &destination.request_headers] {
            let context = self.context(&request, arrived, &destination.cluster_name, &hostname);
            ops.apply_to_request(&mut fields, &context);
        }
        request.fields = fields;
        proxy::depart(&mut request, forward, destination, settings, &mut Vec::new(), &mut Vec::new());
        let (grpc, is_http2) = (grpc::kind(&request), cluster.protocol.is_http2_for(request.version));
        if is_http2 {
            Translation::begin(&mut request);
        }
        let retry = forward.retry.as_deref().unwrap_or(&settings.retry);
        let expected = [forward.timeout, retry.per_try_timeout].into_iter().flatten().min();
        if let Some(expected) = expected.filter(|_| settings.envoy_debug_headers) {
            let text = expected.as_millis().to_string();
            request.fields.push_known(Name::XEnvoy, "x-envoy-expected-rq-timeout-ms", text.as_bytes());
        }
        if settings.attempt_count {
            request.fields.push_known(Name::XEnvoy, "x-envoy-attempt-count", b"1");
        }
        Some(Departed { cluster, request, is_http2, grpc })
    }

    /// What header values may read, as far as it is known before a connection is made.
    fn context<'c>(
        &'c self,
        request: &'c RequestHead,
        arrived: &Arrived<'_>,
        cluster: &'c str,
        hostname: &'c str,
    ) -> Context<'c> {
        let unix_ms = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64);
        Context {
            start_time_ms: unix_ms,
            hostname,
            downstream_remote: arrived.info.peer.map(Address::Ip),
            downstream_direct_remote: arrived.info.peer.map(Address::Ip),
            downstream_local: arrived.info.local.map(Address::Ip),
            protocol: request.version,
            scheme: arrived.scheme,
            method: &request.method,
            target: &request.target,
            authority: &request.authority,
            route_name: Some(&*self.route.name).filter(|name| !name.is_empty()),
            upstream_cluster: Some(cluster),
            ..Context::default()
        }
    }
}

fn headers_step(name: &'static str, ops: &HeaderOps) -> Option<Step> {
    (!ops.is_empty()).then(|| Step::new(name, ops.to_string()))
}

/// The head as it goes out, a line each.
fn head_lines(departed: &Departed<'_>, arrived: &RequestHead, settings: &Settings) -> Vec<String> {
    let Departed { request: sent, is_http2, .. } = departed;
    let (version, host) = if *is_http2 { ("HTTP/2", ":authority") } else { ("HTTP/1.1", "host") };
    let mut lines = vec![
        format!("{} {} {version}", lossy(&sent.method), lossy(&sent.target)),
        format!("{host}: {}", lossy(&sent.authority)),
    ];
    let made_id = arrived.fields.get(Name::XRequestId).filter(|_| settings.request_id);
    lines.extend(sent.fields.iter().map(|field| match field.name {
        Name::XRequestId if Some(field.value) == made_id => "x-request-id: (a new one each time)".to_owned(),
        _ => format!("{}: {}", lossy(field.text), lossy(field.value)),
    }));
    lines
}

/// For `%HOSTNAME%`.
fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| String::new(), |name| name.trim().into())
}

/// `80%`, `33.3%`
pub struct Percent(pub f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if (self.0 - self.0.round()).abs() < 0.05 { 0 } else { 1 };
        write!(f, "{:.digits$}%", self.0)
    }
}
